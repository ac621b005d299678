// Package jsonvalue is JSON as Weft handles it: texts that pass through untouched, and trees that keep
// the order of keys and the digits of numbers.
//
// A value is one of: nil, bool, Number, string, []any, *Object. Trees are shared freely and never
// changed once built; code that needs another value builds one.
//
// Texts are RFC 8259 in UTF-8, nested at most limits.JSONDepth deep. Check and Compact look at a text
// without building anything, Parse builds a tree, ParseDocument builds a tree that remembers where each
// part stood. Every syntax error is a *SyntaxError with offset, line and column.
//
//	v, err := jsonvalue.Parse([]byte(`{"city": "Oslo", "population": 717710}`))
//	city, ok := v.(*jsonvalue.Object).Get("city") // "Oslo", true
//	text := jsonvalue.Append(nil, v)              // {"city":"Oslo","population":717710}
package jsonvalue

import (
	"fmt"
	"unicode/utf8"
)

// Kind is the kind of a value. Values are append-only.
type Kind uint8

// The kinds; Invalid is what a Go value that is no JSON value has.
const (
	Invalid Kind = iota
	KindNull
	KindBool
	KindNumber
	KindString
	KindArray
	KindObject
)

// String returns the kind's name as a person reads it: "null", "boolean", "number", "string", "array",
// "object", or "invalid".
func (k Kind) String() string {
	names := [...]string{"invalid", "null", "boolean", "number", "string", "array", "object"}
	if int(k) < len(names) {
		return names[k]
	}
	return "invalid"
}

// KindOf returns the kind of v.
func KindOf(v any) Kind {
	switch v.(type) {
	case nil:
		return KindNull
	case bool:
		return KindBool
	case Number:
		return KindNumber
	case string:
		return KindString
	case []any:
		return KindArray
	case *Object:
		return KindObject
	}
	return Invalid
}

// Parse returns the tree of one JSON text. Of a key given twice the last value counts and stands at the
// first one's place. The strings of the tree share one copy of text.
func Parse(text []byte) (any, error) { return ParseString(string(text)) }

// ParseString is Parse for a text that is a string already; the tree shares its memory.
func ParseString(text string) (any, error) {
	sc := scanner{s: text}
	v, err := sc.value(0)
	if err == nil {
		err = sc.end()
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

// value reads one value with the space before it; depth is how many containers are open.
func (sc *scanner) value(depth int) (any, *SyntaxError) {
	sc.space()
	switch sc.peek() {
	case '{':
		return sc.object(depth)
	case '[':
		return sc.array(depth)
	case '"':
		return sc.text()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		n, err := sc.number()
		if err != nil {
			return nil, err
		}
		return Number(n), nil
	}
	return sc.word()
}

func (sc *scanner) array(depth int) (any, *SyntaxError) {
	more, err := sc.open(depth, ']')
	items := []any{}
	for more && err == nil {
		var v any
		if v, err = sc.value(depth + 1); err == nil {
			items = append(items, v)
			more, err = sc.more(']')
		}
	}
	if err != nil {
		return nil, err
	}
	return items, nil
}

func (sc *scanner) object(depth int) (any, *SyntaxError) {
	more, err := sc.open(depth, '}')
	o := &Object{}
	if more {
		o.members = make([]member, 0, 4)
	}
	for more && err == nil {
		var key string
		var v any
		if key, err = sc.key(); err != nil {
			break
		}
		if v, err = sc.value(depth + 1); err == nil {
			o.Set(key, v)
			more, err = sc.more('}')
		}
	}
	if err != nil {
		return nil, err
	}
	return o, nil
}

// Append appends v as compact JSON text. Strings are escaped as Step Functions escapes them: the quote,
// the backslash and control characters, nothing else. It panics on a Go value that is no JSON value: that
// is a defect of the caller.
func Append(dst []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(dst, "null"...)
	case bool:
		if v {
			return append(dst, "true"...)
		}
		return append(dst, "false"...)
	case Number:
		return append(dst, v...)
	case string:
		return AppendString(dst, v)
	case []any:
		return appendArray(dst, v)
	case *Object:
		return appendObject(dst, v)
	}
	panic(fmt.Sprintf("jsonvalue.Append: %T is not a JSON value", v))
}

func appendArray(dst []byte, items []any) []byte {
	dst = append(dst, '[')
	for i, item := range items {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = Append(dst, item)
	}
	return append(dst, ']')
}

func appendObject(dst []byte, o *Object) []byte {
	dst = append(dst, '{')
	for i := range o.members {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = AppendString(dst, o.members[i].key)
		dst = append(dst, ':')
		dst = Append(dst, o.members[i].value)
	}
	return append(dst, '}')
}

// AppendMax is Append that gives up, with ok false, soon after the text has more than most bytes. A tree that
// holds one part many times is small in memory and huge as text: use it wherever a template built the tree.
func AppendMax(dst []byte, v any, most int) (text []byte, ok bool) {
	end := len(dst) + most
	var grow func(v any) bool
	grow = func(v any) bool {
		switch v := v.(type) {
		case []any:
			dst = append(dst, '[')
			for i, item := range v {
				if i > 0 {
					dst = append(dst, ',')
				}
				if !grow(item) {
					return false
				}
			}
			dst = append(dst, ']')
		case *Object:
			dst = append(dst, '{')
			for i := range v.members {
				if i > 0 {
					dst = append(dst, ',')
				}
				dst = append(AppendString(dst, v.members[i].key), ':')
				if !grow(v.members[i].value) {
					return false
				}
			}
			dst = append(dst, '}')
		default:
			dst = Append(dst, v)
		}
		return len(dst) <= end
	}
	ok = grow(v)
	return dst, ok
}

// Text returns v as compact JSON text.
func Text(v any) string { return string(Append(nil, v)) }

// AppendString appends s as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789ABCDEF"
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if plain[c] {
			continue
		}
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[from:i]...), "\uFFFD"...)
				from = i + 1
			}
			i += n - 1
			continue
		}
		dst = append(dst, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\b':
			dst = append(dst, '\\', 'b')
		case '\f':
			dst = append(dst, '\\', 'f')
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
	}
	return append(append(dst, s[from:]...), '"')
}

// Equal reports whether a and b are the same value: objects whatever the order of their keys, numbers by
// what they are worth (1 equals 1.0).
func Equal(a, b any) bool {
	switch a := a.(type) {
	case Number:
		b, ok := b.(Number)
		return ok && a.Compare(b) == 0
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !Equal(a[i], b[i]) {
				return false
			}
		}
		return true
	case *Object:
		b, ok := b.(*Object)
		return ok && equalObjects(a, b)
	}
	switch b.(type) {
	case []any, *Object: // == would panic on a slice
		return false
	}
	return a == b
}

func equalObjects(a, b *Object) bool {
	if a.Len() != b.Len() {
		return false
	}
	for key, v := range a.All() {
		w, ok := b.Get(key)
		if !ok || !Equal(v, w) {
			return false
		}
	}
	return true
}
