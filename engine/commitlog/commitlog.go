// Package commitlog defines the log that partitions commit to.
package commitlog

// Position is a place in a log. Within one log positions only grow, across recoveries too, and a
// position is never given twice: what a crash lost leaves a gap.
type Position uint64

// Log is a partitioned commit log: the records of all partitions of a node in one order, made durable
// together. Append and Durable callbacks are the hot path; the rest runs at start and in the background.
//
// Order: records become durable in the order of Append. A crash loses a suffix of that order and
// nothing else.
type Log interface {
	// Append adds the records of one partition's batch (already encoded, one byte string that the
	// owner can cut apart) and returns its position. It does not wait for the disk. The log owns
	// nothing of data after it returns. It fails when the log has failed or is closed, and blocks
	// while more than a bounded number of bytes wait for the disk.
	Append(partition uint32, data []byte) (Position, error)

	// Recover calls fn for every entry at or after from, in order, before the first Append. data is
	// valid during the call only. An error of fn ends the reading and is returned.
	Recover(from Position, fn func(pos Position, partition uint32, data []byte) error) error

	// Trim tells the log that entries before pos are not needed any more.
	Trim(pos Position) error

	// Close makes everything appended durable and releases the log.
	Close() error
}

// DurableFunc is told, from one goroutine and in order, that all entries up to and including pos are
// durable; or, once and for good, that the log failed: nothing after the last pos is durable and
// nothing ever will be.
type DurableFunc func(pos Position, err error)
