package function

import (
	"context"
	"sync"
	"time"
)

// Beater is an Invoker whose functions can say that they are alive. When one does, it calls Beat with the context that
// Invoke was given; it ends a call whose context ends with what Ended says of it. The Registry watches.
type Beater interface {
	// Beats reports whether functions can; a wrapper asks what it wraps.
	Beats() bool
}

func beats(invoker Invoker) bool {
	b, ok := invoker.(Beater)
	return ok && b.Beats()
}

// Beat says that the function that was called with ctx is alive and gets on, which it has to do more often than
// Settings.Heartbeat and Request.Heartbeat want. Where nobody listens (no heartbeat is wanted, or ctx is not that of a
// call) it does nothing. It costs about as much as reading the clock and may be called from any goroutine.
func Beat(ctx context.Context) {
	if p, ok := ctx.Value(pulseKey{}).(*pulse); ok {
		p.mu.Lock()
		p.last = time.Now()
		p.mu.Unlock()
	}
}

type pulseKey struct{}

// pulse watches the beats of one call. A beat leaves the timer alone: when it rings too early it is set again.
type pulse struct {
	every  time.Duration
	cancel context.CancelCauseFunc

	mu    sync.Mutex
	last  time.Time
	timer *time.Timer
}

// listen returns a context that Beat knows and that ends with States.HeartbeatTimeout as its cause when there is no
// beat for so long, and what ends it when the call has ended.
func listen(ctx context.Context, every time.Duration) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	p := &pulse{every: every, cancel: cancel, last: time.Now()}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer = time.AfterFunc(every, p.check)
	return context.WithValue(ctx, pulseKey{}, p), p.stop
}

func (p *pulse) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.timer.Stop()
	p.cancel(nil)
}

func (p *pulse) check() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if left := p.every - time.Since(p.last); left > 0 {
		p.timer.Reset(left)
		return
	}
	p.cancel(&Error{Type: "States.HeartbeatTimeout"})
}
