package program

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"sync"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/unum/glue"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/protocol"
)

// Identity is who the runs of a compiled machine say they are in their context object.
type Identity struct {
	MachineARN string // "": one made of the app's name
	RoleARN    string
	Express    bool
	Limits     limits.Set // the zero Set: limits.Default
}

// Compiled is the program of a compiled machine. The State of a request is where its line stands (an Exit of package
// glue), and so is what a fork parks.
type Compiled struct {
	m         *glue.Machine
	who       Identity
	functions map[place]*ir.Function
	code      map[string]string // by function
	rest      string            // the function for what none is meant for

	mu     sync.Mutex
	parked []byte // what Head has decoded last: its next call is mostly for the same fork
	fork   *glue.Exit
}

// place says which function is invoked where: a Task whose function is found out when it is entered has one for each.
type place struct {
	state *asl.State
	code  string
}

// NewCompiled returns the program of an app that has a Machine.
func NewCompiled(app *ir.App, who Identity) (*Compiled, error) {
	def, problems := asl.Parse(app.Machine, asl.Options{Integrations: asl.AnyIntegration, Express: who.Express, Limits: who.Limits})
	if len(problems) > 0 {
		return nil, problems.Err()
	}
	if who.MachineARN == "" {
		who.MachineARN = "arn:aws:states:us-east-1:000000000000:stateMachine:" + app.Name
	}
	p := &Compiled{m: glue.New(def, who.Limits), who: who, functions: map[place]*ir.Function{}, code: map[string]string{}}
	places := glue.Places(def)
	for _, f := range app.Functions {
		p.code[f.Name] = f.Code
		if f.Glue == nil || f.Glue.State == "" {
			continue
		}
		st := places[f.Glue.State]
		if st == nil || st.Task == nil {
			return nil, fault.New("unum.program", fault.InvalidDefinition, f.Name, "the machine of %s has no Task at %s: compile it again", app.Name, f.Glue.State)
		}
		p.functions[place{st, f.Code}] = f
	}
	rest := app.Start()
	if i := slices.IndexFunc(app.Functions, func(f *ir.Function) bool { return f.Code == "" }); i >= 0 {
		rest = app.Functions[i]
	}
	if rest == nil {
		return nil, fault.New("unum.program", fault.InvalidDefinition, app.Name, "no function of the app is the start: compile it again")
	}
	p.rest = rest.Name
	return p, nil
}

// TimeoutSeconds is how long a run may take; 0: any time.
func (p *Compiled) TimeoutSeconds() int64 {
	exec := p.execution("", 0)
	return p.m.TimeoutSeconds(&exec)
}

func (p *Compiled) execution(run string, started int64) machine.Execution {
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.who.MachineARN + "\x00" + run))
	seed := h.Sum64()
	id := strings.Replace(p.who.MachineARN, ":stateMachine:", ":execution:", 1) + ":" + run
	if p.who.Express {
		id = strings.Replace(p.who.MachineARN, ":stateMachine:", ":express:", 1) + ":" + run + ":" + machine.UUID(seed)
	}
	return machine.Execution{
		ID: id, Name: run, RoleARN: p.who.RoleARN, StartTime: started, Seed: seed, Express: p.who.Express,
		MachineID: p.who.MachineARN, MachineName: p.who.MachineARN[strings.LastIndexByte(p.who.MachineARN, ':')+1:],
	}
}

// Entry implements protocol.Program.
func (p *Compiled) Entry(run string, input []byte, started int64) (protocol.Call, error) {
	text, err := jsonvalue.Compact(nil, input)
	if err != nil {
		return protocol.Call{}, fault.New("unum.program", fault.InvalidInput, run, "the input is not JSON that a machine can take: %v", err)
	}
	x, err := p.m.Start(p.execution(run, started), text, started)
	if err != nil {
		return protocol.Call{}, err
	}
	return p.call(x, started)
}

// call returns the invocation that carries on a line which has come to x at now.
func (p *Compiled) call(x *glue.Exit, now int64) (protocol.Call, error) {
	x, f, err := p.function(x)
	if err != nil {
		return protocol.Call{}, err
	}
	c := protocol.Call{Function: f, Expires: x.Expires, State: x.AppendBinary(nil), Entered: x.Entered}
	if x.At > now {
		c.At, c.Timer = x.At, x.Kind != glue.Invoke
	}
	return c, nil
}

// function returns the function that x is for. A call of one that does not exist fails as on Lambda.
func (p *Compiled) function(x *glue.Exit) (*glue.Exit, string, error) {
	for x.Kind == glue.Invoke {
		if f := p.functions[place{x.State, x.Function}]; f != nil {
			return x, f.Name, nil
		}
		asked, entered := x.Asked, x.Entered
		var err error
		x, err = p.m.Resume(x.Frame, machine.Event{Kind: machine.TaskFailed, ID: x.ID, Now: x.At, StartFailed: true,
			Error: "Lambda.ResourceNotFoundException", Cause: "Function not found: " + x.Function})
		if err != nil {
			return nil, "", err
		}
		x.Asked, x.Entered = asked, x.Entered+entered
	}
	return x, p.rest, nil
}

// plan returns what follows on a line that has come to x at now.
func (p *Compiled) plan(x *glue.Exit, now int64) (*protocol.Plan, error) {
	x, f, err := p.function(x)
	switch {
	case err != nil:
		return nil, err
	case x.Kind == glue.Fork:
		x.Asked = now
		fork := &protocol.Fork{Width: int64(x.Width), Concurrency: int64(x.Concurrency)}
		if fork.TooWide() {
			return p.refused(x, now)
		}
		fork.Parked = x.AppendBinary(nil)
		return &protocol.Plan{Entered: x.Entered, Fork: fork}, nil
	case x.Kind == glue.End && x.At <= now:
		return &protocol.Plan{Entered: x.Entered, End: end(x)}, nil
	}
	c, err := p.call(x, now)
	if err != nil {
		return nil, err
	}
	c.Function = f
	return &protocol.Plan{Entered: x.Entered, Continue: &c}, nil
}

// refused fails a fork that is too wide for a record.
func (p *Compiled) refused(fork *glue.Exit, now int64) (*protocol.Plan, error) {
	why := &glue.Exit{Error: "States.DataLimitExceeded", HasError: true, HasCause: true,
		Cause: fmt.Sprintf("The state '%s' has %d branches, more than the datastore keeps together. Use fewer, or nest them.", fork.State.Name, fork.Width)}
	x, err := p.m.Resume(fork.Frame, glue.Failure(fork.ID, fork.At, why))
	if err != nil {
		return nil, err
	}
	x.Entered += fork.Entered
	return p.plan(x, now)
}

func end(x *glue.Exit) *protocol.End {
	return &protocol.End{
		Output: x.Output, Failed: x.Failed && !x.Tolerated, Error: x.Error, Cause: x.Cause, Alias: x.Alias,
		HasError: x.HasError, HasCause: x.HasCause, Now: x.At,
	}
}

// Work implements protocol.Program.
func (p *Compiled) Work(req *protocol.Request, _ [][]byte) (protocol.Work, error) {
	x, err := p.m.Decode(req.State)
	if err != nil {
		return protocol.Work{}, err
	}
	if x.Kind == glue.Invoke {
		return protocol.Work{Code: p.code[req.Function], Input: x.Input}, nil
	}
	plan, err := p.arrived(x)
	return protocol.Work{Plan: plan}, err
}

// arrived returns what follows on a line whose wait is over.
func (p *Compiled) arrived(x *glue.Exit) (*protocol.Plan, error) {
	now := x.At
	if x.Kind == glue.Pause {
		var err error
		if x, err = p.m.Wake(x); err != nil {
			return nil, err
		}
	}
	return p.plan(x, now)
}

// Plan implements protocol.Program.
func (p *Compiled) Plan(req *protocol.Request, _ [][]byte, out *protocol.Outcome) (*protocol.Plan, error) {
	x, err := p.m.Decode(req.State)
	if err != nil {
		return nil, err
	}
	if x.Kind != glue.Invoke {
		return p.arrived(x)
	}
	ev, err := event(x, out)
	if err != nil {
		return nil, err
	}
	next, err := p.m.Resume(x.Frame, ev)
	if err != nil {
		return nil, err
	}
	return p.plan(next, next.Asked)
}

// event is what an outcome is to the interpreter. The time never runs back behind that at which the call was due. Work that
// ended after its time was up has timed out, whether the request that says so came before it or not.
func event(x *glue.Exit, out *protocol.Outcome) (machine.Event, error) {
	if x.Timer != 0 && (out.Now > x.Expires || out.Kind == protocol.TimeCame) {
		return machine.Event{Kind: machine.TimerFired, ID: x.Timer, Now: x.Expires}, nil
	}
	ev := machine.Event{ID: x.ID, Now: max(out.Now, x.At), Error: out.Error, Cause: out.Cause}
	switch out.Kind {
	case protocol.Returned:
		text, err := jsonvalue.Compact(nil, out.Output)
		if err != nil {
			ev.Kind, ev.Error, ev.Cause = machine.TaskFailed, "Runtime.InvalidJSON", fmt.Sprintf("the function's answer cannot be used: %v", err)
			break
		}
		ev.Kind, ev.Output = machine.TaskSucceeded, text
	case protocol.Raised, protocol.Broken:
		ev.Kind = machine.TaskFailed
	default:
		return ev, fmt.Errorf("program: an outcome of unknown kind %d", out.Kind)
	}
	return ev, nil
}

// Head implements protocol.Program.
func (p *Compiled) Head(_ []protocol.Line, parked []byte, i, now int64) (protocol.Call, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(parked) == 0 || len(parked) != len(p.parked) || &parked[0] != &p.parked[0] {
		fork, err := p.m.Decode(parked)
		if err != nil {
			return protocol.Call{}, err
		}
		p.parked, p.fork = parked, fork
	}
	x, err := p.m.Branch(p.fork, int(i), now)
	if err != nil {
		return protocol.Call{}, err
	}
	return p.call(x, max(now, p.fork.Asked))
}

// Join implements protocol.Program.
func (p *Compiled) Join(_ string, _ []protocol.Line, parked []byte, ends []*protocol.End, failed int64) (*protocol.Plan, error) {
	fork, err := p.m.Decode(parked)
	if err != nil {
		return nil, err
	}
	now := fork.At
	for _, e := range ends {
		now = max(now, e.Now)
	}
	ev := machine.Event{Kind: machine.ForkSucceeded, ID: fork.ID, Now: now}
	if failed >= 0 && len(ends) == 1 {
		e := ends[0]
		ev = glue.Failure(fork.ID, now, &glue.Exit{Error: e.Error, Cause: e.Cause, Alias: e.Alias, HasError: e.HasError, HasCause: e.HasCause})
	} else {
		ev.Outputs = make([][]byte, len(ends))
		for i, e := range ends {
			ev.Outputs[i] = slices.Clip([]byte(e.Output))
			if len(e.Output) == 0 {
				ev.Outputs[i] = nil
			}
		}
	}
	x, err := p.m.Resume(fork.Frame, ev)
	if err != nil {
		return nil, err
	}
	return p.plan(x, now)
}
