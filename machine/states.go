package machine

import (
	"math"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/machine/history"
)

// eventTypes are the history events of a state type that every state of it has; 0: there is none.
type eventTypes struct{ entered, exited, aborted, failed history.Type }

var typeEvents = [...]eventTypes{
	asl.Task:     {history.TaskStateEntered, history.TaskStateExited, history.TaskStateAborted, 0},
	asl.Pass:     {history.PassStateEntered, history.PassStateExited, 0, 0},
	asl.Choice:   {history.ChoiceStateEntered, history.ChoiceStateExited, 0, 0},
	asl.Wait:     {history.WaitStateEntered, history.WaitStateExited, history.WaitStateAborted, 0},
	asl.Succeed:  {history.SucceedStateEntered, history.SucceedStateExited, 0, 0},
	asl.Fail:     {history.FailStateEntered, 0, 0, 0},
	asl.Parallel: {history.ParallelStateEntered, history.ParallelStateExited, history.ParallelStateAborted, history.ParallelStateFailed},
	asl.Map:      {history.MapStateEntered, history.MapStateExited, history.MapStateAborted, history.MapStateFailed},
}

// enter begins b's state. It returns the branch that goes on in this step: b in its next state, the owner
// of a Parallel or Map that b's end completed, or nil when b waits or the run has ended.
func (s *step) enter(b *branch) *branch {
	st := b.state
	b.before = b.prev
	s.note(b, history.Event{Type: typeEvents[st.Type].entered, Name: st.Name, Input: b.input})
	b.entered, b.enteredAt = b.prev, s.f.now
	b.attempts, b.retries, b.mapped = nil, s.f.probe.retried(b), 0
	s.f.context.forget()
	return s.work(b)
}

// work does what b's state does, the first time or again.
func (s *step) work(b *branch) *branch {
	b.phase = redo
	switch b.state.Type {
	case asl.Task:
		return s.task(b)
	case asl.Pass:
		return s.pass(b)
	case asl.Choice:
		return s.choose(b)
	case asl.Wait:
		return s.wait(b)
	case asl.Succeed:
		return s.passOn(b)
	case asl.Fail:
		return s.failState(b)
	case asl.Parallel:
		return s.parallel(b)
	case asl.Map:
		return s.mapState(b)
	}
	return s.failed(b, runtimeError(b, "This version of Weft does not know the state type %d.", b.state.Type))
}

func (s *step) pass(b *branch) *branch {
	sc := s.scope(b)
	if b.state.Result != nil { // takes the place of all that is made of the input
		sc.note(FieldResult, textValue(b.state.Result))
		return s.complete(b, sc, textValue(b.state.Result))
	}
	result, e := flowOf(b.state).arguments(sc, b.state)
	if e != nil {
		return s.failed(b, e)
	}
	return s.complete(b, sc, result)
}

// passOn is what a Succeed does, and a Wait when its time has come: input to output through the paths.
func (s *step) passOn(b *branch) *branch {
	sc := s.scope(b)
	v, e := flowOf(b.state).arguments(sc, b.state)
	if e != nil {
		return s.failed(b, e)
	}
	return s.complete(b, sc, v)
}

// complete makes a state's variables and its output of its result and leaves the state.
func (s *step) complete(b *branch, sc *scope, result value) *branch {
	out, e := s.outcome(b, sc, result)
	if e != nil {
		return s.failed(b, e)
	}
	return s.leave(b, out, b.state.NextState)
}

// outcome is what a state leaves behind: its output, as text, and what it gives to variables.
type outcome struct {
	output   []byte
	assigned variables
}

// outcome evaluates what b's state makes of its result.
func (s *step) outcome(b *branch, sc *scope, result value) (o outcome, e *failure) {
	flow := flowOf(b.state)
	sc.provide(result)
	if o.assigned, e = s.assigned(b, sc, b.state.Assign, result); e != nil {
		return o, e
	}
	v, e := flow.output(sc, b.state, result)
	if e != nil {
		return o, e
	}
	o.output, e = s.bounded(b, v)
	return o, e
}

// bounded is v as text, which must not be too large to pass on.
func (s *step) bounded(b *branch, v value) ([]byte, *failure) {
	text := v.json(s.in.bounds.PayloadBytes)
	if len(text) > s.in.bounds.PayloadBytes {
		return nil, tooLarge(b.state.Name)
	}
	return text, nil
}

// leave exits b's state and goes on to next; nil ends the branch.
func (s *step) leave(b *branch, o outcome, next *asl.State) *branch {
	output := o.output
	s.note(b, history.Event{Type: typeEvents[b.state.Type].exited, Name: b.state.Name, Output: output, Assigned: o.assigned.text()})
	s.f.assign(b, o.assigned)
	s.f.discard(b)
	b.attempts, b.retries = nil, 0
	if next = s.f.probe.leave(b, next); next != nil {
		s.begin(b, next, output)
		return b
	}
	b.phase, b.input = idle, nil
	if b.parent == nil {
		s.succeed(output)
		return nil
	}
	return s.ended(b, output)
}

func (s *step) failState(b *branch) *branch {
	e, bad := flowOf(b.state).failure(s.scope(b), b.state)
	if bad != nil {
		e = bad
	}
	return s.failed(b, e)
}

func (s *step) wait(b *branch) *branch {
	due, e := s.waitUntil(b)
	if e == nil && due-s.f.now > maxAhead {
		e = runtimeError(b, "The time to wait for is more than %d seconds in the future.", maxAhead/1000)
	}
	if e != nil {
		return s.failed(b, e)
	}
	if due <= s.f.now {
		return s.passOn(b)
	}
	b.phase = waiting
	s.setTimer(b, due)
	return nil
}

// maxAhead is how many milliseconds in the future a Wait may end: Step Functions refuses more seconds than an int
// holds, which is 68 years.
const maxAhead = math.MaxInt32 * 1000

// waitUntil returns when b's Wait ends, in Unix milliseconds.
func (s *step) waitUntil(b *branch) (int64, *failure) {
	w := b.state.Wait
	switch {
	case b.state.QueryLanguage == asl.JSONata && len(b.state.Queries) > 0:
		return s.waitQueried(b)
	case w.HasSeconds:
		return s.f.now + seconds(w.Seconds), nil
	case w.Timestamp != "":
		t, err := asl.ParseTimestamp(w.Timestamp)
		if err != nil {
			return 0, runtimeError(b, "The Timestamp parameter is not a valid ISO-8601 extended offset date-time format string: %s", w.Timestamp)
		}
		return ceilMillis(t), nil
	case w.SecondsPath != nil:
		return s.waitSeconds(b)
	}
	return s.waitTimestamp(b)
}

// waitQueried is when a Wait ends whose Seconds or Timestamp is an expression in JSONata.
func (s *step) waitQueried(b *branch) (int64, *failure) {
	sc := s.scope(b)
	q := b.state.Queries["Timestamp"]
	if q == nil {
		n, e := jsonataFlow{}.integer(sc, b.state, "Seconds", 0, nil)
		return s.f.now + seconds(n), e
	}
	text, _, e := sc.text(nil, q)
	if e != nil {
		return 0, e
	}
	t, err := asl.ParseTimestamp(text)
	if err != nil {
		return 0, evaluationError(b, q.Field, "The Timestamp parameter is not a valid ISO-8601 extended offset date-time format string: %s", text)
	}
	return ceilMillis(t), nil
}

func (s *step) waitSeconds(b *branch) (int64, *failure) {
	path := b.state.Wait.SecondsPath
	sc, e := s.inputScope(b)
	if e != nil {
		return 0, e
	}
	v, err := sc.get(path)
	if err != nil {
		return 0, runtimeError(b, "The SecondsPath parameter does not reference an input value: %s", path)
	}
	n, ok := wholeNumber(v)
	if !ok || n < 0 || n > maxSeconds {
		return 0, runtimeError(b, "The SecondsPath parameter does not reference a valid number of seconds: %s == %s", path, plain(v))
	}
	return s.f.now + seconds(n), nil
}

func (s *step) waitTimestamp(b *branch) (int64, *failure) {
	path := b.state.Wait.TimestampPath
	sc, e := s.inputScope(b)
	if e != nil {
		return 0, e
	}
	v, err := sc.get(path)
	if err != nil {
		return 0, runtimeError(b, "The TimestampPath parameter does not reference an input value: %s", path)
	}
	text, _ := v.(string)
	t, err := asl.ParseTimestamp(text)
	if err != nil {
		return 0, runtimeError(b, "The TimestampPath parameter does not reference a valid ISO-8601 extended offset date-time format string: %s == %s", path, plain(v))
	}
	return ceilMillis(t), nil
}

func (s *step) choose(b *branch) *branch {
	sc, e := s.inputScope(b)
	if e != nil {
		return s.failed(b, e)
	}
	flow := flowOf(b.state)
	next, assign := b.state.Choice.DefaultState, b.state.Assign
	for i := range b.state.Choice.Rules {
		rule := &b.state.Choice.Rules[i]
		yes, e := flow.holds(sc, rule)
		if e != nil {
			return s.failed(b, e)
		}
		if yes {
			next, assign, sc.rule = rule.To, rule.Assign, rule
			break
		}
	}
	if next == nil {
		return s.failed(b, runtimeError(b, "Failed to transition out of the state. The state does not point to a next state."))
	}
	o, e := s.chosen(b, sc, assign)
	if e != nil {
		return s.failed(b, e)
	}
	return s.leave(b, o, next)
}

// chosen is the outcome of a Choice. sc's data is the input behind InputPath.
func (s *step) chosen(b *branch, sc *scope, assign *asl.Template) (o outcome, e *failure) {
	if o.assigned, e = s.assigned(b, sc, assign, sc.data); e != nil {
		return o, e
	}
	v, e := flowOf(b.state).output(sc, b.state, sc.data)
	if e != nil {
		return o, e
	}
	o.output, e = s.bounded(b, v)
	return o, e
}
