package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/machine"
)

// calling returns a machine that starts runs of another as pattern says ("", ".sync", ".sync:2").
func calling(pattern, machine, more string) string {
	return fmt.Sprintf(`{"StartAt":"S","States":{"S":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution%s",
		"Parameters":{"StateMachineArn":"arn:aws:states:us-east-1:000000000000:stateMachine:%s","Input.$":"$"}%s,"End":true}}}`, pattern, machine, more)
}

// generations returns nodes of several makes.
func generations(t *testing.T, test func(t *testing.T, opts Options)) {
	forgetful := func(c *lane.Config) { c.SnapshotInstances, c.Resident = 1, 1 }
	for name, opts := range map[string]Options{
		"one partition": {Partitions: 1}, "many": {Partitions: 8}, "no speculation": {Partitions: 3, Speculation: SpeculationNone},
		"forgetful": {Partitions: 2, tune: forgetful},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { test(t, opts) })
		})
	}
}

func TestChildRuns(t *testing.T) {
	t.Parallel()
	generations(t, func(t *testing.T, opts Options) {
		n := reopen(t, opts)
		create(t, n, "child", `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"Next":"P"},"P":{"Type":"Pass","Result":{"a":1},"End":true}}}`)
		create(t, n, "fails", `{"StartAt":"F","States":{"F":{"Type":"Fail","Error":"E","Cause":"C"}}}`)
		create(t, n, "begin", calling("", "child", ""))
		create(t, n, "texts", calling(".sync", "child", `,"OutputPath":"$.Output"`))
		create(t, n, "json", calling(".sync:2", "child", `,"OutputPath":"$.Output.a"`))
		create(t, n, "caught", calling(".sync", "fails", `,"Catch":[{"ErrorEquals":["States.TaskFailed"],"Next":"C"}],"End":true},"C":{"Type":"Pass","OutputPath":"$.Error"`))
		create(t, n, "none", calling(".sync", "nobody", ""))
		create(t, n, "grandparent", calling(".sync:2", "json", `,"OutputPath":"$.Output"`))
		for name, want := range map[string]struct {
			output string
			after  time.Duration
		}{
			"texts": {`"{\"a\":1}"`, time.Hour}, "json": {`1`, time.Hour}, "grandparent": {`1`, time.Hour}, "caught": {`"States.TaskFailed"`, 0},
		} {
			began := time.Now()
			run := wait(t, n, start(t, n, StartRun{Machine: name}).ID)
			if string(run.Output) != want.output || time.Since(began) != want.after {
				t.Errorf("%s came to %s %s %s %s after %s", name, run.Status, run.Output, run.Error, run.Cause, time.Since(began))
			}
		}
		if run := wait(t, n, start(t, n, StartRun{Machine: "none"}).ID); run.Error != "StepFunctions.StateMachineDoesNotExistException" {
			t.Errorf("a run of no machine: %s %s", run.Error, run.Cause)
		}
		run := wait(t, n, start(t, n, StartRun{Machine: "begin"}).ID)
		var answer struct{ ExecutionArn string }
		if err := json.Unmarshal(run.Output, &answer); err != nil {
			t.Fatal(err)
		}
		name := answer.ExecutionArn[strings.LastIndexByte(answer.ExecutionArn, ':')+1:]
		if child, err := n.Run(t.Context(), RunID{Machine: "child", Name: name}); err != nil || child.Status != machine.Running {
			t.Errorf("%v %+v", err, child)
		}
	})
}

// TestStoppedParentsStopTheirChildren stops a parent before, while and after its child starts.
func TestStoppedParentsStopTheirChildren(t *testing.T) {
	t.Parallel()
	generations(t, func(t *testing.T, opts Options) {
		n := reopen(t, opts)
		create(t, n, "child", waits)
		create(t, n, "parent", calling(".sync", "child", ""))
		create(t, n, "brief", calling(".sync", "child", `,"TimeoutSeconds":5`))
		for i := range 30 {
			run := start(t, n, StartRun{Machine: "parent"})
			if i%3 == 0 {
				synctest.Wait()
			}
			if _, err := n.StopRun(t.Context(), run.ID, Reason{}); err != nil {
				t.Fatal(err)
			}
		}
		wait(t, n, start(t, n, StartRun{Machine: "brief"}).ID)
		synctest.Wait()
		page, err := n.ListRuns(t.Context(), ListRuns{Machine: "child"})
		if err != nil || len(page.Runs) < 11 {
			t.Fatalf("%d children, %v", len(page.Runs), err)
		}
		for _, r := range page.Runs {
			if r.Status != machine.Aborted {
				t.Errorf("a child whose parent was stopped is %s", r.Status)
			}
		}
	})
}

// TestTokenEndsAWaitForAChild: who has the task's token may end it before the child does.
func TestTokenEndsAWaitForAChild(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := reopen(t, Options{})
		create(t, n, "child", waits)
		create(t, n, "parent", `{"StartAt":"S","States":{"S":{"Type":"Task","Resource":"arn:aws:states:::states:startExecution.sync",
			"Parameters":{"StateMachineArn":"child","Name":"c","Input":{"token.$":"$$.Task.Token"}},"End":true}}}`)
		run := start(t, n, StartRun{Machine: "parent"})
		synctest.Wait()
		child, err := n.Run(t.Context(), RunID{Machine: "child", Name: "c"})
		if err != nil {
			t.Fatal(err)
		}
		var in struct{ Token string }
		if err := json.Unmarshal(child.Input, &in); err != nil {
			t.Fatal(err)
		}
		if err := n.SucceedTask(t.Context(), in.Token, []byte(`"enough"`)); err != nil {
			t.Fatal(err)
		}
		if run := wait(t, n, run.ID); string(run.Output) != `"enough"` {
			t.Errorf("%+v", run)
		}
		if child := wait(t, n, child.ID); child.Status != machine.Succeeded {
			t.Errorf("%+v", child)
		}
	})
}

// TestChildrenSurviveReopen closes the node while children are about to start, and while they run.
func TestChildrenSurviveReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var reopened atomic.Bool
	fns := map[string]func(context.Context, []byte) ([]byte, error){
		"slow": func(ctx context.Context, in []byte) ([]byte, error) {
			if !reopened.Load() {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			return in, nil
		},
	}
	opts := Options{Dir: dir, Partitions: 4, Functions: registry(t, fns)}
	n := reopen(t, opts)
	create(t, n, "child", `{"StartAt":"C","States":{"C":{"Type":"Task","Resource":"slow","End":true}}}`)
	create(t, n, "parent", calling(".sync:2", "child", `,"OutputPath":"$.Output"`))
	var ids []RunID
	for i := range 16 {
		ids = append(ids, start(t, n, StartRun{Machine: "parent", Input: fmt.Append(nil, i)}).ID)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	reopened.Store(true)
	opts.Functions = registry(t, fns)
	n = reopen(t, opts)
	for i, id := range ids {
		if run := wait(t, n, id); string(run.Output) != fmt.Sprint(i) {
			t.Errorf("%s %s %s %s", run.Status, run.Output, run.Error, run.Cause)
		}
	}
	page, err := n.ListRuns(t.Context(), ListRuns{Machine: "child"})
	if err != nil || len(page.Runs) != len(ids) {
		t.Errorf("%d children of %d parents, %v", len(page.Runs), len(ids), err)
	}
}
