// Package fakes stands in for services of others in tests: queues behind the protocol of SQS, and a transport that
// leads a client's requests to handlers in the same process, without a network, so that they work under
// virtual time as well.
//
//	queues := &fakes.SQS{}
//	set := integration.NewSet()
//	err := awssdk.Register(set, awssdk.Config{Region: "us-east-1", Endpoints: map[string]string{"sqs": "http://sqs"},
//		HTTP: &http.Client{Transport: fakes.Transport{"sqs": queues}}})
package fakes

import (
	"encoding/json"
	"fmt"
	"hash/crc32"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
)

// Transport answers requests by the handler of their host. A host without one is not known, as to a resolver.
type Transport map[string]http.Handler

// RoundTrip implements http.RoundTripper.
func (t Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	h := t[r.URL.Hostname()]
	if h == nil {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: r.URL.Hostname(), IsNotFound: true}}
	}
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	res := w.Result()
	res.Request = r
	return res, nil
}

func reply(w http.ResponseWriter, v any) { answer(w, http.StatusOK, v) }

// refuse answers an error of an awsJson protocol.
func refuse(w http.ResponseWriter, kind, message string) {
	answer(w, http.StatusBadRequest, map[string]string{"__type": kind, "message": message})
}

// answer writes JSON with the checksum that DynamoDB's clients look at.
func answer(w http.ResponseWriter, status int, v any) {
	body, _ := json.Marshal(v)
	w.Header().Set("x-amz-crc32", strconv.FormatUint(uint64(crc32.ChecksumIEEE(body)), 10))
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

func uuid(n int) string { return fmt.Sprintf("00000000-0000-4000-8000-%012x", n) }
