// Package workflows is a simulated workload of user code: workflows move money between accounts, which are entities, in
// critical sections, one at a time, as children of others, or by the order of events while they continue as new; they tell
// a ledger what they do, at once and at a time, and pass items on to each other. Functions fail, for good as well, and
// take long. Clients start, raise, suspend, resume, terminate, rewind, restart, replace, tag and purge. Schedules start the
// same workflows, by the clock and by hand, and functions have limits.
//
// Another workflow joins as a kind below: how a client asks for it, and what its end must be.
package workflows

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/partition"
	schedules "github.com/weftworks/weft/engine/schedule"
	"github.com/weftworks/weft/engine/scheduled"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/engine/workflow/stepper"
	"github.com/weftworks/weft/sim"
)

// Workload is the workload.
type Workload struct {
	w        *sim.World
	runs     *workflow.Runs
	entities *workflow.Entities
	calendar *schedules.Program
	limits   map[string]function.Settings
	keys     []string // of accounts
	opened   map[string]bool
	opening  int // requests under way
	clients  []*client
	keepers  []*keeper // of schedules
	limit    int
	most     int // schedules
	executed int
	winding  bool
	seen     []*workflow.View
	film     *film
}

const openingCents = 100

// kind is a kind of run that clients start.
type kind struct {
	workflow string
	share    int // of all runs
	// input draws an input, and says what the run must come to: see expect.
	input func(b *Workload, c *client) any
	// restarts says that the run can do again what it did without its clients' help.
	restarts bool
	// purges says that the run calls no others, so that it can begin anew after it was purged.
	purges bool
}

var kinds = []kind{
	{workflow: "transfer", share: 5, restarts: true, purges: true, input: func(b *Workload, c *client) any {
		c.orders = []order{b.order()}
		return c.orders[0]
	}},
	{workflow: "teller", share: 3, input: func(b *Workload, c *client) any {
		for range 1 + b.w.Rand.IntN(7) {
			o := b.order()
			o.Doom, o.Leave = 0, true
			c.orders = append(c.orders, o)
		}
		return till{N: len(c.orders)}
	}},
	{workflow: "errand", share: 2, restarts: true, input: func(b *Workload, c *client) any {
		for range 1 + b.w.Rand.IntN(3) {
			c.orders = append(c.orders, b.order())
		}
		return c.orders
	}},
	{workflow: "relay", share: 2, restarts: true, input: func(b *Workload, c *client) any {
		c.n = 1 + b.w.Rand.IntN(8)
		return batch{N: c.n}
	}},
	{workflow: "reminder", share: 2, restarts: true, purges: true, input: func(b *Workload, c *client) any {
		c.n = 1 + b.w.Rand.IntN(3)
		return batch{N: c.n}
	}},
	{workflow: "audit", share: 2, restarts: true, purges: true, input: func(b *Workload, _ *client) any { return b.keys }},
}

// New makes the workload.
func New(w *sim.World) sim.Workload {
	b := &Workload{
		w: w, limit: 2 + w.Rand.IntN(9), most: w.Rand.IntN(3), opened: make(map[string]bool),
		entities: &workflow.Entities{Faults: w.Faults().Workflow},
		runs: &workflow.Runs{
			Faults: w.Faults().Workflow, Tell: map[partition.ProgramID]func(*workflow.Reply) []byte{schedules.ID: scheduled.Ended},
		},
		calendar: &schedules.Program{Starter: scheduled.Starter(), Faults: w.Faults().Schedule},
	}
	if w.Chance(0.3) {
		b.runs.InboxEvents, b.entities.InboxEvents = 1+w.Rand.IntN(3), 1+w.Rand.IntN(3)
	}
	b.limits = b.newLimits()
	for i := range 2 + w.Rand.IntN(4) {
		b.keys = append(b.keys, strconv.Itoa(i))
	}
	return b
}

// Programs implements sim.Workload.
func (b *Workload) Programs(fold *sim.Fold) map[partition.ProgramID]partition.Program {
	if fold == nil {
		return map[partition.ProgramID]partition.Program{workflow.RunsID: b.runs, workflow.EntitiesID: b.entities, schedules.ID: b.calendar}
	}
	if b.film == nil {
		b.film = newFilm(fold)
	}
	return map[partition.ProgramID]partition.Program{
		workflow.RunsID: filmedRuns{b.runs, b.film}, workflow.EntitiesID: filmedEntities{b.entities, b.film},
		schedules.ID: newFilmedSchedules(b.calendar, b.film),
	}
}

// Code implements sim.Coder.
func (b *Workload) Code() stepper.Code { return code{} }

// newLimits draws the limits of the functions.
func (b *Workload) newLimits() map[string]function.Settings {
	r := b.w.Rand
	limits := make(map[string]function.Settings)
	for _, name := range []string{"approve", "quote", "settle"} {
		s := function.Settings{Concurrency: r.IntN(3), PerKey: r.IntN(3), Aging: 100 * time.Millisecond, Tenants: map[string]int{"0": 1 + r.IntN(5)}}
		if r.IntN(3) == 0 {
			s.Rate, s.Burst = float64(1+r.IntN(20)), 1+r.IntN(3)
		}
		if r.IntN(2) == 0 {
			s.Queue = 1
		}
		limits[name] = s
	}
	return limits
}

// Limits implements sim.Limiter.
func (b *Workload) Limits(name string) function.Settings { return b.limits[name] }

// Idempotent implements sim.Workload.
func (b *Workload) Idempotent(function string) bool { return function == "quote" }

// Events implements sim.Workload.
func (b *Workload) Events(chunk []byte) (lines []string, err error) {
	events, err := durable.ReadChunk(nil, chunk)
	for i := range events {
		lines = append(lines, fmt.Sprintf("%s %x", events[i].Kind, durable.AppendEvent(nil, &events[i])))
	}
	return lines, err
}

// Call implements sim.Workload. Every execution has another result, so that one that changes shows.
func (b *Workload) Call(c sim.Call) partition.Event {
	b.executed++
	if !b.winding {
		switch {
		case c.Function == "doomed" && b.w.Chance(0.6):
			return partition.Event{Error: "Doomed", Cause: strconv.Itoa(b.executed), Final: true}
		case c.Function != "doomed" && b.w.Chance(0.15):
			return partition.Event{Error: "Unlucky", Cause: strconv.Itoa(b.executed)}
		}
	}
	return partition.Event{Body: fmt.Appendf(nil, `"%s %d"`, c.Function, b.executed)}
}

// order draws an order.
func (b *Workload) order() order {
	r := b.w.Rand
	o := order{
		From: b.keys[r.IntN(len(b.keys))], Cents: int64(r.IntN(50)), Quote: r.IntN(2) == 0, Notes: r.IntN(3), Leave: r.IntN(2) == 0,
	}
	for range 1 + r.IntN(2) {
		o.To = append(o.To, b.keys[r.IntN(len(b.keys))])
	}
	if r.IntN(4) == 0 {
		o.Doom = 1 + r.IntN(2)
	}
	if r.IntN(2) == 0 {
		o.Patience = int64(20 + r.IntN(200))
	}
	return o
}

// Act implements sim.Workload.
func (b *Workload) Act(winding bool) {
	b.winding = winding
	if winding {
		for _, key := range b.keys {
			b.open(key)
		}
		for _, c := range b.clients {
			if c.asking == 0 && !c.satisfied() {
				b.pursue(c)
			}
		}
		for _, k := range b.keepers {
			if k.asking == 0 && !k.resumed {
				b.closeSchedule(k)
			}
		}
		return
	}
	switch p := b.w.Rand.IntN(12); {
	case p < 2:
		b.open(b.keys[b.w.Rand.IntN(len(b.keys))])
	case p >= 10 && len(b.keepers) < b.most:
		b.keepers = append(b.keepers, b.newKeeper())
	case p >= 10 && len(b.keepers) > 0:
		b.fiddleSchedule(b.keepers[b.w.Rand.IntN(len(b.keepers))])
	case p < 5 && len(b.clients) < b.limit:
		b.clients = append(b.clients, b.newClient())
		b.pursue(b.clients[len(b.clients)-1])
	case len(b.clients) > 0:
		b.fiddle(b.clients[b.w.Rand.IntN(len(b.clients))])
	}
}

// Done implements sim.Workload.
func (b *Workload) Done() bool {
	if b.opening > 0 || len(b.opened) < len(b.keys) {
		return false
	}
	for _, c := range b.clients {
		if c.asking > 0 || !c.satisfied() {
			return false
		}
	}
	for _, k := range b.keepers {
		if k.asking > 0 || !k.resumed {
			return false
		}
	}
	return true
}

func (b *Workload) newClient() *client {
	sum := 0
	for _, k := range kinds {
		sum += k.share
	}
	p := b.w.Rand.IntN(sum)
	i := 0
	for ; p >= kinds[i].share; i++ {
		p -= kinds[i].share
	}
	c := &client{id: kinds[i].workflow + "-" + strconv.Itoa(len(b.clients)), kind: &kinds[i], meddled: b.w.Chance(0.4)}
	input, err := json.Marshal(c.kind.input(b, c))
	if err != nil {
		b.w.Fail("input: %w", err)
	}
	c.input = input
	return c
}

func (b *Workload) place(instance string) partition.ID {
	return partition.Place(instance, b.w.Partitions())
}
