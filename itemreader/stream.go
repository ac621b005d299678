package itemreader

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/objectstore"
)

const bufferBytes = 64 << 10

// stream is an object as text, decompressed if it is gzip, with the offset of what is read next.
type stream struct {
	body io.ReadCloser
	from io.Reader // body, or what decompresses it
	etag string
	gzip bool

	buffer   []byte
	pos, end int   // what is read next is buffer[pos:end]
	base     int64 // offset of buffer[0]
	err      error // of from, when buffer[:end] is used up
	kept     []byte
	room     []byte // for what compact returns
}

var (
	gzipMagic = []byte{0x1f, 0x8b}
	bom       = []byte{0xef, 0xbb, 0xbf}
)

// openStream opens an object at a place in it, or at its beginning, where a byte order mark is passed over.
func openStream(ctx context.Context, store objectstore.Store, name objectstore.Name, at place) (*stream, error) {
	o := objectstore.GetOptions{Match: at.ETag}
	if !at.Gzip {
		o.Offset = at.Offset
	}
	object, err := store.Get(ctx, name, o)
	if err != nil {
		return nil, err
	}
	s := &stream{body: object.Body, from: object.Body, etag: object.ETag, gzip: at.Gzip, base: o.Offset, buffer: make([]byte, bufferBytes)}
	if err := s.begin(at); err != nil {
		_ = s.close()
		return nil, err
	}
	return s, nil
}

func (s *stream) begin(at place) error {
	if !at.Open {
		head, err := s.peek(len(gzipMagic))
		if err != nil {
			return err
		}
		s.gzip = bytes.Equal(head, gzipMagic)
	}
	if s.gzip {
		in, err := gzip.NewReader(io.MultiReader(bytes.NewReader(bytes.Clone(s.buffer[s.pos:s.end])), s.body))
		if err != nil {
			return fmt.Errorf("decompress: %w", err)
		}
		s.from, s.pos, s.end, s.err = in, 0, 0, nil
		if s.base, err = io.CopyN(io.Discard, in, at.Offset); err != nil {
			return fmt.Errorf("decompress: %w", err)
		}
	}
	if at.Open {
		return nil
	}
	head, err := s.peek(len(bom))
	if bytes.Equal(head, bom) {
		s.pos += len(bom)
	}
	return err
}

// place says where the stream is.
func (s *stream) place() place {
	return place{Open: true, ETag: s.etag, Gzip: s.gzip, Offset: s.base + int64(s.pos)}
}

func (s *stream) close() error { return s.body.Close() }

// peek returns the next n bytes, or those that there are.
func (s *stream) peek(n int) ([]byte, error) {
	for s.end-s.pos < n && s.err == nil {
		copy(s.buffer, s.buffer[s.pos:s.end])
		s.base += int64(s.pos)
		s.end -= s.pos
		s.pos = 0
		s.read()
	}
	if s.err != nil && !errors.Is(s.err, io.EOF) {
		return nil, s.err
	}
	return s.buffer[s.pos:min(s.end, s.pos+n)], nil
}

// more reads into the buffer, all of which is used up, and reports whether there is something now. If there is not, s.err
// is set.
func (s *stream) more() bool {
	s.base += int64(s.end)
	s.pos, s.end = 0, 0
	for s.err == nil && s.end == 0 {
		s.read()
	}
	return s.end > 0
}

// read appends to the buffer. An end that follows bytes is seen the next time.
func (s *stream) read() {
	n, err := s.from.Read(s.buffer[s.end:])
	s.end += n
	if n == 0 || err != nil && !errors.Is(err, io.EOF) {
		s.err = err
	}
}

// keep appends what is between start and pos to the kept bytes, of which there are most at most.
func (s *stream) keep(start, most int) error {
	s.kept = append(s.kept, s.buffer[start:s.pos]...)
	if len(s.kept) > most {
		return errLarge
	}
	return nil
}

// space passes white space of JSON over and returns the byte behind it, which it leaves; 0 and io.EOF at the end.
func (s *stream) space() (byte, error) {
	for {
		for ; s.pos < s.end; s.pos++ {
			switch c := s.buffer[s.pos]; c {
			case ' ', '\t', '\n', '\r':
			default:
				return c, nil
			}
		}
		if !s.more() {
			return 0, s.err
		}
	}
}

// compact returns a text without white space, and an Error for one that is no JSON. It is valid until the next call.
func (s *stream) compact(text []byte) ([]byte, error) {
	s.room = slices.Grow(s.room[:0], len(text))
	value, err := jsonvalue.Compact(s.room, text)
	if err != nil {
		return nil, &Error{Cause: "The item is not valid JSON: " + err.Error(), Err: err}
	}
	return value, nil
}
