package itemreader

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/objectstore"
)

// ErrorName is the States Language's name for every error of a Reader.
const ErrorName = "States.ItemReaderFailed"

// Error says why items cannot be read.
type Error struct {
	// Cause is in the words of Step Functions where it has some: what a run shows.
	Cause string
	// At is the object, Item the number of the item in all of the dataset, from 0, and Offset the byte (of Parquet: the row)
	// where it or the item before begins. At is empty where no place is to blame.
	At     string
	Item   int64
	Offset int64
	Err    error // beneath, may be nil
}

// Error returns the cause and the place.
func (e *Error) Error() string {
	if e.At == "" {
		return e.Cause
	}
	return fmt.Sprintf("%s (%s, item %d, near offset %d)", e.Cause, e.At, e.Item, e.Offset)
}

// Unwrap returns a fault.Error of kind InvalidInput, unless what lies beneath has a kind.
func (e *Error) Unwrap() []error {
	var known *fault.Error
	if errors.As(e.Err, &known) {
		return []error{e.Err}
	}
	under := []error{fault.New("itemreader", fault.InvalidInput, e.At, "%s", e.Cause)}
	if e.Err != nil {
		under = append(under, e.Err)
	}
	return under
}

// What the formats say.
var (
	errLarge = errors.New("the item is too large")

	errNotIterable = &Error{Cause: "Attempting to map over non-iterable node."}
	errPointer     = &Error{Cause: "The provided ReaderConfig.ItemsPointer does not match any valid path in the JSON structure."}
)

// wrap makes an Error of what is none; io.EOF and the context's errors stay.
func wrap(err error) error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var of *objectstore.Error
	if errors.As(err, &of) {
		if of.Code == objectstore.PreconditionFailed {
			return &Error{Cause: "The object has changed since the Map Run began to read it: " + of.Name.String(), Err: err}
		}
		return &Error{Cause: of.Cause(), Err: err}
	}
	return &Error{Cause: err.Error(), Err: err}
}
