package jsonata

import (
	"errors"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Error is what a wrong expression, or an evaluation that went wrong, gives.
type Error struct {
	// Code names the rule: "S0201". S: the expression's text; T: a value of the wrong type; D: while evaluating;
	// U: a limit. They are the reference's, save U1002 (too large a result) and S0303 (a wrong regular expression).
	Code string
	// Position is where in the text, in UTF-16 units as the reference counts: behind the token.
	Position int
	// Token is the operator, function or piece of text concerned; may be empty.
	Token string
	// Value is the value concerned, a jsonvalue tree; nil where there is none.
	Value any
	// Message says it in words, as the reference does.
	Message string

	token any            // Token as the messages write it: nil, string, bool or float64
	value any            // Value as the evaluator has it; undefined: none
	extra map[string]any // other inserts of the message
	done  bool
}

// Error returns code and message: "T1006: Attempted to invoke a non-function".
func (e *Error) Error() string { return e.Code + ": " + e.Message }

// failure makes an error of the evaluator: position and token are filled in on the way out.
func failure(code string, value any) *Error { return &Error{Code: code, value: value, Position: -1} }

// failureAt is failure at a known place, a byte offset.
func failureAt(code string, at int, value any) *Error {
	return &Error{Code: code, value: value, Position: at}
}

func (e *Error) with(name string, v any) *Error {
	if e.extra == nil {
		e.extra = make(map[string]any, 1)
	}
	e.extra[name] = v
	return e
}

func (e *Error) about(token any) *Error {
	e.token = token
	return e
}

// place sets position and token where operators do: always.
func (e *Error) place(at int, token string) *Error {
	e.Position, e.token = at, token
	return e
}

func asError(err error) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return &Error{Code: "D3137", Message: err.Error(), value: undefined}
}

// finish turns inner values into those of the API and writes the message.
func (e *Error) finish(text string) *Error {
	if e.done {
		return e
	}
	e.done = true
	e.Position = utf16Offset(text, max(e.Position, 0))
	if e.Message == "" {
		e.Message = e.expand(messages[e.Code])
	}
	switch t := e.token.(type) {
	case string:
		e.Token = t
	case nil:
	default:
		e.Token = jsonText(t)
	}
	if e.value != undefined {
		e.Value = plain(e.value)
	}
	return e
}

// expand fills the inserts of a message: {{name}} as JSON, {{{name}}} as it is.
func (e *Error) expand(template string) string {
	var b strings.Builder
	for {
		at := strings.Index(template, "{{")
		if at < 0 {
			return b.String() + template
		}
		b.WriteString(template[:at])
		raw := strings.HasPrefix(template[at:], "{{{")
		open, closing := "{{", "}}"
		if raw {
			open, closing = "{{{", "}}}"
		}
		name, rest, _ := strings.Cut(template[at+len(open):], closing)
		template = rest
		v := e.insert(name)
		if s, ok := v.(string); ok && raw {
			b.WriteString(s)
		} else {
			b.WriteString(jsonText(v))
		}
	}
}

func (e *Error) insert(name string) any {
	v := e.extra[name]
	switch name {
	case "token":
		v = e.token
	case "value":
		return e.value
	}
	if v == nil {
		return undefined
	}
	return v
}

// jsonText writes a value into a message as JSON.stringify does; undefined as the word.
func jsonText(v any) string {
	if v == undefined {
		return "undefined"
	}
	w := writer{exact: true, most: 32 << 10}
	w.value(v, 0)
	return string(w.text)
}

// plain returns a value as a jsonvalue tree, for people to see: no limits apply but depth.
func plain(v any) any {
	ev := &evaluator{limits: Limits{Steps: 1 << 20, Depth: defaultDepth, ResultBytes: defaultResultBytes}}
	out, _, err := ev.export(v)
	if err != nil {
		return nil
	}
	if _, ok := out.(Function); ok {
		return ""
	}
	return out
}

// numberText is a number as the JavaScript standard writes it (ECMA-262, Number::toString).
func numberText(f float64) string {
	switch {
	case f != f:
		return "NaN"
	case f > 1.7976931348623157e308:
		return "Infinity"
	case f < -1.7976931348623157e308:
		return "-Infinity"
	case f == 0:
		return "0"
	}
	if n := int64(f); float64(n) == f && n > -1e15 && n < 1e15 {
		return strconv.FormatInt(n, 10)
	}
	size := f
	if size < 0 {
		size = -size
	}
	if size >= 1e-6 && size < 1e21 {
		return strconv.FormatFloat(f, 'f', -1, 64)
	}
	text := strconv.FormatFloat(f, 'e', -1, 64)
	if at := strings.IndexByte(text, 'e'); text[at+2] == '0' {
		text = text[:at+2] + text[at+3:]
	}
	return text
}

// number returns a double as a number of a tree.
func number(f float64) jsonvalue.Number { return jsonvalue.Number(numberText(f)) }
