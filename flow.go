package weft

import (
	"errors"
	"fmt"
	"time"

	"github.com/weftworks/weft/durable"
)

// Flow is what workflow code does everything with: it belongs to one run.
type Flow = durable.Flow

// EntityContext is what operations of entities may do beside changing their state.
type EntityContext = durable.EntityContext

// Failure is the error of a call, a sub-workflow, an operation or a run that failed. It has the type and the message of
// the error that user code returned.
//
//	var f *weft.Failure
//	if errors.As(err, &f) && f.Type == "CardDeclined" { ... }
type Failure = durable.Failure

// NonDeterminism is the error of code that does not do in a replay what it did before.
type NonDeterminism = durable.NonDeterminism

// Retry says how failures are tried again.
type Retry = durable.Retry

// ErrTimeout is what EventOf.WaitFor returns when no event came in time.
var ErrTimeout = durable.ErrTimeout

// Awaitable is a Future of any type.
type Awaitable interface{ task() *durable.Task }

// Future is something that will be there once: the result of a call, an event, the end of a timer. It belongs to the run
// that made it.
type Future[T any] struct{ t *durable.Task }

func (f Future[T]) task() *durable.Task { return f.t }

// Await waits for the value. The error is a *Failure.
func (f Future[T]) Await(w *Flow) (T, error) {
	data, err := f.t.Await(w)
	if err != nil {
		var zero T
		return zero, err
	}
	return decode[T](data)
}

// Done reports whether the value, or the failure, is there.
func (f Future[T]) Done() bool { return f.t.Done() }

// Cancel says that the value is not wanted any more: a timer is disarmed, a function that runs sees its context end. The
// future fails with the type Weft.Cancelled. Answers of sub-workflows and entities come all the same.
func (f Future[T]) Cancel(w *Flow) { durable.Cancel(w, f.t) }

// All waits until all futures are done and returns their values, or all their failures joined. It does not return at the
// first failure, so that nothing is left behind unseen.
func All[T any](w *Flow, futures ...Future[T]) ([]T, error) {
	tasks := make([]*durable.Task, len(futures))
	for i, f := range futures {
		tasks[i] = f.t
	}
	durable.Wait(w, len(tasks), tasks...)
	values := make([]T, len(futures))
	var errs []error
	for i, f := range futures {
		v, err := f.Await(w)
		if err != nil {
			errs = append(errs, fmt.Errorf("%d of %d: %w", i+1, len(futures), err))
		}
		values[i] = v
	}
	return values, errors.Join(errs...)
}

// Any waits until one of several futures, of any types, is done, and returns which: the first in the list, if several are.
func Any(w *Flow, futures ...Awaitable) int {
	first := First(w, 1, futures...)
	if len(first) == 0 {
		return -1
	}
	return first[0]
}

// First waits until n of several futures are done and returns which ones are, in the order of the list; there may be more
// than n. Failures count as done.
func First(w *Flow, n int, futures ...Awaitable) []int {
	tasks := make([]*durable.Task, len(futures))
	for i, f := range futures {
		tasks[i] = f.task()
	}
	durable.Wait(w, min(n, len(tasks)), tasks...)
	var done []int
	for i, t := range tasks {
		if t.Done() {
			done = append(done, i)
		}
	}
	return done
}

// After returns a future that is done after d, through crashes and restarts. The time is kept in whole milliseconds.
func After(w *Flow, d time.Duration) Future[struct{}] {
	return Future[struct{}]{durable.Timer(w, w.Now().Add(d).UnixMilli())}
}

// SetStatus sets the custom status that clients see: any value that encodes as JSON within the limit of payloads.
func SetStatus(w *Flow, status any) error {
	data, err := encode(status)
	if err != nil {
		return err
	}
	return durable.SetStatus(w, data)
}

// Section is a critical section: see Lock.
type Section = durable.Section

// Lock waits until the run holds all entities and returns the section, which Leave ends; the end of the run ends it, too.
// While it lasts, the entities do operations of this run only. They are locked in one order that is the same for all, so
// two sections never deadlock each other.
//
// Within the section only the entities it holds can be called, one call at a time each, and they cannot be signaled; there
// is no second section within the first and no sub-workflow. What was changed is not undone when the run fails.
//
//	section, err := weft.Lock(w, account.ID("a"), account.ID("b"))
//	if err != nil {
//		return err
//	}
//	defer section.Leave()
func Lock(w *Flow, entities ...EntityID) (*Section, error) {
	targets := make([]string, len(entities))
	for i, e := range entities {
		targets[i] = durable.EntityTarget(e.Name, e.Key)
	}
	return durable.Enter(w, targets...)
}

// Final marks an error as not worth trying again: retry policies without a Handle stop at it.
func Final(err error) error {
	if err == nil {
		return nil
	}
	return &finalError{err}
}

type finalError struct{ error }

func (f *finalError) Unwrap() error { return f.error }
