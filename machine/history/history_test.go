package history

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEveryTypeHasItsName(t *testing.T) {
	t.Parallel()
	if lastType != 62 {
		t.Fatalf("%d types, the API has 62", lastType)
	}
	for ty := Type(1); ty <= lastType; ty++ {
		if got, ok := ParseType(ty.String()); !ok || got != ty {
			t.Errorf("ParseType(%q) = %d, %v; want %d", ty, got, ok, ty)
		}
	}
	if _, ok := ParseType(""); ok || Type(0).String() != "" || Type(200).String() != "" {
		t.Error("a value that is no type has a name")
	}
}

// random returns an event like any that a machine may emit, payloads often repeated.
func random(r *rand.Rand, id int64, now int64) Event {
	texts := []string{"", `{}`, `{"a":1}`, `[1,2,3]`, `"a longer text that repeats"`, "Start", "Work"}
	text := func() string { return texts[r.IntN(len(texts))] }
	payload := func() []byte {
		if s := text(); s != "" {
			return []byte(s)
		}
		return nil
	}
	e := Event{ID: id, Prev: id - int64(r.IntN(3)), Time: now, Type: Type(1 + r.IntN(int(lastType))), Name: text()}
	if r.IntN(2) == 0 {
		e.Input, e.Output, e.Parameters = payload(), payload(), payload()
	}
	if r.IntN(4) == 0 {
		e.Error, e.Cause, e.HasError, e.HasCause = text(), text(), true, true
		e.Resource, e.ResourceType, e.Region, e.RoleARN = text(), text(), text(), text()
		e.Timeout, e.Heartbeat, e.Index, e.Length = r.Int64N(1000), r.Int64N(9), r.Int64N(1<<40), -r.Int64N(5)
	}
	return e
}

func TestChunkGivesBackItsEvents(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var w, resumed Writer
		var want []Event
		id, now := r.Int64N(1000), r.Int64N(1<<41)
		for range 1 + r.IntN(60) {
			id, now = id+1+int64(r.IntN(2)), now+int64(r.IntN(3))
			e := random(r, id, now)
			want = append(want, e)
			if r.IntN(5) == 0 {
				if err := resumed.Resume(w.Bytes()); err != nil {
					t.Fatal(err)
				}
				w, resumed = resumed, Writer{}
			}
			w.Append(&e)
		}
		if got := readAll(t, w.Bytes()); !cmp.Equal(got, want) {
			t.Fatal(cmp.Diff(want, got))
		}
		if w.Events() != len(want) {
			t.Fatalf("Events = %d, want %d", w.Events(), len(want))
		}
	}
}

func readAll(t testing.TB, chunk []byte) []Event {
	t.Helper()
	var out []Event
	r := NewReader(chunk)
	for e := (Event{}); r.Next(&e); {
		out = append(out, e)
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return out
}

func TestRepeatedPayloadIsStoredOnce(t *testing.T) {
	t.Parallel()
	payload := bytes.Repeat([]byte("x"), 10_000)
	var w Writer
	for i := range int64(20) {
		w.Append(&Event{ID: i + 1, Prev: i, Type: PassStateEntered, Name: "Work", Input: payload})
	}
	if n := len(w.Bytes()); n > 10_300 {
		t.Errorf("20 events with one payload of 10,000 bytes take %d bytes", n)
	}
}

func TestNewerVersionIsRefused(t *testing.T) {
	t.Parallel()
	r := NewReader([]byte{version + 1, 1, 0})
	if r.Next(&Event{}) || r.Err() == nil {
		t.Error("a chunk of a newer version was read")
	}
}

func FuzzReader(f *testing.F) {
	var w Writer
	for i, e := range chain() {
		e.ID = int64(i + 1)
		w.Append(&e)
	}
	f.Add(bytes.Clone(w.Bytes()))
	f.Add([]byte{version, 1, 0xff, 0xff, 7})
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(b)
		n := 0
		for e := (Event{}); r.Next(&e); n++ {
			if !json.Valid(AppendJSON(nil, &e, JSONOptions{})) {
				t.Fatalf("event does not render as JSON: %+v", e)
			}
		}
		if n > len(b) {
			t.Fatalf("%d events from %d bytes", n, len(b))
		}
		var w Writer
		if err := w.Resume(b); (err == nil) != (r.Err() == nil) {
			t.Fatalf("Resume: %v, Reader: %v", err, r.Err())
		}
	})
}

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		e    Event
		opts JSONOptions
		want string
	}{
		{"state entered", Event{ID: 2, Time: 1_700_000_000_123, Type: PassStateEntered, Name: "A", Input: []byte(`{"q":"\n"}`)}, JSONOptions{},
			`{"timestamp":1700000000.123,"type":"PassStateEntered","id":2,"previousEventId":0,"stateEnteredEventDetails":{"name":"A","input":"{\"q\":\"\\n\"}","inputDetails":{"truncated":false}}}`},
		{"without data", Event{ID: 2, Time: 1000, Type: PassStateEntered, Name: "A", Input: []byte(`{}`)}, JSONOptions{WithoutData: true},
			`{"timestamp":1.000,"type":"PassStateEntered","id":2,"previousEventId":0,"stateEnteredEventDetails":{"name":"A"}}`},
		{"no details", Event{ID: 4, Prev: 3, Type: LambdaFunctionStarted}, JSONOptions{},
			`{"timestamp":0.000,"type":"LambdaFunctionStarted","id":4,"previousEventId":3}`},
		{"iteration 0", Event{ID: 4, Prev: 3, Type: MapIterationStarted, Name: "M"}, JSONOptions{},
			`{"timestamp":0.000,"type":"MapIterationStarted","id":4,"previousEventId":3,"mapIterationStartedEventDetails":{"name":"M","index":0}}`},
		{"absent error", Event{ID: 4, Prev: 3, Type: ExecutionFailed}, JSONOptions{},
			`{"timestamp":0.000,"type":"ExecutionFailed","id":4,"previousEventId":3,"executionFailedEventDetails":{}}`},
		{"empty error", Event{ID: 4, Prev: 3, Type: ExecutionFailed, HasError: true}, JSONOptions{},
			`{"timestamp":0.000,"type":"ExecutionFailed","id":4,"previousEventId":3,"executionFailedEventDetails":{"error":""}}`},
		{"scheduled", Event{ID: 4, Prev: 3, Type: TaskScheduled, Parameters: []byte("{}"), Resource: "invoke", ResourceType: "lambda", Region: "us-east-1", Timeout: 5, Heartbeat: 2}, JSONOptions{},
			`{"timestamp":0.000,"type":"TaskScheduled","id":4,"previousEventId":3,"taskScheduledEventDetails":{"parameters":"{}","resourceType":"lambda","resource":"invoke","region":"us-east-1","timeoutInSeconds":5,"heartbeatInSeconds":2}}`},
	} {
		if got := string(AppendJSON(nil, &tc.e, tc.opts)); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.name, got, tc.want)
		}
	}
}

// chain is the history of one state of a five-task chain, as the interpreter emits it.
func chain() []Event {
	data := []byte(`{"order":12345,"items":["a","b"]}`)
	return []Event{
		{Prev: 10, Time: 5, Type: TaskStateEntered, Name: "ChargeCard", Input: data},
		{Prev: 11, Time: 5, Type: LambdaFunctionScheduled, Input: data, Resource: "arn:aws:lambda:us-east-1:000000000000:function:charge"},
		{Prev: 12, Time: 5, Type: LambdaFunctionStarted},
		{Prev: 13, Time: 7, Type: LambdaFunctionSucceeded, Output: data},
		{Prev: 14, Time: 7, Type: TaskStateExited, Name: "ChargeCard", Output: data},
	}
}

func BenchmarkAppend(b *testing.B) {
	events := chain()
	var w Writer
	b.ReportAllocs()
	bytes, n := 0, 0
	for i := 0; b.Loop(); i++ {
		if i%25 == 0 {
			bytes, n = bytes+len(w.Bytes()), n+w.Events()
			w.Reset()
		}
		e := &events[i%len(events)]
		e.ID = int64(i + 1)
		e.Prev = e.ID - 1
		w.Append(e)
	}
	if n > 0 {
		b.ReportMetric(float64(bytes)/float64(n), "bytes/event")
	}
}

func BenchmarkRead(b *testing.B) {
	var w Writer
	for i, e := range append(chain(), chain()...) {
		e.ID = int64(i + 1)
		w.Append(&e)
	}
	b.ReportAllocs()
	for b.Loop() {
		r := NewReader(w.Bytes())
		for e := (Event{}); r.Next(&e); {
		}
	}
}
