package server

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
	"github.com/weftworks/weft/server/arn"
	"github.com/weftworks/weft/server/jackson"
)

var statusNames = map[machine.Status]string{
	machine.Running: "RUNNING", machine.Succeeded: "SUCCEEDED", machine.Failed: "FAILED",
	machine.TimedOut: "TIMED_OUT", machine.Aborted: "ABORTED",
}

// checkPayload says why a text cannot be an input or an output; "" when it can.
func (c *call) checkPayload(text string) string {
	if n := len(text); n > c.options.Limits.PayloadBytes {
		return fmt.Sprintf("The payload has %d bytes, which is above the limit of %d bytes. Pass a reference to the data instead.", n, c.options.Limits.PayloadBytes)
	}
	if strings.TrimSpace(text) == "" {
		return "Invalid execution input."
	}
	err := jsonvalue.Check([]byte(text))
	if err == nil {
		return ""
	}
	if p := jackson.Describe([]byte(text)); p != nil {
		return p.Text
	}
	return err.Error()
}

// readStart reads what StartExecution and StartSyncExecution share, and returns it with its machine.
func (c *call) readStart() (engine.StartRun, *engine.Machine, error) {
	text, testCase := c.in.String("stateMachineArn"), ""
	if c.options.Mocks != nil {
		text, testCase, _ = strings.Cut(text, "#")
	}
	s := engine.StartRun{Name: c.in.String("name"), Input: []byte("{}")}
	input := c.in.Optional("input")
	s.Trace = c.in.String("traceHeader")
	if s.Name != "" {
		if err := checkName(s.Name); err != nil {
			return s, nil, err
		}
	}
	if input != nil {
		if words := c.checkPayload(*input); words != "" {
			return s, nil, fault.New("", fault.InvalidInput, "input", "%s", words)
		}
		s.Input = []byte(*input)
	}
	m, err := c.qualified(text)
	if err != nil {
		return s, nil, err
	}
	s.Machine, s.Version, s.Alias = m.Name, m.version, m.alias
	if testCase != "" {
		if err := c.mock(&s, testCase, input != nil); err != nil {
			return s, nil, err
		}
	}
	if m.Deleting {
		return s, nil, fault.New("", fault.MachineDeleting, text, "the machine is being deleted")
	}
	if m.Type == engine.Express {
		// Names of express runs may repeat, so theirs carry an id. No name that a client gives has a colon.
		if s.Name == "" {
			s.Name = uuid.NewString()
		}
		s.Name += ":" + uuid.NewString()
	}
	return s, m.Machine, nil
}

// mock gives a run the mocks of a test case, and its input unless the client gave one.
func (c *call) mock(s *engine.StartRun, name string, given bool) error {
	m := c.options.Mocks.Machine(s.Machine)
	if m == nil || m.Case(name) == nil {
		return invalid("The mock file has no test case '%s' of the state machine '%s'", name, s.Machine)
	}
	testCase := m.Case(name)
	s.Mocks = testCase.File(s.Machine)
	if testCase.Input != nil && !given {
		s.Input = testCase.Input
	}
	return nil
}

func (c *call) startExecution() (any, error) {
	s, m, err := c.readStart()
	if err != nil {
		return nil, err
	}
	run, err := c.backend.StartRun(c.ctx, s)
	if err != nil {
		return nil, c.startError(err, m, s.Name)
	}
	return struct {
		ARN     string  `json:"executionArn"`
		Started seconds `json:"startDate"`
	}{runARN(run), seconds(run.Started)}, nil
}

// startError makes the error quote what AWS quotes: the run's ARN when it exists, the machine's otherwise.
func (c *call) startError(err error, m *engine.Machine, name string) error {
	if fault.Is(err, fault.RunExists) {
		if a, parsed := arn.Parse(m.ARN); parsed == nil {
			a.Kind, a.Name = arn.Run, name
			c.subject = a.String()
		}
	}
	return err
}

func (c *call) startSyncExecution() (any, error) {
	data := c.in.String("includedData")
	s, m, err := c.readStart()
	if err != nil {
		return nil, err
	}
	if m.Type != engine.Express {
		return nil, fault.New("", fault.MachineType, m.Name, "only express machines run synchronously")
	}
	run, err := c.backend.StartRun(c.ctx, s)
	if err != nil {
		return nil, c.startError(err, m, s.Name)
	}
	if run, err = c.wait(run.ID); err != nil {
		return nil, err
	}
	answer := struct {
		execution
		Billing billing `json:"billingDetails"`
	}{describe(run, data == metadataOnly), bill(run)}
	answer.VersionARN, answer.AliasARN = "", "" // StartSyncExecution says nothing of them
	switch {
	case run.Status == machine.Aborted:
		answer.Status = "FAILED" // SyncExecutionStatus has no ABORTED
	case run.Status == machine.TimedOut && data != metadataOnly:
		answer.Error = new("States.Timeout")
	}
	return answer, nil
}

type billing struct {
	Duration int64 `json:"billedDurationInMilliseconds"`
	Memory   int64 `json:"billedMemoryUsedInMB"`
}

// bill says what AWS would charge for: the run's time in steps of 100 ms, and its least memory.
func bill(run *engine.Run) billing {
	const step = 100
	return billing{Duration: max(step, (run.Stopped-run.Started+step-1)/step*step), Memory: 64}
}

// wait returns a run once it has ended. That takes no longer than an express run may (machine.ExpressSeconds), after
// which it is TIMED_OUT.
func (c *call) wait(id engine.RunID) (*engine.Run, error) {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	stop := context.AfterFunc(c.closing, cancel)
	defer stop()
	run, err := c.backend.WaitRun(ctx, id)
	if err == nil || ctx.Err() == nil {
		return run, err
	}
	if c.closing.Err() != nil {
		return nil, &apiError{"ServiceUnavailable", http.StatusServiceUnavailable, "the server is closing; the run goes on, its result cannot be waited for"}
	}
	return nil, c.ctx.Err() // the client is gone; the run goes on, as on AWS
}

// run returns the run that an ARN, or "MACHINE:NAME", names.
func (c *call) run(text string) (*engine.Run, error) {
	c.subject = text
	a, err := arn.Parse(text)
	if err == nil && a.Kind != arn.Run {
		return nil, wrongType(a.Kind)
	}
	if err != nil {
		m, name, ok := strings.Cut(text, ":")
		if ok && validName(m) && validName(name) {
			if run, found := c.backend.Run(c.ctx, engine.RunID{Machine: m, Name: name}); found == nil {
				return run, nil
			}
		}
		return nil, fault.New("", fault.InvalidArn, text, "%w", err)
	}
	run, err := c.backend.Run(c.ctx, engine.RunID{Machine: a.Machine, Name: a.Name})
	if fault.Is(err, fault.MachineNotFound) {
		return nil, fault.New("", fault.RunNotFound, text, "%w", err)
	}
	return run, err
}

func (c *call) stopExecution() (any, error) {
	text := c.in.String("executionArn")
	why := c.reason()
	run, err := c.run(text)
	if err != nil {
		return nil, err
	}
	if run, err = c.backend.StopRun(c.ctx, run.ID, why); err != nil {
		return nil, err
	}
	return struct {
		Stopped seconds `json:"stopDate"`
	}{seconds(run.Stopped)}, nil
}

// included says that data was not cut off, which Weft never does.
type included struct {
	Included bool `json:"included"`
}

// execution is what DescribeExecution and StartSyncExecution say of a run.
type execution struct {
	ARN           string    `json:"executionArn"`
	MachineARN    string    `json:"stateMachineArn"`
	VersionARN    string    `json:"stateMachineVersionArn,omitempty"`
	AliasARN      string    `json:"stateMachineAliasArn,omitempty"`
	Name          string    `json:"name"`
	Status        string    `json:"status"`
	Started       seconds   `json:"startDate"`
	Stopped       *seconds  `json:"stopDate,omitempty"`
	Input         *string   `json:"input,omitempty"`
	InputDetails  *included `json:"inputDetails,omitempty"`
	Output        *string   `json:"output,omitempty"`
	OutputDetails *included `json:"outputDetails,omitempty"`
	Error         *string   `json:"error,omitempty"`
	Cause         *string   `json:"cause,omitempty"`
	MapRunARN     string    `json:"mapRunArn,omitempty"`
	Trace         string    `json:"traceHeader,omitempty"`
}

func describe(run *engine.Run, withoutData bool) execution {
	e := execution{
		ARN: runARN(run), MachineARN: run.MachineARN, VersionARN: versionARN(run.MachineARN, run.Version),
		AliasARN: aliasARN(run.MachineARN, run.Alias), Name: displayName(run), Status: statusNames[run.Status],
		Started: seconds(run.Started), Stopped: ended(run), Trace: run.Trace, MapRunARN: run.MapRunARN,
	}
	if withoutData {
		return e
	}
	input := string(run.Input)
	e.Input, e.InputDetails = &input, &included{true}
	if run.Status == machine.Succeeded {
		output := string(run.Output)
		e.Output, e.OutputDetails = &output, &included{true}
	}
	if run.HasError {
		e.Error = &run.Error
	}
	if run.HasCause {
		e.Cause = &run.Cause
	}
	return e
}

// runARN is a run's ARN; that of an express run has its own resource type.
func runARN(run *engine.Run) string {
	if a, err := arn.Parse(run.ARN); err == nil && strings.Contains(run.ID.Name, ":") {
		a.Kind = arn.ExpressRun
		return a.String()
	}
	return run.ARN
}

// displayName is a run's name without the id that readStart gives express runs.
func displayName(run *engine.Run) string {
	name, _, _ := strings.Cut(run.ID.Name, ":")
	return name
}

func ended(run *engine.Run) *seconds {
	if run.Status == machine.Running {
		return nil
	}
	at := seconds(run.Stopped)
	return &at
}

func (c *call) describeExecution() (any, error) {
	text := c.in.String("executionArn")
	data := c.in.String("includedData")
	run, err := c.run(text)
	if err != nil {
		return nil, err
	}
	answer := struct {
		execution
		redriven
	}{describe(run, data == metadataOnly), redrivesOf(run)}
	return answer, nil
}

func (c *call) describeStateMachineForExecution() (any, error) {
	text := c.in.String("executionArn")
	data := c.in.String("includedData")
	run, err := c.run(text)
	if err != nil {
		return nil, err
	}
	m, err := c.backend.RunDefinition(c.ctx, run.ID)
	if err != nil {
		return nil, err
	}
	_, label, _ := strings.Cut(run.ID.Machine, "/")
	definition := string(m.Definition)
	if data == metadataOnly {
		definition = "{}"
	}
	// The machine may be gone or have been updated since; what the run is pinned to is not younger than the run.
	updated := m.Updated
	if updated == 0 || updated > run.Started {
		updated = run.Started
	}
	return struct {
		ARN        string  `json:"stateMachineArn"`
		Name       string  `json:"name"`
		Definition string  `json:"definition"`
		RoleARN    string  `json:"roleArn"`
		Updated    seconds `json:"updateDate"`
		shownSettings
		Revision  string              `json:"revisionId,omitempty"`
		MapRunARN string              `json:"mapRunArn,omitempty"`
		Label     string              `json:"label,omitempty"`
		Variables map[string][]string `json:"variableReferences,omitempty"`
	}{run.MachineARN, run.ID.Machine, definition, run.RoleARN, seconds(updated), settingsOf(m), run.Revision, run.MapRunARN, label,
		variableReferences(definition, m.Type)}, nil
}

type runItem struct {
	ARN          string   `json:"executionArn"`
	MachineARN   string   `json:"stateMachineArn"`
	VersionARN   string   `json:"stateMachineVersionArn,omitempty"`
	AliasARN     string   `json:"stateMachineAliasArn,omitempty"`
	MapRunARN    string   `json:"mapRunArn,omitempty"`
	Name         string   `json:"name"`
	Status       string   `json:"status"`
	Started      seconds  `json:"startDate"`
	Stopped      *seconds `json:"stopDate,omitempty"`
	RedriveCount int64    `json:"redriveCount"`
	RedriveDate  *seconds `json:"redriveDate,omitempty"`
}

type runList struct {
	Runs []runItem `json:"executions"`
	Next string    `json:"nextToken,omitempty"`
}

func (c *call) listExecutions() (any, error) {
	text := c.in.Optional("stateMachineArn")
	filter := c.in.String("statusFilter")
	size := c.in.Int("maxResults")
	token := c.in.String("nextToken")
	mapRun := c.in.Optional("mapRunArn")
	redrive := c.in.Optional("redriveFilter")
	switch {
	case mapRun != nil && text == nil:
		return c.listChildren(*mapRun, filter, token, c.in.String("redriveFilter"), size)
	case text == nil || mapRun != nil:
		return nil, invalid("Exactly one of stateMachineArn and mapRunArn has to be given")
	case redrive != nil:
		return nil, invalid("redriveFilter goes with mapRunArn only")
	}
	m, err := c.qualified(*text)
	if err != nil {
		return nil, err
	}
	if m.Type == engine.Express {
		return nil, fault.New("", fault.MachineType, m.Name, "runs of express machines are not listed")
	}
	query := []string{"ListExecutions", *text, filter}
	cursor, err := pageCursor(token, query...)
	if err != nil {
		return nil, err
	}
	if filter == "PENDING_REDRIVE" {
		return runList{Runs: []runItem{}}, nil // a status that only children of a distributed Map have
	}
	page, err := c.backend.ListRuns(c.ctx, engine.ListRuns{
		Machine: m.Name, Version: m.version, Alias: m.alias, Status: statusOf(filter), Limit: pageOf(size), Cursor: cursor})
	if err != nil {
		return nil, err
	}
	answer := runList{Runs: make([]runItem, 0, len(page.Runs)), Next: pageToken(page.Cursor, query...)}
	for i := range page.Runs {
		r := &page.Runs[i]
		item := runItem{ARN: r.ARN, MachineARN: r.MachineARN, Name: r.ID.Name,
			VersionARN: versionARN(r.MachineARN, r.Version), AliasARN: aliasARN(r.MachineARN, r.Alias), Status: statusNames[r.Status], Started: seconds(r.Started), Stopped: ended(r), RedriveCount: r.Redrives}
		if r.Redriven != 0 {
			item.RedriveDate = new(seconds(r.Redriven))
		}
		answer.Runs = append(answer.Runs, item)
	}
	return answer, nil
}

// statusOf returns the status of a name; 0 for "", which is any.
func statusOf(name string) machine.Status {
	for s, n := range statusNames {
		if n == name {
			return s
		}
	}
	return 0
}

// A page of a history is read in steps and ends early once it is large, so that its memory is bounded whatever
// the events carry: at most one step of the largest events beyond pageBytes.
const (
	historyStep = 32
	pageBytes   = 8 << 20
)

func (c *call) getExecutionHistory() (any, error) {
	text := c.in.String("executionArn")
	size := c.in.Int("maxResults")
	reverse := c.in.Bool("reverseOrder", false)
	token := c.in.String("nextToken")
	opts := history.JSONOptions{WithoutData: !c.in.Bool("includeExecutionData", true)}
	run, err := c.run(text)
	if err != nil {
		return nil, err
	}
	query := []string{"GetExecutionHistory", run.ARN, strconv.FormatBool(reverse)}
	from, err := historyFrom(token, query)
	if err != nil {
		return nil, err
	}
	opts.VersionARN, opts.AliasARN = versionARN(run.MachineARN, run.Version), aliasARN(run.MachineARN, run.Alias)
	h := historyPage{call: c, run: run, from: from, left: pageOf(size), reverse: reverse, opts: opts}
	if err := h.read(); err != nil {
		return nil, err
	}
	b := append(h.text, ']')
	if next := h.next(); next > 0 {
		b = append(b, `,"nextToken":"`...)
		b = append(b, pageToken(strconv.FormatInt(next, 10), query...)...)
		b = append(b, '"')
	}
	return append(b, '}'), nil
}

func historyFrom(token string, query []string) (int64, error) {
	return numberCursor(token, query)
}

// historyPage renders one page of a run's history.
type historyPage struct {
	*call
	run     *engine.Run
	from    int64 // id of the first event wanted; 0: the first, or the last when reverse
	left    int
	reverse bool
	opts    history.JSONOptions

	text []byte
	last int64 // id of the last event in text; 0: none
}

func (h *historyPage) read() error {
	h.text = append(h.text, `{"events":[`...)
	for h.left > 0 && len(h.text) < pageBytes {
		step := min(h.left, historyStep)
		events, err := h.backend.History(h.ctx, h.run.ID, engine.HistoryQuery{
			From: h.from, Limit: step, Reverse: h.reverse, Bytes: pageBytes - len(h.text),
		})
		if err != nil {
			return err
		}
		for i := range events {
			if h.last != 0 {
				h.text = append(h.text, ',')
			}
			h.text = history.AppendJSON(h.text, &events[i], h.opts)
			h.last = events[i].ID
		}
		h.left -= len(events)
		h.from = h.after()
		if len(events) == 0 || h.from == 0 || (!h.reverse && h.last >= h.run.Events) {
			return nil
		}
	}
	return nil
}

// after returns the id that follows the last event; 0 when none can.
func (h *historyPage) after() int64 {
	if h.reverse {
		return h.last - 1
	}
	return h.last + 1
}

// next returns the id at which the next page starts; 0 at the end. A run that goes on ends its page where its
// history ended when the request came in.
func (h *historyPage) next() int64 {
	if h.last == 0 || !h.reverse && h.last >= h.run.Events {
		return 0
	}
	return h.after()
}
