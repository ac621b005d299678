package machine

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonpath"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// holds evaluates a Choice rule's condition. And and Or stop at the first that decides. Depth is bounded by
// the definition's own.
func holds(sc *scope, c *asl.Condition) (bool, error) {
	switch {
	case c.Compare != nil:
		return compare(sc, c.Compare)
	case c.Not != nil:
		yes, err := holds(sc, c.Not)
		return !yes, err
	case c.Or != nil:
		for i := range c.Or {
			if yes, err := holds(sc, &c.Or[i]); yes || err != nil {
				return yes, err
			}
		}
		return false, nil
	}
	for i := range c.And {
		if yes, err := holds(sc, &c.And[i]); !yes || err != nil {
			return false, err
		}
	}
	return true, nil
}

// compare evaluates one data test. Values of another type than the operator's never compare; a Variable that
// is not there is an error for all but IsPresent.
func compare(sc *scope, c *asl.Comparison) (bool, error) {
	v, err := sc.get(c.Variable)
	if c.Op == "IsPresent" {
		if err != nil && !isMissing(err) {
			return false, invalidReference(c.Variable)
		}
		return (err == nil) == (c.Value == true), nil
	}
	if err != nil {
		return false, invalidReference(c.Variable)
	}
	other := c.Value
	if c.Other != nil {
		if other, err = sc.get(c.Other); err != nil {
			return false, invalidReference(c.Other)
		}
	}
	return test(c.Op, v, other), nil
}

func invalidReference(p *jsonpath.Path) error {
	return fmt.Errorf("Invalid path '%s': The choice state's condition path references an invalid value.", p) //nolint:staticcheck // AWS's words
}

// test applies an operator to a value and what it is compared with.
func test(op string, v, other any) bool {
	switch op {
	case "IsNull":
		return (v == nil) == (other == true)
	case "IsNumeric":
		return (jsonvalue.KindOf(v) == jsonvalue.KindNumber) == (other == true)
	case "IsString":
		return (jsonvalue.KindOf(v) == jsonvalue.KindString) == (other == true)
	case "IsBoolean":
		return (jsonvalue.KindOf(v) == jsonvalue.KindBool) == (other == true)
	case "IsTimestamp":
		return isTimestamp(v) == (other == true)
	case "BooleanEquals":
		a, aok := v.(bool)
		b, bok := other.(bool)
		return aok && bok && a == b
	case "StringMatches":
		a, aok := v.(string)
		b, bok := other.(string)
		return aok && bok && wildcard(b, a)
	}
	order, relation, ok := ordered(op, v, other)
	return ok && related(order, relation)
}

// ordered compares two values as the operator's type asks; relation is what is left of the operator's name.
func ordered(op string, v, other any) (order int, relation string, ok bool) {
	if relation, ok = strings.CutPrefix(op, "Numeric"); ok {
		a, aok := v.(jsonvalue.Number)
		b, bok := other.(jsonvalue.Number)
		if aok && bok {
			order = a.Compare(b)
		}
		return order, relation, aok && bok
	}
	a, aok := v.(string)
	b, bok := other.(string)
	if !aok || !bok {
		return 0, "", false
	}
	if relation, ok = strings.CutPrefix(op, "String"); ok {
		return compareUTF16(a, b), relation, true
	}
	if relation, ok = strings.CutPrefix(op, "Timestamp"); ok {
		ta, aerr := asl.ParseTimestamp(a)
		tb, berr := asl.ParseTimestamp(b)
		return ta.Compare(tb), relation, aerr == nil && berr == nil
	}
	return 0, "", false
}

func isTimestamp(v any) bool {
	text, ok := v.(string)
	if !ok {
		return false
	}
	_, err := asl.ParseTimestamp(text)
	return err == nil
}

func related(order int, relation string) bool {
	switch relation {
	case "Equals":
		return order == 0
	case "LessThan":
		return order < 0
	case "GreaterThan":
		return order > 0
	case "LessThanEquals":
		return order <= 0
	case "GreaterThanEquals":
		return order >= 0
	}
	return false
}

// compareUTF16 orders strings by their UTF-16 code units, as Java does: a character outside the Basic
// Multilingual Plane comes before U+E000.
func compareUTF16(a, b string) int {
	for a != "" && b != "" {
		ra, na := utf8.DecodeRuneInString(a)
		rb, nb := utf8.DecodeRuneInString(b)
		if ra != rb {
			if (ra > 0xffff) != (rb > 0xffff) {
				ra, rb = firstUnit(ra), firstUnit(rb)
			}
			if ra < rb {
				return -1
			}
			return 1
		}
		a, b = a[na:], b[nb:]
	}
	return len(a) - len(b)
}

func firstUnit(r rune) rune {
	if r > 0xffff {
		return 0xd800
	}
	return r
}

// wildcard reports whether text matches pattern, in which * stands for any characters, \* for a star and \\
// for a backslash. It takes time proportional to len(pattern) * len(text) at most.
func wildcard(pattern, text string) bool {
	p, t := 0, 0
	star, mark := -1, 0
	for t < len(text) {
		if p < len(pattern) && pattern[p] == '*' {
			star, mark = p, t
			p++
			continue
		}
		if n := literal(pattern, p, text[t]); n > 0 {
			p, t = p+n, t+1
			continue
		}
		if star < 0 {
			return false
		}
		mark++
		p, t = star+1, mark
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}

// literal returns how many bytes of pattern at p match the byte c literally; 0: none.
func literal(pattern string, p int, c byte) int {
	if p >= len(pattern) {
		return 0
	}
	if pattern[p] == '\\' && p+1 < len(pattern) && (pattern[p+1] == '*' || pattern[p+1] == '\\') {
		if pattern[p+1] == c {
			return 2
		}
		return 0
	}
	if pattern[p] == c {
		return 1
	}
	return 0
}
