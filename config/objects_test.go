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
