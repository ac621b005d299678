package server

import (
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
)

func (c *call) sendTaskSuccess() (any, error) {
	token := c.in.String("taskToken")
	output := c.in.String("output")
	if words := c.checkPayload(output); words != "" {
		return nil, fault.New("", fault.InvalidOutput, "output", "%s", words)
	}
	return empty{}, c.backend.SucceedTask(c.ctx, token, []byte(output))
}

// reason reads why a run is stopped or a task has failed.
func (c *call) reason() engine.Reason {
	return engine.Reason{
		Error: c.in.Optional("error"),
		Cause: c.in.Optional("cause"),
	}
}

func (c *call) sendTaskFailure() (any, error) {
	token := c.in.String("taskToken")
	why := c.reason()
	return empty{}, c.backend.FailTask(c.ctx, token, why)
}

func (c *call) sendTaskHeartbeat() (any, error) {
	token := c.in.String("taskToken")
	return empty{}, c.backend.HeartbeatTask(c.ctx, token)
}
