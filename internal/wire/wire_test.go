package wire

import (
	"bytes"
	"testing"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	b := AppendUint(nil, 1<<63)
	b = AppendInt(b, -5)
	b = AppendBytes(b, []byte{1, 2})
	b = AppendString(b, "weft")
	b = AppendBool(b, true)
	r := NewReader(b)
	if v := r.Uint(); v != 1<<63 {
		t.Errorf("Uint = %d", v)
	}
	if v := r.Int(); v != -5 {
		t.Errorf("Int = %d", v)
	}
	if v := r.Bytes(); !bytes.Equal(v, []byte{1, 2}) {
		t.Errorf("Bytes = %v", v)
	}
	if v := r.String(); v != "weft" {
		t.Errorf("String = %q", v)
	}
	if !r.Bool() || r.Err() != nil || r.Len() != 0 {
		t.Errorf("Bool, Err, Len: err %v, %d left", r.Err(), r.Len())
	}
}

func TestEveryTruncationFails(t *testing.T) {
	t.Parallel()
	b := AppendString(AppendInt(AppendUint(nil, 300), 1<<40), "some text")
	for n := range b {
		r := NewReader(b[:n])
		r.Uint()
		r.Int()
		_ = r.String()
		if r.Err() == nil {
			t.Errorf("%d of %d bytes read without an error", n, len(b))
		}
	}
}

func TestCountRefusesHostileLength(t *testing.T) {
	t.Parallel()
	r := NewReader(AppendUint(nil, 1<<40))
	if n := r.Count(1); n != 0 || r.Err() == nil {
		t.Errorf("Count = %d, err %v", n, r.Err())
	}
}
