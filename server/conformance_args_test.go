package server

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/weftworks/weft/internal/conformance"
)

// The recordings lack arguments that the recorded tests took out of earlier answers, and some calls at the end of a few
// cases. What stands here in their place is what the recorded answers show.

// callsOf returns the calls of a case with those that its recording lacks.
func callsOf(c *conformance.Case) []conformance.APICall {
	calls := c.APICalls
	_, name, _ := strings.Cut(c.ID, "::")
	switch {
	case strings.HasSuffix(name, "::test_list_executions_pagination"), strings.HasSuffix(name, "::test_list_executions_versions_pagination"):
		var first struct{ StateMachineArn string }
		_ = json.Unmarshal(calls[len(calls)-1].Args, &first) // our own recording
		call := func(op, format string, args ...any) {
			calls = append(calls, conformance.APICall{Op: op, Args: json.RawMessage(fmt.Sprintf(format, args...))})
		}
		call("list_executions", `{"stateMachineArn":%q,"maxResults":10,"nextToken":null}`, first.StateMachineArn)
		call("list_executions", `{"stateMachineArn":%q,"maxResults":1001}`, first.StateMachineArn)
		call("list_executions", `{"stateMachineArn":%q,"nextToken":%q}`, first.StateMachineArn, strings.Repeat("x", 3097))
		call("delete_state_machine", `{"stateMachineArn":%q}`, strings.TrimSuffix(first.StateMachineArn, ":1"))
	case strings.HasSuffix(name, "::test_list_sms_pagination"):
		calls = calls[:len(calls)-1] // what made the paginator
		for _, args := range []string{`"maxResults":10`, `"maxResults":10,"nextToken":null`, `"maxResults":1001`, `"nextToken":"` + strings.Repeat("x", 1025) + `"`} {
			calls = append(calls, conformance.APICall{Op: "list_state_machines", Args: json.RawMessage("{" + args + "}")})
		}
	case strings.HasSuffix(name, "::test_update_logging_configuration"):
		return loggingCalls(calls)
	case strings.HasSuffix(name, "::test_publish_state_machine_version"):
		describe := &calls[8] // of the version published last, which the recording took for the first
		describe.Args = json.RawMessage(strings.Replace(string(describe.Args), `:1"`, `:2"`, 1))
	}
	return calls
}

// loggingCalls undoes what the recorded test did to the one configuration that all its calls shared.
func loggingCalls(calls []conformance.APICall) (out []conformance.APICall) {
	var create, update map[string]any
	for _, call := range calls { // our own recording
		switch call.Op {
		case "create_state_machine":
			_ = json.Unmarshal(call.Args, &create)
		case "update_state_machine":
			_ = json.Unmarshal(call.Args, &update)
		}
	}
	describe := map[string]any{"stateMachineArn": update["stateMachineArn"]}
	group := map[string]any{"cloudWatchLogsLogGroup": map[string]any{"logGroupArn": someLogGroup}}
	call := func(op string, args map[string]any, level string, data bool, groups ...any) {
		if groups != nil {
			args["loggingConfiguration"] = map[string]any{"level": level, "includeExecutionData": data, "destinations": groups}
		}
		text, _ := json.Marshal(args)
		out = append(out, conformance.APICall{Op: op, Args: text})
	}
	call("create_state_machine", create, "ALL", true, group)
	call("describe_state_machine", describe, "", false)
	for _, data := range []bool{true, true, false} {
		call("update_state_machine", update, "FATAL", data, group)
		call("describe_state_machine", describe, "", false)
	}
	call("update_state_machine", update, "FATAL", false, group, group)
	update["loggingConfiguration"] = map[string]any{"level": "FATAL"}
	call("update_state_machine", update, "", false)
	return out
}

// told is what earlier answers of a case said that later calls take up.
type told struct {
	alias, version, token, mapRun string
	revisions                     []string
}

func (m *told) note(answer map[string]any) {
	set := func(to *string, member string) {
		if s, ok := answer[member].(string); ok {
			*to = s
		}
	}
	set(&m.alias, "stateMachineAliasArn")
	set(&m.version, "stateMachineVersionArn")
	set(&m.token, "nextToken")
	if list, ok := answer["mapRuns"].([]any); ok && len(list) > 0 {
		m.mapRun, _ = list[0].(map[string]any)["mapRunArn"].(string)
	}
	if s, ok := answer["revisionId"].(string); ok && answer["updateDate"] != nil {
		m.revisions = append(m.revisions, s)
	}
}

// someLogGroup stands for groups of logs that the recorded tests made.
const someLogGroup = "arn:aws:logs:us-east-1:111111111111:log-group:log_group_name:*"

// complete puts what earlier answers said in place of the recording's marks.
func (m *told) complete(text string) string {
	var args map[string]any
	if json.Unmarshal([]byte(text), &args) != nil {
		return text
	}
	if token, there := args["nextToken"]; there && token == nil {
		args["nextToken"] = m.token
	}
	if arn, _ := args["mapRunArn"].(string); strings.HasSuffix(arn, ":mapRun:x/y:z") {
		args["mapRunArn"] = m.mapRun
	}
	if args["stateMachineAliasArn"] == "alias" {
		args["stateMachineAliasArn"] = m.alias
	}
	if args["stateMachineArn"] == "x" {
		args["stateMachineArn"] = m.version
	}
	if n := len(m.revisions); args["revisionId"] == "x" && n > 1 {
		args["revisionId"] = m.revisions[n-2]
	}
	routes, _ := args["routingConfiguration"].([]any)
	machine := m.version[:strings.LastIndex(m.version, ":")+1]
	for i, r := range routes {
		if r, ok := r.(map[string]any); ok && r["stateMachineVersionArn"] == "x" {
			r["stateMachineVersionArn"] = fmt.Sprintf("%s%d", machine, i+1)
		}
	}
	out, err := json.Marshal(args)
	if err != nil {
		return text
	}
	return strings.ReplaceAll(string(out), `"\u003cobj\u003e"`, `"`+someLogGroup+`"`)
}
