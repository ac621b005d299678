package bank

import (
	"slices"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/sim"
)

// order is what a client wants moved.
type order struct {
	from, to string
	amount   int64
	wait     int64 // milliseconds between approval and taking; 0: go on at once, behind others
	patience int64 // milliseconds to wait for a function before it is called again; 0: for ever
	ask      bool  // approval by the idempotent function
	notes    uint64
	policy   partition.BlobID
}

func (o *order) encode(dst []byte) []byte {
	dst = wire.AppendString(dst, o.from)
	dst = wire.AppendString(dst, o.to)
	dst = wire.AppendInt(dst, o.amount)
	dst = wire.AppendInt(dst, o.wait)
	dst = wire.AppendInt(dst, o.patience)
	dst = wire.AppendBool(dst, o.ask)
	dst = wire.AppendUint(dst, o.notes)
	return wire.AppendString(dst, string(o.policy))
}

func readOrder(r *wire.Reader) order {
	return order{
		from: r.String(), to: r.String(), amount: r.Int(), wait: r.Int(), patience: r.Int(), ask: r.Bool(), notes: r.Uint(),
		policy: partition.BlobID(r.String()),
	}
}

// The phases of a transfer.
const (
	approving uint8 = iota + 1
	sleeping
	taking
	settling
	giving
	ended
)

// transfers is the program of transfers.
type transfers struct{ fold *sim.Fold }

func (p transfers) Creates(op uint8) bool   { return op == opStart }
func (p transfers) New() partition.Instance { return &transfer{record: record{fold: p.fold}} }

func (p transfers) Decode(data []byte, _ func(partition.BlobID) []byte) (partition.Instance, error) {
	t := &transfer{record: record{fold: p.fold}}
	r := wire.NewReader(data)
	t.record.decode(r)
	t.order = readOrder(r)
	t.phase = r.Byte()
	t.ids, t.call, t.timer = r.Uint(), r.Uint(), r.Uint()
	t.toFrom, t.toTo = r.Uint(), r.Uint()
	t.approval, t.result = r.String(), r.String()
	for range r.Count(1) {
		t.signals = append(t.signals, r.Uint())
	}
	return t, r.Err()
}

// transfer moves money from one account to another: approve, wait, take, settle, give.
type transfer struct {
	record
	order
	phase            uint8
	ids, call, timer uint64 // last id given; of the call and timer waited for
	toFrom, toTo     uint64 // messages sent to the accounts
	approval, result string
	signals          []uint64
}

func (t *transfer) Append(dst []byte) []byte {
	dst = t.record.encode(dst)
	dst = t.order.encode(dst)
	dst = append(dst, t.phase)
	for _, v := range []uint64{t.ids, t.call, t.timer, t.toFrom, t.toTo} {
		dst = wire.AppendUint(dst, v)
	}
	dst = wire.AppendString(dst, t.approval)
	dst = wire.AppendString(dst, t.result)
	dst = wire.AppendUint(dst, uint64(len(t.signals)))
	for _, s := range t.signals {
		dst = wire.AppendUint(dst, s)
	}
	return dst
}

func (t *transfer) view() *view {
	return &view{key: t.key, events: t.events, digest: t.digest, ended: t.phase == ended, result: t.result, signals: slices.Clone(t.signals)}
}

func (t *transfer) Receive(env *partition.Env, ev *partition.Event) {
	switch ev.Kind {
	case partition.Message:
		t.message(env, ev)
	case partition.Done:
		t.done(env, ev)
	case partition.Due:
		t.due(env)
	case partition.Continue:
		t.take(env)
	}
}

func (t *transfer) message(env *partition.Env, ev *partition.Event) {
	r := wire.NewReader(ev.Body)
	switch ev.Op {
	case opStart:
		t.start(env, r)
		return
	case opSignal:
		if n := r.Uint(); !slices.Contains(t.signals, n) {
			t.signals = append(t.signals, n)
			t.add("signal %d", n)
		}
	case opTook:
		t.took(env, r.Bool())
	case opGiven:
		t.finish(env, "moved")
	case opForget:
		if t.phase == ended {
			t.add("forgotten")
			env.Remove()
		}
	}
	env.Reply(t.view())
}

func (t *transfer) start(env *partition.Env, r *wire.Reader) {
	if !env.Created {
		env.Reply(t.view())
		return
	}
	t.order = readOrder(r)
	if t.amount == 0 {
		env.Discard()
		env.Reply(errNothing)
		return
	}
	t.begin(env)
	env.Pin(t.policy)
	env.List(partition.Summary{Group: "transfers", Status: 1, Time: env.Now})
	t.add("start %s %s %d", t.from, t.to, t.amount)
	t.phase = approving
	t.invoke(env)
	env.Reply(t.view())
}

// invoke calls the function of the phase.
func (t *transfer) invoke(env *partition.Env) {
	name := "settle"
	if t.phase == approving {
		if name = "approve"; t.ask {
			name = "quote"
		}
	}
	policy := env.Blob(t.policy)
	if policy == nil {
		t.add("FLAW the policy is gone")
	}
	t.ids++
	t.call = t.ids
	env.Invoke(partition.Invocation{ID: t.call, Function: name, Input: []byte(t.key + " " + string(policy) + " " + t.approval)})
	if t.patience > 0 {
		t.sleep(env, t.patience)
	}
}

func (t *transfer) sleep(env *partition.Env, wait int64) {
	t.ids++
	t.timer = t.ids
	env.SetTimer(t.timer, env.Now+wait)
}

func (t *transfer) due(env *partition.Env) {
	t.timer = 0
	if t.phase == sleeping {
		t.take(env)
		return
	}
	t.add("impatient")
	env.Cancel(t.call)
	t.invoke(env)
}

func (t *transfer) done(env *partition.Env, ev *partition.Event) {
	if ev.ID != t.call {
		t.add("FLAW answer %d came while %d was waited for", ev.ID, t.call)
	}
	if t.timer != 0 {
		env.CancelTimer(t.timer)
		t.timer = 0
	}
	if ev.Error != "" {
		t.add("failed %s", ev.Error)
		t.invoke(env)
		return
	}
	if t.phase == settling {
		t.add("settled %s", ev.Body)
		t.approval += " " + string(ev.Body)
		t.give(env)
		return
	}
	t.approval = string(ev.Body)
	t.add("approved %s", ev.Body)
	t.phase = sleeping
	if t.wait > 0 {
		t.sleep(env, t.wait)
	} else {
		env.Continue()
	}
}

func (t *transfer) take(env *partition.Env) {
	if t.phase != sleeping {
		t.add("FLAW woken in phase %d", t.phase)
		return
	}
	t.phase = taking
	t.add("taking")
	t.send(env, t.from, &t.toFrom, opTake)
}

func (t *transfer) took(env *partition.Env, enough bool) {
	if t.phase != taking {
		t.add("FLAW taken in phase %d", t.phase)
		return
	}
	if !enough {
		t.finish(env, "refused")
		return
	}
	t.phase = settling
	t.add("took")
	t.invoke(env)
}

func (t *transfer) give(env *partition.Env) {
	t.phase = giving
	for range t.notes {
		t.send(env, t.from, &t.toFrom, opNote)
		t.send(env, t.to, &t.toTo, opNote)
	}
	t.send(env, t.to, &t.toTo, opGive)
}

func (t *transfer) send(env *partition.Env, to string, seq *uint64, op uint8) {
	*seq++
	body := wire.AppendString(nil, env.Name)
	body = wire.AppendString(body, t.key)
	body = wire.AppendUint(body, *seq)
	env.Send(to, accountID, op, wire.AppendInt(body, t.amount))
}

func (t *transfer) finish(env *partition.Env, how string) {
	if t.phase != taking && t.phase != giving {
		t.add("FLAW finished in phase %d", t.phase)
		return
	}
	t.phase = ended
	t.result = how + " " + string(env.Blob(t.policy)) + " " + t.approval
	t.add("end %s", t.result)
	env.List(partition.Summary{Group: "transfers", Status: 2, Time: env.Now, Ended: env.Now})
	env.End(t.view())
}
