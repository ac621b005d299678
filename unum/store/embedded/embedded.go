// Package embedded keeps records and blobs in a directory of this machine, for local runs. What is answered is durable: one
// goroutine carries out all changes that have come, as one batch of Pebble's write-ahead log with one sync, and then
// answers them (group commit). Reads wait for changes of their keys that are on the way to the disk, so that nobody
// sees what a power cut could take back.
//
// One process has the directory; others use it through package remote.
//
//	s, err := embedded.Open(dir, nil)
//	defer s.Close()
package embedded

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/directory"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// Options say how a store works. The zero value is fine.
type Options struct {
	// FS is where the directory is. nil: the machine's files.
	FS vfs.FS
	// SweepEvery is how often what has expired is looked for, which reads everything. 0: once an hour; negative: never.
	SweepEvery time.Duration
	// Logger gets failures. nil: slog.Default().
	Logger *slog.Logger
}

const (
	sweepEvery = time.Hour
	memTable   = 8 << 20
	// queue bounds the changes that wait; the callers of more wait to get in. batchBytes bounds what one sync makes durable,
	// but for the last change of it.
	queue      = 1024
	batchBytes = 8 << 20
)

// The keys of the database: what it is, and the key.
const (
	recordPrefix = "r"
	blobPrefix   = "b" // of a value with expires, then data
)

// Store is an open directory. It is safe for concurrent use.
type Store struct {
	dir  string
	log  *slog.Logger
	db   *pebble.DB
	lock io.Closer

	ops   chan *change
	quit  chan struct{} // closed by Close
	ended chan struct{} // closed when no change is carried out any more
	group sync.WaitGroup
	once  sync.Once
	err   error // of Close

	mu     sync.RWMutex
	flying *flight // the batch that is on its way to the disk
	failed error   // no change is taken any more
}

var (
	_ unum.Store  = (*Store)(nil)
	_ unum.Lister = (*Store)(nil)
)

// Open opens the store in a directory, making it if it is not there. It fails with fault.Conflict when another process has
// it.
func Open(dir string, options *Options) (*Store, error) {
	o := Options{}
	if options != nil {
		o = *options
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.SweepEvery == 0 {
		o.SweepEvery = sweepEvery
	}
	const op = "embedded.Open"
	lock, err := directory.Take(op, o.FS, dir)
	if err != nil {
		return nil, err
	}
	db, err := pebble.Open(o.FS.PathJoin(dir, "db"), &pebble.Options{
		FS: o.FS, FormatMajorVersion: pebble.FormatValueSeparation, MemTableSize: memTable, Logger: logger{o.Logger},
	})
	if err != nil {
		return nil, errors.Join(fault.New(op, fault.Unavailable, dir, "%w", err), lock.Close())
	}
	s := &Store{dir: dir, log: o.Logger, db: db, lock: lock, ops: make(chan *change, queue), quit: make(chan struct{}), ended: make(chan struct{})}
	s.group.Go(s.write)
	if o.SweepEvery > 0 {
		s.group.Go(func() { s.sweepAgain(o.SweepEvery) })
	}
	return s, nil
}

// Close ends the store: changes that have not been carried out fail.
func (s *Store) Close() error {
	s.once.Do(func() {
		close(s.quit)
		s.group.Wait()
		s.mu.Lock() // reads are short
		defer s.mu.Unlock()
		if s.failed == nil {
			s.failed = fault.New("embedded", fault.Unavailable, s.dir, "the store is closed")
		}
		s.err = errors.Join(s.db.Close(), s.lock.Close())
	})
	return s.err
}

// Get implements unum.Store. All records are of one moment.
func (s *Store) Get(ctx context.Context, keys []string) ([]*unum.Record, error) {
	if err := ratchet.CheckKeys("Get", keys...); err != nil {
		return nil, err
	}
	stored := make([]string, len(keys))
	for i, key := range keys {
		stored[i] = recordPrefix + key
	}
	recs := make([]*unum.Record, len(keys))
	err := s.read(ctx, stored, func(db pebble.Reader) (err error) {
		for i, key := range stored {
			if recs[i], err = record(db, key); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return recs, nil
}

// Create implements unum.Store.
func (s *Store) Create(ctx context.Context, key string, rec *unum.Record) (cur *unum.Record, created bool, err error) {
	if err := ratchet.CheckRecord("Create", key, rec); err != nil {
		return nil, false, err
	}
	data := ratchet.Append(nil, rec)
	err = s.change(ctx, func(b *batch) (err error) {
		if cur, err = record(b, recordPrefix+key); err != nil || cur != nil {
			return err
		}
		created = true
		return b.set(recordPrefix+key, data)
	})
	return told(cur, created, err)
}

// Advance implements unum.Store.
func (s *Store) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (cur *unum.Record, advanced bool, err error) {
	if err := ratchet.CheckRecord("Advance", key, rec); err != nil {
		return nil, false, err
	}
	data := ratchet.Append(nil, rec)
	err = s.change(ctx, func(b *batch) (err error) {
		if cur, err = record(b, recordPrefix+key); err != nil || !ratchet.At(cur, nonce, from) {
			return err
		}
		cur, advanced = nil, true
		return b.set(recordPrefix+key, data)
	})
	return told(cur, advanced, err)
}

// Add implements unum.Store.
func (s *Store) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (cur *unum.Record, added bool, err error) {
	if err := errors.Join(ratchet.CheckKeys("Add", key), ratchet.CheckMember("Add", key, member)); err != nil {
		return nil, false, err
	}
	err = s.change(ctx, func(b *batch) (err error) {
		if cur, err = record(b, recordPrefix+key); err != nil || !ratchet.At(cur, nonce, step) {
			return err
		}
		next := ratchet.With(cur, member, failed)
		if err := ratchet.CheckMembers("Add", key, next); err != nil {
			return err
		}
		cur, added = next, true
		return b.set(recordPrefix+key, ratchet.Append(nil, next))
	})
	return told(cur, added, err)
}

// told is what a caller is told: nothing but the error, if there is one.
func told(cur *unum.Record, done bool, err error) (*unum.Record, bool, error) {
	if err != nil {
		return nil, false, err
	}
	return cur, done, nil
}

// Delete implements unum.Store.
func (s *Store) Delete(ctx context.Context, keys []string) error {
	return s.remove(ctx, "Delete", recordPrefix, keys)
}

func (s *Store) remove(ctx context.Context, op, prefix string, keys []string) error {
	if err := ratchet.CheckKeys(op, keys...); err != nil {
		return err
	}
	keys = slices.Clone(keys)
	return s.change(ctx, func(b *batch) error {
		for _, key := range keys {
			if err := b.delete(prefix + key); err != nil {
				return err
			}
		}
		return nil
	})
}

// PutBlob implements unum.Store.
func (s *Store) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	if err := ratchet.CheckBlob("PutBlob", key, data); err != nil {
		return err
	}
	data = append(wire.AppendInt(make([]byte, 0, len(data)+binary.MaxVarintLen64), expires), data...)
	return s.change(ctx, func(b *batch) error { return b.set(blobPrefix+key, data) })
}

// GetBlob implements unum.Store.
func (s *Store) GetBlob(ctx context.Context, key string) (data []byte, err error) {
	if err := ratchet.CheckKeys("GetBlob", key); err != nil {
		return nil, err
	}
	err = s.read(ctx, []string{blobPrefix + key}, func(db pebble.Reader) error {
		data, _, err = blob(db, blobPrefix+key)
		return err
	})
	if err == nil && data == nil {
		err = ratchet.NoBlob(key)
	}
	return data, err
}

// DeleteBlobs implements unum.Store.
func (s *Store) DeleteBlobs(ctx context.Context, keys []string) error {
	return s.remove(ctx, "DeleteBlobs", blobPrefix, keys)
}
