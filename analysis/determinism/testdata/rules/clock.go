package rules

import (
	"context"
	"time"

	"github.com/weftworks/weft"
)

type order struct {
	ID    string
	Due   time.Time
	Items map[string]int
}

var ship = weft.Function("ship", func(ctx context.Context, id string) (string, error) {
	time.Sleep(time.Second)
	return id + time.Now().String(), nil
})

var clocks = weft.Workflow("clocks", func(w *weft.Flow, in order) (time.Time, error) {
	start := time.Now()                // want `time\.Now reads the machine's clock, which shows another time at a replay; use w\.Now\(\)$`
	if time.Since(start) > in.wait() { // want `time\.Since reads`
		return start, nil
	}
	_ = time.Until(in.Due)           // want `time\.Until reads the machine's clock`
	now := time.Now                  // want `time\.Now reads the machine's clock`
	time.Sleep(time.Minute)          // want `time\.Sleep waits by the machine's clock, and so again at every replay; use w\.Sleep\(d\), or weft\.After\(w, d\) with weft\.Any`
	<-time.After(time.Minute)        // want `time\.After waits`
	_ = time.NewTimer(time.Minute)   // want `time\.NewTimer waits`
	for range time.Tick(time.Hour) { // want `time\.Tick waits`
		break
	}
	time.AfterFunc(time.Hour, func() { // want `time\.AfterFunc waits`
		time.Sleep(1)
	})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // want `context\.WithTimeout waits`
	defer cancel()
	_ = ctx
	return now(), nil
})

func (o order) wait() time.Duration {
	return time.Until(o.Due) // want `time\.Until reads the machine's clock, which shows another time at a replay \(workflow "clocks" → order\.wait\); use w\.Now\(\)`
}

// A named function with a flow is workflow code, registered or not.
func named(w *weft.Flow, in order) (string, error) {
	stamp() // reported there
	return ship.Call(w, in.ID)
}

func stamp() string { return deeper() }

func deeper() string {
	return clock().String() // want `time\.Now reads .* \(named → stamp → deeper\); use w\.Now`
}

var clock = time.Now

// Nobody with a flow calls this.
func uncalled() time.Time { return time.Now() }

type service struct{ zone *time.Location }

func (s *service) method(w *weft.Flow, in order) (time.Time, error) {
	return time.Now().In(s.zone), nil // want `time\.Now reads`
}

func register(s *service) {
	weft.Workflow("method", s.method)
	go uncalled()
	weft.Workflow("inner", func(w *weft.Flow, in order) (time.Time, error) {
		pick := func() time.Time { return time.Now() }              // want `time\.Now reads`
		later := func(w *weft.Flow) time.Time { return time.Now() } // want `time\.Now reads`
		return later(w).Add(time.Since(pick())), nil                // want `time\.Since reads`
	})
	_ = time.Now()
}

// What is made for elsewhere is not looked at, even inside of a workflow.
func elsewhere(w *weft.Flow, in order) (string, error) {
	local := weft.Function("local", func(ctx context.Context, id string) (string, error) {
		return id + time.Now().String(), nil
	})
	weft.Function("activity", activity)
	weft.Operation(weft.Entity[int]("account"), "touch", func(c *weft.EntityContext, s *int, in int) (time.Time, error) { return time.Now(), nil })
	each(func(ctx context.Context) { time.Sleep(1) })
	touch(func(ctx *weft.EntityContext) { time.Sleep(1) })
	return local.Call(w, in.ID)
}

func activity(ctx context.Context, id string) (string, error) { return time.Now().String() + id, nil }

func each(fn func(ctx context.Context)) {}

func touch(fn func(ctx *weft.EntityContext)) {}
