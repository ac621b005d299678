package disk

import (
	"errors"
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
)

// listing is the files of a log's directory by kind, each sorted.
type listing struct {
	segments []uint32
	spares   []uint32
}

// list reads the directory. A directory that does not exist has nothing in it.
func list(fs vfs.FS, dir string) (listing, error) {
	names, err := fs.List(dir)
	if err != nil {
		return listing{}, err
	}
	var l listing
	for _, name := range names {
		switch n, spare, ok := parseName(name); {
		case !ok:
		case spare:
			l.spares = append(l.spares, n)
		default:
			l.segments = append(l.segments, n)
		}
	}
	slices.Sort(l.segments)
	slices.Sort(l.spares)
	return l, nil
}

// span is one segment of a chain: its header and where its frames end.
type span struct {
	header
	end  int64              // from the next segment's header; -1: this is the last
	next commitlog.Position // from there, too: the position due at the end
}

// damage is one thing in a log that does not check.
type damage struct {
	number uint32 // of the segment
	off    int64
	err    error
}

func (d *damage) Error() string {
	return fmt.Sprintf("%s at offset %d: %v", segmentName(d.number), d.off, d.err)
}

func (d *damage) Unwrap() error { return d.err }

// chain is the segments of a log in order, each following the one before by its header.
type chain struct {
	spans []span
	// orphans are segments outside the chain without a single frame: a recovery went past them.
	orphans []uint32
	highest commitlog.Position // first position of any segment, orphans included
}

// readChain reads the headers of the segments numbered and puts them in order, from the last one back along their
// links. The error is an I/O error, errVersion, or a *damage: what is wrong with the newest segment
// that is wrong.
func readChain(fs vfs.FS, dir string, numbers []uint32) (*chain, error) {
	c := &chain{}
	var want header // its prev fields are the segment due next
	want.prevEnd = -1
	for i, n := range slices.Backward(numbers) {
		s, err := openSegment(fs, dir, n)
		if err != nil {
			return nil, headerError(n, err)
		}
		c.highest = max(c.highest, s.first)
		switch isLast := i == len(numbers)-1; {
		case isLast || n == want.prevNumber:
			c.spans = append(c.spans, span{s.header, want.prevEnd, want.prevNext})
			want = s.header
		case n < want.prevNumber:
			err = &damage{n, 0, fmt.Errorf("segment %d is missing after it", want.prevNumber)}
		default:
			err = c.addOrphan(s)
		}
		if err = errors.Join(err, s.file.Close()); err != nil {
			return nil, headerError(n, err)
		}
	}
	slices.Reverse(c.spans)
	return c, c.checkOrder()
}

// headerError makes what is wrong with a header a *damage and leaves other errors as they are.
func headerError(number uint32, err error) error {
	var d *damage
	var v errVersion
	switch {
	case errors.As(err, &d):
		return d
	case errors.Is(err, errRead), errors.As(err, &v):
		return fmt.Errorf("%s: %w", segmentName(number), err)
	}
	return &damage{number, 0, err}
}

// addOrphan takes a segment that no header points to. Only an empty one may be passed by.
func (c *chain) addOrphan(s *segment) error {
	off, err := s.findFrame(headerBytes)
	if err != nil {
		return err
	}
	if off != 0 {
		return &damage{s.number, off, errors.New("no later segment follows this one, yet it has entries")}
	}
	c.orphans = append(c.orphans, s.number)
	return nil
}

// checkOrder holds that positions grow along the chain and that nothing is missing in it.
func (c *chain) checkOrder() error {
	for i := 1; i < len(c.spans); i++ {
		if a, b := &c.spans[i-1], &c.spans[i]; b.first < a.first {
			return &damage{b.number, 32, fmt.Errorf("the first position %s is before that of segment %d, %s", b.first, a.number, a.first)}
		}
	}
	return nil
}
