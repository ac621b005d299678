package storetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/weftworks/weft/unum"
)

// racers is how many callers meet.
const racers = 48

// atOnce calls fn for 0 to n-1, each on a goroutine of its own, which begin together.
func atOnce(n int, fn func(i int) error) error {
	errs := make([]error, n)
	var ready, group sync.WaitGroup
	begin := make(chan struct{})
	ready.Add(n)
	for i := range n {
		group.Go(func() {
			ready.Done()
			<-begin
			errs[i] = fn(i)
		})
	}
	ready.Wait()
	close(begin)
	group.Wait()
	return errors.Join(errs...)
}

// seen is what one of the racers was told.
type seen struct {
	cur *unum.Record
	ok  bool
}

// winner returns which racer was told that it had won, when that is exactly one and all others saw its record.
func winner(what string, told []seen, put func(i int) *unum.Record) (*unum.Record, error) {
	won := slices.IndexFunc(told, func(s seen) bool { return s.ok })
	if won < 0 {
		return nil, fmt.Errorf("%s: nobody of %d won", what, len(told))
	}
	var l list
	for i, s := range told {
		switch {
		case i == won:
		case s.ok:
			l.addf("%s: both %d and %d won", what, won, i)
		default:
			l.same(fmt.Sprintf("%s: what loser %d saw", what, i), put(won), s.cur)
		}
	}
	return put(won), l.err()
}

// oneCreator lets many create a record at once, several times.
func oneCreator(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	for range 3 {
		key := fresh()
		put := func(i int) *unum.Record {
			return &unum.Record{Nonce: fmt.Sprint("n", i), Step: 1, Value: fmt.Appendf(nil, "value %d", i)}
		}
		told := make([]seen, racers)
		err := atOnce(racers, func(i int) (err error) {
			told[i].cur, told[i].ok, err = s.Create(ctx, key, put(i))
			return err
		})
		if err != nil {
			return err
		}
		won, err := winner("Create", told, put)
		if err != nil {
			l.addf("%w", err)
			continue
		}
		l.there(ctx, s, key, "what the winner has put", won)
	}
	return l.err()
}

// oneAdvancer lets many advance a record at once, step after step.
func oneAdvancer(ctx context.Context, s unum.Store, _ Options) error {
	key := fresh()
	if err := must(ctx, s, key, &unum.Record{Nonce: "n"}); err != nil {
		return err
	}
	var l list
	for step := range int64(3) {
		put := func(i int) *unum.Record {
			return &unum.Record{Nonce: "n", Step: step + 1, Value: fmt.Appendf(nil, "value %d", i), Width: int64(i)}
		}
		told := make([]seen, racers)
		err := atOnce(racers, func(i int) (err error) {
			told[i].cur, told[i].ok, err = s.Advance(ctx, key, "n", step, put(i))
			return err
		})
		if err != nil {
			return err
		}
		won, err := winner(fmt.Sprintf("Advance from %d", step), told, put)
		if err != nil {
			return err
		}
		l.there(ctx, s, key, "what the winner has put", won)
	}
	return l.err()
}

// fullSets lets branches end at once, each twice. What they are told must be one set that grows: in the order of their
// sizes each contains the one before, each has the member of who was told, and the last is full.
func fullSets(ctx context.Context, s unum.Store, o Options) error {
	key := fresh()
	if err := must(ctx, s, key, &unum.Record{Nonce: "n", Step: 1, Width: racers}); err != nil {
		return err
	}
	told := make([]seen, 2*racers)
	err := atOnce(2*racers, func(i int) (err error) {
		told[i].cur, told[i].ok, err = s.Add(ctx, key, "n", 1, fmt.Sprint(i/2), false)
		return err
	})
	if err != nil {
		return err
	}
	var l list
	sizes := map[int]bool{}
	for i, t := range told {
		if !t.ok || t.cur == nil {
			return fmt.Errorf("Add of %d: %v, %+v", i/2, t.ok, t.cur)
		}
		if !slices.IsSorted(t.cur.Members) || !slices.Contains(t.cur.Members, fmt.Sprint(i/2)) {
			l.addf("who added %d was told of %q", i/2, t.cur.Members)
		}
		sizes[len(t.cur.Members)] = true
	}
	slices.SortFunc(told, func(a, b seen) int { return len(a.cur.Members) - len(b.cur.Members) })
	for i := range told[1:] {
		if a, b := told[i].cur.Members, told[i+1].cur.Members; !within(a, b) {
			l.addf("one was told of %q, another of %q", a, b)
		}
	}
	if !sizes[racers] {
		l.addf("nobody has seen the set full")
	}
	// The set has had every size, and whoever made it that size has seen it.
	if !o.AddThenRead && len(sizes) != racers {
		l.addf("the set of %d members was seen in %d sizes", racers, len(sizes))
	}
	full, err := one(ctx, s, key)
	if err != nil || full == nil || len(full.Members) != racers {
		l.addf("the set in the end: %+v, %v", full, err)
	}
	return l.err()
}

// within reports whether sorted a is a subset of sorted b.
func within(a, b []string) bool {
	for _, m := range a {
		if _, ok := slices.BinarySearch(b, m); !ok {
			return false
		}
	}
	return true
}

// oneFailed lets branches fail at once: all that are told of a failed one are told of the same.
func oneFailed(ctx context.Context, s unum.Store, _ Options) error {
	key := fresh()
	if err := must(ctx, s, key, &unum.Record{Nonce: "n", Width: racers}); err != nil {
		return err
	}
	told := make([]seen, racers)
	err := atOnce(racers, func(i int) (err error) {
		told[i].cur, told[i].ok, err = s.Add(ctx, key, "n", 0, fmt.Sprint(i), i%2 == 0)
		return err
	})
	if err != nil {
		return err
	}
	last, err := one(ctx, s, key)
	if err != nil {
		return err
	}
	if last == nil || last.Failed == "" || len(last.Members) != racers {
		return fmt.Errorf("in the end there is %+v", last)
	}
	var l list
	for i, t := range told {
		if !t.ok || t.cur == nil || t.cur.Failed != last.Failed && (i%2 == 0 || t.cur.Failed != "") {
			l.addf("branch %d: added %v, was told of %+v; %s has failed", i, t.ok, t.cur, last.Failed)
		}
	}
	return l.err()
}

// endedStopsAdds ends a record while branches add to it: who was told that it was added is in what the advancer would
// have found, and nobody is added afterwards.
func endedStopsAdds(ctx context.Context, s unum.Store, _ Options) error {
	key := fresh()
	if err := must(ctx, s, key, &unum.Record{Nonce: "n", Width: racers}); err != nil {
		return err
	}
	end := &unum.Record{Nonce: "n", Step: 1, Ended: true, Value: []byte("end")}
	told := make([]seen, racers)
	err := atOnce(racers, func(i int) (err error) {
		if i == racers/2 {
			told[i].cur, told[i].ok, err = s.Advance(ctx, key, "n", 0, end)
			return err
		}
		told[i].cur, told[i].ok, err = s.Add(ctx, key, "n", 0, fmt.Sprint(i), false)
		return err
	})
	if err != nil {
		return err
	}
	var l list
	for i, t := range told {
		switch {
		case i == racers/2 && !t.ok:
			l.addf("Advance was refused, found %+v", t.cur)
		case i != racers/2 && !t.ok:
			l.same("what a refused Add found", end, t.cur)
		}
	}
	l.there(ctx, s, key, "in the end", end)
	return l.err()
}

// readYourWrites has every caller read what it has just written, also as one of many keys.
func readYourWrites(ctx context.Context, s unum.Store, _ Options) error {
	run := fresh()
	return atOnce(16, func(i int) error {
		key := fmt.Sprintf("%s/%d", run, i)
		var l list
		for step := range int64(4) {
			rec := &unum.Record{Nonce: "n", Step: step, Value: fmt.Append(nil, i, step)}
			if step == 0 {
				if err := must(ctx, s, key, rec); err != nil {
					return err
				}
			} else if _, ok, err := s.Advance(ctx, key, "n", step-1, rec); !ok || err != nil {
				return fmt.Errorf("Advance: %v, %w", ok, err)
			}
			recs, err := s.Get(ctx, []string{run + "/none", key})
			if err != nil {
				return err
			}
			l.same("what was just written", rec, recs[1])
		}
		if err := s.Delete(ctx, []string{key}); err != nil {
			return err
		}
		l.there(ctx, s, key, "what was just deleted", nil)
		return l.err()
	})
}
