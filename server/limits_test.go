package server

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/limits"
)

// TestAWSLimits meets the limits that AWS has and Weft has not, with --aws-limits and without. The year is in machine/testdata/year.txt.
func TestAWSLimits(t *testing.T) {
	t.Parallel()
	const (
		pass = `{"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}}`
		grow = `{"StartAt":"P","States":{"P":{"Type":"Pass","Parameters":{"a.$":"$.a","b.$":"$.a"},"End":true}}}`
		loop = `{"StartAt":"I","States":{"I":{"Type":"Pass","Result":0,"ResultPath":"$.n","Next":"A"},
			"A":{"Type":"Pass","Parameters":{"n.$":"States.MathAdd($.n, 1)"},"Next":"C"},
			"C":{"Type":"Choice","Choices":[{"Variable":"$.n","NumericLessThan":6500,"Next":"A"}],"Default":"S"},"S":{"Type":"Succeed"}}}`
	)
	synctest.Test(t, func(t *testing.T) {
		for _, set := range []limits.Set{limits.AWS, limits.Default} {
			n, err := engine.Open(engine.Options{Partitions: 1, Limits: set, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			s := newTestServer(t, n, func(o *Options) { o.Limits = set })
			do := func(op, format string, args ...any) string {
				return post(s, op, fmt.Sprintf(format, args...)).Body.String()
			}
			expect := func(what, got, aws, weft string) {
				t.Helper()
				if set == limits.Default {
					aws = weft
				}
				if !strings.Contains(got, aws) {
					t.Errorf("%s: %.400s\nwant %s", what, got, aws)
				}
			}
			const role = `"roleArn":"arn:aws:iam::1:role/r"`
			for name, text := range map[string]string{"pass": pass, "grow": grow, "loop": loop} {
				do("CreateStateMachine", `{"name":%q,"definition":%q,%s}`, name, text, role)
			}
			large := strings.Repeat("x", 200<<10)
			expect("a large input", do("StartExecution", `{"stateMachineArn":"pass","input":"{\"a\":\"%s%s\"}"}`, large, large), "InvalidExecutionInput", "executionArn")
			expect("a large definition", do("CreateStateMachine", `{"name":"large","definition":%q,%s}`, strings.Repeat(" ", 1<<20)+pass, role),
				"Value at 'definition' failed to satisfy constraint: Member must have length less than or equal to 1048576", "stateMachineArn")
			ends := func(machineName, input string) string {
				run := member(t, do("StartExecution", `{"stateMachineArn":%q,"input":%q}`, machineName, input), "executionArn")
				if _, err := n.WaitRun(t.Context(), engine.RunID{Machine: machineName, Name: run[strings.LastIndex(run, ":")+1:]}); err != nil {
					t.Fatal(err)
				}
				return do("DescribeExecution", `{"executionArn":%q}`, run)
			}
			expect("a state's large output", ends("grow", `{"a":"`+large+`"}`), `"error":"States.DataLimitExceeded"`, `"status":"SUCCEEDED"`)
			expect("a long history", ends("loop", "{}"),
				`"error":"States.Runtime","cause":"The execution reached the maximum number of history events (25000)."`, `"status":"SUCCEEDED"`)
			if err := n.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
