package stepper

import (
	"testing"

	"github.com/weftworks/weft/engine/partition"
)

// TestWarmCodeIsBounded holds both bounds of what stays warm: the number and the bytes. What was used longest ago goes first.
func TestWarmCodeIsBounded(t *testing.T) {
	t.Parallel()
	s := New(Config{Hot: 3, HotBytes: 100})
	put := func(ref partition.Ref, bytes int) { s.put(&warm{ref: ref, bytes: bytes}) }
	hot := func(want int, bytes int) {
		t.Helper()
		if s.Stats().Hot != want || s.bytes != bytes {
			t.Errorf("%d are warm with %d bytes, want %d with %d", s.Stats().Hot, s.bytes, want, bytes)
		}
	}
	put(1, 10)
	put(2, 10)
	put(3, 10)
	put(4, 10)
	hot(3, 30)
	if s.take(1) != nil || s.take(2) == nil {
		t.Error("the wrong one went")
	}
	hot(2, 20)
	put(5, 85)
	hot(2, 95)
	if s.take(3) != nil {
		t.Error("the oldest stays although there are too many bytes")
	}
	put(5, 5) // again, beside itself
	hot(2, 15)
	put(6, 1000)
	hot(0, 0)
	s.Close()
	put(7, 1)
	hot(0, 0)
}
