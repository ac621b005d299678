package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftworks/weft/cli/client"
)

const importing = `{"StartAt":"Each","States":{"Each":{"Type":"Map","Label":"each","End":true,
  "ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSONL"},"Parameters":{"Bucket":"orders","Key":"o.jsonl"}},
  "ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"No","States":{"No":{"Type":"Fail","Error":"No"}}}}}}`

func TestMapRunsOfAServer(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	bucket := filepath.Join(data, "objects", "orders")
	if err := os.MkdirAll(bucket, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bucket, "o.jsonl"), []byte("1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, _ := startServer(t, nil, "serve", "--data", data)
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	s.run(0, "machines", "create", "import", filepath.Join(files(t, map[string]string{"i.asl.json": importing}), "i.asl.json"))
	s.run(1, "runs", "start", "import", "--name", "monday", "--wait", "--quiet")

	out, _ := s.run(0, "mapruns", "list", "import/monday", "--json")
	var m client.MapRun
	if err := json.Unmarshal([]byte(out), &m); err != nil || m.Status != "FAILED" || m.Items.Failed != 1 {
		t.Fatalf("mapruns list --json, an object a line: %v\n%s", err, out)
	}
	out, _ = s.run(0, "mapruns", "show", m.ARN)
	says(t, "mapruns show", out, "1 failed")
	out, _ = s.run(0, "runs", "list", m.ARN, "--status", "failed", "--json")
	var child runLine
	if err := json.Unmarshal([]byte(out), &child); err != nil || !strings.HasPrefix(child.Run, "import/each/") {
		t.Fatalf("runs list of a Map Run: %v\n%s", err, out)
	}
	out, _ = s.run(0, "runs", "show", child.Run)
	says(t, "runs show of a child", out, child.ARN)
	s.run(2, "mapruns", "update", m.ARN)
	s.run(2, "mapruns", "update", m.ARN, "--tolerated-percentage", "101")
}
