// Package store defines the ordered key-value store that snapshots, histories and indexes live in. The
// log is what makes a partition's state safe; the store is what lets the log be cut and lets state be
// larger than memory. So a store needs no log of its own: it may lose what was applied last, as long as
// what is left is a prefix of it.
//
// Implementations: pebble (the real one), memory (tests and simulation); storetest is the conformance
// suite both pass.
//
//	var b store.Batch
//	b.Set(key, value)
//	b.DeleteRange(lower, upper)
//	err := s.Apply(&b)         // visible to readers, not yet safe
//	err = s.Flush()            // now it is
//	it := s.Iterate(lower, upper, false)
//	defer it.Close()
//	for it.Next() { use(it.Key(), it.Value()) }
//	err = it.Err()
package store

// Store is an ordered map from keys, of at least one byte and compared bytewise, to values.
//
// Batches are atomic and ordered: readers see all of a batch or nothing, and a crash leaves exactly the
// state after some prefix of the applied batches, which holds at least those applied before the last
// Flush that returned nil.
//
// A store that cannot write has failed for good: it stays readable, Apply and Flush return
// fault.Unavailable, and opening it again is the only way on. Damaged files give fault.Corrupt.
//
// All methods may be called from any goroutine; the order of batches applied at the same time is the
// order in which the calls return, or either if they overlap. Close comes last, after all iterators are
// closed.
type Store interface {
	// Get returns a copy of the value of key; ok is false when there is none. A value may be empty.
	Get(key []byte) (value []byte, ok bool, err error)

	// Apply makes a batch visible. It owns nothing of b after it returns. It waits while more than a
	// bounded number of applied bytes are not durable yet. A batch with an empty key is refused whole,
	// with fault.InvalidArgument.
	Apply(b *Batch) error

	// Flush makes everything applied before the call durable.
	Flush() error

	// Iterate reads the keys from lower (included) to upper (excluded) as of now, whatever is applied
	// later, downwards when reverse. nil is unbounded. An error opening it shows in Err.
	Iterate(lower, upper []byte, reverse bool) Iterator

	// Metrics returns counts and sizes as of now.
	Metrics() Metrics

	// Close flushes and releases the store. It returns why the store failed if it had.
	Close() error
}

// Iterator walks over keys in order. It starts before the first one; it is not safe for concurrent use,
// and holds memory and files until it is closed.
type Iterator interface {
	// Next moves to the next key and reports whether there is one. It is false after an error.
	Next() bool
	// Key and Value are valid until the next call of Next or Close and must not be changed.
	Key() []byte
	Value() []byte
	// Err returns why Next ended early, or nil.
	Err() error
	Close() error
}

// Metrics is what a store tells about itself. Sizes are in bytes; what an implementation does not have
// is zero.
type Metrics struct {
	Batches      int64 // applied
	BatchBytes   int64
	Flushes      int64 // finished
	Compactions  int64 // finished
	BytesWritten int64 // by flushes and compactions
	DiskBytes    int64 // of live files
	MemoryBytes  int64 // of applied data not yet durable
	CacheBytes   int64 // of blocks kept for readers
	CacheHits    int64
	CacheMisses  int64
	ReadDepth    int   // how many sorted runs a read may have to look at
	Debt         int64 // bytes that wait to be compacted
}
