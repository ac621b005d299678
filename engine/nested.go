package engine

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// nested does, for a Task, an action of Step Functions itself: states:startExecution and aws-sdk:sfn:*. A call that a
// crash has cut short is made again. What it starts has a name that is the same then, and knows the task (statemachine.Parent),
// so it is started once.
type nested struct {
	*Node
	flight *flight
	name   string // e.g. "states:startExecution"
	form   statemachine.Form
	in     *jsonvalue.Object
}

// ownAction returns what does the call of an own action, or nil when it is none.
func (n *Node) ownAction(f *flight) *nested {
	name, ok := asl.IntegrationName(f.call.Function)
	if !ok {
		return nil
	}
	form := statemachine.Begun
	name, pattern, _ := strings.Cut(name, ".")
	switch pattern {
	case "sync":
		form = statemachine.Ended
	case "sync:2":
		form = statemachine.Opened
	}
	if !asl.OwnAction(name) {
		return nil
	}
	return &nested{Node: n, flight: f, name: name, form: form}
}

// invoke does the call.
func (c *nested) invoke(ctx context.Context) (*function.Result, error) {
	tree, err := jsonvalue.Parse(c.flight.req.Input)
	if c.in, _ = tree.(*jsonvalue.Object); err == nil && c.in == nil {
		err = fault.New("", fault.InvalidArgument, c.name, "the arguments are not an object")
	}
	var answer []byte
	if err == nil {
		answer, err = c.do(ctx)
	}
	switch {
	case err == nil:
		return &function.Result{Output: answer}, nil
	case ctx.Err() != nil || fault.Is(err, fault.Unavailable):
		return nil, err // no word on the call: it is made again, or nobody wants it
	}
	return nil, c.failure(err)
}

func (c *nested) do(ctx context.Context) ([]byte, error) {
	switch strings.TrimPrefix(c.name, "aws-sdk:sfn:") {
	case "startSyncExecution":
		return c.startSync(ctx)
	case "stopExecution":
		return c.stop(ctx)
	case "describeExecution":
		id, err := c.run("ExecutionArn")
		if err != nil {
			return nil, err
		}
		return c.describe(ctx, id)
	case "sendTaskSuccess":
		return []byte("{}"), c.SucceedTask(ctx, c.text("TaskToken"), []byte(c.text("Output")))
	case "sendTaskFailure":
		return []byte("{}"), c.FailTask(ctx, c.text("TaskToken"), Reason{Error: c.optional("Error"), Cause: c.optional("Cause")})
	case "sendTaskHeartbeat":
		return []byte("{}"), c.HeartbeatTask(ctx, c.text("TaskToken"))
	}
	run, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	return statemachine.StartAnswer(run.ARN, run.Started), nil
}

// optional returns an argument as text, nil when it is absent or null: a string as it is, anything else as JSON.
func (c *nested) optional(key string) *string {
	v, ok := c.in.Get(key)
	if !ok || v == nil {
		return nil
	}
	s, ok := v.(string)
	if !ok {
		s = jsonvalue.Text(v)
	}
	return &s
}

func (c *nested) text(key string) string {
	if s := c.optional(key); s != nil {
		return *s
	}
	return ""
}

// start starts the run that the arguments say.
func (c *nested) start(ctx context.Context) (*Run, error) {
	m, qualifier, err := c.machine("StateMachineArn")
	if err != nil {
		return nil, err
	}
	s := StartRun{Machine: m.Name, Name: c.text("Name"), Trace: c.text("TraceHeader"),
		parent: statemachine.Parent{Run: c.flight.call.Instance, Ref: c.flight.key.ref, Task: c.flight.call.ID, Form: c.form}}
	if v, err := strconv.Atoi(qualifier); err == nil {
		s.Version = v
	} else {
		s.Alias = qualifier
	}
	if input := c.optional("Input"); input != nil {
		s.Input = []byte(*input)
	}
	id := uuid.NewSHA1(uuid.NameSpaceOID, []byte(c.flight.req.Key)).String()
	if s.Name == "" {
		s.Name = id
	} else if err := checkName(s.Name); err != nil {
		return nil, err
	}
	if m.Type == Express {
		s.Name += ":" + id
	}
	return c.StartRun(ctx, s)
}

func (c *nested) startSync(ctx context.Context) ([]byte, error) {
	m, _, err := c.machine("StateMachineArn")
	if err != nil {
		return nil, err
	}
	if m.Type != Express {
		return nil, fault.New("", fault.MachineType, m.ARN, "This operation is not supported by this type of state machine")
	}
	run, err := c.start(ctx)
	if err != nil {
		return nil, err
	}
	if run, err = c.WaitRun(ctx, run.ID); err != nil {
		return nil, err
	}
	return c.describe(ctx, run.ID)
}

func (c *nested) stop(ctx context.Context) ([]byte, error) {
	id, err := c.run("ExecutionArn")
	if err != nil {
		return nil, err
	}
	run, err := c.StopRun(ctx, id, Reason{Error: c.optional("Error"), Cause: c.optional("Cause")})
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, `{"StopDate":%d}`, run.Stopped), nil
}

func (c *nested) describe(ctx context.Context, id RunID) ([]byte, error) {
	v, err := c.viewRun(ctx, id)
	if err != nil {
		return nil, err
	}
	return statemachine.Describe(v, c.library.RunARN(id.Machine, id.Name, v.Revision.Express), statemachine.Ended), nil
}

// machine returns the machine whose ARN, or name, an argument is, and the version or alias behind it.
func (c *nested) machine(key string) (m *Machine, qualifier string, err error) {
	text := c.text(key)
	name := text
	if part := strings.SplitN(text, ":", 8); len(part) >= 7 && part[0] == "arn" && part[2] == "states" && part[5] == "stateMachine" {
		name = part[6]
		if len(part) == 8 {
			qualifier = part[7]
		}
	} else if c.catalog.get(name) == nil {
		return nil, "", fault.New("", fault.InvalidArn, text, "Invalid Arn: 'Invalid ARN prefix: %s'", text)
	}
	found := c.catalog.get(name)
	if found == nil {
		return nil, "", fault.New("", fault.MachineNotFound, text, "State Machine Does Not Exist: '%s'", text)
	}
	return c.Node.machine(found.machine), qualifier, nil
}

// run returns the run whose ARN an argument is.
func (c *nested) run(key string) (RunID, error) {
	text := c.text(key)
	part := strings.SplitN(text, ":", 8)
	if len(part) < 8 || part[0] != "arn" || part[5] != "execution" && part[5] != "express" {
		return RunID{}, fault.New("", fault.InvalidArn, text, "Invalid Arn: 'Invalid ARN prefix: %s'", text)
	}
	return RunID{Machine: part[6], Name: part[7]}, nil
}

// awsErrors are the names that AWS's clients give to what an action refuses.
var awsErrors = map[fault.Kind]string{
	fault.InvalidArgument: "ValidationException",
	fault.InvalidArn:      "InvalidArn",
	fault.InvalidName:     "InvalidName",
	fault.InvalidInput:    "InvalidExecutionInput",
	fault.InvalidOutput:   "InvalidOutput",
	fault.InvalidToken:    "InvalidToken",
	fault.MachineNotFound: "StateMachineDoesNotExist",
	fault.MachineDeleting: "StateMachineDeleting",
	fault.MachineType:     "StateMachineTypeNotSupported",
	fault.RunNotFound:     "ExecutionDoesNotExist",
	fault.RunExists:       "ExecutionAlreadyExists",
	fault.TaskNotFound:    "TaskDoesNotExist",
	fault.TaskTimedOut:    "TaskTimedOut",
	fault.LimitExceeded:   "ExecutionLimitExceeded",
	fault.Busy:            "ThrottlingException",
}

// failure is err as a state machine sees it: what the clients of AWS that Step Functions uses make of it, the older of
// states:startExecution and the newer of aws-sdk:sfn.
func (c *nested) failure(err error) error {
	code, known := awsErrors[fault.KindOf(err)]
	if !known {
		code = "InternalFailure"
	}
	class := strings.TrimSuffix(code, "Exception") + "Exception"
	words := err.Error()
	if f, ok := err.(*fault.Error); ok {
		words = f.Message()
	}
	id := c.flight.req.Key
	if strings.HasPrefix(c.name, "aws-sdk:") {
		return &function.Error{Type: "Sfn." + class, Cause: limits.Cut(fmt.Sprintf(
			"%s (Service: Sfn, Status Code: 400, Request ID: %s) (SDK Attempt Count: 1)", words, id), limits.CauseChars)}
	}
	return &function.Error{Type: "StepFunctions." + class, Cause: limits.Cut(fmt.Sprintf(
		"%s (Service: AWSStepFunctions; Status Code: 400; Error Code: %s; Request ID: %s; Proxy: null)", words, code, id), limits.CauseChars)}
}
