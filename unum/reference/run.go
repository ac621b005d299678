// Package reference runs a program of package protocol as plainly as can be: one process, virtual time, no datastore, every
// request delivered once. What a run comes to here is what it must come to on any platform, whatever fails there. It also
// plays the recordings of Step Functions (internal/conformance) through compiled machines.
package reference

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/weftworks/weft/unum/protocol"
)

// Reply is how the user's code ends, and after how many milliseconds; Never: not.
type Reply struct {
	Outcome protocol.Outcome // Now is filled in
	After   int64
	Never   bool
}

// Options are what a run needs beside its program.
type Options struct {
	Run     string
	Input   []byte // JSON
	Started int64  // Unix milliseconds
	Timeout int64  // milliseconds; 0: none
	// Code plays the user's functions.
	Code func(code string, input []byte) Reply
	// Invoked, if set, is told of every invocation: from is the function that makes it, "" for the client.
	Invoked func(from, to string)
}

// maxDeliveries bounds a run.
const maxDeliveries = 1_000_000

// Run runs p to its end.
func Run(p protocol.Program, o Options) (*protocol.End, error) {
	w := &world{p: p, o: o, now: o.Started}
	root := &line{names: []protocol.Line{{}}}
	call, err := p.Entry(o.Run, o.Input, o.Started)
	if err != nil {
		return nil, err
	}
	w.invoke(root, &call)
	for n := 0; w.result == nil; n++ {
		if n > maxDeliveries {
			return nil, errors.New("reference: the run does not end")
		}
		if err := w.next(); err != nil {
			return nil, err
		}
	}
	return w.result, nil
}

type world struct {
	p        protocol.Program
	o        Options
	now      int64
	seq      int
	queue    []delivery
	function string // that is executing
	result   *protocol.End
}

// line is a line of control.
type line struct {
	names  []protocol.Line // as in requests; the last is its own
	parent *line
	index  int64
	gone   bool
	scope  *scope
}

// scope is an open fork.
type scope struct {
	fork  *protocol.Fork
	lines []*line
	ends  []*protocol.End
	done  int64
}

// delivery is a request, or the outcome of its work.
type delivery struct {
	at, step int64
	seq      int
	line     *line
	req      *protocol.Request
	outcome  *protocol.Outcome
}

func (l *line) step() *int64 { return &l.names[len(l.names)-1].Step }

// invoke delivers the request of a call on a line, which takes its next step.
func (w *world) invoke(l *line, call *protocol.Call) {
	*l.step()++
	if w.o.Invoked != nil {
		w.o.Invoked(w.function, call.Function)
	}
	req := &protocol.Request{Version: protocol.Version, Run: w.o.Run, Function: call.Function, Lines: slices.Clone(l.names), State: call.State}
	if call.Timer {
		req.Timer = call.At
	}
	w.enqueue(delivery{at: max(w.now, call.At), step: *l.step(), line: l, req: req})
	if call.Expires != 0 && !call.Timer {
		late := *req
		late.Timer, late.Expired = call.Expires, true
		w.enqueue(delivery{at: call.Expires, step: *l.step(), line: l, req: &late, outcome: &protocol.Outcome{Kind: protocol.TimeCame}})
	}
}

func (w *world) enqueue(d delivery) {
	w.seq++
	d.seq = w.seq
	w.queue = append(w.queue, d)
}

// next takes the delivery whose turn it is, or ends the run whose time is up.
func (w *world) next() error {
	i := 0
	for j, d := range w.queue {
		if cmp.Or(cmp.Compare(d.at, w.queue[i].at), cmp.Compare(d.seq, w.queue[i].seq)) < 0 {
			i = j
		}
	}
	deadline := w.o.Started + w.o.Timeout
	if w.o.Timeout > 0 && (len(w.queue) == 0 || w.queue[i].at >= deadline) {
		w.result = &protocol.End{Failed: true, Status: "TIMED_OUT", Now: deadline}
		return nil
	}
	if len(w.queue) == 0 {
		return errors.New("reference: the run waits for nothing that can come")
	}
	d := w.queue[i]
	w.queue = slices.Delete(w.queue, i, i+1)
	if d.line.gone || d.step != *d.line.step() {
		return nil
	}
	w.now = max(w.now, d.at)
	w.function = d.req.Function
	if d.outcome == nil {
		return w.work(d)
	}
	d.outcome.Now = w.now
	plan, err := w.p.Plan(d.req, nil, d.outcome)
	if err != nil {
		return err
	}
	return w.follow(d.line, plan)
}

func (w *world) work(d delivery) error {
	todo, err := w.p.Work(d.req, nil)
	if err != nil {
		return err
	}
	if todo.Plan != nil {
		return w.follow(d.line, todo.Plan)
	}
	r := Reply{Outcome: protocol.Outcome{Kind: protocol.Returned, Output: todo.Input}}
	if todo.Code != "" {
		r = w.o.Code(todo.Code, todo.Input)
	}
	if !r.Never {
		d.at, d.outcome = w.now+r.After, &r.Outcome
		w.enqueue(d)
	}
	return nil
}

func (w *world) follow(l *line, plan *protocol.Plan) error {
	switch {
	case plan.Continue != nil:
		w.invoke(l, plan.Continue)
		return nil
	case plan.Fork != nil:
		*l.step()++ // what follows the fork is another instance
		return w.fork(l, plan.Fork)
	case plan.End != nil:
		return w.end(l, plan.End)
	}
	return errors.New("reference: a graph written by hand needs the whole runtime")
}

func (w *world) fork(l *line, f *protocol.Fork) error {
	l.scope = &scope{fork: f, ends: make([]*protocol.End, f.Width)}
	for i := range f.Width {
		if f.Concurrency > 0 && i >= f.Concurrency {
			break
		}
		if err := w.head(l, i, 0); err != nil {
			return err
		}
	}
	return nil
}

// head begins line i of the scope of l.
func (w *world) head(l *line, i, now int64) error {
	call, err := w.p.Head(slices.Clone(l.names), l.scope.fork.Parked, i, now)
	if err != nil {
		return err
	}
	b := &line{names: append(slices.Clone(l.names), protocol.Line{Name: strconv.FormatInt(i, 10), Index: i, Size: l.scope.fork.Width}), parent: l, index: i}
	l.scope.lines = append(l.scope.lines, b)
	w.invoke(b, &call)
	return nil
}

func (w *world) end(l *line, e *protocol.End) error {
	l.cut()
	if l.parent == nil || e.Run {
		w.result = e
		return nil
	}
	s := l.parent.scope
	if s.ends[l.index] != nil {
		return fmt.Errorf("reference: line %d ends twice", l.index)
	}
	s.ends[l.index] = e
	s.done++
	switch next := l.index + s.fork.Concurrency; {
	case e.Failed:
		return w.join(l.parent, []*protocol.End{e}, l.index)
	case s.done == s.fork.Width:
		return w.join(l.parent, s.ends, -1)
	case s.fork.Concurrency > 0 && next < s.fork.Width:
		return w.head(l.parent, next, e.Now)
	}
	return nil
}

func (w *world) join(l *line, ends []*protocol.End, failed int64) error {
	parked := l.scope.fork.Parked
	for _, b := range l.scope.lines {
		b.cut()
	}
	l.scope = nil
	plan, err := w.p.Join(w.o.Run, slices.Clone(l.names), parked, ends, failed)
	if err != nil {
		return err
	}
	return w.follow(l, plan)
}

// cut ends a line and all below it.
func (l *line) cut() {
	l.gone = true
	if l.scope != nil {
		for _, b := range l.scope.lines {
			b.cut()
		}
	}
}
