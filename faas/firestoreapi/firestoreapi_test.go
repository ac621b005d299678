package firestoreapi_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/weftworks/weft/faas/firestoreapi"
)

func connect(t *testing.T, c firestoreapi.Config) (*firestoreapi.Server, *grpc.ClientConn) {
	t.Helper()
	server, err := firestoreapi.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return server, conn
}

func client(t *testing.T, c firestoreapi.Config) *firestore.Client {
	t.Helper()
	_, conn := connect(t, c)
	client, err := firestore.NewClient(t.Context(), "p", option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func wantCode(t *testing.T, what string, err error, code codes.Code, words string) {
	t.Helper()
	if status.Code(err) != code || !strings.Contains(status.Convert(err).Message(), words) {
		t.Errorf("%s: %v, want %v with %q", what, err, code, words)
	}
}

type fields = map[string]any

func data(t *testing.T, doc *firestore.DocumentRef) fields {
	t.Helper()
	snap, err := doc.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return snap.Data()
}

// TestDocuments walks the life of a document with the client's own calls.
func TestDocuments(t *testing.T) {
	t.Parallel()
	c, ctx := client(t, firestoreapi.Config{}), t.Context()
	doc := c.Doc("cities/oslo")

	_, err := doc.Get(ctx)
	wantCode(t, "get of nothing", err, codes.NotFound, "cities/oslo")
	_, err = doc.Update(ctx, []firestore.Update{{Path: "n", Value: 1}})
	wantCode(t, "update of nothing", err, codes.NotFound, "No document to update: projects/p/databases/(default)/documents/cities/oslo")
	made, err := doc.Create(ctx, fields{"n": 1, "in": fields{"a": "x", "b": []any{1.5, nil, true}}, "raw": []byte{1, 2}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = doc.Create(ctx, fields{})
	wantCode(t, "second create", err, codes.AlreadyExists, "Document already exists: projects/p")

	changed, err := doc.Update(ctx, []firestore.Update{{Path: "in.a", Value: "y"}, {Path: "n", Value: firestore.Delete}}, firestore.LastUpdateTime(made.UpdateTime))
	if err != nil || !changed.UpdateTime.After(made.UpdateTime) {
		t.Fatalf("update: %v, %v", changed, err)
	}
	_, err = doc.Update(ctx, []firestore.Update{{Path: "n", Value: 2}}, firestore.LastUpdateTime(made.UpdateTime))
	wantCode(t, "update of an old version", err, codes.FailedPrecondition, "does not match the required base version")
	same, err := doc.Update(ctx, []firestore.Update{{Path: "in.a", Value: "y"}})
	if err != nil || !same.UpdateTime.Equal(changed.UpdateTime) {
		t.Errorf("a write that changes nothing has the time %v, want %v (%v)", same, changed, err)
	}
	if _, err := doc.Set(ctx, fields{"more": fields{"k": "v"}}, firestore.MergeAll); err != nil {
		t.Fatal(err)
	}
	want := fields{"in": fields{"a": "y", "b": []any{1.5, nil, true}}, "raw": []byte{1, 2}, "more": fields{"k": "v"}}
	if diff := cmp.Diff(want, data(t, doc)); diff != "" {
		t.Error(diff)
	}
	snap, err := doc.Get(ctx)
	if err != nil || !snap.CreateTime.Equal(made.UpdateTime) {
		t.Errorf("created at %v, want %v (%v)", snap.CreateTime, made.UpdateTime, err)
	}
	if _, err := doc.Set(ctx, fields{"only": 1}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fields{"only": int64(1)}, data(t, doc)); diff != "" {
		t.Error(diff)
	}
	_, err = doc.Delete(ctx, firestore.LastUpdateTime(made.UpdateTime))
	wantCode(t, "delete of an old version", err, codes.FailedPrecondition, "")
	for range 2 {
		if _, err := doc.Delete(ctx); err != nil {
			t.Fatal(err)
		}
	}
	_, err = doc.Delete(ctx, firestore.Exists)
	wantCode(t, "delete of nothing", err, codes.NotFound, "")
}

func TestTransforms(t *testing.T) {
	t.Parallel()
	at := time.Date(2030, 1, 2, 3, 4, 5, 6789, time.UTC)
	c, ctx := client(t, firestoreapi.Config{Now: func() time.Time { return at }}), t.Context()
	doc := c.Doc("c/d")
	if _, err := doc.Set(ctx, fields{"n": math.MaxInt64 - 1, "f": 1, "s": "text", "set": []any{"a", 1}, "hi": 3, "lo": 3}); err != nil {
		t.Fatal(err)
	}
	if _, err := doc.Update(ctx, []firestore.Update{
		{Path: "n", Value: firestore.Increment(5)},
		{Path: "f", Value: firestore.Increment(0.5)},
		{Path: "s", Value: firestore.Increment(7)},
		{Path: "none", Value: firestore.Increment(2)},
		{Path: "set", Value: firestore.ArrayUnion("b", 1.0, "a", "b")},
		{Path: "hi", Value: firestore.FieldTransformMaximum(2)},
		{Path: "lo", Value: firestore.FieldTransformMinimum(2)},
		{Path: "when", Value: firestore.ServerTimestamp},
	}); err != nil {
		t.Fatal(err)
	}
	want := fields{
		"n": int64(math.MaxInt64), "f": 1.5, "s": int64(7), "none": int64(2), "set": []any{"a", int64(1), "b"},
		"hi": int64(3), "lo": int64(2), "when": at.Truncate(time.Microsecond).Add(time.Microsecond),
	}
	if diff := cmp.Diff(want, data(t, doc)); diff != "" {
		t.Error(diff)
	}
	if _, err := doc.Update(ctx, []firestore.Update{{Path: "set", Value: firestore.ArrayRemove("a", 1)}}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]any{"b"}, data(t, doc)["set"]); diff != "" {
		t.Error(diff)
	}
}

// TestTransformResults looks at what the client's own interface does not show.
func TestTransformResults(t *testing.T) {
	t.Parallel()
	_, conn := connect(t, firestoreapi.Config{})
	const db = "projects/p/databases/(default)"
	integer := func(n int64) *pb.Value { return &pb.Value{ValueType: &pb.Value_IntegerValue{IntegerValue: n}} }
	write := &pb.Write{
		Operation: &pb.Write_Update{Update: &pb.Document{Name: db + "/documents/c/d", Fields: map[string]*pb.Value{"n": integer(4)}}},
		UpdateTransforms: []*pb.DocumentTransform_FieldTransform{
			{FieldPath: "n", TransformType: &pb.DocumentTransform_FieldTransform_Increment{Increment: integer(3)}},
			{FieldPath: "`a.b`", TransformType: &pb.DocumentTransform_FieldTransform_AppendMissingElements{
				AppendMissingElements: &pb.ArrayValue{Values: []*pb.Value{integer(1)}}}},
		},
	}
	out, err := pb.NewFirestoreClient(conn).Commit(t.Context(), &pb.CommitRequest{Database: db, Writes: []*pb.Write{write}})
	if err != nil {
		t.Fatal(err)
	}
	results := out.GetWriteResults()[0].GetTransformResults()
	if len(results) != 2 || results[0].GetIntegerValue() != 7 {
		t.Errorf("transform results %v, want 7 and null", results)
	}
	if _, isNull := results[1].GetValueType().(*pb.Value_NullValue); !isNull {
		t.Errorf("the result of a union is %v, want null", results[1])
	}
}

// TestCommitIsAtomic wants nothing of a batch in which one write fails, and each by itself of a bulk.
func TestCommitIsAtomic(t *testing.T) {
	t.Parallel()
	server, conn := connect(t, firestoreapi.Config{})
	c, err := firestore.NewClient(t.Context(), "p", option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	err = c.RunTransaction(t.Context(), func(_ context.Context, tx *firestore.Transaction) error {
		return errors.Join(tx.Create(c.Doc("c/a"), fields{}), tx.Update(c.Doc("c/missing"), []firestore.Update{{Path: "x", Value: 1}}))
	})
	wantCode(t, "batch", err, codes.NotFound, "c/missing")
	if n := server.Len(); n != 0 {
		t.Errorf("%d documents of a failed commit", n)
	}
	bulk := c.BulkWriter(t.Context())
	good, err := bulk.Create(c.Doc("c/a"), fields{})
	if err != nil {
		t.Fatal(err)
	}
	bad, err := bulk.Update(c.Doc("c/missing"), []firestore.Update{{Path: "x", Value: 1}})
	if err != nil {
		t.Fatal(err)
	}
	bulk.End()
	if _, err := good.Results(); err != nil {
		t.Error(err)
	}
	if _, err := bad.Results(); err == nil {
		t.Error("a bulk's update of nothing succeeded")
	}
	if n := server.Len(); n != 1 {
		t.Errorf("%d documents, want 1", n)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	c, ctx := client(t, firestoreapi.Config{}), t.Context()
	_, err := c.Doc("c/large").Set(ctx, fields{"x": make([]byte, 1<<20)})
	wantCode(t, "large document", err, codes.InvalidArgument, "exceeds the maximum allowed size of 1048576 bytes")
	if _, err := c.Doc("c/fits").Set(ctx, fields{"x": make([]byte, 1<<20-62)}); err != nil {
		t.Errorf("a document just small enough: %v", err)
	}
	many := func(n int, value any) error {
		return c.RunTransaction(ctx, func(_ context.Context, tx *firestore.Transaction) error {
			for i := range n {
				if err := tx.Set(c.Doc(fmt.Sprintf("c/%d", i)), fields{"x": value}); err != nil {
					return err
				}
			}
			return nil
		})
	}
	wantCode(t, "501 writes", many(501, 1), codes.InvalidArgument, "maximum 500 writes allowed per request")
	if err := many(500, 1); err != nil {
		t.Errorf("500 writes: %v", err)
	}
	wantCode(t, "11 MB", many(11, make([]byte, 1e6)), codes.InvalidArgument, "Request payload size exceeds the limit")
	_, err = c.Doc("c/__x__").Set(ctx, fields{})
	wantCode(t, "reserved id", err, codes.InvalidArgument, "reserved")
	_, err = c.Doc("c/"+strings.Repeat("x", 1501)).Set(ctx, fields{})
	wantCode(t, "long id", err, codes.InvalidArgument, "longer than 1500 bytes")
}

func TestQueries(t *testing.T) {
	t.Parallel()
	c, ctx := client(t, firestoreapi.Config{}), t.Context()
	for i, tags := range [][]string{{"a"}, {"a", "b"}, nil, {"c"}} {
		if _, err := c.Collection("c").Doc(fmt.Sprintf("d%d", i)).Set(ctx, fields{"n": i % 3, "tags": tags, "big": i}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.Doc("c/d1/sub/x").Set(ctx, fields{"n": 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Doc("c/ghost/sub/y").Set(ctx, fields{"n": 0}); err != nil {
		t.Fatal(err)
	}
	col := c.Collection("c")
	for name, q := range map[string]struct {
		query firestore.Query
		want  string
	}{
		"all":         {col.Query, "d0 d1 d2 d3"},
		"equal":       {col.Where("n", "==", 0), "d0 d3"},
		"range":       {col.Where("n", ">=", 1), "d1 d2"},
		"descending":  {col.OrderBy("n", firestore.Desc), "d2 d1 d3 d0"},
		"limit":       {col.OrderBy("big", firestore.Asc).Offset(1).Limit(2), "d1 d2"},
		"last":        {col.OrderBy("big", firestore.Asc).LimitToLast(2), "d2 d3"},
		"cursor":      {col.OrderBy("big", firestore.Asc).StartAfter(1).EndAt(2), "d2"},
		"names":       {col.Where(firestore.DocumentID, ">=", col.Doc("d1")).Where(firestore.DocumentID, "<", col.Doc("d3")), "d1 d2"},
		"in":          {col.Where("big", "in", []int{1, 3, 9}), "d1 d3"},
		"not in":      {col.Where("big", "not-in", []int{1, 3}), "d0 d2"},
		"contains":    {col.Where("tags", "array-contains", "a"), "d0 d1"},
		"any":         {col.Where("tags", "array-contains-any", []string{"b", "c"}), "d1 d3"},
		"null":        {col.Where("tags", "==", nil), "d2"},
		"unequal":     {col.Where("n", "!=", 0), "d1 d2"},
		"or":          {col.WhereEntity(firestore.OrFilter{Filters: []firestore.EntityFilter{firestore.PropertyFilter{Path: "n", Operator: "==", Value: 2}, firestore.PropertyFilter{Path: "big", Operator: "==", Value: 0}}}), "d0 d2"},
		"missing":     {col.OrderBy("nowhere", firestore.Asc), ""},
		"descendants": {c.CollectionGroup("sub").Query, "x y"},
	} {
		snaps, err := q.query.Documents(ctx).GetAll()
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var ids []string
		for _, s := range snaps {
			ids = append(ids, s.Ref.ID)
		}
		if got := strings.Join(ids, " "); got != q.want {
			t.Errorf("%s: %q, want %q", name, got, q.want)
		}
	}
	_, err := col.Where(firestore.DocumentID, ">=", "d1").Documents(ctx).GetAll()
	wantCode(t, "a name compared with text", err, codes.InvalidArgument, "__name__")
	snaps, err := col.Select("n").Limit(1).Documents(ctx).GetAll()
	if err != nil || len(snaps) != 1 || !cmp.Equal(snaps[0].Data(), fields{"n": int64(0)}) {
		t.Errorf("select: %v, %v", snaps, err)
	}
	listed, err := col.DocumentRefs(ctx).GetAll()
	if err != nil || len(listed) != 5 {
		t.Errorf("listed %d documents (%v), want 5 with the one that only has others below it", len(listed), err)
	}
	below, err := c.Doc("c/d1").Collections(ctx).Next()
	if err != nil || below.ID != "sub" {
		t.Errorf("collections below c/d1: %v, %v", below, err)
	}
}

func TestListingHasPages(t *testing.T) {
	t.Parallel()
	_, conn := connect(t, firestoreapi.Config{})
	c, err := firestore.NewClient(t.Context(), "p", option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 7 {
		if _, err := c.Collection("c").Doc(fmt.Sprint(i)).Create(t.Context(), fields{}); err != nil {
			t.Fatal(err)
		}
	}
	iter := c.Collection("c").DocumentRefs(t.Context())
	iter.PageInfo().MaxSize = 3
	var ids string
	for {
		doc, err := iter.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		ids += doc.ID
	}
	if ids != "0123456" {
		t.Errorf("listed %q", ids)
	}
}

// TestConcurrentTransactions has clients count together: none is lost, whichever way conflicts are found.
func TestConcurrentTransactions(t *testing.T) {
	t.Parallel()
	for _, optimistic := range []bool{false, true} {
		t.Run(fmt.Sprintf("optimistic=%v", optimistic), func(t *testing.T) {
			t.Parallel()
			var aborted atomic.Int64
			c := client(t, firestoreapi.Config{Optimistic: optimistic, Intercept: func(_ context.Context, _ string, call func() error) error {
				err := call()
				if status.Code(err) == codes.Aborted {
					aborted.Add(1)
				}
				return err
			}})
			doc := c.Doc("c/counter")
			if _, err := doc.Set(t.Context(), fields{"n": 0}); err != nil {
				t.Fatal(err)
			}
			const clients, rounds = 4, 5
			var wg sync.WaitGroup
			for range clients {
				wg.Go(func() {
					for range rounds {
						err := c.RunTransaction(t.Context(), func(_ context.Context, tx *firestore.Transaction) error {
							snap, err := tx.Get(doc)
							if err != nil {
								return err
							}
							return tx.Update(doc, []firestore.Update{{Path: "n", Value: snap.Data()["n"].(int64) + 1}})
						}, firestore.MaxAttempts(100))
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			wg.Wait()
			if n := data(t, doc)["n"]; n != int64(clients*rounds) {
				t.Errorf("counted %v, want %d", n, clients*rounds)
			}
			t.Logf("%d transactions, %d aborted", clients*rounds, aborted.Load())
		})
	}
}

// tx is a transaction by hand.
type tx struct {
	t  *testing.T
	c  pb.FirestoreClient
	id []byte
}

const database = "projects/p/databases/(default)"

func begin(t *testing.T, c pb.FirestoreClient, options *pb.TransactionOptions) *tx {
	t.Helper()
	out, err := c.BeginTransaction(t.Context(), &pb.BeginTransactionRequest{Database: database, Options: options})
	if err != nil {
		t.Fatal(err)
	}
	return &tx{t, c, out.GetTransaction()}
}

func (x *tx) get(name string) error {
	_, err := x.c.GetDocument(x.t.Context(), &pb.GetDocumentRequest{
		Name: database + "/documents/" + name, ConsistencySelector: &pb.GetDocumentRequest_Transaction{Transaction: x.id},
	})
	if status.Code(err) == codes.NotFound {
		err = nil
	}
	return err
}

func (x *tx) put(name string) error {
	req := &pb.CommitRequest{Database: database, Writes: []*pb.Write{{Operation: &pb.Write_Update{Update: &pb.Document{Name: database + "/documents/" + name}}}}}
	if x.id != nil {
		req.Transaction = x.id
	}
	_, err := x.c.Commit(x.t.Context(), req)
	return err
}

// TestOlderTransactionWins holds wound-wait: an older transaction takes what a younger one has read, a younger one waits
// for the older, and one that is tried again is as old as it was.
func TestOlderTransactionWins(t *testing.T) {
	t.Parallel()
	_, conn := connect(t, firestoreapi.Config{})
	c := pb.NewFirestoreClient(conn)
	old, young := begin(t, c, nil), begin(t, c, nil)
	for _, x := range []*tx{old, young} {
		if err := x.get("c/d"); err != nil {
			t.Fatal(err)
		}
	}
	if err := old.put("c/d"); err != nil {
		t.Fatalf("the older transaction: %v", err)
	}
	wantCode(t, "the younger one", young.put("c/d"), codes.Aborted, "Too much contention")

	between := begin(t, c, nil)
	again := begin(t, c, &pb.TransactionOptions{Mode: &pb.TransactionOptions_ReadWrite_{
		ReadWrite: &pb.TransactionOptions_ReadWrite{RetryTransaction: young.id}}})
	for _, x := range []*tx{between, again} {
		if err := x.get("c/d"); err != nil {
			t.Fatal(err)
		}
	}
	waiting := make(chan error)
	go func() { waiting <- (&tx{t, c, nil}).put("c/d") }() // no transaction: the youngest of all, waits
	if err := again.put("c/d"); err != nil {
		t.Errorf("a transaction that was tried again: %v", err)
	}
	if err := <-waiting; err != nil {
		t.Errorf("a write that waited: %v", err)
	}
	wantCode(t, "the one that began between", between.put("c/d"), codes.Aborted, "")
	wantCode(t, "a transaction that has ended", again.put("c/d"), codes.InvalidArgument, "expired or is no longer valid")
}

// TestOptimisticConflict wants the transaction to lose whose reads are no longer true, phantoms of queries included.
func TestOptimisticConflict(t *testing.T) {
	t.Parallel()
	_, conn := connect(t, firestoreapi.Config{Optimistic: true})
	c := pb.NewFirestoreClient(conn)
	loser := begin(t, c, nil)
	if err := loser.get("c/d"); err != nil {
		t.Fatal(err)
	}
	if err := (&tx{t, c, nil}).put("c/d"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "stale read", loser.put("c/other"), codes.Aborted, "cross-transaction contention")

	loser = begin(t, c, nil)
	stream, err := c.RunQuery(t.Context(), &pb.RunQueryRequest{
		Parent:              database + "/documents",
		QueryType:           &pb.RunQueryRequest_StructuredQuery{StructuredQuery: &pb.StructuredQuery{From: []*pb.StructuredQuery_CollectionSelector{{CollectionId: "c"}}}},
		ConsistencySelector: &pb.RunQueryRequest_Transaction{Transaction: loser.id},
	})
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = stream.Recv()
	}
	if err := (&tx{t, c, nil}).put("c/phantom"); err != nil {
		t.Fatal(err)
	}
	wantCode(t, "phantom", loser.put("c/other"), codes.Aborted, "")
}

func TestReadOnlyTransactionSeesOneTime(t *testing.T) {
	t.Parallel()
	c, ctx := client(t, firestoreapi.Config{}), t.Context()
	doc := c.Doc("c/d")
	if _, err := doc.Set(ctx, fields{"n": 1}); err != nil {
		t.Fatal(err)
	}
	err := c.RunTransaction(ctx, func(_ context.Context, tx *firestore.Transaction) error {
		if _, err := doc.Set(ctx, fields{"n": 2}); err != nil {
			return err
		}
		snap, err := tx.Get(doc)
		if err == nil && snap.Data()["n"] != int64(1) {
			t.Errorf("a read-only transaction sees %v", snap.Data())
		}
		return err
	}, firestore.ReadOnly)
	if err != nil {
		t.Error(err)
	}
}

// TestIntercept injects a fault that the client gets over, and loses an answer.
func TestIntercept(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	c, ctx := client(t, firestoreapi.Config{Intercept: func(_ context.Context, method string, call func() error) error {
		if method != "Commit" {
			return call()
		}
		switch calls.Add(1) {
		case 1:
			return status.Error(codes.Unavailable, "injected")
		case 2:
			if err := call(); err != nil {
				return err
			}
			return status.Error(codes.Unknown, "lost")
		}
		return call()
	}}), t.Context()
	_, err := c.Doc("c/d").Create(ctx, fields{})
	wantCode(t, "create whose answer is lost", err, codes.Unknown, "lost")
	_, err = c.Doc("c/d").Create(ctx, fields{})
	wantCode(t, "create again", err, codes.AlreadyExists, "")
}
