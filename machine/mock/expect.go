package mock

import (
	"fmt"
	"slices"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// Expect says what must come of a test case's run. What is absent is not looked at.
type Expect struct {
	Status string   // e.g. "SUCCEEDED"
	Output []byte   // compact JSON: compared as a value, so the order of members does not count
	Error  *string  // the error's name
	Cause  *string  // a part of the cause
	Path   []string // the states that are entered, in order; of concurrent branches in the order of the history
}

var statuses = []string{"SUCCEEDED", "FAILED", "TIMED_OUT", "ABORTED"}

func (r *reader) expect(at string, v any) *Expect {
	e := &Expect{}
	for key, v := range r.object(at, v).All() {
		here := at + "." + key
		text, isText := v.(string)
		switch key {
		case "Status":
			if e.Status = text; !slices.Contains(statuses, text) {
				r.report(here, "must be one of %s", strings.Join(statuses, ", "))
			}
		case "Output":
			e.Output = jsonvalue.Append(nil, v)
		case "Error", "Cause":
			if !isText {
				r.report(here, "must be a string")
			}
			if key == "Error" {
				e.Error = &text
			} else {
				e.Cause = &text
			}
		case "Path":
			e.Path = r.path(here, v)
		default:
			r.report(here, "unknown; %s has Status, Output, Error, Cause and Path", keyExpect)
		}
	}
	return e
}

func (r *reader) path(at string, v any) []string {
	items, ok := v.([]any)
	if !ok {
		r.report(at, "must be an array of names of states")
	}
	path := make([]string, len(items))
	for i, v := range items {
		if path[i], ok = v.(string); !ok {
			r.report(fmt.Sprintf("%s[%d]", at, i), "must be the name of a state")
		}
	}
	return path
}

// Differences returns what of a report is not as expected, in words; none when all is. A nil Expect expects nothing.
func (e *Expect) Differences(r *Report) []string {
	if e == nil {
		return nil
	}
	var all []string
	differ := func(what, want, got string) {
		all = append(all, fmt.Sprintf("%s: expected %s, got %s", what, want, got))
	}
	if e.Status != "" && e.Status != r.Status.String() {
		differ("Status", e.Status, r.Status.String())
	}
	if e.Output != nil && !sameJSON(e.Output, r.Output) {
		differ("Output", string(e.Output), orNone(string(r.Output)))
	}
	if e.Error != nil && (r.Error == nil || *r.Error != *e.Error) {
		differ("Error", *e.Error, orNone(text(r.Error)))
	}
	if e.Cause != nil && !strings.Contains(text(r.Cause), *e.Cause) {
		differ("Cause", "a text with "+*e.Cause, orNone(text(r.Cause)))
	}
	if got := r.Path(); e.Path != nil && !slices.Equal(e.Path, got) {
		differ("Path", strings.Join(e.Path, " → "), orNone(strings.Join(got, " → ")))
	}
	return all
}

func sameJSON(a, b []byte) bool {
	x, err1 := jsonvalue.Parse(a)
	y, err2 := jsonvalue.Parse(b)
	return err1 == nil && err2 == nil && jsonvalue.Equal(x, y)
}

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
