package engine

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/internal/conformance/fakes"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/objectstore/dir"
)

// mapFloors are how many cases of s3 must agree in each tier.
var mapFloors = [3]int{35, 35, 35}

// TestConformanceObjects runs the recorded executions that read and write objects through a node with the directory store.
func TestConformanceObjects(t *testing.T) {
	root, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/s3.jsonl")
	}
	cases, err := conformance.Load(root, "s3")
	if err != nil {
		t.Fatal(err)
	}
	var n [3]int
	total, left := 0, 0
	for _, c := range cases {
		if !c.Comparable() {
			left++
			continue
		}
		total++
		synctest.Test(t, func(t *testing.T) {
			run := objectCase
			if len(c.Machines) > 0 && strings.Contains(c.Machines[0].Definition, ":::aws-sdk:s3:") {
				run = serviceCase
			}
			tiers := run(t, c)
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
	fmt.Printf("conformance: s3 T1 %d/%d T2 %d/%d T3 %d/%d (left out: %d)\n", n[0], total, n[1], total, n[2], total, left)
	for i, floor := range mapFloors {
		if n[i] < floor {
			t.Errorf("%d cases agree in T%d, %d did before", n[i], i+1, floor)
		}
	}
}

// serviceCase runs a case of aws-sdk:s3, with a stand-in for the service.
func serviceCase(t *testing.T, c *conformance.Case) conformance.Tiers {
	objects := &fakes.S3{}
	set := recordedServices(t, objects)
	putRecorded(t, c, objects)
	return c.Compare(runCase(t, c, Options{Integrations: set}))
}

func objectCase(t *testing.T, c *conformance.Case) conformance.Tiers {
	time.Sleep(time.Until(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)))
	opts := Options{Partitions: 3, Region: "us-east-1", Account: "111111111111", Limits: limits.AWS, Logger: quiet(), Objects: objects(t, c)}
	opts.tune = func(c *lane.Config) { c.SnapshotInstances, c.Resident = 1, 1 }
	n, err := Open(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close() }()
	for _, m := range c.Machines {
		if _, err := n.CreateMachine(t.Context(), CreateMachine{Name: m.Name, Definition: []byte(m.Definition), RoleARN: m.RoleARN}); err != nil {
			t.Fatalf("%s: %v", c.ID, err)
		}
	}
	var answers []conformance.Answer
	for i, e := range c.Executions {
		s := StartRun{Machine: c.Machine(e.MachineARN).Name, Name: fmt.Sprintf("5d8f2f0e-0000-4000-8000-%012d", i), Input: []byte(e.Input)}
		if a, ok := answerOf(t, n, s); ok {
			answers = append(answers, a)
		}
	}
	return c.Compare(answers)
}

// objects returns a store with the objects that a case has put.
func objects(t *testing.T, c *conformance.Case) objectstore.Store {
	t.Helper()
	root := t.TempDir()
	store, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	if err := os.MkdirAll(filepath.Join(root, "result-bucket"), 0o777); err != nil { // a fixture made it, of which no call is recorded
		t.Fatal(err)
	}
	for _, call := range c.APICalls {
		var args struct{ Bucket, Key, Body string }
		if !strings.HasPrefix(call.Op, "s3.") || json.Unmarshal(call.Args, &args) != nil || args.Bucket == "" {
			continue
		}
		if err := os.MkdirAll(filepath.Join(root, args.Bucket), 0o777); err != nil {
			t.Fatal(err)
		}
		if args.Key == "" {
			continue
		}
		w, err := store.Put(t.Context(), objectstore.Name{Bucket: args.Bucket, Key: args.Key})
		if err == nil {
			_, err = w.Write([]byte(args.Body))
		}
		if err == nil {
			_, err = w.Commit()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return store
}
