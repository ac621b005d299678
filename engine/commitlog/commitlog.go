// Package commitlog defines the log that partitions commit to. The partitions of a node share one log,
// so that one sync makes a batch of all of them durable and a crash cuts all of them at one place.
//
// Implementations: disk (the real one), memory (tests); logtest is the conformance suite both pass.
//
//	log, err := disk.Open(dir, &disk.Options{Durable: func(pos commitlog.Position, err error) { ... }})
//	err = log.Recover(snapshot, func(pos commitlog.Position, partition uint32, data []byte) error { ... })
//	pos, err := log.Append(partition, batch) // returns at once; Durable hears of pos when it is safe
//	err = log.Trim(snapshot)
package commitlog

import "fmt"

// Position is a place in a log: an incarnation and an offset, compared as one number. Within one log
// positions only grow, across recoveries too, and a position is never given twice: every recovery
// begins a new incarnation, so what a crash lost leaves a gap. Zero is before everything and never given.
type Position uint64

// offsetBits is the width of a position's offset: 2^40 entries in one incarnation (a log that gets
// there carries on in the next), 2^24 incarnations (a restart every second for half a year).
const offsetBits = 40

// MaxIncarnation is the last incarnation a position can hold.
const MaxIncarnation = 1<<(64-offsetBits) - 1

// First returns the first position of an incarnation.
func First(incarnation uint64) Position { return Position(incarnation << offsetBits) }

// Incarnation returns how many recoveries (and carries) came before the position was given; at least 1
// for every position given.
func (p Position) Incarnation() uint64 { return uint64(p) >> offsetBits }

// Offset returns how many entries were appended in p's incarnation before it.
func (p Position) Offset() uint64 { return uint64(p) & (1<<offsetBits - 1) }

// String returns "incarnation.offset".
func (p Position) String() string { return fmt.Sprintf("%d.%d", p.Incarnation(), p.Offset()) }

// Log is a partitioned commit log: the records of all partitions of a node in one order, made durable
// together. Append and Durable callbacks are the hot path; the rest runs at start and in the background.
//
// Order: records become durable in the order of Append. A crash loses a suffix of that order and
// nothing else. What a crash did not lose is durable once the log is open again, even if the callback
// for it never came.
//
// A log that cannot write or sync has failed for good: no write is ever tried again, because after a
// failed sync nobody knows what the disk holds. Opening it again is the only way on.
//
// Append and Trim may be called from any goroutine at any time; Recover before the first Append; Close
// last.
type Log interface {
	// Append adds the records of one partition's batch (already encoded, one byte string that the
	// owner can cut apart) and returns its position, the one after the last Append's. It does not wait
	// for the disk. The log owns nothing of data after it returns. It fails with fault.Unavailable when
	// the log has failed or is closed and with fault.LimitExceeded when data is larger than the log
	// takes, and blocks while more than a bounded number of bytes wait for the disk.
	Append(partition uint32, data []byte) (Position, error)

	// Recover calls fn for every entry at or after from, in order, before the first Append. data is
	// valid during the call only. An error of fn ends the reading and is returned. It fails with
	// fault.Corrupt when stored entries do not check, or when entries at or after from were trimmed.
	Recover(from Position, fn func(pos Position, partition uint32, data []byte) error) error

	// Trim tells the log that entries before pos are not needed any more. The log may keep them; it
	// never gives up one at or after pos.
	Trim(pos Position) error

	// Close makes everything appended durable (Durable hears of it) and releases the log. It returns
	// why the log failed if it had.
	Close() error
}

// DurableFunc is told, from one goroutine at a time and in order, that all entries up to and including
// pos are durable; or, once and for good, that the log failed: nothing after the last pos is durable
// for sure and nothing ever will be. It must not call the log and should return soon: the next sync waits
// for it.
type DurableFunc func(pos Position, err error)
