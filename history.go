package weft

import (
	"fmt"
	"io"
	"strings"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/function"
)

// History is the events of one execution of a run. Its JSON form is stable: `weft runs history ID --json` and
// json.Marshal write it, ReadHistory reads it.
type History []durable.Event

// ReadHistory reads a history from its JSON form: events one behind the other, or an array of them.
func ReadHistory(r io.Reader) (History, error) {
	events, err := durable.ReadHistory(r)
	return History(events), err
}

// TB is what Replay needs of a *testing.T.
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Replay runs the code of a workflow, which must be among the declarations, against the history of a run, and fails the
// test with a NonDeterminism if the code does not do what the run did: then open runs like that one would fail after a
// deployment of the code. Nothing is called and nothing is written. Histories of open, ended and failed runs will do, also
// of one that failed with a NonDeterminism: it is then held to what it did before.
//
//	func TestOldOrders(t *testing.T) {
//		f, err := os.Open("testdata/order-7.jsonl") // weft runs history order-7 --json > testdata/order-7.jsonl
//		...
//		history, err := weft.ReadHistory(f)
//		...
//		weft.Replay(t, history, order)
//	}
func Replay(t TB, history History, declared ...Declaration) {
	t.Helper()
	if err := replay(history, declared); err != nil {
		t.Fatalf("%v", err)
	}
}

func replay(history History, declared []Declaration) error {
	d := &declarations{functions: function.NewRegistry(), workflows: make(map[string]durable.Code), entities: make(map[string]durable.EntityCode)}
	defer d.functions.Close()
	for _, one := range declared {
		if err := one.declare(d); err != nil {
			return err
		}
	}
	start := history.start()
	if start == nil {
		return fmt.Errorf("weft: the history does not begin with a step that takes RunStarted: it is cut off, or of something else")
	}
	code, ok := d.Workflow(start.Name, start.Version)
	if !ok {
		return fmt.Errorf("weft: the history is of %s, which is not declared; there are: %s",
			versionWords(start.Name, start.Version), strings.Join(d.workflowWords(), ", "))
	}
	run := durable.New(durable.Config{ID: start.Target, Code: code})
	defer run.Close()
	if differs := run.Replay(history.done()); differs != nil {
		return differs
	}
	return nil
}

// start returns the RunStarted of the history; nil if it has none in its first step.
func (h History) start() *durable.Event {
	for i := range h {
		switch {
		case i == 0 && h[i].Kind != durable.StepStarted, i > 0 && h[i].Kind == durable.StepStarted:
			return nil
		case h[i].Kind == durable.RunStarted:
			return &h[i]
		}
	}
	return nil
}

// done returns the history without a last step in which the run failed with a NonDeterminism: no code did that.
func (h History) done() History {
	if n := len(h); n > 0 && h[n-1].Kind == durable.RunFailed && h[n-1].Failure != nil && h[n-1].Failure.Type == durable.NonDeterminismType {
		for n--; n > 0 && h[n].Kind != durable.StepStarted; n-- {
		}
		return h[:n]
	}
	return h
}

func versionWords(name, version string) string {
	if version == "" {
		return fmt.Sprintf("workflow %q", name)
	}
	return fmt.Sprintf("workflow %q in version %q", name, version)
}

// workflowWords lists the workflows declared.
func (d *declarations) workflowWords() (words []string) {
	workflows, _ := d.Names()
	for _, w := range workflows {
		words = append(words, versionWords(w.Name, w.Version))
	}
	if words == nil {
		words = []string{"none"}
	}
	return words
}
