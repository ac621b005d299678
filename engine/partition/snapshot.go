package partition

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"

	"github.com/weftworks/weft/internal/wire"
)

// Writer takes what a snapshot changes in the store. Keys and values may be kept.
type Writer interface {
	Set(key, value []byte)
	Delete(key []byte)
	DeleteRange(lower, upper []byte) // keys k with lower <= k < upper
}

// The keys of a partition in the store: its number (two bytes, big endian), a letter, and what follows in the comment.
const (
	keyMeta     = 'm' // nothing: position, counters, dedup, outbox
	keyInstance = 'i' // ref: record
	keyName     = 'n' // name: ref
	keyHistory  = 'h' // ref, first event id: chunk
	keyListing  = 'x' // group, 0, status, inverted time, ref: time of the end, name
	keyTimer    = 't' // due, ref, id: nothing
	keyWork     = 'w' // ref: nothing; the instance waits for invocations or a Continue
	keyEnded    = 'r' // time of the end, ref: status
	keyBlob     = 'b' // blob id: pins, data
	keyValue    = 'v' // value id, ref: nothing; the instance keeps a value
)

func key(p ID, letter byte) []byte {
	k := make([]byte, 3, 32)
	binary.BigEndian.PutUint16(k, uint16(p))
	k[2] = letter
	return k
}

func addUint(k []byte, v uint64) []byte { return binary.BigEndian.AppendUint64(k, v) }

// InstanceKey is where the store has the record of an instance.
func InstanceKey(p ID, ref Ref) []byte { return addUint(key(p, keyInstance), uint64(ref)) }

// NameKey is where the store has the Ref of a name.
func NameKey(p ID, name string) []byte { return append(key(p, keyName), name...) }

// HistoryKey is where the store has the chunk of an instance's history that begins with event first.
func HistoryKey(p ID, ref Ref, first int64) []byte {
	return addUint(addUint(key(p, keyHistory), uint64(ref)), uint64(first))
}

// HistoryFirst returns the first event id of a HistoryKey.
func HistoryFirst(k []byte) int64 { return int64(binary.BigEndian.Uint64(k[len(k)-8:])) }

// ListingKey is the place of an instance in the listings of a partition, newest first in a group and status.
func ListingKey(p ID, s Summary, ref Ref) []byte {
	return addUint(addUint(ListingPrefix(p, s.Group, s.Status), ^uint64(s.Time)), uint64(ref))
}

// ListingPrefix is what the listing keys of a group and status begin with.
func ListingPrefix(p ID, group string, status uint8) []byte {
	k := append(key(p, keyListing), group...)
	return append(k, 0, status)
}

// ReadListing decodes a listing's key and value.
func ReadListing(k, v []byte) (ref Ref, s Summary, name string, err error) {
	n := len(k)
	if n < 3+2+16 {
		return 0, s, "", wire.ErrTruncated
	}
	ref = Ref(binary.BigEndian.Uint64(k[n-8:]))
	s.Time = int64(^binary.BigEndian.Uint64(k[n-16:]))
	s.Status = k[n-17]
	s.Group = string(k[3 : n-18])
	r := wire.NewReader(v)
	s.Ended = r.Int()
	name = r.String()
	if r.Len() > 0 {
		s.Label = r.String()
	}
	return ref, s, name, r.Err()
}

func timerStoreKey(p ID, k timerKey) []byte {
	return addUint(addUint(addUint(key(p, keyTimer), uint64(k.due)), uint64(k.ref)), k.id)
}

func workKey(p ID, ref Ref) []byte { return addUint(key(p, keyWork), uint64(ref)) }

func endedKey(p ID, s Summary, ref Ref) []byte {
	return addUint(addUint(key(p, keyEnded), uint64(s.Ended)), uint64(ref))
}

// EndedRange bounds the keys of instances that ended before a time (Unix milliseconds).
func EndedRange(p ID, before int64) (lower, upper []byte) {
	return key(p, keyEnded), addUint(key(p, keyEnded), uint64(before))
}

// ReadEnded decodes a key and value of EndedRange.
func ReadEnded(k, v []byte) (ref Ref, ended int64, status uint8) {
	n := len(k)
	return Ref(binary.BigEndian.Uint64(k[n-8:])), int64(binary.BigEndian.Uint64(k[n-16:])), v[0]
}

// letterRange bounds all keys of a partition with one letter.
func letterRange(p ID, letter byte) (lower, upper []byte) { return key(p, letter), key(p, letter+1) }

// Changed returns how much a snapshot would write now: instances, and bytes of packed ones and of history.
func (c *Core) Changed() (instances, size int) { return len(c.dirty) + len(c.gone), c.bytes }

// Snapshot writes to w all that changed since the last Snapshot, so that the store holds the state after the event at
// position pos. The next Snapshot may be taken only after Applied.
func (c *Core) Snapshot(w Writer, pos uint64) {
	if c.flushing != nil || c.flushingGone != nil {
		panic("partition: Snapshot before Applied of the last one")
	}
	for _, g := range c.gone {
		c.writeGone(w, g)
	}
	kept := c.dirty[:0]
	for _, in := range c.dirty {
		if in.removed {
			continue
		}
		kept = append(kept, in)
		in.dirty = false
		c.writeInstance(w, in)
	}
	clear(c.dirty[len(kept):])
	for id := range c.blobs.changed {
		k := append(key(c.cfg.ID, keyBlob), id...)
		if b := c.blobs.by[id]; b != nil {
			w.Set(k, append(wire.AppendInt(nil, b.pins), b.data...))
		} else {
			w.Delete(k)
		}
	}
	clear(c.blobs.changed)
	w.Set(key(c.cfg.ID, keyMeta), c.appendMeta(nil, pos))
	c.flushing, c.flushingGone = kept, c.gone
	c.dirty, c.gone, c.bytes = nil, nil, 0
}

const metaVersion = 1

func (c *Core) appendMeta(dst []byte, pos uint64) []byte {
	dst = append(dst, metaVersion)
	dst = wire.AppendUint(dst, uint64(c.cfg.Partitions))
	dst = wire.AppendUint(dst, pos)
	dst = wire.AppendUint(dst, c.incarnation)
	dst = wire.AppendUint(dst, uint64(c.lastRef))
	dst = wire.AppendInt(dst, c.now)
	dst = c.dedup.append(dst)
	if c.cfg.Faults.DropOutbox {
		for _, s := range c.outbox.to {
			s.pending = nil
		}
	}
	return c.outbox.append(dst)
}

func (c *Core) writeGone(w Writer, g goneInstance) {
	p := c.cfg.ID
	w.Delete(InstanceKey(p, g.ref))
	w.Delete(NameKey(p, g.name))
	w.DeleteRange(HistoryKey(p, g.ref, 0), HistoryKey(p, g.ref+1, 0))
	if !g.saved.exists {
		return
	}
	if g.saved.summary.Group != "" {
		w.Delete(ListingKey(p, g.saved.summary, g.ref))
	}
	if g.saved.summary.Ended != 0 {
		w.Delete(endedKey(p, g.saved.summary, g.ref))
	}
	for _, t := range g.saved.timers {
		w.Delete(timerStoreKey(p, timerKey{due: t.due, ref: g.ref, id: t.id}))
	}
	if g.saved.inflight {
		w.Delete(workKey(p, g.ref))
	}
	c.writeValues(w, g.ref, g.saved.values, nil)
}

func (c *Core) writeInstance(w Writer, in *instance) {
	p := c.cfg.ID
	if in.state != nil {
		in.takeHistory()
	}
	if in.dropBefore > 0 {
		if in.saved.history {
			w.DeleteRange(HistoryKey(p, in.ref, 0), HistoryKey(p, in.ref, in.dropBefore))
		}
		in.dropBefore = 0
	}
	for _, ch := range in.chunks {
		w.Set(HistoryKey(p, in.ref, ch.First), append(wire.AppendUint(nil, uint64(ch.Count)), ch.Data...))
	}
	in.inFlight = len(in.chunks)
	w.Set(InstanceKey(p, in.ref), in.appendRecord(nil))
	if !in.saved.exists {
		w.Set(NameKey(p, in.name), wire.AppendUint(nil, uint64(in.ref)))
	}
	c.writeListing(w, in)
	c.writeTimers(w, in)
	inflight := in.works()
	if inflight && !in.saved.inflight {
		w.Set(workKey(p, in.ref), nil)
	} else if !inflight && in.saved.inflight {
		w.Delete(workKey(p, in.ref))
	}
	c.writeValues(w, in.ref, in.saved.values, in.values)
	in.saved = saved{exists: true, summary: in.summary, values: maps.Clone(in.values), timers: append(in.saved.timers[:0], in.timers...), inflight: inflight,
		history: in.saved.history || len(in.chunks) > 0}
}

func (c *Core) writeListing(w Writer, in *instance) {
	p, was, is := c.cfg.ID, in.saved.summary, in.summary
	if in.saved.exists && was == is {
		return
	}
	if was.Group != "" && (was.Group != is.Group || was.Status != is.Status || was.Time != is.Time) {
		w.Delete(ListingKey(p, was, in.ref))
	}
	if was.Ended != 0 && was.Ended != is.Ended {
		w.Delete(endedKey(p, was, in.ref))
	}
	if is.Group != "" {
		v := wire.AppendString(wire.AppendInt(nil, is.Ended), in.name)
		if is.Label != "" {
			v = wire.AppendString(v, is.Label)
		}
		w.Set(ListingKey(p, is, in.ref), v)
	}
	if is.Ended != 0 {
		w.Set(endedKey(p, is, in.ref), []byte{is.Status})
	}
}

// writeTimers writes what differs between the armed timers and the saved ones. Both lists are in rising order of id, so
// that thousands of them cost one pass.
func (c *Core) writeTimers(w Writer, in *instance) {
	storeKey := func(t timer) []byte { return timerStoreKey(c.cfg.ID, timerKey{due: t.due, ref: in.ref, id: t.id}) }
	old := in.saved.timers
	for _, t := range in.timers {
		for len(old) > 0 && old[0].id < t.id {
			w.Delete(storeKey(old[0]))
			old = old[1:]
		}
		if len(old) > 0 && old[0] == t {
			old = old[1:]
			continue
		}
		w.Set(storeKey(t), nil)
	}
	for _, t := range old {
		w.Delete(storeKey(t))
	}
}

// Applied tells the core that the store has what the last Snapshot wrote. Ended instances leave memory, and so
// do open ones that have not been touched for long while more than keep are in memory.
func (c *Core) Applied(keep int) {
	for _, in := range c.flushing {
		in.chunks = append(in.chunks[:0:0], in.chunks[in.inFlight:]...)
		in.inFlight = 0
		if in.ended && in.clean() {
			c.evict(in)
		}
	}
	for _, g := range c.flushingGone {
		delete(c.removed, g.ref)
	}
	c.flushing, c.flushingGone = nil, nil
	if len(c.instances) <= keep {
		return
	}
	// Coldest first would need an order; half of the clock's distance is near enough and costs one pass.
	bound := c.evictBound(keep)
	for _, in := range c.instances {
		if in.touched <= bound && in.clean() {
			c.evict(in)
		}
	}
}

func (in *instance) clean() bool {
	return !in.dirty && !in.waited && !in.stepping && len(in.chunks) == 0 && !in.removed
}

func (c *Core) evict(in *instance) {
	delete(c.instances, in.ref)
	delete(c.names, in.name)
}

// evictBound returns a touch count below which roughly all but keep instances lie.
func (c *Core) evictBound(keep int) uint64 {
	oldest := c.clock
	for _, in := range c.instances {
		oldest = min(oldest, in.touched)
	}
	share := float64(len(c.instances)-keep) / float64(len(c.instances))
	return oldest + uint64(share*float64(c.clock-oldest))
}

// Store is what Load reads.
type Store interface {
	Get(key []byte) (value []byte, ok bool, err error)
	// Scan calls fn for the keys k with lower <= k < upper in order; key and value are valid during the call.
	Scan(lower, upper []byte, fn func(key, value []byte) error) error
}

// SavedPosition returns the position of the last applied Snapshot; 0 when there is none.
func SavedPosition(p ID, s Store) (uint64, error) {
	meta, ok, err := s.Get(key(p, keyMeta))
	if err != nil || !ok {
		return 0, err
	}
	r := wire.NewReader(meta)
	if v := r.Byte(); v != metaVersion {
		return 0, errVersion("meta record", v)
	}
	r.Uint()
	pos := r.Uint()
	return pos, r.Err()
}

// Load returns the partition that the last applied Snapshot saved, and its position; a new one at position 0
// when there is none. Instances stay in the store until they are needed.
func Load(cfg Config, s Store) (*Core, uint64, error) {
	c := New(cfg)
	meta, ok, err := s.Get(key(cfg.ID, keyMeta))
	if err != nil || !ok {
		return c, 0, err
	}
	r := wire.NewReader(meta)
	if v := r.Byte(); v != metaVersion {
		return nil, 0, errVersion("meta record", v)
	}
	if n := r.Uint(); n != uint64(cfg.Partitions) {
		return nil, 0, fmt.Errorf("partition: the store was made for %d partitions, not %d", n, cfg.Partitions)
	}
	pos := r.Uint()
	c.incarnation = r.Uint()
	c.lastRef = Ref(r.Uint())
	c.now = r.Int()
	c.dedup.read(r)
	c.outbox.read(r)
	if err := r.Err(); err != nil {
		return nil, 0, err
	}
	if err := errors.Join(c.loadTimers(s), c.loadValues(s)); err != nil {
		return nil, 0, err
	}
	lower, upper := letterRange(cfg.ID, keyBlob)
	err = s.Scan(lower, upper, func(k, v []byte) error {
		r := wire.NewReader(v)
		pins := r.Int()
		c.blobs.by[BlobID(k[3:])] = &blob{pins: pins, data: bytes.Clone(r.Rest())}
		return r.Err()
	})
	return c, pos, err
}

func (c *Core) loadTimers(s Store) error {
	lower, upper := letterRange(c.cfg.ID, keyTimer)
	return s.Scan(lower, upper, func(k, _ []byte) error {
		if len(k) != 27 {
			return wire.ErrTruncated
		}
		// The keys come in order, which is a heap already.
		c.timers.heap = append(c.timers.heap, timerKey{
			due: int64(binary.BigEndian.Uint64(k[3:])),
			ref: Ref(binary.BigEndian.Uint64(k[11:])),
			id:  binary.BigEndian.Uint64(k[19:]),
		})
		return nil
	})
}

// Working calls fn for the instances in the store that wait for invocations or a Continue.
func Working(p ID, s Store, fn func(Ref) error) error {
	lower, upper := letterRange(p, keyWork)
	return s.Scan(lower, upper, func(k, _ []byte) error {
		return fn(Ref(binary.BigEndian.Uint64(k[3:])))
	})
}

// InMemory calls fn for all instances in memory.
func (c *Core) InMemory(fn func(ref Ref, ended bool)) {
	for ref, in := range c.instances {
		fn(ref, in.ended)
	}
}

// Install puts the stored record of instance ref into memory. It aliases data.
func (c *Core) Install(ref Ref, data []byte) error {
	rec, err := ReadRecord(data)
	if err != nil {
		return fmt.Errorf("partition %d: instance %d: %w", c.cfg.ID, ref, err)
	}
	in := &instance{
		ref: ref, name: rec.Name, program: rec.Program, summary: rec.Summary, blob: rec.Blob, kept: rec.kept, calls: rec.calls,
		timers: rec.timers, values: rec.values, ended: rec.Ended, resume: rec.resume, packed: rec.State, touched: c.clock,
	}
	if !in.ended {
		if err := c.unpack(in); err != nil {
			return fmt.Errorf("partition %d: instance %q: %w", c.cfg.ID, in.name, err)
		}
	}
	in.saved = saved{exists: true, summary: rec.Summary, values: maps.Clone(rec.values), timers: append([]timer(nil), rec.timers...), inflight: in.works(), history: true}
	c.instances[ref] = in
	c.names[in.name] = ref
	return nil
}

// Dump writes the whole state in memory in a canonical form, so that tests can compare states.
func (c *Core) Dump() []byte {
	dst := c.appendMeta(nil, 0)
	refs := make(map[ID]Ref, len(c.instances))
	for ref := range c.instances {
		refs[ID(ref)] = ref
	}
	for _, k := range sortedKeys(refs) {
		in := c.instances[refs[k]]
		dst = wire.AppendBytes(dst, in.appendRecord(nil))
	}
	return dst
}
