package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// model does random sequences of operations, one after the other, and compares every answer, and what is there in the
// end, with what step says.
func model(t *testing.T, s unum.Store, o Options) {
	longest := 40
	if o.Slow {
		longest = 8
	}
	rapid.Check(t, func(rt *rapid.T) {
		ctx, run := t.Context(), fresh()
		state := map[string]*unum.Record{}
		for _, seed := range rapid.SliceOfN(rapid.Uint64(), 1, longest).Draw(rt, "calls") {
			rng := rand.New(rand.NewPCG(seed, 0))
			c := randomCall(rng, fmt.Sprintf("%s/%d", run, rng.IntN(2)))
			if cur := state[c.key]; cur != nil && rng.IntN(2) == 0 {
				c.nonce, c.step = cur.Nonce, cur.Step
			}
			a, err := do(ctx, s, c)
			if err != nil {
				rt.Fatalf("%+v: %v", c, err)
			}
			fits, next := step(state[c.key], c, a)
			if !fits {
				rt.Fatalf("%+v on %+v answered %v, %+v", c, state[c.key], a.ok, a.cur)
			}
			state[c.key] = next
		}
		for key, want := range state {
			if got, err := one(ctx, s, key); err != nil || !ratchet.Equal(want, got) {
				rt.Fatalf("in the end %s is %+v, %v; want %+v", key, got, err, want)
			}
		}
	})
}
