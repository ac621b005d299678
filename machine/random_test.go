package machine

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// generator writes random machines that are valid.
type generator struct {
	r *rand.Rand
	n int // states so far

	maps int // how many Maps the states being written are in
}

// graph returns "StartAt":…,"States":{…} of a line of states, with Choices that may jump back.
func (g *generator) graph(depth int) string {
	count := 1 + g.r.IntN(4)
	names := make([]string, count)
	for i := range names {
		g.n++
		names[i] = fmt.Sprintf("S%d", g.n)
	}
	var states []string
	for i, name := range names {
		next := `"End":true`
		if i+1 < count {
			next = fmt.Sprintf(`"Next":%q`, names[i+1])
		}
		states = append(states, fmt.Sprintf(`%q:%s`, name, g.state(names, i, next, depth)))
	}
	return fmt.Sprintf(`"StartAt":%q,"States":{%s}`, names[0], strings.Join(states, ","))
}

func (g *generator) one(of ...string) string { return of[g.r.IntN(len(of))] }

// assign is an Assign, or none. Each depth has names of its own, as a scope may not assign what one around it does.
func (g *generator) assign(depth int) string {
	return g.one(``, ``, fmt.Sprintf(`,"Assign":{"v%d":[1,"x"],"w%d.$":"$$.State"}`, depth, depth))
}

func (g *generator) state(names []string, i int, next string, depth int) string {
	flow := g.assign(depth) + g.one(``, `,"InputPath":"$"`, `,"InputPath":"$$.Execution"`, `,"OutputPath":"$.a"`, `,"InputPath":null`)
	result := g.one(``, `,"ResultPath":"$.r"`, `,"ResultPath":"$.a.b[0]"`, `,"ResultPath":null`)
	variable := fmt.Sprintf("$v%d", g.r.IntN(3))
	errors := g.one(``, `,"Retry":[{"ErrorEquals":["X"],"MaxAttempts":1},{"ErrorEquals":["States.ALL"],"MaxAttempts":2,"JitterStrategy":"FULL"}]`) +
		g.one(``, fmt.Sprintf(`,"Catch":[{"ErrorEquals":["States.ALL"],"ResultPath":"$.e","Next":%q}]`, names[len(names)-1]))
	if g.r.IntN(3) == 0 {
		return g.queried(names, i, next, depth)
	}
	kind := g.r.IntN(8)
	if depth == 0 && kind >= 6 {
		kind = 0
	}
	switch kind {
	case 0, 1:
		return fmt.Sprintf(`{"Type":"Task","Resource":"f"%s%s%s%s,%s}`, flow, result, errors,
			g.one(``, `,"TimeoutSeconds":3`, `,"TimeoutSeconds":9,"HeartbeatSeconds":2`), next)
	case 2:
		if g.maps > 0 && g.r.IntN(2) == 0 {
			return fmt.Sprintf(`{"Type":"Pass","Parameters":{"a.$":"$$.Map.Item"},%s}`, next)
		}
		return fmt.Sprintf(`{"Type":"Pass"%s%s%s,%s}`, flow, result, g.one(``, `,"Result":[1,{"a":2}]`, `,"Parameters":{"a.$":"$","n.$":"$$.State.Name"}`), next)
	case 3:
		return fmt.Sprintf(`{"Type":"Wait"%s,%s,%s}`, flow, g.one(`"Seconds":2`, `"SecondsPath":"$.a"`, `"Timestamp":"2026-01-01T00:00:05Z"`), next)
	case 4:
		return fmt.Sprintf(`{"Type":"Choice","Choices":[{"Variable":%q,"IsPresent":true%s,"Next":%q}],"Default":%q}`,
			g.one("$.a", variable), g.assign(depth), names[g.r.IntN(len(names))], names[len(names)-1])
	case 5:
		if i == len(names)-1 {
			return g.one(`{"Type":"Succeed"}`, `{"Type":"Fail","Error":"X","Cause":"c"}`)
		}
		return fmt.Sprintf(`{"Type":"Pass",%s}`, next)
	case 6:
		return fmt.Sprintf(`{"Type":"Parallel"%s%s%s,"Branches":[{%s},{%s}],%s}`, flow, result, errors, g.graph(depth-1), g.graph(depth-1), next)
	}
	g.maps++
	processor := g.graph(depth - 1)
	g.maps--
	return fmt.Sprintf(`{"Type":"Map","ItemsPath":"$$.Execution.Input.l"%s%s%s%s%s,"ItemProcessor":{%s},%s}`, flow, result, errors,
		g.one(``, `,"MaxConcurrency":1`, `,"MaxConcurrency":2`), g.one(``, `,"ItemSelector":{"v.$":"$$.Map.Item"}`), processor, next)
}

// queried is a state in JSONata.
func (g *generator) queried(names []string, i int, next string, depth int) string {
	x := func() string {
		return g.one(`"{% $states.input.a %}"`, `"{% $states.input %}"`, `{"k":["{% $states.context.State.Name %}",1]}`, `"{% $count($keys($states.input)) %}"`, `[]`,
			fmt.Sprintf(`"{%% $exists($v%d) ? $v%d : 0 %%}"`, g.r.IntN(3), g.r.IntN(3)), `"{% $random() < 0.9 ? 1 %}"`)
	}
	assign := g.one(``, fmt.Sprintf(`,"Assign":{"v%d":%s,"w%d":"{%% $uuid() %%}"}`, depth, x(), depth))
	flow := `"QueryLanguage":"JSONata"` + assign + g.one(``, `,"Output":`+x())
	errors := g.one(``, `,"Retry":[{"ErrorEquals":["States.QueryEvaluationError"],"MaxAttempts":1}]`) +
		g.one(``, fmt.Sprintf(`,"Catch":[{"ErrorEquals":["States.ALL"],"Output":"{%% $states.errorOutput %%}","Next":%q}]`, names[len(names)-1]))
	kind := g.r.IntN(6)
	if depth == 0 && kind >= 4 {
		kind = 0
	}
	switch kind {
	case 0:
		return fmt.Sprintf(`{"Type":"Task","Resource":"f",%s,"Arguments":%s%s,%s}`, flow, x(), errors, next)
	case 1:
		return fmt.Sprintf(`{"Type":"Pass",%s,%s}`, flow, next)
	case 2:
		return fmt.Sprintf(`{"Type":"Wait",%s,"Seconds":%s,%s}`, flow, g.one(`"{% $states.input.a %}"`, `"{% 2 %}"`), next)
	case 3:
		return fmt.Sprintf(`{"Type":"Choice",%s,"Choices":[{"Condition":"{%% $exists($states.input.a) %%}","Output":%s,"Next":%q}],"Default":%q}`,
			flow, x(), names[g.r.IntN(len(names))], names[len(names)-1])
	case 4:
		return fmt.Sprintf(`{"Type":"Parallel",%s%s,"Branches":[{%s},{%s}],%s}`, flow, errors, g.graph(depth-1), g.graph(depth-1), next)
	}
	g.maps++
	processor := g.graph(depth - 1)
	g.maps--
	return fmt.Sprintf(`{"Type":"Map",%s%s,"Items":%s%s,"ItemProcessor":{%s},%s}`, flow, errors,
		g.one(`[1,"{% $states.input %}",{}]`, `{"x":1,"y":"{% $states.input %}"}`, `"{% $states.context.Execution.Input.l %}"`),
		g.one(``, `,"ItemSelector":"{% $states.context.Map.Item %}"`), processor, next)
}

// TestRandomMachines runs machines of any shape, their functions failing now and then, to their end. At every
// step the world checks that a decoded copy of the frame answers the same.
func TestRandomMachines(t *testing.T) {
	t.Parallel()
	ends := map[Status]int{}
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 9))
		g := &generator{r: r}
		definition := "{" + g.graph(2) + fmt.Sprintf(`,"TimeoutSeconds":%d}`, 20+r.IntN(60))
		// A random Choice may skip states, which the validator calls unreachable: those machines are not run.
		w := wandererIfValid(t, definition, seed)
		if w == nil {
			continue
		}
		w.invoke = func(c Command, _ int) reply {
			switch r.IntN(6) {
			case 0:
				return reply{after: r.Int64N(3000), err: "X", cause: "now and then"}
			case 1:
				return reply{never: c.TimeoutMS > 0, after: 9000, output: c.Input}
			}
			return reply{after: r.Int64N(2000), output: []byte(`{"a":1}`)}
		}
		if err := w.run(`{"a":2,"l":[1,{"a":3},[]]}`); err != nil {
			t.Fatalf("%v\n%s", err, definition)
		}
		ends[w.f.Status()]++
	}
	if ends[Succeeded] < 20 || ends[Failed] < 20 {
		t.Errorf("the machines end too much alike: %v", ends)
	}
}
