// Package console is what a person reads on a terminal: aligned tables, colours that know when to stay
// away, widths of wide characters, pretty JSON, elapsed times, and source lines with a caret under the
// mistake. Text from outside (state names, causes, log lines) is made harmless before it is shown.
package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
)

// Clean returns s on one line and without characters that would command a terminal: controls become
// U+FFFD, line breaks and tabs a space.
func Clean(s string) string { return clean(s, false) }

// CleanLines is Clean for text of several lines: line breaks and tabs stay.
func CleanLines(s string) string { return clean(s, true) }

func clean(s string, lines bool) string {
	if !strings.ContainsFunc(s, harmful) && utf8.ValidString(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		switch {
		case lines && (r == '\n' || r == '\t'):
			return r
		case r == '\r' && lines:
			return -1
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case harmful(r):
			return utf8.RuneError
		}
		return r
	}, s)
}

// harmful holds for controls (C0, C1, DEL) and for the marks that reorder text.
func harmful(r rune) bool {
	return unicode.IsControl(r) || (r >= 0x202A && r <= 0x202E) || (r >= 0x2066 && r <= 0x2069)
}

// Width is the number of terminal cells s takes.
func Width(s string) int { return runewidth.StringWidth(s) }

// Truncate shortens s to at most width cells, with an ellipsis where something is missing.
func Truncate(s string, width int) string {
	if width <= 0 {
		return ""
	}
	return runewidth.Truncate(s, width, "…")
}

// Pad fills s with spaces on the right up to width cells.
func Pad(s string, width int) string {
	if n := width - Width(s); n > 0 {
		return s + strings.Repeat(" ", n)
	}
	return s
}

// Style colours text, or leaves it alone when the zero value.
type Style struct{ On bool }

func (s Style) wrap(code, text string) string {
	if !s.On || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold, Dim, Red, Green, Yellow and Cyan colour text.
func (s Style) Bold(t string) string   { return s.wrap("1", t) }
func (s Style) Dim(t string) string    { return s.wrap("2", t) }
func (s Style) Red(t string) string    { return s.wrap("31", t) }
func (s Style) Green(t string) string  { return s.wrap("32", t) }
func (s Style) Yellow(t string) string { return s.wrap("33", t) }
func (s Style) Cyan(t string) string   { return s.wrap("36", t) }

// Elapsed writes a duration as a person says it: 850ms is "0.8s", then "12.1s", "2m03s", "3h04m", "5d02h".
func Elapsed(d time.Duration) string {
	switch {
	case d < 0:
		return "0.0s"
	case d < time.Minute:
		return fmt.Sprintf("%d.%ds", d/time.Second, d%time.Second/(100*time.Millisecond))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd%02dh", d/(24*time.Hour), d%(24*time.Hour)/time.Hour)
}

// Count writes n with its noun: "1 event", "2,143 events".
func Count(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return Number(n) + " " + noun + "s"
}

// Number writes n with commas between thousands.
func Number(n int64) string {
	s := strconv.FormatInt(n, 10)
	sign := ""
	if n < 0 {
		sign, s = "-", s[1:]
	}
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return sign + s
}

// PrettyJSON indents a JSON text by two spaces, numbers and key order untouched; text that is not JSON
// comes back as it is.
func PrettyJSON(text []byte) string {
	var b bytes.Buffer
	if json.Indent(&b, bytes.TrimSpace(text), "", "  ") != nil {
		return string(text)
	}
	return b.String()
}

// CompactJSON removes the space between tokens; text that is not JSON comes back as it is.
func CompactJSON(text []byte) string {
	var b bytes.Buffer
	if json.Compact(&b, text) != nil {
		return string(text)
	}
	return b.String()
}

// Indent puts prefix before every line of s.
func Indent(s, prefix string) string {
	return prefix + strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "\n"+prefix)
}

// Caret shows line (counted from 1) of text with a caret under column (bytes, from 1), each line after
// prefix. A line longer than width cells is shown round the column. "" when there is no such line.
func Caret(text []byte, line, column, width int, prefix string) string {
	src, ok := nthLine(text, line)
	if !ok {
		return ""
	}
	at := min(max(column-1, 0), len(src))
	before := Clean(string(src[:at]))
	after := Clean(string(src[at:]))
	gutter := fmt.Sprintf("%s%5d | ", prefix, line)
	room := max(width-Width(gutter), 20)
	if w := Width(before); w > room*2/3 {
		before = "…" + runewidth.TruncateLeft(before, w-room*2/3+1, "")
	}
	shown := Truncate(before+after, room)
	blank := prefix + strings.Repeat(" ", 5) + " | " + strings.Repeat(" ", Width(before)) + "^"
	return gutter + shown + "\n" + blank + "\n"
}

// nthLine returns the line-th line of text, without its end.
func nthLine(text []byte, line int) ([]byte, bool) {
	for n := 1; ; n++ {
		i := bytes.IndexByte(text, '\n')
		if n == line {
			if i >= 0 {
				text = text[:i]
			}
			return bytes.TrimSuffix(text, []byte{'\r'}), n > 0
		}
		if i < 0 {
			return nil, false
		}
		text = text[i+1:]
	}
}

// Place turns a byte offset of text into a line and a column, both from 1.
func Place(text []byte, offset int64) (line, column int) {
	at := int(min(max(offset, 0), int64(len(text))))
	line = 1 + bytes.Count(text[:at], []byte{'\n'})
	return line, at - bytes.LastIndexByte(text[:at], '\n')
}
