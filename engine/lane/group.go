package lane

import (
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
)

// Group is the lanes of one node, by partition, with the log and the store they share. It knows how they recover
// together and how much of the log they still need.
type Group struct {
	Lanes    []*Lane
	Log      commitlog.Log
	Store    partition.Store
	NewBatch func() Batch
	Apply    func(Batch) error // to the store, in order
	Flush    func() error      // makes all that was applied durable
	// Workers is how many goroutines replay; 0 and 1: the caller alone. More call Apply at the same time.
	Workers int

	floor commitlog.Position // what floorKey has
}

// floorKey is where the store has the position before which no lane needs the log. A lane that has nothing to do has
// an old snapshot, which is complete all the same; without the floor a recovery would ask for entries long gone.
var floorKey = []byte("\xff\xfffloor")

// Recover replays what the log has and the store has not. Call it before the lanes' Recovered. It returns the bytes
// it replayed.
func (g *Group) Recover() (bytes int64, err error) {
	from := g.Lanes[0].Position()
	for _, l := range g.Lanes {
		from = min(from, l.Position())
	}
	if g.floor, err = g.readFloor(); err != nil {
		return 0, err
	}
	r := newReplayer(g)
	err = g.Log.Recover(max(from+1, g.floor), func(pos commitlog.Position, p uint32, data []byte) error {
		if int(p) >= len(g.Lanes) {
			return fault.New("lane.Recover", fault.Corrupt, pos.String(), "the log has an entry of partition %d, the data directory has %d partitions", p, len(g.Lanes))
		}
		bytes += int64(len(data))
		return r.replay(entry{pos, p, slices.Clone(data)}) // the core keeps slices of it, and the log's buffer does not last
	})
	return bytes, errors.Join(err, r.wait())
}

// entry is an entry of the log on its way to its lane.
type entry struct {
	pos  commitlog.Position
	lane uint32
	data []byte
}

// replayer hands entries to their lanes: at once, or on Workers goroutines that have some lanes each. Lanes do not
// depend on each other, and each sees its entries in order.
type replayer struct {
	group  *Group
	queues []chan entry
	failed chan error // the first error of each worker
	done   sync.WaitGroup
}

// replayQueue is how many entries may wait for a worker.
const replayQueue = 256

func newReplayer(g *Group) *replayer {
	r := &replayer{group: g, failed: make(chan error, max(g.Workers, 1))}
	if g.Workers < 2 {
		return r
	}
	for range min(g.Workers, len(g.Lanes)) {
		q := make(chan entry, replayQueue)
		r.queues = append(r.queues, q)
		r.done.Add(1)
		go r.work(q)
	}
	return r
}

func (r *replayer) work(q chan entry) {
	defer r.done.Done()
	var err error
	for e := range q {
		if err != nil {
			continue // so that nobody waits for room
		}
		if err = r.fold(e); err != nil {
			r.failed <- err
		}
	}
}

func (r *replayer) fold(e entry) error {
	return r.group.Lanes[e.lane].Replay(e.pos, e.data, r.group.Apply)
}

func (r *replayer) replay(e entry) error {
	if len(r.queues) == 0 {
		return r.fold(e)
	}
	r.queues[int(e.lane)%len(r.queues)] <- e
	if len(r.failed) > 0 {
		return errReplay // wait has the reason
	}
	return nil
}

var errReplay = errors.New("the log cannot be replayed")

// wait ends the workers and returns why they failed.
func (r *replayer) wait() (err error) {
	for _, q := range r.queues {
		close(q)
	}
	r.done.Wait()
	close(r.failed)
	for e := range r.failed {
		err = errors.Join(err, e)
	}
	return err
}

func (g *Group) readFloor() (commitlog.Position, error) {
	v, ok, err := g.Store.Get(floorKey)
	if err != nil || !ok {
		return 0, err
	}
	r := wire.NewReader(v)
	pos := commitlog.Position(r.Uint())
	if err := r.Err(); err != nil {
		return 0, fmt.Errorf("the store's record of where the log begins does not decode: %w", err)
	}
	return pos, nil
}

// Needed returns the position of the first entry that a recovery would need if everything applied to the store were
// durable; durable is the position up to which the log is.
func (g *Group) Needed(durable commitlog.Position) commitlog.Position {
	keep := durable + 1
	for _, l := range g.Lanes {
		if pos, ok := l.needs(); ok {
			keep = min(keep, pos)
		}
	}
	return max(keep, g.floor) // a lane that did nothing for long needs what came after the floor alone
}

// Cut makes the applied snapshots durable and tells the log what it may give up. The caller has read durable before,
// and one goroutine at a time calls Cut.
func (g *Group) Cut(durable commitlog.Position) error {
	keep := g.Needed(durable)
	b := g.NewBatch()
	b.Set(floorKey, wire.AppendUint(nil, uint64(keep)))
	if err := g.Apply(b); err != nil {
		return err
	}
	if err := g.Flush(); err != nil {
		return err
	}
	g.floor = keep
	return g.Log.Trim(keep)
}
