package durable_test

import (
	"strings"
	"testing"

	"github.com/weftworks/weft/durable"
)

// started is the first input of a run.
func started() durable.Event {
	return durable.Event{Kind: durable.RunStarted, Name: "w", Data: []byte("null"), Start: &durable.Start{Execution: 1}}
}

// record gives a run inputs and returns the history of the step.
func record(r *durable.Run, inputs ...durable.Event) (history []durable.Event) {
	res := r.Step(1000, inputs)
	history = append(history, durable.Event{Kind: durable.StepStarted, Time: 1000})
	return append(append(history, inputs[:res.Consumed]...), res.Actions...)
}

func calls(function string) durable.Code {
	return func(w *durable.Flow, _ []byte) ([]byte, error) {
		return durable.Call(w, function, []byte("1"), nil, nil).Await(w)
	}
}

// TestChangedCodeFailsItsRun holds that a run whose code does something else than history has ends with the difference, and
// does not wait for ever.
func TestChangedCodeFailsItsRun(t *testing.T) {
	t.Parallel()
	old := durable.New(durable.Config{ID: "r", Code: calls("a")})
	defer old.Close()
	history := record(old, started())
	for name, code := range map[string]durable.Code{
		"another function": calls("b"),
		"nothing":          func(*durable.Flow, []byte) ([]byte, error) { return []byte("1"), nil },
		"an event": func(w *durable.Flow, _ []byte) ([]byte, error) {
			return durable.Receive(w, "e").Await(w)
		},
	} {
		r := durable.New(durable.Config{ID: "r", Code: code})
		if err := r.Replay(history); err == nil {
			t.Errorf("%s: the replay finds no difference", name)
		}
		res := r.Step(2000, []durable.Event{{Kind: durable.CallCompleted, ID: 1, Data: []byte("2")}})
		if n := len(res.Actions); n != 1 || res.Actions[0].Kind != durable.RunFailed || res.Actions[0].Failure.Type != durable.NonDeterminismType {
			t.Errorf("%s: the next step does %+v", name, res.Actions)
		}
		if res.Err == nil || !strings.Contains(res.Err.Error(), `call of function "a"`) || res.Consumed != 0 {
			t.Errorf("%s: the next step takes %d inputs and says %v", name, res.Consumed, res.Err)
		}
	}
}

// TestInputsBehindTheEndStay holds that inputs which come in the same step as the end of the code are not taken.
func TestInputsBehindTheEndStay(t *testing.T) {
	t.Parallel()
	r := durable.New(durable.Config{ID: "r", Code: func(w *durable.Flow, _ []byte) ([]byte, error) {
		if _, err := durable.Receive(w, "e").Await(w); err != nil {
			return nil, err
		}
		return nil, durable.ContinueAsNew([]byte("2"), "", false)
	}})
	event := func(data string) durable.Event {
		return durable.Event{Kind: durable.EventRaised, Name: "e", Data: []byte(data)}
	}
	res := r.Step(1000, []durable.Event{started(), event("1"), event("2")})
	if res.Consumed != 2 || len(res.Actions) != 1 || res.Actions[0].Kind != durable.RunContinued || len(res.Actions[0].Unread) != 0 {
		t.Errorf("the step takes %d inputs and does %+v", res.Consumed, res.Actions)
	}
}
