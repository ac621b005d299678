package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

const testedMachine = `{"StartAt": "Charge", "States": {
 "Charge": {"Type": "Task", "Resource": "arn:aws:states:::sqs:sendMessage", "Parameters": {"QueueUrl": "q", "MessageBody.$": "$"},
  "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 3600}], "Next": "Rest"},
 "Rest": {"Type": "Wait", "Seconds": 86400, "End": true}}}`

const testedMocks = `{"StateMachines": {"order": {"TestCases": {
  "Happy": {"Charge": "Good", "Input": {"n": 7}, "Expect": {"Status": "SUCCEEDED", "Path": ["Charge", "Rest"]}},
  "Retried": {"Charge": "AtLast"},
  "Wrong": {"Charge": "Broken", "Expect": {"Status": "SUCCEEDED"}}}}},
 "MockedResponses": {"Good": {"0": {"Return": {"MessageId": "m"}}}, "Broken": {"0": {"Throw": {"Error": "Broken", "Cause": "glass"}}},
  "AtLast": {"0": {"Throw": {"Error": "Busy"}}, "1": {"Return": {}}}}}`

func testedDir(t *testing.T) string {
	t.Helper()
	return files(t, map[string]string{"order.asl.json": testedMachine, "order.mocks.json": testedMocks, "other.asl.json": testedMachine})
}

func TestTestShowsEachCase(t *testing.T) {
	t.Parallel()
	dir := testedDir(t)
	code, out, stderr := weft("test", dir)
	if code != ExitRunFailed || stderr != "" {
		t.Fatalf("exit %d, stderr %s", code, stderr)
	}
	_, out, _ = strings.Cut(out, "\n") // the path
	want := `  ok   Happy  SUCCEEDED, 24h00m of virtual time
       Charge → Rest
  ok   Retried  SUCCEEDED, 25h00m of virtual time
       Charge (2 attempts: Busy) → Rest
  FAIL Wrong  FAILED Broken
       Charge (1 attempt: Broken)
       Status: expected SUCCEEDED, got FAILED
       cause: glass
3 cases, 1 failed
`
	if out != want {
		t.Errorf("it printed\n%s", out)
	}
}

func TestTestAsJSON(t *testing.T) {
	t.Parallel()
	path := filepath.Join(testedDir(t), "order.asl.json")
	code, out, _ := weft("test", path, "--case", "Happy", "--json")
	var got struct {
		Tests []struct {
			Case, Status string
			OK           bool
			Virtual      int64 `json:"virtual_ms"`
			Output       map[string]string
		}
		Passed, Failed int
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.Passed != 1 || got.Failed != 0 || len(got.Tests) != 1 {
		t.Fatalf("exit %d, %v: %s", code, err, out)
	}
	if v := got.Tests[0]; v.Case != "Happy" || v.Status != "SUCCEEDED" || !v.OK || v.Virtual != 86_400_000 || v.Output["MessageId"] != "m" {
		t.Errorf("%+v", v)
	}
}

func TestTestRefuses(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"order.asl.json": testedMachine, "order.mocks.json": strings.Replace(testedMocks, `"Charge": "Good"`, `"Chrage": "Good"`, 1),
		"lone.asl.json": testedMachine, "bad.mocks.json": `{"StateMachines": 1}`,
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{at("nowhere.asl.json")}, ExitNotFound, "cannot be read"},
		{[]string{at("lone.asl.json")}, ExitNotFound, "no such mock file"},
		{[]string{at("order.asl.json")}, ExitUsage, "test case Happy mocks Chrage"},
		{[]string{at("order.asl.json"), "--mocks", at("bad.mocks.json")}, ExitUsage, "StateMachines: must be an object"},
		{[]string{at("order.asl.json"), "--error", "Busy"}, ExitUsage, "name it with --state"},
		{[]string{at("lone.asl.json"), "--state", "Chrage"}, ExitUsage, `no state "Chrage"; there are: Charge`},
		{[]string{t.TempDir()}, ExitNotFound, "no definition here has mocks"},
		{nil, ExitUsage, "DIR|FILE... is missing"},
	} {
		code, _, stderr := weft(append([]string{"test"}, tc.args...)...)
		if tc.args == nil {
			tc.want = "is missing"
		}
		if code != tc.code || !strings.Contains(stderr, tc.want) {
			t.Errorf("%v: exit %d, %s", tc.args, code, stderr)
		}
	}
	good := filepath.Join(testedDir(t), "order.asl.json")
	if code, _, stderr := weft("test", good, "--case", "Nope"); code != ExitNotFound || !strings.Contains(stderr, "Happy, Retried, Wrong") {
		t.Errorf("exit %d, %s", code, stderr)
	}
}

func TestTestOneState(t *testing.T) {
	t.Parallel()
	path := filepath.Join(testedDir(t), "order.asl.json")
	for _, tc := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--result", `{"MessageId": "m"}`}, 0, `{"output":{"MessageId":"m"},"nextState":"Rest","status":"SUCCEEDED"}`},
		{[]string{"--error", "Busy", "--retried", "1", "--inspect", "--input", "7"}, 0,
			`{"error":"Busy","inspectionData":{"input":7,"afterInputPath":7,"afterParameters":{"QueueUrl":"q","MessageBody":7},"errorDetails":{"retryIndex":0,"retryBackoffIntervalSeconds":7200}},"status":"RETRIABLE"}`},
		{[]string{"--error", "Broken", "--cause", "glass"}, ExitRunFailed, `{"error":"Broken","cause":"glass","status":"FAILED"}`},
		{[]string{"--result", `{"MessageId": 1}`}, ExitUsage, ""},
		{[]string{"--result", `{"MessageId": 1}`, "--validation", "none"}, 0, `{"output":{"MessageId":1},"nextState":"Rest","status":"SUCCEEDED"}`},
		{[]string{"--validation", "some"}, ExitUsage, ""},
		{[]string{"--result", "1", "--error", "Busy"}, ExitUsage, ""},
	} {
		code, out, stderr := weft(append([]string{"test", path, "--state", "Charge"}, tc.args...)...)
		if code != tc.code || strings.TrimSpace(out) != tc.want {
			t.Errorf("%v: exit %d\n%s%s", tc.args, code, out, stderr)
		}
	}
}
