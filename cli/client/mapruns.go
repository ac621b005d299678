package client

import (
	"context"
	"iter"
)

// Counts is how far a Map Run is, in items or in child runs.
type Counts struct {
	Pending   int64 `json:"pending"`
	Running   int64 `json:"running"`
	Succeeded int64 `json:"succeeded"`
	Failed    int64 `json:"failed"`
	TimedOut  int64 `json:"timedOut"`
	Aborted   int64 `json:"aborted"`
	Total     int64 `json:"total"`
	Written   int64 `json:"resultsWritten"`
}

// MapRun is a Map Run as DescribeMapRun answers it; ListMapRuns fills in the ARNs and times.
type MapRun struct {
	ARN            string  `json:"mapRunArn"`
	RunARN         string  `json:"executionArn"`
	MachineARN     string  `json:"stateMachineArn,omitempty"`
	Status         string  `json:"status,omitempty"`
	Started        Time    `json:"startDate"`
	Stopped        Time    `json:"stopDate,omitempty"`
	MaxConcurrency int64   `json:"maxConcurrency"`
	FailureCount   int64   `json:"toleratedFailureCount"`
	FailurePercent float64 `json:"toleratedFailurePercentage"`
	Items          Counts  `json:"itemCounts"`
	Children       Counts  `json:"executionCounts"`
	Redrives       int64   `json:"redriveCount"`
}

// MapRun returns a Map Run.
func (c *Client) MapRun(ctx context.Context, arn string) (*MapRun, error) {
	out := new(MapRun)
	return out, c.Call(ctx, "DescribeMapRun", map[string]string{"mapRunArn": arn}, out)
}

// MapRuns yields the Map Runs of a run, newest first.
func (c *Client) MapRuns(ctx context.Context, runARN string, page int) iter.Seq2[*MapRun, error] {
	return pages(func(token string) ([]*MapRun, string, error) {
		var out struct {
			MapRuns []*MapRun `json:"mapRuns"`
			Next    string    `json:"nextToken"`
		}
		err := c.Call(ctx, "ListMapRuns", paging(map[string]any{"executionArn": runARN}, page, token), &out)
		return out.MapRuns, out.Next, err
	})
}

// UpdateMapRun changes a Map Run that runs; changes has what UpdateMapRun takes beside the ARN.
func (c *Client) UpdateMapRun(ctx context.Context, arn string, changes map[string]any) error {
	in := map[string]any{"mapRunArn": arn}
	for k, v := range changes {
		in[k] = v
	}
	return c.Call(ctx, "UpdateMapRun", in, nil)
}
