// Package backoff is how datastores repeat what was throttled or failed in passing: after random pauses, a bounded number
// of times.
//
//	for n := 1; ; n++ {
//		if err = try(); err == nil || !passing(err) || n == backoff.Attempts {
//			return err
//		}
//		if err := backoff.Pause(ctx, n); err != nil {
//			return err
//		}
//	}
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Requests are attempted this often. Between attempts passes a random time between nothing and first, which doubles up to
// most (full jitter). All pauses of one request come to 6.5 s at most, 3.3 s on average: a function that waits longer costs
// more than one that the platform executes again.
const (
	Attempts = 10
	first    = 20 * time.Millisecond
	most     = 2 * time.Second
)

// Pause waits before attempt n+1, n counted from 1. It returns the context's error when that ends first.
func Pause(ctx context.Context, n int) error {
	limit := most
	if n < 8 {
		limit = min(first<<(n-1), most)
	}
	timer := time.NewTimer(rand.N(limit) + 1)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
