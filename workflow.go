package weft

import (
	"context"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine"
)

// WorkflowOf is a workflow that was declared.
type WorkflowOf[In, Out any] struct {
	name    string
	version string
	code    durable.Code
}

// WorkflowOption says something about a workflow.
type WorkflowOption func(*workflowSettings)

type workflowSettings struct{ version string }

// CodeVersion declares the workflow in a version. Runs are pinned to the version they started with, so several versions of
// one name can be given to Open side by side; each handle starts its own.
func CodeVersion(version string) WorkflowOption {
	return func(s *workflowSettings) { s.version = version }
}

// Workflow declares a workflow: code that connects functions, entities, events, timers and other workflows. It must be
// deterministic: it gets the time from w.Now, randomness from w.Rand and w.UUID, and lets functions do everything else.
// weftvet finds what is not.
func Workflow[In, Out any](name string, fn func(w *Flow, in In) (Out, error), options ...WorkflowOption) *WorkflowOf[In, Out] {
	var s workflowSettings
	for _, o := range options {
		o(&s)
	}
	return &WorkflowOf[In, Out]{name: name, version: s.version, code: func(w *Flow, input []byte) ([]byte, error) {
		in, err := decode[In](input)
		if err != nil {
			return nil, err
		}
		out, err := fn(w, in)
		if err != nil {
			return nil, err
		}
		return encode(out)
	}}
}

// Name returns the workflow's name.
func (f *WorkflowOf[In, Out]) Name() string { return f.name }

func (f *WorkflowOf[In, Out]) declare(d *declarations) error {
	return d.workflow(f.name, f.version, f.code)
}

// Call runs the workflow as a part of another and waits for its result. The error is a *Failure.
func (f *WorkflowOf[In, Out]) Call(w *Flow, in In, options ...CallOption) (Out, error) {
	return f.Start(w, in, options...).Await(w)
}

// Start runs the workflow as a part of another and returns its result as a future.
func (f *WorkflowOf[In, Out]) Start(w *Flow, in In, options ...CallOption) Future[Out] {
	data, err := encode(in)
	if err != nil {
		return Future[Out]{durable.FailedTask(err)}
	}
	c := newCall(options)
	if c.version == "" {
		c.version = f.version
	}
	return Future[Out]{durable.Child(w, f.name, c.version, c.id, data, &c.options, c.retry)}
}

// Spawn starts a run of the workflow that nobody waits for, from a workflow or an operation of an entity, and returns its
// id.
func (f *WorkflowOf[In, Out]) Spawn(from Sender, in In, options ...CallOption) (id string, err error) {
	data, err := encode(in)
	if err != nil {
		return "", err
	}
	c := newCall(options)
	if c.version == "" {
		c.version = f.version
	}
	switch s := from.(type) {
	case *Flow:
		return durable.Spawn(s, f.name, c.version, c.id, data, &c.options)
	case *EntityContext:
		return durable.SpawnFrom(s, f.name, c.version, c.id, data, &c.options)
	}
	return "", unknownSender(from)
}

// ContinueAsNew returns the error with which a workflow ends its execution and begins the next one with another input and
// a fresh history: what a workflow that runs for ever does now and then. Events that were not read go with it.
//
//	return 0, counter.ContinueAsNew(next)
//
// Go does not let the initial value of a package variable refer to the variable ("initialization cycle"): there use the
// function ContinueAsNew.
func (f *WorkflowOf[In, Out]) ContinueAsNew(in In) error {
	data, err := encode(in)
	if err != nil {
		return err
	}
	return durable.ContinueAsNew(data, f.version, false)
}

// ContinueAsNew is WorkflowOf.ContinueAsNew for code that does not have its own handle: the next execution is of the workflow
// and the version that w is of. in must be what that workflow takes.
//
//	var counter = weft.Workflow("counter", func(w *weft.Flow, sum int) (int, error) {
//		...
//		return 0, weft.ContinueAsNew(w, sum+n)
//	})
func ContinueAsNew[In any](w *Flow, in In) error {
	data, err := encode(in)
	if err != nil {
		return err
	}
	return durable.ContinueAsNew(data, w.CodeVersion(), false)
}

// StartOption says something about the start of a run.
type StartOption func(*engine.StartWorkflow)

// WithID gives the run an id. The default is a fresh UUID.
func WithID(id string) StartOption { return func(s *engine.StartWorkflow) { s.ID = id } }

// WithTags gives the run tags, by which it can be found.
func WithTags(tags map[string]string) StartOption {
	return func(s *engine.StartWorkflow) { s.Tags = tags }
}

// At lets the run begin at a time that is to come.
func At(t time.Time) StartOption {
	return func(s *engine.StartWorkflow) { s.At = t.UnixMilli() }
}

// Replacing lets the new run take the place of one that has its id and one of some statuses; an open one is terminated.
func Replacing(statuses ...Status) StartOption {
	return func(s *engine.StartWorkflow) { s.Replace = statuses }
}

// OrExisting answers the run that has the id already, whatever it is, instead of failing.
func OrExisting() StartOption { return func(s *engine.StartWorkflow) { s.Existing = true } }

// Run starts a run of the workflow and returns once it is durable.
func (f *WorkflowOf[In, Out]) Run(ctx context.Context, app *App, in In, options ...StartOption) (*RunOf[Out], error) {
	data, err := encode(in)
	if err != nil {
		return nil, err
	}
	if err := app.has(f.name, f.version); err != nil {
		return nil, err
	}
	s := engine.StartWorkflow{Workflow: f.name, Version: f.version, Input: data}
	for _, o := range options {
		o(&s)
	}
	v, err := app.node.StartWorkflow(ctx, s)
	if err != nil {
		return nil, err
	}
	return &RunOf[Out]{Run{app, v.ID}}, nil
}

// Find returns the handle of a run by its id, which need not exist.
func (f *WorkflowOf[In, Out]) Find(app *App, id string) *RunOf[Out] { return &RunOf[Out]{Run{app, id}} }

// RunOf is a run with the type of its result.
type RunOf[Out any] struct{ Run }

// Wait waits for the run's end and returns its result. A run that failed or was terminated returns a *Failure.
func (r *RunOf[Out]) Wait(ctx context.Context) (Out, error) {
	var zero Out
	info, err := r.Run.Wait(ctx)
	if err != nil {
		return zero, err
	}
	if err := info.Err(); err != nil {
		return zero, err
	}
	return decode[Out](info.Output)
}
