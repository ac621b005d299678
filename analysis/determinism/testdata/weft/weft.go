// Package weft stands in for Weft's API.
package weft

import (
	"context"

	"github.com/weftworks/weft/durable"
)

type (
	Flow              = durable.Flow
	Future[T any]     = durable.Future[T]
	Func[In, Out any] = durable.Func[In, Out]
	Event[T any]      = durable.Event[T]
	EntityContext     = durable.EntityContext
	Option            = durable.Option
)

func Function[In, Out any](name string, fn func(ctx context.Context, in In) (Out, error), opts ...Option) *Func[In, Out] {
	return nil
}

func Operation[In, Out any](entity, name string, fn func(ctx *EntityContext, in In) (Out, error)) *Func[In, Out] {
	return nil
}

func Workflow[In, Out any](name string, fn func(w *Flow, in In) (Out, error), opts ...Option) *Func[In, Out] {
	return nil
}

func All[T any](w *Flow, futures ...Future[T]) ([]T, error)    { return nil, nil }
func Any[T any](w *Flow, futures ...Future[T]) (int, T, error) { var t T; return 0, t, nil }
