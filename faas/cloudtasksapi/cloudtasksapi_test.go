package cloudtasksapi_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	cloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	pb "cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/weftworks/weft/faas/cloudtasksapi"
)

const (
	where = "projects/p/locations/us-central1"
	queue = where + "/queues/q"
)

// client returns Google's client of a new endpoint that has a queue.
func client(t *testing.T, retry *pb.RetryConfig) *cloudtasks.Client {
	t.Helper()
	server, err := cloudtasksapi.Start(cloudtasksapi.Config{Scale: 0.01})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c, err := cloudtasks.NewClient(t.Context(), option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateQueue(t.Context(), &pb.CreateQueueRequest{Parent: where, Queue: &pb.Queue{Name: queue, RetryConfig: retry}}); err != nil {
		t.Fatal(err)
	}
	return c
}

func wantCode(t *testing.T, what string, err error, code codes.Code) {
	t.Helper()
	if status.Code(err) != code {
		t.Errorf("%s: %v, want %v", what, err, code)
	}
}

func task(url string, body string) *pb.CreateTaskRequest {
	return &pb.CreateTaskRequest{Parent: queue, Task: &pb.Task{MessageType: &pb.Task_HttpRequest{HttpRequest: &pb.HttpRequest{
		Url: url, Body: []byte(body), Headers: map[string]string{"Content-Type": "application/json"},
		AuthorizationHeader: &pb.HttpRequest_OidcToken{OidcToken: &pb.OidcToken{ServiceAccountEmail: "me@p.iam.gserviceaccount.com"}},
	}}}}
}

type arrival struct {
	header http.Header
	body   string
}

// target answers with statuses in turn, the last one for ever.
func target(t *testing.T, statuses ...int) (url string, arrivals <-chan arrival) {
	c := make(chan arrival, 100)
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.WriteHeader(statuses[min(n, len(statuses)-1)])
		n++
		c <- arrival{r.Header, string(body)}
	}))
	t.Cleanup(server.Close)
	return server.URL + "/f", c
}

// gone waits until a task is gone.
func gone(t *testing.T, c *cloudtasks.Client, name string) {
	t.Helper()
	for {
		_, err := c.GetTask(t.Context(), &pb.GetTaskRequest{Name: name})
		if status.Code(err) == codes.NotFound {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// TestDispatch follows a task through two failures to its end.
func TestDispatch(t *testing.T) {
	t.Parallel()
	c := client(t, nil)
	url, arrivals := target(t, 500, 429, 204)
	made, err := c.CreateTask(t.Context(), task(url, `{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if len(made.GetHttpRequest().GetBody()) > 0 || !strings.HasPrefix(made.GetName(), queue+"/tasks/") {
		t.Errorf("made %v", made)
	}
	for i, previous := range []string{"", "500", "429"} {
		a := <-arrivals
		h := a.header
		if a.body != `{"a":1}` || h.Get("X-CloudTasks-TaskRetryCount") != fmt.Sprint(i) || h.Get("X-CloudTasks-TaskExecutionCount") != fmt.Sprint(i) ||
			h.Get("X-CloudTasks-QueueName") != "q" || !strings.HasSuffix(made.GetName(), "/"+h.Get("X-CloudTasks-TaskName")) ||
			h.Get("X-CloudTasks-TaskPreviousResponse") != previous || h.Get("User-Agent") != "Google-Cloud-Tasks" || h.Get("Content-Type") != "application/json" {
			t.Errorf("attempt %d: %v", i, a)
		}
		token := strings.Split(strings.TrimPrefix(h.Get("Authorization"), "Bearer "), ".")
		claims, err := base64.RawURLEncoding.DecodeString(token[1])
		var of struct{ Aud, Email string }
		if err := errors.Join(err, json.Unmarshal(claims, &of)); err != nil || of.Aud != url || of.Email != "me@p.iam.gserviceaccount.com" {
			t.Errorf("token for %+v (%v)", of, err)
		}
	}
	gone(t, c, made.GetName())
}

func TestRetriesEnd(t *testing.T) {
	t.Parallel()
	c := client(t, &pb.RetryConfig{MaxAttempts: 3})
	url, arrivals := target(t, 500)
	made, err := c.CreateTask(t.Context(), task(url, ""))
	if err != nil {
		t.Fatal(err)
	}
	gone(t, c, made.GetName())
	if n := len(arrivals); n != 3 {
		t.Errorf("%d attempts, want 3", n)
	}
}

func TestScheduleAndDelete(t *testing.T) {
	t.Parallel()
	c, ctx := client(t, nil), t.Context()
	url, arrivals := target(t, 200)
	later := task(url, "later")
	later.Task.Name = queue + "/tasks/mine"
	later.Task.ScheduleTime = timestamppb.New(time.Now().Add(time.Hour))
	if _, err := c.CreateTask(ctx, later); err != nil {
		t.Fatal(err)
	}
	_, err := c.CreateTask(ctx, later)
	wantCode(t, "the same name", err, codes.AlreadyExists)
	full, err := c.GetTask(ctx, &pb.GetTaskRequest{Name: later.Task.Name, ResponseView: pb.Task_FULL})
	if err != nil || string(full.GetHttpRequest().GetBody()) != "later" {
		t.Errorf("%v, %v", full, err)
	}
	if err := c.DeleteTask(ctx, &pb.DeleteTaskRequest{Name: later.Task.Name}); err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateTask(ctx, later)
	wantCode(t, "the name of a task that is gone", err, codes.AlreadyExists)

	later.Task.Name = ""
	hasty, err := c.CreateTask(ctx, later)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.RunTask(ctx, &pb.RunTaskRequest{Name: hasty.GetName()}); err != nil {
		t.Fatal(err)
	}
	<-arrivals
	gone(t, c, hasty.GetName())
}

func TestQueues(t *testing.T) {
	t.Parallel()
	c, ctx := client(t, nil), t.Context()
	_, err := c.CreateQueue(ctx, &pb.CreateQueueRequest{Parent: where, Queue: &pb.Queue{Name: queue}})
	wantCode(t, "a queue that exists", err, codes.AlreadyExists)
	got, err := c.GetQueue(ctx, &pb.GetQueueRequest{Name: queue})
	if err != nil || got.GetRetryConfig().GetMaxAttempts() != 100 || got.GetRateLimits().GetMaxConcurrentDispatches() != 1000 {
		t.Errorf("%v, %v", got, err)
	}
	url, arrivals := target(t, 200)
	if _, err := c.PauseQueue(ctx, &pb.PauseQueueRequest{Name: queue}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.CreateTask(ctx, task(url, "")); err != nil {
		t.Fatal(err)
	}
	changed, err := c.UpdateQueue(ctx, &pb.UpdateQueueRequest{
		Queue:      &pb.Queue{Name: queue, RetryConfig: &pb.RetryConfig{MaxAttempts: 7}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"retry_config.max_attempts"}},
	})
	if err != nil || changed.GetRetryConfig().GetMaxAttempts() != 7 || changed.GetState() != pb.Queue_PAUSED {
		t.Errorf("%v, %v", changed, err)
	}
	if len(arrivals) > 0 {
		t.Error("a paused queue dispatches")
	}
	if _, err := c.ResumeQueue(ctx, &pb.ResumeQueueRequest{Name: queue}); err != nil {
		t.Fatal(err)
	}
	<-arrivals
	found, err := c.ListQueues(ctx, &pb.ListQueuesRequest{Parent: where}).Next()
	if err != nil || found.GetName() != queue {
		t.Errorf("%v, %v", found, err)
	}
	_, err = c.ListTasks(ctx, &pb.ListTasksRequest{Parent: where + "/queues/none"}).Next()
	wantCode(t, "tasks of no queue", err, codes.NotFound)
	if err := c.DeleteQueue(ctx, &pb.DeleteQueueRequest{Name: queue}); err != nil {
		t.Fatal(err)
	}
	_, err = c.CreateTask(ctx, task(url, ""))
	wantCode(t, "a queue that is gone", err, codes.NotFound)
	if _, err := c.ListQueues(ctx, &pb.ListQueuesRequest{Parent: where}).Next(); !errors.Is(err, iterator.Done) {
		t.Errorf("after the last queue: %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	c, ctx := client(t, nil), t.Context()
	for what, change := range map[string]func(t *pb.Task){
		"too large":     func(t *pb.Task) { t.GetHttpRequest().Body = make([]byte, 100<<10) },
		"too late":      func(t *pb.Task) { t.ScheduleTime = timestamppb.New(time.Now().Add(31 * 24 * time.Hour)) },
		"no address":    func(t *pb.Task) { t.GetHttpRequest().Url = "/f" },
		"hasty":         func(t *pb.Task) { t.DispatchDeadline = durationpb.New(time.Second) },
		"body of a GET": func(t *pb.Task) { t.GetHttpRequest().HttpMethod = pb.HttpMethod_GET },
		"no request":    func(t *pb.Task) { t.MessageType = nil },
		"strange name":  func(t *pb.Task) { t.Name = "mine" },
	} {
		req := task("http://127.0.0.1:1/f", "{}")
		change(req.Task)
		_, err := c.CreateTask(ctx, req)
		wantCode(t, what, err, codes.InvalidArgument)
	}
}

// roundTrip is a transport.
type roundTrip func(r *http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestPauses holds the times of attempts, on a clock of the test's.
func TestPauses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at []time.Duration
		s := cloudtasksapi.New(cloudtasksapi.Config{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			if at = append(at, time.Since(began)); len(at)%2 == 0 {
				return nil, errors.New("nobody listens")
			}
			return &http.Response{StatusCode: 500, Body: http.NoBody}, nil
		})})
		defer s.Close()
		sec := func(n int64) *durationpb.Duration { return &durationpb.Duration{Seconds: n} }
		_, err := s.CreateQueue(t.Context(), &pb.CreateQueueRequest{Parent: where, Queue: &pb.Queue{Name: queue, RetryConfig: &pb.RetryConfig{
			MaxAttempts: 9, MinBackoff: sec(10), MaxBackoff: sec(300), MaxDoublings: 3}}})
		if err != nil {
			t.Fatal(err)
		}
		req := task("http://example.invalid/f", "")
		req.Task.ScheduleTime = timestamppb.New(began.Add(24 * time.Hour))
		if _, err := s.CreateTask(t.Context(), req); err != nil {
			t.Fatal(err)
		}
		time.Sleep(48 * time.Hour)
		synctest.Wait()
		want := []time.Duration{24 * time.Hour}
		for _, pause := range []time.Duration{10, 20, 40, 80, 160, 240, 300, 300} {
			want = append(want, want[len(want)-1]+pause*time.Second)
		}
		if !slices.Equal(at, want) {
			t.Errorf("attempts at %v, want %v", at, want)
		}
	})
}

// TestConcurrency holds how many tasks of a queue are dispatched at a time, and that others wait their turn.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		done := make(chan time.Duration, 10)
		s := cloudtasksapi.New(cloudtasksapi.Config{Transport: roundTrip(func(*http.Request) (*http.Response, error) {
			time.Sleep(time.Minute)
			done <- time.Since(began)
			return &http.Response{StatusCode: 200, Body: http.NoBody}, nil
		})})
		defer s.Close()
		if _, err := s.CreateQueue(t.Context(), &pb.CreateQueueRequest{Parent: where, Queue: &pb.Queue{Name: queue, RateLimits: &pb.RateLimits{MaxConcurrentDispatches: 2}}}); err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if _, err := s.CreateTask(t.Context(), task("http://example.invalid/f", "")); err != nil {
				t.Fatal(err)
			}
		}
		for _, minutes := range []time.Duration{1, 1, 2, 2, 3} {
			if at := <-done; at != minutes*time.Minute {
				t.Errorf("one was done at %v, want %v minutes", at, int(minutes))
			}
		}
	})
}

// TestPolicies keeps the policy of a queue, and one that is out of date from it.
func TestPolicies(t *testing.T) {
	t.Parallel()
	c := client(t, nil)
	p, err := c.GetIamPolicy(t.Context(), &iampb.GetIamPolicyRequest{Resource: queue})
	if err != nil || len(p.GetBindings()) != 0 {
		t.Fatalf("%v, %v", p, err)
	}
	p.Bindings = []*iampb.Binding{{Role: "roles/cloudtasks.enqueuer", Members: []string{"user:a@example.com"}}}
	set := &iampb.SetIamPolicyRequest{Resource: queue, Policy: p}
	if _, err := c.SetIamPolicy(t.Context(), set); err != nil {
		t.Fatal(err)
	}
	_, err = c.SetIamPolicy(t.Context(), set)
	wantCode(t, "a policy that is out of date", err, codes.Aborted)
	if p, err = c.GetIamPolicy(t.Context(), &iampb.GetIamPolicyRequest{Resource: queue}); err != nil || len(p.GetBindings()) != 1 {
		t.Errorf("%v, %v", p, err)
	}
	_, err = c.GetIamPolicy(t.Context(), &iampb.GetIamPolicyRequest{Resource: queue + "x"})
	wantCode(t, "the policy of no queue", err, codes.NotFound)
}
