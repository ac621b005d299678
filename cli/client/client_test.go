package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/weftworks/weft/fault"
)

// serve answers every operation with handle and returns a client of it.
func serve(t *testing.T, handle func(op string, in map[string]any) (int, string)) *Client {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		op, ok := strings.CutPrefix(r.Header.Get("X-Amz-Target"), "AWSStepFunctions.")
		if !ok || r.Method != http.MethodPost || r.URL.Path != "/" || r.Header.Get("Content-Type") != "application/x-amz-json-1.0" {
			t.Errorf("the request is not awsJson 1.0: %s %s %v", r.Method, r.URL, r.Header)
		}
		if r.Header.Get("Authorization") != "Bearer secret" {
			t.Errorf("Authorization %q", r.Header.Get("Authorization"))
		}
		var in map[string]any
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			t.Error(err)
		}
		status, body := handle(op, in)
		w.WriteHeader(status)
		fmt.Fprint(w, body)
	}))
	t.Cleanup(s.Close)
	c, err := New(s.URL+"/", "secret")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestErrorsHaveTheKindTheServerMeant(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		status int
		body   string
		kind   fault.Kind
	}{
		{400, `{"__type":"ExecutionDoesNotExist","message":"no"}`, fault.RunNotFound},
		{400, `{"__type":"com.amazonaws.sfn#StateMachineAlreadyExists","message":"no"}`, fault.MachineExists},
		{400, `{"__type":"ValidationException","Message":"no"}`, fault.InvalidArgument},
		{400, `{"__type":"SomethingNew","message":"no"}`, fault.InvalidArgument},
		{500, `{"__type":"SomethingNew","message":"no"}`, fault.Internal},
		{503, `{"__type":"ServiceUnavailable","message":"no"}`, fault.Unavailable},
		{403, `{"__type":"UnrecognizedClientException","message":"no"}`, fault.Unauthorized},
		{404, `<html>not found</html>`, fault.Unavailable},
		{401, `denied`, fault.Unauthorized},
		{200, `<html>hello</html>`, fault.Unavailable},
	} {
		c := serve(t, func(string, map[string]any) (int, string) { return test.status, test.body })
		_, err := c.DescribeExecution(t.Context(), "arn")
		if fault.KindOf(err) != test.kind || err == nil {
			t.Errorf("%d %s: kind %d, want %d (%v)", test.status, test.body, fault.KindOf(err), test.kind, err)
		}
	}
}

func TestPagesAreHidden(t *testing.T) {
	t.Parallel()
	calls := 0
	c := serve(t, func(op string, in map[string]any) (int, string) {
		calls++
		if op != "ListExecutions" || in["statusFilter"] != "FAILED" || in["maxResults"] != 2.0 {
			t.Errorf("%s %v", op, in)
		}
		if in["nextToken"] == nil {
			return 200, `{"executions":[{"name":"a"},{"name":"b"}],"nextToken":"more"}`
		}
		return 200, `{"executions":[{"name":"c","startDate":1700000000.123}]}`
	})
	var names []string
	for run, err := range c.Runs(t.Context(), "arn", "FAILED", 2) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, run.Name)
		if run.Name == "c" && run.Started.Time().UnixMilli() != 1700000000123 {
			t.Errorf("started %v", run.Started.Time())
		}
	}
	if strings.Join(names, "") != "abc" || calls != 2 {
		t.Errorf("%v in %d calls", names, calls)
	}
	for range c.Runs(t.Context(), "arn", "FAILED", 2) {
		break
	}
	if calls != 3 {
		t.Errorf("a list that is left early made %d calls", calls-2)
	}
}

func TestEventsKeepTheirTextAndDetails(t *testing.T) {
	t.Parallel()
	const event = `{"timestamp":1.5,"type":"MapIterationFailed","id":7,"previousEventId":6,"mapIterationFailedEventDetails":{"name":"Each","index":3}}`
	c := serve(t, func(string, map[string]any) (int, string) { return 200, `{"events":[` + event + `]}` })
	for e, err := range c.History(t.Context(), "arn", 0, false, true) {
		if err != nil || string(e.Raw) != event || e.ID != 7 || e.Prev != 6 || e.Details.Name != "Each" || e.Details.Index != 3 {
			t.Errorf("%+v, %v", e, err)
		}
	}
}

func TestNewRefusesWhatIsNoServer(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "localhost:8400", "ftp://x", "http://", "http://%zz"} {
		if _, err := New(base, ""); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("%q: %v", base, err)
		}
	}
}

func TestAnInterruptedCallSaysWhy(t *testing.T) {
	t.Parallel()
	why := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	c, err := New("http://127.0.0.1:1", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.DescribeExecution(ctx, "arn"); !errors.Is(err, why) {
		t.Error(err)
	}
}
