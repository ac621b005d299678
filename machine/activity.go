package machine

import (
	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/machine/history"
)

// offer puts b's Task into the queue of its activity. Its time-outs begin when a worker takes it (Step Functions,
// "Task workflow state", TimeoutSeconds and HeartbeatSeconds).
func (s *step) offer(b *branch, c *call) {
	t := b.state.Task
	b.phase, b.arguments = queued, c.arguments
	b.due, b.beatEvery = seconds(c.timeout), seconds(c.heartbeat)
	s.note(b, history.Event{Type: history.ActivityScheduled, Input: c.arguments, Resource: t.Resource, Timeout: c.timeout, Heartbeat: c.heartbeat})
	s.command(Command{Kind: Offer, ID: b.invocation, Function: t.Target.Activity})
}

// taken is the word that a worker has b's task. The second time it says nothing new.
func (s *step) taken(b *branch, ev *Event) {
	if b.phase != queued {
		return
	}
	timeout := b.due
	b.phase, b.due = working, 0
	s.note(b, history.Event{Type: history.ActivityStarted, Name: ev.Worker})
	if timeout > 0 {
		s.setTimer(b, s.f.now+timeout)
	}
	if b.beatEvery > 0 {
		s.setBeat(b)
	}
	s.resume(nil)
}

// cancelWork takes back b's invocation, its Map Run, or the offer of its task; a worker that has the task learns from its next report
// that nobody waits for it.
func (s *step) cancelWork(b *branch) {
	switch {
	case b.phase == forking: // whoever runs the branches learns of it when they end
	case b.phase == mapping:
		s.command(Command{Kind: StopMapRun, ID: b.invocation, MapRun: s.mapRunOf(b)})
	case b.phase == queued:
		s.command(Command{Kind: Withdraw, ID: b.invocation, Function: b.state.Task.Target.Activity})
	case b.state.Task.Target.Kind != asl.TargetActivity:
		s.command(Command{Kind: CancelInvoke, ID: b.invocation})
	}
}

// ofActivity reports whether b waits for an activity's task.
func (b *branch) ofActivity() bool {
	return (b.phase == queued || b.phase == working) && b.state.Type == asl.Task && b.state.Task.Target.Kind == asl.TargetActivity
}

// Arguments returns what the worker of an activity's task id is given, nil when no such task waits for one or works.
func (f *Frame) Arguments(id uint64) []byte {
	b := f.holder(id)
	if b == nil || b.invocation != id || !b.ofActivity() {
		return nil
	}
	return b.arguments
}
