package client

import (
	"context"
	"encoding/json"
	"iter"
	"math"
	"strings"
	"time"
)

// Time is a point in time on the wire: seconds since 1970 with a fraction.
type Time float64

// Time returns t as time.Time to the millisecond; the zero Time is the zero time.Time.
func (t Time) Time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(math.Round(float64(t) * 1000)))
}

// Machine is a state machine as DescribeStateMachine and ListStateMachines show it.
type Machine struct {
	ARN        string `json:"stateMachineArn"`
	Name       string `json:"name"`
	Type       string `json:"type"`
	Status     string `json:"status,omitempty"`
	Definition string `json:"definition,omitempty"`
	RoleARN    string `json:"roleArn,omitempty"`
	RevisionID string `json:"revisionId,omitempty"`
	Created    Time   `json:"creationDate"`
}

// Run is an execution as DescribeExecution and ListExecutions show it.
type Run struct {
	ARN        string  `json:"executionArn"`
	MachineARN string  `json:"stateMachineArn"`
	Name       string  `json:"name"`
	Status     string  `json:"status"`
	Started    Time    `json:"startDate"`
	Stopped    Time    `json:"stopDate"`
	Input      *string `json:"input"`
	Output     *string `json:"output"`
	Error      *string `json:"error"`
	Cause      *string `json:"cause"`
	Trace      string  `json:"traceHeader,omitempty"`
}

// CreateMachine is what CreateStateMachine takes.
type CreateMachine struct {
	Name       string `json:"name"`
	Definition string `json:"definition"`
	RoleARN    string `json:"roleArn"`
	Type       string `json:"type,omitempty"`
	Tags       []Tag  `json:"tags,omitempty"`
	// Logging and Tracing are JSON as the operation takes them; nil: none.
	Logging json.RawMessage `json:"loggingConfiguration,omitempty"`
	Tracing json.RawMessage `json:"tracingConfiguration,omitempty"`
}

// Tag is a tag of a machine.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// ReplaceMachine gives the machine with this ARN all that CreateMachine would give it but its name and type, and adds the tags.
func (c *Client) ReplaceMachine(ctx context.Context, arn string, m CreateMachine) error {
	in := map[string]any{"stateMachineArn": arn, "definition": m.Definition, "roleArn": m.RoleARN}
	if m.Logging != nil {
		in["loggingConfiguration"] = m.Logging
	}
	if m.Tracing != nil {
		in["tracingConfiguration"] = m.Tracing
	}
	err := c.Call(ctx, "UpdateStateMachine", in, nil)
	if err != nil {
		return err
	}
	return c.TagMachine(ctx, arn, m.Tags)
}

// TagMachine adds tags to the machine with this ARN.
func (c *Client) TagMachine(ctx context.Context, arn string, tags []Tag) error {
	if len(tags) == 0 {
		return nil
	}
	return c.Call(ctx, "TagResource", map[string]any{"resourceArn": arn, "tags": tags}, nil)
}

// CreateMachine creates a machine and returns its ARN.
func (c *Client) CreateMachine(ctx context.Context, in CreateMachine) (string, error) {
	var out struct {
		ARN string `json:"stateMachineArn"`
	}
	err := c.Call(ctx, "CreateStateMachine", in, &out)
	return out.ARN, err
}

// UpdateMachine gives the machine with this ARN a new definition and returns the revision it made.
func (c *Client) UpdateMachine(ctx context.Context, arn, definition string) (string, error) {
	var out struct {
		Revision string `json:"revisionId"`
	}
	in := map[string]string{"stateMachineArn": arn, "definition": definition}
	err := c.Call(ctx, "UpdateStateMachine", in, &out)
	return out.Revision, err
}

// DescribeMachine returns one machine with its definition.
func (c *Client) DescribeMachine(ctx context.Context, arn string) (*Machine, error) {
	out := new(Machine)
	return out, c.Call(ctx, "DescribeStateMachine", map[string]string{"stateMachineArn": arn}, out)
}

// Machines yields all machines, page by page of at most 1,000. After an error it ends.
func (c *Client) Machines(ctx context.Context, page int) iter.Seq2[*Machine, error] {
	return pages(func(token string) ([]*Machine, string, error) {
		var out struct {
			Machines []*Machine `json:"stateMachines"`
			Next     string     `json:"nextToken"`
		}
		err := c.Call(ctx, "ListStateMachines", paging(nil, page, token), &out)
		return out.Machines, out.Next, err
	})
}

// StartExecution starts a run; name "" lets the server choose, input "" means {}.
func (c *Client) StartExecution(ctx context.Context, machineARN, name, input string) (string, error) {
	in := map[string]string{"stateMachineArn": machineARN}
	if name != "" {
		in["name"] = name
	}
	if input != "" {
		in["input"] = input
	}
	var out struct {
		ARN string `json:"executionArn"`
	}
	err := c.Call(ctx, "StartExecution", in, &out)
	return out.ARN, err
}

// StopExecution aborts a run. Nil texts are absent, which the run shows otherwise than empty ones.
func (c *Client) StopExecution(ctx context.Context, arn string, errorName, cause *string) error {
	in := map[string]string{"executionArn": arn}
	if errorName != nil {
		in["error"] = *errorName
	}
	if cause != nil {
		in["cause"] = *cause
	}
	return c.Call(ctx, "StopExecution", in, nil)
}

// DescribeExecution returns one run with its input and output.
func (c *Client) DescribeExecution(ctx context.Context, arn string) (*Run, error) {
	out := new(Run)
	return out, c.Call(ctx, "DescribeExecution", map[string]string{"executionArn": arn}, out)
}

// DescribeMachineForRun returns the machine as the run is pinned to it.
func (c *Client) DescribeMachineForRun(ctx context.Context, arn string) (*Machine, error) {
	out := new(Machine)
	return out, c.Call(ctx, "DescribeStateMachineForExecution", map[string]string{"executionArn": arn}, out)
}

// Runs yields the runs of the machine with an ARN, or the children of the Map Run, newest first; status "" means any.
func (c *Client) Runs(ctx context.Context, arn, status string, page int) iter.Seq2[*Run, error] {
	return pages(func(token string) ([]*Run, string, error) {
		in := map[string]any{}
		if strings.Contains(arn, ":mapRun:") {
			in["mapRunArn"] = arn
		} else {
			in["stateMachineArn"] = arn
		}
		if status != "" {
			in["statusFilter"] = status
		}
		var out struct {
			Runs []*Run `json:"executions"`
			Next string `json:"nextToken"`
		}
		err := c.Call(ctx, "ListExecutions", paging(in, page, token), &out)
		return out.Runs, out.Next, err
	})
}

// Event is one event of a run's history: the common fields, those details that most types share, and the
// event as it came.
type Event struct {
	ID   int64           `json:"id"`
	Prev int64           `json:"previousEventId"`
	Time Time            `json:"timestamp"`
	Type string          `json:"type"`
	Raw  json.RawMessage `json:"-"`

	Details Details `json:"-"`
}

// Details are the members of an event's …EventDetails object.
type Details struct {
	Name     string  `json:"name"`
	State    string  `json:"state"` // of EvaluationFailed
	Input    string  `json:"input"`
	Output   string  `json:"output"`
	Error    *string `json:"error"`
	Cause    *string `json:"cause"`
	Resource string  `json:"resource"`
	Index    int64   `json:"index"`
	Length   int64   `json:"length"`
}

// UnmarshalJSON reads an event whatever its type: the details are the one member that ends in EventDetails.
func (e *Event) UnmarshalJSON(text []byte) error {
	type plain Event
	if err := json.Unmarshal(text, (*plain)(e)); err != nil {
		return err
	}
	e.Raw = append(e.Raw[:0], text...)
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return err
	}
	const suffix = "EventDetails"
	for key, value := range members {
		if len(key) > len(suffix) && key[len(key)-len(suffix):] == suffix {
			return json.Unmarshal(value, &e.Details)
		}
	}
	return nil
}

// History yields a run's events in order, or from the last one backwards. withData asks for inputs and
// outputs too.
func (c *Client) History(ctx context.Context, arn string, page int, reverse, withData bool) iter.Seq2[*Event, error] {
	return pages(func(token string) ([]*Event, string, error) {
		return c.HistoryPage(ctx, arn, page, reverse, withData, token)
	})
}

// HistoryPage returns one page of a run's events and the token of the next page ("" at the end).
func (c *Client) HistoryPage(ctx context.Context, arn string, page int, reverse, withData bool, token string) ([]*Event, string, error) {
	in := map[string]any{"executionArn": arn, "reverseOrder": reverse, "includeExecutionData": withData}
	var out struct {
		Events []*Event `json:"events"`
		Next   string   `json:"nextToken"`
	}
	err := c.Call(ctx, "GetExecutionHistory", paging(in, page, token), &out)
	return out.Events, out.Next, err
}

func paging(in map[string]any, page int, token string) map[string]any {
	if in == nil {
		in = map[string]any{}
	}
	if page > 0 {
		in["maxResults"] = min(page, 1000)
	}
	if token != "" {
		in["nextToken"] = token
	}
	return in
}

// pages turns a function that fetches the page after a token into one sequence.
func pages[T any](fetch func(token string) ([]T, string, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		token := ""
		for {
			items, next, err := fetch(token)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" || next == token {
				return
			}
			token = next
		}
	}
}
