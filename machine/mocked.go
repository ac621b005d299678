package machine

import (
	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/machine/history"
)

// Mocks answers for states in place of what they would call, so that a machine can be tested by itself (Step Functions,
// "mocked service integrations"). An interpreter with mocks is pure as any other: Respond depends on its parameters only.
type Mocks interface {
	// Respond returns the answer to a state's work, or false for a state that is not mocked. call counts from 0 how often
	// the run has asked for this state's answer, in whatever branch and visit; attempt counts from 0 within the visit, so
	// that it is the number of retries.
	Respond(state string, call, attempt int64) (Response, bool)
}

// Response is a mocked answer: a result, which is the task's as it is (no envelope is put around it and no token waited
// for), or an error.
type Response struct {
	Output []byte // one JSON text, compact; unless Failed
	Failed bool
	Error  string
	Cause  string
}

func (r *Response) failure() *failure {
	return &failure{name: r.Error, hasName: r.Error != "", cause: r.Cause, hasCause: r.Cause != ""}
}

// mocked returns the answer that takes the place of b's work, or nil. It is asked once an attempt, by Task, Parallel
// and Map.
func (s *step) mocked(b *branch) *Response {
	if s.f.probe.sees(b) {
		return s.f.probe.trial.Mock
	}
	if s.in.Mocks == nil {
		return nil
	}
	f, i := s.f, b.state.Index
	r, ok := s.in.Mocks.Respond(b.state.Name, f.answers[i], b.retries)
	if !ok {
		return nil
	}
	if f.answers == nil {
		f.answers = map[int]int64{}
	}
	f.answers[i]++
	return &r
}

// mockedTask ends a Task that has been scheduled with a mocked answer.
func (s *step) mockedTask(b *branch, r *Response) *branch {
	if r.Failed {
		return s.taskError(b, r.failure(), false)
	}
	return s.taskSucceeded(b, &Event{Kind: TaskSucceeded, ID: b.invocation, Output: r.Output, whole: true})
}

// mockedActivity is mockedTask for a task that workers would take.
func (s *step) mockedActivity(b *branch, c *call, r *Response) *branch {
	b.phase = working
	s.note(b, history.Event{Type: history.ActivityScheduled, Input: c.arguments, Resource: b.state.Task.Resource, Timeout: c.timeout, Heartbeat: c.heartbeat})
	s.note(b, history.Event{Type: history.ActivityStarted})
	return s.mockedTask(b, r)
}

// mockedJoin ends a Parallel or Map, whose Started event is out, with a mocked answer instead of its branches'.
func (s *step) mockedJoin(b *branch, r *Response) *branch {
	b.phase = redo
	if r.Failed {
		return s.failed(b, r.failure())
	}
	prev := b.prev
	succeeded := history.ParallelStateSucceeded
	if b.state.Type == asl.Map {
		succeeded = history.MapStateSucceeded
	}
	id := s.emit(history.Event{Type: succeeded, Prev: prev})
	o, e := s.joinedOutcome(b, r.Output)
	if e != nil {
		b.prev = id
		return s.failed(b, e)
	}
	return s.leave(b, o, b.state.NextState)
}

// mockedMap ends a Map whose fields have been evaluated. What its iterations would be given is evaluated as well, since
// that can fail; a trial may say how many of them have failed.
func (s *step) mockedMap(b *branch, fk *fork, r *Response) *branch {
	if e := s.selectAll(b, fk); e != nil {
		return s.failed(b, e)
	}
	if p := s.f.probe; p.sees(b) && p.trial.FailedIterations > 0 && !r.Failed {
		fk.failed = int(min(p.trial.FailedIterations, int64(fk.length)))
		if !fk.tolerated() {
			return s.failed(b, &failure{name: errThreshold, hasName: true, cause: thresholdExceeded, hasCause: true})
		}
	}
	return s.mockedJoin(b, r)
}

// selectAll evaluates ItemSelector for all items.
func (s *step) selectAll(b *branch, fk *fork) *failure {
	if b.state.Parameters == nil {
		return nil
	}
	most := s.in.bounds.PayloadBytes
	all := make([][]byte, fk.length)
	at := 1
	for i := range fk.length {
		c := &branch{parent: fk, index: i}
		c.item, at = nextElement(fk.items, at)
		v, e := flowOf(b.state).selectItem(s.scope(b), fk, c)
		if e != nil {
			return e
		}
		if all[i] = v.json(most); len(all[i]) > most {
			return tooLarge(b.state.Name)
		}
	}
	s.f.probe.note(b, FieldAfterItemSelector, textValue(joinResults(all)))
	return nil
}

// mockedRun is mockedMap for a distributed Map. The items of an ItemReader are known only when a trial gives them.
func (s *step) mockedRun(b *branch, run *MapRun, data value, r *Response) *branch {
	fk := &fork{owner: b, items: run.Items, at: 1}
	p := s.f.probe
	if p.sees(b) && p.trial.ReaderItems != nil {
		fk.items = p.trial.ReaderItems
	}
	fk.length = countElements(fk.items)
	if b.state.Parameters != nil {
		fk.data = data.json(s.in.bounds.PayloadBytes)
	}
	if e := s.selectAll(b, fk); e != nil {
		return s.failed(b, e)
	}
	if p.sees(b) && !r.Failed && run.Tolerance.Exceeded(p.trial.FailedIterations, int64(fk.length)) {
		return s.failed(b, &failure{name: errThreshold, hasName: true, cause: thresholdExceeded, hasCause: true})
	}
	return s.mockedJoin(b, r)
}
