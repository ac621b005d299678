// Package s3api answers requests of the S3 API from an object store in the same process: the transport of an HTTP client, so
// that what speaks to S3 speaks to a directory instead, without a server or a port.
//
//	client := &http.Client{Transport: s3api.New(func() (s3api.Store, error) { return store, nil })}
//
// It has the operations in Actions, with buckets in the path, and says of a parameter that it does not have what S3 says:
// NotImplemented. Signatures are not looked at, and checksums are those that the sender made. The content type that an object
// is put with is not kept: every object is binary/octet-stream.
package s3api

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/objectstore"
)

// Store is an object store that knows its buckets.
type Store interface {
	objectstore.Store
	// CreateBucket makes a bucket; BucketTaken: there is one already.
	CreateBucket(ctx context.Context, bucket string) error
	// HeadBucket returns nil where there is such a bucket, else NoSuchBucket.
	HeadBucket(ctx context.Context, bucket string) error
	// Buckets returns all buckets in the order of their names.
	Buckets(ctx context.Context) ([]objectstore.BucketInfo, error)
}

// Actions are the operations there are, in the spelling of Step Functions and in order.
var Actions = []string{
	"copyObject", "createBucket", "deleteObject", "getObject", "headBucket", "headObject", "listBuckets", "listObjects", "listObjectsV2", "putObject",
}

// Transport answers requests. It may be used by many goroutines.
type Transport struct {
	open func() (Store, error)
}

var _ http.RoundTripper = (*Transport)(nil)

// New makes a Transport of a store, which open returns at each request. What open fails with the request fails with.
func New(open func() (Store, error)) *Transport { return &Transport{open: open} }

// RoundTrip answers a request. Errors of the store are answers; an error is what an error of the network would be.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer func() { _ = r.Body.Close() }() // as a RoundTripper must; its errors are those of Read
	}
	store, err := t.open()
	if err != nil {
		return nil, err
	}
	q, err := parse(store, r)
	if err != nil {
		return nil, err
	}
	a, err := q.answer(r.Context())
	var refused *objectstore.Error
	if errors.As(err, &refused) {
		a, err = refusal(refused, r.Method != http.MethodHead), nil
	}
	if err != nil {
		return nil, err
	}
	return a.response(r), nil
}

// request is a request that was read.
type request struct {
	store  Store
	method string
	name   objectstore.Name
	query  url.Values
	header http.Header
	body   io.Reader
}

func parse(store Store, r *http.Request) (*request, error) {
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, err
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	q := &request{store: store, method: r.Method, query: query, header: r.Header, body: http.NoBody,
		name: objectstore.Name{Bucket: bucket, Key: key, Version: query.Get("versionId")}}
	if r.Body != nil {
		q.body = r.Body
	}
	return q, nil
}

// operation is how one kind of request is answered, and what it may have beside what every request may.
type operation struct {
	answer           func(*request, context.Context) (*answer, error)
	queries, headers []string
}

var (
	ofBuckets = map[string]*operation{http.MethodGet: {answer: (*request).buckets}}
	ofBucket  = map[string]*operation{
		http.MethodPut:  {answer: (*request).createBucket},
		http.MethodHead: {answer: (*request).headBucket},
		http.MethodGet: {answer: (*request).list,
			queries: []string{"list-type", "prefix", "delimiter", "max-keys", "marker", "start-after", "continuation-token"}},
	}
	ofObject = map[string]*operation{
		http.MethodGet:    {answer: (*request).get, queries: []string{"versionId"}, headers: []string{"Range", "If-Match", "X-Amz-Checksum-Mode"}},
		http.MethodHead:   {answer: (*request).head, queries: []string{"versionId"}, headers: []string{"If-Match", "X-Amz-Checksum-Mode"}},
		http.MethodDelete: {answer: (*request).delete, queries: []string{"versionId"}},
		http.MethodPut:    {answer: (*request).put, headers: []string{"Content-Md5", checksumOf}},
	}
	copying = &operation{answer: (*request).copy, headers: []string{copySource}}
)

const (
	copySource = "X-Amz-Copy-Source"
	checksumOf = "X-Amz-Sdk-Checksum-Algorithm"
	checksum   = "X-Amz-Checksum-" // with the name of a checksum
)

// plain are the headers that mean nothing here.
var plain = []string{
	"Accept", "Accept-Encoding", "Amz-Sdk-Invocation-Id", "Amz-Sdk-Request", "Authorization", "Content-Length", "Content-Type", "Expect",
	"User-Agent", "X-Amz-Content-Sha256", "X-Amz-Date", "X-Amz-Security-Token", "X-Amz-User-Agent",
}

func (q *request) operation() *operation {
	switch {
	case q.name.Bucket == "":
		return ofBuckets[q.method]
	case q.name.Key == "":
		return ofBucket[q.method]
	case q.method == http.MethodPut && q.header.Get(copySource) != "":
		return copying
	}
	return ofObject[q.method]
}

// answer answers a request that has nothing but what its operation knows: to pass over a condition or a key of encryption
// would be to do something else than was asked.
func (q *request) answer(ctx context.Context) (*answer, error) {
	o := q.operation()
	if o == nil {
		return nil, q.refuse(notImplemented, "there is no "+q.method+" of this")
	}
	for _, name := range slices.Sorted(maps.Keys(q.query)) {
		if name != "x-id" && !slices.Contains(o.queries, name) {
			return nil, q.refuse(notImplemented, "the parameter "+name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(q.header)) {
		name = textproto.CanonicalMIMEHeaderKey(name)
		sum := slices.Contains(o.headers, checksumOf) && strings.HasPrefix(name, checksum)
		if !sum && !slices.Contains(plain, name) && !slices.Contains(o.headers, name) {
			return nil, q.refuse(notImplemented, "the header "+name)
		}
	}
	return o.answer(q, ctx)
}

const (
	notImplemented = objectstore.NotImplemented
	invalid        = objectstore.InvalidArgument
)

// refuse makes the error of a request, with what it is about.
func (q *request) refuse(code objectstore.Code, what string) error {
	e := objectstore.NewError(q.method, q.name, code, nil)
	e.Message += " (" + what + ")"
	return e
}

// answer is an answer before it is HTTP's.
type answer struct {
	status int
	header http.Header
	body   io.ReadCloser
	length int64
}

func empty(status int) *answer {
	return &answer{status: status, header: http.Header{}, body: http.NoBody}
}

// document is an answer whose body is XML.
func document(status int, v any) *answer {
	text, err := xml.Marshal(v)
	if err != nil { // a field of a type that XML does not know
		panic(err)
	}
	a := empty(status)
	a.header.Set("Content-Type", "application/xml")
	a.body, a.length = io.NopCloser(bytes.NewReader(text)), int64(len(text))
	return a
}

func refusal(e *objectstore.Error, withBody bool) *answer {
	a := empty(e.Status)
	if withBody {
		a = document(e.Status, struct {
			XMLName                          xml.Name `xml:"Error"`
			Code, Message, RequestId, HostId string
		}{Code: string(e.Code), Message: e.Message, RequestId: e.RequestID, HostId: e.HostID})
	}
	a.header.Set("X-Amz-Request-Id", e.RequestID)
	a.header.Set("X-Amz-Id-2", e.HostID)
	return a
}

func (a *answer) response(r *http.Request) *http.Response {
	a.header.Set("Content-Length", strconv.FormatInt(a.length, 10))
	return &http.Response{
		Status: strconv.Itoa(a.status) + " " + http.StatusText(a.status), StatusCode: a.status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header, Body: a.body, ContentLength: a.length, Request: r,
	}
}
