package engine

import (
	"context"
	"fmt"
	"strings"
	"unicode"

	"github.com/google/uuid"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// WorkflowRun is a run of a workflow as a client sees it.
type WorkflowRun = workflow.View

// StartWorkflow is what Node.StartWorkflow takes.
type StartWorkflow struct {
	Workflow string
	Version  string
	ID       string // "": a fresh UUID
	Input    []byte // one JSON text; nil: null
	Tags     map[string]string
	At       int64 // Unix milliseconds; 0: now
	// Replace lists the statuses of a run that has the id already in which the new run takes its place; an open one is
	// terminated. Without it a start with the id of a run answers that run if it is open and has the same workflow and
	// input, and fails with fault.RunExists otherwise.
	Replace []durable.Status
	// Existing answers the run that has the id already, whatever it is.
	Existing bool
}

// StartWorkflow starts a run of a workflow and returns once it is durable.
func (n *Node) StartWorkflow(ctx context.Context, s StartWorkflow) (*WorkflowRun, error) {
	m := workflow.Start{Workflow: s.Workflow, Version: s.Version, Seed: randomSeed(), Tags: s.Tags, At: s.At, Existing: s.Existing}
	fresh := s.ID == ""
	if fresh {
		s.ID = uuid.NewString()
	}
	if err := checkStart(&s); err != nil {
		return nil, err
	}
	for _, status := range s.Replace {
		m.Replace |= 1 << status
	}
	var err error
	if m.Input, err = n.largePayload(s.Input); err != nil {
		return nil, err
	}
	return n.tellWorkflow(ctx, s.ID, partition.Event{Op: workflow.OpStart, Body: m.Encode(), Fresh: fresh})
}

func checkStart(s *StartWorkflow) error {
	const op = "StartWorkflow"
	if err := checkID("run", s.ID); err != nil {
		return fault.New(op, fault.InvalidName, s.ID, "%w", err)
	}
	if err := checkWorkflow(s.Workflow, s.Version); err != nil {
		return fault.New(op, fault.InvalidName, s.Workflow, "%w", err)
	}
	return checkTags(op, s.ID, s.Tags)
}

// checkWorkflow returns why a workflow cannot be named so.
func checkWorkflow(name, version string) error {
	if name == "" || max(len(name), len(version)) > limits.WorkflowChars {
		return fmt.Errorf("a workflow's name has 1 to %d bytes and its version %[1]d at most, these have %d and %d", limits.WorkflowChars, len(name), len(version))
	}
	return nil
}

func checkTags(op, id string, tags map[string]string) error {
	err := durable.CheckTags(tags)
	switch {
	case err == nil:
		return nil
	case len(tags) > limits.Tags:
		return fault.New(op, fault.TooManyTags, id, "%w", err)
	}
	return fault.New(op, fault.InvalidArgument, id, "%w", err)
}

// reasonOf returns what is kept of a reason. It is the data of an event, and data that begins with a control character may
// be a reference to a large value (partition.ValueOf).
func reasonOf(reason string) string {
	return limits.Cut(strings.TrimLeftFunc(strings.ToValidUTF8(reason, "\uFFFD"), unicode.IsControl), limits.ReasonBytes)
}

// checkID returns why an id of a run, a key of an entity or a name of an event or operation cannot be one.
func checkID(what, id string) error {
	if id == "" || len(id) > limits.IDBytes {
		return fmt.Errorf("the id of a %s has 1 to %d bytes, this has %d", what, limits.IDBytes, len(id))
	}
	for _, c := range id {
		if c < ' ' || c == 0x7f || c == '\uFFFD' {
			return fmt.Errorf("the id of a %s is valid UTF-8 without control characters; %q is not", what, id)
		}
	}
	return nil
}

// payload returns a JSON text that is within the limits, compact; null for nil.
func (n *Node) payload(data []byte) ([]byte, error) {
	if data == nil {
		return []byte("null"), nil
	}
	if len(data) > n.opts.Limits.PayloadBytes {
		return nil, fault.New("", fault.InvalidInput, "", "the payload is %d bytes, the most is %d", len(data), n.opts.Limits.PayloadBytes)
	}
	text, err := jsonvalue.Compact(nil, data)
	if err != nil {
		return nil, fault.New("", fault.InvalidInput, "", "the payload is not JSON: %w", err)
	}
	return text, nil
}

// largePayload is payload for those who can take a reference.
func (n *Node) largePayload(data []byte) ([]byte, error) {
	text, err := n.payload(data)
	if err != nil {
		return nil, err
	}
	return n.values.Shrink(text)
}

// tellWorkflow sends a run a message and returns the run after it.
func (n *Node) tellWorkflow(ctx context.Context, id string, ev partition.Event) (*WorkflowRun, error) {
	v, err := n.sendWorkflow(ctx, id, ev)
	if err != nil {
		return nil, err
	}
	return n.values.texts(v)
}

// sendWorkflow is tellWorkflow whose result may have references.
func (n *Node) sendWorkflow(ctx context.Context, id string, ev partition.Event) (*WorkflowRun, error) {
	if n.closing.Load() {
		return nil, errClosing()
	}
	ev.Kind, ev.To, ev.Program = partition.Message, workflow.RunInstance(id), workflow.RunsID
	v, err := n.ask(ctx, n.place(ev.To), lane.Item{Event: ev}, nil, func() error { return errNoRun(id) })
	if err != nil {
		return nil, err
	}
	return n.explained(v.(*WorkflowRun)), nil
}

// CodeNames returns the workflows and the kinds of entities that the program has code of; known is false if its Code
// cannot tell.
func (n *Node) CodeNames() (workflows []WorkflowName, entities []string, known bool) {
	l, ok := n.opts.Code.(CodeLister)
	if !ok {
		return nil, nil, false
	}
	workflows, entities = l.Names()
	return workflows, entities, true
}

// explained says of a run why its steps wait, if its code is not there.
func (n *Node) explained(v *WorkflowRun) *WorkflowRun {
	if v.Status != durable.Running {
		return v
	}
	if _, ok := n.opts.Code.Workflow(v.Workflow, v.Version); !ok {
		v.Blocked = fmt.Sprintf("this program does not have the code of workflow %q", v.Workflow)
		if v.Version != "" {
			v.Blocked += fmt.Sprintf(" in version %q", v.Version)
		}
		v.Blocked += ": the run's steps wait until one that has it opens the data directory"
	}
	return v
}

// RaiseEvent gives an open run an external event with data (one JSON text; nil: null).
func (n *Node) RaiseEvent(ctx context.Context, id, name string, data []byte) error {
	if err := checkID("event", name); err != nil {
		return fault.New("RaiseEvent", fault.InvalidName, name, "%w", err)
	}
	text, err := n.largePayload(data)
	if err != nil {
		return err
	}
	m := workflow.Raise{Name: name, Data: text}
	_, err = n.sendWorkflow(ctx, id, partition.Event{Op: workflow.OpRaise, Body: m.Encode()})
	return err
}

// SuspendWorkflow makes a run take no steps until it is resumed. What comes for it waits.
func (n *Node) SuspendWorkflow(ctx context.Context, id, reason string) (*WorkflowRun, error) {
	return n.tellWorkflow(ctx, id, partition.Event{Op: workflow.OpSuspend, Body: []byte(reasonOf(reason))})
}

// ResumeWorkflow lets a suspended run go on.
func (n *Node) ResumeWorkflow(ctx context.Context, id, reason string) (*WorkflowRun, error) {
	return n.tellWorkflow(ctx, id, partition.Event{Op: workflow.OpResume, Body: []byte(reasonOf(reason))})
}

// TerminateWorkflow ends an open run, and with recursive the runs it waits for, too. Functions that run see their context
// end; locks are given back. Terminating an ended run returns it unchanged.
func (n *Node) TerminateWorkflow(ctx context.Context, id, reason string, recursive bool) (*WorkflowRun, error) {
	m := workflow.Terminate{Reason: reasonOf(reason), Recursive: recursive}
	return n.tellWorkflow(ctx, id, partition.Event{Op: workflow.OpTerminate, Body: m.Encode()})
}

// RewindWorkflow takes a failed run back to before its failure and makes the calls that failed again.
func (n *Node) RewindWorkflow(ctx context.Context, id, reason string) (*WorkflowRun, error) {
	m := workflow.Rewind{Reason: reasonOf(reason)}
	return n.tellWorkflow(ctx, id, partition.Event{Op: workflow.OpRewind, Body: m.Encode()})
}

// RestartWorkflow begins an ended run anew, with the input it had.
func (n *Node) RestartWorkflow(ctx context.Context, id string) (*WorkflowRun, error) {
	return n.tellWorkflow(ctx, id, partition.Event{Op: workflow.OpRestart})
}

// TagWorkflow adds tags to a run; an empty value removes a tag.
func (n *Node) TagWorkflow(ctx context.Context, id string, tags map[string]string) (*WorkflowRun, error) {
	if err := checkTags("TagWorkflow", id, tags); err != nil {
		return nil, err
	}
	return n.tellWorkflow(ctx, id, partition.Event{Op: workflow.OpTag, Body: durable.AppendTags(nil, tags)})
}

// PurgeWorkflow removes an ended run and its history, and with recursive the runs that it called, too. It returns how
// many were removed.
func (n *Node) PurgeWorkflow(ctx context.Context, id string, recursive bool) (purged int, err error) {
	return n.purgeWorkflow(ctx, id, recursive, make(map[string]bool))
}

// purgeWorkflow passes by runs that it has seen: ids are the users', and may lead in a circle.
func (n *Node) purgeWorkflow(ctx context.Context, id string, recursive bool, seen map[string]bool) (purged int, err error) {
	seen[id] = true
	if recursive {
		if purged, err = n.purgeChildren(ctx, id, seen); err != nil {
			return purged, err
		}
	}
	if _, err := n.sendWorkflow(ctx, id, partition.Event{Op: workflow.OpPurge}); err != nil {
		return purged, err
	}
	return purged + 1, nil
}

// purgeChildren removes the runs that a run has called. One that has the id of a child that could not be started is
// another's and stays.
func (n *Node) purgeChildren(ctx context.Context, id string, seen map[string]bool) (purged int, err error) {
	events, err := n.WorkflowHistory(ctx, id)
	if err != nil {
		return 0, err
	}
	for i := range events {
		if events[i].Kind != durable.ChildScheduled || seen[events[i].Target] {
			continue
		}
		child, err := n.Workflow(ctx, events[i].Target)
		count := 0
		if err == nil && child.Parent == id {
			count, err = n.purgeWorkflow(ctx, child.ID, true, seen)
		}
		if purged += count; err != nil && !fault.Is(err, fault.RunNotFound) {
			return purged, err
		}
	}
	return purged, nil
}

// viewWorkflow looks at a run.
func (n *Node) viewWorkflow(r *lane.Reader, id string) (ref partition.Ref, v *WorkflowRun, first int64, err error) {
	ref, ok, err := r.Find(workflow.RunInstance(id))
	if err != nil {
		return 0, nil, 0, err
	}
	if !ok {
		return 0, nil, 0, errNoRun(id)
	}
	if v, ok := r.Core().View(ref); ok {
		if run, ok := v.State.(*workflow.Run); ok {
			return ref, run.View(), run.FirstEvent(), nil
		}
		view, first, err := n.workflows.ReadView(v.Packed)
		return ref, view, first, err
	}
	rec, ok, err := r.Record(ref)
	if err != nil {
		return 0, nil, 0, err
	}
	if !ok {
		return 0, nil, 0, errNoRun(id)
	}
	view, first, err := n.workflows.ReadView(rec.State)
	return ref, view, first, err
}

// askWorkflow lets the partition of a run read.
func (n *Node) askWorkflow(ctx context.Context, id string, read func(*lane.Reader) any) (any, error) {
	return n.ask(ctx, n.place(workflow.RunInstance(id)), lane.Item{Read: read}, nil, nil)
}

// Workflow returns a run.
func (n *Node) Workflow(ctx context.Context, id string) (*WorkflowRun, error) {
	v, err := n.askWorkflow(ctx, id, func(r *lane.Reader) any {
		_, view, _, err := n.viewWorkflow(r, id)
		if err != nil {
			return err
		}
		return view
	})
	if err != nil {
		return nil, err
	}
	run, err := n.values.texts(v.(*WorkflowRun))
	if err != nil {
		return nil, err
	}
	return n.explained(run), nil
}

// WaitWorkflow returns a run once it has ended.
func (n *Node) WaitWorkflow(ctx context.Context, id string) (*WorkflowRun, error) {
	var waited partition.Ref // the lane's
	v, err := n.askWorkflow(ctx, id, func(r *lane.Reader) any {
		ref, view, _, err := n.viewWorkflow(r, id)
		if err != nil {
			return err
		}
		if view.Status.Ended() {
			return view
		}
		waited = ref
		later, ok, err := r.Await(ref)
		if err != nil {
			return err
		}
		if !ok {
			return errNoRun(id)
		}
		return later
	})
	if ctx.Err() != nil {
		_ = n.lanes[n.place(workflow.RunInstance(id))].Submit(lane.Item{Internal: true, Read: func(r *lane.Reader) any {
			r.Leave(waited)
			return nil
		}})
	}
	if err != nil {
		return nil, err
	}
	return n.values.texts(v.(*WorkflowRun))
}

// WorkflowHistory returns the history of a run's execution, committed events only.
func (n *Node) WorkflowHistory(ctx context.Context, id string) ([]durable.Event, error) {
	v, err := n.askWorkflow(ctx, id, func(r *lane.Reader) any {
		ref, _, first, err := n.viewWorkflow(r, id)
		if err != nil {
			return err
		}
		chunks, err := r.History(ref, first)
		if err != nil {
			return err
		}
		return chunks
	})
	if err != nil {
		return nil, err
	}
	events, err := durable.ReadChunks(v.([][]byte))
	for i := range events {
		if events[i].Kind == durable.RunStarted {
			events[i].Target = id
		}
	}
	if err != nil {
		return nil, err
	}
	return events, n.values.textsOf(events)
}

// ListWorkflows is a query over runs of workflows, newest first.
type ListWorkflows struct {
	Workflow string           // "": of all
	Status   []durable.Status // none: any
	Prefix   string           // of the run id
	From     int64            // only runs created at or after this time (Unix milliseconds)
	Before   int64            // only runs created before this time; 0: no bound
	Limit    int              // 0: 100; at most 1,000
	Cursor   string           // from the page before
	// Tags that a run must have. They are looked up run by run; the page may be short.
	Tags map[string]string
	// Full reads each run; otherwise only ID, Workflow, Status, Created and Ended are filled in.
	Full bool
}

// WorkflowPage is one page of runs.
type WorkflowPage struct {
	Runs   []WorkflowRun
	Cursor string // "" at the end
}

var durableStatuses = []durable.Status{durable.Pending, durable.Running, durable.Suspended, durable.Completed, durable.Failed, durable.Terminated}

// ListWorkflows returns a page of runs, newest first.
func (n *Node) ListWorkflows(ctx context.Context, q ListWorkflows) (*WorkflowPage, error) {
	l := listing{group: workflow.RunsGroup, limit: q.Limit, from: q.From, before: q.Before}
	want := q.Status
	if len(want) == 0 {
		want = durableStatuses
	}
	for _, s := range want {
		l.status = append(l.status, workflow.ListedStatus(s))
	}
	prefix := workflow.RunInstance(q.Prefix)
	l.match = func(a *listed) bool {
		return strings.HasPrefix(a.name, prefix) && (q.Workflow == "" || a.summary.Label == q.Workflow)
	}
	found, cursor, err := n.list(ctx, l, q.Cursor)
	if err != nil {
		return nil, err
	}
	page := &WorkflowPage{Cursor: cursor}
	for i := range found {
		run, err := n.listedWorkflow(ctx, &found[i], q.Full || len(q.Tags) > 0)
		if err != nil {
			return nil, err
		}
		if run != nil && hasTags(run.Tags, q.Tags) {
			page.Runs = append(page.Runs, *run)
		}
	}
	return page, nil
}

func hasTags(has, want map[string]string) bool {
	for k, v := range want {
		if has[k] != v {
			return false
		}
	}
	return true
}

func (n *Node) listedWorkflow(ctx context.Context, l *listed, full bool) (*WorkflowRun, error) {
	id, _ := workflow.RunID(l.name)
	if full {
		v, err := n.Workflow(ctx, id)
		if fault.Is(err, fault.RunNotFound) {
			return nil, nil // purged meanwhile
		}
		return v, err
	}
	status, _ := workflow.StatusListed(l.summary.Status)
	return &WorkflowRun{ID: id, Workflow: l.summary.Label, Status: status, Created: l.summary.Time, Ended: l.summary.Ended}, nil
}

// PurgeWorkflows removes the ended runs that a query finds, page by page to its end, and returns how many there were. Open
// runs stay, and so do sub-workflows that the query does not find.
func (n *Node) PurgeWorkflows(ctx context.Context, q ListWorkflows) (purged int, err error) {
	if len(q.Status) == 0 {
		q.Status = []durable.Status{durable.Completed, durable.Failed, durable.Terminated}
	}
	q.Limit, q.Cursor = listMax, ""
	for {
		page, err := n.ListWorkflows(ctx, q)
		if err != nil {
			return purged, err
		}
		for i := range page.Runs {
			switch _, err := n.PurgeWorkflow(ctx, page.Runs[i].ID, false); {
			case err == nil:
				purged++
			case !fault.Is(err, fault.RunNotFound) && !fault.Is(err, fault.Conflict):
				return purged, err
			}
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return purged, nil
		}
	}
}

// Entity is an entity as a client sees it.
type Entity = workflow.EntityView

// SignalEntity sends an operation to an entity and returns once it is durable. at is when it is to be done (Unix
// milliseconds; 0: at once). The entity is made if it does not exist.
func (n *Node) SignalEntity(ctx context.Context, name, key, operation string, input []byte, at int64) error {
	if n.closing.Load() {
		return errClosing()
	}
	if err := checkEntity(name, key); err != nil {
		return err
	}
	if err := checkID("operation", operation); err != nil {
		return fault.New("SignalEntity", fault.InvalidName, operation, "%w", err)
	}
	text, err := n.largePayload(input)
	if err != nil {
		return err
	}
	m := workflow.Operation{Name: operation, Input: text, Due: at}
	to := workflow.EntityInstance(durable.EntityTarget(name, key))
	it := lane.Item{Event: partition.Event{Kind: partition.Message, To: to, Program: workflow.EntitiesID, Op: workflow.OpSignal, Body: m.Encode()}}
	_, err = n.ask(ctx, n.place(to), it, nil, nil)
	return err
}

func checkEntity(name, key string) error {
	if strings.Contains(name, "/") || name == "" || len(name) > limits.WorkflowChars {
		return fault.New("", fault.InvalidName, name, "the name of a kind of entity has 1 to %d bytes and no slash", limits.WorkflowChars)
	}
	if err := checkID("entity", key); err != nil {
		return fault.New("", fault.InvalidName, key, "%w", err)
	}
	return nil
}

// Entity returns an entity, or fault.RunNotFound.
func (n *Node) Entity(ctx context.Context, name, key string) (*Entity, error) {
	instance := workflow.EntityInstance(durable.EntityTarget(name, key))
	missing := fault.New("", fault.RunNotFound, key, "there is no entity %q with the key %q", name, key)
	v, err := n.ask(ctx, n.place(instance), lane.Item{Read: func(r *lane.Reader) any {
		v, err := n.viewEntity(r, instance)
		switch {
		case err != nil:
			return err
		case v == nil:
			return missing
		}
		return v
	}}, nil, nil)
	if err != nil {
		return nil, err
	}
	e := *v.(*Entity)
	if _, ok := n.opts.Code.Entity(name); !ok && e.Waiting > 0 {
		e.Blocked = fmt.Sprintf("this program does not have the code of entity %q: its operations wait until one that has it opens the data directory", name)
	}
	e.State, err = n.values.Text(e.State)
	return &e, err
}

func (n *Node) viewEntity(r *lane.Reader, instance string) (*Entity, error) {
	ref, ok, err := r.Find(instance)
	if err != nil || !ok {
		return nil, err
	}
	if v, ok := r.Core().View(ref); ok {
		if e, ok := v.State.(*workflow.Entity); ok {
			return e.View(), nil
		}
	}
	rec, ok, err := r.Record(ref)
	if err != nil || !ok {
		return nil, err
	}
	return n.entities.ReadView(rec.State)
}

// ListEntities returns a page of entities of a kind ("": of all) whose keys begin with prefix, newest first.
func (n *Node) ListEntities(ctx context.Context, name, prefix string, limit int, cursor string) (page []Entity, next string, err error) {
	l := listing{group: workflow.EntitiesGroup, status: []uint8{1}, limit: limit, match: func(a *listed) bool {
		target, _ := workflow.EntityTarget(a.name)
		_, key, _ := durable.SplitEntity(target)
		return (name == "" || a.summary.Label == name) && strings.HasPrefix(key, prefix)
	}}
	found, next, err := n.list(ctx, l, cursor)
	if err != nil {
		return nil, "", err
	}
	for i := range found {
		target, _ := workflow.EntityTarget(found[i].name)
		kind, key, _ := durable.SplitEntity(target)
		e, err := n.Entity(ctx, kind, key)
		if fault.Is(err, fault.RunNotFound) {
			continue
		}
		if err != nil {
			return nil, "", err
		}
		page = append(page, *e)
	}
	return page, next, nil
}
