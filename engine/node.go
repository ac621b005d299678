package engine

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/executionlog"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/fault"
)

// Node is one Weft process's engine. Its methods are safe for concurrent use.
type Node struct {
	opts    Options
	library *statemachine.Library
	runs    *statemachine.Runs
	mapRuns *statemachine.MapRuns

	workflows *workflow.Runs
	entities  *workflow.Entities
	coders    []*coder       // by partition
	coding    sync.WaitGroup // goroutines that have lost their partition, with user code in their hands
	dog       watchdog
	values    desk

	log      commitlog.Log
	logStats func() LogStats
	store    store.Store
	release  func() // the data directory's lock
	lanes    []*lane.Lane
	shared   lane.Group

	recoveredBytes int64
	recoveredIn    time.Duration
	dispatch       *dispatcher
	catalog        catalog
	logs           *executionlog.Log // nil: none

	durable  atomic.Uint64
	wake     chan struct{} // to the releaser
	failure  atomic.Pointer[fault.Error]
	snapshot chan snapshotJob
	flush    chan chan error
	life     context.Context // ends when the node's goroutines have to
	end      context.CancelFunc
	closing  atomic.Bool
	closed   chan struct{}  // closed when Close is over
	group    sync.WaitGroup // lanes, releaser, snapshots, housekeeping

	// reading is held by clients that read the store on their own goroutines: it must not be closed under them.
	reading sync.RWMutex
	gone    bool // the store is closed; guarded by reading
}

// Integrations returns the service integrations that machines of the node may use.
func (n *Node) Integrations() asl.Integrations { return n.opts.Integrations }

// useStore keeps the store open until release is called.
func (n *Node) useStore() (release func(), err error) {
	n.reading.RLock()
	if n.gone {
		n.reading.RUnlock()
		return nil, errClosing()
	}
	return n.reading.RUnlock, nil
}

// closeStore closes the store when nobody reads it any more.
func (n *Node) closeStore() error {
	n.reading.Lock()
	defer n.reading.Unlock()
	n.gone = true
	return n.store.Close()
}

// host is how lanes see their node.
type host struct{ *Node }

func (h host) Invoke(p partition.ID, ref partition.Ref, call partition.Invocation) {
	h.dispatch.invoke(p, ref, call)
}

func (h host) Cancel(p partition.ID, ref partition.Ref, id uint64) {
	h.dispatch.cancel(callKey{p, ref, id})
}

func (h host) Send(dest partition.ID, ev *partition.Event) {
	_ = h.lanes[dest].Submit(lane.Item{Event: *ev, Internal: true}) // a failed log has told everybody
}

func (h host) Reply(client, value any, missing bool) { h.reply(client, value, missing) }

// Tell implements lane.Host.
func (h host) Tell(value any) { h.tellLog(value) }

func (h host) Idempotent(name string) bool {
	if name == statemachine.ReadItems {
		return true
	}
	info, ok := h.opts.Functions.Lookup(name)
	return ok && info.Idempotent
}

func (h host) Snapshot(p partition.ID, batch lane.Batch, pos commitlog.Position, applied func()) {
	h.snapshot <- snapshotJob{partition: p, batch: batch.(*store.Batch), applied: applied}
}

// heard is the log's word on what is durable. It runs on the log's goroutine, so it only passes the word on.
func (n *Node) heard(pos commitlog.Position, err error) {
	if err != nil {
		n.fail(err)
		return
	}
	n.durable.Store(uint64(pos))
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// releaser lets out the effects that wait for the log.
func (n *Node) releaser() {
	defer n.group.Done()
	for {
		select {
		case <-n.wake:
			pos := commitlog.Position(n.durable.Load())
			for _, l := range n.lanes {
				l.Durable(pos)
			}
		case <-n.life.Done():
			return
		}
	}
}

// fail stops all acceptance: the log has failed.
func (n *Node) fail(err error) {
	f := fault.New("", fault.Unavailable, "", "%w", err)
	if !n.failure.CompareAndSwap(nil, f) {
		return
	}
	if !n.closing.Load() {
		n.opts.Logger.Error("the commit log failed; this node accepts nothing until it is restarted", "error", err)
	}
	for _, l := range n.lanes {
		l.Fail(f)
	}
}

// drive runs one lane until the node closes, or until another goroutine takes the lane over.
func (n *Node) drive(l *lane.Lane) {
	lost := false
	defer func() {
		if !lost {
			n.group.Done()
		}
	}()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for n.life.Err() == nil { // a lane that always has something to do must end, too
		worked, err := l.Turn(n.now())
		if err == lane.ErrLost {
			lost = true
			return
		}
		if err != nil {
			n.fail(err)
		}
		if worked {
			continue
		}
		wait := time.Hour
		if due, ok := l.NextDue(); ok && err == nil {
			wait = sleep(due - n.now())
		}
		timer.Reset(wait)
		select {
		case <-l.Wake():
		case <-timer.C:
		case <-n.life.Done():
			return
		}
	}
}

// sleep returns how long a lane waits for a timer that is due in ms milliseconds. It looks again every hour: the
// clock may be set meanwhile, and a time.Duration ends after 292 years.
func sleep(ms int64) time.Duration {
	const most = time.Hour
	switch {
	case ms <= 0:
		return 100 * time.Microsecond // the clock was set back since the turn; time goes on from where it was
	case ms >= most.Milliseconds():
		return most
	}
	return time.Duration(ms) * time.Millisecond
}

func (n *Node) now() int64 { return time.Now().UnixMilli() }

// place returns the partition of an instance.
func (n *Node) place(instance string) partition.ID { return partition.Place(instance, len(n.lanes)) }

// Healthy returns nil, or why the node does not accept work (its log failed, its disk is full).
func (n *Node) Healthy() error {
	if f := n.failure.Load(); f != nil {
		return f
	}
	return nil
}

// Close stops taking work, makes everything durable, takes a snapshot and releases the directory. Runs stay as they
// are and go on when the directory is opened again. Clients that still wait get fault.Unavailable.
func (n *Node) Close() error {
	if n.closing.Swap(true) {
		<-n.closed
		return nil
	}
	defer close(n.closed)
	n.dispatch.close()
	var errs []error
	if n.Healthy() == nil {
		errs = append(errs, n.Flush(n.life))
	}
	n.end()
	n.group.Wait()
	n.dog.stop()
	n.closeCode()
	stopped := errors.New("the node is closed")
	for _, l := range n.lanes {
		l.Fail(fault.New("", fault.Unavailable, "", "%w", stopped))
		_, _ = l.Turn(n.now()) // answers those who still wait
	}
	n.closeLogs()
	errs = append(errs, n.log.Close(), n.closeStore(), n.values.close())
	n.release()
	return errors.Join(errs...)
}

func randomSeed() uint64 {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return binary.LittleEndian.Uint64(b[:])
}
