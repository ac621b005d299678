package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/fault"
)

func (a *app) machinesLogs(r *remote) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs NAME|ARN",
		Short: "Print the execution log of a state machine, oldest lines first",
		Long: `Print the execution log of a state machine: one line of JSON for each event that the level of its loggingConfiguration
selects, as Step Functions sends them to CloudWatch Logs.`,
		Example: `  weft machines logs order
  weft machines logs order --follow | jq 'select(.type == "ExecutionFailed")'`,
		Args: args(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if _, err := r.dial(); err != nil {
				return err
			}
			return a.printLog(cmd.Context(), r, args[0][strings.LastIndexByte(args[0], ':')+1:], follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on with new lines as they come, until interrupted")
	return cmd
}

// logPause is between two looks at a log that had nothing new.
const logPause = 500 * time.Millisecond

// printLog prints what there is and, if follow, what comes. A server that is away for a moment is waited for then.
func (a *app) printLog(ctx context.Context, r *remote, machine string, follow bool) error {
	signals, release := a.Interrupts()
	defer release()
	cursor, lost := "", 0
	for {
		page, err := r.c.MachineLog(ctx, machine, cursor)
		switch {
		case follow && cursor != "" && (fault.Is(err, fault.Unavailable) && lost < unreachableMax || fault.Is(err, fault.Busy)):
			lost++
		case err != nil:
			return err
		default:
			lost, cursor = 0, page.Cursor
			for _, line := range page.Lines {
				if _, err := a.Out.Write(append(line, '\n')); err != nil {
					return err
				}
			}
			if page.More {
				continue
			}
		}
		if !follow {
			return nil
		}
		t := time.NewTimer(logPause)
		select {
		case <-signals:
			t.Stop()
			return errInterrupted
		case <-ctx.Done():
			t.Stop()
			return context.Cause(ctx)
		case <-t.C:
		}
	}
}
