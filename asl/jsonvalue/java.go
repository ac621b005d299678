package jsonvalue

import (
	"strconv"
	"strings"
)

// AppendJava appends v as Java prints it (Object.toString of maps, lists, strings and boxed numbers): strings
// bare at every level, [a, b] for arrays, {k=v, l=w} for objects. Step Functions shows values so where it
// puts them into texts. It stops soon after dst has grown past most bytes.
func AppendJava(dst []byte, v any, most int) []byte {
	switch v := v.(type) {
	case string:
		return append(dst, v...)
	case Number:
		return append(dst, v.Java()...)
	case []any:
		dst = append(dst, '[')
		for i, item := range v {
			if len(dst) > most {
				return dst
			}
			dst = AppendJava(separate(dst, i), item, most)
		}
		return append(dst, ']')
	case *Object:
		dst = append(dst, '{')
		i := 0
		for key, item := range v.All() {
			if len(dst) > most {
				return dst
			}
			dst = append(append(separate(dst, i), key...), '=')
			dst = AppendJava(dst, item, most)
			i++
		}
		return append(dst, '}')
	}
	return append(dst, Text(v)...)
}

// separate appends what stands in front of a value's i-th part.
func separate(dst []byte, i int) []byte {
	if i > 0 {
		dst = append(dst, ", "...)
	}
	return dst
}

// Java returns the number as Java prints it: digits as they stand for one without point and exponent, else
// Double.toString (Java SE API, Double): 1.0, 1.0E-5, 1.23456789E7.
func (n Number) Java() string {
	if n.IsInteger() {
		return string(n)
	}
	f := n.Float64()
	text := strconv.FormatFloat(f, 'e', -1, 64) // d.ddde±dd
	mantissa, exponent, found := strings.Cut(text, "e")
	if !found { // ±Inf
		return string(n)
	}
	power, _ := strconv.Atoi(exponent)
	if f == 0 || power >= -3 && power < 7 {
		return point(strconv.FormatFloat(f, 'f', -1, 64))
	}
	return point(mantissa) + "E" + strconv.Itoa(power)
}

// point gives a decimal at least one digit behind its point.
func point(digits string) string {
	if strings.Contains(digits, ".") {
		return digits
	}
	return digits + ".0"
}
