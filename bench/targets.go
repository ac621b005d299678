package main

import (
	"fmt"
	"strings"
	"time"
)

// target is something that a figure must reach.
type target struct {
	what   string
	figure string
	over   string // the figure is divided by this one; "": it is taken as it is
	at     float64
	syncs  float64 // bare ones, as they were just before, added to at
	least  bool    // the value must be at or above; otherwise at or below
	unit   string
	paper  string // what the papers have
	shown  bool   // there is no target, it is only shown
}

// compare prints the ratios of the papers and the targets beside what was measured. What was not measured is left out.
func (r *report) compare(c *settings) {
	slow := suffix(".", c.delay)
	r.flush()
	r.section("Ratios", ratios(slow))
	r.section("Targets", targets())
	r.flush()
}

// ratios are those of the papers. With slow syncs they have to come out, on the bare disk they are what they are.
func ratios(slow string) (list []target) {
	latency := func(w, disk, a, b, paper string, least float64) {
		list = append(list, target{
			what: fmt.Sprintf("%s%s, latency p50: %s over %s", w, disk, a, b), figure: w + "." + a + disk + ".one.p50", over: w + "." + b + disk + ".one.p50",
			at: least, least: true, unit: "x", paper: paper, shown: least == 0,
		})
	}
	for i, disk := range []string{slow, ""} {
		none, classic := 8.0, 14.0
		if i == 1 || slow == "" {
			none, classic = 0, 0
		}
		latency("hello3", disk, "none", "local", "7.4", 0)
		latency("hello3", disk, "classic", "local", "15.9", 0)
		latency("seq10", disk, "none", "local", "7.7", none)
		latency("seq10", disk, "classic", "local", "13.9", classic)
		latency("bank", disk, "none", "local", "1.0", 0)
		latency("bank", disk, "classic", "local", "1.5", 0)
		latency("image", disk, "none", "local", "1.1", 0)
		latency("image", disk, "classic", "local", "1.2", 0)
		if slow == "" {
			break
		}
	}
	for _, w := range []struct {
		name, rate, syncs    string
		leastRate, leastSync float64
	}{
		{"hello5", "2.3 to 12", "19", 10, 20},
		{"bank", "1.7 to 7.8", "4.4", 0, 0},
		{"wordcount", "3 to 18.6", "73", 0, 0},
		{"collision", "0.9 to 2.6", "15", 0, 0},
		{"filehash", "", "", 0, 0},
	} {
		list = append(list,
			target{
				what: w.name + ", throughput: local over classic", figure: w.name + ".local.many.rate", over: w.name + ".classic.many.rate",
				at: w.leastRate, least: true, unit: "x", paper: w.rate, shown: w.leastRate == 0,
			},
			target{
				what: w.name + ", accesses to storage: classic over local", figure: w.name + ".classic.many.syncs", over: w.name + ".local.many.syncs",
				at: w.leastSync, least: true, unit: "x", paper: w.syncs, shown: w.leastSync == 0,
			})
	}
	return list
}

func targets() []target {
	return []target{
		{what: "five calls, none: 7 syncs + 0.3 ms", figure: "hello5.none.one.p50", syncs: 7, at: 0.3, unit: "ms"},
		{what: "five calls, local, idempotent: 1 sync + 0.2 ms", figure: "hello5.local.one.p50", syncs: 1, at: 0.2, unit: "ms"},
		{what: "five calls, throughput", figure: "hello5.local.many.rate", at: 20_000, least: true, unit: "runs/s"},
		{what: "five calls that are not idempotent, throughput", figure: "hello5-once.local.many.rate", at: 20_000, least: true, unit: "runs/s"},
		{what: "bank", figure: "bank.local.many.rate", at: 5_000, least: true, unit: "transactions/s"},
		{what: "signals to one entity, by runs", figure: "signals.local.many.rate", at: 100_000, least: true, unit: "signals/s"},
		{what: "signals to one entity, by clients", figure: "counter.local.many.rate", at: 100_000, least: true, unit: "signals/s"},
		{what: "fan-out of 1,000 and join", figure: "fan.local.one.p50", at: 10, unit: "ms"},
		{what: "chain of 1,000, idempotent", figure: "chain.local.one.p50", at: 10, unit: "ms"},
		{what: "workflows asleep, resident memory", figure: "asleep.resident", at: 2048, unit: "MiB"},
		{what: "workflows asleep, wake", figure: "asleep.wake.rate", at: 20_000, least: true, unit: "runs/s"},
		{what: "a distributed Map, peak memory, express", figure: "maprun.express.resident", at: 1024, unit: "MiB"},
		{what: "a distributed Map, peak memory, standard", figure: "maprun.standard.resident", at: 1024, unit: "MiB"},
		{what: "workflows asleep, lateness p99", figure: "asleep.late.p99", at: time.Second.Seconds() * 1000, unit: "ms"},
	}
}

// section prints targets whose figures were measured.
func (r *report) section(title string, list []target) {
	heading := false
	for _, t := range list {
		value, ok := r.value(&t)
		if !ok {
			continue
		}
		if !heading {
			heading = true
			fmt.Printf("\n%s\n", title)
			r.row("WHAT", "MEASURED", "WANTED", "", "PAPER")
		}
		want := r.wanted(&t)
		sign, met := "<=", value <= want
		if t.least {
			sign, met = ">=", value >= want
		}
		verdict := "met"
		if !met {
			verdict = "missed"
		}
		wanted := fmt.Sprintf("%s %s %s", sign, format(want), t.unit)
		if t.shown {
			wanted, verdict = "", ""
		}
		r.row(t.what, format(value)+" "+t.unit, wanted, verdict, t.paper)
	}
	r.flush()
}

// wanted returns what a target's value must reach.
func (r *report) wanted(t *target) float64 {
	return t.at + t.syncs*r.all[strings.TrimSuffix(t.figure, ".p50")+".disk"]
}

// value returns a target's value, and false if it was not measured.
func (r *report) value(t *target) (float64, bool) {
	value, ok := r.all[t.figure]
	if t.over == "" || !ok {
		return value, ok
	}
	by, ok := r.all[t.over]
	return value / max(by, 1e-9), ok
}
