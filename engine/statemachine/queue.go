package statemachine

import "github.com/weftworks/weft/internal/wire"

// queue holds the tasks of an activity in the order of their offers. One that is withdrawn leaves a hole; holes go when
// they are half, so that any number of withdrawals costs what the offers cost.
type queue struct {
	list []OfferMessage // Run "": a hole
	head int
	live int
	at   map[OfferMessage]int // made when something is withdrawn; nil: not in use
}

func (q *queue) add(m OfferMessage) {
	if q.at != nil {
		q.at[m] = len(q.list)
	}
	q.list = append(q.list, m)
	q.live++
}

// take removes the oldest.
func (q *queue) take() (OfferMessage, bool) {
	for q.head < len(q.list) {
		m := q.list[q.head]
		if m.Run == "" {
			q.head++
			continue
		}
		q.drop(q.head)
		return m, true
	}
	return OfferMessage{}, false
}

func (q *queue) remove(m OfferMessage) {
	if q.at == nil {
		q.at = make(map[OfferMessage]int, q.live)
		for i, o := range q.list {
			if o.Run != "" {
				q.at[o] = i
			}
		}
	}
	if i, ok := q.at[m]; ok {
		q.drop(i)
	}
}

func (q *queue) drop(i int) {
	if q.at != nil {
		delete(q.at, q.list[i])
	}
	q.list[i] = OfferMessage{}
	if q.live--; q.live <= len(q.list)/2 {
		kept := q.list[:0]
		for _, o := range q.list {
			if o.Run != "" {
				kept = append(kept, o)
			}
		}
		clear(q.list[len(kept):])
		q.list, q.head, q.at = kept, 0, nil
	}
}

func (q *queue) each(fn func(OfferMessage)) {
	for _, o := range q.list {
		if o.Run != "" {
			fn(o)
		}
	}
}

func (q *queue) append(dst []byte) []byte {
	dst = wire.AppendUint(dst, uint64(q.live))
	q.each(func(o OfferMessage) { dst = wire.AppendString(wire.AppendUint(dst, o.Task), o.Run) })
	return dst
}

func (q *queue) read(r *wire.Reader) {
	for range r.Count(2) {
		q.add(OfferMessage{Task: r.Uint(), Run: r.String()})
	}
}
