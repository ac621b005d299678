// Package runs is a simulated workload of state machines: chains, fan-outs, branches that catch, waits, time-outs and
// tasks that wait for a token or for a run that they start, with functions that have bad luck, and clients that start runs by name, retry, stop,
// read, list, wait and purge.
package runs

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/sim"
)

// Runs is the workload.
type Runs struct {
	w        *sim.World
	program  *statemachine.Runs
	maps     *statemachine.MapRuns
	clients  []*client
	limit    int
	executed int
	winding  bool
	tokens   []*token
	orders   []*order
	seen     []sight
	lists    []listing
}

// client is who cares for one run.
type client struct {
	name    string // of the instance
	shape   int
	version int // of the revision it was started with, once acknowledged
	n       int
	asking  int
	acked   bool
	ended   bool
	stopped bool // a stop was asked for
	gone    bool // a purge was asked for
	ref     partition.Ref
}

// token is a task that was handed to a client.
type token struct {
	text   string
	asking int
	done   bool
}

// sight is what a client saw of a run.
type sight struct {
	client *client
	ref    partition.Ref // 0: not told
	view   *statemachine.View
	lines  []string // history, when asked for
}

// listing is what a list showed.
type listing struct {
	name   string
	status machine.Status
}

// New makes the workload.
func New(w *sim.World) sim.Workload {
	library := &statemachine.Library{Region: "eu-west-1", Account: "123456789012"}
	return &Runs{w: w, program: &statemachine.Runs{Library: library}, maps: &statemachine.MapRuns{Library: library}, limit: 2 + w.Rand.IntN(8)}
}

// Programs implements sim.Workload.
func (b *Runs) Programs(fold *sim.Fold) map[partition.ProgramID]partition.Program {
	if fold != nil {
		return map[partition.ProgramID]partition.Program{statemachine.RunsID: witnesses{b.program, fold}, statemachine.MapRunsID: b.maps}
	}
	return map[partition.ProgramID]partition.Program{statemachine.RunsID: b.program, statemachine.MapRunsID: b.maps}
}

// Idempotent implements sim.Workload.
func (b *Runs) Idempotent(function string) bool { return function == "look" }

// Events implements sim.Workload.
func (b *Runs) Events(chunk []byte) ([]string, error) { return events(chunk) }

// Call implements sim.Workload. Every execution has another result, so that one that changes shows.
func (b *Runs) Call(c sim.Call) partition.Event {
	b.executed++
	var in struct {
		N     int
		Token string
	}
	if err := json.Unmarshal(c.Input, &in); err != nil {
		b.w.Fail("function %s was called with %q: %w", c.Function, c.Input, err)
	}
	if !b.winding {
		switch b.w.Rand.IntN(12) {
		case 0:
			return partition.Event{Error: "Unlucky", Cause: strconv.Itoa(b.executed)}
		case 1:
			return partition.Event{Error: "Weft.Unstarted", Flag: true}
		}
	}
	switch c.Function {
	case "refuse":
		return partition.Event{Error: "Broken", Cause: strconv.Itoa(b.executed)}
	case "hand":
		if !slices.ContainsFunc(b.tokens, func(t *token) bool { return t.text == in.Token }) {
			b.tokens = append(b.tokens, &token{text: in.Token})
		}
	}
	return partition.Event{Body: fmt.Appendf(nil, `{"n":%d,"by":%d}`, in.N+1, b.executed)}
}

// Begin implements sim.Asker: it starts the run that a task wants, as engine.Node does.
func (b *Runs) Begin(c sim.Call, answer func(partition.Event)) bool {
	if !strings.HasPrefix(c.Function, "arn:aws:states:::states:startExecution") {
		return false
	}
	var in struct{ Input json.RawMessage }
	var numbers struct{ N int }
	if err := errors.Join(json.Unmarshal(c.Input, &in), json.Unmarshal(in.Input, &numbers)); err != nil {
		b.w.Fail("a run is to be started with %q: %w", c.Input, err)
	}
	_, parent, _ := statemachine.SplitRun(c.Instance)
	name := statemachine.RunInstance("kid", fmt.Sprintf("%s-%d-%d", parent, c.Ref, c.ID))
	blob, id := revision(kid, 1+b.w.Rand.IntN(2))
	start := statemachine.StartMessage{Revision: id, Seed: b.w.Rand.Uint64(), Input: in.Input,
		Parent: statemachine.Parent{Run: c.Instance, Ref: c.Ref, Task: c.ID, Form: statemachine.Opened}}
	it := message(name, start.Op(), start.Encode())
	it.Blob, it.BlobID = blob, id
	o := &order{name: name, n: numbers.N, item: it, answer: answer}
	b.orders = append(b.orders, o)
	b.send(o)
	return true
}

// order is a run that a task wants started. It is asked for until there is an answer: the process that asked may have ended,
// and the next one ask as well.
type order struct {
	name   string
	n      int
	item   lane.Item
	answer func(partition.Event)
	asking bool
}

func (b *Runs) send(o *order) {
	o.asking = true
	b.w.Request(&sim.Ask{Item: o.item, Partition: b.place(o.name), Answer: func(value any, _ bool, err error) {
		o.asking = false
		switch v := value.(type) {
		case error:
			b.w.Fail("the start of %s was answered %v", o.name, v)
		case *statemachine.View:
			b.orders = slices.DeleteFunc(b.orders, func(other *order) bool { return other == o })
			if !slices.ContainsFunc(b.clients, func(c *client) bool { return c.name == o.name }) {
				// Its parent may stop it at any time.
				b.clients = append(b.clients, &client{name: o.name, shape: kid, n: o.n, acked: true, stopped: true})
			}
			o.answer(partition.Event{Body: []byte("{}")})
		}
	}})
}

// remind asks again for the runs whose start has not been answered.
func (b *Runs) remind() {
	for _, o := range slices.Clone(b.orders) {
		if !o.asking {
			b.send(o)
		}
	}
}

// Act implements sim.Workload.
func (b *Runs) Act(winding bool) {
	b.winding = winding
	if winding || b.w.Chance(0.1) {
		b.remind()
	}
	if winding {
		for _, t := range b.tokens {
			b.report(t)
		}
		for _, c := range b.clients {
			if c.asking == 0 && !b.satisfied(c) {
				b.pursue(c)
			}
		}
		return
	}
	switch p := b.w.Rand.IntN(10); {
	case p < 3 && len(b.clients) < b.limit:
		c := &client{shape: b.w.Rand.IntN(kid), n: b.w.Rand.IntN(6)}
		c.name = statemachine.RunInstance(shapes[c.shape].name, "run-"+strconv.Itoa(len(b.clients)))
		b.clients = append(b.clients, c)
		b.pursue(c)
	case p < 4 && len(b.tokens) > 0:
		b.report(b.tokens[b.w.Rand.IntN(len(b.tokens))])
	case p < 5:
		b.list(b.w.Rand.IntN(len(shapes)), partition.ID(b.w.Rand.IntN(b.w.Partitions())))
	case len(b.clients) > 0:
		b.fiddle(b.clients[b.w.Rand.IntN(len(b.clients))])
	}
}

func (b *Runs) satisfied(c *client) bool { return c.ended || c.gone }

// Done implements sim.Workload.
func (b *Runs) Done() bool {
	if len(b.orders) > 0 {
		return false
	}
	for _, c := range b.clients {
		if c.asking > 0 || !b.satisfied(c) {
			return false
		}
	}
	return true
}

// pursue does what brings the client nearer to what it wants: a run that has ended.
func (b *Runs) pursue(c *client) {
	if c.acked {
		b.ask(c, b.read(c, true), nil)
		return
	}
	version := 1 + b.w.Rand.IntN(2) // the machine is updated all the time
	if c.version != 0 {
		version = c.version
	}
	blob, id := revision(c.shape, version)
	items := make([]int, c.n)
	for i := range items {
		items[i] = i
	}
	input, err := json.Marshal(map[string]any{"n": c.n, "items": items})
	if err != nil {
		b.w.Fail("input: %w", err)
	}
	start := statemachine.StartMessage{Revision: id, Seed: b.w.Rand.Uint64(), Input: input}
	it := message(c.name, statemachine.OpStart, start.Encode())
	it.Blob, it.BlobID = blob, id
	b.ask(c, it, func(error) { c.acked = true })
}

// fiddle does something that clients do.
func (b *Runs) fiddle(c *client) {
	if c.asking > 3 {
		return
	}
	switch p := b.w.Rand.IntN(12); {
	case !c.acked:
		b.pursue(c)
	case p < 6:
		b.ask(c, b.read(c, false), nil)
	case p < 9:
		b.ask(c, b.read(c, true), nil)
	case p == 9:
		c.stopped = true
		b.ask(c, message(c.name, statemachine.OpStop, statemachine.StopBody("Enough", "")), nil)
	case c.ended && c.ref != 0:
		c.gone = true
		ev := partition.Event{Kind: partition.Purge, Body: partition.AppendRefs(nil, []partition.Ref{c.ref})}
		b.w.Request(&sim.Ask{Item: lane.Item{Event: ev}, Partition: b.place(c.name), OneWay: true})
	}
}

func message(to string, op uint8, body []byte) lane.Item {
	return lane.Item{Event: partition.Event{Kind: partition.Message, To: to, Program: statemachine.RunsID, Op: op, Body: body}}
}

func (b *Runs) place(name string) partition.ID { return partition.Place(name, b.w.Partitions()) }

// report answers a token.
func (b *Runs) report(t *token) {
	if t.done || t.asking > 1 {
		return
	}
	parsed, err := statemachine.ParseToken(t.text)
	if err != nil {
		b.w.Fail("a function was handed the token %q: %w", t.text, err)
		return
	}
	m := statemachine.TaskMessage{Token: parsed, Output: []byte(`{"n":42}`)}
	it := message(statemachine.RunInstance(parsed.Machine, parsed.Run), statemachine.OpTaskSucceed, m.Encode())
	t.asking++
	waiting := true
	b.w.Request(&sim.Ask{Item: it, Partition: b.place(it.Event.To), Answer: func(value any, missing bool, err error) {
		if waiting {
			waiting = false
			t.asking--
		}
		t.done = t.done || err == nil
		if e, failed := value.(error); failed && !fault.Is(e, fault.TaskTimedOut) && !fault.Is(e, fault.InvalidToken) {
			b.w.Fail("a token was answered %v", e)
		}
	}})
}

// ask sends a request about a run and writes down what comes back.
func (b *Runs) ask(c *client, it lane.Item, then func(error)) {
	c.asking++
	waiting := true
	b.w.Request(&sim.Ask{Item: it, Partition: b.place(c.name), Answer: func(value any, missing bool, err error) {
		if waiting {
			waiting = false
			c.asking--
		}
		if err != nil {
			return
		}
		var s sight
		switch v := value.(type) {
		case *statemachine.View:
			s = sight{view: v}
		case sight:
			s = v
		case error:
			if !fault.Is(v, fault.RunExists) {
				b.w.Fail("a client of %s was answered %v", c.name, v)
			}
		case nil:
			if c.acked && !c.gone {
				b.w.Fail("%s was acknowledged and is missing", c.name)
			}
			return
		}
		b.note(c, s)
		if then != nil {
			then(nil)
		}
	}})
}

func (b *Runs) note(c *client, s sight) {
	if s.view == nil {
		return
	}
	b.w.Note(c.name + " " + s.view.Status.String())
	s.client = c
	b.seen = append(b.seen, s)
	if s.ref != 0 {
		c.ref = s.ref
	}
	c.ended = c.ended || s.view.Status != machine.Running
}

// read looks at a run and its history, or waits for its end.
func (b *Runs) read(c *client, wait bool) lane.Item {
	return lane.Item{Read: func(r *lane.Reader) any {
		ref, ok, err := r.Find(c.name)
		if err != nil {
			return err
		}
		if !ok {
			return nil
		}
		s, err := b.look(r, ref)
		if err != nil {
			return err
		}
		if s.view.Status != machine.Running || !wait {
			return s
		}
		later, ok, err := r.Await(ref)
		if err != nil || !ok {
			return fmt.Errorf("the open run %s cannot be waited for: %w", c.name, err)
		}
		return later
	}}
}

// look reads a run, hot or cold, and its history from wherever it is.
func (b *Runs) look(r *lane.Reader, ref partition.Ref) (s sight, err error) {
	s.ref = ref
	id := r.Core().ID()
	err = r.Store().Scan(partition.HistoryKey(id, ref, 0), partition.HistoryKey(id, ref+1, 0), func(_, v []byte) error {
		return s.chunk(v)
	})
	if err != nil {
		return s, err
	}
	v, hot := r.Core().View(ref)
	if !hot {
		rec, ok, err := r.Record(ref)
		if err != nil || !ok {
			return s, fmt.Errorf("run %d has a name and no record: %w", ref, err)
		}
		s.view, err = b.program.ReadView(rec.State, r.Core().Blob)
		return s, err
	}
	for _, c := range v.Chunks {
		if c.First <= int64(len(s.lines)) {
			continue // the store has it already
		}
		if err := s.add(c.Data); err != nil {
			return s, err
		}
	}
	run, ok := v.State.(*statemachine.Run)
	if !ok {
		s.view, err = b.program.ReadView(v.Packed, r.Core().Blob)
		return s, err
	}
	s.view = run.View()
	data, _, _ := run.History()
	return s, s.add(data)
}

// chunk adds a stored chunk.
func (s *sight) chunk(v []byte) error {
	r := wire.NewReader(slices.Clone(v))
	r.Uint()
	if err := r.Err(); err != nil {
		return err
	}
	return s.add(r.Rest())
}

func (s *sight) add(chunk []byte) error {
	lines, err := events(chunk)
	s.lines = append(s.lines, lines...)
	return err
}

// list asks for one machine's runs in one partition, as engine.ListRuns does.
func (b *Runs) list(shape int, p partition.ID) {
	group := statemachine.RunsGroup(shapes[shape].name)
	var known []*client // before the request: the list must have them
	for _, c := range b.clients {
		if c.acked && !c.gone && c.shape == shape && b.place(c.name) == p {
			known = append(known, c)
		}
	}
	it := lane.Item{Read: func(r *lane.Reader) any { return listed(r, group) }}
	b.w.Request(&sim.Ask{Item: it, Partition: p, Answer: func(value any, _ bool, err error) {
		if err != nil {
			return
		}
		list, ok := value.([]listing)
		if !ok {
			b.w.Fail("a list was answered %v", value)
			return
		}
		for _, c := range known {
			if !c.gone && !slices.ContainsFunc(list, func(l listing) bool { return l.name == c.name }) {
				b.w.Fail("%s was acknowledged and is not listed", c.name)
			}
		}
		b.lists = append(b.lists, list...)
	}})
}

func listed(r *lane.Reader, group string) any {
	core := r.Core()
	list := []listing{}
	hot := make(map[partition.Ref]bool)
	core.Listed(func(ref partition.Ref, name string, s partition.Summary, ok bool) {
		if s.Group == group && ok && !hot[ref] {
			list = append(list, listing{name, machine.Status(s.Status)})
		}
		hot[ref] = true
	})
	for status := machine.Running; status <= machine.Aborted; status++ {
		prefix := partition.ListingPrefix(core.ID(), group, uint8(status))
		upper := append(slices.Clone(prefix[:len(prefix)-1]), prefix[len(prefix)-1]+1)
		err := r.Store().Scan(prefix, upper, func(k, v []byte) error {
			ref, s, name, err := partition.ReadListing(k, v)
			if err == nil && !hot[ref] {
				list = append(list, listing{name, machine.Status(s.Status)})
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	slices.SortFunc(list, func(a, b listing) int { return strings.Compare(a.name, b.name) })
	return list
}
