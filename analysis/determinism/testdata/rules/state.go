package rules

import (
	"context"
	"log/slog"
	"sync"

	"github.com/weftworks/weft"
)

var (
	limit   = 3                      // never assigned again
	table   = map[string]int{"a": 1} // filled in init
	rates   map[string]float64       // filled by load
	loaded  map[string]int           // filled once
	started int
	logger  *slog.Logger                     // set by load, but who logs does not matter
	handle  *weft.FunctionOf[string, string] // a handle, whenever it is made
	once    sync.Once
	version = sync.OnceValue(func() int { return 1 })
)

func init() { table["b"] = 2 }

func load() {
	rates = map[string]float64{}
	logger = slog.New(slog.DiscardHandler)
	handle = weft.Function("handle", func(ctx context.Context, s string) (string, error) { return s, nil })
}

func fill() { loaded = map[string]int{"a": 1} }

func reads(w *weft.Flow, in order) (float64, error) {
	once.Do(fill)
	n := limit + table["a"] + loaded["a"] + version()
	handle.Call(w, "x")
	logger.Info("reads")
	started++                        // want `write to started, a package variable, changes what other runs share, and changes it again at every replay; keep state in variables of the workflow and return it`
	rates["EUR"] = float64(n)        // want `write to rates\["EUR"\], a package variable`
	return rates["EUR"] + usd(), nil // want `read of package variable rates, which is assigned after its declaration, may see another value at a replay; take it as input`
}

func usd() float64 { return rates["USD"] } // want `read of package variable rates, .* \(reads → usd\)`

func captures(in order) {
	count, seen, all := 0, map[string]bool{}, []string{}
	weft.Workflow("captures", func(w *weft.Flow, in order) (int, error) {
		own := 0
		bump := func() { own++ }
		bump()
		count++            // want `write to count, declared outside of the workflow, changes what other runs share`
		seen[in.ID] = true // want `write to seen\[in\.ID\], declared outside`
		delete(seen, "x")  // want `write to seen, declared outside`
		in.ID = "x"
		for id := range in.Items { // want `appends to all`
			all = append(all, id) // want `write to all, declared outside`
		}
		return own + count, nil
	})
	weft.Workflow("activity", func(w *weft.Flow, in order) (string, error) {
		return weft.Function("counts", func(ctx context.Context, s string) (string, error) {
			count++
			return s, nil
		}).Call(w, in.ID)
	})
}

type counter struct {
	n    int
	last struct{ id string }
}

func (c *counter) run(w *weft.Flow, in order) (int, error) {
	c.n++ // want `write to c\.n, a field of the workflow's receiver, changes what other runs share`
	c.note(in.ID)
	return c.n, nil
}

func (c *counter) note(id string) { c.last.id = id } // want `write to c\.last\.id, a field of the workflow's receiver, changes .* \(counter\.run → counter\.note\)`

func (c *counter) wrapped(w *weft.Flow, in order) { c.n-- } // want `write to c\.n, a field`

func registers(c *counter) {
	weft.Workflow("count", c.run)
	weft.Workflow("wrapped", func(w *weft.Flow, in order) (int, error) {
		c.wrapped(w, in)
		return 0, nil
	})
}

// A value that the workflow made is its own.
type basket struct{ items []string }

func (b *basket) add(w *weft.Flow, id string) { b.items = append(b.items, id) }

func shops(w *weft.Flow, in order) (int, error) {
	var b basket
	b.add(w, in.ID)
	return len(b.items), nil
}
