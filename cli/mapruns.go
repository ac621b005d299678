package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/console"
)

// mapRunsMost bounds the Map Runs that are listed of one run.
const mapRunsMost = 1000

func (a *app) mapRunsCommand() *cobra.Command {
	r := &remote{app: a}
	cmd := group(&cobra.Command{
		Use:   "mapruns",
		Short: "List, show and change the Map Runs of distributed Maps",
		Long:  `Work with Map Runs: what a distributed Map in a run of a state machine has done with its items.`,
	})
	r.flags(cmd)
	cmd.AddCommand(a.mapRunsList(r), a.mapRunsShow(r), a.mapRunsUpdate(r))
	return cmd
}

func (a *app) mapRunsList(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "list RUN", Short: "List the Map Runs of a run, newest first", Args: args(1, 1, "RUN"),
		Example: "  weft mapruns list import/monday",
		RunE: func(cmd *cobra.Command, args []string) error {
			run, err := r.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if run.machine == nil {
				return usage("%s is no run of a state machine", args[0])
			}
			c, err := r.dial()
			if err != nil {
				return err
			}
			all, err := mapRunsOf(cmd.Context(), c, run.machine.ARN)
			if err != nil {
				return err
			}
			for _, m := range all {
				if r.json {
					if err := r.line(m); err != nil {
						return err
					}
					continue
				}
				if _, err := fmt.Fprintf(a.Out, "%s  %s\n", m.ARN, mapRunLine(m)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// mapRunsOf returns the Map Runs of a run with their counts.
func mapRunsOf(ctx context.Context, c *client.Client, runARN string) (all []*client.MapRun, err error) {
	for m, err := range c.MapRuns(ctx, runARN, 100) {
		if err != nil {
			return nil, err
		}
		if m, err = c.MapRun(ctx, m.ARN); err != nil {
			return nil, err
		}
		if all = append(all, m); len(all) == mapRunsMost {
			break
		}
	}
	return all, nil
}

// mapRunsShown returns the Map Runs that are shown beside a run: none where they cannot be had, as the run is what was asked for.
func mapRunsShown(ctx context.Context, r *remote, runARN string) []*client.MapRun {
	c, err := r.dial()
	if err != nil {
		return nil
	}
	all, err := mapRunsOf(ctx, c, runARN)
	if err != nil {
		return nil
	}
	return all
}

// mapRunLine says in a line how far a Map Run is.
func mapRunLine(m *client.MapRun) string {
	n := &m.Items
	failed := n.Failed + n.TimedOut + n.Aborted
	text := fmt.Sprintf("%s  %d of %d items", m.Status, n.Succeeded+failed, n.Total)
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	if n.Running > 0 {
		text += fmt.Sprintf(", %d running", n.Running)
	}
	return text
}

func (a *app) mapRunsShow(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "show ARN", Short: "Show a Map Run with its counts", Args: args(1, 1, "ARN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			m, err := c.MapRun(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if r.json {
				return r.object(m)
			}
			f := a.fields()
			f.head(m.ARN)
			f.printf("  %s  %s\n", f.style.Dim(console.Pad("status", 10)), colourStatus(f.style, m.Status))
			f.line("run", m.RunARN)
			f.line("started", r.clock(m.Started))
			if m.Stopped != 0 {
				f.line("stopped", r.clock(m.Stopped))
			}
			f.line("items", countsLine(&m.Items))
			f.line("children", countsLine(&m.Children))
			f.line("at a time", fmt.Sprint(m.MaxConcurrency))
			f.line("may fail", fmt.Sprintf("%d items, %g %%", m.FailureCount, m.FailurePercent))
			if m.Redrives > 0 {
				f.line("redriven", fmt.Sprint(m.Redrives))
			}
			return f.flush()
		},
	}
}

func countsLine(n *client.Counts) string {
	return fmt.Sprintf("%d: %d pending, %d running, %d succeeded, %d failed, %d timed out, %d aborted",
		n.Total, n.Pending, n.Running, n.Succeeded, n.Failed, n.TimedOut, n.Aborted)
}

func (a *app) mapRunsUpdate(r *remote) *cobra.Command {
	var concurrency, count int64
	var percent float64
	cmd := &cobra.Command{
		Use: "update ARN", Short: "Change how many child runs a Map Run has at a time, and how many items may fail", Args: args(1, 1, "ARN"),
		Example: "  weft mapruns update ARN --max-concurrency 50 --tolerated-percentage 2",
		RunE: func(cmd *cobra.Command, args []string) error {
			changes := map[string]any{}
			for flag, change := range map[string]struct {
				name  string
				value any
			}{
				"max-concurrency": {"maxConcurrency", concurrency}, "tolerated-count": {"toleratedFailureCount", count},
				"tolerated-percentage": {"toleratedFailurePercentage", percent},
			} {
				if cmd.Flags().Changed(flag) {
					changes[change.name] = change.value
				}
			}
			if len(changes) == 0 {
				return usage("say what to change: --max-concurrency, --tolerated-count or --tolerated-percentage")
			}
			c, err := r.dial()
			if err != nil {
				return err
			}
			return c.UpdateMapRun(cmd.Context(), args[0], changes)
		},
	}
	cmd.Flags().Int64Var(&concurrency, "max-concurrency", 0, "at most `N` child runs at a time; 0: as many as there may be")
	cmd.Flags().Int64Var(&count, "tolerated-count", 0, "`N` items may fail")
	cmd.Flags().Float64Var(&percent, "tolerated-percentage", 0, "`PERCENT` of all items may fail")
	return cmd
}
