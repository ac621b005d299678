package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/cli/progress"
	"github.com/weftworks/weft/cli/project"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

// runFlags are the flags of `weft run`.
type runFlags struct {
	input, config, data, name string
	timeout                   time.Duration
	json, quiet               bool
	speculation               string
}

const runHelp = `Run a state machine to its end, in this process, and print its result.

PATH is a definition (*.asl.json, *.asl.yaml), or a directory that holds machine.asl.json or exactly one
such file; - reads a definition (JSON) from stdin. Functions are declared in the weft.yaml beside it, or where
--config says; in a directory, input.json is the input unless --input says otherwise. Go functions are
built before anything is started.

Progress goes to stderr, the result alone to stdout. Without --data the run lives in memory. With
--data and --name every step is kept on disk: if the process is killed, the same command resumes the
run where it stopped; if the run has ended, it prints the result again.

Exit codes: 0 succeeded; 1 failed, timed out or aborted; 2 wrong flags, input or definition; 3 not
found; 4 conflict; 5 unavailable; 6 data corrupt; 130 interrupted.`

func (a *app) runCommand() *cobra.Command {
	var f runFlags
	cmd := &cobra.Command{
		Use:   "run DIR|FILE|-",
		Short: "Run a state machine to its end and print its result",
		Long:  runHelp,
		Example: `  weft run examples/wordcount
  weft run greet.asl.json --input '{"name": "Ada"}'
  weft run order --input @order.json --data ./data --name order-7    # survives kill -9
  weft run order --json --quiet | jq .output
  jq '.StartAt = "Pay"' order/machine.asl.json | weft run - --config order/weft.yaml`,
		Args: args(1, 1, "PATH"),
		RunE: func(cmd *cobra.Command, args []string) error { return a.run(cmd.Context(), args[0], f) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.input, "input", "", "`JSON`, @FILE, or - for stdin (default input.json in DIR, else {})")
	fl.StringVar(&f.config, "config", "", "`FILE` that declares the functions (default weft.yaml beside the machine)")
	fl.StringVar(&f.data, "data", "", "keep the run in `DIR`; needs --name")
	fl.StringVar(&f.name, "name", "", "`NAME` of the run; the same one in the same --data resumes it")
	fl.DurationVar(&f.timeout, "timeout", 0, "stop the run if it has not ended after `DURATION`, e.g. 30s or 5m; 0: never")
	fl.BoolVar(&f.json, "json", false, "print status, output, error, cause, arn, events and elapsed_ms as one JSON object")
	fl.BoolVar(&f.quiet, "quiet", false, "show no progress and no notes; errors are still shown")
	speculationFlag(fl.StringVar, &f.speculation)
	return cmd
}

func speculationFlag(add func(p *string, name, value, usage string), to *string) {
	add(to, "speculation", "local", "`LEVEL`: what may go before it is durable: local (idempotent functions, this node) or none")
}

func parseSpeculation(s string) (engine.Speculation, error) {
	switch s {
	case "local":
		return engine.SpeculationLocal, nil
	case "none":
		return engine.SpeculationNone, nil
	}
	return 0, usage("--speculation %q is not known; use local or none", s)
}

// job is one `weft run` on its way.
type job struct {
	a       *app
	path    string // as given
	flags   runFlags
	project *project.Project
	def     *definition
	machine *asl.Machine
	input   []byte
	given   bool // the user said which input, so a resumed run with another one is worth a word
	fns     *functions
	node    node
	id      engine.RunID
	notes   chan string // from functions: builds
	signals <-chan os.Signal
}

func (a *app) run(ctx context.Context, path string, f runFlags) error {
	j := &job{a: a, path: path, flags: f}
	spec, err := j.prepare(path)
	if err != nil {
		return err
	}
	signals, release := a.Interrupts()
	defer release()
	j.signals = signals
	if err := j.openFunctions(); err != nil {
		return err
	}
	if err := j.prepareFunctions(ctx); err != nil {
		return errors.Join(err, j.fns.Close())
	}
	o := engine.Options{Dir: f.data, Functions: j.fns, Integrations: j.fns.integrations, Limits: j.fns.config.Limits, Retain: j.fns.config.Retain,
		Speculation: spec, Logger: a.logger()}
	if o.Objects, err = j.fns.openObjects(f.data); err != nil {
		return errors.Join(err, j.fns.Close())
	}
	if j.node, err = engine.Open(o); err != nil {
		return errors.Join(err, j.fns.Close())
	}
	err = j.drive(ctx)
	return j.close(err)
}

// prepare reads and checks everything before anything is started.
func (j *job) prepare(path string) (engine.Speculation, error) {
	f := j.flags
	spec, err := parseSpeculation(f.speculation)
	if err != nil {
		return spec, err
	}
	switch {
	case f.data != "" && f.name == "":
		return spec, usage("--data needs --name: it is by its name that a run is resumed")
	case f.timeout < 0:
		return spec, usage("--timeout must not be negative")
	}
	if err = checkData(f.data); err != nil {
		return spec, err
	}
	if err = j.find(path); err != nil {
		return spec, err
	}
	if j.def, err = j.a.readDefinition(j.project.Machine); err != nil {
		return spec, err
	}
	if j.machine, err = j.a.check(j.def); err != nil {
		return spec, err
	}
	if f.config != "" {
		j.project.Config = f.config
	}
	j.given = f.input != ""
	if j.given {
		j.input, err = j.a.readInput(f.input)
	} else if j.project.Input != "" {
		j.input, err = readInputFile(j.project.Input)
	}
	return spec, err
}

// find sets the project: what lies at path, or a definition on stdin.
func (j *job) find(path string) (err error) {
	if path != "-" {
		j.project, err = project.Find(path)
		return err
	}
	if j.flags.input == "-" {
		return usage("the definition comes from stdin already; give the input as JSON or @FILE")
	}
	j.project = &project.Project{Name: stdinName, Machine: path}
	return nil
}

// stdinName is the name of a machine that is read from stdin.
const stdinName = "stdin"

// openFunctions reads weft.yaml and refuses a machine that calls what it does not declare.
func (j *job) openFunctions() error {
	j.notes = make(chan string, 64)
	var err error
	j.fns, err = openFunctions(j.project.Config, functionOptions{log: j.a.logger(), say: func(text string) {
		select {
		case j.notes <- "weft: " + text:
		default: // nobody reads: the run has ended
		}
	}})
	if err != nil {
		return err
	}
	_, problems := j.def.parse(j.fns.integrations)
	problems = append(problems, undeclared(j.def, j.machine, j.fns, j.project.Config)...)
	if err := j.a.refuse(j.def, problems); err != nil {
		return errors.Join(err, j.fns.Close())
	}
	return nil
}

// drive registers the machine, starts or resumes the run and reports its end.
func (j *job) drive(ctx context.Context) error {
	j.id = engine.RunID{Machine: j.project.Name, Name: j.flags.name}
	if j.id.Name == "" {
		j.id.Name = uuid.NewString()
	}
	run, err := j.resume(ctx)
	if err == nil && run == nil {
		run, err = j.start(ctx)
	}
	if err != nil {
		return err
	}
	return j.follow(ctx, run)
}

// note prints prose unless --quiet.
func (j *job) note(format string, args ...any) {
	if !j.flags.quiet {
		j.a.note(format, args...)
	}
}

// resume returns the run if the directory has it already, else nil.
func (j *job) resume(ctx context.Context) (*engine.Run, error) {
	if j.flags.data == "" {
		return nil, nil
	}
	run, err := j.node.Run(ctx, j.id)
	if fault.Is(err, fault.RunNotFound) || fault.Is(err, fault.MachineNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if run.Status == machine.Running {
		j.note("resuming %s/%s, started %s ago, %s so far", j.id.Machine, j.id.Name,
			console.Elapsed(j.a.Now().Sub(time.UnixMilli(run.Started))), console.Count(run.Events, "event"))
	} else {
		j.note("%s/%s has ended already; this is its result. For a new run choose another --name", j.id.Machine, j.id.Name)
	}
	j.compare(ctx, run)
	return run, nil
}

// compare says what differs between what the run was started with and what the command names now.
func (j *job) compare(ctx context.Context, run *engine.Run) {
	if kept, err := j.node.RunDefinition(ctx, j.id); err == nil && string(kept.Definition) != string(j.def.json) {
		j.note("%s has changed since; the run keeps the definition it started with", j.def.name)
		if m, problems := newDefinition(j.def.name, kept.Definition).parse(asl.AnyIntegration); countErrors(problems) == 0 {
			j.machine = m
		}
	}
	if j.given && console.CompactJSON(run.Input) != console.CompactJSON(j.input) {
		j.note("--input differs from the input the run was started with, which it keeps")
	}
}

// start registers the machine and starts a new run.
func (j *job) start(ctx context.Context) (*engine.Run, error) {
	if err := register(ctx, j.node, j.project.Name, j.def.json); err != nil {
		return nil, err
	}
	return j.node.StartRun(ctx, engine.StartRun{Machine: j.id.Machine, Name: j.id.Name, Input: j.input})
}

// register creates the machine, or gives it this definition if it exists.
func register(ctx context.Context, n node, name string, definition []byte) error {
	_, err := n.CreateMachine(ctx, engine.CreateMachine{Name: name, Definition: definition})
	if fault.Is(err, fault.MachineExists) {
		_, err = n.UpdateMachine(ctx, engine.UpdateMachine{Name: name, Definition: definition})
	}
	return err
}

// follow watches the run to its end and prints the result.
func (j *job) follow(ctx context.Context, run *engine.Run) error {
	board := progress.NewBoard(j.machine)
	var v view = progress.Silent{}
	if run.Status == machine.Running {
		v = j.a.newView(j.flags.quiet, j.project.Name, time.UnixMilli(run.Started))
	}
	f := &follower{src: local{j.node, j.id}, board: board, view: v, now: j.a.Now, notes: j.notes, signals: j.signals, timeout: j.flags.timeout}
	switch err := f.follow(ctx); {
	case errors.Is(err, errStopWaiting):
		return j.interrupted(ctx)
	case errors.Is(err, errTimeout):
		if err := j.timedOut(ctx); err != nil {
			return err
		}
	case err != nil:
		return err
	}
	ended, err := j.node.Run(ctx, j.id)
	if err != nil {
		return err
	}
	if err := f.catchUp(ctx); err != nil {
		return err
	}
	failure := board.Failure()
	res := resultOf(ended)
	if run.Status == machine.Running && res.Status == machine.Succeeded {
		j.note("%s", res.headline(failure))
	}
	return j.a.printResult(res, failure, j.flags.json, j.logsOf(failure), j.historyHint())
}

// interrupted leaves the run to a later command if it is kept, and aborts it if it is not.
func (j *job) interrupted(ctx context.Context) error {
	if j.flags.data != "" {
		j.a.note("interrupted; the run is kept. The same command resumes it:\n  %s", j.command())
		return errInterrupted
	}
	j.a.note("interrupted; the run is aborted. With --data DIR --name NAME it could be resumed")
	_, err := j.node.StopRun(ctx, j.id, engine.Reason{Cause: new("interrupted")})
	if err != nil {
		return err
	}
	return errInterrupted
}

func (j *job) timedOut(ctx context.Context) error {
	cause := fmt.Sprintf("the run had not ended after --timeout %s", j.flags.timeout)
	_, err := j.node.StopRun(ctx, j.id, engine.Because("States.Timeout", cause))
	return err
}

// command is what to type to go on with this run.
func (j *job) command() string {
	words := []string{"weft", "run", j.path, "--data", j.flags.data, "--name", j.flags.name}
	if j.flags.config != "" {
		words = append(words, "--config", j.flags.config)
	}
	for i := range words {
		words[i] = quoteSh(words[i])
	}
	return strings.Join(words, " ")
}

func (j *job) historyHint() string {
	if j.flags.data == "" {
		return "To keep its history, run it with --data DIR --name NAME."
	}
	return fmt.Sprintf("Its history: weft serve --data %s, then weft runs history %s/%s", quoteSh(j.flags.data), j.id.Machine, j.id.Name)
}

// logsOf returns the last log lines of the function that the failed state calls.
func (j *job) logsOf(f progress.Failure) functionLogs {
	if f.Raised != nil {
		f = *f.Raised
	}
	for s := range states(&j.machine.Graph) {
		if s.Name == f.State && s.Task != nil {
			name := functionOf(s)
			return functionLogs{function: name, tail: j.fns.tailOf(name)}
		}
	}
	return functionLogs{}
}

// close releases node and functions, and gives up doing so nicely on a second Ctrl-C.
func (j *job) close(err error) error {
	done := make(chan error, 1)
	go func() { done <- errors.Join(j.node.Close(), j.fns.Close()) }()
	select {
	case closed := <-done:
		if err == nil && closed != nil {
			j.a.note("closing: %v", closed)
		}
		return err
	case <-j.signals:
		return errInterrupted
	}
}

// undeclared returns a problem for every state that calls a function nobody declared.
func undeclared(d *definition, m *asl.Machine, fns *functions, config string) []problem {
	var out []problem
	for s := range states(&m.Graph) {
		name := functionOf(s)
		if name == "" {
			continue
		}
		if _, ok := fns.Lookup(name); ok {
			continue
		}
		line, column := d.place(s.Pos.Line, s.Pos.Column)
		out = append(out, problem{line: line, column: column,
			message: fmt.Sprintf("state %q calls function %q, which is not declared", s.Name, name), fix: declareHint(name, fns.names(), config, d.path)})
	}
	return out
}

// declareHint says what to write to declare a function, and which ones there are.
func declareHint(name string, declared []string, config, machinePath string) string {
	where := shortPath(config)
	if config == "" && machinePath == "" {
		where = "a file and name it with --config"
	} else if config == "" {
		where = "a new " + shortPath(filepath.Join(filepath.Dir(machinePath), project.ConfigName))
	}
	hint := fmt.Sprintf("declare it under functions: in %s, for example\n  %s: {runtime: python, handler: %s.handler}", where, name, strings.ReplaceAll(name, "-", "_"))
	if len(declared) == 0 {
		return hint
	}
	if near := nearest(name, declared); near != "" {
		hint = fmt.Sprintf("did you mean %q? Otherwise %s", near, hint)
	}
	const shown = 12
	list := strings.Join(declared[:min(len(declared), shown)], ", ")
	if len(declared) > shown {
		list += ", …"
	}
	return hint + "\ndeclared are: " + list
}

// nearest returns the name that could be meant by a mistyped one: at most a third of it differs; "" for none.
func nearest(name string, names []string) string {
	best, bestAt := "", max(len(name)/3, 1)+1
	for _, n := range names {
		if d := edits(name, n); d < bestAt {
			best, bestAt = n, d
		}
	}
	return best
}

// edits is the number of insertions, deletions, substitutions and swaps of neighbours from a to b, case ignored.
func edits(a, b string) int {
	a, b = strings.ToLower(a), strings.ToLower(b)
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}

// functionOf returns the name of the function a state calls; "" when it calls none, or which one depends on
// the input.
func functionOf(s *asl.State) string {
	if s.Task == nil {
		return ""
	}
	if s.Task.Target.Kind != asl.TargetLambdaInvoke {
		return s.Task.Target.Function
	}
	if s.Parameters == nil {
		return ""
	}
	root := &s.Parameters.Root
	if o, ok := root.Literal.(*jsonvalue.Object); ok { // nothing in it depends on the input
		v, _ := o.Get("FunctionName")
		name, _ := v.(string)
		return name
	}
	for _, f := range root.Fields {
		if f.Key == "FunctionName" && f.Node.Expr == nil {
			name, _ := f.Node.Literal.(string)
			return name
		}
	}
	return ""
}
