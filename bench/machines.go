package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/weftworks/weft/bench/load"
	"github.com/weftworks/weft/config"
	"github.com/weftworks/weft/engine"
)

// benchFive measures runs of five sequential trivial calls, functions in process.
func benchFive(r *report, c *settings) error {
	for _, v := range []struct {
		name, function string
		speculation    engine.Speculation
	}{
		{"machine.five.local", "hello", engine.SpeculationLocal},
		{"machine.five.local.idempotent", "again", engine.SpeculationLocal},
		{"machine.five.none", "hello", engine.SpeculationNone},
	} {
		err := withNode(c, engine.Options{Functions: echo(), Speculation: v.speculation}, func(n *engine.Node) error {
			return five(r, c, n, v.name, v.function, 5)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// five measures one way to run the five calls: one client, 64 and 256 outstanding, and open-loop at half of that.
func five(r *report, c *settings, n *engine.Node, name, function string, calls int) error {
	ctx := context.Background()
	if _, err := n.CreateMachine(ctx, engine.CreateMachine{Name: "five", Definition: sequence(calls, function)}); err != nil {
		return err
	}
	length, do := c.length, runs(n, "five")
	if _, err := load.Closed(ctx, 16, length/5, do); err != nil { // warm up
		return err
	}
	was := n.Stats().Log.Syncs
	one, err := load.Closed(ctx, 1, length, do)
	if err != nil {
		return err
	}
	h := one.Latency
	syncs := float64(n.Stats().Log.Syncs-was) / float64(one.Count)
	disk := r.all["disk.fdatasync.p50"]
	note := ""
	if disk > 0 {
		note = fmt.Sprintf("%.1f syncs; without %.0f bare ones %.2f ms", syncs, syncs, h.Quantile(50)-syncs*disk)
	}
	r.add(name+".one.p50", h.Quantile(50), "ms", note)
	r.add(name+".one.p95", h.Quantile(95), "ms", "")
	r.add(name+".one.p99", h.Quantile(99), "ms", "")
	best := 0.0
	for _, outstanding := range []int{64, 256} {
		runtime.GC()
		before, was := used(), n.Stats().Log
		many, err := load.Closed(ctx, outstanding, 2*length, do)
		if err != nil {
			return err
		}
		after, is := used(), n.Stats().Log
		h, rate := many.Latency, many.Rate()
		per := func(v float64) float64 { return v / float64(many.Count) }
		best = max(best, rate)
		p := fmt.Sprintf("%s.%d.", name, outstanding)
		r.add(p+"runs_per_s", rate, "runs/s", "")
		r.add(p+"p50", h.Quantile(50), "ms", "closed loop")
		r.add(p+"p99", h.Quantile(99), "ms", "closed loop")
		r.add(p+"syncs", per(float64(is.Syncs-was.Syncs)), "syncs/run", "")
		r.add(p+"log", per(float64(is.Bytes-was.Bytes)), "B/run", "")
		r.add(p+"cpu", per(float64((after.cpu - before.cpu).Microseconds())), "us/run", "the clients and functions included")
		r.add(p+"allocations", per(float64(after.mallocs-before.mallocs)), "1/run", "")
		r.flush()
	}
	open, err := load.Open(ctx, best/2, 2*length, do)
	if err != nil {
		return err
	}
	h = open.Latency
	note = fmt.Sprintf("open loop at %.0f runs/s", best/2)
	r.add(name+".open.p50", h.Quantile(50), "ms", note)
	r.add(name+".open.p95", h.Quantile(95), "ms", note)
	r.add(name+".open.p99", h.Quantile(99), "ms", note)
	log := n.Stats().Log
	r.add(name+".sync.p50", log.SyncP50.Seconds()*1000, "ms", "one fdatasync of the log, over all of the above")
	r.add(name+".sync.p99", log.SyncP99.Seconds()*1000, "ms", "")
	r.flush()
	return nil
}

// benchProcess measures the five calls with the function in processes that speak the Lambda Runtime API.
func benchProcess(r *report, c *settings) error {
	dir, err := os.MkdirTemp(c.dir, "echo-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	binary := filepath.Join(dir, "echo")
	if out, err := exec.Command("go", "build", "-o", binary, "github.com/weftworks/weft/bench/echo").CombinedOutput(); err != nil {
		return fmt.Errorf("building the function: %w: %s", err, out)
	}
	text := fmt.Sprintf("functions:\n  hello: {runtime: provided, binary: %q, concurrency: 4}\n", binary)
	cfg, err := config.Parse("weft.yaml", dir, []byte(text))
	if err != nil {
		return err
	}
	reg, err := cfg.Registry(config.Options{})
	if err != nil {
		return err
	}
	defer func() { _ = reg.Close() }()
	return withNode(c, engine.Options{Functions: reg}, func(n *engine.Node) error {
		return five(r, c, n, "machine.process", "hello", 5)
	})
}

// benchFan measures a Map over n items that calls a function for each, and joins.
func benchFan(r *report, c *settings) error {
	return withNode(c, engine.Options{Functions: echo()}, func(n *engine.Node) error {
		definition := []byte(`{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"hello","End":true}}}}}}`)
		if _, err := n.CreateMachine(context.Background(), engine.CreateMachine{Name: "fan", Definition: definition}); err != nil {
			return err
		}
		for _, width := range []int{100, 1000} {
			input := []byte("[" + strings.TrimSuffix(strings.Repeat("1,", width), ",") + "]")
			h, err := repeat(20, func() error { return once(n, "fan", input) })
			if err != nil {
				return err
			}
			r.add(fmt.Sprintf("machine.fan.%d.p50", width), h.Quantile(50), "ms", "start to joined result")
			r.add(fmt.Sprintf("machine.fan.%d.max", width), h.Max(), "ms", "of 20")
		}
		return nil
	})
}

// benchChain measures 1,000 calls in a row.
func benchChain(r *report, c *settings) error {
	return withNode(c, engine.Options{Functions: echo()}, func(n *engine.Node) error {
		for _, v := range []struct{ name, function string }{{"safe", "hello"}, {"idempotent", "again"}} {
			if _, err := n.CreateMachine(context.Background(), engine.CreateMachine{Name: v.name, Definition: sequence(1000, v.function)}); err != nil {
				return err
			}
			before := n.Stats().Log.Syncs
			h, err := repeat(5, func() error { return once(n, v.name, nil) })
			if err != nil {
				return err
			}
			note := fmt.Sprintf("%.0f syncs", float64(n.Stats().Log.Syncs-before)/6)
			r.add("machine.chain.1000."+v.name+".p50", h.Quantile(50), "ms", note)
		}
		return nil
	})
}

// repeat calls fn once to warm up and then n times, and returns the latencies in microseconds.
func repeat(n int, fn func() error) (h *load.Histogram, err error) {
	if err := fn(); err != nil {
		return nil, err
	}
	h = load.NewHistogram()
	for range n {
		began := time.Now()
		if err := fn(); err != nil {
			return nil, err
		}
		h.Record(time.Since(began))
	}
	return h, nil
}
