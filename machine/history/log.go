package history

import (
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// LogLevel says which events go to an execution log.
type LogLevel uint8

// The levels, each of which has the events of those before it.
const (
	LogOff   LogLevel = iota
	LogFatal          // how a run ended, unless it succeeded
	LogError          // and every event that says that something failed
	LogAll
)

// ParseLogLevel returns the level that a loggingConfiguration names; LogOff for what is none.
func ParseLogLevel(name string) LogLevel {
	switch name {
	case "ALL":
		return LogAll
	case "ERROR":
		return LogError
	case "FATAL":
		return LogFatal
	}
	return LogOff
}

// Logs reports whether events of type t go to a log of level l (Step Functions developer guide, "Log levels for Step
// Functions execution events").
func (l LogLevel) Logs(t Type) bool { return t >= 1 && t <= lastType && l >= loggedFrom[t] }

// loggedFrom has, by type, the lowest level that logs it.
var loggedFrom = func() (from [lastType + 1]LogLevel) {
	for t := Type(1); t <= lastType; t++ {
		name := t.String()
		switch failed := strings.HasSuffix(name, "Failed") || strings.HasSuffix(name, "TimedOut") || strings.HasSuffix(name, "Aborted"); {
		case failed && strings.HasPrefix(name, "Execution"):
			from[t] = LogFatal
		case failed || t == FailStateEntered:
			from[t] = LogError
		default:
			from[t] = LogAll
		}
	}
	return from
}()

// LogOptions says what an execution log says beside the event itself.
type LogOptions struct {
	JSONOptions
	Execution string // ARN of the run
	Redrives  int64  // how often it was redriven before the event
}

// AppendLogLine appends e as a line of JSON as Step Functions sends it to CloudWatch Logs: numbers are strings, and what
// GetExecutionHistory has in a member for each type is in details.
func AppendLogLine(dst []byte, e *Event, opts LogOptions) []byte {
	number := func(before string, v int64) {
		dst = append(dst, before...)
		dst = strconv.AppendInt(dst, v, 10)
	}
	number(`{"id":"`, e.ID)
	dst = append(dst, `","type":"`...)
	dst = append(dst, e.Type.String()...)
	dst = append(dst, `","details":`...)
	if types[min(e.Type, lastType)].details == "" {
		dst = append(dst, "{}"...)
	} else {
		dst = appendDetails(dst, e, opts.JSONOptions)
	}
	number(`,"previous_event_id":"`, e.Prev)
	number(`","event_timestamp":"`, e.Time)
	dst = append(dst, `","execution_arn":`...)
	dst = jsonvalue.AppendString(dst, opts.Execution)
	number(`,"redrive_count":"`, opts.Redrives)
	return append(dst, "\"}\n"...)
}
