// Package memory is a datastore in the memory of the process, for tests, simulations and the model checker. It forgets
// when the process ends, and what has expired only when told to.
//
//	s := memory.New()
//	defer s.Sweep(time.Now())
package memory

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// Store is a datastore in memory. The zero value is not ready: New.
type Store struct {
	mu      sync.RWMutex
	records map[string]*unum.Record // never changed, but replaced
	blobs   map[string]blob
}

type blob struct {
	data    []byte
	expires int64
}

var (
	_ unum.Store  = (*Store)(nil)
	_ unum.Lister = (*Store)(nil)
)

// New returns an empty store.
func New() *Store {
	return &Store{records: map[string]*unum.Record{}, blobs: map[string]blob{}}
}

// Get implements unum.Store. All records are of one moment.
func (s *Store) Get(ctx context.Context, keys []string) ([]*unum.Record, error) {
	if err := check(ctx, "Get", keys); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	recs := make([]*unum.Record, len(keys))
	for i, key := range keys {
		recs[i] = ratchet.Clone(s.records[key])
	}
	return recs, nil
}

// Create implements unum.Store.
func (s *Store) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	if err := checkRecord(ctx, "Create", key, rec); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cur := s.records[key]; cur != nil {
		return ratchet.Clone(cur), false, nil
	}
	s.records[key] = ratchet.Clone(rec)
	return nil, true, nil
}

// Advance implements unum.Store.
func (s *Store) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	if err := checkRecord(ctx, "Advance", key, rec); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if cur := s.records[key]; !ratchet.At(cur, nonce, from) {
		return ratchet.Clone(cur), false, nil
	}
	s.records[key] = ratchet.Clone(rec)
	return nil, true, nil
}

// Add implements unum.Store.
func (s *Store) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	if err := check(ctx, "Add", []string{key}); err != nil {
		return nil, false, err
	}
	if err := ratchet.CheckMember("Add", key, member); err != nil {
		return nil, false, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	cur := s.records[key]
	if !ratchet.At(cur, nonce, step) {
		return ratchet.Clone(cur), false, nil
	}
	next := ratchet.With(cur, member, failed)
	if err := ratchet.CheckMembers("Add", key, next); err != nil {
		return nil, false, err
	}
	s.records[key] = next
	return ratchet.Clone(next), true, nil
}

// Delete implements unum.Store.
func (s *Store) Delete(ctx context.Context, keys []string) error {
	if err := check(ctx, "Delete", keys); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.records, key)
	}
	return nil
}

// PutBlob implements unum.Store.
func (s *Store) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if err := ratchet.CheckBlob("PutBlob", key, data); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.blobs[key] = blob{slices.Clone(data), expires}
	return nil
}

// GetBlob implements unum.Store.
func (s *Store) GetBlob(ctx context.Context, key string) ([]byte, error) {
	if err := check(ctx, "GetBlob", []string{key}); err != nil {
		return nil, err
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, ok := s.blobs[key]
	if !ok {
		return nil, ratchet.NoBlob(key)
	}
	return slices.Clone(b.data), nil
}

// DeleteBlobs implements unum.Store.
func (s *Store) DeleteBlobs(ctx context.Context, keys []string) error {
	if err := check(ctx, "DeleteBlobs", keys); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range keys {
		delete(s.blobs, key)
	}
	return nil
}

// Keys implements unum.Lister. fn may use the store.
func (s *Store) Keys(ctx context.Context, prefix string, fn func(key string) bool) error {
	for _, key := range s.matching(prefix) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !fn(key) {
			return nil
		}
	}
	return ctx.Err()
}

func (s *Store) matching(prefix string) (keys []string) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for key := range s.records {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	for key := range s.blobs {
		if strings.HasPrefix(key, prefix) {
			keys = append(keys, key)
		}
	}
	return keys
}

// Sweep forgets what has expired at now, as other datastores do by themselves.
func (s *Store) Sweep(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, rec := range s.records {
		if ratchet.Expired(rec.Expires, now.Unix()) {
			delete(s.records, key)
		}
	}
	for key, b := range s.blobs {
		if ratchet.Expired(b.expires, now.Unix()) {
			delete(s.blobs, key)
		}
	}
}

func check(ctx context.Context, op string, keys []string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ratchet.CheckKeys(op, keys...)
}

func checkRecord(ctx context.Context, op, key string, rec *unum.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ratchet.CheckRecord(op, key, rec)
}
