package program

import (
	"reflect"
	"strings"
	"testing"

	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/protocol"
)

func compiled(t *testing.T, definition string, functions ...string) *Compiled {
	t.Helper()
	app, err := compile.Machine([]byte(definition), compile.Options{Name: "m", Functions: functions})
	if err != nil {
		t.Fatal(err)
	}
	p, err := NewCompiled(app, Identity{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// begin returns the request of a run's first instance, which starts at 1000.
func begin(t *testing.T, p protocol.Program, input string) *protocol.Request {
	t.Helper()
	c, err := p.Entry("r", []byte(input), 1000)
	if err != nil {
		t.Fatal(err)
	}
	return requested(&c)
}

func requested(c *protocol.Call) *protocol.Request {
	return &protocol.Request{Run: "r", Function: c.Function, State: c.State, Lines: []protocol.Line{{Step: 1}}}
}

func plan(t *testing.T, p protocol.Program, req *protocol.Request, out protocol.Outcome) *protocol.Plan {
	t.Helper()
	a, err := p.Plan(req, nil, &out)
	if err != nil {
		t.Fatal(err)
	}
	if b, _ := p.Plan(req, nil, &out); !reflect.DeepEqual(a, b) {
		t.Errorf("the same outcome gives two plans:\n%+v\n%+v", a, b)
	}
	return a
}

const caughtTask = `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","TimeoutSeconds":5,"Catch":[{"ErrorEquals":["States.ALL"],"Next":"C"}],"Next":"U"},
	"U":{"Type":"Task","Resource":"g","End":true},"C":{"Type":"Pass","End":true}}}`

// TestOutcomes says what each outcome of a task is to the machine.
func TestOutcomes(t *testing.T) {
	t.Parallel()
	p := compiled(t, caughtTask)
	req := begin(t, p, `{"n": 1}`)
	w, err := p.Work(req, nil)
	if err != nil || w.Code != "f" || string(w.Input) != `{"n":1}` || req.Function != "T" {
		t.Fatalf("%s: %+v, %v", req.Function, w, err)
	}
	for what, c := range map[string]struct {
		out  protocol.Outcome
		want string
	}{
		"raised":    {protocol.Outcome{Kind: protocol.Raised, Error: "E", Cause: `{"errorType":"E"}`, Now: 2000}, `{"Error":"E","Cause":"{\"errorType\":\"E\"}"}`},
		"broken":    {protocol.Outcome{Kind: protocol.Broken, Error: "Runtime.ExitError", Cause: "exit status 1", Now: 2000}, `{"Error":"Runtime.ExitError","Cause":"exit status 1"}`},
		"time came": {protocol.Outcome{Kind: protocol.TimeCame, Now: 6000}, `{"Error":"States.Timeout","Cause":""}`},
		"too late":  {protocol.Outcome{Kind: protocol.Returned, Output: []byte(`1`), Now: 6001}, `{"Error":"States.Timeout","Cause":""}`},
		"no JSON":   {protocol.Outcome{Kind: protocol.Returned, Output: []byte(`{`), Now: 2000}, `{"Error":"Runtime.InvalidJSON"`},
		"too large": {protocol.Outcome{Kind: protocol.Returned, Output: []byte(`"` + strings.Repeat("x", 32<<20) + `"`), Now: 2000}, `States.DataLimitExceeded`},
	} {
		pl := plan(t, p, req, c.out)
		if pl.End == nil || !strings.HasPrefix(string(pl.End.Output)+pl.End.Error, c.want) {
			t.Errorf("%s: %+v", what, pl.End)
		}
	}
	pl := plan(t, p, req, protocol.Outcome{Kind: protocol.Returned, Output: []byte(`{ "x" : 2 }`), Now: 2000})
	if c := pl.Continue; c == nil || c.Function != "U" || c.At != 0 || c.Timer {
		t.Fatalf("%+v", pl)
	}
	if w, err := p.Work(requested(pl.Continue), nil); err != nil || string(w.Input) != `{"x":2}` {
		t.Errorf("%+v, %v", w, err)
	}
}

// TestLimitedMap begins the second of two iterations when the first has ended: its time-out counts from then.
func TestLimitedMap(t *testing.T) {
	t.Parallel()
	p := compiled(t, `{"StartAt":"M","States":{"M":{"Type":"Map","MaxConcurrency":1,"ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","TimeoutSeconds":5,"End":true}}},"Next":"W"},
		"W":{"Type":"Wait","Seconds":3,"End":true}}}`)
	w, err := p.Work(begin(t, p, `["a","b"]`), nil)
	if err != nil || w.Plan == nil || w.Plan.Fork == nil || w.Plan.Fork.Width != 2 || w.Plan.Fork.Concurrency != 1 {
		t.Fatalf("%+v, %v", w, err)
	}
	parked := w.Plan.Fork.Parked
	for _, c := range []struct{ i, now, expires int64 }{{0, 0, 6000}, {1, 9000, 14_000}} {
		head, err := p.Head(nil, parked, c.i, c.now)
		if err != nil || head.Function != "T" || head.At != 0 || head.Expires != c.expires {
			t.Errorf("head %d: %+v, %v", c.i, head, err)
		}
	}
	ends := []*protocol.End{{Output: []byte("1"), Now: 9000}, {Output: []byte("2"), Now: 8000}}
	pl, err := p.Join("r", nil, parked, ends, -1)
	if err != nil || pl.Continue == nil || !pl.Continue.Timer || pl.Continue.At != 12_000 || pl.Continue.Function != "Glue" {
		t.Fatalf("%+v, %v", pl, err)
	}
	w, err = p.Work(requested(pl.Continue), nil)
	if err != nil || w.Plan == nil || w.Plan.End == nil || string(w.Plan.End.Output) != "[1,2]" || w.Plan.End.Now != 12_000 {
		t.Errorf("%+v, %v", w.Plan, err)
	}
	failed := &protocol.End{Failed: true, Error: "E", HasError: true, Now: 7000}
	if pl, err = p.Join("r", nil, parked, []*protocol.End{failed}, 1); err != nil || pl.End == nil || !pl.End.Failed || pl.End.Error != "E" || pl.End.HasCause || pl.End.Now != 7000 {
		t.Errorf("%+v, %v", pl, err)
	}
}

func TestFunctionByName(t *testing.T) {
	t.Parallel()
	p := compiled(t, `{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName.$":"$.f","Payload":{}},
		"Catch":[{"ErrorEquals":["Lambda.ResourceNotFoundException"],"Next":"C"}],"End":true},"C":{"Type":"Pass","Result":"none","End":true}}}`, "one", "two")
	for f, want := range map[string]string{"one": "T-one", "two": "T-two", "three": "Glue"} {
		req := begin(t, p, `{"f":"`+f+`"}`)
		if req.Function != want {
			t.Errorf("%s: invokes %s", f, req.Function)
		}
		if w, err := p.Work(req, nil); err != nil || f == "three" && (w.Plan == nil || w.Plan.End == nil || string(w.Plan.End.Output) != `"none"`) {
			t.Errorf("%s: %+v, %v", f, w, err)
		}
	}
}

func TestWhatIsNoState(t *testing.T) {
	t.Parallel()
	p := compiled(t, caughtTask)
	for _, state := range []string{"", "{}", "\x01\x01", "\x01\x09"} {
		if _, err := p.Work(&protocol.Request{Function: "T", State: []byte(state)}, nil); err == nil {
			t.Errorf("%q is a state", state)
		}
	}
	if _, err := p.Entry("r", []byte(`{`), 1); err == nil {
		t.Error("a run begins with an input that is no JSON")
	}
}
