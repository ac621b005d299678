package disk

import (
	"errors"
	"fmt"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/fault"
)

// RepairReport is what Repair has done.
type RepairReport struct {
	Problems []Problem // as Verify finds them; none: there was nothing to do
	// Kept is the position after the last entry that the log holds now.
	Kept commitlog.Position
	// Lost is how many entries could be read after the cut and are in the log no more.
	Lost int64
	// Aside is the copies and files put aside, by their paths.
	Aside []string
}

// Repair cuts a log that is not open at the first place that does not check, so that it opens again
// with everything before. Files that lose something are kept in the directory "damaged" beside the
// segments. Of a log without problems it changes nothing.
//
// What it cuts was durable once: others may have seen what came of it. Positions go on above every one
// that could be read.
func Repair(fs vfs.FS, dir string) (*RepairReport, error) {
	const op = "commitlog.Repair"
	lock, err := fs.Lock(fs.PathJoin(dir, lockName))
	if err != nil {
		return nil, fault.New(op, fault.Unavailable, dir, "the log is in use by another process, or cannot be locked: %w", err)
	}
	r, err := repair(fs, dir)
	if err = errors.Join(err, lock.Close()); err != nil {
		var known *fault.Error
		if !errors.As(err, &known) {
			err = fault.New(op, fault.Unavailable, dir, "%w", err)
		}
		return nil, err
	}
	return r, nil
}

func repair(fs vfs.FS, dir string) (*RepairReport, error) {
	v, err := verify(fs, dir)
	if err != nil {
		return nil, err
	}
	r := &RepairReport{Problems: v.report.Problems, Kept: v.kept()}
	for _, p := range r.Problems {
		r.Lost += p.Lost
	}
	if len(r.Problems) == 0 {
		return r, nil
	}
	names, err := list(fs, dir)
	if err != nil {
		return nil, err
	}
	aside, err := newAside(fs, dir)
	if err != nil {
		return nil, err
	}
	// The new end first: until its header is there, the log stays as refused as it was, and after it,
	// what is left of the old end has to go before the log opens.
	if err := v.putEnd(fs, dir); err != nil {
		return nil, err
	}
	for _, n := range names.segments {
		if err := aside.take(segmentName(n), v.fate(n)); err != nil {
			return nil, err
		}
	}
	r.Aside = aside.paths
	return r, errors.Join(syncDir(fs, aside.path), syncDir(fs, dir))
}

// kept returns the position after the last entry that stays.
func (v *verdict) kept() commitlog.Position {
	if last := v.last(); last != nil {
		return last.next
	}
	return v.base
}

// fate is what becomes of a file.
type fate int

const (
	stays fate = iota
	copied
	moved
)

// fate says what becomes of a segment: those before the cut stay, the cut one is copied, the rest go.
func (v *verdict) fate(number uint32) fate {
	last := v.last()
	switch {
	case last == nil || number > last.number:
		return moved
	case number == last.number && v.partial:
		return copied
	}
	return stays
}

// putEnd writes a segment without entries whose header says where the log ends now.
func (v *verdict) putEnd(fs vfs.FS, dir string) error {
	h := header{number: v.number + 1, prevNext: v.base, first: commitlog.First(v.top.Incarnation() + 1)}
	if last := v.last(); last != nil {
		h.prevNumber, h.prevEnd, h.prevNext = last.number, last.end, last.next
	}
	if v.top.Incarnation() >= commitlog.MaxIncarnation || h.number == 0 {
		return fmt.Errorf("the log has used up its positions")
	}
	dirFile, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	fl := files{fs: fs, dir: dir, dirFile: dirFile, hasty: segmentBytesMin, inline: true}
	names, err := list(fs, dir)
	if err != nil {
		return errors.Join(err, dirFile.Close())
	}
	for _, n := range names.spares {
		fl.spareNext = max(fl.spareNext, n+1)
	}
	f, err := fl.begin(&h, segmentBytesMin)
	if err == nil {
		err = f.Close()
	}
	return errors.Join(err, dirFile.Close())
}

// aside is a directory for what a repair takes away.
type aside struct {
	fs    vfs.FS
	dir   string
	path  string
	paths []string
}

// newAside makes a directory of its own for each repair.
func newAside(fs vfs.FS, dir string) (*aside, error) {
	for i := 1; ; i++ {
		a := &aside{fs: fs, dir: dir, path: fs.PathJoin(dir, damagedName, fmt.Sprintf("%04d", i))}
		_, err := fs.Stat(a.path)
		if isMissing(err) {
			return a, makeDir(fs, a.path)
		}
		if err != nil || i == 9999 {
			return nil, errors.Join(err, fmt.Errorf("no room for the damaged files beside %s", a.path))
		}
	}
}

// take does to a segment file what its fate is.
func (a *aside) take(name string, f fate) error {
	from, to := a.fs.PathJoin(a.dir, name), a.fs.PathJoin(a.path, name)
	var err error
	switch f {
	case stays:
		return nil
	case copied:
		err = copyFile(a.fs, from, to)
	case moved:
		err = a.fs.Rename(from, to)
	}
	a.paths = append(a.paths, to)
	return err
}

// copyFile copies a file and syncs the copy.
func copyFile(fs vfs.FS, from, to string) error {
	src, err := fs.Open(from)
	if err != nil {
		return err
	}
	dst, err := fs.Create(to, category)
	if err != nil {
		return errors.Join(err, src.Close())
	}
	_, err = io.Copy(dst, src)
	if err == nil {
		err = dst.Sync()
	}
	return errors.Join(err, dst.Close(), src.Close())
}
