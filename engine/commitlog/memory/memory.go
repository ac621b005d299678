// Package memory is a commit log in memory. Its Disk outlives its logs and can crash: it forgets what was
// not synced, or the end of it. With Options.Manual it has no goroutine, and nothing in it reads a clock
// or draws randomness, so a simulation that uses it replays.
//
//	var disk memory.Disk
//	log, err := memory.Open(&disk, &memory.Options{Durable: durable, Manual: true})
//	pos, err := log.Append(1, data)
//	disk.Crash(0)                   // the entry is gone
//	log, err = memory.Open(&disk, ...) // a new incarnation
package memory

import (
	"bytes"
	"sort"
	"sync"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/fault"
)

// entry is one entry of a log.
type entry struct {
	pos       commitlog.Position
	partition uint32
	data      []byte
}

// Disk is what a log in memory is kept on. The zero value is empty.
type Disk struct {
	mu          sync.Mutex
	entries     []entry // the first synced of them are durable
	synced      int
	incarnation uint64
	trimmed     commitlog.Position // entries before it may be gone
	log         *Log               // the open one
}

// Options says how a log works. The zero value is a working log that reports to nobody.
type Options struct {
	Durable commitlog.DurableFunc // hears what is durable; nil: nobody does
	// Manual makes a log without a goroutine: Flush syncs and calls Durable. Append fails with
	// fault.Busy when the buffer is full, as it cannot wait.
	Manual bool
	// BufferBytes is how many bytes of entries may wait before Append blocks. 0: 8 MiB.
	BufferBytes int
}

// Log is a commit log in memory. See commitlog.Log for its methods' contract.
type Log struct {
	disk *Disk // its mutex guards the fields below
	opts Options
	work sync.Cond // the goroutine waits for entries
	room sync.Cond // appenders wait for the goroutine

	next     commitlog.Position
	durable  commitlog.Position
	waiting  int // bytes not synced
	appended bool
	closing  bool
	gone     bool  // the disk has crashed
	failed   error // why the log failed
	reported bool
	done     chan struct{}
}

var _ commitlog.Log = (*Log)(nil)

// Open opens the log on disk and begins a new incarnation.
func Open(disk *Disk, options *Options) (*Log, error) {
	l := &Log{disk: disk, done: make(chan struct{})}
	if options != nil {
		l.opts = *options
	}
	if l.opts.Durable == nil {
		l.opts.Durable = func(commitlog.Position, error) {}
	}
	if l.opts.BufferBytes == 0 {
		l.opts.BufferBytes = 8 << 20
	}
	l.work.L, l.room.L = &disk.mu, &disk.mu
	disk.mu.Lock()
	defer disk.mu.Unlock()
	if disk.log != nil {
		return nil, fault.New("commitlog.Open", fault.Unavailable, "memory", "the log is in use")
	}
	disk.log = l
	disk.incarnation++
	l.next = commitlog.First(disk.incarnation)
	l.durable = l.next - 1
	if !l.opts.Manual {
		go l.run()
	}
	return l, nil
}

// Unsynced returns how many entries a crash would lose.
func (d *Disk) Unsynced() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.entries) - d.synced
}

// Crash ends the open log without a word and keeps, beside what is durable, the first keep entries that
// are not, at most all of them.
func (d *Disk) Crash(keep int) {
	d.mu.Lock()
	l := d.log
	if l != nil {
		l.gone = true
		l.work.Broadcast()
		l.room.Broadcast()
	}
	d.log = nil
	d.synced += max(0, min(keep, len(d.entries)-d.synced))
	d.entries = d.entries[:d.synced:d.synced]
	d.mu.Unlock()
	if l != nil && !l.opts.Manual {
		<-l.done
	}
}

// Append implements commitlog.Log.
func (l *Log) Append(partition uint32, data []byte) (commitlog.Position, error) {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	for l.usable() == nil && l.waiting > 0 && l.waiting+len(data) > l.opts.BufferBytes {
		if l.opts.Manual {
			return 0, fault.New("commitlog.Append", fault.Busy, "memory", "%d bytes wait; call Flush", l.waiting)
		}
		l.room.Wait()
	}
	if err := l.usable(); err != nil {
		return 0, err
	}
	pos := l.next
	l.next++
	l.appended = true
	l.waiting += len(data)
	l.disk.entries = append(l.disk.entries, entry{pos, partition, bytes.Clone(data)})
	l.work.Signal()
	return pos, nil
}

// usable returns why the log takes nothing more, or nil. The mutex is held.
func (l *Log) usable() error {
	switch {
	case l.failed != nil:
		return l.failed
	case l.closing || l.gone:
		return fault.New("commitlog.Append", fault.Unavailable, "memory", "the log is closed")
	}
	return nil
}

// run is the goroutine of a log: it syncs what there is until the log ends.
func (l *Log) run() {
	defer close(l.done)
	for l.wait() {
		l.sync()
	}
	l.sync()
}

// wait waits for something to do; it is false when the log ends.
func (l *Log) wait() bool {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	for l.failed == nil && !l.closing && !l.gone && len(l.disk.entries) == l.disk.synced {
		l.work.Wait()
	}
	return l.failed == nil && !l.closing && !l.gone
}

// sync makes what there is durable, unless the log has failed, and reports it.
func (l *Log) sync() {
	l.disk.mu.Lock()
	pos, err := l.durable, l.failed
	tell := err != nil && !l.reported
	if n := len(l.disk.entries); err == nil && !l.gone && n > l.disk.synced {
		l.disk.synced = n
		l.waiting = 0
		pos, tell = l.disk.entries[n-1].pos, true
	}
	tell = tell && !l.gone
	l.durable, l.reported = pos, err != nil
	l.room.Broadcast()
	l.disk.mu.Unlock()
	if tell {
		l.opts.Durable(pos, err)
	}
}

// Flush makes everything appended durable and calls Durable. Only with Options.Manual.
func (l *Log) Flush() error {
	if !l.opts.Manual {
		return fault.New("commitlog.Flush", fault.Internal, "memory", "the log syncs by itself; open it with Options.Manual")
	}
	l.sync()
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	return l.failed
}

// Fail makes the log fail as a broken disk would: what is not durable never will be.
func (l *Log) Fail(cause error) {
	l.disk.mu.Lock()
	if l.failed == nil {
		l.failed = fault.New("commitlog.write", fault.Unavailable, "memory", "the log failed and accepts nothing more: %w", cause)
	}
	l.work.Broadcast()
	l.room.Broadcast()
	l.disk.mu.Unlock()
	if l.opts.Manual {
		l.sync()
	}
}

// Recover implements commitlog.Log.
func (l *Log) Recover(from commitlog.Position, fn func(pos commitlog.Position, partition uint32, data []byte) error) error {
	const op = "commitlog.Recover"
	l.disk.mu.Lock()
	late, entries, trimmed := l.appended, l.disk.entries, l.disk.trimmed
	l.disk.mu.Unlock()
	if late {
		return fault.New(op, fault.Internal, "memory", "Recover must come before the first Append")
	}
	if from < trimmed {
		return fault.New(op, fault.Corrupt, "memory", "entries from %s on are asked for, and those before %s were trimmed", from, trimmed)
	}
	i := sort.Search(len(entries), func(i int) bool { return entries[i].pos >= from })
	for _, e := range entries[i:] {
		if err := fn(e.pos, e.partition, e.data); err != nil {
			return err
		}
	}
	return nil
}

// Trim implements commitlog.Log. Only durable entries go.
func (l *Log) Trim(pos commitlog.Position) error {
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	if err := l.usable(); err != nil {
		return err
	}
	d := l.disk
	n := sort.Search(d.synced, func(i int) bool { return d.entries[i].pos >= pos })
	if n > 0 {
		d.trimmed = d.entries[n-1].pos + 1
		d.entries = append([]entry(nil), d.entries[n:]...)
		d.synced -= n
	}
	return nil
}

// Close implements commitlog.Log.
func (l *Log) Close() error {
	l.disk.mu.Lock()
	again := l.closing || l.gone
	l.closing = true
	l.work.Broadcast()
	l.room.Broadcast()
	l.disk.mu.Unlock()
	if again {
		return nil
	}
	if l.opts.Manual {
		l.sync()
	} else {
		<-l.done
	}
	l.disk.mu.Lock()
	defer l.disk.mu.Unlock()
	if l.disk.log == l {
		l.disk.log = nil
		l.disk.entries = l.disk.entries[:l.disk.synced]
	}
	return l.failed
}
