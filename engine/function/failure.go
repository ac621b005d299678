package function

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/weftworks/weft/limits"
)

// ResponseBytes bounds what one call may answer unless a runtime is told otherwise: what Lambda documents
// for synchronous calls (6 MiB and a little). It protects memory only; the engine's payload limit, which
// may be lower, fails the state with States.DataLimitExceeded as Step Functions does.
const ResponseBytes = 6<<20 + 100

// TailBytes bounds LogTail, as Lambda's LogResult.
const TailBytes = 4 << 10

// sandboxFault is the JSON that Lambda itself writes for failures of the sandbox, in Lambda's member order.
type sandboxFault struct {
	Type    string `json:"errorType"`
	Message string `json:"errorMessage"`
}

// Failure makes an Error whose cause is Lambda's JSON {"errorType":…,"errorMessage":…}.
func Failure(errorType, format string, args ...any) *Error {
	cause := encode(sandboxFault{errorType, strings.ToValidUTF8(fmt.Sprintf(format, args...), "\uFFFD")})
	return &Error{Type: errorType, Cause: string(cause)}
}

// encode marshals v, which cannot fail, without escaping <, > and &.
func encode(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("function: encode: " + err.Error())
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// TimedOut is the failure of a request that ran past the function's own time-out, in Lambda's words.
func TimedOut(id string, timeout time.Duration) *Error {
	return Failure("Sandbox.Timedout", "RequestId: %s Error: Task timed out after %.2f seconds", id, timeout.Seconds())
}

// timedOut is TimedOut as the cause of a context that hardly ever ends so: its words are made when they are asked for.
type timedOut struct {
	id      string
	timeout time.Duration
}

func (t *timedOut) Error() string { return t.Unwrap().Error() }
func (t *timedOut) Unwrap() error { return TimedOut(t.id, t.timeout) }

// DeadlinePassed is the failure of a request at Request.Deadline: Step Functions gives it no cause.
func DeadlinePassed() *Error { return &Error{Type: "States.Timeout"} }

// TooLarge is the failure of a request whose answer is longer than limit bytes, in Lambda's words.
func TooLarge(limit int) *Error {
	return Failure("Function.ResponseSizeTooLarge",
		"Response payload size exceeded maximum allowed payload size (%d bytes).", limit)
}

// Posted makes the Error for an error document that user code handed over: body is its JSON and stays the
// cause byte for byte; fallback names the type when body is no JSON object (a header, or ""). A document
// without an errorType is Lambda.Unknown, with the words Step Functions has for it.
func Posted(body []byte, fallback string) *Error {
	var doc struct {
		Type *string `json:"errorType"`
	}
	if err := json.Unmarshal(body, &doc); err != nil || !utf8.Valid(body) || bytes.TrimSpace(body)[0] != '{' {
		if fallback == "" {
			fallback = "Lambda.Unknown"
		}
		return Failure(fallback, "the function reported an error that is not a JSON object: %s", snippet(body))
	}
	if doc.Type == nil || *doc.Type == "" {
		return &Error{Type: "Lambda.Unknown", Cause: "The cause could not be determined because Lambda did not " +
			"return an error type. Returned payload: " + string(body)}
	}
	return &Error{Type: *doc.Type, Cause: string(body)}
}

// Answer checks what a function answered and returns it compact: one JSON text in UTF-8 no deeper than
// limits.JSONDepth. Nothing but white space is null. The result aliases body when that is compact already.
func Answer(body []byte) ([]byte, *Error) {
	spaces, depth := shape(body)
	if spaces == len(body) {
		return []byte("null"), nil
	}
	if depth > limits.JSONDepth {
		return nil, Failure("Runtime.InvalidJSON", "the answer nests deeper than %d levels", limits.JSONDepth)
	}
	if !utf8.Valid(body) {
		return nil, Failure("Runtime.InvalidJSON", "the answer is not UTF-8: %s", snippet(body))
	}
	if spaces == 0 && json.Valid(body) {
		return body, nil
	}
	var out bytes.Buffer
	out.Grow(len(body) - spaces)
	if err := json.Compact(&out, body); err != nil {
		return nil, Failure("Runtime.InvalidJSON", "the answer is not one JSON text (%v): %s", err, snippet(body))
	}
	return out.Bytes(), nil
}

// shape counts white space outside strings and the deepest nesting of what may be JSON.
func shape(b []byte) (spaces, deepest int) {
	depth, inString := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case inString:
			if c == '\\' {
				i++
			} else if c == '"' {
				inString = false
			}
		case c == '"':
			inString = true
		case c == '{' || c == '[':
			depth++
			deepest = max(deepest, depth)
		case c == '}' || c == ']':
			depth--
		case c == ' ' || c == '\n' || c == '\r' || c == '\t':
			spaces++
		}
	}
	return spaces, deepest
}

// snippet shows the start of what a function answered in a message for a person.
func snippet(b []byte) string {
	const most = 200
	if len(b) > most {
		return fmt.Sprintf("%q… (%d bytes)", b[:most], len(b))
	}
	return fmt.Sprintf("%q", b)
}

// Limit returns the earlier of Request.Deadline and the context's deadline; zero when there is neither.
func (r *Request) Limit(ctx context.Context) time.Time {
	limit := r.Deadline
	if d, ok := ctx.Deadline(); ok && (limit.IsZero() || d.Before(limit)) {
		limit = d
	}
	return limit
}

// Ended turns the end of a context into what Invoke returns: the *Error that is its cause, States.Timeout for a
// deadline without one, else the cause, which is nobody's failure.
func Ended(ctx context.Context) error {
	cause := context.Cause(ctx)
	var own *Error
	if errors.As(cause, &own) {
		return own
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return DeadlinePassed()
	}
	return cause
}
