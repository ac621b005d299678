package determinism_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/weftworks/weft/analysis/determinism"
)

func TestRules(t *testing.T) {
	t.Parallel()
	analysistest.Run(t, analysistest.TestData(), determinism.Analyzer, "./rules")
}

// TestFacts looks at a workflow that calls helpers in other packages, of its module and of another.
func TestFacts(t *testing.T) {
	t.Parallel()
	analysistest.Run(t, analysistest.TestData(), determinism.Analyzer, "./helper", "./facts")
}

// TestFalseAlarms looks at workflows as people write them, which have nothing to report.
func TestFalseAlarms(t *testing.T) {
	t.Parallel()
	analysistest.Run(t, analysistest.TestData(), determinism.Analyzer, "./clean")
}
