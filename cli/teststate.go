package cli

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/pflag"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/cli/project"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/teststate"
)

// stateFlags are the flags of `weft test --state`.
type stateFlags struct {
	name                       string
	inspect                    bool
	result, errorName, cause   string
	variables, context, config string
	retried                    int
	validation                 string
}

func (f *stateFlags) add(fl *pflag.FlagSet) {
	fl.StringVar(&f.name, "state", "", "test the state of this `NAME` by itself")
	fl.BoolVar(&f.inspect, "inspect", false, "with --state: print what the data flow came to as well")
	fl.StringVar(&f.result, "result", "", "with --state: `JSON` or @FILE that answers for what the state calls")
	fl.StringVar(&f.errorName, "error", "", "with --state: `NAME` of the error that answers")
	fl.StringVar(&f.cause, "cause", "", "with --state: `TEXT` of that error")
	fl.StringVar(&f.validation, "validation", "strict", "with --result: `MODE` of comparing it with the service's API: strict, present or none")
	fl.StringVar(&f.variables, "variables", "", "with --state: `JSON` object or @FILE of the variables it finds")
	fl.StringVar(&f.context, "context", "", "with --state: `JSON` object or @FILE in place of members of the context object")
	fl.IntVar(&f.retried, "retried", 0, "with --state: how many `ATTEMPTS` its retriers have granted already")
	fl.StringVar(&f.config, "config", "", "with --state: `FILE` that declares the functions (default weft.yaml beside the machine)")
}

// onlyWithState refuses flags that mean nothing without --state.
func onlyWithState(given *pflag.FlagSet) (err error) {
	own := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(stateFlags).add(own)
	given.Visit(func(f *pflag.Flag) {
		if own.Lookup(f.Name) != nil {
			err = usage("--%s is for the test of one state: name it with --state", f.Name)
		}
	})
	return err
}

// testState tests one state by itself.
func (a *app) testState(ctx context.Context, paths []string, f *testFlags) (err error) {
	switch {
	case len(paths) != 1:
		return usage("--state needs one definition")
	case f.state.result != "" && (f.state.errorName != "" || f.state.cause != ""):
		return usage("--result and --error exclude each other: a call either succeeds or fails")
	}
	r, err := a.stateRequest(paths[0], f)
	if err != nil {
		return err
	}
	env := &teststate.Env{
		MachineARN: "arn:aws:states:us-east-1:000000000000:stateMachine:" + project.MachineName(paths[0]),
		Name:       uuid.NewString(), Now: a.Now().UnixMilli(),
	}
	if r.Mock == nil {
		fns, err := openFunctions(f.state.configOf(paths[0]), functionOptions{log: a.logger(), say: func(string) {}})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, fns.Close()) }()
		env.Integrations = fns.integrations
		env.Invoke = func(c *machine.Command) machine.Event { return engine.CallTask(ctx, fns, fns.integrations, c) }
	}
	answer, err := teststate.Run(r, env)
	if err != nil {
		return err
	}
	text, err := json.Marshal(answer)
	if err != nil {
		return err
	}
	if err := a.printValue(opened(text)); err != nil {
		return err
	}
	if answer.Outcome == machine.OutcomeFailed {
		return runFailed{machine.Failed}
	}
	return nil
}

// configOf is the weft.yaml that counts.
func (f *stateFlags) configOf(path string) string {
	if f.config != "" {
		return f.config
	}
	if p, err := project.Find(path); err == nil {
		return p.Config
	}
	return ""
}

func (a *app) stateRequest(path string, f *testFlags) (*teststate.Request, error) {
	def, err := a.readDefinition(path)
	if err != nil {
		return nil, err
	}
	m, err := a.check(def)
	if err != nil {
		return nil, err
	}
	s := &f.state
	if !slices.ContainsFunc(m.AllStates, func(st *asl.State) bool { return st.Name == s.name }) {
		return nil, noState(m, s.name)
	}
	r := &teststate.Request{Definition: string(def.json), StateName: s.name, RoleARN: testRole}
	if s.inspect {
		r.Level = teststate.Debug
	}
	r.Config.RetrierRetryCount = s.retried
	read := func(name, given string) []byte {
		var text []byte
		if err == nil {
			text, err = a.readJSON(name, given)
		}
		if err == nil && text != nil {
			text, err = jsonvalue.Compact(nil, text)
		}
		return text
	}
	r.Input = read("--input", f.input)
	r.Variables, r.Context = string(read("--variables", s.variables)), string(read("--context", s.context))
	result := read("--result", s.result)
	if err != nil {
		return nil, err
	}
	r.Mock, err = s.mock(result)
	return r, err
}

// noState says which states there are, the first of them if there are many.
func noState(m *asl.Machine, name string) error {
	const shown = 20
	names := make([]string, 0, shown+1)
	for _, st := range m.AllStates {
		if len(names) == shown {
			names = append(names, "…")
			break
		}
		names = append(names, st.Name)
	}
	return fault.New("", fault.InvalidArgument, "--state", "there is no state %q; there are: %s", name, strings.Join(names, ", "))
}

// mock is what answers for what the state calls; nil when nothing does.
func (f *stateFlags) mock(result []byte) (*teststate.Mock, error) {
	m := &teststate.Mock{Error: f.errorName, Cause: f.cause, Failed: f.errorName != "" || f.cause != ""}
	if result != nil {
		m.Result = new(string(result))
	}
	mode := strings.ToUpper(f.validation)
	if m.Mode = teststate.ParseMode(mode); teststate.Modes[m.Mode] != mode {
		return nil, fault.New("", fault.InvalidArgument, "--validation", "%q is none of strict, present, none", f.validation)
	}
	if m.Result == nil && !m.Failed {
		return nil, nil
	}
	return m, nil
}

// opened writes an answer of TestState for people: what it has as texts of JSON is shown as JSON.
func opened(answer []byte) []byte {
	tree, err := jsonvalue.Parse(answer)
	o, ok := tree.(*jsonvalue.Object)
	if err != nil || !ok {
		return answer
	}
	open := func(o *jsonvalue.Object, name string) {
		text, _ := o.Get(name)
		s, isText := text.(string)
		if v, err := jsonvalue.ParseString(s); isText && err == nil {
			o.Set(name, v)
		}
	}
	open(o, "output")
	if data, _ := o.Get("inspectionData"); data != nil {
		for _, name := range data.(*jsonvalue.Object).Keys() {
			open(data.(*jsonvalue.Object), name)
		}
	}
	return jsonvalue.Append(nil, o)
}
