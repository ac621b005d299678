package function

import (
	"context"
	"errors"
	"testing"
	"time"
)

// blocking is an Invoker whose calls say that they run and end when told.
type blocking struct {
	entered chan string
	leave   chan struct{}
}

func (b *blocking) Invoke(_ context.Context, req *Request) (*Result, error) {
	b.entered <- req.ID
	<-b.leave
	return &Result{Output: []byte("null")}, nil
}

// waitQueued returns once n calls of the only function wait for a turn.
func waitQueued(t *testing.T, r *Registry, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); r.Stats()[0].Waiting != n; {
		if time.Now().After(deadline) {
			t.Fatalf("%d calls wait, want %d", r.Stats()[0].Waiting, n)
		}
		time.Sleep(100 * time.Microsecond)
	}
}

// settings fills in defaults.
func settings(t interface{ Fatal(...any) }, s Settings) *Settings {
	if err := s.complete("f", Go(nil)); err != nil {
		t.Fatal(err)
	}
	return &s
}

func idle(t *testing.T, g *gate) {
	t.Helper()
	g.mu.Lock()
	defer g.mu.Unlock()
	isIdle(t, &g.turns)
}

// isIdle fails when anything is left of calls.
func isIdle(t interface{ Errorf(string, ...any) }, v *turns) {
	if v.running != 0 || v.waiting != 0 || v.held != 0 || len(v.keys)+len(v.levels)+len(v.shares)+len(v.lines) != 0 {
		t.Errorf("left behind: %d running, %d waiting, %d held; %d keys, %d levels, %d shares, %d lines",
			v.running, v.waiting, v.held, len(v.keys), len(v.levels), len(v.shares), len(v.lines))
	}
}

func TestGateKeepsOrderAndBounds(t *testing.T) {
	t.Parallel()
	b := &blocking{entered: make(chan string, 10), leave: make(chan struct{})}
	r := NewRegistry()
	if err := r.Register("f", b, Settings{Concurrency: 1, Queue: 3}); err != nil {
		t.Fatal(err)
	}
	results := make(chan error, 10)
	call := func(ctx context.Context, id string, deadline time.Time) {
		_, err := r.Invoke(ctx, &Request{Function: "f", ID: id, Deadline: deadline})
		results <- err
	}
	go call(t.Context(), "0", time.Time{})
	if id := <-b.entered; id != "0" {
		t.Fatalf("%s entered first", id)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	for i, id := range []string{"1", "cancelled", "2"} {
		ctx := t.Context()
		if id == "cancelled" {
			ctx = cancelled
		}
		go call(ctx, id, time.Time{})
		waitQueued(t, r, i+1)
	}
	var full *Error
	if _, err := r.Invoke(t.Context(), &Request{Function: "f", ID: "full"}); !errors.As(err, &full) || full.Type != "Lambda.TooManyRequestsException" || !full.StartFailed {
		t.Errorf("a full queue answers %v", err)
	}
	cancel()
	if err := <-results; !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled waiter got %v", err)
	}
	var late *Error
	if _, err := r.Invoke(t.Context(), &Request{Function: "f", ID: "late", Deadline: time.Now()}); !errors.As(err, &late) || late.Type != "States.Timeout" || late.Cause != "" {
		t.Errorf("a deadline in the queue gives %v", err)
	}
	for _, want := range []string{"1", "2"} {
		b.leave <- struct{}{}
		if got := <-b.entered; got != want {
			t.Errorf("%s entered, want %s", got, want)
		}
	}
	b.leave <- struct{}{}
	for range 3 {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	idle(t, r.find("f").gate)
}

// TestGateUnderCancellation hands turns to callers that give up at the same moment: none may be lost.
func TestGateUnderCancellation(t *testing.T) {
	t.Parallel()
	g := newGate(settings(t, Settings{Concurrency: 2, Queue: 1000}))
	done := make(chan bool)
	const callers = 200
	for i := range callers {
		go func() {
			ctx, cancel := context.WithCancel(t.Context())
			if i%2 == 0 {
				go cancel()
			}
			if in, err := g.enter(ctx, &Request{}); err == nil {
				in.leave()
			}
			cancel()
			done <- true
		}()
	}
	for range callers {
		<-done
	}
	idle(t, g)
}

// TestTurnOfACallThatGivesUp admits calls that have given up already: whichever they notice first, the turn goes on.
func TestTurnOfACallThatGivesUp(t *testing.T) {
	t.Parallel()
	g := newGate(settings(t, Settings{Concurrency: 1, PerKey: 1}))
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	req := &Request{ConcurrencyKey: "k"}
	for range 64 {
		first, err := g.enter(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		g.mu.Lock()
		w := g.turns.push(req, time.Now())
		w.turn = make(chan struct{})
		g.mu.Unlock()
		first.leave()
		if in, err := g.wait(gone, req, w); err == nil {
			in.leave()
		}
		idle(t, g)
	}
}

func BenchmarkGate(b *testing.B) {
	for _, c := range []struct {
		name     string
		s        Settings
		req      Request
		parallel int // callers per P; 0: one caller
	}{
		{"free", Settings{Concurrency: 8}, Request{}, 0},
		{"key", Settings{Concurrency: 8, PerKey: 2}, Request{ConcurrencyKey: "k"}, 0},
		{"rate", Settings{Rate: RateMost, Burst: BurstMost}, Request{}, 0},
		{"parallel", Settings{Concurrency: 800}, Request{}, 1},
		{"contended", Settings{Concurrency: 1}, Request{}, 8},
		{"contended key", Settings{Concurrency: 8, PerKey: 1}, Request{ConcurrencyKey: "k", Tenant: "t", Priority: 1}, 8},
	} {
		b.Run(c.name, func(b *testing.B) {
			g := newGate(settings(b, c.s))
			if c.name == "rate" {
				g.turns.rate.each = 1 // it would bite otherwise
			}
			b.ReportAllocs()
			turn := func(req *Request) {
				in, err := g.enter(context.Background(), req)
				if err != nil {
					b.Error(err)
				}
				in.leave()
			}
			if c.parallel == 0 {
				for b.Loop() {
					turn(&c.req)
				}
				return
			}
			b.SetParallelism(c.parallel)
			b.RunParallel(func(pb *testing.PB) {
				req := c.req
				for pb.Next() {
					turn(&req)
				}
			})
		})
	}
}
