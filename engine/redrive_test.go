package engine

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
)

const failsOnce = `{"StartAt":"First","States":{
 "First":{"Type":"Task","Resource":"echo","Next":"Fork"},
 "Fork":{"Type":"Parallel","End":true,"Branches":[
  {"StartAt":"Good","States":{"Good":{"Type":"Task","Resource":"count","End":true}}},
  {"StartAt":"Bad","States":{"Bad":{"Type":"Task","Resource":"moody","End":true}}}]}}}`

// TestRedrive redrives a run of which a branch failed, over a reopened directory: the branch that succeeded is not called
// again, and the same request twice redrives once.
func TestRedrive(t *testing.T) {
	t.Parallel()
	var counted atomic.Int32
	var well atomic.Bool
	functions := map[string]func(context.Context, []byte) ([]byte, error){
		"echo":  func(_ context.Context, in []byte) ([]byte, error) { return in, nil },
		"count": func(context.Context, []byte) ([]byte, error) { counted.Add(1); return []byte(`"counted"`), nil },
		"moody": func(context.Context, []byte) ([]byte, error) {
			if well.Load() {
				return []byte(`"well"`), nil
			}
			return nil, errors.New("not today")
		},
	}
	opts := Options{Dir: t.TempDir(), Functions: registry(t, functions)}
	n := reopen(t, opts)
	create(t, n, "m", failsOnce)
	run := wait(t, n, start(t, n, StartRun{Machine: "m", Name: "r"}).ID)
	if run.Status != machine.Failed || run.Redrivable != nil {
		t.Fatalf("run = %+v", run)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Functions = registry(t, functions)
	n = reopen(t, opts)
	if _, err := n.RedriveRun(t.Context(), run.ID, "", machine.Amendment{State: "First", Output: []byte(`1`)}); !fault.Is(err, fault.InvalidArgument) {
		t.Fatalf("a redrive that skips a state in which the run does not stand: %v", err)
	}
	events, err := n.History(t.Context(), run.ID, HistoryQuery{})
	if err != nil {
		t.Fatal(err)
	}
	done := slices.ContainsFunc(events, func(e history.Event) bool { return e.Name == "Good" && e.Type == history.TaskStateExited })
	before := counted.Load()
	well.Store(true)
	for range 2 {
		if _, err := n.RedriveRun(t.Context(), run.ID, "token", machine.Amendment{}); err != nil {
			t.Fatal(err)
		}
	}
	run = wait(t, n, run.ID)
	if run.Status != machine.Succeeded || string(run.Output) != `["counted","well"]` || run.Redrives != 1 || run.Error != "" {
		t.Fatalf("redriven run = %+v", run)
	}
	if done && counted.Load() != before {
		t.Errorf("the branch that had succeeded was called again")
	}
	_, err = n.RedriveRun(t.Context(), run.ID, "other", machine.Amendment{})
	wantKind(t, err, fault.NotRedrivable)
	page, err := n.ListRuns(t.Context(), ListRuns{Machine: "m", Status: machine.Succeeded})
	if err != nil || len(page.Runs) != 1 {
		t.Fatalf("listed: %+v, %v", page, err)
	}
}

// TestPause holds a run in the middle, over a reopened directory: an answer that comes meanwhile counts after the resume.
func TestPause(t *testing.T) {
	t.Parallel()
	definition := `{"StartAt":"Ask","States":{"Ask":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke.waitForTaskToken",
	 "Parameters":{"FunctionName":"ask","Payload":{"t.$":"$$.Task.Token"}},"End":true}}}`
	tokens := make(chan string, 4)
	functions := map[string]func(context.Context, []byte) ([]byte, error){
		"ask": func(_ context.Context, in []byte) ([]byte, error) {
			tokens <- string(in[len(`{"t":"`) : len(in)-len(`"}`)])
			return []byte(`{}`), nil
		},
	}
	opts := Options{Dir: t.TempDir(), Functions: registry(t, functions)}
	n := reopen(t, opts)
	create(t, n, "m", definition)
	id := start(t, n, StartRun{Machine: "m", Name: "r"}).ID
	token := <-tokens
	if run, err := n.PauseRun(t.Context(), id); err != nil || !run.Paused {
		t.Fatalf("paused: %+v, %v", run, err)
	}
	if err := n.HeartbeatTask(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	if err := n.SucceedTask(t.Context(), token, []byte(`{"yes":1}`)); err != nil {
		t.Fatal(err)
	}
	wantKind(t, n.SucceedTask(t.Context(), token, []byte(`2`)), fault.TaskTimedOut)
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	opts.Functions = registry(t, functions)
	n = reopen(t, opts)
	if run, err := n.Run(t.Context(), id); err != nil || run.Status != machine.Running || !run.Paused {
		t.Fatalf("after reopening: %+v, %v", run, err)
	}
	if _, err := n.ResumeRun(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if run := wait(t, n, id); run.Status != machine.Succeeded || string(run.Output) != `{"yes":1}` || run.Paused {
		t.Fatalf("resumed run = %+v", run)
	}
	_, err := n.PauseRun(t.Context(), id)
	wantKind(t, err, fault.Conflict)
}

// TestRerun begins a new run in the middle of a machine.
func TestRerun(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{Dir: t.TempDir()})
	create(t, n, "m", `{"StartAt":"A","States":{"A":{"Type":"Pass","Result":{"a":1},"Next":"B"},"B":{"Type":"Pass","Parameters":{"b.$":"$"},"End":true}}}`)
	id := wait(t, n, start(t, n, StartRun{Machine: "m"}).ID).ID
	for _, c := range []struct{ input, want string }{{"", `{"b":{"a":1}}`}, {`{"x": 2}`, `{"b":{"x":2}}`}} {
		r := Rerun{From: "B"}
		if c.input != "" {
			r.Input = []byte(c.input)
		}
		again, err := n.RerunRun(t.Context(), id, r)
		if err != nil {
			t.Fatal(err)
		}
		if run := wait(t, n, again.ID); string(run.Output) != c.want || run.Events != 4 {
			t.Errorf("rerun with %q gives %s after %d events", c.input, run.Output, run.Events)
		}
	}
	_, err := n.RerunRun(t.Context(), id, Rerun{From: "C", Input: []byte(`1`)})
	wantKind(t, err, fault.InvalidArgument)
}
