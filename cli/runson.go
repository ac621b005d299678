package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/cost"
	"github.com/weftworks/weft/unum/deploy"
	here "github.com/weftworks/weft/unum/deploy/local"
	"github.com/weftworks/weft/unum/program"
)

// on is what `weft runs` commands have that can talk to a deployment instead of a server.
type on struct {
	ref, state, prices string
}

// onFlags adds --on to a command of `weft runs`.
func onFlags(cmd *cobra.Command) *on {
	o := &on{}
	f := cmd.Flags()
	f.StringVar(&o.ref, "on", "", "`DEPLOYMENT` instead of a server: a name that weft deploy has given, or local, aws, gcp")
	f.StringVar(&o.state, "state", weftDir, "with --on: `DIR` where deployments are remembered")
	return o
}

// connection is a connection to a deployment.
type connection struct {
	*unum.Runtime
	state  *deploy.State
	dir    string
	client *here.Client // of a local deployment that is served
	close  func()
}

// open connects to the deployment. A local one that nobody serves is opened in this process.
func (o *on) open(ctx context.Context, a *app) (*connection, error) {
	s, err := findDeployment(o.state, o.ref)
	if err != nil {
		return nil, err
	}
	dir, err := filepath.Abs(directory(o.state, s.Target, s.Name))
	if err != nil {
		return nil, err
	}
	app, err := here.App(dir)
	if err != nil {
		return nil, err
	}
	prog, err := program.New(app)
	if err != nil {
		return nil, err
	}
	ses := &connection{state: s, dir: dir, close: func() {}}
	if s.Target != toLocal {
		ses.Runtime, ses.close, err = a.cloudRuntime(ctx, s)
		if ses.Runtime != nil {
			ses.Program = prog
		}
		return ses, err
	}
	ses.client, err = here.Dial(dir, prog)
	if err == nil {
		ses.Runtime, ses.close = ses.client.Runtime, ses.client.Close
		return ses, nil
	}
	if !fault.Is(err, fault.Unavailable) {
		return nil, err
	}
	// Nobody serves it: what is there can be looked at, and a run can run here.
	h, err := a.openHost(s, dir, nil)
	if err != nil {
		return nil, err
	}
	ses.Runtime = h.Runtime
	ses.close = func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
		defer cancel()
		if err := h.Close(ending); err != nil {
			a.note("closing: %v", err)
		}
	}
	return ses, nil
}

// start is `weft runs start` on a deployment.
func (o *on) start(ctx context.Context, a *app, r *remote, input []byte, name string, wait bool) error {
	if name == "" {
		name = uuid.NewString()
	}
	if input == nil {
		input = []byte("{}")
	}
	ses, err := o.open(ctx, a)
	if err != nil {
		return err
	}
	defer func() { ses.close() }()
	if ses.state.Target == toLocal && ses.client == nil {
		ses.close()
		ses.close = func() {}
		if !wait {
			a.note("nobody serves local/%s, so the run runs in this process, to its end", ses.state.Name)
		}
		book, err := priceBook("aws us-east-1")
		if err != nil {
			return err
		}
		return a.runLocal(ctx, ses.state, ses.dir, &localRun{id: name, input: input, book: book, json: r.json, quiet: true})
	}
	app, err := here.App(ses.dir)
	if err != nil {
		return err
	}
	started, err := ses.Start(ctx, name, input, time.Duration(app.TimeoutSeconds)*time.Second)
	if err != nil {
		return err
	}
	if !started {
		a.note("run %s was started before with the same input", name)
	}
	if wait {
		return o.waitFor(ctx, a, r, ses, name, 0)
	}
	if r.json {
		return r.object(map[string]any{"run": name, "started": started})
	}
	_, err = fmt.Fprintln(a.Out, name)
	return err
}

// waits bounds the time between two looks at a run.
const waits = time.Second

func (o *on) waitFor(ctx context.Context, a *app, r *remote, ses *connection, run string, timeout time.Duration) error {
	signals, release := a.Interrupts()
	defer release()
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	if timeout > 0 {
		waiting, stop = context.WithTimeout(waiting, timeout)
		defer stop()
	}
	interrupted := make(chan struct{})
	go func() {
		select {
		case <-signals:
			close(interrupted)
			stop()
		case <-waiting.Done():
		}
	}()
	d, err := ses.Wait(waiting, run, waits)
	select {
	case <-interrupted:
		a.note("stopped waiting; %s goes on. Wait again with: weft runs wait %s --on %s", run, run, o.ref)
		return errInterrupted
	default:
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return fault.New("", fault.Busy, run, "still running after %s; it goes on", timeout)
	}
	if err != nil {
		return err
	}
	return a.printDescription(d, nil, r.json)
}

// wait is `weft runs wait` on a deployment.
func (o *on) wait(ctx context.Context, a *app, r *remote, run string, timeout time.Duration) error {
	ses, err := o.open(ctx, a)
	if err != nil {
		return err
	}
	defer ses.close()
	return o.waitFor(ctx, a, r, ses, run, timeout)
}

// show is `weft runs show` on a deployment.
func (o *on) show(ctx context.Context, a *app, r *remote, run string) error {
	ses, err := o.open(ctx, a)
	if err != nil {
		return err
	}
	defer ses.close()
	d, err := ses.Describe(ctx, run)
	if err != nil {
		return err
	}
	report, err := o.report(ctx, ses, d)
	if err != nil {
		return err
	}
	if r.json {
		return r.object(described{d.Run, d.Status, moment(d.Started), moment(d.Stopped), d.Output, d.Error, d.Cause, d.Steps, report})
	}
	f := a.fields()
	f.head(d.Run)
	f.printf("  %s  %s\n", f.style.Dim(console.Pad("status", 10)), colourStatus(f.style, string(d.Status)))
	f.line("started", r.moment(d.Started))
	end := d.Stopped
	if !end.IsZero() {
		f.line("stopped", r.moment(end))
	} else {
		end = a.Now()
	}
	f.line("elapsed", console.Elapsed(end.Sub(d.Started)))
	f.line("on", ses.state.Target+"/"+ses.state.Name)
	f.line("steps", console.Number(d.Steps))
	for _, part := range []struct {
		name string
		text *string
	}{{"error", d.Error}, {"cause", d.Cause}} {
		if part.text != nil {
			f.block(part.name, *part.text)
		}
	}
	if d.Output != nil {
		f.block("output", string(d.Output))
	}
	if err := f.flush(); err != nil || report == nil {
		return err
	}
	return report.Text(a.Out)
}

// moment writes a time for a person.
func (r *remote) moment(t time.Time) string {
	loc := r.app.Local
	if r.utc {
		loc = time.UTC
	}
	return t.In(loc).Format("2006-01-02 15:04:05")
}

// report prices what a run has used: what a server has counted, or else the least that it can have been; nil where neither is
// known.
func (o *on) report(ctx context.Context, ses *connection, d *unum.Description) (*cost.Report, error) {
	used, known, err := cost.Usage{}, false, error(nil)
	if ses.client != nil {
		if used, known, err = ses.client.Usage(ctx, d.Run); err != nil {
			return nil, err
		}
	}
	switch {
	case known:
		used.Transitions = cost.Charged(d.Tally)
	case d.Tally == nil:
		return nil, nil
	default:
		used = cost.Least(d.Tally, here.DefaultMemory)
	}
	var took time.Duration
	if d.Status != unum.Running {
		took = d.Stopped.Sub(d.Started)
	}
	prices := o.prices
	switch {
	case prices != "":
	case ses.state.Target == toGCP:
		prices = "gcp us-central1"
	default:
		prices = "aws us-east-1"
	}
	book, err := priceBook(prices)
	if err != nil {
		return nil, err
	}
	report := book.Report(used, took)
	report.Least = !known
	return report, nil
}

// stop is `weft runs stop` on a deployment.
func (o *on) stop(ctx context.Context, a *app, run, errorName, cause string) error {
	ses, err := o.open(ctx, a)
	if err != nil {
		return err
	}
	defer ses.close()
	before, err := ses.Describe(ctx, run)
	if err != nil {
		return err
	}
	if before.Status != unum.Running {
		a.note("%s has ended already: %s", run, before.Status)
		return nil
	}
	d, err := ses.Cancel(ctx, run, errorName, cause)
	if err != nil {
		return err
	}
	if d.Status != unum.Aborted {
		a.note("%s has ended meanwhile: %s", run, d.Status)
		return nil
	}
	a.note("stopped %s", run)
	return nil
}

// runsCost is `weft runs cost`.
func (a *app) runsCost(r *remote) *cobra.Command {
	var o *on
	cmd := &cobra.Command{
		Use:   "cost RUN",
		Short: "What a run of a deployment has used, what that costs, and what Step Functions would charge",
		Long: `Print what a run has asked of its datastore and its platform, and what that costs by the prices of a cloud, beside
what Step Functions would charge. The server of a local deployment (weft deploy --to local --serve) counts everything
while it runs. Elsewhere it is what the run has counted along its way, once it has ended: what was repeated is not in
it, and functions are taken to have 128 MiB.`,
		Example: "  weft runs cost order-7 --on local\n  weft runs cost order-7 --on local --prices \"gcp us-central1\" --json",
		Args:    args(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.ref == "" {
				o.ref = toLocal
			}
			ses, err := o.open(cmd.Context(), a)
			if err != nil {
				return err
			}
			defer ses.close()
			d, err := ses.Describe(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			report, err := o.report(cmd.Context(), ses, d)
			if err != nil {
				return err
			}
			if report == nil {
				return fault.New("", fault.ResourceNotFound, args[0], "the run has not ended, and no server of a local deployment counts what it uses: ask again when it has")
			}
			if r.json {
				return r.object(report)
			}
			return report.Text(a.Out)
		},
	}
	o = onFlags(cmd)
	cmd.Flags().StringVar(&o.prices, "prices", "", "`CLOUD REGION [DATE]` of the prices (default \"aws us-east-1\", of a deployment on gcp \"gcp us-central1\")")
	return cmd
}
