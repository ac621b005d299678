package jsonpath

import (
	"regexp"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// matches reports whether the whole text of v, or of an item of the list v, matches. Lists, objects, null and what
// is missing have the text "".
func matches(re *regexp.Regexp, v any) bool {
	items, ok := v.([]any)
	if !ok {
		items = []any{v}
	}
	for _, item := range items {
		text := ""
		switch item := item.(type) {
		case string:
			text = item
		case jsonvalue.Number:
			text = item.Java()
		case bool:
			text = "false"
			if item {
				text = "true"
			}
		}
		if re.MatchString(text) {
			return true
		}
	}
	return false
}

// patternFlags are Java's flags and what they are in Go. Folding is always that of Unicode here, and a dot leaves
// out nothing but "\n".
var patternFlags = map[byte]string{'i': "i", 'm': "m", 's': "s", 'u': "", 'd': ""}

// pattern reads /.../flags.
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
	source := p.s[start:p.i]
	p.i++
	flags := ""
	for c := p.peek(); c >= 'a' && c <= 'z' || c == 'U'; c = p.peek() {
		flag, ok := patternFlags[c]
		if !ok {
			p.fail("the pattern flag %s is not supported; use i, m, s, u or d", p.quoted())
			return nil
		}
		flags += flag
		p.i++
	}
	if flags != "" {
		flags = "(?" + flags + ")"
	}
	source, why := fromJava(source)
	if why == "" {
		// The whole text must match. Go's expressions take time linear in the text, whatever the pattern is.
		re, err := regexp.Compile(`\A(?:` + flags + source + `)\z`)
		if err == nil {
			return re
		}
		why = err.Error()
	}
	p.i = from
	p.fail("the pattern cannot be used: %s", why)
	return nil
}

// javaClasses are Java's names of classes of ASCII characters that Go writes [:name:].
var javaClasses = map[string]string{
	"Lower": "lower", "Upper": "upper", "ASCII": "ascii", "Alpha": "alpha", "Digit": "digit", "Alnum": "alnum",
	"Punct": "punct", "Graph": "graph", "Print": "print", "Blank": "blank", "Cntrl": "cntrl", "XDigit": "xdigit", "Space": "space",
}

// javaEscapes are escapes that Go does not know, as parts of a class.
var javaEscapes = map[byte]string{'h': `\x20\t\x{a0}`, '/': "/", 'e': `\x1b`}

// fromJava rewrites a pattern of java.util.regex for package regexp. Where the two would read the same text
// differently, why says what is not supported; look-around, back references and possessive quantifiers are refused
// by package regexp itself.
func fromJava(s string) (out, why string) {
	var b strings.Builder
	class := 0 // how deep inside [ ]
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			text, n := javaEscape(s[i:], class > 0)
			b.WriteString(text)
			i += n - 1
		case c == '[' && class > 0:
			return "", "a class inside a class is not supported; write one class or (a|b)"
		case c == '&' && class > 0 && strings.HasPrefix(s[i:], "&&"):
			return "", "an intersection of classes (&&) is not supported"
		case c == '[':
			class++
			b.WriteByte(c)
		case c == ']' && class > 0:
			class--
			b.WriteByte(c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), ""
}

// javaEscape rewrites the escape that s starts with and returns how long it is in s.
func javaEscape(s string, inClass bool) (text string, n int) {
	if s[1] == 'Q' { // taken literally up to \E
		end := strings.Index(s, `\E`)
		if end < 0 {
			return regexp.QuoteMeta(s[2:]), len(s)
		}
		return regexp.QuoteMeta(s[2:end]), end + 2
	}
	if name, _, ok := strings.Cut(strings.TrimPrefix(s[2:], "{"), "}"); ok && s[1] == 'p' && javaClasses[name] != "" {
		return inBrackets("[:"+javaClasses[name]+":]", inClass), len(name) + 4
	}
	if part := javaEscapes[s[1]]; part != "" {
		return inBrackets(part, inClass || len(part) == 1), 2
	}
	if s[1] == 'u' && len(s) >= 6 { // \uXXXX
		return `\x{` + s[2:6] + `}`, 6
	}
	return s[:2], 2
}

func inBrackets(part string, inClass bool) string {
	if inClass {
		return part
	}
	return "[" + part + "]"
}
