package durable_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/limits"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func begin(t *testing.T, code durable.Code) *durable.Run {
	t.Helper()
	run := durable.New(durable.Config{ID: "r", Code: code})
	t.Cleanup(run.Close)
	run.Step(1, []durable.Event{{Kind: durable.RunStarted, Name: "flow"}})
	return run
}

// here returns the line that calls it, as differences have it.
func here() string {
	_, _, line, _ := runtime.Caller(1)
	return fmt.Sprintf("durable/run_test.go:%d", line)
}

// TestDifferencesTellTheLine: the line is that of the user's code, however deep, and the words say both sides and what to do.
func TestDifferencesTellTheLine(t *testing.T) {
	t.Parallel()
	old := func(w *durable.Flow, _ []byte) ([]byte, error) {
		_, _ = durable.Call(w, "old", nil, nil, nil).Await(w)
		return nil, nil
	}
	run := begin(t, old)
	history := []durable.Event{{Kind: durable.StepStarted}, {Kind: durable.RunStarted, Name: "flow"}, {Kind: durable.CallScheduled, ID: 1, Name: "old"}}
	run.Close()
	var line string
	deep := func(w *durable.Flow) {
		func() { durable.Call(w, "new", nil, nil, nil) }()
	}
	for _, c := range []struct {
		name string
		code durable.Code
		want string
	}{
		{"a call", func(w *durable.Flow, _ []byte) ([]byte, error) {
			line = here()
			durable.Call(w, "new", nil, nil, nil)
			return nil, nil
		}, `function "old" (action 1) where the code did a call of function "new" (action 1)`},
		{"a sleep", func(w *durable.Flow, _ []byte) ([]byte, error) {
			line = here()
			w.Sleep(time.Second)
			return nil, nil
		}, `function "old" (action 1) where the code did a timer (action 1)`},
		{"waiting", func(w *durable.Flow, _ []byte) ([]byte, error) {
			line = here()
			_, _ = durable.Receive(w, "e").Await(w)
			return nil, nil
		}, `function "old" (action 1) where the code did nothing`},
		{"deep", func(w *durable.Flow, _ []byte) ([]byte, error) {
			deep(w)
			return nil, nil
		}, `where the code did a call of function "new"`},
	} {
		line = ""
		run := durable.New(durable.Config{ID: "order-7", Code: c.code})
		n := run.Replay(history)
		run.Close()
		if n == nil {
			t.Errorf("%s: no difference", c.name)
			continue
		}
		text := n.Error()
		for _, want := range []string{`run "order-7" cannot be replayed`, c.want, "w.Version", "weftvet", "rewind the run", " at " + n.Line} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: %q does not say %q", c.name, text, want)
			}
		}
		if i := strings.LastIndexByte(n.Line, ':'); line != "" && (i < 0 || !near(n.Line, line)) {
			t.Errorf("%s: the line is %s, want the one after %s", c.name, n.Line, line)
		}
	}
}

// near reports whether got is the line after that of want.
func near(got, want string) bool {
	var a, b int
	_, errA := fmt.Sscanf(got, "durable/run_test.go:%d", &a)
	_, errB := fmt.Sscanf(want, "durable/run_test.go:%d", &b)
	return errA == nil && errB == nil && a == b+1
}

// TestFlowIsForItsCodeOnly: whoever uses a Flow from elsewhere is told so.
func TestFlowIsForItsCodeOnly(t *testing.T) {
	t.Parallel()
	var flow *durable.Flow
	run := begin(t, func(w *durable.Flow, _ []byte) ([]byte, error) {
		flow = w
		_, _ = durable.Receive(w, "e").Await(w)
		return nil, nil
	})
	elsewhere := func() (said any) {
		done := make(chan any)
		go func() {
			defer func() { done <- recover() }()
			durable.Call(flow, "f", nil, nil, nil)
		}()
		return <-done
	}
	if said := fmt.Sprint(elsewhere()); !strings.Contains(said, "used outside of its workflow's code") {
		t.Errorf("another goroutine hears %q", said)
	}
	run.Step(2, []durable.Event{{Kind: durable.EventRaised, Name: "e"}})
	if !run.Ended() {
		t.Fatal("the run goes on")
	}
	if said := fmt.Sprint(elsewhere()); !strings.Contains(said, "used outside of its workflow's code") {
		t.Errorf("after the end it hears %q", said)
	}
}

// TestCloseRunsDefers: also those of a run that was closed twice, or never began.
func TestCloseRunsDefers(t *testing.T) {
	t.Parallel()
	ran := 0
	run := begin(t, func(w *durable.Flow, _ []byte) ([]byte, error) {
		defer func() { ran++ }()
		w.Sleep(time.Hour)
		ran += 100
		return nil, nil
	})
	run.Close()
	run.Close()
	if ran != 1 {
		t.Errorf("defers ran %d times", ran)
	}
	if res := run.Step(1, []durable.Event{{Kind: durable.TimerFired, ID: 1}}); len(res.Actions) != 0 || res.Consumed != 0 {
		t.Errorf("a closed run takes steps: %+v", res)
	}
	durable.New(durable.Config{}).Close()
}

// TestLogIsSilentInAReplay: what was logged before is not logged again.
func TestLogIsSilentInAReplay(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
	code := func(w *durable.Flow, _ []byte) ([]byte, error) {
		w.Log().With("k", "v").WithGroup("g").Info("before", "replaying", w.Replaying())
		w.Sleep(time.Second)
		w.Log().Info("after")
		return nil, nil
	}
	run := durable.New(durable.Config{ID: "r", Code: code, Logger: logger})
	defer run.Close()
	run.Replay([]durable.Event{{Kind: durable.StepStarted}, {Kind: durable.RunStarted, Name: "flow"}, {Kind: durable.TimerCreated, ID: 1}})
	run.Step(5, []durable.Event{{Kind: durable.TimerFired, ID: 1}})
	if got, want := out.String(), "level=INFO msg=after run=r workflow=flow\n"; got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
	fresh := durable.New(durable.Config{ID: "r", Code: code, Logger: logger})
	defer fresh.Close()
	out.Reset()
	fresh.Step(1, []durable.Event{{Kind: durable.RunStarted, Name: "flow"}})
	if got, want := out.String(), "level=INFO msg=before run=r workflow=flow k=v g.replaying=false\n"; got != want {
		t.Errorf("logged %q, want %q", got, want)
	}
}

type custom struct{ list []int }

func (custom) Error() string { return "custom" }

type generic[T any] struct{}

func (*generic[T]) Error() string { return "generic" }

// TestFailures: what retry policies and rewinds read out of errors.
func TestFailures(t *testing.T) {
	t.Parallel()
	f := &durable.Failure{Type: "Bad", Message: "m", Final: true, Seq: 3}
	g := &durable.Failure{Type: "Worse", Seq: 5}
	for _, c := range []struct {
		err    error
		want   string
		final  bool
		causes string
	}{
		{errors.New("x"), "Error/x", false, "[]"},
		{fmt.Errorf("x: %w", errors.New("y")), "Error/x: y", false, "[]"},
		{custom{[]int{1}}, "custom/custom", false, "[]"},
		{context.DeadlineExceeded, "deadlineExceededError/context deadline exceeded", false, "[]"},
		{f, "Bad/m", true, "[3]"},
		{fmt.Errorf("wrapped: %w", f), "Bad/wrapped: Bad: m", true, "[3]"},
		{errors.Join(g, fmt.Errorf("w: %w", f)), "Worse/Worse\nw: Bad: m", false, "[5 3]"},
		{fmt.Errorf("%w and %w", f, g), "Bad/Bad: m and Worse", true, "[3 5]"},
	} {
		got, causes := durable.FailureOf(c.err)
		if s := got.Type + "/" + got.Message; s != c.want || got.Final != c.final || fmt.Sprint(causes) != c.causes {
			t.Errorf("%v is %s final %t because of %v", c.err, s, got.Final, causes)
		}
	}
	long := strings.Repeat("ü", limits.FailureBytes)
	for _, err := range []error{errors.New(long), &durable.Failure{Type: long, Message: long, Details: long}} {
		if got, _ := durable.FailureOf(err); max(len(got.Type), len(got.Message), len(got.Details)) > limits.FailureBytes || !strings.HasPrefix(long, got.Message) {
			t.Errorf("a failure has %d bytes of type, %d of message and %d of details", len(got.Type), len(got.Message), len(got.Details))
		}
	}
	if name := durable.TypeName(&generic[custom]{}); strings.ContainsAny(name, "]") {
		t.Errorf("a generic error's type is %q", name)
	}
}

// TestWhatRunsSayIsBounded: what code gives beside inputs and outputs is bounded, too.
func TestWhatRunsSayIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", limits.IDBytes+1)
	for want, code := range map[string]durable.Code{
		"the next execution's input is 11 bytes": func(*durable.Flow, []byte) ([]byte, error) {
			return nil, durable.ContinueAsNew(make([]byte, 11), "", false)
		},
		"the run's output is 11 bytes": func(*durable.Flow, []byte) ([]byte, error) { return make([]byte, 11), nil },
		"the status is 11 bytes":       func(w *durable.Flow, _ []byte) ([]byte, error) { return nil, durable.SetStatus(w, make([]byte, 11)) },
		"the name of a tag has": func(w *durable.Flow, _ []byte) ([]byte, error) {
			return durable.Child(w, "w", "", "", nil, &durable.Options{Tags: map[string]string{"k": long}}, nil).Await(w)
		},
		"a run has 50 tags at most": func(w *durable.Flow, _ []byte) ([]byte, error) {
			tags := make(map[string]string)
			for i := range limits.Tags + 1 {
				tags[fmt.Sprint(i)] = ""
			}
			_, err := durable.Spawn(w, "w", "", "", nil, &durable.Options{Tags: tags})
			return nil, err
		},
		"the key and the tenant": func(w *durable.Flow, _ []byte) ([]byte, error) {
			return durable.Call(w, "f", nil, &durable.Options{Tenant: long}, nil).Await(w)
		},
	} {
		run := durable.New(durable.Config{ID: "r", Code: code, OutputBytes: 10})
		res := run.Step(0, []durable.Event{{Kind: durable.RunStarted, Name: "w"}})
		if n := len(res.Actions); n != 1 || res.Actions[0].Kind != durable.RunFailed || !strings.Contains(res.Actions[0].Failure.Message, want) {
			t.Errorf("the actions %v do not fail with %q", res.Actions, want)
		}
		run.Close()
	}
}

// TestStepsAreOfASizeTheLogTakes: code cannot give more to others in one step, and inputs that would make it are left.
func TestStepsAreOfASizeTheLogTakes(t *testing.T) {
	t.Parallel()
	large := make([]byte, limits.StepBytes/8-limits.ActionBytes) // shared: it takes no memory
	var said string
	code := func(w *durable.Flow, _ []byte) ([]byte, error) {
		said = ""
		for range 10 {
			t := durable.Call(w, "f", large, nil, &durable.Retry{})
			said += fmt.Sprint(t.Failed(), " ")
		}
		_, _ = durable.Receive(w, "go").Await(w)
		return []byte(said), nil
	}
	run := durable.New(durable.Config{ID: "r", Code: code})
	defer run.Close()
	history := []durable.Event{{Kind: durable.StepStarted}, {Kind: durable.RunStarted, Name: "flow"}}
	res := run.Step(0, history[1:])
	if want := strings.Repeat("false ", 8) + "true true "; said != want || len(res.Actions) != 8 {
		t.Fatalf("the calls failed: %s; %d were made", said, len(res.Actions))
	}
	cold := durable.New(durable.Config{ID: "r", Code: code})
	defer cold.Close()
	if n := cold.Replay(append(history, res.Actions...)); n != nil {
		t.Error(n)
	}
	var fails, fires []durable.Event
	for i := range res.Actions {
		fails = append(fails, durable.Event{Kind: durable.CallFailed, ID: res.Actions[i].ID, Failure: &durable.Failure{Type: "Bad"}})
	}
	res = run.Step(1, fails)
	for i := range res.Actions {
		fires = append(fires, durable.Event{Kind: durable.TimerFired, ID: res.Actions[i].ID})
	}
	if res = run.Step(2000, fires); res.Consumed != 1 || len(res.Actions) != 1 {
		t.Errorf("a step took %d inputs and called %d times", res.Consumed, len(res.Actions))
	}
	if res = run.Step(2000, fires[1:]); res.Consumed != 1 {
		t.Errorf("the next took %d", res.Consumed)
	}
}
