package codec

import (
	"bytes"
	"math/rand/v2"
	"testing"
)

var size = Size{24, 16}

// noise is pictures that move by dx, dy each.
func moving(n, dx, dy int, seed uint64) []Picture {
	r := rand.New(rand.NewPCG(seed, 0))
	const wide = 128
	ground := make([]byte, wide*wide)
	for i := range ground {
		ground[i] = byte(r.IntN(256))
	}
	var all []Picture
	for t := range n {
		p := make(Picture, 0, size.Width*size.Height)
		for y := range size.Height {
			from := (y+40+dy*t)*wide + 40 + dx*t
			p = append(p, ground[from:from+size.Width]...)
		}
		all = append(all, p)
	}
	return all
}

func equal(a, b []Picture) bool {
	for i := range a {
		if !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return len(a) == len(b)
}

// TestStates encodes in two parts, the second of which begins with the state of the first, and wants what one encoder makes.
func TestStates(t *testing.T) {
	t.Parallel()
	p := moving(6, 2, 1, 1)
	whole, end := Encode(size, nil, p, nil)
	first, between := Encode(size, nil, p[:3], nil)
	second, end2 := Encode(size, between, p[3:], nil)
	if !bytes.Equal(end, end2) {
		t.Error("the states at the end differ")
	}
	shown, after, err := Decode(size, nil, whole)
	if err != nil || !bytes.Equal(after, end) {
		t.Fatalf("decoding: %v", err)
	}
	a, state, err := Decode(size, nil, first)
	if err != nil {
		t.Fatal(err)
	}
	b, _, err := Decode(size, state, second)
	if err != nil || !equal(append(a, b...), shown) {
		t.Errorf("in two parts other pictures are shown, %v", err)
	}
	for i := range p {
		for k := range p[i] {
			if d := int(p[i][k]) - int(shown[i][k]); d > Step || d < -Step {
				t.Fatalf("pixel %d of picture %d is %d, and %d was encoded", k, i, shown[i][k], p[i][k])
			}
		}
	}
	if _, _, err := Decode(size, nil, second); err == nil {
		t.Error("a stream is shown that has nothing to go on from")
	}
}

// TestVectors finds how pictures move, and finds it again in the stream.
func TestVectors(t *testing.T) {
	t.Parallel()
	p := moving(3, 3, -2, 2)
	stream, _ := Encode(size, nil, p, nil)
	v, err := VectorsOf(size, stream)
	if err != nil || len(v) != 3 || v[0] != nil {
		t.Fatalf("vectors %v, %v", v, err)
	}
	if inside := 1*size.Width/Block + 1; v[1][inside] != (Vector{3, -2}) {
		t.Errorf("a block in the middle comes from %v", v[1][inside])
	}
	before := moving(1, 0, 0, 3)[0]
	again, _ := Encode(size, before, p, v)
	w, err := VectorsOf(size, again)
	if err != nil || w[0] == nil || len(w) != 3 || w[2][0] != v[2][0] {
		t.Errorf("with vectors given they became %v, %v", w, err)
	}
}

func FuzzDecode(f *testing.F) {
	stream, _ := Encode(size, nil, moving(3, 1, 1, 4), nil)
	f.Add(stream)
	f.Add(stream[:len(stream)/2])
	f.Fuzz(func(t *testing.T, stream []byte) {
		p, end, err := Decode(size, nil, stream)
		if err == nil && len(p) > 0 && !bytes.Equal(p[len(p)-1], end) {
			t.Error("the state is not the last picture")
		}
		v, err2 := VectorsOf(size, stream)
		if err == nil && (err2 != nil || len(v) != len(p)) {
			t.Errorf("%d pictures, and vectors of %d: %v", len(p), len(v), err2)
		}
	})
}
