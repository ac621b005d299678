package lambdaruntime

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

// What a zero Config field stands for.
const (
	DefaultProcesses = 8
	DefaultIdle      = 5 * time.Minute
	DefaultInit      = 10 * time.Second // as Lambda
	DefaultMemory    = 128              // MiB, as Lambda
	DefaultARNPrefix = "arn:aws:lambda:us-east-1:123456789012:function:"
)

const (
	backoffFirst = 100 * time.Millisecond
	backoffMost  = 5 * time.Second
	// patience is how long a call waits for a process that has answered to ask for work again, before
	// another one is started.
	patience = 20 * time.Millisecond
	// grace is what an idle process gets between being asked to end and being killed; Lambda gives 500 ms.
	grace = 500 * time.Millisecond
)

// Config says what a Pool runs. Name and Launch are needed, the rest has defaults.
type Config struct {
	Name   string
	Launch Launcher
	// Processes is how many may be alive at a time, which is how many calls run at a time. 0: DefaultProcesses.
	Processes int
	// Idle is how long a process may have nothing to do before it is stopped. 0: DefaultIdle.
	Idle time.Duration
	// Init is how long a process may take from its start until it asks for work. 0: DefaultInit.
	Init time.Duration
	// Env is added to the environment, "KEY=value".
	Env []string
	// Memory is told to the function in MiB; nothing enforces it. 0: DefaultMemory.
	Memory int
	// ResponseBytes bounds an answer. 0: function.ResponseBytes.
	ResponseBytes int
	// ARNPrefix and Name make the ARN that functions see. "": DefaultARNPrefix.
	ARNPrefix string
	// Log hears of starts and ends (debug) and of failed starts (warn). nil: slog.Default().
	Log *slog.Logger
	// Lines gets every line that processes write. It must not block, and be safe for concurrent use.
	Lines func(function.LogLine)
}

func (c *Config) fill() error {
	if c.Name == "" || c.Launch == nil || c.Processes < 0 || c.Idle < 0 || c.Init < 0 || c.Memory < 0 || c.ResponseBytes < 0 {
		return fault.New("lambdaruntime.New", fault.InvalidArgument, c.Name, "Name and Launch are needed, numbers must not be negative")
	}
	c.Processes = orDefault(c.Processes, DefaultProcesses)
	c.Idle = orDefault(c.Idle, DefaultIdle)
	c.Init = orDefault(c.Init, DefaultInit)
	c.Memory = orDefault(c.Memory, DefaultMemory)
	c.ResponseBytes = orDefault(c.ResponseBytes, function.ResponseBytes)
	c.ARNPrefix = orDefault(c.ARNPrefix, DefaultARNPrefix)
	c.Log = orDefault(c.Log, slog.Default())
	return nil
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// Pool is one function and its processes. It implements function.Invoker, function.Preparer, function.StatsSource
// and io.Closer.
type Pool struct {
	cfg    Config
	ctx    context.Context // ends when the Pool closes
	cancel context.CancelFunc
	alive  sync.WaitGroup // goroutines that start and supervise processes

	mu        sync.Mutex
	closed    bool
	waiting   []*call // oldest first
	processes map[*worker]struct{}
	idle      []*worker // those that ask for work, the last to ask at the end
	starting  int
	answered  int
	starts    int64
	failures  int       // starts failed in a row
	notBefore time.Time // no start before
	retry     *time.Timer
	grow      *time.Timer
	janitor   *time.Timer
}

// call is one invocation. Its fields but done belong to Pool.mu.
type call struct {
	req    *function.Request
	worker *worker // once running
	over   bool    // done has its outcome, or nobody waits
	done   chan outcome
}

type outcome struct {
	res *function.Result
	err error
}

func (c *call) finish(o outcome) {
	if !c.over {
		c.over = true
		c.done <- o
	}
}

// New makes a Pool. Nothing is built or started before the first call or Prepare.
func New(cfg Config) (*Pool, error) {
	if err := cfg.fill(); err != nil {
		return nil, err
	}
	p := &Pool{cfg: cfg, processes: map[*worker]struct{}{}}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p, nil
}

// Prepare implements function.Preparer: it makes ready what the Launcher needs and starts no process.
func (p *Pool) Prepare(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(p.ctx, func() { cancel(function.Closed(p.cfg.Name)) })()
	_, err := p.cfg.Launch.Launch(ctx)
	return err
}

// Invoke implements function.Invoker. When ctx is cancelled the call is given up, but a process that runs it
// goes on until it answers or its time-out ends it, as on Lambda; at a deadline the process is killed.
func (p *Pool) Invoke(ctx context.Context, req *function.Request) (*function.Result, error) {
	c := &call{req: req, done: make(chan outcome, 1)}
	if !p.enqueue(c) {
		return nil, function.Closed(p.cfg.Name)
	}
	var expired <-chan time.Time
	if limit := req.Limit(ctx); !limit.IsZero() {
		timer := time.NewTimer(time.Until(limit))
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case o := <-c.done:
		return o.res, o.err
	case <-expired:
	case <-ctx.Done():
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			p.abandon(c)
			return nil, context.Cause(ctx)
		}
	}
	p.expire(c, function.DeadlinePassed())
	o := <-c.done
	return o.res, o.err
}

// enqueue gives the call to an idle process or lets it wait for one.
func (p *Pool) enqueue(c *call) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return false
	}
	if n := len(p.idle); n > 0 {
		w := p.idle[n-1]
		p.idle = p.idle[:n-1]
		w.begin(c)
		w.work <- c
		return true
	}
	p.waiting = append(p.waiting, c)
	p.startMore(false)
	return true
}

// ask is a process asking for work: it returns a call, or a channel on which one will come.
func (p *Pool) ask(w *worker) (*call, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch w.state {
	case starting:
		p.starting--
		p.failures = 0
		w.initTimer.Stop()
	case answered:
		p.answered--
		w.current = nil
		if w.limit != nil {
			w.limit.Stop()
		}
	default:
		return nil, false
	}
	if len(p.waiting) > 0 {
		c := p.waiting[0]
		p.waiting[0] = nil
		p.waiting = p.waiting[1:]
		w.begin(c)
		return c, true
	}
	w.state = idle
	w.since = time.Now()
	p.idle = append(p.idle, w)
	if p.janitor == nil {
		p.janitor = time.AfterFunc(p.cfg.Idle, p.sweep)
	}
	return nil, true
}

// hangUp is a process whose request for work broke off. It may ask again over another connection; a call
// that it was given at that moment has not been sent and goes back to the head of the queue.
func (p *Pool) hangUp(w *worker) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case c := <-w.work:
		if w.limit != nil {
			w.limit.Stop()
		}
		w.current, c.worker = nil, nil
		if !c.over {
			p.waiting = slices.Insert(p.waiting, 0, c)
		}
	default:
		if w.state != idle {
			return
		}
		p.forgetIdle(w)
	}
	w.state = answered
	p.answered++
	w.limit = time.AfterFunc(p.cfg.Init, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if w.state == answered && w.current == nil {
			w.kill()
		}
	})
	p.startMore(true)
}

func (p *Pool) forgetIdle(w *worker) {
	p.idle = slices.DeleteFunc(p.idle, func(x *worker) bool { return x == w })
}

// serves reports whether w runs the call with this id, or has just answered it.
func (p *Pool) serves(w *worker, id string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return w.current != nil && w.current.req.ID == id
}

// settle ends the current call of w. It is false when it was answered before.
func (p *Pool) settle(w *worker, id string, o outcome) bool {
	w.out.Drain()
	tail := w.out.Cut()
	p.mu.Lock()
	defer p.mu.Unlock()
	c := w.current
	if w.state != busy || c == nil || c.req.ID != id {
		return false
	}
	if o.res != nil {
		o.res.LogTail = tail
	} else if e, ok := o.err.(*function.Error); ok {
		e.LogTail = tail
	}
	w.state = answered
	p.answered++
	c.finish(o)
	return true
}

// startMore starts processes for the calls that wait, unless processes about to ask for work will do.
// Those that answered are only reckoned with while patient.
func (p *Pool) startMore(impatient bool) {
	if p.closed {
		return
	}
	ready := p.starting
	if !impatient {
		ready += p.answered
	}
	want := min(len(p.waiting)-ready, p.cfg.Processes-len(p.processes))
	if want > 0 {
		if wait := time.Until(p.notBefore); wait > 0 {
			if p.retry == nil {
				p.retry = time.AfterFunc(wait, func() {
					p.mu.Lock()
					defer p.mu.Unlock()
					p.retry = nil
					p.startMore(true)
				})
			}
			return
		}
	}
	for range want {
		p.spawn()
	}
	if !impatient && p.answered > 0 && len(p.waiting) > p.starting && len(p.processes) < p.cfg.Processes && p.grow == nil {
		p.grow = time.AfterFunc(patience, func() {
			p.mu.Lock()
			defer p.mu.Unlock()
			p.grow = nil
			p.startMore(true)
		})
	}
}

func (p *Pool) spawn() {
	w := newWorker(p)
	p.processes[w] = struct{}{}
	p.starting++
	p.starts++
	p.alive.Go(w.run)
}

// abandon forgets a call whose caller has gone.
func (p *Pool) abandon(c *call) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.over = true
	p.unqueue(c)
}

// expire ends a call with err because its time is over, and its process if it has one.
func (p *Pool) expire(c *call, err *function.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if c.over { // abandoned or answered: what still holds the process goes
		if c.worker != nil && c.worker.current == c {
			c.worker.kill()
		}
		return
	}
	if c.worker == nil {
		p.unqueue(c)
		c.finish(outcome{err: err})
		return
	}
	w := c.worker
	w.kill()
	w.out.Drain()
	err.LogTail = w.out.Cut()
	c.finish(outcome{err: err})
}

func (p *Pool) unqueue(c *call) {
	if i := slices.Index(p.waiting, c); i >= 0 {
		p.waiting = slices.Delete(p.waiting, i, i+1)
	}
}

// failStart is the end of a process that never asked for work. reason makes the failure for one call.
// The calls that wait get it when no other process is left to serve them.
func (p *Pool) failStart(w *worker, reason func(id string) *function.Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w.state != starting {
		return
	}
	w.state = dead
	delete(p.processes, w)
	p.starting--
	if p.closed {
		return
	}
	if !w.started.Before(p.notBefore) || p.failures == 0 { // of several at a time, the first counts
		p.failures++
		p.notBefore = time.Now().Add(min(backoffFirst<<min(p.failures-1, 10), backoffMost))
	}
	e := reason("")
	p.cfg.Log.Warn("a function's process did not start", "function", p.cfg.Name, "error", e.Type, "cause", e.Cause,
		"next_start_ms", time.Until(p.notBefore).Milliseconds())
	if len(p.processes) > 0 {
		p.startMore(false)
		return
	}
	tail := w.tail()
	for _, c := range p.waiting {
		e := reason(c.req.ID)
		e.StartFailed, e.LogTail = true, tail
		c.finish(outcome{err: e})
	}
	p.waiting = nil
}

// sweep stops processes that had nothing to do for too long and comes back when the next one will have.
func (p *Pool) sweep() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.janitor = nil
	if p.closed {
		return
	}
	next := time.Duration(-1)
	for len(p.idle) > 0 {
		w := slices.MinFunc(p.idle, func(a, b *worker) int { return a.since.Compare(b.since) })
		left := p.cfg.Idle - time.Since(w.since)
		if left > 0 {
			next = left
			break
		}
		p.forgetIdle(w)
		w.retire()
	}
	if next < 0 && len(p.processes) > 0 {
		next = p.cfg.Idle
	}
	if next > 0 {
		p.janitor = time.AfterFunc(next, p.sweep)
	}
}

// AddStats implements function.StatsSource.
func (p *Pool) AddStats(s *function.Stats) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s.Processes, s.Starts = len(p.processes), p.starts
}

// Close ends all processes, the busy ones at once and the idle ones politely, and waits until they are
// gone. Calls in flight and waiting return function.Closed.
func (p *Pool) Close() error {
	p.mu.Lock()
	p.closed = true
	p.cancel()
	for _, t := range []*time.Timer{p.retry, p.grow, p.janitor} {
		if t != nil {
			t.Stop()
		}
	}
	for _, c := range p.waiting {
		c.finish(outcome{err: function.Closed(p.cfg.Name)})
	}
	p.waiting = nil
	for w := range p.processes {
		if w.current != nil {
			w.current.finish(outcome{err: function.Closed(p.cfg.Name)})
		}
		if w.state == idle {
			w.retire()
		} else {
			w.kill()
		}
	}
	p.idle = nil
	p.mu.Unlock()
	p.alive.Wait()
	return nil
}
