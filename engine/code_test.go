package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/fault"
)

// book is the code of a program: workflows by name, or name@version, and one kind of entity, "counter".
type book map[string]durable.Code

func (b book) Workflow(name, version string) (durable.Code, bool) {
	if version != "" {
		name += "@" + version
	}
	code, ok := b[name]
	return code, ok
}

func (b book) Entity(name string) (durable.EntityCode, bool) { return counters{}, name == "counter" }

// counters are entities that add up. "exit" ends the goroutine.
type counters struct{}

func (counters) Open(state []byte) (durable.OpenEntity, error) {
	c := &counter{}
	if state == nil {
		return c, nil
	}
	return c, json.Unmarshal(state, &c.n)
}

type counter struct{ n int }

func (c *counter) Do(_ *durable.EntityContext, operation string, input []byte) ([]byte, error) {
	switch operation {
	case "add":
		var m int
		if err := json.Unmarshal(input, &m); err != nil {
			return nil, err
		}
		c.n += m
	case "exit":
		c.n = -1000
		runtime.Goexit()
	}
	return json.Marshal(c.n)
}

func (c *counter) State() ([]byte, error) { return json.Marshal(c.n) }

func ask(w *durable.Flow, name, in string) (string, error) {
	out, err := durable.Call(w, name, []byte(in), nil, nil).Await(w)
	return string(out), err
}

// all is code that uses most of what there is.
var all = book{
	"chain": func(w *durable.Flow, in []byte) ([]byte, error) {
		text := string(in)
		for range 5 {
			var err error
			if text, err = ask(w, "hello", text); err != nil {
				return nil, err
			}
			w.Sleep(time.Millisecond)
		}
		return []byte(text), nil
	},
	"fan": func(w *durable.Flow, in []byte) ([]byte, error) {
		var tasks []*durable.Task
		for i := range 20 {
			tasks = append(tasks, durable.Call(w, "hello", fmt.Append(nil, i), nil, nil))
		}
		durable.Wait(w, len(tasks), tasks...)
		sum := 0
		for _, t := range tasks {
			out, err := t.Await(w)
			if err != nil {
				return nil, err
			}
			var n int
			_ = json.Unmarshal(out, &n)
			sum += n
		}
		return fmt.Append(nil, sum), nil
	},
	"family": func(w *durable.Flow, in []byte) ([]byte, error) {
		a := durable.Child(w, "chain", "", "", []byte(`"a"`), nil, nil)
		b := durable.Child(w, "fan", "", "", nil, nil, nil)
		x, errA := a.Await(w)
		y, errB := b.Await(w)
		return fmt.Appendf(nil, "[%s,%s]", x, y), errors.Join(errA, errB)
	},
	"transfer": func(w *durable.Flow, in []byte) ([]byte, error) {
		for range 3 {
			section, err := durable.Enter(w, "counter/a", "counter/b", "counter/c")
			if err != nil {
				return nil, err
			}
			if _, err := durable.CallEntity(w, "counter/a", "add", []byte("-1")).Await(w); err != nil {
				return nil, err
			}
			if _, err := durable.CallEntity(w, "counter/b", "add", []byte("1")).Await(w); err != nil {
				return nil, err
			}
			section.Leave()
		}
		return []byte("3"), nil
	},
	"loop": func(w *durable.Flow, in []byte) ([]byte, error) {
		var n int
		_ = json.Unmarshal(in, &n)
		if n == 0 {
			return durable.Receive(w, "last").Await(w)
		}
		if _, err := ask(w, "hello", "1"); err != nil {
			return nil, err
		}
		return nil, durable.ContinueAsNew(fmt.Append(nil, n-1), "", false)
	},
	"retries": func(w *durable.Flow, in []byte) ([]byte, error) {
		return durable.Call(w, "flaky", in, nil, &durable.Retry{First: time.Millisecond}).Await(w)
	},
	"waits": func(w *durable.Flow, _ []byte) ([]byte, error) { return durable.Receive(w, "go").Await(w) },
}

func startWorkflow(t testing.TB, n *Node, name, id, input string) {
	t.Helper()
	if _, err := n.StartWorkflow(t.Context(), StartWorkflow{Workflow: name, ID: id, Input: []byte(input)}); err != nil {
		t.Fatal(err)
	}
}

func waitWorkflow(t testing.TB, n *Node, id string) *WorkflowRun {
	t.Helper()
	v, err := n.WaitWorkflow(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// said is a run's result.
func said(v *WorkflowRun) string {
	if v.Failure != nil {
		return fmt.Sprintf("%v %v", v.Status, v.Failure)
	}
	return fmt.Sprintf("%v %s", v.Status, v.Output)
}

func wantRun(t testing.TB, n *Node, id, want string) {
	t.Helper()
	if got := said(waitWorkflow(t, n, id)); !strings.Contains(got, want) {
		t.Errorf("run %s is %q, want %q", id, got, want)
	}
}

// flaky fails every call but each third.
func flaky() func(context.Context, []byte) ([]byte, error) {
	var calls atomic.Int64
	return func(_ context.Context, in []byte) ([]byte, error) {
		if calls.Add(1)%3 != 0 {
			return nil, errors.New("not yet")
		}
		return in, nil
	}
}

// TestConfigurationsGiveEqualResults is metamorphic: whatever stays warm, however many partitions, whatever goes early,
// and with the whole node closed and opened in the middle, all runs end the same.
func TestConfigurationsGiveEqualResults(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]Options{
		"as it comes":   {},
		"always cold":   {Hot: 1, Partitions: 1},
		"nothing early": {Speculation: SpeculationNone, Partitions: 3},
		"evicted":       {Hot: 1, Partitions: 2, Resident: 1},
		"snapshots all the time": {Hot: 1, Partitions: 2, tune: func(c *lane.Config) {
			c.SnapshotInstances, c.SnapshotBytes, c.Resident = 1, 1, 1
		}},
		"on a disk": {Dir: "data", FS: vfs.NewMem(), Hot: 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts.Code = all
			opts.Functions = registry(t, map[string]func(context.Context, []byte) ([]byte, error){"flaky": flaky()})
			n := reopen(t, opts)
			for i := range 6 {
				for _, w := range []string{"chain", "fan", "family", "transfer", "retries"} {
					startWorkflow(t, n, w, fmt.Sprint(w, i), fmt.Sprint(i))
				}
				startWorkflow(t, n, "loop", fmt.Sprint("loop", i), fmt.Sprint(i))
				if err := n.RaiseEvent(t.Context(), fmt.Sprint("loop", i), "last", fmt.Append(nil, i)); err != nil {
					t.Fatal(err)
				}
			}
			if opts.Dir != "" {
				if err := n.Close(); err != nil {
					t.Fatal(err)
				}
				opts.Functions = registry(t, map[string]func(context.Context, []byte) ([]byte, error){"flaky": flaky()})
				n = reopen(t, opts)
			}
			for i := range 6 {
				wantRun(t, n, fmt.Sprint("chain", i), fmt.Sprintf("COMPLETED %d", i))
				wantRun(t, n, fmt.Sprint("fan", i), "COMPLETED 190")
				wantRun(t, n, fmt.Sprint("family", i), `COMPLETED ["a",190]`)
				wantRun(t, n, fmt.Sprint("transfer", i), "COMPLETED 3")
				wantRun(t, n, fmt.Sprint("loop", i), fmt.Sprintf("COMPLETED %d", i))
				wantRun(t, n, fmt.Sprint("retries", i), fmt.Sprintf("COMPLETED %d", i))
			}
			for key, want := range map[string]string{"a": "-18", "b": "18"} {
				e, err := n.Entity(t.Context(), "counter", key)
				if err != nil || string(e.State) != want || e.LockedBy != "" {
					t.Errorf("entity %s is %+v, %v; want %s", key, e, err, want)
				}
			}
		})
	}
}

// TestCrashInTheMiddle takes the disk as a power cut leaves it while runs of all kinds are under way.
func TestCrashInTheMiddle(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	hello := make(chan struct{}, 1000)
	functions := map[string]func(context.Context, []byte) ([]byte, error){
		"flaky": flaky(),
		"hello": func(_ context.Context, in []byte) ([]byte, error) { hello <- struct{}{}; return in, nil },
	}
	opts := Options{Dir: "data", FS: disk, Partitions: 3, Code: all, Functions: registry(t, functions)}
	n := reopen(t, opts)
	names := []string{"chain", "family", "transfer", "retries"}
	for i := range 10 {
		for _, w := range names {
			startWorkflow(t, n, w, fmt.Sprint(w, i), fmt.Sprint(i))
		}
	}
	for range 100 {
		<-hello // in the middle
	}
	opts.FS = disk.CrashClone(vfs.CrashCloneCfg{})
	go func() {
		for range hello { // let the node go on
		}
	}()
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	close(hello)
	opts.Functions = registry(t, map[string]func(context.Context, []byte) ([]byte, error){"flaky": flaky()})
	n = reopen(t, opts)
	for i := range 10 {
		wantRun(t, n, fmt.Sprint("chain", i), fmt.Sprintf("COMPLETED %d", i))
		wantRun(t, n, fmt.Sprint("family", i), `COMPLETED ["a",190]`)
		wantRun(t, n, fmt.Sprint("transfer", i), "COMPLETED 3")
		wantRun(t, n, fmt.Sprint("retries", i), fmt.Sprintf("COMPLETED %d", i))
	}
	for key, want := range map[string]string{"a": "-30", "b": "30"} {
		e, err := n.Entity(t.Context(), "counter", key)
		if err != nil || string(e.State) != want || e.LockedBy != "" {
			t.Errorf("entity %s is %+v, %v; want %s", key, e, err, want)
		}
	}
}

// TestCodeThatIsNotThere: its runs wait, also through events, and go on when the node is opened with it.
func TestCodeThatIsNotThere(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: "data", FS: vfs.NewMem(), Code: all, Partitions: 1}
	n := reopen(t, opts)
	startWorkflow(t, n, "waits", "a", "1")
	startWorkflow(t, n, "unheard-of", "b", "1")
	if err := n.SignalEntity(t.Context(), "other", "x", "add", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Code = book{}
	n = reopen(t, opts)
	if err := n.RaiseEvent(t.Context(), "a", "go", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if v, err := n.Workflow(t.Context(), "a"); err != nil || v.Status != durable.Running || v.Waiting != 1 {
		t.Fatalf("a run without code is %+v, %v", v, err)
	}
	if e, err := n.Entity(t.Context(), "other", "x"); err != nil || e.Waiting != 1 {
		t.Fatalf("an entity without code is %+v, %v", e, err)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Code = book{"waits": all["waits"], "unheard-of": all["waits"]}
	n = reopen(t, opts)
	wantRun(t, n, "a", "COMPLETED 1")
	if err := n.RaiseEvent(t.Context(), "b", "go", []byte("2")); err != nil {
		t.Fatal(err)
	}
	wantRun(t, n, "b", "COMPLETED 2")
}

// TestChangedCode: a run whose code was changed under it fails with words a person can act on, and goes on when the code
// is mended and the run rewound. What was done is not done again.
func TestChangedCode(t *testing.T) {
	t.Parallel()
	var first atomic.Int64
	functions := map[string]func(context.Context, []byte) ([]byte, error){
		"first": func(context.Context, []byte) ([]byte, error) { return fmt.Append(nil, first.Add(1)), nil },
	}
	good := func(w *durable.Flow, _ []byte) ([]byte, error) {
		out, err := ask(w, "first", "1")
		if err != nil {
			return nil, err
		}
		more, err := durable.Receive(w, "go").Await(w)
		return fmt.Appendf(nil, "[%s,%s]", out, more), err
	}
	bad := func(w *durable.Flow, _ []byte) ([]byte, error) {
		_, err := ask(w, "second", "1")
		return nil, err
	}
	opts := Options{Dir: "data", FS: vfs.NewMem(), Partitions: 1, Code: book{"w": good}, Functions: registry(t, functions)}
	n := reopen(t, opts)
	startWorkflow(t, n, "w", "a", "1")
	for { // until the call is in the history
		events, err := n.WorkflowHistory(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		if len(events) >= 5 {
			break
		}
		runtime.Gosched()
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Code, opts.Functions = book{"w": bad}, registry(t, functions)
	n = reopen(t, opts)
	if err := n.RaiseEvent(t.Context(), "a", "go", []byte("7")); err != nil {
		t.Fatal(err)
	}
	v := waitWorkflow(t, n, "a")
	if v.Status != durable.Failed || v.Failure.Type != durable.NonDeterminismType {
		t.Fatalf("the run is %s", said(v))
	}
	for _, want := range []string{`function "first"`, `function "second"`, "code_test.go:", "rewind the run"} {
		if !strings.Contains(v.Failure.Message, want) {
			t.Errorf("%q does not say %q", v.Failure.Message, want)
		}
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Code, opts.Functions = book{"w": good}, registry(t, functions)
	n = reopen(t, opts)
	if _, err := n.RewindWorkflow(t.Context(), "a", "mended"); err != nil {
		t.Fatal(err)
	}
	wantRun(t, n, "a", "COMPLETED [1,7]")
	if first.Load() != 1 {
		t.Errorf("what had succeeded was done %d times", first.Load())
	}
}

// TestVersionsArePinned: a run keeps the version it started with, and the next execution may take another.
func TestVersionsArePinned(t *testing.T) {
	t.Parallel()
	version := func(name string) durable.Code {
		return func(w *durable.Flow, _ []byte) ([]byte, error) {
			out, err := durable.Receive(w, "go").Await(w)
			if string(out) == `"new"` {
				return nil, durable.ContinueAsNew(nil, "2", false)
			}
			return fmt.Appendf(nil, `"%s %s"`, name, w.CodeVersion()), err
		}
	}
	n := reopen(t, Options{Code: book{"w@1": version("one"), "w@2": version("two")}})
	for _, id := range []string{"a", "b"} {
		if _, err := n.StartWorkflow(t.Context(), StartWorkflow{Workflow: "w", Version: "1", ID: id}); err != nil {
			t.Fatal(err)
		}
	}
	for _, e := range []struct{ id, data string }{{"b", `"new"`}, {"b", `"on"`}, {"a", `"on"`}} {
		if err := n.RaiseEvent(t.Context(), e.id, "go", []byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	wantRun(t, n, "a", `"one 1"`)
	wantRun(t, n, "b", `"two 2"`)
}

// bubble runs a test on a clock that moves when everybody waits. Everything is in memory: a disk is waited for outside.
func bubble(t *testing.T, opts Options, fn func(t *testing.T, n *Node)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		opts.Logger = quiet()
		if opts.Functions == nil {
			opts.Functions = function.NewRegistry()
		}
		n, err := Open(opts)
		if err != nil {
			t.Fatal(err)
		}
		fn(t, n)
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestCodeThatBlocks: a workflow that does not come to the end of its step does not hold its partition; others go on, and
// its step comes when it comes.
func TestCodeThatBlocks(t *testing.T) {
	var stuck chan struct{}
	code := book{"waits": all["waits"], "stuck": func(w *durable.Flow, _ []byte) ([]byte, error) {
		<-stuck
		return durable.Receive(w, "go").Await(w)
	}}
	bubble(t, Options{Partitions: 1, Code: code}, func(t *testing.T, n *Node) {
		stuck = make(chan struct{})
		startWorkflow(t, n, "stuck", "a", "1")
		startWorkflow(t, n, "stuck", "b", "1")
		startWorkflow(t, n, "waits", "c", "1")
		for _, id := range []string{"a", "b", "c"} {
			if err := n.RaiseEvent(t.Context(), id, "go", fmt.Appendf(nil, "%q", id)); err != nil {
				t.Fatal(err)
			}
		}
		wantRun(t, n, "c", `COMPLETED "c"`)
		v, err := n.Workflow(t.Context(), "a")
		if err != nil || v.Status != durable.Running {
			t.Fatalf("the run is %+v, %v", v, err)
		}
		close(stuck)
		wantRun(t, n, "a", `COMPLETED "a"`)
		wantRun(t, n, "b", `COMPLETED "b"`)
	})
}

// TestStuckCodeIsTerminatedAndRestarted: what it does at last is nobody's.
func TestStuckCodeIsTerminatedAndRestarted(t *testing.T) {
	var stuck chan struct{}
	var began atomic.Int64
	code := book{"stuck": func(w *durable.Flow, _ []byte) ([]byte, error) {
		if began.Add(1) == 1 {
			<-stuck
			return []byte(`"old"`), nil
		}
		return durable.Receive(w, "go").Await(w)
	}}
	bubble(t, Options{Partitions: 1, Code: code}, func(t *testing.T, n *Node) {
		stuck = make(chan struct{})
		startWorkflow(t, n, "stuck", "a", "1")
		if v, err := n.TerminateWorkflow(t.Context(), "a", "enough", false); err != nil || v.Status != durable.Terminated {
			t.Fatalf("%+v, %v", v, err)
		}
		if _, err := n.RestartWorkflow(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		close(stuck)
		synctest.Wait()
		if v, err := n.Workflow(t.Context(), "a"); err != nil || v.Status != durable.Running || v.Execution != 2 {
			t.Fatalf("the run is %+v, %v", v, err)
		}
		if err := n.RaiseEvent(t.Context(), "a", "go", []byte(`"new"`)); err != nil {
			t.Fatal(err)
		}
		wantRun(t, n, "a", `COMPLETED "new"`)
	})
}

// TestCloseDoesNotWaitForEver: neither for code that blocks already nor for code that begins to while the node closes.
func TestCloseDoesNotWaitForEver(t *testing.T) {
	t.Run("already", func(t *testing.T) {
		var stuck chan struct{}
		code := book{"stuck": func(w *durable.Flow, _ []byte) ([]byte, error) { <-stuck; return nil, nil }}
		bubble(t, Options{Partitions: 1, Code: code}, func(t *testing.T, n *Node) {
			stuck = make(chan struct{})
			startWorkflow(t, n, "stuck", "a", "1")
			if err := n.Close(); err != nil {
				t.Error(err)
			}
			close(stuck)
		})
	})
	t.Run("meanwhile", func(t *testing.T) {
		var stuck chan struct{}
		code := book{"stuck": func(w *durable.Flow, _ []byte) ([]byte, error) { <-stuck; return nil, nil }}
		bubble(t, Options{Partitions: 1, Code: code}, func(t *testing.T, n *Node) {
			stuck = make(chan struct{})
			// As if Close had come to where goroutines end when the lane took up a step.
			m := workflow.Start{Workflow: "stuck"}
			ev := partition.Event{Kind: partition.Message, To: workflow.RunInstance("a"), Program: workflow.RunsID, Op: workflow.OpStart, Body: m.Encode()}
			if err := n.lanes[0].Submit(lane.Item{Event: ev, Internal: true}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait() // the code blocks, and the watchdog has not looked yet
			n.end()
			_ = n.Close() // it may find that nothing can be flushed any more
			close(stuck)
		})
	})
}

// TestTimeIsAParameter: time-outs, retries and sleeps take no time.
func TestTimeIsAParameter(t *testing.T) {
	calls := 0
	code := book{
		"evening": func(w *durable.Flow, _ []byte) ([]byte, error) {
			begun := w.Now()
			w.Sleep(3 * time.Hour)
			return fmt.Append(nil, int(w.Now().Sub(begun).Hours())), nil
		},
		"timeout": func(w *durable.Flow, _ []byte) ([]byte, error) {
			event, timer := durable.Receive(w, "never"), durable.Timer(w, w.Now().Add(time.Hour).UnixMilli())
			durable.Wait(w, 1, event, timer)
			return fmt.Append(nil, event.Done(), timer.Done())[:5], nil
		},
		"retry": func(w *durable.Flow, _ []byte) ([]byte, error) {
			begun := w.Now()
			r := &durable.Retry{Attempts: 6, First: time.Second, Coefficient: 10, Most: time.Hour}
			_, err := durable.Call(w, "fails", []byte("1"), nil, r).Await(w)
			return fmt.Appendf(nil, "%q", fmt.Sprint(w.Now().Sub(begun).Round(time.Second), " ", err)), nil
		},
		"slow call": func(w *durable.Flow, _ []byte) ([]byte, error) {
			_, err := durable.Call(w, "sleeps", []byte("1"), &durable.Options{Timeout: 1500}, nil).Await(w)
			return fmt.Appendf(nil, "%q", fmt.Sprint(err)), nil
		},
	}
	functions := function.NewRegistry()
	_ = functions.Register("fails", function.Go(func(context.Context, []byte) ([]byte, error) { calls++; return nil, errors.New("no") }), function.Settings{})
	_ = functions.Register("sleeps", function.Go(func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }), function.Settings{})
	bubble(t, Options{Partitions: 2, Code: code, Functions: functions}, func(t *testing.T, n *Node) {
		for name := range code {
			startWorkflow(t, n, name, name, "1")
		}
		wantRun(t, n, "evening", "COMPLETED 3")
		wantRun(t, n, "timeout", "COMPLETED false")
		wantRun(t, n, "retry", `COMPLETED "1h18m31s `) // 1 + 10 + 100 + 1000 + 3600 s
		wantRun(t, n, "slow call", "States.Timeout")
		if calls != 6 {
			t.Errorf("the function was called %d times", calls)
		}
	})
}

// TestPurgeIsOfOwnChildren: a run that could not start a child because its id was another's does not purge that other run.
func TestPurgeIsOfOwnChildren(t *testing.T) {
	t.Parallel()
	code := book{
		"waits": all["waits"],
		"parent": func(w *durable.Flow, in []byte) ([]byte, error) {
			var id string
			_ = json.Unmarshal(in, &id)
			_, err := durable.Child(w, "quick", "", id, nil, nil, nil).Await(w)
			return nil, err
		},
		"quick": func(*durable.Flow, []byte) ([]byte, error) { return []byte("1"), nil },
	}
	n := reopen(t, Options{Code: code})
	startWorkflow(t, n, "quick", "stranger", "1")
	startWorkflow(t, n, "parent", "p", `"mine"`)
	startWorkflow(t, n, "parent", "q", `"stranger"`)
	startWorkflow(t, n, "parent", "self", `"self"`)
	wantRun(t, n, "stranger", "COMPLETED")
	wantRun(t, n, "p", "COMPLETED")
	wantRun(t, n, "q", "FAILED Weft.RunExists")
	wantRun(t, n, "self", "FAILED Weft.RunExists")
	for id, want := range map[string]int{"p": 2, "q": 1, "self": 1} {
		if purged, err := n.PurgeWorkflow(t.Context(), id, true); err != nil || purged != want {
			t.Errorf("purging %s took %d runs with it, %v; want %d", id, purged, err, want)
		}
	}
	for id, there := range map[string]bool{"stranger": true, "mine": false, "p": false, "self": false} {
		if _, err := n.Workflow(t.Context(), id); fault.Is(err, fault.RunNotFound) == there {
			t.Errorf("run %s: %v", id, err)
		}
	}
}

// TestGoexitIsContained: user code that ends its goroutine ends neither a partition nor its neighbours' operations.
func TestGoexitIsContained(t *testing.T) {
	code := book{
		"exits": func(w *durable.Flow, _ []byte) ([]byte, error) { runtime.Goexit(); return nil, nil },
		"asks": func(w *durable.Flow, in []byte) ([]byte, error) {
			var tasks []*durable.Task
			for _, op := range []string{"add", "exit", "add", "exit", "get"} {
				tasks = append(tasks, durable.CallEntity(w, "counter/x", op, []byte("1")))
			}
			text := ""
			for _, t := range tasks {
				out, err := t.Await(w)
				text += fmt.Sprint(string(out), err != nil, " ")
			}
			return fmt.Appendf(nil, "%q", text), nil
		},
		"waits": all["waits"],
	}
	bubble(t, Options{Partitions: 1, Code: code}, func(t *testing.T, n *Node) {
		startWorkflow(t, n, "exits", "a", "1")
		wantRun(t, n, "a", "FAILED Weft.Goexit")
		startWorkflow(t, n, "asks", "b", "1")
		wantRun(t, n, "b", `COMPLETED "1false true 2false true 2false "`)
		startWorkflow(t, n, "waits", "c", "1")
		if err := n.RaiseEvent(t.Context(), "c", "go", nil); err != nil {
			t.Fatal(err)
		}
		wantRun(t, n, "c", "COMPLETED null")
	})
}
