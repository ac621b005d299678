package server

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/machine/mock"
)

const mockedTask = `{"StartAt": "Ask", "States": {"Ask": {"Type": "Task", "Resource": "ask", "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 0}], "End": true}}}`

// TestStartsOfTestCases holds that runs of "ARN#CASE" are answered by the case, also after the node has been opened again
// with other mocks or none: a run is pinned to them.
func TestStartsOfTestCases(t *testing.T) {
	t.Parallel()
	mocks, err := mock.Parse([]byte(`{"StateMachines": {"m": {"TestCases": {"Good": {"Ask": "Second", "Input": {"n": 1}}}}},
		"MockedResponses": {"Second": {"0": {"Throw": {"Error": "Busy"}}, "1": {"Return": {"answer": 42}}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	open := func(mocks *mock.File) (*engine.Node, func(op, body string) string) {
		n, err := engine.Open(engine.Options{Dir: dir, Partitions: 1, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Options{Backend: n, Mocks: mocks, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		return n, func(op, body string) string { return post(s, op, body).Body.String() }
	}
	n, do := open(mocks)
	definition, _ := json.Marshal(mockedTask)
	arn := member(t, do("CreateStateMachine", fmt.Sprintf(`{"name": "m", "roleArn": "arn:aws:iam::1:role/r", "type": "EXPRESS", "definition": %s}`, definition)), "stateMachineArn")
	got := do("StartSyncExecution", fmt.Sprintf(`{"stateMachineArn": "%s#Good"}`, arn))
	if member(t, got, "output") != `{"answer":42}` || member(t, got, "input") != `{"n":1}` {
		t.Errorf("the run of a test case answers %s", got)
	}
	if got := do("StartSyncExecution", fmt.Sprintf(`{"stateMachineArn": "%s#None"}`, arn)); !strings.Contains(got, "no test case 'None'") {
		t.Errorf("a case that is not there: %s", got)
	}
	if got := do("StartSyncExecution", fmt.Sprintf(`{"stateMachineArn": "%s"}`, arn)); !strings.Contains(got, "ResourceNotFound") {
		t.Errorf("a run without a case calls its function: %s", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n, do = open(nil)
	page, err := n.ListRuns(t.Context(), engine.ListRuns{Machine: "m"})
	if err != nil || len(page.Runs) != 2 {
		t.Errorf("%d runs after reopening, %v", len(page.Runs), err)
	}
	if got := do("StartSyncExecution", fmt.Sprintf(`{"stateMachineArn": "%s#Good"}`, arn)); !strings.Contains(got, "__type") {
		t.Errorf("a server without mocks takes an ARN with a test case: %s", got)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
}
