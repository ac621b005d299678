// Package inject is a datastore around another, with functions that are called before and after each operation: they
// delay it, have it fail before or after it was done, or crash whoever called it. Tests of crashes and benchmarks of
// latency use it.
//
//	s := inject.Wrap(memory.New(), inject.Hooks{Before: func(ctx context.Context, op inject.Op) error {
//		return latency(ctx, op.Name)
//	}})
package inject

import (
	"context"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
)

// Op is one call of an operation.
type Op struct {
	Name string   // as the method: "Get", "Create", "Advance", "Add", "Delete", "PutBlob", "GetBlob", "DeleteBlobs", "Keys"
	Keys []string // what it is about; of Keys the prefix
}

// Writes reports whether the operation may change what the store keeps.
func (o Op) Writes() bool { return o.Name != "Get" && o.Name != "GetBlob" && o.Name != "Keys" }

// Hooks are called around every operation, on the caller's goroutine, so that they may end it (panic, runtime.Goexit).
// Both may be nil.
type Hooks struct {
	// Before is called first. Its error is the operation's, which is then not carried out.
	Before func(ctx context.Context, op Op) error
	// After is called when the operation has been carried out, with what it came to. Its result is the operation's error:
	// err itself to leave things as they are. With an error the caller hears nothing else, though it may be done.
	After func(ctx context.Context, op Op, err error) error
}

// Store is a datastore around another.
type Store struct {
	inner unum.Store
	hooks Hooks
}

var (
	_ unum.Store  = (*Store)(nil)
	_ unum.Lister = (*Store)(nil)
)

// Wrap returns a store that does what inner does, between the hooks.
func Wrap(inner unum.Store, hooks Hooks) *Store { return &Store{inner, hooks} }

// around carries out do between the hooks.
func (s *Store) around(ctx context.Context, name string, keys []string, do func() error) error {
	op := Op{name, keys}
	if s.hooks.Before != nil {
		if err := s.hooks.Before(ctx, op); err != nil {
			return err
		}
	}
	err := do()
	if s.hooks.After != nil {
		err = s.hooks.After(ctx, op, err)
	}
	return err
}

// Get implements unum.Store.
func (s *Store) Get(ctx context.Context, keys []string) (recs []*unum.Record, err error) {
	err = s.around(ctx, "Get", keys, func() (err error) { recs, err = s.inner.Get(ctx, keys); return err })
	if err != nil {
		return nil, err
	}
	return recs, nil
}

// conditional carries out a write that may not be done.
func (s *Store) conditional(ctx context.Context, name, key string, do func() (*unum.Record, bool, error)) (cur *unum.Record, done bool, err error) {
	err = s.around(ctx, name, []string{key}, func() (err error) { cur, done, err = do(); return err })
	if err != nil {
		return nil, false, err
	}
	return cur, done, nil
}

// Create implements unum.Store.
func (s *Store) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	return s.conditional(ctx, "Create", key, func() (*unum.Record, bool, error) { return s.inner.Create(ctx, key, rec) })
}

// Advance implements unum.Store.
func (s *Store) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	return s.conditional(ctx, "Advance", key, func() (*unum.Record, bool, error) { return s.inner.Advance(ctx, key, nonce, from, rec) })
}

// Add implements unum.Store.
func (s *Store) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	return s.conditional(ctx, "Add", key, func() (*unum.Record, bool, error) { return s.inner.Add(ctx, key, nonce, step, member, failed) })
}

// Delete implements unum.Store.
func (s *Store) Delete(ctx context.Context, keys []string) error {
	return s.around(ctx, "Delete", keys, func() error { return s.inner.Delete(ctx, keys) })
}

// PutBlob implements unum.Store.
func (s *Store) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	return s.around(ctx, "PutBlob", []string{key}, func() error { return s.inner.PutBlob(ctx, key, data, expires) })
}

// GetBlob implements unum.Store.
func (s *Store) GetBlob(ctx context.Context, key string) (data []byte, err error) {
	err = s.around(ctx, "GetBlob", []string{key}, func() (err error) { data, err = s.inner.GetBlob(ctx, key); return err })
	if err != nil {
		return nil, err
	}
	return data, nil
}

// DeleteBlobs implements unum.Store.
func (s *Store) DeleteBlobs(ctx context.Context, keys []string) error {
	return s.around(ctx, "DeleteBlobs", keys, func() error { return s.inner.DeleteBlobs(ctx, keys) })
}

// Keys implements unum.Lister if the store around which it is does; otherwise it fails with Unsupported.
func (s *Store) Keys(ctx context.Context, prefix string, fn func(key string) bool) error {
	l, ok := s.inner.(unum.Lister)
	if !ok {
		return fault.New("Keys", fault.Unsupported, prefix, "this datastore cannot say what it keeps")
	}
	return s.around(ctx, "Keys", []string{prefix}, func() error { return l.Keys(ctx, prefix, fn) })
}
