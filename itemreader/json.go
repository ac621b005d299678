package itemreader

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
)

// jsonItems are the elements of an array or the members of an object, somewhere in a JSON text.
type jsonItems struct {
	*stream
	source string
	most   int
	object bool
	first  bool // none has been read
	whole  bool // the text ends behind them
}

// States of a place in JSON.
const (
	jsonFirst = 1 << iota
	jsonObject
)

// openJSON finds the array or object that a pointer leads to, or goes on in it.
func openJSON(s *stream, source, pointer string, most int, at place) (*jsonItems, error) {
	j := &jsonItems{stream: s, source: source, most: most, whole: pointer == ""}
	if at.Open {
		j.first, j.object = at.State&jsonFirst != 0, at.State&jsonObject != 0
		return j, nil
	}
	if err := s.seek(pointer, most); err != nil {
		return nil, ended(err)
	}
	switch c, err := s.space(); {
	case err != nil:
		return nil, ended(err)
	case c == '{' || c == '[':
		s.pos++
		j.first, j.object = true, c == '{'
		return j, nil
	}
	// A number is nothing to map over; a text that is no JSON is told apart from one.
	text, err := s.value(true, most)
	if err == nil {
		_, err = s.compact(text)
	}
	if err != nil {
		return nil, err
	}
	return nil, errNotIterable
}

// ended says of an end of the text that it comes too early.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return &Error{Cause: "The JSON ends too early.", Err: io.ErrUnexpectedEOF}
	}
	return err
}

func (j *jsonItems) place() place {
	p := j.stream.place()
	if j.first {
		p.State |= jsonFirst
	}
	if j.object {
		p.State |= jsonObject
	}
	return p
}

func (j *jsonItems) next() (item Item, err error) {
	c, err := j.space()
	switch {
	case err != nil:
		return item, ended(err)
	case c == ']' && !j.object || c == '}' && j.object:
		return item, j.end()
	case !j.first:
		if err := j.expect(','); err != nil {
			return item, err
		}
	}
	item.Source = j.source
	if j.object {
		if item.Key, err = j.key(j.most); err != nil {
			return item, err
		}
	}
	text, err := j.value(true, j.most)
	if err != nil {
		return item, err
	}
	if item.Value, err = j.compact(text); err != nil {
		return item, err
	}
	j.first = false
	return item, nil
}

// end returns io.EOF if nothing but space follows the items of a whole text.
func (j *jsonItems) end() error {
	if !j.whole {
		return io.EOF
	}
	j.pos++
	c, err := j.space()
	if err == nil {
		err = syntax("nothing", c)
	}
	return err
}

func syntax(want string, got byte) error {
	return &Error{Cause: fmt.Sprintf("The JSON is not valid: %s was expected where %q stands.", want, string(rune(got)))}
}

// expect passes a byte over, with the space in front of it.
func (s *stream) expect(want byte) error {
	c, err := s.space()
	if err == nil && c != want {
		err = syntax(strconv.Quote(string(want)), c)
	}
	if err != nil {
		return ended(err)
	}
	s.pos++
	return nil
}

// key reads the name of a member, as JSON text, and the colon.
func (s *stream) key(most int) ([]byte, error) {
	c, err := s.space()
	if err == nil && c != '"' {
		err = syntax(`a name in quotes`, c)
	}
	if err != nil {
		return nil, ended(err)
	}
	text, err := s.value(true, most)
	if err != nil {
		return nil, err
	}
	name := append([]byte(nil), text...)
	return name, s.expect(':')
}

// value reads the next value, the space in front of it not included, and returns its text if it is to be kept, until the
// next call. Of what is between the outer brackets it only sees that they fit.
func (s *stream) value(keep bool, most int) ([]byte, error) {
	c, err := s.space()
	if err != nil {
		return nil, ended(err)
	}
	s.kept = s.kept[:0]
	scan := scanner{quoted: c == '"', scalar: c != '"' && c != '{' && c != '['}
	if scan.scalar && strings.IndexByte("]},:", c) >= 0 {
		return nil, syntax("a value", c)
	}
	for first := true; ; first = false {
		start := s.pos
		n, done := scan.scan(s.buffer[s.pos:s.end], first)
		s.pos += n
		if keep {
			if err := s.keep(start, most); err != nil {
				return nil, err
			}
		}
		if scan.depth > limits.JSONDepth {
			return nil, &Error{Cause: "The JSON is nested more than " + strconv.Itoa(limits.JSONDepth) + " deep."}
		}
		if done {
			return s.kept, nil
		}
		if !s.more() {
			if scan.scalar && errors.Is(s.err, io.EOF) {
				return s.kept, nil
			}
			return nil, ended(s.err)
		}
	}
}

// scanner finds the end of a JSON value.
type scanner struct {
	depth                   int
	scalar, quoted, escaped bool
}

// scan looks at a piece of the text and returns how many bytes of it belong to the value, and whether it ends there.
func (x *scanner) scan(text []byte, first bool) (n int, done bool) {
	if first && x.quoted {
		n++ // the quote that begins it
	}
	for ; n < len(text); n++ {
		c := text[n]
		switch {
		case x.escaped:
			x.escaped = false
		case x.quoted:
			if c == '\\' {
				x.escaped = true
			} else if c == '"' {
				if x.quoted = false; x.depth == 0 {
					return n + 1, true
				}
			}
		case x.scalar:
			if c <= ' ' || c == ',' || c == ']' || c == '}' {
				return n, true
			}
		case c == '"':
			x.quoted = true
		case c == '{' || c == '[':
			if x.depth++; x.depth > limits.JSONDepth {
				return n, true
			}
		case c == '}' || c == ']':
			if x.depth--; x.depth == 0 {
				return n + 1, true
			}
		}
	}
	return n, false
}

// seek goes to the value that a JSON Pointer (RFC 6901) leads to.
func (s *stream) seek(pointer string, most int) error {
	if pointer == "" {
		return nil
	}
	if pointer[0] != '/' {
		return errPointer
	}
	for _, part := range strings.Split(pointer[1:], "/") {
		part = strings.NewReplacer("~1", "/", "~0", "~").Replace(part)
		c, err := s.space()
		if err != nil {
			return err
		}
		switch c {
		case '{':
			err = s.member(part, most)
		case '[':
			err = s.element(part)
		default:
			err = errPointer
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// member goes to the value of a member of the object that begins here.
func (s *stream) member(name string, most int) error {
	s.pos++
	for first := true; ; first = false {
		if err := s.part(first, '}'); err != nil {
			return err
		}
		text, err := s.key(most)
		if err != nil {
			return err
		}
		if key, err := jsonvalue.Parse(text); err != nil {
			return err
		} else if key == name {
			return nil
		}
		if _, err := s.value(false, most); err != nil {
			return err
		}
	}
}

// element goes to an element of the array that begins here.
func (s *stream) element(number string) error {
	s.pos++
	index, err := strconv.ParseUint(number, 10, 31)
	if err != nil || strconv.FormatUint(index, 10) != number {
		return errPointer
	}
	for i := uint64(0); ; i++ {
		if err := s.part(i == 0, ']'); err != nil || i == index {
			return err
		}
		if _, err := s.value(false, 0); err != nil {
			return err
		}
	}
}

// part goes to the next part of an array or object, and fails with errPointer if there is none.
func (s *stream) part(first bool, end byte) error {
	c, err := s.space()
	switch {
	case err != nil:
		return err
	case c == end:
		return errPointer
	case !first:
		return s.expect(',')
	}
	return nil
}
