// Package weft stands in for Weft's API: what workflows use of it, without behaviour.
package weft

import (
	"context"
	"time"

	"github.com/weftworks/weft/durable"
)

type (
	Flow          = durable.Flow
	EntityContext = durable.EntityContext
	Section       = durable.Section
)

type Awaitable interface{ task() }

type Future[T any] struct{}

func (f Future[T]) task()                          {}
func (f Future[T]) Await(w *Flow) (out T, _ error) { return out, nil }

type FunctionOf[In, Out any] struct{}

func (f *FunctionOf[In, Out]) Start(w *Flow, in In) (out Future[Out]) { return out }
func (f *FunctionOf[In, Out]) Call(w *Flow, in In) (out Out, _ error) { return out, nil }

type WorkflowOf[In, Out any] struct{}

func (f *WorkflowOf[In, Out]) Start(w *Flow, in In) (out Future[Out]) { return out }
func (f *WorkflowOf[In, Out]) ContinueAsNew(in In) error              { return nil }

type EntityOf[S any] struct{}

type EntityID struct{}

func (e *EntityOf[S]) ID(key string) EntityID { return EntityID{} }

type OperationOf[S, In, Out any] struct{}

func (o *OperationOf[S, In, Out]) Call(w *Flow, key string, in In) (out Out, _ error) {
	return out, nil
}

type EventOf[T any] struct{}

func (e EventOf[T]) Next(w *Flow) (out Future[T])                      { return out }
func (e EventOf[T]) WaitFor(w *Flow, d time.Duration) (out T, _ error) { return out, nil }

type (
	FunctionOption func()
	WorkflowOption func()
)

func Function[In, Out any](name string, fn func(ctx context.Context, in In) (Out, error), options ...FunctionOption) *FunctionOf[In, Out] {
	return nil
}

func Workflow[In, Out any](name string, fn func(w *Flow, in In) (Out, error), options ...WorkflowOption) *WorkflowOf[In, Out] {
	return nil
}

func Entity[S any](name string) *EntityOf[S] { return nil }

func Operation[S, In, Out any](e *EntityOf[S], name string, fn func(c *EntityContext, s *S, in In) (Out, error)) *OperationOf[S, In, Out] {
	return nil
}

func Event[T any](name string) (e EventOf[T])               { return e }
func All[T any](w *Flow, futures ...Future[T]) ([]T, error) { return nil, nil }
func Any(w *Flow, futures ...Awaitable) int                 { return 0 }
func After(w *Flow, d time.Duration) (f Future[struct{}])   { return f }
func SetStatus(w *Flow, status any) error                   { return nil }
func Lock(w *Flow, entities ...EntityID) (*Section, error)  { return nil, nil }
