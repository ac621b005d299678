package schedule

import (
	"bytes"
	"fmt"
	"slices"
	"sort"
	"time"
	_ "time/tzdata" // the tests are about zones, so they bring them

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/schedule"
)

// mapStore is a store for tests.
type mapStore map[string][]byte

func (s mapStore) Set(key, value []byte) { s[string(key)] = bytes.Clone(value) }
func (s mapStore) Delete(key []byte)     { delete(s, string(key)) }

func (s mapStore) DeleteRange(lower, upper []byte) {
	for k := range s {
		if k >= string(lower) && k < string(upper) {
			delete(s, k)
		}
	}
}

func (s mapStore) Get(key []byte) ([]byte, bool, error) {
	v, ok := s[string(key)]
	return bytes.Clone(v), ok, nil
}

func (s mapStore) Scan(lower, upper []byte, fn func(key, value []byte) error) error {
	var keys []string
	for k := range s {
		if k >= string(lower) && k < string(upper) {
			keys = append(keys, k)
		}
	}
	sort.Strings(keys)
	for _, k := range keys {
		if err := fn([]byte(k), s[k]); err != nil {
			return err
		}
	}
	return nil
}

// The messages of the tests' Starter: they go to instances that are not there, and the world looks at them on their way.
const (
	runID       partition.ProgramID = 99
	opStart     uint8               = 1
	opTerminate uint8               = 2
)

var starter = Starter{
	Start: func(s *Start) Message {
		body := wire.AppendInt(wire.AppendString(nil, s.Schedule), s.Nominal)
		return Message{To: s.Run, Program: runID, Op: opStart, Body: append(body, s.Target.Input...)}
	},
	Terminate: func(t Target, run, _ string) Message {
		return Message{To: run, Program: runID, Op: opTerminate, Body: []byte(t.Name)}
	},
}

func testConfig() partition.Config {
	return partition.Config{Partitions: 1, Programs: map[partition.ProgramID]partition.Program{ID: &Program{Starter: starter}}}
}

// world is a partition with schedules and the time it lives in. Everything is stepped twice: by a partition that is never
// saved, and by one that is saved before every event, loaded, and must then want the same and be the same.
type world struct {
	now   int64
	plain *partition.Core
	store mapStore
	log   []partition.Event
	names []string // of all schedules ever
	wants []string // what the last events wanted
	onRun func(op uint8, run string, nominal int64)
	// answer is what the last client got.
	answer any
	fast   bool // leave the saved partition out
}

func newWorld(now string) *world {
	w := &world{now: ms(now), plain: partition.New(testConfig()), store: make(mapStore)}
	partition.New(testConfig()).Snapshot(w.store, 0)
	return w
}

func ms(text string) int64 {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return t.UnixMilli()
}

func clock(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.999Z") }

// step folds an event of now, and those that it wants at once.
func (w *world) step(ev partition.Event) {
	ev.Time = w.now
	w.log = append(w.log, ev)
	want := slices.Clone(w.plain.Step(&ev))
	if !w.fast {
		w.stepSaved(ev, describe(want))
	}
	for i, e := range want {
		switch e.Kind {
		case partition.Send:
			w.sent(e.Event)
			w.step(partition.Event{Kind: partition.Ack, From: partition.Origin{Seq: e.Event.From.Seq}})
		case partition.Resume:
			w.wants = append(w.wants, "continue")
			w.step(partition.Event{Kind: partition.Continue, Ref: e.Ref})
		case partition.Reply:
			w.answer = want[i].Value
			if e.Missing {
				w.answer = fault.New("", fault.ResourceNotFound, "", "missing")
			}
		}
	}
}

func (w *world) sent(ev *partition.Event) {
	r := wire.NewReader(ev.Body)
	nominal := int64(0)
	if ev.Op == opStart {
		_, nominal = r.String(), r.Int()
		w.wants = append(w.wants, fmt.Sprintf("start %s for %s with %q", ev.To, clock(nominal), r.Rest()))
	} else {
		w.wants = append(w.wants, "terminate "+ev.To+" of "+string(ev.Body))
	}
	if w.onRun != nil {
		w.onRun(ev.Op, ev.To, nominal)
	}
}

// stepSaved does what the saved partition has to do to go on: load, step, save.
func (w *world) stepSaved(ev partition.Event, want string) {
	saved, _, err := partition.Load(testConfig(), w.store)
	if err != nil {
		panic(err)
	}
	prepare(saved, w.store, &ev)
	if got := describe(saved.Step(&ev)); got != want {
		panic(fmt.Sprintf("a loaded partition wants\n%s\nand the other\n%s", got, want))
	}
	for _, name := range w.names {
		prepare(saved, w.store, &partition.Event{Kind: partition.Message, To: name})
	}
	if !bytes.Equal(saved.Dump(), w.plain.Dump()) {
		panic(fmt.Sprintf("after %+v a loaded partition is\n%q\nand the other\n%q", ev, saved.Dump(), w.plain.Dump()))
	}
	saved.Snapshot(w.store, 0)
}

// prepare gives a partition what it needs for ev.
func prepare(c *partition.Core, s mapStore, ev *partition.Event) {
	for {
		need := c.Needs(ev)
		switch {
		case need.Name != "":
			v, ok := s[string(partition.NameKey(0, need.Name))]
			if ref := partition.Ref(wire.NewReader(v).Uint()); ok && !c.Removed(ref) {
				c.InstallName(need.Name, ref)
			} else {
				ev.Fresh = true
			}
		case need.Ref != 0:
			v, ok := s[string(partition.InstanceKey(0, need.Ref))]
			if !ok {
				c.Absent(need.Ref)
			} else if err := c.Install(need.Ref, bytes.Clone(v)); err != nil {
				panic(err)
			}
		default:
			return
		}
	}
}

// describe writes effects so that they can be compared.
func describe(effects []partition.Effect) (text string) {
	for _, e := range effects {
		text += fmt.Sprintf("%d %d %d", e.Kind, e.Ref, e.Partition)
		if e.Event != nil {
			text += fmt.Sprintf(" %s %d.%d %q", e.Event.To, e.Event.Op, e.Event.From.Seq, e.Event.Body)
		}
		text += fmt.Sprintf(" %v\n", e.Value != nil)
	}
	return text
}

// tell sends a message of a client and returns the answer.
func (w *world) tell(id string, op uint8, body []byte) any {
	name := InstanceName(id)
	if !slices.Contains(w.names, name) {
		w.names = append(w.names, name)
	}
	w.answer = nil
	w.step(partition.Event{Kind: partition.Message, To: name, Program: ID, Op: op, Body: body, Client: "client"})
	return w.answer
}

// ended says that a run has ended, as the run itself would.
func (w *world) ended(id, run string, status uint8, failed bool) {
	m := EndedMessage{Run: run, Status: status, Failed: failed}
	w.step(partition.Event{Kind: partition.Message, To: InstanceName(id), Program: ID, Op: OpEnded, Body: m.Encode()})
}

func (w *world) define(id string, op uint8, spec schedule.Spec) any {
	body, err := Define(id, spec, Target{Kind: "machine", Name: "m", Input: []byte(id)}, 7)
	if err != nil {
		return err
	}
	return w.tell(id, op, body)
}

// fire folds the timers that are due.
func (w *world) fire() {
	for _, ev := range w.plain.Due(nil, w.now, 1000) {
		w.step(ev)
	}
}

// run lets the time pass to until while the node is up.
func (w *world) run(until int64) {
	for {
		due, ok := w.plain.NextDue()
		if !ok || due > until {
			break
		}
		w.now = max(w.now, due)
		w.fire()
	}
	w.now = until
}

// view returns a schedule, as it is in memory and as it is in the store, which must be the same.
func (w *world) view(id string) *View {
	ref, ok := w.plain.Lookup(InstanceName(id))
	if !ok {
		return nil
	}
	inst, _ := w.plain.View(ref)
	v := inst.State.(interface{ View() *View }).View()
	if w.fast {
		return v
	}
	rec, err := partition.ReadRecord(w.store[string(partition.InstanceKey(0, ref))])
	if err != nil {
		panic(err)
	}
	cold, err := ReadView(rec.State)
	if err != nil {
		panic(err)
	}
	sameZone := cmp.Comparer(func(a, b *schedule.Zone) bool { return a.Equal(b) })
	if diff := cmp.Diff(v, cold, sameZone, cmpopts.EquateEmpty()); diff != "" {
		panic("in memory it is -, stored +\n" + diff)
	}
	if timers, _ := w.plain.Open(); timers != min(1, len(v.Next)) {
		panic(fmt.Sprintf("%d timers are armed", timers))
	}
	if rec.Summary != (partition.Summary{Group: Group, Status: uint8(v.Status), Time: v.Created}) {
		panic(fmt.Sprintf("listed as %+v", rec.Summary))
	}
	return v
}
