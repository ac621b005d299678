package fanout_test

import (
	"testing"

	"github.com/weftworks/weft/bench/mode/modetest"
	"github.com/weftworks/weft/bench/workload/fanout"
)

func TestFanOutFanIn(t *testing.T) {
	t.Parallel()
	modetest.Check(t, 1, nil, fanout.New())
}
