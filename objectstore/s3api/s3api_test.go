package s3api

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/weftworks/weft/objectstore/dir"
	"github.com/weftworks/weft/objectstore/objectstoretest"
	"github.com/weftworks/weft/objectstore/s3"
)

func directory(t *testing.T) *dir.Store {
	t.Helper()
	store, err := dir.Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

func transport(store Store) *Transport { return New(func() (Store, error) { return store, nil }) }

// served is the transport as a server, for clients that need one.
type served struct{ *Transport }

func (s served) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := s.RoundTrip(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	for name, values := range a.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(a.StatusCode)
	_, _ = io.Copy(w, a.Body) // the client sees what fails
	_ = a.Body.Close()
}

// TestConformance holds that a store behind this package, and behind the one that speaks to S3, is still a store.
func TestConformance(t *testing.T) {
	t.Parallel()
	objectstoretest.Run(t, func(t *testing.T) objectstoretest.Bucket {
		store := directory(t)
		if err := store.CreateBucket(t.Context(), "bucket"); err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(served{transport(store)})
		t.Cleanup(server.Close)
		client, err := s3.Open(t.Context(), s3.Options{Endpoint: server.URL, Region: "us-east-1", PathStyle: true, Credentials: aws.AnonymousCredentials{}})
		if err != nil {
			t.Fatal(err)
		}
		return objectstoretest.Bucket{Store: client, Name: "bucket", Missing: "missing", PartBytes: 1 << 20, NoParents: true}
	})
}

// ask makes a request "METHOD path", with "Name: value" headers, and returns the status, what headers matter, and the body.
func ask(t *testing.T, at http.RoundTripper, request, body string, headers ...string) string {
	t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(t.Context(), method, "http://s3"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	a, err := at.RoundTrip(r)
	if err != nil {
		return err.Error()
	}
	text, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Body.Close(); err != nil {
		t.Error(err)
	}
	if method != http.MethodHead && a.ContentLength != int64(len(text)) {
		t.Errorf("%s: %d bytes announced, %d sent", request, a.ContentLength, len(text))
	}
	out := fmt.Sprint(a.StatusCode)
	if span := a.Header.Get("Content-Range"); span != "" {
		out += " " + span
	}
	return out + " " + string(text)
}

func TestRanges(t *testing.T) {
	t.Parallel()
	at := transport(directory(t))
	ask(t, at, "PUT /box", "")
	ask(t, at, "PUT /box/k", "0123456789")
	ask(t, at, "PUT /box/none", "")
	for _, c := range []struct{ key, span, want string }{
		{"k", "bytes=2-4", "206 bytes 2-4/10 234"}, {"k", "bytes=8-", "206 bytes 8-9/10 89"}, {"k", "bytes=8-99", "206 bytes 8-9/10 89"},
		{"k", "bytes=-3", "206 bytes 7-9/10 789"}, {"k", "bytes=-99", "206 bytes 0-9/10 0123456789"}, {"k", "bytes=0-0", "206 bytes 0-0/10 0"},
		{"k", "bytes=10-", "416 "}, {"k", "bytes=-0", "416 "}, {"none", "bytes=0-", "416 "}, {"none", "bytes=-1", "416 "},
		{"k", "lines=1-2", "200 0123456789"}, {"k", "bytes=4-2", "200 0123456789"}, {"k", "bytes=1-2,4-5", "200 0123456789"}, {"k", "bytes=-", "200 0123456789"},
		{"k", "bytes=0-9223372036854775807", "206 bytes 0-9/10 0123456789"}, {"k", "bytes=-9223372036854775807", "206 bytes 0-9/10 0123456789"},
	} {
		if got := ask(t, at, "GET /box/"+c.key, "", "Range: "+c.span); got != c.want && (c.want != "416 " || !strings.HasPrefix(got, c.want) || !strings.Contains(got, "InvalidRange")) {
			t.Errorf("%s of %s: %s, want %s", c.span, c.key, got, c.want)
		}
	}
}

// TestPages follows listings of every page size to their end.
func TestPages(t *testing.T) {
	t.Parallel()
	at := transport(directory(t))
	ask(t, at, "PUT /box", "")
	for _, key := range []string{"a", "b/1", "b/2", "b0", "c/d/1", "c/d/2", "c/e", "f/", "z"} {
		ask(t, at, "PUT /box/"+key, key)
	}
	for _, c := range []struct{ query, want string }{
		{"", "a b/1 b/2 b0 c/d/1 c/d/2 c/e f/ z"}, {"&prefix=c/", "c/d/1 c/d/2 c/e"}, {"&delimiter=/", "a (b/) b0 (c/) (f/) z"},
		{"&prefix=c/&delimiter=/", "(c/d/) c/e"}, {"&prefix=b&delimiter=/", "(b/) b0"}, {"&start-after=c/d/1&marker=c/d/1", "c/d/2 c/e f/ z"},
	} {
		for _, first := range []bool{true, false} {
			for size := 1; size <= 10; size++ {
				var all []string
				query := c.query
				for pages := 0; ; pages++ {
					request := fmt.Sprintf("GET /box?max-keys=%d%s", size, query)
					if !first {
						request = strings.Replace(strings.ReplaceAll(request, "&marker=c/d/1", ""), "?", "?list-type=2&", 1)
					} else {
						request = strings.ReplaceAll(request, "&start-after=c/d/1", "")
					}
					text := ask(t, at, request, "")
					found := entries(text)
					all = append(all, found...)
					if len(found) > size || pages > 10 {
						t.Fatalf("%s: %s", request, text)
					}
					if between(text, "<IsTruncated>", "<") != "true" {
						break
					}
					last := strings.Trim(found[len(found)-1], "()")
					if next := between(text, "<NextMarker>", "<"); next != "" && next != last {
						t.Errorf("%s: the next marker is %s", request, next)
					}
					query = strings.ReplaceAll(strings.ReplaceAll(c.query, "&marker=c/d/1", ""), "&start-after=c/d/1", "")
					if first {
						query += "&marker=" + last
					} else {
						query += "&continuation-token=" + between(text, "<NextContinuationToken>", "<")
					}
				}
				if got := strings.Join(all, " "); got != c.want {
					t.Errorf("%s in pages of %d (first operation: %v): %s, want %s", c.query, size, first, got, c.want)
				}
			}
		}
	}
	if got := ask(t, at, "GET /box?list-type=2&max-keys=0", ""); !strings.Contains(got, "<KeyCount>0<") || !strings.Contains(got, "<IsTruncated>false<") {
		t.Errorf("no keys: %s", got)
	}
}

// entries are the keys and (common prefixes) of a listing, in order.
func entries(text string) (all []string) {
	keys, groups := strings.Split(text, "<Key>")[1:], strings.Split(text, "<CommonPrefixes><Prefix>")[1:]
	for len(keys)+len(groups) > 0 {
		key, group := "\xff", "\xff"
		if len(keys) > 0 {
			key, _, _ = strings.Cut(keys[0], "<")
		}
		if len(groups) > 0 {
			group, _, _ = strings.Cut(groups[0], "<")
		}
		if key < group {
			all, keys = append(all, key), keys[1:]
		} else {
			all, groups = append(all, "("+group+")"), groups[1:]
		}
	}
	return all
}

func between(text, from, to string) string {
	_, rest, _ := strings.Cut(text, from)
	inner, _, _ := strings.Cut(rest, to)
	return inner
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	at := transport(directory(t))
	ask(t, at, "PUT /box", "")
	ask(t, at, "PUT /box/k", "v")
	for _, c := range []struct {
		request string
		headers []string
		want    string
	}{
		{"PUT /box", nil, "409 BucketAlreadyOwnedByYou"},
		{"PUT /b", nil, "400 InvalidBucketName"},
		{"GET /missing?list-type=2", nil, "404 NoSuchBucket"},
		{"GET /missing/k", nil, "404 NoSuchBucket"},
		{"DELETE /missing/k", nil, "404 NoSuchBucket"},
		{"HEAD /missing", nil, "404"},
		{"HEAD /box/missing", nil, "404"},
		{"GET /box/k?versionId=7", nil, "404 NoSuchVersion"},
		{"GET /box/k", []string{`If-Match: "other"`}, "412 PreconditionFailed"},
		{"HEAD /box/k", []string{`If-Match: "other"`}, "412"},
		{"PUT /box/k", []string{"X-Amz-Server-Side-Encryption: aws:kms"}, "501 NotImplemented X-Amz-Server-Side-Encryption"},
		{"PUT /box/k", []string{"If-None-Match: *"}, "501 NotImplemented If-None-Match"},
		{"PUT /box/k", []string{"X-Amz-Meta-Who: me"}, "501 NotImplemented"},
		{"PUT /box/k?tagging=", nil, "501 NotImplemented tagging"},
		{"POST /box/k?uploads=", nil, "501 NotImplemented"},
		{"DELETE /box", nil, "501 NotImplemented"},
		{"GET /box?max-keys=-1", nil, "400 InvalidArgument"},
		{"GET /box?list-type=2&continuation-token=!", nil, "400 InvalidArgument"},
		{"PUT /box/copy", []string{"X-Amz-Copy-Source: box"}, "400 InvalidArgument"},
		{"PUT /box/copy", []string{"X-Amz-Copy-Source: /box/none"}, "404 NoSuchKey"},
		{"PUT /box/k", []string{"X-Amz-Copy-Source: box/k"}, "400 InvalidRequest"},
		{"PUT /box/k/below", nil, "409 ObjectParentIsFile"},
	} {
		got := ask(t, at, c.request, "", c.headers...)
		words := strings.Fields(c.want)
		if !strings.HasPrefix(got, words[0]+" ") || strings.Contains(c.request, "HEAD") != (got == words[0]+" ") {
			t.Errorf("%s %q: %s, want %s", c.request, c.headers, got, c.want)
		} else if found := between(got, "<Code>", "<"); len(words) > 1 && !strings.Contains(c.want, found) || len(words) > 2 && !strings.Contains(got, words[2]) {
			t.Errorf("%s %q: %s, want %s", c.request, c.headers, got, c.want)
		}
	}
	if got := ask(t, at, "GET /box/k", ""); got != "200 v" {
		t.Errorf("after all: %s", got)
	}
	broken := New(func() (Store, error) { return nil, errors.New("there is none") })
	if got := ask(t, broken, "GET /", ""); got != "there is none" {
		t.Errorf("without a store: %s", got)
	}
}
