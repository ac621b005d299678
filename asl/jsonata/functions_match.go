package jsonata

import (
	"math"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

func defineMatching() {
	define("match", "<s-f<s:o>n?:a<o>>", 3, strict(matchAll))
	define("contains", "<s-(sf):b>", 2, strict(contains))
	define("replace", "<s-(sf)(sf)n?:s>", 4, strict(replace))
	define("split", "<s-(sf)n?:a<s>>", 3, strict(split))
}

// regexFunction is the function that a regular expression is: from a text to its first match, an object with match,
// start, end, groups and next.
func regexFunction(re *regex, at int) *function {
	return &function{arity: 2, re: re, native: func(c *call, args []any) (any, error) {
		s := textArg(args, 0)
		switch v := arg(args, 0).(type) { // JavaScript makes texts of these
		case nil:
			s = "null"
		case bool:
			s = strconv.FormatBool(v)
		case float64, jsonvalue.Number:
			f, _ := numberOf(v)
			s = numberText(f)
		}
		m := &matching{c: c, re: re, at: at, text: newSubject(s)}
		from := numberArg(args, 1, 0)
		if from < 0 || from > float64(m.text.len()) {
			return undefined, nil
		}
		found, err := m.from(int(from))
		if found == nil || err != nil {
			return undefined, err
		}
		return found.object(m), nil
	}}
}

// found is a match.
type found struct {
	text       string
	start, end int
	groups     []any
	next       any // of a matcher that is a function of the user's, as is
	given      any // the whole answer
}

// object is the match as an expression sees it.
func (f *found) object(m *matching) any {
	o := newObject()
	o.Set("match", f.text)
	o.Set("start", float64(f.start))
	o.Set("end", float64(f.end))
	o.Set("groups", &array{items: f.groups})
	end := f.end
	o.Set("next", &function{native: func(c *call, _ []any) (any, error) {
		m := &matching{c: c, re: m.re, at: m.at, text: m.text}
		g, err := m.after(end)
		if g == nil || err != nil {
			return undefined, err
		}
		return g.object(m), nil
	}})
	return o
}

// matching goes through the matches of one text.
type matching struct {
	c       *call
	re      *regex
	at      int // of the regular expression in the text of the expression
	text    *subject
	matcher *function // of the user; nil: re
}

func (c *call) matching(s string, pattern any) *matching {
	f, _ := pattern.(*function)
	m := &matching{c: c, text: newSubject(s)}
	if f != nil && f.re != nil {
		m.re = f.re
	} else {
		m.matcher = f
	}
	return m
}

// first finds the first match, nil for none.
func (m *matching) first(whole any) (*found, error) {
	if err := m.c.text(len(m.text.s)); err != nil {
		return nil, err
	}
	if m.re != nil {
		return m.from(0)
	}
	v, err := m.c.invoke(m.matcher, whole)
	return m.user(v, err)
}

// following finds the match behind f.
func (m *matching) following(f *found) (*found, error) {
	if m.re != nil {
		return m.after(f.end)
	}
	v, err := m.c.invoke(f.next, undefined)
	return m.user(v, err)
}

// after is from, for a match that is not the first: it must not be empty, or there would be no end of them.
func (m *matching) after(end int) (*found, error) {
	if end >= m.text.len() {
		return nil, nil
	}
	f, err := m.from(end)
	if f != nil && f.text == "" {
		return nil, failureAt("D1004", m.at, m.re.source)
	}
	return f, err
}

func (m *matching) from(at int) (*found, error) {
	reg, err := m.re.exec(m.c.evaluator, m.text, at)
	if reg == nil || err != nil {
		return nil, err
	}
	f := &found{text: m.text.part(reg[0], reg[1]), start: reg[0], end: reg[1]}
	for g := 1; g <= m.re.groups; g++ {
		if reg[2*g] < 0 || reg[2*g+1] < 0 {
			f.groups = append(f.groups, undefined)
			continue
		}
		group := m.text.part(reg[2*g], reg[2*g+1])
		f.groups = append(f.groups, group)
		if err := m.c.text(len(group)); err != nil {
			return nil, err
		}
	}
	return f, m.c.spend(1)
}

// user reads what a matcher of the user's has answered.
func (m *matching) user(v any, err error) (*found, error) {
	if err != nil || v == undefined {
		return nil, err
	}
	o, ok := objectOf(v)
	if !ok {
		return nil, failure("T1010", undefined)
	}
	f := &found{given: v}
	start, _ := o.Get("start")
	s, ok := numberOf(start)
	groups, _ := o.Get("groups")
	f.groups, _ = itemsOf(groups)
	if !ok && f.groups == nil {
		return nil, failure("T1010", undefined)
	}
	end, _ := o.Get("end")
	e, _ := numberOf(end)
	text, _ := o.Get("match")
	f.text, _ = text.(string)
	limit := float64(m.text.len())
	f.start, f.end = int(min(max(s, 0), limit)), int(min(max(e, 0), limit))
	f.next, _ = o.Get("next")
	return f, m.c.spend(1)
}

// upTo calls fn for at most limit matches; rest reports whether it ended for lack of matches.
func (m *matching) upTo(s string, limit float64, fn func(f *found) error) (n int, err error) {
	f, err := m.first(s)
	for ; f != nil && err == nil && float64(n) < limit; n++ {
		if err = fn(f); err == nil {
			f, err = m.following(f)
		}
	}
	return n, err
}

// limitArg is an optional limit: none is infinite.
func limitArg(args []any, i int, code string) (float64, error) {
	limit := numberArg(args, i, math.Inf(1))
	if limit < 0 {
		return 0, failure(code, args[i]).with("index", float64(i+1))
	}
	return limit, nil
}

func matchAll(c *call, args []any) (any, error) {
	limit, err := limitArg(args, 2, "D3040")
	if err != nil {
		return nil, err
	}
	out := sequence()
	if limit == 0 {
		return out, nil
	}
	s := textArg(args, 0)
	_, err = c.matching(s, arg(args, 1)).upTo(s, limit, func(f *found) error {
		o := newObject()
		o.Set("match", f.text)
		o.Set("index", float64(f.start))
		o.Set("groups", &array{items: f.groups})
		out.items = append(out.items, o)
		return c.spend(3)
	})
	return out, err
}

func contains(c *call, args []any) (any, error) {
	s := textArg(args, 0)
	if token, ok := arg(args, 1).(string); ok {
		return strings.Contains(s, token), c.text(len(s))
	}
	if arg(args, 1) == undefined {
		return nil, failure("T1006", undefined)
	}
	f, err := c.matching(s, arg(args, 1)).first(s)
	return f != nil, err
}

func split(c *call, args []any) (any, error) {
	limit, err := limitArg(args, 2, "D3020")
	if err != nil {
		return nil, err
	}
	out := &array{}
	if limit == 0 {
		return out, nil
	}
	s := textArg(args, 0)
	if err := c.text(len(s)); err != nil {
		return nil, err
	}
	if separator, ok := arg(args, 1).(string); ok {
		return out, c.splitText(out, s, separator, math.Floor(limit))
	}
	if arg(args, 1) == undefined {
		return nil, failure("T1006", undefined)
	}
	m, start := c.matching(s, arg(args, 1)), 0
	n, err := m.upTo(s, limit, func(f *found) error {
		out.items = append(out.items, m.text.part(start, f.start))
		start = f.end
		return nil
	})
	if float64(n) < limit {
		out.items = append(out.items, m.text.part(start, m.text.len()))
	}
	return out, err
}

// splitText splits at a string; at an empty one between UTF-16 units.
func (c *call) splitText(out *array, s, separator string, limit float64) error {
	if separator == "" {
		t := newSubject(s)
		for i := 0; i < t.len() && float64(i) < limit; i++ {
			out.items = append(out.items, t.part(i, i+1))
		}
		return c.spend(int64(t.len()))
	}
	for float64(len(out.items)) < limit {
		before, after, found := strings.Cut(s, separator)
		out.items = append(out.items, before)
		if !found {
			break
		}
		s = after
	}
	return c.spend(int64(len(out.items)))
}

// builder collects a text of bounded size.
type builder struct {
	c    *call
	text []byte
}

func (b *builder) add(s string) error {
	if len(s) >= 3 && s[0] == 0xED {
		b.text = []byte(join(string(b.text), s))
	} else {
		b.text = append(b.text, s...)
	}
	if err := b.c.fits(int64(len(b.text))); err != nil {
		return err
	}
	return b.c.spend(int64(len(s)) >> 5)
}

func replace(c *call, args []any) (any, error) {
	if arg(args, 1) == "" {
		return nil, failure("D3010", "").with("index", 2.0)
	}
	limit, err := limitArg(args, 3, "D3011")
	if err != nil {
		return nil, err
	}
	s := textArg(args, 0)
	if limit == 0 {
		return s, nil
	}
	b := &builder{c: c}
	if pattern, ok := arg(args, 1).(string); ok {
		err = b.replaceText(s, pattern, arg(args, 2), limit)
	} else {
		err = b.replaceMatches(s, arg(args, 1), arg(args, 2), limit)
	}
	return string(b.text), err
}

func (b *builder) replaceText(s, pattern string, by any, limit float64) error {
	text, ok := by.(string)
	if !ok {
		return failure("D3012", by)
	}
	for n := 0.0; n < limit; n++ {
		before, after, found := strings.Cut(s, pattern)
		if !found {
			break
		}
		if err := b.add(before); err != nil {
			return err
		}
		if err := b.add(text); err != nil {
			return err
		}
		if err := b.c.spend(1); err != nil {
			return err
		}
		s = after
	}
	return b.add(s)
}

func (b *builder) replaceMatches(s string, pattern, by any, limit float64) error {
	m, at := b.c.matching(s, pattern), 0
	_, err := m.upTo(s, limit, func(f *found) error {
		if err := b.add(m.text.part(at, f.start)); err != nil {
			return err
		}
		at = f.start + newSubject(f.text).len()
		if text, ok := by.(string); ok {
			return b.expand(text, f)
		}
		o := f.given
		if o == nil {
			o = f.object(m)
		}
		with, err := b.c.invoke(by, o)
		if err != nil {
			return err
		}
		text, ok := with.(string)
		if !ok {
			return failure("D3012", with)
		}
		return b.add(text)
	})
	if err != nil {
		return err
	}
	return b.add(m.text.part(at, m.text.len()))
}

// expand adds a replacement with $0, $1, ... filled in; $$ is a dollar.
func (b *builder) expand(text string, f *found) error {
	for {
		before, after, more := strings.Cut(text, "$")
		if err := b.add(before); err != nil || !more {
			return err
		}
		var err error
		switch {
		case strings.HasPrefix(after, "$"):
			err = b.add("$")
			text = after[1:]
		case strings.HasPrefix(after, "0"):
			err = b.add(f.text)
			text = after[1:]
		default:
			n, digits := groupNumber(after, len(f.groups))
			if digits == 0 {
				err = b.add("$")
			} else if n >= 1 && n <= len(f.groups) {
				group, _ := f.groups[n-1].(string)
				err = b.add(group)
			}
			text = after[digits:]
		}
		if err != nil {
			return err
		}
	}
}

// groupNumber reads the number of a group: as many digits as the number of groups has, one less where that is too
// large a number.
func groupNumber(s string, groups int) (n, digits int) {
	most := 1
	if groups > 0 {
		most = len(strconv.Itoa(groups))
	}
	for digits < most && digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	if digits == 0 {
		return 0, 0
	}
	n, _ = strconv.Atoi(s[:digits])
	if most > 1 && n > groups && digits == most {
		digits--
		n, _ = strconv.Atoi(s[:digits])
	}
	return n, digits
}
