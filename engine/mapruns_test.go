package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

// distributedMap is a machine with a distributed Map over its input, fields in front of the others, whose child runs call f.
func distributedMap(kind, fields string) string {
	return fmt.Sprintf(`{"StartAt":"M","States":{"M":{"Type":"Map","Label":"each",%s"End":true,
		"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"%s"},"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","End":true}}}}}}`,
		fields, kind)
}

// mapNode is a node with the machine m and a function f.
func mapNode(t *testing.T, definition string, f func(ctx context.Context, n int) error) *Node {
	t.Helper()
	fns := registry(t, map[string]func(context.Context, []byte) ([]byte, error){
		"f": func(ctx context.Context, in []byte) ([]byte, error) {
			var n int
			if err := json.Unmarshal(in, &n); err != nil {
				return nil, err
			}
			if err := f(ctx, n); err != nil {
				return nil, &function.Error{Type: "Bad", Cause: err.Error()}
			}
			return in, nil
		},
	})
	n, err := Open(Options{Partitions: 3, Functions: fns, Logger: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = n.Close() })
	create(t, n, "m", definition)
	return n
}

// mapRun returns the only Map Run of a run.
func mapRunOf(t *testing.T, n *Node, run RunID) *MapRun {
	t.Helper()
	page, err := n.ListMapRuns(t.Context(), run, 0, "")
	if err != nil || len(page.MapRuns) != 1 {
		t.Fatalf("%+v, %v", page, err)
	}
	m, err := n.MapRun(t.Context(), page.MapRuns[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func items(n int) []byte {
	list := make([]int, n)
	for i := range list {
		list[i] = i
	}
	text, _ := json.Marshal(list)
	return text
}

func TestMapRunKeepsItsConcurrency(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"STANDARD", "EXPRESS"} {
		synctest.Test(t, func(t *testing.T) {
			var running, most atomic.Int64
			n := mapNode(t, distributedMap(kind, `"MaxConcurrency":3,`), func(context.Context, int) error {
				now := running.Add(1)
				for m := most.Load(); now > m && !most.CompareAndSwap(m, now); m = most.Load() {
				}
				time.Sleep(time.Second)
				running.Add(-1)
				return nil
			})
			run := wait(t, n, start(t, n, StartRun{Machine: "m", Input: items(20)}).ID)
			m := mapRunOf(t, n, run.ID)
			if string(run.Output) != string(items(20)) || most.Load() != 3 || m.Items.Succeeded != 20 || m.Children.Total != 20 || m.Status != machine.Succeeded {
				t.Errorf("%s: %s at most %d at a time, %+v", kind, run.Output, most.Load(), m)
			}
			page, err := n.ListChildren(t.Context(), m.ID, ListRuns{})
			if want := map[string]int{"STANDARD": 20, "EXPRESS": 0}[kind]; err != nil || len(page.Runs) != want {
				t.Errorf("%s: %d children are listed, %v", kind, len(page.Runs), err)
			}
		})
	}
}

func TestMapRunTolerates(t *testing.T) {
	t.Parallel()
	odd := func(_ context.Context, n int) error {
		if n%2 == 1 {
			return fmt.Errorf("%d is odd", n)
		}
		return nil
	}
	for fields, want := range map[string]machine.Status{
		``:                                 machine.Failed,
		`"ToleratedFailureCount":2,`:       machine.Failed,
		`"ToleratedFailureCount":3,`:       machine.Succeeded,
		`"ToleratedFailurePercentage":49,`: machine.Failed,
		`"ToleratedFailurePercentage":50,`: machine.Succeeded,
		`"ToleratedFailureCount":3,"ToleratedFailurePercentage":49,`: machine.Failed,
	} {
		synctest.Test(t, func(t *testing.T) {
			n := mapNode(t, distributedMap("STANDARD", fields), odd)
			run := wait(t, n, start(t, n, StartRun{Machine: "m", Input: items(6)}).ID)
			if run.Status != want || want == machine.Succeeded && string(run.Output) != "[0,2,4]" || want == machine.Failed && run.Error != "States.ExceedToleratedFailureThreshold" {
				t.Errorf("%s: %s %s %s", fields, run.Status, run.Output, run.Error)
			}
		})
	}
}

func TestStoppedMapRunStopsItsChildren(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := mapNode(t, distributedMap("STANDARD", `"MaxConcurrency":4,`), func(ctx context.Context, _ int) error {
			<-ctx.Done()
			return ctx.Err()
		})
		run := start(t, n, StartRun{Machine: "m", Input: items(10)})
		synctest.Wait()
		if m := mapRunOf(t, n, run.ID); m.Children.Running != 4 || m.Items.Pending != 6 {
			t.Errorf("%+v", m)
		}
		if _, err := n.StopRun(t.Context(), run.ID, Reason{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if m := mapRunOf(t, n, run.ID); m.Status != machine.Aborted || m.Children.Aborted != 4 || m.Children.Running != 0 || m.Items.Pending != 6 {
			t.Errorf("%+v", m)
		}
	})
}

func TestRedriveTakesUpTheMapRun(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"STANDARD", "EXPRESS"} {
		synctest.Test(t, func(t *testing.T) {
			var broken atomic.Bool
			broken.Store(true)
			var mu sync.Mutex
			calls := map[int]int{}
			n := mapNode(t, distributedMap(kind, `"MaxConcurrency":2,`), func(_ context.Context, n int) error {
				mu.Lock()
				calls[n]++
				mu.Unlock()
				if n == 3 && broken.Load() {
					return fmt.Errorf("broken")
				}
				return nil
			})
			run := wait(t, n, start(t, n, StartRun{Machine: "m", Input: items(8)}).ID)
			if run.Status != machine.Failed {
				t.Fatalf("%s %s", run.Status, run.Output)
			}
			broken.Store(false)
			if _, err := n.RedriveRun(t.Context(), run.ID, "", machine.Amendment{}); err != nil {
				t.Fatal(err)
			}
			run = wait(t, n, run.ID)
			m := mapRunOf(t, n, run.ID)
			if string(run.Output) != string(items(8)) || m.Items.Succeeded != 8 || m.Items.Failed+m.Items.Aborted != 0 || m.Redrives != 1 {
				t.Errorf("%s: %s %s, %+v", kind, run.Status, run.Output, m)
			}
			if calls[3] != 2 || calls[0] != 1 {
				t.Errorf("%s: calls %v", kind, calls)
			}
		})
	}
}

func TestMapRunIsChanged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := mapNode(t, distributedMap("STANDARD", `"MaxConcurrency":1,`), func(context.Context, int) error {
			time.Sleep(time.Hour)
			return nil
		})
		run := start(t, n, StartRun{Machine: "m", Input: items(5)})
		synctest.Wait()
		five := int64(5)
		m, err := n.UpdateMapRun(t.Context(), UpdateMapRun{ID: mapRunOf(t, n, run.ID).ID, MapUpdate: statemachine.MapUpdate{MaxConcurrency: &five}})
		if err != nil || m.MaxConcurrency != 5 {
			t.Fatalf("%+v, %v", m, err)
		}
		synctest.Wait()
		if m := mapRunOf(t, n, run.ID); m.Children.Running != 5 {
			t.Errorf("%+v", m)
		}
		wait(t, n, run.ID)
		_, err = n.UpdateMapRun(t.Context(), UpdateMapRun{ID: m.ID, MapUpdate: statemachine.MapUpdate{MaxConcurrency: &five}})
		wantKind(t, err, fault.InvalidInput)
	})
}

func TestResultsTooLargeForTheState(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := mapNode(t, strings.Replace(distributedMap("EXPRESS", ``), `"Type":"Task","Resource":"f"`, `"Type":"Pass","Result":"`+strings.Repeat("x", 1<<19)+`"`, 1), nil)
		run := wait(t, n, start(t, n, StartRun{Machine: "m", Input: items(9)}).ID)
		if run.Error != "States.DataLimitExceeded" || mapRunOf(t, n, run.ID).Items.Succeeded != 9 {
			t.Errorf("%s %s", run.Error, run.Cause)
		}
	})
}
