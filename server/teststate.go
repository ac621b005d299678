package server

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/teststate"
	"github.com/weftworks/weft/server/awsjson"
)

// Caller is a Backend that can call what a Task names outside of a run: what TestState needs for states without a mock.
type Caller interface {
	// MachineARN returns the ARN that a machine of this name would have.
	MachineARN(name string) string
	CallTask(ctx context.Context, c *machine.Command) machine.Event
}

// testTime is how long a state that is tested may take, as on AWS.
const testTime = 5 * time.Minute

// testState runs one state by itself. No run is made and nothing is stored.
func (c *call) testState() (any, error) {
	r, err := c.readTest()
	if err != nil {
		return nil, err
	}
	env := &teststate.Env{
		Name: uuid.NewString(),
		Now:  c.options.Now().UnixMilli(), Seed: rand.Uint64(), Limits: c.options.Limits, Integrations: c.options.Integrations,
	}
	if caller, ok := c.backend.(Caller); ok {
		env.MachineARN = caller.MachineARN(uuid.NewString())
		ctx, cancel := context.WithTimeout(c.ctx, testTime)
		defer cancel()
		stop := context.AfterFunc(c.closing, cancel)
		defer stop()
		env.Invoke = func(cmd *machine.Command) machine.Event { return caller.CallTask(ctx, cmd) }
	}
	answer, err := teststate.Run(r, env)
	if err != nil && fault.Is(err, fault.InvalidDefinition) {
		return nil, refuse("InvalidDefinition", "%s", fromFault(err, "").Text) // in full words already
	}
	return answer, err
}

func (c *call) readTest() (*teststate.Request, error) {
	in := c.in
	r := &teststate.Request{
		Definition:    in.String("definition"),
		RoleARN:       in.String("roleArn"),
		StateName:     in.String("stateName"),
		Level:         teststate.ParseLevel(in.String("inspectionLevel")),
		RevealSecrets: in.Bool("revealSecrets", false),
		Context:       in.String("context"),
		Variables:     in.String("variables"),
	}
	input := in.Optional("input")
	if o := in.Object("mock"); o != nil {
		r.Mock = readMock(o)
	}
	if o := in.Object("stateConfiguration"); o != nil {
		r.Config = teststate.Config{
			RetrierRetryCount:        o.Int("retrierRetryCount"),
			ErrorCausedByState:       o.String("errorCausedByState"),
			MapIterationFailureCount: o.Int("mapIterationFailureCount"),
			MapItemReaderData:        o.Optional("mapItemReaderData"),
		}
	}
	if input == nil {
		return r, nil
	}
	if words := c.checkPayload(*input); words != "" {
		return nil, fault.New("", fault.InvalidInput, "input", "%s", words)
	}
	var err error
	r.Input, err = jsonvalue.Compact(nil, []byte(*input))
	return r, err
}

func readMock(o *awsjson.Object) *teststate.Mock {
	m := &teststate.Mock{
		Result: o.Optional("result"),
		Mode:   teststate.ParseMode(o.String("fieldValidationMode")),
	}
	if e := o.Object("errorOutput"); e != nil {
		m.Failed = true
		m.Error = e.String("error")
		m.Cause = e.String("cause")
	}
	return m
}
