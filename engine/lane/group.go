package lane

import (
	"errors"
	"fmt"
	"slices"

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
	// Replayer replays entries on other goroutines. nil: Recover's caller does.
	Replayer Replayer

	floor commitlog.Position // what floorKey has
}

// Replayer replays log entries, those of one lane in order, those of several perhaps at the same time: lanes do not depend
// on each other.
type Replayer interface {
	// Replay has l.Replay called, perhaps later. Its error may be that of an earlier entry.
	Replay(l *Lane, pos commitlog.Position, data []byte, apply func(Batch) error) error
	// Wait returns once all entries are replayed, with the first errors.
	Wait() error
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
	err = g.Log.Recover(max(from+1, g.floor), func(pos commitlog.Position, p uint32, data []byte) error {
		if int(p) >= len(g.Lanes) {
			return fault.New("lane.Recover", fault.Corrupt, pos.String(), "the log has an entry of partition %d, the data directory has %d partitions", p, len(g.Lanes))
		}
		bytes += int64(len(data))
		data = slices.Clone(data) // the core keeps slices of it, and the log's buffer does not last
		if g.Replayer != nil {
			return g.Replayer.Replay(g.Lanes[p], pos, data, g.Apply)
		}
		return g.Lanes[p].Replay(pos, data, g.Apply)
	})
	if g.Replayer != nil {
		err = errors.Join(err, g.Replayer.Wait())
	}
	return bytes, err
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
