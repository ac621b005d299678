package server

import (
	"context"
	"math"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
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
		Now:  c.options.Now().UnixMilli(), Seed: rand.Uint64(), Limits: c.options.Limits,
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
		Definition:    in.String("definition", awsjson.Required, awsjson.Sensitive, c.definitionLength()),
		RoleARN:       in.String("roleArn", arnLength),
		StateName:     in.String("stateName", awsjson.Sensitive, nameLength),
		Level:         teststate.ParseLevel(in.String("inspectionLevel", awsjson.OneOf(teststate.Levels...))),
		RevealSecrets: in.Bool("revealSecrets", false),
		Context:       in.String("context", awsjson.Sensitive),
		Variables:     in.String("variables", awsjson.Sensitive),
	}
	input := in.Optional("input", awsjson.Sensitive)
	if o := in.Object("mock"); o != nil {
		r.Mock = readMock(o)
	}
	if o := in.Object("stateConfiguration"); o != nil {
		r.Config = teststate.Config{
			RetrierRetryCount:        o.Int("retrierRetryCount", awsjson.Range(0, math.MaxInt32)),
			ErrorCausedByState:       o.String("errorCausedByState", nameLength),
			MapIterationFailureCount: o.Int("mapIterationFailureCount", awsjson.Range(0, math.MaxInt32)),
			MapItemReaderData:        o.Optional("mapItemReaderData", awsjson.Sensitive),
		}
	}
	if err := in.Err(); err != nil {
		return nil, err
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
		Result: o.Optional("result", awsjson.Sensitive),
		Mode:   teststate.ParseMode(o.String("fieldValidationMode", awsjson.OneOf(teststate.Modes...))),
	}
	if e := o.Object("errorOutput"); e != nil {
		m.Failed = true
		m.Error = e.String("error", awsjson.Sensitive, awsjson.Length(0, limits.ErrorChars))
		m.Cause = e.String("cause", awsjson.Sensitive, awsjson.Length(0, limits.CauseChars))
	}
	return m
}
