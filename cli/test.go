package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/cli/project"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/mock"
)

const testHelp = `Run the test cases of state machines, with mocked tasks and on a clock of their own: waits and retries cost nothing,
nothing is called and nothing is stored.

PATH is a definition (NAME.asl.json), or a directory of which every definition that has mocks is tested. Mocks are read
from NAME.mocks.json beside the definition, or from --mocks, in the format of Step Functions Local (MockConfigFile.json):
a case names the response of each mocked state. Beside AWS's members a case may have Input, the run's input, and Expect:
{"Status", "Output", "Error", "Cause", "Path"}, of which what is there must come true. A case that expects nothing has to
succeed.

With --state NAME one state is tested by itself instead, as the API's TestState does: it prints the state's output, where
it would go on, and with --inspect what its data flow came to. --result or --error answer for what the state calls; without
them a task calls the function that weft.yaml declares.

Exit codes: 0 all cases came out as expected; 1 some did not; 2 wrong flags, mocks or definition; 3 not found.`

// testFlags are the flags of `weft test`.
type testFlags struct {
	mocks, testCase, input string
	json                   bool
	state                  stateFlags
}

func (a *app) testCommand() *cobra.Command {
	var f testFlags
	cmd := &cobra.Command{
		Use:   "test DIR|FILE...",
		Short: "Run the test cases of state machines with mocked tasks, or one state by itself",
		Long:  testHelp,
		Example: `  weft test order.asl.json                           # with order.mocks.json
  weft test . --json                                 # all machines of a directory
  weft test order.asl.json --mocks MockConfigFile.json --case RetryPath
  weft test order.asl.json --state Charge --inspect --input '{"amount": 7}' --result '{"paid": true}'
  weft test order.asl.json --state Charge --error Busy --retried 2`,
		Args: args(1, -1, "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if f.state.name != "" {
				return a.testState(cmd.Context(), args, &f)
			}
			if err := onlyWithState(cmd.Flags()); err != nil {
				return err
			}
			return a.test(cmd.Context(), args, &f)
		},
	}
	fl := cmd.Flags()
	fl.StringVar(&f.mocks, "mocks", "", "mock `FILE` (default NAME.mocks.json beside the definition)")
	fl.StringVar(&f.testCase, "case", "", "run only the test case of this `NAME`")
	fl.StringVar(&f.input, "input", "", "`JSON`, @FILE, or - for stdin: the input of cases that have none of their own (default {})")
	fl.BoolVar(&f.json, "json", false, "print the results as one JSON object")
	f.state.add(fl)
	return cmd
}

// suite is a definition with its test cases.
type suite struct {
	file    string
	machine *asl.Machine
	cases   *mock.Machine
}

// verdict is what came of a test case, as --json prints it.
type verdict struct {
	File        string          `json:"file"`
	Machine     string          `json:"machine"`
	Case        string          `json:"case"`
	OK          bool            `json:"ok"`
	Status      string          `json:"status"`
	Output      json.RawMessage `json:"output"`
	Error       *string         `json:"error"`
	Cause       *string         `json:"cause"`
	Path        []string        `json:"path"`
	Elapsed     int64           `json:"virtual_ms"`
	Differences []string        `json:"differences"`

	visits []mock.Visit
}

func (a *app) test(_ context.Context, paths []string, f *testFlags) error {
	input, err := a.readInput(f.input)
	if err != nil {
		return err
	}
	if input != nil {
		if input, err = jsonvalue.Compact(nil, input); err != nil {
			return fault.New("", fault.InvalidInput, "--input", "%w", err)
		}
	}
	suites, err := a.suites(paths, f)
	if err != nil {
		return err
	}
	var all []*verdict
	for _, s := range suites {
		found := false
		for _, c := range s.cases.Cases {
			if f.testCase == "" || c.Name == f.testCase {
				found = true
				all = append(all, s.run(c, input, a.Now()))
			}
		}
		if !found && f.testCase != "" && len(suites) == 1 {
			return fault.New("", fault.ResourceNotFound, f.testCase, "%s has no test case of this name; it has %s", s.cases.Name, caseNames(s.cases))
		}
	}
	return a.printVerdicts(all, f.json)
}

func caseNames(m *mock.Machine) string {
	names := make([]string, len(m.Cases))
	for i, c := range m.Cases {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

// suites reads all that is to be tested before anything is.
func (a *app) suites(paths []string, f *testFlags) ([]*suite, error) {
	var all []*suite
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, fault.New("", fault.ResourceNotFound, path, "cannot be read: %w", errors.Unwrap(err))
		}
		files := []string{path}
		if info.IsDir() {
			if files, err = tested(path, f.mocks); err != nil {
				return nil, err
			}
		}
		for _, file := range files {
			s, err := a.suite(file, f)
			if err != nil {
				return nil, err
			}
			all = append(all, s)
		}
	}
	return all, nil
}

// tested returns the definitions of a directory that have mocks.
func tested(dir, mocks string) ([]string, error) {
	all, err := filepath.Glob(filepath.Join(dir, "*.asl.*"))
	if err != nil {
		return nil, fault.New("", fault.InvalidArgument, dir, "%w", err)
	}
	var found []string
	for _, file := range all {
		if _, err := os.Stat(mocksOf(file, mocks)); err == nil && filepath.Ext(file) != "" {
			found = append(found, file)
		}
	}
	if len(found) == 0 {
		return nil, fault.New("", fault.ResourceNotFound, dir, "no definition here has mocks; put NAME.mocks.json beside NAME.asl.json, or name a file with --mocks")
	}
	return found, nil
}

// mocksOf is the mock file of a definition.
func mocksOf(definition, given string) string {
	if given != "" {
		return given
	}
	base, _, _ := strings.Cut(filepath.Base(definition), ".asl.")
	return filepath.Join(filepath.Dir(definition), base+".mocks.json")
}

func (a *app) suite(path string, f *testFlags) (*suite, error) {
	def, err := a.readDefinition(path)
	if err != nil {
		return nil, err
	}
	m, err := a.check(def)
	if err != nil {
		return nil, err
	}
	file := mocksOf(path, f.mocks)
	mocks, err := readMocks(file)
	if err != nil {
		return nil, err
	}
	name := project.MachineName(path)
	cases := mocks.Machine(name)
	if cases == nil && len(mocks.Machines) == 1 {
		cases = mocks.Machines[0]
	}
	if cases == nil {
		return nil, fault.New("", fault.ResourceNotFound, shortPath(file), "StateMachines has none of the name %q", name)
	}
	for _, c := range cases.Cases {
		if unknown := c.Unknown(m); len(unknown) > 0 {
			return nil, fault.New("", fault.InvalidArgument, shortPath(file), "test case %s mocks %s, which is no Task, Map or Parallel state of %s",
				c.Name, strings.Join(unknown, ", "), def.name)
		}
	}
	return &suite{file: def.name, machine: m, cases: cases}, nil
}

// readMocks reads a mock file.
func readMocks(path string) (*mock.File, error) {
	text, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fault.New("", fault.ResourceNotFound, shortPath(path), "there is no such mock file")
	case err != nil:
		return nil, fault.New("", fault.ResourceNotFound, shortPath(path), "cannot be read: %w", errors.Unwrap(err))
	case len(text) > limits.Default.DefinitionBytes:
		return nil, fault.New("", fault.InvalidArgument, shortPath(path), "the mock file is larger than %s bytes", console.Number(int64(limits.Default.DefinitionBytes)))
	}
	f, err := mock.Parse(text)
	if err != nil {
		return nil, fault.New("", fault.InvalidArgument, shortPath(path), "%w", err)
	}
	return f, nil
}

// run runs one case.
func (s *suite) run(c *mock.Case, input []byte, now time.Time) *verdict {
	v := &verdict{File: s.file, Machine: s.cases.Name, Case: c.Name, Path: []string{}, Differences: []string{}}
	if c.Input != nil {
		input = c.Input
	}
	arn := "arn:aws:states:us-east-1:000000000000:"
	r, err := mock.Run(&mock.Test{
		Definition: s.machine, Mocks: c, Input: input, Start: now.UnixMilli(),
		Execution: machine.Execution{ID: arn + "execution:" + s.cases.Name + ":" + c.Name, Name: c.Name,
			MachineID: arn + "stateMachine:" + s.cases.Name, MachineName: s.cases.Name, RoleARN: testRole},
	})
	if err != nil {
		v.Status, v.Differences = "RUNNING", []string{sentence(err)}
		return v
	}
	v.Status, v.Output, v.Error, v.Cause, v.Path, v.Elapsed, v.visits = r.Status.String(), r.Output, r.Error, r.Cause, r.Path(), r.Elapsed, r.Visits
	expect := c.Expect
	if expect == nil {
		expect = &mock.Expect{Status: machine.Succeeded.String()}
	}
	if d := expect.Differences(r); d != nil {
		v.Differences = d
	}
	v.OK = len(v.Differences) == 0
	return v
}

// testRole is the role that tests run under: nobody asks for it, but the context object shows one.
const testRole = "arn:aws:iam::000000000000:role/test"

// printVerdicts shows what came of all cases. The error says how the process ends.
func (a *app) printVerdicts(all []*verdict, asJSON bool) error {
	failed := 0
	for _, v := range all {
		if !v.OK {
			failed++
		}
	}
	if asJSON {
		text, err := marshal(struct {
			Tests  []*verdict `json:"tests"`
			Passed int        `json:"passed"`
			Failed int        `json:"failed"`
		}{all, len(all) - failed, failed})
		if err != nil {
			return err
		}
		if err := a.printValue(text); err != nil {
			return err
		}
	} else {
		a.showVerdicts(all, failed)
	}
	if failed > 0 {
		return runFailed{machine.Failed}
	}
	return nil
}

func (a *app) showVerdicts(all []*verdict, failed int) {
	style, file := a.outStyle(), ""
	for _, v := range all {
		if v.File != file {
			file = v.File
			fmt.Fprintln(a.Out, style.Bold(console.Clean(file)))
		}
		mark := style.Green("ok  ")
		if !v.OK {
			mark = style.Red("FAIL")
		}
		fmt.Fprintf(a.Out, "  %s %s  %s\n", mark, console.Clean(v.Case), style.Dim(v.summary()))
		fmt.Fprintf(a.Out, "       %s\n", console.Clean(pathOf(v.visits)))
		for _, d := range v.Differences {
			fmt.Fprintf(a.Out, "       %s\n", console.CleanLines(d))
		}
		if !v.OK && v.Cause != nil {
			fmt.Fprintf(a.Out, "       cause: %s\n", console.CleanLines(*v.Cause))
		}
	}
	fmt.Fprintf(a.Out, "%s, %d failed\n", console.Count(int64(len(all)), "case"), failed)
}

// summary says how a run ended and how long it would have taken.
func (v *verdict) summary() string {
	s := v.Status
	if v.Error != nil {
		s += " " + console.Clean(*v.Error)
	}
	if v.Elapsed > 0 {
		s += ", " + console.Elapsed(time.Duration(v.Elapsed)*time.Millisecond) + " of virtual time"
	}
	return s
}

// pathOf writes a run's way: "Charge (3 attempts: Busy, Busy) → Ship ×2 → Done".
func pathOf(visits []mock.Visit) string {
	var steps []string
	for i := 0; i < len(visits); i++ {
		step, n := visits[i].State, 1
		if v := &visits[i]; v.Attempts > 1 || len(v.Errors) > 0 {
			step += fmt.Sprintf(" (%s: %s)", console.Count(int64(v.Attempts), "attempt"), strings.Join(v.Errors, ", "))
		} else {
			for i+1 < len(visits) && visits[i+1].State == v.State && visits[i+1].Attempts <= 1 && len(visits[i+1].Errors) == 0 {
				i, n = i+1, n+1
			}
		}
		if n > 1 {
			step += fmt.Sprintf(" ×%d", n)
		}
		steps = append(steps, step)
	}
	return strings.Join(steps, " → ")
}
