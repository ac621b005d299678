// Package awsjson decodes the requests of AWS's JSON protocol (awsJson 1.0): one JSON object, whose members
// are read one by one with the constraints of the service's model. Members nobody reads are ignored and null
// is absent, as AWS has it. Two things can go wrong, and an Object keeps both, so that an operation reads all
// its members and looks at Err once: a value of the wrong type (a SerializationException, the first stops), and
// values that break a constraint (a ValidationException that lists them all).
//
//	in, err := awsjson.Parse(body)
//	name := in.String("name", awsjson.Required, awsjson.Length(1, 80))
//	size := in.Int("maxResults", awsjson.Range(0, 1000))
//	if err := in.Err(); err != nil { ... }
package awsjson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// SerializationError says that a request is not one JSON object of the right types.
type SerializationError struct{ Text string }

func (e *SerializationError) Error() string { return e.Text }

// ValidationError says that members break constraints, in AWS's words. Of very many it has the first.
type ValidationError struct {
	Count      int
	Violations []string
}

// maxViolations bounds the violations that an error lists, so that a small request has no large answer.
const maxViolations = 64

// Error returns AWS's message: how many errors, and each value with its place and constraint.
func (e *ValidationError) Error() string {
	noun := "errors"
	if e.Count == 1 {
		noun = "error"
	}
	return fmt.Sprintf("%d validation %s detected: %s", e.Count, noun, strings.Join(e.Violations, "; "))
}

// Rule is a constraint on a member.
type Rule struct {
	required  bool
	sensitive bool
	length    bool
	value     bool
	min, max  int
	enum      []string
	pattern   *regexp.Regexp
	written   string
	element   string // of a list, in messages
	shown     []string
}

// Required refuses an absent member.
var Required = Rule{required: true}

// Sensitive keeps the value out of error messages.
var Sensitive = Rule{sensitive: true}

// Length bounds a text in characters or a list in elements.
func Length(min, max int) Rule { return Rule{length: true, min: min, max: max} }

// Range bounds a number.
func Range(min, max int) Rule { return Rule{value: true, min: min, max: max} }

// OneOf lists the values a text may have, in the order AWS shows them.
func OneOf(values ...string) Rule { return Rule{enum: values} }

// Pattern is a regular expression that a whole text has to match, and how AWS writes it in messages.
func Pattern(re *regexp.Regexp, written string) Rule { return Rule{pattern: re, written: written} }

// Element says how messages show a list of structures: by the name of the structure and its members in an order.
func Element(name string, members ...string) Rule { return Rule{element: name, shown: members} }

// shown is how many bytes of a value an error message repeats.
const shown = 4096

// Object is a request or a structure inside one.
type Object struct {
	fields map[string]json.RawMessage
	path   string
	state  *state
}

// state is shared by an Object and the structures inside it.
type state struct {
	serialization *SerializationError
	count         int
	violations    []string // the first of count
}

func (s *state) violated(text string) {
	if s.count++; len(s.violations) < maxViolations {
		s.violations = append(s.violations, text)
	}
}

// Parse reads a request body. An empty body is an empty object. Nesting is bounded by limits.JSONDepth.
func Parse(body []byte) (*Object, error) {
	o := &Object{state: &state{}}
	if len(bytes.TrimSpace(body)) == 0 {
		return o, nil
	}
	if !utf8.Valid(body) {
		return nil, &SerializationError{"the request body is not UTF-8"}
	}
	if err := jsonvalue.Check(body); err != nil {
		return nil, &SerializationError{"the request body is not JSON: " + err.Error()}
	}
	if body = bytes.TrimSpace(body); body[0] != '{' {
		return nil, &SerializationError{"the request body is " + kind(body) + "; it has to be an object"}
	}
	if err := json.Unmarshal(body, &o.fields); err != nil {
		return nil, &SerializationError{"the request body is not JSON: " + err.Error()}
	}
	return o, nil
}

// Err returns what was wrong with the members read so far: a *SerializationError before a *ValidationError.
func (o *Object) Err() error {
	if o.state.serialization != nil {
		return o.state.serialization
	}
	if len(o.state.violations) > 0 {
		return &ValidationError{o.state.count, o.state.violations}
	}
	return nil
}

// Has reports whether a member is there and not null.
func (o *Object) Has(name string) bool { return o.raw(name) != nil }

// String returns a text, "" when it is absent.
func (o *Object) String(name string, rules ...Rule) string {
	if s := o.Optional(name, rules...); s != nil {
		return *s
	}
	return ""
}

// Optional returns a text, nil when it is absent.
func (o *Object) Optional(name string, rules ...Rule) *string {
	raw := o.raw(name)
	if raw == nil {
		o.absent(name, rules)
		return nil
	}
	return o.text(o.path+name, raw, rules)
}

// Int returns a number, 0 when it is absent.
func (o *Object) Int(name string, rules ...Rule) int {
	raw := o.raw(name)
	if raw == nil {
		o.absent(name, rules)
		return 0
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if raw[0] == '"' || err != nil || math.Abs(f) > math.MaxInt32 {
		o.mistyped(o.path+name, raw, "an integer")
		return 0
	}
	v := int(f) // a fraction is cut off, as AWS does
	o.inRange(name, strconv.Itoa(v), float64(v), rules)
	return v
}

// Real returns a number that may have a fraction, 0 when it is absent. Bounds are whole numbers.
func (o *Object) Real(name string, rules ...Rule) float64 {
	raw := o.raw(name)
	if raw == nil {
		o.absent(name, rules)
		return 0
	}
	f, err := strconv.ParseFloat(string(raw), 64)
	if raw[0] == '"' || err != nil {
		o.mistyped(o.path+name, raw, "a number")
		return 0
	}
	o.inRange(name, strconv.FormatFloat(f, 'g', -1, 64), f, rules)
	return f
}

func (o *Object) inRange(name, text string, v float64, rules []Rule) {
	for _, r := range rules {
		if r.value && v < float64(r.min) {
			o.violate(o.path+name, text, rules, "Member must have value greater than or equal to %d", r.min)
		}
		if r.value && v > float64(r.max) {
			o.violate(o.path+name, text, rules, "Member must have value less than or equal to %d", r.max)
		}
	}
}

// Bool returns a boolean, or preset when it is absent.
func (o *Object) Bool(name string, preset bool) bool {
	raw := o.raw(name)
	switch string(raw) {
	case "":
		return preset
	case "true":
		return true
	case "false":
		return false
	}
	o.mistyped(o.path+name, raw, "a boolean")
	return preset
}

// Object returns a structure, nil when it is absent. Its errors are found by the Err of either.
func (o *Object) Object(name string, rules ...Rule) *Object {
	raw := o.raw(name)
	if raw == nil {
		o.absent(name, rules)
		return nil
	}
	return o.structure(o.path+name, raw)
}

// Strings returns a list of texts, nil when it is absent; rules of its elements are in each.
func (o *Object) Strings(name string, each []Rule, rules ...Rule) []string {
	var out []string
	for i, raw := range o.list(name, rules) {
		place := fmt.Sprintf("%s%s.%d.member", o.path, name, i+1)
		if s := o.text(place, raw, each); s != nil {
			out = append(out, *s)
		}
	}
	return out
}

// Objects returns a list of structures, nil when it is absent.
func (o *Object) Objects(name string, rules ...Rule) []*Object {
	var out []*Object
	for i, raw := range o.list(name, rules) {
		if in := o.structure(fmt.Sprintf("%s%s.%d.member", o.path, name, i+1), raw); in != nil {
			out = append(out, in)
		}
	}
	return out
}

func (o *Object) raw(name string) json.RawMessage {
	raw := o.fields[name]
	if string(raw) == "null" {
		return nil
	}
	return raw
}

func (o *Object) absent(name string, rules []Rule) {
	for _, r := range rules {
		if r.required {
			o.state.violated("Value null at '" + o.path + name + "' failed to satisfy constraint: Member must not be null")
		}
	}
}

func (o *Object) text(place string, raw json.RawMessage, rules []Rule) *string {
	var s string
	if raw[0] != '"' || json.Unmarshal(raw, &s) != nil {
		o.mistyped(place, raw, "a string")
		return nil
	}
	for _, r := range rules {
		n := 0
		if r.length {
			n = utf8.RuneCountInString(s)
		}
		switch {
		case r.length && n < r.min:
			o.violate(place, s, rules, "Member must have length greater than or equal to %d", r.min)
		case r.length && n > r.max:
			o.violate(place, s, rules, "Member must have length less than or equal to %d", r.max)
		case r.pattern != nil && !r.pattern.MatchString(s):
			o.violate(place, s, rules, "Member must satisfy regular expression pattern: %s", r.written)
		case r.enum != nil && !contains(r.enum, s):
			o.violate(place, s, rules, "Member must satisfy enum value set: [%s]", strings.Join(r.enum, ", "))
		}
	}
	return &s
}

func (o *Object) structure(place string, raw json.RawMessage) *Object {
	in := &Object{path: place + ".", state: o.state}
	if raw[0] != '{' || json.Unmarshal(raw, &in.fields) != nil {
		o.mistyped(place, raw, "an object")
		return nil
	}
	return in
}

func (o *Object) list(name string, rules []Rule) []json.RawMessage {
	raw := o.raw(name)
	if raw == nil {
		o.absent(name, rules)
		return nil
	}
	var list []json.RawMessage
	if raw[0] != '[' || json.Unmarshal(raw, &list) != nil {
		o.mistyped(o.path+name, raw, "an array")
		return nil
	}
	for i, element := range list {
		if string(element) == "null" {
			o.state.violated(fmt.Sprintf(
				"Value null at '%s%s.%d.member' failed to satisfy constraint: Member must not be null", o.path, name, i+1))
			return nil
		}
	}
	for _, r := range rules {
		switch {
		case r.length && len(list) > r.max:
			o.violate(o.path+name, showList(list, rules), rules, "Member must have length less than or equal to %d", r.max)
			return nil
		case r.length && len(list) < r.min:
			o.violate(o.path+name, showList(list, rules), rules, "Member must have length greater than or equal to %d", r.min)
			return nil
		}
	}
	return list
}

// showList writes a list as AWS's messages do: with its elements as Java writes records.
func showList(list []json.RawMessage, rules []Rule) string {
	var b strings.Builder
	for i, raw := range list {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(showElement(raw, rules))
	}
	return "[" + b.String() + "]"
}

func showElement(raw json.RawMessage, rules []Rule) string {
	for _, r := range rules {
		var fields map[string]json.RawMessage
		if r.element == "" || json.Unmarshal(raw, &fields) != nil {
			continue
		}
		parts := make([]string, len(r.shown))
		for i, name := range r.shown {
			parts[i] = name + "=" + showValue(fields[name])
		}
		return r.element + "(" + strings.Join(parts, ", ") + ")"
	}
	return showValue(raw)
}

func showValue(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil && text != "" {
		return text
	}
	if len(raw) == 0 {
		return "null"
	}
	return string(raw)
}

func (o *Object) violate(place, value string, rules []Rule, format string, args ...any) {
	at := "Value '" + clip(value) + "' at '" + place + "'"
	for _, r := range rules {
		if r.sensitive {
			at = "Value at '" + place + "'"
		}
	}
	o.state.violated(at + " failed to satisfy constraint: " + fmt.Sprintf(format, args...))
}

func (o *Object) mistyped(place string, raw json.RawMessage, want string) {
	if o.state.serialization == nil {
		o.state.serialization = &SerializationError{"'" + place + "' is " + kind(raw) + "; it has to be " + want}
	}
}

// clip bounds what a message repeats of a value.
func clip(s string) string {
	if len(s) <= shown {
		return s
	}
	return strings.ToValidUTF8(s[:shown], "") + "..."
}

// kind names the type of a JSON value by its first byte.
func kind(raw []byte) string {
	switch raw[0] {
	case '{':
		return "an object"
	case '[':
		return "an array"
	case '"':
		return "a string"
	case 't', 'f':
		return "a boolean"
	case 'n':
		return "null"
	}
	return "the number " + clip(string(raw))
}

func contains(list []string, s string) bool {
	for _, v := range list {
		if v == s {
			return true
		}
	}
	return false
}
