package engine

import (
	"context"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/store"
	"github.com/weftworks/weft/engine/values"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/machine"
)

// snapshotJob is a snapshot of a partition on its way to the store.
type snapshotJob struct {
	partition partition.ID
	batch     *store.Batch
	applied   func()
}

// applySnapshots brings snapshots to the store, in order, off the partitions' goroutines.
func (n *Node) applySnapshots() {
	defer n.group.Done()
	for {
		select {
		case job := <-n.snapshot:
			n.flushLogs() // what the store has is not logged again after a crash
			if err := n.store.Apply(job.batch); err != nil {
				n.fail(err)
				continue
			}
			job.applied()
		case <-n.life.Done():
			return
		}
	}
}

const (
	houseEvery     = time.Second
	flushEvery     = time.Minute
	flushLogBytes  = 128 << 20 // replaying this much takes well under a second
	purgeEvery     = 10 * time.Second
	purgeBatch     = 1000
	purgeAtOnceMax = 50 // batches a partition and round
)

// keepHouse takes snapshots of what has lain for a while, flushes the store and cuts the log, sends again what got
// lost, and removes what retention says.
func (n *Node) keepHouse() {
	defer n.group.Done()
	tick := time.NewTicker(houseEvery)
	defer tick.Stop()
	var purged time.Time
	flushedBytes, flushedPos := n.logStats().Bytes, commitlog.Position(0)
	every := flushEvery
	if n.opts.Dir == "" {
		every = houseEvery // it only lets old versions go
	}
	// The first flush comes with the second tick, when the snapshots of the first are in the store: a node that is
	// killed every few seconds must not replay more each time.
	flushed := time.Now().Add(houseEvery + houseEvery/2 - every)
	for {
		select {
		case <-n.life.Done():
			return
		case reply := <-n.flush:
			reply <- n.flushStore()
			continue
		case <-tick.C:
		}
		if n.Healthy() != nil {
			continue
		}
		for _, l := range n.lanes {
			_ = l.Submit(l.Flush())
			_ = l.Submit(l.Resend())
		}
		now := time.Now()
		bytes, pos := n.logStats().Bytes, n.lastDurable()
		if pos != flushedPos && (bytes-flushedBytes > flushLogBytes || now.Sub(flushed) > every) {
			if err := n.flushStore(); err != nil {
				n.fail(err)
				continue
			}
			flushed, flushedBytes, flushedPos = now, bytes, pos
		}
		if now.Sub(purged) > purgeEvery {
			if _, err := n.values.keeper.Sweep(values.OrphanAge); err != nil {
				n.opts.Logger.Warn("large values that nobody needs cannot be removed", "error", err)
			}
			n.purge(now)
			n.finishDeletes(n.life)
			purged = now
		}
	}
}

// flushStore makes the applied snapshots durable and cuts the log before them.
func (n *Node) flushStore() error { return n.shared.Cut(n.lastDurable()) }

func (n *Node) lastDurable() commitlog.Position { return commitlog.Position(n.durable.Load()) }

// Flush takes a snapshot of everything accepted before the call and makes it durable, so that the next start replays
// only what came later.
func (n *Node) Flush(ctx context.Context) error {
	// Each lane is waited for once: with clients or loops at work its position never stands still.
	goals := make([]commitlog.Position, len(n.lanes))
	for i, l := range n.lanes {
		goals[i] = l.Position()
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for {
		behind := false
		for i, l := range n.lanes {
			if l.Applied() < goals[i] {
				behind = true
				if err := l.Submit(l.Flush()); err != nil {
					return err
				}
			}
		}
		if !behind {
			break
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-n.life.Done():
			return errClosing()
		}
	}
	reply := make(chan error, 1)
	select {
	case n.flush <- reply:
		return <-reply
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-n.life.Done():
		return errClosing()
	}
}

// endedStatuses are those of ended runs, in the index that retention reads.
var endedStatuses = []uint8{
	uint8(machine.Succeeded), uint8(machine.Failed), uint8(machine.TimedOut), uint8(machine.Aborted),
	workflow.ListedStatus(durable.Completed), workflow.ListedStatus(durable.Failed), workflow.ListedStatus(durable.Terminated),
}

// retain returns how long ended runs of a status are kept; 0: for ever.
func (n *Node) retain(status uint8) time.Duration {
	if s, ok := workflow.StatusListed(status); ok {
		if d, ok := n.opts.RetainWorkflows[s]; ok {
			return d
		}
		return RetainDefault
	}
	if d, ok := n.opts.Retain[machine.Status(status)]; ok {
		return d
	}
	return RetainDefault
}

// purge removes ended runs that are older than retention keeps them.
func (n *Node) purge(now time.Time) {
	shortest := time.Duration(0)
	for _, s := range endedStatuses {
		if d := n.retain(s); d > 0 && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	if shortest == 0 {
		return
	}
	for i, l := range n.lanes {
		lower, upper := partition.EndedRange(partition.ID(i), now.Add(-shortest).UnixMilli())
		var refs []partition.Ref
		batches := 0
		it := n.store.Iterate(lower, upper, false)
		for it.Next() && batches < purgeAtOnceMax {
			ref, ended, status := partition.ReadEnded(it.Key(), it.Value())
			d := n.retain(status)
			if d == 0 || ended > now.Add(-d).UnixMilli() {
				continue
			}
			if refs = append(refs, ref); len(refs) == purgeBatch {
				n.submitPurge(l, refs)
				refs = refs[:0]
				batches++
			}
		}
		if err := it.Err(); err != nil {
			n.opts.Logger.Warn("retention: the list of ended runs cannot be read", "partition", i, "error", err)
		}
		_ = it.Close()
		if len(refs) > 0 {
			n.submitPurge(l, refs)
		}
	}
}

func (n *Node) submitPurge(l *lane.Lane, refs []partition.Ref) {
	ev := partition.Event{Kind: partition.Purge, Body: partition.AppendRefs(nil, refs)}
	_ = l.Submit(lane.Item{Event: ev, Internal: true})
}
