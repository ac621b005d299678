// Package conformance reads the recorded behaviour of Step Functions that the project is compared with, and
// compares. The recordings are not part of the project: they are looked for in $WEFT_CONFORMANCE, else in
// ../shared/conformance of the checkout. Their README says what each field means.
//
// An answer is compared in three tiers: T1 is the outcome (status, output, error name), T2 the history's
// sequence of (type, id, previousEventId), T3 everything, causes included.
//
//	dir, ok := conformance.Dir()
//	cases, err := conformance.Load(dir, "pure")
//	tiers := cases[0].Compare(answers)
package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Case is one recorded case.
type Case struct {
	ID        string    `json:"id"`
	Area      string    `json:"area"`
	Machines  []Machine `json:"machines"`
	Functions []struct {
		Name      string `json:"name"`
		Behaviour string `json:"behaviour"`
	} `json:"lambdas"`
	Activities []json.RawMessage          `json:"activities"`
	Executions []Execution                `json:"executions"`
	APICalls   []APICall                  `json:"api_calls"`
	Expected   map[string]json.RawMessage `json:"expected"`
	Rewrites   [][2]string                `json:"name_rewrites"`
	Exclude    any                        `json:"exclude"`
	Recorded   string                     `json:"recorded_date"` // e.g. "30-06-2023, 14:42:19"

	rewrites []*regexp.Regexp
}

// Machine is a state machine of a case.
type Machine struct {
	ARN        string `json:"arn"`
	Name       string `json:"name"`
	Definition string `json:"definition"`
	Type       string `json:"type"`
	RoleARN    string `json:"roleArn"`

	Logging json.RawMessage `json:"loggingConfiguration"`
}

// Execution is a start of a case.
type Execution struct {
	Op         string `json:"op"`
	Name       string `json:"name"`
	MachineARN string `json:"stateMachineArn"`
	Input      string `json:"input"`
}

// APICall is an API call of a case, in botocore's spelling.
type APICall struct {
	Op   string          `json:"op"`
	Args json.RawMessage `json:"args"`
}

// Dir returns the directory of the recordings: $WEFT_CONFORMANCE, or shared/conformance beside the checkout
// that holds the working directory.
func Dir() (string, bool) {
	if dir := os.Getenv("WEFT_CONFORMANCE"); dir != "" {
		_, err := os.Stat(filepath.Join(dir, "asl"))
		return dir, err == nil
	}
	at, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		dir := filepath.Join(filepath.Dir(at), "shared", "conformance")
		if _, err := os.Stat(filepath.Join(dir, "asl")); err == nil {
			return dir, true
		}
		if at == filepath.Dir(at) {
			return "", false
		}
		at = filepath.Dir(at)
	}
}

// Load reads the cases of one file ("pure", "lambda", …), excluded ones as well.
func Load(dir, file string) ([]*Case, error) {
	f, err := os.Open(filepath.Join(dir, "asl", file+".jsonl"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 64<<20)
	var cases []*Case
	for lines.Scan() {
		c := &Case{}
		if err := json.Unmarshal(lines.Bytes(), c); err != nil {
			return nil, fmt.Errorf("%s.jsonl, case %d: %w", file, len(cases)+1, err)
		}
		for _, r := range c.Rewrites {
			re, err := regexp.Compile(r[0])
			if err != nil {
				return nil, fmt.Errorf("%s: name_rewrites: %w", c.ID, err)
			}
			c.rewrites = append(c.rewrites, re)
		}
		c.unify()
		cases = append(cases, c)
	}
	return cases, lines.Err()
}

// unify makes one token of those that the recording put for the same text in different places: ours gets the first.
func (c *Case) unify() {
	first := map[string]string{}
	for _, r := range c.Rewrites {
		token, again := first[r[0]]
		if !again {
			first[r[0]] = r[1]
			continue
		}
		for label, answer := range c.Expected {
			c.Expected[label] = bytes.ReplaceAll(answer, []byte(r[1]), []byte(token))
		}
	}
}

// Machine returns the machine of that ARN, nil when the case has none.
func (c *Case) Machine(arn string) *Machine {
	for i := range c.Machines {
		if c.Machines[i].ARN == arn {
			return &c.Machines[i]
		}
	}
	return nil
}

// Answer is what one execution came to, ours to be compared.
type Answer struct {
	Status  string // as the API spells it
	Output  string // JSON text; "" unless SUCCEEDED
	Error   *string
	Cause   *string
	History []json.RawMessage // events as GetExecutionHistory answers them
}

// Tiers is how far an answer agrees. Each tier contains the one before. Why says where the first
// disagreement is.
type Tiers struct {
	T1, T2, T3 bool
	Why        string
}

// Comparable reports whether the case recorded what its executions came to.
func (c *Case) Comparable() bool {
	return c.Exclude == nil && len(c.Executions) > 0 && len(c.records()) > 0
}

// record is what was recorded of one execution: a history, or an answer about its outcome.
type record struct {
	history []any
	outcome map[string]any
}

var trailing = regexp.MustCompile(`(\d+)$`)

// records returns what was recorded of each execution, in their order.
func (c *Case) records() []record {
	if raw, ok := c.Expected["cases"]; ok {
		return caseRecords(raw)
	}
	labels := make([]string, 0, len(c.Expected))
	for label := range c.Expected {
		labels = append(labels, label)
	}
	slices.SortFunc(labels, func(a, b string) int {
		na, _ := strconv.Atoi(trailing.FindString(a))
		nb, _ := strconv.Atoi(trailing.FindString(b))
		return 2*(na-nb) + strings.Compare(a, b)
	})
	var histories, outcomes []record
	for _, label := range labels {
		var body map[string]any
		if label == "stepfunctions_events" {
			outcomes = append(outcomes, announcedEnd(c.Expected[label])...)
			continue
		}
		if json.Unmarshal(c.Expected[label], &body) != nil {
			continue
		}
		events, ok := body["events"].([]any)
		switch {
		case ok && finished(events):
			histories = append(histories, record{history: events})
		case label == "end_event":
			outcomes = append(outcomes, loggedEnd(body))
		case strings.HasPrefix(label, "describe_execution") || strings.HasPrefix(label, "start_execution_sync"):
			outcomes = append(outcomes, record{outcome: body})
		}
	}
	if len(histories) == len(c.Executions) {
		return histories
	}
	if len(outcomes) == len(c.Executions) {
		return outcomes
	}
	return nil
}

// loggedEnd is the outcome that the last event in an execution's log shows.
func loggedEnd(event map[string]any) record {
	kind, _ := event["type"].(string)
	details, _ := event["details"].(map[string]any)
	outcome := map[string]any{"status": statusOf(kind)}
	for k, v := range details {
		outcome[k] = v
	}
	return record{outcome: outcome}
}

// announcedEnd is the outcome that the last of the events shows which were sent when an execution's status changed.
func announcedEnd(raw json.RawMessage) []record {
	var events []struct {
		Detail map[string]any `json:"detail"`
	}
	if json.Unmarshal(raw, &events) != nil || len(events) == 0 {
		return nil
	}
	outcome := events[len(events)-1].Detail
	for k, v := range outcome {
		if v == nil {
			delete(outcome, k)
		}
	}
	return []record{{outcome: outcome}}
}

// Ends returns what was recorded of how tasks came to their end in the hands of others: the details of the events that say
// so, in the order of history.
func (c *Case) Ends() []End {
	var ends []End
	for _, r := range c.records() {
		for _, e := range r.history {
			event, _ := e.(map[string]any)
			kind, _ := event["type"].(string)
			end := End{Kind: kind}
			for k, v := range event {
				d, ok := v.(map[string]any)
				if !ok || !strings.HasSuffix(k, "EventDetails") {
					continue
				}
				end.Resource, _ = d["resource"].(string)
				end.Worker, _ = d["workerName"].(string)
				end.Output = d["output"]
				end.Error, end.Cause = textOf(d["error"]), textOf(d["cause"])
			}
			ends = append(ends, end)
		}
	}
	return ends
}

// End is an event of a recorded history.
type End struct {
	Kind, Resource, Worker string
	Output                 any
	Error, Cause           *string // nil: absent
}

func textOf(v any) *string {
	if v == nil {
		return nil
	}
	s, ok := v.(string)
	if !ok {
		text, _ := json.Marshal(v)
		s = string(text)
	}
	return &s
}

func caseRecords(raw json.RawMessage) []record {
	var cases []struct {
		Output any `json:"output"`
	}
	if json.Unmarshal(raw, &cases) != nil {
		return nil
	}
	records := make([]record, len(cases))
	for i := range cases {
		records[i].outcome = map[string]any{"status": "SUCCEEDED", "output": cases[i].Output}
	}
	return records
}

// finished reports whether a history ends with the execution's end.
func finished(events []any) bool {
	if len(events) == 0 {
		return false
	}
	last, _ := events[len(events)-1].(map[string]any)
	t, _ := last["type"].(string)
	return statusOf(t) != ""
}

func statusOf(eventType string) string {
	switch eventType {
	case "ExecutionSucceeded":
		return "SUCCEEDED"
	case "ExecutionFailed":
		return "FAILED"
	case "ExecutionTimedOut":
		return "TIMED_OUT"
	case "ExecutionAborted":
		return "ABORTED"
	}
	return ""
}

// Compare compares our answers, one for each execution, with what was recorded. All must agree.
func (c *Case) Compare(answers []Answer) Tiers {
	records := c.records()
	all := Tiers{T1: true, T2: true, T3: true}
	if len(records) != len(answers) {
		return Tiers{Why: fmt.Sprintf("%d executions recorded, %d answered", len(records), len(answers))}
	}
	for i, r := range records {
		t := c.compare(r, &answers[i])
		if t.Why != "" && all.Why == "" {
			all.Why = fmt.Sprintf("execution %d: %s", i, t.Why)
		}
		all.T1, all.T2, all.T3 = all.T1 && t.T1, all.T2 && t.T2, all.T3 && t.T3
	}
	return all
}

// lacks returns the members that answers did not have yet when the case was recorded: redrives came on 15 November 2023.
func (c *Case) lacks() map[string]bool {
	at, err := time.Parse("02-01-2006, 15:04:05", c.Recorded)
	if err != nil || !at.Before(time.Date(2023, 11, 15, 0, 0, 0, 0, time.UTC)) {
		return nil
	}
	return map[string]bool{"RedriveCount": true, "RedriveStatus": true, "RedriveStatusReason": true}
}

func (c *Case) compare(r record, a *Answer) Tiers {
	m := &matcher{bound: map[string]string{}, lacks: c.lacks(), c: c}
	if err := m.outcome(r, c.ours(a.outcome())); err != nil {
		return Tiers{Why: "T1 " + err.Error()}
	}
	if r.history == nil {
		if err := m.match("cause", r.outcome["cause"], c.ours(a.outcome())["cause"]); err != nil {
			return Tiers{T1: true, T2: true, Why: "T3 " + err.Error()}
		}
		return Tiers{T1: true, T2: true, T3: true}
	}
	want, got := c.today(readEvents(r.history)), readEvents(c.oursList(a.History))
	pairs, err := pair(want, got)
	if err != nil {
		return Tiers{T1: true, Why: "T2 " + err.Error()}
	}
	plain := eventsByID(a.History)
	for _, p := range pairs {
		at, before := fmt.Sprintf("event %d (%s)", p.got.id, p.got.kind), m.clone()
		err := m.match(at, p.want.body, p.got.body)
		if err != nil { // a recording in which some of the rewrites were not made, or others before them
			if m.some(before, at, p.want.body, plain[p.got.id].body) {
				continue
			}
			return Tiers{T1: true, T2: true, Why: "T3 " + err.Error()}
		}
	}
	return Tiers{T1: true, T2: true, T3: true}
}

// eventsByID returns events as they are, without rewrites.
func eventsByID(list []json.RawMessage) map[int]event {
	plain := make([]any, len(list))
	for i, e := range list {
		_ = json.Unmarshal(e, &plain[i])
	}
	byID := make(map[int]event, len(list))
	for _, e := range readEvents(plain) {
		byID[e.id] = e
	}
	return byID
}

func (a *Answer) outcome() map[string]any {
	o := map[string]any{"status": a.Status}
	if a.Output != "" {
		o["output"] = a.Output
	}
	if a.Error != nil {
		o["error"] = *a.Error
	}
	if a.Cause != nil {
		o["cause"] = *a.Cause
	}
	return o
}

// ours applies the case's rewrites to an answer of ours. They were made for texts in which payloads are
// values and what is quoted inside payloads is not.
func (c *Case) ours(v map[string]any) map[string]any {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(opened(v, 1)); err != nil {
		return v
	}
	text := b.String()
	var out map[string]any
	if json.Unmarshal([]byte(c.rewritten(text)), &out) != nil {
		_ = json.Unmarshal([]byte(text), &out)
	}
	return out
}

// rewritten applies the case's rewrites to a text of ours.
func (c *Case) rewritten(text string) string {
	for i, re := range c.rewrites {
		text = re.ReplaceAllLiteralString(text, c.Rewrites[i][1])
	}
	return text
}

func (c *Case) oursList(events []json.RawMessage) []any {
	list := make([]any, len(events))
	for i, e := range events {
		var v map[string]any
		if json.Unmarshal(e, &v) == nil {
			list[i] = c.ours(v)
		}
	}
	return list
}
