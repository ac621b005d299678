package rest

import (
	"encoding/json"

	"github.com/weftworks/weft/engine"
)

// MachineRun is a run of a state machine.
type MachineRun struct {
	ARN        string          `json:"arn"`
	Machine    string          `json:"machine"`
	Name       string          `json:"name"`
	Status     string          `json:"status"` // RUNNING, SUCCEEDED, FAILED, TIMED_OUT or ABORTED
	Paused     bool            `json:"paused,omitempty"`
	Started    Time            `json:"started"`
	Stopped    Time            `json:"stopped,omitzero"`
	Input      json.RawMessage `json:"input,omitempty"`
	Output     json.RawMessage `json:"output,omitempty"`
	Error      *string         `json:"error,omitempty"`
	Cause      *string         `json:"cause,omitempty"`
	Events     int64           `json:"events"` // length of the history
	Redrives   int64           `json:"redrives,omitempty"`
	Redriven   Time            `json:"redriven,omitzero"`
	Redrivable bool            `json:"redrivable,omitempty"`
}

// MachineRunOf returns a run as the API shows it.
func MachineRunOf(run *engine.Run) *MachineRun {
	m := &MachineRun{
		ARN: run.ARN, Machine: run.ID.Machine, Name: run.ID.Name, Status: run.Status.String(), Paused: run.Paused,
		Started: Time(run.Started), Stopped: Time(run.Stopped), Input: run.Input, Output: run.Output, Events: run.Events,
		Redrives: run.Redrives, Redriven: Time(run.Redriven), Redrivable: run.Stopped != 0 && run.Redrivable == nil,
	}
	if run.HasError {
		m.Error = &run.Error
	}
	if run.HasCause {
		m.Cause = &run.Cause
	}
	return m
}

// Redrive is the body of POST /v1/machines/{machine}/runs/{run}/redrive. All members may be left out.
type Redrive struct {
	Token  string          `json:"token,omitempty"`  // the same one twice redrives once
	State  string          `json:"state,omitempty"`  // that Input or Output is for, among those in which the run stands
	Input  json.RawMessage `json:"input,omitempty"`  // tries the state with another input
	Output json.RawMessage `json:"output,omitempty"` // skips the state: it is left with this output
}

// Rerun is the body of POST /v1/machines/{machine}/runs/{run}/rerun.
type Rerun struct {
	From  string          `json:"from"`            // state of the machine to begin with
	Input json.RawMessage `json:"input,omitempty"` // default: what the run last entered the state with
	Name  string          `json:"name,omitempty"`  // default: a new UUID
}

// MachineLog is the answer of GET /v1/machines/{machine}/logs: lines of the machine's execution log, oldest first.
type MachineLog struct {
	Lines  []json.RawMessage `json:"lines"`
	Cursor string            `json:"cursor"`         // where to go on, though there may be nothing yet
	More   bool              `json:"more,omitempty"` // there is something there
}
