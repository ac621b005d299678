package dynamodb_test

import (
	"context"
	"sync"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/testserver"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/dynamodb"
	"github.com/weftworks/weft/unum/store/storetest"
)

// client returns a client of what answers at a URL.
func client(url string, http aws.HTTPClient) *sdk.Client {
	return sdk.New(sdk.Options{
		Region: "us-east-1", Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""), BaseEndpoint: &url, HTTPClient: http,
	})
}

func TestConformance(t *testing.T) {
	t.Parallel()
	server := client(testserver.DynamoDB(t), nil)
	storetest.Run(t, storetest.Options{AddThenRead: true, Slow: true}, func(t *testing.T) unum.Store {
		s := dynamodb.New(dynamodb.Config{Client: server, Table: "conformance"})
		if err := s.EnsureTable(t.Context()); err != nil {
			t.Fatal(err)
		}
		return s
	})
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
