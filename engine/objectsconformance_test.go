package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/engine/integration/awssdk"
	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/objectstore/dir"
	"github.com/weftworks/weft/objectstore/s3api"
)

// directoryFloors are how many cases of aws-sdk:s3 must agree in each tier when a directory takes the place of S3.
var directoryFloors = [3]int{14, 14, 14}

// encrypted is what S3 says of objects it encrypts. A directory does not, and does not say so.
var encrypted = regexp.MustCompile(`, ?"ServerSideEncryption": ?"AES256"`)

// TestConformanceDirectory runs the recorded cases of tasks that call S3 on a directory of objects.
func TestConformanceDirectory(t *testing.T) {
	t.Parallel()
	root, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/s3.jsonl")
	}
	cases, err := conformance.Load(root, "s3")
	if err != nil {
		t.Fatal(err)
	}
	var n [3]int
	total := 0
	for _, c := range cases {
		if !c.Comparable() || len(c.Machines) == 0 || !strings.Contains(c.Machines[0].Definition, ":::aws-sdk:s3:") {
			continue
		}
		total++
		for name, text := range c.Expected {
			c.Expected[name] = encrypted.ReplaceAll(text, nil)
		}
		synctest.Test(t, func(t *testing.T) {
			tiers := c.Compare(runCase(t, c, Options{Integrations: directoryServices(t, c)}))
			for i, yes := range [...]bool{tiers.T1, tiers.T2, tiers.T3} {
				if yes {
					n[i]++
				}
			}
			if !tiers.T3 {
				t.Logf("%s: %s", c.ID, tiers.Why)
			}
		})
	}
	fmt.Printf("conformance: s3 on a directory T1 %d/%d T2 %d/%d T3 %d/%d\n", n[0], total, n[1], total, n[2], total)
	for i, floor := range directoryFloors {
		if n[i] < floor {
			t.Errorf("%d cases agree in T%d, %d did before", n[i], i+1, floor)
		}
	}
}

// directoryServices are the integrations with a directory that has what a case begins with.
func directoryServices(t *testing.T, c *conformance.Case) *integration.Set {
	t.Helper()
	store, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	made := store.CreateBucket(t.Context(), "bucket-x") // a fixture's, of which no call is recorded
	for _, call := range c.APICalls {
		var args struct{ Bucket, Key, Body string }
		if call.Op != "s3.put_object" {
			continue
		}
		if err := json.Unmarshal(call.Args, &args); err != nil {
			t.Fatal(err)
		}
		w, err := store.Put(t.Context(), objectstore.Name{Bucket: args.Bucket, Key: args.Key})
		if err == nil {
			_, err = w.Write([]byte(recordedText(c, args.Body)))
		}
		if err == nil {
			_, err = w.Commit()
		}
		made = errors.Join(made, err)
	}
	set := integration.NewSet()
	err = awssdk.Register(set, awssdk.Config{Objects: s3api.New(func() (s3api.Store, error) { return store, nil })})
	if made = errors.Join(made, err); made != nil {
		t.Fatal(made)
	}
	return set
}
