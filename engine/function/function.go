// Package function runs user code: in this process, in processes that speak the Lambda Runtime API,
// as plain commands, and over HTTP.
//
// A Registry maps names to declared functions and is what the engine calls. Each declaration is an
// Invoker plus Settings; the Registry adds the limits (calls at a time, of all and per key; calls a
// second), a bounded queue that is fair to tenants, the function's own time-out and heartbeats, and counts
// what happens. Sub-packages hold the runtimes: lambdaruntime (warm pools of Lambda processes, also Go
// sources, Python and Node handlers), command (one process per call) and endpoint (HTTP). Go and JSON here
// make an Invoker from a Go function.
//
//	r := function.NewRegistry()
//	defer r.Close()
//	err := r.Register("greet", function.JSON(func(ctx context.Context, name string) (string, error) {
//		return "hello, " + name, nil
//	}), function.Settings{Concurrency: 8, Timeout: time.Second})
//	...
//	res, err := r.Invoke(ctx, &function.Request{Function: "greet", Input: []byte(`"Ada"`), ID: "1"})
//	// res.Output: "hello, Ada" as JSON
//
// What a function needs before its first call (a build) is done then, or by Registry.Prepare.
//
// Which error means what (Error.Type):
//
//	the type the user code gave                 it raised, returned or posted an error
//	Lambda.Unknown                              it posted an error without an errorType
//	Lambda.ResourceNotFoundException            no function has this name
//	Lambda.TooManyRequestsException             the function's queue is full
//	Sandbox.Timedout                            the function's own time-out passed; a process is killed
//	States.Timeout                              Request.Deadline or the context's deadline passed
//	States.HeartbeatTimeout                     the function did not call Beat in time
//	Runtime.ExitError                           the process ended during the call, or before it was ready
//	Runtime.InvalidEntrypoint                   the process could not be started
//	Runtime.InvalidJSON                         the answer is not one JSON text in UTF-8
//	Runtime.TruncatedResponse                   the connection broke in the middle of the answer
//	Function.ResponseSizeTooLarge               the answer is larger than allowed
//	States.Http.StatusCode.NNN, States.Http.Socket   HTTP: answered with that status; not reachable
//	Weft.BuildFailed                            `go build` failed; the cause has the compiler's words
//
// A Go function's context ends when its call does. Its context.Cause says why: an *Error (errors.As) of type
// Sandbox.Timedout, States.Timeout or States.HeartbeatTimeout, or whatever the caller cancelled the call with.
//
// What is not the function's fault (the context was cancelled, the registry is closed) comes back as an
// error that is not an *Error, and must not be recorded as the function's result.
package function

import (
	"context"
	"time"
)

// Request is one invocation of a function.
type Request struct {
	Function string    // name, or a Lambda ARN that ends in it
	Input    []byte    // one JSON text
	ID       string    // unique per attempt; what the Lambda Runtime API calls the request id
	Attempt  int       // 1 for the first
	Deadline time.Time // zero: the function's own timeout alone applies
	// Run is the id of the run on whose behalf the call is made; for logs and headers.
	Run string
	// Key is the same for every attempt of one invocation and for no other invocation; functions may use
	// it to do their work once. Optional.
	Key string
	// ConcurrencyKey is what Settings.PerKey counts by. "": not limited by it.
	ConcurrencyKey string
	// Tenant is on whose behalf the call is made: the tenants of one priority take turns. "" is one too.
	Tenant string
	// Heartbeat ends the call when its function has not called Beat for so long, if Settings.Heartbeat is not shorter.
	// Runtimes whose functions cannot beat pay no attention to it, like Lambda behind Step Functions. 0: none.
	Heartbeat time.Duration
	// Timeout is the function's own time-out (0: none), counted from the moment user code is entered.
	// Registry.Invoke sets it from the declaration; callers of a Registry leave it alone.
	Timeout time.Duration
	// Patient says that the caller waits for a Go function that does not heed the end of its context, which saves a
	// goroutine and the switches to it: without a time-out and a Deadline the function runs on the caller's
	// goroutine. The caller has to expect that a function which ends its goroutine (runtime.Goexit, which is what
	// testing.T.FailNow does) ends the caller's: a deferred call there reports GoroutineEnded.
	Patient bool
	// Priority decides who of those that wait begins first: the higher. See Settings.Aging.
	Priority int8
}

// Result is what a function answered.
type Result struct {
	Output []byte // one JSON text, compact
	// LogTail is the end of what the function wrote to stdout and stderr during the call (at most 4 KiB).
	LogTail string
}

// Error is a failure of a function: user code that returned an error, a crash, a time-out, garbage.
// Type and Cause are what Step Functions would show: for Lambda functions Cause is the JSON text
// {"errorMessage":…,"errorType":…,"stackTrace":[…]} that the runtime posted, byte for byte.
type Error struct {
	Type    string // e.g. "Exception", "Lambda.Unknown", "States.Timeout", "Sandbox.Timedout"
	Cause   string
	LogTail string
	// Final says that trying again is pointless.
	Final bool
	// StartFailed says that user code was never entered (unknown function, failed build, init error).
	StartFailed bool
}

func (e *Error) Error() string {
	if e.Cause == "" {
		return e.Type
	}
	return e.Type + ": " + e.Cause
}

// Invoker runs functions. Invoke blocks until the function has answered, failed or ctx is done; it
// returns *Error for everything that is the function's fault. It is safe for concurrent use.
// An Invoker that is also an io.Closer is closed with its Registry.
type Invoker interface {
	Invoke(ctx context.Context, req *Request) (*Result, error)
}

// Preparer is an Invoker with work to do before its first call, which Registry.Prepare lets it do earlier: a build,
// or finding out that a program is missing. Prepare may be called at any time, also while calls run, and does the
// work once; a call does not wait for it to be called.
type Preparer interface {
	Prepare(ctx context.Context) error
}

// LogLine is one line that a function wrote to stdout or stderr, without its newline; longer lines than
// 64 KiB come in pieces.
type LogLine struct {
	Function string
	ID       string // of the request being served; "" outside of calls
	Text     string
}
