package check

// Cases are what is explored: graphs of up to five nodes, each with bounds that a test can afford, and with deep the bounds of
// `make check-protocol`.
func Cases(deep bool) []Case {
	pick := func(short, long Bounds) Bounds {
		if deep {
			return long
		}
		return short
	}
	dup := pick(Bounds{Duplicates: 1}, Bounds{Duplicates: 2})
	bad := pick(Bounds{Crashes: 1}, Bounds{Crashes: 1, Repeats: 1})
	both := Bounds{Duplicates: 1, Crashes: 1}
	all := Bounds{Duplicates: 1, Crashes: 1, Repeats: 1, Failures: 1}
	two := Par(Seq{Task}, Seq{Task})
	return []Case{
		{Name: "chain of 2", Program: Seq{Task, Task}, Bounds: pick(Bounds{2, 1, 1, 0}, Bounds{3, 3, 2, 1})},
		{Name: "chain of 3", Program: Seq{Task, Task, Task}, Bounds: pick(Bounds{2, 1, 0, 0}, Bounds{2, 2, 1, 1})},
		{Name: "chain of 4", Program: Seq{Task, Task, Task, Task}, Bounds: pick(both, Bounds{2, 1, 1, 0})},
		{Name: "chain of 3 in blobs", Program: Seq{Task, Task, Task}, Large: true, Bounds: pick(bad, all)},
		{Name: "wait", Program: Seq{Task, Wait, Wait, Task}, Bounds: pick(both, all)},
		{Name: "unchecked", Program: Seq{Unchecked, Task, Task}, Bounds: pick(both, all)},
		{Name: "unchecked after a join", Program: Seq{Par(Seq{Task}), Unchecked, Task}, Bounds: pick(dup, both)},
		{Name: "unchecked head", Program: Seq{Par(Seq{Unchecked, Task}, Seq{Task}), Task}, Bounds: dup},
		{Name: "expiry races with the result", Program: Seq{Expiring, Task}, Bounds: all},
		{Name: "expiry in a branch", Program: Seq{Try(Seq{Expiring}, Seq{Task}), Task}, Bounds: pick(Bounds{}, dup)},
		{Name: "flaky code", Program: Seq{Flaky, Flaky}, Bounds: all},
		{Name: "parallel 2 and join", Program: Seq{Task, two, Task}, Bounds: dup},
		{Name: "parallel 2 and join, crashes", Program: Seq{Task, two, Task}, Bounds: bad},
		{Name: "parallel 2 and join, patient", Program: Seq{Task, two, Task}, Patient: true, Bounds: dup},
		{Name: "parallel 2 and end, patient, crashes", Program: Seq{two}, Patient: true, Bounds: bad},
		{Name: "parallel 1 twice, patient, all that can happen", Program: Seq{Par(Seq{Task}), Par(Seq{Task})}, Patient: true, Bounds: pick(both, all)},
		{Name: "parallel 2, one key at a time", Program: Seq{two, Task}, Fine: true, Bounds: dup},
		{Name: "parallel 2 in blobs", Program: Seq{two, Task}, Large: true, Bounds: pick(Bounds{}, both)},
		{Name: "parallel 1, all that can happen", Program: Seq{Par(Seq{Task}), Task}, Bounds: pick(both, all)},
		{Name: "parallel 1 in blobs", Program: Seq{Par(Seq{Task}), Task}, Large: true, Bounds: pick(dup, both)},
		{Name: "join, then the end", Program: Seq{Task, two}, Bounds: dup},
		{Name: "join, then the end, one key at a time", Program: Seq{Par(Seq{Task})}, Fine: true, Bounds: pick(bad, both)},
		{Name: "join of 2, then the end, one key at a time", Program: Seq{two}, Fine: true, Bounds: pick(Bounds{Repeats: 1}, bad)},
		{Name: "join, then a fork", Program: Seq{Par(Seq{Task}), two, Task}, Bounds: dup},
		{Name: "join, then a fork, crashes", Program: Seq{Par(Seq{Task}), Par(Seq{Task})}, Bounds: bad},
		{Name: "join of 2, then a fork, crashes", Program: Seq{two, Par(Seq{Task})}, Bounds: pick(Bounds{Repeats: 1}, bad)},
		{Name: "parallel 3 and join", Program: Seq{Par(Seq{Task}, Seq{Task}, Seq{Task}), Task}, Bounds: pick(Bounds{Repeats: 1}, Bounds{Duplicates: 1})},
		{Name: "branches of 2", Program: Seq{Par(Seq{Task, Task}, Seq{Task}), Task}, Bounds: pick(bad, both)},
		{Name: "one of two fails", Program: Seq{Par(Seq{Raise}, Seq{Task}), Task}, Bounds: pick(Bounds{Repeats: 1}, dup)},
		{Name: "the only branch fails late, caught", Program: Seq{Try(Seq{Task, Raise}), Task}, Bounds: both},
		{Name: "one of two fails late, caught", Program: Seq{Try(Seq{Task, Raise}, Seq{Task}), Task}, Bounds: pick(Bounds{Repeats: 1}, dup)},
		{Name: "one of two fails, the other goes on", Program: Seq{Try(Seq{Raise}, Seq{Task, Task}), Task}, Bounds: pick(Bounds{Repeats: 1}, dup)},
		{Name: "both fail, caught", Program: Seq{Task, Try(Seq{Raise}, Seq{Raise}), Task}, Bounds: pick(Bounds{Repeats: 1}, dup)},
		{Name: "both may fail", Program: Seq{Try(Seq{Flaky}, Seq{Flaky}), Task}, Bounds: pick(Bounds{Repeats: 1}, both)},
		{Name: "map of 2, one at a time", Program: Seq{Task, Each(2, 1, Task), Task}, Bounds: pick(dup, both)},
		{Name: "map of 3, two at a time", Program: Seq{Each(3, 2, Task), Task}, Bounds: pick(bad, Bounds{Duplicates: 1})},
		{Name: "map of 3, one at a time, the second fails", Program: Seq{Node{Lines: []Seq{{Task}, {Raise}, {Task}}, Limit: 1, Catch: true}, Task}, Bounds: dup},
		{Name: "nested 1 in 1", Program: Seq{Par(Seq{Par(Seq{Task})}), Task}, Bounds: pick(dup, both)},
		{Name: "nested 2 in 1", Program: Seq{Par(Seq{two}), Task}, Bounds: pick(Bounds{Repeats: 1}, dup)},
		{Name: "nested 2 in 2", Program: Seq{Par(Seq{two}, Seq{Task}), Task}, Bounds: pick(Bounds{Repeats: 1}, Bounds{Duplicates: 1})},
		{Name: "nested 2 x 2", Program: Seq{Par(Seq{two}, Seq{two}), Task}, Bounds: pick(Bounds{}, Bounds{Repeats: 1})},
		{Name: "nested, the inner one fails", Program: Seq{Try(Seq{Par(Seq{Raise}, Seq{Task})}), Task}, Bounds: pick(Bounds{}, Bounds{Crashes: 1})},
		{Name: "nested, the outer one fails", Program: Seq{Try(Seq{Task, two}, Seq{Raise}), Task}, Bounds: pick(Bounds{}, Bounds{Crashes: 1})},
		{Name: "the platform fails", Program: Seq{Task, Try(Seq{Task}, Seq{Task}), Task}, Bounds: Bounds{Failures: 1, Repeats: 1}},
		{Name: "the platform fails after a crash", Program: Seq{two, Task}, Bounds: pick(Bounds{Failures: 1}, Bounds{Failures: 1, Crashes: 1})},
		{Name: "cancel", Program: Seq{Task, Task, Task}, Cancel: true, Bounds: both},
		{Name: "cancel a fork", Program: Seq{Task, Par(Seq{Task, Task}, Seq{Task}), Task}, Cancel: true, Bounds: pick(Bounds{Repeats: 1}, Bounds{Crashes: 1})},
		{Name: "cancel a fork, crashes", Program: Seq{Par(Seq{Task}), Task}, Cancel: true, Bounds: bad},
		{Name: "cancel a fork of 2, crashes", Program: Seq{two, Task}, Cancel: true, Bounds: pick(Bounds{}, bad)},
		{Name: "cancel a nested fork", Program: Seq{Par(Seq{two}, Seq{Task}), Task}, Cancel: true, Bounds: pick(Bounds{}, Bounds{Repeats: 1})},
		{Name: "cancel after a join", Program: Seq{Par(Seq{Task}), Par(Seq{Task}), Task}, Cancel: true, Large: true, Bounds: pick(Bounds{}, Bounds{Crashes: 1})},
		{Name: "time-out", Program: Seq{Par(Seq{Task}), Task}, Timeout: true, Bounds: pick(bad, both)},
		{Name: "time-out and cancel", Program: Seq{Task, Par(Seq{Task})}, Timeout: true, Cancel: true, Bounds: pick(Bounds{}, Bounds{Crashes: 1})},
		{Name: "forget and start again", Program: Seq{Par(Seq{Task}), Task}, Forget: true, Bounds: dup},
		{Name: "forget and start again, time-out", Program: Seq{Task}, Forget: true, Timeout: true, Bounds: pick(Bounds{Duplicates: 1}, both)},
		{Name: "forget and start again, blobs", Program: Seq{Task, Task}, Forget: true, Large: true, Bounds: dup},
		{Name: "fold of 3", Graph: fold(3), Bounds: pick(Bounds{Repeats: 1}, Bounds{Duplicates: 1})},
		{Name: "fold of 2", Graph: fold(2), Bounds: pick(bad, both)},
		{Name: "partial fan-in", Graph: &Graph{Lines: []GraphLine{
			{Name: "A"}, {Name: "B"}, {Name: "P", Takes: []string{"A", "B"}}, {Name: "Q", Takes: []string{"B"}},
		}, Pop: []string{"P", "Q"}}, Bounds: pick(Bounds{Repeats: 1}, Bounds{Duplicates: 1})},
		{Name: "graph that ends the run", Graph: &Graph{Lines: []GraphLine{
			{Name: "A"}, {Name: "B"}, {Name: "P", Takes: []string{"A", "B"}},
		}, Ends: "P"}, Bounds: pick(Bounds{Repeats: 1}, dup)},
	}
}

// fold is the graph of n lines whose values are taken together one after the other.
func fold(n int) *Graph {
	names := []string{"A", "B", "C", "D", "E"}[:n]
	g := &Graph{}
	last := names[0]
	for _, name := range names {
		g.Lines = append(g.Lines, GraphLine{Name: name})
	}
	for _, name := range names[1:] {
		m := last + name
		g.Lines = append(g.Lines, GraphLine{Name: m, Takes: []string{last, name}})
		last = m
	}
	g.Pop = []string{last}
	return g
}

// Five are graphs of five nodes (a fan-out counts as the tasks in it), each with a duplicate and a crash in one history; with deep those
// too which take longer than a test may.
func Five(deep bool) []Case {
	both := Bounds{Duplicates: 1, Crashes: 1}
	two := Par(Seq{Task}, Seq{Task})
	cases := []Case{
		{Name: "5: chain", Program: Seq{Task, Task, Task, Task, Task}, Bounds: Bounds{1, 1, 1, 0}},
		{Name: "5: parallel 2 in a chain", Program: Seq{Task, two, Task, Task}, Bounds: both},
		{Name: "5: map of 3, one at a time", Program: Seq{Task, Each(3, 1, Task), Task}, Bounds: both},
		{Name: "5: map of 3, two at a time", Program: Seq{Task, Each(3, 2, Task), Task}, Bounds: both},
	}
	if !deep {
		return cases
	}
	return append(cases, []Case{
		{Name: "5: parallel 3", Program: Seq{Task, Par(Seq{Task}, Seq{Task}, Seq{Task}), Task}, Bounds: both},
		{Name: "5: parallel 2 of 2", Program: Seq{Par(Seq{Task, Task}, Seq{Task, Task}), Task}, Bounds: both},
		{Name: "5: parallel 1 of 3", Program: Seq{Task, Par(Seq{Task, Task, Task}), Task}, Bounds: Bounds{1, 1, 1, 0}},
		{Name: "5: two fan-outs", Program: Seq{two, two, Task}, Bounds: both},
		{Name: "5: nested 1 and 2", Program: Seq{Par(Seq{Task}, Seq{two}), Task}, Bounds: both},
		{Name: "5: nested 2 in 1", Program: Seq{Task, Par(Seq{two}), Task}, Bounds: both},
		{Name: "5: cancel", Program: Seq{Task, two, Task}, Cancel: true, Bounds: both},
		{Name: "5: the only branch fails late", Program: Seq{Task, Try(Seq{Task, Task, Raise}), Task}, Bounds: both},
		{Name: "5: one of two fails", Program: Seq{Task, Try(Seq{Raise}, Seq{Task}), Task}, Bounds: both},
		{Name: "5: one of two fails, the other goes on", Program: Seq{Task, Try(Seq{Raise}, Seq{Task, Task}), Task}, Bounds: both},
		{Name: "5: fold of 2", Graph: fold(2), Bounds: both},
		{Name: "5: fold of 3", Graph: fold(3), Bounds: both},
		{Name: "5: partial fan-in of 3 chunks", Graph: &Graph{Lines: []GraphLine{
			{Name: "A"}, {Name: "B"}, {Name: "C"}, {Name: "P", Takes: []string{"A", "B"}}, {Name: "Q", Takes: []string{"B", "C"}},
		}, Pop: []string{"P", "Q"}}, Bounds: both},
	}...)
}
