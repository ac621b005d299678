package machine

import (
	"fmt"
	"math"
	"slices"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine/history"
)

// The error names that the interpreter raises itself (States Language, "Appendix A").
const (
	errAll             = "States.ALL"
	errTaskFailed      = "States.TaskFailed"
	errTimeout         = "States.Timeout"
	errHeartbeat       = "States.HeartbeatTimeout"
	errRuntime         = "States.Runtime"
	errDataLimit       = "States.DataLimitExceeded"
	errReferencePath   = "States.ReferencePathConflict"
	errResultPath      = "States.ResultPathMatchFailure" // what the States Language calls it
	errQuery           = "States.QueryEvaluationError"
	errThreshold       = "States.ExceedToleratedFailureThreshold"
	thresholdExceeded  = "The specified tolerated failure threshold was exceeded"
	resultTooLargeText = "The state/task '%s' returned a result with a size exceeding the maximum number of bytes service limit."
)

// failure is an error of a state: what a retrier and a catcher match and what the history shows. An absent
// name or cause is not the same as an empty one.
type failure struct {
	name, cause       string
	hasName, hasCause bool
	alias             string // a second name that ErrorEquals matches: a heartbeat's time-out is States.Timeout in the history, a conflict or a failed intrinsic function has the States Language's name beside its own

	evaluation bool   // an expression in JSONata failed: there is an EvaluationFailed event
	noted      bool   // and it is in the history
	location   string // the field of that expression; may be empty
}

// runtimeError is a States.Runtime, which nothing catches; its cause says where, as AWS's do.
func runtimeError(b *branch, format string, args ...any) *failure {
	return stateError(b, errRuntime, format, args...)
}

func stateError(b *branch, name, format string, args ...any) *failure {
	return &failure{name: name, hasName: true, hasCause: true, cause: clip(fmt.Sprintf(
		"An error occurred while executing the state '%s' (entered at the event id #%d). ", b.state.Name, b.entered) +
		fmt.Sprintf(format, args...))}
}

// conflict is a reference path that does not fit the value it is applied to. Step Functions names the step
// that fails, unless the value has no parts at all, and says nothing about the state.
func conflict(p fmt.Stringer, step string, input any, text []byte) *failure {
	e := &failure{name: errReferencePath, alias: errResultPath, hasName: true, hasCause: true}
	switch input.(type) {
	case *jsonvalue.Object, []any:
		e.cause = clip(fmt.Sprintf("Unable to apply step \"%s\" to input %s", step, text))
	default:
		e.cause = clip(fmt.Sprintf("Unable to apply ReferencePath %s to input %s", p, text))
	}
	return e
}

// clip bounds a cause, which may quote a state's whole input.
func clip(cause string) string { return limits.Cut(cause, limits.CauseChars) }

func tooLarge(what string) *failure {
	return &failure{name: errDataLimit, hasName: true, hasCause: true, cause: fmt.Sprintf(resultTooLargeText, what)}
}

// matches reports whether an ErrorEquals list covers e. States.Runtime is never covered, unless by the States
// Language's name of what it is; States.DataLimitExceeded only by its own name; States.TaskFailed covers all but
// time-outs.
func (e *failure) matches(names []string) bool {
	if e.name == errRuntime {
		return e.alias != "" && slices.Contains(names, e.alias)
	}
	for _, n := range names {
		switch {
		case n == e.name && e.hasName, n == e.alias && n != "":
			return true
		case e.name == errDataLimit:
		case n == errAll, n == errTaskFailed && e.name != errTimeout:
			return true
		}
	}
	return false
}

// output is e as a catcher gives it to the next state: {"Error":…,"Cause":…}, null for what is absent. A
// time-out has no cause in the history and an empty one here.
func (e *failure) output() *jsonvalue.Object {
	o := jsonvalue.NewObject(2)
	o.Set("Error", optional(e.name, e.hasName))
	o.Set("Cause", optional(e.cause, e.hasCause || e.name == errTimeout))
	return o
}

func optional(s string, present bool) any {
	if !present {
		return nil
	}
	return s
}

// failed deals with an error of b's state: a retry, a catcher, the failure of the Parallel or Map that b is
// in, or the failure of the run. It returns the branch that goes on in this step. States.Runtime that the state
// does not name ends the run at once: no state above b and no other branch has an event about it.
func (s *step) failed(b *branch, e *failure) *branch {
	s.f.probe.failed(b, e)
	s.noteEvaluation(b, e)
	if e.name == errRuntime && !e.handled(b.state) {
		return s.runtimeFailed(b, e)
	}
	if delay, ok := s.retryAfter(b, e); ok {
		s.f.discard(b)
		b.phase = backoff
		b.retries++
		s.setTimer(b, s.f.now+delay) // even for no delay: a state that fails at once must not try again within the step
		return nil
	}
	if t := typeEvents[b.state.Type].failed; t != 0 {
		s.note(b, history.Event{Type: t})
	}
	if next, ok := s.catch(b, e); ok {
		return next
	}
	if e.name == errRuntime {
		return s.runtimeFailed(b, e)
	}
	b.phase = idle
	if b.parent == nil {
		s.fail(b.prev, e)
		return nil
	}
	return s.childFailed(b, e)
}

func (s *step) runtimeFailed(b *branch, e *failure) *branch {
	prev := b.prev
	s.cancelAll(&s.f.root)
	bare := *e
	bare.alias = "" // nothing above b is asked whether it covers the error
	s.fail(prev, &bare)
	return nil
}

// handled reports whether a retrier or catcher of st covers e.
func (e *failure) handled(st *asl.State) bool {
	return slices.ContainsFunc(st.Retry, func(r asl.Retrier) bool { return e.matches(r.ErrorEquals) }) ||
		slices.ContainsFunc(st.Catch, func(c asl.Catcher) bool { return e.matches(c.ErrorEquals) })
}

// noteEvaluation says in the history that an expression of b's state failed, once. Like AWS's, an event that follows
// StateEntered stands beside it: both hang on what was before.
func (s *step) noteEvaluation(b *branch, e *failure) {
	if !e.evaluation || e.noted {
		return
	}
	e.noted = true
	if b.prev == b.entered {
		b.prev = b.before
	}
	s.note(b, history.Event{Type: history.EvaluationFailed, Name: b.state.Name, Location: e.location,
		Error: e.name, HasError: true, Cause: e.cause, HasCause: true})
}

// retryAfter returns the milliseconds until the next attempt, when a retrier of b's state grants one. Each
// retrier counts its own attempts.
func (s *step) retryAfter(b *branch, e *failure) (int64, bool) {
	for i := range b.state.Retry {
		r := &b.state.Retry[i]
		if !e.matches(r.ErrorEquals) {
			continue
		}
		if b.attempts == nil {
			b.attempts = make([]int64, len(b.state.Retry))
			b.attempts[i] = s.f.probe.retried(b)
		}
		if b.attempts[i] >= r.MaxAttempts {
			s.f.probe.retrier(b, i, -1)
			return 0, false
		}
		delay := retryDelay(r, b.attempts[i])
		b.attempts[i]++
		if r.FullJitter && delay > 0 {
			delay = int64(s.f.draw() % uint64(delay+1))
		}
		s.f.probe.retrier(b, i, delay)
		return delay, true
	}
	return 0, false
}

// retryDelay is IntervalSeconds * BackoffRate^done, no more than MaxDelaySeconds, in milliseconds.
func retryDelay(r *asl.Retrier, done int64) int64 {
	d := float64(r.IntervalSeconds) * math.Pow(r.BackoffRate, float64(done))
	if r.MaxDelaySeconds > 0 {
		d = min(d, float64(r.MaxDelaySeconds))
	}
	if math.IsNaN(d) {
		d = 0
	}
	return int64(math.Round(min(d, maxSeconds) * 1000))
}

// catch leaves b's state through the first catcher that covers e.
func (s *step) catch(b *branch, e *failure) (*branch, bool) {
	for i := range b.state.Catch {
		c := &b.state.Catch[i]
		if !e.matches(c.ErrorEquals) {
			continue
		}
		o, bad := s.caught(b, c, e)
		if bad == nil {
			s.f.probe.catcher(b, i)
			return s.leave(b, o, c.To), true
		}
		// An error of the catcher itself is not caught again.
		s.noteEvaluation(b, bad)
		s.f.discard(b)
		b.phase = idle
		if b.parent == nil {
			s.fail(b.prev, bad)
			return nil, true
		}
		return s.childFailed(b, bad), true
	}
	return nil, false
}

// caught is the outcome of b's state when catcher c covers its error.
func (s *step) caught(b *branch, c *asl.Catcher, e *failure) (o outcome, bad *failure) {
	sc := s.scope(b)
	sc.caught = e
	if o.assigned, bad = s.assigned(b, sc, c.Assign, treeValue(e.output())); bad != nil {
		return o, bad
	}
	v, bad := flowOf(b.state).caught(sc, c, e)
	if bad != nil {
		return o, bad
	}
	o.output, bad = s.bounded(b, v)
	return o, bad
}
