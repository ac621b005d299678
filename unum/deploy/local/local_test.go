package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/cost"
	"github.com/weftworks/weft/unum/deploy"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/program"
)

// pair is a machine with two branches of a function each, and one more after them.
const pair = `{"StartAt": "Both", "States": {
	"Both": {"Type": "Parallel", "Next": "Sum", "Branches": [
		{"StartAt": "One", "States": {"One": {"Type": "Task", "Resource": "add", "End": true}}},
		{"StartAt": "Two", "States": {"Two": {"Type": "Task", "Resource": "add", "End": true}}}]},
	"Sum": {"Type": "Task", "Resource": "sum", "End": true}}}`

func compiled(t testing.TB, definition string) *ir.App {
	t.Helper()
	app, err := compile.Machine([]byte(definition), compile.Options{Name: "pair"})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// functions add 1, and sum a list.
func functions(t testing.TB) function.Invoker {
	t.Helper()
	r := function.NewRegistry()
	t.Cleanup(func() { _ = r.Close() })
	err := errors.Join(
		r.Register("add", function.JSON(func(_ context.Context, n int) (int, error) { return n + 1, nil }), function.Settings{}),
		r.Register("sum", function.JSON(func(_ context.Context, list []int) (int, error) {
			sum := 0
			for _, n := range list {
				sum += n
			}
			return sum, nil
		}), function.Settings{}))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func open(t testing.TB, cfg Config) *Host {
	t.Helper()
	var err error
	if cfg.App == nil {
		cfg.App = compiled(t, pair)
	}
	if cfg.Program, err = program.New(cfg.App); err != nil {
		t.Fatal(err)
	}
	cfg.Functions, cfg.Log = functions(t), slog.New(slog.NewTextHandler(io.Discard, nil))
	h, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func shut(t testing.TB, h *Host) {
	t.Helper()
	if err := h.Close(context.WithoutCancel(t.Context())); err != nil {
		t.Error(err)
	}
}

// finish waits for a run and for what it still collects.
func finish(t testing.TB, h *Host, run string) *unum.Description {
	t.Helper()
	d, err := h.Runtime.Wait(t.Context(), run, 10*time.Millisecond)
	if err == nil {
		err = h.Settle(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func start(t testing.TB, r *unum.Runtime, run, input string) {
	t.Helper()
	if _, err := r.Start(t.Context(), run, []byte(input), 0); err != nil {
		t.Fatal(err)
	}
}

// TestRecordsComeAndGo runs an application in a directory and watches its records.
func TestRecordsComeAndGo(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var seen []Change
	h := open(t, Config{Dir: t.TempDir(), Watch: func(c Change) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, c)
	}})
	defer shut(t, h)
	start(t, h.Runtime, "run-1", "20")
	if d := finish(t, h, "run-1"); d.Status != unum.Succeeded || string(d.Output) != "42" {
		t.Errorf("the run ended %+v", d)
	}
	alive, appeared, vanished := map[string]bool{}, 0, 0
	for _, c := range seen {
		if c.What == Vanished {
			vanished++
			delete(alive, c.Key)
		} else {
			if !alive[c.Key] {
				appeared++
			}
			alive[c.Key] = true
		}
	}
	if appeared != 3 || vanished != 2 || !alive["run-1"] {
		t.Errorf("%d appeared, %d vanished, left is %v", appeared, vanished, alive)
	}
	if keys, err := h.Keys(t.Context(), "run-1"); err != nil || !slices.Equal(keys, []string{"run-1"}) {
		t.Errorf("the datastore has %v, %v", keys, err)
	}
}

// TestRunsGoOn closes an application while its runs are under way. They end in the next process that opens its directory.
func TestRunsGoOn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	const runs = 20
	h := open(t, Config{Dir: dir})
	for i := range runs {
		start(t, h.Runtime, fmt.Sprintf("run-%d", i), "20")
	}
	now, cancel := context.WithCancel(t.Context())
	cancel()
	_ = h.Close(now)
	h = open(t, Config{Dir: dir})
	defer shut(t, h)
	for i := range runs {
		run := fmt.Sprintf("run-%d", i)
		if d := finish(t, h, run); d.Status != unum.Succeeded || string(d.Output) != "42" {
			t.Errorf("%s ended %+v", run, d)
		}
		if keys, err := h.Keys(t.Context(), run); err != nil || !slices.Equal(keys, []string{run}) {
			t.Errorf("the datastore has %v, %v", keys, err)
		}
	}
}

// TestCounts counts by hand: Start creates the run's record and invokes the start; that reads, writes and invokes the
// branches; each reads its record, writes it and joins; the last reads the members, and invokes the end.
func TestCounts(t *testing.T) {
	t.Parallel()
	h := open(t, Config{})
	defer shut(t, h)
	start(t, h.Runtime, "run-1", "20")
	d := finish(t, h, "run-1")
	u, known := h.Meter.Usage("run-1")
	if !known {
		t.Fatal("nothing was counted")
	}
	if u.Executions != 4 || u.Invokes != 4 || u.Delayed != 0 {
		t.Errorf("executions and invokes: %+v", u)
	}
	const (
		writes = 1 + 1 + 2 + 2 + 1 // begin, fork, branches, joins, end
		reads  = 1 + 2 + 2 + 1     // fork, branches, members, end
	)
	if u.Writes != writes || u.Reads != reads || u.Deletes != 2 {
		t.Errorf("%d writes, %d reads, %d deletes; want %d, %d, 2", u.Writes, u.Reads, u.Deletes, writes, reads)
	}
	// What the run has counted along its way comes to the same: nothing was repeated.
	least := cost.Least(d.Tally, DefaultMemory)
	if least.Executions != u.Executions || least.Invokes != u.Invokes || least.Writes != u.Writes || least.Reads != u.Reads || least.Deletes != u.Deletes {
		t.Errorf("the tally %+v comes to %+v, and %+v was counted", *d.Tally, least, u)
	}
	if least.Transitions != 6 { // Both, One, Two, Sum, begin and end
		t.Errorf("Step Functions would charge %d transitions", least.Transitions)
	}
}

// TestTally counts states of all kinds, a retry, and branches that are run in place.
func TestTally(t *testing.T) {
	t.Parallel()
	app := compiled(t, `{"StartAt":"P","States":{
		"P":{"Type":"Pass","Next":"Both"},
		"Both":{"Type":"Parallel","Next":"W","Branches":[
			{"StartAt":"A","States":{"A":{"Type":"Pass","Result":1,"End":true}}},
			{"StartAt":"B","States":{"B":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":20,"Next":"C"}]},"C":{"Type":"Succeed"}}}]},
		"W":{"Type":"Wait","Seconds":0,"Next":"T"},
		"T":{"Type":"Task","Resource":"add","InputPath":"$[0]","Next":"F"},
		"F":{"Type":"Task","Resource":"sum","Retry":[{"ErrorEquals":["States.ALL"],"IntervalSeconds":1,"MaxAttempts":1}],
			"Catch":[{"ErrorEquals":["States.ALL"],"Next":"S"}],"End":true},
		"S":{"Type":"Succeed"}}}`)
	h := open(t, Config{App: app})
	defer shut(t, h)
	start(t, h.Runtime, "run-1", "20")
	d := finish(t, h, "run-1")
	// P, Both, A, B, C, W, T, F, its retry, S
	if got := *d.Tally; d.Status != unum.Succeeded || got.Entered != 10 || got.Instances != 3 || got.Partial {
		t.Errorf("%s %+v", d.Status, got)
	}
}

// TestTallyOfFailedBranches says that there is more than was counted: nobody reads the branches that did not fail.
func TestTallyOfFailedBranches(t *testing.T) {
	t.Parallel()
	h := open(t, Config{App: compiled(t, `{"StartAt":"Both","States":{
		"Both":{"Type":"Parallel","End":true,"Catch":[{"ErrorEquals":["States.ALL"],"Next":"S"}],"Branches":[
			{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"add","End":true}}},
			{"StartAt":"B","States":{"B":{"Type":"Task","Resource":"sum","End":true}}}]},
		"S":{"Type":"Succeed"}}}`)})
	defer shut(t, h)
	start(t, h.Runtime, "run-1", "20")
	d := finish(t, h, "run-1")
	if d.Status != unum.Succeeded || !d.Tally.Partial || cost.Charged(d.Tally) != 0 {
		t.Errorf("%s %+v", d.Status, *d.Tally)
	}
}

// TestServe starts a run from outside and asks for it, in another process as it were.
func TestServe(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	h := open(t, Config{Dir: Records(dir)})
	defer shut(t, h)
	if _, err := Dial(dir, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("before there is a server: %v", err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served, ready := make(chan error, 1), make(chan bool)
	go func() { served <- h.Serve(ctx, l, dir, func() { close(ready) }) }()
	select {
	case <-ready:
	case err := <-served:
		t.Fatal(err)
	}
	c, err := Dial(dir, h.cfg.Program)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	start(t, c.Runtime, "run-2", "1")
	if d, err := c.Runtime.Wait(t.Context(), "run-2", 10*time.Millisecond); err != nil || string(d.Output) != "4" {
		t.Errorf("the run ended %+v, %v", d, err)
	}
	if u, known, err := c.Usage(t.Context(), "run-2"); err != nil || !known || u.Executions == 0 {
		t.Errorf("the run used %+v, %t, %v", u, known, err)
	}
	if _, known, err := c.Usage(t.Context(), "unheard-of"); err != nil || known {
		t.Errorf("a run that there was not: %t, %v", known, err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
	if _, err := Dial(dir, nil); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after the server: %v", err)
	}
}

// TestFailures has code fail, which Catch would see, and wants the run to say so.
func TestFailures(t *testing.T) {
	t.Parallel()
	h := open(t, Config{})
	defer shut(t, h)
	start(t, h.Runtime, "run-3", `"no number"`)
	d := finish(t, h, "run-3")
	if d.Status != unum.Failed || d.Error == nil || !strings.Contains(*d.Error, "Unmarshal") {
		t.Errorf("the run ended %+v", d)
	}
	if keys, err := h.Keys(t.Context(), "run-3"); err != nil || len(keys) != 1 {
		t.Errorf("the datastore has %v, %v", keys, err)
	}
}

func TestTarget(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	app := compiled(t, pair)
	s, err := deploy.Load(dir + "/state.json")
	if err != nil {
		t.Fatal(err)
	}
	verbs := func(want []deploy.Resource) string {
		p, err := deploy.NewPlan(t.Context(), Target{}, want, s)
		if err != nil {
			t.Fatal(err)
		}
		if err := deploy.Apply(t.Context(), Target{}, p, s, nil); err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, a := range p.Actions {
			all = append(all, string(a.Verb))
		}
		return strings.Join(all, " ")
	}
	if got := verbs(Resources(app, dir)); got != "create create" {
		t.Errorf("the first time: %s", got)
	}
	if got := verbs(Resources(app, dir)); got != "keep keep" {
		t.Errorf("the second time: %s", got)
	}
	again, err := App(dir)
	if err != nil || again.Name != "pair" || !json.Valid(again.Machine) {
		t.Errorf("the application is %v, %v", again, err)
	}
	app.TimeoutSeconds = 7
	if got := verbs(Resources(app, dir)); got != "keep update" {
		t.Errorf("changed: %s", got)
	}
	if got := verbs(nil); got != "delete delete" {
		t.Errorf("destroyed: %s", got)
	}
	if _, err := App(dir); !fault.Is(err, fault.ResourceNotFound) {
		t.Errorf("after that: %v", err)
	}
}
