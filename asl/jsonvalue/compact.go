package jsonvalue

import (
	"unsafe"

	"github.com/weftworks/weft/limits"
)

// Check returns nil when text is one valid JSON text, and a *SyntaxError otherwise. It builds nothing.
func Check(text []byte) error {
	c := newCompactor(nil, text)
	if err := c.run(); err != nil {
		return err
	}
	return nil
}

// Compact checks text and appends it to dst without the space between tokens; digits, escapes and keys
// stay as they are. A text that is compact already is returned itself and dst is not used, so a value
// that passes through costs no copy.
func Compact(dst, text []byte) ([]byte, error) {
	c := newCompactor(dst, text)
	if err := c.run(); err != nil {
		return nil, err
	}
	if !c.cut {
		return text, nil
	}
	return append(c.out, text[c.from:]...), nil
}

// compactor walks a text without recursion, so its only memory is one bit for each open container.
type compactor struct {
	scanner
	out     []byte
	from    int  // what stands before it is in out
	cut     bool // some space has been left out
	depth   int
	objects [limits.JSONDepth/64 + 1]uint64 // bit d: the container at depth d is an object
}

// newCompactor looks at text through a string that shares its memory; the string dies with the call, and
// errors clone what they quote.
func newCompactor(dst, text []byte) *compactor {
	return &compactor{scanner: scanner{s: unsafe.String(unsafe.SliceData(text), len(text))}, out: dst}
}

// skip leaves out the space at sc.i.
func (c *compactor) skip() {
	if c.peek() > ' ' {
		return
	}
	at := c.i
	c.space()
	if c.i > at {
		c.out = append(c.out, c.s[c.from:at]...)
		c.from, c.cut = c.i, true
	}
}

func (c *compactor) run() *SyntaxError {
	for {
		c.skip()
		opened, err := c.one()
		for !opened && err == nil {
			if c.skip(); c.depth == 0 {
				return c.end()
			}
			var more bool
			if more, err = c.more(c.closing()); !more {
				c.depth--
				continue
			}
			err = c.next()
			break
		}
		if err != nil {
			return err
		}
	}
}

// one reads a scalar or an empty container, or enters a container up to its first value.
func (c *compactor) one() (opened bool, err *SyntaxError) {
	switch c.peek() {
	case '{', '[':
		return c.enter(c.peek() == '{')
	case '"':
		_, _, err = c.raw()
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		_, err = c.number()
	default:
		_, err = c.word()
	}
	return false, err
}

func (c *compactor) enter(object bool) (opened bool, err *SyntaxError) {
	if c.depth >= limits.JSONDepth {
		return false, c.fail(c.i, "nested more than %d deep; flatten the value", limits.JSONDepth)
	}
	word, bit := c.depth/64, uint64(1)<<(c.depth%64)
	c.objects[word] &^= bit
	if object {
		c.objects[word] |= bit
	}
	c.depth++
	c.i++
	if c.skip(); c.peek() == c.closing() {
		c.i++
		c.depth--
		return false, nil
	}
	return true, c.next()
}

// next goes to the value of the next element: past the key when the container is an object.
func (c *compactor) next() *SyntaxError {
	if c.closing() == ']' {
		return nil
	}
	if c.skip(); c.peek() != '"' {
		return c.expected(atKey)
	}
	if _, _, err := c.raw(); err != nil {
		return err
	}
	if c.skip(); c.peek() != ':' {
		return c.expected(atColon)
	}
	c.i++
	return nil
}

func (c *compactor) closing() byte {
	d := c.depth - 1
	if c.objects[d/64]>>(d%64)&1 == 1 {
		return '}'
	}
	return ']'
}
