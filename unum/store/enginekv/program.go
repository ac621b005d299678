package enginekv

import (
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// The programs of the partitions, and what their instances' names begin with. Values are append-only: they are logged.
const (
	recordsID partition.ProgramID = 1
	blobsID   partition.ProgramID = 2

	recordPrefix = "r"
	blobPrefix   = "b"
)

// The operations. Values are append-only: they are logged.
const (
	opCreate  uint8 = iota + 1 // record
	opAdvance                  // nonce, step, record
	opAdd                      // nonce, step, member, failed
	opPut                      // of blobs: expires, data
	opDelete                   // nothing
)

// answer is what an operation that may not be done is answered with. cur is never changed.
type answer struct {
	cur  *unum.Record
	done bool
}

// records is the program of records: each is an instance, and its time to live a timer.
type records struct{}

func (records) Creates(op uint8) bool   { return op == opCreate }
func (records) New() partition.Instance { return new(record) }

func (records) Decode(data []byte, _ func(partition.BlobID) []byte) (_ partition.Instance, err error) {
	r := wire.NewReader(data)
	in := &record{}
	in.life.read(r)
	if err := r.Err(); err != nil {
		return nil, err
	}
	in.rec, err = ratchet.Decode(r.Rest())
	return in, err
}

// record is the instance of a record.
type record struct {
	life lifetime
	rec  *unum.Record // never changed, but replaced
}

// Append implements partition.Instance.
func (in *record) Append(dst []byte) []byte { return ratchet.Append(in.life.append(dst), in.rec) }

// Receive implements partition.Instance. Bodies were checked before they were submitted.
func (in *record) Receive(env *partition.Env, ev *partition.Event) {
	if ev.Kind == partition.Due {
		in.life.due(env)
		return
	}
	r := wire.NewReader(ev.Body)
	switch ev.Op {
	case opCreate:
		if !env.Created {
			env.Reply(answer{cur: in.rec})
			return
		}
		in.put(env, r.Rest(), answer{done: true})
	case opAdvance:
		if nonce, step := r.String(), r.Int(); !ratchet.At(in.rec, nonce, step) {
			env.Reply(answer{cur: in.rec})
			return
		}
		in.put(env, r.Rest(), answer{done: true})
	case opAdd:
		in.add(env, r)
	case opDelete:
		env.Remove()
		env.Reply(answer{done: true})
	}
}

// put takes an encoded record in the place of what there is.
func (in *record) put(env *partition.Env, data []byte, well answer) {
	rec, err := ratchet.Decode(data)
	if err != nil {
		if env.Created {
			env.Discard()
		}
		env.Reply(err)
		return
	}
	in.rec = rec
	in.life.set(env, rec.Expires)
	env.Reply(well)
}

func (in *record) add(env *partition.Env, r *wire.Reader) {
	nonce, step, member, failed := r.String(), r.Int(), r.String(), r.Bool()
	if !ratchet.At(in.rec, nonce, step) {
		env.Reply(answer{cur: in.rec})
		return
	}
	next := ratchet.With(in.rec, member, failed)
	if err := ratchet.CheckMembers("Add", env.Name[len(recordPrefix):], next); err != nil {
		env.Reply(err)
		return
	}
	in.rec = next
	env.Reply(answer{cur: next, done: true})
}

// blobs is the program of blobs.
type blobs struct{}

func (blobs) Creates(op uint8) bool   { return op == opPut }
func (blobs) New() partition.Instance { return new(blob) }

func (blobs) Decode(data []byte, _ func(partition.BlobID) []byte) (partition.Instance, error) {
	r := wire.NewReader(data)
	in := &blob{}
	in.life.read(r)
	in.data = r.Rest()
	return in, r.Err()
}

// blob is the instance of a blob.
type blob struct {
	life lifetime
	data []byte // never changed
}

// Append implements partition.Instance.
func (in *blob) Append(dst []byte) []byte { return append(in.life.append(dst), in.data...) }

// Receive implements partition.Instance.
func (in *blob) Receive(env *partition.Env, ev *partition.Event) {
	switch {
	case ev.Kind == partition.Due:
		in.life.due(env)
	case ev.Op == opPut:
		r := wire.NewReader(ev.Body)
		in.life.set(env, r.Int())
		in.data = r.Rest()
		env.Reply(answer{done: true})
	case ev.Op == opDelete:
		env.Remove()
		env.Reply(answer{done: true})
	}
}

// lifetime is an instance's time to live.
type lifetime struct {
	expires int64  // Unix seconds; 0: none
	timer   uint64 // number of the last timer that was set
}

// farthest is the last time that gets a timer, in Unix seconds: the year 35,000,000.
const farthest = 1 << 50

// set has the instance end at a time, instead of the one before.
func (l *lifetime) set(env *partition.Env, expires int64) {
	if expires == l.expires {
		return
	}
	env.CancelTimer(l.timer)
	if l.expires = expires; expires > 0 && expires <= farthest {
		l.timer++
		env.SetTimer(l.timer, expires*1000)
	}
}

// due ends the instance, whose time has come.
func (l *lifetime) due(env *partition.Env) {
	if ratchet.Expired(l.expires, env.Now/1000) {
		env.Remove()
	}
}

func (l *lifetime) append(dst []byte) []byte {
	return wire.AppendUint(wire.AppendInt(dst, l.expires), l.timer)
}

func (l *lifetime) read(r *wire.Reader) { l.expires, l.timer = r.Int(), r.Uint() }
