package asl

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// operand is the kind of value a comparison takes.
type operand uint8

const (
	takesString operand = iota
	takesNumber
	takesBool
	takesTimestamp
)

// operators are the 39 comparisons by spelling; those of the same name with Path at the end included.
var operators = func() map[string]operand {
	ops := map[string]operand{"StringMatches": takesString, "BooleanEquals": takesBool, "BooleanEqualsPath": takesBool}
	for _, test := range []string{"IsNull", "IsPresent", "IsNumeric", "IsString", "IsBoolean", "IsTimestamp"} {
		ops[test] = takesBool
	}
	for kind, takes := range map[string]operand{"String": takesString, "Numeric": takesNumber, "Timestamp": takesTimestamp} {
		for _, relation := range []string{"Equals", "LessThan", "GreaterThan", "LessThanEquals", "GreaterThanEquals"} {
			ops[kind+relation] = takes
			ops[kind+relation+"Path"] = takes
		}
	}
	return ops
}()

// ruleFields and conditionFields are what a Choice rule, and a condition inside And, Or and Not, may have.
var (
	ruleFields      = withOperators(fieldSet("Comment Next", both, "Variable And Or Not", onlyJSONPath, "Condition Output", onlyJSONata, "Assign", both))
	conditionFields = withOperators(fieldSet("Comment", both, "Variable And Or Not", onlyJSONPath))
)

func withOperators(t table) table {
	for op := range operators {
		t[op] = onlyJSONPath
	}
	return t
}

func (r *graphReader) choice(s *spot, st *State) {
	c := &ChoicePart{}
	st.Choice = c
	if name, ok := r.text(s, "Default"); ok {
		c.Default = name
		r.refer(s.member("Default"), name, &c.DefaultState)
	}
	choices := s.member("Choices")
	if !r.require(s, "Choices") || !r.kind(choices, jsonvalue.KindArray) {
		return
	}
	if len(choices.node.Items) == 0 {
		r.empty(choices, "add a rule", "a Choice state needs at least one rule")
	}
	c.Rules = make([]Rule, len(choices.node.Items))
	for i := range choices.node.Items {
		r.choiceRule(choices.at(i), &c.Rules[i])
	}
}

func (r *graphReader) choiceRule(s *spot, to *Rule) {
	if !r.fields(s, "a Choice rule", ruleFields) {
		return
	}
	if name, ok := r.text(s, "Next"); ok {
		to.Next = name
		r.refer(s.member("Next"), name, &to.To)
	}
	if r.language == JSONata {
		r.require(s, "Condition", "Next")
		r.queryCondition(s, to)
		to.Assign = r.assign(s, 0)
		to.Output = r.queryTemplate(s, "Output", 0)
		return
	}
	r.require(s, "Next")
	to.Cond = r.condition(s)
	to.Assign = r.assign(s, 0)
}

// condition reads And, Or, Not or one comparison. The definition's depth is bounded by the JSON parser.
func (r *graphReader) condition(s *spot) (c Condition) {
	var found []string
	for i := range s.node.Members {
		key := s.node.Members[i].Key
		if _, op := operators[key]; op || key == "And" || key == "Or" || key == "Not" {
			found = append(found, key)
		}
	}
	found = slices.Compact(found)
	if len(found) != 1 {
		r.countOperators(s, found)
		return c
	}
	switch f := s.member(found[0]); found[0] {
	case "And":
		c.And = r.conditions(f)
	case "Or":
		c.Or = r.conditions(f)
	case "Not":
		if r.fields(f, "a condition inside Not", conditionFields) {
			inner := r.condition(f)
			c.Not = &inner
		}
	default:
		if r.require(s, "Variable") {
			c.Compare = r.comparison(s, f)
		}
		return c
	}
	if v := s.member("Variable"); v != nil {
		r.reportKey(v, SchemaInvalid, "remove it", "Variable has no place beside %s", found[0]).service(s, oneSelector)
	}
	return c
}

func (r *graphReader) countOperators(s *spot, found []string) {
	if len(found) > 1 {
		r.report(s, SchemaInvalid, "keep one, or join them with And or Or", "a rule has one operator, but here are %s", strings.Join(found, ", ")).ServiceMessage =
			r.severalOperators(found)
		return
	}
	for i := range s.node.Members { // an unknown field is most likely the operator, and has been reported
		if _, known := ruleFields[s.node.Members[i].Key]; !known {
			return
		}
	}
	r.report(s, SchemaInvalid, "add an operator such as StringEquals, or And, Or, Not", "the rule compares nothing").ServiceMessage = oneSelector
}

// oneSelector is Step Functions' message for a rule that is not exactly one of these.
const oneSelector = "The object must have only one of the following fields, [And, Or, Not, Variable, Condition]"

// severalOperators words a rule with more than one operator as Step Functions does.
func (r *graphReader) severalOperators(found []string) string {
	for _, name := range found {
		if _, compares := operators[name]; !compares {
			return oneSelector
		}
	}
	return "There should only be one of the following fields: [" + strings.Join(found, ", ") + "]"
}

func (r *graphReader) conditions(f *spot) []Condition {
	if !r.kind(f, jsonvalue.KindArray) {
		return nil
	}
	if len(f.node.Items) == 0 {
		r.empty(f, "add a condition", "%s needs at least one condition", f.key)
	}
	list := make([]Condition, len(f.node.Items))
	for i := range f.node.Items {
		if item := f.at(i); r.fields(item, "a condition inside "+f.key, conditionFields) {
			list[i] = r.condition(item)
		}
	}
	return list
}

func (r *graphReader) comparison(s, f *spot) *Comparison {
	c := &Comparison{Variable: r.path(s, "Variable")}
	var compared bool
	if c.Op, compared = strings.CutSuffix(f.key, "Path"); compared {
		c.Other = r.path(s, f.key)
		return c
	}
	c.Value = f.node.Scalar
	switch operators[f.key] {
	case takesString:
		r.kind(f, jsonvalue.KindString)
	case takesNumber:
		r.kind(f, jsonvalue.KindNumber)
	case takesBool:
		r.kind(f, jsonvalue.KindBool)
	case takesTimestamp:
		r.timestamp(f)
	}
	return c
}

// String returns the comparison as a person reads it: `$.n NumericEquals 5`.
func (c *Comparison) String() string {
	if c.Other != nil {
		return fmt.Sprintf("%s %s %s", c.Variable, c.Op, c.Other)
	}
	return fmt.Sprintf("%s %s %s", c.Variable, c.Op, jsonvalue.Text(c.Value))
}
