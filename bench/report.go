package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/weftworks/weft/bench/load"
	"github.com/weftworks/weft/bench/mode"
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
	dir   string
	files []*os.File
	lines *bufio.Writer
	cells *csv.Writer
	table *tabwriter.Writer
	all   map[string]float64
}

// newReport begins new files in a directory, which it makes if need be.
func newReport(dir string) (*report, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	r := &report{dir: dir, table: tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0), all: make(map[string]float64)}
	for _, name := range []string{"latest.jsonl", "latest.csv"} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return nil, errors.Join(err, r.close())
		}
		r.files = append(r.files, f)
	}
	r.lines, r.cells = bufio.NewWriter(r.files[0]), csv.NewWriter(r.files[1])
	return r, r.cells.Write([]string{"name", "value", "unit", "note"})
}

// close writes what is left.
func (r *report) close() error {
	r.flush()
	var errs []error
	for _, f := range r.files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}

func (r *report) flush() {
	_ = r.table.Flush()
	if r.cells != nil {
		_ = r.lines.Flush()
		r.cells.Flush()
	}
}

// note keeps a figure without printing it.
func (r *report) note(name string, value float64, unit, note string) {
	r.all[name] = value
	line, err := json.Marshal(figure{name, value, unit, note})
	if err != nil {
		panic(err) // a figure always encodes
	}
	_, _ = r.lines.Write(append(line, '\n'))
	_ = r.cells.Write([]string{name, strconv.FormatFloat(value, 'g', -1, 64), unit, note})
}

// add keeps a figure and prints it.
func (r *report) add(name string, value float64, unit, note string) {
	r.note(name, value, unit, note)
	_, _ = fmt.Fprintf(r.table, "%s\t%s\t%s\t%s\n", name, format(value), unit, note)
}

// row prints a line of a table.
func (r *report) row(cells ...string) {
	for _, cell := range cells {
		_, _ = fmt.Fprint(r.table, cell, "\t")
	}
	_, _ = fmt.Fprintln(r.table)
}

func (r *report) title(g group) {
	r.flush()
	fmt.Printf("\n%s: %s\n", g.name, g.about)
}

// took notes how long a group has taken, as make bench has to end some time.
func (r *report) took(g group, d time.Duration) {
	r.note("bench."+g.name+".took", d.Seconds(), "s", "")
	r.flush()
}

// distribution writes what an open loop has seen, for bench/plot to draw.
func (r *report) distribution(name string, curves map[mode.Mode][]load.Point) (err error) {
	f, err := os.Create(filepath.Join(r.dir, "cdf-"+name+".csv"))
	if err != nil {
		return err
	}
	defer func() {
		if e := f.Close(); err == nil {
			err = e
		}
	}()
	w := csv.NewWriter(f)
	_ = w.Write([]string{"mode", "ms", "share"}) // Error tells
	for _, m := range mode.All {
		for _, p := range curves[m] {
			_ = w.Write([]string{string(m), strconv.FormatFloat(p.MS, 'f', 3, 64), strconv.FormatFloat(p.Share, 'f', 6, 64)})
		}
	}
	w.Flush()
	return w.Error()
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
