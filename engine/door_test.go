package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/schedule"
)

func TestNamesOfMachines(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{})
	for _, name := range []string{"", "a/b", "a\x00b", "a\nb", "a\xffb", strings.Repeat("x", 81)} {
		_, err := n.CreateMachine(t.Context(), CreateMachine{Name: name, Definition: []byte(pass)})
		if !fault.Is(err, fault.InvalidName) {
			t.Errorf("a machine named %q: %v", name, err)
		}
	}
	create(t, n, strings.Repeat("ü", 80), pass)
}

// TestNamesOfWorkflows: what would be in every key and message is refused at the door when it is too long.
func TestNamesOfWorkflows(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{Code: book{"nap": func(w *durable.Flow, _ []byte) ([]byte, error) {
		w.Sleep(time.Hour)
		return nil, nil
	}}})
	name, id := strings.Repeat("w", limits.WorkflowChars+1), strings.Repeat("i", limits.IDBytes+1)
	start := func(s StartWorkflow) error {
		_, err := n.StartWorkflow(t.Context(), s)
		return err
	}
	tag := func(tags map[string]string) error {
		_, err := n.TagWorkflow(t.Context(), "r", tags)
		return err
	}
	startWorkflow(t, n, "nap", "r", "null")
	_, scheduled := n.CreateSchedule(t.Context(), DefineSchedule{ID: "s", Workflow: name, Spec: schedule.Spec{Cron: []string{"@daily"}}})
	for what, err := range map[string]error{
		"a name": start(StartWorkflow{Workflow: name}), "a version": start(StartWorkflow{Workflow: "nap", Version: name}), "an id": start(StartWorkflow{Workflow: "nap", ID: id}),
		"an entity": n.SignalEntity(t.Context(), name, "k", "o", nil, 0), "a key": n.SignalEntity(t.Context(), "e", id, "o", nil, 0),
		"an operation": n.SignalEntity(t.Context(), "e", "k", id, nil, 0), "an event": n.RaiseEvent(t.Context(), "r", id, nil), "a schedule's workflow": scheduled,
	} {
		if !fault.Is(err, fault.InvalidName) {
			t.Errorf("%s that is too long: %v", what, err)
		}
	}
	wantKind(t, start(StartWorkflow{Workflow: "nap", Tags: map[string]string{"k": id}}), fault.InvalidArgument)
	wantKind(t, tag(map[string]string{id: "v"}), fault.InvalidArgument)
	many := make(map[string]string)
	for i := range limits.Tags + 1 {
		many[fmt.Sprint(i)] = "v"
	}
	wantKind(t, tag(many), fault.TooManyTags)
	forged := "\x01" + strings.Repeat("\x02", 16) + "\x05abcd" // looks like a reference to a large value
	if v, err := n.SuspendWorkflow(t.Context(), "r", forged); err != nil || v.Reason != "\x05abcd"[1:] {
		t.Errorf("a reason that looks like a reference: %+v, %v", v, err)
	}
	if _, err := n.ResumeWorkflow(t.Context(), "r", forged); err != nil {
		t.Error(err)
	}
	if _, err := n.WorkflowHistory(t.Context(), "r"); err != nil {
		t.Errorf("the history: %v", err)
	}
	if v, err := n.SuspendWorkflow(t.Context(), "r", strings.Repeat("ü", limits.ReasonBytes)); err != nil || len(v.Reason) != limits.ReasonBytes {
		t.Errorf("a long reason: %v, %v", v, err)
	}
}

func TestTooManyMachines(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{machines: 2})
	create(t, n, "a", pass)
	create(t, n, "b", pass)
	create(t, n, "a", pass) // it is there
	_, err := n.CreateMachine(t.Context(), CreateMachine{Name: "c", Definition: []byte(pass)})
	wantKind(t, err, fault.LimitExceeded)
	if err := n.DeleteMachine(t.Context(), "b"); err != nil {
		t.Fatal(err)
	}
	create(t, n, "c", pass)
}

// TestStartMeetsDelete holds that a machine stays while a run of it is being started.
func TestStartMeetsDelete(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{})
	create(t, n, "m", pass)
	c := n.catalog.enter("m") // a start that has not reached its partition yet
	if _, err := n.UpdateMachine(t.Context(), UpdateMachine{Name: "m", Definition: []byte(waits)}); err != nil {
		t.Fatal(err)
	}
	if err := n.DeleteMachine(t.Context(), "m"); err != nil {
		t.Fatal(err)
	}
	n.finishDeletes(t.Context())
	if m, err := n.Machine(t.Context(), "m"); err != nil || !m.Deleting {
		t.Errorf("the machine of a run that is being started: %+v, %v", m, err)
	}
	_, err := n.StartRun(t.Context(), StartRun{Machine: "m"})
	wantKind(t, err, fault.MachineDeleting)
	c.leave()
	n.finishDeletes(t.Context())
	_, err = n.Machine(t.Context(), "m")
	wantKind(t, err, fault.MachineNotFound)
}

// TestRemoveMeansOneMachine holds that a late removal does not hit another machine of the name.
func TestRemoveMeansOneMachine(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{})
	create(t, n, "m", pass)
	m, err := n.Machine(t.Context(), "m")
	if err != nil {
		t.Fatal(err)
	}
	for name, created := range map[string]int64{"older": m.Created - 1, "not deleting": m.Created} {
		_, err = n.change(t.Context(), statemachine.OpRemove, "m", &statemachine.CatalogMessage{Created: created})
		if !fault.Is(err, fault.Conflict) {
			t.Errorf("removing one that is %s: %v", name, err)
		}
	}
	wait(t, n, start(t, n, StartRun{Machine: "m"}).ID)
}

// TestListingsNobodyWaitsFor holds that a client that gives up leaves nothing open in the store, which would refuse to
// close.
func TestListingsNobodyWaitsFor(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{Dir: "data", FS: vfs.NewCrashableMem(), Partitions: 4})
	create(t, n, "m", pass)
	wait(t, n, start(t, n, StartRun{Machine: "m"}).ID)
	gone, stop := context.WithCancel(t.Context())
	stop()
	gaveUp := 0
	for range 200 {
		if _, err := n.ListRuns(gone, ListRuns{Machine: "m"}); err != nil {
			wantKind(t, err, fault.Unavailable)
			gaveUp++
		}
	}
	if gaveUp == 0 {
		t.Error("nobody has given up")
	}
	if err := n.Close(); err != nil {
		t.Error(err)
	}
}

// TestListBounds holds the bounds in time over runs in the store and in memory.
func TestListBounds(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{Dir: "data", FS: vfs.NewCrashableMem(), Partitions: 2})
	create(t, n, "m", pass)
	var all []*Run
	for i := range 30 {
		all = append(all, wait(t, n, start(t, n, StartRun{Machine: "m", Name: fmt.Sprint(i)}).ID))
		if i == 15 {
			if err := n.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, q := range []ListRuns{
		{Before: all[9].Started}, {After: all[9].Started}, {Before: all[20].Started, After: all[3].Started},
		{Before: all[0].Started}, {After: all[29].Started + 1}, {Before: all[25].Started, Limit: 3},
	} {
		q.Machine = "m"
		want := 0
		for _, r := range all {
			if r.Started >= q.After && (q.Before == 0 || r.Started < q.Before) {
				want++
			}
		}
		got, err := listAll(t.Context(), n, q)
		if err != nil || len(got) != want {
			t.Errorf("%+v: %d runs, want %d; %v", q, len(got), want, err)
		}
	}
}

func TestSleep(t *testing.T) {
	t.Parallel()
	for ms, want := range map[int64]time.Duration{
		-5: 100 * time.Microsecond, 0: 100 * time.Microsecond, 7: 7 * time.Millisecond,
		1 << 50: time.Hour, 9_300_000_000_000: time.Hour, 1<<63 - 1: time.Hour,
	} {
		if got := sleep(ms); got != want {
			t.Errorf("sleep(%d) = %v, want %v", ms, got, want)
		}
	}
}

// silent is an invoker that says nothing.
type silent struct{ err error }

func (s silent) Invoke(context.Context, *function.Request) (*function.Result, error) {
	return nil, s.err
}

// TestFailuresWithoutWords holds that a failure is one even if nothing is said about it.
func TestFailuresWithoutWords(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{"an empty error": &function.Error{}, "nothing": nil} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := function.NewRegistry()
			if err := r.Register("hello", silent{err}, function.Settings{}); err != nil {
				t.Fatal(err)
			}
			n := reopen(t, Options{Functions: r})
			create(t, n, "one", string(chain(1)))
			run := wait(t, n, start(t, n, StartRun{Machine: "one"}).ID)
			if run.Status != machine.Failed || run.Error != "Lambda.Unknown" {
				t.Errorf("run = %+v", run)
			}
		})
	}
}

// TestWaiterThatLeaves holds that a run is forgotten by memory when those who waited for it have given up.
func TestWaiterThatLeaves(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{})
	create(t, n, "sleep", waits)
	id := start(t, n, StartRun{Machine: "sleep"}).ID
	for range 50 {
		ctx, stop := context.WithTimeout(t.Context(), time.Millisecond)
		_, err := n.WaitRun(ctx, id)
		stop()
		wantKind(t, err, fault.Unavailable)
	}
	ended := make(chan *Run, 1)
	go func() { run, _ := n.WaitRun(t.Context(), id); ended <- run }()
	if _, err := n.StopRun(t.Context(), id, Reason{}); err != nil {
		t.Fatal(err)
	}
	if run := <-ended; run == nil || run.Status != machine.Aborted {
		t.Errorf("who still waits gets %+v", run)
	}
}
