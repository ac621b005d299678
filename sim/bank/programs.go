package bank

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/sim"
)

const (
	accountID  partition.ProgramID = 1
	transferID partition.ProgramID = 2
)

// The messages. Accounts take open, take, give and note; transfers take the rest.
const (
	opOpen   uint8 = iota + 1 // amount
	opTake                    // from whom, sequence, amount: answered by opTook
	opGive                    // from whom, sequence, amount: answered by opGiven
	opNote                    // from whom, sequence
	opStart                   // order
	opSignal                  // number
	opTook                    // whether there was enough
	opGiven
	opForget
)

// record is the history and digest that accounts and transfers share.
type record struct {
	fold   *sim.Fold
	key    string // name and number of the instance
	events int64
	digest uint64
	chunk  []byte
	first  int64
}

func (r *record) begin(env *partition.Env) {
	r.key = env.Name + "#" + strconv.FormatUint(uint64(env.Ref), 10)
	r.first = 1
}

func (r *record) add(format string, args ...any) {
	event := fmt.Sprintf(format, args...)
	r.events++
	r.digest = digest(r.digest, event)
	r.chunk = wire.AppendString(r.chunk, event)
	if r.fold != nil {
		r.fold.Add(r.key, event)
	}
}

// digest chains an event to what came before it.
func digest(before uint64, event string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(wire.AppendString(wire.AppendUint(nil, before), event))
	return h.Sum64()
}

// History implements partition.Historian.
func (r *record) History() (chunk []byte, first, count int64) {
	return r.chunk, r.first, r.events - r.first + 1
}

// Forget implements partition.Historian.
func (r *record) Forget() { r.chunk, r.first = r.chunk[:0], r.events+1 }

func (r *record) encode(dst []byte) []byte {
	dst = wire.AppendString(dst, r.key)
	dst = wire.AppendInt(dst, r.events)
	return wire.AppendUint(dst, r.digest)
}

func (r *record) decode(in *wire.Reader) {
	r.key, r.events, r.digest = in.String(), in.Int(), in.Uint()
	r.first = r.events + 1
}

// accounts is the program of accounts.
type accounts struct{ fold *sim.Fold }

func (p accounts) Creates(op uint8) bool   { return op == opOpen }
func (p accounts) New() partition.Instance { return &account{record: record{fold: p.fold}} }

func (p accounts) Decode(data []byte, _ func(partition.BlobID) []byte) (partition.Instance, error) {
	a := &account{record: record{fold: p.fold}}
	r := wire.NewReader(data)
	a.decode(r)
	a.balance = r.Int()
	for range r.Count(2) {
		a.streams = append(a.streams, stream{r.String(), r.Uint()})
	}
	return a, r.Err()
}

// account holds money, and the last message of each transfer so that a lost, repeated or displaced one shows.
type account struct {
	record
	balance int64
	streams []stream // by rising key
}

type stream struct {
	key string
	seq uint64
}

func (a *account) Append(dst []byte) []byte {
	dst = a.encode(dst)
	dst = wire.AppendInt(dst, a.balance)
	dst = wire.AppendUint(dst, uint64(len(a.streams)))
	for _, s := range a.streams {
		dst = wire.AppendUint(wire.AppendString(dst, s.key), s.seq)
	}
	return dst
}

func (a *account) Receive(env *partition.Env, ev *partition.Event) {
	r := wire.NewReader(ev.Body)
	if ev.Op == opOpen {
		if env.Created {
			a.begin(env)
			a.balance = r.Int()
			env.List(partition.Summary{Group: "accounts", Status: 1, Time: env.Now})
			a.add("open %d", a.balance)
		}
		env.Reply(a.view())
		return
	}
	who, key, seq, amount := r.String(), r.String(), r.Uint(), r.Int()
	a.follow(key, seq)
	switch ev.Op {
	case opTake:
		enough := a.balance >= amount
		if enough {
			a.balance -= amount
		}
		a.add("take %s %d %t %d", key, amount, enough, a.balance)
		env.Send(who, transferID, opTook, wire.AppendBool(nil, enough))
	case opGive:
		a.balance += amount
		a.add("give %s %d %d", key, amount, a.balance)
		env.Send(who, transferID, opGiven, nil)
	case opNote:
		a.add("note %s", key)
	}
}

// follow holds that messages of one sender arrive once and in order.
func (a *account) follow(key string, seq uint64) {
	i, ok := slices.BinarySearchFunc(a.streams, key, func(s stream, key string) int {
		switch {
		case s.key < key:
			return -1
		case s.key > key:
			return 1
		}
		return 0
	})
	if !ok {
		a.streams = slices.Insert(a.streams, i, stream{key: key})
	}
	if seq != a.streams[i].seq+1 {
		a.add("FLAW message %d of %s came after %d", seq, key, a.streams[i].seq)
	}
	a.streams[i].seq = seq
}

// view is what a client sees of an instance.
type view struct {
	key     string
	events  int64
	digest  uint64
	ended   bool
	result  string
	signals []uint64
	balance int64
}

func (a *account) view() *view {
	return &view{key: a.key, events: a.events, digest: a.digest, balance: a.balance}
}
