package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// call is one operation of a history, on one key.
type call struct {
	op     string // get, create, advance, add, delete
	key    string
	nonce  string
	step   int64
	member string
	failed bool
	rec    *unum.Record
}

// answer is what it was told.
type answer struct {
	cur *unum.Record
	ok  bool
	// later is set when cur was read some time after the operation, so that it says nothing of its moment.
	later bool
}

// step is what a store does: the record before a call, and its answer, give the record after it, or do not fit.
func step(cur *unum.Record, c call, a answer) (fits bool, next *unum.Record) {
	same := a.later || ratchet.Equal(cur, a.cur)
	switch c.op {
	case "get":
		return same, cur
	case "create":
		if cur == nil {
			return a.ok, c.rec
		}
	case "advance":
		if ratchet.At(cur, c.nonce, c.step) {
			return a.ok, c.rec
		}
	case "add":
		if ratchet.At(cur, c.nonce, c.step) {
			next = ratchet.With(cur, c.member, c.failed)
			goneSince := a.later && !ratchet.At(a.cur, c.nonce, c.step)
			return a.ok && (a.later || ratchet.Equal(next, a.cur)) || !a.ok && goneSince, next
		}
	case "delete":
		return true, nil
	}
	return !a.ok && same, cur
}

var records = porcupine.Model{
	Init: func() any { return (*unum.Record)(nil) },
	Step: func(state, input, output any) (bool, any) {
		fits, next := step(state.(*unum.Record), input.(call), output.(answer))
		return fits, next
	},
	Equal: func(a, b any) bool { return ratchet.Equal(a.(*unum.Record), b.(*unum.Record)) },
	Partition: func(history []porcupine.Operation) (parts [][]porcupine.Operation) {
		byKey := map[string]int{}
		for _, o := range history {
			key := o.Input.(call).key
			i, ok := byKey[key]
			if !ok {
				i = len(parts)
				byKey[key], parts = i, append(parts, nil)
			}
			parts[i] = append(parts[i], o)
		}
		return parts
	},
}

const (
	clients = 6
	each    = 25
	keys    = 3
)

// linearizable lets clients do random operations on few keys at once. All they are told must be as if one operation had
// been done after the other, each at a moment between its call and its answer.
func linearizable(ctx context.Context, s unum.Store, o Options) error {
	run := fresh()
	var clock atomic.Int64
	histories := make([][]porcupine.Operation, clients)
	err := atOnce(clients, func(client int) error {
		rng := rand.New(rand.NewPCG(uint64(client), 5))
		for range each {
			c := randomCall(rng, fmt.Sprintf("%s/%d", run, rng.IntN(keys)))
			began := clock.Add(1)
			a, err := do(ctx, s, c)
			if err != nil {
				return fmt.Errorf("%+v: %w", c, err)
			}
			a.later = o.AddThenRead && c.op != "get" && c.op != "delete"
			histories[client] = append(histories[client], porcupine.Operation{ClientId: client, Input: c, Call: began, Output: a, Return: clock.Add(1)})
		}
		return nil
	})
	if err != nil {
		return err
	}
	var all []porcupine.Operation
	for _, h := range histories {
		all = append(all, h...)
	}
	if got := porcupine.CheckOperationsTimeout(records, all, time.Minute); got != porcupine.Ok {
		return fmt.Errorf("a history of %d operations is %s: the store is not linearizable", len(all), got)
	}
	return nil
}

// randomCall draws a call. There are few nonces and steps, so that calls meet.
func randomCall(rng *rand.Rand, key string) call {
	c := call{key: key, nonce: [...]string{"n", "n", "n", "m"}[rng.IntN(4)], step: int64(rng.IntN(3)), member: fmt.Sprint(rng.IntN(4)), failed: rng.IntN(5) == 0}
	c.rec = &unum.Record{Nonce: "n", Step: int64(rng.IntN(3)), Value: fmt.Append(nil, rng.Uint32()), Width: int64(rng.IntN(5))}
	switch n := rng.IntN(20); {
	case n < 6:
		c.op = "get"
	case n < 10:
		c.op = "create"
	case n < 14:
		c.op = "advance"
	case n < 18:
		c.op = "add"
	default:
		c.op = "delete"
	}
	c.rec.Ended = c.op == "advance" && rng.IntN(10) == 0
	return c
}

// do does a call.
func do(ctx context.Context, s unum.Store, c call) (a answer, err error) {
	switch c.op {
	case "get":
		a.cur, err = one(ctx, s, c.key)
	case "create":
		a.cur, a.ok, err = s.Create(ctx, c.key, c.rec)
	case "advance":
		a.cur, a.ok, err = s.Advance(ctx, c.key, c.nonce, c.step, c.rec)
	case "add":
		a.cur, a.ok, err = s.Add(ctx, c.key, c.nonce, c.step, c.member, c.failed)
	case "delete":
		err = s.Delete(ctx, []string{c.key})
	}
	return a, err
}
