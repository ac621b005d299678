package durable

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/internal/wire"
)

// anyEvent draws an event whose every field is set, as its kind stores them.
func anyEvent(r *rand.Rand, kind Kind) Event {
	texts := []string{"", "a", "order/7", "<&>", "ü", "\u2028", `"`, strings.Repeat("x", 300)}
	text := func() string { return texts[r.IntN(len(texts))] }
	data := func() []byte {
		all := []string{`null`, `{"a":"<b>"}`, `[1,2.50,1e400]`, `12345678901234567890`, `no JSON`, "\xff\x00", ``}
		return []byte(all[r.IntN(len(all))])
	}
	when := func() int64 {
		return []int64{0, 1, -1, 1772600767123, -62135596800001, 253402300800000, 1 << 60}[r.IntN(7)]
	}
	e := Event{
		Kind: kind, ID: r.Uint64N(5), Ref: r.Uint64N(5), Time: when(), Due: when(), Name: text(), Version: text(), Target: text(),
		Targets: []string{text(), text()}, Data: data(), Failure: &Failure{Type: text(), Message: text(), Details: text(), Final: r.IntN(2) == 0},
		Options: &Options{Timeout: 5, Heartbeat: when(), Key: text(), Priority: -3, Tags: map[string]string{"k" + text(): text()}},
		Start:   &Start{Seed: r.Uint64(), Execution: r.Uint64N(3), Parent: text()},
		Causes:  []uint64{1, r.Uint64N(9)}, Unread: []Raised{{text(), data()}, {text(), data()}},
	}
	if kind.texts() {
		e.Data = []byte(text())
	}
	return stored(&e)
}

// stored is what the log makes of an event, with nothing for empty data.
func stored(e *Event) (out Event) {
	ReadEvent(wire.NewReader(AppendEvent(nil, e)), &out)
	if len(out.Data) == 0 {
		out.Data = nil
	}
	for i := range out.Unread {
		if len(out.Unread[i].Data) == 0 {
			out.Unread[i].Data = nil
		}
	}
	return out
}

func TestJSONKeepsEveryEvent(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		r := rand.New(rand.NewPCG(seed, 1))
		for kind := StepStarted; kind <= RunContinued; kind++ {
			want := anyEvent(r, kind)
			text, err := json.Marshal(want)
			if err != nil {
				t.Fatalf("seed %d: %v: %v", seed, kind, err)
			}
			var got Event
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatalf("seed %d: %v\n%s", seed, err, text)
			}
			got = stored(&got)
			got.Data, want.Data = plainJSON(got.Data), plainJSON(want.Data)
			for i := range want.Unread {
				got.Unread[i].Data, want.Unread[i].Data = plainJSON(got.Unread[i].Data), plainJSON(want.Unread[i].Data)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("seed %d: %s\n%s", seed, d, text)
			}
		}
	}
}

// plainJSON takes out the escapes that json.Marshal puts into any JSON for HTML's sake.
func plainJSON(data []byte) []byte {
	return []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(data)))
}

// TestJSONIsStable holds the form that histories in repositories have.
func TestJSONIsStable(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		event Event
		text  string
	}{
		{Event{Kind: StepStarted, Time: 1772600767123}, `{"kind":"StepStarted","time":"2026-03-04T05:06:07.123Z"}`},
		{Event{Kind: RunStarted, Name: "order", Target: "order-7", Version: "2", Data: []byte(`{"n":1}`), Start: &Start{Seed: 1<<64 - 1, Execution: 1, Parent: "p"}},
			`{"kind":"RunStarted","run":"order-7","name":"order","version":"2","data":{"n":1},"start":{"seed":"18446744073709551615","execution":1,"parent":"p"}}`},
		{Event{Kind: CallScheduled, ID: 1, Name: "charge", Data: []byte(`null`), Options: &Options{Timeout: 5000}},
			`{"kind":"CallScheduled","id":1,"name":"charge","data":null,"options":{"timeout_ms":5000}}`},
		{Event{Kind: CallFailed, ID: 1, Failure: &Failure{Type: "E", Message: "m", Final: true, Seq: 1}},
			`{"kind":"CallFailed","id":1,"failure":{"type":"E","message":"m","final":true}}`},
		{Event{Kind: TimerCreated, ID: 2, Due: 253402300800000}, `{"kind":"TimerCreated","id":2,"due":253402300800000}`},
		{Event{Kind: RunTerminated, Data: []byte("enough")}, `{"kind":"RunTerminated","reason":"enough"}`},
		{Event{Kind: LocksRequested, ID: 3, Targets: []string{"account/a", "account/b"}}, `{"kind":"LocksRequested","id":3,"targets":["account/a","account/b"]}`},
		{Event{Kind: RunContinued, Name: "w", Data: []byte(`1`), Unread: []Raised{{"e", []byte(`2`)}}},
			`{"kind":"RunContinued","name":"w","data":1,"unread":[{"name":"e","data":2}]}`},
		{Event{Kind: CallCompleted, ID: 4, Data: []byte("\xff")}, `{"kind":"CallCompleted","id":4,"raw":"/w=="}`},
	} {
		text, err := json.Marshal(c.event)
		if err != nil || string(text) != c.text {
			t.Errorf("got  %s, %v\nwant %s", text, err, c.text)
		}
		var back Event
		if err := json.Unmarshal([]byte(c.text), &back); err != nil {
			t.Error(err)
		}
		if d := cmp.Diff(c.event, back); d != "" {
			t.Errorf("%s: %s", c.text, d)
		}
	}
}

func TestReadHistory(t *testing.T) {
	t.Parallel()
	const a, b = `{"kind":"StepStarted","time":"2026-03-04T05:06:07.123Z","later":1}`, `{"kind":"TimerFired","id":7}`
	for _, text := range []string{a + "\n" + b + "\n", a + b, "[" + a + "," + b + "]", "[" + a + "]\n" + b} {
		events, err := ReadHistory(strings.NewReader(text))
		if err != nil || len(events) != 2 || events[0].Time != 1772600767123 || events[1].ID != 7 {
			t.Errorf("%s: %+v, %v", text, events, err)
		}
	}
	for text, want := range map[string]string{
		"":                         "empty",
		a + "{":                    "after event 1",
		`{"kind":"Strange"}`:       `"Strange"`,
		a + `{"kind":"RunFailed"}`: "no failure",
		`null`:                     "event 1",
		`{"kind":"StepStarted","time":"yesterday"}`: "yesterday",
	} {
		if _, err := ReadHistory(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want something of %q", text, err, want)
		}
	}
	if _, err := json.Marshal(Event{Kind: 200}); err == nil {
		t.Error("an unknown kind was written")
	}
}

// FuzzHistoryJSON holds that whatever is read can be written and read again, to the same events.
func FuzzHistoryJSON(f *testing.F) {
	r := rand.New(rand.NewPCG(7, 7))
	for kind := StepStarted; kind <= RunContinued; kind++ {
		text, err := json.Marshal(anyEvent(r, kind))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		events, err := ReadHistory(bytes.NewReader(text))
		if err != nil {
			return
		}
		first, err := json.Marshal(events)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		again, err := ReadHistory(bytes.NewReader(first))
		if err != nil {
			t.Fatalf("%v\n%s", err, first)
		}
		second, err := json.Marshal(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%s\n%s", err, first, second)
		}
		for i := range again { // what is read can be stored
			var e Event
			ReadEvent(wire.NewReader(AppendEvent(nil, &again[i])), &e)
			if fmt.Sprint(e.Kind) != fmt.Sprint(again[i].Kind) {
				t.Fatalf("%v became %v", again[i].Kind, e.Kind)
			}
		}
	})
}
