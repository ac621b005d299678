package jsonvalue

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/weftworks/weft/limits"
)

// SyntaxError says where a text stops being JSON and what was expected there.
type SyntaxError struct {
	Offset       int    // bytes before the place
	Line, Column int    // from 1; Column counts bytes
	Token        string // the word that is no JSON literal; "" for other errors
	AtEnd        bool   // the text ended too early
	Msg          string
	service      string
}

// ServiceMessage returns the error as the Step Functions API words it, for answers that clients compare.
func (e *SyntaxError) ServiceMessage() string {
	switch {
	case e.Token != "":
		return "Unrecognized token '" + e.Token + "': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
	case e.service != "":
		return e.service
	case e.AtEnd:
		return "Unexpected end-of-input: " + e.Msg
	}
	return e.Msg
}

// Error returns "invalid JSON at line 1, column 4: ...".
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("invalid JSON at line %d, column %d: %s", e.Line, e.Column, e.Msg)
}

// LineColumn returns the line and the column, both from 1, of the byte at offset in text.
func LineColumn(text string, offset int) (line, column int) {
	before := text[:min(max(offset, 0), len(text))]
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndexByte(before, '\n')
}

// scanner reads the tokens of s one after the other. It never copies unless a string holds escapes.
type scanner struct {
	s string
	i int // of the next byte
	// members are those of the objects of a document that are not closed yet, each object's behind those around it.
	members []NodeMember
}

// plain holds the bytes that stand for themselves inside a string: ASCII without controls, quote and backslash.
var plain = func() (t [256]bool) {
	for c := 0x20; c < 0x80; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

func (sc *scanner) fail(at int, format string, args ...any) *SyntaxError {
	line, column := LineColumn(sc.s, at)
	return &SyntaxError{
		Offset: at, Line: line, Column: column, AtEnd: at >= len(sc.s), Msg: fmt.Sprintf(format, args...),
	}
}

// place is what was expected where an error stands: in our words, and as Step Functions words it.
type place struct{ ours, service string }

var (
	atValue    = place{"a value", "expected a valid value (JSON String, Number, Array, Object or token 'null', 'true' or 'false')"}
	atKey      = place{"a key in double quotes", "was expecting double-quote to start field name"}
	atColon    = place{"':' after a key", "was expecting a colon to separate field name and value"}
	inArray    = place{"',' or ']'", "was expecting comma to separate Array entries"}
	inObject   = place{"',' or '}'", "was expecting comma to separate Object entries"}
	atDigit    = place{"a digit", "expected digit (0-9) to follow minus sign, for valid numeric value"}
	atFraction = place{"a digit after the decimal point", "Decimal point not followed by a digit"}
	atExponent = place{"a digit in the exponent", "Exponent indicator not followed by a digit"}
	atEnd      = place{"the end of the text", "expected end of the document"}
)

// expected is the error for a byte at sc.i that may not stand there.
func (sc *scanner) expected(want place) *SyntaxError {
	if sc.i >= len(sc.s) {
		err := sc.fail(len(sc.s), "the text ends, but %s was expected", want.ours)
		err.service = "Unexpected end-of-input: " + want.service
		return err
	}
	r, _ := utf8.DecodeRuneInString(sc.s[sc.i:])
	err := sc.fail(sc.i, "found %s, but %s was expected", strconv.QuoteRune(r), want.ours)
	err.service = fmt.Sprintf("Unexpected character ('%c' (code %d)): %s", r, r, want.service)
	return err
}

// peek returns the next byte, or 0 at the end (0 is never valid outside a string).
func (sc *scanner) peek() byte {
	if sc.i < len(sc.s) {
		return sc.s[sc.i]
	}
	return 0
}

func (sc *scanner) space() {
	for sc.i < len(sc.s) {
		switch sc.s[sc.i] {
		case ' ', '\t', '\n', '\r':
			sc.i++
		default:
			return
		}
	}
}

// end checks that only space follows.
func (sc *scanner) end() *SyntaxError {
	sc.space()
	if sc.i < len(sc.s) {
		return sc.expected(atEnd)
	}
	return nil
}

// open enters a container whose first byte is next and reports whether it has a first element.
func (sc *scanner) open(depth int, closing byte) (more bool, err *SyntaxError) {
	if depth >= limits.JSONDepth {
		return false, sc.fail(sc.i, "nested more than %d deep; flatten the value", limits.JSONDepth)
	}
	sc.i++
	sc.space()
	if sc.peek() == closing {
		sc.i++
		return false, nil
	}
	return true, nil
}

// more reads the comma or the closing byte after an element.
func (sc *scanner) more(closing byte) (bool, *SyntaxError) {
	sc.space()
	switch sc.peek() {
	case ',':
		sc.i++
		return true, nil
	case closing:
		sc.i++
		return false, nil
	}
	if closing == '}' {
		return false, sc.expected(inObject)
	}
	return false, sc.expected(inArray)
}

// key reads the key of a member and the colon.
func (sc *scanner) key() (string, *SyntaxError) {
	sc.space()
	if sc.peek() != '"' {
		return "", sc.expected(atKey)
	}
	key, err := sc.text()
	if err != nil {
		return "", err
	}
	sc.space()
	if sc.peek() != ':' {
		return "", sc.expected(atColon)
	}
	sc.i++
	return key, nil
}

// text reads a string and decodes it.
func (sc *scanner) text() (string, *SyntaxError) {
	raw, escaped, err := sc.raw()
	if err != nil || !escaped {
		return raw, err
	}
	return unescape(raw), nil
}

// raw reads a string and returns what stands between its quotes.
func (sc *scanner) raw() (raw string, escaped bool, err *SyntaxError) {
	s, i := sc.s, sc.i+1
	from := i
	for i < len(s) {
		c := s[i]
		switch {
		case plain[c]:
			i++
		case c == '"':
			sc.i = i + 1
			return s[from:i], escaped, nil
		case c == '\\':
			escaped = true
			n := escapeLen(s[i:])
			if n == 0 {
				return "", false, sc.fail(i, `a backslash must be followed by one of "\/bfnrt or by u and four hexadecimal digits`)
			}
			i += n
		case c < 0x20:
			return "", false, sc.fail(i, `control character 0x%02x inside a string; write \u%04x`, c, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				return "", false, sc.fail(i, "byte 0x%02x is not UTF-8; send the text in UTF-8", c)
			}
			i += n
		}
	}
	return "", false, sc.fail(len(s), "the text ends inside a string; close it with a double quote")
}

// escapeLen returns the length of the escape sequence s starts with, or 0.
func escapeLen(s string) int {
	if len(s) < 2 {
		return 0
	}
	switch s[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(s); ok {
			return 6
		}
	}
	return 0
}

// hex4 reads s as \uXXXX.
func hex4(s string) (rune, bool) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, false
	}
	r := rune(0)
	for _, c := range []byte(s[2:6]) {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			r = r<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// unescape decodes the valid escapes of raw. Half a surrogate pair becomes U+FFFD.
func unescape(raw string) string {
	b := make([]byte, 0, len(raw))
	for {
		i := strings.IndexByte(raw, '\\')
		if i < 0 {
			return string(append(b, raw...))
		}
		b = append(b, raw[:i]...)
		raw = raw[i:]
		n := 2
		switch c := raw[1]; c {
		case 'b':
			b = append(b, '\b')
		case 'f':
			b = append(b, '\f')
		case 'n':
			b = append(b, '\n')
		case 'r':
			b = append(b, '\r')
		case 't':
			b = append(b, '\t')
		case 'u':
			var r rune
			r, n = codePoint(raw)
			b = utf8.AppendRune(b, r)
		default:
			b = append(b, c)
		}
		raw = raw[n:]
	}
}

// codePoint reads \uXXXX or a pair of them at the start of s and returns how many bytes that took.
func codePoint(s string) (rune, int) {
	r, _ := hex4(s)
	if r < 0xD800 || r > 0xDFFF {
		return r, 6
	}
	low, ok := hex4(s[6:])
	if r >= 0xDC00 || !ok || low < 0xDC00 || low > 0xDFFF {
		return utf8.RuneError, 6
	}
	return (r-0xD800)<<10 + (low - 0xDC00) + 0x10000, 12
}

// number reads a number and returns its digits as they stand.
func (sc *scanner) number() (string, *SyntaxError) {
	from := sc.i
	if sc.peek() == '-' {
		sc.i++
	}
	zero := sc.peek() == '0'
	if sc.digits() == 0 {
		return "", sc.expected(atDigit)
	}
	if first := strings.TrimPrefix(sc.s[from:sc.i], "-"); zero && len(first) > 1 {
		return "", sc.fail(from, "the number %s has leading zeros; write it without", clip(sc.s[from:sc.i]))
	}
	if sc.peek() == '.' {
		sc.i++
		if sc.digits() == 0 {
			return "", sc.expected(atFraction)
		}
	}
	if sc.peek()|0x20 == 'e' {
		sc.i++
		if c := sc.peek(); c == '+' || c == '-' {
			sc.i++
		}
		if sc.digits() == 0 {
			return "", sc.expected(atExponent)
		}
	}
	return sc.s[from:sc.i], nil
}

func (sc *scanner) digits() (n int) {
	for sc.i < len(sc.s) && sc.s[sc.i]-'0' <= 9 {
		sc.i++
		n++
	}
	return n
}

// word reads null, true or false.
func (sc *scanner) word() (any, *SyntaxError) {
	from, i := sc.i, sc.i
	for i < len(sc.s) && isWord(sc.s[i]) {
		i++
	}
	switch sc.s[from:i] {
	case "null":
		sc.i = i
		return nil, nil
	case "true":
		sc.i = i
		return true, nil
	case "false":
		sc.i = i
		return false, nil
	case "":
		return nil, sc.expected(atValue)
	}
	err := sc.fail(from, "%q is not a JSON value; a string needs double quotes", clip(sc.s[from:i]))
	err.Token = strings.Clone(clip(sc.s[from:i]))
	return nil, err
}

func isWord(c byte) bool {
	return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

// clip bounds what an error quotes.
func clip(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
