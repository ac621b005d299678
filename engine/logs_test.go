package engine

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

const fails = `{"StartAt":"P","States":{"P":{"Type":"Pass","Next":"T"},"T":{"Type":"Task","Resource":"absent","End":true,
	"Catch":[{"ErrorEquals":["States.ALL"],"Next":"F"}]},"F":{"Type":"Fail","Error":"E","Cause":"C"}}}`

func logConfig(level string, data bool) map[string]json.RawMessage {
	text := fmt.Sprintf(`{"level":%q,"includeExecutionData":%t,"destinations":[{"cloudWatchLogsLogGroup":{"logGroupArn":`+
		`"arn:aws:logs:us-east-1:000000000000:log-group:/aws/states/orders:*"}}]}`, level, data)
	return map[string]json.RawMessage{"loggingConfiguration": json.RawMessage(text)}
}

// logged runs a definition once on a machine of its own and returns its log.
func logged(t *testing.T, n *Node, name, definition string, extra map[string]json.RawMessage) (lines []map[string]any, id RunID) {
	t.Helper()
	if _, err := n.CreateMachine(t.Context(), CreateMachine{Name: name, Definition: []byte(definition), Extra: extra}); err != nil {
		t.Fatal(err)
	}
	id = start(t, n, StartRun{Machine: name, Input: []byte(`{"a":1}`)}).ID
	if _, err := n.WaitRun(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	return readLog(t, n, name), id
}

func readLog(t *testing.T, n *Node, name string) (lines []map[string]any) {
	t.Helper()
	for cursor := ""; ; {
		page, err := n.MachineLogs(t.Context(), name, cursor, 2)
		if fault.Is(err, fault.ResourceNotFound) {
			return nil
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range page.Lines {
			var line map[string]any
			if err := json.Unmarshal(text, &line); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			lines = append(lines, line)
		}
		if cursor = page.Cursor; !page.More {
			return lines
		}
	}
}

func TestExecutionLogLevels(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{ExecutionLogs: "logs", FS: vfs.NewMem(), Partitions: 2})
	for name, want := range map[string]string{
		"ALL-pass": "ExecutionStarted PassStateEntered PassStateExited ExecutionSucceeded",
		"ALL-fail": "ExecutionStarted PassStateEntered PassStateExited TaskStateEntered LambdaFunctionScheduled " +
			"LambdaFunctionStarted LambdaFunctionStartFailed TaskStateExited FailStateEntered ExecutionFailed",
		"ERROR-pass": "",
		"ERROR-fail": "LambdaFunctionStartFailed FailStateEntered ExecutionFailed",
		"FATAL-pass": "",
		"FATAL-fail": "ExecutionFailed",
		"OFF-fail":   "",
	} {
		definition := pass
		if strings.HasSuffix(name, "fail") {
			definition = fails
		}
		level, _, _ := strings.Cut(name, "-")
		for _, data := range []bool{true, false} {
			full := fmt.Sprint(name, data)
			lines, id := logged(t, n, full, definition, logConfig(level, data))
			var types []string
			shown := false
			for _, line := range lines {
				types = append(types, line["type"].(string))
				if want := n.library.RunARN(id.Machine, id.Name, false); line["execution_arn"] != want {
					t.Errorf("%s: a line of %s, want %s", full, line["execution_arn"], want)
				}
				_, input := line["details"].(map[string]any)["input"]
				shown = shown || input
			}
			// A level that logs an entered state shows its input.
			wantData := data && strings.Contains(want, "Entered")
			if got := strings.Join(types, " "); got != want || shown != wantData {
				t.Errorf("%s: %s\nwant %s\ndata shown %t, want %t", full, got, want, shown, wantData)
			}
		}
	}
}

// TestExecutionLogAfterCrash crashes a node whose files have the events and perhaps not the lines.
func TestExecutionLogAfterCrash(t *testing.T) {
	t.Parallel()
	disk := vfs.NewCrashableMem()
	opts := Options{Dir: "data", FS: disk, Partitions: 2}
	n := reopen(t, opts)
	_, id := logged(t, n, "m", fails, logConfig("ALL", true))
	if _, err := n.RedriveRun(t.Context(), id, "", machine.Amendment{}); err != nil {
		t.Fatal(err)
	}
	if _, err := n.WaitRun(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	before := readLog(t, n, "m")
	for i, line := range before {
		if want := map[bool]string{false: "0", true: "1"}[i >= 10]; line["redrive_count"] != want {
			t.Errorf("%v: redrive_count is %v, want %s", line["type"], line["redrive_count"], want)
		}
	}
	opts.FS = disk.CrashClone(vfs.CrashCloneCfg{}) // nothing of the log's files, which are not synced
	n = reopen(t, opts)
	if d := cmp.Diff(before, readLog(t, n, "m")); d != "" || len(before) < 12 {
		t.Errorf("%d lines before the crash, then: %s", len(before), d)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	if after := readLog(t, reopen(t, opts), "m"); len(after) != len(before) {
		t.Errorf("%d lines after a close, want the %d of before", len(after), len(before))
	}
}

// TestLoggedMachines logs two machines to one group, one of them Express and with a Map whose children are runs.
func TestLoggedMachines(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{ExecutionLogs: "logs", FS: vfs.NewMem(), Partitions: 2})
	const children = `{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"Label":"each","ItemProcessor":{
		"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"EXPRESS"},"StartAt":"C","States":{"C":{"Type":"Pass","End":true}}},
		"Items":[1,2]}},"QueryLanguage":"JSONata"}`
	lines, _ := logged(t, n, "a", children, logConfig("ALL", false))
	count := map[string]int{}
	for _, line := range lines {
		part := strings.Split(line["execution_arn"].(string), ":")
		count[part[5]+" "+part[6]]++
	}
	if d := cmp.Diff(map[string]int{"execution a": 8, "express a/each": 8}, count); d != "" {
		t.Errorf("lines by machine: %s", d)
	}
	create := CreateMachine{Name: "b", Type: Express, Definition: []byte(pass), Extra: logConfig("ALL", false)}
	if _, err := n.CreateMachine(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	if _, err := n.WaitRun(t.Context(), start(t, n, StartRun{Machine: "b", Name: "a:1"}).ID); err != nil {
		t.Fatal(err)
	}
	if a, b := len(readLog(t, n, "a")), len(readLog(t, n, "b")); a != 16 || b != 4 {
		t.Errorf("%d and %d lines, want 16 and 4", a, b)
	}
	if got := groupName("arn:aws:logs:r:1:log-group:/x/y:*") + groupName("other"); got != "/x/yother" {
		t.Errorf("groups %q", got)
	}
}

func TestNoExecutionLogs(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	n := reopen(t, Options{Dir: "data", FS: fs, Partitions: 1, ExecutionLogs: NoExecutionLogs})
	if lines, _ := logged(t, n, "m", pass, logConfig("ALL", true)); lines != nil {
		t.Errorf("a node without logs has %v", lines)
	}
	if _, err := fs.Stat("data/logs"); err == nil {
		t.Error("a node without logs made their directory")
	}
	if _, err := n.MachineLogs(t.Context(), "none", "", 0); !fault.Is(err, fault.MachineNotFound) {
		t.Errorf("logs of no machine: %v", err)
	}
}

// TestConformanceLogs compares with what Step Functions was recorded to send to CloudWatch Logs.
func TestConformanceLogs(t *testing.T) {
	t.Parallel()
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/pure.jsonl")
	}
	cases, err := conformance.Load(dir, "callback")
	if err != nil {
		t.Fatal(err)
	}
	agree, total := 0, 0
	for _, c := range cases {
		if c.Area != "logs" || len(c.Machines) != 1 || len(c.Executions) != 1 {
			continue
		}
		total++
		var want []any
		if text := c.Expected["logged_execution_events"]; text != nil {
			if err := json.Unmarshal(text, &want); err != nil {
				t.Fatal(err)
			}
		}
		if d := cmp.Diff(want, sentLog(t, c)); d != "" {
			t.Errorf("%s: %s", c.ID, d)
			continue
		}
		agree++
	}
	fmt.Printf("conformance: logs %d/%d\n", agree, total)
	if total < 18 {
		t.Errorf("%d cases about logs, there were 18", total)
	}
}

// sentLog plays a case and returns its log as the recordings write it.
func sentLog(t *testing.T, c *conformance.Case) (log []any) {
	t.Helper()
	n := reopen(t, Options{ExecutionLogs: "logs", FS: vfs.NewMem(), Partitions: 1, Account: "111111111111", Limits: limits.AWS})
	m := c.Machines[0]
	create := CreateMachine{Name: m.Name, Definition: []byte(m.Definition), RoleARN: m.RoleARN, Extra: map[string]json.RawMessage{"loggingConfiguration": m.Logging}}
	if m.Type == "EXPRESS" {
		create.Type = Express
	}
	if _, err := n.CreateMachine(t.Context(), create); err != nil {
		t.Fatal(err)
	}
	id := start(t, n, StartRun{Machine: m.Name, Input: []byte(c.Executions[0].Input)}).ID
	if _, err := n.WaitRun(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	number := regexp.MustCompile(`^\d{13}$`)
	for _, line := range readLog(t, n, m.Name) {
		if at, _ := line["event_timestamp"].(string); number.MatchString(at) {
			line["event_timestamp"] = "timestamp"
		}
		if line["execution_arn"] == n.library.RunARN(m.Name, id.Name, create.Type == Express) {
			line["execution_arn"] = "arn:<partition>:states:<region>:111111111111:execution:<ArnPart_0idx>:<ExecArnPart_0idx>"
		}
		details, _ := line["details"].(map[string]any)
		for k, v := range details {
			text, _ := v.(string)
			var value any
			switch {
			case k == "roleArn":
				details[k] = "snf_role_arn"
			case (k == "input" || k == "output") && json.Unmarshal([]byte(text), &value) == nil:
				details[k] = value
			}
		}
		log = append(log, line)
	}
	return log
}
