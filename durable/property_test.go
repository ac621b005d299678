package durable_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/weftworks/weft/durable"
)

// op is one thing that random code does.
type op struct {
	kind string
	n    int // which task, entity or name; how many
	ops  []op
}

var opKinds = []string{
	"call", "call", "retry", "timer", "child", "entity", "event", "await", "await", "await", "all", "any", "first", "sleep", "timeout",
	"cancel", "section", "signal", "spawn", "raise", "version", "chance", "status", "if",
}

func drawOps(t *rapid.T, depth int) (ops []op) {
	for range rapid.IntRange(0, 8).Draw(t, "ops") {
		o := op{kind: rapid.SampledFrom(opKinds).Draw(t, "op"), n: rapid.IntRange(0, 3).Draw(t, "n")}
		if depth > 0 && (o.kind == "section" || o.kind == "if") {
			o.ops = drawOps(t, depth-1)
		}
		ops = append(ops, o)
	}
	return ops
}

// interpreter is the code of random operations. It uses all that Flow has, and nothing else.
type interpreter struct {
	ops []op
	end string
}

func (p *interpreter) code(w *durable.Flow, in []byte) ([]byte, error) {
	m := &machine{w: w}
	err := m.run(p.ops)
	switch p.end {
	case "error":
		return nil, errors.Join(err, errors.New("at the end"))
	case "panic":
		panic(fmt.Sprint("at the end: ", m.trace))
	case "again":
		return nil, durable.ContinueAsNew([]byte("again"), "", false)
	}
	return []byte(m.trace), err
}

type machine struct {
	w     *durable.Flow
	tasks []*durable.Task
	trace string // all that the code has seen
}

func (m *machine) task(n int) *durable.Task {
	if len(m.tasks) == 0 {
		return durable.FailedTask(errors.New("none"))
	}
	return m.tasks[len(m.tasks)-1-n%len(m.tasks)]
}

func (m *machine) see(t *durable.Task) error {
	data, err := t.Await(m.w)
	m.trace += fmt.Sprintf("%s%v@%d;", data, err, m.w.Now().UnixMilli())
	return err
}

func (m *machine) run(ops []op) (last error) {
	for _, o := range ops {
		if err := m.do(o); err != nil {
			last = err
		}
	}
	return last
}

func (m *machine) do(o op) error {
	w, name := m.w, fmt.Sprint("n", o.n)
	add := func(t *durable.Task) { m.tasks = append(m.tasks, t) }
	switch o.kind {
	case "call":
		add(durable.Call(w, name, []byte(m.trace), nil, nil))
	case "retry":
		add(durable.Call(w, name, nil, nil, &durable.Retry{Attempts: 1 + o.n}))
	case "timer":
		add(durable.Timer(w, w.Now().UnixMilli()+int64(o.n)))
	case "child":
		add(durable.Child(w, name, "", "", nil, nil, &durable.Retry{Attempts: o.n}))
	case "entity":
		add(durable.CallEntity(w, "e/"+name, "op", nil))
	case "event":
		add(durable.Receive(w, name))
	case "await":
		return m.see(m.task(o.n))
	case "all":
		durable.Wait(w, len(m.tasks), m.tasks...)
	case "any", "first":
		some := []*durable.Task{m.task(0), m.task(1), m.task(o.n)}
		n := 1
		if o.kind == "first" {
			n = min(o.n, 3)
		}
		durable.Wait(w, n, some...)
		for _, t := range some {
			m.trace += fmt.Sprint(t.Done(), t.Failed())
		}
	case "sleep":
		w.Sleep(time.Duration(o.n) * time.Second)
	case "timeout":
		event, timer := durable.Receive(w, name), durable.Timer(w, 7)
		if durable.Wait(w, 1, event, timer); event.Done() {
			durable.Cancel(w, timer)
			return m.see(event)
		}
		durable.Cancel(w, event)
	case "cancel":
		durable.Cancel(w, m.task(o.n))
	case "section":
		section, err := durable.Enter(w, "e/"+name, "e/n0")
		if err != nil {
			return err
		}
		defer section.Leave()
		return m.run(o.ops)
	case "signal":
		return durable.SignalEntity(w, "e/"+name, "op", nil, int64(o.n))
	case "spawn":
		id, err := durable.Spawn(w, name, "", "", nil, nil)
		m.trace += id
		return err
	case "raise":
		return durable.Raise(w, name, "e", []byte(m.trace))
	case "version":
		m.trace += fmt.Sprint("v", w.Version(name, 0, o.n))
	case "chance":
		m.trace += fmt.Sprint(w.Rand().IntN(99), w.UUID()[:4], w.Execution(), w.ID())
	case "status":
		_ = durable.SetStatus(w, []byte(m.trace))
	case "if":
		if m.task(o.n).Failed() {
			return m.run(o.ops)
		}
	}
	return nil
}

// world answers what random code asks for.
type world struct {
	t    *rapid.T
	now  int64
	open []durable.Event // without an answer
}

func (w *world) batch() (inputs []durable.Event) {
	t := w.t
	w.now += rapid.Int64Range(0, 2000).Draw(t, "ms")
	for range rapid.IntRange(1, 4).Draw(t, "batch") {
		switch i := rapid.IntRange(-2, len(w.open)).Draw(t, "which"); {
		case i < 0 && rapid.IntRange(0, 3).Draw(t, "noise") == 0:
			kind := rapid.SampledFrom([]durable.Kind{durable.RunSuspended, durable.RunResumed, durable.CallCompleted, durable.TimerFired}).Draw(t, "kind")
			inputs = append(inputs, durable.Event{Kind: kind, ID: rapid.Uint64Range(0, 1).Draw(t, "nobody") * 9999})
		case i < 0 || len(w.open) == 0:
			name := fmt.Sprint("n", rapid.IntRange(0, 3).Draw(t, "name"))
			inputs = append(inputs, durable.Event{Kind: durable.EventRaised, Name: name, Data: []byte(fmt.Sprint("e", len(inputs), w.now))})
		default:
			i = min(i, len(w.open)-1)
			e := w.open[i]
			w.open = slices.Delete(w.open, i, i+1)
			inputs = append(inputs, answer(&e, rapid.IntRange(0, 2).Draw(t, "fails") == 0))
		}
	}
	return inputs
}

// answer answers an action, with a failure if it can fail.
func answer(e *durable.Event, fails bool) durable.Event {
	kinds := map[durable.Kind][2]durable.Kind{
		durable.CallScheduled:  {durable.CallCompleted, durable.CallFailed},
		durable.ChildScheduled: {durable.ChildCompleted, durable.ChildFailed},
		durable.EntityCalled:   {durable.EntityReplied, durable.EntityFailed},
		durable.TimerCreated:   {durable.TimerFired, 0},
		durable.LocksRequested: {durable.LocksGranted, 0},
	}[e.Kind]
	if fails && kinds[1] != 0 {
		return durable.Event{Kind: kinds[1], ID: e.ID, Failure: &durable.Failure{Type: "Bad", Message: e.Name, Seq: e.ID}}
	}
	a := durable.Event{Kind: kinds[0], ID: e.ID}
	if kinds[1] != 0 {
		a.Data = []byte(fmt.Sprint("a", e.ID))
	}
	return a
}

func (w *world) note(actions []durable.Event) {
	for i := range actions {
		if k := answer(&actions[i], false).Kind; k != 0 {
			w.open = append(w.open, actions[i])
		}
	}
}

// played is a step that was made.
type played struct {
	now    int64
	inputs []durable.Event
	res    durable.Result
	before []durable.Event // the history before it
}

// play runs random code against a random world.
func play(t *rapid.T, code durable.Code) (steps []played, history []durable.Event) {
	w := &world{t: t, now: 1000}
	run := durable.New(durable.Config{ID: "r", Code: code})
	defer run.Close()
	inbox := []durable.Event{{Kind: durable.RunStarted, Name: "flow", Start: &durable.Start{Seed: 5, Execution: 1}}}
	for range 30 {
		p := played{now: w.now, inputs: inbox, before: history}
		p.res = run.Step(w.now, inbox)
		p.res.Actions = slices.Clone(p.res.Actions) // the next step uses the space
		steps = append(steps, p)
		history = append(history[:len(history):len(history)], durable.Event{Kind: durable.StepStarted, Time: w.now})
		history = append(history, inbox[:p.res.Consumed]...)
		history = append(history, p.res.Actions...)
		if run.Ended() {
			break
		}
		w.note(p.res.Actions)
		inbox = w.batch()
	}
	return steps, history
}

func drawCode(t *rapid.T) durable.Code {
	p := &interpreter{ops: drawOps(t, 2), end: rapid.SampledFrom([]string{"", "", "error", "panic", "again"}).Draw(t, "end")}
	return p.code
}

// stored writes a history down and reads it back, as the engine does.
func stored(t *rapid.T, history []durable.Event) []durable.Event {
	var chunk []byte
	for i := range history {
		chunk = durable.AppendChunk(chunk, &history[i])
	}
	if chunk == nil {
		return nil
	}
	read, err := durable.ReadChunk(nil, chunk)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestReplayIsEquivalent: a run that was replayed from any prefix of its history does in the next step what the run did
// that was never replayed.
func TestReplayIsEquivalent(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		code := drawCode(t)
		steps, history := play(t, code)
		for i, p := range steps {
			run := durable.New(durable.Config{ID: "r", Code: code})
			if n := run.Replay(stored(t, p.before)); n != nil {
				t.Fatalf("step %d: %v\n%v", i, n, describe(history))
			}
			res := run.Step(p.now, p.inputs)
			run.Close()
			if got, want := describe(withoutStacks(res.Actions)), describe(withoutStacks(p.res.Actions)); !slices.Equal(got, want) {
				t.Fatalf("step %d replayed gives\n%q\nand gave\n%q", i, got, want)
			}
			if res.Consumed != p.res.Consumed || !bytes.Equal(res.Status, p.res.Status) || (res.Err == nil) != (p.res.Err == nil) {
				t.Fatalf("step %d replayed gives %+v and gave %+v", i, res, p.res)
			}
		}
		run := durable.New(durable.Config{ID: "r", Code: code})
		defer run.Close()
		if n := run.Replay(stored(t, history)); n != nil && steps[len(steps)-1].res.Err == nil {
			t.Fatalf("all of it: %v", n)
		}
	})
}

// withoutStacks drops what differs between two panics.
func withoutStacks(events []durable.Event) []durable.Event {
	events = slices.Clone(events)
	for i := range events {
		if f := events[i].Failure; f != nil {
			events[i].Failure = &durable.Failure{Type: f.Type, Message: f.Message, Final: f.Final}
		}
	}
	return events
}

// TestChangedHistoriesAreFound: a history that is not what the code does is found, whatever is wrong with it.
func TestChangedHistoriesAreFound(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		code := drawCode(t)
		_, history := play(t, code)
		var actions []int
		for i := range history {
			if history[i].Kind.Action() && history[i].Kind != durable.VersionMarked { // one without a marker is an old run
				actions = append(actions, i)
			}
		}
		if len(actions) == 0 {
			return
		}
		at := rapid.SampledFrom(actions).Draw(t, "at")
		if f := history[at].Failure; f != nil && f.Type == durable.NonDeterminismType {
			return
		}
		changed := slices.Clone(history)
		switch how := rapid.SampledFrom([]string{"drop", "swap", "rename", "kind", "double"}).Draw(t, "how"); {
		case how == "drop":
			changed = slices.Delete(changed, at, at+1)
		case how == "swap" && at+1 < len(changed) && changed[at+1].Kind.Action():
			changed[at], changed[at+1] = changed[at+1], changed[at]
		case how == "double":
			changed = slices.Insert(changed, at, changed[at])
		case how == "rename" && changed[at].Name != "" && !changed[at].Kind.Final():
			changed[at].Name += "x"
		case changed[at].Kind == durable.EventSent:
			changed[at].Kind = durable.EntitySignaled
		default:
			changed[at].Kind = durable.EventSent
		}
		run := durable.New(durable.Config{ID: "r", Code: code})
		defer run.Close()
		n := run.Replay(stored(t, changed))
		if n == nil {
			t.Fatalf("nobody saw that\n%q\nis not\n%q", describe(changed), describe(history))
		}
		if n.Want == n.Got {
			t.Fatalf("the difference says nothing: %+v", n)
		}
		res := run.Step(1, nil)
		if len(res.Actions) != 1 || res.Actions[0].Kind != durable.RunFailed || res.Actions[0].Failure.Type != durable.NonDeterminismType {
			t.Fatalf("the run did not fail: %q", describe(res.Actions))
		}
	})
}

// TestRewoundRunsGoOn: whatever a run failed with, it goes on from where Rewind takes it, with new numbers only, and what
// is to be done again is in what stays and has no answer there.
func TestRewoundRunsGoOn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		code := drawCode(t)
		_, history := play(t, code)
		last := &history[len(history)-1]
		if last.Kind != durable.RunFailed || last.Failure.Type == durable.NonDeterminismType {
			return
		}
		causes := last.Causes
		if rapid.Bool().Draw(t, "hidden") {
			causes = nil
		}
		back := durable.Rewind(stored(t, history), causes)
		var most uint64
		for i := range history {
			if history[i].Kind.Action() {
				most = max(most, history[i].ID)
			}
		}
		asked := make(map[uint64]bool)
		for i := range back.History {
			if e := &back.History[i]; e.Kind.Action() {
				asked[e.ID] = true
			}
		}
		for i := range back.History {
			if e := &back.History[i]; !e.Kind.Action() && e.Kind != durable.RunStarted && e.ID > 0 {
				delete(asked, e.ID)
			}
		}
		for _, e := range slices.Concat(back.Again, back.Rewind) {
			if !asked[e.ID] {
				t.Fatalf("%q is to be done again, and was not asked for or has an answer", describe([]durable.Event{e}))
			}
		}
		run := durable.New(durable.Config{ID: "r", Code: code})
		defer run.Close()
		if n := run.Replay(back.History); n != nil {
			t.Fatalf("what stays does not replay: %v", n)
		}
		inputs := slices.Concat([]durable.Event{{Kind: durable.RunRewound, ID: most}}, back.Inputs)
		res := run.Step(1<<40, inputs)
		if res.Err != nil {
			t.Fatalf("it does not go on: %v", res.Err)
		}
		for i := range res.Actions {
			if a := &res.Actions[i]; !a.Kind.Final() && a.ID <= most {
				t.Fatalf("%q has a number that was used: %d were", describe(res.Actions[i:i+1]), most)
			}
		}
	})
}
