package machine

import (
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/machine/history"
)

// task schedules b's Task. TaskStarted is emitted at once, beside TaskScheduled: the engine does not tell
// when a function is entered, and a history read while the function runs should show that it does. A
// function that then turns out never to have been entered gets a StartFailed event behind it.
func (s *step) task(b *branch) *branch {
	st, f := b.state, s.f
	sc := s.scope(b)
	b.invocation = f.newID(b) // before the arguments, whose $$.Task.Token is made of it
	f.context.forget()
	call, e := s.call(b, sc)
	if e != nil {
		f.release(&b.invocation, b)
		return s.failed(b, e)
	}
	if st.Task.Target.Kind == asl.TargetActivity {
		if r := s.mocked(b); r != nil {
			return s.mockedActivity(b, &call, r)
		}
		s.offer(b, &call)
		return nil
	}
	b.phase, b.tail = working, call.tail
	s.noteScheduled(b, &call)
	if r := s.mocked(b); r != nil {
		return s.mockedTask(b, r)
	}
	s.command(Command{
		Kind: Invoke, ID: b.invocation, Function: call.function, Input: call.input,
		TimeoutMS: seconds(call.timeout), Token: st.Task.Target.WaitForToken, Job: st.Task.Target.Job, Logs: call.tail,
	})
	if call.timeout > 0 {
		s.setTimer(b, f.now+seconds(call.timeout))
	}
	if call.heartbeat > 0 {
		b.beatEvery = seconds(call.heartbeat)
		s.setBeat(b)
	}
	return nil
}

// call is what a Task asks for, evaluated.
type call struct {
	arguments []byte // what history shows
	function  string
	input     []byte // of the function
	timeout   int64  // seconds; 0: none
	heartbeat int64  // seconds; 0: none
	tail      bool
	role      string // to call under; "": the machine's
}

func (s *step) call(b *branch, sc *scope) (call, *failure) {
	st, flow := b.state, flowOf(b.state)
	v, e := flow.arguments(sc, st)
	if e != nil {
		return call{}, e
	}
	c := call{arguments: v.json(s.in.bounds.PayloadBytes), function: st.Task.Target.Function}
	if len(c.arguments) > s.in.bounds.PayloadBytes {
		return call{}, tooLarge(st.Name)
	}
	if c.timeout, e = taskSeconds(sc, st, "TimeoutSeconds", st.Task.Timeout); e != nil {
		return call{}, e
	}
	if c.heartbeat, e = taskSeconds(sc, st, "HeartbeatSeconds", st.Task.Heartbeat); e != nil {
		return call{}, e
	}
	if c.role, e = sc.role(st); e != nil {
		return call{}, e
	}
	c.input = c.arguments
	switch st.Task.Target.Kind {
	case asl.TargetLambdaInvoke:
		e = c.lambda(b, &v)
	case asl.TargetIntegration:
		c.function = asl.IntegrationARN(st.Task.Target.Integration)
		if st.Task.Target.Job {
			c.function = st.Task.Resource // the answer's form hangs on the pattern
		}
	}
	return c, e
}

func taskSeconds(sc *scope, st *asl.State, field string, d asl.Duration) (int64, *failure) {
	if !d.Set {
		return 0, nil
	}
	q := st.Queries[field]
	if d.Path == nil && q == nil {
		return d.Seconds, nil
	}
	n, e := flowOf(st).integer(sc, st, field, 0, d.Path)
	switch {
	case e != nil || n > 0:
	case q != nil:
		e = evaluationError(sc.b, q.Field, "The JSONata expression '%s' specified for the field '%s' must return a positive integer, but was: %d", q.Text, q.Field, n)
	default:
		e = runtimeError(sc.b, "The %sPath field must refer to a positive integer: %s == %d", field, d.Path, n)
	}
	return n, e
}

// role is the RoleArn of a Task's Credentials, "" without any.
func (sc *scope) role(st *asl.State) (string, *failure) {
	if st.Task.Credentials == nil {
		return "", nil
	}
	v, e := flowOf(st).fill(sc, st.Task.Credentials)
	if e != nil {
		return "", e
	}
	o, _ := v.tree.(*jsonvalue.Object)
	arn, _ := o.Get("RoleArn")
	role, ok := arn.(string)
	if !ok || role == "" {
		return "", runtimeError(sc.b, "The field 'RoleArn' of the Credentials must be the ARN of a role but was: %s", plain(arn))
	}
	return role, nil
}

// lambda reads the parameters of lambda:invoke. A payload that is absent or null reaches the function as {}.
func (c *call) lambda(b *branch, arguments *value) *failure {
	tree, err := arguments.root()
	o, ok := tree.(*jsonvalue.Object)
	if err != nil || !ok {
		return runtimeError(b, "The %s of %s must be an object with a FunctionName.", given(b.state), b.state.Task.Resource)
	}
	name, _ := o.Get("FunctionName")
	text, _ := name.(string)
	if c.function, _, ok = asl.ParseFunctionName(text); !ok {
		return runtimeError(b, "The field 'FunctionName' of the %s must be the name or the ARN of a function but was: %s", given(b.state), plain(name))
	}
	c.input = []byte("{}")
	if payload, _ := o.Get("Payload"); payload != nil {
		c.input = payloadText(payload)
	}
	logType, _ := o.Get("LogType")
	c.tail = logType == "Tail"
	return nil
}

// taskEvents are the types of the events that show how a Task's work ends.
type taskEvents struct{ succeeded, failed, startFailed, timedOut history.Type }

var (
	functionEvents = taskEvents{history.LambdaFunctionSucceeded, history.LambdaFunctionFailed, history.LambdaFunctionStartFailed, history.LambdaFunctionTimedOut}
	activityEvents = taskEvents{history.ActivitySucceeded, history.ActivityFailed, history.ActivityScheduleFailed, history.ActivityTimedOut}
	serviceEvents  = taskEvents{history.TaskSucceeded, history.TaskFailed, history.TaskStartFailed, history.TaskTimedOut}
)

// events returns the types of b's Task.
func (b *branch) events() *taskEvents {
	switch b.state.Task.Target.Kind {
	case asl.TargetFunction:
		return &functionEvents
	case asl.TargetActivity:
		return &activityEvents
	}
	return &serviceEvents
}

// direct reports whether b's Task names its function or activity itself, so that no event about its work has to.
func (b *branch) direct() bool {
	k := b.state.Task.Target.Kind
	return k == asl.TargetFunction || k == asl.TargetActivity
}

// payloadText is a Payload as the function gets it. A string that holds JSON is taken for what it holds. The text is a part
// of the arguments, which are bounded.
func payloadText(payload any) []byte {
	if text, ok := payload.(string); ok {
		if held, err := jsonvalue.Compact(nil, []byte(text)); err == nil {
			return held
		}
	}
	return jsonvalue.Append(nil, payload)
}

// given is the field that holds what a Task is given.
func given(st *asl.State) string {
	if st.QueryLanguage == asl.JSONata {
		return "Arguments"
	}
	return "Parameters"
}

func (s *step) noteScheduled(b *branch, c *call) {
	if b.direct() {
		s.note(b, history.Event{Type: history.LambdaFunctionScheduled, Input: c.arguments, Resource: b.state.Task.Resource,
			Timeout: c.timeout, Heartbeat: c.heartbeat, RoleARN: c.role})
		s.note(b, history.Event{Type: history.LambdaFunctionStarted})
		return
	}
	t := &b.state.Task.Target
	s.note(b, history.Event{Type: history.TaskScheduled, Parameters: c.arguments, ResourceType: t.ResourceType, Resource: t.Resource,
		Region: region(s.f.exec.MachineID), Timeout: c.timeout, Heartbeat: c.heartbeat, RoleARN: c.role})
	s.noteTask(b, history.Event{Type: history.TaskStarted})
}

// noteTask notes an event about a Task's work. Task* events all name the resource.
func (s *step) noteTask(b *branch, e history.Event) {
	if b.direct() {
		s.note(b, e)
		return
	}
	e.ResourceType, e.Resource = b.state.Task.Target.ResourceType, b.state.Task.Target.Resource
	s.note(b, e)
}

// region is the region of an ARN, or "" when it has none.
func region(arn string) string {
	for range 3 {
		_, rest, ok := strings.Cut(arn, ":")
		if !ok {
			return ""
		}
		arn = rest
	}
	name, _, _ := strings.Cut(arn, ":")
	return name
}

// taskEvent is news of b's invocation.
func (s *step) taskEvent(b *branch, ev *Event) {
	switch ev.Kind {
	case TaskHeartbeat:
		if b.beat != 0 {
			s.command(Command{Kind: CancelTimer, ID: b.beat})
			s.f.release(&b.beat, b)
			s.setBeat(b)
		}
	case TaskTaken:
		s.taken(b, ev)
	case TaskSubmitted:
		if b.state.Task.Target.WaitForToken || b.state.Task.Target.Job {
			s.noteTask(b, history.Event{Type: history.TaskSubmitted, Output: s.response(b, ev)})
			s.resume(nil)
		}
	case TaskSucceeded:
		s.resume(s.taskSucceeded(b, ev))
	case TaskFailed:
		s.resume(s.taskFailed(b, ev))
	}
}

// response is what a Task makes of its target's answer.
func (s *step) response(b *branch, ev *Event) []byte {
	if b.state.Task.Target.Kind == asl.TargetLambdaInvoke {
		return s.envelope(b, ev)
	}
	return ev.Output
}

func (s *step) setBeat(b *branch) {
	b.beat, b.beatDue = s.f.newID(b), s.f.now+b.beatEvery
	s.command(Command{Kind: SetTimer, ID: b.beat, Due: b.beatDue})
}

func (s *step) taskSucceeded(b *branch, ev *Event) *branch {
	result := ev.Output
	if len(result) > s.in.bounds.PayloadBytes {
		what := b.state.Task.Target.ResourceType
		if b.direct() {
			what = b.state.Task.Resource
		}
		return s.taskError(b, tooLarge(what), false)
	}
	if !ev.whole && !b.state.Task.Target.WaitForToken {
		result = s.response(b, ev)
	}
	s.f.release(&b.invocation, b)
	s.cancelTimers(b)
	b.phase = redo
	s.f.probe.note(b, FieldResult, textValue(result))
	s.noteTask(b, history.Event{Type: b.events().succeeded, Output: result})
	return s.complete(b, s.scope(b), textValue(result))
}

func (s *step) taskFailed(b *branch, ev *Event) *branch {
	e := &failure{name: ev.Error, hasName: ev.Error != "", cause: ev.Cause, hasCause: ev.Cause != ""}
	return s.taskError(b, e, ev.StartFailed)
}

func (s *step) taskError(b *branch, e *failure, startFailed bool) *branch {
	s.f.release(&b.invocation, b)
	s.cancelTimers(b)
	b.phase = redo
	out := history.Event{Type: b.events().failed, Error: e.name, HasError: e.hasName, Cause: e.cause, HasCause: e.hasCause}
	if startFailed {
		out.Type = b.events().startFailed
	}
	s.noteTask(b, out)
	return s.failed(b, e)
}

// taskTimedOut ends a Task whose TimeoutSeconds or HeartbeatSeconds are over. A missed heartbeat reads
// States.Timeout in the history, like on AWS, and ErrorEquals may name it States.HeartbeatTimeout as well.
func (s *step) taskTimedOut(b *branch, beat bool) *branch {
	s.noteTimedOut(b)
	s.cancel(b)
	b.phase = redo
	e := &failure{name: errTimeout, hasName: true}
	if beat {
		e.alias = errHeartbeat
	}
	return s.failed(b, e)
}

func (s *step) noteTimedOut(b *branch) {
	s.noteTask(b, history.Event{Type: b.events().timedOut, Error: errTimeout, HasError: true})
}
