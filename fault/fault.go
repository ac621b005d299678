// Package fault is Weft's one error type. Every error that crosses a package border and that a
// caller may want to tell apart is an *Error: what was being done (Op), what sort of thing went
// wrong (Kind), to what (Subject), and the words for a person (Err). Kinds map one to one to the
// error types of the Step Functions API, to HTTP status codes and to exit codes of the CLI.
//
//	return fault.New("StartExecution", fault.NotFound, arn, "no state machine has this ARN; list them with `weft machines list`")
//
//	if fault.Is(err, fault.Busy) { ... }
package fault

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Kind says what sort of thing went wrong. Values are append-only: they are stored and sent.
type Kind uint8

// The kinds. The comment names the Step Functions error type where there is one.
const (
	Internal          Kind = iota // a defect of ours; InternalFailure
	InvalidArgument               // ValidationException
	InvalidArn                    // InvalidArn
	InvalidName                   // InvalidName
	InvalidDefinition             // InvalidDefinition
	InvalidInput                  // InvalidExecutionInput
	InvalidOutput                 // InvalidOutput
	InvalidToken                  // InvalidToken: a task token or a page token
	MachineNotFound               // StateMachineDoesNotExist
	MachineExists                 // StateMachineAlreadyExists
	MachineDeleting               // StateMachineDeleting
	MachineType                   // StateMachineTypeNotSupported
	RunNotFound                   // ExecutionDoesNotExist
	RunExists                     // ExecutionAlreadyExists
	TaskNotFound                  // TaskDoesNotExist
	TaskTimedOut                  // TaskTimedOut
	ResourceNotFound              // ResourceNotFound
	TooManyTags                   // TooManyTags
	LimitExceeded                 // ServiceQuotaExceededException
	Conflict                      // ConflictException
	Busy                          // ThrottlingException: a queue is full, try again
	Unavailable                   // ServiceUnavailable: the log failed or the node is closing
	Corrupt                       // stored bytes do not check; the message names file, offset and repair
	Unsupported                   // known to Weft, not built (yet)
	Unauthorized                  // UnrecognizedClientException
	ActivityNotFound              // ActivityDoesNotExist
	NotRedrivable                 // ExecutionNotRedrivable
	ActivityWorkers               // ActivityWorkerLimitExceeded
)

var names = [...]string{
	"Internal", "InvalidArgument", "InvalidArn", "InvalidName", "InvalidDefinition", "InvalidInput", "InvalidOutput", "InvalidToken",
	"MachineNotFound", "MachineExists", "MachineDeleting", "MachineType", "RunNotFound", "RunExists", "TaskNotFound", "TaskTimedOut",
	"ResourceNotFound", "TooManyTags", "LimitExceeded", "Conflict", "Busy", "Unavailable", "Corrupt", "Unsupported", "Unauthorized",
	"ActivityNotFound", "NotRedrivable", "ActivityWorkers",
}

// String returns the kind's name, as the REST API sends it.
func (k Kind) String() string {
	if int(k) < len(names) {
		return names[k]
	}
	return fmt.Sprintf("Kind(%d)", uint8(k))
}

// ParseKind returns the kind with a name; Internal and false if there is none.
func ParseKind(name string) (Kind, bool) {
	i := slices.Index(names[:], name)
	return Kind(max(i, 0)), i >= 0
}

// Error is Weft's error. Op and Subject may be empty.
type Error struct {
	Op      string // what was being done: an API operation or "package.Function"
	Kind    Kind
	Subject string // the name, ARN, path or id it was done to
	Err     error  // the words for a person
	// After is, of Busy, how long to wait before trying again; 0: not known.
	After time.Duration
}

// RetryAfter returns how long to wait before what failed with err is tried again, and false if err is not Busy.
//
//	if after, busy := fault.RetryAfter(err); busy {
//		time.Sleep(after)
//	}
func RetryAfter(err error) (after time.Duration, busy bool) {
	var e *Error
	if !errors.As(err, &e) || e.Kind != Busy {
		return 0, false
	}
	return max(e.After, retryLeast), true
}

// retryLeast is what RetryAfter returns at least: what is full now is not empty in the next millisecond.
const retryLeast = 10 * time.Millisecond

// New makes an *Error whose words are format and args as fmt.Errorf has them, %w included.
func New(op string, kind Kind, subject, format string, args ...any) *Error {
	return &Error{Op: op, Kind: kind, Subject: subject, Err: fmt.Errorf(format, args...)}
}

// Error returns "op: subject: words", without the parts that are empty.
func (e *Error) Error() string {
	s := ""
	if e.Op != "" {
		s = e.Op + ": "
	}
	if e.Subject != "" {
		s += e.Subject + ": "
	}
	if e.Err != nil {
		s += e.Err.Error()
	}
	return s
}

// Message returns the words alone, which is what APIs send.
func (e *Error) Message() string {
	if e.Err == nil {
		return ""
	}
	return e.Err.Error()
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// KindOf returns the Kind of the first *Error in err's chain; Internal when there is none.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// Is reports whether err has an *Error of this kind in its chain.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}
