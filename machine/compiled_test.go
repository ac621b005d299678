package machine_test

import (
	"fmt"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/reference"
)

// pureFunction is what a function does with an input, whoever calls it and when.
func pureFunction(seed uint64, input []byte) (after int64, name string, output []byte) {
	input = eventNumber.ReplaceAll(input, nil)
	h := rand.New(rand.NewPCG(seed, uint64(len(input)))).Uint64()
	after = int64(h>>8&0x7ff) + int64(len(input))
	if h%5 == 0 {
		return after, "X", nil
	}
	if h%5 == 1 {
		after += 5000
	}
	return after, "", []byte(`{"a":1}`)
}

var eventNumber = regexp.MustCompile(`event id #\d+`)

// TestCompiledRandomMachines compares random machines in one frame with the same compiled and run without an orchestrator.
func TestCompiledRandomMachines(t *testing.T) {
	t.Parallel()
	compared, branches := 0, 0
	for seed := range uint64(1000) {
		definition := machine.RandomMachine(rand.New(rand.NewPCG(seed, 33)), 60)
		def, problems := asl.Parse([]byte(definition), asl.Options{})
		if len(problems) > 0 || !machine.Deterministic(definition) || strings.Contains(definition, `"MaxConcurrency":2`) {
			continue // which iteration begins when another ends depends on more than the two
		}
		want, events := oneFrame(t, def, seed)
		if events > 800 {
			continue // each frame has a history, and room in it, of its own
		}
		got, forks := compiled(t, definition, seed)
		compared++
		branches += forks
		if got != want {
			t.Errorf("seed %d: in one frame %s\ncompiled %s\n%s", seed, want, got, definition)
		}
	}
	t.Logf("%d machines, %d branches", compared, branches)
	if compared < 100 || branches < 10 {
		t.Errorf("only %d machines with %d branches were compared", compared, branches)
	}
}

const (
	randomInput = `{"a":2,"l":[1,{"a":3},[]]}`
	began       = 1_767_225_600_000
)

func said(at int64, status, name string, output []byte) string {
	return fmt.Sprint(at-began, " ", status, " ", name, " ") + eventNumber.ReplaceAllString(string(output), "event id #")
}

// oneFrame runs a machine as the engine does, and says how it ends and how many events it has had.
func oneFrame(t *testing.T, def *asl.Machine, seed uint64) (end string, events int64) {
	w := machine.NewWorldForTest(t, def, machine.Execution{ID: "arn:aws:states:us-east-1:000000000000:execution:m:r", Name: "r", MachineID: "arn:aws:states:us-east-1:000000000000:stateMachine:m", MachineName: "m"}, limits.Default,
		func(input []byte) (int64, string, []byte) { return pureFunction(seed, input) })
	c, at, events := w(randomInput)
	return said(at, c.Status.String(), c.Error, c.Output), events
}

func compiled(t *testing.T, definition string, seed uint64) (end string, forks int) {
	app, err := compile.Machine([]byte(definition), compile.Options{Name: "m"})
	if err != nil {
		t.Fatal(err)
	}
	if problems := app.Validate(); len(problems) > 0 {
		t.Errorf("%v\n%s", problems, definition)
	}
	p, err := program.NewCompiled(app, program.Identity{})
	if err != nil {
		t.Fatal(err)
	}
	may := map[[2]string]bool{}
	for _, f := range app.Functions {
		for i := range f.Next {
			may[[2]string{f.Name, f.Next[i].To}] = true
			if f.Next[i].Concurrency > 0 {
				for _, g := range app.Functions {
					may[[2]string{g.Name, f.Next[i].To}] = true
				}
			}
		}
	}
	e, err := reference.Run(counting{p, &forks}, reference.Options{Run: "r", Input: []byte(randomInput), Started: began, Timeout: 1000 * p.TimeoutSeconds(),
		Code: func(_ string, input []byte) reference.Reply {
			after, name, output := pureFunction(seed, input)
			r := reference.Reply{After: after, Outcome: protocol.Outcome{Kind: protocol.Returned, Output: output}}
			if name != "" {
				r.Outcome = protocol.Outcome{Kind: protocol.Raised, Error: name}
			}
			return r
		},
		Invoked: func(from, to string) {
			if from != "" && !may[[2]string{from, to}] && !app.Function(to).Start && app.Function(to).Code != "" {
				t.Errorf("%s invokes %s, which its continuations do not say\n%s", from, to, definition)
			}
		}})
	if err != nil {
		t.Fatalf("%v\n%s", err, definition)
	}
	status := "SUCCEEDED"
	switch {
	case e.Status != "":
		status = e.Status
	case e.Failed:
		status = "FAILED"
	}
	return said(e.Now, status, e.Error, e.Output), forks
}

// counting counts the branches that a program begins.
type counting struct {
	protocol.Program
	heads *int
}

func (c counting) Head(lines []protocol.Line, parked []byte, i, now int64) (protocol.Call, error) {
	*c.heads++
	return c.Program.Head(lines, parked, i, now)
}
