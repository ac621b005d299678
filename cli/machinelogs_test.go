package cli

import (
	"strings"
	"testing"

	"github.com/weftworks/weft/cli/client"
)

func TestMachineLogs(t *testing.T) {
	t.Parallel()
	url, _ := startServer(t, nil, "serve", "--data", t.TempDir())
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	c, err := client.New(url, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, level := range map[string]string{"loud": "ALL", "quiet": "OFF"} {
		group := map[string]any{"cloudWatchLogsLogGroup": map[string]any{"logGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:g:*"}}
		in := map[string]any{"name": name, "definition": branches, "roleArn": roleARN,
			"loggingConfiguration": map[string]any{"level": level, "includeExecutionData": true, "destinations": []any{group}}}
		var out struct{}
		if err := c.Call(t.Context(), "CreateStateMachine", in, &out); err != nil {
			t.Fatal(err)
		}
		s.run(0, "runs", "start", name, "--input", `{"ok":true}`, "--wait")
	}
	out, _ := s.run(0, "machines", "logs", "loud")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 6 || !strings.HasPrefix(lines[0], `{"id":"1","type":"ExecutionStarted","details":{"input":"{\"ok\":true}"`) {
		t.Errorf("the log is\n%s", out)
	}
	if _, stderr := s.run(3, "machines", "logs", "quiet"); !strings.Contains(stderr, "loggingConfiguration") {
		t.Errorf("a machine that logs nothing: %s", stderr)
	}
	s.run(3, "machines", "logs", "absent")
}
