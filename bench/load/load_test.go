package load_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/bench/load"
)

// stall is a server that does one piece at a time, each in a millisecond, and that stops for a second when it comes to
// the hundredth.
type stall struct {
	turn chan struct{}
	done atomic.Int64
}

func (s *stall) do(context.Context, int) error {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	time.Sleep(time.Millisecond)
	if s.done.Add(1) == 100 {
		time.Sleep(time.Second)
	}
	return nil
}

// TestOpenLoopSeesAStall is what coordinated omission is about: a stall of one second hits everything that was to begin in
// that second.
func TestOpenLoopSeesAStall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		closed, err := load.Closed(t.Context(), 1, 3*time.Second, (&stall{turn: make(chan struct{}, 1)}).do)
		if err != nil {
			t.Fatal(err)
		}
		open, err := load.Open(t.Context(), 100, 3*time.Second, (&stall{turn: make(chan struct{}, 1)}).do)
		if err != nil {
			t.Fatal(err)
		}
		if p90 := closed.Latency.Quantile(90); p90 > 2 {
			t.Errorf("p90 of the closed loop is %v ms: its one client should have met the stall once", p90)
		}
		if p90 := open.Latency.Quantile(90); p90 < 500 {
			t.Errorf("p90 of the open loop is %v ms: a third of its pieces were due during the stall", p90)
		}
		if open.Count != 300 {
			t.Errorf("the open loop began %d pieces in 3 s at 100/s", open.Count)
		}
		if closed.Rate() < 600 || closed.Rate() > 700 {
			t.Errorf("the closed loop did %v pieces a second, want 2,000 in 3 s", closed.Rate())
		}
	})
}

func TestEachClientDoesAtLeastOnePiece(t *testing.T) {
	t.Parallel()
	r, err := load.Closed(t.Context(), 7, 0, func(context.Context, int) error { return nil })
	if err != nil || r.Count != 7 {
		t.Errorf("%d pieces, %v", r.Count, err)
	}
}

func TestFailuresAreReturned(t *testing.T) {
	t.Parallel()
	wrong := errors.New("wrong")
	do := func(_ context.Context, n int) error {
		if n == 3 {
			return wrong
		}
		return nil
	}
	if _, err := load.Closed(t.Context(), 2, 50*time.Millisecond, do); !errors.Is(err, wrong) {
		t.Errorf("closed: %v", err)
	}
	if _, err := load.Open(t.Context(), 1e6, 10*time.Microsecond, do); !errors.Is(err, wrong) {
		t.Errorf("open: %v", err)
	}
}

func TestDistribution(t *testing.T) {
	t.Parallel()
	h := load.NewHistogram()
	for _, ms := range []int{1, 1, 2, 4} {
		h.Record(time.Duration(ms) * time.Millisecond)
	}
	got := h.Distribution()
	want := []load.Point{{1, 0.5}, {2, 0.75}, {4, 1}}
	if len(got) != len(want) {
		t.Fatalf("%v, want %v", got, want)
	}
	for i := range got {
		if got[i].Share != want[i].Share || got[i].MS < want[i].MS || got[i].MS > want[i].MS*1.01 {
			t.Errorf("point %d is %v, want %v", i, got[i], want[i])
		}
	}
}
