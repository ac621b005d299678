package mapruns

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/sim"
)

// childRun is one as the log has it.
type childRun struct {
	name  string
	last  told
	items []int
}

// Check implements sim.Workload.
func (b *MapRuns) Check(truth *sim.Fold) error {
	children := make(map[string][]childRun) // by Map Run
	mapRuns := make(map[string][]string)    // by run
	for _, key := range truth.Keys() {
		var err error
		if name, ok := strings.CutPrefix(key, "run each/"); ok {
			err = addChild(children, name, truth.History(key))
		} else if strings.HasPrefix(key, "maprun/") {
			var v statemachine.MapRunView
			err = json.Unmarshal([]byte(truth.History(key)[0]), &v)
			mapRuns[v.Parent] = append(mapRuns[v.Parent], key)
		} else if strings.HasPrefix(key, "stopped ") {
			err = fmt.Errorf("goes on: %s", truth.History(key)[0])
		}
		if err != nil {
			return fmt.Errorf("%s: %w", key, err)
		}
	}
	if err := checkStops(truth); err != nil {
		return err
	}
	for _, c := range b.clients {
		if err := b.checkClient(c, truth, mapRuns[c.name], children); err != nil {
			return fmt.Errorf("%s of %d items, bad %v, healed %v, stopped %v, redriven %v: %w", c.name, c.n, c.bad, c.healed, c.stopped, c.redrove, err)
		}
	}
	return nil
}

// checkStops holds that every Map Run that was stopped told all child runs in flight.
func checkStops(truth *sim.Fold) error {
	owed := make(map[string]int)
	for _, key := range truth.Keys() {
		if name, ok := strings.CutPrefix(key, "owes "); ok {
			n, err := strconv.Atoi(truth.History(key)[0])
			if err != nil {
				return err
			}
			name = name[:strings.LastIndexByte(name, '#')]
			owed[name] += n
		}
	}
	for name, n := range owed {
		if got := len(truth.History("stops " + name)); got < n {
			return fmt.Errorf("%s was stopped with %d child runs in flight, and %d were told", name, n, got)
		}
	}
	return nil
}

func addChild(children map[string][]childRun, name string, history []string) error {
	c := childRun{name: name[strings.LastIndexByte(name, '/')+1:]}
	done := false
	for _, line := range history {
		if done {
			return errors.New("goes on after it succeeded")
		}
		c.last = told{}
		if err := json.Unmarshal([]byte(line), &c.last); err != nil {
			return err
		}
		done = c.last.Status == machine.Succeeded
	}
	if c.last.Status == machine.Running {
		return errors.New("still runs")
	}
	var in struct {
		N     *int
		Items []struct{ N int }
	}
	if err := json.Unmarshal(c.last.Input, &in); err != nil {
		return err
	}
	if in.N != nil {
		c.items = []int{*in.N}
	}
	for _, item := range in.Items {
		c.items = append(c.items, item.N)
	}
	children[c.last.MapRun] = append(children[c.last.MapRun], c)
	return nil
}

// checkClient holds that a run ended as it must, and its Map Run as well.
func (b *MapRuns) checkClient(c *client, truth *sim.Fold, mapRuns []string, children map[string][]childRun) error {
	history := truth.History("run " + c.name)
	if len(history) == 0 {
		if c.acked {
			return errors.New("was acknowledged and never happened")
		}
		return nil
	}
	var run told
	if err := json.Unmarshal([]byte(history[len(history)-1]), &run); err != nil {
		return err
	}
	if !c.stopped && !c.redrove {
		want := machine.Succeeded
		if c.shape.fails(c.bad, c.n) {
			want = machine.Failed
		}
		if run.Status != want {
			return fmt.Errorf("ended as %s %s", run.Status, run.Error)
		}
	}
	if run.Status != machine.Succeeded && !c.leaves {
		return fmt.Errorf("ended as %s %s although its client redrives it", run.Status, run.Error)
	}
	if len(mapRuns) > 1 || len(mapRuns) == 0 && run.Status == machine.Succeeded {
		return fmt.Errorf("has the Map Runs %q", mapRuns)
	}
	for _, name := range mapRuns {
		if err := b.checkMapRun(c, &run, truth.History(name), children[name]); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func (b *MapRuns) checkMapRun(c *client, run *told, history []string, children []childRun) error {
	var v statemachine.MapRunView
	for _, line := range history {
		v = statemachine.MapRunView{}
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			return err
		}
		for _, counts := range [...]statemachine.Counts{v.Items, v.Children} {
			if min(counts.Pending, counts.Running, counts.Succeeded, counts.Failed, counts.TimedOut, counts.Aborted) < 0 || counts.Total > int64(c.n) {
				return fmt.Errorf("counted %s", line)
			}
		}
	}
	if v.Status != run.Status && (run.Status != machine.Aborted || v.Status <= machine.Running) { // a stop may cross its end
		return fmt.Errorf("ended as %s and its run as %s", v.Status, run.Status)
	}
	var items, runs statemachine.Counts
	seen := make(map[int]string)
	for _, o := range children {
		for _, i := range o.items {
			if seen[i] != "" {
				return fmt.Errorf("the item %d is of %s and of %s", i, seen[i], o.name)
			}
			seen[i] = o.name
		}
		count(&items, o.last.Status, int64(len(o.items)))
		count(&runs, o.last.Status, 1)
	}
	if v.Status == machine.Succeeded && len(seen) != c.n {
		return fmt.Errorf("only %d items have child runs", len(seen))
	}
	if err := same(v.Items, items, v.Status); err != nil {
		return fmt.Errorf("items: %w", err)
	}
	if err := same(v.Children, runs, v.Status); err != nil {
		return fmt.Errorf("child runs: %w", err)
	}
	if v.Status == machine.Aborted {
		return nil
	}
	if c.shape.exports {
		return b.checkExport(&v, c, children)
	}
	if run.Status == machine.Succeeded {
		return checkOutput(run, c, items.Succeeded)
	}
	return nil
}

func count(c *statemachine.Counts, status machine.Status, n int64) {
	switch status {
	case machine.Succeeded:
		c.Succeeded += n
	case machine.Failed:
		c.Failed += n
	case machine.TimedOut:
		c.TimedOut += n
	case machine.Aborted:
		c.Aborted += n
	}
}

// same holds that a Map Run that has ended counted what its child runs came to. Those that it was to start again, and did
// not come to, are pending.
func same(got, want statemachine.Counts, status machine.Status) error {
	again := want.Failed - got.Failed + want.TimedOut - got.TimedOut + want.Aborted - got.Aborted
	if got.Succeeded != want.Succeeded || got.Failed > want.Failed || got.TimedOut > want.TimedOut || got.Aborted > want.Aborted || got.Running != 0 ||
		again > got.Pending || status == machine.Succeeded && got.Pending != 0 {
		return fmt.Errorf("counted %+v, and its child runs came to %+v", got, want)
	}
	return nil
}

// checkOutput holds that the run has each result once, in order.
func checkOutput(run *told, c *client, succeeded int64) error {
	var list []worked
	if err := json.Unmarshal(run.Output, &list); err != nil {
		return err
	}
	last, n := -1, int64(0)
	for _, r := range list {
		for _, i := range r.Ns {
			if i <= last || i >= c.n {
				return fmt.Errorf("the output is %s", run.Output)
			}
			last = i
			n++
		}
	}
	if n != succeeded {
		return fmt.Errorf("%d items succeeded and the output is %s", succeeded, run.Output)
	}
	return nil
}

// checkExport holds that the files that the manifest names have the result of each child run once.
func (b *MapRuns) checkExport(v *statemachine.MapRunView, c *client, children []childRun) error {
	folder := c.run + "/" + v.Name[strings.LastIndexByte(v.Name, ':')+1:] + "/"
	var manifest struct {
		ResultFiles map[string][]struct{ Key string }
	}
	if err := json.Unmarshal(b.objects.bytes[objectstore.Name{Bucket: "out", Key: folder + "manifest.json"}], &manifest); err != nil {
		return fmt.Errorf("the manifest: %w", err)
	}
	found := make(map[string]int)
	for _, files := range manifest.ResultFiles {
		for _, file := range files {
			for line := range bytes.Lines(b.objects.bytes[objectstore.Name{Bucket: "out", Key: file.Key}]) {
				var r struct{ Name, Status, Output string }
				if err := json.Unmarshal(line, &r); err != nil {
					return fmt.Errorf("%s: %w", file.Key, err)
				}
				i := slices.IndexFunc(children, func(o childRun) bool { return o.name == r.Name })
				if i < 0 || children[i].last.Status.String() != r.Status || string(children[i].last.Output) != r.Output && r.Output != "" {
					return fmt.Errorf("%s has %s, which is not how it was: %+v", file.Key, line, children)
				}
				found[r.Name]++
			}
		}
	}
	for _, o := range children {
		if found[o.name] != 1 {
			return fmt.Errorf("the files have the result of %s %d times", o.name, found[o.name])
		}
	}
	return nil
}
