package classic_test

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/classic"
)

func open(t *testing.T, o classic.Options, declared ...weft.Declaration) *classic.Engine {
	t.Helper()
	code, functions, err := weft.Declared(declared...)
	if err != nil {
		t.Fatal(err)
	}
	o.Dir, o.Code, o.Functions, o.Logger = t.TempDir(), code, functions, slog.New(slog.DiscardHandler)
	e, err := classic.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(e.Close(), functions.Close()); err != nil {
			t.Error(err)
		}
	})
	return e
}

func run(t *testing.T, e *classic.Engine, workflow, input string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	id, err := e.Start(workflow, "", []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	v, err := e.Wait(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if v.Failure != nil {
		return v.Failure.Error()
	}
	return string(v.Output)
}

var add = weft.Function("add", func(_ context.Context, n int) (int, error) { return n + 1, nil })

// passes counts how often the code of five begins.
func five(passes *atomic.Int64) *weft.WorkflowOf[int, int] {
	return weft.Workflow("five", func(w *weft.Flow, n int) (int, error) {
		passes.Add(1)
		for range 5 {
			var err error
			if n, err = add.Call(w, n); err != nil {
				return 0, err
			}
		}
		return n, nil
	})
}

// TestEveryStepIsItsOwnAccess counts what five calls cost.
func TestEveryStepIsItsOwnAccess(t *testing.T) {
	t.Parallel()
	var passes atomic.Int64
	e := open(t, classic.Options{}, add, five(&passes))
	if got := run(t, e, "five", "1"); got != "6" {
		t.Errorf("five additions to 1 make %s", got)
	}
	if err := e.Close(); err != nil { // ends what happens after the run's end
		t.Fatal(err)
	}
	s := e.Stats()
	s.Bytes, s.Reads = 0, 0
	want := classic.Stats{
		Puts:    1 + 5 + 5, // the start; calls; answers
		Commits: 1 + 6,     // the start's row; episodes
		Removes: 6 + 5,     // what caused an episode; calls
	}
	if s != want {
		t.Errorf("five calls cost %+v, want %+v", s, want)
	}
	if n := passes.Load(); n != 6 {
		t.Errorf("the code began %d times; without extended sessions each of the 6 episodes replays it", n)
	}
}

func TestExtendedSessionsNeedNoReplay(t *testing.T) {
	t.Parallel()
	var passes atomic.Int64
	e := open(t, classic.Options{Extended: true}, add, five(&passes))
	if got := run(t, e, "five", "1"); got != "6" {
		t.Errorf("five additions to 1 make %s", got)
	}
	if n := passes.Load(); n != 1 {
		t.Errorf("the code began %d times, want once", n)
	}
}

// TestWhatProgramsNeed goes through the rest of what instances ask an engine for.
func TestWhatProgramsNeed(t *testing.T) {
	t.Parallel()
	var tries atomic.Int64
	flaky := weft.Function("flaky", func(_ context.Context, _ int) (int, error) {
		if tries.Add(1) < 3 {
			return 0, errors.New("not yet")
		}
		return 7, nil
	})
	retry := weft.Workflow("retry", func(w *weft.Flow, _ int) (int, error) {
		return flaky.Call(w, 0, weft.WithRetry(weft.Retry{First: time.Millisecond, Coefficient: 1}))
	})
	fail := weft.Workflow("fail", func(w *weft.Flow, _ int) (int, error) { return 0, errors.New("it cannot be done") })
	child := weft.Workflow("child", func(w *weft.Flow, n int) (int, error) {
		w.Sleep(2 * time.Millisecond)
		return add.Call(w, n)
	})
	parent := weft.Workflow("parent", func(w *weft.Flow, n int) ([]int, error) {
		if _, err := fail.Call(w, 0); err == nil {
			return nil, errors.New("a child that fails does not fail its parent")
		}
		return weft.All(w, child.Start(w, n), child.Start(w, n+1))
	})
	var loop *weft.WorkflowOf[int, int]
	loop = weft.Workflow("loop", func(w *weft.Flow, n int) (int, error) {
		if n < 3 {
			v, _ := add.Call(w, n)
			return 0, loop.ContinueAsNew(v)
		}
		return add.Call(w, n)
	})
	box := weft.Entity[int]("box")
	put := weft.Operation(box, "put", func(c *weft.EntityContext, s *int, n int) (int, error) {
		if n < 0 {
			return 0, errors.New("negative")
		}
		*s += n
		return *s, nil
	})
	locked := weft.Workflow("locked", func(w *weft.Flow, _ int) (int, error) {
		if err := put.SignalAt(w, w.Now().Add(time.Millisecond), "c", 5); err != nil {
			return 0, err
		}
		section, err := weft.Lock(w, box.ID("a"), box.ID("b"))
		if err != nil {
			return 0, err
		}
		defer section.Leave()
		if _, err := put.Call(w, "a", -1); err == nil {
			return 0, errors.New("an operation that fails answers no failure")
		}
		if _, err := put.Call(w, "a", 2); err != nil {
			return 0, err
		}
		return put.Call(w, "b", 3)
	})
	e := open(t, classic.Options{}, add, flaky, retry, fail, child, parent, loop, box, locked)
	for _, c := range []struct{ workflow, input, want string }{
		{"retry", "0", "7"},
		{"fail", "0", "it cannot be done"},
		{"parent", "1", "[2,3]"},
		{"loop", "0", "4"},
		{"locked", "0", "3"},
		{"locked", "0", "6"},
	} {
		if got := run(t, e, c.workflow, c.input); got != c.want {
			t.Errorf("%s(%s) is %s, want %s", c.workflow, c.input, got, c.want)
		}
	}
	if state, err := e.State("box", "a"); err != nil || string(state) != "4" {
		t.Errorf("box a has %s (%v), want 4", state, err)
	}
}

func TestWaitEndsWithTheEngine(t *testing.T) {
	t.Parallel()
	sleep := weft.Workflow("sleep", func(w *weft.Flow, _ int) (int, error) {
		w.Sleep(time.Hour)
		return 0, nil
	})
	e := open(t, classic.Options{}, sleep)
	id, err := e.Start("sleep", "", []byte("0"))
	if err != nil {
		t.Fatal(err)
	}
	got := make(chan error, 1)
	go func() {
		_, err := e.Wait(context.Background(), id)
		got <- err
	}()
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-got; err == nil {
		t.Error("the run ended without having slept")
	}
	if _, err := e.Start("sleep", "", nil); err == nil {
		t.Error("a closed engine starts runs")
	}
}
