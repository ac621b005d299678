package machine

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine/history"
)

// floors are how many cases of each file must agree in each tier: raise them as the interpreter grows.
var floors = map[string][3]int{
	"pure":   {178, 178, 178},
	"lambda": {63, 63, 63},
}

func TestConformance(t *testing.T) {
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/pure.jsonl")
	}
	for _, file := range []string{"pure", "lambda"} {
		t.Run(file, func(t *testing.T) { conformanceFile(t, dir, file) })
	}
}

func conformanceFile(t *testing.T, dir, file string) {
	cases, err := conformance.Load(dir, file)
	if err != nil {
		t.Fatal(err)
	}
	var n [3]int
	total, left := 0, 0
	for _, c := range cases {
		answers, ok := answerBy(t, c, inOneFrame(t))
		if !ok {
			left++
			continue
		}
		total++
		tiers := c.Compare(answers)
		for i, yes := range [...]bool{tiers.T1, tiers.T2, tiers.T3} {
			if yes {
				n[i]++
			}
		}
		if !tiers.T3 {
			t.Logf("%s: %s", c.ID, tiers.Why)
		}
	}
	fmt.Printf("conformance: %s T1 %d/%d T2 %d/%d T3 %d/%d (left out: %d)\n", file, n[0], total, n[1], total, n[2], total, left)
	for i, floor := range floors[file] {
		if n[i] < floor {
			t.Errorf("%s: %d cases agree in T%d, %d did before", file, n[i], i+1, floor)
		}
	}
}

// runner runs one execution to its end.
type runner func(m *asl.Machine, exec Execution, behave func(c Command, attempt int) reply, input string) (*Command, []history.Event, error)

// inOneFrame is how the engine runs machines.
func inOneFrame(t *testing.T) runner {
	return func(m *asl.Machine, exec Execution, behave func(Command, int) reply, input string) (*Command, []history.Event, error) {
		w := newWorld(t, m, exec, limits.AWS)
		w.invoke = behave
		err := w.run(input)
		return w.finish, w.history, err
	}
}

// answerBy runs a case; false leaves it out because it was not recorded to its end or needs what is not built.
func answerBy(t *testing.T, c *conformance.Case, run runner) ([]conformance.Answer, bool) {
	if !c.Comparable() {
		return nil, false
	}
	behaviours := map[string]string{}
	for _, f := range c.Functions {
		behaviours[f.Name] = f.Behaviour
	}
	var answers []conformance.Answer
	for i, e := range c.Executions {
		m := c.Machine(e.MachineARN)
		if m == nil {
			return nil, false
		}
		definition, problems := asl.Parse([]byte(m.Definition), asl.Options{Express: m.Type == "EXPRESS", Limits: limits.AWS})
		if problems.Unsupported() {
			return nil, false
		}
		if strings.Contains(m.Definition, `"ItemReader"`) || strings.Contains(m.Definition, `"ResultWriter"`) {
			return nil, false // the engine reads and writes objects; its test has them
		}
		if len(problems) > 0 {
			t.Logf("%s: %v", c.ID, problems)
			answers = append(answers, conformance.Answer{Status: "INVALID_DEFINITION"})
			continue
		}
		answers = append(answers, execute(t, definition, m, &e, i, behaviours, run))
	}
	return answers, true
}

func execute(t *testing.T, definition *asl.Machine, m *conformance.Machine, e *conformance.Execution, i int, behaviours map[string]string, run runner) conformance.Answer {
	name := e.Name
	if name == "" {
		name = fmt.Sprintf("5d8f2f0e-0000-4000-8000-%012d", i)
	}
	arn := strings.Replace(m.ARN, ":stateMachine:", ":execution:", 1) + ":" + name
	if m.Type == "EXPRESS" {
		arn = strings.Replace(m.ARN, ":stateMachine:", ":express:", 1) + ":" + name + ":0a1b2c3d"
	}
	exec := Execution{ID: arn, Name: name, RoleARN: m.RoleARN, MachineID: m.ARN, MachineName: m.Name,
		Seed: uint64(i), Express: m.Type == "EXPRESS"}
	behave := func(c Command, attempt int) reply {
		b := conformance.Behave(behaviours[c.Function], c.Input, attempt)
		return reply{output: b.Output, err: b.Error, cause: b.Cause, after: b.After.Milliseconds()}
	}
	input := e.Input
	if input == "" {
		input = "{}"
	}
	finish, events, err := run(definition, exec, behave, compact(t, input))
	if err != nil {
		return conformance.Answer{Status: "RUNNING: " + err.Error()}
	}
	a := conformance.Answer{Status: finish.Status.String(), Output: string(finish.Output)}
	if finish.HasError {
		a.Error = &finish.Error
	}
	if finish.HasCause {
		a.Cause = &finish.Cause
	}
	for _, h := range events {
		a.History = append(a.History, history.AppendJSON(nil, &h, history.JSONOptions{}))
	}
	return a
}

func compact(t testing.TB, text string) string {
	t.Helper()
	var v strings.Builder
	var raw json.RawMessage
	if err := json.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	enc := json.NewEncoder(&v)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(raw); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(v.String())
}
