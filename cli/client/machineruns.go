package client

import (
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/weftworks/weft/server/rest"
)

// RedriveRun takes up a run of a state machine that did not succeed.
func (c *Client) RedriveRun(ctx context.Context, arn string, in rest.Redrive) (*rest.MachineRun, error) {
	out := new(rest.MachineRun)
	return out, c.sendValue(ctx, http.MethodPost, machineRunPath(arn, "redrive"), in, out)
}

// Rerun starts a new run of a run's machine that begins in the middle.
func (c *Client) Rerun(ctx context.Context, arn string, in rest.Rerun) (*rest.MachineRun, error) {
	out := new(rest.MachineRun)
	return out, c.sendValue(ctx, http.MethodPost, machineRunPath(arn, "rerun"), in, out)
}

// PauseRun pauses a run of a state machine; ResumeRun lets it go on.
func (c *Client) PauseRun(ctx context.Context, arn string) (*rest.MachineRun, error) {
	return c.changeRun(ctx, arn, "pause")
}

// ResumeRun undoes PauseRun.
func (c *Client) ResumeRun(ctx context.Context, arn string) (*rest.MachineRun, error) {
	return c.changeRun(ctx, arn, "resume")
}

// MachineRun returns a run of a state machine with what DescribeExecution does not say.
func (c *Client) MachineRun(ctx context.Context, arn string) (*rest.MachineRun, error) {
	out := new(rest.MachineRun)
	return out, c.call(ctx, http.MethodGet, machineRunPath(arn, ""), nil, nil, out)
}

func (c *Client) changeRun(ctx context.Context, arn, verb string) (*rest.MachineRun, error) {
	out := new(rest.MachineRun)
	return out, c.call(ctx, http.MethodPost, machineRunPath(arn, verb), nil, nil, out)
}

// machineRunPath returns where the REST API has the run with an ARN.
func machineRunPath(arn, verb string) string {
	_, ref, _ := strings.Cut(arn, ":execution:")
	machine, name, _ := strings.Cut(ref, ":")
	parts := []string{"machines", machine, "runs", name}
	if verb != "" {
		parts = append(parts, verb)
	}
	return rest.Path(parts...)
}

// MachineLog returns lines of a machine's execution log from where an earlier answer's Cursor says; "": the oldest.
func (c *Client) MachineLog(ctx context.Context, machine, cursor string) (*rest.MachineLog, error) {
	out, query := new(rest.MachineLog), url.Values{"limit": {"1000"}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	return out, c.call(ctx, http.MethodGet, rest.Path("machines", machine, "logs"), query, nil, out)
}
