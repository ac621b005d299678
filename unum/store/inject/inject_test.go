package inject_test

import (
	"context"
	"errors"
	"runtime"
	"testing"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/inject"
	"github.com/weftworks/weft/unum/store/memory"
	"github.com/weftworks/weft/unum/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	storetest.Run(t, storetest.Options{}, func(*testing.T) unum.Store { return inject.Wrap(memory.New(), inject.Hooks{}) })
}

func TestHooks(t *testing.T) {
	t.Parallel()
	ctx, inner := t.Context(), memory.New()
	before, after := errors.New("before"), errors.New("after")
	var seen []inject.Op
	s := inject.Wrap(inner, inject.Hooks{
		Before: func(_ context.Context, op inject.Op) error {
			if seen = append(seen, op); op.Keys[0] == "before" {
				return before
			}
			return nil
		},
		After: func(_ context.Context, op inject.Op, err error) error {
			if op.Keys[0] == "after" {
				return after
			}
			return err
		},
	})
	for _, tc := range []struct {
		key  string
		want error
		done bool
	}{{"before", before, false}, {"after", after, true}, {"fine", nil, true}} {
		_, created, err := s.Create(ctx, tc.key, &unum.Record{})
		if !errors.Is(err, tc.want) || created != (tc.want == nil) {
			t.Errorf("%s: created %v, %v", tc.key, created, err)
		}
		if recs, err := inner.Get(ctx, []string{tc.key}); err != nil || (recs[0] != nil) != tc.done {
			t.Errorf("%s: %+v, %v", tc.key, recs, err)
		}
	}
	if _, err := s.Get(ctx, []string{"after"}); !errors.Is(err, after) {
		t.Errorf("Get: %v", err)
	}
	if len(seen) != 4 || seen[0].Name != "Create" || !seen[0].Writes() || seen[3].Name != "Get" || seen[3].Writes() {
		t.Errorf("saw %+v", seen)
	}
}

// TestCrash ends the goroutine that called, between the write and hearing of it.
func TestCrash(t *testing.T) {
	t.Parallel()
	inner := memory.New()
	s := inject.Wrap(inner, inject.Hooks{After: func(context.Context, inject.Op, error) error { runtime.Goexit(); return nil }})
	ended, heard := make(chan struct{}), false
	go func() {
		defer close(ended)
		_, _, _ = s.Create(t.Context(), "k", &unum.Record{})
		heard = true
	}()
	<-ended
	if recs, err := inner.Get(t.Context(), []string{"k"}); err != nil || recs[0] == nil || heard {
		t.Errorf("%+v, %v; heard %v", recs, err, heard)
	}
}

func TestKeysOfWhatCannotList(t *testing.T) {
	t.Parallel()
	s := inject.Wrap(struct{ unum.Store }{memory.New()}, inject.Hooks{})
	if err := s.Keys(t.Context(), "", nil); !fault.Is(err, fault.Unsupported) {
		t.Errorf("%v", err)
	}
}
