package jsonpath

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Parse compiles a path that starts at "$", "$$" or "$name". Errors are *SyntaxError.
func Parse(text string) (*Path, error) {
	p := parser{s: text}
	if p.peek() == '@' {
		p.fail("'@' has a meaning only inside a filter; start with '$'")
	}
	path := p.path("")
	if p.err == nil && p.i < len(p.s) {
		p.fail("unexpected %s; write .name, ['name'] or [0] to go on", p.quoted())
	}
	if p.err != nil {
		return nil, p.err
	}
	return path, nil
}

// parser reads a path. After the first error every method returns at once with a zero value.
type parser struct {
	s       string
	i       int
	nesting int
	err     *SyntaxError
}

func (p *parser) fail(format string, args ...any) {
	if p.err == nil {
		p.err = &SyntaxError{Path: p.s, Offset: p.i, Msg: fmt.Sprintf(format, args...)}
		p.i = len(p.s)
	}
}

func (p *parser) peek() byte {
	if p.i < len(p.s) {
		return p.s[p.i]
	}
	return 0
}

// quoted names what is next, for errors.
func (p *parser) quoted() string {
	if p.i >= len(p.s) {
		return "end of the path"
	}
	r, _ := utf8.DecodeRuneInString(p.s[p.i:])
	return strconv.QuoteRune(r)
}

func (p *parser) space() {
	for p.peek() == ' ' || p.peek() == '\t' || p.peek() == '\n' || p.peek() == '\r' {
		p.i++
	}
}

// accept reads token if it is next.
func (p *parser) accept(token string) bool {
	if p.err == nil && strings.HasPrefix(p.s[p.i:], token) {
		p.i += len(token)
		return true
	}
	return false
}

func (p *parser) expect(token string) {
	if !p.accept(token) {
		p.fail("found %s, but '%s' was expected", p.quoted(), token)
	}
}

// deeper guards the recursion of filters and arguments; call the result on the way out.
func (p *parser) deeper() func() {
	if p.nesting++; p.nesting > maxNesting {
		p.fail("filters are nested more than %d deep", maxNesting)
	}
	return func() { p.nesting-- }
}

// path reads a path up to a byte that cannot belong to it. Names written with a dot also end at a byte of stops.
func (p *parser) path(stops string) *Path {
	from := p.i
	path := &Path{}
	switch {
	case p.accept("@"):
		path.head = atItem
	case p.accept("$$"):
		path.head = atContext
	case p.accept("$"):
		if path.variable = p.identifier(); path.variable != "" {
			path.head = atVariable
		}
	default:
		p.fail("a path starts with '$', '$$' or '$name', not with %s", p.quoted())
	}
	for p.err == nil && path.function == nil {
		deep := false
		switch {
		case p.accept(".."):
			deep = true
			p.afterDot(path, deep, stops)
		case p.accept("."):
			p.afterDot(path, deep, stops)
		case p.peek() == '[':
			path.steps = append(path.steps, p.bracket(false))
		default:
			path.finish(p.s[from:p.i])
			return path
		}
	}
	path.finish(p.s[from:p.i])
	return path
}

// finish works out what the steps amount to.
func (p *Path) finish(text string) {
	p.text = text
	p.definite = true
	for i := range p.steps {
		s := &p.steps[i]
		merged := s.kind == stepNames && !s.deep && i == len(p.steps)-1 // ['a','b'] at the end gives one object
		p.definite = p.definite && (s.single() || merged)
	}
}

func (p *parser) afterDot(path *Path, deep bool, stops string) {
	switch {
	case p.i >= len(p.s):
		p.fail("a path must not end with '.'; name what follows or remove it")
	case p.peek() == '[':
		path.steps = append(path.steps, p.bracket(deep))
	case p.accept("*"):
		path.steps = append(path.steps, step{kind: stepWildcard, deep: deep})
	default:
		name := p.dotName(stops)
		if p.peek() == '(' && p.err == nil {
			if deep {
				p.fail("a function follows a single '.'")
			}
			path.function = p.call(name)
			return
		}
		path.steps = append(path.steps, step{kind: stepNames, names: []string{name}, deep: deep})
	}
}

// identifier reads a variable's name, or nothing.
func (p *parser) identifier() string {
	from := p.i
	for p.i < len(p.s) {
		r, n := utf8.DecodeRuneInString(p.s[p.i:])
		if r != '_' && !unicode.IsLetter(r) && (p.i == from || !unicode.IsDigit(r)) {
			break
		}
		p.i += n
	}
	return p.s[from:p.i]
}

// dotName reads a name written with a dot.
func (p *parser) dotName(stops string) string {
	from := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		if strings.IndexByte(".[(", c) >= 0 || strings.IndexByte(stops, c) >= 0 {
			break
		}
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			if stops != "" {
				break
			}
			p.fail("a name with a blank needs brackets: ['my name']")
			return ""
		}
		if strings.IndexByte("]*'\",?", c) >= 0 {
			p.fail("%s cannot be part of a name written with a dot; write ['name'] instead", p.quoted())
			return ""
		}
		p.i++
	}
	if p.i == from {
		p.fail("found %s, but a name was expected", p.quoted())
	}
	return p.s[from:p.i]
}

// bracket reads [...].
func (p *parser) bracket(deep bool) step {
	from := p.i
	p.expect("[")
	p.space()
	s := step{deep: deep}
	switch c := p.peek(); {
	case c == '\'' || c == '"':
		s.kind = stepNames
		s.names = p.names()
	case c == '*':
		p.i++
		s.kind = stepWildcard
	case c == '?':
		p.i++
		p.space()
		p.expect("(")
		s.kind = stepFilter
		s.filter = p.condition()
		p.space()
		p.expect(")")
	case c == '-' || c == ':' || isDigit(c):
		p.numbers(&s)
	default:
		p.fail("found %s, but a quoted name, a number, '*' or '?(' was expected inside the brackets", p.quoted())
	}
	p.space()
	p.expect("]")
	s.text = p.s[from:p.i]
	return s
}

func (p *parser) names() (names []string) {
	for p.err == nil {
		p.space()
		if c := p.peek(); c != '\'' && c != '"' {
			p.fail("found %s, but a quoted name was expected", p.quoted())
			return nil
		}
		name := p.quotedString()
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
		p.space()
		if !p.accept(",") {
			break
		}
	}
	return names
}

// quotedString reads a string in single or double quotes; a backslash takes the next byte as it is, but for \n and the like.
func (p *parser) quotedString() string {
	quote := p.peek()
	p.i++
	var b strings.Builder
	for p.i < len(p.s) && p.s[p.i] != quote {
		c := p.s[p.i]
		if c == '\\' && p.i+1 < len(p.s) {
			p.i++
			if c = p.s[p.i]; c == 'u' && p.hexRune(&b) {
				continue
			}
			if at := strings.IndexByte("bfnrt", c); at >= 0 {
				c = "\b\f\n\r\t"[at]
			}
		}
		b.WriteByte(c)
		p.i++
	}
	if p.i >= len(p.s) {
		p.fail("the string has no closing %c", quote)
		return ""
	}
	p.i++
	return b.String()
}

// hexRune reads uXXXX and reports whether it stood there.
func (p *parser) hexRune(b *strings.Builder) bool {
	if p.i+5 > len(p.s) {
		return false
	}
	n, err := strconv.ParseUint(p.s[p.i+1:p.i+5], 16, 16)
	if err != nil {
		return false
	}
	b.WriteRune(rune(n))
	p.i += 5
	return true
}

// numbers reads indexes or a slice.
func (p *parser) numbers(s *step) {
	first, ok := p.integer()
	p.space()
	if p.peek() == ':' {
		s.kind = stepSlice
		if ok {
			s.from = &first
		}
		p.slice(s)
		return
	}
	s.kind = stepIndexes
	s.indexes = []int{first}
	for p.accept(",") {
		p.space()
		n, ok := p.integer()
		if !ok {
			p.fail("found %s, but an index was expected", p.quoted())
			return
		}
		s.indexes = append(s.indexes, n)
		p.space()
	}
}

// slice reads what stands behind the first bound. A third part has no effect in Jayway, and so none here.
func (p *parser) slice(s *step) {
	p.expect(":")
	p.space()
	if to, ok := p.integer(); ok {
		s.to = &to
	}
	p.space()
	if p.accept(":") {
		p.space()
		p.integer()
	}
	if s.from == nil && s.to == nil {
		p.fail("a slice needs a bound: [1:], [:2] or [1:2]; for all items write [*]")
	}
}

// integer reads an optional integer.
func (p *parser) integer() (int, bool) {
	from := p.i
	p.accept("-")
	for isDigit(p.peek()) {
		p.i++
	}
	if from == p.i {
		return 0, false
	}
	n, err := strconv.ParseInt(p.s[from:p.i], 10, 32)
	if err != nil {
		p.i = from
		p.fail("%s is not an index between -2147483648 and 2147483647", p.quoted())
	}
	return int(n), true
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
