package jsonata

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// JavaScript's strings are UTF-16 and may hold half a pair. Such a half is kept here as the three bytes that UTF-8
// would give it (WTF-8), which is no valid UTF-8; it becomes U+FFFD when it leaves.

func isSurrogate(c rune) bool { return c >= 0xD800 && c < 0xE000 }

// unitAt returns the character at s[i:], lone surrogates included, and its bytes.
func unitAt(s string, i int) (rune, int) {
	if s[i] < utf8.RuneSelf {
		return rune(s[i]), 1
	}
	r, n := utf8.DecodeRuneInString(s[i:])
	if r == utf8.RuneError && n == 1 && s[i] == 0xED && i+2 < len(s) && s[i+1]&0xE0 == 0xA0 && s[i+2]&0xC0 == 0x80 {
		return 0xD000 | rune(s[i+1]&0x3F)<<6 | rune(s[i+2]&0x3F), 3
	}
	return r, n
}

// appendUnit appends a UTF-16 unit; the second half of a pair joins the first.
func appendUnit(b []byte, c uint16) []byte {
	if c >= 0xDC00 && c < 0xE000 && len(b) >= 3 {
		if hi, n := unitAt(string(b[len(b)-3:]), 0); n == 3 && hi >= 0xD800 && hi < 0xDC00 {
			return utf8.AppendRune(b[:len(b)-3], utf16.DecodeRune(hi, rune(c)))
		}
	}
	if isSurrogate(rune(c)) {
		return append(b, 0xED, 0x80|byte(c>>6)&0x3F, 0x80|byte(c)&0x3F)
	}
	return utf8.AppendRune(b, rune(c))
}

// join concatenates; halves of a pair that meet become one character.
func join(a, b string) string {
	if len(b) >= 3 && len(a) >= 3 && b[0] == 0xED && a[len(a)-3] == 0xED {
		if lo, n := unitAt(b, 0); n == 3 && lo >= 0xDC00 && lo < 0xE000 {
			if hi, n := unitAt(a, len(a)-3); n == 3 && hi >= 0xD800 && hi < 0xDC00 {
				return a[:len(a)-3] + string(utf16.DecodeRune(hi, lo)) + b[3:]
			}
		}
	}
	return a + b
}

// wellFormed makes valid UTF-8 of a string that leaves.
func wellFormed(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := unitAt(s, i)
		if isSurrogate(r) {
			r = utf8.RuneError
		}
		b.WriteRune(r)
		i += n
	}
	return b.String()
}

// units returns s in UTF-16.
func units(s string) []uint16 {
	out := make([]uint16, 0, len(s))
	for i := 0; i < len(s); {
		r, n := unitAt(s, i)
		if r > 0xFFFF {
			hi, lo := utf16.EncodeRune(r)
			out = append(out, uint16(hi), uint16(lo))
		} else {
			out = append(out, uint16(r))
		}
		i += n
	}
	return out
}

// fromUnits is the string of UTF-16 units.
func fromUnits(u []uint16) string {
	b := make([]byte, 0, len(u))
	for _, c := range u {
		b = appendUnit(b, c)
	}
	return string(b)
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// characters counts the characters of s, as $length does.
func characters(s string) int {
	n := 0
	for i := 0; i < len(s); n++ {
		_, size := unitAt(s, i)
		i += size
	}
	return n
}

// compareText orders strings by their UTF-16 units.
func compareText(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	if i == len(a) || i == len(b) || a[i] < 0xEE && b[i] < 0xEE {
		return strings.Compare(a, b)
	}
	// From U+E000 on the orders differ: UTF-16 has the characters beyond U+FFFF first, as surrogates.
	x, y := a[i], b[i]
	if (x >= 0xF0) != (y >= 0xF0) && min(x, y) >= 0xEE {
		return strings.Compare(b[i:], a[i:])
	}
	return strings.Compare(a, b)
}
