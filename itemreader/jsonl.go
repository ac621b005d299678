package itemreader

import (
	"bytes"
	"errors"
	"io"
)

// jsonLines are the lines of JSON Lines. Lines that are empty, or white space, are no items.
type jsonLines struct {
	*stream
	source string
	most   int
}

func (l *jsonLines) next() (Item, error) {
	for {
		line, err := l.line(l.most)
		if err != nil {
			return Item{}, err
		}
		if line = bytes.TrimSpace(line); len(line) > 0 {
			value, err := l.compact(line)
			return Item{Value: value, Source: l.source}, err
		}
	}
}

// line reads a line, its end not included, which the last one need not have. It is valid until the next call.
func (s *stream) line(most int) ([]byte, error) {
	s.kept = s.kept[:0]
	for {
		start := s.pos
		n := bytes.IndexByte(s.buffer[start:s.end], '\n')
		if n >= 0 && len(s.kept) == 0 && n <= most {
			s.pos += n + 1
			return s.buffer[start : start+n], nil
		}
		s.pos = s.end
		if n >= 0 {
			s.pos = start + n
		}
		if err := s.keep(start, most); err != nil {
			return nil, err
		}
		if n >= 0 {
			s.pos++
			return s.kept, nil
		}
		if !s.more() {
			if errors.Is(s.err, io.EOF) && len(s.kept) > 0 {
				return s.kept, nil
			}
			return nil, s.err
		}
	}
}
