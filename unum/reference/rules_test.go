package reference

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/inject"
)

// A run that gets the id of one that was forgotten shares nothing with what is left of that: neither its requests nor its
// time-out.
func TestForgottenRunSharesNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "a", "ResultPath": "$.a", "Next": "B"},
		"B": {"Type": "Task", "Resource": "b", "ResultPath": "$.b", "Next": "C"},
		"C": {"Type": "Task", "Resource": "c", "ResultPath": "$.c", "Next": "W"},
		"W": {"Type": "Wait", "Seconds": 100, "End": true}}}`, answer)
	var old []byte // of B
	replayed := false
	execute := b.platform.Execute
	b.platform.Execute = func(ctx context.Context, function string, payload []byte) error {
		switch {
		case function == "B" && old == nil:
			old = payload
		case function == "C" && old != nil && b.platform.Now().Sub(began) >= 100*time.Second && !replayed:
			replayed = true
			if err := execute(ctx, "B", old); err != nil {
				return err
			}
			return b.platform.Invoke(ctx, function, payload, time.Time{}) // after what the old request may have invoked
		}
		return execute(ctx, function, payload)
	}
	if _, err := b.Start(t.Context(), "r", []byte(`{"run": 1}`), 150*time.Second); err != nil {
		t.Fatal(err)
	}
	ended := func() bool {
		d, err := b.Describe(t.Context(), "r")
		return err != nil || d.Status != unum.Running
	}
	if err := b.platform.Run(t.Context(), 100, ended); err != nil { // the time-out is under way
		t.Fatal(err)
	}
	if err := b.Forget(t.Context(), "r"); err != nil {
		t.Fatal(err)
	}
	b.platform.Advance(100*time.Second - b.platform.Now().Sub(began))
	if _, err := b.Start(t.Context(), "r", []byte(`{"run": 2}`), 0); err != nil {
		t.Fatal(err)
	}
	if d := b.drain(); d.Status != unum.Succeeded || string(d.Output) != `{"run":2,"a":"a","b":"b","c":"c"}` || !replayed {
		t.Errorf("%+v", d)
	}
}

// When a branch has failed, the others go no further.
func TestFailedScopeStartsNothing(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{"StartAt": "P", "States": {
		"P": {"Type": "Parallel", "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "W"}], "End": true, "Branches": [
			{"StartAt": "Bad", "States": {"Bad": {"Type": "Task", "Resource": "bad", "End": true}}},
			{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "a", "Next": "B"}, "B": {"Type": "Task", "Resource": "b", "End": true}}}]},
		"W": {"Type": "Wait", "Seconds": 9, "Next": "S"}, "S": {"Type": "Succeed"}}}`,
		func(_ context.Context, code string, _ []byte) protocol.Outcome {
			switch code {
			case "bad":
				return protocol.Outcome{Kind: protocol.Raised, Error: "Bad"}
			case "b":
				t.Error("the other branch goes on")
			}
			return protocol.Outcome{Kind: protocol.Returned, Output: []byte(`1`)}
		})
	b.Parallel = 1 // so that the one that fails is first
	if d := b.run(`{}`, 0); d.Status != unum.Succeeded || len(b.keys()) != 1 {
		t.Errorf("%+v %v", d, b.keys())
	}
}

// A late duplicate of a branch that has joined does not end the run, whatever its code comes to this time.
func TestLateFailureEndsNothing(t *testing.T) {
	t.Parallel()
	var b *bench
	var old []byte // of L
	late := false
	b = newGraphBench(t, strings.Replace(fanOut, "code: j}", "code: j, next: {invoke: K}}\n- {name: K, code: k}", 1), func(ctx context.Context, code string, input []byte) protocol.Outcome {
		if code == "l" && late {
			return protocol.Outcome{Kind: protocol.Raised, Error: "Late"}
		}
		return tagged(ctx, code, input)
	})
	execute := b.platform.Execute
	b.platform.Execute = func(ctx context.Context, function string, payload []byte) error {
		switch function {
		case "L":
			old = payload
		case "K":
			late = true
			if err := execute(ctx, "L", old); err != nil {
				return err
			}
		}
		return execute(ctx, function, payload)
	}
	if d := b.run(`"x"`, 0); string(d.Output) != `"k(j(l(a(x)) r(a(x))))"` || !late || len(b.keys()) != 1 {
		t.Errorf("%+v %v", d, b.keys())
	}
}

// What a wide fork parks is not in the record to which all its lines add themselves.
func TestWideForkIsSmall(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.l", "End": true,
		"ItemProcessor": {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "t", "End": true}}}}}}`, answer)
	adds := 0
	b.Store = inject.Wrap(b.store, inject.Hooks{Before: func(ctx context.Context, op inject.Op) error {
		if op.Name != "Add" {
			return nil
		}
		adds++
		recs, err := b.store.Get(ctx, op.Keys)
		if err == nil && len(recs[0].Value) > 1<<10 {
			t.Errorf("the record has a value of %d bytes", len(recs[0].Value))
		}
		return err
	}})
	if d := b.run(`{"l": `+items(5)+`, "text": "`+strings.Repeat("x", 4<<10)+`"}`, 0); d.Status != unum.Succeeded || adds != 5 {
		t.Errorf("%+v, %d", d, adds)
	}
}

// A request that the platform gives up is given to it again as often as Redeliveries says.
func TestRedeliveries(t *testing.T) {
	t.Parallel()
	crash := errors.New("the sandbox died")
	var b *bench
	deliveries := 0
	b = newBench(t, `{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "t", "End": true}}}`, answer)
	b.Redeliveries = 2
	b.platform.Execute = func(context.Context, string, []byte) error { deliveries++; return crash }
	if d := b.run(`{}`, 0); d.Status != unum.Failed || *d.Error != "Lambda.Unknown" || deliveries != 3 {
		t.Errorf("%+v after %d deliveries", d, deliveries)
	}
	if took := b.platform.Now().Sub(began); took != 3*time.Second {
		t.Errorf("it took %v: the first is after a second, the next after two", took)
	}
}

// What is no JSON goes to nobody.
func TestAnswerThatIsNoJSON(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": "t", "End": true}}}`,
		func(context.Context, string, []byte) protocol.Outcome {
			return protocol.Outcome{Kind: protocol.Returned, Output: []byte("{")}
		})
	if d := b.run(`{}`, 0); d.Status != unum.Failed || !strings.Contains(*d.Cause, "no JSON") {
		t.Errorf("%+v", d)
	}
}

// The time of a run begins when it is first started, however often that is tried.
func TestTimeoutCountsFromTheFirstStart(t *testing.T) {
	t.Parallel()
	b := newBench(t, `{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 100, "End": true}}}`, answer)
	away := true
	b.Platform = hooked{b.platform, func(string) bool { return away }}
	if _, err := b.Start(t.Context(), "r", []byte(`{}`), 90*time.Second); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	away = false
	b.platform.Advance(time.Minute)
	if d := b.run(`{}`, 90*time.Second); d.Status != unum.TimedOut || !d.Stopped.Equal(began.Add(90*time.Second)) {
		t.Errorf("%+v", d)
	}
}

// What a line waits for is waited for, though records live far shorter.
func TestWaitsLongerThanRecordsLive(t *testing.T) {
	t.Parallel()
	// Waits in a row are one, up to a hundred.
	b := newBench(t, `{"StartAt": "W1", "States": {"W1": {"Type": "Wait", "Seconds": 2592000, "Next": "A"},
		"A": {"Type": "Task", "Resource": "a", "ResultPath": "$.a", "Next": "W2"},
		"W2": {"Type": "Wait", "Seconds": 86400, "Next": "N"},
		"N": {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)", "text.$": "$.text"}, "Next": "C"},
		"C": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericLessThan": 450, "Next": "W2"}], "Default": "B"},
		"B": {"Type": "Task", "Resource": "b", "ResultPath": "$.b", "End": true}}}`, answer)
	b.platform.Payload, b.Inline = 2<<10, 1<<10
	execute := b.platform.Execute
	b.platform.Execute = func(ctx context.Context, function string, payload []byte) error {
		b.store.Sweep(b.platform.Now())
		return execute(ctx, function, payload)
	}
	text := strings.Repeat("x", 4<<10)
	d := b.run(`{"n":0,"text":"`+text+`"}`, 0)
	if string(d.Output) != `{"n":450,"text":"`+text+`","b":"b"}` || d.Stopped.Sub(began) != 480*24*time.Hour {
		t.Errorf("%v %.100s %v", d.Status, d.Output, d.Stopped)
	}
	if keys := b.keys(); len(keys) != 2 {
		t.Errorf("left over are %v", keys)
	}
}
