// Command weft-sim runs simulations of a whole node: many seeds, or one with everything that happens in it.
//
//	weft-sim -seeds 10000                       all workloads, with progress; failing seeds join the graveyard
//	weft-sim -workload bank -seed 7 -v          one seed, action by action
//	weft-sim -fault skip-dedup -seeds 1000      break a rule; succeeds when it is caught
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/weftworks/weft/sim"
	"github.com/weftworks/weft/sim/workloads"
)

func main() {
	var (
		seeds     = flag.Int("seeds", 10_000, "how many seeds to run, shared by the workloads")
		first     = flag.Uint64("first", 1, "the first seed")
		seed      = flag.Uint64("seed", 0, "run this seed alone")
		workload  = flag.String("workload", "", "run this workload alone: "+strings.Join(workloads.Names(), ", "))
		fault     = flag.String("fault", "", "break a rule: "+strings.Join(sim.FaultNames, ", "))
		outside   = flag.Bool("outside", false, "with -fault: do not look at the log, only at what clients and functions see")
		verbose   = flag.Bool("v", false, "with -seed: print every action")
		workers   = flag.Int("workers", runtime.NumCPU(), "simulations at a time")
		graveyard = flag.String("graveyard", "sim/testdata/graveyard.txt", "file that failing seeds are added to; \"\": none")
	)
	flag.Parse()
	if err := run(*seeds, *first, *seed, *workload, *fault, *outside, *verbose, *workers, *graveyard); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(seeds int, first, seed uint64, workload, fault string, outside, verbose bool, workers int, graveyard string) error {
	c := workloads.Campaign{
		Seeds: seeds, First: first, Workload: workload, Fault: fault, OutsideOnly: outside, Workers: workers, Progress: os.Stdout,
	}
	if fault == "" {
		c.Graveyard = graveyard
	}
	if seed != 0 {
		c.Seeds, c.First, c.Workers = 1, seed, 1
		if verbose {
			c.Trace = os.Stdout
		}
	}
	return c.Run()
}
