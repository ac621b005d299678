package engine

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/machine"
)

func chain(n int) []byte {
	var b strings.Builder
	b.WriteString(`{"StartAt":"S1","States":{`)
	for i := 1; i <= n; i++ {
		if i > 1 {
			b.WriteByte(',')
		}
		next := fmt.Sprintf(`"Next":"S%d"`, i+1)
		if i == n {
			next = `"End":true`
		}
		fmt.Fprintf(&b, `"S%d":{"Type":"Task","Resource":"hello",%s}`, i, next)
	}
	b.WriteString(`}}`)
	return []byte(b.String())
}

func echo(t testing.TB) *function.Registry {
	r := function.NewRegistry()
	if err := r.Register("hello", function.Go(func(_ context.Context, in []byte) ([]byte, error) { return in, nil }), function.Settings{}); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRunSurvivesReopen(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ctx := context.Background()
	n, err := Open(Options{Dir: dir, Functions: echo(t)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := n.CreateMachine(ctx, CreateMachine{Name: "five", Definition: chain(5)}); err != nil {
		t.Fatal(err)
	}
	run, err := n.StartRun(ctx, StartRun{Machine: "five", Name: "a", Input: []byte(`{"x":1}`)})
	if err != nil {
		t.Fatal(err)
	}
	run, err = n.WaitRun(ctx, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if run.Status != machine.Succeeded || string(run.Output) != `{"x":1}` {
		t.Fatalf("run = %+v", run)
	}
	events, err := n.History(ctx, run.ID, HistoryQuery{})
	if err != nil {
		t.Fatal(err)
	}
	if int64(len(events)) != run.Events {
		t.Errorf("%d events, want %d", len(events), run.Events)
	}
	if err := n.Close(); err != nil {
		t.Fatal(err)
	}
	n, err = Open(Options{Dir: dir, Functions: echo(t)})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	again, err := n.Run(ctx, run.ID)
	if err != nil {
		t.Fatal(err)
	}
	if again.Status != machine.Succeeded || string(again.Output) != `{"x":1}` || again.Events != run.Events {
		t.Fatalf("after reopening: %+v", again)
	}
	more, err := n.History(ctx, run.ID, HistoryQuery{})
	if err != nil || len(more) != len(events) {
		t.Fatalf("history after reopening: %d events, %v", len(more), err)
	}
	page, err := n.ListRuns(ctx, ListRuns{Machine: "five"})
	if err != nil || len(page.Runs) != 1 || page.Runs[0].Status != machine.Succeeded {
		t.Fatalf("page = %+v, %v", page, err)
	}
}
