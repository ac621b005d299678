package lane

import (
	"slices"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
)

// maxBehind is how many snapshots' worth of changes may gather in memory while the store takes one; past it clients are
// told to come back later, as memory would have no bound.
const maxBehind = 16

// maybeSnapshot takes a snapshot if enough has changed.
func (l *Lane) maybeSnapshot() {
	if l.snapping {
		instances, size := l.core.Changed()
		l.behind.Store(instances > maxBehind*max(l.cfg.SnapshotInstances, 64) || size > maxBehind*max(l.cfg.SnapshotBytes, 64<<10))
		return
	}
	wanted := l.wanted && l.pos > l.snapPos
	l.wanted = false
	instances, size := l.core.Changed()
	l.behind.Store(false)
	if wanted || instances >= l.cfg.SnapshotInstances || size >= l.cfg.SnapshotBytes {
		l.snapshot()
	}
}

// snapshot writes what has changed to a batch, which is applied once the log is durable up to here: a store that
// knew more than the log would remember what never happened.
func (l *Lane) snapshot() {
	batch := l.cfg.NewBatch()
	pos := l.pos
	l.core.Snapshot(batch, uint64(pos))
	l.snapping, l.snapPos = true, pos
	after := pos
	if l.cfg.Faults.EarlySnapshot {
		after = 0
	}
	l.hold(held{pos: after, then: func() {
		l.cfg.Host.Snapshot(l.cfg.Partition.ID, batch, pos, func() {
			_ = l.Submit(Item{Internal: true, Read: func(*Reader) any { l.snapshotApplied(pos); return nil }})
		})
	}})
}

func (l *Lane) snapshotApplied(pos commitlog.Position) {
	l.core.Applied(l.cfg.Resident)
	l.snapping = false
	l.applied.Store(uint64(pos))
	l.behind.Store(false)
	for _, it := range l.parked {
		_ = l.Submit(it)
	}
	l.parked = nil
}

// Flush returns an item that takes a snapshot if anything was logged since the last one.
func (l *Lane) Flush() Item {
	return Item{Internal: true, Read: func(*Reader) any {
		l.wanted = true // not now: the core is ahead of the log in the middle of a turn
		return nil
	}}
}

// Replay folds a log entry at pos, whose data it keeps, if the loaded state does not have it yet. apply writes a snapshot
// to the store; it is called when enough has changed, so that a long log is replayed in bounded memory.
func (l *Lane) Replay(pos commitlog.Position, data []byte, apply func(Batch) error) error {
	if pos <= l.pos {
		return nil
	}
	err := partition.ReadBatch(data, func(ev *partition.Event) error {
		if err := l.prepare(ev); err != nil {
			return err
		}
		l.core.Step(ev)
		return nil
	})
	if err != nil {
		return err
	}
	l.pos = pos
	l.last.Store(uint64(pos))
	instances, size := l.core.Changed()
	if instances < l.cfg.SnapshotInstances && size < l.cfg.SnapshotBytes {
		return nil
	}
	return l.Save(apply)
}

// Save writes what has changed to the store. Only before Recovered.
func (l *Lane) Save(apply func(Batch) error) error {
	batch := l.cfg.NewBatch()
	l.core.Snapshot(batch, uint64(l.pos))
	if err := apply(batch); err != nil {
		return err
	}
	l.snapPos = l.pos
	l.snapshotApplied(l.pos)
	return nil
}

// Recovered ends a recovery: it logs the new incarnation, and once that is durable sends again what other partitions
// have not confirmed and calls again the functions that have not answered.
func (l *Lane) Recovered(now int64) error {
	l.now = max(now, l.core.Now())
	l.buf = partition.AppendBatch(l.buf[:0], l.now)
	if err := l.step(&partition.Event{Kind: partition.Recovered, Time: l.now, ID: l.core.Incarnation() + 1}); err != nil {
		return err
	}
	refs := make(map[partition.Ref]bool)
	l.core.InMemory(func(ref partition.Ref, ended bool) {
		if !ended {
			refs[ref] = true
		}
	})
	err := partition.Working(l.cfg.Partition.ID, l.cfg.Store, func(ref partition.Ref) error {
		refs[ref] = true
		return nil
	})
	if err != nil {
		return err
	}
	if err := l.resume(refs); err != nil {
		return err
	}
	l.core.Pending(func(dest partition.ID, ev *partition.Event) {
		l.out = append(l.out, partition.Effect{Kind: partition.Send, Partition: dest, Event: ev})
	})
	l.recovering = true
	return l.commit(true)
}

// Resend returns an item that sends again the messages that a partition has not confirmed for a second or more.
func (l *Lane) Resend() Item {
	return Item{Internal: true, Read: func(*Reader) any {
		late := make(map[partition.ID]bool)
		l.core.Pending(func(dest partition.ID, ev *partition.Event) {
			if _, seen := late[dest]; !seen {
				late[dest] = ev.Time <= l.now-1000
			}
			if late[dest] {
				l.out = append(l.out, partition.Effect{Kind: partition.Send, Partition: dest, Event: ev})
			}
		})
		return nil
	}}
}

// resume collects the calls and continuations that instances still wait for, oldest instance first.
func (l *Lane) resume(refs map[partition.Ref]bool) error {
	order := make([]partition.Ref, 0, len(refs))
	for ref := range refs {
		order = append(order, ref)
	}
	slices.Sort(order)
	for _, ref := range order {
		if _, ok := l.core.View(ref); !ok {
			ok, err := l.install(ref)
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
		}
		again, step := l.core.Outstanding(ref, func(call partition.Invocation) {
			l.out = append(l.out, partition.Effect{Kind: partition.Invoke, Ref: ref, Call: call})
		})
		if step {
			l.owing = append(l.owing, ref) // the first turn makes it
		}
		if again {
			l.out = append(l.out, partition.Effect{Kind: partition.Resume, Ref: ref})
		}
	}
	return nil
}

// lookup finds the instance that the store has under name.
func (l *Lane) lookup(name string) (partition.Ref, bool, error) {
	v, ok, err := l.cfg.Store.Get(partition.NameKey(l.cfg.Partition.ID, name))
	if err != nil || !ok {
		return 0, false, err
	}
	r := wire.NewReader(v)
	ref := partition.Ref(r.Uint())
	return ref, r.Err() == nil && !l.core.Removed(ref), r.Err()
}

// install brings an instance from the store into memory, if the store has it.
func (l *Lane) install(ref partition.Ref) (bool, error) {
	if l.core.Removed(ref) {
		return false, nil
	}
	rec, ok, err := l.cfg.Store.Get(partition.InstanceKey(l.cfg.Partition.ID, ref))
	if err != nil || !ok {
		return false, err
	}
	return true, l.core.Install(ref, rec)
}
