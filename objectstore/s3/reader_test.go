package s3

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/objectstore"
)

// flaky is a server of one object that breaks each connection after some bytes, and lets breaks of them pass.
type flaky struct {
	text   []byte
	after  int
	breaks atomic.Int64
	etag   atomic.Value
}

func (f *flaky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	etag, _ := f.etag.Load().(string)
	if match := r.Header.Get("If-Match"); match != "" && match != etag {
		http.Error(w, "<Error><Code>PreconditionFailed</Code><Message>no</Message></Error>", http.StatusPreconditionFailed)
		return
	}
	from := 0
	if span := r.Header.Get("Range"); span != "" {
		if _, err := fmt.Sscanf(span, "bytes=%d-", &from); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", from, len(f.text)-1, len(f.text)))
		w.Header().Set("Content-Length", fmt.Sprint(len(f.text)-from))
		w.Header().Set("ETag", etag)
		w.WriteHeader(http.StatusPartialContent)
	} else {
		w.Header().Set("Content-Length", fmt.Sprint(len(f.text)))
		w.Header().Set("ETag", etag)
	}
	to := len(f.text)
	if f.breaks.Add(-1) >= 0 {
		to = min(to, from+f.after)
	}
	_, _ = w.Write(f.text[from:to]) // the client sees what fails
}

func serve(t *testing.T, after int, breaks int64) (*flaky, *Store) {
	t.Helper()
	f := &flaky{text: bytes.Repeat([]byte("0123456789abcdef"), 4096), after: after}
	f.breaks.Store(breaks)
	f.etag.Store(`"one"`)
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	return f, open(t, server.URL)
}

func TestReaderGoesOnAfterABreak(t *testing.T) {
	t.Parallel()
	f, store := serve(t, 10_000, 4)
	for _, offset := range []int64{0, 5} {
		f.breaks.Store(4)
		o, err := store.Get(t.Context(), objectstore.Name{Bucket: "bucket", Key: "k"}, objectstore.GetOptions{Offset: offset})
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(o.Body)
		if err != nil || !bytes.Equal(got, f.text[offset:]) || o.Size != int64(len(f.text)) {
			t.Errorf("from %d: %d bytes, want %d of %d: %v", offset, len(got), len(f.text)-int(offset), o.Size, err)
		}
		if err := o.Body.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestReaderDoesNotMixVersions(t *testing.T) {
	t.Parallel()
	f, store := serve(t, 10_000, 1)
	o, err := store.Get(t.Context(), objectstore.Name{Bucket: "bucket", Key: "k"}, objectstore.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	f.etag.Store(`"two"`)
	if got, err := io.ReadAll(o.Body); !objectstore.IsCode(err, objectstore.PreconditionFailed) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	_ = o.Body.Close()
}

func TestReaderGivesUp(t *testing.T) {
	t.Parallel()
	_, store := serve(t, 0, 1000)
	o, err := store.Get(t.Context(), objectstore.Name{Bucket: "bucket", Key: "k"}, objectstore.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadAll(o.Body); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("got %v", err)
	}
	_ = o.Body.Close()
}

func TestErrorsOfServers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		status    int
		body      string
		code      objectstore.Code
		kind      fault.Kind
		exception string
		cause     string
	}{
		{404, `<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>`, "NoSuchKey", fault.ResourceNotFound, "S3.NoSuchKeyException",
			"The specified key does not exist. (Service: S3, Status Code: 404, Request ID: R1, Extended Request ID: H1)"},
		{403, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`, "AccessDenied", fault.Unauthorized, "S3.S3Exception",
			"Access Denied (Service: S3, Status Code: 403, Request ID: R1, Extended Request ID: H1)"},
		{403, `<Error><Code>SignatureDoesNotMatch</Code><Message>no</Message></Error>`, "SignatureDoesNotMatch", fault.Unauthorized, "S3.S3Exception",
			"no (Service: S3, Status Code: 403, Request ID: R1, Extended Request ID: H1)"},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("x-amz-request-id", "R1")
			w.Header().Set("x-amz-id-2", "H1")
			w.WriteHeader(c.status)
			_, _ = io.WriteString(w, c.body) // the client sees what fails
		}))
		_, err := open(t, server.URL).Get(t.Context(), objectstore.Name{Bucket: "bucket", Key: "k"}, objectstore.GetOptions{})
		var e *objectstore.Error
		if !objectstore.IsCode(err, c.code) || fault.KindOf(err) != c.kind || objectstore.Cause(err) != c.cause {
			t.Errorf("%s: %v", c.body, err)
		} else if e, _ = err.(*objectstore.Error); e == nil || e.Exception() != c.exception {
			t.Errorf("%s: exception of %v", c.body, err)
		}
		server.Close()
	}
	if strings.Contains(objectstore.Cause(io.EOF), "S3") {
		t.Error("io.EOF is none of S3's errors")
	}
}
