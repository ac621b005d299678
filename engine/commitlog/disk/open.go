package disk

import (
	"errors"
	"fmt"
	"io"
	"sort"
	"time"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/fault"
)

// Open opens the log in dir, making it if it is not there, and begins a new incarnation. Everything
// Recover will give is durable when it returns.
//
// It fails with fault.Corrupt when the log's files do not fit together or its last segment is damaged
// before the end (older segments are checked by Recover and Verify), with fault.Unsupported when a newer
// version wrote it, and with fault.Unavailable when the directory is in use or cannot be written.
func Open(dir string, options *Options) (*Log, error) {
	opts, err := options.withDefaults(dir)
	if err != nil {
		return nil, err
	}
	if err := makeDir(opts.FS, dir); err != nil {
		return nil, openError(dir, err)
	}
	lock, err := opts.FS.Lock(opts.FS.PathJoin(dir, lockName))
	if err != nil {
		return nil, fault.New("commitlog.Open", fault.Unavailable, dir, "the log is in use by another process, or cannot be locked: %w", err)
	}
	dirFile, err := opts.FS.OpenDir(dir)
	if err != nil {
		return nil, openError(dir, closeAll(err, lock))
	}
	l := newLog(dir, &opts)
	l.lock = lock
	l.files.dirFile = dirFile
	if err := l.recover(); err != nil {
		l.files.stop()
		if l.active != nil {
			err = closeAll(err, l.active.file)
		}
		return nil, openError(dir, closeAll(err, lock))
	}
	if !opts.Manual {
		l.done, l.sleep = make(chan struct{}), time.Sleep
		go l.write()
	}
	return l, nil
}

// openError makes an error of Open one a person can act on, unless it is one.
func openError(dir string, err error) error {
	var known *fault.Error
	var v errVersion
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &v):
		return fault.New("commitlog.Open", fault.Unsupported, dir, "%w", err)
	}
	return fault.New("commitlog.Open", fault.Unavailable, dir, "the log cannot be opened: %w", err)
}

func newLog(dir string, opts *Options) *Log {
	l := &Log{dir: dir, opts: *opts, fill: &batch{}, idle: &batch{}}
	l.work.L, l.room.L = &l.mu, &l.mu
	l.fill.reset(0)
	l.idle.reset(0)
	l.stats.sync = newHistogram()
	l.files = files{
		fs: opts.FS, dir: dir, logger: opts.Logger,
		full: opts.SegmentBytes, hasty: opts.FirstBytes, keep: opts.Spares,
		inline: opts.Manual, stopping: make(chan struct{}),
	}
	return l
}

// recover finds the end of the log and begins a segment after it.
func (l *Log) recover() error {
	names, err := list(l.opts.FS, l.dir)
	if err != nil {
		return err
	}
	if err := l.files.adopt(names.spares); err != nil {
		return err
	}
	c, err := readChain(l.opts.FS, l.dir, names.segments)
	if err != nil {
		return l.wrap("commitlog.Open", err)
	}
	h := header{number: 1, first: commitlog.First(max(1, l.opts.After.Incarnation()+1))}
	if len(c.spans) > 0 {
		if h, err = l.recoverTail(c, &h); err != nil {
			return err
		}
	}
	if l.active == nil {
		f, err := l.files.begin(&h, segmentBytesMin)
		if err != nil {
			return err
		}
		l.active = &active{header: h, file: f, off: headerBytes}
		l.next = h.first
	}
	l.tail = h
	l.durable = l.next - 1
	l.stats.rotation()
	return l.removeOrphans(c.orphans)
}

// recoverTail finds where the last segment ends, makes sure that this is on the disk, and returns the
// header of the segment to follow. A segment without a frame is not followed but passed by, so that a
// process that restarts again and again leaves one file and not one for each time.
func (l *Log) recoverTail(c *chain, fresh *header) (header, error) {
	tail := &c.spans[len(c.spans)-1]
	x, err := l.settle(tail)
	if err != nil {
		return header{}, err
	}
	tail.end, tail.next = x.end, x.next
	incarnation := max(c.highest.Incarnation(), x.next.Incarnation()) + 1
	h := header{
		number:     tail.number + 1,
		prevNumber: tail.number, prevEnd: x.end, prevNext: x.next,
		first: max(fresh.first, commitlog.First(incarnation)),
	}
	if incarnation > commitlog.MaxIncarnation || h.number == 0 {
		return header{}, fault.New("commitlog.Open", fault.LimitExceeded, l.dir, "the log was opened %d times, which is all its positions allow: move the data to a new directory", incarnation)
	}
	for _, s := range c.spans {
		l.files.spans = append(l.files.spans, segmentStart{s.number, s.prevNext, s.capacity})
	}
	l.spans = c.spans
	if l.opts.Faults.ReusePositions {
		return tail.header, l.goOn(tail)
	}
	if x.frames == 0 {
		h.prevNumber, h.prevEnd, h.prevNext = tail.prevNumber, tail.prevEnd, tail.prevNext
		c.orphans = append(c.orphans, tail.number)
		l.spans = l.spans[:len(l.spans)-1]
		l.files.spans = l.files.spans[:len(l.files.spans)-1]
	}
	return h, nil
}

// settle reads the last segment, cuts a torn tail, and makes what is left durable. The last frame is
// written again first: if a sync of it failed in a process before this one, the system may hold it in
// memory marked as written, and a sync alone would do nothing.
func (l *Log) settle(tail *span) (extent, error) {
	s, err := openSegment(l.opts.FS, l.dir, tail.number)
	if err != nil {
		return extent{}, err
	}
	x, bad, _ := s.scan(-1, 0, nil)
	var frame []byte
	if x.last > 0 && (bad == nil || !errors.Is(bad.err, errRead)) {
		b, rerr := s.bytes(x.last, int(x.end-x.last))
		frame, err = append(frame, b...), rerr
	}
	if err := errors.Join(err, s.file.Close()); err != nil {
		return extent{}, err
	}
	if bad != nil {
		if err := l.judge(tail.number, bad); err != nil {
			return extent{}, err
		}
	}
	return x, l.rewrite(s.name, frame, x.last)
}

// judge returns nil for a torn tail, which it logs, and an error for everything else.
func (l *Log) judge(number uint32, bad *defect) error {
	switch {
	case errors.Is(bad.err, errRead):
		return fmt.Errorf("%s at offset %d: %w", segmentName(number), bad.off, bad.err)
	case bad.follow != 0:
		return damaged("commitlog.Open", l.dir, l.opts.DataDir, bad.damage(number))
	case bad.torn:
		l.opts.Logger.Warn("cut a torn frame off the end of the commit log: it was never acknowledged",
			"file", segmentName(number), "offset", bad.off, "reason", bad.err.Error())
	}
	return nil
}

// damage says what a defect is when it is no torn tail.
func (d *defect) damage(number uint32) *damage {
	if d.follow > d.off {
		return &damage{number, d.off, fmt.Errorf("%w, and a valid one follows at offset %d", d.err, d.follow)}
	}
	return &damage{number, d.off, d.err}
}

// rewrite writes a frame again where it is and makes the file and the directory durable.
func (l *Log) rewrite(name string, frame []byte, off int64) error {
	f, err := l.opts.FS.OpenReadWrite(l.opts.FS.PathJoin(l.dir, name), category)
	if err != nil {
		return err
	}
	if len(frame) > 0 {
		_, err = f.WriteAt(frame, off)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return l.files.dirFile.Sync()
}

// goOn is Faults.ReusePositions: the wrong way to recover.
func (l *Log) goOn(tail *span) error {
	f, err := l.opts.FS.OpenReadWrite(l.opts.FS.PathJoin(l.dir, segmentName(tail.number)), category)
	if err != nil {
		return err
	}
	l.active = &active{header: tail.header, file: f, off: tail.end}
	l.next = tail.next
	return nil
}

// adopt takes over the spares of an earlier process. Files that were not finished are removed.
func (fs *files) adopt(numbers []uint32) error {
	for _, n := range numbers {
		s := spare{path: fs.fs.PathJoin(fs.dir, spareName(n))}
		fs.spareNext = max(fs.spareNext, n+1)
		info, err := fs.fs.Stat(s.path)
		if err != nil {
			return err
		}
		s.size = info.Size()
		if s.size == fs.full && len(fs.spares) < fs.keep {
			fs.spares = append(fs.spares, s)
		} else if err := fs.fs.Remove(s.path); err != nil {
			return err
		}
	}
	return nil
}

// removeOrphans removes segments that were passed by. A crash that brings one back does no harm.
func (l *Log) removeOrphans(numbers []uint32) error {
	for _, n := range numbers {
		if err := l.opts.FS.Remove(l.opts.FS.PathJoin(l.dir, segmentName(n))); err != nil {
			return err
		}
	}
	return nil
}

// wrap makes a *damage an error for people.
func (l *Log) wrap(op string, err error) error {
	var d *damage
	if errors.As(err, &d) {
		return damaged(op, l.dir, l.opts.DataDir, d)
	}
	return err
}

// Recover implements commitlog.Log.
func (l *Log) Recover(from commitlog.Position, fn func(pos commitlog.Position, partition uint32, data []byte) error) error {
	const op = "commitlog.Recover"
	l.mu.Lock()
	late := l.appended
	l.mu.Unlock()
	if late {
		return fault.New(op, fault.Internal, l.dir, "Recover must come before the first Append")
	}
	oldest := l.tail
	if len(l.spans) > 0 {
		oldest = l.spans[0].header
	}
	if from < oldest.prevNext {
		return fault.New(op, fault.Corrupt, l.dir, "entries from %s on are asked for, and those before %s were trimmed: the snapshot is older than the log, or lost; restore both from one backup", from, oldest.prevNext)
	}
	start := max(0, sort.Search(len(l.spans), func(i int) bool { return l.spans[i].first > from })-1)
	for i := start; i < len(l.spans); i++ {
		if err := l.recoverSpan(&l.spans[i], from, fn); err != nil {
			return err
		}
	}
	return nil
}

// recoverSpan reads one segment whose end is known.
func (l *Log) recoverSpan(sp *span, from commitlog.Position, fn entryFunc) (err error) {
	const op = "commitlog.Recover"
	s, err := openSegment(l.opts.FS, l.dir, sp.number)
	if err != nil {
		return l.wrap(op, headerError(sp.number, err))
	}
	defer func(c io.Closer) { err = errors.Join(err, c.Close()) }(s.file)
	x, bad, err := s.scan(sp.end, from, fn)
	switch {
	case err != nil:
		return err
	case bad != nil && errors.Is(bad.err, errRead):
		return fault.New(op, fault.Unavailable, s.name, "offset %d: %w", bad.off, bad.err)
	case bad != nil:
		return damaged(op, l.dir, l.opts.DataDir, &damage{sp.number, bad.off, bad.err})
	case x.end != sp.end || x.next != sp.next:
		return damaged(op, l.dir, l.opts.DataDir, &damage{sp.number, x.end, fmt.Errorf("the segment ends at offset %d, position %s, and the next one says offset %d, position %s", x.end, x.next, sp.end, sp.next)})
	}
	return nil
}
