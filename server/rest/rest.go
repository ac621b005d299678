// Package rest is the JSON of the REST API for workflows, entities and schedules: what server sends and takes under /v1/, and what
// clients read and write. docs/rest.md describes the API; here is every object, with its units.
//
// Times are RFC 3339 in UTC with milliseconds. Inputs, outputs, states and data of events are JSON as they are,
// not in a string. Members that do not apply are left out. Members may be added.
package rest

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine"
)

// Run is a run of a workflow.
type Run struct {
	ID        string            `json:"id"`
	Workflow  string            `json:"workflow"`
	Version   string            `json:"version,omitempty"`
	Status    string            `json:"status"`              // PENDING, RUNNING, SUSPENDED, COMPLETED, FAILED or TERMINATED
	Execution uint64            `json:"execution,omitempty"` // counts from 1: continue-as-new, restart and rewind begin another
	Created   Time              `json:"created"`
	Scheduled Time              `json:"scheduled,omitzero"` // when it was to begin; absent: at once
	Ended     Time              `json:"ended,omitzero"`
	Tags      map[string]string `json:"tags,omitempty"`
	Parent    string            `json:"parent,omitempty"` // id of the run that called this one
	Input     json.RawMessage   `json:"input,omitempty"`
	Output    json.RawMessage   `json:"output,omitempty"`  // of a completed run
	Failure   *Failure          `json:"failure,omitempty"` // of a failed run
	Reason    string            `json:"reason,omitempty"`  // of a suspension or a termination
	Custom    json.RawMessage   `json:"custom,omitempty"`  // custom status
	Events    int64             `json:"events,omitempty"`  // length of the history of this execution
	Waiting   int               `json:"waiting,omitempty"` // answers and events that no step has taken yet
	Blocked   string            `json:"blocked,omitempty"` // why steps wait: the server has no code of the workflow
}

// Failure is why a run failed.
type Failure struct {
	Type    string `json:"type"`
	Message string `json:"message,omitempty"`
	Details string `json:"details,omitempty"` // a stack, or what the function's runtime posted
	Final   bool   `json:"final,omitempty"`   // no retry policy tries it again
}

// Runs is a page of runs, newest first. Runs in lists have id, workflow, status, created and ended; with tags in the
// query, all members.
type Runs struct {
	Runs   []Run  `json:"runs"`
	Cursor string `json:"cursor,omitempty"` // of the next page
}

// Start starts a run: POST /v1/workflows/{workflow}/runs.
type Start struct {
	ID       string            `json:"id,omitempty"` // default: a new UUID
	Version  string            `json:"version,omitempty"`
	Input    json.RawMessage   `json:"input,omitempty"` // default: null
	Tags     map[string]string `json:"tags,omitempty"`
	At       Time              `json:"at,omitzero"`        // when to begin; default: now
	Replace  []string          `json:"replace,omitempty"`  // statuses of a run with the id whose place this one takes
	Existing bool              `json:"existing,omitempty"` // answer the run that has the id, whatever it is
}

// Change is the body of suspend, resume, terminate, rewind and restart.
type Change struct {
	Reason    string `json:"reason,omitempty"`
	Recursive bool   `json:"recursive,omitempty"` // terminate: the runs it waits for, too
}

// Tags is the body of PATCH /v1/runs/{id}: tags to add; an empty value removes one.
type Tags struct {
	Tags map[string]string `json:"tags"`
}

// Purge is the body of POST /v1/runs/purge: which ended runs to remove. At least one member has to be there.
type Purge struct {
	Workflow string            `json:"workflow,omitempty"`
	Status   []string          `json:"status,omitempty"` // any of them
	Prefix   string            `json:"prefix,omitempty"` // of the id
	Tags     map[string]string `json:"tags,omitempty"`   // all of them
	From     Time              `json:"from,omitzero"`    // created then or later
	Before   Time              `json:"before,omitzero"`  // created before
}

// Purged says how many runs were removed.
type Purged struct {
	Purged int `json:"purged"`
}

// Entity is an entity.
type Entity struct {
	Name     string          `json:"name"`
	Key      string          `json:"key"`
	State    json.RawMessage `json:"state,omitempty"` // absent: it has none
	Created  Time            `json:"created"`
	Modified Time            `json:"modified,omitzero"`
	Waiting  int             `json:"waiting,omitempty"`   // operations that are not done yet
	LockedBy string          `json:"locked_by,omitempty"` // id of the run that holds it in a critical section
	Blocked  string          `json:"blocked,omitempty"`   // why operations wait: the server has no code of the entity
}

// Entities is a page of entities, newest first.
type Entities struct {
	Entities []Entity `json:"entities"`
	Cursor   string   `json:"cursor,omitempty"`
}

// Code is what the server's program has code of.
type Code struct {
	Workflows []Workflow `json:"workflows"`
	Entities  []string   `json:"entities"` // kinds
}

// Workflow is a workflow that can be started.
type Workflow struct {
	Name    string `json:"name"`
	Version string `json:"version,omitempty"`
}

// Error is the body of every answer from 400 on.
type Error struct {
	Error struct {
		Kind    string `json:"kind"` // a fault.Kind
		Message string `json:"message"`
	} `json:"error"`
}

// Time is a point in time in Unix milliseconds; 0 is none.
type Time int64

const layout = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements json.Marshaler.
func (t Time) MarshalJSON() ([]byte, error) {
	return time.UnixMilli(int64(t)).UTC().AppendFormat(nil, `"`+layout+`"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *Time) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil {
		return err
	}
	at, err := ParseTime(s)
	*t = at
	return err
}

// ParseTime reads a time; "" is none.
func ParseTime(text string) (Time, error) {
	if text == "" {
		return 0, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return 0, fmt.Errorf("%q is no time; write one like 2026-03-04T05:06:07Z", text)
	}
	return Time(at.UnixMilli()), nil
}

// String returns the time as JSON has it, without quotes.
func (t Time) String() string { return t.Time().Format(layout) }

// Time returns t as time.Time; the zero one for none.
func (t Time) Time() time.Time {
	if t == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(t)).UTC()
}

// RunOf returns a run as JSON has it.
func RunOf(v *engine.WorkflowRun) Run {
	r := Run{
		ID: v.ID, Workflow: v.Workflow, Version: v.Version, Status: v.Status.String(), Execution: v.Execution, Created: Time(v.Created),
		Scheduled: Time(v.Scheduled), Ended: Time(v.Ended), Tags: v.Tags, Parent: v.Parent, Input: v.Input, Reason: v.Reason,
		Custom: v.Custom, Events: v.Events, Waiting: v.Waiting, Blocked: v.Blocked,
	}
	if v.Status == durable.Completed {
		r.Output = v.Output
	}
	if f := v.Failure; f != nil {
		r.Failure = &Failure{f.Type, f.Message, f.Details, f.Final}
	}
	return r
}

// EntityOf returns an entity as JSON has it.
func EntityOf(v *engine.Entity) Entity {
	name, key, _ := durable.SplitEntity(v.Target)
	return Entity{
		Name: name, Key: key, State: v.State, Created: Time(v.Created), Modified: Time(v.Modified), Waiting: v.Waiting,
		LockedBy: v.LockedBy, Blocked: v.Blocked,
	}
}

// Path makes a path below /v1 of segments, which may contain any characters.
func Path(segments ...string) string {
	var b strings.Builder
	b.WriteString("/v1")
	for _, s := range segments {
		b.WriteByte('/')
		switch s {
		case ".", "..": // which would be taken for directories
			b.WriteString(strings.ReplaceAll(s, ".", "%2E"))
		default:
			b.WriteString(url.PathEscape(s))
		}
	}
	return b.String()
}
