package pebble

import "github.com/cockroachdb/pebble/v2"

// iterator walks over a view of the database.
type iterator struct {
	s       *Store
	it      *pebble.Iterator // nil: it could not be opened
	reverse bool
	begun   bool
	value   []byte
	err     error
}

// Next implements store.Iterator.
func (i *iterator) Next() bool {
	if i.it == nil || i.err != nil || !i.move() {
		return false
	}
	v, err := i.it.ValueAndErr()
	if err != nil {
		i.err = i.s.fault("store.Iterate", err)
		return false
	}
	i.value = v
	return true
}

// move goes to the next key in the iterator's direction.
func (i *iterator) move() bool {
	first := !i.begun
	i.begun = true
	switch {
	case first && i.reverse:
		return i.it.Last()
	case first:
		return i.it.First()
	case i.reverse:
		return i.it.Prev()
	}
	return i.it.Next()
}

// Key implements store.Iterator.
func (i *iterator) Key() []byte { return i.it.Key() }

// Value implements store.Iterator.
func (i *iterator) Value() []byte { return i.value }

// Err implements store.Iterator.
func (i *iterator) Err() error {
	if i.err == nil && i.it != nil && i.it.Error() != nil {
		i.err = i.s.fault("store.Iterate", i.it.Error())
	}
	return i.err
}

// Close implements store.Iterator.
func (i *iterator) Close() error {
	if i.it == nil {
		return nil
	}
	err := i.it.Close()
	i.it = nil
	if err != nil {
		return i.s.fault("store.Iterate", err)
	}
	return nil
}
