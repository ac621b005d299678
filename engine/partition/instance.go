package partition

import (
	"slices"
	"sort"

	"github.com/weftworks/weft/internal/wire"
)

// instance is one instance in memory. Its record, with what instance.append writes, is what a snapshot keeps.
type instance struct {
	ref     Ref
	name    string
	program ProgramID
	state   Instance // nil once an ended instance has been packed
	packed  []byte   // the state's encoding, when state is nil
	summary Summary
	blob    BlobID
	kept    []BlobID // further blobs it keeps, in the order it took them
	calls   calls
	timers  []timer
	values  map[ValueID]struct{} // large values that it keeps
	ended   bool
	resume  bool // a Continue is owed
	// stepping says that the shell has been asked for a step. Not part of the state: a recovery asks Owes.
	stepping bool

	removed bool // by the step that runs now
	waited  bool // not part of the state: somebody waits for the end
	dirty   bool // changed since the last snapshot was taken
	touched uint64

	// What the store has of this instance beside its record, so that a snapshot can take it back.
	saved saved
	// chunks is history that has left the state and that the store does not have yet; the first inFlight
	// of them are in the snapshot that is being applied.
	chunks   []Chunk
	inFlight int
	// dropBefore is the id of the first event that is kept, when history before it is to be deleted.
	dropBefore int64
}

// works reports whether a recovery has something to do again for the instance.
func (in *instance) works() bool {
	return in.calls.live > 0 || in.resume || in.owes()
}

func (in *instance) owes() bool {
	c, ok := in.state.(Coder)
	return ok && !in.ended && c.Owes()
}

// pack turns an ended instance into its encoding and returns its size.
func (in *instance) pack() int {
	n := in.takeHistory()
	in.packed = in.state.Append(nil)
	in.state = nil
	return n + len(in.packed)
}

// takeHistory moves the history from the state to chunks and returns its size.
func (in *instance) takeHistory() int {
	h, ok := in.state.(Historian)
	if !ok {
		return 0
	}
	data, first, count := h.History()
	if count == 0 {
		return 0
	}
	in.chunks = append(in.chunks, Chunk{Data: slices.Clone(data), First: first, Count: count})
	h.Forget()
	return len(data)
}

type saved struct {
	exists   bool
	summary  Summary
	timers   []timer
	values   map[ValueID]struct{}
	inflight bool
	history  bool // there may be chunks
}

// Chunk is a stretch of an instance's history, encoded by its program.
type Chunk struct {
	Data  []byte
	First int64 // id of the first event
	Count int64
}

type timer struct {
	id  uint64
	due int64
}

func (in *instance) dropTimer(id uint64) (due int64, ok bool) {
	for i, t := range in.timers {
		if t.id == id {
			in.timers = append(in.timers[:i], in.timers[i+1:]...)
			return t.due, true
		}
	}
	return 0, false
}

// recordVersion is written; 2, without kept blobs, and 1, without labels, limits of calls and values, are read as well.
const recordVersion = 3

// appendRecord writes the instance as a snapshot keeps it.
func (in *instance) appendRecord(dst []byte) []byte {
	dst = append(dst, recordVersion, byte(in.program))
	dst = wire.AppendString(dst, in.name)
	dst = wire.AppendBool(dst, in.ended)
	dst = wire.AppendBool(dst, in.resume)
	dst = wire.AppendString(dst, in.summary.Group)
	dst = wire.AppendString(dst, in.summary.Label)
	dst = append(dst, in.summary.Status)
	dst = wire.AppendInt(dst, in.summary.Time)
	dst = wire.AppendInt(dst, in.summary.Ended)
	dst = wire.AppendString(dst, string(in.blob))
	dst = wire.AppendUint(dst, uint64(len(in.kept)))
	for _, id := range in.kept {
		dst = wire.AppendString(dst, string(id))
	}
	dst = in.calls.append(dst)
	dst = wire.AppendUint(dst, uint64(len(in.timers)))
	for _, t := range in.timers {
		dst = wire.AppendUint(dst, t.id)
		dst = wire.AppendInt(dst, t.due)
	}
	dst = appendValues(dst, in.values)
	if in.state == nil {
		return append(dst, in.packed...)
	}
	return in.state.Append(dst)
}

// Record is a decoded instance record, for readers outside the partition.
type Record struct {
	Name    string
	Program ProgramID
	Ended   bool
	Summary Summary
	Blob    BlobID
	State   []byte // what the program's Append wrote

	kept   []BlobID
	calls  calls
	timers []timer
	values map[ValueID]struct{}
	resume bool
}

// ReadRecord decodes an instance record. The result aliases data.
func ReadRecord(data []byte) (*Record, error) {
	r := wire.NewReader(data)
	version := r.Byte()
	if (version == 0 || version > recordVersion) && r.Err() == nil {
		r.Fail(errVersion("instance record", version))
	}
	rec := &Record{Program: ProgramID(r.Byte())}
	rec.Name = r.String()
	rec.Ended = r.Bool()
	rec.resume = r.Bool()
	rec.Summary.Group = r.String()
	if version > 1 {
		rec.Summary.Label = r.String()
	}
	rec.Summary.Status = r.Byte()
	rec.Summary.Time = r.Int()
	rec.Summary.Ended = r.Int()
	rec.Blob = BlobID(r.Bytes())
	if version > 2 {
		for range r.Count(1) {
			rec.kept = append(rec.kept, BlobID(r.Bytes()))
		}
	}
	rec.calls.read(r, version)
	n := r.Count(2)
	for range n {
		rec.timers = append(rec.timers, timer{id: r.Uint(), due: r.Int()})
	}
	if version > 1 {
		rec.values = readValues(r)
	}
	rec.State = r.Rest()
	return rec, r.Err()
}

// calls holds the invocations an instance waits for, by rising id. Removed ones leave a hole until half are holes,
// so that a fan-out of n costs O(n log n) and not O(n^2).
type calls struct {
	list []Invocation // ID 0: a hole is marked by Function "" and Flags holeFlag
	live int
}

const holeFlag = 0xff

func (c *calls) add(call Invocation) {
	c.list = append(c.list, call)
	c.live++
}

func (c *calls) find(id uint64) int {
	i := sort.Search(len(c.list), func(i int) bool { return c.list[i].ID >= id })
	if i < len(c.list) && c.list[i].ID == id && c.list[i].Flags != holeFlag {
		return i
	}
	return -1
}

func (c *calls) remove(id uint64) bool {
	i := c.find(id)
	if i < 0 {
		return false
	}
	c.live--
	if c.live == 0 {
		c.list = c.list[:0]
		return true
	}
	c.list[i] = Invocation{ID: id, Flags: holeFlag}
	if c.live < len(c.list)/2 {
		kept := c.list[:0]
		for _, call := range c.list {
			if call.Flags != holeFlag {
				kept = append(kept, call)
			}
		}
		clear(c.list[len(kept):])
		c.list = kept
	}
	return true
}

func (c *calls) each(fn func(Invocation)) {
	for _, call := range c.list {
		if call.Flags != holeFlag {
			fn(call)
		}
	}
}

func (c *calls) append(dst []byte) []byte {
	dst = wire.AppendUint(dst, uint64(c.live))
	c.each(func(call Invocation) {
		dst = wire.AppendUint(dst, call.ID)
		dst = wire.AppendString(dst, call.Function)
		dst = wire.AppendBytes(dst, call.Input)
		dst = wire.AppendInt(dst, call.TimeoutMS)
		dst = wire.AppendBool(append(dst, call.Flags), call.Logs)
		dst = wire.AppendInt(dst, call.HeartbeatMS)
		dst = wire.AppendString(dst, call.Key)
		dst = wire.AppendString(dst, call.Tenant)
		dst = append(dst, byte(call.Priority))
	})
	return dst
}

func (c *calls) read(r *wire.Reader, version byte) {
	n := r.Count(6)
	for range n {
		call := Invocation{ID: r.Uint(), Function: r.String(), Input: r.Bytes(), TimeoutMS: r.Int(), Flags: r.Byte(), Logs: r.Bool()}
		if version > 1 {
			call.HeartbeatMS, call.Key, call.Tenant, call.Priority = r.Int(), r.String(), r.String(), int8(r.Byte())
		}
		c.add(call)
	}
}
