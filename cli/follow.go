package cli

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/weftworks/weft/cli/console"
	"github.com/weftworks/weft/cli/progress"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
)

// view is where a run's progress is shown; progress.Plain, Live and Silent are views.
type view interface {
	// Show is called often; it prints when there is something to see and it is time to, or when final.
	Show(now time.Time, b *progress.Board, final bool)
	// Note prints a line of prose without spoiling the display.
	Note(text string)
}

// newView chooses the view that fits stderr.
func (a *app) newView(quiet bool, title string, start time.Time) view {
	switch {
	case quiet:
		return progress.Silent{}
	case a.ErrTTY && a.Env("TERM") != "dumb":
		return &progress.Live{W: a.Err, Title: title, Start: start, Size: a.Size, Style: a.errStyle()}
	}
	return &progress.Plain{W: a.Err, Start: start}
}

// source is where a run's events and end come from: an embedded node or a server.
type source interface {
	// next returns events after the one with id last, in order; none when there are no more yet.
	next(ctx context.Context, last int64) ([]progress.Event, error)
	// wait returns once the run has ended.
	wait(ctx context.Context) error
}

// Why a follow ended before the run did.
var (
	errStopWaiting = errors.New("stop waiting")
	errTimeout     = errors.New("timeout")
)

// follower watches one run to its end.
type follower struct {
	src     source
	board   *progress.Board
	view    view
	now     func() time.Time
	notes   <-chan string // lines of prose to show between; may be nil
	signals <-chan os.Signal
	timeout time.Duration // 0: none
	pause   time.Duration // between looks at the history; 0: 50 ms
	last    int64
}

// follow returns nil when the run has ended, errStopWaiting on Ctrl-C, errTimeout, or what went wrong.
func (f *follower) follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- f.src.wait(ctx) }()
	var late <-chan time.Time
	if f.timeout > 0 {
		t := time.NewTimer(f.timeout)
		defer t.Stop()
		late = t.C
	}
	if f.pause == 0 {
		f.pause = 50 * time.Millisecond
	}
	tick := time.NewTicker(f.pause)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if err == nil {
				err = f.catchUp(ctx)
			}
			f.view.Show(f.now(), f.board, true)
			return err
		case text := <-f.notes:
			f.view.Note(text)
		case <-f.signals:
			f.view.Show(f.now(), f.board, true)
			return errStopWaiting
		case <-late:
			f.view.Show(f.now(), f.board, true)
			return errTimeout
		case <-tick.C:
			// A server that is away for a moment comes back; one that does not, wait gives up on.
			if err := f.catchUp(ctx); err != nil && !fault.Is(err, fault.Unavailable) && !fault.Is(err, fault.Busy) {
				return err
			}
			f.view.Show(f.now(), f.board, false)
		}
	}
}

// catchUp applies all events there are.
func (f *follower) catchUp(ctx context.Context) error {
	for {
		events, err := f.src.next(ctx, f.last)
		if err != nil || len(events) == 0 {
			return err
		}
		for _, e := range events {
			f.board.Apply(e)
			f.last = e.ID
		}
		f.view.Show(f.now(), f.board, false)
	}
}

// node is what the CLI needs of an embedded engine; *engine.Node is one.
type node interface {
	CreateMachine(ctx context.Context, c engine.CreateMachine) (*engine.Machine, error)
	UpdateMachine(ctx context.Context, u engine.UpdateMachine) (*engine.Machine, error)
	Machine(ctx context.Context, name string) (*engine.Machine, error)
	StartRun(ctx context.Context, s engine.StartRun) (*engine.Run, error)
	StopRun(ctx context.Context, id engine.RunID, why engine.Reason) (*engine.Run, error)
	Run(ctx context.Context, id engine.RunID) (*engine.Run, error)
	RunDefinition(ctx context.Context, id engine.RunID) (*engine.Machine, error)
	WaitRun(ctx context.Context, id engine.RunID) (*engine.Run, error)
	History(ctx context.Context, id engine.RunID, q engine.HistoryQuery) ([]history.Event, error)
	Close() error
}

// local is a source of an embedded node's run.
type local struct {
	node node
	id   engine.RunID
}

func (l local) next(ctx context.Context, last int64) ([]progress.Event, error) {
	events, err := l.node.History(ctx, l.id, engine.HistoryQuery{From: last + 1, Limit: 1000})
	if err != nil {
		return nil, err
	}
	out := make([]progress.Event, 0, len(events))
	for i := range events {
		e := &events[i]
		out = append(out, progress.Event{
			ID: e.ID, Prev: e.Prev, Time: e.Time, Type: e.Type.String(), Name: e.Name,
			Index: e.Index, Length: e.Length, Error: e.Error, Cause: e.Cause,
		})
	}
	return out, nil
}

func (l local) wait(ctx context.Context) error {
	_, err := l.node.WaitRun(ctx, l.id)
	return err
}

// result is how a run ended, wherever it ran.
type result struct {
	Status     machine.Status
	ARN        string
	Output     []byte // JSON text; nil unless it succeeded
	Error      *string
	Cause      *string
	Events     int64
	Elapsed    time.Duration
	MachineRun string // MACHINE/NAME
}

// resultOf reads the end of an embedded run.
func resultOf(r *engine.Run) result {
	res := result{Status: r.Status, ARN: r.ARN, Output: r.Output, Events: r.Events, MachineRun: r.ID.Machine + "/" + r.ID.Name}
	if r.HasError {
		res.Error = &r.Error
	}
	if r.HasCause {
		res.Cause = &r.Cause
	}
	if r.Stopped > 0 {
		res.Elapsed = time.Duration(r.Stopped-r.Started) * time.Millisecond
	}
	return res
}

// headline says how a run ended in one sentence.
func (r result) headline(f progress.Failure) string {
	s := "the run " + statusWord(r.Status)
	switch {
	case r.Status != machine.Failed || f.State == "":
		s += " after "
	case f.Raised != nil:
		s += " in state " + where(*f.Raised)
		if f.Raised.Error != "" {
			s += " with " + f.Raised.Error
		}
		s += ", which was caught and led to Fail state " + where(f) + ", after "
	default:
		s += " in state " + where(f) + " after "
	}
	return s + console.Elapsed(r.Elapsed) + ", " + console.Count(r.Events, "event")
}

// where is a failed state with what it is inside of.
func where(f progress.Failure) string {
	if len(f.Inside) == 0 {
		return f.State
	}
	s := f.State + " (inside " + joinNames(f.Inside)
	if f.Item >= 0 {
		s += ", item " + console.Number(f.Item)
	}
	return s + ")"
}

func joinNames(names []string) string {
	s := ""
	for i, n := range names {
		if i > 0 {
			s += " > "
		}
		s += n
	}
	return s
}
