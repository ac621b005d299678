package weft_test

import (
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/engine"
)

// TestCodeStats counts what workflows and entities do, over a restart.
func TestCodeStats(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		word := weft.Event[string]("word")
		waiter := weft.Workflow("waiter", func(w *weft.Flow, _ int) (string, error) { return word.Wait(w) })
		tally := weft.Entity[int]("tally")
		add := weft.Operation(tally, "add", func(_ *weft.EntityContext, s *int, n int) (int, error) { *s += n; return *s, nil })
		options := quietOptions(filepath.Join(t.TempDir(), "data"))
		check := func(app *weft.App, want engine.CodeStats) {
			t.Helper()
			synctest.Wait()
			if got := app.Engine().Stats().Code; got != want {
				t.Errorf("got %+v, want %+v", got, want)
			}
		}
		app, err := weft.Open(options, waiter, tally)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := waiter.Run(t.Context(), app, 0, weft.WithID("r")); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := add.Send(t.Context(), app, "a", 1); err != nil {
				t.Fatal(err)
			}
		}
		check(app, engine.CodeStats{Steps: 1, Operations: 3, Hot: 2})
		if err := app.Close(); err != nil {
			t.Fatal(err)
		}
		if app, err = weft.Open(options, waiter, tally); err != nil {
			t.Fatal(err)
		}
		defer app.Close()
		check(app, engine.CodeStats{})
		if err := word.Raise(t.Context(), app, "r", "go on"); err != nil {
			t.Fatal(err)
		}
		check(app, engine.CodeStats{Steps: 1, Replays: 1})
	})
}

// TestHandoversAreCounted lets a workflow do what it must not: block.
func TestHandoversAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		blocks := weft.Workflow("blocks", func(*weft.Flow, int) (int, error) {
			<-gate
			return 1, nil
		})
		app, err := weft.Open(quietOptions(""), blocks)
		if err != nil {
			t.Fatal(err)
		}
		defer app.Close()
		run, err := blocks.Run(t.Context(), app, 0)
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if n := app.Engine().Stats().Code.Handovers; n != 1 {
			t.Errorf("%d handovers", n)
		}
		close(gate)
		if _, err := run.Wait(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
