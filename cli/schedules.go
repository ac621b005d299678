package cli

import (
	"fmt"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/schedule"
	"github.com/weftworks/weft/server/rest"
)

func (a *app) schedulesCommand() *cobra.Command {
	r := &remote{app: a}
	cmd := group(&cobra.Command{
		Use:   "schedules",
		Short: "Create, list, show, pause and trigger the schedules of workflows",
		Long:  `Work with schedules: they start runs of a workflow at the times of a calendar, in a time zone.`,
	})
	r.flags(cmd)
	cmd.AddCommand(a.schedulesCreate(r), a.schedulesList(r), a.schedulesShow(r), a.schedulesTrigger(r), a.schedulesBackfill(r), a.schedulesDelete(r),
		a.schedulesNote(r, "pause", "Let no time of a schedule count until it is resumed"),
		a.schedulesNote(r, "resume", "Let the times of a schedule count again; those of the pause are not caught up"))
	return cmd
}

// noSchedule says what to do about a schedule that is not there; other errors stay.
func noSchedule(id string, err error) error {
	if !fault.Is(err, fault.ResourceNotFound) {
		return err
	}
	return fault.New("", fault.ResourceNotFound, id, "there is no such schedule; list what there is with `weft schedules list`")
}

func (a *app) schedulesCreate(r *remote) *cobra.Command {
	var in rest.DefineSchedule
	var when specFlags
	var input string
	var update bool
	cmd := &cobra.Command{
		Use:   "create ID WORKFLOW",
		Short: "Create a schedule, or update it, and print its next times",
		Long: `Create a schedule that starts runs of a workflow. At least one --cron or --every says when; a cron expression has five fields
(minute, hour, day of month, month, day of week), six with seconds before them, or is one like @daily.`,
		Example: `  weft schedules create nightly report --cron '0 3 * * *' --zone Europe/Oslo --input '{"city": "Oslo"}'
  weft schedules create sweep cleanup --every 15m --jitter 1m --overlap bufferOne
  weft schedules create nightly report --cron '30 3 * * MON-FRI' --zone Europe/Oslo --update`,
		Args: args(2, 2, "ID WORKFLOW"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			in.Workflow = args[1]
			if in.Input, err = a.readInput(input); err != nil {
				return err
			}
			if in.Spec, err = when.read(a); err != nil {
				return err
			}
			c, err := r.dial()
			if err != nil {
				return err
			}
			s, err := c.PutSchedule(cmd.Context(), args[0], in, !update)
			if fault.Is(err, fault.Conflict) && !update {
				return fault.New("", fault.Conflict, args[0], "a schedule of this id exists with another definition; add --update to change it (its open runs go on)")
			}
			if err != nil {
				return err
			}
			return a.printCreated(r, s)
		},
	}
	when.flags(cmd)
	cmd.Flags().StringVar(&in.Version, "code-version", "", "`VERSION` of the workflow's code")
	cmd.Flags().StringVar(&input, "input", "", "of every run: `JSON`, @FILE, or - for stdin (default null)")
	cmd.Flags().BoolVar(&update, "update", false, "if the schedule exists, give it this definition; a pause stays")
	return cmd
}

// printCreated prints the times to come of a schedule that was made or changed.
func (a *app) printCreated(r *remote, s *rest.Schedule) error {
	if r.json {
		return r.object(s)
	}
	switch {
	case s.Status == "PAUSED":
		a.note("%s starts %s, but is paused; resume it with: weft schedules resume %s", s.ID, s.Workflow, quoteSh(s.ID))
	case len(s.Next) == 0:
		a.note("%s starts %s, but no time of it is left", s.ID, s.Workflow)
	default:
		a.note("%s starts %s at", s.ID, s.Workflow)
	}
	for _, line := range nextLines(r, s) {
		if _, err := fmt.Fprintln(a.Out, line); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) schedulesList(r *remote) *cobra.Command {
	var limit int
	var prefix string
	cmd := &cobra.Command{
		Use: "list", Short: "List the schedules, newest first", Args: args(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			query := url.Values{}
			if prefix != "" {
				query.Set("prefix", prefix)
			}
			page := 1000
			if limit > 0 {
				page = limit
			}
			t := console.Table{Header: []string{"SCHEDULE", "STATUS", "NEXT", "RUNNING", "WORKFLOW", "WHEN"}, Right: map[int]bool{3: true}, Width: a.tableWidth(), Style: a.outStyle()}
			n := 0
			for s, err := range c.Schedules(cmd.Context(), query, page) {
				if err != nil {
					return err
				}
				if r.json {
					if err := r.line(s); err != nil {
						return err
					}
				} else {
					t.Add(s.ID, s.Status, nextCell(r, s), console.Number(int64(s.Counts.Running)), s.Workflow, whenWords(&s.Spec))
				}
				if n++; n == limit {
					break
				}
			}
			return a.printTable(r, &t, "no schedules; create one with `weft schedules create ID WORKFLOW --cron '0 3 * * *'`")
		},
	}
	limitFlag(cmd, &limit, 50)
	cmd.Flags().StringVar(&prefix, "prefix", "", "only schedules whose id begins with `TEXT`")
	return cmd
}

func (a *app) schedulesShow(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "show ID", Short: "Show a schedule: its next times, what runs and waits, and what has become of its times", Args: args(1, 1, "ID"),
		Example: "  weft schedules show nightly\n  weft schedules show nightly --json | jq -r '.next[0].nominal'",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			s, err := c.Schedule(cmd.Context(), args[0])
			if err != nil {
				return noSchedule(args[0], err)
			}
			if r.json {
				return r.object(s)
			}
			return a.showSchedule(r, s)
		},
	}
}

// schedulesNote is pause and resume.
func (a *app) schedulesNote(r *remote, verb, short string) *cobra.Command {
	var in rest.Note
	cmd := &cobra.Command{
		Use: verb + " ID", Short: short, Args: args(1, 1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.changeSchedule(cmd, r, args[0], verb, in, verb+"d")
		},
	}
	cmd.Flags().StringVar(&in.Note, "note", "", "`TEXT` to keep with the schedule")
	return cmd
}

// changeSchedule does something to a schedule and says so.
func (a *app) changeSchedule(cmd *cobra.Command, r *remote, id, verb string, in any, did string) error {
	c, err := r.dial()
	if err != nil {
		return err
	}
	s, err := c.ChangeSchedule(cmd.Context(), id, verb, in)
	if err != nil {
		return noSchedule(id, err)
	}
	a.note("%s %s", did, id)
	if r.json {
		return r.object(s)
	}
	return nil
}

func (a *app) schedulesTrigger(r *remote) *cobra.Command {
	var in rest.Trigger
	cmd := &cobra.Command{
		Use: "trigger ID", Short: "Start a run of a schedule now, paused or not, and print its id", Args: args(1, 1, "ID"),
		Example: "  weft runs wait $(weft schedules trigger nightly)",
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			t, err := c.TriggerSchedule(cmd.Context(), args[0], in)
			if err != nil {
				return noSchedule(args[0], err)
			}
			if t.Waits {
				a.note("%s starts when the schedule's other runs have ended", t.Run)
			}
			if r.json {
				return r.object(t)
			}
			_, err = fmt.Fprintln(a.Out, t.Run)
			return err
		},
	}
	cmd.Flags().TextVar(&in.Overlap, "overlap", schedule.Overlap(0), "`POLICY` if a run is running: skip, bufferOne, bufferAll, cancelOther or allowAll (default the schedule's)")
	return cmd
}

func (a *app) schedulesBackfill(r *remote) *cobra.Command {
	var in rest.Backfill
	var from, to string
	cmd := &cobra.Command{
		Use: "backfill ID --from TIME", Short: "Run the times of a stretch of the past", Args: args(1, 1, "ID"),
		Example: "  weft schedules backfill nightly --from 2026-03-01 --to 2026-03-04",
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if from == "" {
				return usage("--from is missing")
			}
			if in.From, err = a.when("--from", from, -1); err != nil {
				return err
			}
			if in.To, err = a.when("--to", to, -1); err != nil {
				return err
			}
			return a.changeSchedule(cmd, r, args[0], "backfill", in, "runs the past times of")
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "the first `TIME`: 2026-03-04T05:06:07Z, 2026-03-04, or 7d for so long ago")
	cmd.Flags().StringVar(&to, "to", "", "the last `TIME`, inclusive (default now)")
	cmd.Flags().TextVar(&in.Overlap, "overlap", schedule.Overlap(0), "`POLICY`: bufferAll, one after the other (the default), or allowAll, all at once")
	return cmd
}

func (a *app) schedulesDelete(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "delete ID", Short: "Forget a schedule; its runs go on", Args: args(1, 1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			if err := c.DeleteSchedule(cmd.Context(), args[0]); err != nil {
				return noSchedule(args[0], err)
			}
			a.note("deleted %s; its open runs, if any, go on to their end", args[0])
			if r.json {
				return r.object(map[string]string{"id": args[0], "did": "deleted"})
			}
			return nil
		},
	}
}
