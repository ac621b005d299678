package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftworks/weft"
	"github.com/weftworks/weft/bench/load"
)

// wakeRate is how many workflows a second are due to wake: somewhat more than the target.
const wakeRate = 25_000

// benchAsleep starts many workflows that sleep, measures resident memory, and how they wake.
func benchAsleep(r *report, c *settings) error {
	dir, err := os.MkdirTemp(c.dir, "asleep-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	f, err := spawn("asleep", dir, strconv.Itoa(c.sleepers))
	if err != nil {
		return err
	}
	n := float64(c.sleepers)
	r.add("asleep.runs", n, "runs", "workflows in w.SleepUntil")
	r.add("asleep.start", f["start_rate"], "runs/s", "started, durable, 256 outstanding")
	r.add("asleep.resident", f["rss"]/(1<<20), "MiB", "process, while all sleep")
	r.add("asleep.disk", f["disk"]/n, "B/run", "data directory, at the end")
	r.add("asleep.wake.rate", f["wake_rate"], "runs/s", fmt.Sprintf("%.0f runs, due at %d runs/s", f["woken"], wakeRate))
	r.add("asleep.late.p50", f["late_p50"], "ms", "from the time that was asked for to the step")
	r.add("asleep.late.p99", f["late_p99"], "ms", "")
	r.add("asleep.late.max", f["late_max"], "ms", "")
	return nil
}

// sleepers is a program whose workflows sleep until a time (Unix milliseconds), and how late they wake.
type sleepers struct {
	app     *weft.App
	program *weft.WorkflowOf[int64, bool]

	mu    sync.Mutex
	late  *load.Histogram
	woken atomic.Int64
}

func newSleepers(dir string) (s *sleepers, err error) {
	s = &sleepers{late: load.NewHistogram()}
	s.program = weft.Workflow("sleep", func(w *weft.Flow, due int64) (bool, error) {
		at := time.UnixMilli(due)
		w.SleepUntil(at)
		if !w.Replaying() {
			s.woke(at)
		}
		return true, nil
	})
	s.app, err = weft.Open(weft.Options{Dir: dir, Logger: slog.New(slog.DiscardHandler)}, s.program)
	return s, err
}

// woke notes that a workflow has woken that was to wake at a time.
//
//weft:deterministic it measures the code from outside; nothing that the workflow does depends on it
func (s *sleepers) woke(at time.Time) {
	s.mu.Lock()
	s.late.Record(time.Since(at))
	s.mu.Unlock()
	s.woken.Add(1)
}

// start starts workflows; the i-th sleeps until due(i).
func (s *sleepers) start(from, to int, due func(i int) time.Time) error {
	const clients = 256
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for i := from + client; i < to && errs[client] == nil; i += clients {
				_, errs[client] = s.program.Run(context.Background(), s.app, due(i).UnixMilli())
			}
		})
	}
	wg.Wait()
	return errors.Join(errs...)
}

// asleepPart is the part of benchAsleep that has a process of its own. The first twentieth of the workflows tells how long it will
// take to start the others; it sleeps on. The others wake evenly once all are asleep.
func asleepPart(_, dir string, args []string, figures map[string]float64) error {
	count, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	s, err := newSleepers(dir)
	if err != nil {
		return err
	}
	first := count / 20
	began := time.Now()
	far := began.Add(24 * time.Hour)
	if err := s.start(0, first, func(int) time.Time { return far }); err != nil {
		return err
	}
	wait := time.Since(began) * time.Duration(count-first) / time.Duration(max(first, 1))
	base := time.Now().Add(2*wait + 5*time.Second)
	due := func(i int) time.Time {
		return base.Add(time.Duration(i-first) * time.Second / wakeRate)
	}
	if err := s.start(first, count, due); err != nil {
		return err
	}
	figures["start_rate"] = float64(count) / time.Since(began).Seconds()
	debug.FreeOSMemory()
	figures["rss"] = resident()
	if late := time.Since(base); late > 0 {
		return fmt.Errorf("the workflows were to wake %s before the last of them was started: the machine has become slower meanwhile; try again", late)
	}
	end := due(count).Add(2*time.Duration(count)*time.Second/wakeRate + 30*time.Second)
	for s.woken.Load() < int64(count-first) && time.Now().Before(end) {
		time.Sleep(10 * time.Millisecond)
	}
	figures["woken"] = float64(s.woken.Load())
	figures["wake_rate"] = figures["woken"] / time.Since(base).Seconds()
	s.mu.Lock()
	defer s.mu.Unlock()
	figures["late_p50"], figures["late_p99"], figures["late_max"] = s.late.Quantile(50), s.late.Quantile(99), s.late.Max()
	if n := s.woken.Load(); n != int64(count-first) {
		return fmt.Errorf("%d of %d workflows woke in time", n, count-first)
	}
	return nil
}
