package partition

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"github.com/weftworks/weft/internal/wire"

	"pgregory.net/rapid"
)

// sampleEvents has every kind with every field it logs.
func sampleEvents() []Event {
	return []Event{
		{Kind: Message, Time: 1000, To: "run/a/b", Program: 2, Op: 3, Body: []byte("body")},
		{Kind: Message, Time: 1000, To: "x", Program: 1, Op: 1, From: Origin{Partition: 300, Seq: 1 << 40}},
		{Kind: Done, Time: 1001, Ref: 1 << 33, ID: 7, Body: []byte(`{"a":1}`)},
		{Kind: Done, Time: 1001, Ref: 5, ID: 8, Error: "States.Timeout", Cause: "late"},
		{Kind: Done, Time: 1001, Ref: 5, ID: 9, Flag: true},
		{Kind: Due, Time: 1002, Ref: 6, ID: 10},
		{Kind: Continue, Time: 1003, Ref: 6},
		{Kind: Ack, Time: 1004, From: Origin{Partition: 2, Seq: 99}},
		{Kind: Define, Time: 1005, Body: []byte("blob")},
		{Kind: Purge, Time: 1006, Body: AppendRefs(nil, []Ref{1, 2, 1 << 50})},
		{Kind: Recovered, Time: 1007, ID: 12},
	}
}

func encode(base int64, events []Event) []byte {
	b := AppendBatch(nil, base)
	for i := range events {
		b = AppendEvent(b, base, &events[i])
	}
	return b
}

func decode(b []byte) (events []Event, err error) {
	err = ReadBatch(b, func(ev *Event) error { events = append(events, *ev); return nil })
	return events, err
}

func TestBatchGivesBackItsEvents(t *testing.T) {
	t.Parallel()
	want := sampleEvents()
	got, err := decode(encode(1000, want))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read %v\n%+v\nwant\n%+v", err, got, want)
	}
	seen := make(map[Kind]bool)
	for _, ev := range want {
		seen[ev.Kind] = true
	}
	for k := Message; k <= Recovered; k++ {
		if !seen[k] {
			t.Errorf("no sample has kind %d", k)
		}
	}
}

func TestCutBatchIsRefused(t *testing.T) {
	t.Parallel()
	for _, ev := range sampleEvents() {
		b := encode(1000, []Event{ev})
		head := len(AppendBatch(nil, 1000))
		for n := head + 1; n < len(b); n++ {
			if got, err := decode(b[:n]); err == nil {
				t.Errorf("%d of %d bytes of %+v read as %+v", n, len(b), ev, got)
			}
		}
	}
	if _, err := decode(append(AppendBatch(nil, 0), 200, 0)); err == nil {
		t.Error("a kind from the future is read")
	}
}

func TestReadBatchStopsAtAnError(t *testing.T) {
	t.Parallel()
	stop := fmt.Errorf("enough")
	n := 0
	err := ReadBatch(encode(0, sampleEvents()), func(*Event) error {
		if n++; n == 3 {
			return stop
		}
		return nil
	})
	if err != stop || n != 3 {
		t.Errorf("ReadBatch called %d times and returned %v", n, err)
	}
}

func TestRecordGivesBackTheInstance(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		in := &instance{
			name: rapid.String().Draw(t, "name"), program: 9, ended: rapid.Bool().Draw(t, "ended"), resume: rapid.Bool().Draw(t, "resume"),
			summary: Summary{
				Group: rapid.String().Draw(t, "group"), Status: rapid.Byte().Draw(t, "status"), Time: rapid.Int64().Draw(t, "time"),
				Ended: rapid.Int64().Draw(t, "end"),
			},
			packed: rapid.SliceOf(rapid.Byte()).Draw(t, "state"),
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "work") {
			in.timers = append(in.timers, timer{uint64(i + 1), rapid.Int64().Draw(t, "due")})
			in.calls.add(Invocation{ID: uint64(i + 1), Function: "f", Input: []byte("{}"), TimeoutMS: 5, Flags: 1})
		}
		data := in.appendRecord(nil)
		rec, err := ReadRecord(data)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Name != in.name || rec.Program != 9 || rec.Ended != in.ended || rec.resume != in.resume || rec.Summary != in.summary ||
			!bytes.Equal(rec.State, in.packed) || !reflect.DeepEqual(rec.timers, in.timers) || !reflect.DeepEqual(rec.calls.list, in.calls.list) {
			t.Fatalf("read %+v of %+v", rec, in)
		}
	})
}

// FuzzReadBatch holds that no log entry panics, and that what is read is written again the same.
func FuzzReadBatch(f *testing.F) {
	f.Add(encode(1000, sampleEvents()))
	for _, ev := range sampleEvents() {
		f.Add(encode(0, []Event{ev}))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := decode(data)
		if err != nil {
			return
		}
		again, err := decode(encode(0, events))
		if err != nil || !reflect.DeepEqual(normal(again), normal(events)) {
			t.Errorf("%+v is written and read as %+v, %v", events, again, err)
		}
		core := New(testConfig(2))
		for i := range events {
			if events[i].Kind != Message { // a stranger's message makes puppets do anything
				core.Step(&events[i])
			}
		}
	})
}

// normal drops what an encoding may leave out: the body of a failure, which is none.
func normal(events []Event) []Event {
	for i := range events {
		if len(events[i].Body) == 0 {
			events[i].Body = nil
		}
	}
	return events
}

// FuzzReadRecord holds that no stored record and no counters panic.
func FuzzReadRecord(f *testing.F) {
	s := newShell(testConfig(2))
	s.step(Event{Kind: Define, Body: []byte("shared")})
	s.step(do("a", "note x\ninvoke 1 f\ntimer 2 9\nlist g 1 2 0\npin shared\nkeep more\nsend b note y\ncontinue"))
	s.save(0)
	for _, v := range s.store {
		f.Add(v)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		_, _ = ReadRecord(data)
		store := s.store.clone()
		for k := range store {
			if k[2] == keyMeta || k[2] == keyInstance {
				store[k] = data
			}
		}
		if core, _, err := Load(testConfig(2), store); err == nil {
			_ = core.Install(1, data)
			core.Dump()
		}
	})
}

// TestOldRecords reads records as earlier programs wrote them.
func TestOldRecords(t *testing.T) {
	t.Parallel()
	in := &instance{name: "a", program: puppetID, blob: "blob", kept: []BlobID{"kept"}, packed: []byte("state")}
	now := in.appendRecord(nil)
	old := bytes.Replace(now, append([]byte{1}, wire.AppendString(nil, "kept")...), nil, 1)
	old[0] = 2
	for version, data := range map[byte][]byte{3: now, 2: old} {
		rec, err := ReadRecord(data)
		if err != nil || rec.Blob != "blob" || string(rec.State) != "state" || (len(rec.kept) == 1) != (version == 3) {
			t.Errorf("version %d is read as %+v, %v", version, rec, err)
		}
	}
}
