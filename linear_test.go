package weft_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/engine"
)

// request is what a client wants of a register.
type request struct {
	Op       string // get, put, swap
	Key      string
	Old, New int
}

// registers is how registers must behave: swap sets New where Old is, and all answer what was there before.
var registers = porcupine.Model{
	Init: func() any { return 0 },
	Step: func(state, input, output any) (bool, any) {
		r, was := input.(request), state.(int)
		next := was
		if r.Op == "put" || (r.Op == "swap" && was == r.Old) {
			next = r.New
		}
		return output.(int) == was, next
	},
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		byKey := make(map[string][]porcupine.Operation)
		for _, o := range history {
			key := o.Input.(request).Key
			byKey[key] = append(byKey[key], o)
		}
		var parts [][]porcupine.Operation
		for _, p := range byKey {
			parts = append(parts, p)
		}
		return parts
	},
	DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v -> %v", input, output) },
}

func linearizable(history []porcupine.Operation) porcupine.CheckResult {
	return porcupine.CheckOperationsTimeout(registers, history, time.Minute)
}

type register struct{ Value int }

// registerCode declares registers, and the workflow that works on them.
func registerCode() (*weft.EntityOf[register], *weft.WorkflowOf[request, int], []weft.Declaration) {
	entity := weft.Entity[register]("register")
	do := weft.Operation(entity, "do", func(_ *weft.EntityContext, s *register, r request) (int, error) {
		was := s.Value
		if r.Op == "put" || (r.Op == "swap" && was == r.Old) {
			s.Value = r.New
		}
		return was, nil
	})
	ask := weft.Workflow("ask", func(w *weft.Flow, r request) (int, error) { return do.Call(w, r.Key, r) })
	return entity, ask, []weft.Declaration{entity, ask}
}

// site is an App whose power fails: what it answers after that nobody hears.
type site struct {
	t        *testing.T
	rng      *rand.Rand
	declared []weft.Declaration
	mu       sync.RWMutex
	disk     *vfs.MemFS
	app      *weft.App
	gen      int
}

func (s *site) open() {
	app, err := weft.Open(weft.Options{Dir: "data", Logger: quietOptions("").Logger, Engine: engine.Options{FS: s.disk, Partitions: 2, Hot: 4}}, s.declared...)
	if err != nil {
		s.t.Error(err)
		return
	}
	s.app = app
	s.gen++
}

// now returns the App of now, and its number.
func (s *site) now() (*weft.App, int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.app, s.gen
}

// hears calls fn if an answer of the App with a number is heard: its power has not failed.
func (s *site) hears(gen int, fn func()) bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.gen != gen {
		return false
	}
	fn()
	return true
}

// crash cuts the power and opens what is left on the disk.
func (s *site) crash() {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.app
	s.disk = s.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: s.rng.IntN(101), RNG: s.rng})
	if err := old.Close(); err != nil {
		s.t.Error(err)
	}
	s.open()
}

// TestEntityIsLinearizable lets clients work on registers at the same time, through workflows and by reading their states,
// while the power fails again and again. To each of them all must look as if one operation was done after the other, at
// a moment between its call and its answer.
func TestEntityIsLinearizable(t *testing.T) {
	t.Parallel()
	const clients, each, crashes = 5, 40, 4
	entity, ask, declared := registerCode()
	s := &site{t: t, rng: rand.New(rand.NewPCG(1, 2)), declared: declared, disk: vfs.NewCrashableMem()}
	s.open()
	c := &crowd{site: s, entity: entity, ask: ask, every: clients * each / (crashes + 1)}
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() { c.client(i, each) })
	}
	group.Wait()
	if err := s.app.Close(); err != nil {
		t.Error(err)
	}
	if t.Failed() {
		return
	}
	if s.gen < crashes {
		t.Errorf("the power failed %d times only", s.gen-1)
	}
	if got := linearizable(c.history); got != porcupine.Ok {
		t.Errorf("the history of %d operations is %s, want %s", len(c.history), got, porcupine.Ok)
	}
	refuse(t, c.history)
}

// refuse holds that one wrong answer in a good history is noticed.
func refuse(t *testing.T, history []porcupine.Operation) {
	t.Helper()
	wrong := slices.Clone(history)
	last := &wrong[len(wrong)-1]
	last.Output = -1
	if got := linearizable(wrong); got != porcupine.Illegal {
		t.Errorf("a history with a value that nobody wrote is %s", got)
	}
}

// crowd is the clients of a site and what they saw.
type crowd struct {
	*site
	entity *weft.EntityOf[register]
	ask    *weft.WorkflowOf[request, int]
	clock  atomic.Int64
	every  int // answers between two crashes

	lock    sync.Mutex
	history []porcupine.Operation
}

func (c *crowd) client(id, operations int) {
	rng := rand.New(rand.NewPCG(uint64(id), 7))
	for i := range operations {
		r := request{Op: []string{"get", "put", "swap"}[rng.IntN(3)], Key: []string{"a", "b"}[rng.IntN(2)], Old: rng.IntN(4), New: rng.IntN(4)}
		call := c.clock.Add(1)
		attempt := func(app *weft.App) (int, error) { return c.run(app, r, fmt.Sprintf("%d-%d", id, i)) }
		if r.Op == "get" && rng.IntN(2) == 0 {
			attempt = func(app *weft.App) (int, error) { return c.state(app, r.Key) }
		}
		count := 0
		for heard := false; !heard && !c.t.Failed(); {
			app, gen := c.now()
			out, err := attempt(app)
			heard = c.hears(gen, func() {
				if err != nil {
					c.t.Errorf("%+v: %v", r, err)
					return
				}
				count = c.note(porcupine.Operation{ClientId: id, Input: r, Call: call, Output: out, Return: c.clock.Add(1)})
			})
		}
		if count > 0 && count%c.every == 0 {
			c.crash()
		}
	}
}

func (c *crowd) note(o porcupine.Operation) int {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.history = append(c.history, o)
	return len(c.history)
}

// run does a request in a run whose id is the request's own, so that asking again does it once.
func (c *crowd) run(app *weft.App, r request, id string) (int, error) {
	run, err := c.ask.Run(context.Background(), app, r, weft.WithID(id), weft.OrExisting())
	if err != nil {
		return 0, err
	}
	return run.Wait(context.Background())
}

func (c *crowd) state(app *weft.App, key string) (int, error) {
	s, err := c.entity.State(context.Background(), app, key)
	if errors.Is(err, weft.ErrNoEntity) {
		return 0, nil
	}
	return s.Value, err
}

// TestBrokenRegistersAreNoticed holds the judge to histories of registers that lose, forget and reorder.
func TestBrokenRegistersAreNoticed(t *testing.T) {
	t.Parallel()
	put := func(at int64, v, was int) porcupine.Operation {
		return porcupine.Operation{Input: request{Op: "put", Key: "a", New: v}, Call: at, Output: was, Return: at + 1}
	}
	get := func(at int64, v int) porcupine.Operation {
		return porcupine.Operation{ClientId: 1, Input: request{Op: "get", Key: "a"}, Call: at, Output: v, Return: at + 1}
	}
	for name, c := range map[string]struct {
		history []porcupine.Operation
		want    porcupine.CheckResult
	}{
		"good":            {[]porcupine.Operation{put(1, 5, 0), get(3, 5)}, porcupine.Ok},
		"at once":         {[]porcupine.Operation{put(1, 5, 0), get(1, 0), get(2, 5)}, porcupine.Ok},
		"lost in a crash": {[]porcupine.Operation{put(1, 5, 0), get(3, 0)}, porcupine.Illegal},
		"done twice":      {[]porcupine.Operation{put(1, 5, 0), put(3, 6, 5), get(5, 5)}, porcupine.Illegal},
		"back in time":    {[]porcupine.Operation{{Input: request{Op: "put", Key: "a", New: 5}, Call: 1, Output: 0, Return: 9}, get(2, 5), get(4, 0)}, porcupine.Illegal},
	} {
		if got := linearizable(c.history); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}
