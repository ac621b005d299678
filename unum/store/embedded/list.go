package embedded

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// page is how many keys are gathered at a time, so that no read takes long.
const page = 1000

// Keys implements unum.Lister. fn may use the store.
func (s *Store) Keys(ctx context.Context, prefix string, fn func(key string) bool) error {
	for _, kind := range []string{recordPrefix, blobPrefix} {
		more, err := s.walk(ctx, kind+prefix, func(key string, _ []byte) (bool, error) { return true, nil }, func(keys []string) (bool, error) {
			for _, key := range keys {
				if !fn(key[1:]) {
					return false, nil
				}
			}
			return true, nil
		})
		if err != nil || !more {
			return err
		}
	}
	return nil
}

// walk calls do with the keys of the database that have a prefix and that want takes, some at a time, until do wants no
// more.
func (s *Store) walk(ctx context.Context, prefix string, want func(key string, value []byte) (bool, error), do func(keys []string) (more bool, err error)) (more bool, err error) {
	end := append([]byte(prefix), 0xff) // keys are ASCII
	for from := []byte(prefix); from != nil; {
		var keys []string
		err := s.read(ctx, nil, func(db pebble.Reader) error {
			keys, from, err = gather(db, from, end, want)
			return err
		})
		if err != nil {
			return false, err
		}
		if more, err := do(keys); err != nil || !more {
			return false, err
		}
	}
	return true, nil
}

// gather looks at a page of keys and returns those that are wanted, and where the next page begins; nil: nowhere.
func gather(db pebble.Reader, from, end []byte, want func(key string, value []byte) (bool, error)) (keys []string, next []byte, err error) {
	it, err := db.NewIter(&pebble.IterOptions{LowerBound: from, UpperBound: end})
	if err != nil {
		return nil, nil, err
	}
	n := 0
	for ok := it.First(); ok; ok = it.Next() {
		if n++; n > page {
			next = bytes.Clone(it.Key())
			break
		}
		key := string(it.Key())
		take, err := want(key, it.Value())
		if err != nil {
			return nil, nil, errors.Join(err, it.Close())
		}
		if take {
			keys = append(keys, key)
		}
	}
	return keys, next, errors.Join(it.Error(), it.Close())
}

// sweepAgain sweeps now and then until the store is closed.
func (s *Store) sweepAgain(every time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s.group.Go(func() { <-s.quit; cancel() })
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			if err := s.Sweep(ctx, now); err != nil && ctx.Err() == nil {
				s.log.Warn("embedded: what has expired cannot be removed", "dir", s.dir, "error", err)
			}
		case <-s.quit:
			return
		}
	}
}

// Sweep removes what has expired at now. It reads everything.
func (s *Store) Sweep(ctx context.Context, now time.Time) error {
	expired := func(key string, value []byte) (bool, error) {
		expires, err := expiry(key, value)
		return ratchet.Expired(expires, now.Unix()), err
	}
	_, err := s.walk(ctx, "", expired, func(keys []string) (bool, error) {
		if len(keys) == 0 {
			return true, nil
		}
		return true, s.change(ctx, func(b *batch) error { return removeIf(b, keys, expired) })
	})
	return err
}

// removeIf removes keys whose values are such now: they may have changed since they were looked at.
func removeIf(b *batch, keys []string, such func(key string, value []byte) (bool, error)) error {
	for _, key := range keys {
		remove := false
		err := value(b, key, func(v []byte) (err error) { remove, err = such(key, v); return err })
		if err == nil && remove {
			err = b.delete(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// expiry returns when what is at a key of the database expires.
func expiry(key string, value []byte) (int64, error) {
	if key[:1] == blobPrefix {
		r := wire.NewReader(value)
		return r.Int(), r.Err()
	}
	rec, err := ratchet.Decode(value)
	if err != nil {
		return 0, err
	}
	return rec.Expires, nil
}
