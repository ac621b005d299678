package faas

import (
	"container/heap"
	"context"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

// event is one delivery of a payload to a function. Its fields belong to Service.mu while it waits.
type event struct {
	id       string
	function string
	payload  []byte
	serial   uint64 // decides its luck, and who goes first of those that are due at the same time
	born     time.Time
	due      time.Time

	executed  int     // times
	throttled int     // times
	last      *Answer // of the last execution
}

// attempts counts what draws luck.
func (e *event) attempts() int { return e.executed + e.throttled }

// queue is a heap of events, the next one due first.
type queue []*event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].serial < q[j].serial
	}
	return q[i].due.Before(q[j].due)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)   { *q = append(*q, x.(*event)) }
func (q *queue) Pop() any {
	old := *q
	n := len(old) - 1
	e := old[n]
	old[n] = nil
	*q = old[:n]
	return e
}

// Send has a function executed with payload at or after notBefore (zero: now), at least once, and returns the request
// id that all attempts have. An error says why not: fault.ResourceNotFound, InvalidInput (the payload is not JSON),
// LimitExceeded (it is too large), Busy (too many events wait) or Unavailable. It keeps payload, which must not change.
func (s *Service) Send(_ context.Context, name string, payload []byte, notBefore time.Time) (string, error) {
	const op = "faas.Send"
	payload, err := check(op, name, payload, AsyncBytes, "Event")
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find(op, name)
	switch {
	case err != nil:
		return "", err
	case s.closed:
		return "", closing(op, name)
	case len(s.queue) >= s.cfg.Queue || s.bytes+int64(len(payload)) > s.cfg.QueueBytes:
		return "", fault.New(op, fault.Busy, name, "%d events of %d bytes wait; try again when some have been executed",
			len(s.queue), s.bytes)
	}
	id, err := s.add(f.name, payload, notBefore)
	s.pump()
	return id, err
}

// add makes an event, and a second delivery of it if Faults say so, and returns the request id. The caller holds mu and
// calls pump.
func (s *Service) add(name string, payload []byte, notBefore time.Time) (string, error) {
	s.serial++
	now := time.Now()
	e := &event{id: uuid.NewString(), function: name, payload: payload, serial: s.serial, born: now}
	if notBefore.After(now) {
		e.born = notBefore
	}
	luck := s.cfg.Faults.draw(e.serial, 0)
	e.due = e.born.Add(s.cfg.Latency() + luck.late)
	if err := s.keep(e); err != nil {
		return "", err
	}
	s.stats.Events++
	s.push(e)
	if luck.duplicate {
		s.serial++
		s.stats.Duplicates++
		twin := *e
		twin.serial, twin.due = s.serial, e.due.Add(luck.duplicateAfter)
		s.push(&twin) // which nobody needs to keep
	}
	return e.id, nil
}

func (s *Service) push(e *event) {
	s.bytes += int64(len(e.payload))
	heap.Push(&s.queue, e)
}

// pump starts the executions of events that are due and sets the timer for the next. The caller holds mu.
func (s *Service) pump() {
	if s.closed {
		return
	}
	now := time.Now()
	for len(s.queue) > 0 && !s.queue[0].due.After(now) {
		e := heap.Pop(&s.queue).(*event)
		s.bytes -= int64(len(e.payload))
		s.deliver(e, now)
	}
	s.rest()
	if len(s.queue) == 0 {
		return
	}
	wait := s.queue[0].due.Sub(now)
	if s.timer == nil {
		s.timer = time.AfterFunc(wait, func() {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.pump()
		})
		return
	}
	s.timer.Reset(wait)
}

// deliver executes an event that is due, or puts it off. The caller holds mu.
func (s *Service) deliver(e *event, now time.Time) {
	f := s.functions[e.function]
	if f == nil {
		s.stats.Lost++
		s.forget(e)
		s.cfg.Log.Warn("an event is lost: its function was removed", "function", e.function, "request", e.id)
		return
	}
	if now.Sub(e.born) >= f.settings.age() {
		s.over(f, e, eventAgeExceeded)
		return
	}
	luck := s.cfg.Faults.draw(e.serial, e.attempts())
	if reason := s.enter(f, luck); reason != "" {
		after := min(throttleFirst<<min(e.throttled, 16), throttleMost)
		e.throttled++
		s.postpone(f, e, now, time.Duration(float64(after)*luck.jitter))
		return
	}
	run := s.begin(f)
	go s.process(run, e, luck)
}

// postpone lets an event wait, not longer than it may live. The caller holds mu.
func (s *Service) postpone(f *deployed, e *event, now time.Time, after time.Duration) {
	e.due = now.Add(time.Duration(float64(after) * s.cfg.Scale))
	if end := e.born.Add(f.settings.age()); e.due.After(end) {
		e.due = end
	}
	s.push(e)
}

// process executes an event and decides what becomes of it.
func (s *Service) process(run *execution, e *event, luck luck) {
	e.executed++
	answer, err := s.execute(s.ctx, run, &function.Request{
		Function: e.function, Input: e.payload, ID: e.id, Attempt: e.executed, Key: e.id,
	}, luck)
	s.mu.Lock()
	defer s.mu.Unlock()
	defer s.pump()
	defer s.end(run, answer)
	f := s.functions[e.function]
	switch {
	case s.closed && err == nil && answer.FunctionError == "":
		s.forget(e)
	case s.closed:
		if s.journal == nil {
			s.stats.Lost++
		}
	case f == nil:
		s.stats.Lost++
		s.forget(e)
	case err != nil: // the invoker gave up, which is the platform's failure and costs no attempt
		e.executed--
		e.throttled++
		s.postpone(f, e, time.Now(), throttleFirst)
	case answer.FunctionError == "":
		e.last = answer
		s.over(f, e, success)
	default:
		e.last = answer
		s.failed(f, e)
	}
}

// failed has an event executed again, or gives it up. The caller holds mu.
func (s *Service) failed(f *deployed, e *event) {
	if e.executed > f.settings.retries() {
		s.over(f, e, retriesExhausted)
		return
	}
	s.stats.Retries++
	s.postpone(f, e, time.Now(), retryFirst<<(e.executed-1))
}
