package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/machine"
)

// TestChaos lets many clients work on a whole node, its goroutines and its real store, ends the node at a random moment
// (power cut, close under load, failing log) and goes on with what is left on the disk. After each round it holds the
// promises: what was acknowledged is there and ends as it must, results and histories never change, lists are complete
// and without doubles, everybody got an answer, no goroutine stays. WEFT_CHAOS_ROUNDS sets the rounds of a seed and
// WEFT_CHAOS_SEED the first seed.
func TestChaos(t *testing.T) {
	rounds, first := 3, uint64(1)
	if v, err := strconv.Atoi(os.Getenv("WEFT_CHAOS_ROUNDS")); err == nil && v > 0 {
		rounds = v
	}
	if v, err := strconv.ParseUint(os.Getenv("WEFT_CHAOS_SEED"), 10, 64); err == nil {
		first = v
	}
	for seed := first; seed < first+4; seed++ {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, seed)
			for range rounds {
				w.round()
				if t.Failed() {
					return
				}
			}
			w.check("at the end", func(n *Node) {})
			if w.ended < 20*rounds || w.listed < 20*rounds || w.read < 20*rounds {
				t.Errorf("the rounds do too little: %d ends, %d listed runs and %d events are checked", w.ended, w.listed, w.read)
			}
		})
	}
}

const bounded = 2 * time.Minute // far more than anything takes; a hang is a failure

// promptly runs fn and fails with all stacks if it hangs.
func promptly(t testing.TB, what string, fn func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); fn() }()
	select {
	case <-done:
	case <-time.After(bounded):
		buf := make([]byte, 1<<20)
		t.Fatalf("%s hangs\n%s", what, buf[:runtime.Stack(buf, true)])
	}
}

// marked runs fn on a goroutine that passes its mark on to every goroutine begun under it.
func marked(t testing.TB, mark string, fn func()) {
	t.Helper()
	promptly(t, mark, func() {
		pprof.Do(context.Background(), pprof.Labels("chaos", mark), func(context.Context) { fn() })
	})
}

// noneLeft holds that all goroutines of a mark end, but those with one of the functions.
func noneLeft(t testing.TB, mark string, but ...string) {
	t.Helper()
	label := fmt.Sprintf("\n# labels: {%q:%q}\n", "chaos", mark)
	deadline := time.Now().Add(20 * time.Second)
	for {
		var b bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&b, 1); err != nil {
			t.Fatal(err)
		}
		left := ""
		for entry := range strings.SplitSeq(b.String(), "\n\n") {
			known := slices.ContainsFunc(but, func(fn string) bool { return strings.Contains(entry, fn) })
			if strings.Contains(entry, label) && !known {
				left += entry + "\n\n"
			}
		}
		if left == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("goroutines of %q are left:\n%s", mark, left)
		}
		time.Sleep(time.Millisecond) // until the last ones have returned; only a failure depends on time
	}
}

// kinds are the machines all clients use, and how a run of each must end; "" need not end.
var kinds = map[string]struct{ definition, ends string }{
	"chain": {string(chain(3)), "echo"},
	"fan": {`{"StartAt":"M","States":{"M":{"Type":"Map","ItemProcessor":{"StartAt":"T","States":{
		"T":{"Type":"Task","Resource":"hello","End":true}}},"End":true}}}`, "echo"},
	"same": {strings.ReplaceAll(string(chain(2)), `"hello"`, `"again"`), "echo"},
	"fail": {`{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"bad","Retry":[{"ErrorEquals":["Boom"],
		"IntervalSeconds":1,"MaxAttempts":1}],"End":true}}}`, "fail"},
	"sleep": {waits, ""},
	"token": {`{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken",
		"Parameters":{"FunctionName":"ask","Payload":{"token.$":"$$.Task.Token","run.$":"$$.Execution.Name"}},"End":true}}}`, ""},
}

var kindNames = []string{"chain", "fan", "same", "fail", "sleep", "token"}

// runFact is what is known of a run.
type runFact struct {
	input   string
	acked   bool     // the start was answered well
	result  string   // status, output, error and cause; "" until somebody saw them
	stops   []string // results that requests without an answer may have given it
	events  []string // of the longest history that somebody saw
	version []string // of a private machine: what it may answer
}

// machineFact is what is known of a private machine: one of these states.
type machineFact struct{ states []string } // "": not there, "deleting", or the definition and the tag

// facts are what clients have been told. A crash keeps those that were there when the disk was cloned.
type facts struct {
	runs     map[RunID]*runFact
	machines map[string]*machineFact
	purged   bool // retention has been at work: failed runs may be gone
}

func (f *facts) clone() facts {
	c := facts{make(map[RunID]*runFact), make(map[string]*machineFact), f.purged}
	for id, r := range f.runs {
		d := *r
		d.stops, d.events, d.version = append([]string(nil), r.stops...), append([]string(nil), r.events...), append([]string(nil), r.version...)
		c.runs[id] = &d
	}
	for name, m := range f.machines {
		c.machines[name] = &machineFact{append([]string(nil), m.states...)}
	}
	return c
}

// world is a data directory and its clients.
type world struct {
	t      *testing.T
	seed   uint64
	rnd    *rand.Rand
	disk   *vfs.MemFS
	number int
	tokens sync.Map // run name: token

	mu    sync.Mutex
	facts facts
	acks  int

	ended, listed, read int // checked
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 7)), disk: vfs.NewCrashableMem()}
	w.facts = facts{runs: make(map[RunID]*runFact), machines: make(map[string]*machineFact)}
	return w
}

func (w *world) functions() *function.Registry {
	r := registry(w.t, map[string]func(context.Context, []byte) ([]byte, error){
		"bad": func(context.Context, []byte) ([]byte, error) {
			return nil, &function.Error{Type: "Boom", Cause: "as told"}
		},
		"ask": func(_ context.Context, in []byte) ([]byte, error) {
			f := strings.Split(string(in), `"`) // {"run":"NAME","token":"TOKEN"} in either order
			values := map[string]string{f[1]: f[3], f[5]: f[7]}
			w.tokens.Store(values["run"], values["token"])
			return []byte(`1`), nil
		},
	})
	again := func(_ context.Context, in []byte) ([]byte, error) { return in, nil }
	if err := r.Register("again", function.Go(again), function.Settings{Idempotent: true}); err != nil {
		w.t.Fatal(err)
	}
	return r
}

func (w *world) options() Options {
	o := Options{
		Dir: "data", FS: w.disk, Partitions: 3, Functions: w.functions(), Logger: quiet(),
		Retain: map[machine.Status]time.Duration{machine.Failed: 24 * time.Hour},
	}
	if w.rnd.IntN(2) == 0 {
		o.Speculation = SpeculationNone
	}
	if w.rnd.IntN(3) > 0 {
		every := 1 + w.rnd.IntN(20)
		o.tune = func(c *lane.Config) { c.SnapshotInstances, c.Resident = every, every }
	}
	return o
}

// open opens the node; there must be no reason why it cannot.
func (w *world) open(o Options) *Node {
	n, err := Open(o)
	if err != nil {
		w.t.Errorf("round %d: Open: %v", w.number, err)
		return nil
	}
	for _, name := range kindNames {
		if _, err := n.CreateMachine(context.Background(), CreateMachine{Name: name, Definition: []byte(kinds[name].definition)}); err != nil {
			w.t.Errorf("round %d: machine %s: %v", w.number, name, err)
		}
	}
	return n
}

// check opens the node, holds every fact and lets more do its part before it closes.
func (w *world) check(when string, more func(*Node)) {
	mark := fmt.Sprintf("seed %d round %d %s", w.seed, w.number, when)
	marked(w.t, mark, func() {
		n := w.open(w.options())
		if n == nil {
			return
		}
		w.verify(n)
		if !w.t.Failed() {
			more(n)
		}
		if err := n.Close(); err != nil {
			w.t.Errorf("%s: Close: %v", mark, err)
		}
	})
	noneLeft(w.t, mark)
}

// round verifies what the last one left, lets clients work and ends the node in one of several ways.
func (w *world) round() {
	w.number++
	how := []string{"power cut", "close", "failing log"}[w.rnd.IntN(3)]
	mark := fmt.Sprintf("seed %d round %d %s", w.seed, w.number, how)
	o := w.options()
	var broken atomic.Bool
	o.FS = errorfs.Wrap(w.disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if broken.Load() && strings.Contains(op.Path, "log") && op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			return errors.New("the disk is broken")
		}
		return nil
	}))
	marked(w.t, mark, func() {
		n := w.open(o)
		if n == nil {
			return
		}
		w.verify(n)
		if w.t.Failed() {
			_ = n.Close()
			return
		}
		var clients sync.WaitGroup
		goal := w.acks + 100 + w.rnd.IntN(200)
		reached := make(chan struct{})
		for i := range 8 {
			c := &client{world: w, node: n, rnd: rand.New(rand.NewPCG(w.seed, uint64(w.number*100+i))), number: i, goal: goal, reached: reached}
			clients.Go(c.work)
		}
		<-reached
		var left facts
		switch how {
		case "power cut":
			left = w.crash()
		case "failing log":
			broken.Store(true)
		}
		err := n.Close()
		clients.Wait()
		if how == "close" && err != nil {
			w.t.Errorf("%s: Close: %v", mark, err)
		}
		broken.Store(false)
		if how != "power cut" {
			left = w.crash() // all are answered; the disk may as well lose what nobody synced
		}
		w.facts = left
	})
	noneLeft(w.t, mark)
}

// crash takes the disk as a power cut would leave it now, and the facts that must hold on it.
func (w *world) crash() facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	left := w.facts.clone()
	w.disk = w.disk.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: w.rnd.IntN(101), RNG: rand.New(rand.NewPCG(w.seed, uint64(w.number)))})
	return left
}
