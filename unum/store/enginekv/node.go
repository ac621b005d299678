package enginekv

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/commitlog/disk"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/engine/store/pebble"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/store/directory"
)

const (
	// resident is how many instances a partition keeps in memory when idle, and changed after how many changed ones it takes a
	// snapshot: each may have a value of 256 KiB.
	resident = 1024
	changed  = 1024
	// snapshotEvery is how often what has changed goes to the store, cutEvery how often that is flushed and the log cut: a
	// recovery replays what came later.
	snapshotEvery = time.Second
	cutEvery      = 10 * time.Second
)

// node is partitions with a log and a store, and the goroutines that drive them.
type node struct {
	dir  string
	opts Options
	lock io.Closer
	kv   store.Store
	log  commitlog.Log

	lanes     []*lane.Lane
	shared    lane.Group
	snapshots chan snapshot

	failed  atomic.Bool
	durable atomic.Uint64
	wake    chan struct{} // durable has grown
	life    context.Context
	end     context.CancelFunc
	group   sync.WaitGroup
	once    sync.Once
	err     error // of Close
}

// snapshot is a batch for the store.
type snapshot struct {
	batch   lane.Batch
	applied func()
}

// Open opens the store in a directory, making it if it is not there, and recovers what it held. It fails with
// fault.Conflict when another process has it and with fault.Corrupt when its files are damaged.
func Open(dir string, options *Options) (*Store, error) {
	o := Options{}
	if options != nil {
		o = *options
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.resident == 0 {
		o.resident = resident
	}
	s := &Store{node{dir: dir, opts: o, wake: make(chan struct{}, 1), snapshots: make(chan snapshot, partitions)}}
	s.life, s.end = context.WithCancel(context.Background())
	if err := s.open(); err != nil {
		return nil, errors.Join(err, s.release())
	}
	return s, nil
}

func (n *node) open() error {
	fs := n.opts.FS
	lock, err := directory.Take("enginekv.Open", fs, n.dir)
	if err != nil {
		return err
	}
	n.lock = lock
	kv, err := pebble.Open(fs.PathJoin(n.dir, "store"), &pebble.Options{FS: fs, Logger: n.opts.Logger})
	if err != nil {
		return err
	}
	n.kv = kv
	if err := n.openLog(); err != nil {
		return err
	}
	if err := n.openLanes(); err != nil {
		return err
	}
	if _, err := n.shared.Recover(); err != nil {
		return err
	}
	return n.start()
}

func (n *node) openLog() error {
	var after uint64 // if the log's files were lost, what is appended must still lie behind what the store has
	for p := range partition.ID(partitions) {
		pos, err := partition.SavedPosition(p, readable{n.kv})
		if err != nil {
			return err
		}
		after = max(after, pos)
	}
	log, err := disk.Open(n.opts.FS.PathJoin(n.dir, "log"), &disk.Options{
		FS: n.opts.FS, Durable: n.heard, Logger: n.opts.Logger, DataDir: n.dir, After: commitlog.Position(after), SegmentBytes: n.opts.segmentBytes,
	})
	if err != nil {
		return err
	}
	n.log = log
	return nil
}

func (n *node) openLanes() error {
	newBatch := func() lane.Batch { return new(store.Batch) }
	programs := map[partition.ProgramID]partition.Program{recordsID: records{}, blobsID: blobs{}}
	for p := range partition.ID(partitions) {
		l, err := lane.Open(lane.Config{
			Partition: partition.Config{ID: p, Partitions: partitions, Programs: programs}, Log: n.log, Store: readable{n.kv}, Host: host{n: n},
			NewBatch: newBatch, Speculation: lane.None, Logger: n.opts.Logger, Resident: n.opts.resident, SnapshotInstances: changed,
		})
		if err != nil {
			return err
		}
		n.lanes = append(n.lanes, l)
	}
	n.shared = lane.Group{
		Lanes: n.lanes, Log: n.log, Store: readable{n.kv}, NewBatch: newBatch, Flush: n.kv.Flush,
		Apply: func(b lane.Batch) error { return n.kv.Apply(b.(*store.Batch)) },
	}
	return nil
}

// start lets the lanes live.
func (n *node) start() error {
	n.group.Go(n.releaseDurable)
	n.group.Go(n.applySnapshots)
	for _, l := range n.lanes {
		if err := l.Recovered(n.opts.Now().UnixMilli()); err != nil {
			return err
		}
	}
	for _, l := range n.lanes {
		n.group.Go(func() { n.drive(l) })
	}
	n.group.Go(n.keepHouse)
	return nil
}

// Close ends the store. Operations that have not been answered fail.
func (n *node) Close() error {
	n.once.Do(func() { n.err = n.release() })
	return n.err
}

// release lets go what was opened.
func (n *node) release() error {
	n.end()
	n.group.Wait()
	closed := fault.New("enginekv", fault.Unavailable, n.dir, "the store is closed")
	for _, l := range n.lanes {
		l.Fail(closed)
		_, _ = l.Turn(n.opts.Now().UnixMilli()) // answers those who still wait
	}
	var errs []error
	if n.log != nil {
		errs = append(errs, n.log.Close())
	}
	if n.kv != nil {
		errs = append(errs, n.kv.Close())
	}
	if n.lock != nil {
		errs = append(errs, n.lock.Close())
	}
	return errors.Join(errs...)
}

// heard is told by the log what is durable.
func (n *node) heard(pos commitlog.Position, err error) {
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

// fail has the lanes take nothing more: the log or the store has failed.
func (n *node) fail(err error) {
	if n.life.Err() == nil && !n.failed.Swap(true) {
		n.opts.Logger.Error("enginekv: the store failed and takes nothing until it is opened again", "dir", n.dir, "error", err)
	}
	failed := fault.New("enginekv", fault.Unavailable, n.dir, "the store failed and takes nothing more: %w", err)
	for _, l := range n.lanes {
		l.Fail(failed)
	}
}

// releaseDurable lets out the answers that wait for the log.
func (n *node) releaseDurable() {
	for {
		select {
		case <-n.wake:
			for _, l := range n.lanes {
				l.Durable(commitlog.Position(n.durable.Load()))
			}
		case <-n.life.Done():
			return
		}
	}
}

func (n *node) applySnapshots() {
	for {
		select {
		case job := <-n.snapshots:
			if err := n.shared.Apply(job.batch); err != nil {
				n.fail(err)
				continue
			}
			job.applied()
		case <-n.life.Done():
			return
		}
	}
}

// drive runs a lane.
func (n *node) drive(l *lane.Lane) {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for n.life.Err() == nil {
		worked, err := l.Turn(n.opts.Now().UnixMilli())
		if err != nil {
			n.fail(err)
		}
		if worked && err == nil {
			continue
		}
		wait := time.Hour // the clock may be set meanwhile
		if due, ok := l.NextDue(); ok && err == nil {
			wait = min(wait, max(time.Duration(due-n.opts.Now().UnixMilli()), 1)*time.Millisecond)
		}
		timer.Reset(wait)
		select {
		case <-l.Wake():
		case <-timer.C:
		case <-n.life.Done():
		}
	}
}

// keepHouse takes snapshots of what has changed, makes them durable and cuts the log.
func (n *node) keepHouse() {
	tick := time.NewTicker(snapshotEvery)
	defer tick.Stop()
	var cut time.Time
	var upTo uint64
	for {
		select {
		case <-n.life.Done():
			return
		case <-tick.C:
		}
		for _, l := range n.lanes {
			_ = l.Submit(l.Flush()) // fails when the lane has
		}
		if now, pos := time.Now(), n.durable.Load(); pos != upTo && now.Sub(cut) > cutEvery {
			if err := n.shared.Cut(commitlog.Position(pos)); err != nil {
				n.fail(err)
			}
			cut, upTo = now, pos
		}
	}
}

// host carries out what leaves the lanes, which is answers and snapshots.
type host struct {
	lane.Host // nil: the programs ask for nothing else
	n         *node
}

// Reply implements lane.Host. Every client is asked for once.
func (h host) Reply(client, value any, missing bool) {
	if missing {
		value = nil
	}
	client.(chan any) <- value
}

// Snapshot implements lane.Host. A lane has one under way at a time, so that there is always room.
func (h host) Snapshot(_ partition.ID, batch lane.Batch, _ commitlog.Position, applied func()) {
	h.n.snapshots <- snapshot{batch, applied}
}

// readable lets partitions read the store.
type readable struct{ store.Store }

func (s readable) Scan(lower, upper []byte, fn func(key, value []byte) error) error {
	it := s.Iterate(lower, upper, false)
	defer it.Close()
	for it.Next() {
		if err := fn(it.Key(), it.Value()); err != nil {
			return err
		}
	}
	return it.Err()
}
