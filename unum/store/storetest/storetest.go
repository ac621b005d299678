// Package storetest is the conformance suite of unum.Store: every implementation runs it.
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, storetest.Options{}, func(t *testing.T) unum.Store { return memory.New() })
//	}
//
// It has three parts: what each operation does (contract.go), what many callers at once may see (races.go, and histories
// that must be linearizable in linear.go), and random sequences of operations beside a model (model.go). That the suite
// would notice a broken store is itself tested, with stores that are.
package storetest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// Options say what a store cannot do. The zero value asks for everything.
type Options struct {
	// Sweep makes the store forget what has expired at now. nil: the datastore does so by itself, at a time of its own.
	Sweep func(ctx context.Context, s unum.Store, now time.Time) error
	// AddThenRead is set of a store that adds in one round trip and reads in another: others may come between, so that the
	// record it returns is not of the very moment. If the scope is gone by then, it says so, and not that it has added.
	AddThenRead bool
	// Slow is set of a store with a server behind it: random tests are then shorter.
	Slow bool
}

// Check is one check of the suite.
type Check struct {
	Name string
	// Run returns what the store does wrong.
	Run func(ctx context.Context, s unum.Store, o Options) error
}

// Checks are the suite but for the model, which needs a *testing.T. Each keeps to keys of its own.
var Checks = []Check{
	{"Create", create},
	{"Fields", fields},
	{"Advance", advance},
	{"Add", add},
	{"Delete", remove},
	{"ManyKeys", manyKeys},
	{"Keys", keyCharacters},
	{"Arguments", arguments},
	{"LargeRecords", largeRecords},
	{"Blobs", blobs},
	{"Ownership", ownership},
	{"Cancelled", cancelled},
	{"Expiry", expiry},
	{"Lister", lister},
	{"OneCreator", oneCreator},
	{"OneAdvancer", oneAdvancer},
	{"FullSets", fullSets},
	{"OneFailed", oneFailed},
	{"EndedStopsAdds", endedStopsAdds},
	{"ReadYourWrites", readYourWrites},
	{"Linearizable", linearizable},
}

// Run runs the suite, its checks one after the other on one store, which may keep other things too.
func Run(t *testing.T, o Options, open func(t *testing.T) unum.Store) {
	t.Helper()
	s := open(t)
	for _, c := range Checks {
		t.Run(c.Name, func(t *testing.T) {
			if err := c.Run(t.Context(), s, o); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("Model", func(t *testing.T) { model(t, s, o) })
}

// fresh returns a key that nothing has used, the run of the test's records: others are below it.
func fresh() string { return "test-" + rand.Text() }

// list collects what is wrong.
type list []error

func (l *list) addf(format string, args ...any) { *l = append(*l, fmt.Errorf(format, args...)) }

// same adds a difference between two records, where an empty value and none are the same.
func (l *list) same(what string, want, got *unum.Record) {
	if d := diff(want, got); d != "" {
		l.addf("%s (-want +got):\n%s", what, d)
	}
}

func (l list) err() error { return errors.Join(l...) }

// diff is quick where there is none.
func diff(want, got *unum.Record) string {
	if ratchet.Equal(want, got) {
		return ""
	}
	return cmp.Diff(want, got, cmpopts.EquateEmpty())
}

// one reads one record.
func one(ctx context.Context, s unum.Store, key string) (*unum.Record, error) {
	recs, err := s.Get(ctx, []string{key})
	if err != nil {
		return nil, err
	}
	if len(recs) != 1 {
		return nil, fmt.Errorf("Get of one key returned %d records", len(recs))
	}
	return recs[0], nil
}

// there adds a difference between the record at key and want, nil for nothing.
func (l *list) there(ctx context.Context, s unum.Store, key, what string, want *unum.Record) {
	got, err := one(ctx, s, key)
	if err != nil {
		l.addf("%s: Get: %w", what, err)
		return
	}
	l.same(what, want, got)
}

// must creates records, which must not be there.
func must(ctx context.Context, s unum.Store, key string, rec *unum.Record) error {
	cur, created, err := s.Create(ctx, key, rec)
	if err == nil && !created {
		err = fmt.Errorf("Create where nothing was found %+v", cur)
	}
	return err
}
