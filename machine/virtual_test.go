package machine

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine/history"
)

// parse returns the machine of a definition.
func parse(t testing.TB, definition string) *asl.Machine {
	t.Helper()
	m, problems := asl.Parse([]byte(definition), asl.Options{Integrations: asl.AnyIntegration})
	if len(problems) > 0 {
		t.Fatal(problems.Err())
	}
	return m
}

// reply is what a function does with an input: after a time in milliseconds it answers or fails.
type reply struct {
	after       int64
	output      []byte
	err, cause  string
	startFailed bool
	never       bool
}

// due is an event that will come.
type due struct {
	at  int64
	seq int
	ev  Event
}

// world runs one run under virtual time. Before every step it encodes and decodes the frame and checks that
// the copy answers the same.
type world struct {
	t       testing.TB
	in      *Interpreter
	f       *Frame
	invoke  func(c Command, attempt int) reply
	check   bool // compare with a decoded copy at every step
	now     int64
	queue   []due
	seq     int
	calls   int
	history []history.Event
	lastID  uint64
	finish  *Command
	out     Output
}

func newWorld(t testing.TB, m *asl.Machine, exec Execution, l limits.Set) *world {
	in := &Interpreter{Definition: m, Limits: l, Token: func(e *Execution, id uint64) string {
		return fmt.Sprintf("token-%s-%d", e.Name, id)
	}}
	return &world{t: t, in: in, f: in.NewFrame(exec), check: true, now: 1_767_225_600_000,
		invoke: func(c Command, _ int) reply { return reply{output: c.Input} }}
}

// run goes on until the run has ended or nothing more can happen.
func (w *world) run(input string) error {
	w.step(Event{Kind: Start, Now: w.now, Output: []byte(input)})
	for n := 0; w.finish == nil; n++ {
		if len(w.queue) == 0 {
			return errors.New("the run waits for nothing that can come")
		}
		if n > 200_000 {
			return errors.New("the run does not end")
		}
		i := 0
		for j, d := range w.queue {
			if cmp.Or(cmp.Compare(d.at, w.queue[i].at), cmp.Compare(d.seq, w.queue[i].seq)) < 0 {
				i = j
			}
		}
		d := w.queue[i]
		w.queue = slices.Delete(w.queue, i, i+1)
		w.now = max(w.now, d.at)
		d.ev.Now = w.now
		w.step(d.ev)
	}
	return nil
}

func (w *world) step(ev Event) {
	w.t.Helper()
	var copied *Frame
	if w.check {
		data := w.f.AppendBinary(nil)
		var err error
		if copied, err = DecodeFrame(data, w.in); err != nil {
			w.t.Fatalf("decoding the frame before event %+v: %v", ev, err)
		}
		if copied.variables != w.f.variables {
			w.t.Fatalf("variables take %d bytes, after decoding %d, before event %+v", w.f.variables, copied.variables, ev)
		}
		if again := copied.AppendBinary(nil); string(again) != string(data) {
			w.t.Fatalf("a decoded frame encodes differently before event %+v", ev)
		}
	}
	if ev.Kind == Redrive && w.f.Redrivable() == nil {
		w.finish = nil
	}
	w.out.Reset()
	w.in.Step(w.f, ev, &w.out)
	if copied != nil {
		var out Output
		w.in.Step(copied, ev, &out)
		if !equalOutputs(&w.out, &out) {
			w.t.Fatalf("after decoding, event %+v gives another output:\n%s", ev, gocmp.Diff(w.out, out))
		}
	}
	w.invariants()
	w.history = append(w.history, w.out.History...)
	for _, c := range w.out.Commands {
		w.command(c)
	}
}

func equalOutputs(a, b *Output) bool {
	same := func(x, y any) bool { return reflect.DeepEqual(x, y) }
	return slices.EqualFunc(a.Commands, b.Commands, func(x, y Command) bool { return same(x, y) }) &&
		slices.EqualFunc(a.History, b.History, func(x, y history.Event) bool { return same(x, y) })
}

// invariants checks what holds for the output of every step.
func (w *world) invariants() {
	w.t.Helper()
	for i, e := range w.out.History {
		if want := int64(len(w.history) + i + 1); e.ID != want || e.Prev >= e.ID || e.Prev < 0 {
			w.t.Fatalf("event %d has id %d, previous %d (%v)", want, e.ID, e.Prev, e.Type)
		}
	}
	if w.finish != nil && len(w.out.Commands)+len(w.out.History) > 0 {
		w.t.Fatalf("after Finish: %+v", w.out)
	}
	for i, c := range w.out.Commands {
		switch c.Kind {
		case Invoke, SetTimer, Offer, StartMapRun:
			if c.ID <= w.lastID {
				w.t.Fatalf("id %d after %d", c.ID, w.lastID)
			}
			w.lastID = c.ID
		case Finish:
			if i != len(w.out.Commands)-1 {
				w.t.Fatalf("commands after Finish: %+v", w.out.Commands)
			}
		}
	}
}

func (w *world) command(c Command) {
	at := func(after int64, ev Event) {
		w.seq++
		w.queue = append(w.queue, due{w.now + after, w.seq, ev})
	}
	switch c.Kind {
	case Invoke:
		w.calls++
		r := w.invoke(c, w.calls)
		switch {
		case r.never:
		case r.err != "" || r.startFailed:
			at(r.after, Event{Kind: TaskFailed, ID: c.ID, Error: r.err, Cause: r.cause, StartFailed: r.startFailed})
		case c.Token:
			at(r.after, Event{Kind: TaskSubmitted, ID: c.ID, Output: r.output})
		default:
			at(r.after, Event{Kind: TaskSucceeded, ID: c.ID, Output: r.output, LogTail: "END\n"})
		}
	case Offer:
		at(1000, Event{Kind: TaskTaken, ID: c.ID, Worker: "w"})
		r := w.invoke(Command{ID: c.ID, Function: c.Function, Input: w.f.Arguments(c.ID)}, w.calls)
		switch {
		case r.never:
		case r.err != "":
			at(1000+r.after, Event{Kind: TaskFailed, ID: c.ID, Error: r.err, Cause: r.cause})
		default:
			at(1000+r.after, Event{Kind: TaskSucceeded, ID: c.ID, Output: r.output})
		}
	case SetTimer:
		at(c.Due-w.now, Event{Kind: TimerFired, ID: c.ID})
	case StartMapRun:
		after, ev := w.mapRun(c.MapRun)
		ev.ID = c.ID
		at(after, ev)
	case CancelTimer, CancelInvoke, Withdraw, StopMapRun:
		w.queue = slices.DeleteFunc(w.queue, func(d due) bool { return d.ev.ID == c.ID })
	case Yield:
		at(0, Event{Kind: Continue})
	case Finish:
		w.finish = &c
	}
}

// mapRun processes the items of a Map Run, one after the other and without tolerance, and returns how long it takes and
// what comes of it.
func (w *world) mapRun(run *MapRun) (after int64, ev Event) {
	w.t.Helper()
	sel, err := w.in.NewSelector(run)
	if err != nil {
		w.t.Fatal(err)
	}
	exec := w.f.exec
	exec.MachineID, exec.MachineName = exec.MachineID+"/"+run.Label, exec.MachineName+"/"+run.Label
	out := []byte{'['}
	key, item, at, more := NextItem(run.Items, 1)
	for i := int64(0); more; i++ {
		input, name, cause := sel.Select(i, key, item, run.Source())
		if name != "" {
			return after, Event{Kind: MapRunFailed, Error: name, Cause: cause}
		}
		exec.Name = fmt.Sprintf("child-%d", i)
		child := newWorld(w.t, w.in.Definition.Processor(w.in.Definition.StateNamed(run.State)), exec, w.in.Limits)
		child.invoke, child.now = w.invoke, w.now
		if err := child.run(string(input)); err != nil {
			w.t.Fatal(err)
		}
		after = max(after, child.now-w.now)
		if child.finish.Status != Succeeded {
			return after, Event{Kind: MapRunFailed, Error: errThreshold, Cause: thresholdExceeded}
		}
		if i > 0 {
			out = append(out, ',')
		}
		out = append(out, child.finish.Output...)
		key, item, at, more = NextItem(run.Items, at)
	}
	return after, Event{Kind: MapRunSucceeded, Output: append(out, ']')}
}
