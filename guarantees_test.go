package weft_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/limits"
)

// inBubble opens an app in memory, on a clock that moves when everybody waits.
func inBubble(t *testing.T, fn func(t *testing.T, app *weft.App), declared ...weft.Declaration) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		app, err := weft.Open(quietOptions(""), declared...)
		if err != nil {
			t.Fatal(err)
		}
		fn(t, app)
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	})
}

func result[In, Out any](t *testing.T, app *weft.App, w *weft.WorkflowOf[In, Out], in In) (Out, error) {
	t.Helper()
	run, err := w.Run(t.Context(), app, in)
	if err != nil {
		t.Fatal(err)
	}
	return run.Wait(t.Context())
}

// TestFailedOperationsLeaveNothing: an operation that fails, panics or ends its goroutine leaves the state as it was,
// shared parts of it too, and sends nothing, also when it deleted the entity before.
func TestFailedOperationsLeaveNothing(t *testing.T) {
	type state struct{ Names map[string][]int }
	list := weft.Entity[state]("list")
	noted := weft.Entity[int]("noted")
	note := weft.Operation(noted, "note", func(_ *weft.EntityContext, n *int, by int) (int, error) { *n += by; return *n, nil })
	put := weft.Operation(list, "put", func(_ *weft.EntityContext, s *state, n int) (int, error) {
		if s.Names == nil {
			s.Names = make(map[string][]int)
		}
		s.Names["all"] = append(s.Names["all"], n)
		return len(s.Names["all"]), nil
	})
	spoil := weft.Operation(list, "spoil", func(c *weft.EntityContext, s *state, how string) (int, error) {
		s.Names["all"][0] = -1
		s.Names["more"] = []int{1}
		if err := note.Signal(c, "x", 1); err != nil {
			return 0, err
		}
		c.Delete()
		switch how {
		case "panic":
			panic("spoilt")
		case "exit":
			runtime.Goexit()
		}
		return 0, errors.New("spoilt")
	})
	get := weft.Operation(list, "get", func(_ *weft.EntityContext, s *state, _ int) (string, error) { return fmt.Sprint(s.Names), nil })
	use := weft.Workflow("use", func(w *weft.Flow, _ int) (string, error) {
		for n := range 2 {
			if _, err := put.Call(w, "a", n+7); err != nil {
				return "", err
			}
		}
		var all []weft.Future[int]
		for _, how := range []string{"error", "panic", "exit"} {
			all = append(all, spoil.Start(w, "a", how))
		}
		var f *weft.Failure
		var kinds []string
		for _, one := range all {
			if _, err := one.Await(w); !errors.As(err, &f) {
				return "", errors.New("it did not fail")
			}
			kinds = append(kinds, f.Type)
		}
		names, err := get.Call(w, "a", 0)
		return strings.Join(kinds, " ") + " " + names, err
	})
	inBubble(t, func(t *testing.T, app *weft.App) {
		got, err := result(t, app, use, 0)
		if want := "Error panic Weft.Goexit map[all:[7 8]]"; err != nil || got != want {
			t.Errorf("got %q, %v; want %q", got, err, want)
		}
		if _, err := noted.State(t.Context(), app, "x"); !errors.Is(err, weft.ErrNoEntity) {
			t.Errorf("a failed operation sent a message: %v", err)
		}
	}, list, noted, use)
}

// TestOutputsOfOperationsAreBounded: one that is too large fails, and what the operation did is undone.
func TestOutputsOfOperationsAreBounded(t *testing.T) {
	log := weft.Entity[int]("log")
	grow := weft.Operation(log, "grow", func(_ *weft.EntityContext, n *int, by int) (string, error) {
		*n += by
		return strings.Repeat("x", *n), nil
	})
	use := weft.Workflow("use", func(w *weft.Flow, _ int) (string, error) {
		_, err := grow.Call(w, "a", limits.Default.PayloadBytes)
		small, errSmall := grow.Call(w, "a", 3)
		return fmt.Sprint(small, errSmall, err != nil && strings.Contains(err.Error(), "States.DataLimitExceeded")), nil
	})
	inBubble(t, func(t *testing.T, app *weft.App) {
		if got, err := result(t, app, use, 0); err != nil || got != "xxx<nil> true" {
			t.Errorf("%.100q, %v", got, err)
		}
	}, log, use)
}

// TestWaitForKeepsWhatComesLate: an event that comes after the time-out is the next wait's.
func TestWaitForKeepsWhatComesLate(t *testing.T) {
	e := weft.Event[int]("e")
	w := weft.Workflow("w", func(w *weft.Flow, _ int) (string, error) {
		_, first := e.WaitFor(w, time.Second)
		w.Sleep(time.Hour)
		second, err := e.WaitFor(w, time.Second)
		third, errThird := e.WaitFor(w, 2*time.Hour)
		return fmt.Sprint(errors.Is(first, weft.ErrTimeout), second, err, third, errThird), nil
	})
	inBubble(t, func(t *testing.T, app *weft.App) {
		run, err := w.Run(t.Context(), app, 0)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute) // of the bubble's clock
		if err := e.Raise(t.Context(), app, run.ID(), 2); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Hour)
		if err := e.Raise(t.Context(), app, run.ID(), 3); err != nil {
			t.Fatal(err)
		}
		if got, err := run.Wait(t.Context()); err != nil || got != "true 2 <nil> 3 <nil>" {
			t.Errorf("%q, %v", got, err)
		}
	}, w)
}

// TestErrorsKeepTheirNames: through functions, sub-workflows and runs, final ones too.
func TestErrorsKeepTheirNames(t *testing.T) {
	calls := 0
	f := weft.Function("f", func(_ context.Context, how string) (int, error) {
		calls++
		switch how {
		case "final":
			return 0, weft.Final(&refused{"no money"})
		case "panic":
			panic("in a function")
		}
		return 0, &refused{"no money"}
	})
	child := weft.Workflow("child", func(w *weft.Flow, how string) (int, error) {
		return f.Call(w, how, weft.WithRetry(weft.Retry{Attempts: 3}))
	})
	parent := weft.Workflow("parent", func(w *weft.Flow, how string) (string, error) {
		_, err := child.Call(w, how)
		var own *weft.Failure
		if !errors.As(err, &own) {
			return "", errors.New("it is no Failure")
		}
		return fmt.Sprint(own.Type, ": ", own.Message, " ", own.Final), nil
	})
	inBubble(t, func(t *testing.T, app *weft.App) {
		for _, c := range []struct {
			how, want string
			calls     int
		}{{"plain", "refused: no money false", 3}, {"final", "refused: no money true", 1}} {
			calls = 0
			if got, err := result(t, app, parent, c.how); err != nil || got != c.want || calls != c.calls {
				t.Errorf("%s: %q, %v after %d calls; want %q after %d", c.how, got, err, calls, c.want, c.calls)
			}
		}
		if _, err := result(t, app, child, "panic"); err == nil || !strings.Contains(err.Error(), "in a function") {
			t.Errorf("a panic is %v", err)
		}
	}, f, child, parent)
}

type refused struct{ why string }

func (d *refused) Error() string { return d.why }

// TestDeclarationsAreChecked: what is given twice or has no name is refused with a word.
func TestDeclarationsAreChecked(t *testing.T) {
	t.Parallel()
	code := func(*weft.Flow, int) (int, error) { return 0, nil }
	long := weft.Entity[int]("long")
	weft.Operation(long, strings.Repeat("x", limits.IDBytes+1), func(*weft.EntityContext, *int, int) (int, error) { return 0, nil })
	for want, declared := range map[string][]weft.Declaration{
		"given twice":     {weft.Workflow("w", code), weft.Workflow("w", code)},
		"has 1 to 200":    {weft.Workflow("", code)},
		"its version 200": {weft.Workflow("w", code, weft.CodeVersion(strings.Repeat("2", 201)))},
		"an operation":    {long},
		"was given":       {weft.Entity[int]("e"), weft.Entity[int]("e")},
		"and no slash":    {weft.Entity[int]("a/b")},
		`version "2"`:     {weft.Workflow("w", code, weft.CodeVersion("2")), weft.Workflow("w", code, weft.CodeVersion("2"))},
		`"w" was given `:  {weft.Workflow("v", code), weft.Workflow("w", code), weft.Workflow("w", code)},
	} {
		app, err := weft.Open(quietOptions(""), declared...)
		if err == nil {
			app.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error %v does not say %q", err, want)
		}
	}
}
