package integration_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/fault"
)

func answers(text string, err error) integration.Integration {
	return integration.Func(func(context.Context, *integration.Request) ([]byte, error) { return []byte(text), err })
}

func set(t *testing.T, all map[string]integration.Integration) *integration.Set {
	t.Helper()
	s := integration.NewSet()
	for name, i := range all {
		if err := s.Register(name, i); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

func TestRegister(t *testing.T) {
	t.Parallel()
	s := set(t, map[string]integration.Integration{"a:b": answers("1", nil)})
	for name, kind := range map[string]fault.Kind{
		"a:b": fault.Conflict, "a": fault.InvalidName, "a:b:c": fault.InvalidName, "aws-sdk:a": fault.InvalidName, ":b": fault.InvalidName,
		"1a:b": fault.InvalidName, "a:b.sync": fault.InvalidName, "lambda:invoke": fault.InvalidName, "states:startExecution": fault.InvalidName,
	} {
		if err := s.Register(name, answers("1", nil)); !fault.Is(err, kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Register("c:d", nil); !fault.Is(err, fault.InvalidArgument) {
		t.Error(err)
	}
	other := set(t, map[string]integration.Integration{"a:b": answers("2", nil), "aws-sdk:x:y": answers("3", nil)})
	if err := s.RegisterMissing(other); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a:b": "1", "aws-sdk:x:y": "3"} {
		res, err := s.Invoke(t.Context(), &function.Request{Function: asl.IntegrationARN(name)})
		if err != nil || string(res.Output) != want {
			t.Errorf("%s answered %+v, %v", name, res, err)
		}
	}
}

// TestSupports holds that a task waits for a token only where Step Functions can, if it has the integration.
func TestSupports(t *testing.T) {
	t.Parallel()
	s := set(t, map[string]integration.Integration{
		"crm:lead": answers("1", nil), "sqs:sendMessage": answers("1", nil), "dynamodb:getItem": answers("1", nil), "aws-sdk:s3:getObject": answers("1", nil),
	})
	for _, tc := range []struct {
		name, pattern string
		want          bool
	}{
		{"crm:lead", "", true}, {"crm:lead", "waitForTaskToken", true}, {"crm:lead", "sync", false}, {"crm:leads", "", false},
		{"sqs:sendMessage", "waitForTaskToken", true}, {"dynamodb:getItem", "", true}, {"dynamodb:getItem", "waitForTaskToken", false},
		{"aws-sdk:s3:getObject", "waitForTaskToken", true}, {"aws-sdk:s3:getObject", "sync:2", false},
	} {
		if got := s.Supports(tc.name, tc.pattern); got != tc.want {
			t.Errorf("%s.%s: %v", tc.name, tc.pattern, got)
		}
	}
	want := "did you mean crm:lead? there are aws-sdk:s3:getObject, crm:lead, dynamodb:getItem, lambda:invoke, sqs:sendMessage, states:startExecution; add others"
	s.Lack("crm:close", "close needs a licence")
	s.Lack("crm:lead", "nobody hears this, as it is there")
	all := integration.NewSet()
	if err := all.RegisterMissing(s); err != nil {
		t.Fatal(err)
	}
	if got := all.Help("crm:close"); got != "close needs a licence" || all.Supports("crm:close", "") {
		t.Errorf("of what is lacking: %s", got)
	}
	if got := all.Help("crm:lead"); strings.Contains(got, "nobody") {
		t.Errorf("of what is there: %s", got)
	}
	if got := s.Help("crm:leads"); !strings.HasPrefix(got, want) {
		t.Error(got)
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	s := set(t, map[string]integration.Integration{
		"a:own":    answers("", integration.Errorf("A.Own", "because of %d", 7)),
		"a:other":  answers("", errors.New("some reason")),
		"a:fn":     answers("", &function.Error{Type: "Fn", Cause: "{}"}),
		"a:closed": answers("", function.Closed("x")),
		"a:text":   answers("no json", nil),
		"a:empty":  answers("", nil),
		"a:panics": integration.Func(func(context.Context, *integration.Request) ([]byte, error) { panic("oh") }),
	})
	for name, want := range map[string]string{
		"a:own": "A.Own: because of 7", "a:other": "States.TaskFailed: some reason", "a:fn": "Fn: {}", "a:text": "Runtime.InvalidJSON: ", "a:empty": "null",
		"a:panics": "States.TaskFailed: the integration a:panics panicked: oh", "a:gone": "Weft.NoIntegration: there is no integration a:gone any more; there are a:closed",
	} {
		res, err := s.Invoke(t.Context(), &function.Request{Function: asl.IntegrationARN(name)})
		got := ""
		if err != nil {
			got = err.Error()
		} else {
			got = string(res.Output)
		}
		if !strings.HasPrefix(got, want) {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if _, err := s.Invoke(t.Context(), &function.Request{Function: asl.IntegrationARN("a:closed")}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("what is closing is nobody's failure: %v", err)
	}
}

// TestCallsWaitAndEnd holds that no more than Concurrency calls run at a time, that a deadline is States.Timeout and that
// a cancelled call is no failure of the integration.
func TestCallsWaitAndEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := 0
		release := make(chan struct{})
		s := set(t, map[string]integration.Integration{"a:b": integration.Func(func(ctx context.Context, _ *integration.Request) ([]byte, error) {
			begun++
			select {
			case <-release:
				return []byte("1"), nil
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		})})
		invoke := func(ctx context.Context, deadline time.Time) chan error {
			done := make(chan error, 1)
			go func() {
				_, err := s.Invoke(ctx, &function.Request{Function: asl.IntegrationARN("a:b"), Deadline: deadline})
				done <- err
			}()
			synctest.Wait()
			return done
		}
		late := invoke(t.Context(), time.Now().Add(time.Minute))
		var running []chan error
		for range integration.Concurrency - 1 {
			running = append(running, invoke(t.Context(), time.Time{}))
		}
		waiting := invoke(t.Context(), time.Time{})
		ctx, cancel := context.WithCancel(t.Context())
		cancelled := invoke(ctx, time.Time{})
		cancel()
		var failed *function.Error
		if err := <-cancelled; !errors.Is(err, context.Canceled) || errors.As(err, &failed) {
			t.Errorf("a cancelled call: %v", err)
		}
		if begun != integration.Concurrency {
			t.Errorf("%d calls run", begun)
		}
		if err := <-late; !errors.As(err, &failed) || failed.Type != "States.Timeout" {
			t.Errorf("a call past its deadline: %v", err)
		}
		synctest.Wait()
		if begun != integration.Concurrency+1 {
			t.Errorf("%d calls were begun once one had ended", begun)
		}
		close(release)
		for _, done := range append(running, waiting) {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
