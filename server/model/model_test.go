package model

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/server/awsjson"
)

func check(t testing.TB, op, body string) string {
	t.Helper()
	in, err := awsjson.Parse([]byte(body))
	if err != nil {
		return err.Error()
	}
	m, known := New(limits.AWS)[op]
	if !known {
		t.Fatalf("%s is not in the model", op)
	}
	if in.Check(m); in.Err() != nil {
		return in.Err().Error()
	}
	return ""
}

// TestRequired holds which members each operation has to get, in the order in which AWS's messages name them.
func TestRequired(t *testing.T) {
	t.Parallel()
	for op, want := range map[string]string{
		"CreateActivity": "name", "CreateStateMachine": "name definition roleArn", "CreateStateMachineAlias": "name routingConfiguration",
		"DeleteActivity": "activityArn", "DeleteStateMachine": "stateMachineArn", "DeleteStateMachineAlias": "stateMachineAliasArn",
		"DeleteStateMachineVersion": "stateMachineVersionArn", "DescribeActivity": "activityArn", "DescribeExecution": "executionArn",
		"DescribeMapRun": "mapRunArn", "DescribeStateMachine": "stateMachineArn", "DescribeStateMachineAlias": "stateMachineAliasArn",
		"DescribeStateMachineForExecution": "executionArn", "GetActivityTask": "activityArn", "GetExecutionHistory": "executionArn",
		"ListActivities": "", "ListExecutions": "", "ListMapRuns": "executionArn", "ListStateMachineAliases": "stateMachineArn",
		"ListStateMachineVersions": "stateMachineArn", "ListStateMachines": "", "ListTagsForResource": "resourceArn",
		"PublishStateMachineVersion": "stateMachineArn", "RedriveExecution": "executionArn", "SendTaskFailure": "taskToken",
		"SendTaskHeartbeat": "taskToken", "SendTaskSuccess": "taskToken output", "StartExecution": "stateMachineArn",
		"StartSyncExecution": "stateMachineArn", "StopExecution": "executionArn", "TagResource": "resourceArn tags",
		"TestState": "definition", "UntagResource": "resourceArn tagKeys", "UpdateMapRun": "mapRunArn", "UpdateStateMachine": "stateMachineArn",
		"UpdateStateMachineAlias": "stateMachineAliasArn", "ValidateStateMachineDefinition": "definition",
	} {
		names := strings.Fields(want)
		var text string
		for i, name := range names {
			names[i] = "Value null at '" + name + "' failed to satisfy constraint: Member must not be null"
		}
		switch len(names) {
		case 0:
		case 1:
			text = "1 validation error detected: " + names[0]
		default:
			text = fmt.Sprintf("%d validation errors detected: %s", len(names), strings.Join(names, "; "))
		}
		if got := check(t, op, "{}"); got != text {
			t.Errorf("%s\n got %s\nwant %s", op, got, text)
		}
	}
	if n := len(New(limits.Default)); n != 37 {
		t.Errorf("the model has %d operations", n)
	}
}

// TestConstraints breaks one constraint of each kind of shape.
func TestConstraints(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	arn := func(n int) string { return `"stateMachineArn":"` + long(n) + `"` }
	for _, c := range []struct{ op, body, want string }{
		{"StartExecution", `{` + arn(256) + `}`, ""},
		{"StartExecution", `{` + arn(257) + `}`, "Value '" + long(257) + "' at 'stateMachineArn' failed to satisfy constraint: Member must have length less than or equal to 256"},
		{"StartExecution", `{` + arn(0) + `}`, "Value '' at 'stateMachineArn' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"StartExecution", `{` + arn(1) + `,"name":"` + long(81) + `"}`, "Value '" + long(81) + "' at 'name' failed to satisfy constraint: Member must have length less than or equal to 80"},
		{"StartExecution", `{` + arn(1) + `,"traceHeader":"é"}`, `Value 'é' at 'traceHeader' failed to satisfy constraint: Member must satisfy regular expression pattern: \p{ASCII}*`},
		{"StopExecution", `{"executionArn":"e","error":"` + long(257) + `"}`, "Value at 'error' failed to satisfy constraint: Member must have length less than or equal to 256"},
		{"StopExecution", `{"executionArn":"e","cause":"` + long(32769) + `"}`, "Value at 'cause' failed to satisfy constraint: Member must have length less than or equal to 32768"},
		{"SendTaskHeartbeat", `{"taskToken":"` + long(2048) + `"}`, ""},
		{"SendTaskHeartbeat", `{"taskToken":""}`, "Value '' at 'taskToken' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"ListExecutions", `{"statusFilter":"DONE"}`, "Value 'DONE' at 'statusFilter' failed to satisfy constraint: Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]"},
		{"ListExecutions", `{"nextToken":"` + long(3096) + `"}`, ""},
		{"ListStateMachines", `{"nextToken":"` + long(1025) + `"}`, "Value '" + long(1025) + "' at 'nextToken' failed to satisfy constraint: Member must have length less than or equal to 1024"},
		{"ListActivities", `{"maxResults":1001}`, "Value '1001' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 1000"},
		{"ListActivities", `{"maxResults":-1}`, "Value '-1' at 'maxResults' failed to satisfy constraint: Member must have value greater than or equal to 0"},
		{"ValidateStateMachineDefinition", `{"definition":"{}","maxResults":101}`, "Value '101' at 'maxResults' failed to satisfy constraint: Member must have value less than or equal to 100"},
		{"UpdateMapRun", `{"mapRunArn":"m","toleratedFailurePercentage":100.1}`, "Value '100.1' at 'toleratedFailurePercentage' failed to satisfy constraint: Member must have value less than or equal to 100"},
		{"UpdateMapRun", `{"mapRunArn":"m","maxConcurrency":-1}`, "Value '-1' at 'maxConcurrency' failed to satisfy constraint: Member must have value greater than or equal to 0"},
		{"UpdateMapRun", `{"mapRunArn":"m","toleratedFailureCount":5000000000}`, ""},
		{"TagResource", `{"resourceArn":"r","tags":[{"key":"` + long(129) + `"}]}`, "Value '" + long(129) + "' at 'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal to 128"},
		{"TagResource", `{"resourceArn":"r","tags":[{"value":"v"}]}`, "Value null at 'tags.1.member.key' failed to satisfy constraint: Member must not be null"},
		{"UntagResource", `{"resourceArn":"r","tagKeys":[""]}`, "Value '' at 'tagKeys.1.member' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"CreateActivity", `{"name":"a","encryptionConfiguration":{"type":"MINE"}}`, "Value 'MINE' at 'encryptionConfiguration.type' failed to satisfy constraint: Member must satisfy enum value set: [AWS_OWNED_KEY, CUSTOMER_MANAGED_KMS_KEY]"},
		{"CreateActivity", `{"name":"a","encryptionConfiguration":{"type":"AWS_OWNED_KEY","kmsDataKeyReusePeriodSeconds":59}}`, "Value '59' at 'encryptionConfiguration.kmsDataKeyReusePeriodSeconds' failed to satisfy constraint: Member must have value greater than or equal to 60"},
		{"CreateStateMachine", `{"name":"m","definition":"","roleArn":"r"}`, "Value at 'definition' failed to satisfy constraint: Member must have length greater than or equal to 1"},
		{"RedriveExecution", `{"executionArn":"e","clientToken":"a b"}`, "Value 'a b' at 'clientToken' failed to satisfy constraint: Member must satisfy regular expression pattern: [!-~]+"},
		{"TestState", `{"definition":"{}","mock":{"fieldValidationMode":"LAX"}}`, "Value 'LAX' at 'mock.fieldValidationMode' failed to satisfy constraint: Member must satisfy enum value set: [STRICT, PRESENT, NONE]"},
	} {
		want := c.want
		if want != "" {
			want = "1 validation error detected: " + want
		}
		if got := check(t, c.op, c.body); got != want {
			t.Errorf("%s %.200s\n got %.300s\nwant %.300s", c.op, c.body, got, want)
		}
	}
}

// FuzzCheck holds that no input of any operation is too much for the model.
func FuzzCheck(f *testing.F) {
	all := New(limits.AWS)
	ops := slices.Sorted(maps.Keys(all))
	for i, body := range []string{
		`{"stateMachineArn":"a","maxResults":1,"nextToken":"t","statusFilter":"RUNNING"}`, `{"tags":[{"key":"k","value":"v"},null],"tagKeys":["a",null]}`,
		`{"routingConfiguration":[{"stateMachineVersionArn":"v","weight":1e2}],"name":"1a"}`, `{"loggingConfiguration":{"destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":1}}]}}`,
		`{"mock":{"errorOutput":{"error":"e"}},"toleratedFailurePercentage":-0.0,"toleratedFailureCount":1e400}`,
	} {
		f.Add(uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, op uint8, body string) {
		in, err := awsjson.Parse([]byte(body))
		if err != nil {
			return
		}
		in.Check(all[ops[int(op)%len(ops)]])
		if err := in.Err(); err != nil && len(err.Error()) > 1<<20 {
			t.Errorf("%d bytes of message for %d of request", len(err.Error()), len(body))
		}
	})
}
