package function

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/weftworks/weft/fault"
)

// slow is a Preparer that waits for its turn to be let go.
type slow struct {
	Invoker
	busy, most *atomic.Int64
	started    chan<- struct{}
	release    <-chan struct{}
	err        error
}

func (s *slow) Prepare(ctx context.Context) error {
	n := s.busy.Add(1)
	defer s.busy.Add(-1)
	for {
		most := s.most.Load()
		if n <= most || s.most.CompareAndSwap(most, n) {
			break
		}
	}
	s.started <- struct{}{}
	select {
	case <-s.release:
	case <-ctx.Done():
		return ctx.Err()
	}
	return s.err
}

// prepared is a registry of n functions to prepare and one with nothing to do; odd ones fail.
func prepared(t *testing.T, n int) (r *Registry, most *atomic.Int64, started chan struct{}, release chan struct{}) {
	t.Helper()
	echo := Go(func(_ context.Context, in []byte) ([]byte, error) { return in, nil })
	r, most, started, release = registryWith(t, echo, Settings{}), new(atomic.Int64), make(chan struct{}, n), make(chan struct{})
	busy := new(atomic.Int64)
	for i := range n {
		s := &slow{Invoker: echo, busy: busy, most: most, started: started, release: release}
		if i%2 == 1 {
			s.err = Failure("Weft.BuildFailed", "no %d", i)
		}
		if err := r.Register(fmt.Sprintf("g%d", i), s, Settings{}); err != nil {
			t.Fatal(err)
		}
	}
	return r, most, started, release
}

func TestPrepareRunsInParallelAndJoinsErrors(t *testing.T) {
	t.Parallel()
	n := 2*runtime.GOMAXPROCS(0) + 2
	r, most, started, release := prepared(t, n)
	done := make(chan error)
	go func() { done <- r.Prepare(t.Context()) }()
	for range runtime.GOMAXPROCS(0) {
		<-started
	}
	if _, err := r.Invoke(t.Context(), &Request{Function: "g0", Input: []byte("1")}); err != nil {
		t.Errorf("a call meanwhile: %v", err)
	}
	close(release)
	err := <-done
	if got := int(most.Load()); got != runtime.GOMAXPROCS(0) {
		t.Errorf("%d at a time, want %d", got, runtime.GOMAXPROCS(0))
	}
	list, ok := err.(interface{ Unwrap() []error })
	if !ok || len(list.Unwrap()) != n/2 {
		t.Fatalf("got %v", err)
	}
	for i, err := range list.Unwrap() {
		var e *Error
		var f *fault.Error
		if !errors.As(err, &f) || f.Kind != fault.InvalidArgument || f.Subject != fmt.Sprintf("g%d", 2*i+1) || !errors.As(err, &e) {
			t.Errorf("error %d: %v", i, err)
		}
	}
}

func TestPrepareTakesNames(t *testing.T) {
	t.Parallel()
	r, _, started, release := prepared(t, 3)
	close(release)
	if err := r.Prepare(t.Context(), "g2", "arn:aws:lambda:us-east-1:123456789012:function:g2", "g0", "f"); err != nil || len(started) != 2 {
		t.Errorf("%v after %d preparations", err, len(started))
	}
	err := r.Prepare(t.Context(), "gone")
	if !fault.Is(err, fault.InvalidArgument) || !strings.Contains(err.Error(), "gone") {
		t.Errorf("an unknown name: %v", err)
	}
}

func TestPrepareEndsWithItsContext(t *testing.T) {
	t.Parallel()
	r, _, started, _ := prepared(t, runtime.GOMAXPROCS(0)+1)
	why := errors.New("interrupted")
	ctx, stop := context.WithCancelCause(t.Context())
	done := make(chan error)
	go func() { done <- r.Prepare(ctx) }()
	<-started
	stop(why)
	if err := <-done; !errors.Is(err, why) {
		t.Errorf("got %v", err)
	}
}
