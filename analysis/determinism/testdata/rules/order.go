package rules

import (
	"fmt"
	"maps"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/weftworks/weft"
)

func emits(w *weft.Flow, in order) (int, error) {
	for id := range in.Items { // want `range over map in\.Items uses the flow \(ship\.Call\), in another order at a replay; range over slices\.Sorted\(maps\.Keys\(in\.Items\)\)`
		if _, err := ship.Call(w, id); err != nil {
			return 0, err
		}
	}
	for id := range maps.Keys(in.Items) { // want `range over map in\.Items uses the flow \(pause\)`
		pause(w, id)
	}
	start := func(id string) { ship.Start(w, id) }
	for id := range in.Items { // want `uses the flow \(start\)`
		start(id)
	}
	s := &saga{w: w}
	for id := range in.Items { // want `uses the flow \(s\.run\)`
		s.run(id)
	}
	for id, n := range in.Items {
		w.Log().Info("item", "id", id, "n", n)
	}
	for _, id := range slices.Sorted(maps.Keys(in.Items)) {
		pause(w, id)
	}
	return 0, nil
}

func pause(w *weft.Flow, id string) { w.Sleep(time.Second) }

type saga struct{ w *weft.Flow }

func (s *saga) run(id string) { ship.Start(s.w, id) }

func leaves(w *weft.Flow, in order) (string, error) {
	for id, n := range in.Items { // want `range over map in\.Items returns id of whichever element comes first, in another order`
		if n > 1 {
			return id, nil
		}
	}
	first := ""
	for id := range in.Items { // want `keeps in first whichever element comes first`
		first = id
		break
	}
	for id, n := range in.Items { // want `keeps in first whichever`
		switch {
		case n > 0:
			break
		}
		for {
			break
		}
		if n > 2 {
			first = id
			break
		}
	}
outer:
	for range 3 {
		for id := range in.Items { // want `keeps in first whichever`
			first = id
			continue outer
		}
	}
	for id, n := range in.Items { // want `returns id of whichever`
		if n == 1 {
			return id, nil
		}
	}
	for id, n := range in.Items {
		if n == len(first) && id != "" {
			return id, nil
		}
		if n == len(first)+1 {
			first = id
			break
		}
		if n == 0 {
			return "", fmt.Errorf("nothing to ship of %s", id)
		}
		if n < 0 {
			first = "bad"
			break
		}
	}
	return first, nil
}

func accumulates(w *weft.Flow, prices map[string]float64) (string, error) {
	s, total, n, most := "", 0.0, 0, 0.0
	counts, slots := map[string]int{}, make([]string, 100)
	own, sums := map[string][]float64{}, map[string]float64{}
	for name := range prices { // want `builds the string s, in another order`
		s += name
	}
	for name := range prices { // want `builds the string s, in another order`
		s = s + ", " + name
	}
	var last string
	for last = range prices { // want `builds the string s, in another order`
		s += last
	}
	for _, p := range prices { // want `adds up floats, whose rounding depends on the order, into total`
		total += p
	}
	var b strings.Builder
	for name := range prices { // want `writes to b`
		b.WriteString(name)
	}
	for name := range prices { // want `writes to b`
		fmt.Fprintf(&b, "%s", name)
	}
	for name, p := range prices {
		line := ""
		line += name
		n += len(line)
		n++
		counts[name] += n
		counts[name[:1]]++
		most = max(most, p)
		if p > most {
			most, s = p, name
		}
		delete(counts, name)
		counts["last"] = len(name)
		slots[len(name)] = name
		own[name] = append(own[name], p)
		sums[name] += p
		for range 2 {
			s = name
			break
		}
	}
	return fmt.Sprint(s, slots, own, sums, counts["last"]), nil
}

func appends(w *weft.Flow, in order) ([]string, error) {
	var ids, more, fields []string
	for id := range in.Items { // want `range over map in\.Items appends to ids, in another order at a replay; sort ids afterwards, or range over`
		ids = append(ids, id)
	}
	for id := range in.Items {
		more = append(more, id)
	}
	slices.Sort(more)
	for id := range in.Items {
		fields = append(fields, id)
	}
	sort.Sort(sort.Reverse(sort.StringSlice(fields)))

	keys := make([]string, len(in.Items))
	i := 0
	for id := range in.Items { // want `appends to keys`
		keys[i] = id
		i++
	}
	pause(w, keys[0])

	byLen := map[int][]string{}
	for id := range in.Items { // want `appends to byLen\[len\(id\)\]`
		byLen[len(id)] = append(byLen[len(id)], id)
	}
	pause(w, byLen[0][0])

	var result struct{ IDs, Names []string }
	for id := range in.Items { // want `appends to result\.IDs`
		result.IDs = append(result.IDs, id)
	}
	for id := range in.Items {
		result.Names = append(result.Names, id)
	}
	slices.Sort(result.Names)
	fmt.Sprint(result)
	return ids, nil
}

// What nobody looks at in order needs no order.
func unseen(w *weft.Flow, in order) (int, error) {
	var ids, longs []string
	for id := range in.Items {
		ids = append(ids, id)
	}
	for _, id := range ids {
		longs = append(longs, id)
	}
	total := 0
	for _, id := range longs {
		total += in.Items[id]
	}
	if slices.Contains(ids, "x") || ids == nil {
		return len(ids), nil
	}
	byLen := map[int][]string{}
	for id := range in.Items {
		byLen[len(id)] = append(byLen[len(id)], id)
	}
	for _, group := range byLen {
		slices.Sort(group)
	}
	return total, nil
}

func collects(w *weft.Flow, in order) ([]string, error) {
	keys := slices.Collect(maps.Keys(in.Items)) // want `range over map in\.Items fills keys, in another order at a replay; use slices\.Sorted, or sort the slice`
	for _, k := range keys {
		pause(w, k)
	}
	other := slices.Collect(maps.Keys(in.Items))
	sort.Strings(other)
	sum := 0
	for n := range maps.Values(in.Items) {
		sum += n
	}
	pause(w, strings.Join(slices.Collect(maps.Keys(in.Items)), ",")) // want `goes to strings\.Join`
	_ = order{ID: strings.ToUpper("x"), Items: maps.Clone(in.Items)}
	for _, k := range slices.Collect(maps.Keys(in.Items)) { // want `range over map in\.Items uses the flow`
		pause(w, k)
	}
	return slices.Collect(maps.Keys(in.Items)), nil // want `is returned`
}

// Helpers that return a slice in the order of a map leave the matter to those who call them.
func calls(w *weft.Flow, in order) ([]string, error) {
	a := names(in.Items)
	slices.Sort(a)
	b := names(in.Items) // want `names\(in\.Items\), in the order of a map, fills b, in another order`
	pause(w, b[0])
	c, err := named2(in.Items) // want `fills c`
	if err != nil {
		return nil, err
	}
	for _, id := range generic(in.Items) { // want `generic\(in\.Items\), in the order of a map, uses the flow \(pause\), in another order at a replay; sort it first`
		pause(w, id)
	}
	pause(w, joined(in.Items))
	pause(w, string(dump(in.Items)))
	ns := inOrder(in.Items)
	pause(w, fmt.Sprint(ns))
	byName := picked(in.Items)
	pause(w, byName[0])
	return c, nil
}

func names(m map[string]int) (out []string) {
	for k := range m {
		out = append(out, k)
	}
	return
}

func named2(m map[string]int) ([]string, error) { return names(m), nil }

func generic[M ~map[K]V, K comparable, V any](m M) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	return keys
}

func picked(m map[string]int) []string {
	all := func() []string { return names(m) }
	more := func() []string {
		ids := names(m)
		return ids
	}
	return slices.Sorted(slices.Values(append(all(), more()...)))
}

func dump(m map[string]int) []byte {
	var out []byte
	for k := range m { // want `range over map m builds out`
		out = append(out, k...)
	}
	return out
}

// inOrder sorts what it goes by.
func inOrder(m map[string]int) []int {
	var keys []string
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var out []int
	for _, k := range keys {
		out = append(out, m[k])
	}
	return out
}

func joined(m map[string]int) string {
	s := ""
	for k := range m { // want `range over map m builds the string s, in another order at a replay \(calls → joined\); range`
		s += k
	}
	return s
}
