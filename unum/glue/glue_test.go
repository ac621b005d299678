package glue

import (
	"reflect"
	"testing"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

func newMachine(t *testing.T, definition string) *Machine {
	t.Helper()
	def, problems := asl.Parse([]byte(definition), asl.Options{})
	if len(problems) > 0 {
		t.Fatal(problems.Err())
	}
	return New(def, limits.Default)
}

// start starts a run at time 1000.
func start(t *testing.T, m *Machine, input string) *Exit {
	t.Helper()
	return must(t)(m.Start(machine.Execution{Name: "r"}, []byte(input), 1000))
}

func must(t *testing.T) func(*Exit, error) *Exit {
	return func(x *Exit, err error) *Exit {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
}

func TestWaitsAreAhead(t *testing.T) {
	t.Parallel()
	m := newMachine(t, `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"Next":"T"},
		"T":{"Type":"Task","Resource":"f","TimeoutSeconds":30,"HeartbeatSeconds":10,"Retry":[{"ErrorEquals":["E"],"IntervalSeconds":5}],"Next":"V"},"V":{"Type":"Wait","Seconds":7,"End":true}}}`)
	x := start(t, m, `{"a":1}`)
	if x.Kind != Invoke || x.Function != "f" || x.At != 61_000 || x.Expires != 71_000 || string(x.Input) != `{"a":1}` || x.State.Name != "T" {
		t.Fatalf("%+v", x)
	}
	again := must(t)(m.Resume(x.Frame, machine.Event{Kind: machine.TaskFailed, ID: x.ID, Now: 62_000, Error: "E"}))
	if again.Kind != Invoke || again.At != 67_000 || again.Expires != 77_000 || again.ID == x.ID {
		t.Fatalf("the retry: %+v", again)
	}
	end := must(t)(m.Resume(again.Frame, machine.Event{Kind: machine.TaskSucceeded, ID: again.ID, Now: 68_000, Output: []byte(`2`)}))
	if end.Kind != End || end.Asked != 68_000 || end.At != 75_000 || string(end.Output) != "2" || end.Failed {
		t.Fatalf("the end: %+v", end)
	}
	late := must(t)(m.Resume(x.Frame, machine.Event{Kind: machine.TimerFired, ID: x.Timer, Now: x.Expires}))
	if late.Kind != End || !late.Failed || late.Error != "States.Timeout" || late.Alias != "States.HeartbeatTimeout" || late.At != 71_000 {
		t.Fatalf("the time-out: %+v", late)
	}
	if _, err := m.Resume(x.Frame, machine.Event{Kind: machine.TaskSucceeded, ID: x.ID + 100, Output: []byte("1")}); err == nil {
		t.Error("an event that nobody waits for is no error")
	}
}

func TestInPlace(t *testing.T) {
	t.Parallel()
	each := func(more string) string {
		return `{"StartAt":"M","States":{"M":{"Type":"Map"` + more + `,"ItemProcessor":{"StartAt":"W","States":{"W":{"Type":"Wait","SecondsPath":"$","Next":"C"},
			"C":{"Type":"Choice","Choices":[{"Variable":"$","NumericEquals":3,"Next":"F"}],"Default":"S"},"S":{"Type":"Succeed"},"F":{"Type":"Fail","Error":"Three"}}},"End":true}}}`
	}
	for _, c := range []struct {
		more, input string
		at          int64
		said        string
	}{
		{``, `[5,1,2]`, 6000, `[5,1,2]`},
		{`,"MaxConcurrency":1`, `[5,1,2]`, 9000, `[5,1,2]`},
		{`,"MaxConcurrency":2`, `[5,1,2]`, 6000, `[5,1,2]`},
		{``, `[5,3,2]`, 4000, `Three`},
		{`,"MaxConcurrency":1`, `[1,3]`, 5000, `Three`},
		{`,"ToleratedFailureCount":1`, `[5,3,2]`, 6000, `[5,2]`},
		{``, `[]`, 1000, `[]`},
	} {
		x := start(t, newMachine(t, each(c.more)), c.input)
		if x.Kind != End || x.At != c.at || string(x.Output)+x.Error != c.said {
			t.Errorf("%s %s: %+v", c.more, c.input, x)
		}
	}
}

// TestPause runs a machine that waits 1,000 times, in executions that are bounded.
func TestPause(t *testing.T) {
	t.Parallel()
	m := newMachine(t, `{"QueryLanguage":"JSONata","StartAt":"W","States":{"W":{"Type":"Wait","Seconds":1,"Output":"{% $states.input + 1 %}","Next":"C"},
		"C":{"Type":"Choice","Choices":[{"Condition":"{% $states.input < 1000 %}","Next":"W"}],"Default":"S"},"S":{"Type":"Succeed"}}}`)
	x, pauses := start(t, m, "0"), 0
	for ; x.Kind == Pause; pauses++ {
		at := x.At
		if x = must(t)(m.Decode(x.AppendBinary(nil))); x.At != at {
			t.Fatalf("decoded: %+v", x)
		}
		x = must(t)(m.Wake(x))
	}
	if x.Kind != End || string(x.Output) != "1000" || x.At != 1_001_000 || pauses < 9 || pauses > 11 {
		t.Errorf("after %d pauses: %+v", pauses, x)
	}
}

func TestExitsAreKept(t *testing.T) {
	t.Parallel()
	m := newMachine(t, `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","Parameters":{"x.$":"$.l"},"TimeoutSeconds":3,"Next":"M"},
		"M":{"Type":"Map","ToleratedFailureCount":1,"ItemProcessor":{"StartAt":"U","States":{"U":{"Type":"Task","Resource":"g","End":true}}},"End":true}}}`)
	task := start(t, m, `{"l":[1]}`)
	fork := must(t)(m.Resume(task.Frame, machine.Event{Kind: machine.TaskSucceeded, ID: task.ID, Now: 2000, Output: []byte(`["a","b"]`)}))
	if fork.Kind != Fork || fork.Width != 2 {
		t.Fatalf("%+v", fork)
	}
	kept := must(t)(m.Decode(fork.AppendBinary(nil)))
	branch := must(t)(m.Branch(kept, 1, 3000))
	if branch.Kind != Invoke || branch.Function != "g" || string(branch.Input) != `"b"` || branch.At != 3000 {
		t.Fatalf("%+v", branch)
	}
	failed := must(t)(m.Resume(branch.Frame, machine.Event{Kind: machine.TaskFailed, ID: branch.ID, Now: 4000, Error: "E", Cause: "c"}))
	if failed.Kind != End || !failed.Failed || !failed.Tolerated {
		t.Fatalf("%+v", failed)
	}
	for _, x := range []*Exit{task, fork, branch, failed} {
		text := x.AppendBinary(nil)
		y := must(t)(m.Decode(text))
		again := *y
		again.frame, again.Function, again.same, again.Entered = nil, x.Function, x.same, x.Entered
		if !reflect.DeepEqual(&again, x) {
			t.Errorf("decoded %+v, was %+v", again, *x)
		}
		for n := range text {
			if _, err := m.Decode(text[:n]); err == nil {
				t.Errorf("%d of %d bytes of an exit of kind %d decode", n, len(text), x.Kind)
			}
		}
	}
	end := must(t)(m.Resume(fork.Frame, machine.Event{Kind: machine.ForkSucceeded, ID: fork.ID, Now: 5000, Outputs: [][]byte{[]byte("1"), nil}}))
	if end.Kind != End || string(end.Output) != "[1]" {
		t.Errorf("%+v", end)
	}
}

func TestPlaces(t *testing.T) {
	t.Parallel()
	m := `{"StartAt":"a/b","States":{"a/b":{"Type":"Parallel","Branches":[{"StartAt":"M","States":{"M":{"Type":"Map","Iterator":{"StartAt":"x~","States":{"x~":{"Type":"Pass","End":true}}},"End":true}}}],"End":true}}}`
	def, problems := asl.Parse([]byte(m), asl.Options{})
	if len(problems) > 0 {
		t.Fatal(problems.Err())
	}
	places := Places(def)
	for _, p := range []string{"/States/a~1b", "/States/a~1b/Branches/0/States/M", "/States/a~1b/Branches/0/States/M/Iterator/States/x~0"} {
		if places[p] == nil {
			t.Errorf("there is no %s in %v", p, places)
		}
	}
}
