package sim

import (
	"math"
	"slices"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
)

// Limiter is a Workload whose functions have limits. As for engine.Node they are those of one process: what was under way when
// it ended is begun anew by the next one.
type Limiter interface {
	// Limits returns what a function is declared with, always the same.
	Limits(function string) function.Settings
}

type pendingCall struct {
	epoch     int
	partition partition.ID
	ref       partition.Ref
	call      partition.Invocation
	turn      *function.Turn // nil: of a function without limits
}

// gate is the limits of a function, and what a referee who does not know how they work has seen.
type gate struct {
	settings function.Settings
	turns    *function.Turns
	waiting  []pendingCall
	running  []pendingCall
	begun    []int64 // Unix nanoseconds
}

// gate finds the limits of a function; nil: it has none.
func (n *node) gate(name string) *gate {
	l, ok := n.w.workload.(Limiter)
	if !ok {
		return nil
	}
	g := n.gates[name]
	if g == nil {
		s := l.Limits(name)
		g = &gate{settings: s, turns: function.NewTurns(s)}
		n.gates[name] = g
		n.gateNames = append(n.gateNames, name)
	}
	return g
}

// clock is a time that never goes back while the process lives, as limits want it.
func (n *node) clock() time.Time {
	n.steady = max(n.steady, n.w.Now)
	return time.UnixMilli(n.steady)
}

// Invoke implements lane.Host.
func (h host) Invoke(p partition.ID, ref partition.Ref, call partition.Invocation) {
	h.w.note("invoke", uint64(p), uint64(ref), call.ID)
	c := pendingCall{epoch: h.epoch, partition: p, ref: ref, call: call}
	g := h.gate(call.Function)
	if g == nil {
		h.w.calls = append(h.w.calls, c)
		return
	}
	turn, ok := g.turns.Enter(&function.Request{
		Function: call.Function, ConcurrencyKey: call.Key, Tenant: call.Tenant, Priority: call.Priority,
	}, h.clock())
	if !ok {
		h.w.stats.Refused++
		h.w.answerCall(c, partition.Event{Error: "Lambda.TooManyRequestsException", Flag: true})
		return
	}
	c.turn = turn
	if turn.Runs() || h.w.opts.Faults.IgnoreTurns {
		h.begin(g, c)
		return
	}
	h.w.stats.Waited++
	g.waiting = append(g.waiting, c)
	h.admit(g)
}

// admit begins the calls whose turn has come.
func (n *node) admit(g *gate) {
	for t := g.turns.Next(n.clock()); t != nil; t = g.turns.Next(n.clock()) {
		i := slices.IndexFunc(g.waiting, func(c pendingCall) bool { return c.turn == t })
		if i < 0 {
			n.w.Fail("a call of a function that waits for no turn gets one")
			return
		}
		c := g.waiting[i]
		g.waiting = slices.Delete(g.waiting, i, i+1)
		n.begin(g, c)
	}
	if i := slices.IndexFunc(g.waiting, func(c pendingCall) bool { return g.objection(&c, n.clock()) == "" }); i >= 0 {
		n.w.Fail("a call of %s waits and could begin", g.waiting[i].call.Function)
	}
}

// ring lets in those who waited for time to pass.
func (n *node) ring() {
	for _, name := range n.gateNames {
		n.admit(n.gates[name])
	}
}

// objection says which limit would be passed if a call began; "": none.
func (g *gate) objection(c *pendingCall, now time.Time) string {
	s := &g.settings
	if s.Concurrency > 0 && len(g.running) >= s.Concurrency {
		return "concurrency"
	}
	same := 0
	for i := range g.running {
		if g.running[i].call.Key == c.call.Key {
			same++
		}
	}
	if s.PerKey > 0 && c.call.Key != "" && same >= s.PerKey {
		return "concurrency per key"
	}
	if s.Rate == 0 {
		return ""
	}
	each := int64(math.Ceil(float64(time.Second) / s.Rate)) // to the slower nanosecond
	for i, at := range g.begun {
		if int64(len(g.begun)-i+1-s.Burst)*each > now.UnixNano()-at {
			return "rate"
		}
	}
	return ""
}

// begin begins a call.
func (n *node) begin(g *gate, c pendingCall) {
	if limit := g.objection(&c, n.clock()); limit != "" {
		n.w.Fail("a call of %s begins beyond its %s, while %d run", c.call.Function, limit, len(g.running))
	}
	g.running = append(g.running, c)
	if g.settings.Rate > 0 {
		g.begun = append(g.begun, n.clock().UnixNano())
	}
	n.w.calls = append(n.w.calls, c)
}

// leave ends a call of this process.
func (n *node) leave(c pendingCall) {
	if c.turn == nil {
		return
	}
	g := n.gates[c.call.Function]
	g.running = slices.DeleteFunc(g.running, func(o pendingCall) bool { return o.turn == c.turn })
	if !n.w.opts.Faults.KeepTurns || !n.w.Chance(0.2) {
		g.turns.Leave(c.turn)
	}
	n.admit(g)
}

// Cancel implements lane.Host: a call that waits is taken back, and one that runs heeds its context or does not.
func (h host) Cancel(p partition.ID, ref partition.Ref, id uint64) {
	same := func(c pendingCall) bool {
		return c.epoch == h.epoch && c.partition == p && c.ref == ref && c.call.ID == id
	}
	for _, name := range h.gateNames {
		g := h.gates[name]
		if i := slices.IndexFunc(g.waiting, same); i >= 0 {
			c := g.waiting[i]
			g.waiting = slices.Delete(g.waiting, i, i+1)
			h.leave(c)
			return
		}
	}
	if i := slices.IndexFunc(h.w.calls, same); i >= 0 && h.w.Chance(0.5) {
		c := h.w.calls[i]
		h.w.calls = slices.Delete(h.w.calls, i, i+1)
		h.leave(c)
	}
}

// wakeGates returns when the first of those who wait for a rate may begin, or next if that is earlier.
func (n *node) wakeGates(next int64) int64 {
	for _, name := range n.gateNames {
		if at, ok := n.gates[name].turns.Wake(); ok {
			next = min(next, max(at.UnixMilli()+1, n.w.Now))
		}
	}
	return next
}

// waits reports whether a call waits for its turn.
func (n *node) waits() bool {
	for _, g := range n.gates {
		if len(g.waiting) > 0 {
			return true
		}
	}
	return false
}

// execute runs one pending call. Its answer is lost if the process ends before it arrives.
func (w *World) execute() {
	i := w.Rand.IntN(len(w.calls))
	p := w.calls[i]
	w.calls = append(w.calls[:i], w.calls[i+1:]...)
	c := Call{ID: p.call.ID, Instance: p.call.Instance, Ref: p.ref, Function: p.call.Function, Input: p.call.Input}
	w.stats.Calls++
	w.note("call "+c.Function, uint64(p.partition), uint64(p.ref), p.call.ID)
	if !w.workload.Idempotent(c.Function) {
		w.executed = append(w.executed, execution{p.partition, p.ref, c})
	}
	if a, ok := w.workload.(Asker); !ok || !a.Begin(c, func(ev partition.Event) { w.answerCall(p, ev) }) {
		w.answerCall(p, w.workload.Call(c))
	}
	w.node.leave(p)
}

// answerCall carries the answer of a function to who waits for it.
func (w *World) answerCall(p pendingCall, ev partition.Event) {
	ev.Kind, ev.Ref, ev.ID = partition.Done, p.ref, p.call.ID
	w.post(delivery{what: "done", epoch: p.epoch, to: func() {
		_ = w.node.lanes[p.partition].Submit(lane.Item{Event: ev, Internal: true})
	}}, true)
}
