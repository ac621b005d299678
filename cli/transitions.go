package cli

import (
	"sync"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/mock"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/cost"
	"github.com/weftworks/weft/unum/protocol"
)

// recorder remembers what user code answered in a run, so that the interpreter can walk the same run again.
type recorder struct {
	mu      sync.Mutex
	answers map[call][]protocol.Outcome
	n       int
}

type call struct{ code, input string }

// recordedMost bounds the calls that are remembered; of runs with more it is not said what Step Functions would charge.
const recordedMost = 100_000

func (r *recorder) called(_, code string, input []byte, out *protocol.Outcome) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.n++; r.n > recordedMost {
		r.answers = nil
		return
	}
	if r.answers == nil {
		r.answers = map[call][]protocol.Outcome{}
	}
	key := call{code, string(input)}
	r.answers[key] = append(r.answers[key], *out)
}

// answer returns the next answer that the code gave for an input; the last one again when there are no more.
func (r *recorder) answer(code string, input []byte) (protocol.Outcome, bool) {
	key := call{code, string(input)}
	list := r.answers[key]
	if len(list) == 0 {
		return protocol.Outcome{}, false
	}
	if len(list) > 1 {
		r.answers[key] = list[1:]
	}
	return list[0], true
}

// transitions walks the run of a machine again and returns how many state transitions Step Functions would charge for it; 0
// if it cannot be walked: an input of a function was not seen.
func (r *recorder) transitions(m *asl.Machine, d *unum.Description, input []byte) int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	input, err := jsonvalue.Compact(nil, input)
	if err != nil {
		return 0
	}
	unseen := false
	report, err := mock.Run(&mock.Test{
		Definition: m, Input: input, Start: d.Started.UnixMilli(), MaxSteps: 10 * recordedMost,
		Execution: machine.Execution{Name: d.Run, StartTime: d.Started.UnixMilli()},
		Call: func(c *machine.Command) machine.Event {
			out, seen := r.answer(c.Function, c.Input)
			switch {
			case !seen:
				unseen = true
				return machine.Event{Kind: machine.TaskFailed, ID: c.ID, Error: "States.Runtime"}
			case out.Kind == protocol.Returned:
				return machine.Event{Kind: machine.TaskSucceeded, ID: c.ID, Output: out.Output}
			}
			return machine.Event{Kind: machine.TaskFailed, ID: c.ID, Error: out.Error, Cause: out.Cause}
		},
	})
	if err != nil || unseen {
		return 0
	}
	entered, retried := 0, 0
	for i := range report.Visits {
		entered++
		retried += max(0, report.Visits[i].Attempts-1)
	}
	return cost.Transitions(entered, retried)
}
