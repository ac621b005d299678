package store

import (
	"encoding/binary"

	"github.com/weftworks/weft/fault"
)

// op is the kind of one change in a batch.
type op uint8

const (
	opSet op = iota + 1
	opDelete
	opDeleteRange
)

// Batch is changes that are applied together, in the order they were added: a later one wins over an
// earlier one. The zero Batch is empty and ready. Keys and values are copied in. It is not safe for
// concurrent use; reuse it with Reset.
type Batch struct {
	buf   []byte // (op, length uvarint, key, length uvarint, value or end of the range)*
	count int
	bad   bool // there was an empty key
}

// Set gives key a value; nil is an empty value. A key must not be empty: Apply refuses the batch.
func (b *Batch) Set(key, value []byte) {
	b.bad = b.bad || len(key) == 0
	b.add(opSet, key, value)
}

// Delete removes key if it is there.
func (b *Batch) Delete(key []byte) { b.add(opDelete, key, nil) }

// DeleteRange removes all keys from lower (included) to upper (excluded). It does nothing when upper is
// not greater than lower; an empty lower is before every key, and there is no such upper.
func (b *Batch) DeleteRange(lower, upper []byte) {
	if len(lower) == 0 {
		lower = []byte{0} // the least key there is
	}
	if string(lower) < string(upper) {
		b.add(opDeleteRange, lower, upper)
	}
}

func (b *Batch) add(o op, key, value []byte) {
	b.buf = append(b.buf, byte(o))
	b.buf = binary.AppendUvarint(b.buf, uint64(len(key)))
	b.buf = append(b.buf, key...)
	b.buf = binary.AppendUvarint(b.buf, uint64(len(value)))
	b.buf = append(b.buf, value...)
	b.count++
}

// Len returns the number of changes.
func (b *Batch) Len() int { return b.count }

// Bytes returns the size of the changes: keys, values and a few bytes each.
func (b *Batch) Bytes() int { return len(b.buf) }

// Reset empties b and keeps its memory.
func (b *Batch) Reset() { b.buf, b.count, b.bad = b.buf[:0], 0, false }

// Check returns fault.InvalidArgument if the batch has a change that no store takes. Apply calls it.
func (b *Batch) Check() error {
	if b.bad {
		return fault.New("store.Apply", fault.InvalidArgument, "", "a batch sets the empty key; a key has at least one byte")
	}
	return nil
}

// Writer is what a batch is played into. Its arguments are valid during the call only.
type Writer interface {
	Set(key, value []byte) error
	Delete(key []byte) error
	DeleteRange(lower, upper []byte) error
}

// Each plays the changes of b into w in order and stops at the first error.
func (b *Batch) Each(w Writer) error {
	for buf := b.buf; len(buf) > 0; {
		o := op(buf[0])
		key, rest := cut(buf[1:])
		value, rest := cut(rest)
		buf = rest
		var err error
		switch o {
		case opSet:
			err = w.Set(key, value)
		case opDelete:
			err = w.Delete(key)
		case opDeleteRange:
			err = w.DeleteRange(key, value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// cut splits a length-prefixed string off b. Only add writes what it reads.
func cut(b []byte) (head, rest []byte) {
	n, w := binary.Uvarint(b)
	return b[w : w+int(n) : w+int(n)], b[w+int(n):]
}
