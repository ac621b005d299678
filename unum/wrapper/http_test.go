package wrapper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-lambda-go/lambda/messages"
	"github.com/aws/aws-lambda-go/lambdacontext"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/unum/protocol"
)

// post delivers a payload to a front.
func post(t *testing.T, h http.Handler, payload string, header ...string) (int, string) {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "/path?q=1", strings.NewReader(payload))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	rw := httptest.NewRecorder()
	h.ServeHTTP(rw, r)
	return rw.Code, rw.Body.String()
}

func TestHTTPFront(t *testing.T) {
	t.Parallel()
	f := &fake{path: t.TempDir() + "/log"}
	rig := &rig{t: t, log: f.path}
	echo := function.Go(func(_ context.Context, in []byte) ([]byte, error) {
		if string(in) == `{"do":"fail"}` {
			return nil, &function.Error{Type: "CardRefused", Cause: `{"errorType":"CardRefused"}`}
		}
		return in, nil
	})
	h := &HTTP{Timeout: time.Minute, Config: Config{Name: "fn", Runtime: f, Code: echo, Open: openRecords}}
	if code, body := post(t, h, request("a", `{"n":1}`)); code != 200 || body != "null" || string(rig.last().Outcome.Output) != `{"n":1}` {
		t.Errorf("%d %s, %+v", code, body, rig.last())
	}
	if code, body := post(t, h, request("b", `{"do":"fail"}`)); code != 200 || rig.last().Outcome.Error != "CardRefused" {
		t.Errorf("%d %s, %+v", code, body, rig.last())
	}
	if code, body := post(t, h, request("c", `{"do":"no store"}`)); code != 500 || !strings.Contains(body, "the datastore is away") {
		t.Errorf("%d %s", code, body)
	}
	if code, body := post(t, h, `{"plain":1}`); code != 200 || body != `{"plain":1}` || rig.last().Run != "b" {
		t.Errorf("%d %s", code, body)
	}
	if code, body := post(t, h, `{"do":"fail"}`); code != 500 || body != `{"errorType":"CardRefused"}` {
		t.Errorf("%d %s", code, body)
	}
	h.Entry = true
	for header, want := range map[string]string{"X-Cloudtasks-Taskname": "t-1", "Ce-Id": "e.1", "Idempotency-Key": "k-1-", "Function-Execution-Id": "x1"} {
		value := map[string]string{"t-1": "projects/p/tasks/t-1", "k-1-": "k 1ä"}[want]
		if value == "" {
			value = want
		}
		if code, body := post(t, h, `{"n":2}`, header, value); code != 200 || body != `{"run":"`+want+`"}` || rig.last().Begun != want {
			t.Errorf("%s: %d %s", header, code, body)
		}
	}
	if code, body := post(t, h, strings.Repeat(" ", payloadBytes+1)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %s", code, body)
	}
	rw := httptest.NewRecorder()
	if h.ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "/", nil)); rw.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", rw.Code)
	}
}

const httpFunction = `
import http.server, json, os, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.answer(200, json.dumps({"path": self.path, "host": self.headers["Host"]}))
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        do = json.loads(body).get("do")
        if do == "crash": os._exit(3)
        if do == "sleep": time.sleep(60)
        if do == "fail": return self.answer(500, '{"errorType":"CardRefused","errorMessage":"no money"}')
        if do == "refuse": return self.answer(418, "a teapot")
        self.answer(200, json.dumps({"path": self.path, "body": json.loads(body), "pid": os.getpid()}))
    def answer(self, code, text):
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())
    def log_message(self, *a): pass
if "broken" in sys.argv: sys.exit(5)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`

// An HTTP function joins a workflow as it is, and still serves what is no workflow's.
func TestHTTPFunction(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	s, err := NewServer(ServerConfig{Name: "fn", Argv: []string{"python3", "-c", httpFunction}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := &recorder{}
	h := &HTTP{Config: Config{Name: "fn", Runtime: r, Code: s}}
	run := func(input string) protocol.Outcome {
		t.Helper()
		r.input = input
		if code, body := post(t, h, request("run", "{}")); code != 200 {
			t.Fatalf("%d %s", code, body)
		}
		return r.outcome
	}
	first := run(`{"n":1}`)
	if first.Kind != protocol.Returned || !strings.HasPrefix(string(first.Output), `{"path":"/","body":{"n":1},"pid":`) {
		t.Errorf("%+v", first)
	}
	if o := run(`{"do":"fail"}`); o.Kind != protocol.Raised || o.Error != "CardRefused" || o.Cause != `{"errorType":"CardRefused","errorMessage":"no money"}` {
		t.Errorf("%+v", o)
	}
	if o := run(`{"do":"refuse"}`); o.Error != "States.Http.StatusCode.418" {
		t.Errorf("%+v", o)
	}
	if code, body := post(t, h, `{"plain":1}`); code != 200 || !strings.HasPrefix(body, `{"path": "/path?q=1", "body": {"plain": 1}`) {
		t.Errorf("%d %s", code, body)
	}
	rw := httptest.NewRecorder()
	if h.ServeHTTP(rw, httptest.NewRequest(http.MethodGet, "http://example.com/health", nil)); rw.Body.String() != `{"path": "/health", "host": "example.com"}` {
		t.Errorf("GET: %d %s", rw.Code, rw.Body)
	}
	if o := run(`{"do":"crash"}`); o.Kind != protocol.Broken || o.Error != "Runtime.ExitError" || !strings.Contains(o.Cause, "exit status 3") {
		t.Errorf("%+v", o)
	}
	h.Timeout = 2 * time.Second
	if o := run(`{"do":"sleep"}`); o.Kind != protocol.Broken || o.Error != "Sandbox.Timedout" {
		t.Errorf("%+v", o)
	}
	h.Timeout = time.Minute
	if again := run(`{"n":1}`); pid(t, again) == pid(t, first) {
		t.Error("the process outlived its crash")
	}
}

func TestBrokenHTTPFunction(t *testing.T) {
	t.Parallel()
	need(t, "python3")
	s, err := NewServer(ServerConfig{Name: "fn", Argv: []string{"python3", "-c", httpFunction, "broken"}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	_, err = s.Invoke(t.Context(), &function.Request{ID: "id", Input: []byte("{}"), Timeout: 20 * time.Second})
	var e *function.Error
	if !errors.As(err, &e) || e.Type != "Runtime.ExitError" || !strings.Contains(e.Cause, "exit status 5") {
		t.Errorf("%v", err)
	}
}

type cardRefused struct{}

func (cardRefused) Error() string { return "no money" }

// A Go function with the runtime linked in.
func TestLinked(t *testing.T) {
	t.Parallel()
	f := &fake{path: t.TempDir() + "/log"}
	rig := &rig{t: t, log: f.path}
	type event struct{ Do string }
	h := Linked(Config{Name: "fn", Runtime: f, Entry: true}, func(ctx context.Context, e event) (map[string]string, error) {
		lc, _ := lambdacontext.FromContext(ctx)
		switch e.Do {
		case "fail":
			return nil, cardRefused{}
		case "name":
			return nil, messages.InvokeResponse_Error{Type: "Named", Message: "m"}
		case "panic":
			panic("oh")
		case "sleep":
			<-ctx.Done()
		}
		return map[string]string{"did": e.Do, "id": lc.AwsRequestID}, nil
	})
	invoke := func(payload string, timeout time.Duration) string {
		t.Helper()
		ctx, cancel := context.WithTimeout(lambdacontext.NewContext(t.Context(), &lambdacontext.LambdaContext{AwsRequestID: "id-9"}), timeout)
		defer cancel()
		out, err := h.Invoke(ctx, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		return string(out)
	}
	if out := invoke(`{"Do":"work"}`, time.Minute); out != `{"run":"id-9"}` || string(rig.last().Outcome.Output) != `{"did":"work","id":"id-9"}` {
		t.Errorf("%s %+v", out, rig.last())
	}
	for do, want := range map[string]string{"fail": "cardRefused", "name": "Named", "panic": "string", "sleep": "Sandbox.Timedout"} {
		timeout := time.Minute
		if do == "sleep" {
			timeout = 200 * time.Millisecond
		}
		invoke(request(do, fmt.Sprintf(`{"Do":%q}`, do)), timeout)
		if o := rig.last().Outcome; o.Error != want || !strings.Contains(o.Cause, `"errorMessage":`) {
			t.Errorf("%s: %+v", do, o)
		}
	}
	plain := Linked(Config{Name: "fn"}, func() (string, error) { return "plain", nil })
	if out, err := plain.Invoke(t.Context(), []byte(`{}`)); err != nil || string(out) != `"plain"` {
		t.Errorf("%s %v", out, err)
	}
}

// Where a platform has its own way to deliver, its handler gets what has a request in it, whole, and nothing else.
func TestPlatformsOwnDeliveries(t *testing.T) {
	t.Parallel()
	f := &fake{path: t.TempDir() + "/log"}
	rig := &rig{t: t, log: f.path}
	echo := function.Go(func(_ context.Context, in []byte) ([]byte, error) { return in, nil })
	h := &HTTP{Timeout: time.Minute, Config: Config{Name: "fn", Runtime: f, Code: echo, Entry: true}}
	h.Requests = func(handle func(context.Context, []byte) error) http.Handler {
		return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil || int64(len(body)) != r.ContentLength {
				t.Errorf("%d of %d bytes: %v", len(body), r.ContentLength, err)
			}
			var push struct{ Message struct{ Data []byte } }
			if json.Unmarshal(body, &push) == nil && push.Message.Data != nil {
				body = push.Message.Data
			}
			if err := handle(r.Context(), body); err != nil {
				rw.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			rw.WriteHeader(http.StatusNoContent)
		})
	}
	push, err := json.Marshal(map[string]any{"message": map[string]any{"data": []byte(request("b", `{"n":2}`))}})
	if err != nil {
		t.Fatal(err)
	}
	for payload, want := range map[string]string{request("a", `{"n":1}`): "a", string(push): "b"} {
		if code, _ := post(t, h, payload); code != http.StatusNoContent || rig.last().Run != want || rig.last().Outcome.Kind != protocol.Returned {
			t.Errorf("%d %+v", code, rig.last())
		}
	}
	if code, _ := post(t, h, request("c", `{"do":"no store"}`)); code != http.StatusServiceUnavailable {
		t.Errorf("%d", code)
	}
	if code, body := post(t, h, `{"message":{"data":"eA=="}}`, "Ce-Id", "e"); code != http.StatusOK || body != `{"run":"e"}` {
		t.Errorf("%d %s", code, body)
	}
}
