package jsonvalue

import (
	"math"
	"strconv"
	"strings"
)

// Number is a JSON number as its text has it: "1", "1.0", "12345678901234567890", "-2e-3".
type Number string

// Int returns n as a Number.
func Int(n int64) Number { return Number(strconv.FormatInt(n, 10)) }

// Float returns f as a Number in its shortest form. JSON has no infinities and no NaN: ok is false.
func Float(f float64) (n Number, ok bool) {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return "0", false
	}
	if f == math.Trunc(f) && math.Abs(f) < 1e15 {
		return Number(strconv.FormatFloat(f, 'f', 1, 64)), true
	}
	return Number(strconv.FormatFloat(f, 'g', -1, 64)), true
}

// Float64 returns the nearest float64; a number too large for one is ±Inf.
func (n Number) Float64() float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

// Int64 returns the number when it is whole and fits an int64, however it is written: 5, 5.0 and 5e0 alike.
func (n Number) Int64() (int64, bool) {
	if v, err := strconv.ParseInt(string(n), 10, 64); err == nil {
		return v, true
	}
	d := n.decimal()
	const most = 19 // digits of the largest int64
	if len(d.digits) == 0 {
		return 0, true
	}
	if d.point < int64(len(d.digits)) || d.point > most {
		return 0, false
	}
	text := d.digits + strings.Repeat("0", int(d.point)-len(d.digits))
	if d.negative {
		text = "-" + text
	}
	v, err := strconv.ParseInt(text, 10, 64)
	return v, err == nil
}

// IsInteger reports whether the number is written without point and exponent.
func (n Number) IsInteger() bool { return !strings.ContainsAny(string(n), ".eE") }

// Compare returns -1, 0 or 1. It is exact for every pair, whatever their size or notation.
func (n Number) Compare(m Number) int {
	a, errA := strconv.ParseInt(string(n), 10, 64)
	b, errB := strconv.ParseInt(string(m), 10, 64)
	if errA == nil && errB == nil {
		switch {
		case a < b:
			return -1
		case a > b:
			return 1
		}
		return 0
	}
	return n.decimal().compare(m.decimal())
}

// decimal is ±0.DIGITS × 10^point without zeros at either end of digits; zero has no digits.
type decimal struct {
	negative bool
	digits   string
	point    int64
}

func (n Number) decimal() decimal {
	s := string(n)
	d := decimal{}
	s, d.negative = strings.CutPrefix(s, "-")
	mantissa, exponent := s, int64(0)
	if i := strings.IndexAny(s, "eE"); i >= 0 {
		mantissa = s[:i]
		exponent = parseExponent(s[i+1:])
	}
	whole, fraction, _ := strings.Cut(mantissa, ".")
	d.point = exponent + int64(len(whole))
	d.digits = whole + fraction
	trimmed := strings.TrimLeft(d.digits, "0")
	d.point -= int64(len(d.digits) - len(trimmed))
	d.digits = strings.TrimRight(trimmed, "0")
	if d.digits == "" {
		return decimal{}
	}
	return d
}

// parseExponent reads an exponent and holds it within ±2^60, past which order of size is all that is left.
func parseExponent(s string) int64 {
	const most = 1 << 60
	v, err := strconv.ParseInt(s, 10, 64)
	if err != nil { // only out of range is possible
		if strings.HasPrefix(s, "-") {
			return -most
		}
		return most
	}
	return min(max(v, -most), most)
}

func (d decimal) compare(e decimal) int {
	switch ds, es := d.sign(), e.sign(); {
	case ds != es:
		if ds < es {
			return -1
		}
		return 1
	case ds == 0:
		return 0
	}
	c := 0
	switch {
	case d.point != e.point:
		c = 1
		if d.point < e.point {
			c = -1
		}
	default:
		c = strings.Compare(d.digits, e.digits)
	}
	if d.negative {
		return -c
	}
	return c
}

func (d decimal) sign() int {
	switch {
	case d.digits == "":
		return 0
	case d.negative:
		return -1
	}
	return 1
}
