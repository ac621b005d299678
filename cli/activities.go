package cli

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
)

func (a *app) activitiesCommand() *cobra.Command {
	r := &remote{app: a}
	cmd := group(&cobra.Command{
		Use:   "activities",
		Short: "Make and list activities, and do their tasks",
		Long: `Work with activities: queues of tasks that state machines fill and workers empty. A worker polls for a task, does it and
reports by the task's token.`,
	})
	r.flags(cmd)
	cmd.AddCommand(a.activitiesCreate(r), a.activitiesList(r), a.activitiesDelete(r), a.activitiesPoll(r),
		a.activitiesSucceed(r), a.activitiesFail(r), a.activitiesHeartbeat(r))
	return cmd
}

func (a *app) activitiesCreate(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "create NAME", Short: "Make an activity; one that is there stays as it is", Args: args(1, 1, "NAME"),
		Example: "  weft activities create pick",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			made, err := c.CreateActivity(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if r.json {
				return r.object(made)
			}
			a.note("the activity is %s; a Task names it as its Resource", made.ARN)
			return nil
		},
	}
}

func (a *app) activitiesList(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the activities, oldest first", Args: args(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			t := console.Table{Header: []string{"ACTIVITY", "CREATED", "ARN"}, Width: a.tableWidth(), Style: a.outStyle()}
			for activity, err := range c.Activities(cmd.Context()) {
				if err != nil {
					return err
				}
				if !r.json {
					t.Add(activity.Name, r.clock(activity.Created), activity.ARN)
				} else if err := r.line(activity); err != nil {
					return err
				}
			}
			return a.printTable(r, &t, "no activities")
		},
	}
}

// activity finds the activity that a name or an ARN names.
func (a *app) activity(ctx context.Context, r *remote, text string) (*client.Client, *client.Activity, error) {
	c, err := r.dial()
	if err != nil {
		return nil, nil, err
	}
	found, err := c.DescribeActivity(ctx, text)
	if fault.Is(err, fault.InvalidArn) || fault.Is(err, fault.ActivityNotFound) {
		err = fault.New("", fault.ActivityNotFound, text, "there is no such activity; list what there is with `weft activities list`")
	}
	return c, found, err
}

func (a *app) activitiesDelete(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "delete NAME|ARN", Short: "Delete an activity; tasks that no worker has taken fail", Args: args(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, found, err := a.activity(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			if err := c.DeleteActivity(cmd.Context(), found.ARN); err != nil {
				return err
			}
			a.note("deleted %s", found.Name)
			return nil
		},
	}
}

func (a *app) activitiesPoll(r *remote) *cobra.Command {
	var worker string
	cmd := &cobra.Command{
		Use: "poll NAME|ARN", Short: "Take the oldest task of an activity, waiting up to a minute for one",
		Long: `Take the oldest task of an activity and print it. A task is handed out once: whoever has polled it ends it with
succeed or fail, or the run waits until the task's time is over. Without a task within a minute nothing is printed.`,
		Example: `  weft activities poll pick
  weft activities poll pick --json | jq -r .taskToken`,
		Args: args(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, found, err := a.activity(cmd.Context(), r, args[0])
			if err != nil {
				return err
			}
			task, err := c.PollTask(cmd.Context(), found.ARN, worker)
			if err != nil {
				return err
			}
			if task.Token == "" {
				a.note("no task came within a minute")
				return nil
			}
			if r.json {
				return r.object(task)
			}
			f := a.fields()
			f.head(found.Name)
			f.line("token", task.Token)
			f.block("input", task.Input)
			return f.flush()
		},
	}
	cmd.Flags().StringVar(&worker, "worker", "", "`NAME` of the worker, shown in the history")
	return cmd
}

func (a *app) activitiesSucceed(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "succeed TOKEN [JSON|@FILE|-]", Short: "End a task, with {} or an output", Args: args(1, 2, "TOKEN"),
		Example: `  weft activities succeed "$TOKEN" '{"picked": true}'`,
		RunE: func(cmd *cobra.Command, args []string) error {
			output, err := a.optionalJSON("the task's output", args, 1)
			if err != nil {
				return err
			}
			if output == nil {
				output = []byte("{}")
			}
			return a.reportTask(cmd.Context(), r, "ended the task", func(ctx context.Context, c *client.Client) error {
				return c.SucceedTask(ctx, args[0], string(output))
			})
		},
	}
}

func (a *app) activitiesFail(r *remote) *cobra.Command {
	var name, cause string
	cmd := &cobra.Command{
		Use: "fail TOKEN", Short: "End a task with an error", Args: args(1, 1, "TOKEN"),
		Example: `  weft activities fail "$TOKEN" --error OutOfStock --cause "none left"`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.reportTask(cmd.Context(), r, "failed the task", func(ctx context.Context, c *client.Client) error {
				return c.FailTask(ctx, args[0], name, cause)
			})
		},
	}
	cmd.Flags().StringVar(&name, "error", "", "`NAME` that Retry and Catch match")
	cmd.Flags().StringVar(&cause, "cause", "", "`TEXT` that says why")
	return cmd
}

func (a *app) activitiesHeartbeat(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "heartbeat TOKEN", Short: "Say that a task is still worked at", Args: args(1, 1, "TOKEN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.reportTask(cmd.Context(), r, "the task's heartbeat starts anew", func(ctx context.Context, c *client.Client) error {
				return c.BeatTask(ctx, args[0])
			})
		},
	}
}

// reportTask sends a report on a task and says what it did.
func (a *app) reportTask(ctx context.Context, r *remote, done string, send func(context.Context, *client.Client) error) error {
	c, err := r.dial()
	if err != nil {
		return err
	}
	if err := send(ctx, c); err != nil {
		return err
	}
	a.note("%s", done)
	return nil
}
