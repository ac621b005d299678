package classic

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/internal/wire"
)

// message is one message in a queue.
type message struct {
	number uint64
	queue  *file
	to     string // instance
	ev     partition.Event
	wake   bool // a timer's: the events are the core's to say
}

// session is an instance that is open: a partition of its own, which has nothing in it but the instance. One episode at
// a time runs on it.
type session struct {
	name string
	core *partition.Core
	run  *durable.Run // kept between episodes if Options.Extended

	episode sync.Mutex
	rows    []row
	saved   int64 // id of the last event in rows
	armed   int64 // when the message of a timer is due; 0: there is none

	// Guarded by the partition's mu.
	inbox []message
	busy  bool
}

// row is a stretch of history in the table.
type row struct {
	first, count int64
	offset       int64
	size         int
}

// ref returns the instance's number; 0 if there is none.
func (s *session) ref() partition.Ref {
	ref, _ := s.core.Lookup(s.name)
	return ref
}

func (s *session) forget() {
	if s.run != nil {
		s.run.Close()
		s.run = nil
	}
}

// record is what a write to a file has: the name of the instance and the bytes.
func record(name string, data []byte) []byte {
	dst := make([]byte, 0, len(name)+len(data)+16)
	return wire.AppendBytes(wire.AppendString(dst, name), data)
}

// put makes a message durable in the control queue of the instance it goes to.
func (e *Engine) put(ev partition.Event, to string) (message, error) {
	m := message{number: e.numbers.Add(1), queue: e.part(to).control, to: to, ev: ev}
	_, err := m.queue.write(&e.storage.puts, record(to, partition.AppendEvent(wire.AppendUint(nil, m.number), ev.Time, &ev)))
	return m, err
}

// remove makes it durable that a message is gone.
func (e *Engine) remove(m message) error {
	_, err := m.queue.write(&e.storage.removes, wire.AppendUint(nil, m.number))
	return err
}

// deliver gives messages to the instances they are for. Messages to a run that has ended are dropped, as nothing in the
// workloads depends on them.
func (e *Engine) deliver(messages ...message) {
	for _, m := range messages {
		p := e.part(m.to)
		p.mu.Lock()
		s := p.sessions[m.to]
		if s == nil {
			s = &session{name: m.to, core: partition.New(partition.Config{Partitions: 1, Programs: e.programs})}
			p.sessions[m.to] = s
		}
		s.inbox = append(s.inbox, m)
		if !s.busy {
			s.busy = true
			e.begin(func() error { return e.serve(p, s) })
		}
		p.mu.Unlock()
	}
}

// serve runs episodes of a session until nothing waits for it.
func (e *Engine) serve(p *part, s *session) error {
	for {
		p.mu.Lock()
		batch := s.inbox
		s.inbox = nil
		if len(batch) == 0 || e.life.Err() != nil {
			s.busy = false
			p.mu.Unlock()
			return nil
		}
		p.mu.Unlock()
		s.episode.Lock()
		done, err := e.runEpisode(p, s, batch)
		s.episode.Unlock()
		if err != nil {
			return err
		}
		if done.gone {
			p.forget(s, done)
		}
	}
}

// forget forgets an instance that is gone, unless it was addressed again meanwhile.
func (p *part) forget(s *session, done *outcome) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(s.inbox) == 0 || done.view != nil {
		delete(p.sessions, s.name)
	}
}

// tell tells who waits for a run that it has ended.
func (p *part) tell(v *workflow.View) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if ended := p.waiters[v.ID]; ended != nil {
		p.ended[v.ID] = v
		close(ended)
	}
}

// outcome is what an episode has done.
type outcome struct {
	sends []partition.Event
	calls []partition.Invocation
	view  *workflow.View // of a run that has ended
	gone  bool           // the instance has ended or was removed
}

// runEpisode takes messages, runs the code, and makes it all durable in the order of the original.
func (e *Engine) runEpisode(p *part, s *session, batch []message) (*outcome, error) {
	e.storage.reads.Add(1) // the messages
	now := time.Now().UnixMilli()
	out, err := e.fold(p, s, batch, now)
	if err != nil {
		return nil, err
	}
	if err := e.sendAll(s, out, now); err != nil {
		return nil, err
	}
	if err := e.commit(p, s); err != nil {
		return nil, err
	}
	if out.view != nil {
		p.tell(out.view)
	}
	return out, each(batch, e.remove)
}

// fold gives the messages to the instance and runs its code as long as it has something to do.
func (e *Engine) fold(p *part, s *session, batch []message, now int64) (*outcome, error) {
	out := &outcome{}
	for i := range batch {
		if batch[i].wake {
			s.armed = 0
			for _, due := range s.core.Due(nil, now, len(batch)+1024) {
				s.step(&due, out)
			}
			continue
		}
		ev := batch[i].ev
		ev.Time = now
		s.step(&ev, out)
	}
	for {
		ref := s.ref()
		work, ok := s.core.Work(ref)
		if !ok {
			break
		}
		ev, err := e.runCode(p, s, work)
		if err != nil {
			return nil, err
		}
		ev.Ref, ev.Time = ref, now
		s.step(&ev, out)
	}
	if v, ok := s.core.View(s.ref()); !ok || v.Ended {
		out.gone = true
		s.forget()
	}
	return out, nil
}

// step folds one event and gathers what it wants.
func (s *session) step(ev *partition.Event, out *outcome) {
	var last uint64
	for _, effect := range s.core.Step(ev) {
		switch effect.Kind {
		case partition.Send:
			last = effect.Event.From.Seq
			sent := *effect.Event
			sent.From = partition.Origin{} // a queue brings it, once
			out.sends = append(out.sends, sent)
		case partition.Invoke:
			out.calls = append(out.calls, effect.Call)
		case partition.Ended:
			out.view, _ = effect.Value.(*workflow.View)
		}
	}
	if last != 0 {
		s.core.Step(&partition.Event{Kind: partition.Ack, Time: ev.Time, From: partition.Origin{Seq: last}})
	}
	s.core.Await(s.ref())
}

// sendAll puts the messages of an episode into their queues and delivers them.
func (e *Engine) sendAll(s *session, out *outcome, now int64) error {
	messages := make([]message, len(out.sends))
	calls := make([]message, len(out.calls))
	jobs := make([]func() error, 0, len(out.sends)+len(out.calls)+1)
	for i := range out.sends {
		jobs = append(jobs, func() (err error) {
			messages[i], err = e.put(out.sends[i], out.sends[i].To)
			return err
		})
	}
	for i := range out.calls {
		jobs = append(jobs, func() error {
			c := &out.calls[i]
			calls[i] = message{number: e.numbers.Add(1), queue: e.work, to: s.name}
			_, err := e.work.write(&e.storage.puts, record(c.Function, c.Input))
			return err
		})
	}
	if due, ok := s.core.NextDue(); ok && !out.gone && (s.armed == 0 || due < s.armed) {
		s.armed = due
		jobs = append(jobs, func() error { return e.arm(s.name, due) })
	}
	if err := each(jobs, func(job func() error) error { return job() }); err != nil {
		return err
	}
	e.deliver(messages...)
	ref := s.ref()
	for i := range calls {
		e.begin(func() error { return e.call(calls[i], ref, &out.calls[i]) })
	}
	return nil
}

// arm puts a message into a queue that is to be seen at a time (Unix milliseconds): a timer.
func (e *Engine) arm(name string, due int64) error {
	m, err := e.put(partition.Event{Kind: partition.Due, Time: due}, name)
	if err != nil {
		return err
	}
	m.wake = true
	e.begin(func() error {
		timer := time.NewTimer(time.Until(time.UnixMilli(due)))
		defer timer.Stop()
		select {
		case <-timer.C:
			e.deliver(m)
		case <-e.life.Done():
		}
		return nil
	})
	return nil
}

// call takes a call from the work-item queue, calls the function and puts the answer into the caller's queue.
func (e *Engine) call(m message, ref partition.Ref, c *partition.Invocation) error {
	req := function.Request{Function: c.Function, Input: c.Input, Attempt: 1, ID: fmt.Sprint(m.number), Run: m.to, Patient: true}
	if c.TimeoutMS > 0 {
		req.Deadline = time.Now().Add(time.Duration(c.TimeoutMS) * time.Millisecond)
	}
	res, err := e.opts.Functions.Invoke(e.life, &req)
	if e.life.Err() != nil {
		return context.Cause(e.life)
	}
	ev := partition.Event{Kind: partition.Done, Time: time.Now().UnixMilli(), Ref: ref, ID: c.ID}
	var failed *function.Error
	switch {
	case errors.As(err, &failed):
		ev.Error, ev.Cause, ev.Flag, ev.Final = failed.Type, failed.Cause, failed.StartFailed, failed.Final
	case err != nil:
		return err
	default:
		ev.Body = res.Output
	}
	answer, err := e.put(ev, m.to)
	if err != nil {
		return err
	}
	e.deliver(answer)
	return e.remove(m)
}

// commit writes the instance's row and the rows of history that are new.
func (e *Engine) commit(p *part, s *session) error {
	view, ok := s.core.View(s.ref())
	if !ok {
		_, err := p.table.write(&e.storage.commits, record(s.name, nil)) // its row is deleted
		return err
	}
	state := view.Packed
	chunks := view.Chunks
	if view.State != nil {
		state = view.State.Append(nil)
		if h, ok := view.State.(partition.Historian); ok {
			if data, first, count := h.History(); count > 0 {
				chunks = append(chunks[:len(chunks):len(chunks)], partition.Chunk{Data: data, First: first, Count: count})
			}
			defer h.Forget()
		}
	}
	text := record(s.name, state)
	var fresh []row
	for _, ch := range chunks {
		if ch.First > s.saved {
			fresh = append(fresh, row{first: ch.First, count: ch.Count, offset: int64(len(text)), size: len(ch.Data)})
			text = append(text, ch.Data...)
		}
	}
	offset, err := p.table.write(&e.storage.commits, text)
	if err != nil {
		return err
	}
	for _, r := range fresh {
		r.offset += offset
		s.rows = append(s.rows, r)
		s.saved = r.first + r.count - 1
	}
	return nil
}

// history reads the rows from event first on.
func (e *Engine) history(p *part, s *session, first int64) (events []durable.Event, err error) {
	e.storage.reads.Add(1)
	for len(s.rows) > 0 && s.rows[0].first < first {
		s.rows = s.rows[1:] // of an execution that is over
	}
	for _, r := range s.rows {
		data, err := p.table.read(r.offset, r.size)
		if err != nil {
			return nil, err
		}
		if events, err = durable.ReadChunk(events, data); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// each calls fn for all items side by side and returns the first error.
func each[T any](items []T, fn func(T) error) error {
	if len(items) == 1 {
		return fn(items[0])
	}
	errs := make([]error, len(items))
	var wg sync.WaitGroup
	for i := range items {
		wg.Add(1)
		go func() {
			defer wg.Done()
			errs[i] = fn(items[i])
		}()
	}
	wg.Wait()
	return errors.Join(errs...)
}
