// Package jackson says what is wrong with a text that should be JSON in the words of the parser that Step
// Functions uses, so that a client that matches on them, or a person who searches for them, is at home.
// It describes; whether a text is valid is for asl/jsonvalue to say.
//
//	p := jackson.Describe([]byte("not some json"))
//	// p.Text: Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token …
//	// p.Line, p.Column: 1, 4
package jackson

import (
	"fmt"
	"unicode"
	"unicode/utf8"
)

// Problem is the first thing wrong with a text.
type Problem struct {
	Text         string // the parser's words, without the place
	Line, Column int    // where the parser stopped; from 1, Column counts UTF-16 code units
}

const (
	anyValue   = "JSON String, Number, Array, Object or token 'null', 'true' or 'false'"
	tokenChars = 256  // the parser cuts an unrecognised token here
	depthLimit = 1000 // the parser's own
)

// Describe returns the first problem of a text, or nil when it has none. It takes one pass, no
// recursion and at most depthLimit bytes beside the text.
func Describe(text []byte) *Problem {
	p := &parser{s: text}
	p.document()
	if p.problem == "" {
		return nil
	}
	line, column := p.place()
	return &Problem{Text: p.problem, Line: line, Column: column}
}

// parser walks a text; problem is empty until something is wrong, and then i is where it was noticed.
type parser struct {
	s       []byte
	i       int
	open    []byte // the containers around i: '{' or '['
	problem string
}

func (p *parser) fail(format string, args ...any) bool {
	if p.problem == "" {
		p.problem = fmt.Sprintf(format, args...)
	}
	return false
}

// document reads one value and then only space.
func (p *parser) document() {
	for first := true; ; first = false {
		p.space()
		if len(p.open) == 0 && !first {
			if p.i < len(p.s) {
				p.value()
				p.fail("Trailing token found after value")
			}
			return
		}
		if !p.step(first) {
			return
		}
	}
}

// step reads one value with what separates it from the one before, or a closing bracket.
func (p *parser) step(first bool) bool {
	if len(p.open) == 0 || first {
		return p.value()
	}
	in := p.open[len(p.open)-1]
	fresh := p.fresh()
	if p.i == len(p.s) {
		return p.fail("Unexpected end-of-input: expected close marker for %s", container(in))
	}
	if c := p.s[p.i]; c == in+2 { // ']' is '['+2, '}' is '{'+2
		p.i++
		p.open = p.open[:len(p.open)-1]
		return true
	} else if c == ']' || c == '}' {
		return p.fail("Unexpected close marker '%c': expected '%c'", c, in+2)
	}
	if !fresh {
		if p.s[p.i] != ',' {
			return p.unexpected("was expecting comma to separate " + container(in) + " entries")
		}
		p.i++
		p.space()
	}
	if in == '{' && !p.name() {
		return false
	}
	return p.value()
}

// fresh reports whether the innermost container has just been opened.
func (p *parser) fresh() bool {
	for j := p.i - 1; j >= 0; j-- {
		switch p.s[j] {
		case ' ', '\t', '\n', '\r':
		default:
			return p.s[j] == p.open[len(p.open)-1]
		}
	}
	return false
}

// name reads a field name and its colon.
func (p *parser) name() bool {
	if p.i == len(p.s) {
		return p.fail("Unexpected end-of-input within/between Object entries")
	}
	if p.s[p.i] != '"' {
		return p.unexpected("was expecting double-quote to start field name")
	}
	if !p.text("was expecting closing quote for a field name") {
		return false
	}
	if p.space(); p.i == len(p.s) {
		return p.fail("Unexpected end-of-input within/between Object entries")
	}
	if p.s[p.i] != ':' {
		return p.unexpected("was expecting a colon to separate field name and value")
	}
	p.i++
	p.space()
	return true
}

// value reads a scalar or opens a container.
func (p *parser) value() bool {
	if p.i == len(p.s) {
		if len(p.open) == 0 {
			return p.fail("No content to map due to end-of-input")
		}
		return p.fail("Unexpected end-of-input within/between %s entries", container(p.open[len(p.open)-1]))
	}
	switch c := p.s[p.i]; {
	case c == '{' || c == '[':
		if len(p.open) == depthLimit {
			return p.fail("Document nesting depth (%d) exceeds the maximum allowed (%d)", depthLimit+1, depthLimit)
		}
		p.open = append(p.open, c)
		p.i++
		return true
	case c == '"':
		return p.text("was expecting closing quote for a string value")
	case c == '-' || digit(c):
		return p.number()
	case c == ']' || c == '}' || c == ',' || c == ':':
		return p.unexpected("expected a valid value (" + anyValue + ")")
	}
	return p.word()
}

// text reads a string; ending says what was missing when the input ends inside it.
func (p *parser) text(ending string) bool {
	for p.i++; p.i < len(p.s); p.i++ {
		switch c := p.s[p.i]; {
		case c == '"':
			p.i++
			return true
		case c < ' ':
			return p.fail("Illegal unquoted character ((CTRL-CHAR, code %d)): has to be escaped using backslash to be included in string value", c)
		case c == '\\':
			if p.i++; p.i < len(p.s) && !p.escape() {
				return false
			}
		}
	}
	return p.fail("Unexpected end-of-input: %s", ending)
}

// escape reads what follows a backslash and stops on its last byte.
func (p *parser) escape() bool {
	switch c := p.s[p.i]; c {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			if p.i++; p.i == len(p.s) {
				return p.fail("Unexpected end-of-input in character escape sequence")
			}
			if c := p.s[p.i]; !digit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
				return p.unexpected("expected a hex-digit for character escape sequence")
			}
		}
		return true
	}
	r, _ := utf8.DecodeRune(p.s[p.i:])
	return p.fail("Unrecognized character escape %s", char(r))
}

// number reads a number and checks that a separator follows.
func (p *parser) number() bool {
	if p.s[p.i] == '-' {
		if p.i++; p.i == len(p.s) || !digit(p.s[p.i]) {
			return p.numeric("expected digit (0-9) to follow minus sign, for valid numeric value")
		}
	}
	if p.s[p.i] == '0' && p.i+1 < len(p.s) && digit(p.s[p.i+1]) {
		return p.fail("Invalid numeric value: Leading zeroes not allowed")
	}
	p.digits()
	if p.i < len(p.s) && p.s[p.i] == '.' {
		if p.i++; !p.digits() {
			return p.numeric("Decimal point not followed by a digit")
		}
	}
	if p.i < len(p.s) && p.s[p.i]|0x20 == 'e' {
		if p.i++; p.i < len(p.s) && (p.s[p.i] == '+' || p.s[p.i] == '-') {
			p.i++
		}
		if !p.digits() {
			return p.numeric("Exponent indicator not followed by a digit")
		}
	}
	if len(p.open) == 0 && p.i < len(p.s) && !separator(p.s[p.i]) {
		return p.unexpected("Expected space separating root-level values")
	}
	return true
}

func (p *parser) digits() bool {
	from := p.i
	for p.i < len(p.s) && digit(p.s[p.i]) {
		p.i++
	}
	return p.i > from
}

// numeric fails over the character that should have been part of a number.
func (p *parser) numeric(why string) bool {
	if p.i == len(p.s) {
		return p.fail("Unexpected end-of-input in numeric value: %s", why)
	}
	r, _ := utf8.DecodeRune(p.s[p.i:])
	return p.fail("Unexpected character (%s) in numeric value: %s", char(r), why)
}

// word reads true, false or null, or fails over the whole token.
func (p *parser) word() bool {
	from := p.i
	for p.i < len(p.s) {
		r, n := utf8.DecodeRune(p.s[p.i:])
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '$' {
			break
		}
		p.i += n
	}
	switch token := string(p.s[from:p.i]); token {
	case "true", "false", "null":
		return true
	case "":
		return p.unexpected("expected a valid value (" + anyValue + ")")
	default:
		if len(token) > tokenChars {
			token = token[:tokenChars] + "..."
		}
		return p.fail("Unrecognized token '%s': was expecting (%s)", token, anyValue)
	}
}

func (p *parser) unexpected(why string) bool {
	r, _ := utf8.DecodeRune(p.s[p.i:])
	return p.fail("Unexpected character (%s): %s", char(r), why)
}

func (p *parser) space() {
	for p.i < len(p.s) && separator(p.s[p.i]) {
		p.i++
	}
}

// place returns the line and column of i.
func (p *parser) place() (line, column int) {
	line, column = 1, 1
	for _, r := range string(p.s[:min(p.i, len(p.s))]) {
		switch {
		case r == '\n':
			line, column = line+1, 1
		case r > 0xFFFF:
			column += 2
		default:
			column++
		}
	}
	return line, column
}

// char shows a character as the parser does.
func char(r rune) string {
	if r < ' ' {
		return fmt.Sprintf("(CTRL-CHAR, code %d)", r)
	}
	if r > 255 {
		return fmt.Sprintf("'%c' (code %d / 0x%x)", r, r, r)
	}
	return fmt.Sprintf("'%c' (code %d)", r, r)
}

func container(open byte) string {
	if open == '{' {
		return "Object"
	}
	return "Array"
}

func digit(c byte) bool     { return c >= '0' && c <= '9' }
func separator(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
