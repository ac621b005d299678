package statemachine

import (
	"fmt"
	"maps"
	"slices"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/machine"
)

// Append implements partition.Instance.
func (m *MapRun) Append(dst []byte) []byte {
	dst = append(dst, formatVersion, byte(m.status))
	dst = wire.AppendString(dst, string(m.rev.Blob))
	dst = wire.AppendBytes(dst, m.run.AppendBinary(nil))
	dst = wire.AppendString(dst, m.parent)
	dst = wire.AppendUint(dst, m.invocation)
	dst = wire.AppendUint(dst, m.seed)
	for _, n := range [...]int64{m.started, m.stopped, m.redrives, m.redriven, m.item} {
		dst = wire.AppendInt(dst, n)
	}
	dst = m.items.append(dst)
	dst = m.children.append(dst)
	dst = wire.AppendString(dst, m.errorName)
	dst = wire.AppendString(dst, m.reason)
	dst = wire.AppendBool(dst, m.halted)
	dst = wire.AppendBool(dst, m.wanted)
	dst = m.in.append(dst)
	dst = wire.AppendUint(dst, m.child)
	dst = appendTexts(dst, m.batch)
	dst = wire.AppendUint(dst, uint64(len(m.flight)))
	for _, index := range slices.Sorted(maps.Keys(m.flight)) {
		dst = wire.AppendUint(dst, index)
		dst = wire.AppendUint(dst, m.flight[index])
	}
	dst = appendLost(dst, m.lost)
	dst = appendLost(dst, m.again)
	dst = appendTexts(dst, m.results)
	dst = wire.AppendUint(dst, uint64(m.size))
	dst = wire.AppendBool(dst, m.overflow)
	dst = wire.AppendUint(dst, m.exporting)
	dst = wire.AppendBool(dst, m.exported)
	dst = wire.AppendBytes(dst, m.output)
	return wire.AppendUint(dst, m.lastCallID)
}

func (m *MapRun) decode(data []byte, blob func(partition.BlobID) []byte) (err error) {
	r := wire.NewReader(data)
	if b := r.Byte(); b != formatVersion && r.Err() == nil {
		return fmt.Errorf("statemachine: Map Run has format version %d; this program reads %d", b, formatVersion)
	}
	m.status = machine.Status(r.Byte())
	id := partition.BlobID(r.Bytes())
	run := r.Bytes()
	m.parent = r.String()
	m.invocation, m.seed = r.Uint(), r.Uint()
	for _, n := range [...]*int64{&m.started, &m.stopped, &m.redrives, &m.redriven, &m.item} {
		*n = r.Int()
	}
	m.items.read(r)
	m.children.read(r)
	m.errorName, m.reason = r.String(), r.String()
	m.halted, m.wanted = r.Bool(), r.Bool()
	m.in.read(r)
	m.child = r.Uint()
	m.batch = readTexts(r)
	n := r.Count(2)
	m.flight = make(map[uint64]uint64, n)
	for range n {
		index := r.Uint()
		m.flight[index] = r.Uint()
	}
	m.lost, m.again = readLost(r), readLost(r)
	m.results = readTexts(r)
	m.size = int(r.Uint())
	m.overflow = r.Bool()
	m.exporting = r.Uint()
	m.exported = r.Bool()
	m.output = r.Bytes()
	m.lastCallID = r.Uint()
	if err := r.Err(); err != nil {
		return err
	}
	if m.run, err = machine.DecodeMapRun(run); err != nil {
		return err
	}
	m.rev, err = m.library.Load(id, blob(id))
	return err
}

func (c *Counts) fields() [6]*int64 {
	return [6]*int64{&c.Pending, &c.Running, &c.Succeeded, &c.Failed, &c.TimedOut, &c.Aborted}
}

func (c *Counts) append(dst []byte) []byte {
	for _, n := range c.fields() {
		dst = wire.AppendInt(dst, *n)
	}
	return dst
}

func (c *Counts) read(r *wire.Reader) {
	for _, n := range c.fields() {
		*n = r.Int()
	}
}

func (s *source) append(dst []byte) []byte {
	dst = wire.AppendInt(dst, s.known)
	dst = wire.AppendInt(dst, s.given)
	dst = wire.AppendUint(dst, uint64(s.at))
	dst = wire.AppendString(dst, s.name)
	dst = wire.AppendBool(dst, s.reads)
	dst = wire.AppendBytes(dst, s.page)
	dst = wire.AppendBytes(dst, s.ahead)
	dst = wire.AppendBytes(dst, s.cursor)
	dst = wire.AppendBool(dst, s.done)
	return wire.AppendUint(dst, s.reading)
}

func (s *source) read(r *wire.Reader) {
	s.known, s.given = r.Int(), r.Int()
	s.at = int(min(r.Uint(), 1<<40))
	s.name = r.String()
	s.reads = r.Bool()
	s.page, s.ahead, s.cursor = r.Bytes(), r.Bytes(), r.Bytes()
	s.done = r.Bool()
	s.reading = r.Uint()
}

// appendTexts appends texts of which some may be nil. None is empty.
func appendTexts(dst []byte, texts [][]byte) []byte {
	dst = wire.AppendUint(dst, uint64(len(texts)))
	for _, t := range texts {
		dst = wire.AppendBytes(dst, t)
	}
	return dst
}

func readTexts(r *wire.Reader) (texts [][]byte) {
	n := r.Count(1)
	if n > 0 {
		texts = make([][]byte, n)
	}
	for i := range texts {
		texts[i] = r.Bytes()
	}
	return texts
}

func appendLost(dst []byte, list []lostChild) []byte {
	dst = wire.AppendUint(dst, uint64(len(list)))
	for _, c := range list {
		dst = wire.AppendUint(dst, c.index)
		dst = wire.AppendUint(dst, c.items)
		dst = append(dst, byte(c.status))
	}
	return dst
}

func readLost(r *wire.Reader) (list []lostChild) {
	for range r.Count(3) {
		list = append(list, lostChild{index: r.Uint(), items: r.Uint(), status: machine.Status(r.Byte())})
	}
	return list
}
