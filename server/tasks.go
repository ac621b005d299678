package server

import (
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/server/awsjson"
)

var tokenRules = []awsjson.Rule{awsjson.Required, awsjson.Length(1, limits.TokenChars)}

// errorLength and causeLength bound what a client says went wrong.
var (
	errorLength = awsjson.Length(0, limits.ErrorChars)
	causeLength = awsjson.Length(0, limits.CauseChars)
)

func (c *call) sendTaskSuccess() (any, error) {
	token := c.in.String("taskToken", tokenRules...)
	output := c.in.String("output", awsjson.Required, awsjson.Sensitive)
	if err := c.in.Err(); err != nil {
		return nil, err
	}
	if words := c.checkPayload(output); words != "" {
		return nil, fault.New("", fault.InvalidOutput, "output", "%s", words)
	}
	return empty{}, c.backend.SucceedTask(c.ctx, token, []byte(output))
}

// reason reads why a run is stopped or a task has failed.
func (c *call) reason() engine.Reason {
	return engine.Reason{
		Error: c.in.Optional("error", awsjson.Sensitive, errorLength),
		Cause: c.in.Optional("cause", awsjson.Sensitive, causeLength),
	}
}

func (c *call) sendTaskFailure() (any, error) {
	token := c.in.String("taskToken", tokenRules...)
	why := c.reason()
	if err := c.in.Err(); err != nil {
		return nil, err
	}
	return empty{}, c.backend.FailTask(c.ctx, token, why)
}

func (c *call) sendTaskHeartbeat() (any, error) {
	token := c.in.String("taskToken", tokenRules...)
	if err := c.in.Err(); err != nil {
		return nil, err
	}
	return empty{}, c.backend.HeartbeatTask(c.ctx, token)
}
