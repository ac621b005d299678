// Package executionlog keeps the execution logs of state machines: lines of text by log group, in files that together
// stay below a bound.
//
//	DIR/GROUP.N.jsonl    the N-th file of the directory, whichever group it is of; the oldest are removed first
//
// Add never waits: lines go into a queue with a bound and from there, on the log's own goroutine, into files. When the
// disk is too slow for them, or fails, lines are dropped, counted and reported. Files are not synced.
//
//	l, err := executionlog.Open(executionlog.Config{Dir: dir})
//	l.Add("/orders", []byte("{}\n"), 1)
//	l.Flush(time.Second)
//	page, err := l.Read("/orders", "", 100, nil)
package executionlog

import (
	"errors"
	"io/fs"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/fault"
)

// Config says where a log is and how large it becomes. Fields but Dir may be zero.
type Config struct {
	FS  vfs.FS // nil: the machine's files
	Dir string // made when there is something to write
	// FileBytes is when the next file of a group is begun. 0: 16 MiB.
	FileBytes int64
	// TotalBytes and Files bound the directory: past them the oldest files are removed. 0: 256 MiB and 1,024.
	TotalBytes int64
	Files      int
	// QueueBytes bounds the lines that wait to be written. 0: 8 MiB.
	QueueBytes int
	Logger     *slog.Logger // gets what was dropped, and why; nil: slog.Default()
}

// Stats counts lines since the log was opened.
type Stats struct{ Written, Dropped uint64 }

// Log is an open log. Its methods are safe for concurrent use.
type Log struct {
	cfg   Config
	wake  chan struct{}
	ended chan struct{}

	mu     sync.Mutex
	queue  []piece
	bytes  int // of the lines in queue and of those being written
	closed bool
	stats  Stats
	files  []*file // oldest first
	total  int64   // bytes of files

	// Owned by the writer.
	current map[string]*file // by group, those of this opening
	made    bool             // the directory
	told    uint64           // dropped lines that the Logger knows of
}

// piece is lines of a group, or a mark in the queue.
type piece struct {
	group string
	text  []byte
	count int
	mark  chan<- struct{} // closed when everything before is written
}

// Open opens the log in a directory, which another process must not have open.
func Open(cfg Config) (*Log, error) {
	if cfg.FS == nil {
		cfg.FS = vfs.Default
	}
	if cfg.FileBytes == 0 {
		cfg.FileBytes = 16 << 20
	}
	if cfg.TotalBytes == 0 {
		cfg.TotalBytes = 256 << 20
	}
	if cfg.Files == 0 {
		cfg.Files = 1024
	}
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = 8 << 20
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.Default()
	}
	l := &Log{cfg: cfg, wake: make(chan struct{}, 1), ended: make(chan struct{}), current: make(map[string]*file)}
	if err := l.list(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fault.New("executionlog.Open", fault.InvalidArgument, cfg.Dir, "the directory of execution logs cannot be read; name another, or off: %w", err)
	}
	go l.write()
	return l, nil
}

// Add gives the log count lines of a group, each with its newline. It keeps text.
func (l *Log) Add(group string, text []byte, count int) {
	l.mu.Lock()
	if l.closed || (l.bytes > 0 && l.bytes+len(text) > l.cfg.QueueBytes) {
		l.stats.Dropped += uint64(count)
	} else {
		l.bytes += len(text)
		l.queue = append(l.queue, piece{group: group, text: text, count: count})
	}
	l.mu.Unlock()
	l.signal()
}

func (l *Log) signal() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// Flush waits until everything added before is written, but no longer than most.
func (l *Log) Flush(most time.Duration) {
	mark := make(chan struct{})
	l.mu.Lock()
	if l.closed || (l.bytes == 0 && len(l.queue) == 0) {
		l.mu.Unlock()
		return
	}
	l.queue = append(l.queue, piece{mark: mark})
	l.mu.Unlock()
	l.signal()
	timer := time.NewTimer(most)
	defer timer.Stop()
	select {
	case <-mark:
	case <-timer.C:
	}
}

// Close writes what is in the queue and ends the log.
func (l *Log) Close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.signal()
	<-l.ended
}

// Stats returns the log's counters.
func (l *Log) Stats() Stats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

// write is the log's goroutine.
func (l *Log) write() {
	defer close(l.ended)
	for {
		l.mu.Lock()
		batch, closed, dropped := l.queue, l.closed, l.stats.Dropped
		l.queue = nil
		l.mu.Unlock()
		if dropped > l.told {
			l.cfg.Logger.Warn("execution log: the disk is too slow; lines were dropped", "dir", l.cfg.Dir, "lines", dropped-l.told)
			l.told = dropped
		}
		if len(batch) > 0 {
			l.writeBatch(batch)
			continue
		}
		if closed {
			return
		}
		<-l.wake
	}
}

// writeBatch writes the lines of each group with one write.
func (l *Log) writeBatch(batch []piece) {
	whole := make(map[string]*piece)
	var order []*piece
	bytes := 0
	for i := range batch {
		p := &batch[i]
		bytes += len(p.text)
		switch first := whole[p.group]; {
		case p.mark != nil:
		case first == nil:
			whole[p.group] = p
			order = append(order, p)
		default:
			first.text, first.count = append(first.text, p.text...), first.count+p.count
		}
	}
	for _, p := range order {
		l.put(p)
	}
	l.mu.Lock()
	l.bytes -= bytes
	l.mu.Unlock()
	for i := range batch {
		if batch[i].mark != nil {
			close(batch[i].mark)
		}
	}
}

// put appends lines to a group's file and counts them.
func (l *Log) put(p *piece) {
	err := l.append(p.group, p.text)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.stats.Written += uint64(p.count)
		return
	}
	l.stats.Dropped += uint64(p.count)
	l.told += uint64(p.count)
	l.cfg.Logger.Warn("execution log: lines cannot be written and were dropped", "dir", l.cfg.Dir, "lines", p.count, "error", err)
}

// append writes to the group's file of this opening, or to a new one. After a failure the next lines get a new file.
func (l *Log) append(group string, text []byte) (err error) {
	f := l.current[group]
	if f == nil || (f.size > 0 && f.size+int64(len(text)) > l.cfg.FileBytes) {
		if f, err = l.create(group); err != nil {
			return err
		}
	}
	h, err := l.cfg.FS.OpenReadWrite(l.path(f), vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = h.WriteAt(text, f.size)
		err = errors.Join(err, h.Close())
	}
	if err != nil {
		delete(l.current, group)
		return err
	}
	l.mu.Lock()
	f.size += int64(len(text))
	l.total += int64(len(text))
	l.mu.Unlock()
	return l.trim()
}

// create begins a file.
func (l *Log) create(group string) (*file, error) {
	if !l.made {
		if err := l.cfg.FS.MkdirAll(l.cfg.Dir, 0o755); err != nil {
			return nil, err
		}
		l.made = true
	}
	f := &file{group: fileName(group), number: 1}
	l.mu.Lock()
	if n := len(l.files); n > 0 {
		f.number = l.files[n-1].number + 1
	}
	l.files = append(l.files, f)
	l.mu.Unlock()
	l.current[group] = f
	h, err := l.cfg.FS.Create(l.path(f), vfs.WriteCategoryUnspecified)
	if err != nil {
		delete(l.current, group)
		return nil, err
	}
	return f, h.Close()
}

// trim removes the oldest files until the directory is within its bounds. The newest stays.
func (l *Log) trim() error {
	for {
		l.mu.Lock()
		if len(l.files) < 2 || (l.total <= l.cfg.TotalBytes && len(l.files) <= l.cfg.Files) {
			l.mu.Unlock()
			return nil
		}
		oldest := l.files[0]
		l.files = slices.Delete(l.files, 0, 1)
		l.total -= oldest.size
		l.mu.Unlock()
		for group, f := range l.current {
			if f == oldest {
				delete(l.current, group)
			}
		}
		if err := l.cfg.FS.Remove(l.path(oldest)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			l.cfg.Logger.Warn("execution log: an old file cannot be removed", "file", l.path(oldest), "error", err)
		}
	}
}
