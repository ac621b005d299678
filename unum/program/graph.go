package program

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/protocol"
)

// GraphError is the name of the error of a run whose graph cannot go on: a guard that has no truth, a map over what is no
// list. Nothing catches it.
const GraphError = "Weft.Graph"

// Graph carries out an app that is written by hand.
//
// A scope of the app whose lines all end in one fan-in is a fork of the protocol, and the fan-in its join. In a scope whose
// functions read each other's values by name, each function that is read, or is started by a fan-in, has a line of its own
// with its name and indices. $0 and $size are those of the line.
type Graph struct {
	app   *ir.App
	shape *ir.Shape
}

// NewGraph returns the program of an app. An app that is not valid has none: the error is fault.InvalidDefinition around ir.Problems.
func NewGraph(app *ir.App) (*Graph, error) {
	if app.Machine != nil {
		return nil, fault.New("unum.program", fault.InvalidDefinition, app.Name, "the app is compiled from a machine: NewCompiled has its program")
	}
	if err := app.Validate().Err(); err != nil {
		return nil, fault.New("unum.program", fault.InvalidDefinition, app.Name, "%w", err)
	}
	shape, _ := app.Shape()
	return &Graph{app, shape}, nil
}

// state is what an instance is called with.
type state struct {
	Data  json.RawMessage `json:"data,omitempty"`  // its input; none: the values of its request's Inputs
	Tries []int           `json:"tries,omitempty"` // repetitions so far, for each retrier
	// Relay says that the call is only to start the function on a line of its own.
	Relay bool `json:"relay,omitempty"`
}

// parked is what a fork keeps.
type parked struct {
	Heads []string          `json:"heads"`           // of a map one
	Items []json.RawMessage `json:"items,omitempty"` // of a map
	Data  json.RawMessage   `json:"data,omitempty"`  // of the others
}

// encode writes values as they are, "<" included.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Entry implements protocol.Program.
func (g *Graph) Entry(_ string, input []byte, _ int64) (protocol.Call, error) {
	return call(g.app.Start().Name, state{Data: input})
}

func call(function string, st state) (protocol.Call, error) {
	text, err := encode(st)
	return protocol.Call{Function: function, State: text}, err
}

// instance is what a request is of.
type instance struct {
	g     *Graph
	f     *ir.Function
	place *ir.Place
	lines []protocol.Line
	state state
}

func (g *Graph) instance(req *protocol.Request) (*instance, error) {
	f := g.app.Function(req.Function)
	if f == nil || g.shape.Place(req.Function) == nil {
		return nil, fmt.Errorf("app %s has no function %q", g.app.Name, req.Function)
	}
	i := &instance{g: g, f: f, place: g.shape.Place(req.Function), lines: req.Lines}
	if len(req.State) > 0 {
		if err := json.Unmarshal(req.State, &i.state); err != nil {
			return nil, fmt.Errorf("the state of %s: %w", f.Name, err)
		}
	}
	return i, nil
}

// Work implements protocol.Program.
func (g *Graph) Work(req *protocol.Request, inputs [][]byte) (protocol.Work, error) {
	i, err := g.instance(req)
	if err != nil {
		return protocol.Work{}, err
	}
	if i.state.Relay {
		plan, err := i.relay()
		return protocol.Work{Plan: plan}, err
	}
	return protocol.Work{Code: i.f.Code, Input: i.input(inputs), Unchecked: i.f.NoCheckpoint || i.f.Code == ""}, nil
}

// input returns what the function is given.
func (i *instance) input(inputs [][]byte) []byte {
	if i.state.Data != nil {
		return i.state.Data
	}
	return array(inputs)
}

func array[T ~[]byte](values []T) []byte {
	text := []byte{'['}
	for n, v := range values {
		if n > 0 {
			text = append(text, ',')
		}
		text = append(text, v...)
	}
	return append(text, ']')
}

// Plan implements protocol.Program.
func (g *Graph) Plan(req *protocol.Request, inputs [][]byte, out *protocol.Outcome) (*protocol.Plan, error) {
	i, err := g.instance(req)
	switch {
	case err != nil:
		return nil, err
	case i.state.Relay:
		return i.relay()
	case out == nil:
		return nil, fmt.Errorf("%s has no outcome", i.f.Name)
	case out.Kind != protocol.Returned:
		return i.failed(i.input(inputs), out)
	}
	return i.returned(out)
}

// broken ends the run because its graph cannot go on.
func broken(now int64, format string, args ...any) *protocol.Plan {
	return failure(GraphError, fmt.Sprintf(format, args...), now)
}

func failure(name, cause string, now int64) *protocol.Plan {
	return &protocol.Plan{End: &protocol.End{Failed: true, Error: name, Cause: cause, HasError: true, HasCause: true, Now: now, Run: true}}
}

// failed tries again, or goes where the error is caught, or ends the run.
func (i *instance) failed(input []byte, out *protocol.Outcome) (*protocol.Plan, error) {
	name, cause := out.Error, out.Cause
	if out.Kind == protocol.TimeCame {
		name, cause = "States.Timeout", ""
	}
	for n := range i.f.Retry {
		r := &i.f.Retry[n]
		if !matches(r.Errors, name) {
			continue
		}
		tries := slices.Concat(i.state.Tries, make([]int, max(0, len(i.f.Retry)-len(i.state.Tries))))
		if tries[n] >= r.MaxAttempts {
			break
		}
		again, err := call(i.f.Name, state{Data: input, Tries: tries})
		again.At = out.Now + delay(r, tries[n])
		tries[n]++
		if err == nil {
			again.State, err = encode(state{Data: input, Tries: tries})
		}
		return &protocol.Plan{Continue: &again}, err
	}
	for n := range i.f.Next {
		if c := &i.f.Next[n]; c.Kind == ir.Catch && matches(c.Errors, name) {
			data, err := encode(map[string]string{"Error": name, "Cause": cause})
			if err != nil {
				return nil, err
			}
			return i.g.goOn(i.lines, i.place.Scope, c, data, out.Now, false)
		}
	}
	return failure(name, cause, out.Now), nil
}

func matches(errors []string, name string) bool {
	return slices.Contains(errors, name) || slices.Contains(errors, ir.AllErrors)
}

// delay returns how long to wait before a repetition, in milliseconds.
func delay(r *ir.Retrier, tries int) int64 {
	seconds := r.IntervalSeconds * math.Pow(r.BackoffRate, float64(tries))
	most := r.MaxDelaySeconds
	if most == 0 {
		most = 366 * 24 * 3600 // no run takes longer
	}
	return int64(1000 * min(seconds, most))
}

// frames returns what the functions on the last of lines see of fan-outs.
func frames(lines []protocol.Line) []ir.Frame {
	frames := make([]ir.Frame, len(lines))
	for n, l := range lines {
		frames[n] = ir.Frame{Index: l.Index, Size: l.Size, Iteration: l.Iteration}
	}
	return frames
}

// returned finds what fires, and does it.
func (i *instance) returned(out *protocol.Outcome) (*protocol.Plan, error) {
	env := ir.Env{Frames: frames(i.lines)}
	if slices.ContainsFunc(i.f.Next, func(c ir.Continuation) bool { return c.If.UsesOut() }) {
		v, err := jsonvalue.Parse(out.Output)
		if err != nil {
			return broken(out.Now, "the output of %s: %v", i.f.Name, err), nil
		}
		env.Out = v
	}
	var fired []*ir.Continuation
	for n := range i.f.Next {
		c := &i.f.Next[n]
		if c.Kind == ir.Catch {
			continue
		}
		env.Otherwise = len(fired) == 0
		holds, err := c.If.Holds(&env)
		if err != nil {
			return broken(out.Now, "%s, next[%d]: %v", i.f.Name, n, err), nil
		}
		if holds {
			fired = append(fired, c)
		}
	}
	if i.place.Named {
		return i.graph(fired, out)
	}
	return i.line(fired, out)
}

// line does what follows on a line on which one thing follows another.
func (i *instance) line(fired []*ir.Continuation, out *protocol.Outcome) (*protocol.Plan, error) {
	if len(fired) == 0 {
		return &protocol.Plan{End: &protocol.End{Output: out.Output, Now: out.Now, Run: true}}, nil
	}
	switch c := fired[0]; {
	case c.Kind == ir.Map:
		return i.fanOut(fired, out)
	case c.Kind == ir.FanIn:
		return &protocol.Plan{End: &protocol.End{Output: out.Output, Now: out.Now, Into: i.into(c)}}, nil
	case i.place.FansOut:
		return i.fork(&parked{Heads: heads(fired), Data: out.Output}, ir.Invokes, int64(len(fired)), 0, out.Now)
	default:
		return i.g.goOn(i.lines, i.place.Scope, c, out.Output, out.Now, false)
	}
}

func heads(fired []*ir.Continuation) []string {
	names := make([]string, len(fired))
	for n, c := range fired {
		names[n] = c.To
	}
	return names
}

// into names a continuation: "F#2".
func (i *instance) into(c *ir.Continuation) string {
	return i.f.Name + "#" + strconv.Itoa(edgeOf(i.f, c))
}

func edgeOf(f *ir.Function, c *ir.Continuation) int {
	for n := range f.Next {
		if &f.Next[n] == c {
			return n
		}
	}
	return -1
}

// fanOut maps over the output.
func (i *instance) fanOut(fired []*ir.Continuation, out *protocol.Outcome) (*protocol.Plan, error) {
	c := fired[0]
	p := &parked{Heads: heads(fired[:1])}
	if err := json.Unmarshal(out.Output, &p.Items); err != nil || p.Items == nil {
		return broken(out.Now, "%s maps over its output, which is no list", i.f.Name), nil
	}
	if len(p.Items) > 0 {
		return i.fork(p, edgeOf(i.f, c), int64(len(p.Items)), c.Concurrency, out.Now)
	}
	join := i.g.shape.Opened(i.f, edgeOf(i.f, c)).Join()
	if join == nil {
		return &protocol.Plan{End: &protocol.End{Output: []byte("[]"), Now: out.Now, Run: true}}, nil
	}
	return i.g.goOn(i.lines, i.place.Scope, join, []byte("[]"), out.Now, false)
}

func (i *instance) fork(p *parked, edge int, width, concurrency, now int64) (*protocol.Plan, error) {
	text, err := encode(p)
	fork := &protocol.Fork{Width: width, Concurrency: concurrency, Parked: text}
	if scope := i.g.shape.Opened(i.f, edge); scope != nil && scope.Graph {
		for n := range width {
			fork.Names = append(fork.Names, lineName(p.head(n), i.lines, ir.Frame{Index: n}))
		}
	}
	if fork.TooWide() {
		return broken(now, "%s fans out to %d lines, more than the datastore keeps together", i.f.Name, width), nil
	}
	return &protocol.Plan{Fork: fork}, err
}

func (p *parked) head(n int64) string { return p.Heads[min(n, int64(len(p.Heads)-1))] }

// Head implements protocol.Program.
func (g *Graph) Head(_ []protocol.Line, text []byte, n, _ int64) (protocol.Call, error) {
	var p parked
	if err := json.Unmarshal(text, &p); err != nil {
		return protocol.Call{}, fmt.Errorf("what a fork keeps: %w", err)
	}
	data := p.Data
	if p.Items != nil {
		data = p.Items[n]
	}
	return call(p.head(n), state{Data: data})
}

// lineName returns the name of the line of a function in the scope that the last of lines has opened: "F-1.2", the indices
// outermost first, and behind "~" the iteration if that is not 0.
func lineName(function string, lines []protocol.Line, f ir.Frame) string {
	b := append([]byte(function), '-')
	for _, l := range lines[min(1, len(lines)):] {
		b = append(strconv.AppendInt(b, l.Index, 10), '.')
	}
	b = strconv.AppendInt(b, f.Index, 10)
	if f.Iteration > 0 {
		b = strconv.AppendInt(append(b, '~'), f.Iteration, 10)
	}
	return string(b)
}

// moved returns the frame that a continuation leads to, from that of the last of lines.
func moved(lines []protocol.Line, c *ir.Continuation) (to ir.Frame, err error) {
	env := ir.Env{Frames: frames(lines)}
	to = env.Frames[len(lines)-1]
	if c.Index != nil {
		if to.Index, err = c.Index.Int(&env); err != nil {
			return to, err
		}
	}
	if c.Size != nil {
		if to.Size, err = c.Size.Int(&env); err != nil {
			return to, err
		}
	}
	if c.Next {
		to.Iteration++
	}
	if (c.Index != nil || c.Size != nil) && (to.Index < 0 || to.Index >= to.Size) {
		return to, fmt.Errorf("%s would be number %d of %d", c.To, to.Index, to.Size)
	}
	return to, nil
}

// goOn carries on the last of lines, which is in scope, with what a continuation leads to. A function that is read by name has a
// line of its own to run on; joined says that the plan is that of a join, which starts no lines itself.
func (g *Graph) goOn(lines []protocol.Line, scope *ir.Scope, c *ir.Continuation, data []byte, now int64, joined bool) (*protocol.Plan, error) {
	to, err := moved(lines, c)
	if err != nil {
		return broken(now, "%v", err), nil
	}
	st := state{Data: data}
	named := scope != nil && scope.Graph && g.shape.Place(c.To).Named
	st.Relay = named && joined
	next, err := call(c.To, st)
	if err != nil {
		return nil, err
	}
	if named && !joined {
		return &protocol.Plan{Graph: &protocol.Graph{Start: []protocol.Start{start(lines, c.To, to, next)}}}, nil
	}
	if last := lines[len(lines)-1]; to != (ir.Frame{Index: last.Index, Size: last.Size, Iteration: last.Iteration}) {
		next.View = &protocol.View{Index: to.Index, Size: to.Size, Iteration: to.Iteration}
	}
	return &protocol.Plan{Continue: &next}, nil
}

// start is a line beside the last of lines.
func start(lines []protocol.Line, function string, f ir.Frame, c protocol.Call) protocol.Start {
	return protocol.Start{Line: protocol.Line{Name: lineName(function, lines[:len(lines)-1], f), Index: f.Index, Size: f.Size, Iteration: f.Iteration}, Call: c}
}

// relay starts the function on a line of its own.
func (i *instance) relay() (*protocol.Plan, error) {
	next, err := call(i.f.Name, state{Data: i.state.Data})
	f := frames(i.lines)
	return &protocol.Plan{Graph: &protocol.Graph{Start: []protocol.Start{start(i.lines, i.f.Name, f[len(f)-1], next)}}}, err
}

// Join implements protocol.Program.
func (g *Graph) Join(_ string, lines []protocol.Line, _ []byte, ends []*protocol.End, _ int64) (*protocol.Plan, error) {
	var now int64
	for _, end := range ends {
		if end.Failed {
			return &protocol.Plan{End: end}, nil
		}
		now = max(now, end.Now)
	}
	f, c, err := g.edge(ends[0].Into)
	if err != nil {
		return nil, err
	}
	scope := g.shape.Place(f.Name).Scope
	for _, end := range ends {
		if _, o, err := g.edge(end.Into); err != nil || o.Goal() != c.Goal() {
			return broken(now, "a line came to the fan-in %s, and another to %s", ends[0].Into, end.Into), nil
		}
	}
	if n, ok := c.SetSize.Literal(); ok && n != int64(len(ends)) {
		return broken(now, "the set %s is to have %d members, and %s has fanned out to %d", c.Set, n, scope.Opener.Name, len(ends)), nil
	}
	if !scope.Graph {
		ends = ir.Ends(c, ends)
	}
	values := make([]json.RawMessage, len(ends))
	for n, end := range ends {
		values[n] = end.Output
	}
	return g.goOn(lines, scope.Outer, c, array(values), now, true)
}

// edge returns the continuation that into names.
func (g *Graph) edge(into string) (*ir.Function, *ir.Continuation, error) {
	name, number, _ := bytes.Cut([]byte(into), []byte("#"))
	f := g.app.Function(string(name))
	n, err := strconv.Atoi(string(number))
	if f == nil || err != nil || n < 0 || n >= len(f.Next) {
		return nil, nil, fmt.Errorf("app %s has no continuation %q", g.app.Name, into)
	}
	return f, &f.Next[n], nil
}
