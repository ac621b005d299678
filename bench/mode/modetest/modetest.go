// Package modetest checks that a workload does the same in every mode.
package modetest

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/weftworks/weft/bench/mode"
	"github.com/weftworks/weft/bench/workload"
)

// Check lets a workload do some pieces side by side in every mode. Each piece checks its own result; view returns what
// can be seen afterwards, which must be the same in all modes (nil: nothing).
func Check(t *testing.T, pieces int, view func(ctx context.Context, s workload.System) (string, error), workloads ...*workload.Workload) {
	t.Helper()
	for _, w := range workloads {
		t.Run(w.Name, func(t *testing.T) {
			t.Parallel()
			var seen [3]string
			for i, m := range mode.All {
				var err error
				if seen[i], err = do(t.TempDir(), m, w, pieces, view); err != nil {
					t.Fatalf("%s: %v", m, err)
				}
				if seen[i] != seen[0] {
					t.Errorf("in mode %s one sees %s, in mode %s %s", m, seen[i], mode.All[0], seen[0])
				}
			}
		})
	}
}

// patience is how long a mode may take; it is there so that a run that hangs fails its test.
const patience = time.Minute

func do(dir string, m mode.Mode, w *workload.Workload, pieces int, view func(context.Context, workload.System) (string, error)) (seen string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	s, err := mode.Open(m, mode.Options{Dir: dir}, w.Declared...)
	if err != nil {
		return "", err
	}
	defer func() {
		if e := s.Close(); err == nil {
			err = e
		}
	}()
	errs := make([]error, pieces)
	var wg sync.WaitGroup
	for n := range pieces {
		wg.Go(func() { errs[n] = w.Do(ctx, s, n) })
	}
	wg.Wait()
	for n, err := range errs {
		if err != nil {
			return "", fmt.Errorf("piece %d: %w", n, err)
		}
	}
	if s.Usage().Syncs == 0 {
		return "", fmt.Errorf("nothing was made durable")
	}
	if view == nil {
		return "", nil
	}
	return view(ctx, s)
}
