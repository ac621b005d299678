package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/cost"
	"github.com/weftworks/weft/unum/deploy"
	here "github.com/weftworks/weft/unum/deploy/local"
	"github.com/weftworks/weft/unum/program"
)

// deployLocal deploys to this machine, and runs or serves what was deployed.
func (a *app) deployLocal(ctx context.Context, path string, f *deployFlags) error {
	app, err := a.readApplication(path, f.config)
	if err != nil {
		return err
	}
	book, err := priceBook(f.prices)
	if err != nil {
		return err
	}
	s, err := a.deployment(f, app.Name)
	if err != nil {
		return err
	}
	config := app.config
	if config != "" {
		if config, err = filepath.Abs(config); err != nil {
			return err
		}
	}
	s.Settings = map[string]string{"config": config}
	dir, err := filepath.Abs(directory(f.state, f.to, f.name))
	if err != nil {
		return err
	}
	if err := a.apply(ctx, here.Target{}, here.Resources(app.App, dir), s, f); err != nil || f.dryRun {
		return err
	}
	switch {
	case f.run:
		input, err := a.readInput(f.input)
		if input == nil && err == nil && app.input != "" {
			input, err = readInputFile(app.input)
		}
		if err != nil {
			return err
		}
		return a.runLocal(ctx, s, dir, &localRun{input: input, book: book, json: f.json, quiet: f.quiet})
	case f.serve:
		return a.serveLocal(ctx, s, dir, f)
	case !f.quiet:
		a.note("deployed local/%s; run it with weft runs start --on %s, or serve it with weft deploy --to local --serve", f.name, f.name)
	}
	return nil
}

// priceBook finds what --prices names.
func priceBook(text string) (*cost.Book, error) {
	words := append(strings.Fields(text), "", "", "")
	return cost.Find(words[0], words[1], words[2])
}

// localHost is a local deployment that runs in this process.
type localHost struct {
	*here.Host
	fns *functions
}

// openHost opens a deployment. watch may be nil.
func (a *app) openHost(s *deploy.State, dir string, watch func(here.Change)) (*localHost, error) {
	app, err := here.App(dir)
	if err != nil {
		return nil, err
	}
	prog, err := program.New(app)
	if err != nil {
		return nil, err
	}
	h := &localHost{}
	if h.fns, err = openFunctions(s.Settings["config"], functionOptions{log: a.logger(), say: func(text string) { a.note("%s", text) }}); err != nil {
		return nil, err
	}
	memory := map[string]int{}
	for i := range h.fns.config.Functions {
		memory[h.fns.config.Functions[i].Name] = h.fns.config.Functions[i].Memory
	}
	for _, fn := range app.Functions {
		if _, there := h.fns.Lookup(fn.Code); fn.Code != "" && !there {
			err := fault.New("", fault.InvalidArgument, fn.Name, "it calls function %q, which is not declared; %s", fn.Code, declareHint(fn.Code, h.fns.names(), s.Settings["config"], ""))
			return nil, errors.Join(err, h.fns.Close())
		}
	}
	h.Host, err = here.Open(here.Config{
		App: app, Program: prog, Functions: h.fns, Memory: func(code string) int { return memory[code] }, Dir: here.Records(dir),
		Watch: watch, Log: a.logger(),
	})
	if err != nil {
		return nil, errors.Join(err, h.fns.Close())
	}
	return h, nil
}

func (h *localHost) Close(ctx context.Context) error {
	return errors.Join(h.Host.Close(ctx), h.fns.Close())
}

// localRun is one run of a local deployment in this process.
type localRun struct {
	id          string
	input       []byte
	timeout     time.Duration
	book        *cost.Book
	json, quiet bool
}

// settling bounds how long a command waits, when its run has ended, for what is still collected.
const settling = 10 * time.Second

// runLocal runs an application once, showing what happens to its records.
func (a *app) runLocal(ctx context.Context, s *deploy.State, dir string, r *localRun) error {
	if r.id == "" {
		r.id = uuid.NewString()
	}
	if r.input == nil {
		r.input = []byte("{}")
	}
	var watch func(here.Change)
	if !r.quiet {
		watch = (&recordView{w: a.Err, style: a.errStyle(), run: r.id, began: time.Now()}).show
	}
	h, err := a.openHost(s, dir, watch)
	if err != nil {
		return err
	}
	err = a.driveLocal(ctx, h, r)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	if closed := h.Close(ending); err == nil && closed != nil {
		a.note("closing: %v", closed)
	}
	return err
}

// driveLocal starts a run and waits for it, or ends it when it is interrupted.
func (a *app) driveLocal(ctx context.Context, h *localHost, r *localRun) error {
	signals, release := a.Interrupts()
	defer release()
	started, err := h.Runtime.Start(ctx, r.id, r.input, r.timeout)
	if err != nil {
		return err
	}
	if !started && !r.quiet {
		a.note("run %s was started before", r.id)
	}
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-signals:
			stop()
		case <-waiting.Done():
		}
	}()
	d, err := h.Runtime.Wait(waiting, r.id, 100*time.Millisecond)
	if waiting.Err() != nil && ctx.Err() == nil {
		a.note("interrupted; the run is cancelled")
		_, err := h.Runtime.Cancel(ctx, r.id, "", "interrupted")
		return errors.Join(err, errInterrupted)
	}
	if err != nil {
		return err
	}
	settle, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	if err := h.Settle(settle); err != nil && ctx.Err() != nil {
		return err
	}
	report := h.report(r, d)
	if !r.quiet {
		if err := a.tellEnd(ctx, h, r, d, report); err != nil {
			return err
		}
	}
	return a.printDescription(d, report, r.json)
}

// report prices a run that has ended.
func (h *localHost) report(r *localRun, d *unum.Description) *cost.Report {
	used, _ := h.Meter.Usage(r.id)
	used.Transitions = cost.Charged(d.Tally)
	return r.book.Report(used, d.Stopped.Sub(d.Started))
}

// tellEnd says how a run ended, what is left of it and what it costs.
func (a *app) tellEnd(ctx context.Context, h *localHost, r *localRun, d *unum.Description, report *cost.Report) error {
	left, err := h.Keys(ctx, r.id)
	if err != nil {
		return err
	}
	a.note("run %s: %s in %s; left of its records: %s", r.id, colourStatus(a.errStyle(), string(d.Status)), console.Elapsed(d.Stopped.Sub(d.Started)), records(left, r.id))
	return report.Text(a.Err)
}

// records names what is left of a run.
func records(keys []string, run string) string {
	if len(keys) == 1 && keys[0] == run {
		return "the result alone"
	}
	return joinComma(keys, 8)
}

// described is a run as --json prints it.
type described struct {
	Run     string          `json:"run"`
	Status  unum.Status     `json:"status"`
	Started *string         `json:"started"`
	Stopped *string         `json:"stopped"`
	Output  json.RawMessage `json:"output"`
	Error   *string         `json:"error"`
	Cause   *string         `json:"cause"`
	Steps   int64           `json:"steps"`
	Cost    *cost.Report    `json:"cost,omitempty"`
}

func moment(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := t.UTC().Format("2006-01-02T15:04:05.000Z")
	return &s
}

// printDescription writes the result of a run that has ended, as printResult does for runs of the engine.
func (a *app) printDescription(d *unum.Description, report *cost.Report, asJSON bool) error {
	if asJSON {
		if err := a.object(described{d.Run, d.Status, moment(d.Started), moment(d.Stopped), d.Output, d.Error, d.Cause, d.Steps, report}); err != nil {
			return err
		}
	}
	status := statusByName[string(d.Status)]
	if d.Status == unum.Succeeded {
		if asJSON {
			return nil
		}
		return a.printValue(d.Output)
	}
	if !asJSON {
		style := a.errStyle()
		fmt.Fprintf(a.Err, "weft: %s\n", style.Red("the run "+statusWord(status)))
		for _, part := range []struct {
			name string
			text *string
		}{{"error", d.Error}, {"cause", d.Cause}} {
			if part.text != nil {
				fmt.Fprintf(a.Err, "  %s  %s\n", style.Bold(part.name), console.CleanLines(prettyText(*part.text)))
			}
		}
	}
	return runFailed{status}
}

// serveLocal serves a deployment until it is interrupted.
func (a *app) serveLocal(ctx context.Context, s *deploy.State, dir string, f *deployFlags) error {
	l, err := listenLoopback(f.listen)
	if err != nil {
		return err
	}
	var watch func(here.Change)
	if !f.quiet {
		watch = (&recordView{w: a.Err, style: a.errStyle(), began: time.Now()}).show
	}
	h, err := a.openHost(s, dir, watch)
	if err != nil {
		return errors.Join(err, l.Close())
	}
	signals, release := a.Interrupts()
	defer release()
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go func() {
		select {
		case <-signals:
			stop()
		case <-ctx.Done():
		}
	}()
	err = h.Serve(ctx, l, dir, func() {
		a.note("serving local/%s at http://%s (Lambda's API); start runs with weft runs start --on %s", s.Name, l.Addr(), s.Name)
	})
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), settling)
	defer cancel()
	return errors.Join(err, h.Close(ending))
}

// listenLoopback listens where nobody else's machine can connect: whoever can invokes functions as this user.
func listenLoopback(address string) (net.Listener, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, usage("--listen %q is no HOST:PORT", address)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, usage("--listen %s: a local deployment is served on a loopback address only", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fault.New("", fault.Conflict, address, "cannot listen there: %w", err)
	}
	return l, nil
}
