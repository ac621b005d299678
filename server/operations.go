package server

import (
	"bytes"
	"context"
	"encoding/json"
	"strconv"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/arn"
	"github.com/weftworks/weft/server/awsjson"
)

// call is one request to an operation. subject is what error messages quote: the ARN or name as the client gave it.
type call struct {
	*Server
	ctx     context.Context
	in      *awsjson.Object
	subject string
}

// operation is one of the API. do answers a value that marshals, or JSON text; nil do: not supported yet.
type operation struct {
	do    func(c *call) (any, error)
	waits bool // for a run to end, so it is admitted by Syncs instead of Requests
	polls bool // waits for a task, so it is admitted by Polls
}

// operations is the whole API, 37 operations.
var operations = map[string]operation{
	"CreateStateMachine":               {do: (*call).createStateMachine},
	"UpdateStateMachine":               {do: (*call).updateStateMachine},
	"DeleteStateMachine":               {do: (*call).deleteStateMachine},
	"DescribeStateMachine":             {do: (*call).describeStateMachine},
	"ListStateMachines":                {do: (*call).listStateMachines},
	"ValidateStateMachineDefinition":   {do: (*call).validateStateMachineDefinition},
	"StartExecution":                   {do: (*call).startExecution},
	"StartSyncExecution":               {do: (*call).startSyncExecution, waits: true},
	"StopExecution":                    {do: (*call).stopExecution},
	"DescribeExecution":                {do: (*call).describeExecution},
	"DescribeStateMachineForExecution": {do: (*call).describeStateMachineForExecution},
	"ListExecutions":                   {do: (*call).listExecutions},
	"RedriveExecution":                 {do: (*call).redriveExecution},
	"GetExecutionHistory":              {do: (*call).getExecutionHistory},
	"SendTaskSuccess":                  {do: (*call).sendTaskSuccess},
	"SendTaskFailure":                  {do: (*call).sendTaskFailure},
	"SendTaskHeartbeat":                {do: (*call).sendTaskHeartbeat},
	"TestState":                        {do: (*call).testState, waits: true},
	"TagResource":                      {do: (*call).tagResource},
	"UntagResource":                    {do: (*call).untagResource},
	"ListTagsForResource":              {do: (*call).listTagsForResource},
	"PublishStateMachineVersion":       {do: (*call).publishStateMachineVersion},
	"DeleteStateMachineVersion":        {do: (*call).deleteStateMachineVersion},
	"ListStateMachineVersions":         {do: (*call).listStateMachineVersions},
	"CreateStateMachineAlias":          {do: (*call).createStateMachineAlias},
	"UpdateStateMachineAlias":          {do: (*call).updateStateMachineAlias},
	"DeleteStateMachineAlias":          {do: (*call).deleteStateMachineAlias},
	"DescribeStateMachineAlias":        {do: (*call).describeStateMachineAlias},
	"ListStateMachineAliases":          {do: (*call).listStateMachineAliases},

	"CreateActivity":   {do: (*call).createActivity},
	"DeleteActivity":   {do: (*call).deleteActivity},
	"DescribeActivity": {do: (*call).describeActivity},
	"ListActivities":   {do: (*call).listActivities},
	"GetActivityTask":  {do: (*call).getActivityTask, polls: true},

	"DescribeMapRun": {do: (*call).describeMapRun}, "ListMapRuns": {do: (*call).listMapRuns}, "UpdateMapRun": {do: (*call).updateMapRun},
}

// empty is the answer of operations that answer nothing.
type empty struct{}

// seconds is a time in Unix milliseconds that marshals as awsJson's timestamps: epoch seconds with a fraction.
type seconds int64

// MarshalJSON writes seconds with three decimals.
func (s seconds) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(s)/1000, 'f', 3, 64), nil
}

// encode writes an answer without the escapes that are for HTML.
func encode(answer any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(answer); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

const metadataOnly = "METADATA_ONLY"

// machineName reads a machine's ARN, or its name: what names a machine where an ARN is expected is taken when
// such a machine exists, and is otherwise an invalid ARN, as AWS says.
func (c *call) machineName(text string) (string, error) {
	c.subject = text
	a, err := arn.Parse(text)
	switch {
	case err == nil && a.Kind != arn.Machine:
		return "", wrongType(a.Kind)
	case err == nil && (a.Qualifier != "" || a.Label != ""):
		// A version or an alias where only a machine will do, or the machine inside a distributed Map.
		return "", fault.New("", fault.MachineNotFound, text, "a machine is meant, not a part of one")
	case err == nil:
		return a.Machine, nil
	}
	if validName(text) {
		if _, found := c.backend.Machine(c.ctx, text); found == nil {
			return text, nil
		}
	}
	return "", fault.New("", fault.InvalidArn, text, "%w", err)
}

func wrongType(k arn.Kind) error {
	return fault.New("", fault.InvalidArn, k.String(), "Resource type not valid in this context: %s", k)
}
