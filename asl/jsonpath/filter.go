package jsonpath

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// condition is what stands inside [?( )].
type condition interface {
	holds(w *walk, item any) bool
}

type (
	allOf  []condition
	anyOf  []condition
	not    struct{ condition }
	exists struct{ path *Path }
	// comparison is LEFT OP RIGHT. A missing path makes an operand absent, which equals nothing.
	comparison struct {
		left, right operand
		op          string
	}
)

// operand is a literal, a path, or a pattern.
type operand struct {
	literal any
	path    *Path
	pattern *regexp.Regexp
}

func (c allOf) holds(w *walk, item any) bool {
	return !slices.ContainsFunc(c, func(c condition) bool { return !c.holds(w, item) })
}

func (c anyOf) holds(w *walk, item any) bool {
	return slices.ContainsFunc(c, func(c condition) bool { return c.holds(w, item) })
}

func (c not) holds(w *walk, item any) bool { return !c.condition.holds(w, item) }

// holds is true for null too, and for the list that an indefinite path gives even if it is empty, but not where a
// ".." finds nothing.
func (c exists) holds(w *walk, item any) bool {
	v, ok := operand{path: c.path}.value(w, item)
	if items, isList := v.([]any); ok && isList && !c.path.IsDefinite() && c.path.scans() {
		return len(items) > 0
	}
	return ok
}

// value evaluates the operand for item; ok is false when it is absent.
func (o operand) value(w *walk, item any) (v any, ok bool) {
	if o.path == nil {
		return o.literal, true
	}
	inner := walk{path: o.path, root: w.root, visits: w.visits}
	start := w.root
	if o.path.head == atItem {
		start = item
	}
	v, err := inner.get(start)
	w.visits = inner.visits
	return v, err == nil
}

func (c comparison) holds(w *walk, item any) bool {
	left, leftOK := c.left.value(w, item)
	right, rightOK := c.right.value(w, item)
	if c.right.pattern != nil {
		return matches(c.right.pattern, left)
	}
	if c.left.pattern != nil {
		return matches(c.left.pattern, right)
	}
	switch c.op {
	case "==", "===":
		return leftOK && rightOK && same(left, right, c.op == "===")
	case "!=", "!==":
		return !leftOK || !rightOK || !same(left, right, c.op == "!==")
	case "in":
		return leftOK && contains(w.list(right, rightOK), left)
	case "nin":
		return !contains(w.list(right, rightOK), left) || !leftOK
	case "subsetof", "anyof", "noneof":
		return c.compareLists(w, left, leftOK, right, rightOK)
	}
	return leftOK && rightOK && operators[c.op](left, right)
}

func (c comparison) compareLists(w *walk, left any, leftOK bool, right any, rightOK bool) bool {
	a, b := w.list(left, leftOK), w.list(right, rightOK)
	if a == nil || b == nil {
		return false
	}
	n := 0
	for _, item := range a {
		if contains(b, item) {
			n++
		}
	}
	switch c.op {
	case "subsetof":
		return n == len(a)
	case "anyof":
		return n > 0
	}
	return n == 0
}

// list returns v as a list that is not nil, or nil for an object. Other values where a list belongs, and missing
// ones, make the filter senseless.
func (w *walk) list(v any, ok bool) []any {
	switch v := v.(type) {
	case []any:
		if v == nil {
			return []any{}
		}
		return v
	case *jsonvalue.Object:
		return nil
	}
	w.senseless = true
	return nil
}

// operators are the comparisons of two values that are there.
var operators = map[string]func(left, right any) bool{
	"<":        func(a, b any) bool { c, ok := order(a, b); return ok && c < 0 },
	"<=":       func(a, b any) bool { c, ok := order(a, b); return ok && c <= 0 },
	">":        func(a, b any) bool { c, ok := order(a, b); return ok && c > 0 },
	">=":       func(a, b any) bool { c, ok := order(a, b); return ok && c >= 0 },
	"contains": containsValue,
	"size":     func(a, b any) bool { n, _ := sizeOf(a); return n != nil && jsonvalue.Equal(n, b) },
	"empty":    func(a, b any) bool { _, empty := sizeOf(a); return empty != nil && empty == b },
}

func contains(items []any, v any) bool {
	return slices.ContainsFunc(items, func(item any) bool { return same(v, item, false) })
}

func containsValue(a, b any) bool {
	if s, ok := a.(string); ok {
		part, ok := b.(string)
		return ok && strings.Contains(s, part)
	}
	items, _ := a.([]any)
	return contains(items, b)
}

// sizeOf returns the size of a string, in UTF-16 units, or of a list, and whether these or an object are empty; nil
// for what has none.
func sizeOf(v any) (size, empty any) {
	switch v := v.(type) {
	case string:
		n := 0
		for _, r := range v {
			n += max(utf16.RuneLen(r), 1)
		}
		return jsonvalue.Int(int64(n)), n == 0
	case []any:
		return jsonvalue.Int(int64(len(v))), len(v) == 0
	case *jsonvalue.Object:
		return nil, v.Len() == 0
	}
	return nil, nil
}

// same is equality. Unless strict, a string equals a number that is written like it, and a number the string that can
// be read as it.
func same(a, b any, strict bool) bool {
	if !strict {
		switch a := a.(type) {
		case jsonvalue.Number:
			if s, ok := b.(string); ok {
				v, err := jsonvalue.ParseString(s)
				n, isNumber := v.(jsonvalue.Number)
				return err == nil && isNumber && a.Compare(n) == 0
			}
		case string:
			if n, ok := b.(jsonvalue.Number); ok {
				return a == n.Java()
			}
		}
	}
	return jsonvalue.Equal(a, b)
}

// order compares two numbers or two strings.
func order(a, b any) (c int, ok bool) {
	switch a := a.(type) {
	case jsonvalue.Number:
		if b, ok := b.(jsonvalue.Number); ok {
			return a.Compare(b), true
		}
	case string:
		if b, ok := b.(string); ok {
			return strings.Compare(a, b), true
		}
	}
	return 0, false
}

// condition reads A || B || ...
func (p *parser) condition() condition {
	defer p.deeper()()
	any := anyOf{p.conjunction()}
	for p.space(); p.accept("||"); p.space() {
		any = append(any, p.conjunction())
	}
	if len(any) == 1 {
		return any[0]
	}
	return any
}

func (p *parser) conjunction() condition {
	all := allOf{p.unary()}
	for p.space(); p.accept("&&"); p.space() {
		all = append(all, p.unary())
	}
	if len(all) == 1 {
		return all[0]
	}
	return all
}

func (p *parser) unary() condition {
	defer p.deeper()()
	p.space()
	switch {
	case p.err != nil:
		return allOf{}
	case p.accept("!"):
		return not{p.unary()}
	case p.accept("("):
		c := p.condition()
		p.space()
		p.expect(")")
		return c
	}
	left := p.operand()
	p.space()
	op := p.operator()
	if op == "" {
		if left.path == nil {
			p.fail("found %s, but a comparison was expected", p.quoted())
		}
		return exists{left.path}
	}
	p.space()
	right := p.operand()
	if (op == "=~") != ((left.pattern != nil) != (right.pattern != nil)) {
		p.fail("=~ needs a pattern like /abc.*/i on one side, and only there")
	}
	return comparison{left, right, op}
}

// operatorNames in the order they are tried: longer before shorter.
var operatorNames = []string{
	"===", "!==", "==", "!=", "<=", ">=", "=~", "<", ">", "subsetof", "contains", "noneof", "anyof", "empty", "size", "nin", "in",
}

// operator reads an operator. Those that are words may be in capitals.
func (p *parser) operator() string {
	for _, name := range operatorNames {
		if end := p.i + len(name); end <= len(p.s) && strings.EqualFold(p.s[p.i:end], name) && p.accept(p.s[p.i:end]) {
			return name
		}
	}
	return ""
}

// operand reads a path, a pattern or a literal.
func (p *parser) operand() operand {
	defer p.deeper()()
	switch c := p.peek(); {
	case p.err != nil:
		return operand{}
	case c == '$' || c == '@':
		path := p.path(" )=!<>&|,")
		if path.head == atContext || path.head == atVariable {
			p.fail("a filter can only use @ and $")
		}
		return operand{path: path}
	case c == '/':
		return operand{pattern: p.pattern()}
	}
	return operand{literal: p.literal()}
}

// literal reads a JSON value, in which strings may stand in single quotes.
func (p *parser) literal() any {
	defer p.deeper()()
	switch c := p.peek(); {
	case p.err != nil:
		return nil
	case c == '\'' || c == '"':
		return p.quotedString()
	case p.accept("true"):
		return true
	case p.accept("false"):
		return false
	case p.accept("null"):
		return nil
	case c == '[':
		return p.literalArray()
	case c == '{':
		return p.literalObject()
	case c == '-' || isDigit(c):
		from := p.i
		for strings.IndexByte("+-.eE0123456789", p.peek()) >= 0 && p.i < len(p.s) {
			p.i++
		}
		if v, err := jsonvalue.ParseString(p.s[from:p.i]); err == nil {
			return v
		}
		p.i = from
	}
	p.fail("found %s, but a path, a string, a number, true, false, null, a list or /pattern/ was expected", p.quoted())
	return nil
}

func (p *parser) literalArray() any {
	p.expect("[")
	items := []any{}
	p.space()
	for p.err == nil && !p.accept("]") {
		if len(items) > 0 {
			p.expect(",")
			p.space()
		}
		items = append(items, p.literal())
		p.space()
	}
	return items
}

func (p *parser) literalObject() any {
	p.expect("{")
	o := jsonvalue.NewObject(0)
	p.space()
	for p.err == nil && !p.accept("}") {
		if o.Len() > 0 {
			p.expect(",")
			p.space()
		}
		if c := p.peek(); c != '\'' && c != '"' {
			p.fail("found %s, but a quoted name was expected", p.quoted())
			return nil
		}
		name := p.quotedString()
		p.space()
		p.expect(":")
		p.space()
		o.Set(name, p.literal())
		p.space()
	}
	return o
}
