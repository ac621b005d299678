package sim

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/commitlog/disk"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/engine/workflow/stepper"
	"github.com/weftworks/weft/fault"
)

var errTimeout = errors.New("the client gave up waiting")

// refused reports whether an answer says that the node could not take the request, rather than what came of it.
func refused(err error) bool { return fault.Is(err, fault.Unavailable) || fault.Is(err, fault.Busy) }

// node is one process: engine.Node without its goroutines.
type node struct {
	w       *World
	epoch   int
	log     *disk.Log
	lanes   []*lane.Lane
	group   lane.Group
	durable commitlog.Position
	heard   error // the log's word that it failed
	failed  error
	jobs    []job
	open    map[*Ask]int // requests taken and not answered

	gates     map[string]*gate // limits, by function
	gateNames []string         // in the order they were first asked for
	steady    int64            // see clock

	steppers []*stepper.Stepper // by partition
	slow     []*stepper.Task    // steps that have not come to an end
	done     []partition.Event  // of a turn that goes on without the step that it was lost in
	rest     []lane.Job
	idle     bool // code was not there, so that a step is owed until the next process
}

// job is a snapshot on its way to the store.
type job struct {
	batch   *store.Batch
	applied func()
}

// start opens the node and recovers it.
func (w *World) start() error {
	w.began++
	n := &node{w: w, epoch: w.began, open: make(map[*Ask]int), gates: make(map[string]*gate)}
	var err error
	n.log, err = disk.Open("data/log", &disk.Options{
		FS: w.disk, Durable: n.hear, SegmentBytes: w.shape.segmentBytes, Manual: true, DataDir: "data",
		Logger: slog.New(slog.DiscardHandler), Faults: w.opts.Faults.Log,
	})
	if err != nil {
		return err
	}
	if err := w.book.survey(n.log, !w.opts.OutsideOnly); err != nil {
		return err
	}
	if err := n.openLanes(); err != nil {
		return err
	}
	if _, err := n.group.Recover(); err != nil {
		return err
	}
	for _, l := range n.lanes {
		if err := l.Recovered(w.Now); err != nil {
			return err
		}
	}
	w.node = n
	return nil
}

func (n *node) openLanes() error {
	w := n.w
	tap := &tap{Log: n.log, book: &w.book, strict: !w.opts.OutsideOnly, fail: w.Fail}
	programs := w.workload.Programs(nil)
	n.group = lane.Group{
		Log: tap, Store: stored{w.store}, NewBatch: func() lane.Batch { return new(store.Batch) },
		Apply: func(b lane.Batch) error { return n.apply(b.(*store.Batch)) }, Flush: n.flush,
	}
	for i := range w.partitions {
		cfg := partition.Config{ID: partition.ID(i), Partitions: w.partitions, Programs: programs, Faults: w.opts.Faults.Partition}
		l, err := lane.Open(lane.Config{
			Partition: cfg, Log: tap, Store: stored{w.store}, Host: host{n}, NewBatch: n.group.NewBatch, Speculation: w.shape.speculation,
			SnapshotBytes: w.shape.snapshotBytes, SnapshotInstances: w.shape.snapshotInstances, Resident: w.shape.resident, Inbox: w.moods.inbox,
			Faults: w.opts.Faults.Lane,
		})
		if err != nil {
			return fmt.Errorf("opening partition %d: %w", i, err)
		}
		n.lanes = append(n.lanes, l)
		n.steppers = append(n.steppers, n.newStepper())
	}
	n.group.Lanes = n.lanes
	return nil
}

func (n *node) apply(b *store.Batch) error {
	if err := n.w.plan.access(); err != nil {
		return fault.New("store.Apply", fault.Unavailable, "", "%w", err)
	}
	return n.w.store.Apply(b)
}

func (n *node) flush() error {
	if err := n.w.plan.access(); err != nil {
		return fault.New("store.Flush", fault.Unavailable, "", "%w", err)
	}
	return n.w.store.Flush()
}

// hear takes the log's word on what is durable; the lanes hear of it later.
func (n *node) hear(pos commitlog.Position, err error) {
	if err != nil {
		n.heard = err
		return
	}
	n.durable = pos
	n.w.book.durable = max(n.w.book.durable, pos)
}

// fail stops all acceptance, as engine.Node does when its log fails.
func (n *node) fail(err error) {
	if n.failed != nil {
		return
	}
	n.failed = fault.New("", fault.Unavailable, "", "%w", err)
	for _, l := range n.lanes {
		l.Fail(n.failed)
	}
	for _, l := range n.lanes {
		_, _ = l.Turn(n.w.Now) // answers those who still wait
	}
	for a, count := range n.open {
		if count > 0 && !a.OneWay {
			n.w.Fail("a client of partition %d was not told that the node failed", a.Partition)
		}
	}
}

func (n *node) turn(i int) {
	n.w.note("turn", uint64(i))
	_, err := n.lanes[i].Turn(n.w.Now)
	for err == lane.ErrLost {
		err = n.resume(partition.ID(i))
	}
	if err != nil {
		n.fail(err)
	}
}

func (n *node) release(i int) { n.lanes[i].Durable(n.durable) }

// write writes what waits for the log as one frame.
func (n *node) write() {
	n.w.note("write")
	_, err := n.log.WriteStep()
	n.logged(err)
}

func (n *node) sync() {
	n.w.note("sync")
	_, err := n.log.SyncStep()
	n.logged(err)
}

// logged ends a step of the log. When it failed, the node or one of its lanes finds out first.
func (n *node) logged(err error) {
	if err == nil {
		err = n.heard
	}
	if err != nil && (n.w.calm || n.w.Chance(0.5)) {
		n.settle(err)
	}
}

// settle ends a step of the store.
func (n *node) settle(err error) {
	if err != nil {
		n.w.stats.IOErrors++
		n.fail(err)
	}
}

// applySnapshot brings the oldest snapshot to the store.
func (n *node) applySnapshot() {
	j := n.jobs[0]
	n.jobs = n.jobs[1:]
	n.w.note("snapshot", uint64(j.batch.Len()))
	n.w.stats.Snapshots++
	if err := n.apply(j.batch); err != nil {
		n.settle(err)
		return
	}
	j.applied()
}

// keepHouse is what engine.Node does every second.
func (n *node) keepHouse() {
	n.w.note("house")
	for _, l := range n.lanes {
		_ = l.Submit(l.Flush())
		_ = l.Submit(l.Resend())
	}
}

// cut makes the store durable and the log shorter.
func (n *node) cut() {
	n.w.note("cut")
	n.w.stats.Cuts++
	if n.w.opts.Faults.EarlyCut {
		n.settle(n.log.Trim(n.durable + 1))
		return
	}
	n.settle(n.group.Cut(n.durable))
}

// host is how lanes see their node.
type host struct{ *node }

func (h host) Send(dest partition.ID, ev *partition.Event) {
	e := *ev
	h.w.post(delivery{what: "message", epoch: h.epoch, to: func() {
		_ = h.lanes[dest].Submit(lane.Item{Event: e, Internal: true})
	}}, false)
}

func (h host) Reply(client, value any, missing bool) {
	a := client.(*Ask)
	if h.open[a]--; h.open[a] < 0 {
		h.w.Fail("a request to partition %d was answered more than once, the last time with %v", a.Partition, value)
	}
	h.w.answer(a, value, missing)
}

func (h host) Idempotent(function string) bool { return h.w.workload.Idempotent(function) }

func (h host) Snapshot(_ partition.ID, batch lane.Batch, _ commitlog.Position, applied func()) {
	h.jobs = append(h.jobs, job{batch.(*store.Batch), applied})
}

// stored lets lanes read the store.
type stored struct{ store.Store }

func (s stored) Scan(lower, upper []byte, fn func(key, value []byte) error) error {
	it := s.Iterate(lower, upper, false)
	defer func() { _ = it.Close() }()
	for it.Next() {
		if err := fn(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return it.Err()
}

// Pin implements lane.Host: no instance here keeps large values.
func (h host) Pin(partition.ValueID) {}

// Unpin implements lane.Host.
func (h host) Unpin(partition.ValueID) {}

// Tell implements lane.Host: no instance here tells anything.
func (h host) Tell(any) {}
