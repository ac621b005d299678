package statemachine

import (
	"testing"
)

// TestPick holds that an alias's choice is the seed's, and fair.
func TestPick(t *testing.T) {
	t.Parallel()
	a := Alias{Routes: []Route{{Version: 3, Weight: 0}, {Version: 7, Weight: 100}}}
	b := Alias{Routes: []Route{{Version: 1, Weight: 30}, {Version: 2, Weight: 70}}}
	first := 0
	for seed := range uint64(10_000) {
		if v := a.Pick(seed); v != 7 {
			t.Fatalf("seed %d chose version %d, which has no share", seed, v)
		}
		v := b.Pick(seed)
		if v != b.Pick(seed) {
			t.Fatalf("seed %d chose twice", seed)
		}
		if v == 1 {
			first++
		}
	}
	if first < 2750 || first > 3250 {
		t.Errorf("a share of 30 %% got %d of 10,000", first)
	}
}

// TestOldMachines reads a machine's record of format version 1, without versions.
func TestOldMachines(t *testing.T) {
	t.Parallel()
	m, err := ReadMachine([]byte("\x01" + `{"Name":"m","Definition":"e30=","Created":5,"Tags":{"a":"b"}}`))
	if err != nil || m.Name != "m" || string(m.Definition) != "{}" || m.Created != 5 || m.Versions != nil {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := ReadMachine([]byte("\x03{}")); err == nil {
		t.Error("a newer record is read")
	}
}

// TestStartMessages holds that what a start says comes out of its message, whatever it is sent as.
func TestStartMessages(t *testing.T) {
	t.Parallel()
	base := StartMessage{Revision: "blob", Seed: 7, Trace: "t", Input: []byte("{}")}
	at, as, both := base, base, base
	at.At = "S"
	as.As = Qualifier{Version: 3, Alias: "prod"}
	both.At, both.As = "S", Qualifier{Version: 1}
	for _, m := range []StartMessage{base, at, as, both} {
		got, err := decodeStart(m.Op(), m.Encode())
		if err != nil || (m.Op() == OpStart) != (m.At == "" && m.As == Qualifier{}) || got.At != m.At || got.As != m.As || got.Revision != m.Revision || got.Seed != m.Seed ||
			got.Trace != m.Trace || string(got.Input) != string(m.Input) {
			t.Errorf("%+v as %d gives %+v, %v", m, m.Op(), got, err)
		}
	}
}

func TestLabels(t *testing.T) {
	t.Parallel()
	for _, q := range []Qualifier{{}, {Version: 12}, {Version: 3, Alias: "prod"}, {Version: 1, Alias: "a.b-c"}} {
		for _, l := range []Listed{{As: q}, {As: q, Redrives: 3, Redriven: 1772600767123}} {
			if got := ParseLabel(l.label()); got != l {
				t.Errorf("%+v comes back as %+v", l, got)
			}
		}
	}
}
