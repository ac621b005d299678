package mapreduce

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// store is the directory of one run: its work files, and the table unless the input names another
// place for it. It is found from the run's name alone, so a function that starts in a fresh process finds it
// again, and none can be talked into deleting another directory.
type store struct{ dir string }

// base is the directory of all runs of this user.
func base() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("weft-wordcount-%d", os.Getuid()))
}

func openStore(run string) (store, error) {
	if run == "" || run == "." || run == ".." || strings.ContainsAny(run, "/\\\x00") {
		return store{}, badInput("run name %q cannot name a directory: choose one without / and \\", run)
	}
	return store{dir: filepath.Join(base(), run)}, nil
}

func (s store) work() string  { return filepath.Join(s.dir, "work") }
func (s store) table() string { return filepath.Join(s.dir, "words.tsv") }

// The kinds of work files, each a directory below work.
const (
	batches  = "batches"
	mapped   = "mapped"
	segments = "segments"
	reduced  = "reduced"
)

func (s store) file(kind string, i int) string {
	return filepath.Join(s.work(), kind, fmt.Sprintf("%05d", i))
}

// create makes the work directory. Other users must not be able to put files into it.
func (s store) create() error {
	if err := os.MkdirAll(base(), 0o700); err != nil {
		return fmt.Errorf("make the work directory: %w", err)
	}
	info, err := os.Lstat(base())
	if err != nil {
		return fmt.Errorf("make the work directory: %w", err)
	}
	if !info.IsDir() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a directory that only its owner can write: remove it or set TMPDIR to another place", base())
	}
	for _, kind := range []string{batches, mapped, segments, reduced} {
		if err := os.MkdirAll(filepath.Join(s.work(), kind), 0o700); err != nil {
			return fmt.Errorf("make the work directory: %w", err)
		}
	}
	return nil
}

// remove deletes the work files and, when nothing else is left in it, the run's directory.
func (s store) remove() error {
	if err := os.RemoveAll(s.work()); err != nil {
		return fmt.Errorf("remove the work directory: %w", err)
	}
	if entries, err := os.ReadDir(s.dir); err == nil && len(entries) == 0 {
		return os.Remove(s.dir)
	}
	return nil
}

// writeFile makes path hold what write writes. It goes through a file of another name that is
// synced before it is renamed: Weft records durably that the function is done, so what it made must be
// there after a power cut, whole; and two processes that write the same path do not mix.
func writeFile(path string, write func(w *bufio.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.part")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // gone after the rename
	defer f.Close()
	w := bufio.NewWriterSize(f, 64<<10)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
