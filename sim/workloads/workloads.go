// Package workloads knows the simulated workloads by name, runs many seeds of them, and keeps the graveyard: the
// seeds that once failed, which run first from then on.
//
//	err := workloads.Campaign{Seeds: 1000, Progress: os.Stdout}.Run()
package workloads

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/sim"
	"github.com/weftworks/weft/sim/bank"
	"github.com/weftworks/weft/sim/mapruns"
	"github.com/weftworks/weft/sim/runs"
	"github.com/weftworks/weft/sim/workflows"
)

var table = []struct {
	name string
	make func(*sim.World) sim.Workload
}{
	{"bank", bank.New},
	{"runs", runs.New},
	{"workflows", workflows.New},
	{"mapruns", mapruns.New},
}

// Names returns the names of the workloads.
func Names() (names []string) {
	for _, w := range table {
		names = append(names, w.name)
	}
	return names
}

// Case is one seed of one workload.
type Case struct {
	Workload string
	Seed     uint64
}

// Options returns what runs the case.
func (c Case) Options() (sim.Options, error) {
	for _, w := range table {
		if w.name == c.Workload {
			return sim.Options{Seed: c.Seed, Workload: w.make}, nil
		}
	}
	return sim.Options{}, fmt.Errorf("there is no workload %q; there are %s", c.Workload, strings.Join(Names(), ", "))
}

// Replay returns the command that runs the case again.
func (c Case) Replay(fault string) string {
	s := fmt.Sprintf("go run ./sim/cmd/weft-sim -workload %s -seed %d -v", c.Workload, c.Seed)
	if fault != "" {
		s += " -fault " + fault
	}
	return s
}

// Graveyard reads the cases of a file: one a line, workload and seed, and after # why. A file that is not there has none.
func Graveyard(path string) ([]Case, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var cases []Case
	lines := bufio.NewScanner(f)
	for n := 1; lines.Scan(); n++ {
		text, _, _ := strings.Cut(lines.Text(), "#")
		fields := strings.Fields(text)
		if len(fields) == 0 {
			continue
		}
		if len(fields) != 2 {
			return nil, fmt.Errorf("%s:%d: want a workload and a seed, have %q", path, n, text)
		}
		seed, err := strconv.ParseUint(fields[1], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: %w", path, n, err)
		}
		cases = append(cases, Case{fields[0], seed})
	}
	return cases, lines.Err()
}

// Campaign is many simulations. The zero value of a field leaves out what it is for.
type Campaign struct {
	Seeds       int    // over all workloads together
	First       uint64 // seed
	Workload    string // alone
	Fault       string // the rule to break; the campaign then succeeds when a seed notices
	OutsideOnly bool
	Workers     int       // 0: 1
	Graveyard   string    // file: its cases run first, and failing ones join it
	Progress    io.Writer // nil: nobody
	Trace       io.Writer
}

// ErrUnnoticed is what a Campaign with a Fault returns that found nothing.
var ErrUnnoticed = errors.New("a broken rule went unnoticed")

// Run runs the campaign. It returns the failure of the first failing case, with the command that replays it; with a
// Fault, nil as soon as a case fails.
func (c Campaign) Run() error {
	faults, ok := sim.FaultByName(c.Fault)
	if !ok {
		return fmt.Errorf("there is no fault %q; there are %s", c.Fault, strings.Join(sim.FaultNames, ", "))
	}
	cases, err := c.cases()
	if err != nil {
		return err
	}
	if c.Progress == nil {
		c.Progress = io.Discard
	}
	r := &runner{Campaign: c, faults: faults, total: len(cases), began: time.Now(), cases: cases}
	var group sync.WaitGroup
	for range max(1, c.Workers) {
		group.Go(r.work)
	}
	group.Wait()
	return r.finish()
}

func (c Campaign) cases() ([]Case, error) {
	cases, err := Graveyard(c.Graveyard)
	if err != nil {
		return nil, err
	}
	names := Names()
	if c.Workload != "" {
		names = []string{c.Workload}
		cases = slices.DeleteFunc(cases, func(k Case) bool { return k.Workload != c.Workload })
	}
	for i := range c.Seeds {
		cases = append(cases, Case{names[i%len(names)], c.First + uint64(i/len(names))})
	}
	return cases, nil
}

// runner is a campaign under way.
type runner struct {
	Campaign
	faults sim.Faults
	total  int
	began  time.Time

	mu     sync.Mutex
	cases  []Case
	done   int
	stats  sim.Stats
	failed Case
	err    error
	shown  time.Time
}

func (r *runner) work() {
	for {
		r.mu.Lock()
		if len(r.cases) == 0 || r.err != nil {
			r.mu.Unlock()
			return
		}
		k := r.cases[0]
		r.cases = r.cases[1:]
		r.mu.Unlock()
		o, err := k.Options()
		o.Faults, o.OutsideOnly, o.Trace = r.faults, r.OutsideOnly, r.Trace
		var result sim.Result
		if err == nil {
			result = sim.Run(o)
			err = result.Err
		}
		r.note(k, result, err)
	}
}

func (r *runner) note(k Case, result sim.Result, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done++
	r.stats.Add(result.Stats)
	if err != nil && r.err == nil {
		r.failed, r.err = k, err
	}
	if now := time.Now(); now.Sub(r.shown) > 5*time.Second && !r.shown.IsZero() || r.done == r.total {
		r.shown = now
		_, _ = fmt.Fprintf(r.Progress, "sim: %d of %d seeds, %.0f s\n", r.done, r.total, now.Sub(r.began).Seconds())
	} else if r.shown.IsZero() {
		r.shown = now
	}
}

// finish says what came of it.
func (r *runner) finish() error {
	s := r.stats
	_, _ = fmt.Fprintf(r.Progress, "sim: %d seeds in %.1f s: %d actions, %d log entries (%d lost), %d crashes (%d power cuts), %d I/O errors, %d calls (%d waited, %d refused), %d answers (%d busy), %d snapshots, %d cuts\n",
		r.done, time.Since(r.began).Seconds(), s.Actions, s.Entries, s.Lost, s.Crashes, s.PowerCuts, s.IOErrors, s.Calls, s.Waited, s.Refused, s.Answers, s.Busy, s.Snapshots, s.Cuts)
	switch {
	case r.Fault != "" && r.err == nil:
		return fmt.Errorf("%w: %s, in %d seeds", ErrUnnoticed, r.Fault, r.done)
	case r.Fault != "":
		_, _ = fmt.Fprintf(r.Progress, "sim: %s was caught by %s %d, after %d seeds: %v\n", r.Fault, r.failed.Workload, r.failed.Seed, r.done, r.err)
		return nil
	case r.err == nil:
		_, _ = fmt.Fprintf(r.Progress, "sim: nothing broke\n")
		return nil
	}
	err := fmt.Errorf("%s seed %d: %w\nreplay: %s", r.failed.Workload, r.failed.Seed, r.err, r.failed.Replay(r.Fault))
	return errors.Join(err, r.bury())
}

// bury adds the failed case to the graveyard.
func (r *runner) bury() error {
	if r.Graveyard == "" {
		return nil
	}
	known, err := Graveyard(r.Graveyard)
	if err != nil || slices.Contains(known, r.failed) {
		return err
	}
	f, err := os.OpenFile(r.Graveyard, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	reason := strings.ReplaceAll(r.err.Error(), "\n", " ")
	_, err = fmt.Fprintf(f, "%s %d # %.150s\n", r.failed.Workload, r.failed.Seed, reason)
	return errors.Join(err, f.Close())
}
