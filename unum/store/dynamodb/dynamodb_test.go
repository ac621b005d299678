package dynamodb_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/testserver"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/cost"
	"github.com/weftworks/weft/unum/store/dynamodb"
	"github.com/weftworks/weft/unum/store/storetest"
)

// client returns a client of what answers at a URL.
func client(url string, http aws.HTTPClient) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""), BaseEndpoint: &url, HTTPClient: http,
	})
}

// conform runs the suite on dynalite behind http.
func conform(t *testing.T, http aws.HTTPClient, o storetest.Options) {
	t.Helper()
	o.Slow = true
	server := client(testserver.DynamoDB(t), http)
	storetest.Run(t, o, func(t *testing.T) unum.Store {
		s := dynamodb.New(dynamodb.Config{Client: server, Table: "conformance"})
		if err := s.EnsureTable(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	conform(t, nil, storetest.Options{AddThenRead: true})
}

// TestConformanceAsDynamoDB has losers be told what is there with the refusal, as DynamoDB does. Then all is exact, though the
// server throttles, and leaves keys for later.
func TestConformanceAsDynamoDB(t *testing.T) {
	t.Parallel()
	conform(t, &testserver.DynamoDBFront{Old: true, Throttled: 0.03, Unprocessed: 0.5}, storetest.Options{})
}

// TestLostAnswers loses answers to requests that were carried out. What is told once in this world is still told once.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	front := &testserver.DynamoDBFront{Old: true}
	s := dynamodb.New(dynamodb.Config{Client: client(testserver.DynamoDB(t), front), Table: "lost"})
	if err := s.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	front.Lost = 0.2
	for _, c := range storetest.Checks {
		switch c.Name {
		case "Create", "OneCreator", "Delete", "ManyKeys", "FullSets", "OneFailed", "Lister":
			t.Run(c.Name, func(t *testing.T) {
				// Who adds again is told of a later moment.
				if err := c.Run(t.Context(), s, storetest.Options{AddThenRead: true}); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	ctx, server := t.Context(), client(testserver.DynamoDB(t), nil)
	s := dynamodb.New(dynamodb.Config{Client: server, Table: "t-1"})
	if _, err := s.Get(ctx, []string{"k"}); !fault.Is(err, fault.ResourceNotFound) {
		t.Errorf("Get without a table: %v", err)
	}
	for range 2 {
		if err := s.EnsureTable(ctx); err != nil {
			t.Error(err)
		}
	}
	if _, created, err := s.Create(ctx, "k", &unum.Record{}); !created || err != nil {
		t.Errorf("Create: %v, %v", created, err)
	}
	for range 2 {
		if err := s.DropTable(ctx); err != nil {
			t.Error(err)
		}
	}
	other := dynamodb.TableInput("t-1")
	other.AttributeDefinitions, other.KeySchema = other.AttributeDefinitions[:1], other.KeySchema[:1]
	if _, err := server.CreateTable(ctx, other); err != nil {
		t.Fatal(err)
	}
	if err := s.EnsureTable(ctx); !fault.Is(err, fault.Conflict) {
		t.Errorf("EnsureTable where another is: %v", err)
	}
}

func TestConsumed(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	units := map[string]float64{}
	s := dynamodb.New(dynamodb.Config{Client: client(testserver.DynamoDB(t), nil), Table: "consumed", Consumed: func(op string, n float64) {
		mu.Lock()
		defer mu.Unlock()
		units[op] += n
	}})
	ctx := context.Background()
	if err := s.EnsureTable(ctx); err != nil {
		t.Fatal(err)
	}
	if _, created, err := s.Create(ctx, "run", &unum.Record{Nonce: "n", Value: make([]byte, 3000)}); !created || err != nil {
		t.Fatal(created, err)
	}
	if _, added, err := s.Add(ctx, "run", "n", 0, "0", false); !added || err != nil {
		t.Fatal(added, err)
	}
	if _, err := s.Get(ctx, []string{"run"}); err != nil {
		t.Fatal(err)
	}
	if err := s.Delete(ctx, []string{"run", "none"}); err != nil {
		t.Fatal(err)
	}
	for op, want := range map[string]float64{"PutItem": 3, "UpdateItem": 3, "GetItem": 1, "BatchWriteItem": 4} {
		if units[op] != want {
			t.Errorf("%s consumed %v, want %v", op, units[op], want)
		}
	}
}

// TestMeter compares what package cost computes with what the server says that it has consumed, without writes that are
// refused, of which the server does not say it. Sizes are computed to a few bytes.
func TestMeter(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var reads, writes float64
	store := dynamodb.New(dynamodb.Config{Client: client(testserver.DynamoDB(t), nil), Table: "meter", Consumed: func(op string, n float64) {
		mu.Lock()
		defer mu.Unlock()
		if op == "GetItem" || op == "BatchGetItem" {
			reads += n
		} else {
			writes += n
		}
	}})
	ctx := t.Context()
	if err := store.EnsureTable(ctx); err != nil {
		t.Fatal(err)
	}
	meter := cost.NewMeter()
	s := meter.Store(store)
	want := func(ok bool, err error) {
		t.Helper()
		if !ok || err != nil {
			t.Fatal(ok, err)
		}
	}
	var keys []string
	for i := range 12 {
		key := fmt.Sprintf("run/%d", i)
		keys = append(keys, key)
		_, ok, err := s.Create(ctx, key, &unum.Record{Nonce: "0123456789", Width: 40, Value: make([]byte, i*1000), Expires: 1 << 40})
		want(ok, err)
		for m := range 20 {
			_, ok, err = s.Add(ctx, key, "0123456789", 0, fmt.Sprintf("member-%d", m), false)
			want(ok, err)
		}
		_, ok, err = s.Advance(ctx, key, "0123456789", 0, &unum.Record{Nonce: "0123456789", Step: 1, Value: make([]byte, i*250)})
		want(ok, err)
		_, err = s.Get(ctx, []string{key})
		want(true, err)
	}
	_, err := s.Get(ctx, append(keys, "run/none"))
	want(true, err)
	want(true, s.Delete(ctx, keys))
	usage, _ := meter.Usage("run")
	near := func(what string, computed int64, consumed float64) {
		if diff := float64(computed)/consumed - 1; diff < -0.02 || diff > 0.02 {
			t.Errorf("%s: computed %d, consumed %v", what, computed, consumed)
		}
	}
	near("reads", usage.ReadUnits, reads)
	near("writes", usage.WriteUnits+usage.DeleteUnits, writes)
	t.Logf("reads: computed %d, consumed %v; writes: %d, %v", usage.ReadUnits, reads, usage.WriteUnits+usage.DeleteUnits, writes)
}

func BenchmarkStore(b *testing.B) {
	s := dynamodb.New(dynamodb.Config{Client: client(testserver.DynamoDB(b), nil), Table: "bench"})
	if err := s.EnsureTable(b.Context()); err != nil {
		b.Fatal(err)
	}
	storetest.Benchmark(b, s)
}
