package stepper_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/engine/workflow/stepper"
	"github.com/weftworks/weft/limits"
)

// texts are the code of entities whose state is a text, and of no workflow.
type texts struct{}

func (texts) Workflow(string, string) (durable.Code, bool)  { return nil, false }
func (texts) Entity(string) (durable.EntityCode, bool)      { return texts{}, true }
func (texts) Open(state []byte) (durable.OpenEntity, error) { return &text{string(state)}, nil }
func (t *text) State() ([]byte, error)                      { return []byte(t.s), t.bad() }

type text struct{ s string }

// bad is why the state does not encode.
func (t *text) bad() error {
	if strings.Contains(t.s, "!") {
		return errors.New("no such text")
	}
	return nil
}

// Do adds to the text, or sends signals.
func (t *text) Do(c *durable.EntityContext, operation string, input []byte) ([]byte, error) {
	if operation == "send" {
		for range 3 {
			if err := durable.SignalFrom(c, "text/b", "add", make([]byte, limits.StepPauseBytes/2), 0); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	t.s += string(input)
	return []byte(t.s), nil
}

// step makes a step of an entity.
func step(t *testing.T, cfg stepper.Config, state []byte, ops ...workflow.Operation) workflow.EntityStep {
	t.Helper()
	cfg.Code = texts{}
	s := stepper.New(cfg)
	defer s.Close()
	ev := s.Make(s.Prepare(&lane.Job{Ref: 1, Work: &workflow.EntityJob{Target: "text/a", Step: 1, State: state, Ops: slices.Clone(ops)}}))
	if ev.ID != 1 {
		t.Fatal("the step was not made")
	}
	done, err := workflow.ReadEntityStep(ev.Body)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func add(what string) workflow.Operation {
	return workflow.Operation{Name: "add", Input: []byte(what), From: workflow.Address{Instance: "workflow/r"}}
}

// TestStateThatCannotBeKept: the operation that makes it fails, and no other.
func TestStateThatCannotBeKept(t *testing.T) {
	t.Parallel()
	for bad, want := range map[string]string{"!": "no such text", strings.Repeat("x", 10): "the entity's state is 13 bytes, the most is 10"} {
		ops := []workflow.Operation{add("a"), add("b"), add("c"), add(bad), add("d")}
		var state []byte
		var failed []string
		for len(ops) > 0 {
			done := step(t, stepper.Config{PayloadBytes: 10}, state, ops...)
			if done.Change == workflow.StateSet {
				state = done.State
			}
			for _, a := range done.Answers {
				if a.Failure != nil {
					failed = append(failed, string(ops[a.Op].Input), a.Failure.Message)
				}
			}
			ops = ops[done.Consumed:]
		}
		if string(state) != "abcd" || len(failed) != 2 || failed[0] != bad || !strings.Contains(failed[1], want) {
			t.Errorf("the state is %q; failed is %q", state, failed)
		}
	}
}

// TestStepsOfEntitiesAreOfASizeTheLogTakes: a step ends with the operation that gives much to others.
func TestStepsOfEntitiesAreOfASizeTheLogTakes(t *testing.T) {
	t.Parallel()
	done := step(t, stepper.Config{}, nil, add("a"), workflow.Operation{Name: "send"}, add("b"))
	if done.Consumed != 2 || len(done.Messages) != 3 || string(done.State) != "a" {
		t.Errorf("the step does %d operations and sends %d messages", done.Consumed, len(done.Messages))
	}
}

// TestRewindIsBounded: what would be logged again is not more than the log takes in one piece.
func TestRewindIsBounded(t *testing.T) {
	t.Parallel()
	s := stepper.New(stepper.Config{Code: texts{}})
	defer s.Close()
	chunk := make([]byte, limits.RewindBytes/4+1) // shared
	job := lane.Job{Ref: 1, Work: &workflow.Job{ID: "r", Step: 7, Rewind: true}, History: func(int64) ([][]byte, error) {
		return [][]byte{chunk, chunk, chunk, chunk}, nil
	}}
	ev := s.Make(s.Prepare(&job))
	var in durable.StepReader
	if err := in.Open(ev.Body); err != nil || ev.ID != 7 || in.Step.Refused == nil || in.Step.Refused.Type != "Weft.HistoryLimit" || in.Next() {
		t.Errorf("the step is %+v, %v", in.Step, err)
	}
}
