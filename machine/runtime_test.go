package machine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/platform/virtual"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/inject"
	"github.com/weftworks/weft/unum/store/memory"
)

var errCrash = errors.New("the execution ends here")

// faulty is the real runtime on a platform and a datastore where executions end anywhere, requests come more than once and
// functions that fail are now and then those of a platform that has given up.
type faulty struct {
	t        *testing.T
	seed     uint64
	rand     *rand.Rand
	rt       *unum.Runtime
	store    *memory.Store
	platform *virtual.Platform
	crashes  int // of so many operations one
	ready    map[string]time.Time
	times    map[string]int // that a payload was sent
	sent     []delivered
}

type delivered struct {
	function string
	payload  []byte
}

func newFaulty(t *testing.T, definition string, seed uint64) *faulty {
	app, err := compile.Machine([]byte(definition), compile.Options{Name: "m"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.NewCompiled(app, program.Identity{})
	if err != nil {
		t.Fatal(err)
	}
	w := &faulty{t: t, seed: seed, rand: rand.New(rand.NewPCG(seed, 5)), store: memory.New(), platform: virtual.New(time.UnixMilli(began)), ready: map[string]time.Time{}, times: map[string]int{}}
	w.crashes = []int{0, 0, 20, 50}[w.rand.IntN(4)]
	copies := 1 + w.rand.IntN(3)
	w.platform.Copies = func(_ string, payload []byte) int {
		w.times[string(payload)]++
		switch n := w.times[string(payload)]; {
		case n == 1:
			return 1 + w.rand.IntN(copies)
		case n < 5:
			return 1
		}
		return 0 // or each join would double them: one of those before has done, or will do, what this one could
	}
	w.platform.Payload = []int{0, 1500}[w.rand.IntN(2)]
	w.platform.Retries = 1000
	w.platform.Execute = w.execute
	hook := func(context.Context, inject.Op) error { return w.crash() }
	store := inject.Wrap(w.store, inject.Hooks{Before: hook, After: func(_ context.Context, _ inject.Op, err error) error { return errors.Join(err, w.crash()) }})
	w.rt = &unum.Runtime{Store: store, Platform: w, Program: p, Now: w.platform.Now, Patience: 1, Parallel: 1, Inline: []int{0, 1, 300}[w.rand.IntN(3)]}
	return w
}

func (w *faulty) crash() error {
	if w.crashes > 0 && w.rand.IntN(w.crashes) == 0 {
		return errCrash
	}
	return nil
}

// MaxPayload implements unum.Platform.
func (w *faulty) MaxPayload() int { return w.platform.MaxPayload() }

// Invoke implements unum.Platform.
func (w *faulty) Invoke(ctx context.Context, function string, payload []byte, at time.Time) error {
	if len(payload) > w.MaxPayload() {
		w.t.Errorf("a payload of %d bytes", len(payload))
	}
	if err := w.crash(); err != nil {
		return err
	}
	w.sent = append(w.sent, delivered{function, payload})
	if err := w.platform.Invoke(ctx, function, payload, at); err != nil {
		return err
	}
	return w.crash()
}

// execute is one delivery. Code takes time: its execution is given up when it begins, and comes again when it ends.
func (w *faulty) execute(ctx context.Context, function string, payload []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var again time.Time
	var gaveUp string
	err := w.rt.Handle(ctx, payload, func(_ context.Context, _ string, input []byte) protocol.Outcome {
		after, name, output := pureFunction(w.seed, input)
		at, known := w.ready[string(payload)]
		if !known {
			at = w.platform.Now().Add(time.Duration(after) * time.Millisecond)
			w.ready[string(payload)] = at
		}
		switch {
		case w.platform.Now().Before(at):
			again = at
			cancel(errCrash)
		case name != "" && len(input)%2 == 0:
			gaveUp = name
			cancel(errCrash)
		}
		if name != "" {
			return protocol.Outcome{Kind: protocol.Raised, Error: name, Now: at.UnixMilli()}
		}
		return protocol.Outcome{Kind: protocol.Returned, Output: output, Now: at.UnixMilli()}
	})
	switch {
	case !again.IsZero():
		delete(w.times, string(payload))
		return w.platform.Invoke(context.Background(), function, payload, again)
	case gaveUp != "":
		req, err := w.rt.Fail(payload, gaveUp, "")
		if err != nil {
			return err
		}
		return w.rt.Execute(context.Background(), req, nil)
	case err != nil && !errors.Is(err, errCrash):
		w.t.Errorf("%s: %v", function, err)
		return nil
	}
	return err
}

// run runs the machine to its end, delivers everything once more, and says how it has ended.
func (w *faulty) run() string {
	ctx := context.Background()
	timeout := time.Duration(w.rt.Program.(*program.Compiled).TimeoutSeconds()) * time.Second
	for {
		_, err := w.rt.Start(ctx, "r", []byte(randomInput), timeout)
		if err == nil {
			break
		}
		if !errors.Is(err, errCrash) {
			w.t.Fatal(err)
		}
	}
	if err := w.platform.Run(ctx, 20_000, nil); err != nil {
		w.t.Fatalf("seed %d: %v", w.seed, err)
	}
	w.crashes, w.platform.Copies = 0, nil
	end := w.end()
	late := w.sent
	w.rand.Shuffle(len(late), func(i, j int) { late[i], late[j] = late[j], late[i] })
	for _, d := range late {
		if err := w.platform.Invoke(ctx, d.function, d.payload, time.Time{}); err != nil {
			w.t.Fatal(err)
		}
	}
	if err := w.platform.Run(ctx, 20_000, nil); err != nil {
		w.t.Fatal(err)
	}
	if again := w.end(); again != end {
		w.t.Errorf("the run had ended as %s and is now %s", end, again)
	}
	return end
}

func (w *faulty) end() string {
	d, err := w.rt.Describe(context.Background(), "r")
	if err != nil {
		w.t.Fatal(err)
	}
	name := ""
	if d.Error != nil {
		name = *d.Error
	}
	return said(d.Stopped.UnixMilli(), string(d.Status), name, d.Output)
}

// left returns what is left beside the record of the run: not the blobs of executions that ended before a record named
// them, which the time-to-live takes.
func (w *faulty) left(crashed bool) (all []string) {
	rec, _ := w.store.Get(context.Background(), []string{"r"})
	result := ""
	if cp, err := protocol.DecodeCheckpoint(rec[0].Value); err == nil {
		result = cp.Ref
	}
	_ = w.store.Keys(context.Background(), "", func(key string) bool {
		if key != "r" && key != result && !(crashed && strings.Contains(key, "~")) {
			all = append(all, key)
		}
		return true
	})
	return all
}

// TestRuntimeRandomMachines compares random machines in one frame with the same compiled and run by the real runtime, over a
// datastore and a platform that fail.
func TestRuntimeRandomMachines(t *testing.T) {
	t.Parallel()
	compared := 0
	for seed := range uint64(1000) {
		definition := machine.RandomMachine(rand.New(rand.NewPCG(seed, 34)), 60)
		def, problems := asl.Parse([]byte(definition), asl.Options{})
		if len(problems) > 0 || !machine.Deterministic(definition) || strings.Contains(definition, `"MaxConcurrency":2`) {
			continue // as in TestCompiledRandomMachines
		}
		want, events := oneFrame(t, def, seed)
		if events > 800 {
			continue
		}
		w := newFaulty(t, definition, seed)
		crashed := w.crashes > 0
		compared++
		if got := w.run(); got != want {
			t.Errorf("seed %d: in one frame %s\nwithout an orchestrator %s\n%s", seed, want, got, definition)
		}
		if left := w.left(crashed); len(left) > 0 {
			t.Errorf("seed %d: left over are %v\n%s", seed, left, definition)
		}
	}
	if compared < 100 {
		t.Errorf("only %d machines were compared", compared)
	}
	t.Logf("%d machines", compared)
}
