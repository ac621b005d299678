package function

import "time"

// Turns is the limits of one function without lock, goroutine or clock: what a gate is made of, for a simulation that has
// a clock of its own. Times that it is given never go back.
type Turns struct {
	turns  turns
	queue  int
	places map[*waiter]*Turn
}

// Turn is a call in Turns, from Enter to Leave.
type Turn struct {
	waiter *waiter // nil: it runs
	key    *key
}

// Runs reports whether the call has begun.
func (c *Turn) Runs() bool { return c.waiter == nil }

// NewTurns returns the limits that settings describe.
func NewTurns(s Settings) *Turns {
	s.defaults()
	return &Turns{turns: newTurns(&s), queue: s.Queue, places: make(map[*waiter]*Turn)}
}

// Enter lets a call in, which runs at once, or waits; its turn may have come all the same, so ask Next then. It reports
// false when the queue is full.
func (t *Turns) Enter(req *Request, now time.Time) (*Turn, bool) {
	if k, ok := t.turns.begin(req.ConcurrencyKey, now); ok {
		return &Turn{key: k}, true
	}
	if t.turns.waiting >= t.queue {
		return nil, false
	}
	w := t.turns.push(req, now)
	c := &Turn{waiter: w, key: w.key}
	t.places[w] = c
	return c, true
}

// Next returns a call that waited and runs now; nil: none may.
func (t *Turns) Next(now time.Time) *Turn {
	w := t.turns.next(now)
	if w == nil {
		return nil
	}
	c := t.places[w]
	delete(t.places, w)
	c.waiter = nil
	return c
}

// Wake returns when Next is to be asked again although no call has left; false: it need not be.
func (t *Turns) Wake() (time.Time, bool) { return t.turns.wake() }

// Leave takes out a call that has ended, or gives up waiting. Ask Next then.
func (t *Turns) Leave(c *Turn) {
	if c.waiter == nil {
		t.turns.end(c.key)
		return
	}
	t.turns.remove(c.waiter)
	delete(t.places, c.waiter)
}
