// Package counter has the Counter workloads: signals to one entity, from many clients, and from runs.
package counter

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/workload"
)

// burst is how many signals a run sends.
const burst = 1000

var (
	counter = weft.Entity[int]("counter")
	add     = weft.Operation(counter, "add", func(_ *weft.EntityContext, s *int, n int) (int, error) {
		*s += n
		return *s, nil
	})
	get = weft.Operation(counter, "get", func(_ *weft.EntityContext, s *int, _ int) (int, error) { return *s, nil })

	signals = weft.Workflow("signals", func(w *weft.Flow, key string) (int, error) {
		for range burst {
			if err := add.Signal(w, key, 1); err != nil {
				return 0, err
			}
		}
		return get.Call(w, key, 0)
	})
)

// Clients is the Counter: clients signal one entity; each waits until its signal is durable.
func Clients() *workload.Workload {
	one, err := json.Marshal(1)
	if err != nil {
		panic(err) // a number always encodes
	}
	return &workload.Workload{
		Name: "counter", About: "Counter: clients signal one entity", Declared: []weft.Declaration{counter}, Unit: "signals", Units: 1, Outstanding: 1024,
		Do: func(ctx context.Context, s workload.System, _ int) error {
			return s.Signal(ctx, counter.Name(), "clients", "add", one)
		},
	}
}

// Runs is the Counter with runs that signal one entity 1,000 times each and then read it.
func Runs() *workload.Workload {
	var sent atomic.Int64
	return &workload.Workload{
		Name: "signals", About: "Counter: runs signal one entity 1,000 times each, then read it", Declared: []weft.Declaration{counter, signals},
		Unit: "signals", Units: burst, Outstanding: 16, Long: true,
		Do: func(ctx context.Context, s workload.System, _ int) error {
			most := sent.Add(burst)
			got, err := workload.Run(ctx, s, signals, "runs")
			if err != nil {
				return err
			}
			if got < burst || int64(got) > max(most, sent.Load()) {
				return fmt.Errorf("the counter is at %d after a run's %d signals, of at most %d", got, burst, sent.Load())
			}
			return nil
		},
	}
}
