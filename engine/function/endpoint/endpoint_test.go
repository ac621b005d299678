package endpoint

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

func endpoint(t *testing.T, handler http.HandlerFunc, change ...func(*Config)) *Endpoint {
	t.Helper()
	s := httptest.NewServer(handler)
	cfg := Config{Name: "fn", URL: s.URL + "/f", ResponseBytes: 1000}
	for _, f := range change {
		f(&cfg)
	}
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close(); s.Close() })
	return e
}

func invoke(e *Endpoint, change ...func(*function.Request)) (*function.Result, *function.Error, error) {
	req := &function.Request{Function: "fn", ID: "id-1", Run: "run-1", Attempt: 3, Key: "key-1", Input: []byte(`{"a":1}`), Timeout: time.Minute}
	for _, f := range change {
		f(req)
	}
	res, err := e.Invoke(context.Background(), req)
	var own *function.Error
	errors.As(err, &own)
	return res, own, err
}

func TestSuccess(t *testing.T) {
	t.Parallel()
	e := endpoint(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header
		if r.Method != "POST" || h.Get("Content-Type") != "application/json" || h.Get("Weft-Request-Id") != "id-1" || h.Get("Weft-Run") != "run-1" ||
			h.Get("Weft-Attempt") != "3" || h.Get("Idempotency-Key") != "key-1" || h.Get("Weft-Deadline-Ms") == "" || h.Get("X-Own") != "yes" {
			t.Errorf("%s %v", r.Method, h)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = w.Write([]byte(`{"got": ` + string(body) + `}`))
	}, func(c *Config) { c.Headers = map[string]string{"X-Own": "yes"} })
	res, _, err := invoke(e)
	if err != nil || string(res.Output) != `{"got":{"a":1}}` {
		t.Errorf("%v %v", res, err)
	}
	res, _, err = invoke(endpoint(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	if err != nil || string(res.Output) != "null" {
		t.Errorf("no content: %v %v", res, err)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	answer := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if status/100 == 3 {
				w.Header().Set("Location", "/elsewhere")
			}
			w.WriteHeader(status)
			_, _ = io.WriteString(w, body)
		}
	}
	for _, c := range []struct {
		name      string
		handler   http.HandlerFunc
		errorType string
		cause     string
	}{
		{"status", answer(503, "overloaded"), "States.Http.StatusCode.503", "503 Service Unavailable: overloaded"},
		{"typed", answer(400, `{"errorType":"Card.Refused","errorMessage":"m"}`), "Card.Refused", `{"errorType":"Card.Refused","errorMessage":"m"}`},
		{"redirect", answer(302, ""), "States.Http.StatusCode.302", "redirects to /elsewhere"},
		{"garbage", answer(200, "hello"), "Runtime.InvalidJSON", "hello"},
		{"huge", answer(200, `"`+strings.Repeat("x", 1000)+`"`), "Function.ResponseSizeTooLarge", "1000 bytes"},
		{"broken", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "States.Http.Socket", "EOF"},
		{"half", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, `{"a"`)
		}, "States.Http.Socket", "broke off"},
	} {
		if _, own, err := invoke(endpoint(t, c.handler)); own == nil || own.Type != c.errorType || !strings.Contains(own.Cause, c.cause) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	e, err := New(Config{Name: "fn", URL: "http://" + address})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if _, own, err := invoke(e); own == nil || own.Type != "States.Http.Socket" || !strings.Contains(own.Cause, "connection refused") {
		t.Errorf("%v", err)
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	entered := make(chan bool, 10)
	e := endpoint(t, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // the server notices broken connections only behind the body
		entered <- true
		<-r.Context().Done()
	})
	if _, own, err := invoke(e, func(r *function.Request) { r.Timeout = 50 * time.Millisecond }); own == nil || own.Type != "Sandbox.Timedout" {
		t.Errorf("own time-out: %v", err)
	}
	if _, own, err := invoke(e, func(r *function.Request) { r.Deadline = time.Now().Add(50 * time.Millisecond) }); own == nil || own.Type != "States.Timeout" {
		t.Errorf("deadline: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var own *function.Error
	if _, err := e.Invoke(ctx, &function.Request{}); !errors.As(err, &own) || own.Type != "States.Timeout" {
		t.Errorf("context's deadline: %v", err)
	}
	result := make(chan error)
	for len(entered) > 0 {
		<-entered
	}
	go func() { _, _, err := invoke(e); result <- err }()
	<-entered
	_ = e.Close()
	if err := <-result; !fault.Is(err, fault.Unavailable) {
		t.Errorf("closed: %v", err)
	}
	if _, _, err := invoke(e); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
}

func TestURLIsChecked(t *testing.T) {
	t.Parallel()
	for _, u := range []string{"", "notify", "ftp://x/y", "http://", "://"} {
		if _, err := New(Config{Name: "fn", URL: u}); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%q: %v", u, err)
		}
	}
}
