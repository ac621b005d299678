package memory_test

import (
	"math/rand/v2"
	"testing"

	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/engine/store/memory"
	"github.com/weftworks/weft/engine/store/storetest"
)

// harness keeps one store; reopening a closed or crashed one gives what it kept.
func harness(*testing.T) storetest.Harness {
	current := memory.New()
	opened := false
	return storetest.Harness{
		Open: func() (store.Store, error) {
			if opened {
				current = current.Crash(0)
			}
			opened = true
			return current, nil
		},
		Crash: func(s store.Store, rng *rand.Rand) error {
			current = current.Crash(rng.IntN(current.Unflushed() + 1))
			opened = false
			return nil
		},
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, harness)
}

func TestCrashKeepsAnyPrefix(t *testing.T) {
	t.Parallel()
	for keep := -1; keep <= 4; keep++ {
		s := memory.New()
		for i := range 3 {
			var b store.Batch
			b.Set([]byte{byte(i)}, nil)
			if err := s.Apply(&b); err != nil {
				t.Fatal(err)
			}
			if i == 0 {
				if err := s.Flush(); err != nil {
					t.Fatal(err)
				}
			}
		}
		after := s.Crash(keep)
		n := 0
		for it := after.Iterate(nil, nil, false); it.Next(); {
			n++
		}
		if want := 1 + max(0, min(keep, 2)); n != want {
			t.Errorf("Crash(%d) keeps %d batches, want %d", keep, n, want)
		}
	}
}
