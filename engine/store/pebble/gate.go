package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/fault"
)

// gate stands between Pebble and its files. When the first write has failed it lets nothing through that
// changes a file, removals included: whether the manifest's last edit is on the disk is unknown then,
// and both the files it adds and those it drops must stay. It is an errorfs injector.
type gate struct {
	dir    string
	log    *slog.Logger
	opened atomic.Bool

	mu      sync.Mutex
	cause   error
	failed  chan struct{} // closed when cause is set
	closing chan struct{} // closed by release
	once    sync.Once
}

func newGate(dir string, log *slog.Logger) *gate {
	return &gate{dir: dir, log: log, failed: make(chan struct{}), closing: make(chan struct{})}
}

func (g *gate) wrap(fs vfs.FS) vfs.FS { return &gatedFS{errorfs.Wrap(fs, g), g} }

// gatedFS is a file system behind a gate. Pebble ends the process when a manifest or the marker that names
// it cannot be written, and when a directory cannot be synced; so it is not told. The gate closes, what
// Pebble takes for written is in its memory only, and nobody hears of a flush that ended after that.
type gatedFS struct {
	*errorfs.FS
	gate *gate
}

// Create implements vfs.FS. A marker names another file, and Pebble makes both durable with one sync of
// their directory, which leaves open which of them a crash keeps. So what a marker may name is made
// durable before there is a marker.
func (fs *gatedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	base := fs.PathBase(name)
	marker := strings.HasPrefix(base, "marker.")
	if !marker && !strings.HasPrefix(base, "MANIFEST-") {
		return fs.FS.Create(name, category)
	}
	if marker {
		dir, err := fs.OpenDir(fs.PathDir(name))
		if err != nil {
			return nil, err
		}
		if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
			return nil, err
		}
	}
	if fs.gate.err() != nil {
		return &quietFile{vfs.NewMemFile(nil), fs.gate}, nil
	}
	f, err := fs.FS.Create(name, category)
	if err != nil {
		fs.gate.fail(fmt.Errorf("making %s: %w", base, err))
		f = vfs.NewMemFile(nil) // takes the file's place; nothing is written to it
	}
	return &quietFile{f, fs.gate}, nil
}

// OpenDir implements vfs.FS.
func (fs *gatedFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &quietFile{f, fs.gate}, nil
}

// quietFile is a file or directory whose failed writes and syncs close the gate and look well otherwise.
type quietFile struct {
	vfs.File
	gate *gate
}

// quiet does a write or sync unless the gate is closed, which its failure does.
func (f *quietFile) quiet(what string, do func() error) {
	if f.gate.err() != nil {
		return
	}
	if err := do(); err != nil {
		f.gate.fail(fmt.Errorf("%s: %w", what, err))
	}
}

// Write implements vfs.File.
func (f *quietFile) Write(b []byte) (int, error) {
	f.quiet("writing the manifest", func() error { _, err := f.File.Write(b); return err })
	return len(b), nil
}

// Sync implements vfs.File.
func (f *quietFile) Sync() error {
	f.quiet("syncing the manifest or its directory", f.File.Sync)
	return nil
}

// SyncData implements vfs.File.
func (f *quietFile) SyncData() error {
	f.quiet("syncing the manifest", f.File.SyncData)
	return nil
}

// SyncTo implements vfs.File.
func (f *quietFile) SyncTo(length int64) (fullSync bool, err error) {
	f.quiet("syncing the manifest", func() (err error) { fullSync, err = f.File.SyncTo(length); return err })
	return fullSync, nil
}

// Preallocate implements vfs.File.
func (f *quietFile) Preallocate(offset, length int64) error {
	f.quiet("making room for the manifest", func() error { return f.File.Preallocate(offset, length) })
	return nil
}

// Close implements vfs.File.
func (f *quietFile) Close() error {
	if err := f.File.Close(); err != nil {
		f.gate.fail(fmt.Errorf("closing the manifest: %w", err))
	}
	return nil
}

// String is for errorfs.
func (g *gate) String() string { return "gate" }

var errGate = errors.New("the store has failed and changes no file")

// MaybeError is asked before every operation on a file. A retry (it begins with a new file) waits here
// until the store closes, as Pebble would otherwise repeat it without a pause.
func (g *gate) MaybeError(op errorfs.Op) error {
	if op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpLock || op.Kind.ReadOrWrite() == errorfs.OpIsRead {
		return nil
	}
	select {
	case <-g.failed:
	default:
		return nil
	}
	if op.Kind == errorfs.OpCreate && g.opened.Load() {
		<-g.closing
	}
	return errGate
}

// fail closes the gate. The first cause is kept.
func (g *gate) fail(cause error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.cause != nil {
		return
	}
	hint := "restart on a disk that works; the log keeps what was acknowledged"
	if errors.Is(cause, syscall.ENOSPC) {
		hint = "the disk is full: free some space and restart; the log keeps what was acknowledged"
	}
	g.cause = fault.New("store", fault.Unavailable, g.dir, "the store failed and takes nothing more: %w (%s)", cause, hint)
	g.log.Error("the store failed", "dir", g.dir, "error", cause)
	close(g.failed)
}

// err returns why the store failed, or nil.
func (g *gate) err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.cause
}

// release lets what waits in MaybeError go on, into its error.
func (g *gate) release() { g.once.Do(func() { close(g.closing) }) }
