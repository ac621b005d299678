package eternal_test

import (
	"testing"

	"github.com/weftworks/weft/bench/mode/modetest"
	"github.com/weftworks/weft/bench/workload/eternal"
)

func TestEternalRuns(t *testing.T) {
	t.Parallel()
	modetest.Check(t, 2, nil, eternal.New())
}
