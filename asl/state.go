package asl

import (
	"fmt"
	"strings"

	"github.com/weftworks/weft/asl/jsonpath"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// stateTypes by spelling, in the order in which Step Functions lists them.
var stateTypes = []StateType{Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map}

// String returns the language as the States Language spells it.
func (l QueryLanguage) String() string {
	if l == JSONata {
		return "JSONata"
	}
	return "JSONPath"
}

// state reads one state of the graph.
func (r *graphReader) state(s *spot) {
	st := r.enter(s)
	if !r.kind(s, jsonvalue.KindObject) {
		r.broken = true
		return
	}
	defer func(outer QueryLanguage, above *State, at *spot) {
		r.language, r.current, r.currentAt = outer, above, at
	}(r.language, r.current, r.currentAt)
	r.current, r.currentAt = st, s
	st.QueryLanguage = r.queryLanguage(s, r.machine.QueryLanguage)
	r.language = st.QueryLanguage
	if st.QueryLanguage == JSONPath && r.machine.QueryLanguage == JSONata {
		r.report(s, SchemaInvalid, "remove the state's QueryLanguage", "the machine's query language is JSONata, so a state cannot use JSONPath").ServiceMessage =
			"'QueryLanguage' can not be 'JSONPath' if set to 'JSONata' for whole state machine"
	}
	if !r.require(s, "Type") || !r.stateType(s, st) {
		r.broken = true
		return
	}
	r.fields(s, "a "+st.Type.String()+" state", stateFields[st.Type])
	st.Comment, _ = r.text(s, "Comment")
	r.transition(s, st)
	if st.QueryLanguage == JSONPath {
		r.dataFlow(s, st)
	} else {
		r.queryFlow(s, st)
	}
	st.Assign = r.assign(s, resultOf(st.Type))
	r.retry(s, st)
	r.catch(s, st)
	r.part(s, st)
}

func (r *graphReader) stateType(s *spot, st *State) bool {
	text, ok := r.text(s, "Type")
	if !ok {
		return false
	}
	for _, t := range stateTypes {
		if t.String() == text {
			st.Type = t
			return true
		}
	}
	names := make([]string, len(stateTypes))
	for i, t := range stateTypes {
		names[i] = t.String()
	}
	list := strings.Join(names, ", ")
	fix := closest(text, names)
	if fix == "" {
		fix = "write one of " + list
	}
	r.report(s.member("Type"), SchemaInvalid, fix, "there is no state type %q", text).ServiceMessage =
		"The field 'Type' should have one of these values: [" + list + "]"
	return false
}

// transition reads Next and End, of which a state that goes on has exactly one.
func (r *graphReader) transition(s *spot, st *State) {
	if _, goesOn := stateFields[st.Type]["Next"]; !goesOn {
		return
	}
	st.End, _ = r.flag(s, "End")
	next, has := r.text(s, "Next")
	switch {
	case has && st.End:
		r.reportKey(s.member("End"), SchemaInvalid, "keep one of them", "Next and End exclude each other").
			service(s, "There should only be one of the following fields: [Next, End]")
	case has:
		st.Next = next
		r.refer(s.member("Next"), next, &st.NextState)
	case !st.End:
		r.broken = true
		if s.has("Next") {
			return // and is no text, as has been reported
		}
		r.none(s, `add "Next": "NAME" or "End": true`, "the state says neither what comes next nor that it ends", "Next", "End")
	}
}

// dataFlow reads the fields by which JSONPath states shape their input and output.
func (r *graphReader) dataFlow(s *spot, st *State) {
	st.InputPath = r.nullablePath(s, "InputPath")
	st.OutputPath = r.nullablePath(s, "OutputPath")
	st.ResultPath = r.referencePath(s)
	if st.Type == Map {
		r.oneOf(s, "ItemSelector", "Parameters")
		if st.Parameters = r.template(s, "ItemSelector"); st.Parameters != nil {
			st.ResultSelector = r.template(s, "ResultSelector")
			return
		}
	}
	if _, takes := stateFields[st.Type]["Parameters"]; takes {
		st.Parameters = r.template(s, "Parameters")
	}
	if _, takes := stateFields[st.Type]["ResultSelector"]; takes {
		st.ResultSelector = r.template(s, "ResultSelector")
	}
}

// part reads what only this type of state has.
func (r *graphReader) part(s *spot, st *State) {
	switch st.Type {
	case Task:
		r.task(s, st)
	case Pass:
		if f := s.member("Result"); f != nil {
			st.Result = r.machine.Text[f.node.Offset:f.node.End]
			if compact, err := jsonvalue.Compact(nil, st.Result); err == nil {
				st.Result = compact
			}
		}
	case Choice:
		r.choice(s, st)
	case Wait:
		r.wait(s, st)
	case Fail:
		r.fail(s, st)
	case Parallel:
		r.parallel(s, st)
	case Map:
		r.mapState(s, st)
	}
}

func (r *graphReader) wait(s *spot, st *State) {
	w := &WaitPart{}
	st.Wait = w
	forms := []string{"SecondsPath", "Seconds", "TimestampPath", "Timestamp"}
	if r.oneOf(s, forms...) == nil {
		r.none(s, "add one of "+strings.Join(forms, ", "), "a Wait state must say how long", forms...)
		return
	}
	r.queries(s, st, "Seconds", "Timestamp")
	w.Seconds, w.HasSeconds = r.whole(s, "Seconds", 0, maxSeconds)
	if f := s.member("Timestamp"); f != nil && !r.isExpression(f) {
		w.Timestamp = r.timestamp(f)
	}
	w.SecondsPath = r.path(s, "SecondsPath")
	w.TimestampPath = r.path(s, "TimestampPath")
}

func (r *graphReader) timestamp(f *spot) string {
	if !r.kind(f, jsonvalue.KindString) {
		return ""
	}
	text := f.node.Scalar.(string)
	if _, err := ParseTimestamp(text); err != nil {
		r.report(f, SchemaInvalid, `write it like "2026-03-14T01:59:00Z"`, "%q is no RFC 3339 timestamp", text).ServiceMessage =
			"String does not match RFC3339 timestamp"
	}
	return text
}

func (r *graphReader) fail(s *spot, st *State) {
	st.Fail = &FailPart{}
	r.oneOf(s, "Error", "ErrorPath")
	r.oneOf(s, "Cause", "CausePath")
	r.queries(s, st, "Error", "Cause")
	for name, to := range map[string]**string{"Error": &st.Fail.Error, "Cause": &st.Fail.Cause} {
		if f := s.member(name); f == nil || r.isExpression(f) {
			continue
		}
		if text, ok := r.text(s, name); ok {
			*to = &text
		}
	}
	for name, to := range map[string]*Expr{"ErrorPath": &st.Fail.ErrorPath, "CausePath": &st.Fail.CausePath} {
		if f := s.member(name); f != nil && r.kind(f, jsonvalue.KindString) {
			*to = r.expression(f)
		}
	}
}

func (r *graphReader) parallel(s *spot, st *State) {
	st.Parallel = &ParallelPart{}
	branches := s.member("Branches")
	if !r.require(s, "Branches") || !r.kind(branches, jsonvalue.KindArray) {
		return
	}
	if len(branches.node.Items) == 0 {
		r.empty(branches, "add a branch", "a Parallel state needs at least one branch")
	}
	for i := range branches.node.Items {
		branch := branches.at(i)
		g := &Graph{Parent: st}
		st.Parallel.Branches = append(st.Parallel.Branches, g)
		if r.fields(branch, "a branch", branchFields) {
			r.parser.graph(branch, g)
		}
	}
}

func (r *graphReader) mapState(s *spot, st *State) {
	m := &MapPart{}
	st.Map = m
	r.processor(s, st)
	r.distributed(s, st)
	r.oneOf(s, "MaxConcurrency", "MaxConcurrencyPath")
	r.oneOf(s, "ToleratedFailureCount", "ToleratedFailureCountPath")
	r.oneOf(s, "ToleratedFailurePercentage", "ToleratedFailurePercentagePath")
	r.queries(s, st, "MaxConcurrency", "ToleratedFailureCount", "ToleratedFailurePercentage")
	m.Items = r.items(s)
	m.ItemsPath = r.reference(s, "ItemsPath", true)
	m.MaxConcurrency, _ = r.whole(s, "MaxConcurrency", 0, maxSeconds)
	m.MaxConcurrencyPath = r.reference(s, "MaxConcurrencyPath", false)
	m.ToleratedFailureCount, _ = r.whole(s, "ToleratedFailureCount", 0, maxSeconds)
	m.ToleratedFailureCountPath = r.reference(s, "ToleratedFailureCountPath", false)
	m.ToleratedFailurePercentage = r.percentage(s)
	m.ToleratedPercentagePath = r.reference(s, "ToleratedFailurePercentagePath", false)
	for _, name := range []string{"ToleratedFailureCount", "ToleratedFailureCountPath", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath"} {
		m.HasTolerance = m.HasTolerance || s.has(name)
	}
	m.HasFailureCount = s.has("ToleratedFailureCount") || s.has("ToleratedFailureCountPath")
	m.HasFailurePercentage = s.has("ToleratedFailurePercentage") || s.has("ToleratedFailurePercentagePath")
}

// items reads Items: an array or object, in which there may be expressions, or an expression.
func (r *graphReader) items(s *spot) *Template {
	f := s.member("Items")
	if f == nil || r.language != JSONata {
		return nil
	}
	if k := f.node.Kind; k != jsonvalue.KindArray && k != jsonvalue.KindObject && !r.isExpression(f) {
		r.report(f, SchemaInvalid, `write an array, or an expression such as "{% $states.input.items %}"`,
			"Items are an array, an object or an expression, not %s", quote(f.node)).ServiceMessage = "Expected value of type Array"
		return nil
	}
	return r.queryTemplate(s, "Items", 0)
}

func (r *graphReader) percentage(s *spot) float64 {
	f := s.member("ToleratedFailurePercentage")
	if f == nil || r.isExpression(f) {
		return 0
	}
	n, ok := f.node.Scalar.(jsonvalue.Number)
	if v := n.Float64(); ok && v >= 0 && v <= 100 {
		return v
	}
	at := r.report(f, SchemaInvalid, "", "expected a number from 0 to 100, not %s", quote(f.node))
	at.ServiceMessage = "Expected value of type Float"
	if ok {
		outside(at, n, "0.0", "100.0")
	}
	return 0
}

// processor reads ItemProcessor, or Iterator, its older name.
func (r *graphReader) processor(s *spot, st *State) {
	f := r.oneOf(s, "ItemProcessor", "Iterator")
	if f == nil {
		r.none(s, "add ItemProcessor", "a Map state must say what is done with each item", "ItemProcessor", "Iterator")
		return
	}
	if !r.fields(f, "the "+f.key+" of a Map", processorFields) {
		return
	}
	if c := f.member("ProcessorConfig"); c != nil && r.fields(c, "a ProcessorConfig", configFields) {
		r.mode(c, st.Map)
	}
	st.Map.Processor = &Graph{Parent: st}
	d := st.Map.Distributed
	if d == nil {
		r.parser.graph(f, st.Map.Processor)
		return
	}
	d.Text = r.machine.Text[f.node.Offset:f.node.End]
	defer func(outer bool) { r.options.Express = outer }(r.options.Express)
	r.options.Express = d.Express
	r.parser.graph(f, st.Map.Processor)
}

func (r *graphReader) mode(c *spot, m *MapPart) {
	kind, typed := r.text(c, "ExecutionType")
	if typed && kind != "STANDARD" && kind != "EXPRESS" {
		r.choose(c.member("ExecutionType"), "STANDARD", "EXPRESS")
	}
	switch mode, ok := r.text(c, "Mode"); {
	case !ok:
	case mode == "INLINE":
		if f := c.member("ExecutionType"); f != nil {
			r.reportKey(f, SchemaInvalid, `remove it, or write "Mode": "DISTRIBUTED"`, "iterations of an INLINE Map are no executions of their own").
				service(c, "Field 'ExecutionType' is not supported")
		}
	case mode == "DISTRIBUTED":
		m.Distributed = &DistributedPart{Express: kind == "EXPRESS"}
		switch {
		case r.options.Express:
			r.report(c.member("Mode"), SchemaInvalid, "use an INLINE Map, or make the machine STANDARD", "an EXPRESS machine has no distributed Map").ServiceMessage =
				"The DISTRIBUTED mode is not supported in EXPRESS workflows"
		case !typed:
			r.require(c, "ExecutionType")
		}
	default:
		r.choose(c.member("Mode"), "INLINE", "DISTRIBUTED")
	}
}

// task reads what only a Task has.
func (r *graphReader) task(s *spot, st *State) {
	t := &TaskPart{}
	st.Task = t
	r.queries(s, st, "TimeoutSeconds", "HeartbeatSeconds")
	t.Credentials = r.credentials(s)
	t.Timeout = r.duration(s, "TimeoutSeconds")
	t.Heartbeat = r.duration(s, "HeartbeatSeconds")
	if t.Heartbeat.Seconds > 0 && t.Timeout.Seconds > 0 && t.Heartbeat.Seconds >= t.Timeout.Seconds {
		r.report(s.member("HeartbeatSeconds"), SchemaInvalid, "make it smaller, or TimeoutSeconds larger",
			"HeartbeatSeconds (%d) must be smaller than TimeoutSeconds (%d)", t.Heartbeat.Seconds, t.Timeout.Seconds)
	}
	resource, ok := r.text(s, "Resource")
	if !ok {
		r.require(s, "Resource")
		return
	}
	t.Resource = resource
	r.resource(s, t)
	if t.Target.Kind == TargetLambdaInvoke {
		r.lambdaParameters(s)
	}
}

// credentials reads Credentials.
func (r *graphReader) credentials(s *spot) *Template {
	f := s.member("Credentials")
	if f == nil || !r.kind(f, jsonvalue.KindObject) {
		return nil
	}
	if !f.has("RoleArn") && !f.has("RoleArn.$") {
		r.require(f, "RoleArn")
	}
	if r.language == JSONata {
		return r.queryTemplate(s, "Credentials", 0)
	}
	return r.template(s, "Credentials")
}

// lambdaParameters checks the parameters of lambda:invoke.
func (r *graphReader) lambdaParameters(s *spot) {
	name, suffix, example := "Parameters", ".$", `"Payload.$": "$"`
	if r.language == JSONata {
		name, suffix, example = "Arguments", "", `"Payload": "{% $states.input %}"`
	}
	f := s.member(name)
	if f == nil {
		r.report(s, SchemaInvalid, fmt.Sprintf(`add %q: {"FunctionName": "NAME", %s}`, name, example), "lambda:invoke needs %s that name a function", name).ServiceMessage =
			"The field 'FunctionName' is required but was missing"
		return
	}
	if r.isExpression(f) {
		return
	}
	if f.node.Kind != jsonvalue.KindObject {
		r.kind(f, jsonvalue.KindObject)
		return
	}
	for i := range f.node.Members {
		m := f.at(i)
		key := strings.TrimSuffix(m.key, suffix)
		if _, known := lambdaFields[key]; !known {
			r.reportKey(m, SchemaInvalid, closest(key, lambdaFields.names(JSONPath)), "lambda:invoke has no parameter %q", m.key).
				service(f, "The field '%s' is not supported by Step Functions", key)
		}
	}
	if !f.has("FunctionName") && !f.has("FunctionName"+suffix) {
		r.report(f, SchemaInvalid, `add "FunctionName": "NAME"`, "lambda:invoke needs a FunctionName").ServiceMessage =
			"The field 'FunctionName' is required but was missing"
	}
}

// duration reads name or namePath.
func (r *graphReader) duration(s *spot, name string) Duration {
	f := r.oneOf(s, name, name+"Path")
	if f == nil {
		return Duration{}
	}
	d := Duration{Set: true}
	d.Seconds, _ = r.whole(s, name, 1, maxSeconds)
	d.Path = r.path(s, name+"Path")
	return d
}

// path reads an optional path field.
func (p *parser) path(s *spot, name string) *jsonpath.Path {
	if f := s.member(name); f != nil && p.language == JSONPath && p.kind(f, jsonvalue.KindString) {
		return p.compile(f)
	}
	return nil
}

// compile reads the string at f as a path.
func (p *parser) compile(f *spot) *jsonpath.Path {
	path, err := jsonpath.Parse(f.node.Scalar.(string))
	if err != nil {
		p.badPath(f, err)
		return nil
	}
	p.refersTo(path.Variable())
	return path
}

func (p *parser) badPath(f *spot, err error) {
	at := p.report(f, SchemaInvalid, "", "%v", err)
	text, _ := f.node.Scalar.(string)
	_, compared := operators[f.key]
	switch {
	case strings.HasSuffix(f.name(), ".$"):
		at.ServiceMessage = fmt.Sprintf("The value for the field '%s' must be a valid JSONPath or a valid intrinsic function call", f.name())
	case f.key != "Variable" && !compared:
		at.ServiceMessage = "Value must be a valid JSONPath."
	case strings.HasPrefix(text, "$"):
		at.ServiceMessage = notReference
	default:
		at.ServiceMessage = notReference + ": Reference path didn't start with '$'"
	}
}

// notReference is Step Functions' message for a path that may name more than one place.
const notReference = "Value is not a Reference Path"

// reference reads an optional path field that names one place, in the data or, where that is said, in the
// context object.
func (p *parser) reference(s *spot, name string, context bool) *jsonpath.Path {
	path := p.path(s, name)
	if path == nil || path.IsReference() && (context || !path.IsContext()) {
		return path
	}
	why := "it is made of .name, ['name'] and [0] only"
	if path.IsReference() {
		why = "in the data: start it with '$.'"
	}
	p.report(s.member(name), SchemaInvalid, "", "%s names one place, %s", name, why).ServiceMessage = notReference
	return path
}

// nullablePath reads InputPath or OutputPath.
func (p *parser) nullablePath(s *spot, name string) *Path {
	f := s.member(name)
	switch {
	case f == nil:
		return nil
	case f.node.Kind == jsonvalue.KindNull:
		return &Path{Null: true}
	}
	if path := p.path(s, name); path != nil {
		return &Path{Expr: path}
	}
	return nil
}

// referencePath reads ResultPath.
func (p *parser) referencePath(s *spot) *ReferencePath {
	f := s.member("ResultPath")
	switch {
	case f == nil || p.language != JSONPath:
		return nil
	case f.node.Kind == jsonvalue.KindNull:
		return &ReferencePath{Null: true}
	case !p.kind(f, jsonvalue.KindString):
		return nil
	}
	ref, err := jsonpath.ParseReference(f.node.Scalar.(string))
	if err != nil {
		p.report(f, SchemaInvalid, "", "%v", err).ServiceMessage = notReference
		return nil
	}
	return &ReferencePath{Expr: ref}
}
