package mapreduce

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

const (
	// fileCost is what opening a file costs a mapper, in bytes counted; it balances a batch of many small
	// files against one of few large ones.
	fileCost = 4 << 10
	// batchBytes is how much a mapper should get at most: larger trees get more mappers.
	batchBytes = 16 << 20
	// The least and the most mappers and reducers. The upper bounds keep what travels between states
	// below 1 MiB.
	defaultMappers  = 256
	maxMappers      = 4096
	defaultReducers = 64
	maxReducers     = 1024
	defaultTop      = 20
	maxTop          = 1000
	// maxFiles bounds the tree, which List holds in memory (about 1 KiB a file).
	maxFiles = 4_000_000
)

// ListRequest is List's event.
type ListRequest struct {
	Run   string          `json:"run"`
	Input json.RawMessage `json:"input"`
}

// Input is the run's input. All of it may be absent.
type Input struct {
	Root     string `json:"root"`     // absolute path; "": the source tree of the installed Go
	Out      string `json:"out"`      // absolute path of the table; "": words.tsv in the run's directory
	Mappers  *int   `json:"mappers"`  // absent: 256, more when the tree is larger than 4 GiB
	Reducers *int   `json:"reducers"` // absent: 64
	Top      *int   `json:"top"`      // how many words the result names; absent: 20
	Keep     bool   `json:"keep"`     // leave the work files
}

// Plan is List's answer and from then on the run's state.
type Plan struct {
	Run        string  `json:"run"`
	Root       string  `json:"root"` // symbolic links resolved
	Out        string  `json:"out"`
	Keep       bool    `json:"keep"`
	Partitions int     `json:"partitions"` // reducers
	Top        int     `json:"top"`
	Files      int     `json:"files"` // regular files
	Bytes      int64   `json:"bytes"`
	Skipped    int     `json:"skipped"` // what is neither a regular file nor a directory
	Batches    []Batch `json:"batches"`
}

// Batch is the share of one mapper.
type Batch struct {
	Batch int   `json:"batch"`
	Files int   `json:"files"`
	Bytes int64 `json:"bytes"`
}

// List walks the tree and deals its regular files into batches of about equal cost, one per mapper.
// There are never more batches than files. Errors: BadInput, Unreadable.
func List(ctx context.Context, req ListRequest) (*Plan, error) {
	s, err := openStore(req.Run)
	if err != nil {
		return nil, err
	}
	in, err := parseInput(req.Input)
	if err != nil {
		return nil, err
	}
	root, err := resolveRoot(ctx, in.Root)
	if err != nil {
		return nil, err
	}
	if err := s.create(); err != nil {
		return nil, err
	}
	files, skipped, err := walk(root)
	if err != nil {
		return nil, err
	}
	p := &Plan{
		Run: req.Run, Root: root, Out: in.Out, Keep: in.Keep, Partitions: *in.Reducers, Top: *in.Top,
		Files: len(files), Skipped: skipped, Batches: []Batch{},
	}
	if p.Out == "" {
		p.Out = s.table()
	}
	for _, f := range files {
		p.Bytes += f.size
	}
	mappers := max(defaultMappers, int(min(p.Bytes/batchBytes, maxMappers)))
	if in.Mappers != nil {
		mappers = *in.Mappers
	}
	for i, batch := range deal(files, mappers) {
		b, err := writeBatch(s, i, batch)
		if err != nil {
			return nil, err
		}
		p.Batches = append(p.Batches, b)
	}
	return p, nil
}

func parseInput(raw json.RawMessage) (*Input, error) {
	in := &Input{}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(in); err != nil {
		return nil, badInput(`input: %v; it takes {"root","out","mappers","reducers","top","keep"}, all optional`, err)
	}
	in.Reducers = orDefault(in.Reducers, defaultReducers)
	in.Top = orDefault(in.Top, defaultTop)
	for _, n := range []struct {
		name string
		v    *int
		most int
	}{{"mappers", in.Mappers, maxMappers}, {"reducers", in.Reducers, maxReducers}, {"top", in.Top, maxTop}} {
		if n.v != nil && (*n.v < 1 || *n.v > n.most) {
			return nil, badInput("%s is %d: give a number from 1 to %d", n.name, *n.v, n.most)
		}
	}
	return in, checkOut(in.Out)
}

// checkOut finds before the work what would otherwise fail after it.
func checkOut(out string) error {
	if out == "" {
		return nil
	}
	if !filepath.IsAbs(out) {
		return badInput("out %q is relative: give an absolute path, functions do not run in your directory", out)
	}
	if info, err := os.Stat(filepath.Dir(out)); err != nil || !info.IsDir() {
		return badInput("out %s: there is no directory %s: make it first", out, filepath.Dir(out))
	}
	if info, err := os.Stat(out); err == nil && !info.Mode().IsRegular() {
		return badInput("out %s is not a file: give the path of a file", out)
	}
	return nil
}

func orDefault(v *int, d int) *int {
	if v == nil {
		return &d
	}
	return v
}

// resolveRoot returns the directory to walk, without symbolic links.
func resolveRoot(ctx context.Context, root string) (string, error) {
	if root == "" {
		out, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
		if err != nil {
			return "", badInput(`no root given and "go env GOROOT" failed (%v): install Go or give {"root":"/some/directory"}`, err)
		}
		root = filepath.Join(strings.TrimSpace(string(out)), "src")
	}
	if !filepath.IsAbs(root) {
		return "", badInput("root %q is relative: give an absolute path, functions do not run in your directory", root)
	}
	real, err := filepath.EvalSymlinks(root)
	if err != nil {
		return "", badInput("root %s: %v: give a directory", root, err)
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return "", badInput("root %s is not a directory: give a directory", root)
	}
	return real, nil
}

type file struct {
	path string // relative to the root
	size int64
}

// walk returns the regular files below root, sorted by path, and how many other things it met. It follows no
// symbolic link and does not enter the directory of work files.
func walk(root string) (files []file, skipped int, err error) {
	own, err := filepath.EvalSymlinks(base())
	if err != nil {
		return nil, 0, err
	}
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return unreadable(err)
		case d.IsDir() && path == own:
			return fs.SkipDir
		case d.IsDir():
			return nil
		case !d.Type().IsRegular():
			skipped++
			return nil
		case len(files) == maxFiles:
			return badInput("%s holds more than %d files: give a smaller tree", root, maxFiles)
		}
		info, err := d.Info()
		if err != nil {
			return unreadable(err)
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return fmt.Errorf("%s is not below %s: %w", path, root, err)
		}
		files = append(files, file{path: rel, size: info.Size()})
		return nil
	})
	slices.SortFunc(files, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return files, skipped, err
}

// writeBatch records batch i for its mapper.
func writeBatch(s store, i int, files []file) (Batch, error) {
	b := Batch{Batch: i, Files: len(files)}
	err := writeFile(s.file(batches, i), func(w *bufio.Writer) error {
		for _, f := range files {
			b.Bytes += f.size
			_, _ = w.WriteString(f.path) // Flush reports what these meet
			_ = w.WriteByte(0)
		}
		return nil
	})
	return b, err
}
