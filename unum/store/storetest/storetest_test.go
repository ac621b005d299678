package storetest

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/memory"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// broken is a store that breaks a rule.
type broken struct {
	*memory.Store
	mu     sync.Mutex
	old    map[string]*unum.Record // what records were before the last write
	on     rules
	inside int
}

// rules are ways to be broken.
type rules struct {
	createOverwrites, createUnguarded, createWinsTwice                         bool
	advanceUnguarded, anyNonce, anyStep, afterEnd, advanceMerges               bool
	addUnguarded, addResurrects, addAnyStep, addAfterEnd                       bool
	addTwice, lastFailed, addUnsorted, addTellsBefore                          bool
	sharesMemory, staleGet, staleLoser, getsHundred, getsOnce, deletesChildren bool
	deletesHundred, blobsInRecords, shortBlobs, ignoresCancel                  bool
	forgetsExpires, forgetsEnded, noSweep                                      bool
}

// meet waits a moment for another caller to be between reading and writing as well.
func (b *broken) meet() {
	b.mu.Lock()
	b.inside++
	b.mu.Unlock()
	for range 200 {
		runtime.Gosched()
		b.mu.Lock()
		met := b.inside > 1
		b.mu.Unlock()
		if met {
			break
		}
	}
	runtime.Gosched()
	b.mu.Lock()
	b.inside--
	b.mu.Unlock()
}

// keep remembers what a record was.
func (b *broken) keep(ctx context.Context, key string) *unum.Record {
	cur, err := one(ctx, b.Store, key)
	if err != nil {
		return nil
	}
	b.mu.Lock()
	b.old[key] = cur
	b.mu.Unlock()
	return cur
}

// put writes without a condition.
func (b *broken) put(ctx context.Context, key string, rec *unum.Record) error {
	if err := b.Store.Delete(ctx, []string{key}); err != nil {
		return err
	}
	_, _, err := b.Store.Create(ctx, key, rec)
	return err
}

func (b *broken) Get(ctx context.Context, keys []string) ([]*unum.Record, error) {
	if b.on.ignoresCancel {
		ctx = context.WithoutCancel(ctx)
	}
	if b.on.getsOnce {
		for i, key := range keys {
			if slices.Contains(keys[:i], key) {
				return nil, fmt.Errorf("%s twice", key)
			}
		}
	}
	recs, err := b.Store.Get(ctx, keys)
	if err == nil && b.on.getsHundred && len(recs) > 100 {
		clear(recs[100:])
	}
	if err == nil && b.on.staleGet {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, key := range keys {
			if old := b.old[key]; old != nil {
				recs[i] = ratchet.Clone(old)
				delete(b.old, key)
			}
		}
	}
	if err == nil && b.on.sharesMemory {
		b.mu.Lock()
		defer b.mu.Unlock()
		for i, key := range keys {
			if b.old[key] == nil {
				b.old[key] = recs[i]
			}
			recs[i] = b.old[key]
		}
	}
	return recs, err
}

func (b *broken) Create(ctx context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	if err := checked(ctx, key, rec); err != nil {
		return nil, false, err
	}
	rec = ratchet.Clone(rec)
	if b.on.forgetsExpires {
		rec.Expires = 0
	}
	if b.on.forgetsEnded {
		rec.Ended = false
	}
	switch cur := b.keep(ctx, key); {
	case b.on.createOverwrites:
		return nil, true, b.put(ctx, key, rec)
	case b.on.createUnguarded:
		b.meet()
		if cur != nil {
			return cur, false, nil
		}
		return nil, true, b.put(ctx, key, rec)
	}
	cur, created, err := b.Store.Create(ctx, key, rec)
	if b.on.staleLoser && !created && err == nil {
		cur = nil
	}
	return cur, created || b.on.createWinsTwice && err == nil, err
}

func checked(ctx context.Context, key string, rec *unum.Record) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return ratchet.CheckRecord("", key, rec)
}

func (b *broken) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	if err := checked(ctx, key, rec); err != nil {
		return nil, false, err
	}
	cur := b.keep(ctx, key)
	switch {
	case b.on.advanceUnguarded:
		b.meet()
		if !ratchet.At(cur, nonce, from) {
			return cur, false, nil
		}
		return nil, true, b.put(ctx, key, rec)
	case cur != nil && b.on.anyNonce:
		nonce = cur.Nonce
	case cur != nil && b.on.anyStep:
		from = cur.Step
	case b.on.afterEnd && cur != nil && cur.Ended && cur.Step == from:
		return nil, true, b.put(ctx, key, rec)
	case b.on.advanceMerges && cur != nil && len(rec.Members) == 0:
		rec = ratchet.Clone(rec)
		rec.Members = cur.Members
	}
	return b.Store.Advance(ctx, key, nonce, from, rec)
}

func (b *broken) Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	if err := checked(ctx, key, &unum.Record{Members: []string{member}}); err != nil {
		return nil, false, err
	}
	cur := b.keep(ctx, key)
	switch {
	case b.on.addResurrects && cur == nil:
		_, _, err := b.Store.Create(ctx, key, &unum.Record{Nonce: nonce, Step: step})
		if err != nil {
			return nil, false, err
		}
	case b.on.addAnyStep && cur != nil:
		step = cur.Step
	case b.on.addAfterEnd && cur != nil && cur.Ended:
		next := ratchet.With(cur, member, failed)
		return next, true, b.put(ctx, key, next)
	case b.on.addUnguarded, b.on.addTwice, b.on.lastFailed, b.on.addUnsorted:
		if b.on.addUnguarded {
			b.meet()
		}
		if !ratchet.At(cur, nonce, step) {
			return cur, false, nil
		}
		next := ratchet.With(cur, member, failed)
		if b.on.addTwice && slices.Contains(cur.Members, member) {
			next.Members = slices.Insert(next.Members, slices.Index(next.Members, member), member)
		}
		if failed && b.on.lastFailed {
			next.Failed = member
		}
		if b.on.addUnsorted {
			slices.Reverse(next.Members)
		}
		return next, true, b.force(key, next)
	}
	cur, added, err := b.Store.Add(ctx, key, nonce, step, member, failed)
	if added && b.on.addTellsBefore {
		cur.Members = slices.DeleteFunc(cur.Members, func(m string) bool { return m == member })
	}
	return cur, added, err
}

// force puts what a good store refuses; without sorting, as much of it as it takes.
func (b *broken) force(key string, rec *unum.Record) error {
	stored := ratchet.Clone(rec)
	slices.Sort(stored.Members)
	stored.Members = slices.Compact(stored.Members)
	return b.put(context.Background(), key, stored)
}

func (b *broken) Delete(ctx context.Context, keys []string) error {
	if b.on.deletesHundred && len(keys) > 100 {
		keys = keys[:100]
	}
	if b.on.deletesChildren {
		for _, key := range keys {
			below := []string{}
			_ = b.Keys(ctx, key+"/", func(k string) bool { below = append(below, k); return true })
			keys = append(keys, below...)
		}
	}
	return b.Store.Delete(ctx, keys)
}

func (b *broken) PutBlob(ctx context.Context, key string, data []byte, expires int64) error {
	if b.on.shortBlobs {
		data = data[:min(len(data), 400<<10-1)]
	}
	if b.on.blobsInRecords && ctx.Err() == nil && ratchet.CheckKeys("", key) == nil {
		_, _, err := b.Store.Create(ctx, key, &unum.Record{Nonce: "blob"})
		if err != nil {
			return err
		}
	}
	return b.Store.PutBlob(ctx, key, data, expires)
}

// fails reports whether a store fails a check.
func fails(ctx context.Context, s *broken, c Check) bool {
	sweep := func(_ context.Context, _ unum.Store, now time.Time) error {
		if !s.on.noSweep {
			s.Sweep(now)
		}
		return nil
	}
	return c.Run(ctx, s, Options{Sweep: sweep}) != nil
}

// TestBrokenStoresFail is the suite's own test: each of these stores breaks one rule, and must fail the checks named.
func TestBrokenStoresFail(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name string
		on   rules
		fail []string // at least these
	}{
		{"none", rules{}, nil},
		{"lost update: Create overwrites", rules{createOverwrites: true}, []string{"Create", "OneCreator"}},
		{"lost update: Create reads, then writes", rules{createUnguarded: true}, []string{"OneCreator"}},
		{"Create tells losers that they won", rules{createWinsTwice: true}, []string{"Create", "OneCreator", "Linearizable"}},
		{"losers are told nothing", rules{staleLoser: true}, []string{"Create", "OneCreator"}},
		{"lost update: Advance reads, then writes", rules{advanceUnguarded: true}, []string{"OneAdvancer"}},
		{"Advance looks at no nonce", rules{anyNonce: true}, []string{"Advance"}},
		{"Advance looks at no step", rules{anyStep: true}, []string{"Advance", "OneAdvancer"}},
		{"Advance after the end", rules{afterEnd: true}, []string{"Advance"}},
		{"Advance keeps members", rules{advanceMerges: true}, []string{"Advance"}},
		{"Add reads, then writes", rules{addUnguarded: true}, []string{"FullSets"}},
		{"Add makes what is not there", rules{addResurrects: true}, []string{"Add"}},
		{"Add looks at no step", rules{addAnyStep: true}, []string{"Add"}},
		{"Add after the end", rules{addAfterEnd: true}, []string{"Add", "EndedStopsAdds"}},
		{"Add of the same twice", rules{addTwice: true}, []string{"Add"}},
		{"the last that failed is Failed", rules{lastFailed: true}, []string{"Add", "OneFailed"}},
		{"members are not sorted", rules{addUnsorted: true}, []string{"Add", "FullSets"}},
		{"Add tells what was before", rules{addTellsBefore: true}, []string{"Add", "FullSets"}},
		{"stale reads", rules{staleGet: true}, []string{"ReadYourWrites", "Linearizable"}},
		{"Get of a hundred", rules{getsHundred: true}, []string{"ManyKeys"}},
		{"Get of each key once", rules{getsOnce: true}, []string{"ManyKeys"}},
		{"Delete of a hundred", rules{deletesHundred: true}, []string{"ManyKeys"}},
		{"Delete of what is below", rules{deletesChildren: true}, []string{"Delete"}},
		{"blobs among records", rules{blobsInRecords: true}, []string{"Blobs"}},
		{"blobs cut at 400 KB", rules{shortBlobs: true}, []string{"Blobs"}},
		{"records are shared with callers", rules{sharesMemory: true}, []string{"Ownership"}},
		{"contexts are ignored", rules{ignoresCancel: true}, []string{"Cancelled"}},
		{"Expires is forgotten", rules{forgetsExpires: true}, []string{"Fields", "Expiry"}},
		{"Ended is forgotten", rules{forgetsEnded: true}, []string{"Fields"}},
		{"nothing expires", rules{noSweep: true}, []string{"Expiry"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range Checks {
				want := slices.Contains(tc.fail, c.Name)
				if !want && len(tc.fail) > 0 {
					continue // it may fail or not
				}
				got := false
				for range 1 + 50*len(tc.fail) { // a race that the check arranges may go well
					if got = fails(t.Context(), &broken{Store: memory.New(), on: tc.on, old: map[string]*unum.Record{}}, c); got == want {
						break
					}
				}
				if got != want {
					t.Errorf("check %s: fails %v, want %v", c.Name, got, want)
				}
			}
		})
	}
}

// TestHistories holds that the model takes what may be and refuses what may not.
func TestHistories(t *testing.T) {
	t.Parallel()
	rec := &unum.Record{Nonce: "n", Step: 1}
	with := ratchet.With(rec, "0", false)
	for _, tc := range []struct {
		what string
		cur  *unum.Record
		c    call
		a    answer
		fits bool
	}{
		{"read", rec, call{op: "get"}, answer{cur: rec}, true},
		{"read of what was not there", rec, call{op: "get"}, answer{}, false},
		{"creation", nil, call{op: "create", rec: rec}, answer{ok: true}, true},
		{"refused creation of nothing", nil, call{op: "create", rec: rec}, answer{}, false},
		{"second creation", rec, call{op: "create", rec: rec}, answer{ok: true}, false},
		{"loser", rec, call{op: "create", rec: rec}, answer{cur: rec}, true},
		{"advance", rec, call{op: "advance", nonce: "n", step: 1, rec: rec}, answer{ok: true}, true},
		{"late advance", rec, call{op: "advance", nonce: "n", step: 0, rec: rec}, answer{ok: true}, false},
		{"add", rec, call{op: "add", nonce: "n", step: 1, member: "0"}, answer{cur: with, ok: true}, true},
		{"add that tells what was before", rec, call{op: "add", nonce: "n", step: 1, member: "0"}, answer{cur: rec, ok: true}, false},
		{"the same, read later", rec, call{op: "add", nonce: "n", step: 1, member: "0"}, answer{cur: rec, ok: true, later: true}, true},
		{"refused add", rec, call{op: "add", nonce: "n", step: 1, member: "0"}, answer{cur: rec, later: true}, false},
		{"add to what is gone when it is read", rec, call{op: "add", nonce: "n", step: 1, member: "0"}, answer{later: true}, true},
		{"the same, told in the same moment", rec, call{op: "add", nonce: "n", step: 1, member: "0"}, answer{}, false},
	} {
		if fits, _ := step(tc.cur, tc.c, tc.a); fits != tc.fits {
			t.Errorf("%s: fits %v, want %v", tc.what, fits, tc.fits)
		}
	}
}
