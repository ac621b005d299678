// Package unum runs workflows without an orchestrator: a small runtime inside the functions that needs no more than
// "invoke asynchronously" (Platform) and a strongly consistent datastore (Store). The protocol is that of Unum
// (Liu et al., NSDI 2023), whose checkpoints it keeps in one record for each line of control.
package unum

import (
	"context"
	"time"

	"github.com/weftworks/weft/unum/protocol"
)

// Record is what a Store keeps of a line of control.
type Record = protocol.Record

// Store is a strongly consistent datastore of records and blobs. Keys are ASCII text of at most 1,024 bytes without
// spaces. Implementations repeat what the datastore throttles or what fails in passing, within bounds, and are safe for
// concurrent use. Records handed in and out are the callee's and the caller's own. What no store takes (package
// ratchet has the bounds) all refuse. A write that was carried out but not heard of, and then repeated inside, may be
// reported as not done: cur is then what it has put itself.
type Store interface {
	// Get returns the records of keys in their order, nil where there is none. It sees every write that was answered
	// before it began.
	Get(ctx context.Context, keys []string) ([]*Record, error)
	// Create puts rec at key if there is nothing. If there is, created is false and cur what is there.
	Create(ctx context.Context, key string, rec *Record) (cur *Record, created bool, err error)
	// Advance puts rec in the place of the record at key, if that has the nonce, Step == from and is not Ended.
	// Otherwise advanced is false and cur what is there, nil for nothing.
	Advance(ctx context.Context, key, nonce string, from int64, rec *Record) (cur *Record, advanced bool, err error)
	// Add adds member to the scope of the record at key, if that has the nonce, Step == step and is not Ended; with
	// failed it makes it Failed if no other is. A member that is there already counts as added. cur is the whole
	// record after it, in one round trip where the datastore can; if added is false, what is there instead.
	Add(ctx context.Context, key, nonce string, step int64, member string, failed bool) (cur *Record, added bool, err error)
	// Delete removes records. Those that are not there count as removed.
	Delete(ctx context.Context, keys []string) error

	// PutBlob keeps data under a name that never has two contents, until expires (Unix seconds) or DeleteBlobs.
	PutBlob(ctx context.Context, key string, data []byte, expires int64) error
	// GetBlob returns what is under key; fault.ResourceNotFound if there is nothing.
	GetBlob(ctx context.Context, key string) ([]byte, error)
	// DeleteBlobs removes blobs. Those that are not there count as removed.
	DeleteBlobs(ctx context.Context, keys []string) error
}

// Lister is a Store that can say what it keeps.
type Lister interface {
	// Keys calls fn for the keys of records and blobs that begin with prefix, in no order and perhaps
	// more than once, until it returns false.
	Keys(ctx context.Context, prefix string, fn func(key string) bool) error
}

// Platform invokes functions.
type Platform interface {
	// Invoke has payload delivered to the function at or after notBefore (zero: now), at least once. It returns as soon
	// as the platform has promised that.
	Invoke(ctx context.Context, function string, payload []byte, notBefore time.Time) error
	// MaxPayload is how many bytes a payload may have.
	MaxPayload() int
}
