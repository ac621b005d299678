package server

import (
	"net/http"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/server/arn"
)

// mapRuns returns the backend's Map Runs, if it has any.
func (c *call) mapRuns() (MapRuns, error) {
	if m, ok := c.backend.(MapRuns); ok {
		return m, nil
	}
	return nil, refuse("UnsupportedOperation", "this server keeps no Map Runs")
}

// mapRunID reads a Map Run's ARN.
func (c *call) mapRunID(text string) (engine.MapRunID, error) {
	c.subject = text
	a, err := arn.Parse(text)
	switch {
	case err != nil:
		return engine.MapRunID{}, fault.New("", fault.InvalidArn, text, "%w", err)
	case a.Kind != arn.MapRun:
		return engine.MapRunID{}, wrongType(a.Kind)
	}
	return engine.MapRunID{Machine: a.Machine + "/" + a.Label, Name: a.Name}, nil
}

// counts is how far a Map Run is, as DescribeMapRun answers it.
type counts struct {
	Aborted        int64 `json:"aborted"`
	Failed         int64 `json:"failed"`
	Pending        int64 `json:"pending"`
	ResultsWritten int64 `json:"resultsWritten"`
	Running        int64 `json:"running"`
	Succeeded      int64 `json:"succeeded"`
	TimedOut       int64 `json:"timedOut"`
	Total          int64 `json:"total"`
}

func countsOf(c engine.Counts) counts {
	return counts{
		Aborted: c.Aborted, Failed: c.Failed, Pending: c.Pending, ResultsWritten: c.ResultsWritten, Running: c.Running,
		Succeeded: c.Succeeded, TimedOut: c.TimedOut, Total: c.Total,
	}
}

func (c *call) describeMapRun() (any, error) {
	maps, err := c.mapRuns()
	if err != nil {
		return nil, err
	}
	id, err := c.mapRunID(c.in.String("mapRunArn"))
	if err != nil {
		return nil, err
	}
	m, err := maps.MapRun(c.ctx, id)
	if err != nil {
		return nil, err
	}
	answer := struct {
		ARN            string   `json:"mapRunArn"`
		RunARN         string   `json:"executionArn"`
		Status         string   `json:"status"`
		Started        seconds  `json:"startDate"`
		Stopped        *seconds `json:"stopDate,omitempty"`
		MaxConcurrency int64    `json:"maxConcurrency"`
		FailurePercent float64  `json:"toleratedFailurePercentage"`
		FailureCount   int64    `json:"toleratedFailureCount"`
		Items          counts   `json:"itemCounts"`
		Children       counts   `json:"executionCounts"`
		Redrives       int64    `json:"redriveCount"`
		Redriven       *seconds `json:"redriveDate,omitempty"`
	}{
		ARN: m.ARN, RunARN: m.RunARN, Status: statusNames[m.Status], Started: seconds(m.Started), Stopped: endedAt(m.Status, m.Stopped),
		MaxConcurrency: m.MaxConcurrency, FailurePercent: m.FailurePercent, FailureCount: m.FailureCount,
		Items: countsOf(m.Items), Children: countsOf(m.Children), Redrives: m.Redrives,
	}
	if m.Redriven != 0 {
		at := seconds(m.Redriven)
		answer.Redriven = &at
	}
	return answer, nil
}

func endedAt(s machine.Status, at int64) *seconds {
	if s == machine.Running {
		return nil
	}
	t := seconds(at)
	return &t
}

type mapRunItem struct {
	RunARN     string   `json:"executionArn"`
	ARN        string   `json:"mapRunArn"`
	MachineARN string   `json:"stateMachineArn"`
	Started    seconds  `json:"startDate"`
	Stopped    *seconds `json:"stopDate,omitempty"`
}

type mapRunList struct {
	MapRuns []mapRunItem `json:"mapRuns"`
	Next    string       `json:"nextToken,omitempty"`
}

func (c *call) listMapRuns() (any, error) {
	maps, err := c.mapRuns()
	if err != nil {
		return nil, err
	}
	text, size, token := c.in.String("executionArn"), c.in.Int("maxResults"), c.in.String("nextToken")
	run, err := c.run(text)
	if err != nil {
		return nil, err
	}
	query := []string{"ListMapRuns", run.ARN}
	cursor, err := pageCursor(token, query...)
	if err != nil {
		return nil, err
	}
	page, err := maps.ListMapRuns(c.ctx, run.ID, pageOf(size), cursor)
	if err != nil {
		return nil, err
	}
	answer := mapRunList{MapRuns: make([]mapRunItem, 0, len(page.MapRuns)), Next: pageToken(page.Cursor, query...)}
	for i := range page.MapRuns {
		m := &page.MapRuns[i]
		answer.MapRuns = append(answer.MapRuns, mapRunItem{
			RunARN: m.RunARN, ARN: m.ARN, MachineARN: m.MachineARN, Started: seconds(m.Started), Stopped: endedAt(m.Status, m.Stopped),
		})
	}
	return answer, nil
}

func (c *call) updateMapRun() (any, error) {
	maps, err := c.mapRuns()
	if err != nil {
		return nil, err
	}
	id, err := c.mapRunID(c.in.String("mapRunArn"))
	if err != nil {
		return nil, err
	}
	u := engine.UpdateMapRun{ID: id}
	if c.in.Has("maxConcurrency") {
		n := int64(c.in.Int("maxConcurrency"))
		u.MaxConcurrency = &n
	}
	if c.in.Has("toleratedFailureCount") {
		n := int64(c.in.Int("toleratedFailureCount"))
		u.FailureCount = &n
	}
	if c.in.Has("toleratedFailurePercentage") {
		p := c.in.Real("toleratedFailurePercentage")
		u.FailurePercent = &p
	}
	if u.MaxConcurrency == nil && u.FailureCount == nil && u.FailurePercent == nil {
		return nil, &apiError{"MissingRequiredParameter", http.StatusBadRequest,
			"At least one of maxConcurrency, toleratedFailureCount and toleratedFailurePercentage has to be given"}
	}
	_, err = maps.UpdateMapRun(c.ctx, u)
	if fault.Is(err, fault.InvalidInput) {
		return nil, invalid("%v", err)
	}
	return empty{}, err
}

// listChildren answers ListExecutions for a Map Run.
func (c *call) listChildren(text, filter, token, redrive string, size int) (any, error) {
	maps, err := c.mapRuns()
	if err != nil {
		return nil, err
	}
	id, err := c.mapRunID(text)
	if err != nil {
		return nil, err
	}
	m, err := maps.MapRun(c.ctx, id)
	if err != nil {
		return nil, err
	}
	if m.Express {
		return nil, fault.New("", fault.MachineType, text, "express child runs are not listed")
	}
	query := []string{"ListExecutions", text, filter, redrive}
	cursor, err := pageCursor(token, query...)
	if err != nil {
		return nil, err
	}
	if filter == "PENDING_REDRIVE" {
		return runList{Runs: []runItem{}}, nil
	}
	page, err := maps.ListChildren(c.ctx, id, engine.ListRuns{Status: statusOf(filter), Limit: pageOf(size), Cursor: cursor})
	if err != nil {
		return nil, err
	}
	answer := runList{Runs: make([]runItem, 0, len(page.Runs)), Next: pageToken(page.Cursor, query...)}
	for i := range page.Runs {
		r := &page.Runs[i]
		answer.Runs = append(answer.Runs, runItem{
			ARN: r.ARN, MachineARN: r.MachineARN, MapRunARN: m.ARN, Name: r.ID.Name, Status: statusNames[r.Status],
			Started: seconds(r.Started), Stopped: ended(r),
		})
	}
	return answer, nil
}
