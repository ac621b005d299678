package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"sync/atomic"
	"time"
)

// Go makes an Invoker that calls fn in this process. fn gets one JSON text and returns one (nothing: null).
//
// A returned error fails the call with the error's type name and Lambda's JSON as the cause, as
// aws-lambda-go has it; an *Error in its chain is passed on as it is. A panic fails the call with its
// stack and never ends the node. When the call's time is over, its heartbeat missing or its context cancelled
// before fn returns, Invoke returns and fn is left to itself: it is counted in Stats.Abandoned and keeps its place
// in the concurrency limits until it does return. A Patient request without a time limit and a heartbeat waits for fn
// instead. context.Cause of fn's context says why it ended.
func Go(fn func(ctx context.Context, input []byte) ([]byte, error)) Invoker {
	return &goFunc{fn: func(ctx context.Context, input []byte) ([]byte, error) {
		out, err := fn(ctx, input)
		if err != nil {
			return nil, err
		}
		compact, bad := Answer(out)
		if bad != nil {
			return nil, bad
		}
		return compact, nil
	}}
}

// Compact is Go for a function that returns compact JSON and nothing else: it is not checked.
func Compact(fn func(ctx context.Context, input []byte) ([]byte, error)) Invoker {
	return &goFunc{fn: fn}
}

// JSON makes an Invoker that calls fn in this process, its argument decoded from JSON and its result
// encoded as JSON. An input that does not fit In fails the call with Runtime.UnmarshalError, a result that
// cannot be JSON with Runtime.MarshalError; otherwise it is as Go.
func JSON[In, Out any](fn func(ctx context.Context, in In) (Out, error)) Invoker {
	return &goFunc{fn: func(ctx context.Context, input []byte) ([]byte, error) {
		var in In
		if err := json.Unmarshal(input, &in); err != nil {
			return nil, Failure("Runtime.UnmarshalError", "the input does not fit %s: %v", reflect.TypeFor[In](), err)
		}
		out, err := fn(ctx, in)
		if err != nil {
			return nil, err
		}
		b, err := marshal(out)
		if err != nil {
			return nil, Failure("Runtime.MarshalError", "Unable to marshal response: %v", err)
		}
		return b, nil
	}}
}

// marshal encodes v as compact JSON without escaping <, > and &, and without a newline.
func marshal(v any) ([]byte, error) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return []byte(strings.TrimSuffix(b.String(), "\n")), nil
}

// goFunc runs a Go function whose output is compact JSON.
type goFunc struct {
	fn        func(ctx context.Context, input []byte) ([]byte, error)
	abandoned atomic.Int64
}

// goCall is one call on its own goroutine.
type goCall struct {
	res  *Result
	err  error
	done chan struct{}
	left atomic.Bool // the caller went away
}

// AddStats implements StatsSource.
func (g *goFunc) AddStats(s *Stats) { s.Abandoned = int(g.abandoned.Load()) }

// Beats implements Beater.
func (g *goFunc) Beats() bool { return true }

// Invoke implements Invoker.
func (g *goFunc) Invoke(ctx context.Context, req *Request) (*Result, error) {
	return g.invoke(ctx, req, stay{})
}

// invoke calls the function and leaves the gate when the function has returned. Without a deadline and a heartbeat,
// and with a caller that waits or cannot cancel, it needs no goroutine of its own.
func (g *goFunc) invoke(ctx context.Context, req *Request, in stay) (*Result, error) {
	ctx = &calledWith{ctx, req}
	limit := req.Deadline
	var why error
	if req.Timeout > 0 {
		if own := time.Now().Add(req.Timeout); limit.IsZero() || own.Before(limit) {
			limit, why = own, &timedOut{req.ID, req.Timeout}
		}
	}
	if limit.IsZero() && req.Heartbeat == 0 && (req.Patient || ctx.Done() == nil) {
		return g.direct(ctx, req.Input, in)
	}
	if !limit.IsZero() {
		if why == nil {
			why = DeadlinePassed()
		}
		var cancel context.CancelFunc
		ctx, cancel = context.WithDeadlineCause(ctx, limit, why)
		defer cancel()
	}
	c := &goCall{done: make(chan struct{})}
	go g.run(ctx, req.Input, c, in)
	select {
	case <-c.done:
		return c.outcome(ctx)
	case <-ctx.Done():
	}
	g.abandoned.Add(1)
	if c.left.Swap(true) { // it returned at the same moment
		g.abandoned.Add(-1)
	}
	return nil, Ended(ctx)
}

// direct calls the function on the caller's goroutine.
func (g *goFunc) direct(ctx context.Context, input []byte, in stay) (*Result, error) {
	defer in.leave()
	if ctx.Err() != nil {
		return nil, Ended(ctx)
	}
	res, err := g.call(ctx, input)
	if err != nil && ctx.Err() != nil {
		return nil, Ended(ctx)
	}
	return res, err
}

// GoroutineEnded is the failure of a call whose function ended its goroutine instead of returning.
func GoroutineEnded() *Error {
	return Failure("Runtime.ExitError", "the function ended its goroutine (runtime.Goexit) instead of returning")
}

// run is the body of a call's goroutine. Its end is deferred because user code may end the goroutine.
func (g *goFunc) run(ctx context.Context, input []byte, c *goCall, in stay) {
	ended := true
	defer func() {
		if ended {
			c.err = GoroutineEnded()
		}
		if c.left.Swap(true) {
			g.abandoned.Add(-1)
		}
		in.leave()
		close(c.done)
	}()
	c.res, c.err = g.call(ctx, input)
	ended = false
}

// outcome is what a call that returned gives: one that failed after its context had ended, ended for that reason.
func (c *goCall) outcome(ctx context.Context) (*Result, error) {
	if c.err != nil && ctx.Err() != nil {
		return nil, Ended(ctx)
	}
	return c.res, c.err
}

// call runs user code and turns whatever comes of it into a Result or an *Error.
func (g *goFunc) call(ctx context.Context, input []byte) (res *Result, err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if v := recover(); v != nil { // nil: the goroutine is ending
			res, err = nil, raised(v, stack(3))
		}
	}()
	out, err := g.fn(ctx, input)
	returned = true
	if err != nil {
		var own *Error
		if errors.As(err, &own) {
			return nil, own
		}
		return nil, raised(err, nil)
	}
	return &Result{Output: out}, nil
}

// goFrame is a frame of aws-lambda-go's stackTrace.
type goFrame struct {
	Path  string `json:"path"`
	Line  int    `json:"line"`
	Label string `json:"label"`
}

// raised makes the Error for a returned error or a panic's value, shaped as aws-lambda-go posts it.
func raised(v any, frames []goFrame) *Error {
	t := reflect.TypeOf(v)
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	doc := struct {
		Message string    `json:"errorMessage"`
		Type    string    `json:"errorType"`
		Stack   []goFrame `json:"stackTrace,omitempty"`
	}{strings.ToValidUTF8(words(v), "\uFFFD"), t.Name(), frames}
	if doc.Type == "" {
		doc.Type = t.String()
	}
	return &Error{Type: doc.Type, Cause: string(encode(doc))}
}

// words formats v; user code may panic again in its Error method.
func words(v any) (s string) {
	defer func() {
		if r := recover(); r != nil {
			s = fmt.Sprintf("(its message cannot be shown: %T panicked)", v)
		}
	}()
	if err, ok := v.(error); ok {
		return err.Error()
	}
	return fmt.Sprint(v)
}

// stack returns at most 32 frames of the panicking code, this package's own left out.
func stack(skip int) []goFrame {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(skip, pcs)])
	var all []goFrame
	for {
		f, more := frames.Next()
		if strings.Contains(f.Function, "engine/function.(*goFunc)") {
			break
		}
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.gopanic") {
			all = append(all, goFrame{f.File, f.Line, f.Function})
		}
		if !more {
			break
		}
	}
	return all
}
