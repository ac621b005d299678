package engine

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// passing returns the definition of a machine whose runs end with n.
func passing(n int) string {
	return fmt.Sprintf(`{"StartAt":"P","States":{"P":{"Type":"Pass","Result":%d,"End":true}}}`, n)
}

// publish gives a machine a definition and publishes it.
func publish(t testing.TB, n *Node, name, definition string) {
	t.Helper()
	if _, err := n.UpdateMachine(t.Context(), UpdateMachine{Name: name, Definition: []byte(definition), Publish: true}); err != nil {
		t.Fatal(err)
	}
}

// TestVersionsSurviveReopen holds that versions and aliases, and how runs were started by them, are there again when a
// node is, be it from its log or from its store.
func TestVersionsSurviveReopen(t *testing.T) {
	t.Parallel()
	opts := Options{Dir: t.TempDir(), Partitions: 4}
	n := reopen(t, opts)
	create(t, n, "m", passing(0))
	publish(t, n, "m", passing(1))
	publish(t, n, "m", passing(2))
	about := "all of it"
	alias := SetAlias{Machine: "m", Name: "prod", Description: &about, Routes: []Route{{Version: 1, Weight: 100}}}
	if _, err := n.CreateAlias(t.Context(), alias); err != nil {
		t.Fatal(err)
	}
	before, err := n.Machine(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		if err := n.Close(); err != nil {
			t.Fatal(err)
		}
		n = reopen(t, opts)
		after, err := n.Machine(t.Context(), "m")
		if err != nil || !reflect.DeepEqual(before, after) {
			t.Fatalf("round %d: the machine was %+v and is %+v, %v", round, before, after, err)
		}
		for what, s := range map[string]StartRun{"1": {Version: 1}, "2": {Version: 2}, "1 ": {Alias: "prod"}} {
			s.Machine, s.Name = "m", fmt.Sprintf("r%d%s%s", round, s.Alias, what)
			run := wait(t, n, start(t, n, s).ID)
			if string(run.Output) != what[:1] || fmt.Sprint(run.Version) != what[:1] || run.Alias != s.Alias {
				t.Errorf("round %d: a run of %+v is %+v", round, s, run)
			}
		}
	}
	page, err := n.ListRuns(t.Context(), ListRuns{Machine: "m", Alias: "prod"})
	if err != nil || len(page.Runs) != 3 || page.Runs[0].Version != 1 || page.Runs[0].Alias != "prod" {
		t.Errorf("runs of the alias: %+v, %v", page, err)
	}
	page, err = n.ListRuns(t.Context(), ListRuns{Machine: "m", Version: 1, Status: machine.Succeeded})
	if err != nil || len(page.Runs) != 6 {
		t.Errorf("runs of version 1: %+v, %v", page, err)
	}
}

// TestDeletedVersion holds that a version that is gone takes its definition along, but not that of its runs.
func TestDeletedVersion(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{})
	create(t, n, "m", waits)
	publish(t, n, "m", waits+" ")
	run := start(t, n, StartRun{Machine: "m", Version: 1})
	publish(t, n, "m", passing(2))
	if err := n.DeleteVersion(t.Context(), "m", 1); err != nil {
		t.Fatal(err)
	}
	_, err := n.StartRun(t.Context(), StartRun{Machine: "m", Version: 1})
	wantKind(t, err, fault.MachineNotFound)
	_, err = n.MachineVersion(t.Context(), "m", 1)
	wantKind(t, err, fault.MachineNotFound)
	of, err := n.RunDefinition(t.Context(), run.ID)
	if err != nil || string(of.Definition) != waits+" " {
		t.Errorf("the run's definition is %+v, %v", of, err)
	}
}

// TestAliasShares holds that starts by an alias go to its versions by their weights.
func TestAliasShares(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{})
	create(t, n, "m", passing(0))
	publish(t, n, "m", passing(1))
	publish(t, n, "m", passing(2))
	if _, err := n.CreateAlias(t.Context(), SetAlias{Machine: "m", Name: "a", Routes: []Route{{Version: 1, Weight: 80}, {Version: 2, Weight: 20}}}); err != nil {
		t.Fatal(err)
	}
	shares := map[int]int{}
	for range 1000 {
		shares[start(t, n, StartRun{Machine: "m", Alias: "a"}).Version]++
	}
	if len(shares) != 2 || shares[2] < 120 || shares[2] > 280 { // 6 standard deviations
		t.Errorf("shares are %v", shares)
	}
}

// TestTooManyVersions holds the bounds of versions and aliases.
func TestTooManyVersions(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{})
	create(t, n, "m", passing(0))
	for i := range limits.Versions {
		publish(t, n, "m", passing(i+1))
	}
	_, err := n.UpdateMachine(t.Context(), UpdateMachine{Name: "m", Definition: []byte(passing(-1)), Publish: true})
	wantKind(t, err, fault.LimitExceeded)
	if m, err := n.Machine(t.Context(), "m"); err != nil || string(m.Definition) != passing(limits.Versions) {
		t.Errorf("a refused update has changed it: %+v, %v", m, err)
	}
	publish(t, n, "m", passing(limits.Versions)) // is one already
	for i := range limits.Aliases + 1 {
		_, err = n.CreateAlias(t.Context(), SetAlias{Machine: "m", Name: fmt.Sprint("a", i), Routes: []Route{{Version: 1, Weight: 100}}})
		if i < limits.Aliases && err != nil {
			t.Fatal(err)
		}
	}
	wantKind(t, err, fault.LimitExceeded)
}
