package faas_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/fault"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// service makes a Service that closes with the test, in the test's bubble if it has one.
func service(t *testing.T, cfg faas.Config) *faas.Service {
	t.Helper()
	cfg.Log = quiet
	s := faas.New(cfg)
	t.Cleanup(func() {
		if err := s.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return s
}

// notes keeps what functions saw and when, in seconds since it was made.
type notes struct {
	begun time.Time
	mu    sync.Mutex
	lines []string
}

func (n *notes) add(format string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lines = append(n.lines, fmt.Sprintf("%.0f ", time.Since(n.begun).Seconds())+fmt.Sprintf(format, args...))
}

func register(t *testing.T, s *faas.Service, name string, settings faas.Settings, fn func(ctx context.Context, in []byte) ([]byte, error)) {
	t.Helper()
	if err := s.Register(name, function.Go(fn), settings); err != nil {
		t.Fatal(err)
	}
}

func send(t *testing.T, s *faas.Service, name, payload string, notBefore time.Time) {
	t.Helper()
	if _, err := s.Send(t.Context(), name, []byte(payload), notBefore); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, s *faas.Service) {
	t.Helper()
	if err := s.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func TestInvoke(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := service(t, faas.Config{})
		register(t, s, "echo", faas.Settings{}, func(_ context.Context, in []byte) ([]byte, error) { return in, nil })
		register(t, s, "bad", faas.Settings{}, func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no luck") })
		register(t, s, "slow", faas.Settings{Timeout: 3 * time.Second}, func(ctx context.Context, _ []byte) ([]byte, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		})
		for _, c := range []struct{ name, payload, want, failed string }{
			{"echo", `{"a": 1}`, `{"a":1}`, ""},
			{"echo", "", "{}", ""},
			{s.ARN("echo"), "3", "3", ""},
			{"bad", "1", `{"errorMessage":"no luck","errorType":"errorString"}`, "Unhandled"},
			{"slow", "1", `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ID Error: Task timed out after 3.00 seconds"}`, "Unhandled"},
		} {
			a, err := s.Invoke(t.Context(), c.name, []byte(c.payload))
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			if got := strings.ReplaceAll(string(a.Payload), a.RequestID, "ID"); got != c.want || a.FunctionError != c.failed {
				t.Errorf("%s(%s) answered %s %q, want %s %q", c.name, c.payload, got, a.FunctionError, c.want, c.failed)
			}
		}
		for _, c := range []struct {
			name, payload string
			want          fault.Kind
		}{
			{"nobody", "1", fault.ResourceNotFound},
			{"echo", "{", fault.InvalidInput},
			{"echo", `"` + strings.Repeat("x", faas.SyncBytes) + `"`, fault.LimitExceeded},
		} {
			if _, err := s.Invoke(t.Context(), c.name, []byte(c.payload)); fault.KindOf(err) != c.want {
				t.Errorf("%s: %v, want %v", c.name, err, c.want)
			}
			if err := s.Check(c.name, []byte(c.payload)); fault.KindOf(err) != c.want {
				t.Errorf("dry run of %s: %v, want %v", c.name, err, c.want)
			}
		}
		if _, err := s.Send(t.Context(), "echo", []byte(`"`+strings.Repeat("x", faas.AsyncBytes)+`"`), time.Time{}); !fault.Is(err, fault.LimitExceeded) {
			t.Errorf("a large event: %v", err)
		}
		if stats := s.Stats(); stats.Invocations != 5 || stats.Errors != 2 || stats.Running != 0 {
			t.Errorf("counted %+v", stats)
		}
	})
}

// TestConcurrency fills an account of 105, of which one function has reserved 2.
func TestConcurrency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := service(t, faas.Config{Concurrency: 105})
		leave := make(chan bool)
		block := func(context.Context, []byte) ([]byte, error) { <-leave; return nil, nil }
		register(t, s, "own", faas.Settings{Reserved: new(2)}, block)
		register(t, s, "none", faas.Settings{Reserved: new(0)}, block)
		register(t, s, "rest", faas.Settings{}, block)
		if err := s.Configure("rest", func(s *faas.Settings) { s.Reserved = new(4) }); !fault.Is(err, fault.LimitExceeded) {
			t.Errorf("reserved more than may be: %v", err)
		}
		reasons := func(name string, calls int) map[faas.ThrottleReason]int {
			got := map[faas.ThrottleReason]int{}
			var mu sync.Mutex
			for range calls {
				go func() {
					_, err := s.Invoke(t.Context(), name, nil)
					var no *faas.Throttled
					if errors.As(err, &no) {
						mu.Lock()
						got[no.Reason]++
						mu.Unlock()
					}
				}()
			}
			synctest.Wait()
			return got
		}
		for _, c := range []struct {
			name string
			want map[faas.ThrottleReason]int
		}{
			{"own", map[faas.ThrottleReason]int{faas.ReservedConcurrency: 108}},
			{"none", map[faas.ThrottleReason]int{faas.ReservedConcurrency: 110}},
			{"rest", map[faas.ThrottleReason]int{faas.AccountConcurrency: 7}},
		} {
			if diff := cmp.Diff(c.want, reasons(c.name, 110)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", c.name, diff)
			}
		}
		if err := s.Remove("own"); err != nil {
			t.Error(err)
		}
		close(leave)
		wait(t, s)
		if got := reasons("rest", 105); len(got) > 0 {
			t.Errorf("with nobody else: %v", got)
		}
	})
}

// TestEventIsRetried follows an event of a function that fails, to the destination of its record.
func TestEventIsRetried(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := service(t, faas.Config{})
		n := notes{begun: time.Now()}
		var record []byte
		register(t, s, "fails", faas.Settings{OnFailure: s.ARN("sink"), OnSuccess: "sink"}, func(_ context.Context, in []byte) ([]byte, error) {
			n.add("executed")
			if string(in) == `"once"` {
				return []byte("7"), nil
			}
			return nil, errors.New("no luck")
		})
		register(t, s, "sink", faas.Settings{}, func(_ context.Context, in []byte) ([]byte, error) {
			n.add("record")
			record = in
			return nil, nil
		})
		send(t, s, "fails", `{"x": "<"}`, time.Time{})
		wait(t, s)
		if diff := cmp.Diff([]string{"0 executed", "60 executed", "180 executed", "180 record"}, n.lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		const want = `{"version":"1.0","timestamp":"2000-01-01T00:03:00.000Z","requestContext":{"requestId":"ID",` +
			`"functionArn":"arn:aws:lambda:us-east-1:123456789012:function:fails:$LATEST","condition":"RetriesExhausted","approximateInvokeCount":3},` +
			`"requestPayload":{"x":"<"},"responseContext":{"statusCode":200,"executedVersion":"$LATEST","functionError":"Unhandled"},` +
			`"responsePayload":{"errorMessage":"no luck","errorType":"errorString"}}`
		if diff := cmp.Diff(want, withoutID(t, record)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		send(t, s, "fails", `"once"`, time.Time{})
		wait(t, s)
		const succeeded = `"condition":"Success","approximateInvokeCount":1},"requestPayload":"once","responseContext":{"statusCode":200,"executedVersion":"$LATEST"},"responsePayload":7}`
		if !strings.HasSuffix(string(record), succeeded) {
			t.Errorf("the record of a success is %s", record)
		}
		if err := s.Configure("fails", func(s *faas.Settings) { s.MaxRetries, s.OnFailure = new(0), "" }); err != nil {
			t.Fatal(err)
		}
		before := s.Stats()
		send(t, s, "fails", `1`, time.Time{})
		wait(t, s)
		if after := s.Stats(); after.Invocations != before.Invocations+1 || after.Exhausted != before.Exhausted+1 {
			t.Errorf("without retries: from %+v to %+v", before, after)
		}
	})
}

// TestWhatAnEventCannotCarry has functions answer, and be called with, more than fits.
func TestWhatAnEventCannotCarry(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := service(t, faas.Config{})
		register(t, s, "long", faas.Settings{}, func(context.Context, []byte) ([]byte, error) {
			return []byte(`"` + strings.Repeat("x", faas.SyncBytes) + `"`), nil
		})
		answer, err := s.Invoke(t.Context(), "long", nil)
		if err != nil || answer.FunctionError == "" || len(answer.Payload) > 1000 || !strings.Contains(string(answer.Payload), "Function.ResponseSizeTooLarge") {
			t.Errorf("%.200s %v", answer.Payload, err)
		}
		register(t, s, "sink", faas.Settings{}, func(context.Context, []byte) ([]byte, error) {
			t.Error("a record came that is too large")
			return nil, nil
		})
		register(t, s, "fails", faas.Settings{OnFailure: "sink", MaxRetries: new(0)}, func(context.Context, []byte) ([]byte, error) {
			return nil, errors.New(strings.Repeat("x", 1000))
		})
		send(t, s, "fails", `"`+strings.Repeat("x", faas.AsyncBytes-100)+`"`, time.Time{})
		wait(t, s)
		if stats := s.Stats(); stats.Lost != 1 || stats.Exhausted != 1 {
			t.Errorf("%+v", stats)
		}
	})
}

// TestPlatformFailuresCostNoAttempt has an invoker give up, which is not the function's failure.
func TestPlatformFailuresCostNoAttempt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := service(t, faas.Config{})
		var attempts []int
		err := s.Register("f", invoker(func(_ context.Context, req *function.Request) (*function.Result, error) {
			if attempts = append(attempts, req.Attempt); len(attempts) < 5 {
				return nil, errors.New("no sandbox")
			}
			return &function.Result{Output: []byte("1")}, nil
		}), faas.Settings{MaxRetries: new(0)})
		if err != nil {
			t.Fatal(err)
		}
		send(t, s, "f", `1`, time.Time{})
		wait(t, s)
		if diff := cmp.Diff([]int{1, 1, 1, 1, 1}, attempts); diff != "" || s.Stats().Exhausted != 0 {
			t.Errorf("%+v (-want +got):\n%s", s.Stats(), diff)
		}
	})
}

type invoker func(context.Context, *function.Request) (*function.Result, error)

func (i invoker) Invoke(ctx context.Context, req *function.Request) (*function.Result, error) {
	return i(ctx, req)
}

// withoutID puts ID in the place of a record's request id.
func withoutID(t *testing.T, record []byte) string {
	t.Helper()
	var doc struct{ RequestContext struct{ RequestID string } }
	if err := json.Unmarshal(record, &doc); err != nil {
		t.Fatalf("%v: %s", err, record)
	}
	return strings.ReplaceAll(string(record), doc.RequestContext.RequestID, "ID")
}

// TestEventGrowsOld throttles an event until it is older than it may be, and hands its record out of the service.
func TestEventGrowsOld(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		var got []string
		s := service(t, faas.Config{Deliver: func(_ context.Context, destination string, record []byte) error {
			got = append(got, destination, time.Since(begun).String(), withoutID(t, record))
			return nil
		}})
		register(t, s, "busy", faas.Settings{Reserved: new(0), MaxAge: time.Hour, OnFailure: "arn:aws:sqs:us-east-1:1:dead"}, nil)
		send(t, s, "busy", `1`, begun.Add(time.Hour))
		wait(t, s)
		want := []string{"arn:aws:sqs:us-east-1:1:dead", "2h0m0s", `{"version":"1.0","timestamp":"2000-01-01T02:00:00.000Z","requestContext":{"requestId":"ID",` +
			`"functionArn":"arn:aws:lambda:us-east-1:123456789012:function:busy:$LATEST","condition":"EventAgeExceeded","approximateInvokeCount":0},"requestPayload":1}`}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		// 1+2+4+…+256 s, then every 5 minutes, each shortened by up to a half.
		if n := s.Stats().Throttles; n < 18 || n > 32 {
			t.Errorf("tried %d times in an hour", n)
		}
	})
}

func TestEventsComeWhenDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := service(t, faas.Config{Latency: func() time.Duration { return 2 * time.Second }})
		n := notes{begun: time.Now()}
		register(t, s, "f", faas.Settings{}, func(_ context.Context, in []byte) ([]byte, error) { n.add("%s", in); return nil, nil })
		for _, after := range []int{30, 0, 10, -5, 86400} {
			send(t, s, "f", fmt.Sprint(after), n.begun.Add(time.Duration(after)*time.Second))
		}
		wait(t, s)
		slices.Sort(n.lines) // those due together come in no order
		if diff := cmp.Diff([]string{"12 10", "2 -5", "2 0", "32 30", "86402 86400"}, n.lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := service(t, faas.Config{Queue: 3, QueueBytes: 100})
		register(t, s, "f", faas.Settings{}, func(context.Context, []byte) ([]byte, error) { return nil, nil })
		later := time.Now().Add(time.Minute)
		large := `"` + strings.Repeat("x", 97) + `"`
		send(t, s, "f", "1", later)
		if _, err := s.Send(t.Context(), "f", []byte(large), later); err != nil {
			t.Error(err)
		}
		if _, err := s.Send(t.Context(), "f", []byte("2"), later); !fault.Is(err, fault.Busy) {
			t.Errorf("past 100 bytes: %v", err)
		}
		wait(t, s)
		for range 3 {
			send(t, s, "f", "1", time.Now().Add(time.Minute))
		}
		if _, err := s.Send(t.Context(), "f", []byte("2"), time.Now().Add(time.Minute)); !fault.Is(err, fault.Busy) {
			t.Errorf("past 3 events: %v", err)
		}
		wait(t, s)
	})
}

// TestFaults executes events under faults: each at least once, and the same twice under one seed.
func TestFaults(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, seed uint64) (stats faas.Stats, counts []int) {
		synctest.Test(t, func(t *testing.T) {
			const events = 1000
			s := service(t, faas.Config{Faults: faas.Faults{
				Seed: seed, Duplicate: 0.1, DuplicateWithin: time.Hour, CrashBefore: 0.05, CrashAfter: 0.05, Throttle: 0.05,
				Delay: 0.1, DelayMost: time.Minute,
			}})
			counts = make([]int, events)
			var mu sync.Mutex
			register(t, s, "f", faas.Settings{}, func(_ context.Context, in []byte) ([]byte, error) {
				mu.Lock()
				defer mu.Unlock()
				var i int
				err := json.Unmarshal(in, &i)
				counts[i]++
				return nil, err
			})
			for i := range events {
				send(t, s, "f", fmt.Sprint(i), time.Time{})
			}
			wait(t, s)
			stats = s.Stats()
		})
		return stats, counts
	}
	stats, counts := run(t, 1)
	missing := int64(0)
	for _, n := range counts {
		if n == 0 {
			missing++ // crashed before user code three times
		}
	}
	for what, n := range map[string]int64{"duplicates": stats.Duplicates, "errors": stats.Errors, "throttles": stats.Throttles, "retries": stats.Retries} {
		if n < 50 || n > 250 {
			t.Errorf("%d %s of 1000 events", n, what)
		}
	}
	if missing > stats.Exhausted {
		t.Errorf("%d events were never executed, %d given up", missing, stats.Exhausted)
	}
	again, same := run(t, 1)
	if diff := cmp.Diff(stats, again) + cmp.Diff(counts, same); diff != "" {
		t.Errorf("another time under the same seed:\n%s", diff)
	}
	if other, _ := run(t, 2); other == stats {
		t.Error("another seed gives the same")
	}
}

// TestEachFault makes one fault certain.
func TestEachFault(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults   faas.Faults
		executed int
		want     faas.Stats
	}{
		"none":         {faas.Faults{}, 1, faas.Stats{Invocations: 1, Events: 1}},
		"crash before": {faas.Faults{CrashBefore: 1}, 0, faas.Stats{Invocations: 3, Events: 1, Errors: 3, Retries: 2, Exhausted: 1}},
		"crash after":  {faas.Faults{CrashAfter: 1}, 3, faas.Stats{Invocations: 3, Events: 1, Errors: 3, Retries: 2, Exhausted: 1}},
		"duplicate":    {faas.Faults{Duplicate: 1}, 2, faas.Stats{Invocations: 2, Events: 1, Duplicates: 1}},
		"delay":        {faas.Faults{Delay: 1, DelayMost: time.Hour}, 1, faas.Stats{Invocations: 1, Events: 1}},
		"throttle":     {faas.Faults{Throttle: 1}, 0, faas.Stats{Throttles: 106, Events: 1, Exhausted: 1}}, // in six hours
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := service(t, faas.Config{Faults: c.faults})
				begun := time.Now()
				var executed atomic.Int64
				register(t, s, "f", faas.Settings{}, func(context.Context, []byte) ([]byte, error) { executed.Add(1); return nil, nil })
				send(t, s, "f", "1", time.Time{})
				wait(t, s)
				if int(executed.Load()) != c.executed {
					t.Errorf("executed %d times, want %d", executed.Load(), c.executed)
				}
				if diff := cmp.Diff(c.want, s.Stats()); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
				if late := time.Since(begun); c.faults.Delay > 0 && (late == 0 || late > time.Hour) {
					t.Errorf("late by %v", late)
				}
			})
		})
	}
}

func TestCloseWaitsThenCancels(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := faas.New(faas.Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
		n := notes{begun: time.Now()}
		register(t, s, "f", faas.Settings{}, func(ctx context.Context, in []byte) ([]byte, error) {
			wait := 10 * time.Second
			if string(in) == "2" {
				wait = time.Hour
			}
			select {
			case <-time.After(wait):
				n.add("done %s", in)
			case <-ctx.Done():
				n.add("cancelled %s", in)
			}
			return nil, nil
		})
		send(t, s, "f", "1", time.Time{})
		send(t, s, "f", "2", time.Time{})
		send(t, s, "f", "3", time.Now().Add(time.Minute))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		if err := s.Close(ctx); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if diff := cmp.Diff([]string{"10 done 1", "20 cancelled 2"}, n.lines); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !strings.Contains(log.String(), "events=1") || s.Stats().Lost != 2 {
			t.Errorf("lost %d, logged %s", s.Stats().Lost, &log)
		}
		if _, err := s.Send(t.Context(), "f", nil, time.Time{}); !fault.Is(err, fault.Unavailable) {
			t.Errorf("after Close: %v", err)
		}
	})
}

// closer is an Invoker that says when it is closed.
type closer struct {
	function.Invoker
	closed chan string
	name   string
}

func (c *closer) Close() error { c.closed <- c.name; return nil }

func TestReplacedCodeEndsWhatItRuns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := faas.New(faas.Config{Log: quiet})
		closed := make(chan string, 10)
		build := func(name string, took time.Duration) function.Invoker {
			return &closer{function.Go(func(context.Context, []byte) ([]byte, error) {
				time.Sleep(took) // virtual
				return []byte(`"` + name + `"`), nil
			}), closed, name}
		}
		if err := s.Register("f", build("old", time.Minute), faas.Settings{}); err != nil {
			t.Fatal(err)
		}
		answers := make(chan string, 2)
		call := func() {
			a, err := s.Invoke(t.Context(), "f", nil)
			if err != nil {
				t.Error(err)
				return
			}
			answers <- string(a.Payload)
		}
		go call()
		synctest.Wait()
		if err := s.Replace("f", build("new", 0)); err != nil {
			t.Fatal(err)
		}
		call()
		synctest.Wait()
		if got := <-answers; got != `"new"` || len(closed) != 0 {
			t.Errorf("after the replacement %s answers and %d are closed", got, len(closed))
		}
		if got := <-answers; got != `"old"` {
			t.Errorf("under way was %s", got)
		}
		if got := <-closed; got != "old" {
			t.Errorf("closed %s", got)
		}
		if err := s.Remove("f"); err != nil {
			t.Fatal(err)
		}
		if got := <-closed; got != "new" {
			t.Errorf("closed %s", got)
		}
		if err := s.Close(t.Context()); err != nil || len(closed) != 0 {
			t.Errorf("%v, and closed another %d times", err, len(closed))
		}
	})
}
