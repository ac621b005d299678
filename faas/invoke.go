package faas

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

// Version is the one version that functions have.
const Version = "$LATEST"

// Answer is what became of an execution.
type Answer struct {
	RequestID string
	// Payload is what the function returned, or with FunctionError Lambda's JSON for its failure: errorType,
	// errorMessage and more.
	Payload []byte
	// FunctionError is "" or "Unhandled", which is what Lambda's runtimes of today give for every failure.
	FunctionError string
	// LogTail is the end of what the function wrote (at most 4 KiB).
	LogTail string
	// Duration is how long it took.
	Duration time.Duration
}

// Throttled is why there was no room for an execution.
type Throttled struct{ Reason ThrottleReason }

// ThrottleReason is Lambda's word for a limit.
type ThrottleReason string

// The limits.
const (
	AccountConcurrency  ThrottleReason = "ConcurrentInvocationLimitExceeded"
	ReservedConcurrency ThrottleReason = "ReservedFunctionConcurrentInvocationLimitExceeded"
	CallerRate          ThrottleReason = "CallerRateLimitExceeded"
)

func (t *Throttled) Error() string { return "Rate Exceeded." }

func throttled(op, name string, reason ThrottleReason) error {
	return fault.New(op, fault.Busy, name, "%w", &Throttled{reason})
}

// Invoke executes a function and waits for it. A failure of the function is an Answer. An error says why it was not
// executed: fault.ResourceNotFound, InvalidInput (the payload is not JSON), LimitExceeded (it is too large), Busy with
// a Throttled, or Unavailable.
func (s *Service) Invoke(ctx context.Context, name string, payload []byte) (*Answer, error) {
	const op = "faas.Invoke"
	payload, err := check(op, name, payload, SyncBytes, "RequestResponse")
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	f, err := s.find(op, name)
	if err == nil && s.closed {
		err = closing(op, name)
	}
	if err != nil {
		s.mu.Unlock()
		return nil, err
	}
	s.serial++
	luck := s.cfg.Faults.draw(s.serial, 0)
	if reason := s.enter(f, luck); reason != "" {
		s.mu.Unlock()
		return nil, throttled(op, name, reason)
	}
	run := s.begin(f)
	s.mu.Unlock()
	answer, err := s.execute(ctx, run, &function.Request{Function: f.name, Input: payload, ID: uuid.NewString(), Attempt: 1}, luck)
	s.mu.Lock()
	s.end(run, answer)
	s.pump()
	s.mu.Unlock()
	return answer, err
}

// Check reports whether Invoke would be tried: the function is there, and the payload is one. It is Lambda's dry run.
func (s *Service) Check(name string, payload []byte) error {
	const op = "faas.Check"
	if _, err := check(op, name, payload, SyncBytes, "DryRun"); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	_, err := s.find(op, name)
	return err
}

// check returns the payload that a function gets: nothing is {}.
func check(op, name string, payload []byte, most int, kind string) ([]byte, error) {
	if len(payload) > most {
		return nil, fault.New(op, fault.LimitExceeded, name,
			"%d byte payload is too large for the %s invocation type (limit %d bytes)", len(payload), kind, most)
	}
	if len(payload) == 0 {
		return []byte("{}"), nil
	}
	if !json.Valid(payload) {
		return nil, fault.New(op, fault.InvalidInput, name, "Could not parse request body into json: %s", whyInvalid(payload))
	}
	return payload, nil
}

func whyInvalid(payload []byte) string {
	var v any
	if err := json.Unmarshal(payload, &v); err != nil {
		return err.Error()
	}
	return "it is not one JSON text"
}

// execution is a function that is being executed with the code and the settings it has now.
type execution struct {
	function *deployed
	code     *code
	settings Settings
}

// enter counts an execution in, or says what it lacks. The caller holds mu.
func (s *Service) enter(f *deployed, luck luck) ThrottleReason {
	reason := ThrottleReason("")
	switch {
	case f.settings.Reserved != nil && f.running >= *f.settings.Reserved:
		reason = ReservedConcurrency
	case f.settings.Reserved == nil && s.shared >= s.cfg.Concurrency-s.reserved, luck.throttle:
		reason = AccountConcurrency
	}
	if reason != "" {
		s.stats.Throttles++
	}
	return reason
}

// begin starts an execution that enter has found room for. The caller holds mu.
func (s *Service) begin(f *deployed) *execution {
	f.running++
	f.code.running++
	if f.settings.Reserved == nil {
		s.shared++
	}
	s.stats.Running++
	s.stats.Invocations++
	s.alive.Add(1)
	return &execution{f, f.code, f.settings}
}

// end counts an execution out; answer is nil if it was cut short. The caller holds mu, and calls pump.
func (s *Service) end(run *execution, answer *Answer) {
	run.function.running--
	if run.code.running--; run.code.retired {
		s.retire(run.code)
	}
	if run.function.settings.Reserved == nil {
		s.shared--
	}
	s.stats.Running--
	if answer != nil && answer.FunctionError != "" {
		s.stats.Errors++
	}
	s.alive.Done()
}

// execute runs user code. The error is not the function's: the call was cancelled.
func (s *Service) execute(ctx context.Context, run *execution, req *function.Request, luck luck) (*Answer, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ctx, cancel)()
	answer := &Answer{RequestID: req.ID}
	if luck.crashBefore {
		answer.fail(crashed(req.ID))
		return answer, nil
	}
	req.Timeout = run.settings.Timeout
	begun := time.Now()
	res, err := run.code.invoker.Invoke(ctx, req)
	answer.Duration = time.Since(begun)
	var failure *function.Error
	switch {
	case luck.crashAfter && (err == nil || errors.As(err, &failure)):
		answer.fail(crashed(req.ID))
	case errors.As(err, &failure):
		answer.fail(failure)
	case err != nil:
		return nil, fault.New("faas.Invoke", fault.Unavailable, req.Function, "%w", err)
	case len(res.Output) > SyncBytes:
		answer.fail(function.TooLarge(SyncBytes))
	default:
		answer.Payload, answer.LogTail = res.Output, res.LogTail
	}
	return answer, nil
}

// fail makes the answer that of a failed execution. A cause that is no JSON is put in Lambda's.
func (a *Answer) fail(e *function.Error) {
	a.FunctionError, a.LogTail = "Unhandled", e.LogTail
	a.Payload = []byte(e.Cause)
	if !json.Valid(a.Payload) {
		a.Payload = []byte(function.Failure(e.Type, "%s", fmt.Sprintf("RequestId: %s Error: %s", a.RequestID, orDefault(e.Cause, e.Type))).Cause)
	}
}

// crashed is the failure of a process that ended.
func crashed(id string) *function.Error {
	return function.Failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: signal: killed", id)
}
