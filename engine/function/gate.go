package function

import (
	"container/list"
	"context"
	"sync"
	"time"
)

// gate admits at most a number of calls at a time, the rest in the order they came, and refuses more
// than a number of waiting ones. A limit of 0 admits everyone.
type gate struct {
	limit   int
	waiting int // at most

	mu     sync.Mutex
	inside int
	queue  list.List // of chan struct{}, closed on admission
}

// enter returns nil once the caller is inside and must leave. The error is what Invoke returns.
func (g *gate) enter(ctx context.Context, req *Request) error {
	g.mu.Lock()
	if g.limit == 0 || (g.inside < g.limit && g.queue.Len() == 0) {
		g.inside++
		g.mu.Unlock()
		return nil
	}
	if g.queue.Len() >= g.waiting {
		g.mu.Unlock()
		e := Failure("Lambda.TooManyRequestsException",
			"Rate Exceeded: %d calls of %s run and %d wait already; raise its concurrency", g.limit, req.Function, g.waiting)
		e.StartFailed = true
		return e
	}
	turn := make(chan struct{})
	place := g.queue.PushBack(turn)
	g.mu.Unlock()
	return g.wait(ctx, req, turn, place)
}

func (g *gate) wait(ctx context.Context, req *Request, turn chan struct{}, place *list.Element) error {
	var expired <-chan time.Time
	if !req.Deadline.IsZero() {
		timer := time.NewTimer(time.Until(req.Deadline))
		defer timer.Stop()
		expired = timer.C
	}
	var err error
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
		err = Ended(ctx)
	case <-expired:
		err = DeadlinePassed()
	}
	g.mu.Lock()
	select {
	case <-turn: // admitted at the same moment: hand the turn on
		g.mu.Unlock()
		g.leave()
	default:
		g.queue.Remove(place)
		g.mu.Unlock()
	}
	return err
}

// leave ends a stay and admits the longest waiting caller.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if first := g.queue.Front(); first != nil {
		close(g.queue.Remove(first).(chan struct{}))
		return
	}
	g.inside--
}

// load returns how many calls are inside and how many wait.
func (g *gate) load() (inside, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.inside, g.queue.Len()
}
