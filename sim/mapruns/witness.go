package mapruns

import (
	"encoding/json"
	"fmt"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/sim"
)

// runPrograms is statemachine.Runs with an ear: a fold of the log hears what becomes of every run.
type runPrograms struct {
	*statemachine.Runs
	fold *sim.Fold
}

// New implements partition.Program.
func (p runPrograms) New() partition.Instance {
	return &heardRun{p.Runs.New().(*statemachine.Run), p.fold}
}

// Decode implements partition.Program.
func (p runPrograms) Decode(data []byte, blob func(partition.BlobID) []byte) (partition.Instance, error) {
	in, err := p.Runs.Decode(data, blob)
	if err != nil {
		return nil, err
	}
	return &heardRun{in.(*statemachine.Run), p.fold}, nil
}

// told is what a fold hears of a run.
type told struct {
	Status machine.Status
	MapRun string
	Input  json.RawMessage
	Output json.RawMessage
	Error  string
}

type heardRun struct {
	*statemachine.Run
	fold *sim.Fold
}

// Receive implements partition.Instance.
func (h *heardRun) Receive(env *partition.Env, ev *partition.Event) {
	before := h.View().Status
	if v := h.View(); ev.Kind == partition.Message && ev.Op == statemachine.OpStop && v.MapRun != "" {
		h.fold.Add("stops "+v.MapRun, env.Name)
	}
	h.Run.Receive(env, ev)
	if v := h.View(); v.Status != before {
		tell(h.fold, "run "+env.Name, told{v.Status, v.MapRun, v.Input, v.Output, v.Error})
	}
}

// mapPrograms is the same of statemachine.MapRuns.
type mapPrograms struct {
	*statemachine.MapRuns
	fold *sim.Fold
}

// New implements partition.Program.
func (p mapPrograms) New() partition.Instance {
	return &heardMapRun{p.MapRuns.New().(*statemachine.MapRun), p.fold, false, false}
}

// Decode implements partition.Program.
func (p mapPrograms) Decode(data []byte, blob func(partition.BlobID) []byte) (partition.Instance, error) {
	in, err := p.MapRuns.Decode(data, blob)
	if err != nil {
		return nil, err
	}
	return &heardMapRun{in.(*statemachine.MapRun), p.fold, true, false}, nil
}

type heardMapRun struct {
	*statemachine.MapRun
	fold  *sim.Fold
	begun bool
	left  bool // it was stopped, and not redriven since
}

// Receive implements partition.Instance.
func (h *heardMapRun) Receive(env *partition.Env, ev *partition.Event) {
	var before statemachine.MapRunView
	if h.begun {
		before = *h.View()
	}
	if ev.Kind == partition.Message && (ev.Op == statemachine.OpMapStop || ev.Op == statemachine.OpMapRedrive) {
		h.left = ev.Op == statemachine.OpMapStop
	}
	if h.left && before.Status == machine.Running && !before.Express { // express child runs may be gone
		// At the first stop since it was started or redriven, so many child runs are to be stopped.
		if key := fmt.Sprintf("owes %s#%d", env.Name, before.Redrives); len(h.fold.History(key)) == 0 {
			h.fold.Add(key, fmt.Sprint(before.Children.Running))
		}
	}
	h.MapRun.Receive(env, ev)
	if !h.begun && ev.Op != statemachine.OpMapStart {
		return // there is nothing
	}
	h.begun = true
	v := h.View()
	tell(h.fold, env.Name, v)
	if h.left && (begun(v) > begun(&before) || v.Redrives > before.Redrives) {
		tell(h.fold, "stopped "+env.Name, v)
	}
}

// begun returns how many child runs have been started.
func begun(v *statemachine.MapRunView) int64 { return v.Children.Total - v.Children.Pending }

func tell(fold *sim.Fold, key string, v any) {
	text, err := json.Marshal(v)
	if err != nil {
		text = fmt.Appendf(nil, "%q", err) // which Check does not understand
	}
	fold.Add(key, string(text))
}
