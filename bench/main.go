package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"time"

	"github.com/weftworks/weft/bench/mode"
	"github.com/weftworks/weft/internal/procs"
)

// settings are what the flags say.
type settings struct {
	dir      string
	out      string
	length   time.Duration
	delay    time.Duration
	modes    []mode.Mode
	extended bool
	sleepers int
	items    int
	only     string
	profile  string
	list     bool
}

// group is a set of figures measured together.
type group struct {
	name, about string
	run         func(*report, *settings) error
}

// groups returns all groups in the order in which they are measured.
func groups() []group {
	all := []group{{"disk", "what a write and an fdatasync cost without Weft", benchDisk}}
	for _, w := range workloads() {
		all = append(all, group{w.Name, w.About, func(r *report, c *settings) error { return benchWorkload(r, c, w) }})
	}
	return append(all,
		group{"asleep", "many workflows asleep: memory, and how they wake", benchAsleep},
		group{"machine-five", "state machines: five Tasks in a row, functions in process", benchFive},
		group{"machine-process", "state machines: five Tasks in a row, functions in processes of their own", benchProcess},
		group{"machine-fan", "state machines: a Map over 100 and 1,000 items", benchFan},
		group{"machine-chain", "state machines: 1,000 Tasks in a row", benchChain},
		group{"machine-recovery", "state machines: how fast a log is replayed after kill -9", benchRecovery},
		group{"maprun", "a distributed Map over many items of an object: items/s and peak memory", benchMapRun},
		group{"machine-asleep", "state machines: many runs in a Wait, and their recovery", benchSleepers},
	)
}

func main() {
	procs.Widen() // as cmd/weft does
	procs.Steady()
	do := run
	if len(os.Args) > 1 && os.Args[1] == childFlag {
		do = child
	}
	if err := do(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// flags reads the command line.
func flags(args []string) (*settings, error) {
	c := &settings{}
	set := flag.NewFlagSet("bench", flag.ContinueOnError)
	set.StringVar(&c.only, "only", "", "measure only groups whose names begin with one of these, with commas between them")
	modes := set.String("modes", "classic,none,local", "the modes in which the workloads run")
	set.DurationVar(&c.delay, "sync-delay", 10*time.Millisecond, "measure latencies again with so much added to every sync, as of cloud storage; 0: do not")
	seconds := set.Float64("seconds", 0.5, "length of one measurement; throughput takes twice as long")
	set.BoolVar(&c.extended, "extended", false, "classic keeps the code of runs in memory between their steps (the original's extended sessions)")
	set.IntVar(&c.sleepers, "sleepers", 1_000_000, "workflows asleep in the group asleep; machine-asleep has a fifth")
	set.IntVar(&c.items, "items", 1_000_000, "items in the group maprun")
	set.StringVar(&c.out, "out", filepath.Join("bench", "out"), "directory of the results")
	set.StringVar(&c.dir, "dir", "", "where data directories are made, on the disk to be measured (default: the directory of the results)")
	set.StringVar(&c.profile, "cpuprofile", "", "write a CPU profile to this file")
	set.BoolVar(&c.list, "list", false, "list the groups and end")
	if err := set.Parse(args); err != nil {
		return nil, err
	}
	if set.NArg() > 0 {
		return nil, fmt.Errorf("there is an argument %q too many; see -help", set.Arg(0))
	}
	c.length = time.Duration(*seconds * float64(time.Second))
	if c.dir == "" {
		c.dir = c.out // not the temporary directory, which may be memory
	}
	var err error
	c.modes, err = mode.Parse(*modes)
	return c, err
}

// chosen returns the groups that -only means. The disk is always among them: everything is compared with it.
func chosen(all []group, only string) (some []group, err error) {
	if only == "" {
		return all, nil
	}
	prefixes := strings.Split(only, ",")
	for i, g := range all {
		wanted := i == 0
		for _, p := range prefixes {
			wanted = wanted || (p != "" && strings.HasPrefix(g.name, p))
		}
		if wanted {
			some = append(some, g)
		}
	}
	if len(some) < 2 && !strings.HasPrefix(all[0].name, only) {
		return nil, fmt.Errorf("no group begins with %q; -list shows them", only)
	}
	return some, nil
}

func run(args []string) (err error) {
	c, err := flags(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	}
	if err != nil {
		return err
	}
	some, err := chosen(groups(), c.only)
	if err != nil {
		return err
	}
	if c.list {
		for _, g := range some {
			fmt.Printf("%-18s %s\n", g.name, g.about)
		}
		return nil
	}
	if c.profile != "" {
		p, err := os.Create(c.profile)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(p); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	return measureAll(c, some)
}

// measureAll measures groups and reports what came of them. The first group that fails is the last.
func measureAll(c *settings, some []group) (err error) {
	r, err := newReport(c.out)
	if err != nil {
		return err
	}
	defer func() {
		if e := r.close(); err == nil {
			err = e
		}
	}()
	for _, g := range some {
		began := time.Now()
		r.title(g)
		if err := g.run(r, c); err != nil {
			r.compare(c) // what was measured before counts all the same
			return fmt.Errorf("%s: %w", g.name, err)
		}
		r.took(g, time.Since(began))
	}
	r.compare(c)
	return nil
}
