package cli

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftworks/weft/cli/client"
)

func TestActivitiesOfAServer(t *testing.T) {
	t.Parallel()
	url, _ := startServer(t, nil, "serve", "--data", t.TempDir())
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	_, stderr := s.run(3, "activities", "poll", "pick")
	says(t, "an activity that is not there", stderr, "weft activities list")
	out, _ := s.run(0, "activities", "create", "pick", "--json")
	var made client.Activity
	if err := json.Unmarshal([]byte(out), &made); err != nil || !strings.HasSuffix(made.ARN, ":activity:pick") {
		t.Fatalf("create --json: %v\n%s", err, out)
	}
	out, _ = s.run(0, "activities", "list")
	says(t, "activities list", out, made.ARN)
	definition := `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"` + made.ARN + `","HeartbeatSeconds":600,"End":true}}}`
	s.run(0, "machines", "create", "order", filepath.Join(files(t, map[string]string{"order.asl.json": definition}), "order.asl.json"))
	for _, end := range []string{"succeed", "fail"} {
		s.run(0, "runs", "start", "order", "--input", `{"n":1}`, "--name", end)
		out, _ = s.run(0, "activities", "poll", "pick", "--json", "--worker", "w")
		var task client.Task
		if err := json.Unmarshal([]byte(out), &task); err != nil || task.Input != `{"n":1}` {
			t.Fatalf("poll --json: %v\n%s", err, out)
		}
		s.run(0, "activities", "heartbeat", task.Token)
		s.run(0, "activities", end, task.Token)
		s.run(4, "activities", end, task.Token)
	}
	out, _ = s.run(0, "runs", "history", "order/succeed")
	says(t, "the history", out, "ActivityStarted")
	s.run(0, "activities", "delete", "pick")
	_, stderr = s.run(0, "activities", "list")
	says(t, "an empty list", stderr, "no activities")
}
