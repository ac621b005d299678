package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/weftworks/weft/cli/client"
	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/cli/progress"
	"github.com/weftworks/weft/fault"
)

// historyQuery says which events of a run are printed, and how.
type historyQuery struct {
	limit           int // 0: all
	reverse, follow bool
}

func (a *app) runsHistory(r *remote) *cobra.Command {
	var q historyQuery
	cmd := &cobra.Command{
		Use:   "history RUN",
		Short: "Print what happened in a run, event by event",
		Example: `  weft runs history greet/order-7
  weft runs history greet/order-7 --follow
  weft runs history greet/order-7 --reverse --limit 10
  weft runs history greet/order-7 --json | jq 'select(.type == "TaskStateExited")'
  weft runs history order-7 --json > testdata/order-7.jsonl   # of a workflow: what weft.Replay takes`,
		Args: args(1, 1, "RUN"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if q.follow && q.reverse {
				return usage("--follow prints events as they come, which --reverse cannot")
			}
			found, err := r.find(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if found.workflow != nil {
				return a.workflowHistory(cmd.Context(), r, found.workflow, q)
			}
			p := a.newHistoryPrinter(r, found.machine, q)
			if q.follow {
				return p.follow(cmd.Context())
			}
			return p.all(cmd.Context())
		},
	}
	limitFlag(cmd, &q.limit, 0)
	cmd.Flags().BoolVar(&q.reverse, "reverse", false, "latest event first")
	cmd.Flags().BoolVar(&q.follow, "follow", false, "print events as they come, until the run has ended")
	return cmd
}

// historyRows is how many events are aligned together; a longer history streams in such pieces.
const historyRows = 1000

// historyPrinter prints events of one run.
type historyPrinter struct {
	a     *app
	r     *remote
	run   *client.Run
	query historyQuery
	board *progress.Board
	table *console.Table
	count int
	last  int64 // id of the event printed last
}

func (a *app) newHistoryPrinter(r *remote, run *client.Run, q historyQuery) *historyPrinter {
	return &historyPrinter{a: a, r: r, run: run, query: q, board: progress.NewBoard(nil), table: &console.Table{
		Header: []string{"ID", "ELAPSED", "EVENT", "STATE", "DETAIL"}, Right: map[int]bool{0: true, 1: true},
		Width: a.tableWidth(), Style: a.outStyle(), Paint: paintEvent}}
}

// full reports whether --limit asks for no more.
func (p *historyPrinter) full() bool { return p.query.limit > 0 && p.count >= p.query.limit }

// print prints one event, or keeps it until a piece of the table is full.
func (p *historyPrinter) print(e *client.Event) error {
	p.count++
	p.last = e.ID
	state := e.Details.Name
	if !p.query.reverse {
		b := boardEvent(e)
		state = p.board.State(b)
		p.board.Apply(b)
	}
	if p.r.json {
		return p.r.line(e.Raw)
	}
	p.table.Add(fmt.Sprint(e.ID), millis(e.Time.Time().Sub(p.run.Started.Time())), e.Type, state, detail(e))
	if p.table.Len() == historyRows {
		return p.table.Flush(p.a.Out)
	}
	return nil
}

// flush prints what print has kept.
func (p *historyPrinter) flush() error {
	if p.r.json || (p.table.Len() == 0 && p.count > 0) {
		return nil
	}
	return p.table.Flush(p.a.Out)
}

// all prints the events there are.
func (p *historyPrinter) all(ctx context.Context) error {
	page := historyRows
	if p.query.limit > 0 {
		page = min(p.query.limit, historyRows)
	}
	for e, err := range p.r.c.History(ctx, p.run.ARN, page, p.query.reverse, true) {
		if err == nil {
			err = p.print(e)
		}
		if err != nil {
			return err
		}
		if p.full() {
			break
		}
	}
	return p.flush()
}

// more prints the events behind those printed, read from the end backwards so that it costs what is new.
func (p *historyPrinter) more(ctx context.Context) error {
	if p.last == 0 {
		return p.all(ctx)
	}
	var fresh []*client.Event
	for e, err := range p.r.c.History(ctx, p.run.ARN, historyRows, true, true) {
		if err != nil {
			return err
		}
		if e.ID <= p.last {
			break
		}
		fresh = append(fresh, e)
	}
	for _, e := range slices.Backward(fresh) {
		if err := p.print(e); err != nil {
			return err
		}
		if p.full() {
			break
		}
	}
	if len(fresh) == 0 {
		return nil
	}
	return p.flush()
}

// Between two looks at a run's history: at first, and at most while nothing happens.
const (
	historyPause    = 100 * time.Millisecond
	historyPauseMax = time.Second
)

// follow prints events as they come until the run has ended, --limit is reached or the user interrupts. A server that
// is away for a moment is waited for.
func (p *historyPrinter) follow(ctx context.Context) error {
	signals, release := p.a.Interrupts()
	defer release()
	pause, lost := historyPause, 0
	for {
		before := p.count
		switch err := p.more(ctx); {
		case fault.Is(err, fault.Unavailable) && lost < unreachableMax && before > 0, fault.Is(err, fault.Busy):
			lost++
		case err != nil:
			return err
		default:
			lost = 0
		}
		if p.board.Ended != "" || p.full() {
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

// millis writes the time since the run's start to the millisecond while that says something.
func millis(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d.%03ds", d/time.Second, max(d, 0)%time.Second/time.Millisecond)
	}
	return console.Elapsed(d)
}

// paintEvent colours the type of an event.
func paintEvent(s console.Style, column int, cell string) string {
	switch {
	case column != 2:
		return cell
	case strings.HasSuffix(cell, "Failed"), strings.HasSuffix(cell, "TimedOut"), cell == "FailStateEntered":
		return s.Red(cell)
	case strings.HasSuffix(cell, "Aborted"):
		return s.Yellow(cell)
	case cell == "ExecutionSucceeded":
		return s.Green(cell)
	}
	return cell
}

// detailCells bounds the last column of a history; --json has everything.
const detailCells = 120

// detail is the most telling part of an event.
func detail(e *client.Event) string {
	d := e.Details
	text := ""
	switch {
	case d.Error != nil || d.Cause != nil:
		text = deref(d.Error)
		if c := deref(d.Cause); c != "" {
			text += ": " + causeLine(c)
		}
	case strings.HasPrefix(e.Type, "MapIteration"):
		text = "item " + console.Number(d.Index)
	case e.Type == "MapStateStarted":
		text = console.Count(d.Length, "item")
	case d.Output != "":
		text = d.Output
	case strings.HasSuffix(e.Type, "Scheduled"):
		text = d.Resource
	default:
		text = d.Input
	}
	return console.Truncate(console.Clean(text), detailCells)
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// causeLine takes the message out of a Lambda function's cause, which is JSON.
func causeLine(cause string) string {
	var c struct {
		Message string `json:"errorMessage"`
	}
	if json.Unmarshal([]byte(cause), &c) == nil && c.Message != "" {
		return c.Message
	}
	return cause
}
