// Package platformtest is the suite that every unum.Platform passes.
package platformtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/protocol"
)

// Fixture is a platform with which the suite can do as it likes. It goes through the suite's deliveries without long
// delays between attempts.
type Fixture struct {
	Platform unum.Platform
	// Deploy puts a function on the platform whose executions are calls of handle.
	Deploy func(t *testing.T, name string, handle func(ctx context.Context, payload []byte) error)
	// Failures has handle called with the requests of instances that the platform has given up, from the next Deploy on.
	// nil: the platform cannot say.
	Failures func(t *testing.T, handle func(ctx context.Context, payload []byte) error)
	// Delay is what the test of notBefore asks for, as long as the platform needs to make a difference of it.
	Delay time.Duration
}

// patience is how long the suite waits for what has to happen.
const patience = 30 * time.Second

// Run runs the suite. fixture is called for each test.
func Run(t *testing.T, fixture func(t *testing.T) *Fixture) {
	for name, test := range map[string]func(t *testing.T, f *Fixture){
		"payloads arrive as they are":         arrives,
		"a failed execution is repeated":      repeats,
		"nothing comes before its time":       comesInTime,
		"payloads are bounded":                bounded,
		"unknown functions are refused":       unknown,
		"many at a time":                      many,
		"a function that keeps failing tells": givesUp,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, fixture(t))
		})
	}
}

// await returns the next value, or fails.
func await[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(patience):
		t.Fatalf("nothing has come in %v", patience)
	}
	return v
}

// sink deploys a function that passes on what it gets.
func (f *Fixture) sink(t *testing.T, name string) <-chan string {
	got := make(chan string, 1000)
	f.Deploy(t, name, func(_ context.Context, payload []byte) error {
		got <- string(payload)
		return nil
	})
	return got
}

func (f *Fixture) invoke(t *testing.T, name, payload string, notBefore time.Time) {
	t.Helper()
	if err := f.Platform.Invoke(t.Context(), name, []byte(payload), notBefore); err != nil {
		t.Fatal(err)
	}
}

func same(t *testing.T, got, want string) {
	t.Helper()
	var a, b any
	if err := errors.Join(json.Unmarshal([]byte(got), &a), json.Unmarshal([]byte(want), &b)); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, a); diff != "" {
		t.Errorf("(-want +got):\n%.2000s", diff)
	}
}

func arrives(t *testing.T, f *Fixture) {
	got := f.sink(t, "first")
	second := f.sink(t, "second")
	const payload = `{"v":1,"state":"PD4mAA==","text":"é \u0000 \" <>&","n":[1,-0.5,null,true,{}]}`
	f.invoke(t, "first", payload, time.Time{})
	same(t, await(t, got), payload)
	f.invoke(t, "second", `"other"`, time.Now().Add(-time.Hour))
	same(t, await(t, second), `"other"`)
}

func repeats(t *testing.T, f *Fixture) {
	times, done := 0, make(chan int, 10)
	var mu sync.Mutex
	f.Deploy(t, "weak", func(context.Context, []byte) error {
		mu.Lock()
		defer mu.Unlock()
		if times++; times == 1 {
			return errors.New("not yet")
		}
		done <- times
		return nil
	})
	f.invoke(t, "weak", `{}`, time.Time{})
	await(t, done)
}

func comesInTime(t *testing.T, f *Fixture) {
	at := make(chan time.Time, 10)
	f.Deploy(t, "later", func(context.Context, []byte) error { at <- time.Now(); return nil })
	due := time.Now().Add(f.Delay)
	f.invoke(t, "later", `{}`, due)
	if got := await(t, at); got.Before(due) {
		t.Errorf("executed %v too early", due.Sub(got))
	}
}

func bounded(t *testing.T, f *Fixture) {
	got := f.sink(t, "large")
	most := f.Platform.MaxPayload()
	largest := `"` + strings.Repeat("x", most-2) + `"`
	for _, when := range []time.Time{{}, time.Now().Add(f.Delay)} {
		f.invoke(t, "large", largest, when)
		if s := await(t, got); s != largest {
			t.Errorf("of %d bytes %d arrived", most, len(s))
		}
		if err := f.Platform.Invoke(t.Context(), "large", []byte(largest+" "), when); !fault.Is(err, fault.LimitExceeded) {
			t.Errorf("%d bytes: %v, want a fault of kind LimitExceeded", most+1, err)
		}
	}
}

func unknown(t *testing.T, f *Fixture) {
	if err := f.Platform.Invoke(t.Context(), "nobody", []byte(`{}`), time.Time{}); !fault.Is(err, fault.ResourceNotFound) {
		t.Errorf("%v, want a fault of kind ResourceNotFound", err)
	}
}

func many(t *testing.T, f *Fixture) {
	const calls = 200
	got := f.sink(t, "busy")
	var wait sync.WaitGroup
	for i := range calls {
		wait.Go(func() {
			if err := f.Platform.Invoke(t.Context(), "busy", fmt.Append(nil, i), time.Time{}); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	for seen := map[string]bool{}; len(seen) < calls && !t.Failed(); {
		seen[await(t, got)] = true
	}
}

func givesUp(t *testing.T, f *Fixture) {
	if f.Failures == nil {
		t.Skip("the platform has no failure destinations")
	}
	told := make(chan []byte, 10)
	f.Failures(t, func(_ context.Context, payload []byte) error { told <- payload; return nil })
	f.Deploy(t, "hopeless", func(context.Context, []byte) error { return errors.New("never") })
	req := protocol.Request{Version: 1, Run: "r", Function: "Some state", Lines: []protocol.Line{{Nonce: "n", Step: 4}}, State: []byte{1}}
	payload, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	f.invoke(t, "hopeless", string(payload), time.Time{})
	var got protocol.Request
	if err := json.Unmarshal(await(t, told), &got); err != nil {
		t.Fatal(err)
	}
	failure := got.Failure
	if failure == nil || failure.Kind != protocol.Broken || failure.Error == "" || !strings.Contains(failure.Cause, "never") ||
		time.Since(time.UnixMilli(failure.Now)).Abs() > time.Hour {
		t.Errorf("the failure is %+v", failure)
	}
	got.Failure = nil
	if diff := cmp.Diff(req, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
