package lane

import (
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
)

// stepCode runs the user code of the instances that asked for it in this turn and folds what it did, into the same log
// entry as what made it run: cause and effect cost one sync.
//
// Code that takes too long is not waited for: the host gives the lane to another goroutine, which calls Resume.
func (l *Lane) stepCode() error {
	for len(l.owing) > 0 {
		for _, ref := range l.owing {
			if work, ok := l.core.Work(ref); ok {
				l.jobs = append(l.jobs, Job{Ref: ref, Work: work, History: func(first int64) ([][]byte, error) { return l.history(ref, first) }})
			}
		}
		l.owing = l.owing[:0]
		if len(l.jobs) == 0 {
			return nil
		}
		done, lost := l.cfg.Host.Step(l.cfg.Partition.ID, l.jobs)
		if lost {
			return ErrLost
		}
		if err := l.stepped(done); err != nil {
			return err
		}
	}
	return nil
}

// stepped folds what user code did.
func (l *Lane) stepped(done []partition.Event) error {
	clear(l.jobs)
	l.jobs = l.jobs[:0]
	for i := range done {
		ev := &done[i]
		if ev.ID == 0 {
			l.core.Idle(ev.Ref)
			continue
		}
		ev.Time = l.now
		if err := l.step(ev); err != nil {
			return err
		}
		if len(l.buf) < entryBytes {
			continue
		}
		if err := l.commit(true); err != nil {
			return err
		}
		l.buf = partition.AppendBatch(l.buf[:0], l.now)
	}
	return nil
}

// history reads the history of an instance in memory from event first on, oldest first: what the store has, then what it
// does not have yet. The chunks are copies.
func (l *Lane) history(ref partition.Ref, first int64) (chunks [][]byte, err error) {
	id := l.cfg.Partition.ID
	next := first
	err = l.cfg.Store.Scan(partition.HistoryKey(id, ref, first), partition.HistoryKey(id, ref+1, 0), func(k, v []byte) error {
		r := wire.NewReader(v)
		count := int64(r.Uint())
		if at := partition.HistoryFirst(k); at == next && r.Err() == nil {
			chunks = append(chunks, append([]byte(nil), r.Rest()...))
			next += count
		}
		return r.Err()
	})
	if err != nil {
		return nil, err
	}
	view, ok := l.core.View(ref)
	if !ok {
		return chunks, nil
	}
	for _, ch := range view.Chunks {
		if ch.First == next {
			chunks = append(chunks, ch.Data)
			next += ch.Count
		}
	}
	if h, ok := view.State.(partition.Historian); ok {
		if data, at, count := h.History(); count > 0 && at == next {
			chunks = append(chunks, append([]byte(nil), data...))
		}
	}
	return chunks, nil
}
