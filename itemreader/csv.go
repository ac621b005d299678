package itemreader

import (
	"bytes"
	"errors"
	"io"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/objectstore"
)

// csvItems are the records of a CSV (RFC 4180), each an object whose members are the columns, in their order. All values are
// strings. Fields that are missing are empty, those past the columns are dropped, lines without a byte are no records.
type csvItems struct {
	*stream
	source    string
	most      int
	delimiter byte
	columns   [][]byte // `{"name":` of the first, `,"name":` of the others
	value     []byte

	ends []int // where in kept the fields of the record end
}

// csv reads records whose columns have the given names or else those of the first record, which a reader that goes on in
// the middle reads for itself.
func (o *opener) csv(s *stream, name objectstore.Name, at place) (items, error) {
	c := &csvItems{stream: s, source: uri(name.Bucket, name.Key), most: o.src.ItemBytes, delimiter: delimiters[o.src.Delimiter]}
	switch {
	case c.delimiter == 0:
		return nil, &Error{Cause: "There is no CSVDelimiter " + string(o.src.Delimiter) + "."}
	case o.src.Headers == Given:
		return c, c.name(o.src.GivenHeaders)
	case !at.Open:
		return c, c.first(c)
	}
	begin, err := openStream(o.ctx, o.store, name, place{ETag: at.ETag})
	if err != nil {
		return nil, err
	}
	defer func() { _ = begin.close() }() // it was only read
	return c, c.first(&csvItems{stream: begin, most: c.most, delimiter: c.delimiter})
}

var delimiters = map[Delimiter]byte{"": ',', Comma: ',', Pipe: '|', Semicolon: ';', Space: ' ', Tab: '\t'}

var errDuplicate = &Error{Cause: "CSV headers cannot contain duplicates."}

// first names the columns after the first record, if there is one.
func (c *csvItems) first(in *csvItems) error {
	if err := in.record(); errors.Is(err, io.EOF) {
		return nil
	} else if err != nil {
		return err
	}
	columns := make([]string, len(in.ends))
	start := 0
	for i, end := range in.ends {
		columns[i] = string(in.kept[start:end])
		start = end
	}
	return c.name(columns)
}

func (c *csvItems) name(columns []string) error {
	seen := make(map[string]bool, len(columns))
	for i, column := range columns {
		if seen[column] {
			return errDuplicate
		}
		seen[column] = true
		c.columns = append(c.columns, append(jsonvalue.AppendString([]byte{"{,"[min(i, 1)]}, column), ':'))
	}
	return nil
}

func (c *csvItems) next() (Item, error) {
	if err := c.record(); err != nil {
		return Item{}, err
	}
	c.value = c.value[:0]
	text, start := string(c.kept), 0
	for i, column := range c.columns {
		field := ""
		if i < len(c.ends) {
			field = text[start:c.ends[i]]
			start = c.ends[i]
		}
		c.value = jsonvalue.AppendString(append(c.value, column...), field)
		if len(c.value) > c.most {
			return Item{}, errLarge
		}
	}
	if len(c.columns) == 0 {
		c.value = append(c.value, '{')
	}
	c.value = append(c.value, '}')
	return Item{Value: c.value, Source: c.source}, nil
}

// record reads the next record: the fields' bytes without quotes into kept, one behind the other, and where they end.
func (c *csvItems) record() error {
	for {
		c.kept, c.ends = c.kept[:0], c.ends[:0]
		any, err := c.fields()
		if err != nil || any {
			return err
		}
	}
}

// State of a field.
const (
	fieldBegins = iota
	fieldPlain
	fieldQuoted
	fieldQuote // a quote in a quoted field: the end of it, or the first of two
)

// fields reads a line, or as many as quotes hold together, and reports whether there is a byte in it.
func (c *csvItems) fields() (any bool, err error) {
	state := fieldBegins
	for {
		if c.pos == c.end && !c.more() {
			return c.last(any, state)
		}
		if state == fieldPlain || state == fieldQuoted { // what needs no look at each byte
			if err := c.run(state == fieldQuoted); err != nil {
				return true, err
			}
			if c.pos == c.end {
				continue
			}
		}
		b := c.buffer[c.pos]
		c.pos++
		switch {
		case state == fieldQuoted: // run stops at quotes only
			state = fieldQuote
			continue
		case b == '\n' || b == '\r':
			if any {
				c.ends = append(c.ends, len(c.kept))
			}
			return any, c.lineFeed(b)
		case b == c.delimiter:
			if c.ends = append(c.ends, len(c.kept)); len(c.ends) > c.most {
				return true, errLarge
			}
			any, state = true, fieldBegins
			continue
		case b == '"' && state == fieldBegins:
			any, state = true, fieldQuoted
			continue
		case b == '"' && state == fieldQuote:
			state = fieldQuoted
		default:
			state = fieldPlain
		}
		any = true
		if c.kept = append(c.kept, b); len(c.kept) > c.most {
			return true, errLarge
		}
	}
}

// last ends the record at the end of the text.
func (c *csvItems) last(any bool, state int) (bool, error) {
	switch {
	case !errors.Is(c.err, io.EOF):
		return any, c.err
	case state == fieldQuoted:
		return any, &Error{Cause: "The CSV ends within quotes."}
	case any:
		c.ends = append(c.ends, len(c.kept))
		return any, nil
	}
	return false, io.EOF
}

// lineFeed passes the second of the two bytes of a line's end over.
func (c *csvItems) lineFeed(b byte) error {
	if b != '\r' {
		return nil
	}
	next, err := c.peek(1)
	if err == nil && len(next) > 0 && next[0] == '\n' {
		c.pos++
	}
	return err
}

// run keeps what is in the buffer up to a byte that may end the field: within quotes a quote, else a delimiter or the
// end of the line.
func (c *csvItems) run(quoted bool) error {
	text := c.buffer[c.pos:c.end]
	n := -1
	if quoted {
		n = bytes.IndexByte(text, '"')
	} else {
		for i, b := range text {
			if b == c.delimiter || b == '\n' || b == '\r' {
				n = i
				break
			}
		}
	}
	if n < 0 {
		n = len(text)
	}
	start := c.pos
	c.pos += n
	return c.keep(start, c.most)
}
