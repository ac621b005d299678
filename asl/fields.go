package asl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// rule says where a field may stand.
type rule struct {
	languages languages
	soon      string // the feature it belongs to when Weft does not support it yet
}

type languages uint8

const (
	inJSONPath languages = 1 << JSONPath
	inJSONata  languages = 1 << JSONata
	inBoth               = inJSONPath | inJSONata
)

// table is the fields an object may have.
type table map[string]rule

// fieldSet builds a table: each group is a list of names and the rule for all of them.
func fieldSet(groups ...any) table {
	t := table{}
	for i := 0; i < len(groups); i += 2 {
		for _, name := range strings.Fields(groups[i].(string)) {
			t[name] = groups[i+1].(rule)
		}
	}
	return t
}

var (
	both         = rule{languages: inBoth}
	onlyJSONPath = rule{languages: inJSONPath}
	onlyJSONata  = rule{languages: inJSONata}
)

var (
	machineFields   = fieldSet("Comment QueryLanguage StartAt States TimeoutSeconds Version", both)
	branchFields    = fieldSet("Comment StartAt States", both)
	processorFields = fieldSet("Comment StartAt States ProcessorConfig", both)
	configFields    = fieldSet("Mode ExecutionType", both)
	retrierFields   = fieldSet("Comment ErrorEquals IntervalSeconds MaxAttempts BackoffRate MaxDelaySeconds JitterStrategy", both)
	catcherFields   = fieldSet("Comment ErrorEquals Next", both, "ResultPath", onlyJSONPath, "Output", onlyJSONata, "Assign", both)
	lambdaFields    = fieldSet("FunctionName Payload InvocationType ClientContext LogType Qualifier", both)

	// stateFields is what each type of state may have. The next query language or feature is a row here.
	stateFields = map[StateType]table{
		Task: fieldSet(everyState, both, flow, both, pathsInOut, onlyJSONPath, "Output Arguments", onlyJSONata, "Assign", both,
			"Resource TimeoutSeconds HeartbeatSeconds Retry Catch", both,
			"Parameters ResultSelector ResultPath TimeoutSecondsPath HeartbeatSecondsPath", onlyJSONPath,
			"Credentials", both),
		Pass: fieldSet(everyState, both, flow, both, pathsInOut, onlyJSONPath, "Output", onlyJSONata, "Assign", both,
			"Result Parameters ResultPath", onlyJSONPath),
		Choice: fieldSet(everyState, both, pathsInOut, onlyJSONPath, "Output", onlyJSONata, "Assign", both, "Choices Default", both),
		Wait: fieldSet(everyState, both, flow, both, pathsInOut, onlyJSONPath, "Output", onlyJSONata, "Assign", both,
			"Seconds Timestamp", both, "SecondsPath TimestampPath", onlyJSONPath),
		Succeed: fieldSet(everyState, both, pathsInOut, onlyJSONPath, "Output", onlyJSONata),
		Fail:    fieldSet(everyState, both, "Error Cause", both, "ErrorPath CausePath", onlyJSONPath),
		Parallel: fieldSet(everyState, both, flow, both, pathsInOut, onlyJSONPath, "Output Arguments", onlyJSONata, "Assign", both,
			"Branches Retry Catch", both, "Parameters ResultSelector ResultPath", onlyJSONPath),
		Map: fieldSet(everyState, both, flow, both, pathsInOut, onlyJSONPath, "Output Items", onlyJSONata, "Assign", both,
			"ItemProcessor Iterator ItemSelector MaxConcurrency ToleratedFailureCount ToleratedFailurePercentage Retry Catch", both,
			"Parameters ItemsPath MaxConcurrencyPath ToleratedFailureCountPath ToleratedFailurePercentagePath ResultSelector ResultPath", onlyJSONPath,
			"ItemReader ItemBatcher ResultWriter Label", both),
	}
)

const (
	everyState = "Type Comment QueryLanguage"
	flow       = "Next End"
	pathsInOut = "InputPath OutputPath"
)

// fields checks that s is an object with fields of t only, each once. what names such an object in messages.
func (p *parser) fields(s *spot, what string, t table) bool {
	if !p.kind(s, jsonvalue.KindObject) {
		return false
	}
	earlier := earlierMembers(s.node.Members)
	for i := range s.node.Members {
		key := s.node.Members[i].Key
		r, known := t[key]
		j := earlier(i)
		if j < 0 && known && r.languages&(1<<p.language) != 0 && r.soon == "" {
			continue
		}
		m := s.at(i)
		switch {
		case j >= 0:
			p.reportKey(m, SchemaInvalid, "keep one of them", "the field %q is given twice; the first is at line %d", m.key, p.pos(s.node.Members[j].KeyOffset).Line)
		case !known:
			fix := p.closest(m.key, func() []string { return t.names(p.language) })
			if fix == "" {
				fix = "remove it"
			}
			p.reportKey(m, SchemaInvalid, fix, "%s has no field %q", what, m.key).service(s, "Field '%s' is not supported", m.key)
		case r.languages&(1<<p.language) == 0:
			other := JSONPath + JSONata - p.language
			p.reportKey(m, SchemaInvalid, fmt.Sprintf("remove it, or give the state \"QueryLanguage\": %q", other),
				"the field %q belongs to the query language %s, but the state uses %s", m.key, other, p.language).
				service(s, "The QueryLanguage is set to '%s', but field '%s' is only supported for the '%s' QueryLanguage", p.language, m.key, other)
		case r.soon != "":
			p.soon(m, r.soon)
		}
	}
	return true
}

// earlierMembers returns a function that finds for the i-th member the first of the same key before it, or -1. It is to be
// asked in order.
func earlierMembers(members []jsonvalue.NodeMember) func(i int) int {
	const few = 24 // below it a walk is faster than a map
	if len(members) < few {
		return func(i int) int {
			return slices.IndexFunc(members[:i], func(m jsonvalue.NodeMember) bool { return m.Key == members[i].Key })
		}
	}
	first := make(map[string]int, len(members))
	return func(i int) int {
		if j, twice := first[members[i].Key]; twice {
			return j
		}
		first[members[i].Key] = i
		return -1
	}
}

// names returns the fields of one query language in alphabetical order.
func (t table) names(l QueryLanguage) []string {
	var names []string
	for name, r := range t {
		if r.languages&(1<<l) != 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// require reports the fields of names that s lacks, in one problem.
func (p *parser) require(s *spot, names ...string) bool {
	var missing []string
	for _, name := range names {
		if !s.has(name) {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return true
	}
	list := strings.Join(missing, ", ")
	p.report(s, SchemaInvalid, "add "+list, "required and missing: %s", list).ServiceMessage = "These fields are required: [" + list + "]"
	return false
}

// kind reports s when it is not of kind k.
func (p *parser) kind(s *spot, k jsonvalue.Kind) bool {
	if s.node.Kind == k {
		return true
	}
	article := "a "
	if k == jsonvalue.KindArray || k == jsonvalue.KindObject {
		article = "an "
	}
	p.report(s, SchemaInvalid, "", "expected %s%s, not %s", article, k, quote(s.node)).ServiceMessage = "Expected value of type " + typeName(k)
	return false
}

// typeName is a kind as Step Functions' answers call it.
func typeName(k jsonvalue.Kind) string {
	name := k.String()
	return strings.ToUpper(name[:1]) + name[1:]
}

// empty reports an array or object that must not be empty.
func (p *parser) empty(s *spot, fix, format string, args ...any) {
	p.report(s, SchemaInvalid, fix, format, args...).ServiceMessage = "Value cannot be empty"
}

// choose reports a word that is none of those that a field takes.
func (p *parser) choose(s *spot, words ...string) *Problem {
	text, _ := s.node.Scalar.(string)
	fix := closest(text, words)
	if fix == "" {
		fix = fmt.Sprintf("write one of %s", strings.Join(words, ", "))
	}
	at := p.report(s, SchemaInvalid, fix, "%s cannot be %q", s.name(), text)
	at.ServiceMessage = "Value should be one of the following: [" + strings.Join(words, ", ") + "]"
	return at
}

// quote shows a value in a message.
func quote(n *jsonvalue.Node) string {
	switch n.Kind {
	case jsonvalue.KindArray, jsonvalue.KindObject:
		return "an " + n.Kind.String()
	}
	text := jsonvalue.Text(n.Scalar)
	const most = 80
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + `…"`
	}
	return text
}

// text reads an optional string field of s.
func (p *parser) text(s *spot, name string) (string, bool) {
	f := s.member(name)
	if f == nil || !p.kind(f, jsonvalue.KindString) {
		return "", false
	}
	return f.node.Scalar.(string), true
}

// flag reads an optional boolean field of s.
func (p *parser) flag(s *spot, name string) (value, ok bool) {
	f := s.member(name)
	if f == nil || !p.kind(f, jsonvalue.KindBool) {
		return false, false
	}
	return f.node.Scalar.(bool), true
}

// whole reads an optional field of s that holds a whole number between least and most.
func (p *parser) whole(s *spot, name string, least, most int64) (int64, bool) {
	f := s.member(name)
	if f == nil || p.isExpression(f) {
		return 0, false
	}
	n, isNumber := f.node.Scalar.(jsonvalue.Number)
	v, ok := n.Int64()
	if !isNumber || !ok || v < least || v > most {
		at := p.report(f, SchemaInvalid, "", "expected a whole number from %d to %d, not %s", least, most, quote(f.node))
		at.ServiceMessage = "Expected value of type Integer"
		if isNumber {
			outside(at, n, jsonvalue.Int(least), jsonvalue.Int(most))
		}
		return 0, false
	}
	return v, true
}

// outside words a number that is below least or above most as Step Functions does.
func outside(at *Problem, n, least, most jsonvalue.Number) {
	switch {
	case n.Compare(least) < 0:
		at.ServiceMessage = "Minimum value is " + string(least)
	case n.Compare(most) > 0:
		at.ServiceMessage = "Maximum value is " + string(most)
	}
}

// oneOf reports when s has more than one of the fields, and returns the first it has, or nil.
func (p *parser) oneOf(s *spot, names ...string) (found *spot) {
	reported := false
	for _, name := range names {
		switch f := s.member(name); {
		case f == nil:
		case found == nil:
			found = f
		case !reported:
			reported = true
			p.reportKey(f, SchemaInvalid, "keep one of them", "%s and %s exclude each other", found.key, name).
				service(s, "There should only be one of the following fields: [%s]", strings.Join(names, ", "))
		}
	}
	return found
}

// none reports that s has none of the fields of which it needs one.
func (p *parser) none(s *spot, fix, message string, names ...string) {
	p.report(s, SchemaInvalid, fix, "%s", message).ServiceMessage =
		"This object should have only one of the following fields: [" + strings.Join(names, ", ") + "]"
}
