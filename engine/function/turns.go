package function

import (
	"container/heap"
	"container/list"
	"slices"
	"time"
)

// turns is the pure part of a gate: it decides which call begins, and neither locks, wakes nor reads a clock. Times
// that it is given never go back.
//
// A call may begin while the function has room, its key has room and the rate has a token. Of those that may:
//
//   - The priority comes first. A priority of which no call has begun for a while counts as one more for each aging
//     that passed, so none starves; of two that count the same, the one that has waited longer goes first. It is the
//     priority that ages and not the call: if each call aged, a tenant's old backlog would outrank whatever others
//     bring, and tenants would be served in order of arrival after all.
//   - Tenants of a priority take turns by virtual finishing times (self-clocked fair queueing, Golestani 1994). The
//     level's clock is the tag of the share served last, and a share's next tag is 1/weight later. In any stretch of
//     time in which tenants i and j both have calls that may begin, calls_i/weight_i and calls_j/weight_j differ by at
//     most 1/weight_i + 1/weight_j. A share that is empty can be forgotten: its last tag is not after the clock.
//   - A tenant's calls go in the order they came, but for those whose key is full, which others pass.
//
// Waiting calls are in levels (by priority), shares (by tenant) and lines (by key). A line whose key turns out to be full
// is parked with the key until one of the key's calls ends. So a call costs the logarithm of the tenants and of the
// tenant's keys, and the end of a call of a full key costs one for every line that was parked.
type turns struct {
	concurrency int // at a time; 0: no limit
	perKey      int // of a key; 0: no limit
	rate        bucket
	aging       time.Duration
	weights     map[string]int // of tenants; 1 for others

	running int
	waiting int
	held    int             // of waiting, those whose key is full
	keys    map[string]*key // with calls that run or wait
	levels  []*level        // with calls that wait, in no order; at most 256
	shares  map[shareID]*share
	lines   map[lineID]*line
	serial  uint64 // of the last call or tag
}

type shareID struct {
	level  *level
	tenant string
}

type lineID struct {
	share *share
	key   *key
}

// waiter is a call that waits.
type waiter struct {
	key    *key // nil: none
	serial uint64
	line   *line
	place  *list.Element
	turn   chan struct{} // closed by the gate when the call begins
}

// key is a concurrency key in use.
type key struct {
	name             string
	running, waiting int
	parked           []*line // each knows its spot
}

// level is a priority in use.
type level struct {
	priority int8
	since    time.Time // when a call of it began last, or when it came into use
	clock    uint64
	ready    pile[*share]
	shares   int
}

// share is a tenant in a level.
type share struct {
	level       *level
	tenant      string
	stride      uint64 // what a call adds to tag: 1/weight
	tag, serial uint64 // virtual finishing time of the next call; serial decides between equals
	ready       pile[*line]
	lines       int
	spot        int
}

// line is the calls of a tenant in a level with the same key, oldest first.
type line struct {
	share *share
	key   *key
	calls list.List // of *waiter
	spot  int       // in share.ready, or in key.parked
	ready bool      // or parked
}

// strideOne is the stride of weight 1. Tags reach 2^64 after 10^13 calls without a pause.
const strideOne = 1 << 20

func (s *share) before(o *share) bool {
	if s.tag != o.tag {
		return s.tag < o.tag
	}
	return s.serial < o.serial
}

func (l *line) before(o *line) bool { return l.first().serial < o.first().serial }
func (l *line) first() *waiter      { return l.calls.Front().Value.(*waiter) }

func (s *share) moved(to int) { s.spot = to }
func (l *line) moved(to int)  { l.spot = to }

func newTurns(s *Settings) turns {
	return turns{
		concurrency: s.Concurrency, perKey: s.PerKey, rate: newBucket(s.Rate, s.Burst), aging: s.Aging, weights: s.Tenants,
		keys: map[string]*key{}, shares: map[shareID]*share{}, lines: map[lineID]*line{},
	}
}

// room reports whether the function has room for a call.
func (t *turns) room() bool { return t.concurrency == 0 || t.running < t.concurrency }

// token reports whether the rate lets a call begin.
func (t *turns) token(now time.Time) bool { return !t.rate.limits() || t.rate.ready(now) }

// full reports whether a key has no room for a call.
func (t *turns) full(k *key) bool { return k != nil && k.running >= t.perKey }

// begin lets a call in at once if it may and none that may waits. Its key is to be given to end.
func (t *turns) begin(name string, now time.Time) (*key, bool) {
	if t.waiting > t.held || !t.room() || !t.token(now) {
		return nil, false
	}
	if t.perKey == 0 || name == "" {
		t.take(nil, now)
		return nil, true
	}
	if t.full(t.keys[name]) {
		return nil, false
	}
	k := t.key(name)
	t.take(k, now)
	return k, true
}

// key finds or makes a key; nil when calls of this name are not limited.
func (t *turns) key(name string) *key {
	if t.perKey == 0 || name == "" {
		return nil
	}
	k := t.keys[name]
	if k == nil {
		k = &key{name: name}
		t.keys[name] = k
	}
	return k
}

// take counts a call in.
func (t *turns) take(k *key, now time.Time) {
	t.running++
	if t.rate.limits() {
		t.rate.take(now)
	}
	if k == nil {
		return
	}
	if k.running++; k.running == t.perKey {
		t.held += k.waiting
	}
}

// end counts a call out.
func (t *turns) end(k *key) {
	t.running--
	if k == nil {
		return
	}
	if k.running == t.perKey {
		t.held -= k.waiting
	}
	k.running--
	for _, l := range k.parked {
		t.enlist(l)
	}
	k.parked = nil
	t.forget(k)
}

// forget drops a key that is of no use.
func (t *turns) forget(k *key) {
	if k.running == 0 && k.waiting == 0 {
		delete(t.keys, k.name)
	}
}

// push lets a call wait. It may be its turn already: ask next.
func (t *turns) push(req *Request, now time.Time) *waiter {
	w := &waiter{key: t.key(req.ConcurrencyKey), serial: t.tick()}
	l := t.line(t.share(t.level(req.Priority, now), req.Tenant), w.key)
	w.line, w.place = l, l.calls.PushBack(w)
	if l.calls.Len() == 1 {
		t.enlist(l)
	}
	t.waiting++
	if w.key != nil {
		w.key.waiting++
		if t.full(w.key) {
			t.held++
		}
	}
	return w
}

func (t *turns) tick() uint64 {
	t.serial++
	return t.serial
}

// level finds or makes a level.
func (t *turns) level(priority int8, now time.Time) *level {
	for _, v := range t.levels {
		if v.priority == priority {
			return v
		}
	}
	v := &level{priority: priority, since: now}
	t.levels = append(t.levels, v)
	return v
}

// share finds or makes a share.
func (t *turns) share(v *level, tenant string) *share {
	id := shareID{v, tenant}
	s := t.shares[id]
	if s == nil {
		s = &share{level: v, tenant: tenant, stride: strideOne / uint64(max(1, t.weights[tenant])), serial: t.tick()}
		s.tag = v.clock + s.stride
		t.shares[id] = s
		v.shares++
	}
	return s
}

// line finds or makes a line, which is empty then and neither ready nor parked.
func (t *turns) line(s *share, k *key) *line {
	id := lineID{s, k}
	l := t.lines[id]
	if l == nil {
		l = &line{share: s, key: k}
		t.lines[id] = l
		s.lines++
	}
	return l
}

// enlist makes a line ready; the caller has taken it from its key. A share that could not be served has no claim on what it
// missed: it goes on at the level's clock.
func (t *turns) enlist(l *line) {
	s := l.share
	if len(s.ready) == 0 {
		s.tag = max(s.tag, s.level.clock)
		heap.Push(&s.level.ready, s)
	}
	l.ready = true
	heap.Push(&s.ready, l)
}

// delist takes a line out of those that are ready.
func (t *turns) delist(l *line) {
	s := l.share
	l.ready = false
	heap.Remove(&s.ready, l.spot)
	if len(s.ready) == 0 {
		heap.Remove(&s.level.ready, s.spot)
	}
}

// next lets in the call whose turn it is; nil: none may begin now.
func (t *turns) next(now time.Time) *waiter {
	if !t.room() || !t.token(now) {
		return nil
	}
	for v := t.foremost(now); v != nil; v = t.foremost(now) {
		s := v.ready[0]
		l := s.ready[0]
		if t.full(l.key) {
			t.delist(l)
			l.spot = len(l.key.parked)
			l.key.parked = append(l.key.parked, l)
			continue
		}
		v.since, v.clock = now, s.tag
		s.tag, s.serial = s.tag+s.stride, t.tick()
		heap.Fix(&v.ready, 0)
		w := l.first()
		t.take(w.key, now) // first: remove forgets a key that has neither
		t.remove(w)
		return w
	}
	return nil
}

// foremost returns the level to serve; nil: no line is ready.
func (t *turns) foremost(now time.Time) *level {
	var best *level
	var most int
	for _, v := range t.levels {
		if len(v.ready) == 0 {
			continue
		}
		aged := int(v.priority) + int(now.Sub(v.since)/t.aging)
		if best == nil || aged > most || (aged == most && v.since.Before(best.since)) {
			best, most = v, aged
		}
	}
	return best
}

// remove takes out a call that waits, and all that was there for it alone.
func (t *turns) remove(w *waiter) {
	t.waiting--
	if k := w.key; k != nil {
		k.waiting--
		if t.full(k) {
			t.held--
		}
		t.forget(k)
	}
	l := w.line
	first := l.calls.Front() == w.place
	if l.calls.Len() == 1 {
		t.drop(l)
	}
	l.calls.Remove(w.place)
	if first && l.ready {
		heap.Fix(&l.share.ready, l.spot)
	}
}

// drop forgets a line, before its last call is taken out.
func (t *turns) drop(l *line) {
	if l.ready {
		t.delist(l)
	} else {
		last := len(l.key.parked) - 1
		l.key.parked[last].spot = l.spot
		l.key.parked[l.spot] = l.key.parked[last]
		l.key.parked[last] = nil
		l.key.parked = l.key.parked[:last]
	}
	s := l.share
	v := s.level
	delete(t.lines, lineID{s, l.key})
	if s.lines--; s.lines > 0 {
		return
	}
	delete(t.shares, shareID{v, s.tenant})
	if v.shares--; v.shares == 0 {
		t.levels = slices.DeleteFunc(t.levels, func(o *level) bool { return o == v })
	}
}

// wake returns when next is to be asked again although no call has ended: when the rate has its next token. It is
// false when no call waits for that.
func (t *turns) wake() (time.Time, bool) {
	return t.rate.next(), t.waiting > t.held && t.room()
}

// ranked is what a pile can hold.
type ranked[T any] interface {
	before(T) bool
	moved(to int)
}

// pile is a heap (heap.Interface) of things that know their spot in it.
type pile[T ranked[T]] []T

func (p pile[T]) Len() int           { return len(p) }
func (p pile[T]) Less(i, j int) bool { return p[i].before(p[j]) }

func (p pile[T]) Swap(i, j int) {
	p[i], p[j] = p[j], p[i]
	p[i].moved(i)
	p[j].moved(j)
}

// Push implements heap.Interface.
func (p *pile[T]) Push(x any) {
	v := x.(T)
	v.moved(len(*p))
	*p = append(*p, v)
}

// Pop implements heap.Interface.
func (p *pile[T]) Pop() any {
	last := len(*p) - 1
	v := (*p)[last]
	clear((*p)[last:])
	*p = (*p)[:last]
	return v
}
