package cli

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/cli/progress"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
)

func (a *app) runsCommand() *cobra.Command {
	r := &remote{app: a}
	cmd := group(&cobra.Command{
		Use:   "runs",
		Short: "Start, list, show, follow and stop the runs of a server's machines",
		Long: `Work with the runs a server keeps (Step Functions calls them executions). A run is named by its ARN,
by MACHINE/NAME, or by its bare name while only one machine has a run of that name.`,
	})
	r.flags(cmd)
	cmd.AddCommand(a.runsStart(r), a.runsList(r), a.runsShow(r), a.runsHistory(r), a.runsStop(r), a.runsWait(r))
	return cmd
}

func (a *app) runsStart(r *remote) *cobra.Command {
	var input, name string
	var wait, quiet bool
	cmd := &cobra.Command{
		Use:   "start MACHINE|ARN",
		Short: "Start a run and print its ARN",
		Example: `  weft runs start greet --input '{"name": "Ada"}'
  weft runs start greet --input @order.json --name order-7 --wait`,
		Args: args(1, 1, "MACHINE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.readInput(input)
			if err != nil {
				return err
			}
			c, err := r.dial()
			if err != nil {
				return err
			}
			marn, err := r.machineARN(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			arn, err := c.StartExecution(cmd.Context(), marn, name, string(text))
			if fault.Is(err, fault.RunExists) {
				return fault.New("", fault.RunExists, name, "the machine has a run of this name already, with another input or ended; choose another --name, or look at it with `weft runs show %s/%s`", args[0], name)
			}
			if err != nil {
				return err
			}
			if wait {
				a.note("started %s", runRef(arn))
				return a.waitFor(cmd.Context(), r, arn, 0, quiet)
			}
			if r.json {
				return r.object(map[string]string{"run": runRef(arn), "arn": arn})
			}
			_, err = fmt.Fprintln(a.Out, arn)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&input, "input", "", "`JSON`, @FILE, or - for stdin (default {})")
	f.StringVar(&name, "name", "", "`NAME` of the run, unique for its machine (default a new UUID)")
	f.BoolVar(&wait, "wait", false, "follow the run to its end, as `weft runs wait` does")
	f.BoolVar(&quiet, "quiet", false, "with --wait: show no progress")
	return cmd
}

// runLine is what --json prints for a run in a list.
type runLine struct {
	Run     string  `json:"run"`
	Machine string  `json:"machine"`
	Name    string  `json:"name"`
	ARN     string  `json:"arn"`
	Status  string  `json:"status"`
	Started *string `json:"started"`
	Stopped *string `json:"stopped"`
}

func (a *app) runsList(r *remote) *cobra.Command {
	var limit int
	var status string
	cmd := &cobra.Command{
		Use:   "list [MACHINE|ARN]",
		Short: "List the runs of a machine, or of all, newest first",
		Example: `  weft runs list
  weft runs list greet --status failed --limit 20`,
		Args: args(0, 1, ""),
		RunE: func(cmd *cobra.Command, args []string) error {
			status = strings.ToUpper(strings.ReplaceAll(status, "-", "_"))
			if status != "" && statusByName[status] == 0 {
				return usage("--status %q is not known; use running, succeeded, failed, timed_out or aborted", status)
			}
			if _, err := r.dial(); err != nil {
				return err
			}
			machines, err := a.machinesOf(cmd.Context(), r, args)
			if err != nil {
				return err
			}
			runs, err := a.newest(cmd.Context(), r, machines, status, limit)
			if err != nil {
				return err
			}
			return a.printRuns(r, runs)
		},
	}
	limitFlag(cmd, &limit, 50)
	cmd.Flags().StringVar(&status, "status", "", "only runs with this `STATUS`: running, succeeded, failed, timed_out or aborted")
	return cmd
}

// machinesOf returns the ARNs of the machines to list: the one that was named, or all.
func (a *app) machinesOf(ctx context.Context, r *remote, args []string) ([]string, error) {
	if len(args) == 1 {
		arn, err := r.machineARN(ctx, args[0])
		return []string{arn}, err
	}
	var arns []string
	for m, err := range r.c.Machines(ctx, 1000) {
		if err != nil {
			return nil, err
		}
		if len(arns) == machinesMax {
			a.note("only the first %s machines are listed; name one for all of its runs", console.Number(machinesMax))
			break
		}
		arns = append(arns, m.ARN)
	}
	return arns, nil
}

// newest collects at most limit runs (0: all) over several machines, newest first.
func (a *app) newest(ctx context.Context, r *remote, machines []string, status string, limit int) ([]*client.Run, error) {
	var all []*client.Run
	for _, arn := range machines {
		n := 0
		page := 1000
		if limit > 0 {
			page = limit
		}
		for run, err := range r.c.Runs(ctx, arn, status, page) {
			if err != nil {
				return nil, err
			}
			all = append(all, run)
			if n++; n == limit {
				break
			}
		}
	}
	if len(machines) > 1 {
		sort.SliceStable(all, func(i, j int) bool { return all[i].Started > all[j].Started })
	}
	if limit > 0 && len(all) > limit {
		all = all[:limit]
	}
	return all, nil
}

func (a *app) printRuns(r *remote, runs []*client.Run) error {
	t := console.Table{Header: []string{"RUN", "STATUS", "STARTED", "ELAPSED"}, Right: map[int]bool{3: true},
		Style: a.outStyle(), Paint: paintStatus(1)}
	for _, run := range runs {
		if r.json {
			m, name, _ := strings.Cut(runRef(run.ARN), "/")
			if err := r.line(runLine{m + "/" + name, m, name, run.ARN, run.Status, stamp(run.Started), stamp(run.Stopped)}); err != nil {
				return err
			}
			continue
		}
		t.Add(runRef(run.ARN), run.Status, r.clock(run.Started), console.Elapsed(a.elapsed(run)))
	}
	return a.printTable(r, &t, "no runs; start one with `weft runs start MACHINE`")
}

// elapsed is how long a run took, or has taken so far.
func (a *app) elapsed(run *client.Run) time.Duration {
	end := run.Stopped.Time()
	if run.Stopped == 0 {
		end = a.Now()
	}
	return end.Sub(run.Started.Time())
}

func paintStatus(column int) func(console.Style, int, string) string {
	return func(s console.Style, at int, cell string) string {
		if at != column {
			return cell
		}
		return colourStatus(s, cell)
	}
}

func colourStatus(s console.Style, status string) string {
	switch statusByName[status] {
	case machine.Succeeded:
		return s.Green(status)
	case machine.Running:
		return s.Cyan(status)
	case machine.Aborted:
		return s.Yellow(status)
	case machine.Failed, machine.TimedOut:
		return s.Red(status)
	}
	return status
}

func (a *app) runsShow(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "Show a run with its input and result", Args: args(1, 1, "RUN"),
		Example: "  weft runs show greet/order-7\n  weft runs show greet/order-7 --json | jq .output",
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := a.describeRun(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			if r.json {
				return r.object(showRun(run))
			}
			f := a.fields()
			f.head(runRef(run.ARN))
			f.printf("  %s  %s\n", f.style.Dim(console.Pad("status", 10)), colourStatus(f.style, run.Status))
			f.line("started", r.clock(run.Started))
			if run.Stopped != 0 {
				f.line("stopped", r.clock(run.Stopped))
			}
			f.line("elapsed", console.Elapsed(a.elapsed(run)))
			f.line("arn", run.ARN)
			for _, part := range []struct {
				name string
				text *string
			}{{"error", run.Error}, {"cause", run.Cause}, {"input", run.Input}, {"output", run.Output}} {
				if part.text != nil {
					f.block(part.name, *part.text)
				}
			}
			return f.flush()
		},
	}
}

// showRun is what --json prints for one run.
func showRun(run *client.Run) any {
	return struct {
		runLine
		Input  any     `json:"input"`
		Output any     `json:"output"`
		Error  *string `json:"error"`
		Cause  *string `json:"cause"`
	}{lineOf(run), rawOrString(run.Input), rawOrString(run.Output), run.Error, run.Cause}
}

func lineOf(run *client.Run) runLine {
	m, name, _ := strings.Cut(runRef(run.ARN), "/")
	return runLine{m + "/" + name, m, name, run.ARN, run.Status, stamp(run.Started), stamp(run.Stopped)}
}

func (a *app) describeRun(ctx context.Context, r *remote, ref string) (*client.Run, error) {
	c, err := r.dial()
	if err != nil {
		return nil, err
	}
	arn, err := r.runARN(ctx, ref)
	if err != nil {
		return nil, err
	}
	return c.DescribeExecution(ctx, arn)
}

// given returns a flag's text, nil if the flag is not there.
func given(cmd *cobra.Command, flag, text string) *string {
	if !cmd.Flags().Changed(flag) {
		return nil
	}
	return &text
}

func (a *app) runsStop(r *remote) *cobra.Command {
	var errorName, cause string
	cmd := &cobra.Command{
		Use: "stop RUN", Short: "Abort a run", Args: args(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := a.describeRun(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			if statusByName[run.Status] != machine.Running {
				a.note("%s has ended already: %s", runRef(run.ARN), run.Status)
				return nil
			}
			if err := r.c.StopExecution(cmd.Context(), run.ARN, given(cmd, "error", errorName), given(cmd, "cause", cause)); err != nil {
				return err
			}
			a.note("stopped %s", runRef(run.ARN))
			return nil
		},
	}
	cmd.Flags().StringVar(&errorName, "error", "", "error `NAME` to keep with the run")
	cmd.Flags().StringVar(&cause, "cause", "", "`CAUSE` to keep with the run")
	return cmd
}

func (a *app) runsWait(r *remote) *cobra.Command {
	var timeout time.Duration
	var quiet bool
	cmd := &cobra.Command{
		Use:   "wait RUN",
		Short: "Follow a run to its end, print its result and exit as `weft run` does",
		Args:  args(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := r.dial(); err != nil {
				return err
			}
			arn, err := r.runARN(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.waitFor(cmd.Context(), r, arn, timeout, quiet)
		},
	}
	cmd.Flags().DurationVar(&timeout, "timeout", 0, "stop waiting after `DURATION` (exit 5); the run goes on. 0: never")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "show no progress")
	return cmd
}

// waitFor follows a server's run and prints its result.
func (a *app) waitFor(ctx context.Context, r *remote, arn string, timeout time.Duration, quiet bool) error {
	run, err := r.c.DescribeExecution(ctx, arn)
	if err != nil {
		return err
	}
	board := progress.NewBoard(a.pinned(ctx, r, arn))
	signals, release := a.Interrupts()
	defer release()
	f := &follower{src: served{r.c, arn}, board: board, view: a.newView(quiet, runRef(arn), run.Started.Time()), now: a.Now,
		signals: signals, timeout: timeout, pause: 250 * time.Millisecond}
	switch err := f.follow(ctx); {
	case errors.Is(err, errStopWaiting):
		a.note("stopped waiting; %s goes on. Wait again with: weft runs wait %s", runRef(arn), runRef(arn))
		return errInterrupted
	case errors.Is(err, errTimeout):
		return fault.New("", fault.Busy, runRef(arn), "still running after %s; it goes on", timeout)
	case err != nil:
		return err
	}
	if run, err = r.c.DescribeExecution(ctx, arn); err != nil {
		return err
	}
	res := result{Status: statusByName[run.Status], ARN: arn, Error: run.Error, Cause: run.Cause, Events: board.Events,
		Elapsed: a.elapsed(run), MachineRun: runRef(arn)}
	if run.Output != nil {
		res.Output = []byte(*run.Output)
	}
	return a.printResult(res, board.Failure(), r.json, functionLogs{}, "Its history: weft runs history "+runRef(arn))
}

// pinned returns the definition a run keeps, to show its states in their order; nil when it cannot be had.
func (a *app) pinned(ctx context.Context, r *remote, arn string) *asl.Machine {
	kept, err := r.c.DescribeMachineForRun(ctx, arn)
	if err != nil {
		return nil
	}
	m, problems := newDefinition(kept.Name, []byte(kept.Definition)).parse()
	if countErrors(problems) > 0 {
		return nil
	}
	return m
}
