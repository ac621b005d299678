package function

import (
	"context"
	"sync"
	"time"
)

// gate holds calls of one function until it is their turn, and refuses more than a number of waiting ones.
type gate struct {
	queue int // calls that may wait

	mu    sync.Mutex
	turns turns
	timer *time.Timer // for the next token of the rate, while a call waits for it
}

func newGate(s *Settings) *gate { return &gate{queue: s.Queue, turns: newTurns(s)} }

// stay is a call inside a gate. The zero stay is in none.
type stay struct {
	gate *gate
	key  *key
}

// enter returns once the caller is inside and must leave, or what Invoke is to return.
func (g *gate) enter(ctx context.Context, req *Request) (stay, error) {
	g.mu.Lock()
	var now time.Time
	if g.turns.rate.limits() { // nobody else asks, and the answer takes as long as the rest
		now = time.Now()
	}
	if k, ok := g.turns.begin(req.ConcurrencyKey, now); ok {
		g.mu.Unlock()
		return stay{g, k}, nil
	}
	if g.turns.waiting >= g.queue {
		err := g.refusal(req)
		g.mu.Unlock()
		return stay{}, err
	}
	now = time.Now()
	w := g.turns.push(req, now)
	w.turn = make(chan struct{})
	g.admit(now)
	g.mu.Unlock()
	return g.wait(ctx, req, w)
}

// refusal says that the queue is full and what it is that calls like this one wait for.
func (g *gate) refusal(req *Request) *Error {
	t, what := &g.turns, "rate"
	if !t.room() {
		what = "concurrency"
	} else if t.perKey > 0 && t.full(t.keys[req.ConcurrencyKey]) {
		what = "concurrency per key"
	}
	e := Failure("Lambda.TooManyRequestsException", "Rate Exceeded: %d calls of %s run and %d wait already; raise its %s or its queue",
		t.running, req.Function, t.waiting, what)
	e.StartFailed = true
	return e
}

// admit wakes the calls whose turn it is. The caller holds mu.
func (g *gate) admit(now time.Time) {
	for w := g.turns.next(now); w != nil; w = g.turns.next(now) {
		close(w.turn)
	}
	switch at, ok := g.turns.wake(); {
	case !ok:
	case g.timer == nil:
		g.timer = time.AfterFunc(at.Sub(now), g.ring)
	default:
		g.timer.Reset(at.Sub(now))
	}
}

// ring is called when the rate has a token.
func (g *gate) ring() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.admit(time.Now())
}

func (g *gate) wait(ctx context.Context, req *Request, w *waiter) (stay, error) {
	var expired <-chan time.Time
	if !req.Deadline.IsZero() {
		timer := time.NewTimer(time.Until(req.Deadline))
		defer timer.Stop()
		expired = timer.C
	}
	var err error
	select {
	case <-w.turn:
		return stay{g, w.key}, nil
	case <-ctx.Done():
		err = Ended(ctx)
	case <-expired:
		err = DeadlinePassed()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	select {
	case <-w.turn: // admitted at the same moment: hand the turn on; the rate's token is lost
		g.end(w.key)
	default:
		g.turns.remove(w)
	}
	return stay{}, err
}

// end counts a call out and admits who may begin now. The caller holds mu.
func (g *gate) end(k *key) {
	g.turns.end(k)
	if g.turns.waiting > g.turns.held {
		g.admit(time.Now())
	}
}

// leave ends the stay; it is called once.
func (s stay) leave() {
	if s.gate == nil {
		return
	}
	s.gate.mu.Lock()
	s.gate.end(s.key)
	s.gate.mu.Unlock()
}

// addStats counts calls inside and waiting.
func (g *gate) addStats(s *Stats) {
	g.mu.Lock()
	defer g.mu.Unlock()
	t := &g.turns
	s.Running, s.Waiting, s.WaitingForKey = t.running, t.waiting, t.held
	if t.room() {
		s.WaitingForRate = t.waiting - t.held
	}
}
