package values

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// Options says how a Store works. The zero value is a working store.
type Options struct {
	// FS is where the directory is. nil: the machine's files. A node without a directory gives vfs.NewMem().
	FS vfs.FS
	// Now is the clock that ids and ages are made of; it must not go back, nor begin before 1970. nil: the machine's
	// clock as of Open, moved on by the time that passes, whatever the machine's clock is set to meanwhile.
	Now func() time.Time
	// Rand is where ids come from, read by several goroutines at once. nil: crypto/rand.Reader. For the
	// simulator.
	Rand io.Reader
}

const (
	lockName   = "LOCK"
	tempPrefix = "put-"
	// shardCount is how many directories the values are spread over: Sweep reads one at a time.
	shardCount = 256
)

// category is how pebble would count our writes; nobody asks it.
const category = vfs.WriteCategoryUnspecified

// Store keeps values in the files of a directory. Its methods may be called by several goroutines at once.
type Store struct {
	dir    string
	fs     vfs.FS
	now    func() time.Time
	rand   io.Reader
	max    int64 // bytes of a value
	opened time.Time
	lock   io.Closer
	closed atomic.Bool
	shards [shardCount]shard
}

// shard is one of the directories. It is made, and durable, before the first value is put there.
type shard struct {
	mu   sync.Mutex
	made bool
}

// Open opens the store in dir and removes what Puts left that a crash cut short. It makes dir, in a directory that
// is there, when there is none. It fails with fault.Unavailable when dir is in use or cannot be read or written.
func Open(dir string, options *Options) (*Store, error) {
	o := Options{}
	if options != nil {
		o = *options
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		start := time.Now()
		o.Now = func() time.Time { return start.Add(time.Since(start)) }
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	}
	s := &Store{dir: dir, fs: o.FS, now: o.Now, rand: o.Rand, max: limits.ValueBytes, opened: o.Now()}
	if err := s.open(); err != nil {
		return nil, fault.New("values.Open", fault.Unavailable, dir, "the store of large values cannot be opened: %w%s", err, hint(err))
	}
	return s, nil
}

func (s *Store) open() (err error) {
	if err := s.fs.MkdirAll(s.dir, 0o777); err != nil {
		return err
	}
	if err := s.syncDir(s.fs.PathDir(s.dir)); err != nil {
		return err
	}
	if s.lock, err = s.fs.Lock(s.fs.PathJoin(s.dir, lockName)); err != nil {
		return fmt.Errorf("it is in use by another process, or cannot be locked: %w", err)
	}
	if err := s.tidy(); err != nil {
		return errors.Join(err, s.lock.Close())
	}
	return nil
}

// tidy removes temporaries and finds which shards there are.
func (s *Store) tidy() error {
	names, err := s.fs.List(s.dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			if err := s.fs.Remove(s.fs.PathJoin(s.dir, name)); err != nil {
				return err
			}
		} else if b, err := hex.DecodeString(name); err == nil && len(b) == 1 {
			s.shards[b[0]].made = true
		}
	}
	// The process before may have ended between making a shard and making it durable.
	return s.syncDir(s.dir)
}

// Close lets go of the directory. Puts under way fail unless they are about to return; readers go on.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	return s.lock.Close()
}

// Delete removes a value. One that is not there is removed already. Readers that have it open go on.
func (s *Store) Delete(id ID) error {
	_, err := s.remove(id)
	return err
}

// remove is Delete, and says whether the value was there.
func (s *Store) remove(id ID) (bool, error) {
	const op = "values.Delete"
	if s.closed.Load() {
		return false, s.errClosed(op)
	}
	err := s.fs.Remove(s.path(id))
	if err != nil && !isMissing(err) {
		return false, fault.New(op, fault.Unavailable, s.path(id), "%w", err)
	}
	return err == nil, nil
}

// Each calls fn for every value there is, in no particular order, until fn returns an error, which Each
// returns. Values put or deleted meanwhile may be among them or not.
func (s *Store) Each(fn func(ID) error) error {
	for i := range shardCount {
		ids, err := s.list(byte(i))
		if err != nil {
			return err
		}
		for _, id := range ids {
			if err := fn(id); err != nil {
				return err
			}
		}
	}
	return nil
}

// list returns the values of one shard, oldest first.
func (s *Store) list(b byte) ([]ID, error) {
	const op = "values.Each"
	if s.closed.Load() {
		return nil, s.errClosed(op)
	}
	if !s.hasShard(b) {
		return nil, nil
	}
	names, err := s.fs.List(s.shardPath(b))
	if err != nil {
		return nil, fault.New(op, fault.Unavailable, s.shardPath(b), "%w", err)
	}
	ids := make([]ID, 0, len(names))
	for _, name := range names {
		if id, ok := parseID(name); ok && id.shard() == b {
			ids = append(ids, id)
		}
	}
	slices.SortFunc(ids, func(a, b ID) int { return bytes.Compare(a[:], b[:]) })
	return ids, nil
}

// age returns how long ago a value was put. One of the future was put by a process before this one whose clock
// was ahead: its age counts from Open.
func (s *Store) age(id ID) time.Duration {
	now, put := s.now(), id.Time()
	if put.After(now) {
		put = s.opened
	}
	return now.Sub(put)
}

// shard is the directory a value is in. Its last byte is random, which the first is not.
func (id ID) shard() byte { return id[len(id)-1] }

func (s *Store) shardPath(b byte) string { return s.fs.PathJoin(s.dir, fmt.Sprintf("%02x", b)) }

func (s *Store) path(id ID) string {
	return s.fs.PathJoin(s.dir, fmt.Sprintf("%02x", id.shard()), id.String())
}

// makeShard makes the directory that a value will be in, if it is the first there.
func (s *Store) makeShard(b byte) error {
	sh := &s.shards[b]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if sh.made {
		return nil
	}
	if err := s.fs.MkdirAll(s.shardPath(b), 0o777); err != nil {
		return err
	}
	if err := s.syncDir(s.dir); err != nil {
		return err
	}
	sh.made = true
	return nil
}

// hasShard says whether there can be values in a shard.
func (s *Store) hasShard(b byte) bool {
	sh := &s.shards[b]
	sh.mu.Lock()
	defer sh.mu.Unlock()
	return sh.made
}

// syncDir makes the names in a directory durable.
func (s *Store) syncDir(dir string) error {
	if dir == "" {
		dir = "."
	}
	d, err := s.fs.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (s *Store) errClosed(op string) error {
	return fault.New(op, fault.Unavailable, s.dir, "the store of large values is closed")
}

// hint says what to do about an error, where we know.
func hint(err error) string {
	if errors.Is(err, syscall.ENOSPC) {
		return " (the disk is full: free some space and try again)"
	}
	return ""
}

// isMissing says that a file or directory is not there.
func isMissing(err error) bool { return errors.Is(err, os.ErrNotExist) }
