package local_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/platform/local"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/memory"
)

// deploy puts a compiled machine on a faas, with a function that goes on where others were given up.
func deploy(t *testing.T, s *faas.Service, definition string, store unum.Store, run unum.Run) *unum.Runtime {
	t.Helper()
	app, err := compile.Machine([]byte(definition), compile.Options{Name: "app"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.New(app)
	if err != nil {
		t.Fatal(err)
	}
	rt := &unum.Runtime{Store: store, Platform: local.New(s), Program: p}
	handle := local.Function(func(ctx context.Context, payload []byte) error { return rt.Handle(ctx, payload, run) })
	for _, f := range app.Functions {
		if err := s.Register(f.Name, handle, faas.Settings{Timeout: 10 * time.Second, OnFailure: "carrier"}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Register("carrier", handle, faas.Settings{}); err != nil {
		t.Fatal(err)
	}
	return rt
}

// TestRunsUnderFaults has runs with a fan-out and a wait end rightly and leave nothing but their results, while
// executions crash, requests come twice and late, and there is no room now and then.
func TestRunsUnderFaults(t *testing.T) {
	t.Parallel()
	const definition = `{"StartAt": "Each", "States": {
		"Each": {"Type": "Map", "ItemProcessor": {"StartAt": "Work", "States": {
			"Work": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:work", "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 9}], "End": true}}}, "Next": "Pause"},
		"Pause": {"Type": "Wait", "Seconds": 3600, "Next": "Last"},
		"Last": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:last", "Retry": [{"ErrorEquals": ["States.ALL"], "MaxAttempts": 9}], "End": true}}}`
	synctest.Test(t, func(t *testing.T) {
		s := faas.New(faas.Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Faults: faas.Faults{
			Seed: 1, Duplicate: 0.1, DuplicateWithin: 3 * time.Hour, CrashBefore: 0.1, CrashAfter: 0.1, Throttle: 0.05, Delay: 0.1, DelayMost: time.Hour,
		}})
		store := memory.New()
		rt := deploy(t, s, definition, store, func(_ context.Context, code string, input []byte) protocol.Outcome {
			return protocol.Outcome{Kind: protocol.Returned, Output: fmt.Appendf(nil, `{%q:%s}`, code[strings.LastIndex(code, ":")+1:], input)}
		})
		const runs = 100
		name := func(i int) string { return fmt.Sprintf("run-%d", i) }
		for i := range runs {
			if _, err := rt.Start(t.Context(), name(i), fmt.Appendf(nil, `[%d,"b",[]]`, i), 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		for i := range runs {
			d, err := rt.Describe(t.Context(), name(i))
			want := fmt.Sprintf(`{"last":[{"work":%d},{"work":"b"},{"work":[]}]}`, i)
			if err != nil || d.Status != unum.Succeeded || string(d.Output) != want {
				t.Errorf("%s: %+v %v", name(i), d, err)
			}
		}
		left := 0
		if err := store.Keys(t.Context(), "", func(string) bool { left++; return true }); err != nil || left != runs {
			t.Errorf("%d records for %d runs, %v", left, runs, err)
		}
		if stats := s.Stats(); stats.Exhausted == 0 || stats.Duplicates == 0 || stats.Throttles == 0 || stats.Lost > 0 {
			t.Errorf("too little went wrong, or too much: %+v", stats)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// TestPlatformFailuresAreCaught has a function that never ends in time: its run sees the error, as from Step Functions.
func TestPlatformFailuresAreCaught(t *testing.T) {
	t.Parallel()
	const definition = `{"StartAt": "Hang", "States": {
		"Hang": {"Type": "Task", "Resource": "arn:aws:lambda:us-east-1:1:function:hang", "Catch": [{"ErrorEquals": ["Sandbox.Timedout"], "Next": "Caught"}], "End": true},
		"Caught": {"Type": "Pass", "Parameters": {"why.$": "$.Error"}, "End": true}}}`
	synctest.Test(t, func(t *testing.T) {
		s := faas.New(faas.Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
		rt := deploy(t, s, definition, memory.New(), func(ctx context.Context, _ string, _ []byte) protocol.Outcome {
			<-ctx.Done()
			return protocol.Outcome{Kind: protocol.Raised}
		})
		if _, err := rt.Start(t.Context(), "r", []byte(`{}`), 0); err != nil {
			t.Fatal(err)
		}
		if err := s.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if d, err := rt.Describe(t.Context(), "r"); err != nil || d.Status != unum.Succeeded || string(d.Output) != `{"why":"Sandbox.Timedout"}` {
			t.Errorf("%+v %v", d, err)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
