package wrapper

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/protocol"
)

// platform is a Runtime API of the test's own: it hands out one invocation after the other and keeps the answers.
type platform struct {
	server  *httptest.Server
	header  http.Header // of every invocation
	work    chan string
	answers chan platformAnswer
	other   chan string // requests beside invocations
}

type platformAnswer struct {
	path   string
	body   string
	header http.Header
}

func newPlatform(t *testing.T) *platform {
	p := &platform{work: make(chan string, 8), answers: make(chan platformAnswer, 8), other: make(chan string, 8), header: http.Header{
		headerDeadline:                    {strconv.FormatInt(time.Now().Add(time.Minute).UnixMilli(), 10)},
		headerARN:                         {"arn:aws:lambda:eu-west-1:1:function:fn"},
		"Lambda-Runtime-Trace-Id":         {"Root=1-5;Sampled=1"},
		"Lambda-Runtime-Client-Context":   {`{"custom":{"k":"v"}}`},
		"Lambda-Runtime-Cognito-Identity": {`{"cognitoIdentityId":"c"}`},
	}}
	p.server = httptest.NewServer(p)
	t.Cleanup(p.server.Close)
	return p
}

func (p *platform) address() string { return strings.TrimPrefix(p.server.URL, "http://") }

func (p *platform) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	switch {
	case r.URL.Path == pathNext:
		select {
		case input := <-p.work:
			for k, v := range p.header {
				rw.Header()[k] = v
			}
			rw.Header().Set(headerID, "id-1")
			_, _ = io.WriteString(rw, input)
		case <-r.Context().Done():
		}
	case strings.HasPrefix(r.URL.Path, pathInvocation):
		p.answers <- platformAnswer{strings.TrimPrefix(r.URL.Path, pathInvocation), string(body), r.Header}
		rw.WriteHeader(http.StatusAccepted)
	default:
		p.other <- r.Method + " " + r.URL.Path + " " + string(body)
		rw.Header().Set("Lambda-Extension-Identifier", "ext-1")
		_, _ = io.WriteString(rw, "registered")
	}
}

// recorder is a Runtime that keeps the outcome of its last instance.
type recorder struct {
	input   string // of the code; "": {"n":1}
	outcome protocol.Outcome
}

func (r *recorder) Handle(ctx context.Context, _ []byte, code unum.Run) error {
	r.outcome = code(ctx, "fn", []byte(cmp.Or(r.input, `{"n":1}`)))
	return context.Cause(ctx)
}

func (r *recorder) Begin(ctx context.Context, _ string, event []byte, _ time.Duration, code unum.Run) error {
	r.outcome = code(ctx, "fn", event)
	return context.Cause(ctx)
}

// serve runs the Lambda front until the test's end, in front of a process that runs shell commands against the API.
func serve(t *testing.T, p *platform, c Config) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- (&Lambda{Config: c, API: p.address()}).Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// scripted is a language's runtime whose every request is the test's: talk speaks for it.
func scripted(t *testing.T, platform string) (p *Process, address string) {
	t.Helper()
	out := t.TempDir() + "/address"
	p, err := NewProcess(ProcessConfig{Name: "fn", Argv: []string{"/bin/sh", "-c", `echo "$AWS_LAMBDA_RUNTIME_API" > "$0.new" && mv "$0.new" "$0"; exec sleep 600`, out}, Platform: platform})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	if _, _, err := p.alive(); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if text, err := os.ReadFile(out); err == nil {
			return p, strings.TrimSpace(string(text))
		}
	}
	t.Fatal("the process did not start")
	return nil, ""
}

// talk makes a request to a Runtime API.
func talk(t *testing.T, method, address, path, body string, change ...func(*http.Request)) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range change {
		f(r)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

func TestHeadersAreThePlatforms(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	code, api := scripted(t, p.address())
	r := &recorder{}
	serve(t, p, Config{Name: "fn", Runtime: r, Code: code})
	p.work <- request("run", `{}`)
	resp, input := talk(t, http.MethodGet, api, pathNext, "")
	if input != `{"n":1}` {
		t.Errorf("the code gets %s", input)
	}
	for k, v := range p.header {
		if got := resp.Header[k]; k != headerDeadline && fmt.Sprint(got) != fmt.Sprint(v) {
			t.Errorf("%s is %v, want %v", k, got, v)
		}
	}
	told, err := strconv.ParseInt(resp.Header.Get(headerDeadline), 10, 64)
	ours, _ := strconv.ParseInt(p.header.Get(headerDeadline), 10, 64)
	if reserve := ours - told; err != nil || reserve < 1900 || reserve > 2100 {
		t.Errorf("the code's deadline is %d ms before ours (%v), want 2000", reserve, err)
	}
	talk(t, http.MethodPost, api, pathInvocation+"id-1/response", ` {"a" : 1} `)
	if a := <-p.answers; a.path != "id-1/response" || a.body != "null" || r.outcome.Kind != protocol.Returned || string(r.outcome.Output) != `{"a":1}` {
		t.Errorf("answered %+v; outcome %+v", a, r.outcome)
	}
}

// A plain invocation goes through as it is: bytes, error document, type, X-Ray's cause.
func TestPlainInvocationGoesThrough(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	code, api := scripted(t, p.address())
	serve(t, p, Config{Name: "fn", Runtime: &recorder{}, Code: code})
	p.work <- `{"plain":true}`
	if _, input := talk(t, http.MethodGet, api, pathNext, ""); input != `{"plain":true}` {
		t.Errorf("the code gets %s", input)
	}
	talk(t, http.MethodPost, api, pathInvocation+"id-1/response", "not JSON\x00", func(r *http.Request) { r.Header.Set("Content-Type", "text/x") })
	if a := <-p.answers; a.body != "not JSON\x00" || a.header.Get("Content-Type") != "text/x" {
		t.Errorf("%+v", a)
	}
	p.work <- `{}`
	talk(t, http.MethodGet, api, pathNext, "")
	talk(t, http.MethodPost, api, pathInvocation+"id-1/error", `{"errorType":"E"}`, func(r *http.Request) {
		r.Header.Set(headerType, "E")
		r.Header.Set("Lambda-Runtime-Function-Xray-Error-Cause", "{}")
	})
	a := <-p.answers
	if a.path != "id-1/error" || a.body != `{"errorType":"E"}` || a.header.Get(headerType) != "E" || a.header.Get("Lambda-Runtime-Function-Xray-Error-Cause") != "{}" {
		t.Errorf("%+v", a)
	}
}

// A streamed answer is read to its end; the error behind one is the outcome.
func TestStreamedAnswers(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	code, api := scripted(t, "")
	r := &recorder{}
	serve(t, p, Config{Name: "fn", Runtime: r, Code: code})
	stream := func(parts string, trailer http.Header) func(*http.Request) {
		return func(req *http.Request) {
			req.Header.Set("Lambda-Runtime-Function-Response-Mode", "streaming")
			req.ContentLength, req.Trailer = -1, trailer
			req.Body = io.NopCloser(io.MultiReader(strings.NewReader(parts[:2]), strings.NewReader(parts[2:])))
		}
	}
	p.work <- request("a", "{}")
	talk(t, http.MethodGet, api, pathNext, "")
	talk(t, http.MethodPost, api, pathInvocation+"id-1/response", "", stream(`{"whole":true}`, nil))
	if <-p.answers; string(r.outcome.Output) != `{"whole":true}` {
		t.Errorf("%+v", r.outcome)
	}
	p.work <- request("b", "{}")
	talk(t, http.MethodGet, api, pathNext, "")
	talk(t, http.MethodPost, api, pathInvocation+"id-1/response", "", stream(`{"half":`, http.Header{
		headerType: {"Midway"}, headerBody: {base64.StdEncoding.EncodeToString([]byte(`{"errorType":"Midway","errorMessage":"m"}`))},
	}))
	if <-p.answers; r.outcome.Kind != protocol.Raised || r.outcome.Error != "Midway" {
		t.Errorf("%+v", r.outcome)
	}
}

func TestProtocolIsHeld(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	code, api := scripted(t, "")
	serve(t, p, Config{Name: "fn", Runtime: &recorder{}, Code: code})
	p.work <- request("run", "{}")
	talk(t, http.MethodGet, api, pathNext, "")
	for _, c := range []struct {
		method, path string
		status       int
	}{
		{http.MethodGet, pathNext, http.StatusForbidden},
		{http.MethodPost, pathInvocation + "id-2/response", http.StatusBadRequest},
		{http.MethodPost, pathInvocation + "id-1/nonsense", http.StatusNotFound},
		{http.MethodPost, "/2020-01-01/extension/register", http.StatusNotFound}, // no platform is behind this one
		{http.MethodPost, pathInvocation + "id-1/response", http.StatusAccepted},
		{http.MethodPost, pathInvocation + "id-1/response", http.StatusBadRequest},
	} {
		if resp, text := talk(t, c.method, api, c.path, "1"); resp.StatusCode != c.status {
			t.Errorf("%s %s: %s %s, want %d", c.method, c.path, resp.Status, text, c.status)
		}
	}
}

func TestExtensionsReachThePlatform(t *testing.T) {
	t.Parallel()
	p := newPlatform(t)
	_, api := scripted(t, p.address())
	resp, text := talk(t, http.MethodPost, api, "/2020-01-01/extension/register", `{"events":[]}`)
	if got := <-p.other; got != `POST /2020-01-01/extension/register {"events":[]}` || text != "registered" || resp.Header.Get("Lambda-Extension-Identifier") != "ext-1" {
		t.Errorf("%s: %s %v", got, text, resp.Header)
	}
}

// Lambda's managed runtimes log through a descriptor that they inherit.
func TestDescriptorsAreInherited(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "telemetry")
	r := newRigAround(t, wrapped{
		inner: python(t), env: []string{"_LAMBDA_TELEMETRY_LOG_FD=7"},
		before: []string{"/bin/sh", "-c", `exec 7>"$0"; exec "$@"`, file},
	})
	if o := r.run(`{"do":"descriptor"}`, 10*time.Second); o.Kind != protocol.Returned {
		t.Fatalf("%+v", o)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != "framed" {
		t.Errorf("%q %v", got, err)
	}
}

func TestTimeIsDivided(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	for _, c := range []struct{ given, reserve, want time.Duration }{
		{time.Minute, 0, 58 * time.Second}, {4 * time.Second, 0, 3 * time.Second}, {time.Minute, 5 * time.Second, 55 * time.Second},
	} {
		config := Config{Reserve: c.reserve}
		if got := config.limit(&delivery{deadline: now.Add(c.given)}, now).Sub(now); got != c.want {
			t.Errorf("of %v the code gets %v, want %v", c.given, got, c.want)
		}
	}
	if config := (Config{}); !config.limit(&delivery{}, now).IsZero() {
		t.Error("without a deadline the code has one")
	}
}

func TestRequestsAreToldFromEvents(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]bool{
		request("r", "{}"):                                true,
		`{"v":1,"run":"r","function":"f"}`:                false,
		`{"v":1,"run":"r","function":"f","lines":"no"}`:   false,
		`{"v":"1","run":"r","function":"f","lines":[{}]}`: false,
		`[1]`: false, `"run"`: false, ``: false, `{"v":0,"run":"r","function":"f","lines":[{}]}`: false,
	} {
		if got := isRequest([]byte(payload)); got != want {
			t.Errorf("%s: %v", payload, got)
		}
	}
}

// What is nobody's failure is not recorded as an outcome.
func TestClosingIsNoOutcome(t *testing.T) {
	t.Parallel()
	code, api := scripted(t, "")
	config := Config{Name: "fn", Runtime: &recorder{}, Code: code}
	failed := make(chan error, 1)
	go func() {
		_, _, err := config.handle(t.Context(), &delivery{id: "id-1", payload: []byte(request("run", "{}"))})
		failed <- err
	}()
	talk(t, http.MethodGet, api, pathNext, "")
	_ = code.Close()
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "closing") {
		t.Errorf("%v", err)
	}
	if _, err := code.Invoke(t.Context(), &function.Request{}); err == nil {
		t.Error("a closed process took a call")
	}
}

func TestHeaderText(t *testing.T) {
	t.Parallel()
	if got := headerText("Fehler: ä\n"); got != "Fehler:???" {
		t.Errorf("%q", got)
	}
	if kind, body := failureDocument(&function.Error{Type: "Lambda.Unknown", Cause: "words"}); kind != "Lambda.Unknown" || !bytes.Contains(body, []byte(`"errorMessage":"words"`)) {
		t.Errorf("%s %s", kind, body)
	}
}
