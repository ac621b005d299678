package engine

import (
	"container/list"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/fault"
)

// Code finds the code of workflows and entities. It must be safe for concurrent use.
type Code interface {
	// Workflow returns the code of a workflow in a version, and false if the program does not have it.
	Workflow(name, version string) (durable.Code, bool)
	// Entity returns the code of a kind of entity.
	Entity(name string) (durable.EntityCode, bool)
}

// noCode is the Code of a program without any.
type noCode struct{}

func (noCode) Workflow(string, string) (durable.Code, bool) { return nil, false }
func (noCode) Entity(string) (durable.EntityCode, bool)     { return nil, false }

const (
	// patience is how long a partition waits for user code. It is far above what a step takes that only calls Flow, and
	// short enough that a workflow that blocks does not hold the others of its partition for long. The wait is one to two
	// times as long.
	patience = 10 * time.Millisecond
	// hotDefault is how many runs and entities stay in memory as coroutines and decoded states.
	hotDefault = 16_384
)

// coder runs the user code of one partition's instances, on the partition's own goroutine: a switch to another would cost
// more than most steps do. Code that does not come to an end is not waited for: as Go's scheduler does with a system
// call, the watchdog gives the partition to another goroutine, and the one with the code in its hands becomes an
// ordinary client of the partition.
type coder struct {
	node      *Node
	partition partition.ID

	mu      sync.Mutex
	owner   uint64 // changes when the partition is given to another goroutine
	running bool   // code runs now
	begun   uint64 // counts the steps
	seen    uint64 // begun, when the watchdog last looked
	at      int    // the job that runs
	jobs    []lane.Job
	done    []partition.Event

	hot    map[partition.Ref]*list.Element // of *warm
	order  *list.List                      // least recently used first
	most   int
	absent map[string]bool // code that was asked for and is not there, to say so once
}

// warm is the code of an instance between two of its steps.
type warm struct {
	ref    partition.Ref
	run    *durable.Run // or
	entity durable.OpenEntity
	// What the instance must be at for the code to go on with it.
	execution uint64
	step      uint64 // made
}

// task is one step, with what it needs of the partition.
type task struct {
	ref     partition.Ref
	work    any
	warm    *warm
	history [][]byte
	err     error // the history cannot be read
}

func newCoder(n *Node, p partition.ID, most int) *coder {
	return &coder{node: n, partition: p, hot: make(map[partition.Ref]*list.Element), order: list.New(), most: max(most, 1), absent: make(map[string]bool)}
}

// step implements lane.Host for one partition.
func (c *coder) step(jobs []lane.Job) (done []partition.Event, lost bool) {
	c.node.dog.wake()
	c.mu.Lock()
	c.jobs, c.done = jobs, c.done[:0]
	c.mu.Unlock()
	return c.goOn(0)
}

// goOn makes the steps from the i-th on. It reports lost when the partition was given to another goroutine meanwhile: then
// nothing of it may be touched.
func (c *coder) goOn(i int) (done []partition.Event, lost bool) {
	var job lane.Job
	var owner uint64
	returned := false
	defer func() {
		if !returned {
			c.exited(job, owner)
		}
	}()
	for ; i < len(c.jobs); i++ {
		job = c.jobs[i]
		t := c.prepare(&job)
		c.mu.Lock()
		c.at, c.running = i, true
		c.begun++
		owner = c.owner
		c.mu.Unlock()
		ev := c.run(t)
		c.mu.Lock()
		if c.owner != owner {
			c.mu.Unlock()
			_ = c.node.lanes[c.partition].Submit(lane.Item{Event: ev, Internal: true}) // a failed log has told everybody
			c.node.coding.Done()
			returned = true
			return nil, true
		}
		c.running = false
		c.done = append(c.done, ev)
		c.mu.Unlock()
	}
	returned = true
	return c.done, false
}

// exited goes on after user code has called runtime.Goexit, which nothing stops: this goroutine ends. Runs contain it, so
// it was an operation of an entity. The step is made again, one operation at a time, and the operation that does it fails.
func (c *coder) exited(job lane.Job, owner uint64) {
	n := c.node
	n.group.Add(1) // for the goroutine that goes on; whoever drove gives his own back on the way out
	c.mu.Lock()
	lost, next := c.owner != owner, c.at
	if !lost {
		c.owner++
		c.running = false
	}
	c.mu.Unlock()
	ev := partition.Event{Kind: partition.Stepped, Ref: job.Ref}
	if w, ok := job.Work.(*workflow.EntityJob); ok {
		if !lost && len(w.Ops) > 1 {
			w.Ops = w.Ops[:1]
			go n.takeOver(c, next)
			return
		}
		ev.ID, ev.Body = w.Step, exitedStep(w)
	}
	if lost { // another goes on already
		_ = n.lanes[c.partition].Submit(lane.Item{Event: ev, Internal: true}) // a failed log has told everybody
		n.coding.Done()
		return
	}
	c.done = append(c.done, ev)
	go n.takeOver(c, next+1)
}

// exitedStep is a step whose operations fail because one of them ended the goroutine.
func exitedStep(w *workflow.EntityJob) []byte {
	s := workflow.EntityStep{Consumed: len(w.Ops)}
	for i := range w.Ops {
		if w.Ops[i].From.Instance != "" {
			f := &durable.Failure{Type: "Weft.Goexit", Message: "the operation ended its goroutine (runtime.Goexit) instead of returning"}
			s.Answers = append(s.Answers, workflow.Answer{Op: i, Failure: f})
		}
	}
	return s.Encode()
}

// look gives the partition to another goroutine if the same code runs as when it looked last.
func (c *coder) look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.running || c.begun != c.seen {
		c.seen = c.begun
		return
	}
	c.owner++
	c.running = false
	t := task{work: c.jobs[c.at].Work}
	c.node.opts.Logger.Warn("user code does not come to an end of its step; its partition goes on without it. Workflows and entities must not block or compute for long: let a function do it",
		"instance", t.name(), "waited", patience)
	c.node.coding.Add(1)
	go c.node.takeOver(c, c.at+1)
}

// takeOver goes on with a partition in the middle of a turn, from the i-th step on.
func (n *Node) takeOver(c *coder, i int) {
	l := n.lanes[c.partition]
	returned := false
	defer func() {
		if !returned {
			n.group.Done() // see exited
		}
	}()
	done, lost := c.goOn(i)
	if lost {
		returned = true
		return
	}
	err := l.Resume(done)
	returned = true
	switch {
	case err == lane.ErrLost:
		return
	case err != nil:
		n.fail(err)
	}
	n.drive(l)
}

// watchdog looks after partitions that run user code. It sleeps while there is none. It outlives the partitions'
// goroutines: one that waits for user code ends only when the watchdog has given its partition to another.
type watchdog struct {
	node   *Node
	asleep atomic.Bool
	bell   chan struct{}
	quit   chan struct{}
	group  sync.WaitGroup
}

// stop ends the watchdog, when the partitions' goroutines have ended.
func (d *watchdog) stop() {
	close(d.quit)
	d.group.Wait()
}

func (d *watchdog) wake() {
	if d.asleep.Load() && d.asleep.CompareAndSwap(true, false) {
		d.bell <- struct{}{}
	}
}

// idleTicks is how often the watchdog looks in vain before it sleeps.
const idleTicks = 100

func (d *watchdog) run() {
	defer d.group.Done()
	tick := time.NewTicker(patience)
	defer tick.Stop()
	idle, last := 0, uint64(0)
	for {
		select {
		case <-tick.C:
		case <-d.quit:
			return
		}
		begun, busy := uint64(0), false
		for _, c := range d.node.coders {
			c.look()
			c.mu.Lock()
			begun += c.begun
			busy = busy || c.running
			c.mu.Unlock()
		}
		if idle++; busy || begun != last {
			idle, last = 0, begun
		}
		if idle < idleTicks {
			continue
		}
		tick.Stop()
		d.asleep.Store(true)
		select {
		case <-d.bell:
		case <-d.quit:
			return
		}
		tick.Reset(patience)
		idle = 0
	}
}

func (t *task) name() string {
	switch w := t.work.(type) {
	case *workflow.Job:
		return w.Workflow + " " + w.ID
	case *workflow.EntityJob:
		return w.Target
	}
	return ""
}

// prepare takes what a step needs from the partition, whose goroutine calls it: the code that is in memory, or the history.
func (c *coder) prepare(job *lane.Job) *task {
	t := &task{ref: job.Ref, work: job.Work, warm: c.take(job.Ref)}
	switch w := job.Work.(type) {
	case *workflow.Job:
		if t.warm != nil && (t.warm.run == nil || t.warm.execution != w.Execution || t.warm.step != w.Step-1) {
			t.warm.close()
			t.warm = nil
		}
		if (t.warm == nil && w.Position > 0) || w.Rewind {
			t.history, t.err = job.History(w.First)
		}
	case *workflow.EntityJob:
		if t.warm != nil && (t.warm.entity == nil || t.warm.step != w.Step-1) {
			t.warm = nil
		}
	}
	return t
}

func (w *warm) close() {
	if w.run != nil {
		w.run.Close()
	}
}

// run makes one step. An event without ID says that it could not be made.
func (c *coder) run(t *task) partition.Event {
	ev := partition.Event{Kind: partition.Stepped, Ref: t.ref}
	switch {
	case t.err != nil:
		c.node.opts.Logger.Error("a run's history cannot be read", "instance", t.name(), "error", t.err)
		return ev
	default:
	}
	switch w := t.work.(type) {
	case *workflow.Job:
		if body, ok := c.runStep(t, w); ok {
			ev.ID, ev.Body = w.Step, body
		}
	case *workflow.EntityJob:
		if body, ok := c.entityStep(t, w); ok {
			ev.ID, ev.Body = w.Step, body
		}
	}
	return ev
}

func (c *coder) runStep(t *task, w *workflow.Job) ([]byte, bool) {
	if w.Rewind {
		events, err := readChunks(t.history)
		if err != nil {
			return nil, c.unreadable(t, err)
		}
		return durable.AppendStep(nil, &durable.Step{Rewound: durable.Rewind(events, w.Causes)}), true
	}
	hot := t.warm
	if hot == nil {
		code, ok := c.node.opts.Code.Workflow(w.Workflow, w.Version)
		if !ok {
			c.missing("workflow", w.Workflow, w.Version)
			return nil, false
		}
		hot = &warm{ref: t.ref, execution: w.Execution, run: durable.New(durable.Config{
			ID: w.ID, Code: code, Logger: c.node.opts.Logger, OutputBytes: c.node.opts.Limits.PayloadBytes,
		})}
		events, err := readChunks(t.history)
		if err != nil {
			return nil, c.unreadable(t, err)
		}
		hot.run.Replay(events)
	}
	res := hot.run.Step(w.Now, w.Inputs)
	if res.Err != nil {
		c.node.opts.Logger.Error("a run's code does not do what it did before", "error", res.Err)
	}
	hot.step = w.Step
	if hot.run.Ended() {
		hot.run.Close()
	} else {
		c.put(hot)
	}
	return durable.AppendStep(nil, &durable.Step{Time: w.Now, Consumed: res.Consumed, Status: res.Status, Actions: res.Actions}), true
}

func (c *coder) unreadable(t *task, err error) bool {
	c.node.opts.Logger.Error("a run's history does not decode", "instance", t.name(), "error", err)
	return false
}

func readChunks(chunks [][]byte) (events []durable.Event, err error) {
	for _, chunk := range chunks {
		if events, err = durable.ReadChunk(events, chunk); err != nil {
			return nil, err
		}
	}
	return events, nil
}

func (c *coder) entityStep(t *task, w *workflow.EntityJob) ([]byte, bool) {
	name, _, _ := durable.SplitEntity(w.Target)
	hot := t.warm
	if hot == nil {
		code, ok := c.node.opts.Code.Entity(name)
		if !ok {
			c.missing("entity", name, "")
			return nil, false
		}
		open, err := code.Open(w.State)
		if err != nil {
			c.node.opts.Logger.Error("an entity's state does not fit its type; its operations wait until the code is mended", "entity", w.Target, "error", err)
			return nil, false
		}
		hot = &warm{ref: t.ref, entity: open}
	}
	ctx := durable.NewEntityContext(w.Target, fmt.Sprintf("%d.%d", t.ref, w.Step), w.Now, c.node.opts.Limits.PayloadBytes)
	s := workflow.EntityStep{Consumed: len(w.Ops)}
	changed := false
	for i := range w.Ops {
		op := &w.Ops[i]
		sent := len(ctx.Messages())
		out, err := hot.entity.Do(ctx, op.Name, op.Input)
		if err != nil {
			ctx.Rollback(sent)
			f, _ := durable.FailureOf(err)
			if op.From.Instance == "" {
				c.node.opts.Logger.Warn("a signal's operation failed", "entity", w.Target, "operation", op.Name, "error", err)
				continue
			}
			s.Answers = append(s.Answers, workflow.Answer{Op: i, Failure: f})
			continue
		}
		changed = true
		if op.From.Instance != "" {
			s.Answers = append(s.Answers, workflow.Answer{Op: i, Data: out})
		}
	}
	if changed {
		state, err := hot.entity.State()
		switch {
		case err != nil:
			c.node.opts.Logger.Error("an entity's state does not encode", "entity", w.Target, "error", err)
			return nil, false
		case state == nil:
			s.Change = workflow.StateDeleted
		default:
			s.Change, s.State = workflow.StateSet, state
		}
	}
	s.Messages = ctx.Messages()
	hot.step = w.Step
	c.put(hot)
	return s.Encode(), true
}

// missing says once that code is not there.
func (c *coder) missing(what, name, version string) {
	key := fmt.Sprintf("%s %s %s", what, name, version)
	c.mu.Lock()
	said := c.absent[key]
	if len(c.absent) < 1000 {
		c.absent[key] = true
	}
	c.mu.Unlock()
	if !said {
		c.node.opts.Logger.Warn("there is no code for an open instance; it waits until the node is opened with it", "what", what, "name", name, "version", version)
	}
}

// take takes the code of an instance out of those in memory.
func (c *coder) take(ref partition.Ref) *warm {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.hot[ref]
	if e == nil {
		return nil
	}
	delete(c.hot, ref)
	c.order.Remove(e)
	return e.Value.(*warm)
}

// put keeps the code of an instance in memory, instead of the one that was not used for longest if there are too many.
func (c *coder) put(w *warm) {
	var out []*warm
	c.mu.Lock()
	if old := c.hot[w.ref]; old != nil { // a slow step ended beside a newer one
		c.order.Remove(old)
		out = append(out, old.Value.(*warm))
	}
	c.hot[w.ref] = c.order.PushBack(w)
	for len(c.hot) > c.most {
		e := c.order.Front()
		old := e.Value.(*warm)
		c.order.Remove(e)
		delete(c.hot, old.ref)
		out = append(out, old)
	}
	c.mu.Unlock()
	for _, old := range out {
		old.close()
	}
}

// close ends all code in memory.
func (c *coder) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for e := c.order.Front(); e != nil; e = e.Next() {
		e.Value.(*warm).close()
	}
	c.hot, c.order = make(map[partition.Ref]*list.Element), list.New()
	c.most = 0
}

// Step implements lane.Host.
func (h host) Step(p partition.ID, jobs []lane.Job) (done []partition.Event, lost bool) {
	return h.coders[p].step(jobs)
}

var errNoRun = func(id string) error {
	return fault.New("", fault.RunNotFound, id, "there is no workflow run %q", id)
}

// closeCode ends the code in memory. Code that is in the middle of a step is waited for a moment.
func (n *Node) closeCode() {
	ended := make(chan struct{})
	go func() {
		n.coding.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(closeGrace):
		n.opts.Logger.Warn("workflows or entities are still in the middle of a step; closing without them")
	}
	for _, c := range n.coders {
		c.close()
	}
}
