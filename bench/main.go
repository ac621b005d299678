package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"strings"
	"text/tabwriter"

	"github.com/weftworks/weft/internal/procs"
)

// figure is one measured number.
type figure struct {
	Name  string  `json:"name"`
	Value float64 `json:"value"`
	Unit  string  `json:"unit"`
	Note  string  `json:"note"`
}

// report collects figures and prints them as they come.
type report struct {
	file  *bufio.Writer
	table *tabwriter.Writer
	all   map[string]float64
}

func (r *report) add(name string, value float64, unit, note string) {
	r.all[name] = value
	line, err := json.Marshal(figure{name, value, unit, note})
	if err != nil {
		panic(err) // a figure always encodes
	}
	_, _ = r.file.Write(append(line, '\n'))
	_, _ = fmt.Fprintf(r.table, "%s\t%s\t%s\t%s\n", name, format(value), unit, note)
}

func (r *report) flush() {
	_ = r.table.Flush()
	_ = r.file.Flush()
}

func format(v float64) string {
	switch {
	case v >= 1000 || v == float64(int64(v)):
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.3f", v)
}

// group is a set of figures measured together.
type group struct {
	name string
	run  func(*report, *settings) error
}

// settings are what the flags say.
type settings struct {
	dir      string
	seconds  float64
	sleepers int
}

var groups = []group{
	{"disk", benchDisk},
	{"five", benchFive},
	{"process", benchProcess},
	{"fan", benchFan},
	{"chain", benchChain},
	{"recovery", benchRecovery},
	{"sleepers", benchSleepers},
}

func main() {
	procs.Widen() // as cmd/weft does
	procs.Steady()
	if len(os.Args) > 1 && os.Args[1] == childFlag {
		if err := child(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	only := flag.String("only", "", "measure only groups that begin with this: disk, five, process, fan, chain, recovery, sleepers")
	out := flag.String("out", filepath.Join("bench", "out", "latest.jsonl"), "where the figures go")
	cpu := flag.String("cpuprofile", "", "write a CPU profile")
	c := &settings{}
	flag.StringVar(&c.dir, "dir", "", "where data directories are made, on the disk to be measured (default: beside -out)")
	flag.Float64Var(&c.seconds, "seconds", 5, "length of each throughput measurement")
	flag.IntVar(&c.sleepers, "sleepers", 1_000_000, "runs that sleep in a Wait")
	flag.Parse()
	if err := os.MkdirAll(filepath.Dir(*out), 0o755); err != nil {
		return err
	}
	if c.dir == "" {
		c.dir = filepath.Dir(*out) // not the temporary directory, which may be memory
	}
	f, err := os.Create(*out)
	if err != nil {
		return err
	}
	if *cpu != "" {
		p, err := os.Create(*cpu)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(p); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	r := &report{file: bufio.NewWriter(f), table: tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0), all: map[string]float64{}}
	_, _ = fmt.Fprintf(r.table, "FIGURE\tVALUE\tUNIT\tNOTE\n")
	for _, g := range groups {
		if !strings.HasPrefix(g.name, *only) {
			continue
		}
		if err := g.run(r, c); err != nil {
			r.flush()
			return fmt.Errorf("%s: %w", g.name, err)
		}
		r.flush()
	}
	return f.Close()
}
