package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"syscall"
	"time"

	"github.com/weftworks/weft/bench/load"
	"github.com/weftworks/weft/bench/mode"
	"github.com/weftworks/weft/bench/workload"
	"github.com/weftworks/weft/bench/workload/bank"
	"github.com/weftworks/weft/bench/workload/collision"
	"github.com/weftworks/weft/bench/workload/counter"
	"github.com/weftworks/weft/bench/workload/eternal"
	"github.com/weftworks/weft/bench/workload/fanout"
	"github.com/weftworks/weft/bench/workload/filehash"
	"github.com/weftworks/weft/bench/workload/hello"
	"github.com/weftworks/weft/bench/workload/image"
	"github.com/weftworks/weft/bench/workload/wordcount"
)

func workloads() []*workload.Workload {
	return []*workload.Workload{
		hello.Three(), hello.Five(), hello.FiveOnce(), hello.Ten(), hello.Chain(), bank.New(), wordcount.New(), collision.Divide(), collision.Flat(),
		fanout.New(), filehash.New(), image.New(image.ModelTime), counter.Clients(), counter.Runs(), eternal.New(),
	}
}

// benchWorkload measures a workload in all modes, and again with slow syncs if its latencies are what the papers
// compare.
func benchWorkload(r *report, c *settings, w *workload.Workload) error {
	delays := []time.Duration{0}
	if w.Delayed && c.delay > 0 {
		delays = append(delays, c.delay)
	}
	r.row("MODE", "SYNC", "ONE p50 ms", "p95", "p99", "syncs", "MANY "+w.Unit+"/s", "p50 ms", "p99", "syncs", "log B", "cpu us", "OPEN p50 ms", "p95", "p99")
	for _, delay := range delays {
		curves := make(map[mode.Mode][]load.Point)
		for _, m := range c.modes {
			b := &bench{report: r, settings: c, workload: w, mode: m, delay: delay}
			if err := b.run(); err != nil {
				return fmt.Errorf("%s: %w", m, err)
			}
			if b.open.Latency != nil {
				curves[m] = b.open.Latency.Distribution()
			}
		}
		if len(curves) == 0 {
			continue
		}
		if err := r.distribution(w.Name+suffix("-", delay), curves); err != nil {
			return err
		}
	}
	return nil
}

// suffix marks what was measured with slow syncs.
func suffix(mark string, delay time.Duration) string {
	if delay == 0 {
		return ""
	}
	return mark + delay.String()
}

// bench is one workload in one mode.
type bench struct {
	report   *report
	settings *settings
	workload *workload.Workload
	mode     mode.Mode
	delay    time.Duration

	system mode.System
	disk   float64 // p50 of a bare sync just before, and what is added to it, in milliseconds
	next   int     // of the pieces
	one    phase
	many   phase
	open   phase
}

// phase is one measurement; Latency is nil if there was none. The rest is per piece.
type phase struct {
	load.Result
	syncs, bytes, cpu, allocations float64
}

func (b *bench) run() (err error) {
	dir, err := os.MkdirTemp(b.settings.dir, "bench-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	b.system, err = mode.Open(b.mode, mode.Options{Dir: dir, SyncDelay: b.delay, Extended: b.settings.extended}, b.workload.Declared...)
	if err != nil {
		return err
	}
	defer func() {
		if e := b.system.Close(); err == nil {
			err = e
		}
	}()
	if err := b.measure(); err != nil {
		return err
	}
	b.tell()
	return nil
}

// measure runs the workload with one client, with many, and in an open loop.
func (b *bench) measure() (err error) {
	length, w := b.settings.length, b.workload
	slow := w.Long && b.mode == mode.Classic
	if !slow {
		if _, err := b.phase(func(do load.Do) (load.Result, error) { // warm up
			return load.Closed(context.Background(), min(w.Outstanding, 16), length/5, do)
		}); err != nil {
			return err
		}
	}
	disk, err := bareSyncs(b.settings.dir, 200) // near enough in time that the machine has not changed meanwhile
	if err != nil {
		return err
	}
	b.disk = disk.Quantile(50) + b.delay.Seconds()*1000
	if b.one, err = b.phase(func(do load.Do) (load.Result, error) { return load.Closed(context.Background(), 1, length, do) }); err != nil || slow {
		return err
	}
	many := 2 * length
	if b.delay > 0 {
		many = length // less happens, and it is latency that is compared
	}
	if b.delay == 0 || b.one.Latency.Quantile(50) < length.Seconds()*1000 { // what is slow by itself is not slower for the syncs
		if b.many, err = b.phase(func(do load.Do) (load.Result, error) {
			return load.Closed(context.Background(), w.Outstanding, many, do)
		}); err != nil {
			return err
		}
	}
	if w.Rate > 0 {
		b.open, err = b.phase(func(do load.Do) (load.Result, error) { return load.Open(context.Background(), w.Rate, 2*length, do) })
	}
	return err
}

// phase runs a loop and says what a piece of it has cost.
func (b *bench) phase(loop func(do load.Do) (load.Result, error)) (p phase, err error) {
	runtime.GC()
	first := b.next
	before, was := used(), b.system.Usage()
	p.Result, err = loop(func(ctx context.Context, n int) error { return b.workload.Do(ctx, b.system, first+n) })
	after, is := used(), b.system.Usage()
	b.next += int(p.Count)
	if p.Count > 0 {
		n := float64(p.Count)
		p.syncs, p.bytes = float64(is.Syncs-was.Syncs)/n, float64(is.Bytes-was.Bytes)/n
		p.cpu, p.allocations = float64((after.cpu-before.cpu).Microseconds())/n, float64(after.mallocs-before.mallocs)/n
	}
	return p, err
}

// tell reports what was measured.
func (b *bench) tell() {
	w := b.workload
	name := w.Name + "." + string(b.mode) + suffix(".", b.delay)
	cells := []string{string(b.mode), format(b.disk)}
	b.report.note(name+".one.disk", b.disk, "ms", "p50 of a bare write and fdatasync just before")
	b.latency(name+".one", &b.one, &cells)
	cells = append(cells, b.cost(name+".one", &b.one, "syncs"))
	if b.many.Latency == nil {
		cells = append(cells, "-", "-", "-", "-", "-", "-")
	} else {
		rate := b.many.Rate() * float64(w.Units)
		note := fmt.Sprintf("%d pieces under way", w.Outstanding)
		b.report.note(name+".many.rate", rate, w.Unit+"/s", note)
		b.report.note(name+".many.p50", b.many.Latency.Quantile(50), "ms", note)
		b.report.note(name+".many.p99", b.many.Latency.Quantile(99), "ms", note)
		cells = append(cells, format(rate), format(b.many.Latency.Quantile(50)), format(b.many.Latency.Quantile(99)))
		for _, what := range []string{"syncs", "log", "cpu"} {
			cells = append(cells, b.cost(name+".many", &b.many, what))
		}
		b.cost(name+".many", &b.many, "allocations")
	}
	if b.open.Latency != nil {
		b.latency(name+".open", &b.open, &cells)
	}
	b.report.row(cells...)
}

func (b *bench) latency(name string, p *phase, cells *[]string) {
	for _, q := range []float64{50, 95, 99} {
		ms := p.Latency.Quantile(q)
		b.report.note(fmt.Sprintf("%s.p%.0f", name, q), ms, "ms", "")
		*cells = append(*cells, format(ms))
	}
}

// cost reports one thing that a piece costs.
func (b *bench) cost(name string, p *phase, what string) string {
	value, unit := p.syncs, "syncs/piece"
	switch what {
	case "log":
		value, unit = p.bytes, "B/piece"
	case "cpu":
		value, unit = p.cpu, "us/piece"
	case "allocations":
		value, unit = p.allocations, "1/piece"
	}
	b.report.note(name+"."+what, value, unit, "")
	return format(value)
}

// usage is what the process has used.
type usage struct {
	cpu     time.Duration
	mallocs uint64
	at      time.Time
}

func used() usage {
	var ru syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &ru) // cannot fail with these arguments
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{cpu: time.Duration(ru.Utime.Nano() + ru.Stime.Nano()), mallocs: m.Mallocs, at: time.Now()}
}
