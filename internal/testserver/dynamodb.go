package testserver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
)

// DynamoDBFront is the HTTP client of an SDK's client of dynalite. It adds what DynamoDB does and dynalite does not, and
// faults. It is safe for concurrent use.
type DynamoDBFront struct {
	// Old has a write whose condition fails return what is there, of the same moment, if it asks for that. Writes then go
	// one after the other.
	Old bool
	// Throttled is which share of requests is refused as throttled.
	Throttled float64
	// Unprocessed is which share of requests for many keys gets to half of them only.
	Unprocessed float64
	// Lost is which share of answers never arrives, though what was asked for is done.
	Lost float64

	writes sync.Mutex
	mu     sync.Mutex
	counts map[string]int
}

// Count returns how many requests of an action were made, those that were throttled included.
func (f *DynamoDBFront) Count(action string) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.counts[action]
}

// Do makes a request.
func (f *DynamoDBFront) Do(req *http.Request) (*http.Response, error) {
	_, action, _ := strings.Cut(req.Header.Get("X-Amz-Target"), ".")
	f.mu.Lock()
	if f.counts == nil {
		f.counts = map[string]int{}
	}
	f.counts[action]++
	f.mu.Unlock()
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return nil, err
	}
	if rand.Float64() < f.Throttled {
		return answer(req, http.StatusBadRequest, map[string]any{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"})
	}
	resp, err := f.pass(req, action, body)
	if err == nil && rand.Float64() < f.Lost {
		_ = resp.Body.Close() // nobody reads it
		return nil, io.ErrUnexpectedEOF
	}
	return resp, err
}

func (f *DynamoDBFront) pass(req *http.Request, action string, body []byte) (*http.Response, error) {
	switch action {
	case "BatchGetItem", "BatchWriteItem":
		if rand.Float64() < f.Unprocessed {
			return f.half(req, action, body)
		}
	case "PutItem", "UpdateItem", "DeleteItem":
		if f.Old {
			f.writes.Lock()
			defer f.writes.Unlock()
			return withOld(req, body)
		}
	}
	return send(req, body)
}

// send makes a request with a body.
func send(req *http.Request, body []byte) (*http.Response, error) {
	req.Body, req.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return http.DefaultClient.Do(req)
}

// withOld adds the item to a refusal, which nobody can have changed meanwhile.
func withOld(req *http.Request, body []byte) (*http.Response, error) {
	resp, err := send(req, body)
	if err != nil || resp.StatusCode != http.StatusBadRequest {
		return resp, err
	}
	refusal, err := object(resp.Body)
	if err != nil {
		return nil, err
	}
	in, err := object(io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		return nil, err
	}
	kind, _ := refusal["__type"].(string)
	if !strings.HasSuffix(kind, "#ConditionalCheckFailedException") || in["ReturnValuesOnConditionCheckFailure"] != "ALL_OLD" {
		return answer(req, resp.StatusCode, refusal)
	}
	key, _ := in["Key"].(map[string]any)
	if item, ok := in["Item"].(map[string]any); ok {
		key = map[string]any{"p": item["p"], "k": item["k"]}
	}
	get, err := json.Marshal(map[string]any{"TableName": in["TableName"], "Key": key, "ConsistentRead": true})
	if err != nil {
		return nil, err
	}
	// dynalite looks at the form of a signature only.
	read := req.Clone(req.Context())
	read.Header.Set("X-Amz-Target", "DynamoDB_20120810.GetItem")
	if resp, err = send(read, get); err != nil {
		return nil, err
	}
	found, err := object(resp.Body)
	if err != nil {
		return nil, err
	}
	if item := found["Item"]; item != nil {
		refusal["Item"] = item
	}
	return answer(req, http.StatusBadRequest, refusal)
}

// half asks for the first half of the keys, and returns the others as not processed.
func (f *DynamoDBFront) half(req *http.Request, action string, body []byte) (*http.Response, error) {
	in, err := object(io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		return nil, err
	}
	tables, _ := in["RequestItems"].(map[string]any)
	left := map[string]any{}
	for name, asked := range tables {
		switch asked := asked.(type) {
		case []any: // of BatchWriteItem
			n := (len(asked) + 1) / 2
			tables[name], left[name] = asked[:n], asked[n:]
		case map[string]any:
			keys, _ := asked["Keys"].([]any)
			n := (len(keys) + 1) / 2
			asked["Keys"], left[name] = keys[:n], map[string]any{"Keys": keys[n:], "ConsistentRead": asked["ConsistentRead"]}
			if n == len(keys) {
				delete(left, name)
			}
		}
	}
	changed, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	resp, err := send(req, changed)
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	out, err := object(resp.Body)
	if err != nil {
		return nil, err
	}
	field := map[string]string{"BatchGetItem": "UnprocessedKeys", "BatchWriteItem": "UnprocessedItems"}[action]
	own, _ := out[field].(map[string]any) // what dynalite has not got to itself
	for name, more := range own {
		left[name] = join(left[name], more)
	}
	out[field] = left
	return answer(req, http.StatusOK, out)
}

// join returns all that is in two lists of what is left of a table.
func join(a, b any) any {
	switch b := b.(type) {
	case []any:
		list, _ := a.([]any)
		return append(list, b...)
	case map[string]any:
		if keys, ok := a.(map[string]any); ok {
			b["Keys"] = join(keys["Keys"], b["Keys"])
		}
	}
	return b
}

// object reads a JSON object.
func object(r io.ReadCloser) (o map[string]any, err error) {
	defer r.Close()
	if err := json.NewDecoder(r).Decode(&o); err != nil {
		return nil, fmt.Errorf("testserver: dynalite speaks no JSON: %w", err)
	}
	return o, nil
}

func answer(req *http.Request, status int, body any) (*http.Response, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/x-amz-json-1.0"}}, Body: io.NopCloser(bytes.NewReader(text)), ContentLength: int64(len(text)),
	}, nil
}
