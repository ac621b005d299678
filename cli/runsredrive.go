package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/server/rest"
)

func (a *app) runsRedrive(r *remote) *cobra.Command {
	var in rest.Redrive
	var edit, skip, input, output string
	var wait, quiet bool
	cmd := &cobra.Command{
		Use:   "redrive RUN",
		Short: "Take a run of a state machine that did not succeed up where it stood",
		Long: `Take a run that failed, timed out or was stopped up again, in every state in which it stood. What had succeeded stays
as it is; states are tried again with all their retries.

A state that would fail again can be tried with another input (--edit) or be skipped with an output of your own (--skip).`,
		Example: `  weft runs redrive order/7
  weft runs redrive order/7 --edit Charge --input '{"card": "new"}' --wait
  weft runs redrive order/7 --skip Notify --output '{"sent": false}'`,
		Args: args(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			switch {
			case edit != "" && skip != "":
				return usage("--edit and --skip exclude each other")
			case (edit != "") != cmd.Flags().Changed("input"), (skip != "") != cmd.Flags().Changed("output"):
				return usage("give --edit STATE with --input JSON, or --skip STATE with --output JSON")
			}
			in.State = edit + skip
			if in.Input, err = a.readJSON("--input", input); err != nil {
				return err
			}
			if in.Output, err = a.readJSON("--output", output); err != nil {
				return err
			}
			arn, err := r.machineRunARN(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			run, err := r.c.RedriveRun(cmd.Context(), arn, in)
			if err != nil {
				return err
			}
			return a.goesOn(cmd.Context(), r, run, "redriven", wait, quiet)
		},
	}
	f := cmd.Flags()
	f.StringVar(&edit, "edit", "", "try `STATE` with the --input")
	f.StringVar(&input, "input", "", "`JSON`, @FILE, or - for stdin: the state's input")
	f.StringVar(&skip, "skip", "", "leave `STATE` with the --output instead of trying it")
	f.StringVar(&output, "output", "", "`JSON`, @FILE, or - for stdin: what the state is left with")
	followFlags(cmd, &wait, &quiet)
	return cmd
}

func (a *app) runsRerun(r *remote) *cobra.Command {
	var in rest.Rerun
	var input string
	var wait, quiet bool
	cmd := &cobra.Command{
		Use:   "rerun RUN --from STATE",
		Short: "Start a new run of a run's machine that begins with a state in the middle",
		Long: `Start a new run of a run's machine, as the machine is defined now, that begins with a state in the middle. Its input is
what the run last entered the state with, unless --input says otherwise. The run itself stays as it is.`,
		Example: `  weft runs rerun order/7 --from Charge
  weft runs rerun order/7 --from Charge --input '{"card": "new"}' --name again --wait`,
		Args: args(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if in.From == "" {
				return usage("name the state to begin with: --from STATE")
			}
			if in.Input, err = a.readInput(input); err != nil {
				return err
			}
			arn, err := r.machineRunARN(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			run, err := r.c.Rerun(cmd.Context(), arn, in)
			if err != nil {
				return err
			}
			return a.goesOn(cmd.Context(), r, run, "started", wait, quiet)
		},
	}
	f := cmd.Flags()
	f.StringVar(&in.From, "from", "", "`STATE` of the machine to begin with")
	f.StringVar(&input, "input", "", "`JSON`, @FILE, or - for stdin (default what the run last entered the state with)")
	f.StringVar(&in.Name, "name", "", "`NAME` of the new run (default a new UUID)")
	followFlags(cmd, &wait, &quiet)
	return cmd
}

func followFlags(cmd *cobra.Command, wait, quiet *bool) {
	cmd.Flags().BoolVar(wait, "wait", false, "follow the run to its end, as weft runs wait does")
	cmd.Flags().BoolVar(quiet, "quiet", false, "with --wait: show no progress")
}

// goesOn says what was done to a run, and follows it if asked to.
func (a *app) goesOn(ctx context.Context, r *remote, run *rest.MachineRun, did string, wait, quiet bool) error {
	switch {
	case wait:
		a.note("%s %s/%s", did, run.Machine, run.Name)
		return a.waitFor(ctx, r, run.ARN, 0, quiet)
	case r.json:
		return r.object(run)
	case did == "started":
		_, err := fmt.Fprintln(a.Out, run.ARN)
		return err
	}
	a.note("%s %s/%s", did, run.Machine, run.Name)
	return nil
}

// machineRunARN returns the ARN of a run of a state machine; a workflow's is the wrong kind.
func (r *remote) machineRunARN(ctx context.Context, ref string) (string, error) {
	found, err := r.find(ctx, ref)
	if err != nil {
		return "", err
	}
	if found.workflow != nil {
		return "", usage("%s is a run of a workflow; this command is for runs of state machines (a failed workflow: `weft runs rewind`)", ref)
	}
	return found.machine.ARN, nil
}
