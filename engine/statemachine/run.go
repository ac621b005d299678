package statemachine

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
)

// The messages a run takes. Values are append-only: they are logged.
const (
	OpStart         uint8 = iota + 1 // StartMessage
	OpStop                           // StopMessage
	OpTaskSucceed                    // TaskMessage
	OpTaskFail                       // TaskMessage
	OpTaskBeat                       // TaskMessage
	OpRedrive                        // RedriveMessage
	OpPause                          // no body
	OpResume                         // no body
	OpStartWith                      // StartMessage with options
	OpTaskTaken                      // TakenMessage, of an activity or a worker that has a task from one
	OpTaskRefused                    // RefusedMessage, of an activity
	OpStartChild                     // startChild
	OpChildAgain                     // startChild without Input
	OpMapEnded                       // mapEnd
	OpNestedStarted                  // NestedMessage, of a run that this one's task waits for
	OpNestedEnded                    // NestedMessage, of a run that this one's task waits for
)

// StartMessage starts a run.
type StartMessage struct {
	Revision partition.BlobID
	Seed     uint64 // drawn at random: of jitter, ids and task tokens
	Trace    string
	As       Qualifier
	Input    []byte // one JSON text, compact
	At       string // state to begin with; "": the StartAt
	Parent   Parent // the task that starts the run; the zero Parent: a client
}

// What a start may say beyond the least. The bits are logged: append-only.
const (
	startAt uint64 = 1 << iota // At
	startAs                    // As
	startBy                    // Parent
)

func (m *StartMessage) options() (mask uint64) {
	if m.At != "" {
		mask |= startAt
	}
	if m.As.Version != 0 {
		mask |= startAs
	}
	if m.Parent.Run != "" {
		mask |= startBy
	}
	return mask
}

// Op returns what the message is sent as.
func (m *StartMessage) Op() uint8 {
	if m.options() != 0 {
		return OpStartWith
	}
	return OpStart
}

// Encode returns the body of the message.
func (m *StartMessage) Encode() []byte {
	dst := make([]byte, 0, len(m.Input)+len(m.Trace)+32)
	if mask := m.options(); mask != 0 {
		dst = wire.AppendUint(dst, mask)
		if mask&startAt != 0 {
			dst = wire.AppendString(dst, m.At)
		}
		if mask&startAs != 0 {
			dst = m.As.append(dst)
		}
		if mask&startBy != 0 {
			dst = m.Parent.append(dst)
		}
	}
	dst = wire.AppendString(dst, string(m.Revision))
	dst = wire.AppendUint(dst, m.Seed)
	dst = wire.AppendString(dst, m.Trace)
	return append(dst, m.Input...)
}

func decodeStart(op uint8, body []byte) (m StartMessage, err error) {
	r := wire.NewReader(body)
	if op == OpStartWith {
		mask := r.Uint()
		if mask&startAt != 0 {
			m.At = r.String()
		}
		if mask&startAs != 0 {
			m.As = readQualifier(r)
		}
		if mask&startBy != 0 {
			m.Parent.read(r)
		}
	}
	m.Revision, m.Seed, m.Trace, m.Input = partition.BlobID(r.Bytes()), r.Uint(), r.String(), r.Rest()
	return m, r.Err()
}

// StopMessage stops a run. Nil texts are absent, which is not the same as empty.
type StopMessage struct{ Error, Cause *string }

// Encode returns the body of an OpStop message.
func (m *StopMessage) Encode() []byte {
	dst := wire.AppendString(wire.AppendString(nil, text(m.Error)), text(m.Cause))
	return append(dst, shownOf(m.Error, m.Cause)...)
}

// StopBody returns the body of an OpStop message in which empty texts are absent.
func StopBody(errorName, cause string) []byte {
	return wire.AppendString(wire.AppendString(nil, errorName), cause)
}

// shown says which texts are there although they are empty; those that are not empty are there anyway. In a message it
// is a last byte that may be missing.
type shown uint8

const (
	emptyError shown = 1 << iota
	emptyCause
)

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func shownOf(errorName, cause *string) []byte {
	var s shown
	if errorName != nil && *errorName == "" {
		s |= emptyError
	}
	if cause != nil && *cause == "" {
		s |= emptyCause
	}
	if s == 0 {
		return nil
	}
	return []byte{byte(s)}
}

func readShown(rest []byte) shown {
	if len(rest) == 0 {
		return 0
	}
	return shown(rest[0])
}

// TaskMessage reports on a task by its token.
type TaskMessage struct {
	Token        Token
	Output       []byte // OpTaskSucceed: one JSON text, compact
	Error, Cause string // OpTaskFail

	shown []byte
}

// FailMessage returns the message that a task has failed. Nil texts are absent.
func FailMessage(t Token, errorName, cause *string) *TaskMessage {
	return &TaskMessage{Token: t, Error: text(errorName), Cause: text(cause), shown: shownOf(errorName, cause)}
}

// Encode returns the body of a task message.
func (m *TaskMessage) Encode() []byte {
	dst := wire.AppendUint(nil, m.Token.Task)
	dst = wire.AppendUint(dst, m.Token.Check)
	dst = wire.AppendString(dst, m.Error)
	dst = wire.AppendString(dst, m.Cause)
	dst = append(dst, m.Output...)
	return append(dst, m.shown...)
}

// TakenMessage says that a worker has a task of an activity.
type TakenMessage struct {
	Task   uint64
	Worker string // may be empty
}

// Encode returns the body of the message.
func (m *TakenMessage) Encode() []byte {
	return append(wire.AppendUint(nil, m.Task), m.Worker...)
}

// Work is what a worker gets: the answer to a client's OpTaskTaken.
type Work struct {
	Token string
	Input []byte
}

// RefusedMessage says that an activity does not take a task.
type RefusedMessage struct {
	Task         uint64
	Error, Cause string
}

// Encode returns the body of the message.
func (m *RefusedMessage) Encode() []byte {
	return wire.AppendString(wire.AppendString(wire.AppendUint(nil, m.Task), m.Error), m.Cause)
}

// View is a run as a client sees it.
type View struct {
	Revision *Loaded
	Name     string
	Status   machine.Status
	Started  int64 // Unix milliseconds
	Stopped  int64
	Trace    string
	As       Qualifier
	Input    []byte
	Output   []byte
	Error    string
	Cause    string
	HasError bool
	HasCause bool
	Events   int64 // length of the history
	Paused   bool
	Redrives int64  // how often the run was redriven
	Redriven int64  // Unix milliseconds of the last time; 0: never
	MapRun   string // instance name of the Map Run that it is a child of; "": none

	Redrivable error // why a run that has ended cannot be redriven; nil: it can, or has not ended
}

// Runs is the program of runs.
type Runs struct{ Library *Library }

// Creates reports whether op makes a run.
func (p *Runs) Creates(op uint8) bool {
	return op == OpStart || op == OpStartWith || op == OpStartChild || op == OpChildAgain
}

// New returns a run that waits for its OpStart.
func (p *Runs) New() partition.Instance { return &Run{library: p.Library} }

// Run is one run.
type Run struct {
	library *Library
	view    View
	seed    uint64
	frame   *machine.Frame // nil once the run has ended, unless it can be redriven
	writer  history.Writer
	first   int64 // id of the first event in writer
	child   *child

	held         []heldEvent // while the run is paused
	redriveToken string      // of the last redrive

	family
}

// View returns what a client sees of the run now.
func (r *Run) View() *View {
	v := r.view
	if r.child != nil {
		v.MapRun = r.child.mapRun
	}
	if v.Status > machine.Running {
		v.Redrivable = machine.ErrNotKept
		if v.Status == machine.Succeeded {
			v.Redrivable = machine.ErrNotEnded
		} else if r.frame != nil {
			v.Redrivable = r.frame.Redrivable()
		}
	}
	return &v
}

// outputs lends the buffers of a step. Runs of all partitions share them; a step keeps nothing of its own.
var outputs = newPool(func() *machine.Output { return new(machine.Output) })

// Receive implements partition.Instance.
func (r *Run) Receive(env *partition.Env, ev *partition.Event) {
	switch ev.Kind {
	case partition.Message:
		r.message(env, ev)
	case partition.Done:
		r.done(env, ev)
	case partition.Due:
		r.step(env, machine.Event{Kind: machine.TimerFired, ID: ev.ID})
	case partition.Continue:
		r.step(env, machine.Event{Kind: machine.Continue})
	}
}

func (r *Run) message(env *partition.Env, ev *partition.Event) {
	switch ev.Op {
	case OpStart, OpStartWith:
		r.start(env, ev)
	case OpStop:
		if r.view.Status == machine.Running {
			body := wire.NewReader(ev.Body)
			stop := machine.Event{Kind: machine.Stop, Error: body.String(), Cause: body.String()}
			r.stepShowing(env, stop, readShown(body.Rest()))
		}
		r.reply(env)
	case OpTaskSucceed, OpTaskFail, OpTaskBeat:
		r.report(env, ev)
	case OpRedrive:
		r.redrive(env, ev)
	case OpPause, OpResume:
		r.suspend(env, ev.Op == OpPause)
	case OpNestedStarted:
		r.childStarted(env, ev)
	case OpNestedEnded:
		r.childEnded(env, ev)
	case OpTaskTaken:
		r.taken(env, ev)
	case OpTaskRefused:
		body := wire.NewReader(ev.Body)
		r.step(env, machine.Event{Kind: machine.TaskFailed, ID: body.Uint(), Error: body.String(), Cause: body.String(), StartFailed: true})
	case OpStartChild:
		r.startChild(env, ev)
	case OpChildAgain:
		r.again(env, ev)
	case OpMapEnded:
		r.mapEnded(env, ev.Body)
	}
}

// taken takes the word that a worker has a task. It comes twice: from the activity, so that it comes whatever crashes, and
// from the worker, who is told what to do before anything else can happen to the task.
func (r *Run) taken(env *partition.Env, ev *partition.Event) {
	body := wire.NewReader(ev.Body)
	task, worker := body.Uint(), string(body.Rest())
	var input []byte
	if r.frame != nil {
		input = r.frame.Arguments(task)
	}
	if input == nil {
		env.Reply(errNoTask())
		return
	}
	r.step(env, machine.Event{Kind: machine.TaskTaken, ID: task, Worker: worker})
	if env.HasClient() {
		env.Reply(&Work{Token: r.library.token(r.frame.Execution(), task), Input: input})
	}
}

func errNoTask() error {
	return fault.New("", fault.TaskTimedOut, "", "Task Timed Out: 'Provided task does not exist anymore'")
}

func (r *Run) reply(env *partition.Env) {
	if env.HasClient() {
		env.Reply(r.View())
	}
}

func (r *Run) start(env *partition.Env, ev *partition.Event) {
	m, err := decodeStart(ev.Op, ev.Body)
	if err != nil {
		env.Discard()
		env.Reply(fault.New("StartExecution", fault.Internal, env.Name, "start message does not decode: %w", err))
		return
	}
	if !env.Created {
		r.startAgain(env, &m)
		return
	}
	rev, err := r.library.Load(m.Revision, env.Blob(m.Revision))
	if err != nil {
		env.Discard()
		env.Reply(fault.New("StartExecution", fault.Internal, env.Name, "%w", err))
		return
	}
	r.begin(env, rev, &m)
	r.reply(env)
}

// begin lets the run start.
func (r *Run) begin(env *partition.Env, rev *Loaded, m *StartMessage) {
	env.Pin(m.Revision)
	_, name, _ := SplitRun(env.Name)
	r.seed = m.Seed
	r.view = View{Revision: rev, Name: name, Status: machine.Running, Started: env.Now, Trace: m.Trace, As: m.As, Input: m.Input}
	r.first = 1
	r.frame = rev.Interpreter.NewFrame(r.execution())
	if r.child != nil {
		r.frame.CountFrom(r.child.life * lifeIDs)
	}
	env.List(r.summary())
	if m.Parent.Run != "" {
		r.adopt(env, m.Parent)
	}
	r.step(env, machine.Event{Kind: machine.Start, Output: m.Input, Amendment: machine.Amendment{State: m.At}})
}

// startAgain answers a second start of the same name: the open run if it had the same input, else an error.
func (r *Run) startAgain(env *partition.Env, m *StartMessage) {
	if m.Parent.Run != "" && r.has(m.Parent) {
		r.reply(env) // the same call again, after a crash
		return
	}
	if r.view.Status == machine.Running && bytes.Equal(m.Input, r.view.Input) {
		if m.Parent.Run != "" {
			r.adopt(env, m.Parent)
		}
		r.reply(env)
		return
	}
	arn := r.library.RunARN(r.view.Revision.Machine, r.view.Name, r.view.Revision.Express)
	env.Reply(fault.New("StartExecution", fault.RunExists, arn, "Execution Already Exists: '%s'", arn))
}

func (r *Run) execution() machine.Execution {
	rev := r.view.Revision
	name, _, _ := strings.Cut(r.view.Name, ":") // what follows tells express runs of one name apart
	return machine.Execution{
		ID: r.library.RunARN(rev.Machine, r.view.Name, rev.Express), Name: name, RoleARN: rev.RoleARN, StartTime: r.view.Started,
		MachineID: rev.MachineARN, MachineName: rev.Machine, Seed: r.seed, Express: rev.Express,
	}
}

func (r *Run) summary() partition.Summary {
	group := RunsGroup(r.view.Revision.Machine)
	if r.child != nil {
		each, mapRun, _ := SplitMapRun(r.child.mapRun)
		group = ChildrenGroup(each, mapRun)
	}
	label := Listed{As: r.view.As, Redrives: r.view.Redrives, Redriven: r.view.Redriven}.label()
	return partition.Summary{
		Group: group, Label: label, Status: uint8(r.view.Status), Time: r.view.Started, Ended: r.view.Stopped,
	}
}

// flagToken marks the invocations of tasks that wait for a token: a good answer of theirs completes nothing.
const flagToken = 1

// flagJob marks the invocations of tasks that wait for a run: it tells itself that it has begun.
const flagJob = 2

// done takes the answer of a function. The partition has checked that it was waited for.
func (r *Run) done(env *partition.Env, ev *partition.Event) {
	if ev.Error != "" || ev.Cause != "" || ev.Flag {
		r.step(env, machine.Event{Kind: machine.TaskFailed, ID: ev.ID, Error: ev.Error, Cause: ev.Cause, StartFailed: ev.Flag})
		return
	}
	if ev.Call.Flags&flagJob != 0 {
		return
	}
	kind := machine.TaskSucceeded
	if ev.Call.Flags&flagToken != 0 {
		kind = machine.TaskSubmitted
	}
	r.step(env, machine.Event{Kind: kind, ID: ev.ID, Output: ev.Body, LogTail: ev.LogTail})
}

// report takes a message about a task by its token.
func (r *Run) report(env *partition.Env, ev *partition.Event) {
	body := wire.NewReader(ev.Body)
	task, sum := body.Uint(), body.Uint()
	errorName, cause, output := body.String(), body.String(), body.Rest()
	switch {
	case body.Err() != nil || sum != check(r.seed, task):
		env.Reply(fault.New("", fault.InvalidToken, "", "Invalid Token: 'Invalid token'"))
		return
	case r.frame == nil || !r.frame.Waits(task) || r.reported(task):
		env.Reply(errNoTask())
		return
	}
	e := machine.Event{ID: task, Error: errorName, Cause: cause}
	var empty shown
	switch ev.Op {
	case OpTaskSucceed:
		e.Kind, e.Output = machine.TaskSucceeded, output
	case OpTaskFail:
		e.Kind, empty = machine.TaskFailed, readShown(output)
	case OpTaskBeat:
		e.Kind = machine.TaskHeartbeat
	}
	if ev.Op != OpTaskBeat {
		env.Cancel(task)
		r.forgetChild(task)
	}
	r.stepShowing(env, e, empty)
	r.reply(env)
}

// step lets the interpreter take an event and carries out its commands.
func (r *Run) step(env *partition.Env, ev machine.Event) { r.stepShowing(env, ev, 0) }

// stepShowing is step for an event whose texts may be there and empty.
func (r *Run) stepShowing(env *partition.Env, ev machine.Event, empty shown) {
	if r.frame == nil {
		return
	}
	if r.holds(&ev) {
		r.held = append(r.held, heldEvent{ev, empty})
		return
	}
	out := outputs.get()
	ev.Now = env.Now
	r.view.Revision.Interpreter.Step(r.frame, ev, out)
	if empty != 0 {
		empty.mark(ev.Kind, out)
	}
	for i := range out.History {
		r.writer.Append(&out.History[i])
		r.view.Events = out.History[i].ID
	}
	r.log(env, out.History)
	for i := range out.Commands {
		r.command(env, &out.Commands[i])
	}
	out.Reset()
	outputs.put(out)
}

// mark shows the empty texts of a stop or of a failed task where the interpreter, to which empty is absent, left them
// out: in the event that says what happened and, of a stop, in the run's end.
func (s shown) mark(kind machine.EventKind, out *machine.Output) {
	for i := range out.History {
		e := &out.History[i]
		stopped := kind == machine.Stop && e.Type == history.ExecutionAborted
		failed := kind == machine.TaskFailed && (e.Type == history.TaskFailed || e.Type == history.LambdaFunctionFailed || e.Type == history.ActivityFailed)
		if stopped || failed {
			e.HasError, e.HasCause = e.HasError || s&emptyError != 0, e.HasCause || s&emptyCause != 0
			break
		}
	}
	for i := range out.Commands {
		if c := &out.Commands[i]; kind == machine.Stop && c.Kind == machine.Finish {
			c.HasError, c.HasCause = c.HasError || s&emptyError != 0, c.HasCause || s&emptyCause != 0
		}
	}
}

func (r *Run) command(env *partition.Env, c *machine.Command) {
	switch c.Kind {
	case machine.Invoke:
		call := partition.Invocation{ID: c.ID, Function: c.Function, Input: c.Input, TimeoutMS: c.TimeoutMS, Logs: c.Logs}
		if c.Token {
			call.Flags = flagToken
		}
		if c.Job {
			call.Flags = flagJob
		}
		env.Invoke(call)
	case machine.CancelInvoke:
		env.Cancel(c.ID)
		r.stopChild(env, c.ID)
	case machine.SetTimer:
		env.SetTimer(c.ID, c.Due)
	case machine.CancelTimer:
		env.CancelTimer(c.ID)
	case machine.Yield:
		env.Continue()
	case machine.Finish:
		r.finish(env, c)
	case machine.Offer:
		m := OfferMessage{Run: env.Name, Task: c.ID}
		env.Send(ActivityInstance(c.Function), ActivitiesID, OpActivityOffer, m.Encode())
	case machine.Withdraw:
		m := OfferMessage{Run: env.Name, Task: c.ID}
		env.Send(ActivityInstance(c.Function), ActivitiesID, OpActivityWithdraw, m.Encode())
	case machine.StartMapRun, machine.StopMapRun, machine.RedriveMapRun:
		r.mapCommand(env, c)
	}
}

func (r *Run) finish(env *partition.Env, c *machine.Command) {
	v := &r.view
	v.Status, v.Stopped = c.Status, env.Now
	v.Output, v.Error, v.Cause = c.Output, c.Error, c.Cause
	v.HasError, v.HasCause = c.HasError, c.HasCause
	v.Paused, r.held = false, nil
	r.tellParents(env)
	if r.child != nil {
		r.tellMapRun(env, v.Status, v.Output)
		if r.view.Revision.Express && v.Status == machine.Succeeded && !r.child.keep {
			env.Remove() // nobody can ask for it
			return
		}
	}
	if r.frame.Redrivable() != nil {
		r.frame = nil
	}
	env.List(r.summary())
	var value any
	if env.Waited() {
		value = r.View()
	}
	env.End(value)
}

// History implements partition.Historian.
func (r *Run) History() (chunk []byte, first, count int64) {
	return r.writer.Bytes(), r.first, r.view.Events - r.first + 1
}

// Forget implements partition.Historian.
func (r *Run) Forget() {
	r.writer.Reset()
	r.first = r.view.Events + 1
}

// runVersion is the first byte of a run's record. Version 4 counts the lives of children, 3 has Map Runs, parents and children, 2 redrives, pauses and
// qualifiers; all are read.
const runVersion = 4

// Append implements partition.Instance.
func (r *Run) Append(dst []byte) []byte {
	v := &r.view
	dst = append(dst, runVersion, byte(v.Status))
	dst = wire.AppendString(dst, string(v.Revision.Blob))
	dst = wire.AppendString(dst, v.Name)
	dst = wire.AppendInt(dst, v.Started)
	dst = wire.AppendInt(dst, v.Stopped)
	dst = wire.AppendInt(dst, v.Events)
	dst = wire.AppendUint(dst, r.seed)
	dst = wire.AppendString(dst, v.Trace)
	dst = wire.AppendInt(dst, v.Redrives)
	dst = wire.AppendInt(dst, v.Redriven)
	dst = wire.AppendString(dst, r.redriveToken)
	dst = v.As.append(dst)
	dst = r.child.append(dst)
	dst = r.appendFamily(dst)
	if v.Status == machine.Running {
		return r.frame.AppendBinary(r.appendHeld(dst)) // has the input
	}
	dst = wire.AppendBytes(dst, v.Input)
	dst = wire.AppendBool(dst, v.HasError)
	dst = wire.AppendBool(dst, v.HasCause)
	dst = wire.AppendString(dst, v.Error)
	dst = wire.AppendString(dst, v.Cause)
	dst = wire.AppendBytes(dst, v.Output)
	if r.frame != nil {
		dst = r.frame.AppendBinary(dst)
	}
	return dst
}

// Decode implements partition.Program. The run aliases data.
func (p *Runs) Decode(data []byte, blob func(partition.BlobID) []byte) (partition.Instance, error) {
	r := &Run{library: p.Library}
	return r, r.decode(data, blob)
}

// ReadView decodes what a client sees of a run from its record's state; blob returns the revision's blob.
func (p *Runs) ReadView(data []byte, blob func(partition.BlobID) []byte) (*View, error) {
	r := &Run{library: p.Library}
	err := r.decode(data, blob)
	return r.View(), err
}

func (r *Run) decode(data []byte, blob func(partition.BlobID) []byte) (err error) {
	in := wire.NewReader(data)
	version := in.Byte()
	if (version == 0 || version > runVersion) && in.Err() == nil {
		return fmt.Errorf("statemachine: run has format version %d; this program reads up to %d", version, runVersion)
	}
	v := &r.view
	v.Status = machine.Status(in.Byte())
	id := partition.BlobID(in.Bytes())
	v.Name = in.String()
	v.Started, v.Stopped, v.Events = in.Int(), in.Int(), in.Int()
	r.seed = in.Uint()
	v.Trace = in.String()
	if version >= 2 {
		v.Redrives, v.Redriven, r.redriveToken = in.Int(), in.Int(), in.String()
		v.As = readQualifier(in)
	}
	if version >= 3 {
		r.child = readChild(in, version)
		r.readFamily(in)
	}
	r.first = v.Events + 1
	var frame []byte
	if v.Status == machine.Running {
		if version >= 2 {
			r.readHeld(in)
		}
		frame = in.Rest()
	} else {
		v.Input = in.Bytes()
		v.HasError, v.HasCause = in.Bool(), in.Bool()
		v.Error, v.Cause = in.String(), in.String()
		v.Output = in.Bytes()
		frame = something(in.Rest())
	}
	if err := in.Err(); err != nil {
		return err
	}
	if v.Revision, err = r.library.Load(id, blob(id)); err != nil || frame == nil {
		return err
	}
	if r.frame, err = machine.DecodeFrame(frame, v.Revision.Interpreter); err == nil && v.Status == machine.Running {
		v.Input = r.frame.Input()
	}
	return err
}
