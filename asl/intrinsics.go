package asl

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"math"
	"math/bits"
	"strings"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// intrinsic is a function of payload templates. Source: Step Functions developer guide, Intrinsic functions.
type intrinsic struct {
	name        string
	least, most int  // arguments
	template    bool // its first argument is a format, whose escapes it reads itself
	apply       func(*evaluation) (any, error)
}

// failure words err as Step Functions does.
func (f *intrinsic) failure(err error) *IntrinsicError {
	e := &IntrinsicError{Function: "States." + f.name, Detail: "Invalid arguments in States." + f.name, Reason: err}
	if w := wording(""); errors.As(err, &w) {
		e.Detail = string(w)
	}
	return e
}

func (f *intrinsic) arity() string {
	switch {
	case f.most == maxArguments:
		return fmt.Sprintf("%d or more arguments", f.least)
	case f.least == f.most:
		return fmt.Sprintf("%d arguments", f.least)
	}
	return fmt.Sprintf("%d to %d arguments", f.least, f.most)
}

// intrinsics are the 18 functions by name, without "States.".
var intrinsics = func() map[string]*intrinsic {
	byName := map[string]*intrinsic{}
	for _, f := range []intrinsic{
		{"Array", 0, maxArguments, false, func(e *evaluation) (any, error) { return e.args, nil }},
		{"ArrayContains", 2, 2, false, arrayContains},
		{"ArrayGetItem", 2, 2, false, arrayGetItem},
		{"ArrayLength", 1, 1, false, arrayLength},
		{"ArrayPartition", 2, 2, false, arrayPartition},
		{"ArrayRange", 3, 3, false, arrayRange},
		{"ArrayUnique", 1, 1, false, arrayUnique},
		{"Base64Decode", 1, 1, false, base64Decode},
		{"Base64Encode", 1, 1, false, base64Encode},
		{"Format", 1, maxArguments, true, format},
		{"Hash", 2, 2, false, hashOf},
		{"JsonMerge", 3, 3, false, jsonMerge},
		{"JsonToString", 1, 1, false, jsonToString},
		{"MathAdd", 2, 2, false, mathAdd},
		{"MathRandom", 2, 3, false, mathRandom},
		{"StringSplit", 2, 2, false, stringSplit},
		{"StringToJson", 1, 1, false, stringToJSON},
		{"UUID", 0, 0, false, uuid},
	} {
		byName[f.name] = &f
	}
	return byName
}()

// arrayContains compares texts: 1 is in ["1"], and of two objects the order of keys counts.
func arrayContains(e *evaluation) (any, error) {
	items, err := e.array(0)
	wanted, isNumber := e.args[1].(jsonvalue.Number)
	text := display(e.args[1])
	for _, item := range items {
		n, ok := item.(jsonvalue.Number)
		if ok && isNumber && n.Compare(wanted) == 0 || display(item) == text {
			return true, nil
		}
	}
	return false, err
}

func arrayGetItem(e *evaluation) (any, error) {
	items, err := e.array(0)
	if err != nil {
		return nil, err
	}
	i, err := e.whole(1)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 && i >= 0 {
		return nil, nil // measured: only an array with items has an outside
	}
	if i < 0 || i >= int64(len(items)) {
		return nil, fmt.Errorf("index %d is outside the array, which has %d items", i, len(items))
	}
	return items[i], nil
}

func arrayLength(e *evaluation) (any, error) {
	items, err := e.array(0)
	return jsonvalue.Int(int64(len(items))), err
}

func arrayPartition(e *evaluation) (any, error) {
	items, err := e.array(0)
	if err != nil {
		return nil, err
	}
	size, err := e.whole(1)
	if err != nil {
		return nil, err
	}
	if size < 1 {
		return nil, fmt.Errorf("the size of a part must be at least 1, not %d", size)
	}
	parts := []any{}
	for len(items) > 0 {
		n := int(min(size, int64(len(items))))
		parts = append(parts, items[:n:n])
		items = items[n:]
	}
	return parts, nil
}

func arrayRange(e *evaluation) (any, error) {
	var bounds [3]int64
	for i := range bounds {
		v, err := e.whole(i)
		if err != nil {
			return nil, err
		}
		if v > maxWhole || v < -maxWhole {
			return nil, e.wrong(i, "between -2^53 and 2^53")
		}
		bounds[i] = v
	}
	first, last, step := bounds[0], bounds[1], bounds[2]
	if step == 0 {
		return nil, errors.New("the step must not be 0")
	}
	items := []any{}
	for v := first; step > 0 && v <= last || step < 0 && v >= last; v += step {
		if len(items) == maxRange {
			return nil, fmt.Errorf("the range has more than %d items", maxRange)
		}
		items = append(items, jsonvalue.Int(v))
	}
	return items, nil
}

// arrayUnique keeps the first of equal items. Scalars are found by hashing, so only equal lists and objects cost
// comparisons.
func arrayUnique(e *evaluation) (any, error) {
	items, err := e.array(0)
	if err != nil {
		return nil, err
	}
	kept := make([]any, 0, len(items))
	seen := make(map[string][]any, len(items))
	for _, item := range items {
		key := bucket(item)
		found := false
		for _, other := range seen[key] {
			if found = jsonvalue.Equal(item, other); found {
				break
			}
		}
		if !found {
			seen[key] = append(seen[key], item)
			kept = append(kept, item)
		}
	}
	return kept, nil
}

// bucket is equal for equal values: the text of a scalar, the members' sizes of an object in no order.
func bucket(v any) string {
	switch v := v.(type) {
	case jsonvalue.Number:
		return fmt.Sprint("n", v.Float64())
	case []any:
		parts := make([]string, len(v))
		for i, item := range v {
			parts[i] = bucket(item)
		}
		return "[" + strings.Join(parts, ",") + "]"
	case *jsonvalue.Object:
		sum := uint64(0)
		for key, item := range v.All() {
			h := sha256.Sum256([]byte(key + "\x00" + bucket(item)))
			sum += binary.LittleEndian.Uint64(h[:])
		}
		return fmt.Sprint("o", v.Len(), sum)
	}
	return jsonvalue.Text(v)
}

func base64Encode(e *evaluation) (any, error) {
	s, err := e.short(0)
	return base64.StdEncoding.EncodeToString([]byte(s)), err
}

// base64Decode takes every string: characters of no alphabet, the usual or the one for URLs, are passed over, the
// first "=" ends it, and so do bits that make no byte.
func base64Decode(e *evaluation) (any, error) {
	s, err := e.short(0)
	if err != nil {
		return nil, err
	}
	s, _, _ = strings.Cut(s, "=")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '+', r == '/':
			return r
		}
		return -1
	}, s)
	if len(s)%4 == 1 {
		s = s[:len(s)-1]
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	return strings.ToValidUTF8(string(b), "\uFFFD"), err
}

// Step Functions' words for what is wrong with a text of States.Format.
const (
	wrongCount  wording = "Invalid arguments in States.Format: number of arguments do not match the occurrences of {}."
	noCloseTo   wording = "Invalid template in States.Format: matching '}' not found for '{'."
	noOpeningTo wording = "Invalid template in States.Format: matching '{' not found for '}'."
)

// format fills each {} of a text with the next argument. A backslash takes the next character as it is; other
// braces need one.
func format(e *evaluation) (any, error) {
	text, err := e.text(0)
	if err != nil {
		return nil, err
	}
	var b []byte
	args := e.args[1:]
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 < len(text):
			_, n := utf8.DecodeRuneInString(text[i+1:])
			b = append(b, unescape(text[i:i+1+n])...)
			i += n
		case strings.HasPrefix(text[i:], "{}"):
			if len(args) == 0 {
				return nil, wrongCount
			}
			b = jsonvalue.AppendJava(b, args[0], maxCallResult)
			args = args[1:]
			i++
		case c == '{':
			return nil, noCloseTo
		case c == '}':
			return nil, noOpeningTo
		default:
			b = append(b, c)
		}
		if len(b) > maxCallResult {
			return nil, fmt.Errorf("the result is larger than %d bytes", maxCallResult)
		}
	}
	if len(args) > 0 {
		return nil, wrongCount
	}
	return string(b), nil
}

// display is a value as a text of its own: a string without quotes, else JSON.
func display(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return jsonvalue.Text(v)
}

var hashes = map[string]func() hash.Hash{"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New}

func hashOf(e *evaluation) (any, error) {
	text := display(e.args[0])
	if n := utf8.RuneCountInString(text); n > maxBase64Chars {
		return nil, fmt.Errorf("the data has %d characters; at most %d are allowed", n, maxBase64Chars)
	}
	algorithm, err := e.text(1)
	if err != nil {
		return nil, err
	}
	make, known := hashes[algorithm]
	if !known {
		return nil, fmt.Errorf("there is no algorithm %q; use MD5, SHA-1, SHA-256, SHA-384 or SHA-512", algorithm)
	}
	h := make()
	h.Write([]byte(text))
	return hex.EncodeToString(h.Sum(nil)), nil
}

func jsonMerge(e *evaluation) (any, error) {
	a, aOK := e.args[0].(*jsonvalue.Object)
	b, bOK := e.args[1].(*jsonvalue.Object)
	switch {
	case !aOK:
		return nil, e.wrong(0, "an object")
	case !bOK:
		return nil, e.wrong(1, "an object")
	case truthy(e.args[2]):
		return nil, errors.New("argument 3 must be false: objects are merged at their first level only")
	}
	merged := a.Clone()
	for key, v := range b.All() {
		merged.Set(key, v)
	}
	return merged, nil
}

// truthy reports whether Step Functions reads v as true; most values are false to it.
func truthy(v any) bool {
	n, isNumber := v.(jsonvalue.Number)
	return v == true || v == "true" || isNumber && n.Float64() != 0
}

func jsonToString(e *evaluation) (any, error) { return jsonvalue.Text(e.args[0]), nil }

func stringToJSON(e *evaluation) (any, error) {
	s, err := e.text(0)
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(s) == "" { // nothing reads as null
		return nil, nil
	}
	v, err := jsonvalue.ParseString(s)
	if err != nil {
		return nil, fmt.Errorf("the string is not JSON: %w", err)
	}
	return v, nil
}

// mathAdd adds numbers of 32 bits; so must be the sum.
func mathAdd(e *evaluation) (any, error) {
	sum := int64(0)
	for i := range e.args {
		v, err := e.rounded(i)
		if err != nil {
			return nil, err
		}
		if sum += v; v != int64(int32(v)) || sum != int64(int32(sum)) {
			return nil, fmt.Errorf("argument %d or the sum is outside -2147483648 to 2147483647", i+1)
		}
	}
	return jsonvalue.Int(sum), nil
}

// mathRandom draws from [first, last). With a seed the same number comes each time: Java's.
func mathRandom(e *evaluation) (any, error) {
	first, err := e.whole(0)
	if err != nil {
		return nil, err
	}
	last, err := e.whole(1)
	if err != nil {
		return nil, err
	}
	if first >= last {
		return nil, fmt.Errorf("the start %d must be less than the end %d", first, last)
	}
	span := uint64(last) - uint64(first)
	if len(e.args) == 3 {
		seed, err := e.whole(2)
		if err != nil {
			return nil, err
		}
		r := javaRandom(uint64(seed)^javaMultiplier) & javaMask
		return jsonvalue.Int(int64(uint64(first) + r.below(span))), nil
	}
	draw, err := e.random()
	if err != nil {
		return nil, err
	}
	high, _ := bits.Mul64(draw, span)
	return jsonvalue.Int(int64(uint64(first) + high)), nil
}

// javaRandom is the state of a java.util.Random, whose algorithm its API documentation fixes: a linear
// congruential generator of 48 bits. Step Functions seeds one.
type javaRandom uint64

const (
	javaMultiplier = 0x5deece66d
	javaMask       = 1<<48 - 1
)

func (r *javaRandom) next(n int) uint64 {
	*r = (*r*javaMultiplier + 0xb) & javaMask
	return uint64(*r) >> (48 - n)
}

// below draws a number less than span as nextInt(span) does, or for a span that is no int as a share of
// nextDouble().
func (r *javaRandom) below(span uint64) uint64 {
	if span > math.MaxInt32 {
		share := r.next(26)<<27 | r.next(27) // 53 bits
		high, _ := bits.Mul64(share<<11, span)
		return high
	}
	if span&(span-1) == 0 {
		return span * r.next(31) >> 31
	}
	for {
		draw := r.next(31)
		if v := draw % span; draw-v+span-1 <= math.MaxInt32 {
			return v
		}
	}
}

func (e *evaluation) random() (uint64, error) {
	r, ok := e.scope.(Randomness)
	if !ok {
		return 0, errors.New("there is no randomness here")
	}
	return r.Random(), nil
}

// stringSplit splits at every character of the second argument and drops empty parts.
func stringSplit(e *evaluation) (any, error) {
	s, err := e.text(0)
	if err != nil {
		return nil, err
	}
	separators, err := e.text(1)
	if err != nil {
		return nil, err
	}
	parts := []any{}
	for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(separators, r) }) {
		parts = append(parts, part)
	}
	return parts, nil
}

// uuid makes a version 4 UUID (RFC 9562).
func uuid(e *evaluation) (any, error) {
	a, err := e.random()
	if err != nil {
		return nil, err
	}
	b, err := e.random()
	if err != nil {
		return nil, err
	}
	a = a&^0xf000 | 0x4000
	b = b&^(0xc<<60) | 0x8<<60
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&(math.MaxUint64>>16)), nil
}
