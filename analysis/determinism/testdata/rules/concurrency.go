package rules

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/weftworks/weft"
)

func fans(w *weft.Flow, ids []string) (int, error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	results := make(chan string, len(ids))
	for _, id := range ids {
		wg.Add(1)   // want `sync\.WaitGroup\.Add depends on other goroutines, whose order a replay does not repeat; a workflow runs alone and needs no lock; keep state`
		go func() { // want `a go statement runs code in an order that a replay does not repeat; start functions with F\.Start\(w, in\) and wait for them with weft\.All or weft\.Any`
			defer wg.Done()
			time.Sleep(1)
			s, _ := ship.Call(w, id) // want `the use of w in a func literal that runs elsewhere takes the flow out of the workflow`
			results <- s
		}()
	}
	wg.Go(func() { _ = w.Now() }) // want `sync\.WaitGroup\.Go runs code` `the use of w in a func literal`
	wg.Wait()                     // want `sync\.WaitGroup\.Wait`
	mu.Lock()                     // want `sync\.Mutex\.Lock`
	results <- "x"                // want `a channel send depends on other goroutines`
	close(results)                // want `closing a channel`
	<-results                     // want `a channel receive`
	for r := range results {      // want `a range over a channel`
		_ = r
	}
	select { // want `a select statement`
	case results <- "x":
	case r := <-results:
		_ = r
	default:
	}
	go slowly()  // want `a go statement`
	go helper(w) // want `a go statement`
	var n atomic.Int64
	n.Add(1) // want `atomic\.Int64\.Add`
	return 0, nil
}

func helper(w *weft.Flow) {}

func slowly() { time.Sleep(time.Second) }

func hands(w *weft.Flow, id string) (string, error) {
	late := weft.Function("late", func(ctx context.Context, id string) (string, error) {
		return fmt.Sprint(w.Now()), nil // want `the use of w in a func literal that runs elsewhere takes the flow out of the workflow that it belongs to, to where a replay does not follow; pass the values it needs`
	})
	return late.Call(w, id)
}

// A lock or a channel of a helper is its own matter, a goroutine is not.
func cached(w *weft.Flow, id string) (string, error) { return lookup(id) + parallel(id), nil }

var cache struct {
	sync.RWMutex
	names map[string]string
}

func lookup(id string) string {
	cache.RLock()
	defer cache.RUnlock()
	return cache.names[id]
}

func parallel(id string) string {
	out := make(chan string)
	go func() { out <- id }() // want `a go statement runs code in an order that a replay does not repeat \(cached → parallel\)`
	return <-out
}
