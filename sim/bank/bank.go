// Package bank is a simulated workload on the partition core alone: transfers move money between accounts that lie
// in other partitions, with functions, timers, continuations, shared blobs, signals, and clients that retry, watch and
// purge. Money is conserved, every message is taken once and in order, and nothing that a client saw changes.
package bank

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/sim"
)

var errNothing = errors.New("bank: there is nothing to move")

// Bank is the workload.
type Bank struct {
	w         *sim.World
	accounts  []*client
	transfers []*client
	limit     int
	executed  int
	signals   uint64
	winding   bool
	seen      []*view
}

// client is who cares for one instance.
type client struct {
	name   string
	key    string // once acknowledged
	order  order
	asking int  // requests under way
	acked  bool // started
	ended  bool // seen to have ended
	gone   bool // a purge was asked for
	// signalled are the signals that were acknowledged.
	signalled []uint64
}

const openingBalance = 100

// New makes the workload.
func New(w *sim.World) sim.Workload {
	b := &Bank{w: w, limit: 3 + w.Rand.IntN(8)}
	for i := range 2 + w.Rand.IntN(4) {
		b.accounts = append(b.accounts, &client{name: "account/" + strconv.Itoa(i)})
	}
	return b
}

// Programs implements sim.Workload.
func (b *Bank) Programs(fold *sim.Fold) map[partition.ProgramID]partition.Program {
	return map[partition.ProgramID]partition.Program{accountID: accounts{fold}, transferID: transfers{fold}}
}

// Idempotent implements sim.Workload.
func (b *Bank) Idempotent(function string) bool { return function == "quote" }

// Call implements sim.Workload: every execution has another result, so that one that changes shows.
func (b *Bank) Call(c sim.Call) partition.Event {
	b.executed++
	if !b.winding && b.w.Chance(0.15) {
		return partition.Event{Error: "Unlucky"}
	}
	return partition.Event{Body: []byte(c.Function + strconv.Itoa(b.executed))}
}

// Events implements sim.Workload.
func (b *Bank) Events(chunk []byte) (events []string, err error) {
	r := wire.NewReader(chunk)
	for r.Len() > 0 && r.Err() == nil {
		events = append(events, r.String())
	}
	return events, r.Err()
}

// Act implements sim.Workload.
func (b *Bank) Act(winding bool) {
	b.winding = winding
	if winding {
		for _, c := range slices.Concat(b.accounts, b.transfers) {
			if c.asking == 0 && !b.satisfied(c) {
				b.pursue(c)
			}
		}
		return
	}
	for _, c := range b.accounts {
		if !c.acked {
			if c.asking < 2 {
				b.pursue(c)
			}
			return
		}
	}
	if len(b.transfers) < b.limit && b.w.Chance(0.4) {
		b.transfers = append(b.transfers, b.order())
		b.pursue(b.transfers[len(b.transfers)-1])
		return
	}
	if n := len(b.transfers); n > 0 {
		b.fiddle(b.transfers[b.w.Rand.IntN(n)])
	}
}

func (b *Bank) order() *client {
	r := b.w.Rand
	i := r.IntN(len(b.accounts))
	j := (i + 1 + r.IntN(len(b.accounts)-1)) % len(b.accounts)
	o := order{from: b.accounts[i].name, to: b.accounts[j].name, amount: int64(r.IntN(60)), ask: r.IntN(2) == 0, notes: uint64(r.IntN(3))}
	if r.IntN(2) == 0 {
		o.wait = int64(1 + r.IntN(2000))
	}
	if r.IntN(2) == 0 {
		o.patience = int64(20 + r.IntN(200))
	}
	return &client{name: "transfer/" + strconv.Itoa(len(b.transfers)), order: o}
}

// satisfied reports whether the client has all it wanted.
func (b *Bank) satisfied(c *client) bool {
	if strings.HasPrefix(c.name, "account/") {
		return c.acked
	}
	return c.ended || c.gone
}

// Done implements sim.Workload.
func (b *Bank) Done() bool {
	for _, c := range slices.Concat(b.accounts, b.transfers) {
		if c.asking > 0 || !b.satisfied(c) {
			return false
		}
	}
	return true
}

// pursue does what brings the client nearer to what it wants.
func (b *Bank) pursue(c *client) {
	switch {
	case strings.HasPrefix(c.name, "account/"):
		b.ask(c, message(c.name, accountID, opOpen, wire.AppendInt(nil, openingBalance)), func(v *view) { c.acked = true })
	case !c.acked:
		policy := []byte("policy-" + strconv.Itoa(b.w.Rand.IntN(3)))
		c.order.policy = partition.BlobOf(policy)
		it := message(c.name, transferID, opStart, c.order.encode(nil))
		it.Blob, it.BlobID = policy, c.order.policy
		b.ask(c, it, func(v *view) { c.acked, c.key = true, v.key })
	default:
		b.ask(c, read(c.name, true), func(*view) {})
	}
}

// fiddle does something that clients do.
func (b *Bank) fiddle(c *client) {
	if c.asking > 3 {
		return
	}
	switch p := b.w.Rand.IntN(10); {
	case !c.acked:
		b.pursue(c)
	case p < 3:
		b.ask(c, read(c.name, false), func(*view) {})
	case p < 5:
		b.ask(c, read(c.name, true), func(*view) {})
	case p < 8:
		b.signals++
		n := b.signals
		b.ask(c, message(c.name, transferID, opSignal, wire.AppendUint(nil, n)), func(v *view) {
			if !c.gone {
				c.signalled = append(c.signalled, n)
			}
			if !slices.Contains(v.signals, n) {
				b.w.Fail("signal %d to %s was acknowledged by %v", n, v.key, v.signals)
			}
		})
	case c.ended && p == 8:
		c.gone = true
		b.ask(c, message(c.name, transferID, opForget, nil), func(*view) {})
	case c.ended:
		b.purge(c)
	}
}

func message(to string, program partition.ProgramID, op uint8, body []byte) lane.Item {
	return lane.Item{Event: partition.Event{Kind: partition.Message, To: to, Program: program, Op: op, Body: body}}
}

// read looks at an instance, or waits for its end.
func read(name string, wait bool) lane.Item {
	return lane.Item{Read: func(r *lane.Reader) any {
		ref, ok, err := r.Find(name)
		if err != nil || !ok {
			return err
		}
		v, err := look(r, ref)
		if err != nil {
			return err
		}
		if v.ended || !wait {
			return v
		}
		later, ok, err := r.Await(ref)
		if err != nil || !ok {
			return fmt.Errorf("open instance %d (%s) cannot be waited for: %w", ref, name, err)
		}
		return later
	}}
}

// look decodes what a client sees of an instance, hot or cold.
func look(r *lane.Reader, ref partition.Ref) (*view, error) {
	var packed []byte
	if v, ok := r.Core().View(ref); ok {
		if t, ok := v.State.(*transfer); ok {
			return t.view(), nil
		}
		packed = v.Packed
	} else {
		rec, ok, err := r.Record(ref)
		if err != nil || !ok {
			return nil, fmt.Errorf("instance %d has a name and no record: %w", ref, err)
		}
		packed = rec.State
	}
	in, err := transfers{}.Decode(packed, nil)
	if err != nil {
		return nil, err
	}
	return in.(*transfer).view(), nil
}

// purge removes ended transfers, as retention does.
func (b *Bank) purge(c *client) {
	c.gone = true
	_, number, _ := strings.Cut(c.key, "#")
	ref, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		b.w.Fail("%s has no number: %w", c.key, err)
		return
	}
	refs := []partition.Ref{partition.Ref(ref)}
	// With another transfer of the same partition: one body, some of it gone already.
	for _, o := range b.transfers {
		if _, n, _ := strings.Cut(o.key, "#"); o.ended && o != c && b.place(o.name) == b.place(c.name) {
			o.gone = true
			if ref, err := strconv.ParseUint(n, 10, 64); err == nil {
				refs = append(refs, partition.Ref(ref))
			}
		}
	}
	it := lane.Item{Event: partition.Event{Kind: partition.Purge, Body: partition.AppendRefs(nil, refs)}}
	b.w.Request(&sim.Ask{Item: it, Partition: b.place(c.name), OneWay: true})
}

func (b *Bank) place(name string) partition.ID { return partition.Place(name, b.w.Partitions()) }

// ask sends a request and writes down what comes back.
func (b *Bank) ask(c *client, it lane.Item, then func(*view)) {
	c.asking++
	waiting := true
	b.w.Request(&sim.Ask{Item: it, Partition: b.place(c.name), Answer: func(value any, missing bool, err error) {
		if waiting {
			waiting = false
			c.asking--
		}
		v, _ := value.(*view)
		switch {
		case err != nil:
		case value == errNothing:
			c.gone = true
		case v != nil:
			b.seen = append(b.seen, v)
			b.w.Note(v.key + " " + v.result)
			if v.ended {
				c.ended, c.key = true, v.key
			}
			then(v)
		case value != nil:
			b.w.Fail("a client of %s was answered %v", c.name, value)
		case !c.gone && c.acked:
			b.w.Fail("%s was acknowledged and is missing", c.name)
		}
	}})
}
