package partition

import (
	"bytes"
	"maps"
	"slices"

	"github.com/weftworks/weft/internal/wire"
)

// ValueID names a large value that lies outside of the partition. Payloads carry references to it (engine/values).
type ValueID [16]byte

// What a reference looks like (values.Ref.Encode): a byte that no JSON text begins with, the id, size and checksum.
const (
	refByte  = 0x01
	refBytes = 1 + 16 + 1 + 4 // at least
)

// ValueOf returns the id of the value that a payload refers to, and false for a payload that is the text itself.
func ValueOf(payload []byte) (id ValueID, ok bool) {
	if len(payload) < refBytes || payload[0] != refByte {
		return id, false
	}
	return ValueID(payload[1:17]), true
}

// IsText reports whether a payload is the text itself.
func IsText(payload []byte) bool {
	_, ref := ValueOf(payload)
	return !ref
}

// values counts the instances of a partition that keep each value.
type values struct {
	count map[ValueID]int
	// before has the counts from before the step of those that it changed: an instance may drop a value and keep it
	// again, and nobody outside must hear of the moment between.
	before map[ValueID]int
}

func (v *values) add(id ValueID, n int) {
	was := v.count[id]
	if _, known := v.before[id]; !known {
		if v.before == nil {
			v.before = make(map[ValueID]int)
		}
		v.before[id] = was
	}
	if was+n <= 0 {
		delete(v.count, id)
		return
	}
	v.count[id] = was + n
}

// Keep makes the instance keep the value that a payload refers to, if it does, until DropValues or the instance's end.
func (e *Env) Keep(payload []byte) {
	id, ok := ValueOf(payload)
	if !ok {
		return
	}
	if _, has := e.inst.values[id]; has {
		return
	}
	if e.inst.values == nil {
		e.inst.values = make(map[ValueID]struct{})
	}
	e.inst.values[id] = struct{}{}
	e.core.values.add(id, 1)
}

// DropValues forgets all values that the instance keeps, and reports whether there were any.
func (e *Env) DropValues() bool {
	had := len(e.inst.values) > 0
	e.core.dropValues(e.inst)
	return had
}

// KeepsValues reports whether the instance keeps any.
func (e *Env) KeepsValues() bool { return len(e.inst.values) > 0 }

func (c *Core) dropValues(in *instance) {
	for id := range in.values {
		c.values.add(id, -1)
	}
	in.values = nil
}

// tellValues says which values the step began or ceased to keep.
func (c *Core) tellValues() {
	if len(c.values.before) == 0 {
		return
	}
	for _, id := range sortedValues(c.values.before) {
		switch was, is := c.values.before[id], c.values.count[id]; {
		case was == 0 && is > 0:
			c.emit(Effect{Kind: Pin, Value: id})
		case was > 0 && is == 0:
			c.emit(Effect{Kind: Unpin, Value: id})
		}
	}
	clear(c.values.before)
}

// Values calls fn for every value that instances of the partition keep, as a node needs it after a recovery.
func (c *Core) Values(fn func(ValueID)) {
	for id := range c.values.count {
		fn(id)
	}
}

func sortedValues[V any](set map[ValueID]V) []ValueID {
	if len(set) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Keys(set), func(a, b ValueID) int { return bytes.Compare(a[:], b[:]) })
}

func appendValues(dst []byte, set map[ValueID]struct{}) []byte {
	dst = wire.AppendUint(dst, uint64(len(set)))
	for _, id := range sortedValues(set) {
		dst = append(dst, id[:]...)
	}
	return dst
}

func readValues(r *wire.Reader) map[ValueID]struct{} {
	n := r.Count(len(ValueID{}))
	if n == 0 {
		return nil
	}
	set := make(map[ValueID]struct{}, n)
	for range n {
		var id ValueID
		for i := range id {
			id[i] = r.Byte()
		}
		set[id] = struct{}{}
	}
	return set
}

func valueKey(p ID, id ValueID, ref Ref) []byte {
	return addUint(append(key(p, keyValue), id[:]...), uint64(ref))
}

// writeValues writes what differs between the values an instance keeps and those the store knows of.
func (c *Core) writeValues(w Writer, ref Ref, saved, now map[ValueID]struct{}) {
	for _, id := range sortedValues(saved) {
		if _, kept := now[id]; !kept {
			w.Delete(valueKey(c.cfg.ID, id, ref))
		}
	}
	for _, id := range sortedValues(now) {
		if _, had := saved[id]; !had {
			w.Set(valueKey(c.cfg.ID, id, ref), nil)
		}
	}
}

func (c *Core) loadValues(s Store) error {
	lower, upper := letterRange(c.cfg.ID, keyValue)
	return s.Scan(lower, upper, func(k, _ []byte) error {
		if len(k) != 3+16+8 {
			return wire.ErrTruncated
		}
		c.values.count[ValueID(k[3:19])]++
		return nil
	})
}
