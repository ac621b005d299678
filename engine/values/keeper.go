package values

import (
	"log/slog"
	"sync"
	"time"
)

// OrphanAge is what Sweep is given: how old a value that nobody pins must be to be an orphan. It is far longer than
// a value takes from Put into a partition, and short enough that orphans do not pile up.
const OrphanAge = time.Hour

const (
	queueMax = 4096 // values given up and not deleted yet; past it they are left to Sweep
	looksMax = 4096 // names after which a Sweep begins no further shard
	// miscounted is the count of a value that was unpinned more often than pinned: out of reach of any Unpin.
	miscounted = 1 << 60
)

// KeeperOptions says how a Keeper works. The zero value is a working keeper.
type KeeperOptions struct {
	// Manual makes a keeper without a goroutine: nothing is deleted but by Collect and Sweep. For the simulator.
	Manual bool
	// Logger gets values that cannot be deleted and pins that do not add up. nil: slog.Default().
	Logger *slog.Logger
}

// Keeper counts who refers to the values of a Store and deletes those that nobody does. Its users' duties are in
// the package's comment. Its methods may be called by several goroutines at once; none but Sweep, Collect and
// Close waits for the disk.
type Keeper struct {
	store  *Store
	manual bool
	logger *slog.Logger
	queue  chan ID // candidates; pins may have come again

	mu       sync.Mutex
	pins     map[ID]int64 // none is zero
	deleting map[ID]struct{}
	ready    bool
	closed   bool
	stats    Stats

	sweeping sync.Mutex
	next     int // shard that Sweep looks at next; sweeping is held

	stop    chan struct{}
	working sync.WaitGroup
}

// Stats is what a Keeper knows and has done since it was made.
type Stats struct {
	Pinned  int   // values that somebody pins
	Waiting int   // given up and not deleted yet
	Deleted int64 // in the background and by Sweep
	Orphans int64 // of them, those that Sweep found
}

// NewKeeper makes the keeper of a store, which nothing else deletes from. It deletes nothing before Ready.
func NewKeeper(store *Store, options *KeeperOptions) *Keeper {
	o := KeeperOptions{}
	if options != nil {
		o = *options
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return &Keeper{
		store: store, manual: o.Manual, logger: o.Logger, queue: make(chan ID, queueMax),
		pins: make(map[ID]int64), deleting: make(map[ID]struct{}), stop: make(chan struct{}),
	}
}

// Ready says that whoever had references when the node stopped has pinned them. Calling it again does nothing.
func (k *Keeper) Ready() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ready || k.closed {
		return
	}
	k.ready = true
	if !k.manual {
		k.working.Go(k.work)
	}
}

// Pin adds n references to a value.
func (k *Keeper) Pin(id ID, n int) { k.add(id, int64(n)) }

// Unpin takes n references of a value away, which were added before. With the last one the value is given up.
func (k *Keeper) Unpin(id ID, n int) { k.add(id, -int64(n)) }

func (k *Keeper) add(id ID, n int64) {
	if n == 0 {
		return // in particular, no reason to give up a value that nobody has pinned yet
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch total := k.pins[id] + n; {
	case total > 0:
		if _, late := k.deleting[id]; late {
			k.logger.Error("a large value was pinned after it had been given up, and is lost", "value", id.String())
		}
		k.pins[id] = total
	case total == 0:
		delete(k.pins, id)
		select {
		case k.queue <- id:
		default: // Sweep will find it
		}
	default:
		// Deleting what is in use would be worse than keeping what is not. The next start counts anew.
		k.logger.Error("a large value was unpinned more often than pinned, and is kept until the next start", "value", id.String(), "pins", total)
		k.pins[id] = miscounted
	}
}

// work deletes what is given up until the keeper is closed.
func (k *Keeper) work() {
	for {
		select {
		case id := <-k.queue:
			k.collect(id)
		case <-k.stop:
			return
		}
	}
}

// Collect deletes what is given up by now, which otherwise happens in the background. Before Ready it does nothing.
func (k *Keeper) Collect() {
	if !k.isReady() {
		return
	}
	for range len(k.queue) {
		select {
		case id := <-k.queue:
			k.collect(id)
		default:
		}
	}
}

func (k *Keeper) collect(id ID) {
	if _, err := k.remove(id, false); err != nil {
		k.logger.Warn("a large value that nobody needs could not be deleted; it is tried again later", "value", id.String(), "error", err)
	}
}

// remove deletes a value unless somebody pins it.
func (k *Keeper) remove(id ID, orphan bool) (removed bool, err error) {
	if !k.claim(id) {
		return false, nil
	}
	removed, err = k.store.remove(id)
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.deleting, id)
	if removed {
		k.stats.Deleted++
		if orphan {
			k.stats.Orphans++
		}
	}
	return removed, err
}

// claim makes the caller the one who deletes a value; false: somebody pins it, or deletes it already.
func (k *Keeper) claim(id ID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if _, taken := k.deleting[id]; taken || k.pins[id] > 0 || k.closed {
		return false
	}
	k.deleting[id] = struct{}{}
	return true
}

// Sweep deletes orphans: values that nobody pins and that were put longer ago than olderThan, usually OrphanAge. It
// goes on where the call before ended, and ends once round, or with the first of the store's 256 directories that
// brings it to 4,096 values: a small store is swept by one call, a large one by 256. It returns how many it
// deleted, and the first error, which did not keep it from trying the others. Before Ready it does nothing.
func (k *Keeper) Sweep(olderThan time.Duration) (deleted int, err error) {
	k.sweeping.Lock()
	defer k.sweeping.Unlock()
	looks := 0
	for range shardCount {
		if looks >= looksMax || !k.isReady() {
			break
		}
		n, looked, failed := k.sweepShard(byte(k.next), olderThan)
		k.next = (k.next + 1) % shardCount
		deleted += n
		looks += looked
		if err == nil {
			err = failed
		}
	}
	return deleted, err
}

func (k *Keeper) sweepShard(b byte, olderThan time.Duration) (deleted, looked int, err error) {
	ids, err := k.store.list(b)
	for _, id := range ids {
		if k.store.age(id) <= olderThan {
			continue
		}
		removed, failed := k.remove(id, true)
		if removed {
			deleted++
		}
		if err == nil {
			err = failed
		}
	}
	return deleted, len(ids), err
}

func (k *Keeper) isReady() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.ready && !k.closed
}

// Stats returns what there is now and what was done so far.
func (k *Keeper) Stats() Stats {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := k.stats
	s.Pinned, s.Waiting = len(k.pins), len(k.queue)
	return s
}

// Close ends the work in the background. What is not deleted yet is an orphan of the next start's. The store is
// closed after its keeper.
func (k *Keeper) Close() {
	k.mu.Lock()
	if k.closed {
		k.mu.Unlock()
		return
	}
	k.closed = true
	close(k.stop)
	k.mu.Unlock()
	k.working.Wait()
}
