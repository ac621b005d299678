package compile

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/unum/glue"
	"github.com/weftworks/weft/unum/ir"
)

// Options say how to compile.
type Options struct {
	Name string // of the app
	// Functions are the names that a Task may come to whose FunctionName is found out when it is entered. Such a Task
	// becomes a function for each; it is refused when there are none.
	Functions []string
	Express   bool       // the definition is that of an EXPRESS machine
	Limits    limits.Set // the zero Set: limits.Default
}

// Machine compiles a definition. The error is fault.InvalidDefinition for what is no valid machine and fault.Unsupported
// for one that cannot run without an orchestrator; it lists everything that stands in the way.
func Machine(definition []byte, options Options) (*ir.App, error) {
	def, problems := asl.Parse(definition, asl.Options{Integrations: asl.AnyIntegration, Express: options.Express, Limits: options.Limits})
	if len(problems) > 0 {
		return nil, fault.New("unum.compile", fault.InvalidDefinition, options.Name, "%v", problems.Err())
	}
	c := &compiler{def: def, options: options, glue: glue.New(def, options.Limits), places: map[*asl.State]string{}, functions: map[*asl.State][]*ir.Function{}, taken: map[string]bool{}, sets: map[string]string{}, setsTaken: map[string]bool{}}
	for place, st := range glue.Places(def) {
		c.places[st] = place
	}
	if err := c.refuse(); err != nil {
		return nil, err
	}
	return c.app(), nil
}

type compiler struct {
	def       *asl.Machine
	options   Options
	glue      *glue.Machine
	places    map[*asl.State]string
	functions map[*asl.State][]*ir.Function
	taken     map[string]bool   // names of functions
	sets      map[string]string // names of sets, by that of the state that forks
	setsTaken map[string]bool
	rest      *ir.Function // the one without code; nil: there is none yet
}

// refuse reports all that cannot run without an orchestrator.
func (c *compiler) refuse() error {
	var all []string
	for _, st := range c.def.AllStates {
		if what, fix := c.obstacle(st); what != "" {
			all = append(all, fmt.Sprintf("%d:%d: state %q: %s: %s", st.Pos.Line, st.Pos.Column, st.Name, what, fix))
		}
	}
	if len(all) == 0 {
		return nil
	}
	return fault.New("unum.compile", fault.Unsupported, c.options.Name, "the machine cannot run without an orchestrator:\n%s", strings.Join(all, "\n"))
}

const onEngine = "run this machine on the engine"

// obstacle says why a state needs an orchestrator, and what to do about it.
func (c *compiler) obstacle(st *asl.State) (what, fix string) {
	switch {
	case st.Map != nil && st.Map.Distributed != nil:
		return distributedObstacle(st.Map.Distributed)
	case st.Task == nil:
		return "", ""
	}
	t := &st.Task.Target
	switch {
	case t.Kind == asl.TargetActivity:
		return "nobody keeps the queue of an activity", "call a function instead, or " + onEngine
	case t.WaitForToken:
		return "nobody waits for a task token", "call a function that answers, or " + onEngine
	case t.Job:
		return "nobody waits for a job", "start the job and poll for its end with a Wait and a function, or " + onEngine
	case t.Kind == asl.TargetIntegration:
		return "the integration " + t.Integration + " is the engine's", "call it in a function, or " + onEngine
	case glue.Function(st) == "" && len(c.options.Functions) == 0:
		return "which function it calls is found out only when it runs", "write its FunctionName out, or say which functions it may call"
	}
	return "", ""
}

func distributedObstacle(d *asl.DistributedPart) (what, fix string) {
	switch {
	case d.Reader != nil:
		return "nobody reads the items of an ItemReader", "let a function read them and give them to the Map, or " + onEngine
	case d.Batcher != nil:
		return "nobody fills the batches of an ItemBatcher", "let a function before the Map make them, or " + onEngine
	case d.Writer != nil:
		return "nobody writes the objects of a ResultWriter", "let a function after the Map write them, or " + onEngine
	}
	return "", ""
}

// app makes the app. Functions are in the order of the text; the one without code comes first.
func (c *compiler) app() *ir.App {
	app := &ir.App{Version: ir.Version, Name: c.options.Name, TimeoutSeconds: c.def.TimeoutSeconds, Machine: c.def.Text}
	for _, st := range c.def.AllStates {
		if st.Type != asl.Task {
			continue
		}
		codes := c.options.Functions
		if name := glue.Function(st); name != "" {
			codes = []string{name}
		}
		for _, code := range codes {
			name := st.Name
			if len(codes) > 1 {
				name += "-" + code
			}
			f := &ir.Function{Name: c.unique(name), Code: code, Glue: &ir.Glue{State: c.places[st]}}
			c.functions[st] = append(c.functions[st], f)
			app.Functions = append(app.Functions, f)
		}
	}
	c.start()
	for _, st := range c.def.AllStates {
		for _, f := range c.functions[st] {
			c.follow(f, func(w *walk) { w.answered(st) })
		}
	}
	if c.rest != nil {
		app.Functions = slices.Insert(app.Functions, 0, c.rest)
		c.follow(c.rest, c.fromRest)
	}
	return app
}

// start marks the function with which the run begins.
func (c *compiler) start() {
	w := c.walk(func(w *walk) { w.enter(c.def.Graph.Start) })
	if len(w.edges) == 1 && w.edges[0].kind == ir.Invoke && w.edges[0].guard == w.edges[0].to.Name && w.edges[0].to.Code != "" && !w.ends && !w.rests {
		w.edges[0].to.Start = true
		return
	}
	c.needRest().Start = true
}

// needRest returns the function without code.
func (c *compiler) needRest() *ir.Function {
	if c.rest == nil {
		c.rest = &ir.Function{Name: c.unique("Glue"), Glue: &ir.Glue{}}
	}
	return c.rest
}

// setName makes a set's name of that of the state that forks: the same for the same.
func (c *compiler) setName(state string) string {
	if c.sets[state] == "" {
		c.sets[state] = unique(state, c.setsTaken)
	}
	return c.sets[state]
}

// unique makes a function's name of a text.
func (c *compiler) unique(text string) string { return unique(text, c.taken) }

// unique makes a name of a text that is not taken, in small letters.
func unique(text string, taken map[string]bool) string {
	letter := func(r rune) bool { return r|0x20 >= 'a' && r|0x20 <= 'z' }
	name := strings.Map(func(r rune) rune {
		if letter(r) || r >= '0' && r <= '9' || r == '_' || r == '-' {
			return r
		}
		return '-'
	}, text)
	if name == "" || !letter(rune(name[0])) {
		name = "F" + name
	}
	const nameChars, room = 60, 4 // what package ir takes; for a number behind it
	name = name[:min(len(name), nameChars-room)]
	for n, plain := 2, name; taken[strings.ToLower(name)]; n++ {
		name = fmt.Sprintf("%s-%d", plain, n)
	}
	taken[strings.ToLower(name)] = true
	return name
}
