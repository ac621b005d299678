package lane

import (
	"testing"
	"time"

	"github.com/weftworks/weft/fault"
)

// TestPace holds that a full lane says how long to wait: half of what waits, at the speed of late.
func TestPace(t *testing.T) {
	t.Parallel()
	var p pace
	if got := p.wait(100); got != time.Second {
		t.Errorf("a lane that knows nothing says %v, want a second", got)
	}
	now := int64(1_000_000)
	for range 100 { // 10 items a millisecond
		p.took(1000, now)
		now += 100
	}
	if got := p.wait(10_000); got < 400*time.Millisecond || got > 600*time.Millisecond {
		t.Errorf("half of 10,000 items at 10 a millisecond take %v, want 500ms", got)
	}
	now += 3_600_000 // a pause says nothing about the speed
	p.took(1, now)
	if got := p.wait(10_000); got > 600*time.Millisecond {
		t.Errorf("after a pause it says %v", got)
	}
	if got := p.wait(1 << 40); got != 10*time.Second {
		t.Errorf("the longest wait is %v, want 10s", got)
	}
	if after, ok := fault.RetryAfter(busy(time.Minute, "full")); !ok || after != time.Minute {
		t.Errorf("RetryAfter of a busy lane is %v, %t", after, ok)
	}
	if _, ok := fault.RetryAfter(fault.New("", fault.Conflict, "", "no")); ok {
		t.Error("RetryAfter of a conflict says that trying again helps")
	}
}
