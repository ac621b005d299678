package statemachine

import (
	"fmt"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/machine"
)

// RedriveMessage takes a run that did not succeed up where it stood.
type RedriveMessage struct {
	Token     string // by which a client's second request is known; may be empty
	Amendment machine.Amendment
}

// Encode returns the body of an OpRedrive message.
func (m *RedriveMessage) Encode() []byte {
	dst := wire.AppendString(wire.AppendString(nil, m.Token), m.Amendment.State)
	return wire.AppendBytes(wire.AppendBytes(dst, m.Amendment.Input), m.Amendment.Output)
}

func decodeRedrive(body []byte) (m RedriveMessage, err error) {
	r := wire.NewReader(body)
	m = RedriveMessage{Token: r.String(), Amendment: machine.Amendment{State: r.String(), Input: something(r.Bytes()), Output: something(r.Bytes())}}
	return m, r.Err()
}

// something is nil for an empty text: none.
func something(text []byte) []byte {
	if len(text) == 0 {
		return nil
	}
	return text
}

// NotRedrivable says in Step Functions' words why a run in a status cannot be redriven.
func NotRedrivable(status machine.Status) string {
	return fmt.Sprintf("Execution is %s and cannot be redriven", status)
}

// redrive takes the run up again, unless the same request has already.
func (r *Run) redrive(env *partition.Env, ev *partition.Event) {
	m, err := decodeRedrive(ev.Body)
	if err != nil {
		env.Reply(fault.New("RedriveExecution", fault.Internal, env.Name, "redrive message does not decode: %w", err))
		return
	}
	v := &r.view
	switch {
	case m.Token != "" && m.Token == r.redriveToken:
		r.reply(env)
		return
	case v.Status <= machine.Succeeded:
		env.Reply(r.notRedrivable("%s", NotRedrivable(v.Status)))
		return
	case r.frame == nil:
		env.Reply(r.notRedrivable("%v", machine.ErrNotKept))
		return
	case r.child != nil:
		env.Reply(r.notRedrivable("Execution is redriven by its Map Run: redrive the execution that started it"))
		return
	}
	if err := r.frame.Redrivable(); err != nil {
		env.Reply(r.notRedrivable("%v", err))
		return
	}
	if err := r.frame.Check(m.Amendment); err != nil {
		env.Reply(fault.New("RedriveExecution", fault.InvalidArgument, env.Name, "%w", err))
		return
	}
	r.redriveToken = m.Token
	r.takeUp(env, m.Amendment)
	r.reply(env)
}

// takeUp lets a run that has ended, and that can be redriven, go on.
func (r *Run) takeUp(env *partition.Env, a machine.Amendment) {
	v := &r.view
	env.Reopen()
	v.Status, v.Stopped = machine.Running, 0
	v.Output, v.Error, v.Cause, v.HasError, v.HasCause = nil, "", "", false, false
	v.Redrives, v.Redriven = v.Redrives+1, env.Now
	env.List(r.summary())
	r.step(env, machine.Event{Kind: machine.Redrive, Amendment: a})
}

func (r *Run) notRedrivable(format string, args ...any) error {
	arn := r.library.RunARN(r.view.Revision.Machine, r.view.Name, r.view.Revision.Express)
	return fault.New("RedriveExecution", fault.NotRedrivable, arn, format, args...)
}

// suspend pauses the run: what is out may come back, but no state begins or ends until it is resumed. A stop ends it
// at once, and heartbeats and the word that a worker has a task are heard.
func (r *Run) suspend(env *partition.Env, pause bool) {
	if r.view.Status != machine.Running {
		arn := r.library.RunARN(r.view.Revision.Machine, r.view.Name, r.view.Revision.Express)
		env.Reply(fault.New("", fault.Conflict, arn, "the run has ended (%s)", r.view.Status))
		return
	}
	r.view.Paused = pause
	if !pause {
		held := r.held
		r.held = nil
		for i := range held {
			if r.view.Status == machine.Running {
				r.stepShowing(env, held[i].Event, held[i].empty)
			}
		}
	}
	r.reply(env)
}

// heldEvent is an event that came while the run was paused.
type heldEvent struct {
	machine.Event
	empty shown
}

// holds reports whether the run keeps ev for when it is resumed. They are never more than what the frame waits for.
func (r *Run) holds(ev *machine.Event) bool {
	return r.view.Paused && ev.Kind != machine.Stop && ev.Kind != machine.TaskHeartbeat && ev.Kind != machine.TaskTaken
}

// reported says whether an answer for a task is held already.
func (r *Run) reported(task uint64) bool {
	for i := range r.held {
		if e := &r.held[i]; e.ID == task && (e.Kind == machine.TaskSucceeded || e.Kind == machine.TaskFailed) {
			return true
		}
	}
	return false
}

// appendHeld writes whether the run is paused and what it holds.
func (r *Run) appendHeld(dst []byte) []byte {
	dst = wire.AppendBool(dst, r.view.Paused)
	dst = wire.AppendUint(dst, uint64(len(r.held)))
	for i := range r.held {
		e := &r.held[i]
		dst = append(dst, byte(e.Kind), byte(e.empty))
		dst = wire.AppendUint(dst, e.ID)
		dst = wire.AppendBool(dst, e.StartFailed)
		dst = wire.AppendString(wire.AppendString(wire.AppendString(dst, e.Error), e.Cause), e.LogTail)
		dst = wire.AppendBytes(dst, e.Output)
	}
	return dst
}

func (r *Run) readHeld(in *wire.Reader) {
	r.view.Paused = in.Bool()
	for range in.Count(8) {
		var e heldEvent
		e.Kind, e.empty = machine.EventKind(in.Byte()), shown(in.Byte())
		e.ID, e.StartFailed = in.Uint(), in.Bool()
		e.Error, e.Cause, e.LogTail = in.String(), in.String(), in.String()
		e.Output = in.Bytes()
		r.held = append(r.held, e)
	}
}
