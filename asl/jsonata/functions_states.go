package jsonata

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"hash"
	"math"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// defineStates defines what Step Functions adds (Developer Guide, "Transforming data with JSONata in Step Functions"),
// $random with its seed, and the time, which are the caller's to give.
func defineStates() {
	define("partition", "<an:a<a>>", 2, strict(partition))
	define("range", "<nnn?:a<n>>", 3, strict(rangeOf))
	define("hash", "<s-s?:s>", 2, strict(hashOf))
	define("uuid", "<:s>", 0, uuid)
	define("parse", "<s-:x>", 1, strict(parseJSON))
	define("random", "<n?:n>", 0, func(c *call, args []any) (any, error) {
		if seed, ok := numberOf(arg(args, 0)); ok {
			s := splitMix(math.Float64bits(seed))
			return unit(s.next()), nil
		}
		return c.draw(), nil
	})
	define("millis", "<:n>", 0, func(c *call, args []any) (any, error) { return float64(c.evaluator.env.Now), nil })
}

// splitMix is the generator SplitMix64 (Steele, Lea and Flood 2014).
type splitMix uint64

func (s *splitMix) next() uint64 {
	*s += 0x9E3779B97F4A7C15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// unit turns bits into a number from 0 up to 1.
func unit(bits uint64) float64 { return float64(bits>>11) / (1 << 53) }

func (ev *evaluator) bits() uint64 {
	if ev.random == nil {
		s := new(splitMix)
		ev.random = s.next
	}
	return ev.random()
}

func (ev *evaluator) draw() float64 { return unit(ev.bits()) }

// uuid is a random UUID (RFC 9562, version 4).
func uuid(c *call, args []any) (any, error) {
	var b [16]byte
	for i := range b {
		if i%8 == 0 {
			bits := c.bits()
			for j := range 8 {
				b[i+j] = byte(bits >> (8 * j))
			}
		}
	}
	b[6], b[8] = b[6]&0x0F|0x40, b[8]&0x3F|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:], nil
}

// hashOf is $hash(text, algorithm): hexadecimal, in small letters.
func hashOf(c *call, args []any) (any, error) {
	makers := map[string]func() hash.Hash{
		"MD5": md5.New, "SHA-1": sha1.New, "SHA-256": sha256.New, "SHA-384": sha512.New384, "SHA-512": sha512.New,
	}
	if arg(args, 1) == undefined {
		return undefined, nil
	}
	s := textArg(args, 0)
	maker, ok := makers[textArg(args, 1)]
	if !ok {
		return nil, spoken("D3137", "The second argument of the hash function must be MD5, SHA-1, SHA-256, SHA-384 or SHA-512", "")
	}
	h := maker()
	h.Write([]byte(wellFormed(s)))
	return hex.EncodeToString(h.Sum(nil)), c.text(len(s))
}

// partition is $partition(array, size): the array in pieces of that size, the last one maybe smaller. As measured on Step
// Functions, a size is cut to a whole number, and of no items, or for size 0, there is nothing.
func partition(c *call, args []any) (any, error) {
	size := math.Trunc(numberArg(args, 1, 0))
	items := listOf(args[0])
	if size == 0 || len(items) == 0 {
		return undefined, nil
	}
	if !(size >= 1) {
		return nil, spoken("D3137", "The second argument of the partition function must be a positive integer", "")
	}
	out := &array{}
	for piece := range slices.Chunk(items, int(min(size, math.MaxInt32))) {
		out.items = append(out.items, &array{items: slices.Clip(piece)})
	}
	return out, c.spend(int64(len(out.items)))
}

// rangeOf is $range(first, last, step): the numbers from first to last, both included. As recorded and measured on Step
// Functions, arguments are cut to whole numbers, a single number is no array, and a step that leads nowhere gives nothing.
func rangeOf(c *call, args []any) (any, error) {
	first, last, step := numberArg(args, 0, math.NaN()), numberArg(args, 1, math.NaN()), numberArg(args, 2, math.NaN())
	if first != first || last != last || step != step {
		return undefined, nil
	}
	first, last, step = math.Trunc(first), math.Trunc(last), math.Trunc(step)
	if step == 0 || math.IsInf(last-first, 0) || math.IsInf(step, 0) {
		return undefined, nil
	}
	n := math.Floor((last-first)/step) + 1
	if n > 1e7 {
		return nil, failure("D2014", n)
	}
	if n <= 0 {
		return undefined, nil
	}
	if n == 1 {
		return first, nil
	}
	out := &array{}
	if err := c.spend(int64(n)); err != nil {
		return nil, err
	}
	out.items = make([]any, int(n))
	for i := range out.items {
		out.items[i] = first + float64(i)*step
	}
	return out, nil
}

// parseJSON is $parse(text): the value of a JSON text.
func parseJSON(c *call, args []any) (any, error) {
	s := textArg(args, 0)
	if err := c.text(8 * len(s)); err != nil {
		return nil, err
	}
	v, err := jsonvalue.ParseString(s)
	if err != nil {
		return nil, spoken("D3137", "The argument of the parse function must be a JSON text: "+err.Error(), "")
	}
	if strings.Contains(s, "-0") {
		v = withoutNegativeZero(v)
	}
	return v, nil
}

// withoutNegativeZero is v with 0 for each whole number -0, as Step Functions reads those as integers, which have no such
// zero.
func withoutNegativeZero(v any) any {
	switch v := v.(type) {
	case jsonvalue.Number:
		if v == "-0" {
			return jsonvalue.Number("0")
		}
	case []any:
		for i := range v {
			v[i] = withoutNegativeZero(v[i])
		}
	case *jsonvalue.Object:
		for key, x := range v.All() {
			v.Set(key, withoutNegativeZero(x))
		}
	}
	return v
}
