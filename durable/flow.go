package durable

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"
)

// Flow is what workflow code does everything with. It belongs to one run and is used by the run's code only: not from
// another goroutine, and not after the code has returned.
type Flow struct {
	run      *Run
	workflow string
	version  string
	start    Start
	seq      uint64 // of the last action

	running   bool // the code runs now
	abandoned bool // the code unwinds
	replaying bool
	expected  []Event // actions of the step that is replayed
	probe     *Event  // what history has and the code did not do

	now     int64
	actions []Event
	given   int // bytes of data in the actions of this step
	status  []byte

	tasks    map[uint64]*Task // that wait for an answer, by action
	waiting  *Task            // what the code waits for
	boxes    map[string]*mailbox
	named    []string // keys of boxes, in the order they were made
	section  *Section
	versions map[string]uint64
	rand     *rand.Rand
	ids      *rand.ChaCha8
	logger   *slog.Logger
}

// begin takes RunStarted.
func (w *Flow) begin(e *Event) {
	w.workflow, w.version, w.seq = e.Name, e.Version, max(w.seq, e.ID)
	if e.Start != nil {
		w.start = *e.Start
	}
}

// ID returns the run's id.
func (w *Flow) ID() string { return w.run.cfg.ID }

// Workflow returns the name of the workflow.
func (w *Flow) Workflow() string { return w.workflow }

// CodeVersion returns the version of the workflow that the run is pinned to.
func (w *Flow) CodeVersion() string { return w.version }

// Parent returns the id of the run that called this one; "" if none did.
func (w *Flow) Parent() string { return w.start.Parent }

// Execution returns which execution of the run the code belongs to, from 1: continue-as-new and restart begin another. A rewind
// does for clients, but it takes back a part of the history, and what stays was told its number already.
func (w *Flow) Execution() int { return int(w.start.Execution) }

// Now returns the time at which the step began, in UTC and whole milliseconds. It is the same in a replay.
func (w *Flow) Now() time.Time { return time.UnixMilli(w.now).UTC() }

// Replaying reports whether the code is doing again what it has done before. Code must not depend on it, but may
// do without what only people see.
func (w *Flow) Replaying() bool { return w.replaying }

// Rand returns a source of random numbers that gives the same ones in a replay. It is not for secrets.
func (w *Flow) Rand() *rand.Rand {
	if w.rand == nil {
		w.rand = rand.New(rand.NewPCG(w.start.Seed, w.start.Execution))
	}
	return w.rand
}

// UUID returns a random UUID (RFC 9562, version 4) that is the same in a replay.
func (w *Flow) UUID() string {
	if w.ids == nil {
		var seed [32]byte
		binary.LittleEndian.PutUint64(seed[:], w.start.Seed)
		binary.LittleEndian.PutUint64(seed[8:], w.start.Execution)
		copy(seed[16:], "weft.Flow.UUID")
		w.ids = rand.NewChaCha8(seed)
	}
	var b [16]byte
	_, _ = w.ids.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Log returns a logger that is silent in a replay. Its records have the run's id and workflow.
func (w *Flow) Log() *slog.Logger {
	if w.logger == nil {
		base := w.run.cfg.Logger
		if base == nil {
			base = slog.New(slog.DiscardHandler)
		}
		w.logger = slog.New(quiet{base.Handler(), w}).With("run", w.ID(), "workflow", w.workflow)
	}
	return w.logger
}

// quiet passes on what is not a replay's.
type quiet struct {
	slog.Handler
	flow *Flow
}

func (q quiet) Enabled(ctx context.Context, level slog.Level) bool {
	return !q.flow.replaying && q.Handler.Enabled(ctx, level)
}

func (q quiet) WithAttrs(attrs []slog.Attr) slog.Handler {
	return quiet{q.Handler.WithAttrs(attrs), q.flow}
}

func (q quiet) WithGroup(name string) slog.Handler { return quiet{q.Handler.WithGroup(name), q.flow} }

// Version lets a change of code live beside runs that began before it. Where a run comes by for the first time it
// returns to and remembers that; in the replay of a run that passed here before the change it returns 0, the number of
// code without Version. A run whose number lies below from fails: its branch is gone from the code.
//
//	if w.Version("check-address", 0, 1) == 1 {
//		checkAddress.Call(w, order)
//	}
func (w *Flow) Version(change string, from, to int) int {
	w.check()
	if v, ok := w.versions[change]; ok {
		return w.supported(change, int(v), from, to)
	}
	v := to
	if w.replaying {
		v = 0
		if len(w.expected) > 0 && w.expected[0].Kind == VersionMarked && w.expected[0].Name == change {
			v = int(w.expected[0].Ref)
		}
	}
	if w.versions == nil {
		w.versions = make(map[string]uint64)
	}
	w.versions[change] = uint64(v)
	if !w.replaying || (len(w.expected) > 0 && w.expected[0].Kind == VersionMarked && w.expected[0].Name == change) {
		w.emit(Event{Kind: VersionMarked, Name: change, Ref: uint64(v)})
	}
	return w.supported(change, v, from, to)
}

func (w *Flow) supported(change string, v, from, to int) int {
	if v < from || v > to {
		w.run.broken = &NonDeterminism{
			RunID: w.ID(), Want: fmt.Sprintf("version %d of change %q", v, change),
			Got: fmt.Sprintf("w.Version(%q, %d, %d), which does not have it any more", change, from, to), Line: caller(),
		}
		panic(w.run.broken)
	}
	return v
}

// SetStatus sets the custom status that clients see, as JSON text. It fails when that is too large.
func SetStatus(w *Flow, status []byte) error {
	w.check()
	if f := tooLarge("status", status, w.run.cfg.OutputBytes); f != nil {
		return f
	}
	if !w.replaying {
		w.status = status
	}
	return nil
}

// Sleep waits for d, through crashes and restarts.
func (w *Flow) Sleep(d time.Duration) {
	_, _ = Timer(w, w.now+d.Milliseconds()).Await(w)
}

// SleepUntil waits until t.
func (w *Flow) SleepUntil(t time.Time) {
	_, _ = Timer(w, t.UnixMilli()).Await(w)
}

// check panics when the flow is used by something else than its code.
func (w *Flow) check() {
	if w.abandoned {
		panic(abandoned{})
	}
	if w.run.broken != nil {
		panic(w.run.broken) // code recovered from it
	}
	if w.run.unread != nil {
		panic(unreadable{w.run.unread})
	}
	if !w.running {
		panic("weft: a Flow was used outside of its workflow's code: from another goroutine, from a function that it called, or after it returned")
	}
}

// emit does an action: it is new, or must be what history has. It returns the action's number.
func (w *Flow) emit(e Event) uint64 {
	if !e.Kind.Final() {
		w.seq++
		e.ID = w.seq
	}
	if !w.replaying {
		w.actions = append(w.actions, e)
		return e.ID
	}
	if len(w.expected) == 0 {
		w.differs(nil, &e)
	}
	if want := &w.expected[0]; !same(want, &e) {
		w.differs(want, &e)
	}
	w.expected = w.expected[1:]
	return e.ID
}

// differs ends the code because of a difference from history.
func (w *Flow) differs(want, got *Event) {
	line := ""
	if w.running {
		line = caller() // and not where a retry policy is applied
	}
	w.run.broken = w.run.differs(want, got, line)
	panic(w.run.broken)
}

// ready reports whether the code can go on.
func (w *Flow) ready() bool { return w.waiting == nil || w.waiting.done }

// wait lets the code wait for a task.
func (w *Flow) wait(t *Task) {
	for !t.done {
		w.check()
		w.waiting = t
		ok := w.run.yield(struct{}{})
		w.waiting = nil
		if !ok {
			w.abandoned = true
		}
		if w.abandoned {
			panic(abandoned{})
		}
		if w.probe != nil {
			w.differs(w.probe, nil)
		}
	}
}

// finish ends the execution with what the code returned.
func (w *Flow) finish(out []byte, err error) {
	if w.section != nil {
		w.section.release()
	}
	var next *continued
	if errors.As(err, &next) {
		if f := tooLarge("next execution's input", next.input, w.run.cfg.OutputBytes); f != nil {
			next, err = nil, f
		}
	} else if err == nil {
		if f := tooLarge("run's output", out, w.run.cfg.OutputBytes); f != nil {
			err = f
		}
	}
	switch {
	case next != nil:
		e := Event{Kind: RunContinued, Name: w.workflow, Version: next.version, Data: next.input}
		if e.Version == "" {
			e.Version = w.version
		}
		if !next.drop {
			e.Unread = w.unread()
		}
		w.emit(e)
	case err != nil:
		f, causes := FailureOf(err)
		w.emit(Event{Kind: RunFailed, Failure: f, Causes: causes})
	default:
		w.emit(Event{Kind: RunCompleted, Data: out})
	}
}

// continued is the error with which code asks for the next execution.
type continued struct {
	input   []byte
	version string
	drop    bool
}

func (c *continued) Error() string { return "continue as new" }

// ContinueAsNew returns the error with which code ends its execution and begins the next, with a fresh history. Events
// that were raised and not read go with it, unless drop. version "" keeps the version.
func ContinueAsNew(input []byte, version string, drop bool) error {
	return &continued{input, version, drop}
}
