package weft_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft"
)

// valueFiles counts the large values in a data directory.
func valueFiles(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(filepath.Join(dir, "values"), func(_ string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() && d.Name() != "LOCK" {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestLargeValues takes payloads of a megabyte through every place that can have one, crosses a restart with them, and
// holds that the log does not have them and that nothing is left when the runs are purged.
func TestLargeValues(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	const size = 1 << 20
	more := weft.Event[string]("more")
	grow := weft.Function("grow", func(_ context.Context, s string) (string, error) { return s + "!", nil })
	box := weft.Entity[string]("box")
	fill := weft.Operation(box, "fill", func(_ *weft.EntityContext, s *string, in string) (string, error) {
		old := *s
		*s = in
		return old, nil
	})
	inner := weft.Workflow("inner", func(w *weft.Flow, s string) (string, error) { return grow.Call(w, s) })
	pass := weft.Workflow("pass", func(w *weft.Flow, s string) (string, error) {
		s, err := grow.Call(w, s)
		if err != nil {
			return "", err
		}
		if s, err = inner.Call(w, s); err != nil {
			return "", err
		}
		if _, err := fill.Call(w, "b", s); err != nil {
			return "", err
		}
		extra, err := more.Wait(w)
		if err != nil {
			return "", err
		}
		old, err := fill.Call(w, "b", extra)
		return old + extra, err
	})
	dir := t.TempDir()
	declared := []weft.Declaration{grow, inner, pass, box}
	app, err := weft.Open(quietOptions(dir), declared...)
	if err != nil {
		t.Fatal(err)
	}
	in, extra := strings.Repeat("x", size), strings.Repeat("y", size)
	before := app.Engine().Stats().Log.Bytes
	if _, err := pass.Run(ctx, app, in, weft.WithID("p")); err != nil {
		t.Fatal(err)
	}
	for { // until the entity has it: the run then waits for the event
		if s, err := box.State(ctx, app, "b"); err == nil && s == in+"!!" {
			break
		}
	}
	if err := app.Close(); err != nil {
		t.Fatal(err)
	}
	if app, err = weft.Open(quietOptions(dir), declared...); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = app.Close() }()
	if err := more.Raise(ctx, app, "p", extra); err != nil {
		t.Fatal(err)
	}
	run := pass.Find(app, "p")
	if out, err := run.Wait(ctx); err != nil || out != in+"!!"+extra {
		t.Fatalf("the run gives %d bytes, %v", len(out), err)
	}
	if logged := app.Engine().Stats().Log.Bytes - before; logged > size {
		t.Errorf("the log took %d bytes: values are in it", logged)
	}
	history, err := run.History(ctx)
	if err != nil || len(history[1].Data) != size+2 {
		t.Errorf("history has %d bytes of input, %v", len(history[1].Data), err)
	}
	if n := valueFiles(t, dir); n < 5 {
		t.Errorf("%d values are kept, which are too few for what the runs have", n)
	}
	if err := run.Purge(ctx); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(30 * time.Second); ; {
		n := valueFiles(t, dir)
		if n == 1 { // the entity's state
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d values are left, want the entity's alone", n)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if s, err := box.State(ctx, app, "b"); err != nil || s != extra {
		t.Errorf("the entity has %d bytes, %v", len(s), err)
	}
}
