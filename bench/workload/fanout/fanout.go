// Package fanout has the FanOutFanIn workload: a run that calls a function 1,000 times side by side and joins. The papers
// have 200 such runs under way, here it is a few.
package fanout

import (
	"context"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/workload"
)

const width = 1000

var say = weft.Function("say", func(_ context.Context, n int) (int, error) { return n, nil }, weft.Idempotent())

var program = weft.Workflow("fan", func(w *weft.Flow, width int) (int, error) {
	futures := make([]weft.Future[int], width)
	for i := range futures {
		futures[i] = say.Start(w, i)
	}
	values, err := weft.All(w, futures...)
	sum := 0
	for _, v := range values {
		sum += v
	}
	return sum, err
})

// New returns the workload.
func New() *workload.Workload {
	return &workload.Workload{
		Name: "fan", About: "FanOutFanIn: 1,000 calls side by side, and join",
		Declared: []weft.Declaration{program, say}, Unit: "calls", Units: width, Outstanding: 8, Long: true,
		Do: func(ctx context.Context, s workload.System, _ int) error {
			got, err := workload.Run(ctx, s, program, width)
			if err != nil {
				return err
			}
			return workload.Want("the sum", got, width*(width-1)/2)
		},
	}
}
