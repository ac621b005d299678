package weft

import (
	"context"
	"fmt"
	"time"

	"github.com/weftworks/weft/durable"
)

// Sender is a workflow or an operation of an entity: what can send messages to other instances.
type Sender interface{ Now() time.Time }

func unknownSender(from Sender) error {
	return fmt.Errorf("weft: a %T cannot send messages: only a *Flow and a *EntityContext can", from)
}

// EventOf is a kind of external event, with the type of its data.
type EventOf[T any] struct{ name string }

// Event declares a kind of external event. It need not be given to Open.
func Event[T any](name string) EventOf[T] { return EventOf[T]{name} }

// Name returns the event's name.
func (e EventOf[T]) Name() string { return e.name }

// Wait waits for the next event. Events that came before anybody waited are kept, and read in the order they came.
func (e EventOf[T]) Wait(w *Flow) (T, error) { return e.Next(w).Await(w) }

// Next returns the next event as a future.
func (e EventOf[T]) Next(w *Flow) Future[T] { return Future[T]{durable.Receive(w, e.name)} }

// WaitFor waits for the next event, but no longer than d: then it returns ErrTimeout, and an event that comes later is kept.
func (e EventOf[T]) WaitFor(w *Flow, d time.Duration) (T, error) {
	event := e.Next(w)
	if event.Done() {
		return event.Await(w)
	}
	timer := After(w, d)
	if Any(w, event, timer) == 0 {
		timer.Cancel(w)
		return event.Await(w)
	}
	event.Cancel(w)
	var zero T
	return zero, ErrTimeout
}

// Send raises the event in another run, from a workflow or an operation of an entity. A run that does not exist or has
// ended does not get it.
func (e EventOf[T]) Send(from Sender, run string, value T) error {
	data, err := encode(value)
	if err != nil {
		return err
	}
	switch s := from.(type) {
	case *Flow:
		return durable.Raise(s, run, e.name, data)
	case *EntityContext:
		return durable.RaiseFrom(s, run, e.name, data)
	}
	return unknownSender(from)
}

// Raise raises the event in a run, and returns once that is durable.
func (e EventOf[T]) Raise(ctx context.Context, app *App, run string, value T) error {
	data, err := encode(value)
	if err != nil {
		return err
	}
	return app.node.RaiseEvent(ctx, run, e.name, data)
}
