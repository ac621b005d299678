package engine

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
)

const pickTask = `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:us-east-1:000000000000:activity:pick","HeartbeatSeconds":60,"End":true}}}`

// picking returns a node with an activity and a machine that offers it tasks.
func picking(t *testing.T, opts Options) *Node {
	t.Helper()
	n := reopen(t, opts)
	if _, err := n.CreateActivity(t.Context(), CreateActivity{Name: "pick"}); err != nil {
		t.Fatal(err)
	}
	create(t, n, "order", pickTask)
	return n
}

// TestActivities has more workers than tasks, then more tasks than workers: each task is done once, and nobody waits in vain.
func TestActivities(t *testing.T) {
	t.Parallel()
	forgetful := func(c *lane.Config) { c.SnapshotInstances, c.Resident = 1, 1 }
	for name, opts := range map[string]Options{
		"one partition": {Partitions: 1}, "many": {Partitions: 8}, "no speculation": {Partitions: 3, Speculation: SpeculationNone},
		"forgetful": {Partitions: 2, tune: forgetful},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := picking(t, opts)
				var done sync.Map
				var work sync.WaitGroup
				for i := range 20 {
					work.Go(func() {
						for {
							w, err := n.TakeTask(t.Context(), "pick", fmt.Sprint("worker-", i), time.Minute)
							if err != nil {
								t.Error(err)
							}
							if w == nil {
								return
							}
							if _, twice := done.LoadOrStore(w.Token, true); twice {
								t.Errorf("task %s was given out twice", w.Input)
							}
							if err := n.SucceedTask(t.Context(), w.Token, w.Input); err != nil {
								t.Error(err)
							}
						}
					})
				}
				synctest.Wait() // all workers wait
				const runs = 50
				for i := range runs {
					in := fmt.Sprint(i)
					run := start(t, n, StartRun{Machine: "order", Name: "r" + in, Input: []byte(in)})
					work.Go(func() {
						end, err := n.WaitRun(t.Context(), run.ID)
						if err != nil || end.Status != machine.Succeeded || string(end.Output) != in {
							t.Errorf("run %s: %v %+v", in, err, end)
						}
					})
				}
				work.Wait()
			})
		})
	}
}

func TestTaskNobodyWaitsForIsNotGivenOut(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := picking(t, Options{Partitions: 2})
		first, second := start(t, n, StartRun{Machine: "order", Name: "first"}), start(t, n, StartRun{Machine: "order", Name: "second"})
		synctest.Wait()
		if a, err := n.Activity(t.Context(), "pick"); err != nil || a.Waiting != 2 {
			t.Fatalf("%v %+v", err, a)
		}
		if _, err := n.StopRun(t.Context(), first.ID, Reason{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w, err := n.TakeTask(t.Context(), "pick", "", time.Minute)
		if err != nil || w == nil {
			t.Fatal(w, err)
		}
		if w, err := n.TakeTask(t.Context(), "pick", "", time.Minute); w != nil || err != nil {
			t.Fatal("the task of the stopped run was given out", err)
		}
		// A minute has passed without a word of the worker, who is late.
		if end, err := n.WaitRun(t.Context(), second.ID); err != nil || end.Status != machine.Failed || end.Error != "States.Timeout" {
			t.Errorf("%v %+v", err, end)
		}
		if err := n.SucceedTask(t.Context(), w.Token, []byte("1")); !fault.Is(err, fault.TaskTimedOut) {
			t.Error(err)
		}
	})
}

func TestTaskOfNoActivityFails(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := picking(t, Options{Partitions: 2})
		queued := start(t, n, StartRun{Machine: "order", Name: "queued"})
		var worker sync.WaitGroup
		if err := n.DeleteActivity(t.Context(), "pick"); err != nil {
			t.Fatal(err)
		}
		for _, run := range []*Run{queued, start(t, n, StartRun{Machine: "order", Name: "late"})} {
			end, err := n.WaitRun(t.Context(), run.ID)
			if err != nil || end.Error != "ActivityDoesNotExist" {
				t.Fatalf("%v %+v", err, end)
			}
			events, err := n.History(t.Context(), run.ID, HistoryQuery{From: 4, Limit: 1})
			if err != nil || events[0].Type != history.ActivityScheduleFailed {
				t.Errorf("%v %v", err, events)
			}
		}
		if _, err := n.TakeTask(t.Context(), "pick", "", time.Minute); !fault.Is(err, fault.ActivityNotFound) {
			t.Error(err)
		}
		if err := n.DeleteActivity(t.Context(), "pick"); err != nil {
			t.Error("deleting again:", err)
		}
		// A worker that waits learns of the deletion at once.
		if _, err := n.CreateActivity(t.Context(), CreateActivity{Name: "pick"}); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		worker.Go(func() {
			if _, err := n.TakeTask(t.Context(), "pick", "", time.Minute); !fault.Is(err, fault.ActivityNotFound) || time.Since(began) > time.Second {
				t.Error(err, time.Since(began))
			}
		})
		synctest.Wait()
		if err := n.DeleteActivity(t.Context(), "pick"); err != nil {
			t.Error(err)
		}
		worker.Wait()
	})
}

// TestWokenWorkerThatLeavesWakesAnother makes workers give up at the moment a task comes.
func TestWokenWorkerThatLeavesWakesAnother(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := picking(t, Options{Partitions: 1})
		for range 20 {
			ctx, leave := context.WithCancel(t.Context())
			var workers sync.WaitGroup
			var got atomic.Int32
			for i := range 10 {
				worker := ctx
				if i == 9 {
					worker = t.Context()
				}
				workers.Go(func() {
					if w, _ := n.TakeTask(worker, "pick", "", time.Minute); w != nil {
						got.Add(1)
						if err := n.SucceedTask(t.Context(), w.Token, []byte("1")); err != nil {
							t.Error(err)
						}
					}
				})
				synctest.Wait()
			}
			go leave()
			began := time.Now()
			run := start(t, n, StartRun{Machine: "order"})
			patience, stop := context.WithTimeout(t.Context(), time.Hour)
			if end, err := n.WaitRun(patience, run.ID); err != nil || end.Status != machine.Succeeded || time.Since(began) > time.Second {
				t.Fatalf("%v %+v after %v", err, end, time.Since(began))
			}
			stop()
			workers.Wait()
			if got.Load() != 1 {
				t.Fatalf("%d workers got the task", got.Load())
			}
		}
	})
}

func TestActivityBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := reopen(t, Options{Partitions: 3, activities: 2, pollers: 1})
		for _, name := range []string{"a", "b", "a"} {
			if _, err := n.CreateActivity(t.Context(), CreateActivity{Name: name}); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := n.CreateActivity(t.Context(), CreateActivity{Name: "c"}); !fault.Is(err, fault.LimitExceeded) {
			t.Error(err)
		}
		var worker sync.WaitGroup
		worker.Go(func() { _, _ = n.TakeTask(t.Context(), "a", "", time.Minute) })
		synctest.Wait()
		if _, err := n.TakeTask(t.Context(), "a", "", time.Minute); !fault.Is(err, fault.ActivityWorkers) {
			t.Error(err)
		}
		worker.Wait()
	})
}

func TestActivitiesSurviveReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := picking(t, Options{Dir: dir, Partitions: 2})
	if _, err := n.TagActivity(t.Context(), "pick", map[string]string{"team": "a"}, nil); err != nil {
		t.Fatal(err)
	}
	given := start(t, n, StartRun{Machine: "order", Name: "given", Input: []byte("1")})
	w, err := n.TakeTask(t.Context(), "pick", "w", time.Minute)
	if err != nil || w == nil {
		t.Fatal(w, err)
	}
	kept := start(t, n, StartRun{Machine: "order", Name: "kept", Input: []byte("2")}).ID
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n = reopen(t, Options{Dir: dir})
	list, err := n.ListActivities(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "pick" {
		t.Fatal(list, err)
	}
	if a, err := n.Activity(t.Context(), "pick"); err != nil || a.Tags["team"] != "a" || a.Waiting != 1 {
		t.Fatalf("%v %+v", err, a)
	}
	if err := n.SucceedTask(t.Context(), w.Token, []byte("1")); err != nil {
		t.Error(err)
	}
	if w, err = n.TakeTask(t.Context(), "pick", "w", time.Minute); err != nil || string(w.Input) != "2" {
		t.Fatal(w, err)
	}
	if err := n.FailTask(t.Context(), w.Token, Because("E", "C")); err != nil {
		t.Error(err)
	}
	for id, want := range map[RunID]machine.Status{given.ID: machine.Succeeded, kept: machine.Failed} {
		if end, err := n.WaitRun(t.Context(), id); err != nil || end.Status != want {
			t.Errorf("%v %+v", err, end)
		}
	}
}
