package faas_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/fault"
)

// kept starts a Service on a journal whose function f notes what it gets, and waits an hour for "slow".
func kept(t *testing.T, path string) (s *faas.Service, got func() []string) {
	t.Helper()
	s = faas.New(faas.Config{Log: quiet})
	var mu sync.Mutex
	var seen []string
	register(t, s, "f", faas.Settings{}, func(ctx context.Context, in []byte) ([]byte, error) {
		if string(in) == `"slow"` {
			select {
			case <-time.After(time.Hour):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, string(in))
		return nil, nil
	})
	if err := s.Keep(path); err != nil {
		t.Fatal(err)
	}
	return s, func() []string {
		mu.Lock()
		defer mu.Unlock()
		slices.Sort(seen)
		return slices.Clone(seen)
	}
}

// TestKeptEventsOutliveTheirService ends a Service in the middle of what it does, and looks at what the next one does,
// and that a third has nothing to do.
func TestKeptEventsOutliveTheirService(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "events")
		s, got := kept(t, path)
		send(t, s, "f", `"done"`, time.Time{})
		send(t, s, "f", `"slow"`, time.Time{})
		send(t, s, "f", `"later <é>"`, time.Now().Add(30*time.Minute))
		synctest.Wait()
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.Close(ctx); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{`"done"`}, got()); diff != "" || s.Stats().Lost != 0 {
			t.Errorf("lost %d, first (-want +got):\n%s", s.Stats().Lost, diff)
		}
		begun := time.Now()
		s, got = kept(t, path)
		time.Sleep(30*time.Minute - time.Second) // virtual
		if early := got(); len(early) > 0 {
			t.Errorf("too early: %v", early)
		}
		wait(t, s)
		if diff := cmp.Diff([]string{`"later <é>"`, `"slow"`}, got()); diff != "" || time.Since(begun) != time.Hour {
			t.Errorf("after %v, second (-want +got):\n%s", time.Since(begun), diff)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		s, _ = kept(t, path)
		if s.Stats().Waiting != 0 {
			t.Errorf("%d events wait", s.Stats().Waiting)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestJournalStaysSmall passes many events through a journal while one waits.
func TestJournalStaysSmall(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "events")
		s, got := kept(t, path)
		send(t, s, "f", `"last"`, time.Now().Add(time.Hour))
		const events = 1500
		for i := range events {
			send(t, s, "f", fmt.Sprint(i), time.Time{})
		}
		time.Sleep(time.Minute) // virtual: more than a thousand at a time are throttled
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(path)
		if n := bytes.Count(b, []byte("\n")); err != nil || len(got()) != events || n > 2*events-500 {
			t.Errorf("%d lines of %d events, %v", n, len(got()), err)
		}
		s, _ = kept(t, path)
		if s.Stats().Waiting != 1 {
			t.Errorf("%d events wait, want the one that was not due", s.Stats().Waiting)
		}
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

// TestDamagedJournals reads a journal that breaks off, as the end of a process leaves it, and one that is none.
func TestDamagedJournals(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "events")
	torn := fmt.Sprintf(`{"n":7,"id":"a","function":"f","born":%[1]d,"due":%[1]d,"payload":1}`+"\n"+`{"n":8,"fun`, time.Now().Add(time.Hour).UnixMicro())
	if err := os.WriteFile(path, []byte(torn), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _ := kept(t, path)
	if s.Stats().Waiting != 1 {
		t.Errorf("%d events wait", s.Stats().Waiting)
	}
	if err := s.Keep(path); !fault.Is(err, fault.Conflict) {
		t.Errorf("kept twice: %v", err)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("garbage\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	other := faas.New(faas.Config{Log: quiet})
	if err := other.Keep(path); !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), "line 1 is no event") {
		t.Errorf("a damaged journal: %v", err)
	}
}
