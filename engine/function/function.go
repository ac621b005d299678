// Package function runs user code: in this process, in processes that speak the Lambda Runtime API,
// as plain commands, and over HTTP.
package function

import (
	"context"
	"time"
)

// Request is one invocation of a function.
type Request struct {
	Function string    // name
	Input    []byte    // one JSON text
	ID       string    // unique per attempt; what the Lambda Runtime API calls the request id
	Attempt  int       // 1 for the first
	Deadline time.Time // zero: the function's own timeout alone applies
	// Run is the id of the run on whose behalf the call is made; for logs and headers.
	Run string
}

// Result is what a function answered.
type Result struct {
	Output []byte // one JSON text, compact
	// LogTail is the end of what the function wrote to stdout and stderr during the call (at most 4 KiB).
	LogTail string
}

// Error is a failure of a function: user code that returned an error, a crash, a time-out, garbage.
// Type and Cause are what Step Functions would show: for Lambda functions Cause is the JSON text
// {"errorMessage":…,"errorType":…,"stackTrace":[…]} that the runtime posted.
type Error struct {
	Type    string // e.g. "Exception", "Lambda.Unknown", "States.Timeout", "Sandbox.Timedout"
	Cause   string
	LogTail string
	// StartFailed says that user code was never entered (unknown function, failed build, init error).
	StartFailed bool
}

func (e *Error) Error() string { return e.Type + ": " + e.Cause }

// Invoker runs functions. Invoke blocks until the function has answered, failed or ctx is done; it
// returns *Error for everything that is the function's fault. It is safe for concurrent use.
type Invoker interface {
	Invoke(ctx context.Context, req *Request) (*Result, error)
}
