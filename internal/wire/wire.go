// Package wire holds the primitives of Weft's binary encodings: unsigned and signed varints,
// length-prefixed bytes and booleans, appended to a slice and read back by a Reader whose first
// error sticks. Log records, snapshots, frames and history chunks are all written with it.
//
// Every encoding built on it starts with its own version number; this package has none.
//
//	b := wire.AppendString(nil, "greet")
//	b = wire.AppendUint(b, 7)
//	r := wire.NewReader(b)
//	name, n := r.String(), r.Uint()
//	if err := r.Err(); err != nil { ... }
package wire

import (
	"encoding/binary"
	"errors"
)

// ErrTruncated is what a Reader reports when its bytes end early or hold a malformed length.
var ErrTruncated = errors.New("wire: encoding is truncated or malformed")

// AppendUint appends v as an unsigned varint (1 to 10 bytes).
func AppendUint(b []byte, v uint64) []byte { return binary.AppendUvarint(b, v) }

// AppendInt appends v as a zig-zag varint (1 to 10 bytes).
func AppendInt(b []byte, v int64) []byte { return binary.AppendVarint(b, v) }

// AppendBytes appends the length of v and v.
func AppendBytes(b, v []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// AppendString appends the length of v and v.
func AppendString(b []byte, v string) []byte {
	b = binary.AppendUvarint(b, uint64(len(v)))
	return append(b, v...)
}

// AppendBool appends one byte, 0 or 1.
func AppendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// Reader consumes an encoding. After the first error every method returns a zero value, so a
// decoder may read a whole structure and look at Err once.
type Reader struct {
	b   []byte
	err error
}

// NewReader reads b, which must not change while values returned by Bytes are in use.
func NewReader(b []byte) *Reader { return &Reader{b: b} }

// Reset makes the Reader read b, as a new one does.
func (r *Reader) Reset(b []byte) { *r = Reader{b: b} }

// Err returns the first error, or nil.
func (r *Reader) Err() error { return r.err }

// Len returns the number of bytes not read yet.
func (r *Reader) Len() int { return len(r.b) }

// Rest returns all bytes not read yet, without copying.
func (r *Reader) Rest() []byte {
	v := r.b
	r.b = nil
	return v
}

// Fail makes err the Reader's error unless it has one.
func (r *Reader) Fail(err error) {
	if r.err == nil && err != nil {
		r.err = err
		r.b = nil
	}
}

// Uint reads an unsigned varint.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.Fail(ErrTruncated)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Int reads a zig-zag varint.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.Fail(ErrTruncated)
		return 0
	}
	r.b = r.b[n:]
	return v
}

// Bytes reads length-prefixed bytes without copying: the result aliases the Reader's input.
// It is nil only when the length is zero.
func (r *Reader) Bytes() []byte {
	n := r.Uint()
	if r.err != nil || n > uint64(len(r.b)) {
		r.Fail(ErrTruncated)
		return nil
	}
	if n == 0 {
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

// String reads a length-prefixed string (a copy).
func (r *Reader) String() string { return string(r.Bytes()) }

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.b) == 0 {
		r.Fail(ErrTruncated)
		return 0
	}
	v := r.b[0]
	r.b = r.b[1:]
	return v
}

// Bool reads one byte that must be 0 or 1.
func (r *Reader) Bool() bool {
	if len(r.b) == 0 || r.b[0] > 1 {
		r.Fail(ErrTruncated)
		return false
	}
	v := r.b[0] == 1
	r.b = r.b[1:]
	return v
}

// Count reads a number of elements that follow, each at least size bytes long, and fails when the
// input is too short to hold them, so that a decoder never allocates by a hostile length.
func (r *Reader) Count(size int) int {
	n := r.Uint()
	if r.err == nil && n > uint64(len(r.b)/max(size, 1)) {
		r.Fail(ErrTruncated)
	}
	if r.err != nil {
		return 0
	}
	return int(n)
}
