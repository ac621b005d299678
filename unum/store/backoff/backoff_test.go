package backoff_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/unum/store/backoff"
)

func TestPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var longest [backoff.Attempts]time.Duration
		for range 200 {
			began := time.Now()
			for n := 1; n < backoff.Attempts; n++ {
				at := time.Now()
				if err := backoff.Pause(t.Context(), n); err != nil {
					t.Fatal(err)
				}
				longest[n] = max(longest[n], time.Since(at))
			}
			if all := time.Since(began); all > 6600*time.Millisecond {
				t.Fatalf("all pauses together were %v", all)
			}
		}
		if first, last := longest[1], longest[9]; first < 10*time.Millisecond || first > 21*time.Millisecond || last < time.Second || last > 2100*time.Millisecond {
			t.Errorf("the longest of each are %v", longest)
		}
	})
}

func TestPauseEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for range 50 {
		if err := backoff.Pause(ctx, 100); err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
			return
		}
	}
	t.Error("the context's end was not heard of")
}
