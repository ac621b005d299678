package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/limits"
)

const token = "correct-horse-battery"

func withToken(o *Options) { o.Credentials = []Credential{{KeyID: "weft", Token: token}} }

// request makes a ListStateMachines request.
func request(body string) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1:8400/", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AWSStepFunctions.ListStateMachines")
	return r
}

func answerTo(s *Server, r *http.Request) (status int, errorType string) {
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	var e struct {
		Type string `json:"__type"`
	}
	_ = json.Unmarshal(w.Body.Bytes(), &e)
	return w.Code, e.Type
}

func TestBrowserGuard(t *testing.T) {
	t.Parallel()
	open, closed := newTestServer(t, newFake()), newTestServer(t, newFake(), withToken)
	for _, c := range []struct {
		name, header, value string
		open, closed        int
	}{
		{"none", "", "", 200, 200},
		{"loopback", "Origin", "http://localhost:3000", 200, 200},
		{"loopback address", "Origin", "http://[::1]:3000", 200, 200},
		{"this server", "Origin", "http://weft.example:8400", 403, 200}, // rebinding makes a page look like this
		{"elsewhere", "Origin", "https://evil.example", 403, 403},
		{"looks like loopback", "Origin", "http://localhost.evil.example", 403, 403},
		{"sandboxed page", "Origin", "null", 403, 403},
		{"cross-site fetch", "Sec-Fetch-Site", "cross-site", 403, 403},
		{"form", "Content-Type", "application/x-www-form-urlencoded", 400, 400},
		{"text", "Content-Type", "text/plain", 400, 400},
		{"curl with JSON", "Content-Type", "application/json; charset=utf-8", 200, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for s, want := range map[*Server]int{open: c.open, closed: c.closed} {
				r := request("{}")
				r.Host = "weft.example:8400"
				r.Header.Set("Authorization", "Bearer "+token)
				if c.header != "" {
					r.Header.Set(c.header, c.value)
				}
				if got, errorType := answerTo(s, r); got != want {
					t.Errorf("open %t: %d %s, want %d", s == open, got, errorType, want)
				}
			}
		})
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newFake(), withToken)
	for header, want := range map[string]string{
		"":                          "MissingAuthenticationTokenException",
		"Bearer " + token:           "",
		"Bearer " + token + "x":     "UnrecognizedClientException",
		"Bearer ":                   "UnrecognizedClientException",
		token:                       "UnrecognizedClientException",
		"Basic d2VmdDpob3JzZQ==":    "UnrecognizedClientException",
		"AWS4-HMAC-SHA256 nonsense": "IncompleteSignatureException",
		"AWS4-HMAC-SHA256 Credential=other/20260304/r/states/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64):                        "UnrecognizedClientException",
		"AWS4-HMAC-SHA256 Credential=weft/20260304/r/states/aws4_request, SignedHeaders=host, Signature=" + strings.Repeat("0", 64):                         "IncompleteSignatureException",
		"AWS4-HMAC-SHA256 Credential=weft/20260304/r/states/aws4_request, SignedHeaders=host;x-amz-target, Signature=" + strings.Repeat("0", 64):            "IncompleteSignatureException",
		"AWS4-HMAC-SHA256 Credential=weft/20260304/r/states/aws4_request, SignedHeaders=host;x-amz-date;x-amz-target, Signature=" + strings.Repeat("0", 64): "InvalidSignatureException",
	} {
		r := request("{}")
		r.Header.Set("X-Amz-Date", "20260304T050607Z")
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		if !strings.Contains(header, "x-amz-date") {
			r.Header.Del("X-Amz-Date")
		}
		if _, got := answerTo(s, r); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	if _, err := New(Options{}); err == nil {
		t.Error("a server without a backend was made")
	}
	if _, err := New(Options{Backend: newFake(), Credentials: []Credential{{Token: "short"}}}); err == nil {
		t.Error("a short token was taken")
	}
}

func TestMethodsAndPaths(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newFake())
	for target, want := range map[string]int{"GET /": 405, "POST /x": 404, "POST /healthz": 405, "GET /healthz": 200, "GET /metrics": 200} {
		method, path, _ := strings.Cut(target, " ")
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequest(method, path, nil))
		if w.Code != want {
			t.Errorf("%s: %d, want %d", target, w.Code, want)
		}
	}
}

func TestBodyIsBounded(t *testing.T) {
	t.Parallel()
	small := func(o *Options) { o.Limits = limits.Set{PayloadBytes: 1000, DefinitionBytes: 1000} }
	s := newTestServer(t, newFake(), small)
	large := request(`{"nextToken":"` + strings.Repeat("x", 100<<10) + `"}`)
	if status, got := answerTo(s, large); status != 413 || got != "RequestEntityTooLargeException" {
		t.Errorf("a large body: %d %s", status, got)
	}
	chunked := request("")
	chunked.ContentLength, chunked.Body = -1, io.NopCloser(strings.NewReader(`{"nextToken":"`+strings.Repeat("x", 100<<10)+`"}`))
	if status, got := answerTo(s, chunked); status != 413 || got != "RequestEntityTooLargeException" {
		t.Errorf("a large body of unknown length: %d %s", status, got)
	}
	s.bodies.all = 1000
	if _, got := answerTo(s, request(strings.Repeat(" ", smallBody+1))); got != "ThrottlingException" {
		t.Errorf("a body beyond the memory for bodies: %s", got)
	}
	if held := s.bodies.inUse.Load(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
}

func TestPayloadLimits(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newFake(), func(o *Options) { o.Limits = limits.Set{PayloadBytes: 1000, DefinitionBytes: 1000} })
	post(s, "CreateStateMachine", `{"name":"p","roleArn":"arn:aws:iam::1:role/r","definition":"{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"End\":true}}}"}`)
	start := func(n int) string {
		return post(s, "StartExecution", `{"stateMachineArn":"p","input":"\"`+strings.Repeat("x", n-2)+`\""}`).Body.String()
	}
	if got := start(1000); !strings.Contains(got, "executionArn") {
		t.Errorf("an input at the limit: %s", got)
	}
	if got := start(1001); !strings.Contains(got, "InvalidExecutionInput") || !strings.Contains(got, "1000 bytes") {
		t.Errorf("an input past the limit: %s", got)
	}
	long := post(s, "CreateStateMachine", `{"name":"q","roleArn":"arn:aws:iam::1:role/r","definition":"`+strings.Repeat(" ", 1001)+`"}`).Body.String()
	if !strings.Contains(long, "Value at 'definition' failed to satisfy constraint: Member must have length less than or equal to 1000") {
		t.Errorf("a definition past the limit: %s", long)
	}
	deep := post(s, "StartExecution", `{"stateMachineArn":"p","input":"`+strings.Repeat("[", limits.JSONDepth/4)+strings.Repeat("]", limits.JSONDepth/4)+`"}`).Body.String()
	if !strings.Contains(deep, "executionArn") {
		t.Errorf("a deep input: %s", deep)
	}
}

// blocked is a Backend whose lists wait until told, and whose list panics when it says so.
type blocked struct {
	*fake
	entered, leave chan struct{}
	panics         bool
}

func (b *blocked) Machines(context.Context) ([]*engine.Machine, error) {
	if b.panics {
		panic("a defect")
	}
	b.entered <- struct{}{}
	<-b.leave
	return nil, nil
}

func TestBusyIsThrottled(t *testing.T) {
	t.Parallel()
	b := &blocked{fake: newFake(), entered: make(chan struct{}), leave: make(chan struct{})}
	s := newTestServer(t, b, func(o *Options) { o.Requests = 1 })
	done := make(chan int)
	go func() { status, _ := answerTo(s, request("{}")); done <- status }()
	<-b.entered
	if status, got := answerTo(s, request("{}")); status != 400 || got != "ThrottlingException" {
		t.Errorf("%d %s, want 400 ThrottlingException", status, got)
	}
	close(b.leave)
	if status := <-done; status != 200 {
		t.Errorf("the first request: %d", status)
	}
}

func TestPanicIsOneRequest(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	b := &blocked{fake: newFake(), panics: true}
	s := newTestServer(t, b, func(o *Options) { o.Requests = 1; o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	for range 2 { // the second shows that the first gave its slot back
		if status, got := answerTo(s, request("{}")); status != 500 || got != "InternalFailure" {
			t.Errorf("%d %s, want 500 InternalFailure", status, got)
		}
	}
	if !strings.Contains(log.String(), "a defect") {
		t.Error("the log does not have the panic")
	}
}

func TestHealth(t *testing.T) {
	t.Parallel()
	f := newFake()
	s := newTestServer(t, f, withToken)
	f.sick = errors.New("the disk is full")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
	if w.Code != 503 || strings.TrimSpace(w.Body.String()) != `{"status":"unavailable","reasons":["the disk is full"]}` {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestMetrics(t *testing.T) {
	t.Parallel()
	extra := prometheus.NewGauge(prometheus.GaugeOpts{Name: "weft_test_extra", Help: "A collector of somebody else."})
	s := newTestServer(t, newFake(), withToken, func(o *Options) { o.Collectors = []prometheus.Collector{extra} })
	r := request(`{"maxResults":-1}`)
	r.Header.Set("Authorization", "Bearer "+token)
	answerTo(s, r)
	bad := request("")
	bad.Header.Set("X-Amz-Target", "AWSStepFunctions.NoSuchThing")
	answerTo(s, bad)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 401 {
		t.Errorf("without a token: %d, want 401", w.Code)
	}
	w, scrape := httptest.NewRecorder(), httptest.NewRequest("GET", "/metrics", nil)
	scrape.Header.Set("Authorization", "Bearer "+token)
	s.ServeHTTP(w, scrape)
	for _, want := range []string{
		`weft_api_requests_total{op="ListStateMachines",status="400"} 1`,
		`weft_api_requests_total{op="Unknown",status="400"} 1`,
		`weft_api_request_seconds_count{op="ListStateMachines"} 1`, "weft_test_extra 0", "go_goroutines",
	} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestAnswerHeaders(t *testing.T) {
	t.Parallel()
	w := post(newTestServer(t, newFake()), "ListStateMachines", "{}")
	if got := w.Header().Get("Content-Type"); got != "application/x-amz-json-1.0" {
		t.Errorf("Content-Type %q", got)
	}
	if id := w.Header().Get("X-Amzn-Requestid"); !uuidRE.MatchString(id) {
		t.Errorf("X-Amzn-RequestId %q", id)
	}
}

func TestEveryOperationIsKnown(t *testing.T) {
	t.Parallel()
	s := newTestServer(t, newFake())
	if len(operations) != 37 || len(s.model) != 37 {
		t.Errorf("%d operations, %d in the model; want 37", len(operations), len(s.model))
	}
	for name := range operations {
		if _, known := s.model[name]; !known {
			t.Errorf("%s is not in the model", name)
		}
		w := post(s, name, "{")
		if w.Code != 400 || !strings.Contains(w.Body.String(), "SerializationException") && operations[name].do != nil {
			t.Errorf("%s of a broken body: %d %s", name, w.Code, w.Body)
		}
	}
}

// wait starts a synchronous run that does not end by itself.
const waitMachine = `{"name":"w","type":"EXPRESS","roleArn":"arn:aws:iam::1:role/r","definition":"{\"StartAt\":\"W\",\"States\":{\"W\":{\"Type\":\"Wait\",\"Seconds\":60,\"End\":true}}}"}`

// serve runs Serve on a loopback port until the test ends, and returns the address and how it ended.
func serve(t *testing.T, ctx context.Context, o Options) (url string, ended <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- Serve(ctx, l, o) }()
	return "http://" + l.Addr().String() + "/", done
}

func send(url, op, body string) (*http.Response, error) {
	r, err := http.NewRequest("POST", url, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-amz-json-1.0")
	r.Header.Set("X-Amz-Target", "AWSStepFunctions."+op)
	return http.DefaultClient.Do(r)
}

func TestServeEndsInOrder(t *testing.T) {
	t.Parallel()
	b := &blocked{fake: newFake(), entered: make(chan struct{}), leave: make(chan struct{})}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	url, ended := serve(t, ctx, Options{Backend: b})
	type result struct {
		status int
		err    error
	}
	done := make(chan result, 1)
	go func() {
		res, err := send(url, "ListStateMachines", "{}")
		if err != nil {
			done <- result{err: err}
			return
		}
		res.Body.Close()
		done <- result{status: res.StatusCode}
	}()
	<-b.entered
	stop()
	select {
	case err := <-ended:
		t.Fatalf("Serve ended with a request in flight: %v", err)
	default:
	}
	close(b.leave)
	if r := <-done; r.err != nil || r.status != 200 {
		t.Errorf("the request in flight: %d, %v", r.status, r.err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

// started tells when a run has been started.
type started struct {
	*fake
	runs chan struct{}
}

func (b *started) StartRun(ctx context.Context, r engine.StartRun) (*engine.Run, error) {
	run, err := b.fake.StartRun(ctx, r)
	b.runs <- struct{}{}
	return run, err
}

func TestServeLetsGoOfSyncRuns(t *testing.T) {
	t.Parallel()
	b := &started{newFake(), make(chan struct{}, 1)}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	url, ended := serve(t, ctx, Options{Backend: b})
	if _, err := send(url, "CreateStateMachine", waitMachine); err != nil {
		t.Fatal(err)
	}
	status := make(chan int, 1)
	go func() {
		res, err := send(url, "StartSyncExecution", `{"stateMachineArn":"w"}`)
		if err != nil {
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-b.runs
	stop()
	if got := <-status; got != 503 {
		t.Errorf("the waiting request: %d, want 503", got)
	}
	if err := <-ended; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServeRefusesStrangers(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	err = Serve(t.Context(), l, Options{Backend: newFake()})
	if err == nil || !strings.Contains(err.Error(), "token") {
		t.Errorf("Serve without a token on %s: %v", l.Addr(), err)
	}
	if err := CheckListen(l.Addr(), []Credential{{Token: token}}); err != nil {
		t.Errorf("with a token: %v", err)
	}
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("the refused listener is still open: %v", err)
	}
}

func TestLimitListener(t *testing.T) {
	t.Parallel()
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := newLimitListener(inner, 1)
	for range 2 {
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	second := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err == nil {
			err = c.Close()
		}
		second <- err
	}()
	if len(l.slots) != 1 {
		t.Errorf("%d slots are taken", len(l.slots))
	}
	first.Close()
	first.Close() // closing twice gives back one slot
	if err := <-second; err != nil {
		t.Error(err)
	}
	l.slots <- struct{}{} // all are taken, so Accept waits for a slot
	go l.Close()
	if _, err := l.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Accept of a closed listener: %v", err)
	}
}

func FuzzRequest(f *testing.F) {
	f.Add("StartExecution", `{"stateMachineArn":"p","input":"{}"}`)
	f.Add("CreateStateMachine", waitMachine)
	f.Add("GetExecutionHistory", `{"executionArn":"p:x","nextToken":"AAAA","maxResults":3}`)
	f.Add("TagResource", `{"resourceArn":"p","tags":[{"key":"a"}]}`)
	s, err := New(Options{Backend: newFake(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	s.close() // nothing is waited for: the fake's runs may never end
	f.Fuzz(func(t *testing.T, op, body string) {
		w := post(s, op, body)
		if w.Code == http.StatusInternalServerError || !json.Valid(w.Body.Bytes()) {
			t.Fatalf("%s %q: %d %s", op, body, w.Code, w.Body)
		}
	})
}
