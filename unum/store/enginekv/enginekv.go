// Package enginekv keeps records and blobs in partitions of Weft's engine, in a directory of its own: each record is an
// instance of a program, each operation an event of the commit log, each time to live a timer. So it has what the
// engine has: one sync for all operations that come at the same time, answers that wait for it, state larger than
// memory in the key-value store, snapshots, and recovery by replaying the log.
//
// One process has the directory; others use it through package remote.
//
//	s, err := enginekv.Open(dir, nil)
//	defer s.Close()
package enginekv

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/backoff"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// Options say how a store works. The zero value is fine.
type Options struct {
	// FS is where the directory is. nil: the machine's files.
	FS vfs.FS
	// Now is the clock, for times to live. nil: time.Now.
	Now func() time.Time
	// Logger gets failures. nil: slog.Default().
	Logger *slog.Logger

	// For tests.
	segmentBytes int64 // of the log; 0: its default
	resident     int   // instances of a partition in memory when idle; 0: resident
}

// partitions is how many there are, fixed when a directory is made: as many goroutines fold operations.
const partitions = 4

// Store is an open directory. It is safe for concurrent use.
type Store struct{ node }

var (
	_ unum.Store  = (*Store)(nil)
	_ unum.Lister = (*Store)(nil)
)

// Get implements unum.Store.
func (s *Store) Get(ctx context.Context, keys []string) ([]*unum.Record, error) {
	if err := ratchet.CheckKeys("Get", keys...); err != nil {
		return nil, err
	}
	recs := make([]*unum.Record, len(keys))
	var at [partitions][]int // indices of keys
	for i, key := range keys {
		p := partition.Place(recordPrefix+key, partitions)
		at[p] = append(at[p], i)
	}
	var waits [partitions]chan any
	for p, indices := range at {
		if len(indices) == 0 {
			continue
		}
		wait, err := s.submit(ctx, p, lane.Item{Read: func(r *lane.Reader) any { return readRecords(r, keys, indices) }})
		if err != nil {
			return nil, err
		}
		waits[p] = wait
	}
	for p, indices := range at {
		if len(indices) == 0 {
			continue
		}
		v, err := await(ctx, waits[p])
		if err != nil {
			return nil, err
		}
		for n, rec := range v.([]*unum.Record) {
			recs[indices[n]] = ratchet.Clone(rec)
		}
	}
	return recs, ctx.Err()
}

// readRecords returns the records of some keys, or an error.
func readRecords(r *lane.Reader, keys []string, indices []int) any {
	recs := make([]*unum.Record, len(indices))
	for n, i := range indices {
		in, err := find(r, recordPrefix+keys[i], records{})
		if err != nil {
			return err
		}
		if in != nil {
			recs[n] = in.(*record).rec
		}
	}
	return recs
}

// find returns the instance of a name, from memory or the store; nil: there is none.
func find(r *lane.Reader, name string, program partition.Program) (partition.Instance, error) {
	ref, ok, err := r.Find(name)
	if err != nil || !ok {
		return nil, err
	}
	if v, ok := r.Core().View(ref); ok {
		return v.State, nil // they never end, and so are never packed
	}
	rec, ok, err := r.Record(ref)
	if err != nil || !ok {
		return nil, err
	}
	return program.Decode(rec.State, nil)
}

// operate submits an operation on an instance and waits for its answer.
func (s *Store) operate(ctx context.Context, program partition.ProgramID, name string, op uint8, body []byte) (answer, error) {
	p := int(partition.Place(name, partitions))
	wait, err := s.submit(ctx, p, lane.Item{Event: partition.Event{Kind: partition.Message, To: name, Program: program, Op: op, Body: body}})
	if err != nil {
		return answer{}, err
	}
	v, err := await(ctx, wait)
	if err != nil {
		return answer{}, err
	}
	a, _ := v.(answer) // nil where there is no such instance
	return a, nil
}

// submit gives a lane an item. What comes of it comes out of wait.
func (s *Store) submit(ctx context.Context, p int, item lane.Item) (wait chan any, err error) {
	wait = make(chan any, 1)
	item.Event.Client = wait
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := s.lanes[p].Submit(item)
		if err == nil || !fault.Is(err, fault.Busy) || n == backoff.Attempts {
			return wait, err
		}
		if err := backoff.Pause(ctx, n); err != nil {
			return nil, err
		}
	}
}

// await waits for what came of an item. A context that ends does not take it back.
func await(ctx context.Context, wait chan any) (any, error) {
	select {
	case v := <-wait:
		if err, failed := v.(error); failed {
			return nil, err
		}
		return v, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Create implements unum.Store.
func (s *Store) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	if err := ratchet.CheckRecord("Create", key, rec); err != nil {
		return nil, false, err
	}
	a, err := s.operate(ctx, recordsID, recordPrefix+key, opCreate, ratchet.Append(nil, rec))
	return ratchet.Clone(a.cur), a.done, err
}

// Advance implements unum.Store.
func (s *Store) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	if err := ratchet.CheckRecord("Advance", key, rec); err != nil {
		return nil, false, err
	}
	body := ratchet.Append(wire.AppendInt(wire.AppendString(nil, nonce), from), rec)
	a, err := s.operate(ctx, recordsID, recordPrefix+key, opAdvance, body)
	return ratchet.Clone(a.cur), a.done, err
}

// Add implements unum.Store.
func (s *Store) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	if err := errors.Join(ratchet.CheckKeys("Add", key), ratchet.CheckMember("Add", key, member)); err != nil {
		return nil, false, err
	}
	body := wire.AppendInt(wire.AppendString(nil, nonce), step)
	body = wire.AppendBool(wire.AppendString(body, member), failed)
	a, err := s.operate(ctx, recordsID, recordPrefix+key, opAdd, body)
	return ratchet.Clone(a.cur), a.done, err
}

// Delete implements unum.Store.
func (s *Store) Delete(ctx context.Context, keys []string) error {
	return s.remove(ctx, "Delete", recordsID, recordPrefix, keys)
}

// remove removes instances, all at once.
func (s *Store) remove(ctx context.Context, op string, program partition.ProgramID, prefix string, keys []string) error {
	if err := ratchet.CheckKeys(op, keys...); err != nil {
		return err
	}
	waits := make([]chan any, len(keys))
	for i, key := range keys {
		name := prefix + key
		item := lane.Item{Event: partition.Event{Kind: partition.Message, To: name, Program: program, Op: opDelete}}
		var err error
		if waits[i], err = s.submit(ctx, int(partition.Place(name, partitions)), item); err != nil {
			return err
		}
	}
	for _, wait := range waits {
		if _, err := await(ctx, wait); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// PutBlob implements unum.Store.
func (s *Store) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	if err := ratchet.CheckBlob("PutBlob", key, data); err != nil {
		return err
	}
	body := append(wire.AppendInt(nil, expires), data...)
	_, err := s.operate(ctx, blobsID, blobPrefix+key, opPut, body)
	return err
}

// GetBlob implements unum.Store.
func (s *Store) GetBlob(ctx context.Context, key string) ([]byte, error) {
	if err := ratchet.CheckKeys("GetBlob", key); err != nil {
		return nil, err
	}
	name := blobPrefix + key
	wait, err := s.submit(ctx, int(partition.Place(name, partitions)), lane.Item{Read: func(r *lane.Reader) any {
		in, err := find(r, name, blobs{})
		if err == nil && in == nil {
			err = ratchet.NoBlob(key)
		}
		if err != nil {
			return err
		}
		return in.(*blob).data
	}})
	if err != nil {
		return nil, err
	}
	v, err := await(ctx, wait)
	if err != nil {
		return nil, err
	}
	return slices.Clone(v.([]byte)), nil
}

// DeleteBlobs implements unum.Store.
func (s *Store) DeleteBlobs(ctx context.Context, keys []string) error {
	return s.remove(ctx, "DeleteBlobs", blobsID, blobPrefix, keys)
}
