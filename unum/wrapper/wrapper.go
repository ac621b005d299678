package wrapper

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/protocol"
)

// Runtime is what the wrapper hands deliveries to: an *unum.Runtime. Both methods return an error only for what the platform
// should deliver again.
type Runtime interface {
	// Handle executes the instance of a request. It calls code if it has to run, and not if there is a checkpoint.
	Handle(ctx context.Context, request []byte, code unum.Run) error
	// Begin executes the first instance of a run that has the event as its input and timeout as its time (0: any).
	// Several deliveries of one event have the same run id.
	Begin(ctx context.Context, run string, event []byte, timeout time.Duration, code unum.Run) error
}

// Config says what a front does with deliveries. Only Runtime is needed, and not even that by a function that takes
// part in no workflow.
type Config struct {
	// Name is the function's, for messages and for what its code is told.
	Name string
	// Runtime gets requests. nil: every delivery is a plain invocation.
	Runtime Runtime
	// Code is the function. nil: there is none.
	Code function.Invoker
	// Entry says that the workflow begins here: deliveries that are no requests start a run.
	Entry bool
	// RunTimeout is how long such a run may take. 0: as long as it likes.
	RunTimeout time.Duration
	// Open takes what a delivery has that is no request itself but has requests in it: a queue's batch, the record of a
	// failure. It calls handle for each, and its answer, JSON, is the platform's to read. opened is false for what it
	// does not know. nil: there are no envelopes.
	Open func(ctx context.Context, delivery []byte, handle func(ctx context.Context, request []byte) error) (answer []byte, opened bool, err error)
	// Reserve is how much of a delivery's time is kept for what follows the code, at most a quarter of it. 0: two
	// seconds.
	Reserve time.Duration
}

const defaultReserve = 2 * time.Second

// delivery is one thing that a platform has delivered.
type delivery struct {
	id       string // the platform's, the same when it tries again
	payload  []byte
	deadline time.Time // when the platform gives it up; zero: never
}

// requestHead is what tells a request of a workflow from an event.
type requestHead struct {
	Version  int             `json:"v"`
	Run      string          `json:"run"`
	Function string          `json:"function"`
	Lines    json.RawMessage `json:"lines"`
}

// isRequest reports whether a payload is a request of a workflow.
func isRequest(payload []byte) bool {
	var h requestHead
	return json.Unmarshal(payload, &h) == nil && h.Version > 0 && h.Run != "" && h.Function != "" && len(h.Lines) > 0 && h.Lines[0] == '['
}

// handle gives a delivery to the Runtime. taken is false for a plain invocation, of which it does nothing.
func (c *Config) handle(ctx context.Context, d *delivery) (answer []byte, taken bool, err error) {
	if c.Runtime == nil {
		return nil, false, nil
	}
	ctx, code, end := c.begin(ctx, d)
	defer end()
	execute := func(ctx context.Context, request []byte) error { return c.Runtime.Handle(ctx, request, code) }
	if isRequest(d.payload) {
		return []byte("null"), true, execute(ctx, d.payload)
	}
	if c.Open != nil {
		if answer, opened, err := c.Open(ctx, d.payload, execute); opened || err != nil {
			return answer, true, err
		}
	}
	if !c.Entry {
		return nil, false, nil
	}
	if err := c.Runtime.Begin(ctx, d.id, d.payload, c.RunTimeout, code); err != nil {
		return nil, true, err
	}
	answer, err = json.Marshal(map[string]string{"run": d.id})
	return answer, true, err
}

// begin returns what executions of a delivery need: a context that ends with the delivery's time, and the code. end frees
// what they hold.
func (c *Config) begin(ctx context.Context, d *delivery) (_ context.Context, code unum.Run, end func()) {
	cancel := func() {}
	if !d.deadline.IsZero() {
		ctx, cancel = context.WithDeadline(ctx, d.deadline)
	}
	ctx, giveUp := context.WithCancelCause(ctx)
	return ctx, c.runs(d, giveUp), func() { giveUp(nil); cancel() }
}

// runs returns the function's code for the Runtime. It calls giveUp for what is nobody's outcome: the execution is then to
// be delivered again.
func (c *Config) runs(d *delivery, giveUp context.CancelCauseFunc) unum.Run {
	limit := c.limit(d, time.Now())
	return func(ctx context.Context, code string, input []byte) protocol.Outcome {
		res, err := c.invoke(ctx, &function.Request{Function: code, ID: d.id, Input: input, Attempt: 1}, limit)
		var e *function.Error
		switch {
		case err == nil:
			return protocol.Outcome{Kind: protocol.Returned, Output: res.Output}
		case errors.As(err, &e):
			return protocol.Outcome{Kind: kindOf(e), Error: e.Type, Cause: e.Cause}
		}
		giveUp(err)
		return protocol.Outcome{}
	}
}

// invoke runs the code until limit.
func (c *Config) invoke(ctx context.Context, req *function.Request, limit time.Time) (*function.Result, error) {
	if c.Code == nil {
		e := function.Failure("Runtime.InvalidEntrypoint", "the function %s was deployed without the code of %s", c.Name, req.Function)
		e.StartFailed = true
		return nil, e
	}
	if !limit.IsZero() {
		if req.Timeout = time.Until(limit); req.Timeout <= 0 {
			return nil, function.TimedOut(req.ID, 0)
		}
	}
	return c.Code.Invoke(ctx, req)
}

// kindOf tells what code raised from what kept it from running to its end.
func kindOf(e *function.Error) protocol.OutcomeKind {
	if e.StartFailed || e.Type == "Sandbox.Timedout" || e.Type == "Runtime.ExitError" {
		return protocol.Broken
	}
	return protocol.Raised
}

// limit is when code must have ended, so that there is time for what follows.
func (c *Config) limit(d *delivery, now time.Time) time.Time {
	if d.deadline.IsZero() {
		return time.Time{}
	}
	reserve := c.Reserve
	if reserve == 0 {
		reserve = defaultReserve
	}
	return d.deadline.Add(-min(reserve, d.deadline.Sub(now)/4))
}

// failureDocument is an error in the shape that Lambda and our HTTP front answer with.
func failureDocument(err error) (kind string, body []byte) {
	var e *function.Error
	if !errors.As(err, &e) {
		e = function.Failure("Weft.RuntimeFailed", "%v", err)
	}
	if json.Valid([]byte(e.Cause)) {
		return e.Type, []byte(e.Cause)
	}
	return e.Type, []byte(function.Failure(e.Type, "%s", e.Cause).Cause)
}
