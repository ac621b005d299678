package function

import (
	"context"
	"errors"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/weftworks/weft/fault"
)

// Prepare does now what functions would do before their first call, at most GOMAXPROCS of them at a time, and
// returns when all are done: those with these names or Lambda ARNs, or all when there are none. Functions stay
// callable meanwhile. It joins a *fault.Error of kind InvalidArgument for each function that cannot be made ready,
// its name as the Subject, in the order of the names; when ctx ends, that is the one error.
func (r *Registry) Prepare(ctx context.Context, names ...string) error {
	all, errs := r.preparing(names)
	room := make(chan struct{}, runtime.GOMAXPROCS(0))
	var wait sync.WaitGroup
	for i, d := range all {
		p, ok := d.invoker.(Preparer)
		if !ok {
			continue
		}
		select {
		case room <- struct{}{}:
		case <-ctx.Done():
			wait.Wait()
			return context.Cause(ctx)
		}
		wait.Go(func() {
			defer func() { <-room }()
			if err := p.Prepare(ctx); err != nil {
				errs[i] = fault.New("function.Prepare", fault.InvalidArgument, d.info.Name, "%w", err)
			}
		})
	}
	wait.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(errs...)
}

// preparing returns the functions to prepare, each once, and a slot for the error of each and of every unknown name.
func (r *Registry) preparing(names []string) (all []*declared, errs []error) {
	functions := *r.functions.Load()
	if len(names) == 0 {
		names = slices.Sorted(maps.Keys(functions))
	}
	seen := make(map[*declared]bool, len(names))
	var unknown []error
	for _, name := range names {
		d := r.find(name)
		switch {
		case d == nil:
			unknown = append(unknown, fault.New("function.Prepare", fault.InvalidArgument, name, "%w", r.unknown(name)))
		case !seen[d]:
			seen[d] = true
			all = append(all, d)
		}
	}
	return all, append(make([]error, len(all)), unknown...)
}
