package filehash_test

import (
	"testing"

	"github.com/weftworks/weft/bench/mode/modetest"
	"github.com/weftworks/weft/bench/workload/filehash"
)

func TestFileHash(t *testing.T) {
	t.Parallel()
	modetest.Check(t, 1, nil, filehash.New())
}
