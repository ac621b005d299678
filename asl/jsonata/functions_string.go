package jsonata

import (
	"encoding/base64"
	"math"
	"math/big"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonvalue"
)

func defineStrings() {
	define("string", "<x-b?:s>", 1, strict(func(c *call, args []any) (any, error) {
		pretty, _ := arg(args, 1).(bool)
		return c.toText(args[0], pretty)
	}))
	define("substring", "<s-nn?:s>", 3, strict(substring))
	define("substringBefore", "<s-s:s>", 2, strict(func(c *call, args []any) (any, error) {
		before, _, _ := strings.Cut(textArg(args, 0), sought(args, 1))
		return before, nil
	}))
	define("substringAfter", "<s-s:s>", 2, strict(func(c *call, args []any) (any, error) {
		if _, after, found := strings.Cut(textArg(args, 0), sought(args, 1)); found {
			return after, nil
		}
		return args[0], nil
	}))
	define("lowercase", "<s-:s>", 1, strict(onText(lower)))
	define("uppercase", "<s-:s>", 1, strict(onText(upper)))
	define("trim", "<s-:s>", 1, strict(onText(trim)))
	define("length", "<s-:n>", 1, strict(func(c *call, args []any) (any, error) {
		return float64(characters(textArg(args, 0))), nil
	}))
	define("pad", "<s-ns?:s>", 3, strict(pad))
	define("join", "<a<s>s?:s>", 2, strict(joinAll))
	define("base64encode", "<s-:s>", 1, strict(onText(encode64)))
	define("base64decode", "<s-:s>", 1, strict(onText(decode64)))
	const component = "-_.!~*'()"
	const whole = component + ";/?:@&=+$,#"
	define("encodeUrlComponent", "<s-:s>", 1, strict(encodeURL("encodeUrlComponent", component)))
	define("encodeUrl", "<s-:s>", 1, strict(encodeURL("encodeUrl", whole)))
	define("decodeUrlComponent", "<s-:s>", 1, strict(decodeURL("decodeUrlComponent", "")))
	define("decodeUrl", "<s-:s>", 1, strict(decodeURL("decodeUrl", ";/?:@&=+$,#")))
}

// onText is a function from text to text.
func onText(fn func(string) string) builtin {
	return func(c *call, args []any) (any, error) {
		s := textArg(args, 0)
		if err := c.text(len(s)); err != nil {
			return nil, err
		}
		return fn(s), nil
	}
}

// sought is a string argument to look for; JavaScript looks for the word where it is undefined.
func sought(args []any, i int) string {
	if arg(args, i) == undefined {
		return "undefined"
	}
	return textArg(args, i)
}

// stringOf is the text that & joins; of undefined it is empty.
func (ev *evaluator) stringOf(v any) (string, error) {
	if s, ok := v.(string); ok || v == undefined {
		return s, nil
	}
	return ev.toText(v, false)
}

// toText is $string.
func (ev *evaluator) toText(v any, pretty bool) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case *function:
		return "", nil
	case float64, jsonvalue.Number:
		f, _ := numberOf(v)
		if math.IsInf(f, 0) || math.IsNaN(f) {
			return "", failure("D3001", v)
		}
		return numberText(round15(f)), nil
	case *array:
		if v.is(isWrapper) {
			return ev.toText(&array{items: v.items[0].([]any)}, pretty)
		}
	}
	w := writer{most: ev.limits.ResultBytes}
	if pretty {
		w.indent = 2
	}
	w.value(v, 0)
	switch {
	case w.broken != nil:
		return "", failure("D1001", w.broken)
	case w.full:
		return "", ev.fits(math.MaxInt64)
	case w.deep:
		return "", ev.tooDeep()
	}
	return string(w.text), ev.text(len(w.text))
}

// slice is Array.prototype.slice over n items: from and to as indexes.
func slice(from, to float64, n int) (int, int) {
	clamp := func(f float64) int {
		f = math.Trunc(f)
		if f < 0 {
			f += float64(n)
		}
		return int(min(max(f, 0), float64(n)))
	}
	i, j := clamp(from), clamp(to)
	return i, max(i, j)
}

func substring(c *call, args []any) (any, error) {
	s := textArg(args, 0)
	n := characters(s)
	start := numberArg(args, 1, 0)
	if float64(n)+start < 0 {
		start = 0
	}
	end := math.MaxInt32 + 0.0
	if size, ok := numberOf(arg(args, 2)); ok {
		if size <= 0 {
			return "", nil
		}
		end = start + size
		if start < 0 {
			end = float64(n) + start + size
		}
	}
	from, to := slice(start, end, n)
	return s[offset(s, from):offset(s, to)], c.text(len(s))
}

// offset is the byte at which the i-th character begins.
func offset(s string, i int) int {
	at := 0
	for ; i > 0 && at < len(s); i-- {
		_, n := unitAt(s, at)
		at += n
	}
	return at
}

// trim makes one space of each run of white space and takes those at the ends away.
func trim(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }), " ")
}

// upper and lower are Unicode's full mappings as far as they depend on nothing: ß is two letters in capitals.
func upper(s string) string {
	if ascii(s) {
		return strings.ToUpper(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := unitAt(s, i)
		if full, ok := fullUpper[r]; ok {
			b.WriteString(full)
		} else if up := unicode.ToUpper(r); up != r {
			b.WriteRune(up)
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

var fullUpper = map[rune]string{
	'ß': "SS", 'ŉ': "ʼN", 'ǰ': "J̌", 'ΐ': "Ϊ́", 'ΰ': "Ϋ́", 'և': "ԵՒ", 'ﬀ': "FF", 'ﬁ': "FI", 'ﬂ': "FL", 'ﬃ': "FFI",
	'ﬄ': "FFL", 'ﬅ': "ST", 'ﬆ': "ST",
}

func lower(s string) string {
	if ascii(s) {
		return strings.ToLower(s)
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := unitAt(s, i)
		switch low := unicode.ToLower(r); {
		case r == 'İ':
			b.WriteString("i̇")
		case r == 'Σ' && finalSigma(s, i, i+n):
			b.WriteRune('ς')
		case low != r:
			b.WriteRune(low)
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// finalSigma reports whether a sigma ends a word.
func finalSigma(s string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(s[:from])
	after, _ := utf8.DecodeRuneInString(s[to:])
	return unicode.IsLetter(before) && !unicode.IsLetter(after)
}

func pad(c *call, args []any) (any, error) {
	s, width := textArg(args, 0), numberArg(args, 1, 0)
	fill := textArg(args, 2)
	if fill == "" {
		fill = " "
	}
	missing := math.Abs(width) - float64(characters(s))
	if !(missing > 0) {
		return s, nil
	}
	if missing != math.Trunc(missing) {
		return nil, failure("D1001", width)
	}
	if missing > float64(c.limits.ResultBytes) {
		return nil, c.fits(math.MaxInt64)
	}
	n := int(missing)
	size := characters(fill)
	if err := c.text((n/size + 1) * len(fill)); err != nil {
		return nil, err
	}
	padding := strings.Repeat(fill, n/size) + fill[:offset(fill, n%size)]
	if width > 0 {
		return join(s, padding), nil
	}
	return join(padding, s), nil
}

func joinAll(c *call, args []any) (any, error) {
	items, separator := listOf(args[0]), textArg(args, 1)
	size := 0
	for _, item := range items {
		s, _ := item.(string)
		size += len(s) + len(separator)
	}
	if err := c.text(size); err != nil {
		return nil, err
	}
	b := make([]byte, 0, size)
	add := func(s string) {
		if len(s) >= 3 && s[0] == 0xED {
			b = []byte(join(string(b), s))
		} else {
			b = append(b, s...)
		}
	}
	for i, item := range items {
		if i > 0 {
			add(separator)
		}
		s, _ := item.(string)
		add(s)
	}
	return string(b), nil
}

// encode64 encodes the low bytes of the UTF-16 units, as Node's "binary" does.
func encode64(s string) string {
	u := units(s)
	b := make([]byte, len(u))
	for i, c := range u {
		b[i] = byte(c)
	}
	return base64.StdEncoding.EncodeToString(b)
}

// decode64 is as forgiving as Node: either alphabet, what is no digit skipped, padding optional and the end.
func decode64(s string) string {
	digits := make([]byte, 0, len(s))
	for i := range len(s) {
		c := s[i]
		switch c {
		case '-':
			c = '+'
		case '_':
			c = '/'
		}
		if c == '=' {
			break
		}
		if c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '+' || c == '/' {
			digits = append(digits, c)
		}
	}
	if len(digits)%4 == 1 {
		digits = digits[:len(digits)-1]
	}
	b, _ := base64.RawStdEncoding.DecodeString(string(digits))
	var out strings.Builder
	for _, c := range b {
		out.WriteRune(rune(c))
	}
	return out.String()
}

// encodeURL is encodeURI, encodeURIComponent: plain are the marks left as they are beside letters and digits.
func encodeURL(name, plain string) builtin {
	return func(c *call, args []any) (any, error) {
		const hex = "0123456789ABCDEF"
		s := textArg(args, 0)
		if !utf8.ValidString(s) {
			return nil, failure("D3140", s).with("functionName", name)
		}
		if err := c.text(3 * len(s)); err != nil {
			return nil, err
		}
		var b strings.Builder
		for i := range len(s) {
			ch := s[i]
			if ch >= 'a' && ch <= 'z' || ch >= 'A' && ch <= 'Z' || ch >= '0' && ch <= '9' || strings.IndexByte(plain, ch) >= 0 {
				b.WriteByte(ch)
			} else {
				b.Write([]byte{'%', hex[ch>>4], hex[ch&15]})
			}
		}
		return b.String(), nil
	}
}

// decodeURL is decodeURI, decodeURIComponent: escapes of kept characters stay.
func decodeURL(name, kept string) builtin {
	return func(c *call, args []any) (any, error) {
		s := textArg(args, 0)
		out := make([]byte, 0, len(s))
		for i := 0; i < len(s); {
			if s[i] != '%' {
				out = append(out, s[i])
				i++
				continue
			}
			r, n := escapedRune(s[i:])
			if n == 0 {
				return nil, failure("D3140", s).with("functionName", name)
			}
			if r < utf8.RuneSelf && strings.IndexByte(kept, byte(r)) >= 0 {
				out = append(out, s[i:i+n]...)
			} else {
				out = utf8.AppendRune(out, r)
			}
			i += n
		}
		return string(out), c.text(len(s))
	}
}

// escapedRune reads one character written as %XX; n is 0 where there is none.
func escapedRune(s string) (r rune, n int) {
	var buf [4]byte
	for k := range buf {
		if len(s) < n+3 || s[n] != '%' {
			return 0, 0
		}
		hi, ok1 := hexDigit(s[n+1])
		lo, ok2 := hexDigit(s[n+2])
		if !ok1 || !ok2 {
			return 0, 0
		}
		buf[k] = hi<<4 | lo
		n += 3
		if utf8.FullRune(buf[:k+1]) {
			r, size := utf8.DecodeRune(buf[:k+1])
			if r == utf8.RuneError && size == 1 {
				return 0, 0
			}
			return r, n
		}
	}
	return 0, 0
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c|32 >= 'a' && c|32 <= 'f':
		return c | 32 - 'a' + 10, true
	}
	return 0, false
}

// bigBase writes a large whole number in a base.
func bigBase(f float64, radix int) string {
	if math.IsInf(f, 0) || math.IsNaN(f) {
		return numberText(f)
	}
	n, _ := big.NewFloat(f).Int(nil)
	return n.Text(radix)
}
