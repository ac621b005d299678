// Package virtual is a platform on virtual time, in one goroutine: functions are executed one after the other in the order
// in which their requests are due, and time passes only when nothing else is to be done. What it does is decided by what it
// is given, so a run of a week takes milliseconds and is the same each time.
package virtual

import (
	"container/heap"
	"context"
	"fmt"
	"sync"
	"time"
)

// Platform is the platform. Functions that are executed may invoke others; nothing else runs at the same time.
type Platform struct {
	// Execute executes a delivered request. After an error the request is delivered again, up to Retries times, and is then
	// given to Fail.
	Execute func(ctx context.Context, function string, payload []byte) error
	// Fail is given a request that could not be executed, and why; nil: Run returns the error.
	Fail func(ctx context.Context, function string, payload []byte, err error) error
	// Retries is how often a failed request is delivered again; AWS Lambda does so twice.
	Retries int
	// Backoff is how long after its failure; 0: at once.
	Backoff time.Duration
	// Payload bounds a payload's bytes; 0: 256 KiB, as AWS Lambda's asynchronous ones.
	Payload int
	// Copies says how often a request is delivered; nil: once. It is called by one goroutine at a time, though a function may
	// invoke others with several.
	Copies func(function string, payload []byte) int

	copying   sync.Mutex // while Copies is called
	mu        sync.Mutex
	now       time.Time
	queue     queue
	count     uint64
	delivered int64
}

// New returns a platform whose time is start.
func New(start time.Time) *Platform { return &Platform{now: start} }

// Now is the time.
func (p *Platform) Now() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// Advance lets time pass: what takes time in a function says so.
func (p *Platform) Advance(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.now.Add(d)
}

// Delivered returns how many requests have been delivered.
func (p *Platform) Delivered() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.delivered
}

// Invoke queues a request.
func (p *Platform) Invoke(_ context.Context, function string, payload []byte, notBefore time.Time) error {
	copies := 1
	if p.Copies != nil {
		p.copying.Lock()
		copies = p.Copies(function, payload)
		p.copying.Unlock()
	}
	for range copies {
		p.push(&delivery{function: function, payload: payload, due: notBefore})
	}
	return nil
}

// MaxPayload is the platform's limit.
func (p *Platform) MaxPayload() int {
	if p.Payload == 0 {
		return 256 << 10
	}
	return p.Payload
}

func (p *Platform) push(d *delivery) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d.due.Before(p.now) {
		d.due = p.now
	}
	p.count++
	d.order = p.count
	heap.Push(&p.queue, d)
}

func (p *Platform) pop() *delivery {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.queue) == 0 {
		return nil
	}
	d := heap.Pop(&p.queue).(*delivery)
	if d.due.After(p.now) {
		p.now = d.due
	}
	p.delivered++
	return d
}

// Run delivers requests until done says so, or none is left, or limit of them have been delivered, which is an error.
func (p *Platform) Run(ctx context.Context, limit int, done func() bool) error {
	for n := 0; ; n++ {
		if done != nil && done() {
			return nil
		}
		d := p.pop()
		if d == nil {
			return nil
		}
		if n == limit {
			return fmt.Errorf("the run goes on after %d requests", limit)
		}
		if err := p.deliver(ctx, d); err != nil {
			return err
		}
	}
}

func (p *Platform) deliver(ctx context.Context, d *delivery) error {
	err := p.Execute(ctx, d.function, d.payload)
	if err == nil {
		return nil
	}
	if d.attempt < p.Retries {
		p.push(&delivery{function: d.function, payload: d.payload, due: p.Now().Add(p.Backoff), attempt: d.attempt + 1})
		return nil
	}
	if p.Fail == nil {
		return fmt.Errorf("%s failed %d times: %w", d.function, d.attempt+1, err)
	}
	return p.Fail(ctx, d.function, d.payload, err)
}

// delivery is a request on its way.
type delivery struct {
	function string
	payload  []byte
	due      time.Time
	order    uint64
	attempt  int
}

// queue is a heap of deliveries, the next one first.
type queue []*delivery

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if !q[i].due.Equal(q[j].due) {
		return q[i].due.Before(q[j].due)
	}
	return q[i].order < q[j].order
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(d any)   { *q = append(*q, d.(*delivery)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	d := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return d
}
