package runs

import (
	"fmt"
	"strconv"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/machine/history"
	"github.com/weftworks/weft/sim"
)

// witnesses is statemachine.Runs with an ear: a fold of the log hears of every event of every run.
type witnesses struct {
	*statemachine.Runs
	fold *sim.Fold
}

// New implements partition.Program.
func (p witnesses) New() partition.Instance {
	return &witness{Run: p.Runs.New().(*statemachine.Run), fold: p.fold}
}

// Decode implements partition.Program.
func (p witnesses) Decode(data []byte, blob func(partition.BlobID) []byte) (partition.Instance, error) {
	in, err := p.Runs.Decode(data, blob)
	if err != nil {
		return nil, err
	}
	run := in.(*statemachine.Run)
	return &witness{Run: run, fold: p.fold, seen: run.View().Events}, nil
}

// witness is a run that is listened to.
type witness struct {
	*statemachine.Run
	fold *sim.Fold
	seen int64
}

// Receive implements partition.Instance.
func (w *witness) Receive(env *partition.Env, ev *partition.Event) {
	w.Run.Receive(env, ev)
	key := env.Name + "#" + strconv.FormatUint(uint64(env.Ref), 10)
	chunk, _, _ := w.History()
	r := history.NewReader(chunk)
	var e history.Event
	for r.Next(&e) {
		if e.ID > w.seen {
			w.fold.Add(key, describe(&e))
			w.seen = e.ID
		}
	}
	if v := w.View(); v.Stopped != 0 && len(w.fold.History("end "+key)) == 0 {
		w.fold.Add("end "+key, fmt.Sprintf("%s %s", v.Status, v.Output))
	}
}

// describe writes a history event as one line.
func describe(e *history.Event) string {
	return fmt.Sprintf("%d %d %d %s %q %q %q %q %q %q %v %v %q %d %d %d %d", e.ID, e.Prev, e.Time, e.Type, e.Name, e.Input, e.Output, e.Parameters,
		e.Error, e.Cause, e.HasError, e.HasCause, e.Resource, e.Timeout, e.Heartbeat, e.Index, e.Length)
}

// events cuts a chunk into its events.
func events(chunk []byte) (lines []string, err error) {
	r := history.NewReader(chunk)
	var e history.Event
	for r.Next(&e) {
		lines = append(lines, describe(&e))
	}
	return lines, r.Err()
}
