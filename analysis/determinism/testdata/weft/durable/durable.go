// Package durable stands in for Weft's durable functions: types without behaviour.
package durable

import (
	"context"
	"log/slog"
	"math/rand"
	"time"
)

type Flow struct{}

func (w *Flow) Now() time.Time                                   { return time.Time{} }
func (w *Flow) Sleep(d time.Duration) error                      { return nil }
func (w *Flow) Timer(d time.Duration) Future[time.Time]          { return nil }
func (w *Flow) Rand() *rand.Rand                                 { return nil }
func (w *Flow) UUID() string                                     { return "" }
func (w *Flow) Log() *slog.Logger                                { return nil }
func (w *Flow) Version(change string, from, to int) int          { return to }
func (w *Flow) Status(v any)                                     {}
func (w *Flow) Lock(entities ...string) (unlock func(), _ error) { return func() {}, nil }

type Future[T any] interface {
	Get(w *Flow) (T, error)
}

type Func[In, Out any] struct{}

func (f *Func[In, Out]) Start(w *Flow, in In) Future[Out]       { return nil }
func (f *Func[In, Out]) Call(w *Flow, in In) (out Out, _ error) { return out, nil }

type Event[T any] struct{}

func (e *Event[T]) Wait(w *Flow) Future[T] { return nil }

type EntityContext struct{}

type Option struct{}

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
