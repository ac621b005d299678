package firestore_test

import (
	"context"
	"fmt"
	"testing"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weftworks/weft/faas/firestoreapi"
	"github.com/weftworks/weft/unum"
	unumfirestore "github.com/weftworks/weft/unum/store/firestore"
	"github.com/weftworks/weft/unum/store/storetest"
)

// open starts an endpoint and returns it with the store in it and the client of the store.
func open(t *testing.T, c firestoreapi.Config) (*firestoreapi.Server, *unumfirestore.Store, *firestore.Client) {
	t.Helper()
	return openFor(t, c)
}

func openFor(t testing.TB, c firestoreapi.Config) (*firestoreapi.Server, *unumfirestore.Store, *firestore.Client) {
	t.Helper()
	server, err := firestoreapi.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	client := dial(t, server)
	return server, unumfirestore.New(client, "weft"), client
}

func dial(t testing.TB, server *firestoreapi.Server) *firestore.Client {
	t.Helper()
	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client, err := firestore.NewClient(t.Context(), "p", option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, optimistic := range []bool{false, true} {
		t.Run(fmt.Sprintf("optimistic=%v", optimistic), func(t *testing.T) {
			t.Parallel()
			storetest.Run(t, storetest.Options{AddThenRead: true, Slow: true}, func(t *testing.T) unum.Store {
				_, store, _ := open(t, firestoreapi.Config{Optimistic: optimistic})
				return store
			})
		})
	}
}

// twins takes each operation to the one or the other of two stores on the same collection, so that what one remembers is
// often not so any more.
type twins struct {
	stores [2]*unumfirestore.Store
	calls  chan int
}

func (w *twins) pick() *unumfirestore.Store {
	n := <-w.calls
	w.calls <- n + 1
	return w.stores[n%2]
}

func (w *twins) Get(ctx context.Context, keys []string) ([]*unum.Record, error) {
	return w.pick().Get(ctx, keys)
}

func (w *twins) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	return w.pick().Create(ctx, key, rec)
}

func (w *twins) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	return w.pick().Advance(ctx, key, nonce, from, rec)
}

func (w *twins) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	return w.pick().Add(ctx, key, nonce, step, member, failed)
}

func (w *twins) Delete(ctx context.Context, keys []string) error { return w.pick().Delete(ctx, keys) }

func (w *twins) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	return w.pick().PutBlob(ctx, key, data, expires)
}

func (w *twins) GetBlob(ctx context.Context, key string) ([]byte, error) {
	return w.pick().GetBlob(ctx, key)
}

func (w *twins) DeleteBlobs(ctx context.Context, keys []string) error {
	return w.pick().DeleteBlobs(ctx, keys)
}

func TestConformanceOfTwo(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Options{AddThenRead: true, Slow: true}, func(t *testing.T) unum.Store {
		server, one, _ := open(t, firestoreapi.Config{})
		w := &twins{stores: [2]*unumfirestore.Store{one, unumfirestore.New(dial(t, server), "weft")}, calls: make(chan int, 1)}
		w.calls <- 0
		return w
	})
}

// TestTwoProcesses has one store remember what another has changed since.
func TestTwoProcesses(t *testing.T) {
	t.Parallel()
	server, mine, _ := open(t, firestoreapi.Config{})
	yours := unumfirestore.New(dial(t, server), "weft")
	ctx := t.Context()
	for key, width := range map[string]int64{"none": 0, "few": 2, "many": 5000} {
		if _, _, err := mine.Create(ctx, key, &unum.Record{Nonce: "n", Step: 1, Width: width}); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := yours.Advance(ctx, key, "n", 1, &unum.Record{Nonce: "n", Step: 2, Width: width}); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if cur, ok, err := mine.Add(ctx, key, "n", 1, "late", true); err != nil || ok || cur.Step != 2 || len(cur.Members) > 0 {
			t.Errorf("%s: a member of a scope that is gone: %+v %v %v", key, cur, ok, err)
		}
		recs, err := yours.Get(ctx, []string{key})
		if err != nil || len(recs[0].Members) > 0 || recs[0].Failed != "" {
			t.Errorf("%s: %+v %v", key, recs[0], err)
		}
	}
}
