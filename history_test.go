package weft_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/durable"
)

// failed is a TB that keeps what it is failed with.
type failed struct{ why string }

func (*failed) Helper()                        {}
func (f *failed) Fatalf(s string, args ...any) { f.why = fmt.Sprintf(s, args...) }

// replayed says why a replay failed; "" if it did not.
func replayed(h weft.History, d ...weft.Declaration) string {
	var f failed
	weft.Replay(&f, h, d...)
	return f.why
}

var (
	reserve = weft.Function("reserve", func(context.Context, string) (int, error) { return 7, nil })
	ship    = weft.Function("ship", func(context.Context, int) (string, error) { return "shipped", nil })
)

// recorded runs a workflow to its end and returns its history, having been through JSON.
func recorded(t *testing.T, w *weft.WorkflowOf[string, string], id string, more ...weft.Declaration) weft.History {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	app, err := weft.Open(quietOptions(""), append(more, w, reserve, ship)...)
	if err != nil {
		t.Fatal(err)
	}
	defer app.Close()
	run, err := w.Run(ctx, app, "tea", weft.WithID(id))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := run.Run.Wait(ctx); err != nil {
		t.Fatal(err)
	}
	h, err := run.History(ctx)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	read, err := weft.ReadHistory(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(h, read, cmp.Comparer(func(a, b []byte) bool { return bytes.Equal(a, b) })); d != "" {
		t.Error(d)
	}
	return read
}

func orders(fn func(w *weft.Flow, sku string) (string, error), o ...weft.WorkflowOption) *weft.WorkflowOf[string, string] {
	return weft.Workflow("order", fn, o...)
}

func TestReplay(t *testing.T) {
	t.Parallel()
	packed := weft.Workflow("pack", func(w *weft.Flow, n int) (string, error) { return w.ID(), nil })
	first := orders(func(w *weft.Flow, sku string) (string, error) {
		n, err := reserve.Call(w, sku)
		if err != nil {
			return "", err
		}
		w.Sleep(time.Millisecond)
		if _, err := packed.Call(w, n); err != nil { // its id begins with the run's
			return "", err
		}
		return ship.Call(w, n)
	})
	h := recorded(t, first, "order-7", packed)
	if why := replayed(h, first); why != "" {
		t.Error(why)
	}
	for n := range h { // of an open run, too
		if h[n].Kind == durable.StepStarted && n > 0 {
			if why := replayed(h[:n], first); why != "" {
				t.Errorf("%d events: %s", n, why)
			}
		}
	}

	second := orders(func(w *weft.Flow, sku string) (string, error) {
		n, err := reserve.Call(w, sku)
		if err != nil {
			return "", err
		}
		return ship.Call(w, n) // the pause is gone
	})
	why := replayed(h, second)
	want := regexp.MustCompile(`run "order-7" .* history has a timer \(action 2\) where the code did a call of function "ship" \(action 2\) at .*history_test\.go:\d+\.`)
	if !want.MatchString(why) {
		t.Errorf("changed code: %q", why)
	}

	third := orders(func(w *weft.Flow, sku string) (string, error) {
		n, err := reserve.Call(w, sku)
		if err != nil {
			return "", err
		}
		if w.Version("no-pause", 0, 1) == 0 {
			w.Sleep(time.Millisecond)
			if _, err := packed.Call(w, n); err != nil {
				return "", err
			}
		}
		return ship.Call(w, n)
	})
	if why := replayed(h, third); why != "" {
		t.Errorf("w.Version does not save it: %s", why)
	}
	if why := replayed(recorded(t, third, "order-8", packed), third); why != "" {
		t.Errorf("a run that took the new branch: %s", why)
	}

	broken := orders(func(*weft.Flow, string) (string, error) { panic("a defect") })
	if why := replayed(h, broken); !strings.Contains(why, "a defect") {
		t.Errorf("code that panics: %q", why)
	}
}

func TestReplaySaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	code := func(w *weft.Flow, sku string) (string, error) { return sku, nil }
	h := recorded(t, orders(code, weft.CodeVersion("2")), "order-1")
	for _, c := range []struct {
		history  weft.History
		declared []weft.Declaration
		want     string
	}{
		{h, []weft.Declaration{orders(code)}, `workflow "order" in version "2", which is not declared; there are: workflow "order"`},
		{h, nil, "there are: none"},
		{h, []weft.Declaration{orders(code), orders(code)}, "given twice"},
		{nil, nil, "does not begin"},
		{h[1:], nil, "does not begin"},
	} {
		if why := replayed(c.history, c.declared...); !strings.Contains(why, c.want) {
			t.Errorf("%q, want something of %q", why, c.want)
		}
	}
}

// TestReplayOfARunThatCouldNotBeReplayed holds that the history of a run that failed with a NonDeterminism is good to test
// mended code with.
func TestReplayOfARunThatCouldNotBeReplayed(t *testing.T) {
	t.Parallel()
	good := orders(func(w *weft.Flow, sku string) (string, error) {
		n, err := reserve.Call(w, sku)
		if err != nil {
			return "", err
		}
		return ship.Call(w, n)
	})
	h := recorded(t, good, "order-9")
	last := len(h) - 2 // StepStarted, CallCompleted, RunCompleted: what a replay that fails puts there instead
	h = append(h[:last:last], h[last], durable.Event{Kind: durable.RunFailed, Failure: &durable.Failure{Type: durable.NonDeterminismType}})
	if why := replayed(h, good); why != "" {
		t.Error(why)
	}
	bad := orders(func(w *weft.Flow, _ string) (string, error) { return ship.Call(w, 1) })
	if replayed(h, bad) == "" {
		t.Error("the code that failed passes")
	}
}
