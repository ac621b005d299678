package gcp_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	cloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	pb "cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/weftworks/weft/faas/cloudtasksapi"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/platform/gcp"
	"github.com/weftworks/weft/unum/platform/platformtest"
	"github.com/weftworks/weft/unum/protocol"
)

const (
	where = "projects/p/locations/us-central1"
	queue = where + "/queues/q"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// tasks returns a client of a new endpoint that has a queue.
func tasks(t *testing.T, c cloudtasksapi.Config) *cloudtasks.Client {
	t.Helper()
	c.Scale = 0.01
	server, err := cloudtasksapi.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client, err := cloudtasks.NewClient(t.Context(), option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	q := &pb.Queue{Name: queue, RetryConfig: &pb.RetryConfig{MaxAttempts: -1}}
	if _, err := client.CreateQueue(t.Context(), &pb.CreateQueueRequest{Parent: where, Queue: q}); err != nil {
		t.Fatal(err)
	}
	return client
}

// growing is a platform that functions can be added to.
type growing struct {
	t       *testing.T
	client  *cloudtasks.Client
	targets map[string]string
	*gcp.Platform
}

func (g *growing) add(name string, handler http.Handler) {
	server := httptest.NewServer(handler)
	g.t.Cleanup(server.Close)
	g.targets[name] = server.URL
	var err error
	g.Platform, err = gcp.New(g.client, gcp.Config{Queue: queue, Targets: maps.Clone(g.targets), ServiceAccount: "a@p.iam.gserviceaccount.com"})
	if err != nil {
		g.t.Fatal(err)
	}
}

func grow(t *testing.T, c cloudtasksapi.Config) *growing {
	g := &growing{t: t, client: tasks(t, c), targets: make(map[string]string)}
	g.add("spare", http.NotFoundHandler())
	return g
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	platformtest.Run(t, func(t *testing.T) *platformtest.Fixture {
		g := grow(t, cloudtasksapi.Config{})
		var failures func(context.Context, []byte) error
		return &platformtest.Fixture{
			Platform: g,
			Deploy: func(_ *testing.T, name string, handle func(context.Context, []byte) error) {
				g.add(name, &gcp.Handler{Log: quiet, Handle: func(ctx context.Context, payload []byte) error {
					var req protocol.Request
					if failures != nil && json.Unmarshal(payload, &req) == nil && req.Failure != nil {
						return failures(ctx, payload)
					}
					return handle(ctx, payload)
				}})
			},
			Failures: func(_ *testing.T, handle func(context.Context, []byte) error) { failures = handle },
			Delay:    50 * time.Millisecond,
		}
	})
}

const request = `{"v":1,"run":"r","function":"f","lines":[{"step":1}],"collect":{}}`

// deliver sends a body to a handler and returns the status and what Handle was given.
func deliver(h *gcp.Handler, body string, header ...string) (status int, got []string) {
	inner := h.Handle
	copied := *h
	copied.Log = quiet
	copied.Handle = func(ctx context.Context, payload []byte) error {
		got = append(got, string(payload))
		return inner(ctx, payload)
	}
	r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	copied.ServeHTTP(w, r)
	return w.Code, got
}

func fine(context.Context, []byte) error { return nil }

// TestEnvelopes wants the same payload out of everything it can come in.
func TestEnvelopes(t *testing.T) {
	t.Parallel()
	data := base64.StdEncoding.EncodeToString([]byte(request))
	push := fmt.Sprintf(`{"message":{"data":%q,"attributes":{"a":"b"},"messageId":"7"},"subscription":"projects/p/subscriptions/s"}`, data)
	structured := fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"s","type":"google.cloud.pubsub.topic.v1.messagePublished","data":%s}`, push)
	other := fmt.Sprintf(`{"specversion":"1.0","id":"1","source":"s","type":"mine","data_base64":%q}`, data)
	const events = "application/cloudevents+json; charset=utf-8"
	for what, c := range map[string]struct {
		body   string
		header []string
	}{
		"plain":              {request, nil},
		"Cloud Tasks":        {request, []string{"X-CloudTasks-TaskRetryCount", "1", "X-CloudTasks-TaskPreviousResponse", "500"}},
		"push":               {push, nil},
		"structured":         {structured, []string{"Content-Type", events}},
		"binary":             {push, []string{"Content-Type", "application/json", "Ce-Type", "google.cloud.pubsub.topic.v1.messagePublished", "Ce-Id", "1"}},
		"another CloudEvent": {other, []string{"Content-Type", events}},
		"another in binary":  {request, []string{"Ce-Type", "mine"}},
	} {
		if code, got := deliver(&gcp.Handler{Handle: fine}, c.body, c.header...); code != http.StatusNoContent || len(got) != 1 || got[0] != request {
			t.Errorf("%s: %d, %q", what, code, got)
		}
	}
	for what, c := range map[string]struct {
		body   string
		header []string
	}{
		"no CloudEvent":        {`[`, []string{"Content-Type", events}},
		"message without one":  {`{}`, []string{"Ce-Type", "google.cloud.pubsub.topic.v1.messagePublished"}},
		"count that is none":   {request, []string{"X-CloudTasks-TaskRetryCount", "many"}},
		"name that is not one": {request, []string{"Weft-Not-Before", "1", "Weft-Function", "%"}},
	} {
		if code, got := deliver(&gcp.Handler{Handle: fine}, c.body, c.header...); code != http.StatusBadRequest || got != nil {
			t.Errorf("%s: %d, %q", what, code, got)
		}
	}
	w := httptest.NewRecorder()
	(&gcp.Handler{Handle: fine}).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	if w.Code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", w.Code)
	}
	if code, _ := deliver(&gcp.Handler{Handle: fine}, strings.Repeat("x", 15<<20)); code != http.StatusRequestEntityTooLarge {
		t.Errorf("15 MB: %d", code)
	}
}

// TestGivingUp holds when an instance has failed, and with what.
func TestGivingUp(t *testing.T) {
	t.Parallel()
	at := time.UnixMilli(1767323045678)
	weak := func(err error) *gcp.Handler {
		return &gcp.Handler{Now: func() time.Time { return at }, Handle: func(_ context.Context, payload []byte) error {
			if strings.Contains(string(payload), `"failure"`) {
				return nil
			}
			return err
		}}
	}
	never := errors.New("never")
	count := func(n, previous string) []string {
		return []string{"X-CloudTasks-TaskRetryCount", n, "X-CloudTasks-TaskPreviousResponse", previous}
	}
	push := func(attempt int) string {
		return fmt.Sprintf(`{"message":{"data":%q,"messageId":"7"},"deliveryAttempt":%d}`, base64.StdEncoding.EncodeToString([]byte(request)), attempt)
	}
	for what, c := range map[string]struct {
		err    error
		body   string
		header []string
		status int
		name   string // of the failure; "": it has not failed
	}{
		"first":                        {never, request, count("0", "0"), 500, ""},
		"second":                       {never, request, count("1", "500"), 500, ""},
		"last":                         {never, request, count("2", "500"), 204, "Lambda.Unknown"},
		"three crashes":                {nil, request, count("3", "0"), 204, "Runtime.ExitError"},
		"three other crashes":          {nil, request, count("3", "503"), 204, "Runtime.ExitError"},
		"no instance":                  {nil, request, count("9", "429"), 204, "Lambda.TooManyRequestsException"},
		"time-outs":                    {nil, request, count("3", "504"), 204, "Sandbox.Timedout"},
		"success at last":              {nil, request, count("2", "500"), 204, ""},
		"nobody counts":                {never, request, nil, 500, ""},
		"busy datastore":               {fault.New("Get", fault.Busy, "k", "wait"), request, count("0", "0"), 429, ""},
		"no request":                   {never, `"x"`, count("2", "500"), 400, ""},
		"message, third time":          {never, push(3), nil, 204, "Lambda.Unknown"},
		"message of nobody who counts": {never, push(0), nil, 500, ""},
	} {
		status, got := deliver(weak(c.err), c.body, c.header...)
		var req protocol.Request
		if len(got) > 0 {
			if err := json.Unmarshal([]byte(got[len(got)-1]), &req); err != nil && c.status != 400 {
				t.Errorf("%s: %v", what, err)
			}
		}
		var name string
		if f := req.Failure; f != nil {
			if name = f.Error; f.Kind != protocol.Broken || f.Now != at.UnixMilli() || f.Cause == "" || c.err != nil && !strings.Contains(f.Cause, "never") {
				t.Errorf("%s: the failure is %+v", what, f)
			}
		}
		if status != c.status || name != c.name {
			t.Errorf("%s: %d, failure %q; want %d, %q", what, status, name, c.status, c.name)
		}
	}
}

// TestLongWaits has a request wait for longer than a task may: it comes early, and is scheduled again.
func TestLongWaits(t *testing.T) {
	t.Parallel()
	g := grow(t, cloudtasksapi.Config{})
	g.add("a b/ü", http.NotFoundHandler())
	due := time.Now().Add(70 * 24 * time.Hour)
	if err := g.Invoke(t.Context(), "a b/ü", []byte(request), due); err != nil {
		t.Fatal(err)
	}
	for round, days := range []int{29, 58, 70} {
		it := g.client.ListTasks(t.Context(), &pb.ListTasksRequest{Parent: queue, ResponseView: pb.Task_FULL})
		task, err := it.Next()
		if err != nil {
			t.Fatal(err)
		}
		now := time.Now().Add(time.Duration(round*29) * 24 * time.Hour)
		if at := task.GetScheduleTime().AsTime(); round == 0 && at.Sub(now).Round(time.Hour) != 29*24*time.Hour {
			t.Errorf("scheduled for %v, want 29 days", at)
		}
		var header []string
		for name, value := range task.GetHttpRequest().GetHeaders() {
			header = append(header, name, value)
		}
		later := time.Now().Add(time.Duration(days) * 24 * time.Hour)
		if status, got := deliver(&gcp.Handler{Handle: fine, Platform: g.Platform, Now: func() time.Time { return later }},
			string(task.GetHttpRequest().GetBody()), header...); status != 204 || (len(got) == 1) != (days == 70) {
			t.Errorf("after %d days: %d, %q", days, status, got)
		}
		if err := g.client.DeleteTask(t.Context(), &pb.DeleteTaskRequest{Name: task.GetName()}); err != nil {
			t.Fatal(err)
		}
	}
}

// TestFaults wants faults of Cloud Tasks to be got over, or told.
func TestFaults(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	answers := []codes.Code{codes.Unavailable, codes.ResourceExhausted, codes.OK, codes.PermissionDenied, codes.NotFound, codes.InvalidArgument, codes.Unknown}
	g := grow(t, cloudtasksapi.Config{Intercept: func(_ context.Context, method string, call func() error) error {
		if method != "CreateTask" {
			return call()
		}
		mu.Lock()
		defer mu.Unlock()
		code := answers[0]
		if answers = answers[1:]; code != codes.OK {
			return status.Error(code, "injected")
		}
		return call()
	}})
	if err := g.Invoke(t.Context(), "spare", []byte(request), time.Time{}); err != nil {
		t.Error(err)
	}
	for _, kind := range []fault.Kind{fault.Unauthorized, fault.ResourceNotFound, fault.InvalidArgument, fault.Internal} {
		if err := g.Invoke(t.Context(), "spare", []byte(request), time.Time{}); !fault.Is(err, kind) {
			t.Errorf("%v, want %v", err, kind)
		}
	}
	if _, err := gcp.New(g.client, gcp.Config{Targets: map[string]string{"f": "f"}}); !fault.Is(err, fault.InvalidArgument) {
		t.Errorf("a target that is no URL: %v", err)
	}
}
