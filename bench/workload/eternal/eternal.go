// Package eternal has the workload of runs that go on for ever: each execution calls a function and continues as new. So
// that there is something to wait for, a run ends after twenty executions.
package eternal

import (
	"context"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/workload"
)

const executions = 20

type round struct{ Number, Value int }

var tick = weft.Function("tick", func(_ context.Context, n int) (int, error) { return n + 1, nil }, weft.Idempotent())

var loop = weft.Workflow("eternal", func(w *weft.Flow, r round) (int, error) {
	v, err := tick.Call(w, r.Value)
	if err != nil {
		return 0, err
	}
	if r.Number+1 < executions {
		return 0, weft.ContinueAsNew(w, round{r.Number + 1, v})
	}
	return v, nil
})

// New returns the workload.
func New() *workload.Workload {
	return &workload.Workload{
		Name: "eternal", About: "Eternal runs: twenty executions, each with a call", Declared: []weft.Declaration{loop, tick},
		Unit: "executions", Units: executions, Outstanding: 64,
		Do: func(ctx context.Context, s workload.System, _ int) error {
			got, err := workload.Run(ctx, s, loop, round{})
			if err != nil {
				return err
			}
			return workload.Want("the value at the end", got, executions)
		},
	}
}
