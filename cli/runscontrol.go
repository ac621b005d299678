package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/rest"
)

// verb is a command that changes a run of a workflow.
type verb struct {
	name, did, short string
	recursive        bool // it has --recursive
	silent           bool // it takes no reason
	// machine does the same to the run of a state machine with an ARN; nil: there is no such thing.
	machine func(c *client.Client, ctx context.Context, arn string) (*rest.MachineRun, error)
}

var verbs = []verb{
	{name: "suspend", did: "suspended", short: "Hold a run: no state or step of it begins until it is resumed", machine: (*client.Client).PauseRun},
	{name: "resume", did: "resumed", short: "Let a suspended run go on", machine: (*client.Client).ResumeRun},
	{name: "terminate", did: "terminated", short: "End a run of a workflow, and the runs it waits for", recursive: true},
	{name: "rewind", did: "rewound", short: "Take a failed run back to before its failure and make the failed calls again"},
	{name: "restart", did: "restarted", short: "Begin an ended run anew, with the input it had", silent: true},
}

func (a *app) runsChange(r *remote, v verb) *cobra.Command {
	var in rest.Change
	cmd := &cobra.Command{
		Use: v.name + " RUN", Short: v.short, Args: args(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if v.machine != nil {
				found, err := r.find(cmd.Context(), args[0])
				if err != nil {
					return err
				}
				if found.machine != nil {
					run, err := v.machine(r.c, cmd.Context(), found.machine.ARN)
					if err != nil {
						return err
					}
					return a.goesOn(cmd.Context(), r, run, v.did, false, false)
				}
			}
			return a.change(cmd.Context(), r, args[0], v.did, func() (*rest.Run, error) { return r.c.Change(cmd.Context(), args[0], v.name, in) })
		},
	}
	if !v.silent {
		cmd.Flags().StringVar(&in.Reason, "reason", "", "`TEXT` to keep with the run")
	}
	if v.recursive {
		cmd.Flags().BoolVar(&in.Recursive, "recursive", true, "the runs it waits for, too")
	}
	return cmd
}

// change does something to a run of a workflow and says so.
func (a *app) change(ctx context.Context, r *remote, ref, did string, do func() (*rest.Run, error)) error {
	if _, err := r.dial(); err != nil {
		return err
	}
	run, err := do()
	if err != nil {
		return a.notWorkflow(ctx, r, ref, err)
	}
	if did == "terminated" && run.Status != "TERMINATED" {
		a.note("%s has ended already: %s", run.ID, run.Status)
	} else {
		a.note("%s %s", did, run.ID)
	}
	if r.json {
		return r.object(run)
	}
	return nil
}

// notWorkflow explains why something could not be done to a run of a workflow, if it is not there.
func (a *app) notWorkflow(ctx context.Context, r *remote, ref string, err error) error {
	if !fault.Is(err, fault.RunNotFound) && !fault.Is(err, fault.Unsupported) {
		return err
	}
	found, missing := r.find(ctx, ref)
	switch {
	case missing != nil:
		return missing
	case found.machine != nil:
		return usage("%s is a run of a state machine, to which `weft runs stop`, `suspend`, `resume`, `redrive` and `rerun` go", ref)
	}
	return err
}

func (a *app) runsRaise(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:   "raise RUN EVENT [JSON|@FILE|-]",
		Short: "Raise an external event in a run of a workflow",
		Example: `  weft runs raise order-7 approval true
  weft runs raise order-7 address @address.json
  jq .address order.json | weft runs raise order-7 address -`,
		Args: args(2, 3, "RUN EVENT"),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := a.optionalJSON("the event's data", args, 2)
			if err != nil {
				return err
			}
			c, err := r.dial()
			if err != nil {
				return err
			}
			if err := c.Raise(cmd.Context(), args[0], args[1], data); err != nil {
				return a.notWorkflow(cmd.Context(), r, args[0], err)
			}
			a.note("raised %s in %s", args[1], args[0])
			return nil
		},
	}
}

// optionalJSON reads the i-th argument, a JSON text, @FILE or -; nil if there is none.
func (a *app) optionalJSON(name string, args []string, i int) ([]byte, error) {
	if i >= len(args) {
		return nil, nil
	}
	if args[i] == "" {
		return nil, fault.New("", fault.InvalidInput, name, "it is empty; write null for none")
	}
	return a.readJSON(name, args[i])
}

func (a *app) runsTag(r *remote) *cobra.Command {
	return &cobra.Command{
		Use:     "tag RUN KEY=VALUE...",
		Short:   "Add tags to a run of a workflow; KEY= removes one",
		Example: "  weft runs tag order-7 shop=north checked=",
		Args:    args(2, -1, "RUN KEY=VALUE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			tags, err := parseTags(args[1:])
			if err != nil {
				return err
			}
			return a.change(cmd.Context(), r, args[0], "tagged", func() (*rest.Run, error) { return r.c.Tag(cmd.Context(), args[0], tags) })
		},
	}
}

func (a *app) runsPurge(r *remote) *cobra.Command {
	var q runQuery
	var recursive bool
	cmd := &cobra.Command{
		Use:   "purge [RUN]",
		Short: "Remove an ended run of a workflow with its history, or all that the flags name",
		Example: `  weft runs purge order-7
  weft runs purge --workflow order --status completed --before 30d`,
		Args: args(0, 1, ""),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (q.ofWorkflows() || q.status != "") {
				return usage("name one run, or say with --workflow, --status, --prefix, --tag, --from or --before which runs to purge")
			}
			c, err := r.dial()
			if err != nil {
				return err
			}
			purged := 0
			if len(args) == 1 {
				if purged, err = c.Purge(cmd.Context(), args[0], recursive); err != nil {
					return a.notWorkflow(cmd.Context(), r, args[0], err)
				}
			} else if purged, err = a.purgeAll(cmd.Context(), r, &q); err != nil {
				return err
			}
			a.note("purged %s", console.Count(int64(purged), "run"))
			if r.json {
				return r.object(rest.Purged{Purged: purged})
			}
			return nil
		},
	}
	q.flags(cmd, "purge")
	cmd.Flags().BoolVar(&recursive, "recursive", true, "the runs it called, too (only with RUN)")
	return cmd
}

func (a *app) purgeAll(ctx context.Context, r *remote, q *runQuery) (int, error) {
	values, err := q.values(a)
	if err != nil {
		return 0, err
	}
	in := rest.Purge{Workflow: q.workflow, Prefix: q.prefix}
	if status := values.Get("status"); status != "" {
		in.Status = []string{status}
	} else if q.status != "" {
		return 0, usage("--status %s: runs of workflows do not have it", q.status)
	}
	if in.Tags, err = parseTags(q.tags); err != nil {
		return 0, err
	}
	if in.From, err = rest.ParseTime(values.Get("from")); err != nil {
		return 0, fmt.Errorf("--from: %w", err)
	}
	if in.Before, err = rest.ParseTime(values.Get("before")); err != nil {
		return 0, fmt.Errorf("--before: %w", err)
	}
	return r.c.PurgeAll(ctx, in)
}
