package partition

import (
	"slices"

	"github.com/weftworks/weft/internal/wire"
)

// outbox holds the messages to other partitions that their receivers have not confirmed, by destination and in
// order; dedup the last message taken from each origin. Together they make every message arrive exactly once
// and in order, whatever is lost, repeated or delivered late between partitions.
type outbox struct {
	to map[ID]*stream
}

type stream struct {
	next    uint64 // sequence of the next message; the first is 1
	pending []*Event
}

func (o *outbox) put(dest ID, ev *Event) {
	if o.to == nil {
		o.to = make(map[ID]*stream)
	}
	s := o.to[dest]
	if s == nil {
		s = &stream{next: 1}
		o.to[dest] = s
	}
	ev.From.Seq = s.next
	s.next++
	s.pending = append(s.pending, ev)
}

// confirm drops what dest has up to seq.
func (o *outbox) confirm(dest ID, seq uint64) {
	s := o.to[dest]
	if s == nil {
		return
	}
	n := 0
	for n < len(s.pending) && s.pending[n].From.Seq <= seq {
		n++
	}
	s.pending = slices.Delete(s.pending, 0, n)
}

func (o *outbox) append(dst []byte) []byte {
	dests := sortedKeys(o.to)
	dst = wire.AppendUint(dst, uint64(len(dests)))
	for _, d := range dests {
		s := o.to[d]
		dst = wire.AppendUint(dst, uint64(d))
		dst = wire.AppendUint(dst, s.next)
		dst = wire.AppendUint(dst, uint64(len(s.pending)))
		for _, ev := range s.pending {
			message := AppendEvent(nil, 0, ev)
			if ev.With != nil {
				message = wire.AppendString(message, string(ev.With.ID))
			}
			dst = wire.AppendBytes(dst, message)
		}
	}
	return dst
}

func (o *outbox) read(r *wire.Reader) {
	n := r.Count(3)
	o.to = make(map[ID]*stream, n)
	for range n {
		d, s := ID(r.Uint()), &stream{next: r.Uint()}
		for range r.Count(2) {
			ev := &Event{}
			er := wire.NewReader(r.Bytes())
			ev.Kind = 0
			readEvent(er, 0, ev)
			if er.Len() > 0 {
				ev.With = &Carried{ID: BlobID(er.Bytes())} // its data when it is sent again
			}
			r.Fail(er.Err())
			ev.Body = slices.Clone(ev.Body)
			s.pending = append(s.pending, ev)
		}
		o.to[d] = s
	}
}

type dedup struct {
	last map[ID]uint64
}

// take reports whether the message is the next of its origin, and remembers it.
func (d *dedup) take(from Origin) bool {
	if from.Seq != d.last[from.Partition]+1 {
		return false
	}
	if d.last == nil {
		d.last = make(map[ID]uint64)
	}
	d.last[from.Partition] = from.Seq
	return true
}

func (d *dedup) append(dst []byte) []byte {
	dst = wire.AppendUint(dst, uint64(len(d.last)))
	for _, p := range sortedKeys(d.last) {
		dst = wire.AppendUint(dst, uint64(p))
		dst = wire.AppendUint(dst, d.last[p])
	}
	return dst
}

func (d *dedup) read(r *wire.Reader) {
	n := r.Count(2)
	d.last = make(map[ID]uint64, n)
	for range n {
		p := ID(r.Uint())
		d.last[p] = r.Uint()
	}
}

func sortedKeys[V any](m map[ID]V) []ID {
	keys := make([]ID, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
