package engine

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/engine/workflow/stepper"
	"github.com/weftworks/weft/fault"
)

// Code finds the code of workflows and entities. It must be safe for concurrent use.
type Code = stepper.Code

// CodeLister is a Code that can tell what it has.
type CodeLister interface {
	Code
	// Names returns the workflows and the kinds of entities, sorted.
	Names() (workflows []WorkflowName, entities []string)
}

// WorkflowName names the code of a workflow.
type WorkflowName struct{ Name, Version string }

// noCode is the Code of a program without any.
type noCode struct{}

func (noCode) Workflow(string, string) (durable.Code, bool) { return nil, false }
func (noCode) Entity(string) (durable.EntityCode, bool)     { return nil, false }
func (noCode) Names() ([]WorkflowName, []string)            { return nil, nil }

const (
	// patience is how long a partition waits for user code. It is far above what a step takes that only calls Flow, also
	// on a machine with more to do than cores, and short enough that a workflow that blocks does not hold the others of
	// its partition for long. The wait is one to two times as long.
	patience = 100 * time.Millisecond
	// hotDefault is how many runs and entities stay in memory as coroutines and decoded states.
	hotDefault = 16_384
	// hotBytes bounds what they hold, about, over all partitions. What code makes for itself is not counted.
	hotBytes = 256 << 20
)

// coder runs the user code of one partition's instances, on the partition's own goroutine: a switch to another would cost
// more than most steps do. Code that does not come to an end is not waited for: as Go's scheduler does with a system
// call, the watchdog gives the partition to another goroutine, and the one with the code in its hands becomes an
// ordinary client of the partition.
type coder struct {
	node      *Node
	partition partition.ID
	steps     *stepper.Stepper

	mu      sync.Mutex
	owner   uint64 // changes when the partition is given to another goroutine
	running bool   // code runs now
	begun   uint64 // counts the steps
	seen    uint64 // begun, when the watchdog last looked
	at      int    // the job that runs
	jobs    []lane.Job
	done    []partition.Event

	handovers atomic.Uint64
}

func newCoder(n *Node, p partition.ID, partitions int) *coder {
	return &coder{node: n, partition: p, steps: stepper.New(stepper.Config{
		Code: n.opts.Code, Logger: n.opts.Logger, Hot: n.opts.Hot / partitions, HotBytes: hotBytes / partitions, PayloadBytes: n.opts.Limits.PayloadBytes, Values: &n.values,
	})}
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
		t := c.steps.Prepare(&job)
		c.mu.Lock()
		c.at, c.running = i, true
		c.begun++
		owner = c.owner
		c.mu.Unlock()
		ev := c.steps.Make(t)
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
		f := &durable.Failure{Type: "Weft.Goexit", Message: "the operation ended its goroutine (runtime.Goexit) instead of returning"}
		ev.ID, ev.Body = w.Step, workflow.FailedStep(w.Ops, f).Encode()
	}
	if lost { // another goes on already
		_ = n.lanes[c.partition].Submit(lane.Item{Event: ev, Internal: true}) // a failed log has told everybody
		n.coding.Done()
		return
	}
	c.done = append(c.done, ev)
	go n.takeOver(c, next+1)
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
	c.handovers.Add(1)
	c.node.opts.Logger.Warn("user code does not come to an end of its step; its partition goes on without it. Workflows and entities must not block or compute for long: let a function do it",
		"instance", stepper.Name(c.jobs[c.at].Work), "waited", patience)
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
const idleTicks = 20

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
		c.steps.Close()
	}
}
