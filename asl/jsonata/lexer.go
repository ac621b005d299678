package jsonata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kind is what a token or a node is. The first ones are those of tokens.
type kind uint8

const (
	kindEnd kind = iota
	kindName
	kindVariable
	kindOperator
	kindString
	kindNumber
	kindValue // true, false, null
	kindRegex

	kindBinary
	kindNegate
	kindArray
	kindObject
	kindWildcard
	kindDescendant
	kindParent
	kindFunction
	kindPartial
	kindLambda
	kindBlock
	kindCondition
	kindTransform
	kindPath
	kindSort
	kindBind
	kindApply
	kindGroupBy // before processing only: "{" behind something
)

// token is one token. at is the byte offset behind it: the reference calls that its position.
type token struct {
	kind  kind
	text  string // name, operator, the string's value
	value any    // of numbers, values and regular expressions
	at    int
}

// is reports whether the token is this operator.
func (t *token) is(op string) bool { return t.kind == kindOperator && t.text == op }

// shown is the token as messages have it.
func (t *token) shown() any {
	switch t.kind {
	case kindEnd:
		return "(end)"
	case kindNumber, kindValue:
		return t.value
	}
	return t.text
}

type lexer struct {
	s  string
	at int
}

const (
	spaces    = " \t\n\r\v"
	operators = ".[]{}(),@#;:?+-*/%|=<>^&!~"
)

// next reads the next token. infix says that a value stands before it, so that "/" divides.
func (lx *lexer) next(infix bool) (token, *Error) {
	if err := lx.skip(); err != nil {
		return token{}, err
	}
	if lx.at >= len(lx.s) {
		return token{kind: kindEnd, at: len(lx.s)}, nil
	}
	c := lx.s[lx.at]
	if c == '/' && !infix {
		lx.at++
		return lx.regex()
	}
	if lx.at+1 < len(lx.s) {
		switch two := lx.s[lx.at : lx.at+2]; two {
		case "..", ":=", "!=", ">=", "<=", "**", "~>":
			lx.at += 2
			return token{kind: kindOperator, text: two, at: lx.at}, nil
		}
	}
	switch {
	case strings.IndexByte(operators, c) >= 0:
		lx.at++
		return token{kind: kindOperator, text: lx.s[lx.at-1 : lx.at], at: lx.at}, nil
	case c == '"' || c == '\'':
		return lx.str(c)
	case c >= '0' && c <= '9':
		return lx.number()
	case c == '`':
		return lx.quoted()
	}
	return lx.name(), nil
}

// skip goes past space and comments.
func (lx *lexer) skip() *Error {
	for lx.at < len(lx.s) {
		switch {
		case strings.IndexByte(spaces, lx.s[lx.at]) >= 0:
			lx.at++
		case strings.HasPrefix(lx.s[lx.at:], "/*"):
			end := strings.Index(lx.s[lx.at+2:], "*/")
			if end < 0 {
				return failureAt("S0106", lx.at, undefined)
			}
			lx.at += end + 4
		default:
			return nil
		}
	}
	return nil
}

// number reads a number as JSON writes it.
func (lx *lexer) number() (token, *Error) {
	start := lx.at
	digits := func(at int) int {
		for at < len(lx.s) && lx.s[at] >= '0' && lx.s[at] <= '9' {
			at++
		}
		return at
	}
	end := start + 1
	if lx.s[start] != '0' {
		end = digits(end)
	}
	if end < len(lx.s) && lx.s[end] == '.' {
		if to := digits(end + 1); to > end+1 {
			end = to
		}
	}
	if end < len(lx.s) && (lx.s[end] == 'e' || lx.s[end] == 'E') {
		from := end + 1
		if from < len(lx.s) && (lx.s[from] == '+' || lx.s[from] == '-') {
			from++
		}
		if to := digits(from); to > from {
			end = to
		}
	}
	text := lx.s[start:end]
	f, _ := strconv.ParseFloat(text, 64)
	if math.IsInf(f, 0) {
		return token{}, failureAt("S0102", start, undefined).about(text)
	}
	lx.at = end
	return token{kind: kindNumber, value: f, at: end}, nil
}

// str reads a string literal. Escapes of lone surrogates stay what they are, see surrogate.go.
func (lx *lexer) str(quote byte) (token, *Error) {
	lx.at++
	var b []byte
	for lx.at < len(lx.s) {
		c := lx.s[lx.at]
		switch {
		case c == quote:
			lx.at++
			return token{kind: kindString, text: string(b), at: lx.at}, nil
		case c == '\\':
			var err *Error
			if b, err = lx.escape(b); err != nil {
				return token{}, err
			}
		default:
			b = append(b, c)
		}
		lx.at++
	}
	return token{}, failureAt("S0101", len(lx.s), undefined)
}

// escape reads an escape sequence and stays on its last byte.
func (lx *lexer) escape(b []byte) ([]byte, *Error) {
	const letters, values = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	lx.at++
	if lx.at >= len(lx.s) {
		return b, failureAt("S0103", lx.at, undefined).about("")
	}
	c := lx.s[lx.at]
	if i := strings.IndexByte(letters, c); i >= 0 {
		return append(b, values[i]), nil
	}
	if c != 'u' {
		r, _ := utf8.DecodeRuneInString(lx.s[lx.at:])
		return b, failureAt("S0103", lx.at, undefined).about(string(r))
	}
	hex := lx.s[lx.at+1 : min(lx.at+5, len(lx.s))]
	unit, err := strconv.ParseUint(hex, 16, 16)
	if err != nil || strings.ContainsAny(hex, "_+") {
		return b, failureAt("S0104", lx.at, undefined)
	}
	lx.at += len(hex)
	return appendUnit(b, uint16(unit)), nil
}

func (lx *lexer) quoted() (token, *Error) {
	lx.at++
	end := strings.IndexByte(lx.s[lx.at:], '`')
	if end < 0 {
		return token{}, failureAt("S0105", len(lx.s), undefined)
	}
	text := lx.s[lx.at : lx.at+end]
	lx.at += end + 1
	return token{kind: kindName, text: text, at: lx.at}, nil
}

// name reads a name, a variable or a word; anything that is no space and no operator may be in one.
func (lx *lexer) name() token {
	start := lx.at
	for lx.at < len(lx.s) && strings.IndexByte(spaces, lx.s[lx.at]) < 0 && strings.IndexByte(operators, lx.s[lx.at]) < 0 {
		lx.at++
	}
	text := lx.s[start:lx.at]
	if text[0] == '$' {
		return token{kind: kindVariable, text: text[1:], at: lx.at}
	}
	switch text {
	case "or", "in", "and":
		return token{kind: kindOperator, text: text, at: lx.at}
	case "true", "false":
		return token{kind: kindValue, value: text == "true", at: lx.at}
	case "null":
		return token{kind: kindValue, at: lx.at}
	}
	return token{kind: kindName, text: text, at: lx.at}
}

// regex reads a regular expression behind its first slash: up to a slash that is neither escaped nor in brackets.
func (lx *lexer) regex() (token, *Error) {
	start, depth := lx.at, 0
	for ; lx.at < len(lx.s); lx.at++ {
		c := lx.s[lx.at]
		if c == '/' && depth == 0 && !lx.escaped() {
			break
		}
		if lx.s[lx.at-1] != '\\' {
			switch c {
			case '(', '[', '{':
				depth++
			case ')', ']', '}':
				depth--
			}
		}
	}
	if lx.at >= len(lx.s) {
		return token{}, failureAt("S0302", len(lx.s), undefined)
	}
	pattern := lx.s[start:lx.at]
	if pattern == "" {
		return token{}, failureAt("S0301", lx.at, undefined)
	}
	lx.at++
	flags := lx.at
	for lx.at < len(lx.s) && (lx.s[lx.at] == 'i' || lx.s[lx.at] == 'm') {
		lx.at++
	}
	re, err := compileRegex(pattern, lx.s[flags:lx.at])
	if err != nil {
		return token{}, failureAt("S0303", start, pattern).with("reason", err.Error())
	}
	return token{kind: kindRegex, value: re, at: lx.at}, nil
}

// escaped reports whether an odd number of backslashes stands before this place.
func (lx *lexer) escaped() bool {
	n := 0
	for n < lx.at && lx.s[lx.at-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}
