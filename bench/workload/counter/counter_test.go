package counter

import (
	"context"
	"fmt"
	"testing"

	"github.com/weftworks/weft/bench/mode/modetest"
	"github.com/weftworks/weft/bench/workload"
)

func TestSignals(t *testing.T) {
	t.Parallel()
	modetest.Check(t, 1, func(ctx context.Context, s workload.System) (string, error) {
		n, err := workload.State(ctx, s, counter, "runs")
		return fmt.Sprint(n), err
	}, Runs())
	modetest.Check(t, 20, nil, Clients())
}
