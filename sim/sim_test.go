package sim_test

import (
	"flag"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/weftworks/weft/sim"
	"github.com/weftworks/weft/sim/workflows"
	"github.com/weftworks/weft/sim/workloads"
)

var (
	seeds    = flag.Int("seeds", 800, "how many seeds TestSeeds runs")
	seed     = flag.Uint64("seed", 0, "the one seed TestSeed runs, of -workload")
	workload = flag.String("workload", "bank", "what TestSeed runs")
	every    = flag.Int64("every", 4, "which accesses to the disk TestCrashAtEveryAccess crashes at")
)

const graveyard = "testdata/graveyard.txt"

// TestSeeds runs the graveyard and then fresh seeds. (make sim runs 10,000.)
func TestSeeds(t *testing.T) {
	n := *seeds
	if testing.Short() {
		n /= 10
	}
	var progress strings.Builder
	err := workloads.Campaign{Seeds: n, First: 1, Workers: runtime.NumCPU(), Graveyard: graveyard, Progress: &progress}.Run()
	t.Log(progress.String())
	if err != nil {
		t.Fatal(err)
	}
}

// TestSeed runs one seed with all that happens in it.
func TestSeed(t *testing.T) {
	if *seed == 0 {
		t.Skip("choose a seed with -seed and -workload")
	}
	o, err := workloads.Case{Workload: *workload, Seed: *seed}.Options()
	if err != nil {
		t.Fatal(err)
	}
	var trace strings.Builder
	o.Trace = &trace
	result := sim.Run(o)
	t.Log(trace.String())
	if result.Err != nil {
		t.Fatal(result.Err)
	}
}

// caughtWithin is how many seeds a broken rule may take to be noticed.
const caughtWithin = 1334

// TestBrokenRulesAreCaught breaks one rule at a time: a simulation that finds nothing then is no good.
func TestBrokenRulesAreCaught(t *testing.T) {
	t.Parallel()
	for _, name := range sim.FaultNames {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var said strings.Builder
			if err := (workloads.Campaign{Seeds: caughtWithin, First: 1, Workers: 1, Fault: name, Progress: &said}).Run(); err != nil {
				t.Fatal(err)
			}
			t.Log(said.String())
		})
	}
}

// TestBrokenRulesShowOutside breaks the rules that clients or functions can feel, without a look at the log. Positions
// given twice are not among them: within one node nothing remembers the position of what was lost.
func TestBrokenRulesShowOutside(t *testing.T) {
	t.Parallel()
	for _, name := range sim.FaultNames {
		if name == "reuse-positions" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := (workloads.Campaign{Seeds: caughtWithin, First: 1, Workers: 1, Fault: name, OutsideOnly: true}).Run(); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// TestSameSeedSameEverything holds that a seed decides all that happens.
func TestSameSeedSameEverything(t *testing.T) {
	t.Parallel()
	for _, name := range workloads.Names() {
		for s := uint64(1); s <= 20; s++ {
			o, err := workloads.Case{Workload: name, Seed: s}.Options()
			if err != nil {
				t.Fatal(err)
			}
			first := sim.Run(o)
			o.Trace = io.Discard
			second := sim.Run(o)
			if first.Hash != second.Hash || first.Stats != second.Stats {
				t.Errorf("%s seed %d: %+v and then %+v", name, s, first, second)
			}
			if first.Stats.Actions < 1000 {
				t.Errorf("%s seed %d ended after %d actions: %v", name, s, first.Stats.Actions, first.Err)
			}
		}
	}
}

// TestCrashAtEveryAccess ends the process at the k-th access to the disk, for each k until the scenario is over before, and
// wants the money of the bank to be all there, whatever state the crash left. (make sim runs all k; here every 4th.)
func TestCrashAtEveryAccess(t *testing.T) {
	t.Parallel()
	for _, power := range []bool{false, true} {
		for seed := uint64(1); seed <= 3; seed++ {
			t.Run(fmt.Sprintf("seed %d power cut %v", seed, power), func(t *testing.T) {
				t.Parallel()
				k := int64(1)
				for ; ; k += *every {
					result := sim.Run(sim.Options{Seed: seed, Workload: workflows.New, Actions: 2500, Crash: sim.Crash{At: k, Power: power}})
					if result.Err != nil {
						t.Fatalf("crash at access %d: %v", k, result.Err)
					}
					if int64(result.Stats.Accesses) < k {
						break
					}
				}
				if k < 200 {
					t.Errorf("the scenario has %d accesses to the disk only", k)
				}
			})
		}
	}
}

// TestEveryTroubleHappens holds that the simulation does what it is for: a run of seeds without crashes or lost
// entries would prove nothing.
func TestEveryTroubleHappens(t *testing.T) {
	t.Parallel()
	for _, name := range workloads.Names() {
		var sum sim.Stats
		for s := uint64(1); s <= 50; s++ {
			o, err := workloads.Case{Workload: name, Seed: s}.Options()
			if err != nil {
				t.Fatal(err)
			}
			sum.Add(sim.Run(o).Stats)
		}
		counts := []int{sum.Entries, sum.Lost, sum.Crashes, sum.PowerCuts, sum.IOErrors, sum.Calls, sum.Answers, sum.Snapshots, sum.Cuts}
		if name == "workflows" {
			counts = append(counts, sum.Steps, sum.Slow, sum.Waited, sum.Refused, sum.Busy)
		}
		if i := slices.IndexFunc(counts, func(n int) bool { return n < 20 }); i >= 0 {
			t.Errorf("%s: too little happens in 50 seeds: %+v", name, sum)
		}
	}
}

func TestUnknownNames(t *testing.T) {
	t.Parallel()
	if err := (workloads.Campaign{Seeds: 1, Workload: "none"}).Run(); err == nil || !strings.Contains(err.Error(), "bank") {
		t.Errorf("an unknown workload gives %v", err)
	}
	if err := (workloads.Campaign{Seeds: 1, Fault: "none"}).Run(); err == nil || !strings.Contains(err.Error(), "skip-dedup") {
		t.Errorf("an unknown fault gives %v", err)
	}
}
