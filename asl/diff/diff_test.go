package diff

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/asl"
)

func parse(t *testing.T, text string) *asl.Machine {
	t.Helper()
	m, problems := asl.Parse([]byte(text), asl.Options{Integrations: asl.AnyIntegration})
	if len(problems) > 0 {
		t.Fatalf("%v\n%s", problems, text)
	}
	return m
}

const before = `{"Comment": "old", "StartAt": "Charge", "TimeoutSeconds": 60, "States": {
  "Charge": {"Type": "Task", "Resource": "charge", "TimeoutSeconds": 5, "Next": "Fan out",
    "Retry": [{"ErrorEquals": ["A"], "MaxAttempts": 1}, {"ErrorEquals": ["States.ALL"]}]},
  "Fan out": {"Type": "Parallel", "Next": "Each", "Branches": [
    {"StartAt": "Left", "States": {"Left": {"Type": "Pass", "End": true}}},
    {"StartAt": "Right", "States": {"Right": {"Type": "Pass", "Result": {"a": 1, "b": [1, 2]}, "End": true}}}]},
  "Each": {"Type": "Map", "Next": "Gone", "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, "StartAt": "One", "States": {"One": {"Type": "Wait", "Seconds": 1, "End": true}}}},
  "Gone": {"Type": "Succeed"}}}`

func edit(pairs ...string) string { return strings.NewReplacer(pairs...).Replace(before) }

func TestMachines(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, after string
		want        []string
	}{
		{"nothing", before, nil},
		{"another spelling", edit(`"TimeoutSeconds": 60`, `"TimeoutSeconds": 60.0`, `"a": 1, "b": [1, 2]`, `"b":[1,2e0], "a":1`), nil},
		{"the machine", edit(`"Comment": "old", `, `"Version": "1.0", `, `: 60`, `: 61`), []string{
			`removed  Comment $.Comment "old" `, `changed  TimeoutSeconds $.TimeoutSeconds 60 61`, `added  Version $.Version  "1.0"`}},
		{"a state's field", edit(`"TimeoutSeconds": 5`, `"TimeoutSeconds": 6`), []string{`changed Charge TimeoutSeconds $.States.Charge.TimeoutSeconds 5 6`}},
		{"a retrier before the others", edit(`"Retry": [`, `"Retry": [{"ErrorEquals": ["B"]}, `), []string{
			`added Charge Retry[0] $.States.Charge.Retry[0]  {"ErrorEquals":["B"]}`}},
		{"a retrier's field", edit(`"MaxAttempts": 1`, `"MaxAttempts": 2`), []string{
			`changed Charge Retry[0].MaxAttempts $.States.Charge.Retry[0].MaxAttempts 1 2`}},
		{"a retrier less", edit(`, {"ErrorEquals": ["States.ALL"]}`, ``), []string{
			`removed Charge Retry[1] $.States.Charge.Retry[1] {"ErrorEquals":["States.ALL"]} `}},
		{"another state", edit(`"Next": "Gone"`, `"Next": "New"`, `"Gone": {"Type": "Succeed"}`, `"New": {"Type": "Succeed"}`), []string{
			`changed Each Next $.States.Each.Next "Gone" "New"`, `removed Gone  $.States.Gone {"Type":"Succeed"} `, `added New  $.States.New  {"Type":"Succeed"}`}},
		{"in a branch", edit(`"b": [1, 2]`, `"b": [1]`), []string{
			`removed Right Result.b[1] $.States['Fan out'].Branches[1].States.Right.Result.b[1] 2 `}},
		{"in a processor", edit(`"Seconds": 1`, `"Seconds": 2`, `"INLINE"`, `"DISTRIBUTED", "ExecutionType": "STANDARD"`), []string{
			`changed Each ItemProcessor.ProcessorConfig.Mode $.States.Each.ItemProcessor.ProcessorConfig.Mode "INLINE" "DISTRIBUTED"`,
			`added Each ItemProcessor.ProcessorConfig.ExecutionType $.States.Each.ItemProcessor.ProcessorConfig.ExecutionType  "STANDARD"`,
			`changed One Seconds $.States.Each.ItemProcessor.States.One.Seconds 1 2`}},
		{"a branch less", edit("{\"StartAt\": \"Left\", \"States\": {\"Left\": {\"Type\": \"Pass\", \"End\": true}}},\n", ""), []string{
			`removed Fan out Branches[0] $.States['Fan out'].Branches[0] {"StartAt":"Left","States":{"Left":{"Type":"Pass","End":true}}} `}},
		{"another type", edit(`"Gone": {"Type": "Succeed"}`, `"Gone": {"Type": "Fail", "Error": "E"}`), []string{
			`changed Gone Type $.States.Gone.Type "Succeed" "Fail"`, `added Gone Error $.States.Gone.Error  "E"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for _, x := range Machines(parse(t, before), parse(t, c.after)) {
				got = append(got, fmt.Sprintf("%s %s %s %s %s %s", x.Kind, x.State, x.Field, x.Path, x.Old, x.New))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Errorf("-want +got\n%s", d)
			}
		})
	}
}
