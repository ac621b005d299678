package disk

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
)

// zeroChunk is how many zeros are written between two syncs of a file being prepared: small enough
// that a sync of the log beside it is not held up for long.
const zeroChunk = 1 << 20

var zeros [zeroChunk]byte

// errStopped ends the preparation of a spare when the log closes.
var errStopped = errors.New("the log is closing")

// spare is a file that has all its blocks and no job.
type spare struct {
	path string
	size int64
}

// files keeps a log's segment files: it prepares them ahead of time, gives them to the writer and
// takes back those that are trimmed.
type files struct {
	fs       vfs.FS
	dir      string
	dirFile  vfs.File
	logger   *slog.Logger
	full     int64 // size of a segment made ahead of time
	hasty    int64 // size of one made while the writer waits
	keep     int   // spares at most
	inline   bool  // no goroutines: nothing is made ahead
	stopping chan struct{}
	makers   sync.WaitGroup

	mu        sync.Mutex
	spares    []spare
	spareNext uint32
	making    bool
	spans     []segmentStart // of all segments of the log, oldest first
	trimming  sync.Mutex     // held by Trim
}

// segmentStart is what Trim knows of a segment: all entries of those before it are less than prevNext.
type segmentStart struct {
	number   uint32
	prevNext commitlog.Position
	size     int64
}

// begin makes the next segment: a file with all its blocks, the header durable in it, under its
// name. It sets h.capacity. need is how many bytes it must hold; the file grows if it is smaller.
func (fs *files) begin(h *header, need int64) (vfs.File, error) {
	s, err := fs.take(need)
	if err != nil {
		return nil, fmt.Errorf("making a segment file: %w", err)
	}
	f, err := fs.fs.OpenReadWrite(s.path, category)
	if err != nil {
		return nil, err
	}
	h.capacity = max(s.size, need)
	if err := fs.name(f, s.path, h); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	fs.mu.Lock()
	fs.spans = append(fs.spans, segmentStart{h.number, h.prevNext, h.capacity})
	fs.mu.Unlock()
	fs.prepareAhead()
	return f, nil
}

// name writes the header, and only when that is durable gives the file its name.
func (fs *files) name(f vfs.File, path string, h *header) error {
	if _, err := f.WriteAt(h.encode(), 0); err != nil {
		return err
	}
	if err := f.SyncData(); err != nil {
		return err
	}
	if err := fs.fs.Rename(path, fs.fs.PathJoin(fs.dir, segmentName(h.number))); err != nil {
		return err
	}
	return fs.dirFile.Sync()
}

// take returns a spare, making one if there is none.
func (fs *files) take(need int64) (spare, error) {
	fs.mu.Lock()
	if n := len(fs.spares); n > 0 {
		s := fs.spares[n-1]
		fs.spares = fs.spares[:n-1]
		fs.mu.Unlock()
		return s, nil
	}
	n := fs.spareNext
	fs.spareNext++
	fs.mu.Unlock()
	return fs.create(n, max(fs.hasty, need), nil)
}

// prepareAhead starts to make a spare in the background if there is none.
func (fs *files) prepareAhead() {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if fs.inline || fs.making || len(fs.spares) > 0 || fs.keep == 0 {
		return
	}
	select {
	case <-fs.stopping:
		return
	default:
	}
	fs.making = true
	n := fs.spareNext
	fs.spareNext++
	fs.makers.Go(func() {
		s, err := fs.create(n, fs.full, fs.stopping)
		fs.mu.Lock()
		defer fs.mu.Unlock()
		fs.making = false
		switch {
		case err == nil:
			fs.spares = append(fs.spares, s)
		case !errors.Is(err, errStopped):
			// The writer will try again when it needs one, and fail if it must.
			fs.logger.Warn("no log segment could be prepared", "dir", fs.dir, "error", err)
		}
	})
}

// create makes spare n with size bytes, all written and synced. On failure nothing is left of it.
func (fs *files) create(n uint32, size int64, stop <-chan struct{}) (spare, error) {
	s := spare{fs.fs.PathJoin(fs.dir, spareName(n)), size}
	f, err := fs.fs.Create(s.path, category)
	if err != nil {
		return spare{}, err
	}
	err = errors.Join(writeZeros(f, size, stop), f.Close())
	if err == nil {
		err = fs.dirFile.Sync()
	}
	if err != nil {
		_ = fs.fs.Remove(s.path) // a rest that stays is found and removed by the next Open
		return spare{}, err
	}
	return s, nil
}

// writeZeros gives f size bytes of zeros, synced.
func writeZeros(f vfs.File, size int64, stop <-chan struct{}) error {
	// One extent if possible; not every file system can, but a full disk is told at once.
	if err := f.Preallocate(0, size); errors.Is(err, syscall.ENOSPC) {
		return err
	}
	for off := int64(0); off < size; off += zeroChunk {
		select {
		case <-stop:
			return errStopped
		default:
		}
		if _, err := f.WriteAt(zeros[:min(zeroChunk, size-off)], off); err != nil {
			return err
		}
		if err := f.SyncData(); err != nil {
			return err
		}
	}
	return f.Sync() // the size, too
}

// stop ends the preparation of spares and waits for it.
func (fs *files) stop() {
	fs.mu.Lock()
	close(fs.stopping)
	fs.mu.Unlock()
	fs.makers.Wait()
	_ = fs.dirFile.Close()
}

// Trim implements commitlog.Log. It gives up whole segments, each only when the one before it is durably
// gone, so that a crash never leaves a gap. When a directory cannot be synced the log fails.
func (l *Log) Trim(pos commitlog.Position) error {
	fs := &l.files
	fs.trimming.Lock()
	defer fs.trimming.Unlock()
	for {
		l.mu.Lock()
		err := l.usable()
		l.mu.Unlock()
		if err != nil {
			return err
		}
		s, ok := fs.oldestBefore(pos)
		if !ok {
			return nil
		}
		if err := fs.retire(s); err != nil {
			l.poison("Trim", err)
			if l.opts.Manual {
				l.reportFailure()
			}
			return failure(l.dir, "Trim", err)
		}
		l.stats.trimmed()
	}
}

// oldestBefore returns the oldest segment if all its entries are before pos.
func (fs *files) oldestBefore(pos commitlog.Position) (segmentStart, bool) {
	fs.mu.Lock()
	defer fs.mu.Unlock()
	if len(fs.spans) < 2 || fs.spans[1].prevNext > pos {
		return segmentStart{}, false
	}
	return fs.spans[0], true
}

// retire makes the oldest segment a spare, or removes it when there are enough.
func (fs *files) retire(s segmentStart) error {
	path := fs.fs.PathJoin(fs.dir, segmentName(s.number))
	fs.mu.Lock()
	reuse := len(fs.spares) < fs.keep && s.size == fs.full
	n := fs.spareNext
	fs.spareNext++
	fs.mu.Unlock()
	kept := spare{fs.fs.PathJoin(fs.dir, spareName(n)), s.size}
	var err error
	if reuse {
		err = fs.fs.Rename(path, kept.path)
	} else {
		err = fs.fs.Remove(path)
	}
	if err != nil {
		return err
	}
	// Durable before the file is written again: otherwise a crash could find a later segment's bytes
	// under the old name.
	if err := fs.dirFile.Sync(); err != nil {
		return err
	}
	fs.mu.Lock()
	defer fs.mu.Unlock()
	fs.spans = fs.spans[1:]
	if reuse {
		fs.spares = append(fs.spares, kept)
	}
	return nil
}

// makeDir makes dir and its parents, each durable in its parent.
func makeDir(fs vfs.FS, dir string) error {
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir && parent != "" {
		if err := makeDir(fs, parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	return syncDir(fs, parent)
}

// syncDir makes the names in dir durable.
func syncDir(fs vfs.FS, dir string) error {
	if dir == "" {
		dir = "."
	}
	f, err := fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// closeAll closes what a failed Open leaves, keeping the first error.
func closeAll(err error, closers ...io.Closer) error {
	for _, c := range closers {
		if c != nil {
			err = errors.Join(err, c.Close())
		}
	}
	return err
}

// isMissing says that a file or directory is not there.
func isMissing(err error) bool { return errors.Is(err, os.ErrNotExist) }
