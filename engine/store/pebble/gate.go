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

// gatedFS is a file system behind a gate. Pebble panics when a directory cannot be synced, so it is not
// told: the gate closes, and nobody is told of anything that came after.
type gatedFS struct {
	*errorfs.FS
	gate *gate
}

// Create implements vfs.FS. A marker file names another file (the current manifest), and Pebble makes
// both durable with one sync of their directory, which leaves open which of them a crash keeps. So what a
// marker may name is made durable before there is a marker.
func (fs *gatedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	if strings.HasPrefix(fs.PathBase(name), "marker.") {
		dir, err := fs.FS.OpenDir(fs.PathDir(name))
		if err != nil {
			return nil, err
		}
		if err := errors.Join(dir.Sync(), dir.Close()); err != nil {
			return nil, err
		}
	}
	return fs.FS.Create(name, category)
}

// OpenDir implements vfs.FS.
func (fs *gatedFS) OpenDir(name string) (vfs.File, error) {
	f, err := fs.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &gatedDir{f, fs.gate}, nil
}

// gatedDir is a directory behind a gate.
type gatedDir struct {
	vfs.File
	gate *gate
}

// Sync implements vfs.File.
func (d *gatedDir) Sync() error {
	if err := d.File.Sync(); err != nil {
		d.gate.fail(fmt.Errorf("syncing a directory: %w", err))
	}
	return nil
}

// String is for errorfs.
func (g *gate) String() string { return "gate" }

var errGate = errors.New("the store has failed and changes no file")

// MaybeError is asked before every operation on a file. A retry (it begins with a new file) waits here
// until the store closes, as Pebble would otherwise repeat it without a pause.
func (g *gate) MaybeError(op errorfs.Op) error {
	switch op.Kind {
	case errorfs.OpFileClose, errorfs.OpLock:
		return nil
	}
	if op.Kind.ReadOrWrite() == errorfs.OpIsRead {
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
