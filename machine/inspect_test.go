package machine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weftworks/weft/limits"
)

// counting answers "call/attempt", and fails all first attempts.
type counting struct{}

func (counting) Respond(state string, call, attempt int64) (Response, bool) {
	if state != "Work" {
		return Response{}, false
	}
	if attempt == 0 {
		return Response{Failed: true, Error: "Busy"}, true
	}
	return Response{Output: []byte{'"', byte('0' + call), '/', byte('0' + attempt), '"'}}, true
}

// TestMocksCount holds that calls are counted over branches and attempts in each, in a frame that is stored and loaded
// before every step (world.check).
func TestMocksCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t, parse(t, `{"StartAt": "All", "States": {"All": {"Type": "Map", "MaxConcurrency": 1, "End": true,
		"ItemProcessor": {"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": "f", "Retry": [{"ErrorEquals": ["Busy"]}], "End": true}}}}}}`),
		Execution{Name: "r"}, limits.Default)
	w.in.Mocks = counting{}
	if err := w.run(`[1,2,3]`); err != nil {
		t.Fatal(err)
	}
	if got := string(w.finish.Output); got != `["1/1","3/1","5/1"]` || w.calls != 0 {
		t.Errorf("output %s, %d calls", got, w.calls)
	}
}

func inspect(t *testing.T, definition string, tr Trial) *Inspection {
	t.Helper()
	m := parse(t, definition)
	in := &Interpreter{Definition: m}
	tr.State, tr.Now = m.Graph.Start, 1000
	if tr.Input == nil {
		tr.Input = []byte(`{"in":1}`)
	}
	return in.Inspect(&tr, func(c *Command) Event {
		if c.Function == "bad" {
			return Event{Kind: TaskFailed, ID: c.ID, Error: "Bad", Cause: "why"}
		}
		return Event{Kind: TaskSucceeded, ID: c.ID, Output: []byte(`{"out":2}`)}
	})
}

// TestInspectShowsTheWay holds which fields each kind of state shows, and where it goes.
func TestInspectShowsTheWay(t *testing.T) {
	t.Parallel()
	one := func(state string) string {
		return `{"StartAt": "A", "States": {"A": ` + state + `, "B": {"Type": "Succeed"}}}`
	}
	for _, tc := range []struct {
		name, state string
		trial       Trial
		want        string
	}{
		{"task", `{"Type": "Task", "Resource": "f", "InputPath": "$.in", "Parameters": {"p.$": "$"}, "ResultSelector": {"s.$": "$.out"}, "ResultPath": "$.r", "OutputPath": "$.r", "Next": "B"}`,
			Trial{}, `SUCCEEDED {"s":2} ->B input={"in":1} afterInputPath=1 afterParameters={"p":1} result={"out":2} afterResultSelector={"s":2} afterResultPath={"in":1,"r":{"s":2}}`},
		{"mocked", `{"Type": "Task", "Resource": "bad", "Next": "B"}`, Trial{Mock: &Response{Output: []byte(`7`)}},
			`SUCCEEDED 7 ->B input={"in":1} afterInputPath={"in":1} afterParameters={"in":1} result=7 afterResultSelector=7 afterResultPath=7`},
		{"failed", `{"Type": "Task", "Resource": "bad", "Next": "B"}`, Trial{},
			`FAILED Bad/why input={"in":1} afterInputPath={"in":1} afterParameters={"in":1}`},
		{"retried", `{"Type": "Task", "Resource": "bad", "Retry": [{"ErrorEquals": ["X"]}, {"ErrorEquals": ["Bad"], "MaxAttempts": 4}], "Next": "B"}`, Trial{Retried: 3},
			`RETRIABLE Bad/why retry=1 in 8s input={"in":1} afterInputPath={"in":1} afterParameters={"in":1}`},
		{"retried enough", `{"Type": "Task", "Resource": "bad", "Retry": [{"ErrorEquals": ["Bad"]}], "Next": "B"}`, Trial{Retried: 3},
			`FAILED Bad/why retry=0 input={"in":1} afterInputPath={"in":1} afterParameters={"in":1}`},
		{"caught", `{"Type": "Task", "Resource": "bad", "Catch": [{"ErrorEquals": ["Bad"], "ResultPath": "$.e", "Next": "B"}], "End": true}`, Trial{},
			`CAUGHT_ERROR Bad/why {"in":1,"e":{"Error":"Bad","Cause":"why"}} ->B catch=0 input={"in":1} afterInputPath={"in":1} afterParameters={"in":1}`},
		{"wait", `{"Type": "Wait", "Seconds": 99999, "Next": "B"}`, Trial{}, `SUCCEEDED {"in":1} ->B input={"in":1} afterInputPath={"in":1}`},
		{"map", `{"Type": "Map", "ItemsPath": "$.l", "ItemSelector": {"i.$": "$$.Map.Item.Value"}, "MaxConcurrency": 3, "ToleratedFailureCount": 1,
			"ItemProcessor": {"StartAt": "C", "States": {"C": {"Type": "Pass", "End": true}}}, "Next": "B"}`,
			Trial{Input: []byte(`{"l":[5,6]}`), Mock: &Response{Output: []byte(`[1,2]`)}, FailedIterations: 1},
			`SUCCEEDED [1,2] ->B max=3 tolerated=1 input={"l":[5,6]} afterInputPath={"l":[5,6]} afterItemsPath=[5,6] afterItemSelector=[{"i":5},{"i":6}] afterResultSelector=[1,2] afterResultPath=[1,2]`},
		{"map past its tolerance", `{"Type": "Map", "ItemProcessor": {"StartAt": "C", "States": {"C": {"Type": "Pass", "End": true}}}, "Next": "B"}`,
			Trial{Input: []byte(`[5,6]`), Mock: &Response{Output: []byte(`[1,2]`)}, FailedIterations: 1},
			`FAILED States.ExceedToleratedFailureThreshold/The specified tolerated failure threshold was exceeded max=0 input=[5,6] afterInputPath=[5,6] afterItemsPath=[5,6]`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			if got := shown(inspect(t, one(tc.state), tc.trial)); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

// shown is all that in says.
func shown(in *Inspection) string {
	var b strings.Builder
	b.WriteString(in.Outcome.String())
	if in.Error != nil || in.Cause != nil {
		fmt.Fprintf(&b, " %s/%s", deref(in.Error), deref(in.Cause))
	}
	if in.Output != nil {
		fmt.Fprintf(&b, " %s", in.Output)
	}
	if in.Next != "" {
		fmt.Fprintf(&b, " ->%s", in.Next)
	}
	show := func(name string, set bool, v func() any) {
		if set {
			fmt.Fprintf(&b, " %s=%v", name, v())
		}
	}
	show("retry", in.RetryIndex != nil, func() any { return *in.RetryIndex })
	if in.BackoffSeconds != nil {
		fmt.Fprintf(&b, " in %ds", *in.BackoffSeconds)
	}
	show("catch", in.CatchIndex != nil, func() any { return *in.CatchIndex })
	show("max", in.MaxConcurrency != nil, func() any { return *in.MaxConcurrency })
	show("tolerated", in.ToleratedCount != nil, func() any { return *in.ToleratedCount })
	show("toleratedPercentage", in.ToleratedPercentage != nil, func() any { return *in.ToleratedPercentage })
	for f, v := range in.Values {
		show(Field(f).String(), v != nil, func() any { return string(v) })
	}
	return b.String()
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
