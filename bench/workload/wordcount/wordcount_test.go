package wordcount_test

import (
	"testing"

	"github.com/weftworks/weft/bench/mode/modetest"
	"github.com/weftworks/weft/bench/workload/wordcount"
)

func TestWordCount(t *testing.T) {
	t.Parallel()
	modetest.Check(t, 2, nil, wordcount.New())
}
