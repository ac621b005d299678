package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/commitlog/disk"
	logmemory "github.com/weftworks/weft/engine/commitlog/memory"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	schedules "github.com/weftworks/weft/engine/schedule"
	"github.com/weftworks/weft/engine/scheduled"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/engine/store"
	storememory "github.com/weftworks/weft/engine/store/memory"
	storepebble "github.com/weftworks/weft/engine/store/pebble"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/fault"
)

// settings are fixed when a data directory is made.
type settings struct {
	Format     int    `json:"format"`
	Partitions int    `json:"partitions"`
	Region     string `json:"region"`
	Account    string `json:"account"`
}

const (
	settingsFormat    = 1
	partitionsDefault = 8
)

var settingsKey = []byte("\xff\xffsettings")

// Open opens a node on a data directory, recovers what it held and goes on with the runs that were open. It fails
// with fault.Conflict when another process has the directory and with fault.Corrupt when the log or the store is
// damaged.
func Open(opts Options) (*Node, error) {
	o, err := opts.complete()
	if err != nil {
		return nil, err
	}
	n := &Node{
		opts: o, wake: make(chan struct{}, 1), closed: make(chan struct{}), snapshot: make(chan snapshotJob, partitionsMax),
		flush: make(chan chan error), release: func() {},
	}
	n.life, n.end = context.WithCancel(context.Background())
	n.dispatch = newDispatcher(n)
	n.dog = watchdog{node: n, bell: make(chan struct{}, 1), quit: make(chan struct{})}
	if err := n.open(); err != nil {
		return nil, errors.Join(err, n.abandon())
	}
	return n, nil
}

func (n *Node) open() error {
	if n.opts.Dir != "" {
		if err := n.lockDir(); err != nil {
			return err
		}
	}
	if err := n.openStore(); err != nil {
		return err
	}
	set, err := n.settle()
	if err != nil {
		return err
	}
	if err := n.openLogs(); err != nil {
		return err
	}
	n.library = &statemachine.Library{Region: set.Region, Account: set.Account, Limits: n.opts.Limits, Logging: n.catalog.logging}
	n.runs = &statemachine.Runs{Library: n.library}
	n.mapRuns = &statemachine.MapRuns{Library: n.library}
	n.workflows = &workflow.Runs{
		HistoryEvents: n.opts.Limits.HistoryEvents,
		Tell:          map[partition.ProgramID]func(*workflow.Reply) []byte{schedules.ID: scheduled.Ended},
	}
	n.entities = &workflow.Entities{}
	if err := n.openLog(set.Partitions); err != nil {
		return err
	}
	if err := n.openValues(); err != nil {
		return err
	}
	if err := n.openLanes(set.Partitions); err != nil {
		return err
	}
	if err := n.recover(); err != nil {
		return err
	}
	return n.start()
}

// abandon releases what a failed open holds.
func (n *Node) abandon() error {
	n.closing.Store(true)
	n.end()
	n.group.Wait()
	n.dog.stop()
	n.closeCode()
	n.dispatch.close()
	n.closeLogs()
	var errs []error
	if n.log != nil {
		errs = append(errs, n.log.Close())
	}
	if n.store != nil {
		errs = append(errs, n.store.Close())
	}
	errs = append(errs, n.values.close())
	n.release()
	return errors.Join(errs...)
}

// lockDir makes the directory and keeps other processes out of it.
func (n *Node) lockDir() error {
	const op = "engine.Open"
	if err := n.makeDir(n.opts.Dir); err != nil {
		return fault.New(op, fault.InvalidArgument, n.opts.Dir, "the data directory cannot be made: %w", err)
	}
	lock, err := n.opts.FS.Lock(n.opts.FS.PathJoin(n.opts.Dir, "LOCK"))
	if err != nil {
		return fault.New(op, fault.Conflict, n.opts.Dir, "the data directory is in use by another process, or cannot be locked; stop that process or choose another directory: %w", err)
	}
	n.release = func() { _ = lock.Close() }
	return nil
}

// makeDir makes a directory and its parents and makes their entries durable.
func (n *Node) makeDir(dir string) error {
	fs := n.opts.FS
	if _, err := fs.Stat(dir); err == nil {
		return nil
	}
	parent := fs.PathDir(dir)
	if parent != dir && parent != "." && parent != "" {
		if err := n.makeDir(parent); err != nil {
			return err
		}
	}
	if err := fs.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if parent == "" {
		parent = "."
	}
	d, err := fs.OpenDir(parent)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func (n *Node) openStore() error {
	if n.opts.Dir == "" {
		n.store = storememory.New()
		return nil
	}
	s, err := storepebble.Open(n.opts.FS.PathJoin(n.opts.Dir, "store"), &storepebble.Options{
		FS: n.opts.FS, CacheBytes: n.opts.CacheBytes, Logger: n.opts.Logger,
	})
	if err != nil {
		return err // and not a nil *Store in n.store, which is not nil
	}
	n.store = s
	return nil
}

// settle reads the directory's settings, or makes them.
func (n *Node) settle() (settings, error) {
	const op = "engine.Open"
	set := settings{Format: settingsFormat, Partitions: n.opts.Partitions, Region: n.opts.Region, Account: n.opts.Account}
	text, ok, err := n.store.Get(settingsKey)
	if err != nil {
		return set, err
	}
	if ok {
		if err := json.Unmarshal(text, &set); err != nil {
			return set, fault.New(op, fault.Corrupt, n.opts.Dir, "the settings in the store do not decode: %w", err)
		}
		if set.Format != settingsFormat {
			return set, fault.New(op, fault.Unsupported, n.opts.Dir, "the directory has format %d; this program reads %d", set.Format, settingsFormat)
		}
		if n.opts.Partitions != 0 && n.opts.Partitions != set.Partitions {
			return set, fault.New(op, fault.InvalidArgument, n.opts.Dir, "the directory was made with %d partitions, which cannot be changed to %d", set.Partitions, n.opts.Partitions)
		}
		return set, nil
	}
	if set.Partitions == 0 {
		set.Partitions = partitionsDefault
	}
	text, err = json.Marshal(set)
	if err != nil {
		return set, err
	}
	var b store.Batch
	b.Set(settingsKey, text)
	if err := n.store.Apply(&b); err != nil {
		return set, err
	}
	return set, n.store.Flush()
}

func (n *Node) openLog(partitions int) (err error) {
	if n.opts.Dir == "" {
		n.logStats = func() LogStats { return LogStats{} }
		n.log, err = logmemory.Open(new(logmemory.Disk), &logmemory.Options{Durable: n.heard})
		return err
	}
	// If the log's files were lost, what is appended must still lie behind what the store has.
	var after uint64
	for i := range partitions {
		pos, err := partition.SavedPosition(partition.ID(i), stored{n.store})
		if err != nil {
			return err
		}
		after = max(after, pos)
	}
	log, err := disk.Open(n.opts.FS.PathJoin(n.opts.Dir, "log"), &disk.Options{
		FS: n.opts.FS, Durable: n.heard, SyncDelay: n.opts.SyncDelay, Logger: n.opts.Logger, DataDir: n.opts.Dir,
		After: commitlog.Position(after),
	})
	if err != nil {
		return err
	}
	n.log = log
	n.logStats = func() LogStats {
		s := log.Stats()
		return LogStats{Syncs: s.Frames, Bytes: s.Bytes, SyncP50: s.SyncP50, SyncP95: s.SyncP95, SyncP99: s.SyncP99}
	}
	return nil
}

func (n *Node) openLanes(count int) error {
	programs := map[partition.ProgramID]partition.Program{
		statemachine.CatalogID:    &statemachine.Catalog{Library: n.library},
		statemachine.RunsID:       n.runs,
		statemachine.MapRunsID:    n.mapRuns,
		statemachine.ActivitiesID: &statemachine.Activities{Library: n.library},
		workflow.RunsID:           n.workflows,
		workflow.EntitiesID:       n.entities,
		schedules.ID:              &schedules.Program{Starter: scheduled.Starter()},
	}
	for i := range count {
		config := lane.Config{
			Partition: partition.Config{ID: partition.ID(i), Partitions: count, Programs: programs},
			Log:       n.log, Store: stored{n.store}, Host: host{n}, Speculation: n.opts.Speculation, Logger: n.opts.Logger,
			NewBatch: func() lane.Batch { return new(store.Batch) }, Resident: n.opts.Resident,
		}
		if n.opts.tune != nil {
			n.opts.tune(&config)
		}
		l, err := lane.Open(config)
		if err != nil {
			return fmt.Errorf("opening partition %d: %w", i, err)
		}
		n.lanes = append(n.lanes, l)
		n.coders = append(n.coders, newCoder(n, partition.ID(i), count))
	}
	return nil
}

// recover replays what the log has and the store has not.
func (n *Node) recover() error {
	began := time.Now()
	n.shared = lane.Group{
		Replayer: newReplayer(n.lanes, runtime.GOMAXPROCS(0)),
		Lanes:    n.lanes, Log: n.log, Store: stored{n.store}, Flush: n.store.Flush,
		NewBatch: func() lane.Batch { return new(store.Batch) },
		Apply:    func(b lane.Batch) error { return n.store.Apply(b.(*store.Batch)) },
	}
	bytes, err := n.shared.Recover()
	n.recoveredBytes, n.recoveredIn = bytes, time.Since(began)
	if err == nil && bytes > 0 {
		n.opts.Logger.Info("recovered", "log_bytes", bytes, "elapsed_ms", n.recoveredIn.Milliseconds())
	}
	return err
}

// start lets the node live.
func (n *Node) start() error {
	if err := n.loadCatalog(); err != nil {
		return err
	}
	if err := n.logAgain(); err != nil {
		return err
	}
	n.countValues()
	n.group.Add(2)
	go n.releaser()
	go n.applySnapshots()
	for _, l := range n.lanes {
		if err := l.Recovered(n.now()); err != nil {
			return err
		}
	}
	for _, l := range n.lanes {
		n.group.Add(1)
		go n.drive(l)
	}
	n.dog.group.Add(1)
	go n.dog.run()
	n.group.Add(2)
	go n.keepHouse()
	go n.bringZones()
	return nil
}

// stored lets the core read the store.
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
