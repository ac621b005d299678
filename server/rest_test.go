package server_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata" // scripts name zones, so they bring them

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server"
)

var (
	approval = weft.Event[bool]("approval/yes")

	charge = weft.Function("charge", func(_ context.Context, sku string) (string, error) {
		if sku == "gold" {
			return "", errors.New("too dear")
		}
		return "paid for " + sku, nil
	})

	// order waits for somebody's word and then charges.
	order = weft.Workflow("order", func(w *weft.Flow, sku string) (string, error) {
		if err := weft.SetStatus(w, "waits for approval"); err != nil {
			return "", err
		}
		if _, err := approval.Wait(w); err != nil {
			return "", err
		}
		return charge.Call(w, sku)
	})
	// parent waits for an order.
	parent = weft.Workflow("parent", func(w *weft.Flow, sku string) (string, error) {
		return order.Call(w, sku, weft.WithChildID(w.ID()+"/child"))
	})
	orderV2 = weft.Workflow("order", func(_ *weft.Flow, sku string) (string, error) { return sku, nil }, weft.CodeVersion("2"))

	counter = weft.Entity[int]("counter")
	_       = weft.Operation(counter, "add", func(_ *weft.EntityContext, s *int, n int) (int, error) { *s += n; return *s, nil })
	_       = weft.Operation(counter, "reset", func(c *weft.EntityContext, _ *int, _ any) (any, error) { c.Delete(); return nil, nil })
)

// onApp runs fn with a server of a whole program, in memory and under virtual time.
func onApp(t *testing.T, o server.Options, fn func(t *testing.T, s *server.Server)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		quiet := slog.New(slog.DiscardHandler)
		app, err := weft.Open(weft.Options{Logger: quiet}, charge, order, orderV2, parent, counter)
		if err != nil {
			t.Fatal(err)
		}
		defer app.Close()
		o.Backend, o.Logger = app.Engine(), quiet
		s, err := server.New(o)
		if err != nil {
			t.Fatal(err)
		}
		fn(t, s)
	})
}

// send makes a request of the REST API.
func send(s http.Handler, method, path, body string, edit ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Host = "127.0.0.1:8400"
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, e := range edit {
		e(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

var (
	randomID = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)
	seed     = regexp.MustCompile(`"seed":"\d+"`)
	cursor   = regexp.MustCompile(`"cursor":"([^"]+)"`)
)

// TestRESTScripts plays testdata/rest/*.txt: requests, `METHOD PATH BODY` on a line, and their answers below, `-> STATUS
// BODY` on as many lines as the body has. `sleep DURATION` lets virtual time pass. $CURSOR is that of the answer before.
func TestRESTScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/rest/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			onApp(t, server.Options{}, func(t *testing.T, s *server.Server) {
				got := play(t, s, string(text))
				if flag.Lookup("rewrite").Value.String() == "true" {
					if err := os.WriteFile(file, got, 0o644); err != nil {
						t.Fatal(err)
					}
				} else if !bytes.Equal(got, text) {
					t.Errorf("answers differ; run with -rewrite and read the difference\n%s", got)
				}
			})
		})
	}
}

func play(t *testing.T, s http.Handler, script string) []byte {
	var out bytes.Buffer
	next := ""
	for line := range strings.Lines(script) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(line, "-> ") {
			continue
		}
		fmt.Fprintln(&out, line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		if text, ok := strings.CutPrefix(line, "sleep "); ok {
			d, err := time.ParseDuration(text)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(d)
			continue
		}
		method, rest, _ := strings.Cut(line, " ")
		path, body, _ := strings.Cut(rest, " ")
		w := send(s, method, strings.ReplaceAll(path, "$CURSOR", next), body)
		synctest.Wait()
		answer := w.Body.String()
		if answer != "" && !json.Valid([]byte(answer)) {
			t.Errorf("the answer to %s is not JSON: %s", line, answer)
		}
		if m := cursor.FindStringSubmatch(answer); m != nil {
			next = m[1]
		}
		answer = cursor.ReplaceAllString(seed.ReplaceAllString(randomID.ReplaceAllString(answer, "UUID"), `"seed":"SEED"`), `"cursor":"CURSOR"`)
		answer = strings.ReplaceAll(strings.TrimSpace(answer), "\n", "\n-> ")
		fmt.Fprintln(&out, strings.TrimSpace(fmt.Sprintf("-> %d %s", w.Code, answer)))
	}
	return out.Bytes()
}

func TestRESTWaitsForResults(t *testing.T) {
	t.Parallel()
	onApp(t, server.Options{}, func(t *testing.T, s *server.Server) {
		send(s, "POST", "/v1/workflows/order/runs", `{"id":"r","input":"tea"}`)
		for wait, want := range map[string]time.Duration{"": 0, "?wait=0s": 0, "?wait=30s": 30 * time.Second, "?wait=24h": time.Minute} {
			began := time.Now()
			w := send(s, "GET", "/v1/runs/r/result"+wait, "")
			if w.Code != http.StatusAccepted || !strings.Contains(w.Body.String(), `"status":"RUNNING"`) {
				t.Errorf("%s: %d %s", wait, w.Code, w.Body)
			}
			if took := time.Since(began); took != want {
				t.Errorf("%s took %v", wait, took)
			}
		}
		go func() {
			time.Sleep(time.Second)
			send(s, "POST", "/v1/runs/r/events/approval%2Fyes", "true")
		}()
		if w := send(s, "GET", "/v1/runs/r/result?wait=30s", ""); w.Code != http.StatusOK || !strings.Contains(w.Body.String(), `"output":"paid for tea"`) {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

func TestRESTIsGuarded(t *testing.T) {
	t.Parallel()
	header := func(name, value string) func(*http.Request) {
		return func(r *http.Request) { r.Header.Set(name, value) }
	}
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	const token = "correct-horse-battery"
	cases := []struct {
		name         string
		edit         func(*http.Request)
		open, closed int
	}{
		{"nothing", func(*http.Request) {}, 200, 401},
		{"a token", header("Authorization", "Bearer "+token), 200, 200},
		{"a wrong token", header("Authorization", "Bearer wrong"), 200, 401},
		{"an unfinished signature", header("Authorization", "AWS4-HMAC-SHA256 Credential=x"), 200, 401},
		{"another site", header("Origin", "https://evil.example"), 403, 403},
		{"a name that resolves here", host("evil.example:8400"), 403, 401},
		{"this machine", host("localhost:8400"), 200, 401},
		{"an address", host("[::1]:8400"), 200, 401},
	}
	onApp(t, server.Options{}, func(t *testing.T, s *server.Server) {
		for _, c := range cases {
			if w := send(s, "GET", "/v1/runs", "", c.edit); w.Code != c.open {
				t.Errorf("open, %s: %d %s", c.name, w.Code, w.Body)
			}
		}
		form := header("Content-Type", "application/x-www-form-urlencoded")
		if w := send(s, "POST", "/v1/workflows/order/runs", "{}", form); w.Code != http.StatusUnsupportedMediaType {
			t.Errorf("a form: %d %s", w.Code, w.Body)
		}
	})
	onApp(t, server.Options{Credentials: []server.Credential{{KeyID: "weft", Token: token}}}, func(t *testing.T, s *server.Server) {
		for _, c := range cases {
			if w := send(s, "GET", "/v1/runs", "", c.edit); w.Code != c.closed {
				t.Errorf("with a token, %s: %d %s", c.name, w.Code, w.Body)
			}
		}
	})
}

// busyNode has no room for events.
type busyNode struct{ *engine.Node }

func (busyNode) RaiseEvent(_ context.Context, id, _ string, _ []byte) error {
	err := fault.New("", fault.Busy, id, "no room")
	err.After = 2500 * time.Millisecond
	return err
}

// TestBusySaysHowLong holds that a client is told what the partition knows of its queue.
func TestBusySaysHowLong(t *testing.T) {
	t.Parallel()
	node, err := engine.Open(engine.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	s, err := server.New(server.Options{Backend: busyNode{node}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	if w := send(s, "POST", "/v1/runs/r/events/e", "true"); w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") != "3" {
		t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
	}
}

// TestRESTIsAdmitted holds that waiting has its own bound, and that who is turned away is told when to come back.
func TestRESTIsAdmitted(t *testing.T) {
	t.Parallel()
	onApp(t, server.Options{Syncs: 1}, func(t *testing.T, s *server.Server) {
		send(s, "POST", "/v1/workflows/order/runs", `{"id":"r","input":"tea"}`)
		waited := make(chan int)
		go func() { waited <- send(s, "GET", "/v1/runs/r/result?wait=10s", "").Code }()
		synctest.Wait()
		w := send(s, "GET", "/v1/runs/r/result?wait=10s", "")
		if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" || !strings.Contains(w.Body.String(), `"kind":"Busy"`) {
			t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
		}
		if w := send(s, "GET", "/v1/runs/r/result", ""); w.Code != http.StatusAccepted {
			t.Errorf("one that does not wait: %d", w.Code)
		}
		if code := <-waited; code != http.StatusAccepted {
			t.Errorf("the one that waits: %d", code)
		}
	})
}

// TestRESTTakesAnyID holds that an id comes back as it went in.
func TestRESTTakesAnyID(t *testing.T) {
	t.Parallel()
	onApp(t, server.Options{}, func(t *testing.T, s *server.Server) {
		for _, id := range []string{"a/b", "a//b", "..", ".", "a%2Fb", "a b+c", "ü?x=1#y", "result", "purge", `"<&>"`} {
			body, _ := json.Marshal(map[string]any{"id": id, "input": "tea"})
			w := send(s, "POST", "/v1/workflows/order/runs", string(body))
			if w.Code != http.StatusCreated {
				t.Fatalf("%q: %d %s", id, w.Code, w.Body)
			}
			w = send(s, "GET", w.Header().Get("Location"), "")
			var got struct{ ID string }
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || got.ID != id {
				t.Errorf("%q came back as %q, %v (%d)", id, got.ID, err, w.Code)
			}
		}
	})
}

// TestRESTHistoryReplays holds that the history that the API answers is one that weft.Replay takes.
func TestRESTHistoryReplays(t *testing.T) {
	t.Parallel()
	onApp(t, server.Options{}, func(t *testing.T, s *server.Server) {
		send(s, "POST", "/v1/workflows/parent/runs", `{"id":"p","input":"tea"}`)
		synctest.Wait()
		send(s, "POST", "/v1/runs/p%2Fchild/events/approval%2Fyes", "true")
		synctest.Wait()
		for _, id := range []string{"p", "p%2Fchild"} {
			history, err := weft.ReadHistory(send(s, "GET", "/v1/runs/"+id+"/history", "").Body)
			if err != nil || len(history) < 5 {
				t.Fatalf("%d events, %v", len(history), err)
			}
			weft.Replay(t, history, order, parent)
		}
	})
}

func TestEveryKindHasAStatusAndAName(t *testing.T) {
	t.Parallel()
	for k := fault.Internal; k <= fault.ActivityWorkers; k++ {
		back, known := fault.ParseKind(k.String())
		if status := server.RESTStatus(k); !known || back != k || status < 400 || http.StatusText(status) == "" {
			t.Errorf("kind %d is called %v and has status %d", k, k, status)
		}
	}
}
