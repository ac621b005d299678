// Package teststate answers TestState: it runs one state of a definition by itself and shows its data flow. Nothing is
// stored and no run is made. It is pure: what a Task calls is called by the caller.
//
//	answer, err := teststate.Run(&teststate.Request{
//		Definition: `{"Type": "Pass", "Result": 1, "End": true}`, Level: teststate.Debug,
//	}, &teststate.Env{})
//	json.Marshal(answer) // as the API answers
//
// Refusals are faults of the kinds InvalidArgument, InvalidDefinition and InvalidInput, in AWS's words where AWS has some.
package teststate

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// Level says how much an answer shows.
type Level uint8

// The levels. Trace shows requests and answers of http:invoke beside what Debug shows.
const (
	Info Level = iota
	Debug
	Trace
)

// Levels are their names in the API, in its order; Info is the preset.
var Levels = []string{"INFO", "DEBUG", "TRACE"}

// ParseLevel returns the level of that name; Info for one that is none.
func ParseLevel(name string) Level { return Level(max(slices.Index(Levels, name), 0)) }

// Mode says how a mocked result is compared with what the service's API says of it.
type Mode uint8

// The modes.
const (
	Strict  Mode = iota // fields that are there are checked, and required ones must be
	Present             // fields that are there are checked
	None
)

// Modes are their names in the API, in its order; Strict is the preset.
var Modes = []string{"STRICT", "PRESENT", "NONE"}

// ParseMode returns the mode of that name; Strict for one that is none.
func ParseMode(name string) Mode { return Mode(max(slices.Index(Modes, name), 0)) }

// Request is what TestState is asked.
type Request struct {
	Definition    string // a state, or a machine of which StateName says the state
	StateName     string
	RoleARN       string
	Input         []byte // compact JSON; nil: {}
	Context       string // JSON; "": nothing in place of the context object
	Variables     string // a JSON object; "": none
	Level         Level
	RevealSecrets bool
	Mock          *Mock // nil: a Task calls what it names
	Config        Config
}

// Mock is an answer in place of what a state calls. One of Result and Failed is set.
type Mock struct {
	Result *string // JSON
	Failed bool
	Error  string // the error's name, with Failed
	Cause  string
	Mode   Mode
}

// Config is what has happened before the trial.
type Config struct {
	RetrierRetryCount        int
	ErrorCausedByState       string // of a Map or Parallel: the state inside that raised the mocked error
	MapIterationFailureCount int
	MapItemReaderData        *string // JSON: the items, in place of what ItemReader reads
}

// Env is where a state is tested.
type Env struct {
	MachineARN string // of a state machine: whose run the context object shows
	Name       string // of that run
	Now        int64  // Unix milliseconds
	Seed       uint64
	Limits     limits.Set // the zero Set: limits.Default
	// Integrations are what a Task can call without a mock. Nil: none. With one, it may be whatever Step Functions has.
	Integrations asl.Integrations
	// Invoke calls what a Task names; see machine.Inspect. Nil: only mocks answer.
	Invoke func(c *machine.Command) machine.Event
}

// Answer is what TestState answers; it marshals as the API's.
type Answer struct {
	*machine.Inspection
	Level Level
}

// Run tests a state.
func Run(r *Request, env *Env) (*Answer, error) {
	m, st, err := r.find(env)
	if err != nil {
		return nil, err
	}
	response, err := r.mock(st)
	if err != nil {
		return nil, err
	}
	variables, err := r.variables()
	if err != nil {
		return nil, err
	}
	items, err := r.readerItems()
	if err != nil {
		return nil, err
	}
	overlay, err := r.context(st)
	if err != nil {
		return nil, err
	}
	if response == nil {
		if err := r.checkCall(st, env); err != nil {
			return nil, err
		}
	}
	input := r.Input
	if input == nil {
		input = []byte("{}")
	}
	in := &machine.Interpreter{Definition: m, Limits: env.Limits}
	seen := in.Inspect(&machine.Trial{
		State: st, Now: env.Now, Input: input, Context: overlay, Variables: variables, Mock: response, ReaderItems: items,
		Retried: int64(r.Config.RetrierRetryCount), FailedIterations: int64(r.Config.MapIterationFailureCount),
		Execution: env.execution(r.RoleARN),
	}, env.Invoke)
	return &Answer{seen, r.Level}, nil
}

// execution is who the context object says is running: an express run.
func (env *Env) execution(role string) machine.Execution {
	place, name, _ := strings.Cut(env.MachineARN, ":stateMachine:")
	return machine.Execution{
		ID: place + ":express:" + name + ":" + env.Name, Name: env.Name, RoleARN: role, StartTime: env.Now, Express: true,
		MachineID: env.MachineARN, MachineName: name, Seed: env.Seed,
	}
}

func invalid(format string, args ...any) error {
	return fault.New("TestState", fault.InvalidArgument, "", format, args...)
}

// find reads the definition and returns the state that is meant.
func (r *Request) find(env *Env) (*asl.Machine, *asl.State, error) {
	text, parse := []byte(r.Definition), asl.Parse
	lone := r.StateName == "" && asl.IsLone(text)
	if lone {
		parse = asl.ParseLone
	}
	m, problems := parse(text, asl.Options{Limits: env.Limits, Integrations: either{env.Integrations, asl.AWSIntegrations}})
	if s := problems.Service(); len(s) > 0 {
		return nil, nil, fault.New("TestState", fault.InvalidDefinition, "definition", "%s", s.ServiceMessage())
	}
	if lone {
		return m, m.Graph.Start, nil
	}
	if r.StateName == "" {
		return nil, nil, invalid("StateName must be specified when testing a state of a state machine definition")
	}
	for _, st := range m.AllStates {
		if st.Name == r.StateName {
			return m, st, nil
		}
	}
	return nil, nil, invalid("State not found in definition")
}

// mock checks the request's mock and returns its answer; nil without one.
func (r *Request) mock(st *asl.State) (*machine.Response, error) {
	joins := st.Type == asl.Map || st.Type == asl.Parallel
	switch {
	case r.Mock == nil && joins:
		return nil, fault.New("TestState", fault.InvalidDefinition, "definition", "TestState API does not support Map or Parallel states. Supported state types include: [Task, Wait, Pass, Succeed, Fail, Choice]")
	case r.Mock == nil:
		return nil, nil
	case st.Type != asl.Task && !joins:
		return nil, invalid("State type '%s' is not supported when a mock is specified", st.Type)
	case r.RevealSecrets:
		return nil, invalid("TestState does not support RevealSecrets when a mock is specified.")
	case r.Mock.Result != nil && r.Mock.Failed:
		return nil, invalid("A test mock should have only one of the following fields: [result, errorOutput].")
	case r.Mock.Failed:
		return &machine.Response{Failed: true, Error: r.Mock.Error, Cause: r.Mock.Cause}, nil
	case r.Mock.Result == nil:
		return nil, invalid("A test mock should have one of the following fields: [result, errorOutput].")
	}
	output, err := jsonvalue.Compact(nil, []byte(*r.Mock.Result))
	if err != nil {
		return nil, invalid("Mocked result must be valid JSON")
	}
	return &machine.Response{Output: output}, r.checkResult(st, output)
}

// checkResult refuses a result that the state's work cannot have.
func (r *Request) checkResult(st *asl.State, output []byte) error {
	v, err := jsonvalue.Parse(output)
	if err != nil {
		return invalid("Mocked result must be valid JSON")
	}
	items, isArray := v.([]any)
	switch {
	case st.Type == asl.Task:
		return r.Mock.checkAnswer(st, v)
	case st.Type == asl.Map && st.Map.Distributed != nil && st.Map.Distributed.Writer != nil:
		if _, ok := v.(*jsonvalue.Object); !ok {
			return invalid("Mocked result must be a JSON object.")
		}
		return nil
	case !isArray:
		return invalid("Mocked result must be an array.")
	case st.Type == asl.Parallel && len(items) != len(st.Parallel.Branches):
		return invalid("Mocked result must contain the same number of items as number of Parallel branches.")
	case st.Type == asl.Map && r.Config.MapIterationFailureCount > len(items):
		return invalid("Map iteration failure count must be less than or equal to the number of Map iterations")
	}
	return nil
}

// variables returns the variables that the state finds.
func (r *Request) variables() (*jsonvalue.Object, error) {
	if r.Variables == "" {
		return nil, nil
	}
	tree, err := jsonvalue.ParseString(r.Variables)
	o, ok := tree.(*jsonvalue.Object)
	if err != nil || !ok {
		return nil, invalid("Invalid variables provided: must be a JSON object")
	}
	return o, nil
}

// readerItems returns what takes the place of what an ItemReader reads.
func (r *Request) readerItems() ([]byte, error) {
	text := r.Config.MapItemReaderData
	if text == nil {
		return nil, nil
	}
	items, err := jsonvalue.Compact(nil, []byte(*text))
	if err != nil || items[0] != '[' {
		return nil, invalid("Map item reader data must be a JSON array")
	}
	return items, nil
}

// checkCall refuses a Task that cannot be called by itself.
func (r *Request) checkCall(st *asl.State, env *Env) error {
	if st.Type != asl.Task {
		return nil
	}
	if r.RoleARN == "" {
		return invalid("RoleArn must be specified when testing a Task state")
	}
	t := &st.Task.Target
	if waits(st) || env.Invoke == nil || t.Kind == asl.TargetActivity {
		return invalid("A mock must be specified when testing a Task state with the resource %s", st.Task.Resource)
	}
	if t.Kind == asl.TargetIntegration && (env.Integrations == nil || !env.Integrations.Supports(t.Integration, "")) {
		help := ""
		if env.Integrations != nil {
			help = "; " + env.Integrations.Help(t.Integration)
		}
		return invalid("A mock must be specified when testing a Task state with the resource %s, as there is no such integration here%s", st.Task.Resource, help)
	}
	return nil
}

// either is a set of integrations that has what one of two has.
type either [2]asl.Integrations

// Supports implements asl.Integrations.
func (e either) Supports(name, pattern string) bool {
	for _, set := range e {
		if set != nil && set.Supports(name, pattern) {
			return true
		}
	}
	return false
}

// Help implements asl.Integrations.
func (e either) Help(name string) string {
	if e[0] == nil {
		return ""
	}
	return e[0].Help(name)
}

// waits reports whether a Task goes on only when somebody else says so.
func waits(st *asl.State) bool {
	return st.Type == asl.Task && (st.Task.Target.WaitForToken || strings.Contains(st.Task.Target.Resource, ".sync"))
}

// MarshalJSON writes an answer as the API does.
func (a *Answer) MarshalJSON() ([]byte, error) {
	o := jsonvalue.NewObject(8)
	set := func(o *jsonvalue.Object, name string, text *string) {
		if text != nil {
			o.Set(name, *text)
		}
	}
	if a.Output != nil {
		o.Set("output", string(a.Output))
	}
	set(o, "error", a.Error)
	set(o, "cause", a.Cause)
	if a.Level > Info {
		o.Set("inspectionData", a.data())
	}
	if a.Next != "" {
		o.Set("nextState", a.Next)
	}
	o.Set("status", a.Outcome.String())
	return jsonvalue.Append(nil, o), nil
}

func (a *Answer) data() *jsonvalue.Object {
	o := jsonvalue.NewObject(16)
	for f, v := range a.Values {
		if v != nil {
			o.Set(machine.Field(f).String(), string(v))
		}
	}
	if d := a.errorDetails(); d.Len() > 0 {
		o.Set("errorDetails", d)
	}
	setInt(o, "toleratedFailureCount", a.ToleratedCount)
	if a.ToleratedPercentage != nil {
		if text, err := json.Marshal(*a.ToleratedPercentage); err == nil {
			o.Set("toleratedFailurePercentage", jsonvalue.Number(text))
		}
	}
	setInt(o, "maxConcurrency", a.MaxConcurrency)
	return o
}

func (a *Answer) errorDetails() *jsonvalue.Object {
	o := jsonvalue.NewObject(3)
	setInt(o, "catchIndex", a.CatchIndex)
	setInt(o, "retryIndex", a.RetryIndex)
	setInt(o, "retryBackoffIntervalSeconds", a.BackoffSeconds)
	return o
}

func setInt[N int | int64](o *jsonvalue.Object, name string, n *N) {
	if n != nil {
		o.Set(name, jsonvalue.Int(int64(*n)))
	}
}
