package server

import (
	"context"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/machine"
)

// onNode runs fn with a server of a whole node, in memory and under virtual time.
func onNode(t *testing.T, fn func(t *testing.T, n *engine.Node, do func(op, body string) string)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		n, err := engine.Open(engine.Options{Partitions: 1, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = n.Close() }()
		s := newTestServer(t, n)
		fn(t, n, func(op, body string) string { return post(s, op, body).Body.String() })
	})
}

func member(t *testing.T, text, name string) string {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	s, _ := all[name].(string)
	return s
}

// TestSyncTimesOut holds that a synchronous run ends by itself when an express run's time is over.
func TestSyncTimesOut(t *testing.T) {
	t.Parallel()
	onNode(t, func(t *testing.T, n *engine.Node, do func(op, body string) string) {
		do("CreateStateMachine", strings.Replace(waitMachine, `\"Seconds\":60`, `\"Seconds\":600`, 1))
		began := time.Now()
		got := do("StartSyncExecution", `{"stateMachineArn":"w"}`)
		if !strings.Contains(got, `"status":"TIMED_OUT"`) || !strings.Contains(got, `"error":"States.Timeout"`) {
			t.Errorf("%s", got)
		}
		if took := time.Since(began); took < 300*time.Second || took > 301*time.Second {
			t.Errorf("it took %v", took)
		}
		page, err := n.ListRuns(t.Context(), engine.ListRuns{Machine: "w"})
		if err != nil || len(page.Runs) != 1 || page.Runs[0].Status != machine.TimedOut {
			t.Errorf("later it is %+v, %v", page, err)
		}
		// A run within its time is waited for.
		do("CreateStateMachine", strings.Replace(waitMachine, `"name":"w"`, `"name":"short"`, 1))
		if got := do("StartSyncExecution", `{"stateMachineArn":"short"}`); !strings.Contains(got, `"status":"SUCCEEDED"`) {
			t.Errorf("%s", got)
		}
	})
}

// TestIntegrationsOfTheNode holds that definitions may use what the node has, and are refused with what there is else.
func TestIntegrationsOfTheNode(t *testing.T) {
	t.Parallel()
	set := integration.NewSet()
	err := set.Register("crm:createLead", integration.Func(func(context.Context, *integration.Request) ([]byte, error) { return []byte("{}"), nil }))
	if err != nil {
		t.Fatal(err)
	}
	n, err := engine.Open(engine.Options{Partitions: 1, Logger: slog.New(slog.DiscardHandler), Integrations: set})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	s := newTestServer(t, n)
	const machine = `{"name":"m","roleArn":"arn:aws:iam::123456789012:role/r","definition":"{\"StartAt\":\"A\",\"States\":{\"A\":{\"Type\":\"Task\",\"Resource\":\"arn:aws:states:::crm:createLead\",\"End\":true}}}"}`
	if got := post(s, "CreateStateMachine", machine).Body.String(); !strings.Contains(got, "stateMachineArn") {
		t.Error(got)
	}
	wrong := strings.Replace(machine, "createLead", "createLaed", 1)
	const want = "there is no integration crm:createLaed; did you mean crm:createLead? there are crm:createLead, lambda:invoke"
	for _, op := range []string{"CreateStateMachine", "ValidateStateMachineDefinition"} {
		if got := post(s, op, wrong).Body.String(); !strings.Contains(got, want) {
			t.Errorf("%s answers %s", op, got)
		}
	}
}

// TestAbsentAndEmptyReasons holds that an absent error or cause is left out and an empty one is shown, as on AWS.
func TestAbsentAndEmptyReasons(t *testing.T) {
	t.Parallel()
	onNode(t, func(t *testing.T, _ *engine.Node, do func(op, body string) string) {
		do("CreateStateMachine", strings.Replace(waitMachine, `"type":"EXPRESS"`, `"type":"STANDARD"`, 1))
		for given, want := range map[string]string{
			"": "", `,"error":""`: `"error":""`, `,"cause":""`: `"cause":""`, `,"error":"","cause":""`: `"error":"","cause":""`,
			`,"error":"E","cause":""`: `"error":"E","cause":""`, `,"error":"E"`: `"error":"E"`,
		} {
			run := member(t, do("StartExecution", `{"stateMachineArn":"w"}`), "executionArn")
			do("StopExecution", `{"executionArn":"`+run+`"`+given+`}`)
			events := do("GetExecutionHistory", `{"executionArn":"`+run+`"}`)
			if !strings.Contains(events, `"executionAbortedEventDetails":{`+want+`}`) {
				t.Errorf("a stop with {%s}: %s", given, events)
			}
			shown := do("DescribeExecution", `{"executionArn":"`+run+`"}`)
			if !strings.Contains(shown, want) || strings.Contains(shown, `"error":`) != strings.Contains(want, `"error":`) ||
				strings.Contains(shown, `"cause":`) != strings.Contains(want, `"cause":`) {
				t.Errorf("a run stopped with {%s}: %s", given, shown)
			}
		}
	})
}
