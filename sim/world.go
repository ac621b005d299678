package sim

import (
	"fmt"
	"math/rand/v2"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/store/memory"
	"github.com/weftworks/weft/fault"
)

// World is everything outside the node: clock, disk, network, functions, clients.
type World struct {
	Rand *rand.Rand
	Now  int64 // Unix milliseconds

	opts       Options
	workload   Workload
	partitions int
	shape      shape
	moods      moods
	disk       *Disk
	plan       faultPlan
	store      *memory.Store
	book       book
	node       *node // nil: down
	began      int   // processes
	network    []delivery
	calls      []pendingCall
	asked      []*Ask // not answered
	executed   []execution
	hash       uint64
	failure    error
	stats      Stats
	calm       bool // no more faults
}

// shape is what a seed fixes for a data directory and its processes.
type shape struct {
	speculation       lane.Speculation
	segmentBytes      int64
	snapshotInstances int
	snapshotBytes     int
	resident          int
	drop, repeat      float64 // of messages
	trouble           float64 // how often faults come: 1 is every 100 actions
}

// delivery is something on its way.
type delivery struct {
	what  string
	epoch int // the process it ends with; 0: it survives all
	to    func()
}

// execution is one call of a function that is not idempotent.
type execution struct {
	partition partition.ID
	ref       partition.Ref
	call      Call
}

func newWorld(opts Options) *World {
	w := &World{opts: opts, Rand: rand.New(rand.NewPCG(opts.Seed, 0x77656674)), Now: 1_700_000_000_000, hash: fnvOffset}
	r := w.Rand
	w.partitions = 1 + r.IntN(4)
	w.shape = shape{
		segmentBytes: int64(8+8*r.IntN(4)) << 10, snapshotInstances: 1 + r.IntN(40), snapshotBytes: 1 + r.IntN(8<<10), resident: 1 + r.IntN(12),
		trouble: []float64{0, 0.1, 0.3, 1, 1}[r.IntN(5)],
	}
	if r.IntN(2) == 0 {
		w.shape.speculation = lane.None
	}
	if r.IntN(3) != 0 {
		w.shape.drop, w.shape.repeat = 0.1*r.Float64(), 0.1*r.Float64()
	}
	if opts.Crash.At != 0 {
		w.shape.trouble = 0
		w.plan = faultPlan{crashAt: opts.Crash.At, power: opts.Crash.Power}
	}
	w.disk = newDisk(r, &w.plan)
	w.store = memory.New()
	w.book = newBook()
	w.workload = opts.Workload(w)
	if _, ok := w.workload.(Coder); ok {
		w.moods = w.newMoods()
	}
	return w
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

// note adds an action to the trace.
func (w *World) note(what string, numbers ...uint64) {
	w.stats.Actions++
	for i := range len(what) {
		w.hash = (w.hash ^ uint64(what[i])) * fnvPrime
	}
	for _, n := range numbers {
		w.hash = (w.hash ^ n) * fnvPrime
	}
	if w.opts.Trace != nil {
		_, _ = fmt.Fprintln(w.opts.Trace, w.stats.Actions, w.Now-1_700_000_000_000, what, numbers)
	}
}

// Note adds what a client saw to the trace.
func (w *World) Note(what string) { w.note(what) }

// Fail ends the simulation: a promise is broken. The first one counts.
func (w *World) Fail(format string, args ...any) {
	if w.failure == nil {
		w.failure = fmt.Errorf(format, args...)
	}
}

// Partitions returns the number of partitions.
func (w *World) Partitions() int { return w.partitions }

// Faults returns the rules that the simulation breaks.
func (w *World) Faults() Faults { return w.opts.Faults }

// Chance is true with probability p.
func (w *World) Chance(p float64) bool { return w.Rand.Float64() < p }

// post puts something on the way; it may get lost or arrive twice unless it is sure to arrive.
func (w *World) post(d delivery, sure bool) {
	if !sure && !w.calm {
		if w.Chance(w.shape.drop) {
			return
		}
		if w.Chance(w.shape.repeat) {
			w.network = append(w.network, d)
		}
	}
	w.network = append(w.network, d)
}

// deliver lets something arrive: mostly what was sent first.
func (w *World) deliver() {
	i := 0
	if !w.calm && w.Chance(0.3) {
		i = w.Rand.IntN(len(w.network))
	}
	d := w.network[i]
	w.network = append(w.network[:i], w.network[i+1:]...)
	w.note(d.what, uint64(d.epoch))
	if d.epoch == 0 || (w.node != nil && d.epoch == w.node.epoch) {
		d.to()
	}
}

// Ask is one request of a client.
type Ask struct {
	Item      lane.Item
	Partition partition.ID
	// Answer hears what comes: the value, or missing; err when the node refused or the client gave up. Values
	// may come after the client gave up, and err once.
	Answer func(value any, missing bool, err error)
	// OneWay is a request that is not answered.
	OneWay bool

	closed bool
}

// Request sends a request to the partition.
func (w *World) Request(a *Ask) {
	if !a.OneWay {
		a.Item.Event.Client = a
		w.asked = append(w.asked, a)
	}
	w.post(delivery{what: "request", to: func() {
		if w.node == nil {
			return // nobody listens; the client gives up some time
		}
		w.node.open[a]++
		if err := w.node.lanes[a.Partition].Submit(a.Item); err != nil {
			w.node.open[a]--
			w.close(a, err)
		}
	}}, false)
}

func (w *World) close(a *Ask, err error) {
	if a.closed {
		return
	}
	a.closed = true
	if fault.Is(err, fault.Busy) {
		w.stats.Busy++
	}
	for i, o := range w.asked {
		if o == a {
			w.asked = append(w.asked[:i], w.asked[i+1:]...)
			break
		}
	}
	if err != nil && !a.OneWay {
		a.Answer(nil, false, err)
	}
}

// answer carries a reply to its client.
func (w *World) answer(a *Ask, value any, missing bool) {
	w.stats.Answers++
	w.post(delivery{what: "answer", to: func() {
		err, failed := value.(error)
		if failed && refused(err) {
			w.close(a, err)
			return
		}
		w.close(a, nil)
		a.Answer(value, missing, nil)
	}}, false)
}

// giveUp lets a client stop waiting.
func (w *World) giveUp() {
	a := w.asked[w.Rand.IntN(len(w.asked))]
	w.note("give up", uint64(a.Partition))
	w.close(a, errTimeout)
}
