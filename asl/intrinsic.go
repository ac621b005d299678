package asl

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonpath"
	"github.com/weftworks/weft/asl/jsonvalue"
)

const (
	maxCallDepth   = 10        // intrinsic calls inside each other; Step Functions' bound
	maxArguments   = 1000      // of one call
	maxCallResult  = 16 << 20  // bytes that Format may build; every payload limit is below it
	maxRange       = 1000      // items of States.ArrayRange; Step Functions' bound
	maxBase64Chars = 10_000    // what Base64 functions and Hash take; Step Functions' bound
	maxWhole       = 1<<53 - 1 // past it a rounded number is no longer exact
)

// Randomness is what a Scope also has for States.UUID and States.MathRandom. It is the run's own, so that
// a replay draws the same.
type Randomness interface{ Random() uint64 }

// IntrinsicError says that an intrinsic function cannot do what it is asked.
type IntrinsicError struct {
	Function string // "States.Format"
	Detail   string // in Step Functions' words
	Reason   error  // in ours: which argument, and what would do
}

// Error returns Detail.
func (e *IntrinsicError) Error() string { return e.Detail }

// Unwrap returns Reason.
func (e *IntrinsicError) Unwrap() error { return e.Reason }

// ErrorName returns the States Language's name of the error, by which Retry and Catch know it. Step Functions
// reports it as States.Runtime.
func (e *IntrinsicError) ErrorName() string { return "States.IntrinsicFailure" }

// wording is an error of a function that has words of its own in Step Functions.
type wording string

func (w wording) Error() string { return string(w) }

// call is a call of an intrinsic function.
type call struct {
	text     string
	function *intrinsic
	args     []argument
}

// argument is a literal, a path or a call. raw is a string literal with its escapes, for States.Format.
type argument struct {
	literal any
	raw     string
	isText  bool
	expr    Expr
}

// String returns the call as written.
func (c *call) String() string { return c.text }

// Eval evaluates the arguments and then the function. Errors are *IntrinsicError and those of paths.
func (c *call) Eval(s Scope) (any, error) {
	values := make([]any, len(c.args))
	for i := range c.args {
		a := &c.args[i]
		values[i] = a.literal
		if a.expr != nil {
			v, err := a.expr.Eval(s)
			if err != nil {
				return nil, err
			}
			values[i] = v
		}
	}
	if c.function.template && c.args[0].isText {
		values[0] = c.args[0].raw
	}
	v, err := c.function.apply(&evaluation{scope: s, args: values})
	if err != nil {
		return nil, c.function.failure(err)
	}
	return v, nil
}

// callParser reads an intrinsic call and collects its paths.
type callParser struct {
	s     string
	i     int
	depth int
	paths []*jsonpath.Path
}

// parseCall compiles text such as "States.Format('{}', $.name)" and returns the paths in it.
func parseCall(text string) (Expr, []*jsonpath.Path, error) {
	p := &callParser{s: text}
	if !utf8.ValidString(text) {
		return nil, nil, p.fail("the text is not UTF-8")
	}
	c, err := p.call()
	if err == nil && p.i < len(text) {
		err = p.fail("unexpected %q behind the call", rest(text[p.i:]))
	}
	if err != nil {
		return nil, nil, err
	}
	return c, p.paths, nil
}

func (p *callParser) fail(format string, args ...any) error {
	return fmt.Errorf("call %s: at offset %d: %s", rest(p.s), p.i, fmt.Sprintf(format, args...))
}

// rest bounds what an error quotes.
func rest(s string) string {
	const most = 80
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

func (p *callParser) space() {
	for p.i < len(p.s) && (p.s[p.i] == ' ' || p.s[p.i] == '\t' || p.s[p.i] == '\n' || p.s[p.i] == '\r') {
		p.i++
	}
}

func (p *callParser) next(c byte) bool {
	p.space()
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

func (p *callParser) call() (*call, error) {
	if p.depth++; p.depth > maxCallDepth {
		return nil, p.fail("calls are nested more than %d deep", maxCallDepth)
	}
	defer func() { p.depth-- }()
	from := p.i
	end := strings.IndexByte(p.s[p.i:], '(')
	if end < 0 {
		return nil, p.fail("a call needs parentheses: States.UUID()")
	}
	name, prefixed := strings.CutPrefix(strings.TrimSpace(p.s[p.i:p.i+end]), "States.")
	f, known := intrinsics[name]
	if !known || !prefixed {
		return nil, p.fail("there is no intrinsic function States.%s; %s", rest(name), closest(name, intrinsicNames()))
	}
	p.i += end + 1
	c := &call{function: f}
	for !p.next(')') {
		if len(c.args) > 0 && !p.next(',') {
			return nil, p.fail("expected ',' or ')'")
		}
		a, err := p.argument()
		if err != nil {
			return nil, err
		}
		if c.args = append(c.args, a); len(c.args) > maxArguments {
			return nil, p.fail("a call takes at most %d arguments", maxArguments)
		}
	}
	if n := len(c.args); n < f.least || n > f.most {
		return nil, p.fail("States.%s takes %s, not %d", name, f.arity(), n)
	}
	c.text = p.s[from:p.i]
	return c, nil
}

func (p *callParser) argument() (a argument, err error) {
	p.space()
	rest := p.s[p.i:]
	switch {
	case strings.HasPrefix(rest, "'"):
		return p.text()
	case strings.HasPrefix(rest, "$"):
		end := pathEnd(rest)
		path, err := jsonpath.Parse(strings.TrimSpace(rest[:end]))
		if err != nil {
			return a, err
		}
		p.i += end
		p.paths = append(p.paths, path)
		return argument{expr: PathExpr{path}}, nil
	case strings.HasPrefix(rest, "States."):
		c, err := p.call()
		return argument{expr: c}, err
	}
	end := strings.IndexAny(rest, ",)")
	if end < 0 {
		return a, p.fail("the call has no closing ')'")
	}
	word := strings.TrimSpace(rest[:end])
	v, err := jsonvalue.ParseString(word)
	if k := jsonvalue.KindOf(v); err != nil || k == jsonvalue.KindString || k == jsonvalue.KindArray || k == jsonvalue.KindObject {
		return a, p.fail("an argument is a path, a number, true, false, null, a call or a string in single quotes")
	}
	p.i += end
	return argument{literal: v}, nil
}

// text reads a string in single quotes.
func (p *callParser) text() (argument, error) {
	from := p.i + 1
	for p.i = from; p.i < len(p.s); p.i++ {
		switch p.s[p.i] {
		case '\\':
			p.i++
		case '\'':
			raw := p.s[from:p.i]
			p.i++
			return argument{literal: unescape(raw), raw: raw, isText: true}, nil
		}
	}
	return argument{}, p.fail("the string has no closing quote")
}

// unescape takes a backslash away from what follows it; \n, \r and \t are the characters they stand for in JSON.
func unescape(raw string) string {
	if !strings.Contains(raw, `\`) {
		return raw
	}
	var b strings.Builder
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c == '\\' && i+1 < len(raw) {
			i++
			if c = raw[i]; strings.IndexByte("nrt", c) >= 0 {
				c = "\n\r\t"[strings.IndexByte("nrt", c)]
			}
		}
		b.WriteByte(c)
	}
	return b.String()
}

// pathEnd returns where the path that s starts with ends: at a comma or parenthesis outside brackets and quotes.
func pathEnd(s string) int {
	depth, quote := 0, byte(0)
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == '\\' {
				i++
			} else if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '[' || c == '(':
			depth++
		case depth == 0 && (c == ',' || c == ')'):
			return i
		case c == ']' || c == ')':
			depth--
		}
	}
	return len(s)
}

// evaluation is one call with its arguments evaluated.
type evaluation struct {
	scope Scope
	args  []any
}

func (e *evaluation) array(i int) ([]any, error) {
	if items, ok := e.args[i].([]any); ok {
		return items, nil
	}
	return nil, e.wrong(i, "an array")
}

func (e *evaluation) text(i int) (string, error) {
	if s, ok := e.args[i].(string); ok {
		return s, nil
	}
	return "", e.wrong(i, "a string")
}

// rounded returns a number rounded to the nearest whole one, half away from zero: States.MathAdd's way.
func (e *evaluation) rounded(i int) (int64, error) { return e.integer(i, math.Round) }

// whole returns a number without its fraction, which is the way of all functions but States.MathAdd.
func (e *evaluation) whole(i int) (int64, error) { return e.integer(i, math.Trunc) }

func (e *evaluation) integer(i int, toWhole func(float64) float64) (int64, error) {
	n, ok := e.args[i].(jsonvalue.Number)
	if !ok {
		return 0, e.wrong(i, "a number")
	}
	if v, ok := n.Int64(); ok {
		return v, nil
	}
	f := toWhole(n.Float64())
	if math.Abs(f) > maxWhole {
		return 0, e.wrong(i, "a whole number of 64 bits")
	}
	return int64(f), nil
}

func (e *evaluation) wrong(i int, want string) error {
	return fmt.Errorf("argument %d must be %s, but it is %s", i+1, want, jsonvalue.KindOf(e.args[i]))
}

// short returns a string of at most the size that Base64 and Hash functions take.
func (e *evaluation) short(i int) (string, error) {
	s, err := e.text(i)
	if n := utf8.RuneCountInString(s); err == nil && n > maxBase64Chars {
		err = fmt.Errorf("argument %d has %d characters; at most %d are allowed", i+1, n, maxBase64Chars)
	}
	return s, err
}

func intrinsicNames() []string {
	names := make([]string, 0, len(intrinsics))
	for name := range intrinsics {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}
