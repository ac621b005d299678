package history

import (
	"bytes"
	"encoding/binary"
	"errors"
	"unsafe"
)

// The chunk format: a version byte, then events. An event is its type, the set of fields present (uvarint of
// the bits below), and those fields in bit order. Id, previous id and time are differences to the event
// before: an id is absent when it is one more, a previous id when it is the id just before, a time when equal.
const version = 1

const (
	hasID uint64 = 1 << iota
	hasPrev
	hasTime
	hasName
	hasInput
	hasOutput
	hasParameters
	hasError
	hasCause
	hasResource
	hasResourceType
	hasRegion
	hasRole
	hasTimeout
	hasHeartbeat
	hasIndex
	hasLength
	hasAssigned
	hasLocation
	allFields = hasLocation<<1 - 1
)

// recent is how many of a chunk's last texts can be referred to. A state's output is three to four texts
// back when the next state takes it.
const recent = 8

// ErrCorrupt says that bytes are no chunk of this or an earlier version.
var ErrCorrupt = errors.New("history: chunk is malformed or of a newer version: restore the run from a snapshot or drop it")

// Writer appends events to a chunk. The zero Writer is an empty chunk. Not safe for concurrent use.
//
// A Writer keeps a window on the last texts of its chunk; Resume rebuilds it for a chunk that was stored.
type Writer struct {
	buf  []byte
	last Event // ID, Prev, Time only
	win  window
	n    int
}

// window is the ring of the last texts, as places in the chunk.
type window struct {
	at   [recent]struct{ off, len int }
	next int
	n    int
}

// Reset empties the chunk and keeps its memory.
func (w *Writer) Reset() {
	w.buf, w.last, w.win, w.n = w.buf[:0], Event{}, window{}, 0
}

// Bytes returns the chunk, nil when no event was appended. It is valid until the next Append or Reset.
func (w *Writer) Bytes() []byte { return w.buf }

// Events returns the number of events in the chunk.
func (w *Writer) Events() int { return w.n }

// Append adds one event. It does not keep e or its payloads.
func (w *Writer) Append(e *Event) {
	if w.n == 0 {
		w.buf = append(w.buf[:0], version)
	}
	mask := w.mask(e)
	b := append(w.buf, byte(e.Type))
	b = binary.AppendUvarint(b, mask)
	if mask&hasID != 0 {
		b = binary.AppendVarint(b, e.ID-w.last.ID)
	}
	if mask&hasPrev != 0 {
		b = binary.AppendVarint(b, e.ID-e.Prev)
	}
	if mask&hasTime != 0 {
		b = binary.AppendVarint(b, e.Time-w.last.Time)
	}
	b = w.texts(b, mask, e)
	if mask&hasTimeout != 0 {
		b = binary.AppendVarint(b, e.Timeout)
	}
	if mask&hasHeartbeat != 0 {
		b = binary.AppendVarint(b, e.Heartbeat)
	}
	if mask&hasIndex != 0 {
		b = binary.AppendVarint(b, e.Index)
	}
	if mask&hasLength != 0 {
		b = binary.AppendVarint(b, e.Length)
	}
	if mask&hasAssigned != 0 {
		b = w.text(b, e.Assigned)
	}
	if mask&hasLocation != 0 {
		b = w.text(b, asBytes(e.Location))
	}
	w.buf = b
	w.last.ID, w.last.Time = e.ID, e.Time
	w.n++
}

func (w *Writer) texts(b []byte, mask uint64, e *Event) []byte {
	if mask&hasName != 0 {
		b = w.text(b, asBytes(e.Name))
	}
	if mask&hasInput != 0 {
		b = w.text(b, e.Input)
	}
	if mask&hasOutput != 0 {
		b = w.text(b, e.Output)
	}
	if mask&hasParameters != 0 {
		b = w.text(b, e.Parameters)
	}
	if mask&hasError != 0 {
		b = w.text(b, asBytes(e.Error))
	}
	if mask&hasCause != 0 {
		b = w.text(b, asBytes(e.Cause))
	}
	if mask&hasResource != 0 {
		b = w.text(b, asBytes(e.Resource))
	}
	if mask&hasResourceType != 0 {
		b = w.text(b, asBytes(e.ResourceType))
	}
	if mask&hasRegion != 0 {
		b = w.text(b, asBytes(e.Region))
	}
	if mask&hasRole != 0 {
		b = w.text(b, asBytes(e.RoleARN))
	}
	return b
}

func (w *Writer) mask(e *Event) uint64 {
	var m uint64
	set := func(bit uint64, present bool) {
		if present {
			m |= bit
		}
	}
	set(hasID, e.ID != w.last.ID+1)
	set(hasPrev, e.Prev != e.ID-1)
	set(hasTime, e.Time != w.last.Time)
	set(hasName, e.Name != "")
	set(hasInput, len(e.Input) > 0)
	set(hasOutput, len(e.Output) > 0)
	set(hasParameters, len(e.Parameters) > 0)
	set(hasError, e.HasError)
	set(hasCause, e.HasCause)
	set(hasResource, e.Resource != "")
	set(hasResourceType, e.ResourceType != "")
	set(hasRegion, e.Region != "")
	set(hasRole, e.RoleARN != "")
	set(hasTimeout, e.Timeout != 0)
	set(hasHeartbeat, e.Heartbeat != 0)
	set(hasIndex, e.Index != 0)
	set(hasLength, e.Length != 0)
	set(hasAssigned, len(e.Assigned) > 0)
	set(hasLocation, e.Location != "")
	return m
}

// minShared is the length from which a text is worth a place in the window: below it a reference saves
// nothing worth a comparison.
const minShared = 4

// text appends s: (length << 1) and the bytes, or (distance << 1 | 1) for a text that is already there.
func (w *Writer) text(b, s []byte) []byte {
	if len(s) < minShared {
		b = binary.AppendUvarint(b, uint64(len(s))<<1)
		return append(b, s...)
	}
	for d := 1; d <= w.win.n; d++ {
		i := (w.win.next - d + recent) % recent
		at := w.win.at[i]
		if at.len == len(s) && bytes.Equal(b[at.off:at.off+at.len], s) {
			return binary.AppendUvarint(b, uint64(d)<<1|1)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(s))<<1)
	w.win.add(len(b), len(s))
	return append(b, s...)
}

func (w *window) add(off, n int) {
	w.at[w.next].off, w.at[w.next].len = off, n
	w.next = (w.next + 1) % recent
	w.n = min(w.n+1, recent)
}

// asBytes views s as bytes that must not be written.
func asBytes(s string) []byte { return unsafe.Slice(unsafe.StringData(s), len(s)) }

// Resume makes w go on with chunk, which it copies: what a node does with the last chunk of a run it loads.
func (w *Writer) Resume(chunk []byte) error {
	w.Reset()
	if len(chunk) == 0 {
		return nil
	}
	r := NewReader(chunk)
	var e Event
	for r.Next(&e) {
		w.n++
	}
	if r.err != nil {
		w.Reset()
		return r.err
	}
	w.buf = append(w.buf, chunk...)
	w.last, w.win = r.last, r.win
	return nil
}

// Reader gives back the events of a chunk in order.
type Reader struct {
	b    []byte // the whole chunk
	i    int    // the next byte
	last Event
	win  window
	err  error
}

// NewReader reads chunk, which must not change while events read from it are in use. An empty chunk has no
// events.
func NewReader(chunk []byte) *Reader {
	r := &Reader{b: chunk, i: 1}
	if len(chunk) > 0 && chunk[0] != version {
		r.err = ErrCorrupt
	}
	return r
}

// Err returns ErrCorrupt when the chunk does not decode, else nil.
func (r *Reader) Err() error { return r.err }

// Next decodes the next event into e and returns false at the end or at an error. e's payloads alias the
// chunk; its strings are copies.
func (r *Reader) Next(e *Event) bool {
	if r.err != nil || r.i >= len(r.b) {
		return false
	}
	*e = Event{}
	t, mask := r.uint(), r.uint()
	if t == 0 || t > uint64(lastType) || mask&^allFields != 0 {
		r.err = ErrCorrupt
		return false
	}
	e.Type = Type(t)
	e.ID = r.last.ID + 1
	if mask&hasID != 0 {
		e.ID = r.last.ID + r.int()
	}
	e.Prev = e.ID - 1
	if mask&hasPrev != 0 {
		e.Prev = e.ID - r.int()
	}
	e.Time = r.last.Time
	if mask&hasTime != 0 {
		e.Time += r.int()
	}
	r.payloads(mask, e)
	r.strings(mask, e)
	r.numbers(mask, e)
	if r.err != nil {
		return false
	}
	r.last.ID, r.last.Time = e.ID, e.Time
	return true
}

func (r *Reader) payloads(mask uint64, e *Event) {
	if mask&hasName != 0 {
		e.Name = string(r.text())
	}
	if mask&hasInput != 0 {
		e.Input = r.text()
	}
	if mask&hasOutput != 0 {
		e.Output = r.text()
	}
	if mask&hasParameters != 0 {
		e.Parameters = r.text()
	}
}

func (r *Reader) strings(mask uint64, e *Event) {
	e.HasError, e.HasCause = mask&hasError != 0, mask&hasCause != 0
	if e.HasError {
		e.Error = string(r.text())
	}
	if e.HasCause {
		e.Cause = string(r.text())
	}
	if mask&hasResource != 0 {
		e.Resource = string(r.text())
	}
	if mask&hasResourceType != 0 {
		e.ResourceType = string(r.text())
	}
	if mask&hasRegion != 0 {
		e.Region = string(r.text())
	}
	if mask&hasRole != 0 {
		e.RoleARN = string(r.text())
	}
}

func (r *Reader) numbers(mask uint64, e *Event) {
	if mask&hasTimeout != 0 {
		e.Timeout = r.int()
	}
	if mask&hasHeartbeat != 0 {
		e.Heartbeat = r.int()
	}
	if mask&hasIndex != 0 {
		e.Index = r.int()
	}
	if mask&hasLength != 0 {
		e.Length = r.int()
	}
	if mask&hasAssigned != 0 {
		e.Assigned = r.text()
	}
	if mask&hasLocation != 0 {
		e.Location = string(r.text())
	}
}

func (r *Reader) uint() uint64 {
	v, n := binary.Uvarint(r.b[r.i:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.i += n
	return v
}

func (r *Reader) int() int64 {
	v, n := binary.Varint(r.b[r.i:])
	if n <= 0 {
		r.fail()
		return 0
	}
	r.i += n
	return v
}

func (r *Reader) fail() { r.err, r.i = ErrCorrupt, len(r.b) }

// text reads what Writer.text wrote. The result aliases the chunk.
func (r *Reader) text() []byte {
	v := r.uint()
	if v&1 == 1 {
		d := v >> 1
		if d == 0 || d > uint64(r.win.n) {
			r.fail()
			return nil
		}
		at := r.win.at[(r.win.next-int(d)+recent)%recent]
		return r.b[at.off : at.off+at.len : at.off+at.len]
	}
	n := v >> 1
	if n > uint64(len(r.b)-r.i) {
		r.fail()
		return nil
	}
	off := r.i
	r.i += int(n)
	if n >= minShared {
		r.win.add(off, int(n))
	}
	return r.b[off:r.i:r.i]
}
