package function

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/fault"
)

// takes is a Go function that takes so long.
func takes(d time.Duration) Invoker {
	return Go(func(ctx context.Context, _ []byte) ([]byte, error) {
		select {
		case <-time.After(d):
			return nil, nil
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	})
}

// outcomes collects when calls ended and how.
type outcomes struct {
	start time.Time
	wg    sync.WaitGroup
	mu    sync.Mutex
	lines []string
}

// call makes a call on a goroutine of its own and returns when it runs or waits.
func (o *outcomes) call(t *testing.T, r *Registry, req Request) {
	req.Function = "f"
	o.wg.Go(func() {
		how := "ok"
		if _, err := r.Invoke(t.Context(), &req); err != nil {
			how, _, _ = strings.Cut(err.Error(), ":")
		}
		o.mu.Lock()
		defer o.mu.Unlock()
		o.lines = append(o.lines, fmt.Sprintf("%s %v %s", req.ID, time.Since(o.start), how))
	})
	synctest.Wait()
}

func (o *outcomes) are(t *testing.T, want ...string) {
	t.Helper()
	o.wg.Wait()
	slices.Sort(o.lines) // calls of the same moment end in any order
	slices.Sort(want)
	if !slices.Equal(o.lines, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(o.lines, "\n"), strings.Join(want, "\n"))
	}
}

// refused makes a call for which the queue has no place.
func refused(t *testing.T, r *Registry, req Request, want string) {
	t.Helper()
	req.Function = "f"
	_, err := r.Invoke(t.Context(), &req)
	if e := failure(t, err); e.Type != "Lambda.TooManyRequestsException" || !e.StartFailed || !strings.Contains(e.Cause, want) {
		t.Errorf("a call past the queue gets %+v", e)
	}
}

// sums are the parts of a function's Stats that say who waits for what.
func sums(r *Registry) [4]int {
	s := r.Stats()[0]
	return [4]int{s.Running, s.Waiting, s.WaitingForKey, s.WaitingForRate}
}

func TestRateHoldsCallsBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := registryWith(t, takes(0), Settings{Rate: 2, Queue: 3})
		o := &outcomes{start: time.Now()}
		for i := range 4 {
			o.call(t, r, Request{ID: strconv.Itoa(i)})
		}
		o.call(t, r, Request{ID: "late", Deadline: o.start.Add(700 * time.Millisecond), Priority: -1})
		if got := sums(r); got != [4]int{0, 3, 0, 3} {
			t.Errorf("stats %v", got)
		}
		refused(t, r, Request{}, "Rate Exceeded: 0 calls of f run and 3 wait already; raise its rate or its queue")
		o.are(t,
			"0 0s ok", "1 0s ok",
			"2 500ms ok", "late 700ms States.Timeout", "3 1s ok")
		time.Sleep(time.Minute)
		o = &outcomes{start: time.Now()}
		for i := range 4 {
			o.call(t, r, Request{ID: strconv.Itoa(i)})
		}
		o.are(t, "0 0s ok", "1 0s ok", "2 500ms ok", "3 1s ok")
		idle(t, r.find("f").gate)
	})
}

func TestFullKeyHoldsNobodyElseBack(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := registryWith(t, takes(time.Second), Settings{Concurrency: 3, PerKey: 1, Queue: 4})
		o := &outcomes{start: time.Now()}
		o.call(t, r, Request{ID: "k0", ConcurrencyKey: "k"})
		o.call(t, r, Request{ID: "k1", ConcurrencyKey: "k"})
		o.call(t, r, Request{ID: "k2", ConcurrencyKey: "k"})
		if got := sums(r); got != [4]int{1, 2, 2, 0} {
			t.Errorf("stats %v", got)
		}
		time.Sleep(100 * time.Millisecond)
		o.call(t, r, Request{ID: "l", ConcurrencyKey: "l"}) // passes two that wait
		o.call(t, r, Request{ID: "no key"})
		o.call(t, r, Request{ID: "no room"})
		o.call(t, r, Request{ID: "hurry", Priority: 1, ConcurrencyKey: "k"})
		if got := sums(r); got != [4]int{3, 4, 3, 0} {
			t.Errorf("stats %v", got)
		}
		refused(t, r, Request{ConcurrencyKey: "k"}, "3 calls of f run and 4 wait already; raise its concurrency or")
		o.are(t, "k0 1s ok", "l 1.1s ok", "no key 1.1s ok",
			"hurry 2s ok", "no room 2.1s ok", "k1 3s ok", "k2 4s ok")
		idle(t, r.find("f").gate)
	})
}

// Priorities and tenants reach the turns: the order is that of turns_test.go.
func TestPrioritiesAndTenantsOrderTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r := registryWith(t, takes(time.Second), Settings{Concurrency: 1, Tenants: map[string]int{"gold": 2}})
		o := &outcomes{start: time.Now()}
		o.call(t, r, Request{ID: "first"})
		for _, tenant := range []string{"", "gold"} {
			for i := range 4 {
				o.call(t, r, Request{ID: tenant + strconv.Itoa(i), Tenant: tenant})
			}
		}
		o.call(t, r, Request{ID: "high", Priority: 1})
		o.are(t, "first 1s ok", "high 2s ok", "gold0 3s ok", "0 4s ok", "gold1 5s ok", "gold2 6s ok", "1 7s ok",
			"gold3 8s ok", "2 9s ok", "3 10s ok")
	})
}

// TestLimitsUnderLoad has many callers, some of which give up, and counts who is inside.
func TestLimitsUnderLoad(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var inside atomic.Int64
		var perKey [3]atomic.Int64
		s := Settings{Concurrency: 4, PerKey: 2, Rate: 1000, Burst: 3, Timeout: time.Hour}
		r := registryWith(t, Go(func(_ context.Context, in []byte) ([]byte, error) {
			key, _ := strconv.Atoi(string(in))
			if all, mine := inside.Add(1), perKey[key].Add(1); all > 4 || (key > 0 && mine > 2) {
				t.Errorf("%d inside, %d of the key", all, mine)
			}
			time.Sleep(time.Duration(key) * time.Millisecond)
			perKey[key].Add(-1)
			inside.Add(-1)
			return in, nil
		}), s)
		var done, gone atomic.Int64
		var wg sync.WaitGroup
		for i := range 600 {
			wg.Go(func() {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				if i%3 == 0 { // at the moment of its turn, before and after it
					time.AfterFunc(time.Duration(i)*time.Millisecond/2, cancel)
				}
				req := &Request{Function: "f", Priority: int8(i % 2), Tenant: strconv.Itoa(i % 5), Input: []byte(strconv.Itoa(i % 3))}
				if i%3 > 0 {
					req.ConcurrencyKey = strconv.Itoa(i % 3)
				}
				switch _, err := r.Invoke(ctx, req); {
				case err == nil:
					done.Add(1)
				case errors.Is(err, context.Canceled):
					gone.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		synctest.Wait()
		if done.Load()+gone.Load() != 600 || gone.Load() == 0 || done.Load() < 400 {
			t.Errorf("%d done, %d gone", done.Load(), gone.Load())
		}
		idle(t, r.find("f").gate)
	})
}

func TestHeartbeats(t *testing.T) {
	t.Parallel()
	beating := func(beats int, deaf bool) Invoker {
		return Go(func(ctx context.Context, _ []byte) ([]byte, error) {
			for range beats {
				time.Sleep(time.Second)
				Beat(ctx)
			}
			if deaf {
				time.Sleep(10 * time.Second)
				return nil, nil
			}
			select {
			case <-ctx.Done():
				return nil, fmt.Errorf("gave up: %w", context.Cause(ctx))
			case <-time.After(10 * time.Second):
				return nil, nil
			}
		})
	}
	for name, c := range map[string]struct {
		invoker Invoker
		s       Settings
		req     Request
		want    string
	}{
		"none wanted":       {beating(1, false), Settings{}, Request{}, "11s <nil>"},
		"of the function":   {beating(5, false), Settings{Heartbeat: 2 * time.Second}, Request{}, "7s States.HeartbeatTimeout"},
		"of the request":    {beating(5, false), Settings{Heartbeat: 4 * time.Second}, Request{Heartbeat: 3 * time.Second}, "8s States.HeartbeatTimeout"},
		"patient":           {beating(0, true), Settings{}, Request{Heartbeat: 3 * time.Second, Patient: true}, "3s States.HeartbeatTimeout"},
		"deaf":              {beating(5, true), Settings{Heartbeat: 2 * time.Second}, Request{}, "7s States.HeartbeatTimeout"},
		"time-out is first": {beating(5, true), Settings{Heartbeat: 2 * time.Second, Timeout: 6 * time.Second}, Request{}, "6s Sandbox.Timedout"},
		"enough":            {beating(5, false), Settings{Heartbeat: 20 * time.Second}, Request{}, "15s <nil>"},
		"cannot beat":       {struct{ Invoker }{beating(0, false)}, Settings{}, Request{Heartbeat: time.Second}, "10s <nil>"},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := registryWith(t, c.invoker, c.s)
			c.req.Function = "f"
			start := time.Now()
			_, err := r.Invoke(t.Context(), &c.req)
			got, _, _ := strings.Cut(fmt.Sprintf("%v %v", time.Since(start), err), ":")
			if got != c.want {
				t.Errorf("%s: got %s, want %s", name, got, c.want)
			}
			time.Sleep(time.Minute) // a deaf function ends
			idle(t, r.find("f").gate)
		})
	}
	Beat(t.Context()) // nobody listens
}

// TestCausesReachTheFunction ends calls for every reason and asks the function what it saw.
func TestCausesReachTheFunction(t *testing.T) {
	t.Parallel()
	stopped := errors.New("the run was stopped")
	for want, c := range map[string]struct {
		s   Settings
		req Request
	}{
		"Sandbox.Timedout":           {Settings{Timeout: time.Second}, Request{ID: "id", Deadline: time.Now().Add(100 * 365 * 24 * time.Hour)}},
		"States.HeartbeatTimeout":    {Settings{Heartbeat: time.Second}, Request{}},
		"States.Timeout":             {Settings{Timeout: time.Hour}, Request{Deadline: time.Date(2000, 1, 1, 0, 0, 1, 0, time.UTC)}}, // bubbles begin in 2000
		stopped.Error():              {Settings{Timeout: time.Hour}, Request{Patient: true}},
		"patient " + stopped.Error(): {Settings{}, Request{Patient: true}},
	} {
		synctest.Test(t, func(t *testing.T) {
			saw := make(chan error, 1)
			r := registryWith(t, Go(func(ctx context.Context, _ []byte) ([]byte, error) {
				<-ctx.Done()
				saw <- context.Cause(ctx)
				return nil, ctx.Err()
			}), c.s)
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Minute, func() { cancel(stopped) })
			c.req.Function = "f"
			_, err := r.Invoke(ctx, &c.req)
			cause := <-saw
			var own *Error
			if errors.As(cause, &own) {
				if e := failure(t, err); own.Type != want || e.Type != own.Type || e.Cause != own.Cause || !strings.HasPrefix(cause.Error(), want) {
					t.Errorf("%s: the function saw %v, the caller got %v", want, cause, err)
				}
			} else if !strings.HasSuffix(want, cause.Error()) || !errors.Is(err, cause) {
				t.Errorf("%s: the function saw %v, the caller got %v", want, cause, err)
			}
		})
	}
}

func TestSettingsAreChecked(t *testing.T) {
	t.Parallel()
	fn := takes(0)
	for want, c := range map[string]struct {
		invoker Invoker
		s       Settings
	}{
		"invoker must not be nil": {nil, Settings{}},
		"not be negative":         {fn, Settings{PerKey: -1}},
		"rate is -1":              {fn, Settings{Rate: -1}},
		"rate is NaN":             {fn, Settings{Rate: math.NaN()}},
		"rate is 1e+07":           {fn, Settings{Rate: 1e7}},
		"rate is 0.0001":          {fn, Settings{Rate: 0.0001}},
		"burst is 2":              {fn, Settings{Burst: 2}},
		"burst is 1000001":        {fn, Settings{Rate: 1, Burst: 1_000_001}},
		`tenant "gold"`:           {fn, Settings{Tenants: map[string]int{"gold": 0}}},
		"hears no heartbeats":     {struct{ Invoker }{fn}, Settings{Heartbeat: time.Second}},
	} {
		err := NewRegistry().Register("f", c.invoker, c.s)
		if !fault.Is(err, fault.InvalidArgument) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	r := NewRegistry()
	weights := map[string]int{"gold": 3}
	if err := r.Register("f", fn, Settings{Rate: 2.5, Tenants: weights}); err != nil {
		t.Fatal(err)
	}
	clear(weights)
	if info, _ := r.Lookup("f"); info.Burst != 3 || info.Aging != DefaultAging || info.Queue != QueueLength || info.Tenants["gold"] != 3 {
		t.Errorf("defaults: %+v", info)
	}
}

func BenchmarkBeat(b *testing.B) {
	ctx, stop := listen(b.Context(), time.Hour)
	defer stop()
	b.ReportAllocs()
	for b.Loop() {
		Beat(ctx)
	}
}
