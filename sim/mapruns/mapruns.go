// Package mapruns is a simulated workload of distributed Maps: their items come in pages from an object, their results go to
// files, some items fail, and clients start, stop and redrive the runs while the node crashes.
package mapruns

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/sim"
)

// MapRuns is the workload.
type MapRuns struct {
	w        *sim.World
	library  *statemachine.Library
	runs     *statemachine.Runs
	maps     *statemachine.MapRuns
	objects  *objects
	clients  []*client
	limit    int
	executed int
	winding  bool
	exports  []*export
}

// client is who cares for one run.
type client struct {
	name    string // of the instance
	run     string
	shape   *shape
	n       int          // items
	bad     map[int]bool // those that fail until all is well
	leaves  bool         // a run that has failed is not redriven in the end
	healed  bool
	asking  int
	acked   bool
	ended   machine.Status // 0: not that we know
	stopped bool           // a stop was asked for
	redrove bool           // a redrive was asked for
}

// New makes the workload.
func New(w *sim.World) sim.Workload {
	library := &statemachine.Library{Region: "eu-west-1", Account: "123456789012"}
	return &MapRuns{
		w: w, library: library, runs: &statemachine.Runs{Library: library}, maps: &statemachine.MapRuns{Library: library},
		objects: &objects{bytes: make(map[objectstore.Name][]byte), left: -1}, limit: 1 + w.Rand.IntN(4),
	}
}

// Programs implements sim.Workload.
func (b *MapRuns) Programs(fold *sim.Fold) map[partition.ProgramID]partition.Program {
	if fold != nil {
		return map[partition.ProgramID]partition.Program{
			statemachine.RunsID: runPrograms{b.runs, fold}, statemachine.MapRunsID: mapPrograms{b.maps, fold},
		}
	}
	return map[partition.ProgramID]partition.Program{statemachine.RunsID: b.runs, statemachine.MapRunsID: b.maps}
}

// Idempotent implements sim.Workload.
func (b *MapRuns) Idempotent(function string) bool {
	return function == "look" || function == statemachine.ReadItems
}

// Events implements sim.Workload.
func (b *MapRuns) Events(chunk []byte) (lines []string, err error) {
	r := history.NewReader(chunk)
	var e history.Event
	for r.Next(&e) {
		lines = append(lines, fmt.Sprintf("%d %d %d %s %q %q %q %q", e.ID, e.Prev, e.Time, e.Type, e.Name, e.Input, e.Output, e.Error))
	}
	return lines, r.Err()
}

// worked is what goes through a child run.
type worked struct {
	Items []struct {
		Run string
		N   int
	}
	Ns []int
	By int
}

// Call implements sim.Workload.
func (b *MapRuns) Call(c sim.Call) partition.Event {
	if c.Function == statemachine.ReadItems {
		return b.readItems(c)
	}
	b.executed++
	var in worked
	if err := json.Unmarshal(c.Input, &in); err != nil {
		b.w.Fail("function %s was called with %q: %w", c.Function, c.Input, err)
	}
	if !b.winding && b.w.Chance(0.1) {
		return partition.Event{Error: "Unlucky", Cause: strconv.Itoa(b.executed)}
	}
	if c.Function == "work" {
		for _, item := range in.Items {
			o := b.client(item.Run)
			if o == nil {
				b.w.Fail("an item is of the run %q, which is none", item.Run)
				break
			}
			if o.bad[item.N] && !o.healed {
				return partition.Event{Error: "Bad", Cause: strconv.Itoa(item.N)}
			}
			in.Ns = append(in.Ns, item.N)
		}
	}
	return partition.Event{Body: fmt.Appendf(nil, `{"ns":%s,"by":%d}`, strings.ReplaceAll(fmt.Sprint(in.Ns), " ", ","), b.executed)}
}

func (b *MapRuns) client(run string) *client {
	i := slices.IndexFunc(b.clients, func(c *client) bool { return c.run == run })
	if i < 0 {
		return nil
	}
	return b.clients[i]
}

// Act implements sim.Workload.
func (b *MapRuns) Act(winding bool) {
	b.winding = winding
	for _, e := range slices.Clone(b.exports) {
		if winding || b.w.Chance(0.3) {
			b.carry(e)
		}
	}
	if winding {
		for _, c := range b.clients {
			if c.asking == 0 && !c.satisfied() {
				b.pursue(c)
			}
		}
		return
	}
	if len(b.clients) < b.limit && b.w.Chance(0.3) {
		b.pursue(b.newClient())
		return
	}
	if len(b.clients) > 0 {
		b.fiddle(b.clients[b.w.Rand.IntN(len(b.clients))])
	}
}

func (b *MapRuns) newClient() *client {
	c := &client{run: "run-" + strconv.Itoa(len(b.clients)), shape: &shapes[b.w.Rand.IntN(len(shapes))], n: b.w.Rand.IntN(10)}
	c.name = statemachine.RunInstance(c.shape.name, c.run)
	c.leaves = b.w.Chance(0.3)
	c.bad = make(map[int]bool)
	if b.w.Chance(0.6) {
		for range b.w.Rand.IntN(4) {
			c.bad[b.w.Rand.IntN(10)] = true
		}
	}
	var lines []byte
	for i := range c.n {
		lines = fmt.Appendf(lines, "{\"n\":%d}\n", i)
	}
	b.objects.bytes[objectstore.Name{Bucket: "in", Key: c.run}] = lines
	b.clients = append(b.clients, c)
	return c
}

func (c *client) satisfied() bool {
	return c.ended == machine.Succeeded || c.ended > machine.Running && c.leaves
}

// Done implements sim.Workload.
func (b *MapRuns) Done() bool {
	return len(b.exports) == 0 && !slices.ContainsFunc(b.clients, func(c *client) bool { return c.asking > 0 || !c.satisfied() })
}

// pursue does what brings the client nearer to what it wants: a run that has ended well.
func (b *MapRuns) pursue(c *client) {
	switch {
	case !c.acked:
		blob, id := c.shape.revision()
		start := statemachine.StartMessage{Revision: id, Seed: b.w.Rand.Uint64(), Input: fmt.Appendf(nil, `{"key":%q}`, c.run)}
		it := message(c.name, statemachine.OpStart, start.Encode())
		it.Blob, it.BlobID = blob, id
		b.ask(c, it)
	case c.ended > machine.Running && c.ended != machine.Succeeded && b.winding:
		c.healed = true
		b.redrive(c)
	default:
		b.ask(c, b.read(c, true))
	}
}

func (b *MapRuns) redrive(c *client) {
	c.redrove = true
	m := statemachine.RedriveMessage{}
	b.ask(c, message(c.name, statemachine.OpRedrive, m.Encode()))
}

func (b *MapRuns) stop(c *client) {
	c.stopped = true
	b.ask(c, message(c.name, statemachine.OpStop, statemachine.StopBody("Enough", "")))
}

// fiddle does something that clients do.
func (b *MapRuns) fiddle(c *client) {
	if c.asking > 3 {
		return
	}
	switch p := b.w.Rand.IntN(40); {
	case !c.acked:
		b.pursue(c)
	case p < 10:
		b.ask(c, b.read(c, b.w.Chance(0.3)))
	case p == 10:
		b.stop(c)
	case p == 11: // one who does not know what he wants
		b.stop(c)
		b.redrive(c)
		b.stop(c)
	case p < 14 && c.ended > machine.Running:
		c.healed = c.healed || b.w.Chance(0.3)
		b.redrive(c)
	}
}

func message(to string, op uint8, body []byte) lane.Item {
	return lane.Item{Event: partition.Event{Kind: partition.Message, To: to, Program: statemachine.RunsID, Op: op, Body: body}}
}

func (b *MapRuns) place(name string) partition.ID { return partition.Place(name, b.w.Partitions()) }

// ask sends a request about a run and takes what comes back.
func (b *MapRuns) ask(c *client, it lane.Item) {
	c.asking++
	waiting := true
	b.w.Request(&sim.Ask{Item: it, Partition: b.place(c.name), Answer: func(value any, _ bool, err error) {
		if waiting {
			waiting = false
			c.asking--
		}
		if err != nil {
			return
		}
		switch v := value.(type) {
		case *statemachine.View:
			c.acked, c.ended = true, v.Status
			b.w.Note(c.name + " " + v.Status.String())
		case error:
			if !fault.Is(v, fault.RunExists) && !fault.Is(v, fault.NotRedrivable) {
				b.w.Fail("a client of %s was answered %v", c.name, v)
			}
			c.acked, c.ended = true, 0 // what it knew was old
		case nil:
			if c.acked {
				b.w.Fail("%s was acknowledged and is missing", c.name)
			}
		}
	}})
}

// read looks at a run, or waits for its end.
func (b *MapRuns) read(c *client, wait bool) lane.Item {
	return lane.Item{Read: func(r *lane.Reader) any {
		ref, ok, err := r.Find(c.name)
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
		v, err := b.look(r, ref)
		if err != nil {
			return err
		}
		if v.Status != machine.Running || !wait {
			return v
		}
		later, ok, err := r.Await(ref)
		if err != nil || !ok {
			return fmt.Errorf("the open run %s cannot be waited for: %w", c.name, err)
		}
		return later
	}}
}

// readItems gives pages of few items.
func (b *MapRuns) readItems(c sim.Call) partition.Event {
	page, err := readPage(context.Background(), b.objects, c.Input, 1+b.w.Rand.IntN(3))
	if err != nil {
		b.w.Fail("reading items: %w", err)
	}
	return partition.Event{Body: page}
}
