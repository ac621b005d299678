package firestore_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftworks/weft/faas/firestoreapi"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	unumfirestore "github.com/weftworks/weft/unum/store/firestore"
)

// meter counts calls by method.
type meter struct {
	mu    sync.Mutex
	calls map[string]int
}

func (m *meter) intercept(_ context.Context, method string, call func() error) error {
	m.mu.Lock()
	m.calls[method]++
	m.mu.Unlock()
	return call()
}

// since returns what was called since the last time.
func (m *meter) since() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	calls := m.calls
	m.calls = make(map[string]int)
	return calls
}

// TestRoundTrips holds what package documentation says an operation costs.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	m := &meter{calls: make(map[string]int)}
	server, store, _ := open(t, firestoreapi.Config{Intercept: m.intercept})
	other := unumfirestore.New(dial(t, server), "weft") // remembers nothing
	ctx := t.Context()
	costs := func(what string, err error, want map[string]int) {
		t.Helper()
		if got := m.since(); err != nil || !maps.Equal(got, want) {
			t.Errorf("%s: %v, %v; want %v", what, got, err, want)
		}
	}
	reads, writes, both := map[string]int{"BatchGetDocuments": 1}, map[string]int{"Commit": 1}, map[string]int{"BatchGetDocuments": 1, "Commit": 1}
	_, _, err := store.Create(ctx, "r", &unum.Record{Nonce: "n", Step: 1})
	costs("Create", err, writes)
	_, _, err = store.Create(ctx, "r", &unum.Record{})
	costs("Create of what is there", err, both)
	_, _, err = store.Advance(ctx, "r", "n", 1, &unum.Record{Nonce: "n", Step: 2})
	costs("Advance of what is remembered", err, writes)
	_, err = other.Get(ctx, []string{"r"})
	costs("Get", err, reads)
	_, _, err = other.Advance(ctx, "r", "n", 2, &unum.Record{Nonce: "n", Step: 3, Width: 512})
	costs("Advance after Get", err, writes)
	if n := server.Len(); n != 17 {
		t.Errorf("a record of width 512 has %d documents, want 17", n)
	}
	_, added, err := other.Add(ctx, "r", "n", 3, "0", false)
	costs("Add to what is remembered", errors.Join(err, want(added)), both)
	fresh := unumfirestore.New(dial(t, server), "weft")
	_, added, err = fresh.Add(ctx, "r", "n", 3, "1", true)
	costs("Add to what is not", errors.Join(err, want(added)), map[string]int{"BatchGetDocuments": 3, "Commit": 1})
	_, advanced, err := store.Advance(ctx, "r", "n", 2, &unum.Record{})
	costs("late Advance", errors.Join(err, want(!advanced)), map[string]int{"BatchGetDocuments": 2, "Commit": 1})
	_, advanced, err = fresh.Advance(ctx, "r", "n", 3, &unum.Record{Nonce: "n", Step: 4})
	costs("Advance that closes a scope", errors.Join(err, want(advanced)), writes)
	if n := server.Len(); n != 1 {
		t.Errorf("after the scope there are %d documents, want 1", n)
	}
	_, added, err = other.Add(ctx, "r", "n", 3, "2", true)
	costs("late Add", errors.Join(err, want(!added)), both)
	costs("Delete of what was seen before", fresh.Delete(ctx, []string{"r"}), writes)
	if n := server.Len(); n != 0 {
		t.Errorf("%d documents are left", n)
	}
}

func want(ok bool) error {
	if !ok {
		return errors.New("it was the other way round")
	}
	return nil
}

// TestNothingIsLeft lets lines fork, end, be deleted while they have a scope that another store has opened, and counts documents.
func TestNothingIsLeft(t *testing.T) {
	t.Parallel()
	server, one, client := open(t, firestoreapi.Config{})
	two := unumfirestore.New(client, "weft")
	ctx := t.Context()
	var keys []string
	for i := range 150 {
		key := fmt.Sprintf("run/%d", i)
		keys = append(keys, key)
		if _, _, err := one.Create(ctx, key, &unum.Record{Nonce: "n", Step: 1, Width: int64(i % 5)}); err != nil {
			t.Fatal(err)
		}
		if i%2 == 0 {
			if _, ok, err := two.Advance(ctx, key, "n", 1, &unum.Record{Nonce: "n", Step: 2, Width: int64(i * 10)}); !ok || err != nil {
				t.Fatal(ok, err)
			}
		}
	}
	if err := one.PutBlob(ctx, "run/blob", make([]byte, 12e6), 0); err != nil {
		t.Fatal(err)
	}
	if err := one.Delete(ctx, keys); err != nil {
		t.Fatal(err)
	}
	if err := two.DeleteBlobs(ctx, []string{"run/blob"}); err != nil {
		t.Fatal(err)
	}
	if n := server.Len(); n != 0 {
		t.Errorf("%d documents are left", n)
	}
}

// TestOrphansAreListed wants scopes without a record, which nothing makes, to be told of all the same.
func TestOrphansAreListed(t *testing.T) {
	t.Parallel()
	_, store, client := open(t, firestoreapi.Config{})
	if _, _, err := store.Create(t.Context(), "run/1.0", &unum.Record{Nonce: "n", Width: 2}); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Collection("weft").Doc("r:run 1.0").Delete(t.Context()); err != nil {
		t.Fatal(err)
	}
	var keys []string
	err := store.Keys(t.Context(), "run", func(key string) bool { keys = append(keys, key); return true })
	if err != nil || !slices.Equal(keys, []string{"run/1.0"}) {
		t.Errorf("%q, %v", keys, err)
	}
}

// TestPassingFaults has an eighth of the calls fail before, and an eighth after they were carried out.
func TestPassingFaults(t *testing.T) {
	t.Parallel()
	var n atomic.Int64
	_, store, _ := open(t, firestoreapi.Config{Intercept: func(_ context.Context, _ string, call func() error) error {
		switch n.Add(1) % 8 {
		case 0:
			return status.Error(codes.Aborted, "injected before")
		case 1:
			if err := call(); err != nil {
				return err
			}
			return status.Error(codes.Aborted, "injected after")
		}
		return call()
	}})
	ctx := t.Context()
	if cur, created, err := store.Create(ctx, "r", &unum.Record{Nonce: "n", Width: 40}); err != nil || !created && cur.Nonce != "n" {
		t.Fatalf("Create: %+v, %v, %v", cur, created, err)
	}
	var group sync.WaitGroup
	var full atomic.Bool
	for i := range 40 {
		group.Go(func() {
			cur, added, err := store.Add(ctx, "r", "n", 0, fmt.Sprint(i), i%8 == 0)
			if !added || err != nil {
				t.Errorf("Add of %d: %v, %v", i, added, err)
				return
			}
			if len(cur.Members) == 40 {
				full.Store(true)
			}
		})
	}
	group.Wait()
	if !full.Load() {
		t.Error("nobody has seen the set full")
	}
	if err := store.Delete(ctx, []string{"r"}); err != nil {
		t.Error(err)
	}
}

func TestFaultsThatStay(t *testing.T) {
	t.Parallel()
	for code, kind := range map[codes.Code]fault.Kind{
		codes.PermissionDenied: fault.Unauthorized, codes.InvalidArgument: fault.InvalidArgument, codes.Unimplemented: fault.Internal,
	} {
		_, store, _ := open(t, firestoreapi.Config{Intercept: func(context.Context, string, func() error) error { return status.Error(code, "injected") }})
		if _, err := store.Get(t.Context(), []string{"r"}); !fault.Is(err, kind) {
			t.Errorf("%v became %v, want %v", code, err, kind)
		}
		if err := store.PutBlob(t.Context(), "r", nil, 0); !fault.Is(err, kind) {
			t.Errorf("%v became %v, want %v", code, err, kind)
		}
	}
}

// TestContention has the branches of a wide fan-out end at once. Each needs a write and a read, whatever the others do.
func TestContention(t *testing.T) {
	t.Parallel()
	const width = 512
	m := &meter{calls: make(map[string]int)}
	_, store, _ := open(t, firestoreapi.Config{CommitTime: time.Millisecond, Intercept: m.intercept})
	if _, _, err := store.Create(t.Context(), "r", &unum.Record{Nonce: "n", Width: width}); err != nil {
		t.Fatal(err)
	}
	m.since()
	full := allEnd(t, width, func(ctx context.Context, member string) (int, error) {
		cur, added, err := store.Add(ctx, "r", "n", 0, member, false)
		if err == nil && !added {
			err = errors.New("not added")
		}
		if err != nil {
			return 0, err
		}
		return len(cur.Members), nil
	})
	if full == 0 {
		t.Error("nobody has seen the set full")
	}
	if got := m.since(); !maps.Equal(got, map[string]int{"Commit": width, "BatchGetDocuments": width}) {
		t.Errorf("%d branches cost %v", width, got)
	}
}

// allEnd adds members at once and returns how many have seen the set full.
func allEnd(tb testing.TB, width int, add func(ctx context.Context, member string) (size int, err error)) (full int64) {
	var group sync.WaitGroup
	var n atomic.Int64
	for i := range width {
		group.Go(func() {
			size, err := add(tb.Context(), fmt.Sprint(i))
			if err != nil {
				tb.Error(err)
			}
			if size == width {
				n.Add(1)
			}
		})
	}
	group.Wait()
	return n.Load()
}

// BenchmarkFanIn measures how long it takes until all branches of a fan-out that end at once have been told so, where a
// commit holds its documents for 10 ms and every request takes 5 ms more: with this store, and with a transaction each.
func BenchmarkFanIn(b *testing.B) {
	for _, width := range []int{2, 32, 128, 512} {
		config := firestoreapi.Config{CommitTime: 10 * time.Millisecond, Intercept: func(_ context.Context, _ string, call func() error) error {
			time.Sleep(5 * time.Millisecond)
			return call()
		}}
		b.Run(fmt.Sprintf("store/%d", width), func(b *testing.B) {
			_, store, _ := openFor(b, config)
			for i := range b.N {
				key := fmt.Sprint(i)
				if _, _, err := store.Create(b.Context(), key, &unum.Record{Nonce: "n", Width: int64(width)}); err != nil {
					b.Fatal(err)
				}
				allEnd(b, width, func(ctx context.Context, member string) (int, error) {
					cur, _, err := store.Add(ctx, key, "n", 0, member, false)
					if err != nil {
						return 0, err
					}
					return len(cur.Members), nil
				})
			}
		})
		if width > 128 {
			continue // minutes
		}
		b.Run(fmt.Sprintf("transaction/%d", width), func(b *testing.B) {
			_, _, client := openFor(b, config)
			for i := range b.N {
				doc := client.Collection("t").Doc(fmt.Sprint(i))
				if _, err := doc.Create(b.Context(), map[string]any{"members": []string{}}); err != nil {
					b.Fatal(err)
				}
				allEnd(b, width, func(ctx context.Context, member string) (size int, err error) {
					err = client.RunTransaction(ctx, func(_ context.Context, tx *firestore.Transaction) error {
						snap, err := tx.Get(doc)
						if err != nil {
							return err
						}
						size = len(snap.Data()["members"].([]any)) + 1
						return tx.Update(doc, []firestore.Update{{Path: "members", Value: firestore.ArrayUnion(member)}})
					}, firestore.MaxAttempts(1000))
					return size, err
				})
			}
		})
	}
}
