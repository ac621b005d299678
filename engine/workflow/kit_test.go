package workflow_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
)

// mapStore is a store for tests.
type mapStore map[string][]byte

func (s mapStore) Set(key, value []byte) { s[string(key)] = bytes.Clone(value) }
func (s mapStore) Delete(key []byte)     { delete(s, string(key)) }

func (s mapStore) DeleteRange(lower, upper []byte) {
	maps.DeleteFunc(s, func(k string, _ []byte) bool { return k >= string(lower) && k < string(upper) })
}

func (s mapStore) Get(key []byte) ([]byte, bool, error) {
	v, ok := s[string(key)]
	return bytes.Clone(v), ok, nil
}

func (s mapStore) Scan(lower, upper []byte, fn func(key, value []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(s)) {
		if k >= string(lower) && k < string(upper) {
			if err := fn([]byte(k), s[k]); err != nil {
				return err
			}
		}
	}
	return nil
}

// node is one partition, twice: plain is never saved, saved is saved, evicted and loaded before every event. Both must
// want and become the same.
type node struct {
	plain, saved *partition.Core
	store        mapStore // of saved
	behind       mapStore // of plain, where that has one
	cfg          partition.Config
	owing        []partition.Ref
	calls        map[string]bool // in flight, "ref.id"
}

// cluster is partitions whose messages the test carries: in any order, but those of one to another in the order they
// were sent.
type cluster struct {
	t      testing.TB
	now    int64
	nodes  []*node
	queues map[[2]partition.ID][]*partition.Event
	codes  map[string]durable.Code
	check  bool // keep the second cores
	said   []string
	absent map[string]bool // code that is not there
	slow   map[string]bool // instances whose next step's result comes later
	late   map[string]partition.Event
}

func newCluster(t testing.TB, partitions int, history int64) *cluster {
	c := &cluster{t: t, now: 1000, queues: make(map[[2]partition.ID][]*partition.Event), check: true, absent: make(map[string]bool), slow: make(map[string]bool), late: make(map[string]partition.Event)}
	for i := range partitions {
		cfg := partition.Config{ID: partition.ID(i), Partitions: partitions, Programs: map[partition.ProgramID]partition.Program{
			workflow.RunsID: &workflow.Runs{HistoryEvents: history}, workflow.EntitiesID: &workflow.Entities{},
		}}
		c.nodes = append(c.nodes, &node{plain: partition.New(cfg), saved: partition.New(cfg), store: make(mapStore), cfg: cfg, calls: make(map[string]bool)})
	}
	return c
}

func (c *cluster) say(format string, args ...any) {
	c.said = append(c.said, fmt.Sprintf(format, args...))
}

func (c *cluster) place(name string) *node { return c.nodes[partition.Place(name, len(c.nodes))] }

// prepare gives a core what it needs for an event.
func prepare(core *partition.Core, store mapStore, ev *partition.Event) {
	for {
		need := core.Needs(ev)
		switch {
		case need.Name != "":
			v, ok := store[string(partition.NameKey(core.ID(), need.Name))]
			if !ok {
				ev.Fresh = true
				continue
			}
			core.InstallName(need.Name, partition.Ref(v[0]))
		case need.Ref != 0:
			v, ok := store[string(partition.InstanceKey(core.ID(), need.Ref))]
			if !ok {
				core.Absent(need.Ref)
			} else if err := core.Install(need.Ref, bytes.Clone(v)); err != nil {
				panic(err)
			}
		default:
			return
		}
	}
}

// step folds an event into both cores and carries out the effects.
func (c *cluster) step(n *node, ev partition.Event) {
	ev.Time = c.now
	data := partition.AppendEvent(partition.AppendBatch(nil, c.now), c.now, &ev)
	client := ev.Client
	read := func() (again partition.Event) {
		if err := partition.ReadBatch(bytes.Clone(data), func(e *partition.Event) error { again = *e; return nil }); err != nil {
			c.t.Fatal(err)
		}
		again.Client = client
		return again
	}
	plain := read()
	prepare(n.plain, nil, &plain)
	effects := slices.Clone(n.plain.Step(&plain))
	if c.check {
		c.twin(n, read(), effects)
	}
	for i := range effects {
		c.effect(n, &effects[i])
	}
}

// twin steps the saved core and compares.
func (c *cluster) twin(n *node, ev partition.Event, effects []partition.Effect) {
	n.saved.Snapshot(n.store, 1)
	n.saved.Applied(0)
	core, _, err := partition.Load(n.cfg, n.store)
	if err != nil {
		c.t.Fatal(err)
	}
	n.saved = core
	prepare(core, n.store, &ev)
	got, want := describeEffects(core.Step(&ev)), describeEffects(effects)
	if !slices.Equal(got, want) {
		c.t.Fatalf("after %+v the loaded partition wants\n%s\nand the other\n%s", ev, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	n.plain.InMemory(func(ref partition.Ref, ended bool) {
		if got, want := state(core, n.store, ref), state(n.plain, nil, ref); got != want {
			c.t.Fatalf("after %+v instance %d is\n%q\nin the loaded partition and\n%q\nin the other", ev, ref, got, want)
		}
	})
}

// state returns an instance's state and the history of its execution.
func state(core *partition.Core, store mapStore, ref partition.Ref) string {
	data, program, pending := look(core, store, ref)
	if program != workflow.RunsID {
		return fmt.Sprintf("%q", data)
	}
	_, first, err := (&workflow.Runs{}).ReadView(data)
	if err != nil {
		return err.Error()
	}
	return fmt.Sprintf("%q history %q", data, describeAll(readHistory(core, store, ref, first, pending)))
}

// look returns an instance's encoded state, and the history that the store does not have.
func look(core *partition.Core, store mapStore, ref partition.Ref) (data []byte, program partition.ProgramID, pending []partition.Chunk) {
	v, ok := core.View(ref)
	if !ok {
		rec, err := partition.ReadRecord(store[string(partition.InstanceKey(core.ID(), ref))])
		if err != nil {
			panic(err)
		}
		return rec.State, rec.Program, nil
	}
	pending = slices.Clone(v.Chunks)
	if v.State == nil {
		return v.Packed, v.Program, pending
	}
	if h, ok := v.State.(partition.Historian); ok {
		if data, first, count := h.History(); count > 0 {
			pending = append(pending, partition.Chunk{Data: data, First: first, Count: count})
		}
	}
	return v.State.Append(nil), v.Program, pending
}

// readHistory returns the events that a partition has of an instance from the first on, in the store and not.
func readHistory(core *partition.Core, store mapStore, ref partition.Ref, first int64, pending []partition.Chunk) (events []durable.Event) {
	_ = store.Scan(partition.HistoryKey(core.ID(), ref, first), partition.HistoryKey(core.ID(), ref+1, 0), func(k, v []byte) error {
		pending = append(pending, partition.Chunk{First: partition.HistoryFirst(k), Data: skipCount(v)})
		return nil
	})
	slices.SortStableFunc(pending, func(a, b partition.Chunk) int { return cmp.Compare(a.First, b.First) })
	for i, ch := range pending {
		if ch.First < first || (i > 0 && pending[i-1].First == ch.First) {
			continue
		}
		var err error
		if events, err = durable.ReadChunk(events, ch.Data); err != nil {
			panic(err)
		}
	}
	return events
}

func skipCount(v []byte) []byte {
	for i, b := range v {
		if b < 0x80 {
			return v[i+1:]
		}
	}
	return nil
}

// effect carries out one effect.
func (c *cluster) effect(n *node, e *partition.Effect) {
	key := fmt.Sprintf("%d.%d", e.Ref, e.Call.ID)
	switch e.Kind {
	case partition.Invoke:
		n.calls[key] = true
		c.say("call %s", describeEffect(e))
	case partition.Cancel:
		if n.calls[key] {
			delete(n.calls, key)
			c.say("cancel call %d", e.Call.ID)
		}
	case partition.Send:
		k := [2]partition.ID{n.cfg.ID, e.Partition}
		c.queues[k] = append(c.queues[k], e.Event)
	case partition.Confirm:
		c.step(c.nodes[e.Partition], partition.Event{Kind: partition.Ack, From: partition.Origin{Partition: n.cfg.ID, Seq: e.Seq}})
	case partition.Step:
		n.owing = append(n.owing, e.Ref)
	case partition.Reply, partition.Ended:
		c.say("%s", describeEffect(e))
	}
}

// tell sends a message from a client.
func (c *cluster) tell(to string, program partition.ProgramID, op uint8, body []byte) {
	c.step(c.place(to), partition.Event{Kind: partition.Message, To: to, Program: program, Op: op, Body: body, Client: "client"})
}

// carry delivers the next message of a queue.
func (c *cluster) carry(k [2]partition.ID) {
	ev := c.queues[k][0]
	if c.queues[k] = c.queues[k][1:]; len(c.queues[k]) == 0 {
		delete(c.queues, k)
	}
	c.say("%s gets %s", ev.To, message(ev))
	c.step(c.nodes[k[1]], *ev)
}

// pairs returns the queues that have messages.
func (c *cluster) pairs() [][2]partition.ID {
	return slices.SortedFunc(maps.Keys(c.queues), func(a, b [2]partition.ID) int {
		return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
	})
}

// work makes the step that an instance owes, with code that starts from the instance's history. It reports whether there was one.
func (c *cluster) work(n *node, ref partition.Ref) bool {
	ev, ok := c.job(n, ref)
	if !ok {
		return false
	}
	if ev.ID == 0 {
		n.plain.Idle(ref)
		return true
	}
	if v, _ := n.plain.View(ref); c.slow[v.Name] {
		delete(c.slow, v.Name)
		c.late[v.Name] = ev
		return true
	}
	c.step(n, ev)
	return true
}

// job runs the code of a step and returns the event with what it did.
func (c *cluster) job(n *node, ref partition.Ref) (partition.Event, bool) {
	work, ok := n.plain.Work(ref)
	if !ok {
		return partition.Event{}, false
	}
	ev := partition.Event{Kind: partition.Stepped, Ref: ref}
	switch w := work.(type) {
	case *workflow.Job:
		if c.absent[w.Workflow] {
			return ev, true
		}
		ev.ID, ev.Body = w.Step, c.stepRun(n, ref, w)
	case *workflow.EntityJob:
		if c.absent[w.Target] {
			return ev, true
		}
		ev.ID, ev.Body = w.Step, c.stepEntity(w)
	}
	return ev, true
}

// rewound is how long the history of a run may be that goes back.
const rewound = 25

func (c *cluster) stepRun(n *node, ref partition.Ref, w *workflow.Job) []byte {
	_, _, pending := look(n.plain, n.behind, ref)
	history := readHistory(n.plain, n.behind, ref, w.First, pending)
	if int64(len(history)) != w.Position {
		c.t.Fatalf("run %s is at position %d and has %d events", w.ID, w.Position, len(history))
	}
	if w.Rewind && len(history) > rewound {
		c.say("%s cannot go back", w.ID)
		return durable.AppendStep(nil, &durable.Step{Refused: &durable.Failure{Type: "Weft.HistoryLimit", Message: "too long"}})
	}
	if w.Rewind {
		c.say("%s goes back", w.ID)
		return durable.AppendStep(nil, &durable.Step{Rewound: durable.Rewind(history, w.Causes)})
	}
	code := c.codes[w.Workflow+w.Version]
	if code == nil {
		c.t.Fatalf("no code %q", w.Workflow+w.Version)
	}
	run := durable.New(durable.Config{ID: w.ID, Code: code, OutputBytes: 1000})
	defer run.Close()
	run.Replay(history)
	res := run.Step(w.Now, w.Inputs)
	c.say("%s takes %s; does %s", w.ID, strings.Join(describeAll(w.Inputs[:res.Consumed]), ", "), strings.Join(describeAll(res.Actions), ", "))
	return durable.AppendStep(nil, &durable.Step{Time: w.Now, Consumed: res.Consumed, Status: res.Status, Actions: res.Actions})
}

// stepEntity does operations: add N, get, fail, delete, and "signal TARGET OP", "raise RUN EVENT", "spawn WORKFLOW ID" as
// their names say.
func (c *cluster) stepEntity(w *workflow.EntityJob) []byte {
	s := workflow.EntityStep{Consumed: len(w.Ops)}
	var n int
	exists := w.State != nil
	_ = json.Unmarshal(w.State, &n)
	var did []string
	for i := range w.Ops {
		op := &w.Ops[i]
		words := strings.Fields(op.Name)
		var f *durable.Failure
		switch words[0] {
		case "add":
			var m int
			_ = json.Unmarshal(op.Input, &m)
			n, exists = n+m, true
		case "fail":
			f = &durable.Failure{Type: "Refused", Message: "as it was told to"}
		case "delete":
			n, exists = 0, false
		case "signal":
			s.Messages = append(s.Messages, durable.Event{Kind: durable.EntitySignaled, Target: words[1], Name: words[2], Data: []byte("1")})
		case "raise":
			s.Messages = append(s.Messages, durable.Event{Kind: durable.EventSent, Target: words[1], Name: words[2], Data: []byte("1")})
		case "spawn":
			s.Messages = append(s.Messages, durable.Event{Kind: durable.WorkflowStarted, Name: words[1], Target: words[2], Data: []byte("1"),
				Options: &durable.Options{Tags: map[string]string{"by": w.Target}}})
		}
		did = append(did, op.Name)
		if op.From.Instance != "" {
			s.Answers = append(s.Answers, workflow.Answer{Op: i, Data: []byte(fmt.Sprint(n)), Failure: f})
		}
	}
	if s.Change = workflow.StateDeleted; exists {
		s.Change, s.State = workflow.StateSet, []byte(fmt.Sprint(n))
	}
	c.say("entity %s does %s: %d", w.Target, strings.Join(did, ", "), n)
	return s.Encode()
}

// quiet carries messages and makes steps until nothing is left. Messages to held instances stay, with all behind them.
func (c *cluster) quiet(held map[string]bool) {
	for range 10_000 {
		busy := false
		for _, k := range c.pairs() {
			for len(c.queues[k]) > 0 && !held[c.queues[k][0].To] {
				c.carry(k)
				busy = true
			}
		}
		for _, n := range c.nodes {
			for len(n.owing) > 0 {
				ref := n.owing[0]
				n.owing = n.owing[1:]
				busy = c.work(n, ref) || busy
			}
		}
		if !busy {
			return
		}
	}
	c.t.Fatal("it never gets quiet")
}

func (c *cluster) find(name string) (*node, partition.Ref, error) {
	n := c.place(name)
	if ref, ok := n.plain.Lookup(name); ok {
		return n, ref, nil
	}
	return n, 0, errors.New("there is no " + name)
}
