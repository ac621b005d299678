package disk

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/fault"
)

// batch is entries on their way to becoming a frame: room for the frame's header, then the payload.
type batch struct {
	buf   []byte
	first commitlog.Position
	count uint32
}

func (b *batch) empty() bool { return b.count == 0 }

// last returns the position of the last entry.
func (b *batch) last() commitlog.Position { return b.first + commitlog.Position(b.count) - 1 }

// reset empties b. Memory that one huge entry took is given back.
func (b *batch) reset(keep int) {
	if cap(b.buf) > keep {
		b.buf = nil
	}
	if b.buf == nil {
		b.buf = make([]byte, 0, 64<<10)
	}
	b.buf = append(b.buf[:0], make([]byte, frameHeaderBytes)...)
	b.count = 0
}

// Log is a commit log in a directory. See commitlog.Log for its methods' contract.
type Log struct {
	dir  string
	opts Options
	lock io.Closer

	mu       sync.Mutex
	work     sync.Cond // the writer waits for entries, a failure or the end
	room     sync.Cond // appenders wait for the writer
	fill     *batch    // what Append adds to
	idle     *batch    // the writer's other buffer; nil while it is in use
	next     commitlog.Position
	appended bool // Append was called
	closing  bool
	failed   error // why the log failed; never changes once set
	reported bool  // Durable heard of the failure

	durable commitlog.Position // last one reported; the reporting goroutine's

	spans []span // what Open found, for Recover; ends and next of the last included
	tail  header // of the first segment of this Log: what came before it, if anything did

	syncTime time.Duration       // how long a sync takes, on average; the writer's
	sleep    func(time.Duration) // nil with Manual

	active   *active // the writer's
	inFlight *batch  // written, not synced; only between WriteStep and SyncStep

	files files
	stats stats
	done  chan struct{} // closed when the writer has ended; nil with Manual
}

var _ commitlog.Log = (*Log)(nil)

// active is the segment that is being written.
type active struct {
	header
	file vfs.File
	off  int64 // where the next frame goes
}

// Append implements commitlog.Log.
func (l *Log) Append(partition uint32, data []byte) (commitlog.Position, error) {
	if len(data) > l.opts.EntryBytesMax-entryOverheadMax {
		return 0, fault.New("commitlog.Append", fault.LimitExceeded, l.dir, "an entry of %d bytes is larger than the log takes (%d)", len(data), l.opts.EntryBytesMax-entryOverheadMax)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.usable() == nil && !l.fits(len(data)) {
		if l.opts.Manual {
			return 0, fault.New("commitlog.Append", fault.Busy, l.dir, "%d bytes wait for the disk; call Flush", len(l.fill.buf))
		}
		l.room.Wait()
	}
	if err := l.usable(); err != nil {
		return 0, err
	}
	pos := l.next
	if l.fill.empty() {
		l.fill.first = pos
		l.work.Signal()
	}
	l.fill.buf = appendEntry(l.fill.buf, partition, data)
	l.fill.count++
	l.next++
	l.appended = true
	return pos, nil
}

// fits says whether an entry of n bytes may join those that wait. l.mu is held.
func (l *Log) fits(n int) bool {
	return l.fill.empty() || len(l.fill.buf)+entryOverheadMax+n <= l.opts.BufferBytes+frameHeaderBytes
}

// usable returns why the log takes no entries, or nil. l.mu is held.
func (l *Log) usable() error {
	switch {
	case l.failed != nil:
		return l.failed
	case l.closing:
		return fault.New("commitlog.Append", fault.Unavailable, l.dir, "the log is closed")
	}
	return nil
}

// write is the writer goroutine: one frame after another until the log closes or fails.
func (l *Log) write() {
	defer close(l.done)
	for {
		b := l.waitBatch()
		if b == nil {
			break
		}
		err := l.writeFrame(b)
		if err == nil {
			err = l.syncFrame(b)
		}
		if err != nil {
			l.poison("write", err)
			break
		}
		l.recycle(b)
	}
	l.reportFailure()
}

// waitBatch returns what Append has collected, once there is something; nil when the log has failed,
// or is closing and nothing is left.
func (l *Log) waitBatch() *batch {
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.failed == nil && l.fill.empty() && !l.closing {
		l.work.Wait()
	}
	l.gather()
	return l.takeBatch()
}

// On a slow disk (a sync of 5 ms or more) the writer waits for what is just coming: as long as entries come within
// a hundredth of a sync of each other, but for no more than a tenth. A run that goes on before it is durable has then all
// of its entries in one frame, and not its first in one and the rest in the next, a whole sync later.
const (
	gatherSlices = 10
	gatherPart   = 100 // of a sync is a slice
	gatherLeast  = 50 * time.Microsecond
)

// gather waits for entries that are just coming. l.mu is held.
func (l *Log) gather() {
	slice := l.syncTime / gatherPart
	if slice < gatherLeast {
		return
	}
	for range gatherSlices {
		before := len(l.fill.buf)
		l.mu.Unlock()
		l.sleep(slice)
		l.mu.Lock()
		if l.failed != nil || l.closing || len(l.fill.buf) == before || len(l.fill.buf) >= l.opts.BufferBytes/2 {
			return
		}
	}
}

// takeBatch gives the fill buffer to the writer and puts the idle one in its place. l.mu is held.
func (l *Log) takeBatch() *batch {
	if l.failed != nil || l.fill.empty() {
		return nil
	}
	b := l.fill
	l.fill, l.idle = l.idle, nil
	l.room.Broadcast()
	return b
}

// recycle makes b the buffer that fills next.
func (l *Log) recycle(b *batch) {
	b.reset(2*l.opts.BufferBytes + frameHeaderBytes)
	l.mu.Lock()
	l.idle = b
	l.mu.Unlock()
}

// writeFrame writes b as one frame, in a new segment when this one has no room for it.
func (l *Log) writeFrame(b *batch) error {
	size := int64(len(b.buf))
	if l.active.off+size > l.active.capacity && l.active.off > headerBytes {
		if err := l.rotate(b.first, size); err != nil {
			return err
		}
	}
	sealFrame(b.buf, l.active.number, b.count, b.first)
	if _, err := l.active.file.WriteAt(b.buf, l.active.off); err != nil {
		return err
	}
	l.active.off += size
	if l.opts.Faults.AckBeforeSync {
		l.report(b.last())
	}
	return nil
}

// syncFrame makes the frame just written durable and reports it.
func (l *Log) syncFrame(b *batch) error {
	var start time.Time
	if l.opts.Now != nil {
		start = l.opts.Now()
	}
	if err := l.active.file.SyncData(); err != nil {
		return err
	}
	if l.opts.SyncDelay > 0 && !l.opts.Manual {
		time.Sleep(l.opts.SyncDelay)
	}
	var took time.Duration
	if l.opts.Now != nil {
		took = l.opts.Now().Sub(start)
	}
	l.syncTime += (took - l.syncTime) / 4
	l.stats.frame(b, took)
	if !l.opts.Faults.AckBeforeSync {
		l.report(b.last())
	}
	return nil
}

// report tells Durable of a position.
func (l *Log) report(pos commitlog.Position) {
	l.durable = pos
	l.opts.Durable(pos, nil)
}

// rotate ends the active segment and begins the next, with a first frame of size bytes at position
// first. The frame before is synced, so the end that the new header records is final.
func (l *Log) rotate(first commitlog.Position, size int64) error {
	old := l.active
	h := header{number: old.number + 1, prevNumber: old.number, prevEnd: old.off, prevNext: first, first: first}
	f, err := l.files.begin(&h, headerBytes+size)
	if err != nil {
		return err
	}
	l.active = &active{header: h, file: f, off: headerBytes}
	l.stats.rotation()
	return old.file.Close()
}

// poison makes the log fail for good, unless it has failed already.
func (l *Log) poison(doing string, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return
	}
	l.failed = failure(l.dir, doing, cause)
	l.opts.Logger.Error("the commit log failed", "dir", l.dir, "doing", doing, "error", cause)
	l.work.Broadcast()
	l.room.Broadcast()
}

// failure says what a log's user should know when it failed.
func failure(dir, doing string, cause error) error {
	hint := "restart on a disk that works; what was acknowledged is kept"
	if errors.Is(cause, syscall.ENOSPC) {
		hint = "the disk is full: free some space and restart; what was acknowledged is kept"
	}
	return fault.New("commitlog."+doing, fault.Unavailable, dir, "the log failed and accepts nothing more: %w (%s)", cause, hint)
}

// reportFailure tells Durable, once, that the log has failed.
func (l *Log) reportFailure() {
	l.mu.Lock()
	err := l.failed
	tell := err != nil && !l.reported
	l.reported = l.reported || tell
	l.mu.Unlock()
	if tell {
		l.opts.Durable(l.durable, err)
	}
}

// Close implements commitlog.Log.
func (l *Log) Close() error {
	l.mu.Lock()
	if l.closing {
		l.mu.Unlock()
		return nil
	}
	l.closing = true
	l.work.Broadcast()
	l.room.Broadcast()
	l.mu.Unlock()
	if l.opts.Manual {
		_ = l.Flush() // l.failed says it
	} else {
		<-l.done
	}
	l.files.stop()
	err := errors.Join(l.failed, l.active.file.Close())
	if l.lock != nil {
		err = errors.Join(err, l.lock.Close())
	}
	return err
}

// WriteStep writes what waits as one frame and says whether there was anything. Only with
// Options.Manual. A frame must be synced before the next is written: WriteStep does nothing while one
// is not.
func (l *Log) WriteStep() (bool, error) {
	if err := l.manual("WriteStep"); err != nil || l.inFlight != nil {
		return false, err
	}
	l.mu.Lock()
	b := l.takeBatch()
	err := l.failed
	l.mu.Unlock()
	if b == nil {
		l.reportFailure()
		return false, err
	}
	if err := l.writeFrame(b); err != nil {
		return false, l.failStep("write", err)
	}
	l.inFlight = b
	return true, nil
}

// SyncStep syncs the frame that WriteStep wrote, calls Durable, and says whether there was one. Only
// with Options.Manual.
func (l *Log) SyncStep() (bool, error) {
	if err := l.manual("SyncStep"); err != nil || l.inFlight == nil {
		return false, err
	}
	b := l.inFlight
	l.inFlight = nil
	if err := l.syncFrame(b); err != nil {
		return false, l.failStep("sync", err)
	}
	l.recycle(b)
	return true, nil
}

// Flush writes and syncs everything appended. Only with Options.Manual.
func (l *Log) Flush() error {
	for {
		synced, err := l.SyncStep()
		if err != nil {
			return err
		}
		written, err := l.WriteStep()
		if err != nil || !(synced || written) {
			return err
		}
	}
}

// failStep poisons the log and reports it at once.
func (l *Log) failStep(doing string, cause error) error {
	l.poison(doing, cause)
	l.reportFailure()
	return l.failed
}

// manual returns an error unless the log has no goroutine of its own.
func (l *Log) manual(what string) error {
	if !l.opts.Manual {
		return fault.New("commitlog."+what, fault.Internal, l.dir, "the log writes by itself; open it with Options.Manual")
	}
	return nil
}

// damaged makes an error of damage found in the log.
func damaged(op, dir, data string, d *damage) error {
	return fault.New(op, fault.Corrupt, fmt.Sprintf("%s/%s", dir, segmentName(d.number)),
		"offset %d: %w; to keep everything before it run `weft log repair --data %s`", d.off, d.err, data)
}
