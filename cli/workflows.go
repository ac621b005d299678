package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/server/rest"
)

func (a *app) workflowsCommand() *cobra.Command {
	r := &remote{app: a}
	cmd := group(&cobra.Command{
		Use:   "workflows",
		Short: "List and start the workflows of a program that serves them",
		Long: `Work with workflows written in Go. Their code is in a program, which serves them with app.ListenAndServe;
name its address with --server. Their runs are listed, shown and controlled with weft runs.`,
	})
	r.flags(cmd)
	cmd.AddCommand(a.workflowsList(r), a.workflowsStart(r))
	return cmd
}

func (a *app) workflowsList(r *remote) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List the workflows that the server's program has code of", Args: args(0, 0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := r.dial()
			if err != nil {
				return err
			}
			code, err := c.Code(cmd.Context())
			if err != nil {
				return err
			}
			t := console.Table{Header: []string{"NAME", "VERSION"}, Style: a.outStyle()}
			for _, w := range code.Workflows {
				if r.json {
					if err := r.line(w); err != nil {
						return err
					}
				}
				t.Add(w.Name, w.Version)
			}
			return a.printTable(r, &t, "the server's program has no workflows: weft serve and weft dev run state machines; workflows are served by the program that has their code")
		},
	}
}

func (a *app) workflowsStart(r *remote) *cobra.Command {
	var in rest.Start
	var input, at string
	var tags []string
	var wait bool
	cmd := &cobra.Command{
		Use:   "start NAME",
		Short: "Start a run of a workflow and print its id",
		Example: `  weft workflows start order --input '{"sku": "tea"}'
  weft workflows start order --id order-7 --input @order.json --tag shop=north --wait
  weft workflows start report --at 2026-03-04T05:00:00Z`,
		Args: args(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := a.readInput(input)
			if err != nil {
				return err
			}
			in.Input = text
			if in.Tags, err = parseTags(tags); err != nil {
				return err
			}
			if in.At, err = a.when("--at", at, 1); err != nil {
				return err
			}
			c, err := r.dial()
			if err != nil {
				return err
			}
			run, err := c.StartWorkflow(cmd.Context(), args[0], in)
			if err != nil {
				return err
			}
			switch {
			case wait:
				a.note("started %s", run.ID)
				return a.waitForWorkflow(cmd.Context(), r, run, 0)
			case r.json:
				return r.object(run)
			}
			_, err = fmt.Fprintln(a.Out, run.ID)
			return err
		},
	}
	f := cmd.Flags()
	f.StringVar(&input, "input", "", "`JSON`, @FILE, or - for stdin (default null)")
	f.StringVar(&in.ID, "id", "", "`ID` of the run (default a new UUID); the same start again is the same run while it is open")
	f.StringVar(&in.Version, "code-version", "", "`VERSION` of the workflow's code")
	f.StringArrayVar(&tags, "tag", nil, "`KEY=VALUE` by which the run can be found; may be repeated")
	f.StringVar(&at, "at", "", "begin at `TIME`: 2026-03-04T05:06:07Z, 2026-03-04, or 2h for so long from now")
	f.StringSliceVar(&in.Replace, "replace", nil, "take the place of a run that has the id, if it has this `STATUS`: pending, running, suspended, completed, failed or terminated")
	f.BoolVar(&in.Existing, "existing", false, "take the run that has the id, whatever it is")
	f.BoolVar(&wait, "wait", false, "wait for the run's end, as weft runs wait does")
	return cmd
}

// showWorkflowRun prints a workflow's run for weft runs show.
func (a *app) showWorkflowRun(r *remote, run *rest.Run) error {
	if r.json {
		return r.object(run)
	}
	f := a.fields()
	f.head(run.ID)
	f.printf("  %s  %s\n", f.style.Dim(console.Pad("status", 10)), colourStatus(f.style, run.Status))
	f.line("blocked", run.Blocked)
	f.line("workflow", run.Workflow)
	f.line("version", run.Version)
	f.line("created", r.at(run.Created))
	if run.Scheduled != 0 {
		f.line("scheduled", r.at(run.Scheduled))
	}
	if run.Ended != 0 {
		f.line("ended", r.at(run.Ended))
	}
	f.line("elapsed", console.Elapsed(a.since(run)))
	if run.Execution > 1 {
		f.line("execution", fmt.Sprint(run.Execution))
	}
	f.line("parent", run.Parent)
	f.line("tags", tagWords(run.Tags))
	f.line("reason", run.Reason)
	if fail := run.Failure; fail != nil {
		f.line("failure", failureWords(fail))
		if fail.Details != "" {
			f.block("details", fail.Details)
		}
	}
	for _, part := range []struct {
		name string
		text []byte
	}{{"custom", run.Custom}, {"input", run.Input}, {"output", run.Output}} {
		if len(part.text) > 0 {
			f.block(part.name, string(part.text))
		}
	}
	return f.flush()
}

func failureWords(f *rest.Failure) string {
	return (&durable.Failure{Type: f.Type, Message: f.Message}).Error()
}

func tagWords(tags map[string]string) string {
	var words []string
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		words = append(words, k+"="+tags[k])
	}
	return strings.Join(words, " ")
}

// since is how long a run took, or has taken so far.
func (a *app) since(run *rest.Run) time.Duration {
	end := a.Now()
	if run.Ended != 0 {
		end = run.Ended.Time()
	}
	return end.Sub(max(run.Created, run.Scheduled).Time())
}

// waitStep is how long one request of weft runs wait waits; the server bounds it by a minute.
const waitStep = 30 * time.Second

// waitForWorkflow waits for the end of a workflow's run and prints its result. A server that is away for a moment is
// waited for.
func (a *app) waitForWorkflow(ctx context.Context, r *remote, run *rest.Run, timeout time.Duration) error {
	signals, release := a.Interrupts()
	defer release()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	if timeout > 0 {
		var stop context.CancelFunc
		ctx, stop = context.WithTimeoutCause(ctx, timeout, errTimeout)
		defer stop()
	}
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case <-signals:
			cancel(errStopWaiting)
		case <-done:
		}
	}()
	if run.Blocked != "" {
		a.note("%s", run.Blocked)
	}
	id := run.ID
	run, err := a.awaitWorkflow(ctx, r.c, id)
	switch {
	case errors.Is(err, errStopWaiting):
		a.note("stopped waiting; %s goes on. Wait again with: weft runs wait %s", id, quoteSh(id))
		return errInterrupted
	case errors.Is(err, errTimeout):
		return fault.New("", fault.Busy, id, "still running after %s; it goes on", timeout)
	case err != nil:
		return err
	}
	return a.printWorkflowResult(r, run)
}

func (a *app) awaitWorkflow(ctx context.Context, c *client.Client, id string) (*rest.Run, error) {
	lost := 0
	for {
		run, err := c.WaitWorkflow(ctx, id, waitStep)
		switch {
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case fault.Is(err, fault.Unavailable) && lost < unreachableMax, fault.Is(err, fault.Busy):
			lost++
			t := time.NewTimer(time.Second)
			select {
			case <-ctx.Done():
				t.Stop()
				return nil, context.Cause(ctx)
			case <-t.C:
			}
		case err != nil:
			return nil, err
		case run.Ended != 0:
			return run, nil
		default:
			lost = 0
		}
	}
}

// printWorkflowResult prints the output of a run that has ended, or why it has none.
func (a *app) printWorkflowResult(r *remote, run *rest.Run) error {
	if r.json {
		if err := r.object(run); err != nil {
			return err
		}
	}
	how := runFailed{machine.Failed}
	switch {
	case run.Status == "COMPLETED" && r.json:
		return nil
	case run.Status == "COMPLETED":
		return a.printValue(run.Output)
	case run.Status == "TERMINATED":
		how.status = machine.Aborted
	}
	if r.json {
		return how
	}
	s := a.errStyle()
	var b strings.Builder
	fmt.Fprintf(&b, "weft: %s\n", s.Red(console.Clean(run.ID+" "+strings.ToLower(run.Status))))
	if run.Failure != nil {
		fmt.Fprintf(&b, "  %s  %s\n", s.Bold("failure"), console.CleanLines(failureWords(run.Failure)))
	}
	if run.Reason != "" {
		fmt.Fprintf(&b, "  %s  %s\n", s.Bold("reason"), console.Clean(run.Reason))
	}
	fmt.Fprintf(&b, "  %s\n", s.Dim("Its history: weft runs history "+quoteSh(run.ID)))
	fmt.Fprint(a.Err, b.String())
	return how
}
