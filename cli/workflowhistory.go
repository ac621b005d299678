package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/rest"
)

// workflowHistory prints the events of a workflow's run. With --json they are in the form that weft.ReadHistory reads,
// one on each line.
func (a *app) workflowHistory(ctx context.Context, r *remote, run *rest.Run, q historyQuery) error {
	p := &workflowPrinter{a: a, r: r, run: run, query: q, table: &console.Table{
		Header: []string{"ELAPSED", "EVENT", "ID", "WHAT", "DETAIL"}, Right: map[int]bool{0: true, 2: true},
		Width: a.tableWidth(), Style: a.outStyle(), Paint: paintDurable}}
	if q.follow {
		return p.follow(ctx)
	}
	return p.more(ctx)
}

// workflowPrinter prints events of one run.
type workflowPrinter struct {
	a     *app
	r     *remote
	run   *rest.Run
	query historyQuery
	table *console.Table
	seen  int   // events of the execution
	count int   // printed
	step  int64 // time of the step (Unix milliseconds)
}

// more prints the events that were not seen yet.
func (p *workflowPrinter) more(ctx context.Context) error {
	events, texts, err := p.r.c.WorkflowHistory(ctx, p.run.ID)
	if err != nil {
		return err
	}
	rows := make([]func() error, 0, len(events))
	for i := min(p.seen, len(events)); i < len(events); i++ {
		if row := p.row(&events[i], texts[i]); row != nil {
			rows = append(rows, row)
		}
	}
	p.seen = len(events)
	if p.query.reverse {
		slices.Reverse(rows)
	}
	for _, row := range rows {
		if p.full() {
			break
		}
		if err := row(); err != nil {
			return err
		}
		p.count++
	}
	if p.r.json || (p.table.Len() == 0 && p.count > 0) {
		return nil
	}
	return p.table.Flush(p.a.Out)
}

func (p *workflowPrinter) full() bool { return p.query.limit > 0 && p.count >= p.query.limit }

// row returns what prints one event; nil if a table does not show it.
func (p *workflowPrinter) row(e *durable.Event, text json.RawMessage) func() error {
	if e.Kind == durable.StepStarted {
		p.step = e.Time
	}
	if p.r.json {
		return func() error { return p.r.line(text) }
	}
	if e.Kind == durable.StepStarted {
		return nil
	}
	id := ""
	if e.ID != 0 && e.Kind != durable.RunStarted {
		id = fmt.Sprint(e.ID)
	}
	elapsed := millis(time.Duration(p.step-int64(p.run.Created)) * time.Millisecond)
	return func() error {
		p.table.Add(elapsed, e.Kind.String(), id, subjectOf(e), console.Truncate(console.Clean(detailOf(e)), detailCells))
		return nil
	}
}

// subjectOf is what an event is about.
func subjectOf(e *durable.Event) string {
	switch {
	case e.Kind == durable.RunStarted:
		return e.Name
	case len(e.Targets) > 0:
		return strings.Join(e.Targets, " ")
	case e.Target != "" && e.Name != "":
		return e.Name + " " + e.Target
	case e.Ref != 0 && e.Kind != durable.VersionMarked:
		return fmt.Sprintf("of %d", e.Ref)
	}
	return e.Name
}

// detailOf is the most telling part of an event.
func detailOf(e *durable.Event) string {
	switch {
	case e.Failure != nil:
		return e.Failure.Error()
	case e.Kind == durable.TimerCreated:
		return "until " + rest.Time(e.Due).String()
	case e.Kind == durable.VersionMarked:
		return fmt.Sprintf("version %d", e.Ref)
	}
	return string(e.Data)
}

// paintDurable colours the kind of an event.
func paintDurable(s console.Style, column int, cell string) string {
	switch {
	case column != 1:
		return cell
	case strings.HasSuffix(cell, "Failed"):
		return s.Red(cell)
	case cell == "RunTerminated", cell == "RunSuspended":
		return s.Yellow(cell)
	case cell == "RunCompleted":
		return s.Green(cell)
	}
	return cell
}

// follow prints events as they come until the run has ended, --limit is reached or the user interrupts. A server that is
// away for a moment is waited for.
func (p *workflowPrinter) follow(ctx context.Context) error {
	signals, release := p.a.Interrupts()
	defer release()
	pause, lost := historyPause, 0
	for {
		before := p.count
		ended, err := p.look(ctx)
		switch {
		case fault.Is(err, fault.Unavailable) && lost < unreachableMax && before > 0, fault.Is(err, fault.Busy):
			lost++
		case err != nil:
			return err
		default:
			lost = 0
		}
		if ended || p.full() {
			return nil
		}
		if pause = min(pause*3/2, historyPauseMax); p.count > before {
			pause = historyPause
		}
		t := time.NewTimer(pause)
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

// look prints what is new and reports whether the run has ended. It reads the history only if that has become longer.
func (p *workflowPrinter) look(ctx context.Context) (ended bool, err error) {
	run, err := p.r.c.Workflow(ctx, p.run.ID)
	if err != nil {
		return false, err
	}
	if run.Execution != p.run.Execution {
		p.a.note("execution %d begins", run.Execution)
		p.seen = 0
	}
	p.run = run
	if int64(p.seen) != run.Events {
		if err := p.more(ctx); err != nil {
			return false, err
		}
	}
	return run.Ended != 0, nil
}
