package function

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

type cardRefused struct{ code int }

func (c *cardRefused) Error() string { return fmt.Sprintf("refused with %d & <no>", c.code) }

func registryWith(t testing.TB, invoker Invoker, s Settings) *Registry {
	t.Helper()
	r := NewRegistry()
	if err := r.Register("f", invoker, s); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

func failure(t *testing.T, err error) *Error {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("got %v (%T), want an *Error", err, err)
	}
	return e
}

func TestJSONConverts(t *testing.T) {
	t.Parallel()
	r := registryWith(t, JSON(func(_ context.Context, in struct{ Name string }) (map[string]string, error) {
		return map[string]string{"hello": in.Name + " <&>"}, nil
	}), Settings{})
	res, err := r.Invoke(context.Background(), &Request{Function: "f", Input: []byte(`{"name":"Ada"}`)})
	if err != nil || string(res.Output) != `{"hello":"Ada <&>"}` {
		t.Errorf("got %v, %v", res, err)
	}
	_, err = r.Invoke(context.Background(), &Request{Function: "f", Input: []byte(`[1]`)})
	if e := failure(t, err); e.Type != "Runtime.UnmarshalError" {
		t.Errorf("a misfit input gives %v", e)
	}
}

func TestGoFailures(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, errorType, cause string
		fn                     func(context.Context, []byte) ([]byte, error)
	}{
		{"error", "cardRefused", `{"errorMessage":"refused with 51 & <no>","errorType":"cardRefused"}`, func(context.Context, []byte) ([]byte, error) {
			return nil, &cardRefused{51}
		}},
		{"plain error", "errorString", `{"errorMessage":"boom","errorType":"errorString"}`, func(context.Context, []byte) ([]byte, error) {
			return nil, errors.New("boom")
		}},
		{"own Error, wrapped", "Refused", "because", func(context.Context, []byte) ([]byte, error) {
			return nil, fmt.Errorf("wrapped: %w", &Error{Type: "Refused", Cause: "because"})
		}},
		{"garbage", "Runtime.InvalidJSON", "", func(context.Context, []byte) ([]byte, error) { return []byte(`{"a":}`), nil }},
		{"two texts", "Runtime.InvalidJSON", "", func(context.Context, []byte) ([]byte, error) { return []byte(`1 2`), nil }},
		{"not UTF-8", "Runtime.InvalidJSON", "", func(context.Context, []byte) ([]byte, error) { return []byte("\"\xff\""), nil }},
		{"goexit", "Runtime.ExitError", "", func(context.Context, []byte) ([]byte, error) { runtime.Goexit(); return nil, nil }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := registryWith(t, Go(c.fn), Settings{Timeout: time.Minute})
			_, err := r.Invoke(t.Context(), &Request{Function: "f", Input: []byte("{}")})
			e := failure(t, err)
			if e.Type != c.errorType || (c.cause != "" && e.Cause != c.cause) {
				t.Errorf("got %s: %s", e.Type, e.Cause)
			}
		})
	}
}

func TestPanicHasAStackAndSpares(t *testing.T) {
	t.Parallel()
	for _, timeout := range []time.Duration{0, time.Minute} { // inline and on a goroutine
		r := registryWith(t, Go(func(context.Context, []byte) ([]byte, error) {
			var m map[string]int
			m["x"] = 1
			return nil, nil
		}), Settings{Timeout: timeout})
		_, err := r.Invoke(context.Background(), &Request{Function: "f"})
		e := failure(t, err)
		var doc struct {
			ErrorMessage string
			StackTrace   []goFrame
		}
		if err := json.Unmarshal([]byte(e.Cause), &doc); err != nil {
			t.Fatal(err)
		}
		if len(doc.StackTrace) == 0 || !strings.Contains(e.Cause, "TestPanicHasAStackAndSpares") || !strings.Contains(doc.ErrorMessage, "nil map") {
			t.Errorf("cause %s", e.Cause)
		}
	}
}

// TestDeafFunctionIsLeft calls a function that ignores its context: the call ends, the function is counted and
// keeps its place until it returns.
func TestDeafFunctionIsLeft(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := registryWith(t, Go(func(context.Context, []byte) ([]byte, error) { <-release; return nil, nil }), Settings{Concurrency: 1, Timeout: 2 * time.Millisecond})
	_, err := r.Invoke(t.Context(), &Request{Function: "f", ID: "id-1"})
	e := failure(t, err)
	if want := `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: id-1 Error: Task timed out after 0.00 seconds"}`; e.Type != "Sandbox.Timedout" || e.Cause != want {
		t.Errorf("own time-out: %s: %s", e.Type, e.Cause)
	}
	if s := r.Stats()[0]; s.Abandoned != 1 || s.Running != 1 || s.Failures != 1 {
		t.Errorf("stats %+v", s)
	}
	_, err = r.Invoke(t.Context(), &Request{Function: "f", Deadline: time.Now().Add(time.Millisecond)})
	if e := failure(t, err); e.Type != "States.Timeout" {
		t.Errorf("its place was given away: %v", e)
	}
	close(release)
	res, err := r.Invoke(t.Context(), &Request{Function: "f", Deadline: time.Now().Add(time.Minute)})
	if err != nil && failure(t, err).Type != "Sandbox.Timedout" { // 2 ms may be short for a loaded machine
		t.Fatal(res, err)
	}
}

func TestDeadlines(t *testing.T) {
	t.Parallel()
	listening := Go(func(ctx context.Context, _ []byte) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() })
	r := registryWith(t, listening, Settings{})
	_, err := r.Invoke(t.Context(), &Request{Function: "f", Deadline: time.Now().Add(time.Millisecond)})
	if e := failure(t, err); e.Type != "States.Timeout" || e.Cause != "" {
		t.Errorf("request's deadline: %v", e)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = r.Invoke(ctx, &Request{Function: "f"})
	if e := failure(t, err); e.Type != "States.Timeout" {
		t.Errorf("context's deadline: %v", e)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	why := errors.New("the run was stopped")
	stop(why)
	if _, err = r.Invoke(ctx, &Request{Function: "f"}); !errors.Is(err, why) {
		t.Errorf("a cancelled context: %v", err)
	}
}

// A patient request waits for a function that is deaf to its context, on the caller's goroutine, and still tells a
// cancelled call from a failed one.
func TestPatientRequests(t *testing.T) {
	t.Parallel()
	why := errors.New("the run was stopped")
	calls := 0
	var stop context.CancelCauseFunc
	r := registryWith(t, Go(func(ctx context.Context, in []byte) ([]byte, error) {
		calls++
		switch string(in) {
		case "1":
			stop(why)
			return []byte(`"deaf"`), nil
		case "2":
			stop(why)
			return nil, ctx.Err()
		}
		runtime.Goexit()
		return nil, nil
	}), Settings{Concurrency: 1})
	invoke := func(input string) (*Result, error) {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop = cancel
		return r.Invoke(ctx, &Request{Function: "f", Input: []byte(input), Patient: true})
	}
	if res, err := invoke("1"); err != nil || string(res.Output) != `"deaf"` {
		t.Errorf("a deaf function: %v, %v", res, err)
	}
	if _, err := invoke("2"); !errors.Is(err, why) {
		t.Errorf("a function that heeds its context: %v", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	if _, err := r.Invoke(ctx, &Request{Function: "f", Patient: true}); !errors.Is(err, why) || calls != 2 {
		t.Errorf("a call cancelled before: %v after %d calls", err, calls)
	}
	ended := make(chan error)
	go func() {
		err := error(GoroutineEnded())
		defer func() { ended <- err }()
		_, err = invoke("3")
	}()
	if e := failure(t, <-ended); e.Type != "Runtime.ExitError" {
		t.Error(e)
	}
	if s := r.Stats()[0]; s.Running != 0 || s.Abandoned != 0 {
		t.Errorf("left behind: %+v", s)
	}
}

// A time-out ends a patient call too.
func TestPatientRequestsEndAtTheirTimeout(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	r := registryWith(t, Go(func(context.Context, []byte) ([]byte, error) { <-release; return nil, nil }), Settings{Timeout: time.Millisecond})
	defer close(release)
	_, err := r.Invoke(t.Context(), &Request{Function: "f", Patient: true})
	if e := failure(t, err); e.Type != "Sandbox.Timedout" {
		t.Error(e)
	}
}

func BenchmarkGo(b *testing.B) {
	fn := Go(func(_ context.Context, in []byte) ([]byte, error) { return in, nil })
	input := []byte(`{"n":1}`)
	b.Run("plain", func(b *testing.B) {
		r := registryWith(b, fn, Settings{})
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.Invoke(context.Background(), &Request{Function: "f", Input: input}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("limited", func(b *testing.B) {
		r := registryWith(b, fn, Settings{Concurrency: 8})
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.Invoke(context.Background(), &Request{Function: "f", Input: input}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("cancellable", func(b *testing.B) {
		r := registryWith(b, fn, Settings{})
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.Invoke(ctx, &Request{Function: "f", Input: input}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("patient", func(b *testing.B) {
		r := registryWith(b, fn, Settings{Concurrency: 8})
		parent, stop := context.WithCancel(context.Background())
		defer stop()
		b.ReportAllocs()
		for b.Loop() {
			ctx, cancel := context.WithCancelCause(parent)
			_, err := r.Invoke(ctx, &Request{Function: "f", Input: input, Patient: true})
			if cancel(nil); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("timeout", func(b *testing.B) {
		r := registryWith(b, fn, Settings{Timeout: time.Minute})
		b.ReportAllocs()
		for b.Loop() {
			if _, err := r.Invoke(context.Background(), &Request{Function: "f", Input: input}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
