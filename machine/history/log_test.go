package history

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestLogLevels(t *testing.T) {
	t.Parallel()
	list := func(level LogLevel, unless LogLevel) string {
		var names []string
		for typ := Type(0); typ <= lastType+1; typ++ {
			if level.Logs(typ) && !unless.Logs(typ) {
				names = append(names, typ.String())
			}
		}
		return strings.Join(names, " ")
	}
	if d := cmp.Diff("ExecutionAborted ExecutionFailed ExecutionTimedOut", list(LogFatal, LogOff)); d != "" {
		t.Errorf("FATAL: %s", d)
	}
	want := "ActivityFailed ActivityScheduleFailed ActivityTimedOut FailStateEntered LambdaFunctionFailed LambdaFunctionScheduleFailed " +
		"LambdaFunctionStartFailed LambdaFunctionTimedOut MapIterationAborted MapIterationFailed MapStateAborted MapStateFailed " +
		"ParallelStateAborted ParallelStateFailed TaskFailed TaskStartFailed TaskStateAborted TaskSubmitFailed TaskTimedOut " +
		"WaitStateAborted MapRunAborted MapRunFailed EvaluationFailed"
	if d := cmp.Diff(want, list(LogError, LogFatal)); d != "" {
		t.Errorf("ERROR: %s", d)
	}
	if n := len(strings.Fields(list(LogAll, LogOff))); n != int(lastType) {
		t.Errorf("ALL has %d types, want %d", n, lastType)
	}
	if got := list(LogOff, LogOff); got != "" {
		t.Errorf("OFF has %s", got)
	}
	for name, level := range map[string]LogLevel{"ALL": LogAll, "ERROR": LogError, "FATAL": LogFatal, "OFF": LogOff, "": LogOff} {
		if got := ParseLogLevel(name); got != level {
			t.Errorf("%q is %d, want %d", name, got, level)
		}
	}
}

func TestLogLine(t *testing.T) {
	t.Parallel()
	entered := &Event{ID: 2, Prev: 1, Time: 1718021830123, Type: FailStateEntered, Name: "End", Input: []byte(`{"a":1}`)}
	o := LogOptions{Execution: "arn:run", Redrives: 3}
	want := `{"id":"2","type":"FailStateEntered","details":{"name":"End","input":"{\"a\":1}","inputDetails":{"truncated":false}},` +
		`"previous_event_id":"1","event_timestamp":"1718021830123","execution_arn":"arn:run","redrive_count":"3"}` + "\n"
	if d := cmp.Diff(want, string(AppendLogLine(nil, entered, o))); d != "" {
		t.Error(d)
	}
	o.WithoutData = true
	want = strings.Replace(want, `,"input":"{\"a\":1}","inputDetails":{"truncated":false}`, "", 1)
	if d := cmp.Diff(want, string(AppendLogLine(nil, entered, o))); d != "" {
		t.Error(d)
	}
	bare := &Event{ID: 4, Prev: 3, Time: 5, Type: MapStateFailed}
	want = `{"id":"4","type":"MapStateFailed","details":{},"previous_event_id":"3","event_timestamp":"5","execution_arn":"arn:run","redrive_count":"3"}` + "\n"
	if d := cmp.Diff(want, string(AppendLogLine(nil, bare, o))); d != "" {
		t.Error(d)
	}
}
