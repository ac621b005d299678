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
	both     = rule{languages: inBoth}
	jsonPath = rule{languages: inJSONPath}
	jsonata  = rule{languages: inJSONata}
	bigMap   = rule{inBoth, "the distributed Map"}
)

var (
	machineFields   = fieldSet("Comment QueryLanguage StartAt States TimeoutSeconds Version", both)
	branchFields    = fieldSet("Comment StartAt States", both)
	processorFields = fieldSet("Comment StartAt States ProcessorConfig", both)
	configFields    = fieldSet("Mode ExecutionType", both)
	retrierFields   = fieldSet("Comment ErrorEquals IntervalSeconds MaxAttempts BackoffRate MaxDelaySeconds JitterStrategy", both)
	catcherFields   = fieldSet("Comment ErrorEquals Next", both, "ResultPath", jsonPath, "Output", jsonata, "Assign", both)
	lambdaFields    = fieldSet("FunctionName Payload InvocationType ClientContext LogType Qualifier", both)

	// stateFields is what each type of state may have. The next query language or feature is a row here.
	stateFields = map[StateType]table{
		Task: fieldSet(everyState, both, flow, both, pathsInOut, jsonPath, "Output Arguments", jsonata, "Assign", both,
			"Resource TimeoutSeconds HeartbeatSeconds Retry Catch", both,
			"Parameters ResultSelector ResultPath TimeoutSecondsPath HeartbeatSecondsPath", jsonPath,
			"Credentials", rule{inBoth, "calling under another role (Credentials)"}),
		Pass: fieldSet(everyState, both, flow, both, pathsInOut, jsonPath, "Output", jsonata, "Assign", both,
			"Result Parameters ResultPath", jsonPath),
		Choice: fieldSet(everyState, both, pathsInOut, jsonPath, "Output", jsonata, "Assign", both, "Choices Default", both),
		Wait: fieldSet(everyState, both, flow, both, pathsInOut, jsonPath, "Output", jsonata, "Assign", both,
			"Seconds Timestamp", both, "SecondsPath TimestampPath", jsonPath),
		Succeed: fieldSet(everyState, both, pathsInOut, jsonPath, "Output", jsonata),
		Fail:    fieldSet(everyState, both, "Error Cause", both, "ErrorPath CausePath", jsonPath),
		Parallel: fieldSet(everyState, both, flow, both, pathsInOut, jsonPath, "Output Arguments", jsonata, "Assign", both,
			"Branches Retry Catch", both, "Parameters ResultSelector ResultPath", jsonPath),
		Map: fieldSet(everyState, both, flow, both, pathsInOut, jsonPath, "Output Items", jsonata, "Assign", both,
			"ItemProcessor Iterator ItemSelector MaxConcurrency ToleratedFailureCount ToleratedFailurePercentage Retry Catch", both,
			"Parameters ItemsPath MaxConcurrencyPath ToleratedFailureCountPath ToleratedFailurePercentagePath ResultSelector ResultPath", jsonPath,
			"ItemReader ItemBatcher ResultWriter Label", bigMap),
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
	first := make(map[string]int, min(len(s.node.Members), len(t)))
	for i := range s.node.Members {
		m := s.at(i)
		if j, twice := first[m.key]; twice {
			p.reportKey(m, SchemaInvalid, "keep one of them", "the field %q is given twice; the first is at line %d", m.key, p.pos(s.node.Members[j].KeyOffset).Line)
			continue
		}
		first[m.key] = i
		r, known := t[m.key]
		switch {
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
	missing := slices.DeleteFunc(slices.Clone(names), s.has)
	if len(missing) == 0 {
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

// isExpression reports whether f holds a JSONata expression, which stands for a value of any kind.
func (p *parser) isExpression(f *spot) bool {
	s, ok := f.node.Scalar.(string)
	return ok && p.language == JSONata && strings.HasPrefix(s, "{%") && strings.HasSuffix(s, "%}")
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
