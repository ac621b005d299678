package jsonpath

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

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

func (c exists) holds(w *walk, item any) bool {
	v, ok := operand{path: c.path}.value(w, item)
	if list, isList := v.([]any); ok && isList && !c.path.IsDefinite() {
		return len(list) > 0
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
	if c.op == "=~" {
		return leftOK && c.right.matches(left)
	}
	right, rightOK := c.right.value(w, item)
	switch c.op {
	case "==", "===":
		return leftOK && rightOK && same(left, right, c.op == "===") || !leftOK && !rightOK
	case "!=", "!==":
		return leftOK != rightOK || leftOK && !same(left, right, c.op == "!==")
	}
	return leftOK && rightOK && operators[c.op](left, right)
}

// operators are the comparisons besides equality and patterns.
var operators = map[string]func(left, right any) bool{
	"<":        func(a, b any) bool { c, ok := order(a, b); return ok && c < 0 },
	"<=":       func(a, b any) bool { c, ok := order(a, b); return ok && c <= 0 },
	">":        func(a, b any) bool { c, ok := order(a, b); return ok && c > 0 },
	">=":       func(a, b any) bool { c, ok := order(a, b); return ok && c >= 0 },
	"in":       func(a, b any) bool { return contains(list(b), a) },
	"nin":      func(a, b any) bool { return !contains(list(b), a) },
	"subsetof": func(a, b any) bool { return common(a, b) == len(list(a)) },
	"anyof":    func(a, b any) bool { return common(a, b) > 0 },
	"noneof":   func(a, b any) bool { return common(a, b) == 0 },
	"contains": containsValue,
	"size":     func(a, b any) bool { return jsonvalue.Equal(sizeOf(a), sizeRight(b)) },
	"empty":    func(a, b any) bool { n := sizeOf(a); return n != nil && (n == jsonvalue.Number("0")) == (b == true) },
}

func list(v any) []any {
	items, _ := v.([]any)
	return items
}

func contains(items []any, v any) bool {
	return slices.ContainsFunc(items, func(item any) bool { return same(item, v, false) })
}

func common(a, b any) (n int) {
	for _, item := range list(a) {
		if contains(list(b), item) {
			n++
		}
	}
	return n
}

func containsValue(a, b any) bool {
	if s, ok := a.(string); ok {
		part, ok := b.(string)
		return ok && strings.Contains(s, part)
	}
	return contains(list(a), b)
}

// sizeOf returns how long a string or list is, as a Number; nil for other values.
func sizeOf(v any) any {
	switch v := v.(type) {
	case string:
		return jsonvalue.Int(int64(len([]rune(v))))
	case []any:
		return jsonvalue.Int(int64(len(v)))
	case *jsonvalue.Object:
		return jsonvalue.Int(int64(v.Len()))
	}
	return nil
}

// sizeRight is what size compares with: a number, or the size of a list.
func sizeRight(v any) any {
	if _, ok := v.(jsonvalue.Number); ok {
		return v
	}
	if n := sizeOf(v); n != nil {
		return n
	}
	return "" // equals no size
}

// same is equality; unless strict, a number equals the string that holds it.
func same(a, b any, strict bool) bool {
	if !strict {
		if n, ok := a.(jsonvalue.Number); ok {
			if s, ok := b.(string); ok {
				return sameAsText(n, s)
			}
		}
		if s, ok := a.(string); ok {
			if n, ok := b.(jsonvalue.Number); ok {
				return sameAsText(n, s)
			}
		}
	}
	return jsonvalue.Equal(a, b)
}

func sameAsText(n jsonvalue.Number, s string) bool {
	v, err := jsonvalue.ParseString(s)
	m, ok := v.(jsonvalue.Number)
	return err == nil && ok && n.Compare(m) == 0
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

// matches reports whether the whole text of v matches the pattern.
func (o operand) matches(v any) bool {
	if o.pattern == nil {
		return false
	}
	switch v := v.(type) {
	case string:
		return o.pattern.MatchString(v)
	case jsonvalue.Number:
		return o.pattern.MatchString(string(v))
	}
	return false
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
	if (op == "=~") != (right.pattern != nil) {
		p.fail("=~ needs a pattern like /abc.*/i on its right, and only there")
	}
	return comparison{left, right, op}
}

// operatorNames in the order they are tried: longer before shorter.
var operatorNames = []string{
	"===", "!==", "==", "!=", "<=", ">=", "=~", "<", ">", "subsetof", "contains", "noneof", "anyof", "empty", "size", "nin", "in",
}

func (p *parser) operator() string {
	for _, name := range operatorNames {
		if p.accept(name) {
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

// pattern reads /.../flags. The whole text must match it.
func (p *parser) pattern() *regexp.Regexp {
	from := p.i
	p.i++
	start := p.i
	for p.i < len(p.s) && p.s[p.i] != '/' {
		if p.s[p.i] == '\\' {
			p.i++
		}
		p.i++
	}
	if p.i >= len(p.s) {
		p.i = from
		p.fail("the pattern has no closing '/'")
		return nil
	}
	source := strings.ReplaceAll(p.s[start:p.i], `\/`, "/")
	p.i++
	flags := ""
	for c := p.peek(); c >= 'a' && c <= 'z'; c = p.peek() {
		if strings.IndexByte("ims", c) < 0 {
			p.fail("the pattern flag %s is not supported; use i, m or s", strconv.QuoteRune(rune(c)))
			return nil
		}
		flags += string(rune(c))
		p.i++
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	re, err := regexp.Compile(`\A(?:` + flags + source + `)\z`)
	if err != nil {
		p.i = from
		p.fail("the pattern does not compile: %v", err)
	}
	return re
}
