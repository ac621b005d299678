package classic

import (
	"fmt"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/limits"
)

// runCode runs the code of an instance and returns what it did as a Stepped event.
func (e *Engine) runCode(p *part, s *session, work any) (partition.Event, error) {
	ev := partition.Event{Kind: partition.Stepped}
	switch w := work.(type) {
	case *workflow.Job:
		body, err := e.runStep(p, s, w)
		ev.ID, ev.Body = w.Step, body
		return ev, err
	case *workflow.EntityJob:
		body, err := e.entityStep(w)
		ev.ID, ev.Body = w.Step, body
		return ev, err
	}
	return ev, fmt.Errorf("classic: an instance asks for a step with a %T", work)
}

// runStep replays a run on its history and lets it take what has come.
func (e *Engine) runStep(p *part, s *session, w *workflow.Job) ([]byte, error) {
	run := s.run
	if run == nil || run.Events() != w.Position {
		s.forget()
		code, ok := e.opts.Code.Workflow(w.Workflow, w.Version)
		if !ok {
			return nil, fmt.Errorf("classic: there is no workflow %q in version %q", w.Workflow, w.Version)
		}
		run = durable.New(durable.Config{ID: w.ID, Code: code, Logger: e.opts.Logger, OutputBytes: limits.Default.PayloadBytes})
		if w.Position > 0 {
			events, err := e.history(p, s, w.First)
			if err != nil {
				return nil, err
			}
			if int64(len(events)) != w.Position {
				return nil, fmt.Errorf("classic: the table has %d events of run %q, its history is %d long", len(events), w.ID, w.Position)
			}
			_ = run.Replay(events) // if it differs, Step fails the run
		}
	}
	res := run.Step(w.Now, w.Inputs)
	if res.Err != nil {
		e.opts.Logger.Error("a run's code does not do what it did before", "error", res.Err)
	}
	if e.opts.Extended && !run.Ended() {
		s.run = run
	} else {
		run.Close()
		s.run = nil
	}
	return durable.AppendStep(nil, &durable.Step{Time: w.Now, Consumed: len(w.Inputs), Status: res.Status, Actions: res.Actions}), nil
}

// entityStep does the operations that wait for an entity, whose state was read with them.
func (e *Engine) entityStep(w *workflow.EntityJob) ([]byte, error) {
	name, _, _ := durable.SplitEntity(w.Target)
	code, ok := e.opts.Code.Entity(name)
	if !ok {
		return nil, fmt.Errorf("classic: there is no entity %q", name)
	}
	entity, err := code.Open(w.State)
	if err != nil {
		return nil, err
	}
	ctx := durable.NewEntityContext(w.Target, fmt.Sprint(w.Step), w.Now, limits.Default.PayloadBytes)
	step := workflow.EntityStep{Consumed: len(w.Ops), Change: workflow.StateSet}
	for i := range w.Ops {
		op := &w.Ops[i]
		sent := len(ctx.Messages())
		out, err := entity.Do(ctx, op.Name, op.Input)
		answer := workflow.Answer{Op: i, Data: out}
		if err != nil {
			ctx.Rollback(sent)
			answer.Failure, _ = durable.FailureOf(err)
			answer.Data = nil
		}
		if op.From.Instance != "" {
			step.Answers = append(step.Answers, answer)
		}
	}
	if step.State, err = entity.State(); err != nil {
		return nil, err
	}
	if step.State == nil {
		step.Change = workflow.StateDeleted
	}
	step.Messages = ctx.Messages()
	return step.Encode(), nil
}
