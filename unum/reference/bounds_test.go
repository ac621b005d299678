package reference

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
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
	code     unum.Run
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
	b := &bench{t: t, store: memory.New(), platform: virtual.New(began), code: code}
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

// items is a JSON list of n numbers.
func items(n int) string { return "[0" + strings.Repeat(",0", n-1) + "]" }

// What a join leaves to be collected may be more than a request can carry.
func TestMoreGarbageThanARequestCarries(t *testing.T) {
	t.Parallel()
	inner := `{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "t", "End": true}}}`
	outer := `{"StartAt": "In", "States": {"In": {"Type": "Map", "ItemsPath": "$$.Execution.Input.two", "End": true, "ItemProcessor": ` + inner + `}}}`
	for name, c := range map[string]struct {
		processor string
		inline    int
	}{
		"of nested fan-outs": {outer, 0},
		"blobs":              {inner, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, `{"StartAt": "Out", "States": {"Out": {"Type": "Map", "ItemsPath": "$.many", "ResultPath": null, "Next": "L", "ItemProcessor": `+c.processor+`},
				"L": {"Type": "Task", "Resource": "last", "End": true}}}`, answer)
			b.Inline = c.inline
			b.platform.Payload = 20 << 10
			d := b.run(`{"two": [1, 2], "many": `+items(600)+`}`, 0)
			if d.Status != unum.Succeeded || string(d.Output) != `"last"` {
				t.Errorf("%+v", d)
			}
			if keys := b.keys(); len(keys) > 2 { // the run, and its result by reference
				t.Errorf("left over are %d: %v", len(keys), keys[:3])
			}
		})
	}
}

// A fan-out whose members no record can name fails; it does not hang.
func TestWiderThanARecord(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$", "End": true,
		"ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "t", "End": true}}}}}}`, answer)
	if d := b.run(items(30_000), 0); d.Status != unum.Failed || d.Error == nil || *d.Error != "States.DataLimitExceeded" {
		t.Errorf("%v %v %v", d.Status, d.Error, d.Cause)
	}
}

// What States bounds is bounded here, too, and may be caught.
func TestLargeOutputs(t *testing.T) {
	t.Parallel()
	large := []byte(`"` + strings.Repeat("x", 5<<20) + `"`)
	half := []byte(`"` + strings.Repeat("x", 3<<19) + `"`)
	code := func(_ context.Context, code string, _ []byte) protocol.Outcome {
		switch code {
		case "large":
			return protocol.Outcome{Kind: protocol.Returned, Output: large}
		case "half":
			return protocol.Outcome{Kind: protocol.Returned, Output: half}
		}
		return protocol.Outcome{Kind: protocol.Returned, Output: []byte(`"` + code + `"`)}
	}
	task := func(name, rest string) string {
		return `{"Type": "Task", "Resource": "` + name + `"` + rest + `}`
	}
	catch := `, "Catch": [{"ErrorEquals": ["States.DataLimitExceeded"], "Next": "C"}], "Next": "C"`
	three := `"Branches": [{"StartAt": "X", "States": {"X": ` + task("half", `, "End": true`) + `}}, {"StartAt": "Y", "States": {"Y": ` + task("half", `, "End": true`) + `}}, {"StartAt": "Z", "States": {"Z": ` + task("half", `, "End": true`) + `}}]`
	for name, c := range map[string]struct{ states, want string }{
		"a task":         {`"A": ` + task("large", `, "End": true`), "States.DataLimitExceeded"},
		"a task, caught": {`"A": ` + task("large", catch) + `, "C": ` + task("c", `, "End": true`), ""},
		"a join":         {`"A": {"Type": "Parallel", ` + three + `, "End": true}`, "States.DataLimitExceeded"},
		"a join, caught": {`"A": {"Type": "Parallel", ` + three + catch + `}, "C": ` + task("c", `, "End": true`), ""},
		"a lot travels":  {`"A": ` + task("half", `, "Next": "B"`) + `, "B": ` + task("half", `, "Next": "C"`) + `, "C": ` + task("c", `, "End": true`), ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t, `{"StartAt": "A", "States": {`+c.states+`}}`, code)
			b.platform.Payload = 20 << 10
			switch d := b.run(`{}`, 0); {
			case c.want == "" && (d.Status != unum.Succeeded || string(d.Output) != `"c"`), c.want != "" && (d.Error == nil || *d.Error != c.want):
				t.Errorf("%v %v %v", d.Status, d.Error, d.Cause)
			}
			if keys := b.keys(); len(keys) > 2 {
				t.Errorf("left over are %v", keys)
			}
		})
	}
}

// Names of states may be anything, runs have long ids, and fan-outs nest.
func TestNamesAndDepth(t *testing.T) {
	t.Parallel()
	name := strings.Repeat("\u00e9/~ \u4e16.#'", 10)
	states := `{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "t", "End": true}}}`
	const depth = 12
	for i := range depth {
		n, _ := json.Marshal(fmt.Sprint(name[:len(name)-3], i))
		states = fmt.Sprintf(`{"StartAt": %s, "States": {%s: {"Type": "Parallel", "End": true, "Branches": [%s]}}}`, n, n, states)
	}
	b := newBench(t, states, answer)
	id := strings.Repeat("r", 256)
	if _, err := b.Start(t.Context(), id, []byte(`{}`), 0); err != nil {
		t.Fatal(err)
	}
	if err := b.platform.Run(t.Context(), 1000, nil); err != nil {
		t.Fatal(err)
	}
	d, err := b.Describe(t.Context(), id)
	if want := strings.Repeat("[", depth) + `"t"` + strings.Repeat("]", depth); err != nil || string(d.Output) != want {
		t.Errorf("%+v %v", d, err)
	}
}
