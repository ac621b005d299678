package engine

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/weftworks/weft/machine"
)

// TestRedriveDoesNotSkipTheItemThatFailed holds that an item whose input cannot be made is not left out by a redrive.
func TestRedriveDoesNotSkipTheItemThatFailed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := mapNode(t, distributedMap("STANDARD", `"MaxConcurrency":1,"ItemSelector":{"n.$":"$$.Map.Item.Value.n"},`), func(context.Context, int) error { return nil })
		run := wait(t, n, start(t, n, StartRun{Machine: "m", Input: []byte(`[{}]`)}).ID)
		for range 2 {
			if run.Status != machine.Failed {
				t.Fatalf("%s %s", run.Status, run.Output)
			}
			if m := mapRunOf(t, n, run.ID); m.Items.Pending != 1 || m.Items.Total != 1 {
				t.Errorf("%+v", m)
			}
			if _, err := n.RedriveRun(t.Context(), run.ID, "", machine.Amendment{}); err != nil {
				t.Fatal(err)
			}
			run = wait(t, n, run.ID)
		}
	})
}
