package machine

import (
	"bytes"
	"errors"
	"slices"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine/history"
)

// ForkMode is for runs without an orchestrator, in which nobody holds the whole tree of branches. A Parallel or a Map does
// not run its branches inside the frame but wants a Fork and waits for ForkSucceeded or ForkFailed. Whoever carries out
// the Fork gets the frame of each branch from NewBranch, gives it Start, and runs it as a run of its own: its Finish is
// how the branch has ended. A branch whose Finish is Failed and not Tolerated ends the fork.
//
// Branches in which nothing can wait (no Task, Wait or Retry) still run inside the frame. A distributed Map without reader,
// batcher and writer forks as an inline one does; its branches are what its child runs would be. The time-out of the
// machine is the caller's (TimeoutSeconds).

// forkPlan is what an interpreter in ForkMode knows of its definition.
type forkPlan struct {
	waits    []bool                  // by state index: the state, or one below it, can wait
	reads    map[*asl.Graph][]string // the variables that the states of a graph read
	contexts bool                    // some expression may look at $$.Execution.Input
}

// out reports whether st's branches run elsewhere.
func (p *forkPlan) out(st *asl.State) bool { return p.waits != nil && p.waits[st.Index] }

func (in *Interpreter) planForks() {
	def := in.Definition
	in.forks = forkPlan{waits: make([]bool, len(def.AllStates)), reads: map[*asl.Graph][]string{}, contexts: mayReadInput(def.Text)}
	in.forks.graph(&def.Graph)
}

// graph looks at the states of g and reports whether one of them can wait.
func (p *forkPlan) graph(g *asl.Graph) (waits bool) {
	var reads []string
	for _, st := range g.States {
		w := st.Type == asl.Task || st.Type == asl.Wait || len(st.Retry) > 0 || distributed(st)
		reads = append(reads, st.References...)
		for _, below := range branchesOf(st) {
			w = p.graph(below) || w
			reads = append(reads, p.reads[below]...)
		}
		p.waits[st.Index] = w
		waits = waits || w
	}
	slices.Sort(reads)
	p.reads[g] = slices.Compact(reads)
	return waits
}

// branchesOf returns the graphs of a Parallel's branches, or of a Map's iterations.
func branchesOf(st *asl.State) []*asl.Graph {
	switch {
	case st.Parallel != nil:
		return st.Parallel.Branches
	case st.Map != nil:
		return []*asl.Graph{st.Map.Processor}
	}
	return nil
}

// mayReadInput reports whether a definition may look at the run's input after the run has begun: frames without it are
// smaller. It looks at the text only, so it errs on the safe side. What a path into the context object misses is told with
// the whole object, in which the input is then null.
func mayReadInput(text []byte) bool {
	return bytes.Contains(text, []byte(`\u`)) || beside(text, "$$", besideInput) || beside(text, "$states", ofStates)
}

var (
	// besideInput are the parts of the context object in which the input is not.
	besideInput = []string{".Map", ".State", ".Task", ".Execution.Id", ".Execution.Name", ".Execution.RoleArn", ".Execution.StartTime", ".Execution.Redrive"}
	ofStates    = append([]string{".input", ".result", ".errorOutput"}, prefixed(".context", besideInput)...)
)

func prefixed(prefix string, all []string) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = prefix + s
	}
	return out
}

// beside reports whether word stands somewhere with none of next behind it.
func beside(text []byte, word string, next []string) bool {
	for {
		i := bytes.Index(text, []byte(word))
		if i < 0 {
			return false
		}
		text = text[i+len(word):]
		if !slices.ContainsFunc(next, func(n string) bool { return bytes.HasPrefix(text, []byte(n)) }) {
			return true
		}
	}
}

// forgetInput drops the run's input from the frame when no expression looks at it.
func (s *step) forgetInput() {
	if s.in.ForkMode && !s.in.forks.contexts {
		s.f.input = nil
	}
}

// TimeoutSeconds is how long a run of exec may take; 0: any time. In ForkMode the interpreter does not watch it.
func (in *Interpreter) TimeoutSeconds(exec *Execution) int64 {
	in.prepare()
	s := step{in: in, f: &Frame{exec: *exec}}
	return s.timeout()
}

// line says which branch of what a frame runs.
type line struct {
	owner   *asl.State // the Parallel or Map
	number  int        // of the branch of a Parallel; 0 for a Map
	verdict verdict
	bad     *failure // the Map's own: it could not make the input. Only until Start
}

// verdict is what a Map makes of the failure of one iteration. Values are append-only: they are stored.
type verdict uint8

const (
	spreads   verdict = iota // it fails the Map with the error
	tolerated                // the Map goes on
	exceeds                  // it fails the Map with States.ExceedToleratedFailureThreshold
)

// graph is what the branch runs.
func (l *line) graph() *asl.Graph { return branchesOf(l.owner)[l.number] }

// judge makes of a branch's failure what it is to the fork. An error that nothing may catch is not tolerated, but in a
// distributed Map, whose iterations are runs.
func (l *line) judge(c *Command) {
	if l == nil || l.bad != nil || c.Error == errRuntime && !distributed(l.owner) {
		return
	}
	switch l.verdict {
	case tolerated:
		c.Tolerated = true
	case exceeds:
		c.Error, c.HasError, c.Cause, c.HasCause, c.Alias = errThreshold, true, thresholdExceeded, true, ""
	}
}

// forkOut asks for the branches of fk.
func (s *step) forkOut(b *branch, fk *fork) {
	b.fork, b.phase = fk, forking
	b.invocation = s.f.newID(b)
	c := Command{Kind: Fork, ID: b.invocation, Width: fk.length}
	if fk.max < fk.length {
		c.Concurrency = fk.max
	}
	s.command(c)
}

// forkMap is forkOut for an inline Map. The inputs of the iterations that begin at once are evaluated here as well: what is
// wrong with one of them fails the Map before any has begun.
func (s *step) forkMap(b *branch, fk *fork) *branch {
	b.invocation = s.f.lastID + 1 // as forkOut will have it
	at := 1
	for i := 0; i < min(fk.max, fk.length) && b.state.Parameters != nil; i++ {
		var item []byte
		item, at = nextElement(fk.items, at)
		if _, e := s.iterationInput(b, fk, i, item); e != nil {
			b.invocation = 0
			return s.ownFailure(fk, e)
		}
	}
	s.forkOut(b, fk)
	return nil
}

// iterationInput is the input of iteration i of a Map, made of its item with the iteration's own random numbers.
func (s *step) iterationInput(b *branch, fk *fork, i int, item []byte) ([]byte, *failure) {
	var key []byte
	if fk.items[0] == '{' {
		key, item = splitMember(item)
	}
	if b.state.Parameters == nil {
		if len(item) > s.in.bounds.PayloadBytes {
			return nil, tooLarge(b.state.Name)
		}
		return item, nil
	}
	f := s.f
	defer func(random uint64) { f.random = random }(f.random)
	f.random = branchSeed(f, b.invocation, i)
	f.context.forget()
	candidate := &branch{parent: fk, index: i, item: item, key: key}
	v, e := flowOf(b.state).selectItem(s.scope(b), fk, candidate)
	f.context.forget()
	if e != nil {
		return nil, e
	}
	input := v.json(s.in.bounds.PayloadBytes)
	if len(input) > s.in.bounds.PayloadBytes {
		return nil, tooLarge(b.state.Name)
	}
	return input, nil
}

// forkMapRun is forkOut for a distributed Map.
func (s *step) forkMapRun(b *branch, run *MapRun) *branch {
	if run.Reader != nil || run.Batch != nil || run.Writer != nil {
		return s.failed(b, runtimeError(b, "A distributed Map with a reader, a batcher or a writer needs an orchestrator."))
	}
	fk := &fork{owner: b, length: countElements(run.Items), run: run}
	fk.max = min(fk.length, limits.MapChildren)
	if run.MaxConcurrency > 0 {
		fk.max = int(min(run.MaxConcurrency, int64(fk.max)))
	}
	b.fork, fk.started = fk, b.prev
	if fk.length == 0 {
		return s.branchesEnded(b, fk)
	}
	s.forkOut(b, fk)
	return nil
}

// forkEnded goes on with b when its branches have ended.
func (s *step) forkEnded(b *branch, ev *Event) *branch {
	fk := b.fork
	s.f.release(&b.invocation, b)
	b.phase = redo
	if ev.Kind == ForkFailed {
		return s.failed(b, &failure{name: ev.Error, hasName: ev.HasError, cause: ev.Cause, hasCause: ev.HasCause, alias: ev.Alias})
	}
	fk.results = ev.Outputs
	return s.branchesEnded(b, fk)
}

// branchesEnded joins the branches of fk, none of which has ended it.
func (s *step) branchesEnded(b *branch, fk *fork) *branch {
	fk.done = fk.length
	for _, r := range fk.results {
		if r == nil {
			fk.failed++
		}
	}
	exceeded := fk.tolerance.set && !fk.tolerated()
	if fk.run != nil {
		exceeded = fk.run.Tolerance.Exceeded(int64(fk.failed), int64(fk.length))
	}
	if exceeded {
		return s.failed(b, &failure{name: errThreshold, hasName: true, cause: thresholdExceeded, hasCause: true})
	}
	return s.joined(fk, b.prev)
}

var errBranch = errors.New("machine: the frame waits for no fork with such a branch")

// NewBranch returns the frame of branch i, from 0, of the fork that parent has asked for with id. Start is its first event
// (the Output is not used), with the time at which the branch begins. It can be stored once it has been started. What the
// parent does is not changed.
func (in *Interpreter) NewBranch(parent *Frame, id uint64, i int) (*Frame, error) {
	b := parent.holder(id)
	if b == nil || b.phase != forking || b.invocation != id || i < 0 || i >= b.fork.length {
		return nil, errBranch
	}
	f := in.NewFrame(parent.exec)
	f.now, f.lastEvent, f.input = parent.now, parent.lastEvent, parent.input
	f.exec.Seed = branchSeed(parent, id, i)
	f.random = f.exec.Seed
	f.line = &line{owner: b.state}
	c := &f.root
	c.prev = b.fork.started
	switch {
	case b.fork.run != nil:
		return f, in.childRun(f, b.fork, i)
	case b.state.Type == asl.Map:
		in.iteration(f, parent, b, i)
	default:
		f.line.number, c.input = i, b.fork.data
		if around := b.iterated(); around != nil {
			c.item, c.key, c.index = around.item, around.key, around.index
		}
	}
	reads := in.forks.reads[f.line.graph()]
	for _, v := range b.visible() {
		if slices.Contains(reads, v.name) {
			c.outer = append(c.outer, v)
			f.variables += len(v.value.text)
		}
	}
	return f, nil
}

// element is element i of a Map's items. Branches are mostly begun in order, so it goes on behind the one before.
func (fk *fork) element(items []byte, i int) (element []byte) {
	if fk.at == 0 || fk.next > i {
		fk.at, fk.next = 1, 0
	}
	for fk.next <= i {
		element, fk.at = nextElement(items, fk.at)
		fk.next++
	}
	return element
}

// iteration makes f that of iteration i of the inline Map of b.
func (in *Interpreter) iteration(f, parent *Frame, b *branch, i int) {
	fk, c := b.fork, &f.root
	item := fk.element(fk.items, i)
	s := step{in: in, f: parent, out: new(Output)}
	c.input, f.line.bad = s.iterationInput(b, fk, i, item)
	if fk.items[0] == '{' {
		c.key, item = splitMember(item)
	}
	c.item, c.index = item, i
	if fk.tolerance.set {
		f.line.verdict = exceeds
		if one := (fork{tolerance: fk.tolerance, length: fk.length, failed: 1}); one.tolerated() {
			f.line.verdict = tolerated
		}
	}
}

// childRun makes f that of the child run of item i of a distributed Map.
func (in *Interpreter) childRun(f *Frame, fk *fork, i int) error {
	sel, err := in.NewSelector(fk.run)
	if err != nil {
		return err
	}
	var key []byte
	item := fk.element(fk.run.Items, i)
	if fk.run.Items[0] == '{' {
		key, item = splitMember(item)
	}
	input, name, cause := sel.Select(int64(i), key, item, fk.run.Source())
	if name != "" {
		f.line.bad = &failure{name: name, hasName: true, cause: cause, hasCause: true}
	}
	f.line.verdict = exceeds
	if !fk.run.Tolerance.Exceeded(1, int64(fk.length)) {
		f.line.verdict = tolerated
	}
	exec := &f.exec
	exec.Name = uuid(exec.Seed)
	exec.ID = childARN(exec, fk.run.Label)
	exec.MachineID, exec.MachineName = exec.MachineID+"/"+fk.run.Label, exec.MachineName+"/"+fk.run.Label
	exec.Express, exec.StartTime = fk.owner.state.Map.Distributed.Express, 0
	f.root.input, f.input, f.lastEvent = input, input, 0
	return nil
}

// childARN is the ARN of a child run of exec's machine.
func childARN(exec *Execution, label string) string {
	id, machine := []byte(exec.MachineID), []byte(":stateMachine:")
	return string(bytes.Replace(id, machine, []byte(":execution:"), 1)) + "/" + label + ":" + exec.Name
}

// branchSeed is the seed of branch i of a fork.
func branchSeed(parent *Frame, id uint64, i int) uint64 {
	return mix(mix(parent.exec.Seed^mix(id)) + uint64(i))
}

// iterated returns the innermost iteration that b is in, as $$.Map.Item shows it, or nil.
func (b *branch) iterated() *branch {
	for ; b.item == nil; b = b.parent.owner {
		if b.parent == nil {
			return nil
		}
	}
	return b
}

// startBranch is Start for a branch's frame.
func (s *step) startBranch() {
	f, b := s.f, &s.f.root
	l := f.line
	if l.bad != nil {
		s.fail(b.prev, l.bad)
		return
	}
	switch {
	case distributed(l.owner):
		f.exec.StartTime = f.now
		b.prev = s.emit(history.Event{Type: history.ExecutionStarted, Input: f.input, RoleARN: f.exec.RoleARN})
	case l.owner.Type == asl.Map:
		s.note(b, history.Event{Type: history.MapIterationStarted, Name: l.owner.Name, Index: int64(b.index)})
	}
	s.begin(b, l.graph().Start, b.input)
	f.ready = append(f.ready, b)
	s.forgetInput()
}

// Stands returns the state that a frame in ForkMode stands in and its input; nil when the run has not begun or has ended.
func (f *Frame) Stands() (*asl.State, []byte) { return f.root.state, f.root.input }

// Now returns the time of the frame's last event, in Unix milliseconds.
func (f *Frame) Now() int64 { return f.now }
