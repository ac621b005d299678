package resultwriter

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/objectstore/dir"
)

const arn = "arn:aws:states:us-east-1:123456789012:mapRun:machine/Label:0f1e"

func bucket(t *testing.T) objectstore.Store {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "out"), 0o777); err != nil {
		t.Fatal(err)
	}
	store, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// written returns what the bucket has, by key.
func written(t *testing.T, store objectstore.Store) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for info, err := range store.List(t.Context(), "out", "", "") {
		if err != nil {
			t.Fatal(err)
		}
		o, err := store.Get(t.Context(), objectstore.Name{Bucket: "out", Key: info.Key}, objectstore.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(o.Body)
		if err != nil {
			t.Fatal(err)
		}
		_ = o.Body.Close()
		texts[info.Key] = string(text)
	}
	return texts
}

func write(t *testing.T, store objectstore.Store, c Config, results ...Result) (output string) {
	t.Helper()
	w, err := New(t.Context(), store, c, arn)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if err := w.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	text, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func ok(output string) Result { return Result{Status: "SUCCEEDED", Output: []byte(output)} }

func TestFiles(t *testing.T) {
	t.Parallel()
	failure := Result{Status: "FAILED", Error: "E", Input: []byte(`1`)}
	const wantFailure = `{"Error":"E","Input":"1","InputDetails":{"Included":true},"OutputDetails":{"Included":true},"Status":"FAILED"}`
	for _, c := range []struct {
		name    string
		config  Config
		results []Result
		want    map[string]string
	}{
		{"compact", Config{Transformation: Compact}, []Result{ok(`1`), ok(`[2, 3]`), failure}, map[string]string{
			"SUCCEEDED_0.json": `[1,[2,3]]`, "FAILED_0.json": "[" + wantFailure + "]",
		}},
		{"flatten", Config{Transformation: Flatten}, []Result{ok(`[]`), ok(`1`), ok(` [2,[3], {"a": 4.50}]`)}, map[string]string{"SUCCEEDED_0.json": `[1,2,[3],{"a":4.50}]`}},
		{"lines", Config{Transformation: Flatten, OutputType: JSONL}, []Result{ok(`[1,2]`), ok("{\n}")}, map[string]string{"SUCCEEDED_0.jsonl": "1\n2\n{}\n"}},
		{"rotation", Config{Transformation: Compact, FileBytes: int64(len(`[1,2]`))}, []Result{ok(`1`), ok(`2`), ok(`3`), ok(`"large one"`), ok(`4`)}, map[string]string{
			"SUCCEEDED_0.json": `[1,2]`, "SUCCEEDED_1.json": `[3]`, "SUCCEEDED_2.json": `["large one"]`, "SUCCEEDED_3.json": `[4]`,
		}},
		{"other ends", Config{}, []Result{{Status: "TIMED_OUT"}, {Status: "ABORTED"}, {Status: Pending, Input: []byte(`{}`)}}, map[string]string{
			"FAILED_0.json": `[{"InputDetails":{"Included":true},"OutputDetails":{"Included":true},"Status":"TIMED_OUT"},` +
				`{"InputDetails":{"Included":true},"OutputDetails":{"Included":true},"Status":"ABORTED"}]`,
			"PENDING_0.json": `[{"Input":"{}","InputDetails":{"Included":true},"Status":"PENDING"}]`,
		}},
		{"nothing", Config{}, nil, map[string]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			store := bucket(t)
			c.config.Bucket = "out"
			if got, want := write(t, store, c.config, c.results...), `{"MapRunArn":"`+arn+`","ResultWriterDetails":{"Bucket":"out","Key":"0f1e/manifest.json"}}`; got != want {
				t.Errorf("output %s, want %s", got, want)
			}
			got := written(t, store)
			var manifest struct {
				DestinationBucket, MapRunArn string
				ResultFiles                  map[string][]struct {
					Key  string
					Size int
				}
			}
			if err := json.Unmarshal([]byte(got["0f1e/manifest.json"]), &manifest); err != nil {
				t.Fatal(err)
			}
			if manifest.DestinationBucket != "out" || manifest.MapRunArn != arn || len(manifest.ResultFiles) != 3 {
				t.Errorf("manifest %s", got["0f1e/manifest.json"])
			}
			named := map[string]string{}
			for class, list := range manifest.ResultFiles {
				for _, f := range list {
					if f.Size != len(got[f.Key]) || !strings.HasPrefix(f.Key, "0f1e/"+class+"_") {
						t.Errorf("%s is said to have %d bytes, and has %d", f.Key, f.Size, len(got[f.Key]))
					}
					named[strings.TrimPrefix(f.Key, "0f1e/")] = got[f.Key]
				}
			}
			if diff := cmp.Diff(c.want, named); diff != "" {
				t.Errorf("files of the manifest (-want +got):\n%s", diff)
			}
			if len(got) != len(named)+1 {
				t.Errorf("%d objects, %d of them in the manifest", len(got), len(named))
			}
		})
	}
}

func TestResultIsWhole(t *testing.T) {
	t.Parallel()
	store := bucket(t)
	start := time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.FixedZone("", 3600))
	output := write(t, store, Config{Bucket: "out", Prefix: "jobs/a/"}, Result{
		ExecutionArn: "arn:child", StateMachineArn: "arn:machine/Label", Name: "n", Status: "SUCCEEDED", Input: []byte(`{"a":1}`), Output: []byte(`[2]`),
		Start: start, Stop: start.Add(time.Second), RedriveStatus: "NOT_REDRIVABLE", RedriveStatusReason: "why",
	})
	if !strings.Contains(output, `"Key":"jobs/a/0f1e/manifest.json"`) {
		t.Errorf("output %s", output)
	}
	const want = `[{"ExecutionArn":"arn:child","Input":"{\"a\":1}","InputDetails":{"Included":true},"Name":"n","Output":"[2]",` +
		`"OutputDetails":{"Included":true},"RedriveCount":0,"RedriveStatus":"NOT_REDRIVABLE","RedriveStatusReason":"why",` +
		`"StartDate":"2026-01-02T02:04:05.678Z","StateMachineArn":"arn:machine/Label","Status":"SUCCEEDED","StopDate":"2026-01-02T02:04:06.678Z"}]`
	if diff := cmp.Diff(want, written(t, store)["jobs/a/0f1e/SUCCEEDED_0.json"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMissingBucket(t *testing.T) {
	t.Parallel()
	w, err := New(t.Context(), bucket(t), Config{Bucket: "missing"}, arn)
	if err != nil {
		t.Fatal(err)
	}
	for what, err := range map[string]error{"Add": w.Add(ok(`1`)), "Close": func() error { _, err := w.Close(); return err }()} {
		if !objectstore.IsCode(err, objectstore.NoSuchBucket) || !strings.HasPrefix(objectstore.Cause(err), "The specified bucket does not exist (Service: S3, Status Code: 404") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	t.Parallel()
	store := bucket(t)
	w, err := New(t.Context(), store, Config{Bucket: "out"}, arn)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if err := w.Add(ok(fmt.Sprint(i))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Abort(); err != nil {
		t.Error(err)
	}
	if got := written(t, store); len(got) != 0 {
		t.Errorf("there is %v", got)
	}
}
