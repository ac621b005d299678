package weft

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// Options says how an App works. The zero value keeps everything in memory.
type Options struct {
	// Dir is the data directory, made if absent. "": nothing is kept past Close.
	Dir string
	// Logger gets what operators want to know, and what workflows log. nil: slog.Default().
	Logger *slog.Logger
	// Engine says everything else about the engine; Dir, Logger, Functions and Code of it are not used.
	Engine engine.Options
}

// App is an open Weft: the engine with the functions, workflows and entities of a program. Its methods are safe for
// concurrent use.
type App struct {
	options   Options
	node      *engine.Node
	functions *function.Registry
	declared  *declarations
}

// declarations gathers what Open is given.
type declarations struct {
	functions *function.Registry
	workflows map[string]durable.Code // by name and version
	entities  map[string]durable.EntityCode
}

func codeKey(name, version string) string { return name + "\x00" + version }

func (d *declarations) workflow(name, version string, code durable.Code) error {
	key := codeKey(name, version)
	if name == "" || max(len(name), len(version)) > limits.WorkflowChars {
		return fault.New("weft.Open", fault.InvalidName, name, "the name of a workflow has 1 to %d bytes and its version %[1]d at most; one has %d and %d", limits.WorkflowChars, len(name), len(version))
	}
	if d.workflows[key] != nil {
		return fault.New("weft.Open", fault.Conflict, name, "workflow %q was given twice in version %q; give one of them another CodeVersion", name, version)
	}
	d.workflows[key] = code
	return nil
}

func (d *declarations) entity(name string, code durable.EntityCode) error {
	if _, _, slash := durable.SplitEntity(name); slash || name == "" || len(name) > limits.WorkflowChars {
		return fault.New("weft.Open", fault.InvalidName, name, "the name of a kind of entity has 1 to %d bytes and no slash", limits.WorkflowChars)
	}
	if d.entities[name] != nil {
		return fault.New("weft.Open", fault.Conflict, name, "entity %q was given twice", name)
	}
	d.entities[name] = code
	return nil
}

// Workflow implements engine.Code.
func (d *declarations) Workflow(name, version string) (durable.Code, bool) {
	code, ok := d.workflows[codeKey(name, version)]
	return code, ok
}

// Entity implements engine.Code.
func (d *declarations) Entity(name string) (durable.EntityCode, bool) {
	code, ok := d.entities[name]
	return code, ok
}

// Names implements engine.CodeLister.
func (d *declarations) Names() (workflows []engine.WorkflowName, entities []string) {
	for _, key := range slices.Sorted(maps.Keys(d.workflows)) {
		name, version, _ := strings.Cut(key, "\x00")
		workflows = append(workflows, engine.WorkflowName{Name: name, Version: version})
	}
	return workflows, slices.Sorted(maps.Keys(d.entities))
}

// Declared returns the code and the functions of declarations in the form in which engines take them, for programs that
// open an engine by themselves. Close the registry after the engine.
func Declared(declared ...Declaration) (engine.Code, *function.Registry, error) {
	d, err := gather(declared)
	if err != nil {
		return nil, nil, err
	}
	return d, d.functions, nil
}

func gather(declared []Declaration) (*declarations, error) {
	d := &declarations{functions: function.NewRegistry(), workflows: make(map[string]durable.Code), entities: make(map[string]durable.EntityCode)}
	var errs []error
	for _, one := range declared {
		errs = append(errs, one.declare(d))
	}
	return d, errors.Join(errs...)
}

// Open opens a data directory with the declarations of a program, and goes on with the runs that were open. It fails with
// fault.Conflict when another process has the directory open and with fault.Corrupt when it is damaged.
func Open(o Options, declared ...Declaration) (*App, error) {
	d, err := gather(declared)
	if err != nil {
		return nil, err
	}
	e := o.Engine
	e.Dir, e.Logger, e.Functions, e.Code = o.Dir, o.Logger, d.functions, d
	node, err := engine.Open(e)
	if err != nil {
		return nil, err
	}
	return &App{options: o, node: node, functions: d.functions, declared: d}, nil
}

// has returns why the App cannot run a workflow: its code was not given to Open, and a run would wait for ever.
func (a *App) has(workflow, version string) error {
	if _, ok := a.declared.Workflow(workflow, version); ok {
		return nil
	}
	words := fmt.Sprintf("workflow %q", workflow)
	if version != "" {
		words += fmt.Sprintf(" in version %q", version)
	}
	return fault.New("weft", fault.ResourceNotFound, workflow, "%s was not given to Open, so nobody would run it; add it to the declarations", words)
}

// Close makes everything durable and closes the directory. Runs stay as they are.
func (a *App) Close() error { return errors.Join(a.node.Close(), a.functions.Close()) }

// Engine returns the engine, on which state machines run beside workflows.
func (a *App) Engine() *engine.Node { return a.node }

// Status is what has become of a run.
type Status = durable.Status

// The statuses.
const (
	Pending    = durable.Pending    // started for a time that has not come
	Running    = durable.Running    // open
	Suspended  = durable.Suspended  // open; takes no steps
	Completed  = durable.Completed  // ended with an output
	Failed     = durable.Failed     // ended with a failure
	Terminated = durable.Terminated // ended from outside
)

// Info is what there is to know about a run.
type Info struct {
	ID        string
	Workflow  string
	Version   string
	Status    Status
	Execution int // counts from 1: continue-as-new, restart and rewind begin another
	Created   time.Time
	Ended     time.Time // zero while open
	Tags      map[string]string
	Parent    string // run id
	Input     []byte // JSON
	Output    []byte // JSON; nil unless Completed
	Failure   *Failure
	Reason    string // of a termination or a suspension
	Custom    []byte // custom status: JSON
	Events    int    // length of the history
}

// Err returns why an ended run has no result; nil if it is open or completed.
func (i *Info) Err() error {
	switch i.Status {
	case Failed:
		return i.Failure
	case Terminated:
		return &Failure{Type: "Weft.Terminated", Message: fmt.Sprintf("run %q was terminated: %s", i.ID, i.Reason), Final: true}
	}
	return nil
}

func info(v *engine.WorkflowRun) *Info {
	i := &Info{
		ID: v.ID, Workflow: v.Workflow, Version: v.Version, Status: v.Status, Execution: int(v.Execution), Created: time.UnixMilli(v.Created).UTC(),
		Tags: v.Tags, Parent: v.Parent, Input: v.Input, Output: v.Output, Failure: v.Failure, Reason: v.Reason, Custom: v.Custom, Events: int(v.Events),
	}
	if v.Ended != 0 {
		i.Ended = time.UnixMilli(v.Ended).UTC()
	}
	return i
}

// Run is a handle of a run of any workflow.
type Run struct {
	app *App
	id  string
}

// Find returns the handle of a run by its id, which need not exist.
func (a *App) Find(id string) *Run { return &Run{a, id} }

// ID returns the run's id.
func (r *Run) ID() string { return r.id }

// Info returns what there is to know about the run now. It shows nothing that a crash can take back.
func (r *Run) Info(ctx context.Context) (*Info, error) { return seen(r.app.node.Workflow(ctx, r.id)) }

// Wait waits for the run's end.
func (r *Run) Wait(ctx context.Context) (*Info, error) {
	return seen(r.app.node.WaitWorkflow(ctx, r.id))
}

// Suspend makes the run take no steps until Resume. What comes for it waits.
func (r *Run) Suspend(ctx context.Context, reason string) (*Info, error) {
	return seen(r.app.node.SuspendWorkflow(ctx, r.id, reason))
}

// Resume lets a suspended run go on.
func (r *Run) Resume(ctx context.Context, reason string) (*Info, error) {
	return seen(r.app.node.ResumeWorkflow(ctx, r.id, reason))
}

// Terminate ends an open run, and the runs that it waits for. Locks are given back; functions that run see their context
// end.
func (r *Run) Terminate(ctx context.Context, reason string) (*Info, error) {
	return seen(r.app.node.TerminateWorkflow(ctx, r.id, reason, true))
}

// Rewind takes a failed run back to before its failure and makes the calls that failed again, those of sub-workflows too.
// What was called before that failure and succeeded is not called again. A run that failed within a critical section goes
// back to before it.
func (r *Run) Rewind(ctx context.Context, reason string) (*Info, error) {
	return seen(r.app.node.RewindWorkflow(ctx, r.id, reason))
}

// Restart begins an ended run anew, with the input it had.
func (r *Run) Restart(ctx context.Context) (*Info, error) {
	return seen(r.app.node.RestartWorkflow(ctx, r.id))
}

// Tag adds tags to the run; an empty value removes one.
func (r *Run) Tag(ctx context.Context, tags map[string]string) (*Info, error) {
	return seen(r.app.node.TagWorkflow(ctx, r.id, tags))
}

// Purge removes an ended run, its history and those of its sub-workflows.
func (r *Run) Purge(ctx context.Context) error {
	_, err := r.app.node.PurgeWorkflow(ctx, r.id, true)
	return err
}

// History returns the events of the run's execution.
func (r *Run) History(ctx context.Context) (History, error) {
	events, err := r.app.node.WorkflowHistory(ctx, r.id)
	return History(events), err
}

func seen(v *engine.WorkflowRun, err error) (*Info, error) {
	if err != nil {
		return nil, err
	}
	return info(v), nil
}

// Query says which runs are meant. The zero value means all.
type Query struct {
	Workflow string   // name
	Status   []Status // any of them
	Prefix   string   // of the id
	From     time.Time
	Before   time.Time         // by the time of their creation
	Tags     map[string]string // all of them
	Limit    int               // runs a page; 0: 100; at most 1,000
	Cursor   string            // from the page before
}

func (q Query) engine() engine.ListWorkflows {
	e := engine.ListWorkflows{Workflow: q.Workflow, Status: q.Status, Prefix: q.Prefix, Tags: q.Tags, Limit: q.Limit, Cursor: q.Cursor, Full: true}
	if !q.From.IsZero() {
		e.From = q.From.UnixMilli()
	}
	if !q.Before.IsZero() {
		e.Before = q.Before.UnixMilli()
	}
	return e
}

// Runs returns a page of runs, newest first, and the cursor of the next page ("" at the end).
func (a *App) Runs(ctx context.Context, q Query) (page []*Info, cursor string, err error) {
	p, err := a.node.ListWorkflows(ctx, q.engine())
	if err != nil {
		return nil, "", err
	}
	for i := range p.Runs {
		page = append(page, info(&p.Runs[i]))
	}
	return page, p.Cursor, nil
}

// Purge removes the ended runs that a query means and returns how many there were.
func (a *App) Purge(ctx context.Context, q Query) (int, error) {
	return a.node.PurgeWorkflows(ctx, q.engine())
}
