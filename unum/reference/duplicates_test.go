package reference

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/platform/virtual"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/memory"
)

// TestDuplicatesStayFew delivers the first request twice. That may double what follows, and not multiply it with the width
// of each fan-out.
func TestDuplicatesStayFew(t *testing.T) {
	t.Parallel()
	const width, maps = 20, 4
	var states []string
	for i := range maps {
		next := fmt.Sprintf(`"Next":"M%d"`, i+1)
		if i == maps-1 {
			next = `"End":true`
		}
		states = append(states, fmt.Sprintf(`"M%d":{"Type":"Map","ItemProcessor":{"StartAt":"F%d","States":{"F%d":{"Type":"Task","Resource":"f","End":true}}},%s}`, i, i, i, next))
	}
	app, err := compile.Machine([]byte(`{"StartAt":"M0","States":{`+strings.Join(states, ",")+`}}`), compile.Options{Name: "wide"})
	if err != nil {
		t.Fatal(err)
	}
	prog, err := program.New(app)
	if err != nil {
		t.Fatal(err)
	}
	deliver := func(copies int) int64 {
		p := virtual.New(began)
		p.Copies = func(string, []byte) int { n := copies; copies = 1; return n }
		store := memory.New()
		rt := &unum.Runtime{Store: store, Platform: p, Program: prog, Now: p.Now}
		p.Execute = func(ctx context.Context, _ string, payload []byte) error {
			return rt.Handle(ctx, payload, func(_ context.Context, _ string, input []byte) protocol.Outcome {
				return protocol.Outcome{Kind: protocol.Returned, Output: input}
			})
		}
		input := "[" + strings.Repeat("1,", width-1) + "1]"
		if _, err := rt.Start(t.Context(), "run", []byte(input), 0); err != nil {
			t.Fatal(err)
		}
		if err := p.Run(t.Context(), 1_000_000, nil); err != nil {
			t.Fatal(err)
		}
		if d, err := rt.Describe(t.Context(), "run"); err != nil || d.Status != unum.Succeeded {
			t.Fatal(d, err)
		}
		if err := store.Keys(t.Context(), "", func(key string) bool {
			if key != "run" {
				t.Errorf("%s is left over", key)
			}
			return true
		}); err != nil {
			t.Fatal(err)
		}
		return p.Delivered()
	}
	once, twice := deliver(1), deliver(2)
	t.Logf("delivered once: %d requests, twice: %d", once, twice)
	if twice > 3*once {
		t.Errorf("one duplicate makes %d requests of %d", twice, once)
	}
}
