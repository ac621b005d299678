package weft_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine"
)

// shop is a program that uses most of what there is, one thing after the other in its workflow order, so that its history
// is the same wherever it runs.
type shop struct {
	mu     sync.Mutex
	tries  map[string]int
	order  *weft.WorkflowOf[string, string]
	spread *weft.WorkflowOf[int, int]
	broken *weft.WorkflowOf[string, string]
	stock  *weft.EntityOf[stock]
	paid   weft.EventOf[int]
	all    []weft.Declaration
}

type stock struct{ Sold, Left int }

// nth counts the calls of a name.
func (s *shop) nth(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tries[name]++
	return s.tries[name]
}

func newShop() *shop {
	s := &shop{tries: make(map[string]int), stock: weft.Entity[stock]("stock"), paid: weft.Event[int]("paid")}
	sell := weft.Operation(s.stock, "sell", func(_ *weft.EntityContext, st *stock, n int) (int, error) {
		st.Left -= n // undone when it fails
		if n > 10 {
			return 0, errors.New("too many")
		}
		st.Sold += n
		return st.Sold, nil
	})
	double := weft.Function("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil }, weft.Idempotent())
	flaky := weft.Function("flaky", func(_ context.Context, id string) (int, error) {
		if n := s.nth(id); n < 3 {
			return n, errors.New("not yet")
		}
		return 3, nil
	})
	half := weft.Workflow("half", func(w *weft.Flow, n int) (int, error) { return double.Call(w, n*10) })
	s.order = weft.Workflow("order", func(w *weft.Flow, in string) (string, error) {
		paid := 0
		if in != "last" { // an event that comes while something else is waited for would have no place of its own in history
			var err error
			if paid, err = s.paid.Wait(w); err != nil {
				return "", err
			}
		}
		n, err := flaky.Call(w, w.ID(), weft.WithRetry(weft.Retry{First: time.Millisecond, Coefficient: 1}))
		if err != nil {
			return "", err
		}
		if err := weft.SetStatus(w, in); err != nil {
			return "", err
		}
		w.Sleep(time.Millisecond)
		if in == "again" {
			return "", durable.ContinueAsNew([]byte(`"last"`), "", false)
		}
		section, err := weft.Lock(w, s.stock.ID("x"), s.stock.ID("y"), s.stock.ID("x"))
		if err != nil {
			return "", err
		}
		x, err := sell.Call(w, "x", n)
		if err != nil {
			return "", err
		}
		_, refused := sell.Call(w, "y", 11)
		section.Leave()
		y, err := half.Call(w, w.Version("halves", 0, 3))
		return fmt.Sprint(x, y, paid, " ", refused != nil), err
	})
	s.spread = weft.Workflow("spread", func(w *weft.Flow, n int) (sum int, err error) {
		var all []weft.Future[int]
		for i := range n {
			all = append(all, double.Start(w, i))
		}
		values, err := weft.All(w, all...)
		for _, v := range values {
			sum += v
		}
		return sum, err
	})
	s.broken = weft.Workflow("broken", func(w *weft.Flow, in string) (string, error) {
		n, err := flaky.Call(w, w.ID())
		return fmt.Sprint(in, n), err
	})
	s.all = []weft.Declaration{s.stock, double, flaky, half, s.order, s.spread, s.broken}
	return s
}

// story is what a program came to: results, states and histories by name.
type story map[string]string

// tell runs the program on an App and writes down all that can be compared.
func (s *shop) tell(t *testing.T, o engine.Options) story {
	ctx := t.Context()
	app, err := weft.Open(weft.Options{Logger: quietOptions("").Logger, Engine: o}, s.all...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := app.Close(); err != nil {
			t.Error(err)
		}
	}()
	told := make(story)
	for _, in := range []string{"once", "again"} {
		run := must(s.order.Run(ctx, app, in, weft.WithID("order "+in)))(t)
		if err := s.paid.Raise(ctx, app, run.ID(), 7); err != nil {
			t.Fatal(err)
		}
		told.add(t, "order "+in, must(run.Run.Wait(ctx))(t), must(run.History(ctx))(t), false)
	}
	run := must(s.spread.Run(ctx, app, 20, weft.WithID("spread")))(t)
	told.add(t, "spread", must(run.Run.Wait(ctx))(t), must(run.History(ctx))(t), true)
	fragile := must(s.broken.Run(ctx, app, "n", weft.WithID("broken")))(t)
	for range 2 {
		if _, err := fragile.Wait(ctx); err == nil {
			t.Fatal("a run whose function fails did not fail")
		}
		must(fragile.Rewind(ctx, "try again"))(t)
	}
	told.add(t, "broken", must(fragile.Run.Wait(ctx))(t), must(fragile.History(ctx))(t), false)
	for _, key := range []string{"x", "y"} {
		state, err := s.stock.State(ctx, app, key)
		told["stock "+key] = fmt.Sprint(state, err != nil)
	}
	return told
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// add writes down a run. What is the same but for the order of answers is sorted, without the steps they came in.
func (s story) add(t *testing.T, name string, i *weft.Info, h weft.History, parallel bool) {
	t.Helper()
	s[name] = fmt.Sprintf("%s %s %s %d %v", i.Status, i.Output, i.Custom, i.Execution, i.Err())
	var lines []string
	for _, e := range h {
		e.Time, e.Due = 0, 0
		if e.Start != nil {
			start := *e.Start
			start.Seed = 0
			e.Start = &start
		}
		if parallel && e.Kind == durable.StepStarted {
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %x", e.Kind, durable.AppendEvent(nil, &e)))
	}
	if len(lines) < 4 {
		t.Errorf("the history of %s has %d events", name, len(lines))
	}
	if parallel {
		slices.Sort(lines)
	}
	s[name+", history"] = strings.Join(lines, "\n")
}

// TestSameStoryEverywhere runs one program under every speculation level, replayed at each step and kept in memory, on one
// partition and on eight: all must come to the same, by the same history but for times.
func TestSameStoryEverywhere(t *testing.T) {
	t.Parallel()
	var first story
	for _, speculation := range []engine.Speculation{engine.SpeculationLocal, engine.SpeculationNone} {
		for _, hot := range []int{0, 1} {
			for _, partitions := range []int{1, 8} {
				name := fmt.Sprintf("speculation %d, hot %d, %d partitions", speculation, hot, partitions)
				told := newShop().tell(t, engine.Options{Speculation: speculation, Hot: hot, Partitions: partitions})
				if first == nil {
					first = told
				}
				for what := range first {
					if !reflect.DeepEqual(told[what], first[what]) {
						t.Errorf("%s: %s is\n%s\nand was\n%s", name, what, told[what], first[what])
					}
				}
			}
		}
	}
	if want := "COMPLETED \"3 60 7 true\" \"once\" 1 <nil>"; first["order once"] != want {
		t.Errorf("the order came to %s, want %s", first["order once"], want)
	}
	if first["stock x"] != "{6 -6} false" || first["stock y"] != "{0 0} true" {
		t.Errorf("the stocks are %s and %s", first["stock x"], first["stock y"])
	}
}
