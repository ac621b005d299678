package conformance

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
)

// Difference is where a history of ours is other than the recorded one.
type Difference struct {
	Event int    // its id in our history; 0: the histories part, and What says where
	Type  string // e.g. "TaskStateEntered"
	What  string // e.g. "stateEnteredEventDetails.input.n: recorded 1, ours is 2"
}

// Histories compares a history that GetExecutionHistory of AWS answered with one of ours, event by event: types, ids and
// previous ids have to be the same, concurrent branches each for itself, and details as JSON values. Times, ARNs and UUIDs
// are equal to any other of their sort, wherever they stand. When the sequences part, that is the last difference.
func Histories(recorded, ours []json.RawMessage) ([]Difference, error) {
	want, err := exported(recorded)
	if err != nil {
		return nil, fmt.Errorf("the recorded history: %w", err)
	}
	got, err := exported(ours)
	if err != nil {
		return nil, fmt.Errorf("our history: %w", err)
	}
	pairs, parted := pair(want, got)
	if parted != nil { // what came before may say why
		n := 0
		for n < len(want) && n < len(got) && want[n].kind == got[n].kind && want[n].id == got[n].id && want[n].prev == got[n].prev {
			pairs = append(pairs, paired{want[n], got[n]})
			n++
		}
	}
	m := &matcher{exact: true}
	var found []Difference
	for _, p := range pairs {
		for _, key := range details(p) {
			if err := m.match(key, p.want.body[key], p.got.body[key]); err != nil {
				found = append(found, Difference{p.got.id, p.got.kind, err.Error()})
			}
		}
	}
	if parted != nil {
		found = append(found, Difference{What: parted.Error()})
	}
	return found, nil
}

// details are the members of both events, sorted.
func details(p paired) (keys []string) {
	for _, body := range []map[string]any{p.want.body, p.got.body} {
		for key := range body {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// exported reads events in the order of their ids.
func exported(list []json.RawMessage) ([]event, error) {
	values := make([]any, len(list))
	for i, text := range list {
		if err := json.Unmarshal(text, &values[i]); err != nil {
			return nil, fmt.Errorf("event %d: %w", i+1, err)
		}
	}
	events := readEvents(values)
	if i := slices.IndexFunc(events, func(e event) bool { return e.loose || e.kind == "" }); i >= 0 || len(events) != len(list) {
		return nil, fmt.Errorf("an event has no id or no type: this is no answer of GetExecutionHistory")
	}
	slices.SortStableFunc(events, func(a, b event) int { return cmp.Compare(a.id, b.id) })
	return events, nil
}

// own are texts that are another each time, with what stands for them.
var own = []struct {
	text *regexp.Regexp
	sort string
}{
	{regexp.MustCompile(`arn:aws[a-z-]*:([a-z0-9-]*):[a-z0-9-]*:[0-9]*:[^\s"'\\,;()\[\]{}]+`), "arn:$1"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)`), "time"},
	{regexp.MustCompile(`[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}`), "uuid"},
}

// settled returns text with what is another each time replaced.
func settled(text string) string {
	for _, o := range own {
		text = o.text.ReplaceAllString(text, o.sort)
	}
	return text
}
