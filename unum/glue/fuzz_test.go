package glue

import (
	"testing"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// FuzzDecode holds that the state of a line which can be read can be gone on with, whatever it is.
func FuzzDecode(f *testing.F) {
	def, problems := asl.Parse([]byte(`{"StartAt": "P", "States": {
		"P": {"Type": "Parallel", "Next": "M", "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "a", "TimeoutSeconds": 5, "Retry": [{"ErrorEquals": ["States.ALL"]}], "End": true}}}]},
		"M": {"Type": "Map", "MaxConcurrency": 2, "Next": "W", "ItemProcessor": {"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "b", "End": true}}}},
		"W": {"Type": "Wait", "Seconds": 1, "End": true}}}`), asl.Options{})
	if len(problems) > 0 {
		f.Fatal(problems)
	}
	m := New(def, limits.Default)
	fork, err := m.Start(machine.Execution{ID: "e", Name: "r"}, []byte(`[1,2]`), 1)
	if err != nil {
		f.Fatal(err)
	}
	add := func(x *Exit, err error) *Exit {
		if err != nil {
			f.Fatal(err)
		}
		f.Add(x.AppendBinary(nil))
		return x
	}
	add(fork, nil)
	decoded, err := m.Decode(fork.AppendBinary(nil))
	if err != nil {
		f.Fatal(err)
	}
	add(m.Branch(decoded, 0, 2))
	add(m.Resume(fork.Frame, machine.Event{Kind: machine.ForkSucceeded, ID: fork.ID, Now: 3, Outputs: [][]byte{[]byte(`[1]`)}}))
	add(m.Resume(fork.Frame, machine.Event{Kind: machine.ForkFailed, ID: fork.ID, Now: 3, Error: "E", HasError: true}))
	f.Fuzz(func(t *testing.T, b []byte) {
		x, err := m.Decode(b)
		if err != nil {
			return
		}
		again, err := m.Decode(x.AppendBinary(nil))
		if err != nil || again.Kind != x.Kind || again.At != x.At {
			t.Fatalf("%+v became %+v, %v", x, again, err)
		}
		switch x.Kind { // an error is fine, a panic is not
		case Invoke:
			_, _ = m.Resume(x.Frame, machine.Event{Kind: machine.TaskSucceeded, ID: x.ID, Now: x.At, Output: []byte(`1`)})
		case Fork:
			_, _ = m.Branch(x, 0, x.At)
			_, _ = m.Resume(x.Frame, machine.Event{Kind: machine.ForkSucceeded, ID: x.ID, Now: x.At, Outputs: [][]byte{[]byte(`1`)}})
		case Pause:
			_, _ = m.Wake(x)
		}
	})
}
