package durable_test

import (
	"bytes"
	"reflect"
	"runtime"
	"testing"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/internal/wire"
)

// every is one event of each kind with all that it may have.
func every() (all []durable.Event) {
	f := &durable.Failure{Type: "Bad", Message: "m", Details: "d", Final: true}
	for kind := durable.StepStarted; ; kind++ {
		if _, ok := durable.KindOf(kind.String()); !ok {
			return all
		}
		e := durable.Event{Kind: kind}
		switch kind {
		case durable.StepStarted:
			e.Time = 1
		case durable.RunStarted:
			e = durable.Event{Kind: kind, ID: 1, Name: "n", Version: "v", Data: []byte("d"), Start: &durable.Start{Seed: 1, Execution: 2, Parent: "p"}}
		case durable.CallCompleted, durable.ChildCompleted, durable.EntityReplied, durable.RunRewound:
			e.ID, e.Data = 1<<63, []byte("d")
		case durable.CallFailed, durable.ChildFailed, durable.EntityFailed:
			e.ID, e.Failure = 2, &durable.Failure{Type: "Bad", Message: "m", Details: "d", Seq: 2}
		case durable.TimerFired, durable.LocksGranted:
			e.ID = 3
		case durable.EventRaised:
			e.Name, e.Data = "n", []byte("d")
		case durable.RunSuspended, durable.RunResumed, durable.RunCompleted, durable.RunTerminated:
			e.Data = []byte("d")
		case durable.CallScheduled:
			e = durable.Event{Kind: kind, ID: 4, Name: "n", Data: []byte("d"), Options: &durable.Options{Timeout: 1, Heartbeat: 2, Key: "k", Tenant: "t", Priority: -3}}
		case durable.TimerCreated:
			e.ID, e.Due = 5, -1
		case durable.TimerCancelled, durable.CallCancelled, durable.LocksReleased:
			e.ID, e.Ref = 6, 5
		case durable.ChildScheduled, durable.WorkflowStarted:
			e = durable.Event{Kind: kind, ID: 7, Name: "n", Version: "v", Target: "t", Data: []byte("d"), Options: &durable.Options{Tags: map[string]string{"a": "b", "c": ""}}}
		case durable.EventSent, durable.EntityCalled:
			e.ID, e.Name, e.Target, e.Data = 8, "n", "t", []byte("d")
		case durable.EntitySignaled:
			e.ID, e.Name, e.Target, e.Data, e.Due = 9, "n", "t", []byte("d"), 10
		case durable.LocksRequested:
			e.ID, e.Targets = 10, []string{"a", "b"}
		case durable.VersionMarked:
			e.ID, e.Name, e.Ref = 11, "n", 1
		case durable.RunFailed:
			e.Failure, e.Causes = f, []uint64{1, 2}
		case durable.RunContinued:
			e = durable.Event{Kind: kind, Name: "n", Version: "v", Data: []byte("d"), Unread: []durable.Raised{{Name: "a", Data: []byte("1")}, {Name: "b"}}}
		}
		all = append(all, e)
	}
}

// TestEventsSurviveStorage: every kind of event comes back as it was.
func TestEventsSurviveStorage(t *testing.T) {
	t.Parallel()
	all := every()
	if len(all) < 30 {
		t.Fatalf("there are %d kinds only", len(all))
	}
	r := wire.NewReader(durable.AppendEvents(nil, all))
	back := durable.ReadEvents(r)
	if r.Err() != nil || r.Len() != 0 {
		t.Fatalf("%v, %d bytes left", r.Err(), r.Len())
	}
	for i := range all {
		if !reflect.DeepEqual(all[i], back[i]) {
			t.Errorf("%v was\n%+v\nand is\n%+v", all[i].Kind, all[i], back[i])
		}
	}
}

// TestHostileCountsTakeNoMemory: a number of elements is not believed before they are there.
func TestHostileCountsTakeNoMemory(t *testing.T) {
	data := wire.AppendUint(nil, 8<<20)
	data = append(data, make([]byte, 8<<20)...) // no kind is 0
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	durable.ReadEvents(wire.NewReader(data))
	durable.ReadTags(wire.NewReader(data))
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("%d bytes took %d of memory", len(data), used)
	}
}

func FuzzReadEvents(f *testing.F) {
	f.Add(durable.AppendEvents(nil, every()))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := wire.NewReader(data)
		events := durable.ReadEvents(r)
		if r.Err() != nil {
			return
		}
		again := durable.AppendEvents(nil, events)
		r = wire.NewReader(again)
		if back := durable.ReadEvents(r); r.Err() != nil || !bytes.Equal(durable.AppendEvents(nil, back), again) {
			t.Errorf("%q is written as %q, which is read with error %v as %+v", data, again, r.Err(), back)
		}
	})
}

func FuzzReadChunk(f *testing.F) {
	var chunk []byte
	for _, e := range every() {
		chunk = durable.AppendChunk(chunk, &e)
	}
	f.Add(chunk)
	f.Fuzz(func(t *testing.T, data []byte) {
		events, err := durable.ReadChunk(nil, data)
		if err != nil {
			return
		}
		// What decodes can be replayed and rewound: at worst with a difference.
		run := durable.New(durable.Config{ID: "r", Code: func(w *durable.Flow, _ []byte) ([]byte, error) {
			_, err := durable.Call(w, "f", nil, nil, &durable.Retry{Attempts: 2}).Await(w)
			return nil, err
		}})
		defer run.Close()
		run.Replay(events)
		run.Step(1, []durable.Event{{Kind: durable.EventRaised, Name: "e"}})
		durable.Rewind(events, nil)
		durable.Rewind(events, []uint64{1})
	})
}

func FuzzReadStep(f *testing.F) {
	f.Add(durable.AppendStep(nil, &durable.Step{Time: 1, Consumed: 2, Status: []byte("s"), Actions: every()[14:]}))
	f.Add(durable.AppendStep(nil, &durable.Step{Rewound: &durable.Rewound{History: every(), Inputs: every()[:5], Again: every()[14:16]}}))
	f.Fuzz(func(t *testing.T, data []byte) {
		var actions []durable.Event
		s, err := readStep(data, func(e *durable.Event, encoded []byte) {
			actions = append(actions, *e)
			var again durable.Event
			r := wire.NewReader(encoded)
			if durable.ReadEvent(r, &again); r.Err() != nil || r.Len() != 0 {
				t.Errorf("an action's encoding %q does not decode: %v", encoded, r.Err())
			}
		})
		if err != nil || s.Rewound != nil {
			return
		}
		if s.Consumed < 0 {
			t.Errorf("a step consumed %d inputs", s.Consumed)
		}
	})
}

// readStep reads a step and calls fn for each of its actions.
func readStep(data []byte, fn func(e *durable.Event, encoded []byte)) (durable.Step, error) {
	var in durable.StepReader
	if err := in.Open(data); err != nil {
		return durable.Step{}, err
	}
	for in.Next() {
		fn(&in.Action, in.Encoded)
	}
	return in.Step, in.Err()
}
