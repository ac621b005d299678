package remote_test

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/inject"
	"github.com/weftworks/weft/unum/store/memory"
	"github.com/weftworks/weft/unum/store/remote"
	"github.com/weftworks/weft/unum/store/storetest"
)

const token = "secret"

func client(t *testing.T, address, token string) *remote.Client {
	t.Helper()
	c, err := remote.Open(address, token)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestConformance(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(remote.Handler(memory.New(), token))
	t.Cleanup(server.Close)
	storetest.Run(t, storetest.Options{Slow: true}, func(t *testing.T) unum.Store { return client(t, server.URL, token) })
}

func TestSocket(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: remote.Handler(memory.New(), token)}
	t.Cleanup(func() { _ = server.Close() })
	go func() { _ = server.Serve(l) }() // ends with Close
	c := client(t, "unix://"+path, token)
	if _, created, err := c.Create(t.Context(), "k", &unum.Record{Nonce: "n"}); !created || err != nil {
		t.Fatal(created, err)
	}
	if recs, err := c.Get(t.Context(), []string{"k"}); err != nil || recs[0].Nonce != "n" {
		t.Errorf("%v, %v", recs, err)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	for _, wrong := range []string{"", "secre", "secrets"} {
		server := httptest.NewServer(remote.Handler(memory.New(), token))
		if _, err := client(t, server.URL, wrong).Get(t.Context(), []string{"k"}); !fault.Is(err, fault.Unauthorized) {
			t.Errorf("token %q: %v", wrong, err)
		}
		server.Close()
	}
	server := httptest.NewServer(remote.Handler(memory.New(), ""))
	defer server.Close()
	if _, err := client(t, server.URL, "").Get(t.Context(), []string{"k"}); !fault.Is(err, fault.Unauthorized) {
		t.Errorf("a server without a token: %v", err)
	}
	req := httptest.NewRequest(http.MethodPost, "/get", strings.NewReader(`{"keys":["k"]}`))
	req.Header.Set("Authorization", "Bearer ") // which the network would trim
	answer := httptest.NewRecorder()
	if remote.Handler(memory.New(), "").ServeHTTP(answer, req); answer.Code != http.StatusUnauthorized {
		t.Errorf("a server without a token answers no token with %d", answer.Code)
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "127.0.0.1:80", "ftp://x", "http://", "unix://", "unix://host/path"} {
		if _, err := remote.Open(bad, token); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// TestRepeats has the server be busy, and lose an answer. A Create whose answer was lost is known as the caller's own.
func TestRepeats(t *testing.T) {
	t.Parallel()
	var calls atomic.Int64
	store := inject.Wrap(memory.New(), inject.Hooks{
		Before: func(context.Context, inject.Op) error {
			if calls.Add(1) == 1 {
				return fault.New("", fault.Busy, "", "come back later")
			}
			return nil
		},
		After: func(_ context.Context, _ inject.Op, err error) error {
			if calls.Load() == 2 {
				return fault.New("", fault.Unavailable, "", "the answer is lost")
			}
			return err
		},
	})
	server := httptest.NewServer(remote.Handler(store, token))
	defer server.Close()
	c := client(t, server.URL, token)
	if cur, created, err := c.Create(t.Context(), "k", &unum.Record{Nonce: "mine"}); !created || err != nil || calls.Load() != 3 {
		t.Errorf("%+v, %v, %v after %d calls", cur, created, err, calls.Load())
	}
	if _, created, err := c.Create(t.Context(), "k", &unum.Record{Nonce: "mine"}); created || err != nil {
		t.Errorf("the same again, all heard: %v, %v", created, err)
	}
}

// TestErrorsKeepTheirKind has the store fail in its own way.
func TestErrorsKeepTheirKind(t *testing.T) {
	t.Parallel()
	for _, kind := range []fault.Kind{fault.LimitExceeded, fault.Corrupt, fault.Internal, fault.Conflict} {
		store := inject.Wrap(memory.New(), inject.Hooks{Before: func(context.Context, inject.Op) error {
			return fault.New("op", kind, "subject", "words")
		}})
		server := httptest.NewServer(remote.Handler(store, token))
		if _, err := client(t, server.URL, token).Get(t.Context(), []string{"k"}); !fault.Is(err, kind) || err.Error() != "op: subject: words" {
			t.Errorf("%v became %v", kind, err)
		}
		server.Close()
	}
}

// TestKeysThatEnd has the store fail in the middle of its keys, and the server go away.
func TestKeysThatEnd(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(remote.Handler(failing{memory.New()}, token))
	defer server.Close()
	n := 0
	err := client(t, server.URL, token).Keys(t.Context(), "", func(string) bool { n++; return true })
	if n != 1 || !fault.Is(err, fault.Corrupt) {
		t.Errorf("%d keys, %v", n, err)
	}
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("a\nb\n")) }))
	defer cut.Close()
	n = 0
	err = client(t, cut.URL, token).Keys(t.Context(), "", func(string) bool { n++; return true })
	if n != 2 || !fault.Is(err, fault.Unavailable) {
		t.Errorf("%d keys, %v", n, err)
	}
}

// failing has a key, and then fails.
type failing struct{ *memory.Store }

func (failing) Keys(_ context.Context, _ string, fn func(string) bool) error {
	fn("key")
	return fault.New("Keys", fault.Corrupt, "", "words")
}

func FuzzHandler(f *testing.F) {
	h := remote.Handler(memory.New(), token)
	for _, op := range []string{"get", "create", "advance", "add", "delete", "putblob", "getblob", "deleteblobs", "keys"} {
		f.Add(op, []byte(`{"keys":["k"],"nonce":"n","step":1,"record":"AQE=","member":"m"}`))
	}
	f.Fuzz(func(t *testing.T, op string, body []byte) {
		req := httptest.NewRequest(http.MethodPost, "/"+url.PathEscape(op), bytes.NewReader(body))
		req.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		if h.ServeHTTP(answer, req); answer.Code >= 500 && answer.Code != http.StatusInternalServerError {
			t.Errorf("%s %q: %d", op, body, answer.Code)
		}
	})
}

func TestNotADatastore(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := client(t, server.URL, token).Get(t.Context(), []string{"k"}); !fault.Is(err, fault.InvalidArgument) {
		t.Errorf("%v", err)
	}
}

func BenchmarkStore(b *testing.B) {
	server := httptest.NewServer(remote.Handler(memory.New(), token))
	defer server.Close()
	c, err := remote.Open(server.URL, token)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	storetest.Benchmark(b, c)
}
