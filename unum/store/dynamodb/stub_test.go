package dynamodb_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/dynamodb"
)

type object = map[string]any

// stub is DynamoDB as far as a test needs it: it answers the n-th request (from 1) with a status and a body. With status 0
// the connection breaks.
type stub struct {
	answer func(n int, op string, in object) (status int, out object)
	ops    []string
}

func (s *stub) Do(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	_, op, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	var in object
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	s.ops = append(s.ops, op)
	status, out := s.answer(len(s.ops), op, in)
	if status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	text, err := json.Marshal(out)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(bytes.NewReader(text)), Request: req,
	}, nil
}

func (s *stub) store() *dynamodb.Store {
	return dynamodb.New(dynamodb.Config{Client: client("http://dynamodb.test", s), Table: "t"})
}

func failure(kind string) object {
	return object{"__type": "com.amazonaws.dynamodb.v20120810#" + kind, "message": kind}
}

// item is a record's item with a step and a value.
func item(key string, step int, value string) object {
	return object{
		"p": object{"S": key + " 0"}, "k": object{"S": key}, "n": object{"S": "n"}, "s": object{"N": fmt.Sprint(step)}, "v": object{"B": []byte(value)},
	}
}

// TestThrottled has the server throttle: the store goes on, with pauses, and gives up in the end.
func TestThrottled(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded", "InternalServerError", ""} {
		for _, after := range []int{1, 5, 1000} {
			synctest.Test(t, func(t *testing.T) {
				s := &stub{answer: func(n int, _ string, _ object) (int, object) {
					switch {
					case n > after:
						return 200, object{"Item": item("k", 7, "v")}
					case kind == "":
						return 0, nil
					case kind == "InternalServerError":
						return 500, failure(kind)
					}
					return 400, failure(kind)
				}}
				began := time.Now()
				recs, err := s.store().Get(t.Context(), []string{"k"})
				if waited := time.Since(began); waited == 0 || waited > 7*time.Second {
					t.Errorf("%s: waited %v", kind, waited)
				}
				want := fault.Busy
				if kind == "InternalServerError" || kind == "" {
					want = fault.Unavailable
				}
				switch {
				case after < 10 && (err != nil || recs[0].Step != 7 || len(s.ops) != after+1):
					t.Errorf("%s %d times: %v, %v after %d requests", kind, after, recs, err, len(s.ops))
				case after > 10 && (!fault.Is(err, want) || len(s.ops) != 10):
					t.Errorf("%s always: %v after %d requests, want %v", kind, err, len(s.ops), want)
				}
			})
		}
	}
}

// TestLeavesWhileThrottled ends the context while the store pauses.
func TestLeavesWhileThrottled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &stub{answer: func(int, string, object) (int, object) { return 400, failure("ThrottlingException") }}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		if _, _, err := s.store().Create(ctx, "k", &unum.Record{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string]fault.Kind{
		"ResourceNotFoundException": fault.ResourceNotFound, "AccessDeniedException": fault.Unauthorized, "UnrecognizedClientException": fault.Unauthorized,
		"ExpiredTokenException": fault.Unauthorized, "ValidationException": fault.InvalidArgument, "SomethingNewException": fault.Unavailable,
	} {
		s := &stub{answer: func(int, string, object) (int, object) { return 400, failure(kind) }}
		if err := s.store().Delete(t.Context(), []string{"a", "b"}); !fault.Is(err, want) || len(s.ops) != 1 {
			t.Errorf("%s: %v after %d requests, want %v", kind, err, len(s.ops), want)
		}
	}
}

// TestLosersTakeOneRequest has the server return what is there with a refusal, as DynamoDB does.
func TestLosersTakeOneRequest(t *testing.T) {
	t.Parallel()
	s := &stub{answer: func(n int, _ string, in object) (int, object) {
		if in["ReturnValuesOnConditionCheckFailure"] != "ALL_OLD" {
			t.Errorf("request %d does not ask for what is there", n)
		}
		f := failure("ConditionalCheckFailedException")
		if n < 4 {
			f["Item"] = item("k", 7, "theirs")
		}
		return 400, f
	}}
	store, ctx := s.store(), t.Context()
	for _, lose := range []func() (*unum.Record, bool, error){
		func() (*unum.Record, bool, error) { return store.Create(ctx, "k", &unum.Record{}) },
		func() (*unum.Record, bool, error) { return store.Advance(ctx, "k", "n", 6, &unum.Record{}) },
		func() (*unum.Record, bool, error) { return store.Add(ctx, "k", "n", 6, "0", true) },
	} {
		if cur, won, err := lose(); won || err != nil || cur.Step != 7 || string(cur.Value) != "theirs" {
			t.Errorf("%+v, %v, %v", cur, won, err)
		}
	}
	if cur, won, err := store.Add(ctx, "k", "n", 6, "0", true); won || err != nil || cur != nil {
		t.Errorf("where nothing is: %+v, %v, %v", cur, won, err)
	}
	if want := []string{"PutItem", "PutItem", "UpdateItem", "UpdateItem"}; !slices.Equal(s.ops, want) {
		t.Errorf("requests %q, want %q", s.ops, want)
	}
}

// TestUnheard loses the answer to a Create that was carried out. The store repeats it, finds its own record, and knows it.
func TestUnheard(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		first   string // how the first request ends
		there   string // the value that is then there
		created bool
	}{{"", "mine", true}, {"", "theirs", false}, {"ThrottlingException", "mine", false}} {
		synctest.Test(t, func(t *testing.T) {
			s := &stub{answer: func(n int, _ string, _ object) (int, object) {
				if n == 1 && tc.first != "" {
					return 400, failure(tc.first)
				}
				if n == 1 {
					return 0, nil
				}
				f := failure("ConditionalCheckFailedException")
				f["Item"] = item("k", 1, tc.there)
				return 400, f
			}}
			cur, created, err := s.store().Create(t.Context(), "k", &unum.Record{Nonce: "n", Step: 1, Value: []byte("mine")})
			if created != tc.created || err != nil || string(cur.Value) != tc.there {
				t.Errorf("%+v: %+v, %v, %v", tc, cur, created, err)
			}
		})
	}
}

// TestUnprocessedKeys has the server answer a part of what it is asked for: the rest is asked for again, as long as it
// gets anywhere.
func TestUnprocessedKeys(t *testing.T) {
	t.Parallel()
	for _, per := range []int{0, 1, 30} {
		synctest.Test(t, func(t *testing.T) {
			var keys []string
			for i := range 95 {
				keys = append(keys, fmt.Sprintf("run/%d", i))
			}
			s := &stub{answer: func(n int, _ string, in object) (int, object) {
				asked := in["RequestItems"].(object)["t"].(object)
				if asked["ConsistentRead"] != true {
					t.Error("the read is not consistent")
				}
				all := asked["Keys"].([]any)
				var items []object
				for _, k := range all[:min(per, len(all))] {
					items = append(items, item(k.(object)["k"].(object)["S"].(string), 1, "v"))
				}
				out := object{"Responses": object{"t": items}}
				if len(items) < len(all) {
					out["UnprocessedKeys"] = object{"t": object{"Keys": all[len(items):], "ConsistentRead": true}}
				}
				return 200, out
			}}
			recs, err := s.store().Get(t.Context(), keys)
			if per == 0 {
				if !fault.Is(err, fault.Busy) || len(s.ops) != 10 {
					t.Errorf("getting nowhere: %v after %d requests", err, len(s.ops))
				}
				return
			}
			if err != nil || slices.Contains(recs, nil) || len(s.ops) != (95+per-1)/per {
				t.Errorf("%d a request: %v after %d requests", per, err, len(s.ops))
			}
		})
	}
}

// TestUnprocessedItems is the same for deletes.
func TestUnprocessedItems(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		deleted := 0
		s := &stub{answer: func(n int, op string, in object) (int, object) {
			all := in["RequestItems"].(object)["t"].([]any)
			did := min(len(all), n%3) // now and then nothing
			deleted += did
			return 200, object{"UnprocessedItems": object{"t": all[did:]}}
		}}
		var keys []string
		for i := range 20 {
			keys = append(keys, fmt.Sprintf("run/%d", i))
		}
		if err := s.store().Delete(t.Context(), keys); err != nil || deleted != 20 {
			t.Errorf("deleted %d: %v", deleted, err)
		}
	})
}

// TestNotARecord has something else in the table.
func TestNotARecord(t *testing.T) {
	t.Parallel()
	s := &stub{answer: func(int, string, object) (int, object) {
		return 200, object{"Item": object{"p": object{"S": "k 0"}, "k": object{"S": "k"}}}
	}}
	if recs, err := s.store().Get(t.Context(), []string{"k"}); !fault.Is(err, fault.Corrupt) {
		t.Errorf("%+v, %v", recs, err)
	}
}

// TestBlobWithoutAPart is a blob of which another caller has deleted a part.
func TestBlobWithoutAPart(t *testing.T) {
	t.Parallel()
	s := &stub{answer: func(_ int, op string, _ object) (int, object) {
		if op == "GetItem" {
			return 200, object{"Item": object{"p": object{"S": "k b0"}, "k": object{"S": "k"}, "c": object{"N": "2"}}}
		}
		return 200, object{"Responses": object{"t": []object{{"p": object{"S": "k 0"}, "k": object{"S": "k"}, "v": object{"B": []byte("half")}}}}}
	}}
	if data, err := s.store().GetBlob(t.Context(), "k"); !fault.Is(err, fault.ResourceNotFound) {
		t.Errorf("%q, %v", data, err)
	}
}
