package disk

import (
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/fault"
)

// Options says how a log works. The zero value is a working log that reports to nobody.
type Options struct {
	// Durable hears what is durable. nil: nobody does (for benchmarks and tools).
	Durable commitlog.DurableFunc

	// FS is where the directory is. nil: the machine's files. With pebble's MemFS choose a small
	// SegmentBytes: it copies a whole file at every sync.
	FS vfs.FS

	// SegmentBytes is the size of a segment file. 0: 64 MiB; at least 8 KiB. Larger: fewer switches of
	// segment (two syncs and a rename each), coarser Trim. A frame that does not fit gets a segment of
	// its own, so this is no limit on an entry.
	SegmentBytes int64

	// FirstBytes is the size of a segment made while its writer waits (the first one, or when no
	// spare is ready): small, because writing 64 MiB of zeros takes a fifth of a second. 0: 4 MiB, or
	// SegmentBytes when that is less or the log is Manual, which makes no spares ahead.
	FirstBytes int64

	// Spares is how many files without a job are kept for later segments. 0: 2.
	Spares int

	// BufferBytes is how many bytes of entries may wait for the disk before Append blocks (the frame
	// being synced not counted, which is at most as large; an entry larger than this is taken when
	// nothing else waits). 0: 8 MiB.
	BufferBytes int

	// EntryBytesMax is the largest entry Append takes; beyond it: fault.LimitExceeded. 0: 1 GiB, which
	// is the most (a frame's length has 32 bits).
	EntryBytesMax int

	// After is a position that the log's user knows of, such as that of its snapshot: positions given
	// are greater even if the log's files were lost.
	After commitlog.Position

	// DataDir is the data directory as a person names it, for the repair command in errors. "": the
	// directory that holds the log's.
	DataDir string

	// Manual makes a log without goroutines: nothing is written before WriteStep, nothing synced before
	// SyncStep (Flush does both), Durable is called inside them, and segments are made when needed. For
	// the simulator. Append fails with fault.Busy when the buffer is full, as it cannot wait.
	Manual bool

	// SyncDelay is added to every sync, to see how a log behaves on a slower disk. Not with Manual.
	SyncDelay time.Duration

	// Now times the syncs for Stats. nil: time.Now, and with Manual no clock at all.
	Now func() time.Time

	// Logger gets a cut tail, a failure and spares that could not be made. nil: slog.Default().
	Logger *slog.Logger

	// Faults breaks the log on purpose. For tests of the tests only.
	Faults Faults
}

// Faults are rules of the log, broken on purpose: a test suite or simulation that does not notice is
// no good. Never set one outside a test.
type Faults struct {
	// ReusePositions makes recovery go on in the old segment where its last whole frame ends, in the
	// old incarnation, giving the positions of lost entries again.
	ReusePositions bool
	// AckBeforeSync reports a frame as durable when it is written and not yet synced.
	AckBeforeSync bool
}

const (
	segmentBytesMin = 2 * headerBytes
	entryBytesMax   = 1 << 30
)

// withDefaults returns o completed, or what is wrong with it.
func (o *Options) withDefaults(dir string) (Options, error) {
	c := Options{}
	if o != nil {
		c = *o
	}
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.SegmentBytes == 0 {
		c.SegmentBytes = 64 << 20
	}
	if c.FirstBytes == 0 {
		c.FirstBytes = min(4<<20, c.SegmentBytes)
		if c.Manual {
			c.FirstBytes = c.SegmentBytes
		}
	}
	if c.Spares == 0 {
		c.Spares = 2
	}
	if c.BufferBytes == 0 {
		c.BufferBytes = 8 << 20
	}
	if c.EntryBytesMax == 0 {
		c.EntryBytesMax = entryBytesMax
	}
	if c.DataDir == "" {
		c.DataDir = c.FS.PathDir(dir)
	}
	if c.Now == nil && !c.Manual {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	if c.Durable == nil {
		c.Durable = func(commitlog.Position, error) {}
	}
	return c, c.validate(dir)
}

func (o *Options) validate(dir string) error {
	const op = "commitlog.Open"
	switch {
	case o.SegmentBytes < segmentBytesMin || o.FirstBytes < segmentBytesMin:
		return fault.New(op, fault.InvalidArgument, dir, "SegmentBytes %d and FirstBytes %d must be at least %d", o.SegmentBytes, o.FirstBytes, segmentBytesMin)
	case o.BufferBytes < 0 || o.BufferBytes > entryBytesMax || o.EntryBytesMax < 0 || o.EntryBytesMax > entryBytesMax:
		return fault.New(op, fault.InvalidArgument, dir, "BufferBytes %d and EntryBytesMax %d must be between 1 and %d", o.BufferBytes, o.EntryBytesMax, entryBytesMax)
	case o.Spares < 0 || o.SyncDelay < 0:
		return fault.New(op, fault.InvalidArgument, dir, "Spares %d and SyncDelay %s must not be negative", o.Spares, o.SyncDelay)
	case o.After.Incarnation() >= commitlog.MaxIncarnation:
		return fault.New(op, fault.InvalidArgument, dir, "After %s is in the last incarnation", o.After)
	}
	return nil
}
