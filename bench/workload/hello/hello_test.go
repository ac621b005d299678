package hello_test

import (
	"testing"

	"github.com/weftworks/weft/bench/mode/modetest"
	"github.com/weftworks/weft/bench/workload/hello"
)

func TestSequences(t *testing.T) {
	t.Parallel()
	modetest.Check(t, 3, nil, hello.Three(), hello.Five(), hello.FiveOnce(), hello.Ten())
}

func TestChain(t *testing.T) {
	t.Parallel()
	modetest.Check(t, 1, nil, hello.Sequence("short-chain", 60))
}
