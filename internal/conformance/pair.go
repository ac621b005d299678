package conformance

import (
	"cmp"
	"fmt"
	"slices"
)

// event is one history event taken apart.
type event struct {
	kind     string
	id, prev int
	// loose: the recording lost the event's place among the branches of a Parallel (its id is [0]).
	loose bool
	index int // of a Map's iteration
	name  string
	body  map[string]any // all but type, ids and time
}

func readEvents(list []any) []event {
	events := make([]event, 0, len(list))
	for _, x := range list {
		v, ok := x.(map[string]any)
		if !ok {
			continue
		}
		e := event{body: map[string]any{}}
		e.kind, _ = v["type"].(string)
		id, isNumber := v["id"].(float64)
		prev, _ := v["previousEventId"].(float64)
		e.id, e.prev, e.loose = int(id), int(prev), !isNumber
		for k, d := range v {
			switch k {
			case "type", "id", "previousEventId", "timestamp":
				continue
			}
			e.body[k] = d
			if details, ok := d.(map[string]any); ok {
				if i, ok := details["index"].(float64); ok {
					e.index = int(i)
				}
				if n, ok := details["name"].(string); ok {
					e.name = n
				}
			}
		}
		events = append(events, e)
	}
	return events
}

// paired is a recorded event and the one of ours that stands in its place.
type paired struct{ want, got event }

// pair finds for each recorded event the one of ours in its place; an error says where the sequences of
// (type, id, previousEventId) part. Histories with concurrent branches agree when each branch does: whichever
// came first, the trees that previousEventId spans must be the same.
func pair(want, got []event) ([]paired, error) {
	if slices.ContainsFunc(want, func(e event) bool { return e.loose }) {
		return pairLoose(want, got)
	}
	pairs, err := pairStrict(want, got)
	if err == nil || !slices.ContainsFunc(want, concurrent) {
		return pairs, err
	}
	if tree, treeErr := pairStrict(canonical(want), canonical(got)); treeErr == nil && numberedFromOne(got) {
		return tree, nil
	}
	return nil, err
}

func concurrent(e event) bool {
	return e.kind == "MapStateStarted" || e.kind == "ParallelStateStarted"
}

func numberedFromOne(events []event) bool {
	for i, e := range events {
		if e.id != i+1 || e.prev >= e.id {
			return false
		}
	}
	return true
}

func pairStrict(want, got []event) ([]paired, error) {
	pairs := make([]paired, 0, len(want))
	for i := range max(len(want), len(got)) {
		w, g := at(want, i), at(got, i)
		if w.kind != g.kind || w.id != g.id || w.prev != g.prev {
			return nil, fmt.Errorf("event %d: recorded %s, ours is %s", i+1, w, g)
		}
		pairs = append(pairs, paired{w, g})
	}
	return pairs, nil
}

func at(events []event, i int) event {
	if i < len(events) {
		return events[i]
	}
	return event{kind: "nothing"}
}

func (e event) String() string { return fmt.Sprintf("%s %d<-%d", e.kind, e.id, e.prev) }

// canonical puts a history into the order of its tree: each event's followers by type, iteration, name and
// id, numbered anew.
func canonical(events []event) []event {
	followers := map[int][]event{}
	for _, e := range events {
		followers[e.prev] = append(followers[e.prev], e)
	}
	var out []event
	type open struct {
		e    event
		prev int
	}
	var stack []open
	push := func(id, prev int) {
		fs := followers[id]
		slices.SortStableFunc(fs, func(a, b event) int {
			return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.index, b.index), cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id))
		})
		for _, f := range slices.Backward(fs) {
			stack = append(stack, open{f, prev})
		}
		delete(followers, id)
	}
	push(0, 0)
	for len(stack) > 0 {
		top := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		old := top.e.id
		top.e.id, top.e.prev = len(out)+1, top.prev
		out = append(out, top.e)
		push(old, top.e.id)
	}
	return out
}

// pairLoose pairs with a recording that lost the order within Parallels: events with an id of their own
// stand where they stand, the others match any event of the same type between their neighbours, by name where
// they have one. What the recording left out can only be a Parallel's inner end.
func pairLoose(want, got []event) ([]paired, error) {
	byID := map[int]event{}
	for _, g := range got {
		byID[g.id] = g
	}
	used := map[int]bool{}
	var pairs []paired
	for _, w := range want {
		if w.loose {
			continue
		}
		g := byID[w.id]
		if g.kind != w.kind || g.prev != w.prev {
			return nil, fmt.Errorf("recorded %s, ours is %s", w, g)
		}
		used[g.id] = true
		pairs = append(pairs, paired{w, g})
	}
	for i, w := range want {
		if !w.loose {
			continue
		}
		low, high := neighbours(want, i, len(got))
		j := bestLoose(w, got, used, low, high)
		if j < 0 {
			return nil, fmt.Errorf("recorded %s %q between events %d and %d, ours has none", w.kind, w.name, low, high)
		}
		used[got[j].id] = true
		pairs = append(pairs, paired{w, got[j]})
	}
	for _, g := range got {
		if !used[g.id] && g.kind != "ParallelStateSucceeded" && g.kind != "ParallelStateExited" {
			return nil, fmt.Errorf("ours has %s, which was not recorded", g)
		}
	}
	return pairs, nil
}

// neighbours returns the ids between which the loose event want[i] stands. A nested Parallel's start keeps
// its id in the middle of a loose stretch and bounds nothing.
func neighbours(want []event, i, n int) (low, high int) {
	high = n + 1
	for j := i; j >= 0; j-- {
		if e := want[j]; !e.loose && (j == 0 || !want[j-1].loose) {
			low = e.id
			break
		}
	}
	for _, e := range want[i:] {
		if !e.loose && e.kind != "ParallelStateStarted" {
			return low, e.id
		}
	}
	return low, high
}

func bestLoose(w event, got []event, used map[int]bool, low, high int) int {
	m := &matcher{bound: map[string]string{}}
	best := -1
	for j, g := range got {
		if used[g.id] || g.id <= low || g.id >= high || g.kind != w.kind || g.name != w.name {
			continue
		}
		if m.match("", w.body, g.body) == nil {
			return j
		}
		if best < 0 {
			best = j
		}
	}
	return best
}
