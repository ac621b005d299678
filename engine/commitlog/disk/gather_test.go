package disk

import (
	"testing"
	"time"
)

// TestGather holds that the writer of a slow disk waits for what is just coming, not for what is not, and never for long,
// and that one of a fast disk does not wait.
func TestGather(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		syncTime time.Duration
		coming   int // entries, one in each slice
		waits    int
	}{
		"a fast disk":          {200 * time.Microsecond, 100, 0},
		"nothing is coming":    {10 * time.Millisecond, 0, 1},
		"three are coming":     {10 * time.Millisecond, 3, 4},
		"it never ends":        {10 * time.Millisecond, 1000, gatherSlices},
		"a slow disk, nothing": {5 * time.Millisecond, 0, 1},
	} {
		l := newLog("", &Options{BufferBytes: 1 << 20})
		l.syncTime = c.syncTime
		waits := 0
		l.sleep = func(d time.Duration) {
			waits++
			if d != c.syncTime/gatherPart {
				t.Errorf("%s: it waits %v for syncs of %v", name, d, c.syncTime)
			}
			if waits <= c.coming {
				l.mu.Lock()
				l.fill.buf = append(l.fill.buf, 'e')
				l.mu.Unlock()
			}
		}
		l.mu.Lock()
		l.gather()
		l.mu.Unlock()
		if waits != c.waits {
			t.Errorf("%s: it waits %d times, want %d", name, waits, c.waits)
		}
	}
}
