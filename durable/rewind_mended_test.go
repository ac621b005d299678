package durable

import "testing"

// TestRewindAfterNonDeterminism holds that a run whose code was mended goes on where the code differed: an older failure,
// which the code has dealt with, is not taken back, and what came after it is not done twice.
func TestRewindAfterNonDeterminism(t *testing.T) {
	t.Parallel()
	history := []Event{
		{Kind: StepStarted}, {Kind: RunStarted}, {Kind: CallScheduled, ID: 1, Name: "a"},
		{Kind: StepStarted}, {Kind: CallFailed, ID: 1, Failure: &Failure{Type: "E"}}, {Kind: CallScheduled, ID: 2, Name: "b"},
		{Kind: StepStarted}, {Kind: CallCompleted, ID: 2}, {Kind: CallScheduled, ID: 3, Name: "c"},
		{Kind: StepStarted}, {Kind: CallCompleted, ID: 3}, {Kind: RunFailed, Failure: &Failure{Type: NonDeterminismType}},
	}
	back := Rewind(history, nil)
	if len(back.History) != 9 || len(back.Again) != 0 || len(back.Inputs) != 1 || back.Inputs[0].ID != 3 {
		t.Errorf("%d events stay, %d calls are made again, inputs %v", len(back.History), len(back.Again), back.Inputs)
	}
}
