package protocol

import (
	"bytes"
	"testing"

	"github.com/weftworks/weft/fault"
)

func FuzzDecodeCheckpoint(f *testing.F) {
	for _, cp := range []*Checkpoint{
		{Function: "f", Outcome: &Outcome{Kind: Returned, Output: []byte(`{"a":"<"}`), Now: 1}, Hops: 2},
		{Fork: true, Parked: []byte{1, 2}, Concurrency: 3, Names: []string{"F-0"}},
		{End: &End{Failed: true, Error: "E", Run: true}, Joined: true, Garbage: Garbage{Blobs: []string{"b"}}},
		{Ref: "r/n/1.~x", Fork: true},
	} {
		value, err := cp.Encode()
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		cp, err := DecodeCheckpoint(value)
		if err != nil {
			return
		}
		first, err := cp.Encode()
		if err != nil {
			return // an output that is no JSON
		}
		again, err := DecodeCheckpoint(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		if second, err := again.Encode(); err != nil || !bytes.Equal(first, second) {
			t.Errorf("%s became %s, %v", first, second, err)
		}
	})
}

// TestTooWide holds the sum of the indices' digits to what it is.
func TestTooWide(t *testing.T) {
	t.Parallel()
	for width, want := range map[int64]bool{0: false, 1: false, 10: false, 11: false, 20_244: false, 20_245: true, 1 << 40: true} {
		if got := (&Fork{Width: width}).TooWide(); got != want {
			t.Errorf("%d lines: %v", width, got)
		}
	}
	long := string(bytes.Repeat([]byte("x"), 1000))
	names := make([]string, 91)
	for i := range names {
		names[i] = long
	}
	if f := (&Fork{Width: 90, Names: names[:90]}); f.TooWide() {
		t.Error("90 long names do not fit")
	}
	if f := (&Fork{Width: 91, Names: names}); !f.TooWide() {
		t.Error("91 long names fit")
	}
}

// TestForgedRequests are from somebody who knows the id of a run, and nothing else of it.
func TestForgedRequests(t *testing.T) {
	t.Parallel()
	for name, req := range map[string]*Request{
		"nothing":    {Run: "r"},
		"no step":    {Run: "r", Lines: []Line{{Nonce: "n"}}},
		"a run":      {Run: "r", Lines: []Line{{Step: 1}}},
		"a cancel":   {Run: "r", Lines: []Line{{Step: 1}}, Cancel: &End{Failed: true}},
		"a branch":   {Run: "r", Lines: []Line{{Step: 1}, {Name: "0", Step: 1}}},
		"a huge set": {Run: "r", Lines: []Line{{Nonce: "n", Step: 1}}, Collect: Garbage{Scopes: []Scope{{Key: "k", Width: 1 << 40}}}},
		"no set":     {Run: "r", Lines: []Line{{Nonce: "n", Step: 1}}, Collect: Garbage{Scopes: []Scope{{Key: "k", Width: -1}}}},
	} {
		if fate, err := Execute(&Env{Nonce: "m"}, nil, nil, req); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: %v %v", name, fate, err)
		}
	}
}
