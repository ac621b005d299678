// Package pebble is the store on disk, in a Pebble database without a write-ahead log. Pebble flushes
// its memtables in the order they filled, each with whole batches, and records a flush in its manifest
// with one synced edit; so what a crash leaves is the state after a prefix of the batches, which is
// all that store.Store asks for.
//
// Pebble by itself meets a full or broken disk by trying the same flush again without a pause, stalls writers
// inside its commit lock meanwhile, and ends the process when its manifest cannot be written. Here the
// first failed write closes a gate between Pebble and its files instead: nothing on disk changes any
// more, retries wait, readers go on, and Apply and Flush say what happened.
//
// Writers never wait inside Pebble. Apply waits, without any lock that readers take, while two flushes
// are under way or level 0 is more than Options.RunsMax deep.
package pebble

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/fault"
)

// Options says how a store works. The zero value is a working store.
type Options struct {
	// FS is where the directory is. nil: the machine's files.
	FS vfs.FS
	// CacheBytes bounds the blocks kept in memory for readers. 0: 64 MiB. More helps when cold
	// instances and histories are read often. What memtables do not use is the cache's, too.
	CacheBytes int64
	// MemTableBytes is how much is applied before it is flushed in the background. 0: 32 MiB. Up to
	// four times as much is in memory. Larger: fewer, longer flushes and less compaction.
	MemTableBytes int64
	// RunsMax is how many sorted runs level 0 may have before Apply waits for compaction. 0: 20.
	RunsMax int
	// Logger gets a failure as an error, and what Pebble has to say at debug level. nil: slog.Default().
	Logger *slog.Logger
}

const (
	// memTablesMax is how many memtables there are at most: the one that fills, those being flushed, and
	// one kept for the next.
	memTablesMax = flushesMax + 2
	// flushesMax is how many flushes may be under way before Apply waits.
	flushesMax = 2
	// never is a threshold at which Pebble would stall writers by itself, out of reach.
	never = 1 << 20
	// l0Trigger is the depth of level 0 at which Pebble compacts it.
	l0Trigger = 4
)

func (o *Options) withDefaults(dir string) (Options, error) {
	c := Options{}
	if o != nil {
		c = *o
	}
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.CacheBytes == 0 {
		c.CacheBytes = 64 << 20
	}
	if c.MemTableBytes == 0 {
		c.MemTableBytes = 32 << 20
	}
	if c.RunsMax == 0 {
		c.RunsMax = 20
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.CacheBytes < 0 || c.MemTableBytes < 64<<10 || c.MemTableBytes > 1<<30 || c.RunsMax <= l0Trigger {
		return c, fault.New("store.Open", fault.InvalidArgument, dir, "CacheBytes %d must not be negative, MemTableBytes %d be between 64 KiB and 1 GiB, RunsMax %d be above %d", c.CacheBytes, c.MemTableBytes, c.RunsMax, l0Trigger)
	}
	return c, nil
}

// Store is a store on disk. See store.Store for its methods' contract.
type Store struct {
	dir  string
	opts Options
	db   *pebble.DB
	gate *gate

	closed    atomic.Bool
	batches   atomic.Int64
	bytes     atomic.Int64
	flushes   atomic.Int64
	compacted chan struct{} // a compaction has ended since it was last read

	apply   sync.Mutex // held by Apply; the order it is taken in is the order of batches
	fresh   int64      // bytes applied since the last flush was begun
	pending []flush    // begun and perhaps not finished, in order
}

// flush is one flush on its way.
type flush struct {
	done  <-chan struct{} // closed when what it covers is durable
	bytes int64
}

var _ store.Store = (*Store)(nil)

// Open opens the store in dir, making it if it is not there. It fails with fault.Corrupt when its files
// are damaged and with fault.Unavailable when they are in use or cannot be read or written.
func Open(dir string, options *Options) (*Store, error) {
	opts, err := options.withDefaults(dir)
	if err != nil {
		return nil, err
	}
	s := &Store{dir: dir, opts: opts, gate: newGate(dir, opts.Logger), compacted: make(chan struct{}, 1)}
	// Pebble takes the memory of memtables out of the cache's; without this nothing is left for blocks.
	cache := pebble.NewCache(opts.CacheBytes + memTablesMax*opts.MemTableBytes)
	defer cache.Unref() // the database holds its own reference
	s.db, err = pebble.Open(dir, s.pebbleOptions(cache))
	if err == nil {
		err = s.syncParent()
	}
	if cause := s.gate.err(); cause != nil {
		err = cause
	}
	if err != nil {
		s.gate.release()
		if s.db != nil {
			err = errors.Join(err, s.db.Close())
		}
		return nil, s.fault("store.Open", err)
	}
	s.gate.opened.Store(true)
	return s, nil
}

// pebbleOptions is how this package uses Pebble.
func (s *Store) pebbleOptions(cache *pebble.Cache) *pebble.Options {
	o := &pebble.Options{
		FS:                          s.gate.wrap(s.opts.FS),
		Cache:                       cache,
		DisableWAL:                  true,
		FormatMajorVersion:          pebble.FormatValueSeparation, // fixed, so that a newer Pebble does not change files by itself
		MemTableSize:                uint64(s.opts.MemTableBytes),
		MemTableStopWritesThreshold: never,
		L0CompactionThreshold:       l0Trigger,
		L0StopWritesThreshold:       never,
		LBaseMaxBytes:               64 << 20,
		MaxOpenFiles:                500,
		Logger:                      &logger{s.opts.Logger, s.gate},
		EventListener: &pebble.EventListener{
			BackgroundError: s.gate.fail,
			DataCorruption: func(info pebble.DataCorruptionInfo) {
				s.opts.Logger.Error("the store has a damaged file", "dir", s.dir, "info", info.String())
			},
			FlushEnd: func(info pebble.FlushInfo) { s.flushes.Add(1) },
			CompactionEnd: func(pebble.CompactionInfo) {
				select {
				case s.compacted <- struct{}{}:
				default:
				}
			},
		},
	}
	o.Experimental.FileCacheShards = 2
	// Snappy where files are young and rewritten soon, zstd in the last level, where most bytes are.
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	for i := range o.Levels {
		o.Levels[i].FilterPolicy = bloom.FilterPolicy(10) // 1 % of the reads of absent keys touch a block
		o.Levels[i].BlockSize = 16 << 10
	}
	return o
}

// syncParent makes the directory itself durable: Pebble syncs only what is in it.
func (s *Store) syncParent() error {
	parent := s.opts.FS.PathDir(s.dir)
	if parent == "" {
		parent = "."
	}
	d, err := s.opts.FS.OpenDir(parent)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Get implements store.Store.
func (s *Store) Get(key []byte) (value []byte, ok bool, err error) {
	if s.closed.Load() {
		return nil, false, s.errClosed("store.Get")
	}
	v, closer, err := s.db.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, false, nil
	case err != nil:
		return nil, false, s.fault("store.Get", err)
	}
	value = append([]byte{}, v...)
	if err := closer.Close(); err != nil {
		return nil, false, s.fault("store.Get", err)
	}
	return value, true, nil
}

// writer plays a batch into Pebble's.
type writer struct{ b *pebble.Batch }

func (w writer) Set(key, value []byte) error           { return w.b.Set(key, value, nil) }
func (w writer) Delete(key []byte) error               { return w.b.Delete(key, nil) }
func (w writer) DeleteRange(lower, upper []byte) error { return w.b.DeleteRange(lower, upper, nil) }

// Apply implements store.Store.
func (s *Store) Apply(b *store.Batch) error {
	const op = "store.Apply"
	if err := b.Check(); err != nil || b.Len() == 0 {
		return err
	}
	s.apply.Lock()
	defer s.apply.Unlock()
	if err := s.usable(op); err != nil {
		return err
	}
	if err := s.waitForRoom(); err != nil {
		return s.fault(op, err)
	}
	pb := s.db.NewBatchWithSize(b.Bytes() + b.Bytes()/8)
	if err := errors.Join(b.Each(writer{pb}), pb.Commit(pebble.NoSync), pb.Close()); err != nil {
		return s.fault(op, err)
	}
	s.batches.Add(1)
	s.bytes.Add(int64(b.Bytes()))
	if s.fresh += int64(b.Bytes()); s.fresh < s.opts.MemTableBytes {
		return nil
	}
	return s.beginFlush(op)
}

// beginFlush starts to flush what is applied. s.apply is held.
func (s *Store) beginFlush(op string) error {
	done, err := s.db.AsyncFlush()
	if err != nil {
		return s.fault(op, err)
	}
	s.pending = append(s.pending, flush{done, s.fresh})
	s.fresh = 0
	return nil
}

// waitForRoom waits while too much is being flushed or compacted. s.apply is held.
func (s *Store) waitForRoom() error {
	for {
		s.forgetDone()
		if len(s.pending) < flushesMax {
			break
		}
		select {
		case <-s.pending[0].done:
		case <-s.gate.failed:
			return s.gate.err()
		}
	}
	// Only after a flush can level 0 have grown.
	for s.fresh == 0 && s.db.Metrics().Levels[0].Sublevels > int32(s.opts.RunsMax) {
		select {
		case <-s.compacted:
		case <-s.gate.failed:
			return s.gate.err()
		}
	}
	return nil
}

// forgetDone drops the flushes that have finished. s.apply is held.
func (s *Store) forgetDone() {
	for len(s.pending) > 0 {
		select {
		case <-s.pending[0].done:
			s.pending = s.pending[1:]
		default:
			return
		}
	}
}

// Flush implements store.Store.
func (s *Store) Flush() error {
	const op = "store.Flush"
	s.apply.Lock()
	err := s.usable(op)
	if err == nil && s.fresh > 0 {
		err = s.beginFlush(op)
	}
	var last flush
	if n := len(s.pending); n > 0 {
		last = s.pending[n-1]
	}
	s.apply.Unlock()
	if err != nil || last.done == nil {
		return err
	}
	select {
	case <-last.done:
		// What finished after a failure proves nothing.
		if err := s.gate.err(); err != nil {
			return s.fault(op, err)
		}
		return nil
	case <-s.gate.failed:
		return s.fault(op, s.gate.err())
	}
}

// Iterate implements store.Store.
func (s *Store) Iterate(lower, upper []byte, reverse bool) store.Iterator {
	if s.closed.Load() {
		return &iterator{s: s, err: s.errClosed("store.Iterate")}
	}
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return &iterator{s: s, err: s.fault("store.Iterate", err)}
	}
	return &iterator{s: s, it: it, reverse: reverse}
}

// Metrics implements store.Store.
func (s *Store) Metrics() store.Metrics {
	m := store.Metrics{Batches: s.batches.Load(), BatchBytes: s.bytes.Load(), Flushes: s.flushes.Load()}
	if s.closed.Load() {
		return m
	}
	p := s.db.Metrics()
	m.Compactions = p.Compact.Count
	for _, l := range p.Levels {
		m.BytesWritten += int64(l.TableBytesFlushed + l.TableBytesCompacted + l.BlobBytesFlushed + l.BlobBytesCompacted)
	}
	m.DiskBytes = int64(p.DiskSpaceUsage())
	m.MemoryBytes = int64(p.MemTable.Size)
	m.CacheBytes = p.BlockCache.Size
	m.CacheHits, m.CacheMisses = p.BlockCache.Hits, p.BlockCache.Misses
	m.ReadDepth = p.ReadAmp()
	m.Debt = int64(p.Compact.EstimatedDebt)
	return m
}

// Close implements store.Store.
func (s *Store) Close() error {
	if s.closed.Load() {
		return nil
	}
	err := s.Flush()
	s.apply.Lock()
	defer s.apply.Unlock()
	if s.closed.Swap(true) {
		return nil
	}
	s.gate.release()
	if cerr := s.db.Close(); cerr != nil {
		err = errors.Join(err, s.fault("store.Close", cerr))
	}
	return err
}

// usable returns why the store takes no changes, or nil.
func (s *Store) usable(op string) error {
	if s.closed.Load() {
		return s.errClosed(op)
	}
	if err := s.gate.err(); err != nil {
		return s.fault(op, err)
	}
	return nil
}

func (s *Store) errClosed(op string) error {
	return fault.New(op, fault.Unavailable, s.dir, "the store is closed")
}

// fault makes an error of Pebble's one of ours.
func (s *Store) fault(op string, err error) error {
	var known *fault.Error
	switch {
	case errors.As(err, &known):
		return err
	case pebble.IsCorruptionError(err):
		return fault.New(op, fault.Corrupt, s.dir, "the store's files are damaged: %w; restore the data directory from a backup", err)
	}
	return fault.New(op, fault.Unavailable, s.dir, "%w", err)
}

// logger sends what Pebble says to slog.
type logger struct {
	log  *slog.Logger
	gate *gate
}

func (l *logger) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}
func (l *logger) Errorf(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf is where Pebble ends the process. The gate keeps it from coming here because of files; what is
// left are broken invariants.
func (l *logger) Fatalf(format string, args ...any) {
	message := fmt.Sprintf(format, args...)
	l.gate.fail(errors.New(message))
	panic("pebble: " + message)
}
