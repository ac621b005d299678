package reference

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/platform/virtual"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/memory"
)

var began = time.UnixMilli(1_767_225_600_000)

// runtimeRun runs a recorded execution by the real runtime over a datastore. Requests come as often as copies says.
func runtimeRun(t *testing.T, r *Recorded, copies func() int) (conformance.Answer, error) {
	p := virtual.New(began)
	p.Copies = func(string, []byte) int { return copies() }
	store := memory.New()
	rt := &unum.Runtime{Store: store, Platform: p, Program: r.Program, Now: p.Now}
	p.Execute = func(ctx context.Context, _ string, payload []byte) error {
		return rt.Handle(ctx, payload, func(_ context.Context, code string, input []byte) protocol.Outcome {
			reply := r.Code(code, input)
			reply.Outcome.Now = p.Now().UnixMilli() + reply.After
			return reply.Outcome
		})
	}
	ctx := context.Background()
	if _, err := rt.Start(ctx, r.Run, r.Input, time.Duration(r.Timeout)*time.Millisecond); err != nil {
		return conformance.Answer{}, err
	}
	if err := p.Run(ctx, 200_000, func() bool { return false }); err != nil {
		return conformance.Answer{}, err
	}
	d, err := rt.Describe(ctx, r.Run)
	if err != nil {
		return conformance.Answer{}, err
	}
	if err := store.Keys(ctx, "", func(key string) bool {
		if key != r.Run {
			t.Errorf("%s: %s is left over", r.Run, key)
		}
		return true
	}); err != nil {
		return conformance.Answer{}, err
	}
	return conformance.Answer{Status: string(d.Status), Output: string(d.Output), Error: d.Error, Cause: d.Cause}, nil
}

// TestConformanceOnRuntime runs the recordings with the real runtime, every request delivered once and then up to three times.
func TestConformanceOnRuntime(t *testing.T) {
	t.Parallel()
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/pure.jsonl")
	}
	for _, file := range []string{"pure", "lambda"} {
		cases, err := conformance.Load(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		agree, total := 0, 0
		for i, c := range cases {
			if ok, valid := comparable(c); !ok || !valid {
				continue
			}
			total++
			random := rand.New(rand.NewPCG(uint64(i), 1))
			once, often := playRuntime(t, c, func() int { return 1 }), playRuntime(t, c, func() int { return 1 + random.IntN(3) })
			if once+often != "" {
				t.Logf("%s: %s / %s", c.ID, once, often)
				continue
			}
			agree++
		}
		fmt.Printf("conformance: %s, without an orchestrator, requests delivered once and up to three times: T1 %d/%d\n", file, agree, total)
		if agree < total {
			t.Errorf("%s: %d cases of %d agree", file, agree, total)
		}
	}
}

func playRuntime(t *testing.T, c *conformance.Case, copies func() int) string {
	all, err := Record(c)
	if err != nil {
		return err.Error()
	}
	var answers []conformance.Answer
	for _, r := range all {
		a, err := runtimeRun(t, r, copies)
		if err != nil {
			return err.Error()
		}
		answers = append(answers, a)
	}
	if tiers := c.Compare(answers); !tiers.T1 {
		return tiers.Why
	}
	return ""
}
