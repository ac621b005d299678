package teststate

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

const (
	pass = `{"Type": "Pass", "Result": 7, "Next": "Elsewhere"}`
	task = `{"Type": "Task", "Resource": "arn:aws:states:::dynamodb:putItem", "Parameters": {"TableName": "t"}, "End": true}`
	each = `{"Type": "Map", "ItemProcessor": {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}, "End": true}`
	both = `{"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {"A": {"Type": "Pass", "End": true}}}], "End": true}`
	flow = `{"StartAt": "A", "States": {"A": {"Type": "Pass", "Next": "B"}, "B": {"Type": "Succeed"}}}`
)

func result(text string) *Mock { return &Mock{Result: &text} }

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		r    Request
		want string
	}{
		{"a lone state", Request{Definition: pass}, `{"output":"7","nextState":"Elsewhere","status":"SUCCEEDED"}`},
		{"a state of a machine", Request{Definition: flow, StateName: "A"}, `{"output":"{}","nextState":"B","status":"SUCCEEDED"}`},
		{"the data flow", Request{Definition: pass, Level: Debug},
			`{"output":"7","inspectionData":{"input":"{}","result":"7","afterResultSelector":"7","afterResultPath":"7"},"nextState":"Elsewhere","status":"SUCCEEDED"}`},
		{"the context", Request{Definition: `{"Type": "Pass", "Parameters": {"c.$": "$$.State.Name", "r.$": "$$.Execution.RoleArn"}, "End": true}`},
			`{"output":"{\"c\":\"StateName\",\"r\":null}","status":"SUCCEEDED"}`},
		{"variables", Request{Definition: `{"Type": "Pass", "Parameters": {"v.$": "$v"}, "Assign": {"w": 2}, "End": true}`, Variables: `{"v": 1}`, Level: Trace},
			`{"output":"{\"v\":1}","inspectionData":{"input":"{}","afterInputPath":"{}","afterParameters":"{\"v\":1}","afterResultSelector":"{\"v\":1}","afterResultPath":"{\"v\":1}","variables":"{\"v\":1,\"w\":2}"},"status":"SUCCEEDED"}`},
		{"a mocked error", Request{Definition: task, Mock: &Mock{Failed: true, Error: "E"}}, `{"error":"E","status":"FAILED"}`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			a, err := Run(&tc.r, &Env{MachineARN: "arn:aws:states:r:1:stateMachine:m", Name: "n"})
			if err != nil {
				t.Fatal(err)
			}
			text, err := json.Marshal(a)
			if err != nil || string(text) != tc.want {
				t.Errorf("%s, %v", text, err)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	bad := `{`
	for _, tc := range []struct {
		r    Request
		kind fault.Kind
		want string
	}{
		{Request{Definition: `{"Type": "Nothing"}`}, fault.InvalidDefinition, "SCHEMA_VALIDATION_FAILED"},
		{Request{Definition: flow}, fault.InvalidArgument, "StateName must be specified"},
		{Request{Definition: flow, StateName: "C"}, fault.InvalidArgument, "State not found"},
		{Request{Definition: task}, fault.InvalidArgument, "RoleArn must be"},
		{Request{Definition: task, RoleARN: "r"}, fault.InvalidArgument, "A mock must be specified"},
		{Request{Definition: each}, fault.InvalidDefinition, "does not support Map or Parallel"},
		{Request{Definition: each, Mock: result(`{}`)}, fault.InvalidArgument, "must be an array"},
		{Request{Definition: each, Mock: result(`[1]`), Config: Config{MapIterationFailureCount: 2}}, fault.InvalidArgument, "failure count"},
		{Request{Definition: each, Mock: result(`[]`), Config: Config{MapItemReaderData: &bad}}, fault.InvalidArgument, "reader data"},
		{Request{Definition: both, Mock: result(`[1, 2]`)}, fault.InvalidArgument, "number of Parallel branches"},
		{Request{Definition: pass, Mock: result(`1`)}, fault.InvalidArgument, "State type 'Pass'"},
		{Request{Definition: task, Mock: result(bad)}, fault.InvalidArgument, "valid JSON"},
		{Request{Definition: task, Mock: &Mock{Result: &bad, Failed: true}}, fault.InvalidArgument, "only one of"},
		{Request{Definition: task, Mock: &Mock{}}, fault.InvalidArgument, "one of"},
		{Request{Definition: task, Mock: result(`{}`), RevealSecrets: true}, fault.InvalidArgument, "RevealSecrets"},
		{Request{Definition: task, Mock: result(`{"ConsumedCapacity": 1}`)}, fault.InvalidArgument, "Field 'ConsumedCapacity' must be an object"},
		{Request{Definition: pass, Context: `{"Map": {}}`}, fault.InvalidArgument, "'Map' field"},
		{Request{Definition: pass, Context: `{"State": {"RetryCount": "1"}}`}, fault.InvalidArgument, "State.RetryCount must be"},
		{Request{Definition: pass, Context: `{"Task": {"Token": "t"}}`}, fault.InvalidArgument, "contains 'Task'"},
		{Request{Definition: pass, Variables: `[]`}, fault.InvalidArgument, "variables"},
	} {
		invoke := func(*machine.Command) machine.Event { return machine.Event{} }
		if _, err := Run(&tc.r, &Env{Invoke: invoke}); !fault.Is(err, tc.kind) || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%+v: %v, want %q", tc.r, err, tc.want)
		}
	}
}
