package engine

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
)

// client is one of those that work on a world's node at the same time. It alone changes the runs and the machine that
// are its own, so that it knows what must come of it.
type client struct {
	*world
	node    *Node
	rnd     *rand.Rand
	number  int
	goal    int
	reached chan struct{}

	mine  []RunID
	made  int
	over  bool // the node does not answer any more
	ctx   context.Context
	brief bool // ctx ends by itself
}

// work does one thing after the other until the node ends.
func (c *client) work() {
	things := []func(){
		c.start, c.start, c.start, c.start, c.startPrivate, c.wait, c.wait, c.look, c.look, c.stop, c.answerTask, c.list,
		c.list, c.readHistory, c.readHistory, c.changeMachine, c.changeMachine, c.sometimes,
	}
	for !c.over && !c.t.Failed() {
		c.ctx, c.brief = context.Background(), false
		stop := func() {}
		if c.rnd.IntN(8) == 0 {
			c.brief = true
			c.ctx, stop = context.WithTimeout(c.ctx, time.Duration(c.rnd.IntN(2000))*time.Microsecond)
		}
		things[c.rnd.IntN(len(things))]()
		stop()
		c.mu.Lock()
		if c.acks++; c.acks == c.goal {
			close(c.reached)
		}
		c.mu.Unlock()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.acks < c.goal { // a failure ended this client; the round must end, too
		c.acks = c.goal
		close(c.reached)
	}
}

// told reports whether the node has answered; err may be one of kinds.
func (c *client) told(what string, err error, allowed ...fault.Kind) bool {
	switch {
	case err == nil:
		return true
	case fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Busy):
		if c.ctx.Err() == nil {
			c.over = !fault.Is(err, fault.Busy)
		}
		return false
	case slices.Contains(allowed, fault.KindOf(err)):
		return true
	}
	c.t.Errorf("seed %d round %d: %s: %v", c.seed, c.world.number, what, err)
	c.over = true
	return false
}

// some returns one of the client's own runs whose machine pick likes.
func (c *client) some(pick func(string) bool) (RunID, bool) {
	if len(c.mine) == 0 {
		return RunID{}, false
	}
	for range 8 {
		if id := c.mine[c.rnd.IntN(len(c.mine))]; pick(id.Machine) {
			return id, true
		}
	}
	return RunID{}, false
}

func anyMachine(string) bool { return true }

func (c *client) start() {
	c.startRun(kindNames[c.rnd.IntN(len(kindNames))], nil)
}

func (c *client) startPrivate() {
	c.mu.Lock()
	var versions []string
	if m := c.facts.machines[c.private()]; m != nil {
		for _, s := range m.states {
			v, _, _ := strings.Cut(s, "/")
			versions = append(versions, v)
		}
	}
	c.mu.Unlock()
	c.startRun(c.private(), versions)
}

func (c *client) startRun(kind string, versions []string) {
	c.made++
	id := RunID{Machine: kind, Name: fmt.Sprintf("r%d-%d-%d", c.world.number, c.number, c.made)}
	input := fmt.Sprintf(`{"k":%d}`, c.made)
	if kind == "fan" {
		input = fmt.Sprintf(`[%d,2,3]`, c.made)
	}
	c.mu.Lock()
	c.facts.runs[id] = &runFact{input: input, version: versions}
	c.mu.Unlock()
	run, err := c.node.StartRun(c.ctx, StartRun{Machine: id.Machine, Name: id.Name, Input: []byte(input)})
	if !c.told("start "+kind, err, fault.MachineNotFound, fault.MachineDeleting) {
		return
	}
	if err != nil {
		if kinds[kind].definition != "" || !(slices.Contains(versions, "") || slices.Contains(versions, "deleting") || versions == nil) {
			c.t.Errorf("seed %d: start of a run of %s (%q): %v", c.seed, kind, versions, err)
		}
		return
	}
	c.mine = append(c.mine, id)
	c.observe(run, true)
}

// observe holds what a run shows against what is known of it, and remembers it.
func (w *world) observe(run *Run, acked bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.facts.runs[run.ID]
	if f == nil {
		w.t.Errorf("seed %d round %d: run %v was never started", w.seed, w.number, run.ID)
		return
	}
	f.acked = f.acked || acked
	result := ""
	if run.Status != machine.Running {
		result = fmt.Sprintf("%s %s %s %s", run.Status, run.Output, run.Error, run.Cause)
	}
	if f.result != "" && result != f.result {
		w.t.Errorf("seed %d round %d: run %v has result %q and had %q", w.seed, w.number, run.ID, result, f.result)
	}
	if result != "" && !slices.Contains(f.possible(run.ID.Machine), result) {
		w.t.Errorf("seed %d round %d: run %v has result %q, not one of %q", w.seed, w.number, run.ID, result, f.possible(run.ID.Machine))
	}
	if string(run.Input) != f.input {
		w.t.Errorf("seed %d round %d: run %v has input %s, not %s", w.seed, w.number, run.ID, run.Input, f.input)
	}
	f.result = result
}

// removable reports whether retention may have removed a run: it removes failed ones.
func (f *facts) removable(id RunID) bool {
	failed := func(result string) bool { return strings.HasPrefix(result, "FAILED") }
	return f.purged && (id.Machine == "fail" || slices.ContainsFunc(f.runs[id].stops, failed))
}

// possible returns the results that a run may have.
func (f *runFact) possible(kind string) []string {
	switch k := kinds[kind]; {
	case k.ends == "echo":
		return []string{fmt.Sprintf("SUCCEEDED %s  ", f.input)}
	case k.ends == "fail":
		return []string{"FAILED  Boom as told"}
	case k.definition != "":
		return f.stops
	}
	var all []string
	for _, v := range f.version {
		all = append(all, fmt.Sprintf("SUCCEEDED %q  ", v))
	}
	return all
}

func (c *client) wait() {
	id, ok := c.some(anyMachine)
	if !ok {
		return
	}
	if kinds[id.Machine].ends == "" && kinds[id.Machine].definition != "" {
		ctx, stop := context.WithTimeout(c.ctx, time.Duration(c.rnd.IntN(1000))*time.Microsecond)
		defer stop()
		c.ctx = ctx
	}
	c.saw(c.node.WaitRun(c.ctx, id))
}

func (c *client) look() {
	if id, ok := c.some(anyMachine); ok {
		c.saw(c.node.Run(c.ctx, id))
	}
}

// saw takes an answer about a run of this client.
func (c *client) saw(run *Run, err error) {
	if c.told("a run", err, fault.RunNotFound) && err == nil {
		c.observe(run, true)
	} else if fault.Is(err, fault.RunNotFound) && !c.purged() {
		c.t.Errorf("seed %d round %d: %v", c.seed, c.world.number, err)
	}
}

// purged reports whether retention has been at work.
func (w *world) purged() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.facts.purged
}

// may adds a result that a run may have from now on.
func (c *client) may(id RunID, result string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.facts.runs[id]
	f.stops = append(f.stops, result)
}

func (c *client) stop() {
	id, ok := c.some(func(m string) bool { return m == "sleep" || m == "token" })
	if !ok {
		return
	}
	c.may(id, "ABORTED  Enough said")
	c.saw(c.node.StopRun(c.ctx, id, Because("Enough", "said")))
}

func (c *client) answerTask() {
	id, ok := c.some(func(m string) bool { return m == "token" })
	if !ok {
		return
	}
	token, ok := c.tokens.Load(id.Name)
	if !ok {
		return
	}
	var err error
	switch c.rnd.IntN(3) {
	case 0:
		c.may(id, `SUCCEEDED "well"  `)
		err = c.node.SucceedTask(c.ctx, token.(string), []byte(`"well"`))
	case 1:
		c.may(id, "FAILED  Bad luck")
		err = c.node.FailTask(c.ctx, token.(string), Because("Bad", "luck"))
	default:
		err = c.node.HeartbeatTask(c.ctx, token.(string))
	}
	c.told("a task", err, fault.TaskTimedOut, fault.TaskNotFound)
}

// list holds that the client's own runs are in the list, once, and in order.
func (c *client) list() {
	kind := kindNames[c.rnd.IntN(len(kindNames))]
	c.mu.Lock()
	var want []RunID
	for _, id := range c.mine {
		if id.Machine == kind && c.facts.runs[id].acked && !c.facts.removable(id) {
			want = append(want, id)
		}
	}
	c.mu.Unlock()
	got, err := listAll(c.ctx, c.node, ListRuns{Machine: kind, Limit: 1 + c.rnd.IntN(60)})
	if !c.told("list", err) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, id := range want {
		if _, ok := got[id]; !ok && !c.facts.removable(id) { // it may have become so meanwhile
			c.t.Errorf("seed %d round %d: run %v is not listed among %d", c.seed, c.world.number, id, len(got))
		}
	}
}

// listAll pages through a listing and returns the runs' statuses.
func listAll(ctx context.Context, n *Node, q ListRuns) (map[RunID]machine.Status, error) {
	got := make(map[RunID]machine.Status)
	last := int64(1 << 62)
	for {
		page, err := n.ListRuns(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range page.Runs {
			if _, twice := got[r.ID]; twice || r.Started > last {
				return nil, fmt.Errorf("run %v is listed twice or out of order", r.ID)
			}
			got[r.ID], last = r.Status, r.Started
		}
		if q.Cursor = page.Cursor; q.Cursor == "" {
			return got, nil
		}
	}
}

func (c *client) readHistory() {
	id, ok := c.some(anyMachine)
	if !ok {
		return
	}
	events, err := historyOf(c.ctx, c.node, id, c.rnd)
	if c.told("history", err, fault.RunNotFound) && err == nil {
		c.remember(id, events)
	}
}

// historyOf reads a history in pages.
func historyOf(ctx context.Context, n *Node, id RunID, rnd *rand.Rand) ([]history.Event, error) {
	var all []history.Event
	for {
		limit := 1 + rnd.IntN(20)
		page, err := n.History(ctx, id, HistoryQuery{From: int64(len(all)) + 1, Limit: limit})
		if err != nil {
			return nil, err
		}
		if all = append(all, page...); len(page) < limit {
			return all, nil
		}
	}
}

// remember holds that a history continues what was seen before.
func (w *world) remember(id RunID, events []history.Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.facts.runs[id]
	for i := range events {
		text := fmt.Sprintf("%+v", events[i])
		switch {
		case events[i].ID != int64(i+1) || events[i].Prev >= events[i].ID:
			w.t.Errorf("seed %d round %d: event %d of %v has id %d and follows %d", w.seed, w.number, i+1, id, events[i].ID, events[i].Prev)
			return
		case i < len(f.events) && f.events[i] != text:
			w.t.Errorf("seed %d round %d: event %d of %v is now %s and was %s", w.seed, w.number, i+1, id, text, f.events[i])
			return
		case i >= len(f.events):
			f.events = append(f.events, text)
		}
	}
	w.read += len(events)
}

// private is the name of the client's own machine.
func (c *client) private() string { return fmt.Sprintf("own-%d", c.number) }

func versioned(v string) []byte {
	return fmt.Appendf(nil, `{"StartAt":"P","States":{"P":{"Type":"Pass","Result":%q,"End":true}}}`, v)
}

// stateOf describes a private machine.
func stateOf(m *Machine) string {
	if m.Deleting {
		return "deleting"
	}
	_, rest, _ := strings.Cut(string(m.Definition), `"Result":"`)
	v, _, _ := strings.Cut(rest, `"`)
	return v + "/" + m.Tags["tag"]
}

// changeMachine creates, updates, tags or deletes the client's machine.
func (c *client) changeMachine() {
	c.made++
	name, v := c.private(), fmt.Sprintf("v%d-%d", c.world.number, c.made)
	ctx, n := c.ctx, c.node
	switch c.rnd.IntN(8) {
	case 0, 1, 2:
		c.change(func() (*Machine, error) {
			return n.CreateMachine(ctx, CreateMachine{Name: name, Definition: versioned(v)})
		}, func(s string) []string {
			if s == "" {
				return []string{v + "/"}
			}
			return nil
		})
	case 3, 4:
		c.change(func() (*Machine, error) {
			return n.UpdateMachine(ctx, UpdateMachine{Name: name, Definition: versioned(v)})
		},
			func(s string) []string {
				if _, tag, ok := strings.Cut(s, "/"); ok {
					return []string{v + "/" + tag}
				}
				return nil
			})
	case 5, 6:
		c.change(func() (*Machine, error) { return n.TagMachine(ctx, name, map[string]string{"tag": v}, nil) },
			func(s string) []string {
				if def, _, ok := strings.Cut(s, "/"); ok {
					return []string{def + "/" + v}
				}
				return nil
			})
	case 7:
		c.change(func() (*Machine, error) { return nil, n.DeleteMachine(ctx, name) },
			func(string) []string { return []string{"deleting", ""} })
	}
}

// change carries out one change of the private machine; to says what it makes of a state, nothing if it is refused.
func (c *client) change(do func() (*Machine, error), to func(string) []string) {
	c.mu.Lock()
	f := c.facts.machines[c.private()]
	if f == nil {
		f = &machineFact{states: []string{""}}
		c.facts.machines[c.private()] = f
	}
	before := slices.Clone(f.states)
	after := make(map[string]bool)
	for _, s := range before {
		if s == "deleting" {
			f.states = append(f.states, "") // it may go at any time
		}
	}
	for _, s := range f.states {
		for _, next := range to(s) {
			after[next] = true
		}
	}
	f.states = append(f.states, slices.Collect(maps.Keys(after))...)
	c.mu.Unlock()
	m, err := do()
	if !c.told("a machine", err, fault.MachineNotFound, fault.MachineExists, fault.MachineDeleting) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case err != nil:
		f.states = append(before, "")
		if !slices.Contains(before, "deleting") {
			f.states = before
		}
	case m == nil:
		f.states = []string{"deleting", ""}
	case !after[stateOf(m)]:
		c.t.Errorf("seed %d round %d: machine %s is %q after a change that makes it one of %v", c.seed, c.world.number, m.Name, stateOf(m), after)
	default:
		f.states = []string{stateOf(m)}
	}
}

// sometimes does what clients do not: housekeeping.
func (c *client) sometimes() {
	switch c.rnd.IntN(4) {
	case 0:
		c.told("flush", c.node.Flush(context.Background()))
	case 1:
		c.mu.Lock()
		c.facts.purged = true
		c.mu.Unlock()
		if release, err := c.node.useStore(); err == nil {
			c.node.purge(time.Now().Add(48 * time.Hour))
			release()
		}
	case 2:
		c.node.finishDeletes(c.ctx)
	case 3:
		_, err := c.node.Machines(c.ctx)
		c.told("machines", err)
	}
}

// verify holds every fact against a node that has just been opened.
func (w *world) verify(n *Node) {
	ctx := context.Background()
	listed := make(map[string]map[RunID]machine.Status)
	for _, name := range kindNames {
		got, err := listAll(ctx, n, ListRuns{Machine: name, Limit: 1 + w.rnd.IntN(100)})
		if err != nil {
			w.t.Errorf("seed %d round %d: list of %s: %v", w.seed, w.number, name, err)
		}
		listed[name] = got
		w.listed += len(got)
	}
	w.mu.Lock()
	known := maps.Clone(w.facts.runs)
	w.mu.Unlock()
	for name, got := range listed {
		for id := range got {
			if known[id] == nil {
				w.t.Errorf("seed %d round %d: %v of %s is listed and was never started", w.seed, w.number, id, name)
			}
		}
	}
	for id, f := range known {
		w.verifyRun(n, id, f, listed[id.Machine])
	}
	for name, f := range w.facts.machines {
		m, err := n.Machine(ctx, name)
		state := ""
		if err == nil {
			state = stateOf(m)
		}
		if !slices.Contains(f.states, state) && !(state == "" && slices.Contains(f.states, "deleting")) {
			w.t.Errorf("seed %d round %d: machine %s is %q, not one of %q", w.seed, w.number, name, state, f.states)
		}
		f.states = []string{state}
	}
}

// verifyRun holds what is known of one run. list has the runs of its machine.
func (w *world) verifyRun(n *Node, id RunID, f *runFact, list map[RunID]machine.Status) {
	ctx := context.Background()
	removable := w.facts.removable(id)
	run, err := n.Run(ctx, id)
	if err != nil {
		mayMiss := !f.acked || removable
		if !fault.Is(err, fault.RunNotFound) || !mayMiss {
			w.t.Errorf("seed %d round %d: acknowledged run %v: %v", w.seed, w.number, id, err)
		}
		if _, is := list[id]; is && !removable {
			w.t.Errorf("seed %d round %d: run %v is listed and not there", w.seed, w.number, id)
		}
		delete(w.facts.runs, id)
		return
	}
	w.observe(run, true)
	if _, is := list[id]; !is && list != nil && !removable {
		w.t.Errorf("seed %d round %d: run %v is not listed", w.seed, w.number, id)
	}
	if kinds[id.Machine].ends != "" || kinds[id.Machine].definition == "" {
		if run, err = n.WaitRun(ctx, id); err != nil {
			w.t.Errorf("seed %d round %d: waiting for %v: %v", w.seed, w.number, id, err)
			return
		}
		w.observe(run, true)
		w.ended++
	}
	events, err := historyOf(ctx, n, id, w.rnd)
	if err != nil || int64(len(events)) < run.Events || len(events) < len(f.events) {
		w.t.Errorf("seed %d round %d: the history of %v has %d events of %d, %d seen before; %v", w.seed, w.number, id, len(events), run.Events, len(f.events), err)
		return
	}
	w.remember(id, events)
}
