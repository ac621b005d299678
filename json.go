package weft

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// encode returns v as compact JSON. Strings, numbers and truth values, which most payloads are, take no detour through
// reflection; what comes out is the same.
func encode[T any](v T) ([]byte, error) {
	switch x := any(&v).(type) {
	case *string:
		if plainText(*x) {
			out := make([]byte, 0, len(*x)+2)
			return append(append(append(out, '"'), *x...), '"'), nil
		}
	case *int:
		return strconv.AppendInt(make([]byte, 0, 20), int64(*x), 10), nil
	case *int64:
		return strconv.AppendInt(make([]byte, 0, 20), *x, 10), nil
	case *bool:
		return strconv.AppendBool(make([]byte, 0, 5), *x), nil
	}
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, &Failure{Type: "Weft.Encode", Message: fmt.Sprintf("a %T does not encode as JSON: %v", v, err), Final: true}
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

// decode returns the value of a JSON text; the zero value for none.
func decode[T any](data []byte) (v T, err error) {
	if len(data) == 0 {
		return v, nil
	}
	switch x := any(&v).(type) {
	case *string:
		if n := len(data); n >= 2 && data[0] == '"' && data[n-1] == '"' && plainText(data[1:n-1]) {
			*x = string(data[1 : n-1])
			return v, nil
		}
	case *int:
		if n, ok := smallInt(data); ok {
			*x = n
			return v, nil
		}
	}
	if err := json.Unmarshal(data, &v); err != nil {
		return v, &Failure{Type: "Weft.Decode", Message: fmt.Sprintf("%.200s does not fit %T: %v", data, v, err), Final: true}
	}
	return v, nil
}

// plainText reports whether a text is the same within quotes in JSON: printable ASCII without quotes and backslashes.
func plainText[T string | []byte](s T) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// smallInt reads an integer of up to nine digits.
func smallInt(data []byte) (n int, ok bool) {
	digits := data
	if digits[0] == '-' {
		digits = digits[1:]
	}
	if len(digits) == 0 || len(digits) > 9 || (digits[0] == '0' && len(digits) > 1) {
		return 0, false
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + int(c-'0')
	}
	if len(digits) < len(data) {
		n = -n
	}
	return n, true
}
