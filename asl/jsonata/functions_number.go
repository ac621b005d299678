package jsonata

import (
	"math"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

func defineNumbers() {
	define("number", "<(nsb)-:n>", 1, strict(toNumber))
	define("floor", "<n-:n>", 1, strict(rounding(math.Floor)))
	define("ceil", "<n-:n>", 1, strict(rounding(math.Ceil)))
	define("abs", "<n-:n>", 1, strict(rounding(math.Abs)))
	define("round", "<n-n?:n>", 2, strict(func(c *call, args []any) (any, error) {
		return round(numberArg(args, 0, 0), numberArg(args, 1, 0)), nil
	}))
	define("sqrt", "<n-:n>", 1, strict(func(c *call, args []any) (any, error) {
		f := numberArg(args, 0, 0)
		if f < 0 {
			return nil, failure("D3060", args[0]).with("index", 1.0)
		}
		return math.Sqrt(f), nil
	}))
	define("power", "<n-n:n>", 2, strict(power))
	define("sum", "<a<n>:n>", 1, strict(func(c *call, args []any) (any, error) {
		total, _, err := c.total(args[0])
		return total, err
	}))
	define("average", "<a<n>:n>", 1, strict(func(c *call, args []any) (any, error) {
		total, n, err := c.total(args[0])
		if n == 0 || err != nil {
			return undefined, err
		}
		return total / float64(n), nil
	}))
	define("max", "<a<n>:n>", 1, strict(extreme(func(a, b float64) bool { return a > b })))
	define("min", "<a<n>:n>", 1, strict(extreme(func(a, b float64) bool { return a < b })))
	define("formatBase", "<n-n?:s>", 2, strict(formatBase))
}

func floor(f float64) float64 { return math.Floor(f) }

func rounding(fn func(float64) float64) builtin {
	return func(c *call, args []any) (any, error) { return fn(numberArg(args, 0, math.NaN())), nil }
}

func (c *call) total(v any) (total float64, n int, err error) {
	items := listOf(v)
	for _, item := range items {
		f, _ := numberOf(item)
		total += f
	}
	return total, len(items), c.spend(int64(len(items)) >> 2)
}

// extreme finds the number no other beats. It is given back as it came.
func extreme(beats func(a, b float64) bool) builtin {
	return func(c *call, args []any) (any, error) {
		best := undefined
		var most float64
		for _, item := range listOf(args[0]) {
			f, _ := numberOf(item)
			if best == undefined || beats(f, most) {
				best, most = item, f
			}
		}
		return best, c.spend(int64(len(listOf(args[0]))) >> 2)
	}
}

// round15 rounds to the 15 significant digits that $string shows.
func round15(f float64) float64 {
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return f
	}
	g, _ := strconv.ParseFloat(strconv.FormatFloat(f, 'e', 14, 64), 64)
	return g
}

// shift multiplies by a power of ten by way of the decimal text, so that 0.285 does not become 28.499999999999996.
func shift(f, places float64) float64 {
	text := numberText(f)
	mantissa, exponent, _ := strings.Cut(text, "e")
	e := 0.0
	if exponent != "" {
		e, _ = strconv.ParseFloat(exponent, 64)
	}
	g, err := strconv.ParseFloat(mantissa+"e"+numberText(e+places), 64)
	if err != nil && !math.IsInf(g, 0) {
		return math.NaN()
	}
	return g
}

// round rounds half to even at a decimal place.
func round(f, places float64) float64 {
	if places != 0 {
		f = shift(f, places)
	}
	out := math.Floor(f + 0.5)
	if f == math.Trunc(f) {
		out = f
	}
	if math.Abs(out-f) == 0.5 && math.Abs(math.Mod(out, 2)) == 1 {
		out--
	}
	if places != 0 {
		out = shift(out, -places)
	}
	if out == 0 {
		return 0 // no negative zero
	}
	return out
}

func power(c *call, args []any) (any, error) {
	base, exponent := numberArg(args, 0, math.NaN()), numberArg(args, 1, math.NaN())
	f := math.Pow(base, exponent)
	if math.Abs(base) == 1 && (math.IsInf(exponent, 0) || math.IsNaN(exponent)) {
		f = math.NaN() // where JavaScript leaves IEEE
	}
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, failure("D3061", args[0]).with("exp", arg(args, 1)).with("index", 1.0)
	}
	return f, nil
}

func toNumber(c *call, args []any) (any, error) {
	switch v := args[0].(type) {
	case float64, jsonvalue.Number:
		return v, nil
	case bool:
		if v {
			return 1.0, nil
		}
		return 0.0, nil
	case string:
		if f, ok := parseText(v); ok {
			return f, nil
		}
	}
	return nil, failure("D3030", args[0]).with("index", 1.0)
}

// parseText reads a number as $number does: as JSON, leading zeros allowed, or with 0x, 0o, 0b.
func parseText(s string) (float64, bool) {
	if len(s) > 2 && s[0] == '0' {
		base := map[byte]int{'x': 16, 'o': 8, 'b': 2}[s[1]|0x20]
		if base != 0 {
			return parseBase(s[2:], base)
		}
	}
	digits := func(i int) int {
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		return i
	}
	start := 0
	if strings.HasPrefix(s, "-") {
		start = 1
	}
	end := digits(start)
	if end == start {
		return 0, false
	}
	if end < len(s) && s[end] == '.' {
		from := end + 1
		if end = digits(from); end == from {
			return 0, false
		}
	}
	if end < len(s) && (s[end] == 'e' || s[end] == 'E') {
		from := end + 1
		if from < len(s) && (s[from] == '+' || s[from] == '-') {
			from++
		}
		if end = digits(from); end == from {
			return 0, false
		}
	}
	f, err := strconv.ParseFloat(s, 64)
	return f, end == len(s) && err == nil
}

func parseBase(s string, base int) (float64, bool) {
	f := 0.0
	for i := range len(s) {
		d, err := strconv.ParseUint(s[i:i+1], base, 8)
		if err != nil {
			return 0, false
		}
		f = f*float64(base) + float64(d)
	}
	return f, true
}

func formatBase(c *call, args []any) (any, error) {
	f := round(numberArg(args, 0, 0), 0)
	radix := round(numberArg(args, 1, 10), 0)
	if radix < 2 || radix > 36 || radix != radix {
		return nil, failure("D3100", radix)
	}
	if math.Abs(f) < 1<<53 {
		return strconv.FormatInt(int64(f), int(radix)), nil
	}
	return bigBase(f, int(radix)), nil
}
