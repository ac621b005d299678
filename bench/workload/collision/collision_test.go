package collision

import (
	"slices"
	"testing"

	"github.com/weftworks/weft/bench/mode/modetest"
)

func TestSearch(t *testing.T) {
	t.Parallel()
	if found := find(job{0, total}); len(found) < 2 || !slices.Contains(found, hidden) {
		t.Errorf("the search finds %v: there must be a collision with %d", found, hidden)
	}
	modetest.Check(t, 1, nil, Divide(), Flat())
}
