package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/config"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/objectstore/s3api"
)

// functions are the declared functions, and of each the last log lines of its latest failure, for the report
// of a run that failed.
type functions struct {
	*function.Registry
	config       *config.Config
	integrations *integration.Set

	mu    sync.Mutex
	tails map[string]string // by name; as many as there are functions

	objects      objectstore.Store // nil: there are none
	closeObjects func() error
}

// functionOptions says who hears of what functions do.
type functionOptions struct {
	log *slog.Logger
	// say hears of builds. It is called on any goroutine and must not block.
	say func(text string)
	// line hears every line functions write; nil: nobody.
	line func(function.LogLine)
}

// openFunctions reads the file at path ("": no file, no functions). Nothing is built or started before Prepare or
// the first call.
func openFunctions(path string, o functionOptions) (*functions, error) {
	cfg := &config.Config{Limits: limits.Default}
	if path != "" {
		var err error
		if cfg, err = config.Load(path); err != nil {
			return nil, err
		}
	}
	registry, err := cfg.Registry(config.Options{
		Log: o.log, Lines: o.line,
		Progress: func(name string, took time.Duration, done bool) {
			if done {
				o.say("built function " + name + " in " + console.Elapsed(took))
			} else {
				o.say("building function " + name)
			}
		},
	})
	if err != nil {
		return nil, err
	}
	f := &functions{Registry: registry, config: cfg, tails: map[string]string{}}
	f.integrations, err = cfg.Integrations(config.Services{Functions: registry, Objects: f.buckets})
	if err != nil {
		return nil, errors.Join(err, registry.Close())
	}
	return f, nil
}

// openObjects opens the store of what distributed Maps read and write, beside the data directory unless weft.yaml says
// where. A node in memory has none but that.
func (f *functions) openObjects(data string) (objectstore.Store, error) {
	if o := f.config.Objects; data == "" && o.Directory == "" && !o.S3 {
		return nil, nil
	}
	store, closeStore, err := f.config.OpenObjects(context.Background(), data)
	if err != nil {
		return nil, err
	}
	f.objects, f.closeObjects = store, closeStore
	return store, nil
}

// buckets returns the opened store for tasks that call S3.
func (f *functions) buckets() (s3api.Store, error) {
	if store, ok := f.objects.(s3api.Store); ok {
		return store, nil
	}
	return nil, errors.New("a node in memory has no directory of objects; run it with --data, or say in weft.yaml under objects where they are")
}

// Close closes functions, integrations and the objects. The node is closed before.
func (f *functions) Close() error {
	err := errors.Join(f.Registry.Close(), f.integrations.Close())
	if f.closeObjects != nil {
		err = errors.Join(err, f.closeObjects())
	}
	return err
}

// Invoke calls a function and keeps the log of a failure.
func (f *functions) Invoke(ctx context.Context, req *function.Request) (*function.Result, error) {
	res, err := f.Registry.Invoke(ctx, req)
	var failed *function.Error
	if errors.As(err, &failed) && failed.LogTail != "" {
		if info, ok := f.Lookup(req.Function); ok {
			f.mu.Lock()
			f.tails[info.Name] = failed.LogTail
			f.mu.Unlock()
		}
	}
	return res, err
}

// tailOf returns the last log lines of a function's latest failure; "" when there are none.
func (f *functions) tailOf(name string) string {
	info, ok := f.Lookup(name)
	if !ok {
		return ""
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tails[info.Name]
}

// joined takes the errors of errors.Join apart; nil has none.
func joined(err error) []error {
	if list, ok := err.(interface{ Unwrap() []error }); ok {
		return list.Unwrap()
	}
	if err == nil {
		return nil
	}
	return []error{err}
}

// subject is what an error is about; "" when it does not say.
func subject(err error) string {
	var fe *fault.Error
	if errors.As(err, &fe) {
		return fe.Subject
	}
	return ""
}

// plainWords is what a function's failure says, without Lambda's JSON around it.
func plainWords(err error) string {
	var failed *function.Error
	if errors.As(err, &failed) {
		return causeLine(failed.Cause)
	}
	return sentence(err)
}

// prepareFunctions makes the functions that a machine names ready, so that what does not compile is known before anything is
// started. What say hears meanwhile comes out of notes and is shown. Functions whose name depends on the input wait
// for their first call.
func (j *job) prepareFunctions(ctx context.Context) error {
	var names []string
	for s := range states(&j.machine.Graph) {
		if name := functionOf(s); name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- j.fns.Prepare(ctx, names...) }()
	for {
		select {
		case text := <-j.notes:
			j.say(text)
		case <-j.signals:
			cancel()
			<-done
			j.a.note("interrupted; nothing was started")
			return errInterrupted
		case err := <-done:
			for len(j.notes) > 0 {
				j.say(<-j.notes)
			}
			return j.unprepared(err)
		}
	}
}

func (j *job) say(text string) {
	if !j.flags.quiet {
		fmt.Fprintln(j.a.Err, console.CleanLines(text))
	}
}

// unprepared explains why functions cannot be made ready.
func (j *job) unprepared(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	failures := joined(err)
	for _, e := range failures {
		head, body, _ := strings.Cut(console.CleanLines(plainWords(e)), "\n")
		fmt.Fprintf(j.a.Err, "%s %s\n", j.a.errStyle().Bold("function "+console.Clean(subject(e))+":"), head)
		if body != "" {
			fmt.Fprintln(j.a.Err, console.Indent(body, "  "))
		}
	}
	j.a.note("%s cannot be made ready; nothing was started", console.Count(int64(len(failures)), "function"))
	return reported(fault.InvalidArgument)
}

// names returns the declared names.
func (f *functions) names() []string {
	infos := f.Functions()
	names := make([]string, len(infos))
	for i := range infos {
		names[i] = infos[i].Name
	}
	return names
}

// parse reads a definition with the States Language's parser; problems have their places in the text as written.
func (d *definition) parse(integrations asl.Integrations) (*asl.Machine, []problem) {
	m, found := asl.Parse(d.json, asl.Options{Express: d.express, Integrations: integrations})
	problems := make([]problem, 0, len(found))
	for i := range found {
		p := &found[i]
		line, column := d.place(p.Pos.Line, p.Pos.Column)
		message := p.Message
		if p.Where != "" {
			message = p.Where + ": " + message
		}
		problems = append(problems, problem{line: line, column: column, message: message, fix: p.Fix})
	}
	return m, problems
}

// place turns a place in the JSON into one in the text as written.
func (d *definition) place(line, column int) (int, int) {
	if d.places == nil {
		return line, column
	}
	return d.places.Of(column - 1) // JSON made from YAML is one line
}
