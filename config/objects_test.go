package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/weftworks/weft/objectstore/dir"
	"github.com/weftworks/weft/objectstore/s3"
)

func TestObjects(t *testing.T) {
	t.Parallel()
	root, data := t.TempDir(), t.TempDir()
	for text, want := range map[string]Objects{
		"":                                     {},
		"objects: s3":                          {S3: true},
		"objects: ./buckets":                   {Directory: filepath.Join(root, "buckets")},
		"objects: " + filepath.Join(root, "s"): {Directory: filepath.Join(root, "s")},
	} {
		c, err := Parse("weft.yaml", root, []byte(text+"\naws: {endpoints: {s3: \"http://127.0.0.1:1\"}}"))
		if err != nil || c.Objects != want {
			t.Errorf("%q: %+v, %v; want %+v", text, c, err, want)
			continue
		}
		store, end, err := c.OpenObjects(t.Context(), data)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		switch store.(type) {
		case *s3.Store:
			if !want.S3 {
				t.Errorf("%q opens S3", text)
			}
		case *dir.Store:
			if want.S3 {
				t.Errorf("%q opens a directory", text)
			}
		}
		if err := end(); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(filepath.Join(data, "objects")); err != nil {
		t.Errorf("the default is not in the data directory: %v", err)
	}
	if _, err := Parse("weft.yaml", root, []byte("objects: {directory: x}")); err == nil || !strings.Contains(err.Error(), "this is a text") {
		t.Errorf("a mapping: %v", err)
	}
}

func TestExecutionLogs(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for text, want := range map[string]string{"": "", "executionLogs: off": "off", "executionLogs: ./x": filepath.Join(root, "x")} {
		if c, err := Parse("weft.yaml", root, []byte(text)); err != nil || c.ExecutionLogs != want {
			t.Errorf("%q: %+v, %v; want %q", text, c, err, want)
		}
	}
	if _, err := Parse("weft.yaml", root, []byte("executionLogs: [x]")); err == nil || !strings.Contains(err.Error(), "this is a text") {
		t.Errorf("a list: %v", err)
	}
}

// TestTasksOfS3 asks which actions of S3 tasks may use: those of the directory, unless there is a server.
func TestTasksOfS3(t *testing.T) {
	const some, all = "aws-sdk:s3:putObject", "aws-sdk:s3:putBucketPolicy"
	for _, tc := range []struct {
		text, variable string
		local          bool
	}{
		{"{}", "", true},
		{"objects: ./buckets", "", true},
		{"aws: {region: eu-north-1, endpoints: {sqs: \"http://127.0.0.1:1\"}}", "AWS_ENDPOINT_URL_SQS", true},
		{"objects: s3", "", false},
		{"aws: {endpoints: {s3: \"http://127.0.0.1:1\"}}", "", false},
		{"{}", "AWS_ENDPOINT_URL_S3", false},
		{"{}", "AWS_ENDPOINT_URL", false},
	} {
		for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
			t.Setenv(name, "")
		}
		if tc.variable != "" {
			t.Setenv(tc.variable, "http://127.0.0.1:1")
		}
		c, err := Parse("weft.yaml", t.TempDir(), []byte(tc.text))
		if err != nil {
			t.Fatal(err)
		}
		set, err := c.Integrations(Services{})
		if err != nil {
			t.Fatal(err)
		}
		if !set.Supports(some, "") || set.Supports(all, "") == tc.local || strings.Contains(set.Help(all), "needs a server") != tc.local {
			t.Errorf("%q %s: %s", tc.text, tc.variable, set.Help(all))
		}
		if err := set.Close(); err != nil {
			t.Error(err)
		}
	}
}
