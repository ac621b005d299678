package values

import (
	"bytes"
	"math"
	"testing"
	"time"
)

func TestRefRoundTrip(t *testing.T) {
	t.Parallel()
	id := ID(noise(1, 16))
	for _, ref := range []Ref{{}, {ID: id}, {id, 1, 2}, {id, 127, 0}, {id, 128, 1 << 31}, {id, math.MaxInt64, math.MaxUint32}} {
		b := ref.Encode()
		if got, ok := Parse(b); !ok || got != ref {
			t.Errorf("%+v came back as %+v, %t", ref, got, ok)
		}
		for n := range b {
			if _, ok := Parse(b[:n]); ok {
				t.Errorf("%+v: %d of %d bytes are taken", ref, n, len(b))
			}
		}
		if _, ok := Parse(append(b, 0)); ok {
			t.Errorf("%+v: a byte too many is taken", ref)
		}
	}
}

// TestRefBytes holds the encoding to what is in logs.
func TestRefBytes(t *testing.T) {
	t.Parallel()
	ref := Ref{ID: ID([]byte("0123456789abcdef")), Size: 300, Sum: 0x04030201}
	if b := ref.Encode(); string(b) != "\x010123456789abcdef\xac\x02\x01\x02\x03\x04" {
		t.Errorf("%q", b)
	}
}

func TestParseRejects(t *testing.T) {
	t.Parallel()
	good := string(Ref{Size: 5}.Encode())
	for what, payload := range map[string]string{
		"nothing":          "",
		"JSON":             `{"a":1}`,
		"another layout":   "\x02" + good[1:],
		"a longer varint":  good[:17] + "\x85\x00" + good[18:],
		"a size of 2^63":   good[:17] + "\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01" + good[18:],
		"an endless size":  good[:17] + "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff" + good[18:],
		"the size cut off": good[:17] + "\x80\x80\x80\x80\x80",
	} {
		if ref, ok := Parse([]byte(payload)); ok {
			t.Errorf("%s: taken for %+v", what, ref)
		}
	}
}

func TestIDTime(t *testing.T) {
	t.Parallel()
	id := ID(noise(2, 16))
	tail := string(id[timeBytes:])
	at := time.UnixMilli(1<<47 + 12345)
	id.setTime(at)
	if !id.Time().Equal(at) || string(id[timeBytes:]) != tail {
		t.Errorf("%s has time %s, want %s", id, id.Time(), at)
	}
	if got, ok := parseID(id.String()); !ok || got != id {
		t.Errorf("%s came back as %s", id, got)
	}
	for _, name := range []string{"", "00", id.String() + "00", "X" + id.String()[1:], "0123456789ABCDEF0123456789abcdef"} {
		if got, ok := parseID(name); ok {
			t.Errorf("%q is taken for %s", name, got)
		}
	}
}

// FuzzParse reads anything as a payload: what is taken is exactly what Encode makes.
func FuzzParse(f *testing.F) {
	f.Add(Ref{ID: ID(noise(3, 16)), Size: 1 << 40, Sum: 7}.Encode())
	f.Add([]byte(`{"a":1}`))
	f.Add([]byte{refByte})
	f.Fuzz(func(t *testing.T, payload []byte) {
		ref, ok := Parse(payload)
		if ok && (!bytes.Equal(ref.Encode(), payload) || ref.Size < 0) {
			t.Errorf("%x is taken for %+v, which is %x", payload, ref, ref.Encode())
		}
		if !ok && ref != (Ref{}) {
			t.Errorf("%x is not taken but gives %+v", payload, ref)
		}
	})
}
