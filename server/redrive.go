package server

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/server/rest"
)

// redriven is what DescribeExecution says about redrives.
type redriven struct {
	RedriveCount  int64    `json:"redriveCount"`
	RedriveDate   *seconds `json:"redriveDate,omitempty"`
	RedriveStatus string   `json:"redriveStatus"`
	RedriveReason string   `json:"redriveStatusReason,omitempty"`
}

func redrivesOf(run *engine.Run) redriven {
	r := redriven{RedriveCount: run.Redrives, RedriveStatus: "REDRIVABLE"}
	if run.Redriven != 0 {
		at := seconds(run.Redriven)
		r.RedriveDate = &at
	}
	switch {
	case run.Status == machine.Running || run.Status == machine.Succeeded:
		r.RedriveStatus, r.RedriveReason = "NOT_REDRIVABLE", "Execution is "+run.Status.String()+" and cannot be redriven"
	case run.MapRunARN != "":
		r.RedriveStatus = "REDRIVABLE_BY_MAP_RUN"
	case run.Redrivable != nil:
		r.RedriveStatus, r.RedriveReason = "NOT_REDRIVABLE", run.Redrivable.Error()
	}
	return r
}

func (c *call) redriveExecution() (any, error) {
	text := c.in.String("executionArn")
	token := c.in.String("clientToken")
	run, err := c.run(text)
	if err != nil {
		return nil, err
	}
	if run, err = c.backend.RedriveRun(c.ctx, run.ID, token, machine.Amendment{}); err != nil {
		return nil, err
	}
	return struct {
		Redriven seconds `json:"redriveDate"`
	}{seconds(run.Redriven)}, nil
}

// The REST operations on runs of state machines, for what the Step Functions API does not have.

func (c *restCall) machineRunID() engine.RunID {
	return engine.RunID{Machine: c.r.PathValue("machine"), Name: c.r.PathValue("run")}
}

func machineRun(run *engine.Run, err error) (*reply, error) {
	if err != nil {
		return nil, err
	}
	return ok(rest.MachineRunOf(run)), nil
}

func (c *restCall) machineRun() (*reply, error) {
	return machineRun(c.durable.Run(c.r.Context(), c.machineRunID()))
}

func (c *restCall) pauseRun() (*reply, error) {
	return machineRun(c.durable.PauseRun(c.r.Context(), c.machineRunID()))
}

func (c *restCall) resumeRun() (*reply, error) {
	return machineRun(c.durable.ResumeRun(c.r.Context(), c.machineRunID()))
}

func (c *restCall) redriveRun() (*reply, error) {
	var in rest.Redrive
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Input != nil && in.Output != nil {
		return nil, fault.New("", fault.InvalidArgument, in.State, "give an input to try the state with, or an output to skip it, not both")
	}
	a := machine.Amendment{State: in.State, Input: in.Input, Output: in.Output}
	return machineRun(c.durable.RedriveRun(c.r.Context(), c.machineRunID(), in.Token, a))
}

func (c *restCall) rerun() (*reply, error) {
	var in rest.Rerun
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	run, err := c.durable.RerunRun(c.r.Context(), c.machineRunID(), engine.Rerun{From: in.From, Input: in.Input, Name: in.Name})
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusCreated, value: rest.MachineRunOf(run), location: rest.Path("machines", run.ID.Machine, "runs", run.ID.Name)}, nil
}

// MachineRuns changes runs of state machines in ways that Step Functions has no operation for. Errors are faults: RunNotFound,
// NotRedrivable, InvalidArgument, Conflict, and Unavailable or Busy from every method.
type MachineRuns interface {
	Run(ctx context.Context, id engine.RunID) (*engine.Run, error)
	RedriveRun(ctx context.Context, id engine.RunID, token string, a machine.Amendment) (*engine.Run, error)
	PauseRun(ctx context.Context, id engine.RunID) (*engine.Run, error)
	ResumeRun(ctx context.Context, id engine.RunID) (*engine.Run, error)
	RerunRun(ctx context.Context, id engine.RunID, r engine.Rerun) (*engine.Run, error)
	// MachineLogs returns lines of a machine's execution log; ResourceNotFound when there is none, InvalidToken.
	MachineLogs(ctx context.Context, machine, cursor string, limit int) (*engine.LogPage, error)
}

func (c *restCall) machineLogs() (*reply, error) {
	cursor, err := c.cursor()
	if err != nil {
		return nil, err
	}
	limit, err := c.limit()
	if err != nil {
		return nil, err
	}
	page, err := c.durable.MachineLogs(c.r.Context(), c.r.PathValue("machine"), cursor, limit)
	if err != nil {
		return nil, err
	}
	return ok(rest.MachineLog{Lines: append([]json.RawMessage{}, page.Lines...), Cursor: pageToken(page.Cursor, c.query()), More: page.More}), nil
}
