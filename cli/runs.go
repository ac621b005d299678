package cli

import (
	"context"
	"errors"
	"fmt"
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
		Short: "List, show, follow and control the runs of a server's machines and workflows",
		Long: `Work with the runs a server keeps: runs of state machines (Step Functions calls them executions) and of
workflows written in Go. With --on, start, show, wait, stop and cost talk to a deployment instead, which needs
no server (weft deploy).

A run of a workflow is named by its id. A run of a machine is named by its ARN, by MACHINE/NAME, or by its
bare name while only one machine has a run of that name. Where a name could be either, the workflow's
run is meant; the ARN always names the machine's.`,
	})
	r.flags(cmd)
	cmd.AddCommand(a.runsStart(r), a.runsList(r), a.runsShow(r), a.runsHistory(r), a.runsStop(r), a.runsWait(r), a.runsRaise(r), a.runsTag(r),
		a.runsPurge(r), a.runsCost(r), a.runsRedrive(r), a.runsRerun(r), a.runsDiff(r), a.runsCompare(r))
	for _, verb := range verbs {
		cmd.AddCommand(a.runsChange(r, verb))
	}
	return cmd
}

func (a *app) runsStart(r *remote) *cobra.Command {
	var input, name string
	var wait, quiet bool
	var o *on
	cmd := &cobra.Command{
		Use:   "start MACHINE|ARN",
		Short: "Start a run of a state machine and print its ARN (of a workflow: weft workflows start)",
		Example: `  weft runs start greet --input '{"name": "Ada"}'
  weft runs start greet --input @order.json --name order-7 --wait
  weft runs start --on aws --input @order.json --name order-7`,
		Args: args(0, 1, "MACHINE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.readInput(input)
			switch {
			case err != nil:
				return err
			case o.ref != "" && len(args) > 0:
				return usage("unexpected argument %q; a deployment has one application", args[0])
			case o.ref != "":
				return o.start(cmd.Context(), a, r, text, name, wait)
			case len(args) == 0:
				return usage("MACHINE is missing")
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
	o = onFlags(cmd)
	f := cmd.Flags()
	f.StringVar(&input, "input", "", "`JSON`, @FILE, or - for stdin (default {})")
	f.StringVar(&name, "name", "", "`NAME` of the run, unique for its machine (default a new UUID)")
	f.BoolVar(&wait, "wait", false, "follow the run to its end, as weft runs wait does")
	f.BoolVar(&quiet, "quiet", false, "with --wait: show no progress")
	return cmd
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
	switch status {
	case "SUCCEEDED", "COMPLETED":
		return s.Green(status)
	case "RUNNING", "ACTIVE":
		return s.Cyan(status)
	case "ABORTED", "TERMINATED", "SUSPENDED", "PAUSED":
		return s.Yellow(status)
	case "FAILED", "TIMED_OUT":
		return s.Red(status)
	}
	return status
}

func (a *app) runsShow(r *remote) *cobra.Command {
	var o *on
	cmd := &cobra.Command{
		Use: "show RUN", Short: "Show a run with its input and result", Args: args(1, 1, "RUN"),
		Example: "  weft runs show greet/order-7\n  weft runs show greet/order-7 --json | jq .output\n  weft runs show order-7 --on aws",
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.ref != "" {
				return o.show(cmd.Context(), a, r, args[0])
			}
			found, err := r.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if found.workflow != nil {
				return a.showWorkflowRun(r, found.workflow)
			}
			run := found.machine
			suspended := r.suspended(cmd.Context(), run)
			if r.json {
				return r.object(showRun(run, suspended))
			}
			f := a.fields()
			f.head(runRef(run.ARN))
			status := colourStatus(f.style, run.Status)
			if suspended {
				status += ", " + f.style.Yellow("suspended")
			}
			f.printf("  %s  %s\n", f.style.Dim(console.Pad("status", 10)), status)
			f.line("started", r.clock(run.Started))
			if run.Stopped != 0 {
				f.line("stopped", r.clock(run.Stopped))
			}
			f.line("elapsed", console.Elapsed(a.elapsed(run)))
			f.line("arn", run.ARN)
			for _, m := range mapRunsShown(cmd.Context(), r, run.ARN) {
				f.line("map run", mapRunLine(m))
			}
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
	o = onFlags(cmd)
	return cmd
}

// suspended reports whether a run is held, which DescribeExecution does not say; a server without the REST API holds none.
func (r *remote) suspended(ctx context.Context, run *client.Run) bool {
	if run.Status != "RUNNING" {
		return false
	}
	more, err := r.c.MachineRun(ctx, run.ARN)
	return err == nil && more.Paused
}

// showRun is what --json prints for one run.
func showRun(run *client.Run, suspended bool) any {
	return struct {
		runLine
		Suspended bool    `json:"suspended"`
		Input     any     `json:"input"`
		Output    any     `json:"output"`
		Error     *string `json:"error"`
		Cause     *string `json:"cause"`
	}{lineOf(run), suspended, rawOrString(run.Input), rawOrString(run.Output), run.Error, run.Cause}
}

func lineOf(run *client.Run) runLine {
	m, name, _ := strings.Cut(runRef(run.ARN), "/")
	return runLine{m + "/" + name, m, name, run.ARN, run.Status, stamp(run.Started), stamp(run.Stopped)}
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
	var o *on
	cmd := &cobra.Command{
		Use: "stop RUN", Short: "Abort a run of a state machine", Args: args(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.ref != "" {
				return o.stop(cmd.Context(), a, args[0], errorName, cause)
			}
			found, err := r.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if found.workflow != nil {
				return usage("%s is a run of a workflow: end it with `weft runs terminate`", args[0])
			}
			run := found.machine
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
	o = onFlags(cmd)
	cmd.Flags().StringVar(&errorName, "error", "", "error `NAME` to keep with the run")
	cmd.Flags().StringVar(&cause, "cause", "", "`CAUSE` to keep with the run")
	return cmd
}

func (a *app) runsWait(r *remote) *cobra.Command {
	var timeout time.Duration
	var quiet bool
	var o *on
	cmd := &cobra.Command{
		Use:   "wait RUN",
		Short: "Follow a run to its end, print its result and exit as `weft run` does",
		Args:  args(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.ref != "" {
				return o.wait(cmd.Context(), a, r, args[0], timeout)
			}
			found, err := r.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if found.workflow != nil {
				return a.waitForWorkflow(cmd.Context(), r, found.workflow, timeout)
			}
			return a.waitFor(cmd.Context(), r, found.machine.ARN, timeout, quiet)
		},
	}
	o = onFlags(cmd)
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
	m, problems := newDefinition(kept.Name, []byte(kept.Definition)).parse(asl.AnyIntegration)
	if countErrors(problems) > 0 {
		return nil
	}
	return m
}
