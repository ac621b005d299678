package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTasksOfObjects writes an object in a task, and reads it in a distributed Map.
func TestTasksOfObjects(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "")
	t.Setenv("AWS_ENDPOINT_URL_S3", "")
	dir := files(t, map[string]string{"machine.asl.json": `{"StartAt":"Make","States":{
		"Make":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:s3:createBucket","Parameters":{"Bucket":"shop"},"ResultPath":null,"Next":"Put"},
		"Put":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:s3:putObject","Parameters":{"Bucket":"shop","Key":"a/items.json","Body":[1,2,3]},"ResultPath":null,"Next":"Each"},
		"Each":{"Type":"Map","ItemReader":{"Resource":"arn:aws:states:::s3:getObject","ReaderConfig":{"InputType":"JSON"},"Parameters":{"Bucket":"shop","Key":"a/items.json"}},
			"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"P","States":{"P":{"Type":"Pass","End":true}}},"End":true}}}`})
	data := filepath.Join(t.TempDir(), "data")
	code, stdout, stderr := weft("run", dir, "--data", data, "--name", "one")
	if code != 0 || !strings.Contains(strings.Join(strings.Fields(stdout), ""), "[1,2,3]") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	if text, err := os.ReadFile(filepath.Join(data, "objects", "shop", "a", "items.json")); err != nil || string(text) != "[1,2,3]" {
		t.Errorf("the file has %s: %v", text, err)
	}
	if code, stdout, stderr := weft("run", dir); code == 0 || !strings.Contains(stdout+stderr, "a node in memory has no directory of objects") {
		t.Errorf("in memory: exit code %d\n%s%s", code, stdout, stderr)
	}
	policy := files(t, map[string]string{"machine.asl.json": `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::aws-sdk:s3:putBucketPolicy","End":true}}}`})
	if code, stdout, stderr := weft("machines", "validate", filepath.Join(policy, "machine.asl.json")); code == 0 || !strings.Contains(stdout+stderr, "putBucketPolicy needs a server with the API of S3") {
		t.Errorf("machines validate: exit code %d\n%s%s", code, stdout, stderr)
	}
}
