package lane

import (
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// Reader looks at a lane's state between two events. It is valid during the call it is given to.
type Reader struct {
	lane   *Lane
	client any
}

// pending is what a Read returns that answers later.
var pending any = new(struct{ _ byte })

// Values calls fn for every large value that the partition keeps, before the lane is driven.
func (l *Lane) Values(fn func(partition.ValueID)) { l.core.Values(fn) }

// Look calls fn before the lane is driven: during a recovery.
func (l *Lane) Look(fn func(*Reader) error) error { return fn(&Reader{lane: l}) }

// Core returns the partition.
func (r *Reader) Core() *partition.Core { return r.lane.core }

// Store returns the store.
func (r *Reader) Store() partition.Store { return r.lane.cfg.Store }

// Find returns the number of the instance named name.
func (r *Reader) Find(name string) (partition.Ref, bool, error) {
	if ref, ok := r.lane.core.Lookup(name); ok {
		return ref, true, nil
	}
	return r.lane.lookup(name)
}

// Record returns a cold instance's stored record, decoded.
func (r *Reader) Record(ref partition.Ref) (*partition.Record, bool, error) {
	v, ok, err := r.lane.cfg.Store.Get(partition.InstanceKey(r.lane.cfg.Partition.ID, ref))
	if err != nil || !ok {
		return nil, ok, err
	}
	rec, err := partition.ReadRecord(v)
	return rec, true, err
}

// History reads the history of an instance from event first on, in chunks, oldest first.
func (r *Reader) History(ref partition.Ref, first int64) ([][]byte, error) {
	return r.lane.history(ref, first)
}

// Await makes the client be answered when the open instance ref ends; the Read must return what Await returns. It
// reports false if the instance is not open.
func (r *Reader) Await(ref partition.Ref) (any, bool, error) {
	l := r.lane
	if _, ok := l.core.View(ref); !ok {
		if ok, err := l.install(ref); err != nil || !ok {
			return nil, false, err
		}
	}
	if !l.core.Await(ref) {
		return nil, false, nil
	}
	if len(l.waiters[ref]) >= limits.Waiters {
		return nil, false, fault.New("", fault.Busy, "", "%d clients wait for this run, which is the most; ask for its state now and then instead", limits.Waiters)
	}
	l.waiters[ref] = append(l.waiters[ref], r.client)
	return pending, true, nil
}

// Waiting returns how many clients wait for ref.
func (r *Reader) Waiting(ref partition.Ref) int { return len(r.lane.waiters[ref]) }

// Wake answers the client that has waited longest for ref with value, if there is one.
func (r *Reader) Wake(ref partition.Ref, value any) { r.lane.wakeOne(ref, value) }

// wakeOne answers the client that has waited longest for ref and waits still.
func (l *Lane) wakeOne(ref partition.Ref, value any) {
	list := l.waiters[ref]
	for len(list) > 0 {
		client := list[0]
		list = list[1:]
		if g, ok := client.(interface{ Gone() bool }); ok && g.Gone() {
			continue
		}
		l.out = append(l.out, partition.Effect{Kind: partition.Reply, Client: client, Value: value})
		break
	}
	if len(list) == 0 {
		delete(l.waiters, ref)
		l.core.Leave(ref)
		return
	}
	l.waiters[ref] = list
}

// Leave forgets the clients that wait for ref no longer. An instance that nobody waits for may leave memory.
func (r *Reader) Leave(ref partition.Ref) {
	l := r.lane
	kept := l.waiters[ref][:0]
	for _, c := range l.waiters[ref] {
		if g, ok := c.(interface{ Gone() bool }); !ok || !g.Gone() {
			kept = append(kept, c)
		}
	}
	clear(l.waiters[ref][len(kept):])
	if len(kept) > 0 {
		l.waiters[ref] = kept
		return
	}
	delete(l.waiters, ref)
	l.core.Leave(ref)
}
