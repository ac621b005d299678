package firestore

import (
	"context"
	"sync"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/store/backoff"
)

// rounds is how often an operation looks again at a record that has changed under it.
const rounds = 32

// retry calls fn until it does not fail in passing. All that is done here may be done twice: what has a precondition fails
// it then, and is looked at.
func retry(ctx context.Context, fn func() error) error {
	for n := 1; ; n++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := fn()
		if n == backoff.Attempts || !passing(err) {
			return err
		}
		if err := backoff.Pause(ctx, n); err != nil {
			return err
		}
	}
}

// passing reports whether an error says nothing about the operation. The client repeats some of them itself.
func passing(err error) bool {
	switch status.Code(err) {
	case codes.Aborted, codes.Unavailable, codes.ResourceExhausted, codes.Internal, codes.DeadlineExceeded:
		return true
	}
	return false
}

// refused reports whether a precondition was not met.
func refused(err error) bool {
	switch status.Code(err) {
	case codes.NotFound, codes.AlreadyExists, codes.FailedPrecondition:
		return true
	}
	return false
}

// failed makes a fault of an error of Firestore's.
func failed(ctx context.Context, op, key string, err error) error {
	if gone := ctx.Err(); gone != nil {
		return fault.New(op, fault.Unavailable, key, "the caller has gone: %w", gone)
	}
	switch code := status.Code(err); code {
	case codes.Aborted, codes.ResourceExhausted:
		return fault.New(op, fault.Busy, key, "Firestore did not get to it in %d attempts: %w", backoff.Attempts, err)
	case codes.Unavailable, codes.DeadlineExceeded:
		return fault.New(op, fault.Unavailable, key, "Firestore does not answer: %w", err)
	case codes.PermissionDenied, codes.Unauthenticated:
		return fault.New(op, fault.Unauthorized, key, "Firestore refuses these credentials; they need roles/datastore.user: %w", err)
	case codes.InvalidArgument:
		return fault.New(op, fault.InvalidArgument, key, "Firestore does not take it: %w", err)
	default:
		return fault.New(op, fault.Internal, key, "Firestore: %w", err)
	}
}

// busy is the fault of an operation whose record others changed each time.
func busy(op, key string) error {
	return fault.New(op, fault.Busy, key, "the record has changed %d times under the operation", rounds)
}

// atOnce is how many requests of one operation are under way.
const atOnce = 8

// each calls fn for pages of at most size items, some at once, and returns the first error.
func each[T any](items []T, size int, fn func(first int, page []T) error) error {
	var group sync.WaitGroup
	var once sync.Once
	var first error
	free := make(chan struct{}, atOnce)
	for at := 0; at < len(items); at += size {
		free <- struct{}{}
		group.Go(func() {
			defer func() { <-free }()
			if err := fn(at, items[at:min(at+size, len(items))]); err != nil {
				once.Do(func() { first = err })
			}
		})
	}
	group.Wait()
	return first
}
