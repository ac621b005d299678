// Package stepper makes steps: it takes the jobs that a partition hands out for its runs and entities (lane.Job), runs the
// user code that they are for, and says what it did as Stepped events. Code that has been run stays warm, so that the next
// step of the same instance needs no replay, up to a bound.
//
// It starts no goroutine and reads no clock: a node runs steps on a partition's goroutine and leaves one behind that does
// not end, a simulation makes them when it likes.
//
//	t := s.Prepare(&job)  // on the partition's goroutine: reads the history if it must
//	ev := s.Make(t)       // on any: runs the code
package stepper

import (
	"container/list"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/limits"
)

// Code finds the code of workflows and entities. It must be safe for concurrent use.
type Code interface {
	// Workflow returns the code of a workflow in a version, and false if the program does not have it.
	Workflow(name, version string) (durable.Code, bool)
	// Entity returns the code of a kind of entity.
	Entity(name string) (durable.EntityCode, bool)
}

// Config says what a Stepper is. Code is needed.
type Config struct {
	Code Code
	// Logger gets what code logs and what operators want to know. nil: nobody does.
	Logger *slog.Logger
	// Hot is how many runs and entities stay warm. 0: 1.
	Hot int
	// HotBytes bounds what they hold: of an entity its state, of a run the inputs its code has got, as JSON. 0: no bound.
	HotBytes int
	// PayloadBytes bounds outputs and what code gives to others. 0: no bound.
	PayloadBytes int
	// Values keeps what is large outside of events. nil: nothing is.
	Values Values
	// Faults breaks a rule on purpose, for tests that must catch it.
	Faults Faults
}

// Values keeps large payloads. It must be safe for concurrent use.
type Values interface {
	// Shrink returns a reference to a payload if it is large, once the value is durable, and else the payload.
	Shrink(payload []byte) ([]byte, error)
	// Text returns the text of a payload that may be a reference.
	Text(payload []byte) ([]byte, error)
}

// Faults are the rules a simulation breaks to show that it would notice. Never set outside tests.
type Faults struct {
	KeepMessages bool // send what an operation that failed has asked to send
}

// Stepper makes the steps of one partition. Its methods are safe for concurrent use: a slow step may end beside others.
type Stepper struct {
	cfg Config

	mu     sync.Mutex
	hot    map[partition.Ref]*list.Element // of *warm
	order  *list.List                      // least recently used first
	most   int
	bytes  int             // held by what is warm
	absent map[string]bool // code that was asked for and is not there, to say so once

	steps, replays, operations atomic.Uint64
}

// Stats counts what a Stepper has done.
type Stats struct {
	Steps      uint64 // of runs
	Replays    uint64 // runs whose code was not warm
	Operations uint64 // of entities
	Hot        int    // runs and entities that are warm now
}

// Stats returns the counts.
func (s *Stepper) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Steps: s.steps.Load(), Replays: s.replays.Load(), Operations: s.operations.Load(), Hot: len(s.hot)}
}

// warm is the code of an instance between two of its steps.
type warm struct {
	ref    partition.Ref
	run    *durable.Run // or
	entity durable.OpenEntity
	// What the instance must be at for the code to go on with it.
	execution uint64
	step      uint64 // made

	bytes int // that it holds, about
}

func (w *warm) close() {
	if w.run != nil {
		w.run.Close()
	}
}

// Task is one step, with what it needs of the partition.
type Task struct {
	ref     partition.Ref
	work    any
	warm    *warm
	old     *warm // code of the instance that cannot go on from where it is now
	history [][]byte
	err     error // the history cannot be read
}

// Close ends the code of a step that will not be made.
func (t *Task) Close() {
	for _, w := range []*warm{t.warm, t.old} {
		if w != nil {
			w.close()
		}
	}
}

// New returns a Stepper without warm code.
func New(cfg Config) *Stepper {
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Stepper{cfg: cfg, hot: make(map[partition.Ref]*list.Element), order: list.New(), most: max(cfg.Hot, 1), absent: make(map[string]bool)}
}

// Name says for people whose step a job's work is: the workflow and run id, or the entity.
func Name(work any) string {
	switch w := work.(type) {
	case *workflow.Job:
		return w.Workflow + " " + w.ID
	case *workflow.EntityJob:
		return w.Target
	}
	return ""
}

// Prepare takes what a step needs of the partition, whose goroutine calls it: the code that is warm, or the history. It runs
// no user code.
func (s *Stepper) Prepare(job *lane.Job) *Task {
	t := &Task{ref: job.Ref, work: job.Work, warm: s.take(job.Ref)}
	switch w := job.Work.(type) {
	case *workflow.Job:
		if t.warm != nil && (t.warm.run == nil || t.warm.execution != w.Execution || t.warm.step != w.Step-1) {
			t.old, t.warm = t.warm, nil
		}
		if (t.warm == nil && w.Position > 0) || w.Rewind {
			t.history, t.err = job.History(w.First)
		}
	case *workflow.EntityJob:
		if t.warm != nil && (t.warm.entity == nil || t.warm.step != w.Step-1) {
			t.old, t.warm = t.warm, nil
		}
	}
	return t
}

// Make makes one step. An event without ID says that it cannot be made now.
func (s *Stepper) Make(t *Task) partition.Event {
	ev := partition.Event{Kind: partition.Stepped, Ref: t.ref}
	if t.old != nil {
		t.old.close() // its deferred functions run
	}
	if t.err != nil {
		s.cfg.Logger.Error("a run's history cannot be read", "instance", Name(t.work), "error", t.err)
		return ev
	}
	switch w := t.work.(type) {
	case *workflow.Job:
		if body, ok := s.stepRun(t, w); ok {
			ev.ID, ev.Body = w.Step, body
		}
	case *workflow.EntityJob:
		if body, ok := s.stepEntity(t, w); ok {
			ev.ID, ev.Body = w.Step, body
		}
	}
	return ev
}

func (s *Stepper) stepRun(t *Task, w *workflow.Job) ([]byte, bool) {
	if w.Rewind {
		return s.rewind(t, w)
	}
	hot := t.warm
	if hot == nil {
		if hot = s.replay(t, w); hot == nil {
			return nil, false
		}
	}
	s.steps.Add(1)
	res := hot.run.Step(w.Now, w.Inputs)
	if err := s.shrink(&res); err != nil {
		s.cfg.Logger.Error("a large value of a run cannot be read or written; the step waits until the run gets something else, or the node is opened again", "instance", Name(t.work), "error", err)
		hot.close()
		return nil, false
	}
	if res.Err != nil {
		s.cfg.Logger.Error("a run's code does not do what it did before", "error", res.Err)
	}
	hot.step = w.Step
	for i := range w.Inputs {
		hot.bytes += len(w.Inputs[i].Data)
	}
	if hot.run.Ended() {
		hot.run.Close()
	} else {
		s.put(hot)
	}
	return durable.AppendStep(nil, &durable.Step{Time: w.Now, Consumed: res.Consumed, Status: res.Status, Actions: res.Actions}), true
}

// rewind takes a failed run's history back.
func (s *Stepper) rewind(t *Task, w *workflow.Job) ([]byte, bool) {
	size := 0
	for _, chunk := range t.history {
		size += len(chunk)
	}
	if size > limits.RewindBytes {
		f := &durable.Failure{Type: "Weft.HistoryLimit", Final: true, Message: fmt.Sprintf(
			"the run cannot be rewound: its history has %d bytes, the most is %d. Restart it, or start another run from where it was", size, limits.RewindBytes)}
		return durable.AppendStep(nil, &durable.Step{Refused: f}), true
	}
	events, err := durable.ReadChunks(t.history)
	if err != nil {
		return nil, s.unreadable(t, err)
	}
	return durable.AppendStep(nil, &durable.Step{Rewound: durable.Rewind(events, w.Causes)}), true
}

// replay brings a run's code to where its history ends; nil if that cannot be done now.
func (s *Stepper) replay(t *Task, w *workflow.Job) *warm {
	code, ok := s.cfg.Code.Workflow(w.Workflow, w.Version)
	if !ok {
		s.missing("workflow", w.Workflow, w.Version)
		return nil
	}
	events, err := durable.ReadChunks(t.history)
	if err != nil {
		s.unreadable(t, err)
		return nil
	}
	hot := &warm{ref: t.ref, execution: w.Execution}
	hot.run = durable.New(durable.Config{ID: w.ID, Code: code, Logger: s.cfg.Logger, OutputBytes: s.cfg.PayloadBytes, Resolve: s.text(hot)})
	for i := range events {
		hot.bytes += len(events[i].Data)
	}
	if len(events) > 0 {
		s.replays.Add(1)
		_ = hot.run.Replay(events) // a difference fails the run in its next step, which is this one
	}
	return hot
}

// text returns what reads references for the code of a run, which may hold on to what it gets; or nil.
func (s *Stepper) text(w *warm) func([]byte) ([]byte, error) {
	if s.cfg.Values == nil {
		return nil
	}
	return func(payload []byte) ([]byte, error) {
		text, err := s.cfg.Values.Text(payload)
		if len(text) != len(payload) {
			w.bytes += len(text)
		}
		return text, err
	}
}

// shrink puts what is large in a step's actions where large values are.
func (s *Stepper) shrink(res *durable.Result) (err error) {
	if res.Unread != nil || s.cfg.Values == nil {
		return res.Unread
	}
	for i := range res.Actions {
		a := &res.Actions[i]
		if a.Data, err = s.cfg.Values.Shrink(a.Data); err != nil {
			return err
		}
	}
	return nil
}

func (s *Stepper) unreadable(t *Task, err error) bool {
	s.cfg.Logger.Error("a run's history does not decode", "instance", Name(t.work), "error", err)
	return false
}

// stepEntity does operations. When they leave a state that cannot be kept, it does the half of them from the old state on,
// until it has the one whose fault it is, which fails.
func (s *Stepper) stepEntity(t *Task, w *workflow.EntityJob) ([]byte, bool) {
	for {
		hot := t.warm
		if t.warm = nil; hot == nil {
			if hot = s.open(t, w); hot == nil {
				return nil, false
			}
		}
		step, held, refused, err := s.operate(t.ref, hot.entity, w)
		switch {
		case err != nil:
			s.cfg.Logger.Error("a large value of an entity cannot be read or written; its operations wait until it gets another one, or the node is opened again", "entity", w.Target, "error", err)
			return nil, false
		case refused != nil && len(w.Ops) > 1:
			w.Ops = w.Ops[:len(w.Ops)/2]
			continue
		case refused != nil:
			s.cfg.Logger.Warn("an operation failed: the state that it left cannot be kept", "entity", w.Target, "operation", w.Ops[0].Name, "error", refused)
			f, _ := durable.FailureOf(refused)
			return workflow.FailedStep(w.Ops, f).Encode(), true
		}
		hot.step = w.Step
		if held >= 0 {
			hot.bytes = held
		}
		s.put(hot)
		return step.Encode(), true
	}
}

// open brings an entity to memory; nil if that cannot be done now.
func (s *Stepper) open(t *Task, w *workflow.EntityJob) *warm {
	name, _, _ := durable.SplitEntity(w.Target)
	code, ok := s.cfg.Code.Entity(name)
	if !ok {
		s.missing("entity", name, "")
		return nil
	}
	state, err := s.read(w.State)
	if err != nil {
		s.cfg.Logger.Error("an entity's state cannot be read", "entity", w.Target, "error", err)
		return nil
	}
	entity, err := code.Open(state)
	if err != nil {
		s.cfg.Logger.Error("an entity's state does not fit its type; its operations wait until the code is mended", "entity", w.Target, "error", err)
		return nil
	}
	return &warm{ref: t.ref, entity: entity, bytes: len(state)}
}

// read returns the text of a payload.
func (s *Stepper) read(payload []byte) ([]byte, error) {
	if s.cfg.Values == nil || payload == nil {
		return payload, nil
	}
	return s.cfg.Values.Text(payload)
}

// operate does the operations of a step, or the first of them if those give much to others. held is the length of the state
// that they leave, -1 if it is what it was. refused is why it cannot be kept; err says that a large value cannot be read or
// written.
func (s *Stepper) operate(ref partition.Ref, entity durable.OpenEntity, w *workflow.EntityJob) (step *workflow.EntityStep, held int, refused, err error) {
	held = -1
	ctx := durable.NewEntityContext(w.Target, fmt.Sprintf("%d.%d", ref, w.Step), w.Now, s.cfg.PayloadBytes)
	step = &workflow.EntityStep{}
	changed := false
	for step.Consumed < len(w.Ops) && !ctx.Full() {
		done, err := s.do(step, entity, ctx, w)
		if err != nil {
			return nil, held, nil, err
		}
		changed = changed || done
		step.Consumed++
	}
	s.operations.Add(uint64(step.Consumed))
	if changed {
		state, refused := entity.State()
		if refused == nil {
			refused = ctx.BearsState(state)
		}
		if refused != nil {
			return nil, held, refused, nil
		}
		held = len(state)
		step.Change = workflow.StateDeleted
		if state != nil {
			step.Change = workflow.StateSet
		}
		if step.State, err = s.small(state); err != nil {
			return nil, held, nil, err
		}
	}
	step.Messages = ctx.Messages()
	return step, held, nil, s.shrink(&durable.Result{Actions: step.Messages})
}

// do does the next operation of a step and reports whether it succeeded.
func (s *Stepper) do(step *workflow.EntityStep, entity durable.OpenEntity, ctx *durable.EntityContext, w *workflow.EntityJob) (done bool, err error) {
	op, sent := &w.Ops[step.Consumed], len(ctx.Messages())
	input, err := s.read(op.Input)
	if err != nil {
		return false, err
	}
	answer := workflow.Answer{Op: step.Consumed}
	out, failed := entity.Do(ctx, op.Name, input)
	if failed != nil {
		if !s.cfg.Faults.KeepMessages {
			ctx.Rollback(sent)
		}
		answer.Failure, _ = durable.FailureOf(failed)
	}
	switch {
	case op.From.Instance == "" && failed != nil:
		s.cfg.Logger.Warn("a signal's operation failed", "entity", w.Target, "operation", op.Name, "error", failed)
	case op.From.Instance == "":
	default:
		if answer.Data, err = s.small(out); err != nil {
			return false, err
		}
		step.Answers = append(step.Answers, answer)
	}
	return failed == nil, nil
}

// small returns a payload, or a reference to it if it is large.
func (s *Stepper) small(payload []byte) ([]byte, error) {
	if s.cfg.Values == nil || payload == nil {
		return payload, nil
	}
	return s.cfg.Values.Shrink(payload)
}

// missing says once that code is not there.
func (s *Stepper) missing(what, name, version string) {
	key := fmt.Sprintf("%s %s %s", what, name, version)
	s.mu.Lock()
	said := s.absent[key]
	if len(s.absent) < 1000 {
		s.absent[key] = true
	}
	s.mu.Unlock()
	if !said {
		s.cfg.Logger.Warn("there is no code for an open instance; it waits until the node is opened with it", "what", what, "name", name, "version", version)
	}
}

// take takes the code of an instance out of what is warm.
func (s *Stepper) take(ref partition.Ref) *warm {
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.hot[ref]
	if e == nil {
		return nil
	}
	return s.drop(e)
}

// drop takes e out of what is warm. s.mu is held.
func (s *Stepper) drop(e *list.Element) *warm {
	w := e.Value.(*warm)
	delete(s.hot, w.ref)
	s.order.Remove(e)
	s.bytes -= w.bytes
	return w
}

// put keeps the code of an instance warm, instead of the one that was not used for longest if there are too many.
func (s *Stepper) put(w *warm) {
	var out []*warm
	s.mu.Lock()
	if old := s.hot[w.ref]; old != nil { // a slow step ended beside a newer one
		out = append(out, s.drop(old))
	}
	s.hot[w.ref] = s.order.PushBack(w)
	s.bytes += w.bytes
	for len(s.hot) > s.most || (s.cfg.HotBytes > 0 && s.bytes > s.cfg.HotBytes && len(s.hot) > 0) {
		out = append(out, s.drop(s.order.Front()))
	}
	s.mu.Unlock()
	for _, old := range out {
		old.close()
	}
}

// Cool ends all warm code: the next step of a run begins with a replay.
func (s *Stepper) Cool() {
	s.mu.Lock()
	all := s.order
	s.hot, s.order, s.bytes = make(map[partition.Ref]*list.Element), list.New(), 0
	s.mu.Unlock()
	for e := all.Front(); e != nil; e = e.Next() {
		e.Value.(*warm).close()
	}
}

// Close is Cool, and nothing stays warm from now on.
func (s *Stepper) Close() {
	s.mu.Lock()
	s.most = 0
	s.mu.Unlock()
	s.Cool()
}
