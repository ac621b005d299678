package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// change is one operation that may write.
type change struct {
	apply func(*batch) error // on the writer's goroutine
	done  chan error         // gets its error, once it is durable
}

// batch is what one sync makes durable. It reads what it has written.
type batch struct {
	*pebble.Batch
	keys map[string]struct{} // written
}

func (b *batch) set(key string, value []byte) error {
	b.keys[key] = struct{}{}
	return b.Set([]byte(key), value, nil)
}

func (b *batch) delete(key string) error {
	b.keys[key] = struct{}{}
	return b.Delete([]byte(key), nil)
}

// flight is a batch on its way to the disk.
type flight struct {
	keys   map[string]struct{}
	landed chan struct{} // closed when it is durable, or never will be
}

// change carries out an operation that may write and returns once what it wrote is durable, or what it saw. A context
// that ends while it is on its way does not stop it.
func (s *Store) change(ctx context.Context, apply func(*batch) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	c := &change{apply: apply, done: make(chan error, 1)}
	select {
	case s.ops <- c:
	case <-ctx.Done():
		return ctx.Err()
	case <-s.ended:
		return s.refusal()
	}
	select {
	case err := <-c.done:
		return err
	case <-s.ended:
	}
	select {
	case err := <-c.done:
		return err
	default:
		return s.refusal()
	}
}

// write is the writer: it carries out what has come, as one batch, until the store is closed or fails.
func (s *Store) write() {
	defer close(s.ended)
	for {
		select {
		case c := <-s.ops:
			if err := s.writeBatch(c); err != nil {
				s.fail(err)
				return
			}
		case <-s.quit:
			s.fail(fault.New("embedded", fault.Unavailable, s.dir, "the store is closed"))
			return
		}
	}
}

// writeBatch carries out a change and those that wait behind it, and answers them.
func (s *Store) writeBatch(c *change) error {
	b := &batch{s.db.NewIndexedBatch(), map[string]struct{}{}}
	defer b.Close()
	var changes []*change
	var errs []error
	for c != nil {
		changes, errs = append(changes, c), append(errs, c.apply(b))
		c = nil
		if b.Len() < batchBytes && len(changes) < queue {
			select {
			case c = <-s.ops:
			default:
			}
		}
	}
	err := s.commit(b)
	for i, c := range changes {
		if err != nil {
			errs[i] = s.refusalOf(err)
		}
		c.done <- errs[i]
	}
	return err
}

// commit makes a batch durable. Meanwhile nobody reads what it writes.
func (s *Store) commit(b *batch) (err error) {
	if b.Empty() {
		return nil
	}
	f := &flight{b.keys, make(chan struct{})}
	s.mu.Lock()
	s.flying = f
	s.mu.Unlock()
	defer func() {
		if r := recover(); r != nil { // Pebble ends a commit that cannot be written with Fatalf
			err = fmt.Errorf("%v", r)
		}
		s.mu.Lock()
		s.flying = nil
		if err != nil {
			s.failed = s.refusalOf(err)
		}
		s.mu.Unlock()
		close(f.landed)
	}()
	return b.Commit(pebble.Sync)
}

// read calls fn when none of the keys is on its way to the disk.
func (s *Store) read(ctx context.Context, keys []string, fn func(pebble.Reader) error) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		wait, err := s.tryRead(keys, fn)
		if wait == nil {
			return err
		}
		select {
		case <-wait:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// tryRead calls fn, or returns what to wait for.
func (s *Store) tryRead(keys []string, fn func(pebble.Reader) error) (wait <-chan struct{}, err error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.failed != nil {
		return nil, s.failed
	}
	if s.flying != nil {
		for _, key := range keys {
			if _, ok := s.flying.keys[key]; ok {
				return s.flying.landed, nil
			}
		}
	}
	return nil, fn(s.db)
}

// fail has the store take nothing any more.
func (s *Store) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failed == nil {
		s.failed = s.refusalOf(err)
	}
}

func (s *Store) refusal() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.failed
}

func (s *Store) refusalOf(err error) error {
	var known *fault.Error
	if errors.As(err, &known) {
		return err
	}
	return fault.New("embedded", fault.Unavailable, s.dir, "the store failed and takes nothing more: %w; free the disk or repair it, and restart: what was acknowledged is kept", err)
}

// record reads a record; nil: there is none.
func record(db pebble.Reader, key string) (rec *unum.Record, err error) {
	err = value(db, key, func(v []byte) error {
		rec, err = ratchet.Decode(v)
		return err
	})
	return rec, err
}

// blob reads a blob; nil data: there is none.
func blob(db pebble.Reader, key string) (data []byte, expires int64, err error) {
	err = value(db, key, func(v []byte) error {
		r := wire.NewReader(v)
		expires = r.Int()
		data = append([]byte{}, r.Rest()...)
		return r.Err()
	})
	return data, expires, err
}

// value calls fn with what is at key, which is valid during the call, if there is anything.
func value(db pebble.Reader, key string, fn func([]byte) error) error {
	v, closer, err := db.Get([]byte(key))
	if errors.Is(err, pebble.ErrNotFound) {
		return nil
	}
	if err != nil {
		return fault.New("embedded", fault.Unavailable, key, "%w", err)
	}
	return errors.Join(fn(v), closer.Close())
}

// logger sends what Pebble says to slog.
type logger struct{ log *slog.Logger }

func (l logger) Infof(format string, args ...any) {
	l.log.Debug("pebble: " + fmt.Sprintf(format, args...))
}

func (l logger) Errorf(format string, args ...any) {
	l.log.Error("pebble: " + fmt.Sprintf(format, args...))
}

// Fatalf must not return. A commit's panic is caught; others end the process, which loses nothing that was acknowledged.
func (l logger) Fatalf(format string, args ...any) {
	panic("pebble: " + fmt.Sprintf(format, args...))
}
