// Command plot draws the latency distributions that the benchmark has measured: each cdf-*.csv of a directory becomes an SVG
// beside it.
//
//	go run . ../out
//
// It is a module of its own, so that nobody who uses Weft gets what draws pictures.
package main

import (
	"encoding/csv"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/plotutil"
	"gonum.org/v1/plot/vg"
)

func main() {
	dir := filepath.Join("bench", "out")
	if len(os.Args) > 1 {
		dir = os.Args[1]
	}
	if err := run(dir); err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
}

// run draws what a directory has.
func run(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "cdf-*.csv"))
	if err != nil {
		return err
	}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		curves, err := read(f)
		_ = f.Close()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		base := strings.TrimSuffix(name, ".csv")
		title := strings.TrimPrefix(filepath.Base(base), "cdf-")
		if err := draw(title, curves, base+".svg"); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

// curve is the distribution of one mode.
type curve struct {
	mode   string
	points plotter.XYs // milliseconds, share
}

// read reads lines of mode, milliseconds and share, under a heading.
func read(r io.Reader) (curves []curve, err error) {
	lines, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(lines) == 0 || !slices.Equal(lines[0], []string{"mode", "ms", "share"}) {
		return nil, fmt.Errorf("the first line is not mode,ms,share")
	}
	for i, line := range lines[1:] {
		ms, err1 := strconv.ParseFloat(line[1], 64)
		share, err2 := strconv.ParseFloat(line[2], 64)
		if err1 != nil || err2 != nil || ms <= 0 || share < 0 || share > 1 {
			return nil, fmt.Errorf("line %d is %q: milliseconds above 0 and a share between 0 and 1 are expected", i+2, line)
		}
		if len(curves) == 0 || curves[len(curves)-1].mode != line[0] {
			curves = append(curves, curve{mode: line[0]})
		}
		c := &curves[len(curves)-1]
		c.points = append(c.points, plotter.XY{X: ms, Y: share})
	}
	return curves, nil
}

// draw writes a picture of curves, with latency on a logarithmic axis as they differ by orders of magnitude.
func draw(title string, curves []curve, path string) error {
	if len(curves) == 0 {
		return fmt.Errorf("there is nothing to draw")
	}
	p := plot.New()
	p.Title.Text = title
	p.X.Label.Text, p.Y.Label.Text = "latency from the intended start, ms", "share of all runs"
	p.X.Scale, p.X.Tick.Marker = plot.LogScale{}, plot.LogTicks{Prec: -1}
	p.Y.Min, p.Y.Max = 0, 1
	p.Legend.Top, p.Legend.Left = false, false
	p.Add(plotter.NewGrid())
	for i, c := range curves {
		line, err := plotter.NewLine(c.points)
		if err != nil {
			return err
		}
		line.StepStyle = plotter.PostStep
		line.Width = vg.Points(1.5)
		line.Color, line.Dashes = plotutil.Color(i), plotutil.Dashes(i)
		p.Add(line)
		p.Legend.Add(c.mode, line)
	}
	p.X.Min, p.X.Max = p.X.Min/1.5, p.X.Max*1.5 // a single latency is a range, too
	return p.Save(16*vg.Centimeter, 10*vg.Centimeter, path)
}
