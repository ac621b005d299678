package runs

import (
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
)

// retry makes every task try again what is only bad luck.
const retry = `"Retry":[{"ErrorEquals":["Unlucky","Late","States.Timeout","Weft.Unstarted"],"IntervalSeconds":1,"MaxAttempts":10000,"BackoffRate":1}]`

// shapes are the machines, each with what its output must be for the input {"n":n,"items":[0,...,n-1]} in version v.
// Functions: look answers n+1 and may be called ahead of the log; charge the same and may not; refuse fails; hand
// takes a token.
var shapes = []struct {
	name       string
	definition string
	check      func(out map[string]any, n, v int) bool
}{
	{"chain", `{"StartAt":"A","States":{
		"A":{"Type":"Task","Resource":"charge","Parameters":{"run.$":"$$.Execution.Name","n.$":"$.n"},"ResultPath":"$.a",` + retry + `,"Next":"B"},
		"B":{"Type":"Task","Resource":"look","Parameters":{"run.$":"$$.Execution.Name","n.$":"$.a.n"},"ResultPath":"$.b",` + retry + `,"Next":"W"},
		"W":{"Type":"Wait","Seconds":2,"Next":"C"},
		"C":{"Type":"Task","Resource":"charge","TimeoutSeconds":3,"Parameters":{"run.$":"$$.Execution.Name","n.$":"$.b.n","by.$":"$.b.by"},"ResultPath":"$.c",` + retry + `,"Next":"V"},
		"V":{"Type":"Pass","Result":VERSION,"ResultPath":"$.version","End":true}}}`,
		func(out map[string]any, n, _ int) bool { return at(out, "c", "n") == n+3 && at(out, "a", "n") == n+1 }},
	{"map", `{"StartAt":"M","States":{
		"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":2,"ResultPath":"$.results","ItemProcessor":{"StartAt":"I","States":{
			"I":{"Type":"Task","Resource":"charge","Parameters":{"run.$":"$$.Execution.Name","n.$":"$"},` + retry + `,"Next":"J"},
			"J":{"Type":"Task","Resource":"look","Parameters":{"run.$":"$$.Execution.Name","n.$":"$.n"},` + retry + `,"End":true}}},"Next":"V"},
		"V":{"Type":"Pass","Result":VERSION,"ResultPath":"$.version","End":true}}}`,
		mapped},
	{"distributed", `{"StartAt":"M","States":{
		"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":3,"ResultPath":"$.results","ItemSelector":{"run.$":"$$.Execution.Name","n.$":"$$.Map.Item.Value"},
			"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"I","States":{
			"I":{"Type":"Task","Resource":"charge","Parameters":{"run.$":"$.run","n.$":"$.n"},` + retry + `,"Next":"J"},
			"J":{"Type":"Task","Resource":"look","Parameters":{"run.$":"$$.Execution.Name","n.$":"$.n"},` + retry + `,"End":true}}},"Next":"V"},
		"V":{"Type":"Pass","Result":VERSION,"ResultPath":"$.version","End":true}}}`,
		mapped},
	{"express", `{"StartAt":"M","States":{
		"M":{"Type":"Map","ItemsPath":"$.items","MaxConcurrency":3,"ResultPath":"$.results","ItemBatcher":{"MaxItemsPerBatch":1},"ItemSelector":{"run.$":"$$.Execution.Name","n.$":"$$.Map.Item.Value"},
			"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"I","States":{
			"I":{"Type":"Task","Resource":"charge","Parameters":{"run.$":"$.Items[0].run","n.$":"$.Items[0].n"},` + retry + `,"Next":"J"},
			"J":{"Type":"Task","Resource":"look","Parameters":{"run.$":"$$.Execution.Name","n.$":"$.n"},` + retry + `,"End":true}}},"Next":"V"},
		"V":{"Type":"Pass","Result":VERSION,"ResultPath":"$.version","End":true}}}`,
		mapped},
	{"parallel", `{"StartAt":"P","States":{
		"P":{"Type":"Parallel","ResultPath":"$.results","Branches":[
			{"StartAt":"X","States":{"X":{"Type":"Task","Resource":"charge","Parameters":{"run.$":"$$.Execution.Name","n.$":"$.n"},` + retry + `,"End":true}}},
			{"StartAt":"Y","States":{"Y":{"Type":"Task","Resource":"refuse","Parameters":{"run.$":"$$.Execution.Name"},` + retry + `,
				"Catch":[{"ErrorEquals":["Broken"],"Next":"Z"}],"End":true},"Z":{"Type":"Pass","Result":{"n":7},"End":true}}}],"Next":"V"},
		"V":{"Type":"Pass","Result":VERSION,"ResultPath":"$.version","End":true}}}`,
		func(out map[string]any, n, _ int) bool {
			list, ok := out["results"].([]any)
			if !ok || len(list) != 2 {
				return false
			}
			x, _ := list[0].(map[string]any)
			y, _ := list[1].(map[string]any)
			return at(x, "n") == n+1 && at(y, "n") == 7
		}},
	{"token", `{"StartAt":"T","States":{
		"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken","ResultPath":"$.t",
			"Parameters":{"FunctionName":"hand","Payload":{"run.$":"$$.Execution.Name","token.$":"$$.Task.Token"}},` + retry + `,"Next":"V"},
		"V":{"Type":"Pass","Result":VERSION,"ResultPath":"$.version","End":true}}}`,
		func(out map[string]any, _, _ int) bool { return at(out, "t", "n") == 42 }},
	{"nested", `{"StartAt":"S","States":{
		"S":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync:2","Parameters":{"StateMachineArn":"kid","Input.$":"$"},
			"ResultSelector":{"n.$":"$.Output.a.n"},"ResultPath":"$.kid",
			"Retry":[{"ErrorEquals":["States.TaskFailed"],"IntervalSeconds":1,"MaxAttempts":10000,"BackoffRate":1}],"Next":"V"},
		"V":{"Type":"Pass","Result":VERSION,"ResultPath":"$.version","End":true}}}`,
		func(out map[string]any, n, _ int) bool { return at(out, "kid", "n") == n+1 }},
	{"kid", `{"StartAt":"A","States":{
		"A":{"Type":"Task","Resource":"charge","Parameters":{"run.$":"$$.Execution.Name","n.$":"$.n"},"ResultPath":"$.a",` + retry + `,"Next":"W"},
		"W":{"Type":"Wait","Seconds":1,"Next":"V"},
		"V":{"Type":"Pass","Result":VERSION,"ResultPath":"$.version","End":true}}}`,
		func(out map[string]any, n, _ int) bool { return at(out, "a", "n") == n+1 }},
}

// kid is the shape of the runs that runs start.
const kid = 7

// mapped holds that a Map has one result of each item, in order.
func mapped(out map[string]any, n, _ int) bool {
	list, ok := out["results"].([]any)
	for i := range list {
		e, _ := list[i].(map[string]any)
		ok = ok && at(e, "n") == i+2
	}
	return ok && len(list) == n
}

// at returns the whole number at a path of members, -1 when there is none.
func at(v map[string]any, path ...string) int {
	for _, name := range path[:len(path)-1] {
		v, _ = v[name].(map[string]any)
	}
	f, ok := v[path[len(path)-1]].(float64)
	if !ok {
		return -1
	}
	return int(f)
}

// revision returns the blob of one version of a machine.
func revision(shape, version int) (blob []byte, id partition.BlobID) {
	s := shapes[shape]
	v := statemachine.Revision{
		Machine: s.name, ID: "v" + strconv.Itoa(version), RoleARN: "arn:aws:iam::123456789012:role/r",
		Definition: []byte(versioned(s.definition, version)),
	}
	blob = v.Encode()
	return blob, partition.BlobOf(blob)
}

func versioned(definition string, version int) string {
	const mark = "VERSION"
	for i := 0; i+len(mark) <= len(definition); i++ {
		if definition[i:i+len(mark)] == mark {
			return definition[:i] + strconv.Itoa(version) + definition[i+len(mark):]
		}
	}
	return definition
}

// right reports whether output is what a run of the shape, version and n must end with.
func right(shape, version, n int, output []byte) error {
	var out map[string]any
	if err := json.Unmarshal(output, &out); err != nil {
		return err
	}
	if at(out, "version") != version || at(out, "n") != n || !shapes[shape].check(out, n, version) {
		return fmt.Errorf("a run of %s, version %d, with n = %d ended with %s", shapes[shape].name, version, n, output)
	}
	return nil
}
