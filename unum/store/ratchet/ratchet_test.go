package ratchet

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/weftworks/weft/fault"
)

func record(t *rapid.T) *Record {
	members := rapid.SliceOfDistinct(rapid.StringMatching(`[!-~]{1,20}`), rapid.ID[string]).Draw(t, "members")
	slices.Sort(members)
	return &Record{
		Nonce: rapid.String().Draw(t, "nonce"), Step: rapid.Int64().Draw(t, "step"), Value: rapid.SliceOf(rapid.Byte()).Draw(t, "value"),
		Width: rapid.Int64().Draw(t, "width"), Members: members, Failed: rapid.String().Draw(t, "failed"),
		Ended: rapid.Bool().Draw(t, "ended"), Expires: rapid.Int64().Draw(t, "expires"),
	}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := record(t)
		b := Append(nil, want)
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
			t.Error(d)
		}
		if _, err := Decode(b[:rapid.IntRange(0, len(b)-1).Draw(t, "cut")]); !fault.Is(err, fault.Corrupt) {
			t.Errorf("a part was read: %v", err)
		}
		if _, err := Decode(append(b, 0)); !fault.Is(err, fault.Corrupt) {
			t.Errorf("more was read: %v", err)
		}
	})
}

func FuzzDecode(f *testing.F) {
	f.Add(Append(nil, &Record{Nonce: "n", Members: []string{"0", "1"}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := Decode(b)
		if err != nil {
			return
		}
		if again, err := Decode(Append(nil, r)); err != nil || !cmp.Equal(r, again, cmpopts.EquateEmpty()) {
			t.Errorf("%+v became %+v, %v", r, again, err)
		}
	})
}

func TestBounds(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("m", KeyBytes)
	for _, tc := range []struct {
		name string
		key  string
		rec  Record
		want fault.Kind
		ok   bool
	}{
		{"fine", "run/1.0", Record{Value: make([]byte, ValueBytes), Members: []string{"a", "b"}}, 0, true},
		{"long key", long, Record{}, 0, true},
		{"longer key", long + "m", Record{}, fault.InvalidArgument, false},
		{"no key", "", Record{}, fault.InvalidArgument, false},
		{"space", "a b", Record{}, fault.InvalidArgument, false},
		{"not ASCII", "\u00e9", Record{}, fault.InvalidArgument, false},
		{"control", "a\x7f", Record{}, fault.InvalidArgument, false},
		{"large value", "a", Record{Value: make([]byte, ValueBytes+1)}, fault.LimitExceeded, false},
		{"unsorted", "a", Record{Members: []string{"b", "a"}}, fault.InvalidArgument, false},
		{"twice", "a", Record{Members: []string{"a", "a"}}, fault.InvalidArgument, false},
		{"empty member", "a", Record{Members: []string{""}}, fault.InvalidArgument, false},
		{"many", "a", Record{Nonce: strings.Repeat("n", MembersBytes), Members: []string{"a"}}, fault.LimitExceeded, false},
	} {
		if err := CheckRecord("op", tc.key, &tc.rec); (err == nil) != tc.ok || !tc.ok && fault.KindOf(err) != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, err, tc.want)
		}
	}
	if err := CheckBlob("op", "a", make([]byte, BlobBytes+1)); !fault.Is(err, fault.LimitExceeded) {
		t.Errorf("a large blob: %v", err)
	}
}

func TestWithSharesNothing(t *testing.T) {
	t.Parallel()
	cur := &Record{Value: []byte("v"), Members: append(make([]string, 0, 8), "a", "c")}
	next := With(cur, "b", true)
	if With(next, "c", true); next.Failed != "b" || !slices.Equal(next.Members, []string{"a", "b", "c"}) {
		t.Errorf("%+v", next)
	}
	next.Value[0] = 'x'
	if string(cur.Value) != "v" || len(cur.Members) != 2 {
		t.Errorf("changed to %+v", cur)
	}
}
