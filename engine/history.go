package engine

import (
	"context"
	"errors"
	"slices"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/machine/history"
)

// tail is the end of a history that the store may not have yet.
type tail struct {
	partition partition.ID
	ref       partition.Ref
	length    int64             // of the whole history
	chunks    []partition.Chunk // in order, without gaps, up to length
}

// History returns a stretch of a run's history, committed events only.
func (n *Node) History(ctx context.Context, id RunID, q HistoryQuery) ([]history.Event, error) {
	events, err := n.history(ctx, id, q)
	if errors.Is(err, errMissing) { // retention may have removed the run since it was looked at
		events, err = n.history(ctx, id, q)
	}
	return events, err
}

func (n *Node) history(ctx context.Context, id RunID, q HistoryQuery) ([]history.Event, error) {
	release, err := n.useStore()
	if err != nil {
		return nil, err
	}
	defer release()
	v, err := n.look(ctx, id, func(r *lane.Reader) any {
		t, err := n.historyTail(r, id)
		if err != nil {
			return err
		}
		return t
	})
	if err != nil {
		return nil, err
	}
	t := v.(*tail)
	limit := q.Limit
	if limit <= 0 {
		limit = listDefault
	}
	limit = min(limit, listMax)
	first, last := max(q.From, 1), t.length
	if q.Reverse {
		if q.From > 0 {
			last = min(q.From, t.length)
		}
		first = max(1, last-int64(limit)+1)
	} else {
		last = min(last, first+int64(limit)-1)
	}
	events, err := n.readHistory(t, first, last)
	if err == nil && q.Reverse {
		slices.Reverse(events)
	}
	return within(events, q.Bytes), err
}

// within cuts events where their payloads become larger than bytes, but not before the first.
func within(events []history.Event, bytes int) []history.Event {
	if bytes <= 0 {
		return events
	}
	size := 0
	for i := range events {
		e := &events[i]
		size += len(e.Input) + len(e.Output) + len(e.Parameters) + len(e.Cause)
		if i > 0 && size > bytes {
			return events[:i]
		}
	}
	return events
}

func (n *Node) historyTail(r *lane.Reader, id RunID) (*tail, error) {
	ref, view, err := n.view(r, id)
	if err != nil {
		return nil, err
	}
	t := &tail{partition: r.Core().ID(), ref: ref, length: view.Events}
	if v, ok := r.Core().View(ref); ok {
		t.chunks = slices.Clone(v.Chunks)
		if run, ok := v.State.(*statemachine.Run); ok {
			if data, first, count := run.History(); count > 0 {
				t.chunks = append(t.chunks, partition.Chunk{Data: slices.Clone(data), First: first, Count: count})
			}
		}
	}
	return t, nil
}

// readHistory reads the events first to last from the store and the tail.
func (n *Node) readHistory(t *tail, first, last int64) ([]history.Event, error) {
	if first > last {
		return nil, nil
	}
	events := make([]history.Event, 0, last-first+1)
	take := func(chunk []byte) error {
		r := history.NewReader(chunk)
		var e history.Event
		for r.Next(&e) {
			if e.ID >= first && e.ID <= last {
				events = append(events, e)
			}
		}
		return r.Err()
	}
	stored := last + 1
	if len(t.chunks) > 0 {
		stored = min(stored, t.chunks[0].First)
	}
	if first < stored {
		if err := n.storedHistory(t, first, stored-1, take); err != nil {
			return nil, err
		}
	}
	for _, c := range t.chunks {
		if c.First <= last && c.First+c.Count > first {
			if err := take(c.Data); err != nil {
				return nil, err
			}
		}
	}
	if int64(len(events)) != last-first+1 {
		return nil, fault.New("engine.History", fault.Corrupt, "", "%w: %d of the events %d to %d are there; restore the data directory from a backup", errMissing, len(events), first, last)
	}
	return events, nil
}

var errMissing = errors.New("a part of the history is missing")

// storedHistory calls take for the stored chunks that hold events from first to last.
func (n *Node) storedHistory(t *tail, first, last int64, take func([]byte) error) error {
	// The chunk with first begins at or before it.
	from := partition.HistoryKey(t.partition, t.ref, 0)
	back := n.store.Iterate(from, partition.HistoryKey(t.partition, t.ref, first+1), true)
	if back.Next() {
		from = slices.Clone(back.Key())
	}
	err := back.Err()
	_ = back.Close()
	if err != nil {
		return err
	}
	it := n.store.Iterate(from, partition.HistoryKey(t.partition, t.ref, last+1), false)
	defer func() { _ = it.Close() }()
	for it.Next() {
		r := wire.NewReader(slices.Clone(it.Value()))
		r.Uint() // the count
		if err := r.Err(); err != nil {
			return err
		}
		if err := take(r.Rest()); err != nil {
			return err
		}
	}
	return it.Err()
}
