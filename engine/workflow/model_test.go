package workflow_test

import (
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
)

// model explores what runs that lock overlapping sets of entities may do: every order in which messages of different pairs
// arrive (those of one pair keep theirs), every pace of the code, and terminations at any point. The programs are the real
// ones; each instance is alone in its partition, which is the most freedom that messages can have.
type model struct {
	t        *testing.T
	config   partition.Config
	names    []string   // of instances, by partition
	sets     [][]string // of entities that each run locks
	ends     int        // terminations on one path, at most
	restarts int        // and restarts
	direct   bool       // the negative control: cancellations go to all entities at once, and not along the chain
	seen     map[uint64]struct{}
	seed     maphash.Seed
	terminal int
	wrong    string
}

// world is one state: what is stored, what is on its way, and which code has something to do.
type world struct {
	stores           []mapStore
	queues           map[[2]partition.ID][]*partition.Event
	owes             []bool
	ended, restarted int
}

func (w *world) clone() *world {
	return &world{stores: slices.Clone(w.stores), queues: maps.Clone(w.queues), owes: slices.Clone(w.owes), ended: w.ended, restarted: w.restarted}
}

// newModel places every instance in a partition of its own.
func newModel(t *testing.T, ends, restarts int, sets ...string) (*model, *world) {
	m := &model{t: t, ends: ends, restarts: restarts, seen: make(map[uint64]struct{}), seed: maphash.MakeSeed()}
	entities := make(map[string]bool)
	for _, set := range sets {
		m.sets = append(m.sets, strings.Split(set, "+"))
		for _, e := range m.sets[len(m.sets)-1] {
			entities[e] = true
		}
	}
	wanted := slices.Sorted(maps.Keys(entities))
	for i := range wanted {
		wanted[i] = workflow.EntityInstance("e/" + wanted[i])
	}
	for i := range sets {
		wanted = append(wanted, workflow.RunInstance(fmt.Sprint("run", i)))
	}
	// As many partitions as it takes until no two share one.
	for n := len(wanted); ; n++ {
		m.names = make([]string, n)
		clash := false
		for _, name := range wanted {
			p := partition.Place(name, n)
			clash = clash || m.names[p] != ""
			m.names[p] = name
		}
		if !clash {
			break
		}
	}
	m.config = partition.Config{Partitions: len(m.names), Programs: map[partition.ProgramID]partition.Program{
		workflow.RunsID: &workflow.Runs{}, workflow.EntitiesID: &workflow.Entities{},
	}}
	w := &world{queues: make(map[[2]partition.ID][]*partition.Event), owes: make([]bool, len(m.names))}
	for range m.names {
		w.stores = append(w.stores, make(mapStore))
	}
	for i := range sets {
		start := workflow.Start{Workflow: "lock", Input: []byte(sets[i])}
		m.tell(w, i, workflow.OpStart, start.Encode())
	}
	return m, w
}

// lockCode is in its critical section while its status says so.
func lockCode(w *durable.Flow, in []byte) ([]byte, error) {
	var targets []string
	for name := range strings.SplitSeq(string(in), "+") {
		targets = append(targets, "e/"+name)
	}
	section, err := durable.Enter(w, targets...)
	if err != nil {
		return nil, err
	}
	_ = durable.SetStatus(w, []byte("in"))
	if _, err := durable.CallEntity(w, targets[0], "add", []byte("1")).Await(w); err != nil {
		return nil, err
	}
	_ = durable.SetStatus(w, []byte("out"))
	section.Leave()
	return nil, nil
}

// tell gives a run a message of a client.
func (m *model) tell(w *world, run int, op uint8, body []byte) {
	to := workflow.RunInstance(fmt.Sprint("run", run))
	m.step(w, partition.Place(to, len(m.names)), partition.Event{Kind: partition.Message, To: to, Program: workflow.RunsID, Op: op, Body: body})
}

func (m *model) load(w *world, p partition.ID) *partition.Core {
	cfg := m.config
	cfg.ID = p
	core, _, err := partition.Load(cfg, w.stores[p])
	if err != nil {
		m.t.Fatal(err)
	}
	return core
}

// step folds an event into a partition and saves it.
func (m *model) step(w *world, p partition.ID, ev partition.Event) {
	core := m.load(w, p)
	ev.Time = 1000
	store := maps.Clone(w.stores[p])
	prepare(core, store, &ev)
	for _, e := range core.Step(&ev) {
		switch e.Kind {
		case partition.Send:
			e.Event.From = partition.Origin{} // the outbox is another test's
			m.send(w, p, e.Partition, e.Event)
		case partition.Step:
			w.owes[p] = true
		}
	}
	core.Snapshot(store, 1)
	w.stores[p] = store
}

func (m *model) send(w *world, from, to partition.ID, ev *partition.Event) {
	if m.direct && ev.Program == workflow.EntitiesID && ev.Op == workflow.OpCancel {
		lock, err := workflow.ReadLock(ev.Body)
		if err != nil {
			m.t.Fatal(err)
		}
		lock.Position = len(lock.Entities) - 1 // nobody passes it on
		for _, target := range lock.Entities {
			instance := workflow.EntityInstance(target)
			k := [2]partition.ID{from, partition.Place(instance, len(m.names))}
			one := *ev
			one.To, one.Body = instance, lock.Encode()
			w.queues[k] = append(slices.Clip(w.queues[k]), &one)
		}
		return
	}
	k := [2]partition.ID{from, to}
	w.queues[k] = append(slices.Clip(w.queues[k]), ev)
}

// work makes the step that the instance of a partition owes.
func (m *model) work(w *world, p partition.ID) {
	w.owes[p] = false
	v, ok := w.stores[p][string(partition.NameKey(p, m.names[p]))]
	if !ok {
		return // it is gone
	}
	ref := partition.Ref(v[0])
	core := m.load(w, p)
	prepare(core, w.stores[p], &partition.Event{Kind: partition.Stepped, Ref: ref})
	core.Outstanding(ref, func(partition.Invocation) {})
	n := &node{plain: core, behind: w.stores[p], cfg: partition.Config{ID: p}}
	c := &cluster{t: m.t, nodes: []*node{n}, codes: map[string]durable.Code{"lock": lockCode}}
	if ev, ok := c.job(n, ref); ok {
		m.step(w, p, ev)
	}
}

// key is what makes two states the same.
func (m *model) key(w *world) uint64 {
	var h maphash.Hash
	h.SetSeed(m.seed)
	for p := range w.stores {
		fmt.Fprintf(&h, "%d %t;", p, w.owes[p])
		id := partition.ID(p)
		if v, ok := w.stores[p][string(partition.NameKey(id, m.names[p]))]; ok {
			_, _ = h.Write(w.stores[p][string(partition.InstanceKey(id, partition.Ref(v[0])))])
		}
	}
	for _, k := range slices.SortedFunc(maps.Keys(w.queues), func(a, b [2]partition.ID) int { return slices.Compare(a[:], b[:]) }) {
		for _, ev := range w.queues[k] {
			fmt.Fprintf(&h, "%d %d %s %d %q;", k[0], k[1], ev.To, ev.Op, ev.Body)
		}
	}
	fmt.Fprint(&h, w.ended, w.restarted)
	return h.Sum64()
}

func (m *model) record(w *world, name string) []byte {
	p := partition.Place(name, len(m.names))
	v, ok := w.stores[p][string(partition.NameKey(p, name))]
	if !ok {
		return nil
	}
	rec, err := partition.ReadRecord(w.stores[p][string(partition.InstanceKey(p, partition.Ref(v[0])))])
	if err != nil {
		m.t.Fatal(err)
	}
	return rec.State
}

func (m *model) run(w *world, i int) *workflow.View {
	v, _, err := (&workflow.Runs{}).ReadView(m.record(w, workflow.RunInstance(fmt.Sprint("run", i))))
	if err != nil {
		m.t.Fatal(err)
	}
	return v
}

// holder returns who holds an entity and how much waits there.
func (m *model) holder(w *world, name string) (run string, waiting int) {
	data := m.record(w, workflow.EntityInstance("e/"+name))
	if data == nil {
		return "", 0
	}
	v, err := (&workflow.Entities{}).ReadView(data)
	if err != nil {
		m.t.Fatal(err)
	}
	return v.LockedBy, v.Waiting
}

// check returns what is wrong with a state. Nobody else holds what a run in its critical section has locked; and when
// nothing more can happen, all runs have ended and all entities are free.
func (m *model) check(w *world, over bool) string {
	for i, set := range m.sets {
		v := m.run(w, i)
		if over && !v.Status.Ended() {
			return fmt.Sprintf("run%d waits for ever", i)
		}
		if v.Status == durable.Failed {
			return fmt.Sprintf("run%d failed: %v", i, v.Failure)
		}
		for _, e := range set {
			holder, waiting := m.holder(w, e)
			switch {
			case over && (holder != "" || waiting > 0):
				return fmt.Sprintf("entity %s is left locked by %q with %d waiting", e, holder, waiting)
			case v.Status == durable.Running && string(v.Custom) == "in" && holder != v.ID:
				return fmt.Sprintf("%s is in its section and %q holds entity %s", v.ID, holder, e)
			}
		}
	}
	return ""
}

// explore visits all states that can follow, depth first, and reports false at the first that is wrong.
func (m *model) explore(w *world, path []string) bool {
	k := m.key(w)
	if _, ok := m.seen[k]; ok {
		return true
	}
	m.seen[k] = struct{}{}
	over := len(w.queues) == 0 && !slices.Contains(w.owes, true)
	if m.wrong = m.check(w, over); m.wrong != "" {
		m.wrong += " after\n\t" + strings.Join(path, "\n\t")
		return false
	}
	if over {
		m.terminal++
	}
	next := func(what string, fn func(*world)) bool {
		c := w.clone()
		fn(c)
		return m.explore(c, append(path[:len(path):len(path)], what))
	}
	for q := range w.queues {
		ev := w.queues[q][0]
		ok := next(fmt.Sprintf("%s to %s: %s", m.names[q[0]], ev.To, message(ev)), func(c *world) {
			if c.queues[q] = c.queues[q][1:]; len(c.queues[q]) == 0 {
				delete(c.queues, q)
			}
			m.step(c, q[1], *ev)
		})
		if !ok {
			return false
		}
	}
	for p, owes := range w.owes {
		if owes && !next("step of "+m.names[p], func(c *world) { m.work(c, partition.ID(p)) }) {
			return false
		}
	}
	for i := range m.sets {
		ok := true
		switch ended := m.run(w, i).Status.Ended(); {
		case !ended && w.ended < m.ends:
			ok = next(fmt.Sprintf("terminate run%d", i), func(c *world) {
				c.ended++
				m.tell(c, i, workflow.OpTerminate, (&workflow.Terminate{}).Encode())
			})
		case ended && w.restarted < m.restarts:
			ok = next(fmt.Sprintf("restart run%d", i), func(c *world) {
				c.restarted++
				m.tell(c, i, workflow.OpRestart, nil)
			})
		}
		if !ok {
			return false
		}
	}
	return true
}

// TestCriticalSectionsInEveryOrder: mutual exclusion, no deadlock, no lock left behind, in all orders there are.
func TestCriticalSectionsInEveryOrder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		ends, restarts int
		sets           []string
	}{
		{2, 0, []string{"a+b", "a+b"}},
		{2, 1, []string{"a+b", "a+b"}},
		{2, 2, []string{"a+b"}},
		{1, 1, []string{"a+b+c", "a+c"}},
		{2, 0, []string{"a+b+c", "a+b+c"}},
		{1, 0, []string{"a+b", "b+c", "a+c"}},
		{1, 0, []string{"a+b", "a+b", "a+b"}},
		{3, 0, []string{"a", "a", "a"}},
	} {
		t.Run(strings.Join(c.sets, " "), func(t *testing.T) {
			t.Parallel()
			m, w := newModel(t, c.ends, c.restarts, c.sets...)
			if !m.explore(w, nil) {
				t.Fatal(m.wrong)
			}
			t.Logf("%d states, %d of them at the end", len(m.seen), m.terminal)
			if len(m.seen) < 100 || m.terminal == 0 {
				t.Errorf("only %d states were seen, %d at the end", len(m.seen), m.terminal)
			}
		})
	}
}

// TestDirectCancellationIsCaught is the negative control: a cancellation that does not go the way of the request overtakes
// it, and a lock stays.
func TestDirectCancellationIsCaught(t *testing.T) {
	t.Parallel()
	m, w := newModel(t, 1, 0, "a+b", "a+b")
	m.direct = true
	if m.explore(w, nil) || !strings.Contains(m.wrong, "entity") && !strings.Contains(m.wrong, "for ever") {
		t.Fatalf("nothing was found in %d states: %s", len(m.seen), m.wrong)
	}
}
