package reference

import (
	"context"
	"testing"
	"time"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/platform/virtual"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/memory"
)

// bench is a machine on the real runtime, with a datastore in memory and virtual time.
type bench struct {
	*unum.Runtime
	t        *testing.T
	store    *memory.Store
	platform *virtual.Platform
}

func newBench(t *testing.T, definition string, code unum.Run) *bench {
	t.Helper()
	app, err := compile.Machine([]byte(definition), compile.Options{Name: "m"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.New(app)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, store: memory.New(), platform: virtual.New(began)}
	b.Runtime = &unum.Runtime{Store: b.store, Platform: b.platform, Program: p, Now: b.platform.Now}
	b.platform.Execute = func(ctx context.Context, _ string, payload []byte) error { return b.Handle(ctx, payload, code) }
	b.platform.Fail = func(ctx context.Context, _ string, payload []byte, err error) error {
		req, wrong := b.Runtime.Fail(payload, "Lambda.Unknown", err.Error())
		if wrong != nil {
			return wrong
		}
		return b.Execute(ctx, req, code)
	}
	return b
}

// run starts a run and delivers all there is.
func (b *bench) run(input string, timeout time.Duration) *unum.Description {
	b.t.Helper()
	if _, err := b.Start(b.t.Context(), "r", []byte(input), timeout); err != nil {
		b.t.Fatal(err)
	}
	return b.drain()
}

func (b *bench) drain() *unum.Description {
	b.t.Helper()
	if err := b.platform.Run(b.t.Context(), 50_000, nil); err != nil {
		b.t.Fatal(err)
	}
	d, err := b.Describe(b.t.Context(), "r")
	if err != nil {
		b.t.Fatal(err)
	}
	return d
}

// keys returns what is in the datastore.
func (b *bench) keys() (all []string) {
	if err := b.store.Keys(b.t.Context(), "", func(key string) bool { all = append(all, key); return true }); err != nil {
		b.t.Fatal(err)
	}
	return all
}

func answer(_ context.Context, code string, _ []byte) protocol.Outcome {
	return protocol.Outcome{Kind: protocol.Returned, Output: []byte(`"` + code + `"`)}
}

// A branch that does nothing but wait, again and again, ends when its run does.
func TestWaitingBranchEndsWithItsRun(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": true, "Branches": [
		{"StartAt": "W", "States": {
			"W": {"Type": "Wait", "Seconds": 10, "Next": "C"},
			"C": {"Type": "Choice", "Choices": [{"Variable": "$.stop", "IsPresent": true, "Next": "S"}], "Default": "W"},
			"S": {"Type": "Succeed"}}},
		{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "t", "End": true}}}]}}}`, answer)
	if d := b.run(`{}`, time.Minute); d.Status != unum.TimedOut {
		t.Errorf("%+v", d)
	}
	if n := b.platform.Delivered(); n > 30 {
		t.Errorf("there were %d requests", n)
	}
	if keys := b.keys(); len(keys) != 1 {
		t.Errorf("left over are %v", keys)
	}
}

// The first instance of a run has a time-out like any other.
func TestFirstTaskTimesOut(t *testing.T) {
	t.Parallel()
	var b *bench
	b = newBench(t, `{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "t", "TimeoutSeconds": 5, "End": true}}}`,
		func(ctx context.Context, _ string, _ []byte) protocol.Outcome {
			// It never answers: the platform has it go on until long after its time is up.
			if err := b.platform.Run(ctx, 10, nil); err != nil {
				t.Error(err)
			}
			return protocol.Outcome{Kind: protocol.Returned, Output: []byte(`1`)}
		})
	d := b.run(`{}`, 0)
	if d.Status != unum.Failed || d.Error == nil || *d.Error != "States.Timeout" || !d.Stopped.Equal(began.UTC().Add(5*time.Second)) {
		t.Errorf("%+v", d)
	}
}
