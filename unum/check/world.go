package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/unum/protocol"
)

// world is one state: all numbers are those of the tables of a model, and all lists but those of execs are sorted, so that
// equal worlds have equal encodings.
type world struct {
	records []pair  // key, record
	blobs   []pair  // name, content
	pending []int32 // requests that are not delivered; one may be there twice
	execs   []int32 // under way
	seen    []pair  // instance, the execution whose value was seen
	orphans []int32 // names of blobs whose writer crashed: nothing but their time to live collects them
	left    Bounds
}

type pair struct{ key, val int32 }

func (w *world) clone() *world {
	c := *w
	c.records, c.blobs, c.seen = slices.Clone(w.records), slices.Clone(w.blobs), slices.Clone(w.seen)
	c.pending, c.execs, c.orphans = slices.Clone(w.pending), slices.Clone(w.execs), slices.Clone(w.orphans)
	return &c
}

func (w *world) encode(b []byte) []byte {
	num := func(n int32) { b = append(b, byte(n), byte(n>>8), byte(n>>16)) }
	pairs := func(list []pair) {
		num(int32(len(list)))
		for _, p := range list {
			num(p.key)
			num(p.val)
		}
	}
	list := func(list []int32) {
		num(int32(len(list)))
		for _, n := range list {
			num(n)
		}
	}
	pairs(w.records)
	pairs(w.blobs)
	pairs(w.seen)
	list(w.pending)
	list(w.execs)
	list(w.orphans)
	return append(b, byte(w.left.Duplicates), byte(w.left.Crashes), byte(w.left.Repeats), byte(w.left.Failures))
}

func find(list []pair, key int32) (int, bool) {
	return slices.BinarySearchFunc(list, key, func(p pair, key int32) int { return int(p.key - key) })
}

func set(list *[]pair, key, val int32) {
	if i, ok := find(*list, key); ok {
		(*list)[i].val = val
	} else {
		*list = slices.Insert(*list, i, pair{key, val})
	}
}

func unset(list *[]pair, key int32) (was bool) {
	i, ok := find(*list, key)
	if ok {
		*list = slices.Delete(*list, i, i+1)
	}
	return ok
}

func insert(list *[]int32, n int32) {
	i, _ := slices.BinarySearch(*list, n)
	*list = slices.Insert(*list, i, n)
}

func remove(list *[]int32, n int32) {
	if i, ok := slices.BinarySearch(*list, n); ok {
		*list = slices.Delete(*list, i, i+1)
	}
}

// table numbers the things that worlds are made of. What is in it never changes.
type table[T any] struct {
	index map[string]int32
	items []T
	draws [][]int64 // the nonces that each contains
}

func (t *table[T]) put(id string, nonces func() []int64, make func() T) int32 {
	if n, ok := t.index[id]; ok {
		return n
	}
	if t.index == nil {
		t.index = map[string]int32{}
	}
	n := int32(len(t.items))
	t.index[id] = n
	t.items = append(t.items, make())
	t.draws = append(t.draws, nonces())
	return n
}

// A nonce of the model says which request it was drawn for, and how many executions of that were known then. That keeps
// worlds equal which differ only in who came first.
func nonceOf(request int32, k int) string { return fmt.Sprintf("N%dk%dN", request, k) }

func draw(request int32, k int) int64 { return int64(request)<<8 | int64(k) }

// drawsIn returns the nonces in a text.
func drawsIn(s string) (draws []int64) {
	for {
		i := strings.IndexByte(s, 'N')
		if i < 0 {
			return draws
		}
		s = s[i+1:]
		j := strings.IndexByte(s, 'N')
		if j < 0 {
			return draws
		}
		request, k, ok := strings.Cut(s[:j], "k")
		r, err1 := strconv.Atoi(request)
		n, err2 := strconv.Atoi(k)
		if !ok || err1 != nil || err2 != nil {
			continue
		}
		s = s[j+1:]
		if d := draw(int32(r), n); !slices.Contains(draws, d) {
			draws = append(draws, d)
		}
	}
}

func (m *model) text(s string) int32 {
	return m.texts.put(s, func() []int64 { return drawsIn(s) }, func() string { return s })
}

func (m *model) record(r *protocol.Record) int32 {
	var buf [1024]byte
	b := append(append(buf[:0], r.Nonce...), '|')
	b = append(strconv.AppendInt(b, r.Step, 10), '|')
	b = append(strconv.AppendInt(b, r.Width, 10), '|')
	for _, name := range r.Members {
		b = append(append(b, name...), ' ')
	}
	b = append(append(append(b, '|'), r.Failed...), '|')
	b = append(strconv.AppendBool(b, r.Ended), '|')
	b = append(b, r.Value...)
	if n, ok := m.records.index[string(b)]; ok {
		return n
	}
	id := string(b)
	return m.records.put(id, func() []int64 { return drawsIn(id) }, func() *protocol.Record {
		c := *r
		c.Members = slices.Clone(r.Members)
		return &c
	})
}

func (m *model) recordAt(w *world, key string) *protocol.Record {
	if i, ok := find(w.records, m.text(key)); ok {
		r := *m.records.items[w.records[i].val]
		return &r
	}
	return nil
}

// freshNonce returns the lowest k whose nonce for a request is nowhere in the world. A nonce that is nowhere can be drawn
// again: nobody can tell.
func (m *model) freshNonce(w *world, request int32) int {
	for k := 0; ; k++ {
		if d := draw(request, k); !m.known(w, d) {
			return k
		}
	}
}

func (m *model) known(w *world, d int64) bool {
	in := func(draws []int64) bool { return slices.Contains(draws, d) }
	pairs := func(list []pair, vals [][]int64) bool {
		for _, p := range list {
			if in(m.texts.draws[p.key]) || in(vals[p.val]) {
				return true
			}
		}
		return false
	}
	if pairs(w.records, m.records.draws) || pairs(w.blobs, m.texts.draws) || pairs(w.seen, m.texts.draws) {
		return true
	}
	for _, r := range w.pending {
		if in(m.requests.draws[r]) {
			return true
		}
	}
	for _, e := range w.execs {
		if in(m.execs.draws[e]) {
			return true
		}
	}
	return false
}

// answer is what one part of an operation (a key of several, or the whole) has come to: a number of the model's tables, and
// whether the operation took effect. Its zero value says that it has not happened.
type answer struct {
	done bool
	ok   bool
	item int32 // record or text; -1: none
}

// apply carries out part j of an operation. changed says whether the world is another one.
func (m *model) apply(w *world, op *protocol.Op, j int) (a answer, changed bool, err error) {
	a = answer{done: true, item: -1}
	switch op.Kind {
	case protocol.OpGet:
		a.item = m.get(w, op, j)
	case protocol.OpCreate, protocol.OpAdvance, protocol.OpAdd:
		return m.write(w, op)
	case protocol.OpDelete:
		for _, key := range m.keys(op, j) {
			changed = unset(&w.records, m.text(key)) || changed
		}
	case protocol.OpPutBlob:
		key, data := m.text(op.Key), m.text(string(op.Data))
		if i, ok := find(w.blobs, key); ok && w.blobs[i].val != data {
			return a, false, fmt.Errorf("the blob %s gets a second content", op.Key)
		} else if !ok {
			changed = true
		}
		set(&w.blobs, key, data)
	case protocol.OpGetBlob:
		if i, ok := find(w.blobs, m.text(op.Key)); ok {
			a.ok, a.item = true, w.blobs[i].val
		}
	case protocol.OpDeleteBlobs:
		for _, key := range m.keys(op, j) {
			changed = unset(&w.blobs, m.text(key)) || changed
			remove(&w.orphans, m.text(key))
		}
	default:
		return a, false, fmt.Errorf("operation %d is unknown", op.Kind)
	}
	return a, changed, nil
}

// keys returns those of part j of an operation.
func (m *model) keys(op *protocol.Op, j int) []string {
	if m.Fine {
		return op.Keys[j : j+1]
	}
	return op.Keys
}

// get returns the record at one key, or the list of all.
func (m *model) get(w *world, op *protocol.Op, j int) int32 {
	keys := m.keys(op, j)
	items := make([]int32, len(keys))
	for k, key := range keys {
		if i, ok := find(w.records, m.text(key)); ok {
			items[k] = w.records[i].val
		} else {
			items[k] = -1
		}
	}
	if m.Fine {
		return items[0]
	}
	var buf [64]byte
	id := buf[:0]
	for _, item := range items {
		id = appendNumber(id, item)
	}
	if n, ok := m.lists.index[string(id)]; ok {
		return n
	}
	return m.lists.put(string(id), func() (draws []int64) {
		for _, item := range items {
			if item >= 0 {
				draws = append(draws, m.records.draws[item]...)
			}
		}
		return draws
	}, func() []int32 { return items })
}

// write carries out an operation on one record, as the Store interface has it.
func (m *model) write(w *world, op *protocol.Op) (a answer, changed bool, err error) {
	a = answer{done: true, item: -1}
	key := m.text(op.Key)
	i, there := find(w.records, key)
	var cur *protocol.Record
	if there {
		a.item = w.records[i].val
		cur = m.records.items[a.item]
	}
	at := func(step int64) bool { return cur != nil && cur.Nonce == op.Nonce && cur.Step == step && !cur.Ended }
	var next protocol.Record
	switch {
	case op.Kind == protocol.OpCreate && !there:
		next = *op.Record
	case op.Kind == protocol.OpAdvance && at(op.Step):
		next = *op.Record
	case op.Kind == protocol.OpAdd && at(op.Step):
		next = *cur
		if k, ok := slices.BinarySearch(cur.Members, op.Member); !ok {
			next.Members = slices.Insert(slices.Clone(cur.Members), k, op.Member)
		}
		if op.Failed && next.Failed == "" {
			next.Failed = op.Member
		}
	default:
		return a, false, nil
	}
	rec := m.record(&next)
	changed = rec != a.item
	a.ok, a.item = true, rec
	set(&w.records, key, rec)
	return a, changed, nil
}

// undrawn is the k of an execution that has not shown its nonce to anybody: which one it will be makes no difference until then, so
// that all executions of a request are alike which have come to the same point.
const undrawn = 255

// drawn returns x with a nonce if its next step shows that to others.
func (m *model) drawn(w *world, x *execution, s step) *execution {
	if x.node.k != undrawn || !x.node.tells || invokes(x.node) {
		return x
	}
	s.mode = plain
	if _, changed, err := m.carryOut(w.clone(), x, s, nil); err == nil && !changed {
		return x
	}
	return &execution{m.named(w, x.node), x.answers}
}

// named returns the node of an execution with a nonce of its own that has come where n is.
func (m *model) named(w *world, n *node) *node {
	if n.k != undrawn || !n.tells {
		return n
	}
	var path [][]answer
	for at := n; at.parent != nil; at = at.parent {
		path = append(path, at.had)
	}
	n = m.first(n.request, m.freshNonce(w, n.request))
	for _, answers := range slices.Backward(path) {
		n = m.visit(n, 0, 0, answers)
	}
	return n
}

// tells says whether an operation shows a nonce to others.
func tells(op *protocol.Op, nonce string) bool {
	if op.Request != nil {
		b, err := json.Marshal(op.Request)
		if err != nil || bytes.Contains(b, []byte(nonce)) {
			return true
		}
	}
	in := func(s string) bool { return strings.Contains(s, nonce) }
	if op.Record != nil && (in(op.Record.Nonce) || in(string(op.Record.Value))) {
		return true
	}
	return in(op.Key) || slices.ContainsFunc(op.Keys, in) || in(op.Nonce) || in(string(op.Data))
}
