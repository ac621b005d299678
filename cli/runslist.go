package cli

import (
	"context"
	"net/url"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/config"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/rest"
)

// runLine is what --json prints for a machine's run in a list. A workflow's run is a rest.Run.
type runLine struct {
	Run     string  `json:"run"`
	Machine string  `json:"machine"`
	Name    string  `json:"name"`
	ARN     string  `json:"arn"`
	Status  string  `json:"status"`
	Started *string `json:"started"`
	Stopped *string `json:"stopped"`
}

// statusFlag says what --status means for runs of machines and of workflows; "" that none of them has it.
var statusFlag = map[string]struct{ machine, workflow string }{
	"RUNNING":    {"RUNNING", "RUNNING"},
	"SUCCEEDED":  {"SUCCEEDED", "COMPLETED"},
	"COMPLETED":  {"SUCCEEDED", "COMPLETED"},
	"FAILED":     {"FAILED", "FAILED"},
	"TIMED_OUT":  {"TIMED_OUT", ""},
	"ABORTED":    {"ABORTED", "TERMINATED"},
	"TERMINATED": {"ABORTED", "TERMINATED"},
	"PENDING":    {"", "PENDING"},
	"SUSPENDED":  {"", "SUSPENDED"},
}

const statusWords = "running, succeeded (completed), failed, timed_out, aborted (terminated), pending or suspended"

// runQuery says which runs are meant. All members but status are about runs of workflows only.
type runQuery struct {
	workflow, prefix, from, before, status string
	tags                                   []string
}

func (q *runQuery) flags(cmd *cobra.Command, verb string) {
	f := cmd.Flags()
	f.StringVar(&q.workflow, "workflow", "", verb+" only runs of the workflow `NAME`")
	f.StringVar(&q.prefix, "prefix", "", verb+" only runs of workflows whose id begins with `TEXT`")
	f.StringArrayVar(&q.tags, "tag", nil, verb+" only runs of workflows with the tag `KEY=VALUE`; may be repeated")
	f.StringVar(&q.from, "from", "", verb+" only runs of workflows created at `TIME` or later: 2026-03-04T05:06:07Z, 2026-03-04, or 7d for so long ago")
	f.StringVar(&q.before, "before", "", verb+" only runs of workflows created before `TIME`")
	f.StringVar(&q.status, "status", "", verb+" only runs with this `STATUS`: "+statusWords)
}

// ofWorkflows reports whether only runs of workflows can be meant.
func (q *runQuery) ofWorkflows() bool {
	return q.workflow != "" || q.prefix != "" || len(q.tags) > 0 || q.from != "" || q.before != ""
}

// statuses returns what --status means; ok is false if it means nothing.
func (q *runQuery) statuses() (machine, workflow string, err error) {
	if q.status == "" {
		return "", "", nil
	}
	s, ok := statusFlag[strings.ToUpper(strings.ReplaceAll(q.status, "-", "_"))]
	if !ok {
		return "", "", usage("--status %q is not known; use %s", q.status, statusWords)
	}
	return s.machine, s.workflow, nil
}

// values returns the parameters of GET /v1/runs.
func (q *runQuery) values(a *app) (url.Values, error) {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	_, status, err := q.statuses()
	if err != nil {
		return nil, err
	}
	from, err := a.when("--from", q.from, -1)
	if err != nil {
		return nil, err
	}
	before, err := a.when("--before", q.before, -1)
	if err != nil {
		return nil, err
	}
	set("workflow", q.workflow)
	set("prefix", q.prefix)
	set("status", status)
	if from != 0 {
		set("from", from.String())
	}
	if before != 0 {
		set("before", before.String())
	}
	if _, err := parseTags(q.tags); err != nil {
		return nil, err
	}
	if len(q.tags) > 0 {
		v["tag"] = q.tags
	}
	return v, nil
}

// parseTags reads KEY=VALUE texts.
func parseTags(texts []string) (map[string]string, error) {
	tags := make(map[string]string, len(texts))
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usage("%q is no tag; write KEY=VALUE", text)
		}
		tags[key] = value
	}
	return tags, nil
}

// when reads a time: RFC 3339, a date, or a duration from now in the direction of sign; 0 for "".
func (a *app) when(flag, text string, sign time.Duration) (rest.Time, error) {
	if text == "" {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, a.Local); err == nil {
			return rest.Time(t.UnixMilli()), nil
		}
	}
	if d, err := config.ParseDuration(text); err == nil && d > 0 {
		return rest.Time(a.Now().Add(sign * d).UnixMilli()), nil
	}
	return 0, usage("%s %q is no time; write one like 2026-03-04T05:06:07Z or 2026-03-04, or a duration like 7d", flag, text)
}

func (a *app) runsList(r *remote) *cobra.Command {
	var limit int
	var q runQuery
	cmd := &cobra.Command{
		Use:   "list [MACHINE|ARN]",
		Short: "List the runs of machines and workflows, newest first",
		Example: `  weft runs list
  weft runs list greet --status failed --limit 20
  weft runs list --workflow order --tag shop=north --from 7d
  weft runs list arn:aws:states:us-east-1:000000000000:mapRun:import/each:47c5f080-4c17-4a5e-9b0e-3f1d2c6b8a90   # its children`,
		Args: args(0, 1, ""),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && q.ofWorkflows() {
				return usage("%s names a state machine, the flags ask for runs of workflows; use one of them", args[0])
			}
			values, err := q.values(a)
			if err != nil {
				return err
			}
			if _, err := r.dial(); err != nil {
				return err
			}
			rows, err := a.allRuns(cmd.Context(), r, args, &q, values, limit)
			if err != nil {
				return err
			}
			return a.printRuns(r, rows)
		},
	}
	limitFlag(cmd, &limit, 50)
	q.flags(cmd, "list")
	return cmd
}

// runRow is a run of a machine or of a workflow in a list.
type runRow struct {
	run, workflow, status string
	started, ended        time.Time // ended: zero while open
	line                  any       // for --json
}

// allRuns returns the runs that are meant, newest first, at most limit (0: all).
func (a *app) allRuns(ctx context.Context, r *remote, machine []string, q *runQuery, values url.Values, limit int) (rows []runRow, err error) {
	onMachines, onWorkflows, err := q.statuses()
	if err != nil {
		return nil, err
	}
	if !q.ofWorkflows() && (q.status == "" || onMachines != "") {
		machines, err := a.machinesOf(ctx, r, machine)
		if err != nil {
			return nil, err
		}
		runs, err := a.newest(ctx, r, machines, onMachines, limit)
		if err != nil {
			return nil, err
		}
		for _, run := range runs {
			rows = append(rows, runRow{run: runRef(run.ARN), status: run.Status, started: run.Started.Time(), ended: run.Stopped.Time(), line: lineOf(run)})
		}
	}
	if len(machine) == 1 || (q.status != "" && onWorkflows == "") {
		return rows, nil
	}
	both := len(rows) > 0
	if rows, err = a.workflowRows(ctx, r, rows, values, limit, q.ofWorkflows()); err != nil {
		return nil, err
	}
	if both {
		sort.SliceStable(rows, func(i, j int) bool { return rows[i].started.After(rows[j].started) })
	}
	if limit > 0 && len(rows) > limit {
		rows = rows[:limit]
	}
	return rows, nil
}

// workflowRows adds at most limit runs of workflows to rows. A server without workflows has none, unless they were asked for.
func (a *app) workflowRows(ctx context.Context, r *remote, rows []runRow, values url.Values, limit int, asked bool) ([]runRow, error) {
	page := 1000
	if limit > 0 {
		page = limit
	}
	n := 0
	for run, err := range r.c.Workflows(ctx, values, page) {
		if fault.Is(err, fault.Unsupported) && !asked {
			break
		}
		if err != nil {
			return nil, err
		}
		rows = append(rows, runRow{run: run.ID, workflow: run.Workflow, status: run.Status, started: run.Created.Time(), ended: run.Ended.Time(), line: run})
		if n++; n == limit {
			break
		}
	}
	return rows, nil
}

func (a *app) printRuns(r *remote, rows []runRow) error {
	if r.json {
		for _, row := range rows {
			if err := r.line(row.line); err != nil {
				return err
			}
		}
		return nil
	}
	t := console.Table{Header: []string{"RUN", "STATUS", "STARTED", "ELAPSED"}, Right: map[int]bool{3: true}, Style: a.outStyle(), Paint: paintStatus(1)}
	workflows := slices.ContainsFunc(rows, func(row runRow) bool { return row.workflow != "" })
	if workflows {
		t.Header = append(t.Header, "WORKFLOW")
	}
	for _, row := range rows {
		ended := row.ended
		if ended.IsZero() {
			ended = a.Now()
		}
		cells := []string{row.run, row.status, r.clock(client.Time(float64(row.started.UnixMilli()) / 1000)), console.Elapsed(ended.Sub(row.started))}
		if workflows {
			cells = append(cells, row.workflow)
		}
		t.Add(cells...)
	}
	return a.printTable(r, &t, "no runs; start one with `weft runs start MACHINE` or `weft workflows start NAME`")
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
