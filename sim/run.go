package sim

import (
	"fmt"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
)

// actionsDefault is long enough for several crashes and recoveries.
const actionsDefault = 4000

// drainMax bounds what is done after the faults stop. A node that needs more is stuck.
const drainMax = 200_000

// Run runs one simulation to its end.
func Run(opts Options) (result Result) {
	if opts.Actions == 0 {
		opts.Actions = actionsDefault
	}
	w := newWorld(opts)
	defer w.kill()
	for range opts.Actions {
		if w.failure != nil {
			break
		}
		w.guard(w.act)
	}
	w.stats.Accesses = int(w.plan.accesses)
	if w.failure == nil {
		w.drain()
	}
	if w.failure == nil {
		w.down(true) // once more, so that what was quiet for long is recovered as well
		w.drain()
	}
	if w.failure == nil {
		if err := w.check(); err != nil {
			w.failure = err
		}
	}
	w.stats.Entries, w.stats.Lost = len(w.book.entries), w.book.lost
	return Result{Seed: opts.Seed, Err: w.failure, Hash: w.hash, Stats: w.stats}
}

// guard runs an action that may end the process.
func (w *World) guard(action func()) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case crash:
			w.down(r.power)
		default:
			panic(fmt.Sprintf("sim: seed %d: %v", w.opts.Seed, r))
		}
	}()
	action()
}

// down ends the process.
func (w *World) down(power bool) {
	w.stats.Crashes++
	if power {
		w.stats.PowerCuts++
		w.note("power cut")
		w.disk.PowerCut()
	} else {
		w.note("killed")
		w.disk.Kill()
	}
	w.store = w.store.Crash(w.Rand.IntN(w.store.Unflushed() + 1))
	w.kill()
	w.plan.failAt, w.plan.crashAt = 0, 0
	kept := w.calls[:0]
	for _, c := range w.calls {
		if c.epoch == 0 {
			kept = append(kept, c)
		}
	}
	w.calls = kept
}

// kill ends what the process has in memory.
func (w *World) kill() {
	if w.node != nil {
		w.node.closeCode()
		w.node = nil
	}
}

// restart opens the node again, which may fail or crash as anything.
func (w *World) restart() {
	w.note("start")
	before := w.plan.accesses
	err := w.start()
	if err == nil {
		return
	}
	failed := w.plan.failAt > before && w.plan.failAt <= w.plan.accesses
	if !failed && !w.disk.full {
		w.Fail("the node does not open: %w", err)
		return
	}
	w.stats.IOErrors++
	w.disk.full = false
	w.down(false)
}

// act lets one thing happen.
func (w *World) act() {
	if w.node == nil {
		if w.Chance(0.3) {
			w.client(false)
			return
		}
		if w.moods.outage > 0 {
			w.Now += w.Rand.Int64N(w.moods.outage)
		}
		w.trouble(0.15 * w.shape.trouble)
		w.restart()
		return
	}
	if w.node.failed != nil {
		w.down(false)
		return
	}
	switch p := w.Rand.IntN(1000); {
	case p < 300:
		w.node.turn(w.Rand.IntN(w.partitions))
	case p < 390:
		w.node.write()
	case p < 480:
		w.node.sync()
	case p < 560:
		w.node.release(w.Rand.IntN(w.partitions))
	case p < 760 && len(w.network) > 0:
		w.deliver()
	case p < 830 && len(w.calls) > 0:
		w.execute()
	case p < 858:
		w.Now += int64(w.Rand.IntN(50))
		w.node.ring()
	case p < 860:
		w.note("clock set back")
		w.Now -= int64(w.Rand.IntN(5000))
	case p < 870:
		w.tick()
	case p < 885:
		w.node.keepHouse()
	case p < 892:
		w.node.cut()
	case p < 925 && len(w.node.jobs) > 0:
		w.node.applySnapshot()
	case p < 935 && len(w.asked) > 0:
		w.giveUp()
	case p < 990:
		w.client(false)
	default:
		w.trouble(w.shape.trouble)
	}
}

func (w *World) client(winding bool) {
	w.note("client")
	w.workload.Act(winding)
}

// trouble plans or makes a fault, with probability p.
func (w *World) trouble(p float64) {
	if !w.Chance(p) {
		return
	}
	switch w.Rand.IntN(6) {
	case 0:
		w.down(false)
	case 1:
		w.down(true)
	case 2, 3:
		w.plan.crashAt = w.plan.accesses + 1 + int64(w.Rand.IntN(30))
		w.plan.power = w.Rand.IntN(2) == 0
	case 4:
		w.plan.failAt = w.plan.accesses + 1 + int64(w.Rand.IntN(30))
	case 5:
		w.disk.full = w.Chance(0.5)
	}
}

// tick moves the clock to the next timer.
func (w *World) tick() {
	next := w.Now + 1000
	for _, l := range w.node.lanes {
		if due, ok := l.NextDue(); ok {
			next = min(next, max(due, w.Now))
		}
	}
	w.Now = w.node.wakeGates(next)
	w.node.ring()
}

// drain heals everything and lets the clients finish. At its end all that the node has is in the store.
func (w *World) drain() {
	w.calm = true
	w.disk.full = false
	w.plan.failAt, w.plan.crashAt = 0, 0
	if w.node != nil && (w.node.failed != nil || w.node.heard != nil || w.node.idle) {
		w.down(false)
	}
	if w.node == nil {
		w.restart()
	}
	for len(w.asked) > 0 {
		w.close(w.asked[0], errTimeout) // what they wait for may have been lost with an earlier process
	}
	begun := w.stats.Actions
	for w.failure == nil {
		if w.stats.Actions-begun > drainMax {
			w.Fail("stuck: after %d actions without faults clients still wait, or the node still works", drainMax)
			return
		}
		if w.round() && w.settled() {
			return
		}
	}
}

// round does everything that can be done once, and reports whether nothing was on its way.
func (w *World) round() (quiet bool) {
	n := w.node
	for i := range n.lanes {
		n.turn(i)
	}
	n.write()
	n.sync()
	for i := range n.lanes {
		n.release(i)
	}
	if n.failed != nil {
		w.Fail("the node fails without faults: %w", n.failed)
	}
	for len(n.jobs) > 0 {
		n.applySnapshot()
	}
	busy, refused := len(w.network) > 0 || len(w.calls) > 0, w.stats.Busy
	for range len(w.network) {
		w.deliver()
	}
	for range len(w.calls) {
		w.execute()
	}
	w.client(true)
	if !busy || w.stats.Busy > refused { // a client that was refused waits before he asks again
		w.tick()
		n.keepHouse()
	}
	return !busy
}

// settled reports whether nothing is left to do and all of it is in the store.
func (w *World) settled() bool {
	if !w.workload.Done() || len(w.network) > 0 || len(w.calls) > 0 || len(w.asked) > 0 || w.node.waits() {
		return false
	}
	for _, l := range w.node.lanes {
		if _, ok := l.NextDue(); ok || l.Applied() < l.Position() || l.Position() > w.node.durable {
			return false
		}
		pending := false
		_ = l.Look(func(r *lane.Reader) error {
			r.Core().Pending(func(partition.ID, *partition.Event) { pending = true })
			return nil
		})
		if pending {
			return false
		}
	}
	return w.node.durable > commitlog.Position(0)
}
