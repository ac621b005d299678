package workflows

import (
	"encoding/json"
	"fmt"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/sim"
)

// client is who cares for one run.
type client struct {
	id     string
	kind   *kind
	input  []byte
	orders []order
	n      int

	meddled bool // somebody stops, restarts and replaces the run
	asking  int
	acked   bool
	raised  int            // orders that a teller took
	resumed bool           // for the last time
	ended   bool           // was seen to have ended, some time
	final   *workflow.View // what it came to, seen when nothing was under way
	// What clients did to the run, so that it may come to something else than its code says.
	stopped bool // it may have been ended before its time
	rewound bool // it may have done things again
	purging bool // it may be gone
	purged  bool // it is, for good
	tags    int  // that were acknowledged
}

// satisfied reports whether the client has all it wanted.
func (c *client) satisfied() bool { return c.final != nil || c.purged }

// pursue does what brings the client nearer to what it wants: a run that has ended.
func (b *Workload) pursue(c *client) {
	switch {
	case !c.acked:
		b.start(c, 0)
	case b.winding && !c.resumed:
		b.ask(c, workflow.OpResume, nil, func(error) { c.resumed = true })
	case c.kind.workflow == "teller" && c.raised < len(c.orders) && !c.ended:
		b.raise(c)
	default:
		b.look(c, true)
	}
}

// fiddle does something that clients do.
func (b *Workload) fiddle(c *client) {
	if c.asking > 2 {
		return
	}
	switch p := b.w.Rand.IntN(28); {
	case !c.acked || (p < 8 && c.kind.workflow == "teller" && c.raised < len(c.orders)):
		if c.asking == 0 {
			b.pursue(c)
		}
	case p < 10:
		b.look(c, false)
	case p < 12:
		b.look(c, true)
	case p < 14:
		b.ask(c, workflow.OpSuspend, []byte("wait"), nil)
	case p < 17:
		b.ask(c, workflow.OpResume, []byte("go"), nil)
	case p == 17 && c.meddled:
		c.stopped = true
		m := workflow.Terminate{Reason: "enough", Recursive: b.w.Chance(0.7)}
		b.ask(c, workflow.OpTerminate, m.Encode(), nil)
	case p == 18 && c.kind.workflow == "reminder":
		b.ask(c, workflow.OpRaise, (&workflow.Raise{Name: goOn.Name(), Data: []byte(`"from a client"`)}).Encode(), nil)
	case p < 21 && c.ended:
		b.rewind(c)
	case p == 24 && c.tags < 3:
		b.tag(c)
	case p == 25 && c.ended && c.meddled && c.kind.purges:
		c.purging, c.stopped, c.rewound, c.ended = true, true, true, false
		b.ask(c, workflow.OpPurge, nil, nil)
	case p == 21 && c.ended && c.meddled && c.kind.restarts:
		c.stopped, c.ended = true, false
		b.ask(c, workflow.OpRestart, nil, nil)
	case (p == 22 || p == 23) && c.meddled && c.kind.restarts:
		c.stopped = true
		b.start(c, 1<<durable.Running|1<<durable.Suspended|1<<durable.Failed|1<<durable.Completed)
	}
}

func (b *Workload) rewind(c *client) {
	c.rewound = true
	b.ask(c, workflow.OpRewind, (&workflow.Rewind{Reason: "again"}).Encode(), nil)
}

// tag gives the run one more tag.
func (b *Workload) tag(c *client) {
	n := c.tags + 1
	b.ask(c, workflow.OpTag, durable.AppendTags(nil, map[string]string{fmt.Sprint(n): "yes"}), func(error) { c.tags = max(c.tags, n) })
}

// start starts the run, now or, sometimes, later.
func (b *Workload) start(c *client, replace uint16) {
	m := workflow.Start{Workflow: c.kind.workflow, Input: c.input, Seed: b.w.Rand.Uint64(), Replace: replace}
	if b.w.Chance(0.1) {
		m.At = b.w.Now + int64(b.w.Rand.IntN(200))
	}
	b.ask(c, workflow.OpStart, m.Encode(), func(error) { c.acked = true })
}

// raise gives a teller its next order. The order before it was acknowledged.
func (b *Workload) raise(c *client) {
	n := c.raised + 1
	data, err := json.Marshal(numbered{N: n, Order: c.orders[n-1]})
	if err != nil {
		b.w.Fail("order: %w", err)
	}
	b.ask(c, workflow.OpRaise, (&workflow.Raise{Name: ordered.Name(), Data: data}).Encode(), func(refusal error) {
		if refusal == nil {
			c.raised = max(c.raised, n)
		} else {
			c.ended = true
		}
	})
}

// open opens an account with a signal, which may come more than once.
func (b *Workload) open(key string) {
	if b.opened[key] || b.opening > 0 {
		return
	}
	b.opening++
	input, err := json.Marshal(movement{ID: opening, Cents: openingCents})
	if err != nil {
		b.w.Fail("opening: %w", err)
	}
	target := durable.EntityTarget(accounts.Name(), key)
	m := workflow.Operation{Name: "move", Input: input}
	it := message(workflow.EntityInstance(target), workflow.EntitiesID, workflow.OpSignal, m.Encode())
	waiting := true
	b.w.Request(&sim.Ask{Item: it, Partition: b.place(it.Event.To), Answer: func(value any, _ bool, err error) {
		if waiting {
			waiting = false
			b.opening--
		}
		if err == nil && value == true {
			b.opened[key] = true
		}
	}})
}

// opening is the movement that opens an account.
const opening = "opening"

func message(to string, program partition.ProgramID, op uint8, body []byte) lane.Item {
	return lane.Item{Event: partition.Event{Kind: partition.Message, To: to, Program: program, Op: op, Body: body}}
}

// ask sends the run a message.
func (b *Workload) ask(c *client, op uint8, body []byte, then func(refusal error)) {
	b.request(c, message(workflow.RunInstance(c.id), workflow.RunsID, op, body), false, then)
}

// request sends a request and writes down what comes back. last says that a run which is seen to have ended then stays so
// unless the client does something about it.
func (b *Workload) request(c *client, it lane.Item, last bool, then func(refusal error)) {
	c.asking++
	waiting, closing := true, b.winding
	b.w.Request(&sim.Ask{Item: it, Partition: b.place(workflow.RunInstance(c.id)), Answer: func(value any, missing bool, err error) {
		if waiting {
			waiting = false
			c.asking--
		}
		if err != nil {
			return
		}
		var refusal error
		switch v := value.(type) {
		case *workflow.View:
			b.saw(c, v, last)
		case error:
			if fault.Is(v, fault.RunNotFound) && c.purging {
				return
			}
			if refusal = v; !fault.Is(v, fault.Conflict) && !fault.Is(v, fault.RunExists) {
				b.w.Fail("a client of %s was answered %v", c.id, v)
			}
		case nil:
			if c.acked && !c.purging {
				b.w.Fail("%s was acknowledged and is missing", c.id)
			}
			c.purged = c.purging && closing
			return
		}
		if then != nil {
			then(refusal)
		}
	}})
}

func (b *Workload) saw(c *client, v *workflow.View, last bool) {
	b.w.Note(c.id + " " + v.Status.String())
	b.seen = append(b.seen, v)
	if v.ID != c.id {
		b.w.Fail("a client of %s was shown %s", c.id, v.ID)
	}
	if !v.Status.Ended() {
		return
	}
	c.ended = true
	switch {
	case !last:
	case v.Status == durable.Failed && !c.hopeless():
		c.ended = false
		b.rewind(c)
	default:
		c.final = v
	}
}

// hopeless reports whether a rewind may not help: a run that was called by this one was stopped, and says so each time.
func (c *client) hopeless() bool { return c.stopped }

// look looks at the run, or waits for its end.
func (b *Workload) look(c *client, wait bool) {
	name := workflow.RunInstance(c.id)
	b.request(c, lane.Item{Read: func(r *lane.Reader) any {
		ref, ok, err := r.Find(name)
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
		v, err := b.view(r, ref)
		if err != nil {
			return err
		}
		if v.Status.Ended() || !wait {
			return v
		}
		later, ok, err := r.Await(ref)
		if err != nil || !ok {
			return fmt.Errorf("the open run %s cannot be waited for: %w", c.id, err)
		}
		return later
	}}, b.winding && c.acked, nil)
}

// view reads a run, hot or cold.
func (b *Workload) view(r *lane.Reader, ref partition.Ref) (*workflow.View, error) {
	var packed []byte
	if v, ok := r.Core().View(ref); ok {
		if run, ok := v.State.(*workflow.Run); ok {
			return run.View(), nil
		}
		packed = v.Packed
	} else {
		rec, ok, err := r.Record(ref)
		if err != nil || !ok {
			return nil, fmt.Errorf("run %d has a name and no record: %w", ref, err)
		}
		packed = rec.State
	}
	v, _, err := b.runs.ReadView(packed)
	return v, err
}
