package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/engine/commitlog"
)

// windowBytes is how much a reader reads at once.
const windowBytes = 1 << 20

// reader gives stretches of a file through a buffer that reads ahead.
type reader struct {
	f    io.ReaderAt
	size int64 // of the file
	buf  []byte
	at   int64 // where buf begins in the file
}

// bytes returns n bytes at off, fewer at the end of the file. The result is valid until the next call.
func (r *reader) bytes(off int64, n int) ([]byte, error) {
	n = int(max(0, min(int64(n), r.size-off)))
	if off >= r.at && off+int64(n) <= r.at+int64(len(r.buf)) {
		return r.buf[off-r.at:][:n], nil
	}
	want := int(min(int64(max(n, windowBytes)), r.size-off))
	if cap(r.buf) < want {
		r.buf = make([]byte, want)
	}
	r.buf = r.buf[:want]
	r.at = off
	if got, err := r.f.ReadAt(r.buf, off); got < want {
		r.buf = r.buf[:0]
		return nil, fmt.Errorf("%w: %w", errRead, err)
	}
	return r.buf[:n], nil
}

// segment is a segment file open for reading.
type segment struct {
	header
	reader
	name string
	file vfs.File
}

// openSegment opens the segment file of this number and reads its header. The error is an I/O error
// (errRead), errVersion, or says what is wrong with the header.
func openSegment(fs vfs.FS, dir string, number uint32) (*segment, error) {
	name := segmentName(number)
	f, err := fs.Open(fs.PathJoin(dir, name))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errRead, err)
	}
	s := &segment{name: name, file: f}
	s.f = f
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%w: %w", errRead, err), f.Close())
	}
	s.size = info.Size()
	page, err := s.bytes(0, headerBytes)
	if err == nil {
		s.header, err = decodeHeader(page, number)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return s, nil
}

// extent is what a scan found: the whole frames of a segment, from its header on.
type extent struct {
	end     int64              // where the last whole frame ends
	next    commitlog.Position // the position due there
	last    int64              // where the last whole frame begins; 0: there is none
	frames  int
	entries int64
}

// defect is why a scan stopped before the end.
type defect struct {
	off    int64
	err    error // one of the errors of frame.go, or errRead
	follow int64 // where a valid frame was found further on; 0: there is none
	torn   bool  // something was begun here in this segment
}

// scan reads the frames of s from its start to end, or to the first that does not check when end is
// negative, and calls fn (which may be nil) for every entry at or after from. It returns what it read
// and, if it stopped at a frame that does not check, why; err is fn's.
func (s *segment) scan(end int64, from commitlog.Position, fn entryFunc) (x extent, bad *defect, err error) {
	x = extent{end: headerBytes, next: s.first}
	limit := end
	if end < 0 {
		limit = s.size
	}
	for end < 0 || x.end < end {
		h, payload, ferr := s.frame(x.end, limit)
		if ferr == nil && h.first != x.next {
			ferr = errPosition
		}
		if ferr == nil {
			ferr = eachEntry(payload, h.first, h.count, nil)
		}
		if ferr != nil {
			return x, s.explain(x, h, ferr), nil
		}
		if fn != nil && h.first+commitlog.Position(h.count) > from {
			if err := eachEntry(payload, h.first, h.count, after(from, fn)); err != nil {
				return x, nil, err
			}
		}
		x.last = x.end
		x.end += h.size()
		x.next += commitlog.Position(h.count)
		x.frames++
		x.entries += int64(h.count)
	}
	return x, nil, nil
}

// after returns fn without the entries before from.
func after(from commitlog.Position, fn entryFunc) entryFunc {
	return func(pos commitlog.Position, partition uint32, data []byte) error {
		if pos < from {
			return nil
		}
		return fn(pos, partition, data)
	}
}

// frame reads the frame at off, which must end at or before limit. When it fails because of the
// frame's entries, the header is still given.
func (s *segment) frame(off, limit int64) (frameHeader, []byte, error) {
	b, err := s.bytes(off, frameHeaderBytes)
	if err != nil {
		return frameHeader{}, nil, err
	}
	h, err := decodeFrameHeader(b)
	switch {
	case err != nil:
		return frameHeader{}, nil, err
	case h.segment != s.number:
		return frameHeader{}, nil, errSegment
	case off+h.size() > s.size:
		return h, nil, errCutOff
	case off+h.size() > limit:
		return h, nil, errEnd
	}
	b, err = s.bytes(off, int(h.size()))
	if err != nil {
		return h, nil, err
	}
	payload := b[frameHeaderBytes:]
	if crc32.Checksum(payload, castagnoli) != h.payloadCRC {
		return h, nil, errPayload
	}
	return h, payload, nil
}

// explain describes the frame at x.end that does not check, and looks for a valid one after it. A
// header that holds says where the next frame would begin, so that what the entries contain (they
// are the users' bytes) cannot pass for a frame; without it every byte is tried.
func (s *segment) explain(x extent, h frameHeader, cause error) *defect {
	d := &defect{off: x.end, err: cause}
	if errors.Is(cause, errRead) {
		return d
	}
	from := x.end
	switch {
	case errors.Is(cause, errPosition), errors.Is(cause, errEntries), errors.Is(cause, errEnd):
		d.follow = x.end // the frame itself is whole
		return d
	case h.count > 0 && h.first == x.next:
		d.torn = true
		from = x.end + h.size()
	default:
		if b, err := s.bytes(x.end, frameHeaderBytes); err == nil {
			d.torn = looksTorn(b, s.number)
		}
	}
	off, err := s.findFrame(from)
	if err != nil {
		return &defect{off: x.end, err: err}
	}
	d.follow = off
	return d
}

// findFrame returns where the first whole frame of this segment at or after off begins, or 0.
func (s *segment) findFrame(off int64) (int64, error) {
	var magic [4]byte
	binary.LittleEndian.PutUint32(magic[:], frameMagic)
	for off+frameHeaderBytes <= s.size {
		window, err := s.bytes(off, windowBytes)
		if err != nil {
			return 0, err
		}
		next := off + int64(len(window)) - frameHeaderBytes + 1 // a header may begin in one window and end in the next
		for i := 0; i+frameHeaderBytes <= len(window); i++ {
			j := bytes.Index(window[i:], magic[:])
			if i += j; j < 0 || i+frameHeaderBytes > len(window) {
				break
			}
			if h, err := decodeFrameHeader(window[i:]); err != nil || h.segment != s.number {
				continue
			}
			candidate := off + int64(i)
			if _, _, err := s.frame(candidate, s.size); err == nil {
				return candidate, nil
			} else if errors.Is(err, errRead) {
				return 0, err
			}
			next = candidate + 1 // frame may have moved the window
			break
		}
		off = next
	}
	return 0, nil
}
