package firestore_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/weftworks/weft/faas/firestoreapi"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/cost"
)

// TestBill holds that unum/cost counts the documents that Firestore is asked for.
func TestBill(t *testing.T) {
	t.Parallel()
	server, inner, _ := open(t, firestoreapi.Config{})
	meter, ctx := cost.NewMeter(), t.Context()
	store := meter.Store(inner)
	check := func(what string, err error) {
		t.Helper()
		u, _ := meter.Usage("run")
		if got, want := (firestoreapi.Bill{Reads: u.DocReads, Writes: u.DocWrites, Deletes: u.DocDeletes}), server.Bill(); err != nil || got != want {
			t.Fatalf("%s: counted %+v, and it was %+v (%v)", what, got, want, err)
		}
	}
	must := func(_ *unum.Record, ok bool, err error) error {
		if err == nil && !ok {
			err = errors.New("it was refused")
		}
		return err
	}
	refused := func(cur *unum.Record, ok bool, err error) error {
		if err == nil && ok {
			err = fmt.Errorf("it was not refused, there is %+v", cur)
		}
		return err
	}
	check("Create", must(store.Create(ctx, "run", &unum.Record{Nonce: "n"})))
	check("second Create", refused(store.Create(ctx, "run", &unum.Record{Nonce: "m"})))
	check("fork", must(store.Advance(ctx, "run", "n", 0, &unum.Record{Nonce: "n", Step: 1, Width: 100})))
	check("late Advance", refused(store.Advance(ctx, "run", "n", 0, &unum.Record{})))
	check("Add", must(store.Add(ctx, "run", "n", 1, "7", false)))
	check("Add of one that failed", must(store.Add(ctx, "run", "n", 1, "8", true)))
	check("late Add", refused(store.Add(ctx, "run", "n", 0, "9", true)))
	_, err := store.Get(ctx, []string{"run", "run/1.0"})
	check("Get", err)
	check("branch", must(store.Create(ctx, "run/1.0", &unum.Record{Nonce: "b", Step: 1, Width: 2})))
	check("join", must(store.Advance(ctx, "run", "n", 1, &unum.Record{Nonce: "n", Step: 2})))
	check("Add without a scope", must(store.Add(ctx, "run", "n", 2, "7", true)))
	check("Delete", store.Delete(ctx, []string{"run", "run/1.0", "run/1.1"}))
	check("PutBlob", store.PutBlob(ctx, "run/b", make([]byte, 2_500_000), 0))
	_, err = store.GetBlob(ctx, "run/b")
	check("GetBlob", err)
	check("DeleteBlobs", store.DeleteBlobs(ctx, []string{"run/b"}))
	if n := server.Len(); n != 0 {
		t.Errorf("%d documents are left", n)
	}
}
