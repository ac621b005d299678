package machine

import (
	"errors"
	"fmt"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/machine/history"
)

// The reasons why a run cannot be redriven.
var (
	// ErrNotEnded says that the run goes on, or has succeeded.
	ErrNotEnded = errors.New("the run has not failed")
	// ErrNotKept says that the frame does not know where the run stood: it is an EXPRESS run, or the run of an
	// older version of Weft.
	ErrNotKept = errors.New("where the run stood was not kept")
	// ErrHistoryFull says that the history has no room for more.
	ErrHistoryFull = errors.New("the history is full")
)

// Redrivable returns nil when a Redrive event can take the run up again, else one of the reasons above.
func (f *Frame) Redrivable() error {
	switch {
	case f.status <= Succeeded:
		return ErrNotEnded
	case f.exec.Express || f.root.state == nil || f.in.ForkMode:
		return ErrNotKept
	case f.lastEvent >= f.in.bounds.HistoryEvents-1:
		return ErrHistoryFull
	}
	return nil
}

// Redrives returns how often the run has been redriven, and when last, in Unix milliseconds.
func (f *Frame) Redrives() (count, last int64) { return f.redrives, f.redriven }

// Stopped is a state in which a run that can be redriven stands.
type Stopped struct {
	State *asl.State
	Input []byte // of the state
	Entry bool   // the state had not been entered
}

// StoppedIn returns where the run stands, one for each line of control that had not ended. It is what a Redrive goes on from.
func (f *Frame) StoppedIn() []Stopped {
	if f.Redrivable() != nil {
		return nil
	}
	var all []Stopped
	f.root.stops(func(b *branch) {
		all = append(all, Stopped{State: b.state, Input: b.input, Entry: b.phase == unbegun})
	})
	return all
}

// stops calls see for each line of control below b that was stopped in a state of its own.
func (b *branch) stops(see func(*branch)) {
	if !b.resumable() {
		see(b)
		return
	}
	for _, c := range b.fork.inOrder() {
		c.stops(see)
	}
}

// resumable reports whether a stopped branch is a Parallel or Map that goes on with the branches it had.
func (b *branch) resumable() bool { return b.fork != nil && len(b.fork.children) > 0 }

// Amendment is what a Redrive does otherwise than to try again, to the lines of control that stand in State. The
// zero Amendment does nothing.
type Amendment struct {
	State  string
	Input  []byte // takes the place of the state's input; nil: as it was
	Output []byte // the state is not tried: it is left with this output for its Next; nil: it is tried
}

// Check says whether a redrive could carry out the amendment.
func (f *Frame) Check(a Amendment) error {
	if a.State == "" {
		return nil
	}
	stopped := f.StoppedIn()
	names := make([]string, len(stopped))
	for i, at := range stopped {
		names[i] = at.State.Name
		if at.State.Name != a.State {
			continue
		}
		if a.Output == nil {
			return nil
		}
		switch at.State.Type {
		case asl.Choice, asl.Fail, asl.Succeed:
			return fmt.Errorf("the state %s is a %s, which has no Next to skip to", a.State, at.State.Type)
		}
		return nil
	}
	return fmt.Errorf("the run does not stand in the state %q but in %s", a.State, strings.Join(names, ", "))
}

// redrive takes the run up where it stood (Step Functions, "Restarting state machine executions with redrive"): what
// succeeded stays, every state that was stopped is worked at again with all its retries, and TimeoutSeconds counts anew.
// Each line of control hangs on ExecutionRedriven. No recording shows what it and the events behind it hang on.
func (s *step) redrive(ev *Event) {
	f := s.f
	f.status = Running
	f.redrives++
	f.redriven = f.now
	id := s.emit(history.Event{Type: history.ExecutionRedriven, Prev: f.lastEvent, Length: f.redrives})
	s.setDeadline()
	s.revive(&f.root, id, &ev.Amendment)
}

func (s *step) revive(b *branch, prev int64, a *Amendment) {
	b.prev = prev
	b.attempts, b.retries = nil, 0
	if b.resumable() {
		s.reviveFork(b, prev, a)
		return
	}
	s.f.discard(b)
	here := a.State == b.state.Name
	if here && a.Input != nil {
		b.input = a.Input
	}
	switch {
	case here && a.Output != nil:
		b.phase = redo
		if next := s.skip(b, a.Output); next != nil && next.phase == ready {
			s.f.ready = append(s.f.ready, next)
		}
		return
	case b.phase == unbegun:
		b.phase = ready
	case b.mapped != 0:
		s.redriveMap(b)
		return
	default:
		b.phase = revived
	}
	s.f.ready = append(s.f.ready, b)
}

// reviveFork takes up the branches of a Parallel or Map that had not ended, and lets as many more iterations begin as may
// run at a time: one whose input could not be made is tried again.
func (s *step) reviveFork(b *branch, prev int64, a *Amendment) {
	fk := b.fork
	b.phase = forked
	for _, c := range fk.inOrder() {
		s.revive(c, prev, a)
	}
	for s.f.status == Running && b.fork == fk && len(fk.children) < fk.max && fk.next < fk.length {
		if bad := s.iterate(fk, prev); bad != nil {
			s.resume(s.ownFailure(fk, bad))
			return
		}
	}
}

// skip leaves b's state with another output than its own.
func (s *step) skip(b *branch, output []byte) *branch {
	text, e := s.bounded(b, textValue(output))
	if e != nil {
		return s.failed(b, e)
	}
	return s.leave(b, outcome{output: text}, b.state.NextState)
}
