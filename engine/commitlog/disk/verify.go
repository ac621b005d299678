package disk

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/fault"
)

// Report is what Verify finds in a log's directory.
type Report struct {
	Segments []SegmentReport // oldest first; those that can be read
	Problems []Problem       // oldest first; none: the log opens
	Spares   int
	Entries  int64 // in whole frames of all segments
	// Torn says that the last segment ends in a frame that is not whole: the trace of a crash, which
	// opening the log cuts off.
	Torn bool
}

// SegmentReport is what one segment file holds.
type SegmentReport struct {
	File        string
	Incarnation uint64
	First       commitlog.Position // of its first entry
	Next        commitlog.Position // the position after its last one
	Entries     int64
	Frames      int
	End         int64 // bytes up to the end of the last whole frame
	Size        int64 // bytes of the file
}

// Problem is one thing in a log that does not check.
type Problem struct {
	File   string
	Offset int64
	What   string
	// Lost is how many entries after the problem could still be read, and go when the log is cut here.
	Lost int64
}

// verdict is how much of a log is sound.
type verdict struct {
	report *Report
	number uint32             // the highest of any segment
	top    commitlog.Position // at least as great as every position that can be read
	ends   map[uint32]header  // by segment: the newest header that follows it
	base   commitlog.Position // what came before it was trimmed

	chain   []span // the sound segments up to the first problem, oldest first, with their ends
	empty   bool   // the last of them has no frame
	partial bool   // the last of them is sound up to its end only: there is more in it
}

// Verify reads a log that is not open and reports what it holds and what does not check. It changes
// nothing. The error is one of reading, or fault.Unsupported for a log of a newer version.
func Verify(fs vfs.FS, dir string) (*Report, error) {
	v, err := verify(fs, dir)
	if err != nil {
		return nil, err
	}
	return v.report, nil
}

// verify reads all segments, oldest first, and finds the first place that does not check.
func verify(fs vfs.FS, dir string) (*verdict, error) {
	names, err := list(fs, dir)
	if err != nil {
		return nil, fault.New("commitlog.Verify", fault.Unavailable, dir, "%w", err)
	}
	v := &verdict{report: &Report{Spares: len(names.spares)}, ends: map[uint32]header{}}
	for _, n := range names.segments {
		s, err := openSegment(fs, dir, n)
		if err != nil {
			continue // the second pass says what it is
		}
		v.number = n
		v.ends[s.prevNumber] = s.header
		if err := s.file.Close(); err != nil {
			return nil, openError(dir, err)
		}
	}
	for _, n := range names.segments {
		v.number = max(v.number, n)
		if err := v.segment(fs, dir, n); err != nil {
			return nil, openError(dir, fmt.Errorf("%s: %w", segmentName(n), err))
		}
	}
	return v, nil
}

// segment reads one segment and adds what it finds to the report.
func (v *verdict) segment(fs vfs.FS, dir string, number uint32) (err error) {
	s, err := openSegment(fs, dir, number)
	var version errVersion
	switch {
	case errors.Is(err, errRead) || errors.As(err, &version):
		return err
	case err != nil:
		v.problem(segmentName(number), 0, err.Error())
		return nil
	}
	defer func() { err = errors.Join(err, s.file.Close()) }()
	v.link(s)
	end := int64(-1)
	follower, followed := v.ends[number]
	if followed {
		end = follower.prevEnd
	}
	x, bad, _ := s.scan(end, 0, nil)
	if bad != nil && errors.Is(bad.err, errRead) {
		return bad.err
	}
	v.add(s, x)
	switch {
	case v.broken():
		v.report.Problems[0].Lost += x.entries
	case bad != nil && (followed || bad.follow != 0):
		v.partial = true
		v.problem(s.name, bad.off, bad.damage(number).err.Error())
		v.report.Problems[0].Lost, err = s.countFrom(bad)
	case followed && x.next != follower.prevNext:
		v.problem(s.name, x.end, fmt.Sprintf("the segment ends at position %s and the next one says %s", x.next, follower.prevNext))
	case bad != nil:
		v.report.Torn = bad.torn
	}
	return err
}

func (v *verdict) broken() bool { return len(v.report.Problems) > 0 }

// link checks that s follows the segment before it. One without frames that a recovery went past does
// not count.
func (v *verdict) link(s *segment) {
	if v.broken() {
		return
	}
	if n := len(v.chain); n > 0 && v.empty && s.prevNumber == v.chain[n-1].prevNumber {
		v.chain = v.chain[:n-1]
		if n == 1 {
			return
		}
	}
	if len(v.chain) == 0 {
		v.base = s.prevNext
		return
	}
	before := &v.chain[len(v.chain)-1]
	switch {
	case s.prevNumber != before.number:
		v.problem(s.name, 0, fmt.Sprintf("it follows segment %d, not %d as it should", s.prevNumber, before.number))
	case s.prevEnd != before.end || s.prevNext != before.next || s.first < before.next:
		v.problem(s.name, 0, fmt.Sprintf("it begins at %s after offset %d, position %s, and the segment before it ends at offset %d, position %s", s.first, s.prevEnd, s.prevNext, before.end, before.next))
	}
}

// add puts what was read of a segment into the report and, before the first problem, the chain.
func (v *verdict) add(s *segment, x extent) {
	v.top = max(v.top, x.next, s.first)
	v.report.Segments = append(v.report.Segments, SegmentReport{
		File: s.name, Incarnation: s.first.Incarnation(), First: s.first, Next: x.next,
		Entries: x.entries, Frames: x.frames, End: x.end, Size: s.size,
	})
	v.report.Entries += x.entries
	if !v.broken() {
		v.chain = append(v.chain, span{s.header, x.end, x.next})
		v.empty = x.frames == 0
	}
}

// problem adds a problem. The first one is where the log would be cut.
func (v *verdict) problem(file string, off int64, what string) {
	v.report.Problems = append(v.report.Problems, Problem{File: file, Offset: off, What: what})
}

// last returns the last sound segment, or nil.
func (v *verdict) last() *span {
	if len(v.chain) == 0 {
		return nil
	}
	return &v.chain[len(v.chain)-1]
}

// countFrom counts the entries of whole frames after a defect.
func (s *segment) countFrom(bad *defect) (entries int64, err error) {
	for off := bad.follow; off != 0; {
		h, _, err := s.frame(off, s.size)
		if err != nil {
			return entries, nil // a whole frame that does not belong here
		}
		entries += int64(h.count)
		if off, err = s.findFrame(off + h.size()); err != nil {
			return entries, err
		}
	}
	return entries, nil
}
