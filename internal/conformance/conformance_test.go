package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// recorded is a case as the recordings have them: tokens for what was replaced, payloads opened.
const recorded = `{"id":"map","executions":[{"op":"start_execution","stateMachineArn":"m","input":"{}"}],
 "name_rewrites":[["fn-[0-9]+","<function>"]],
 "expected":{"get_execution_history":{"events":[
 {"id":1,"previousEventId":0,"type":"ExecutionStarted","timestamp":"timestamp","executionStartedEventDetails":{"input":{"n":1},"roleArn":"<role>"}},
 {"id":2,"previousEventId":0,"type":"MapStateEntered","stateEnteredEventDetails":{"name":"M","input":{"n":1}}},
 {"id":3,"previousEventId":2,"type":"MapStateStarted","mapStateStartedEventDetails":{"length":2}},
 {"id":4,"previousEventId":3,"type":"MapIterationStarted","mapIterationStartedEventDetails":{"index":0,"name":"M"}},
 {"id":5,"previousEventId":3,"type":"MapIterationStarted","mapIterationStartedEventDetails":{"index":1,"name":"M"}},
 {"id":6,"previousEventId":4,"type":"PassStateEntered","stateEnteredEventDetails":{"name":"P","input":"<id:1>"}},
 {"id":7,"previousEventId":5,"type":"PassStateEntered","stateEnteredEventDetails":{"name":"P","input":"<id:2>"}},
 {"id":8,"previousEventId":7,"type":"ExecutionFailed","executionFailedEventDetails":{"error":"E","cause":"call of <function> <id:1> failed at <id:2>"}}]}}}`

func load(t *testing.T, line string) *Case {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "asl"), 0o755); err != nil {
		t.Fatal(err)
	}
	line = strings.ReplaceAll(line, "\n", "") + "\n"
	if err := os.WriteFile(filepath.Join(dir, "asl", "x.jsonl"), []byte(line), 0o644); err != nil {
		t.Fatal(err)
	}
	cases, err := Load(dir, "x")
	if err != nil || len(cases) != 1 || !cases[0].Comparable() {
		t.Fatalf("Load: %d cases, %v", len(cases), err)
	}
	return cases[0]
}

// ours answers the recording; the iterations' first events come the other way round, which is no difference.
func ours() ([]string, Answer) {
	errorName, cause := "E", "call of fn-12 a failed at b"
	return []string{
		`{"id":1,"previousEventId":0,"type":"ExecutionStarted","timestamp":1.5,"executionStartedEventDetails":{"input":"{\"n\":1}","roleArn":"r"}}`,
		`{"id":2,"previousEventId":0,"type":"MapStateEntered","timestamp":1.5,"stateEnteredEventDetails":{"name":"M","input":"{\"n\": 1}"}}`,
		`{"id":3,"previousEventId":2,"type":"MapStateStarted","timestamp":1.5,"mapStateStartedEventDetails":{"length":2}}`,
		`{"id":4,"previousEventId":3,"type":"MapIterationStarted","timestamp":1.5,"mapIterationStartedEventDetails":{"index":0,"name":"M"}}`,
		`{"id":5,"previousEventId":4,"type":"PassStateEntered","timestamp":1.5,"stateEnteredEventDetails":{"name":"P","input":"a"}}`,
		`{"id":6,"previousEventId":3,"type":"MapIterationStarted","timestamp":1.5,"mapIterationStartedEventDetails":{"index":1,"name":"M"}}`,
		`{"id":7,"previousEventId":6,"type":"PassStateEntered","timestamp":1.5,"stateEnteredEventDetails":{"name":"P","input":"b"}}`,
		`{"id":8,"previousEventId":7,"type":"ExecutionFailed","timestamp":1.5,"executionFailedEventDetails":{"error":"E","cause":"call of fn-12 a failed at b"}}`,
	}, Answer{Status: "FAILED", Error: &errorName, Cause: &cause}
}

func TestCompareFindsEachDifference(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		change  func(events []string, a *Answer) []string
		t1      bool
		t2, t3  bool
		because string
	}{
		{name: "nothing", t1: true, t2: true, t3: true, change: func(e []string, _ *Answer) []string { return e }},
		{name: "status", because: "T1", change: func(e []string, a *Answer) []string { a.Status = "TIMED_OUT"; return e }},
		{name: "error", because: "T1", change: func(e []string, a *Answer) []string { a.Error = new(string); return e }},
		{name: "no error", because: "T1", change: func(e []string, a *Answer) []string { a.Error = nil; return e }},
		{name: "an event less", t1: true, because: "T2", change: func(e []string, _ *Answer) []string { return append(e[:6:6], e[7]) }},
		{name: "another type", t1: true, because: "T2", change: swap(4, "PassStateEntered", "WaitStateEntered")},
		{name: "another previous", t1: true, because: "T2", change: swap(6, `"previousEventId":6`, `"previousEventId":3`)},
		{name: "an id twice", t1: true, because: "T2", change: swap(6, `"id":7`, `"id":6`)},
		{name: "a detail", t1: true, t2: true, because: "T3", change: swap(2, `"length":2`, `"length":3`)},
		{name: "a payload", t1: true, t2: true, because: "T3", change: swap(1, `{\"n\": 1}`, `{\"n\": 2}`)},
		{name: "a detail too many", t1: true, t2: true, because: "T3", change: swap(2, `"length":2`, `"length":2,"x":1`)},
		{name: "a token's text", t1: true, t2: true, because: "T3", change: swap(7, "fn-12 a", "fn-12 c")},
		{name: "a name that is not rewritten", t1: true, t2: true, because: "T3", change: swap(7, "fn-12 a failed", "fn a broke")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			c := load(t, recorded)
			events, a := ours()
			for _, e := range tc.change(events, &a) {
				a.History = append(a.History, json.RawMessage(e))
			}
			got := c.Compare([]Answer{a})
			if got.T1 != tc.t1 || got.T2 != tc.t2 || got.T3 != tc.t3 || !strings.Contains(got.Why, tc.because) {
				t.Errorf("%+v", got)
			}
		})
	}
}

func swap(i int, from, to string) func([]string, *Answer) []string {
	return func(e []string, _ *Answer) []string {
		e[i] = strings.Replace(e[i], from, to, 1)
		return e
	}
}

// loose is a recording that lost the order within a Parallel and left out its inner end.
const loose = `{"id":"parallel","executions":[{"op":"start_execution","input":"{}"}],"expected":{"get_execution_history":{"events":[
 {"id":1,"previousEventId":0,"type":"ParallelStateStarted"},
 {"id":[0],"previousEventId":0,"type":"PassStateEntered","stateEnteredEventDetails":{"name":"A","input":{}}},
 {"id":[0],"previousEventId":0,"type":"PassStateEntered","stateEnteredEventDetails":{"name":"B","input":{}}},
 {"id":5,"previousEventId":3,"type":"ParallelStateExited"},
 {"id":6,"previousEventId":5,"type":"ExecutionSucceeded","executionSucceededEventDetails":{"output":"1"}}]}}}`

func TestCompareWithoutOrder(t *testing.T) {
	t.Parallel()
	entered := func(id, prev, name string) string {
		return `{"id":` + id + `,"previousEventId":` + prev + `,"type":"PassStateEntered","stateEnteredEventDetails":{"name":"` + name + `","input":"{}"}}`
	}
	for _, tc := range []struct {
		name   string
		second string
		extra  string
		want   Tiers
	}{
		{"in another order", entered("3", "1", "A"), `{"id":4,"previousEventId":3,"type":"ParallelStateSucceeded"}`, Tiers{T1: true, T2: true, T3: true}},
		{"a branch twice", entered("3", "1", "B"), `{"id":4,"previousEventId":3,"type":"ParallelStateSucceeded"}`, Tiers{T1: true}},
		{"an event too many", entered("3", "1", "A"), entered("4", "1", "A"), Tiers{T1: true}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a := Answer{Status: "SUCCEEDED", Output: "1", History: []json.RawMessage{
				json.RawMessage(`{"id":1,"previousEventId":0,"type":"ParallelStateStarted"}`),
				json.RawMessage(entered("2", "1", "B")), json.RawMessage(tc.second), json.RawMessage(tc.extra),
				json.RawMessage(`{"id":5,"previousEventId":3,"type":"ParallelStateExited"}`),
				json.RawMessage(`{"id":6,"previousEventId":5,"type":"ExecutionSucceeded","executionSucceededEventDetails":{"output":"1"}}`),
			}}
			got := load(t, loose).Compare([]Answer{a})
			if got.T1 != tc.want.T1 || got.T2 != tc.want.T2 || got.T3 != tc.want.T3 {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestMatcher(t *testing.T) {
	t.Parallel()
	c := load(t, `{"id":"api","executions":[{"op":"x"}],"name_rewrites":[["machine-[0-9]+","<machine>"]],"expected":{
		"describe_execution":{"status":"RUNNING","input":{},"output":"1"},
		"create":{"stateMachineArn":"arn:<partition>:states:<region>:111111111111:stateMachine:<machine>","creationDate":"datetime","id":"<uuid:1>","ResponseMetadata":{}},
		"again":{"id":"<uuid:1>"}}}`)
	m := c.NewMatcher()
	for _, tc := range []struct {
		label, answer string
		ok            bool
	}{
		{"create", `{"stateMachineArn":"arn:aws:states:us-east-1:111111111111:stateMachine:machine-7","creationDate":1.5,"id":"abc"}`, true},
		{"create", `{"stateMachineArn":"arn:aws:states:us-east-1:111111111111:activity:machine-7","creationDate":1.5,"id":"abc"}`, false},
		{"again", `{"id":"abc"}`, true},
		{"again", `{"id":"abd"}`, false},
		{"never", `{}`, false},
	} {
		if err := m.Match(tc.label, []byte(tc.answer)); (err == nil) != tc.ok {
			t.Errorf("%s %s: %v", tc.label, tc.answer, err)
		}
	}
}
