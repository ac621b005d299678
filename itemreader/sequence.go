package itemreader

import (
	"errors"
	"io"

	"github.com/weftworks/weft/objectstore"
)

// sequence are the items of objects, one after the other.
type sequence struct {
	open    func(name objectstore.Name, at place) (items, error)
	objects objects
	current items // nil: the next object is to be opened
}

// objects are what a sequence goes through.
type objects interface {
	// object returns the next object, or io.EOF.
	object() (objectstore.Name, error)
	// place says, in what is of the outer level, which object was returned last.
	place() place
	close() error
}

// newSequence goes on at a place: in the object in it, if one is open there, else at the next of objects.
func newSequence(in objects, at place, open func(objectstore.Name, place) (items, error)) (items, error) {
	s := &sequence{open: open, objects: in}
	if !at.Open {
		return s, nil
	}
	var err error
	if s.current, err = open(objectstore.Name{Bucket: at.Bucket, Key: at.Key}, at); err != nil {
		return nil, errors.Join(err, in.close())
	}
	return s, nil
}

func (s *sequence) next() (Item, error) {
	for {
		if s.current == nil {
			name, err := s.objects.object()
			if err != nil {
				return Item{}, err
			}
			if s.current, err = s.open(name, place{}); err != nil {
				return Item{}, err
			}
		}
		item, err := s.current.next()
		if !errors.Is(err, io.EOF) {
			return item, err
		}
		_ = s.current.close() // it was only read
		s.current = nil
	}
}

func (s *sequence) place() place {
	outer := s.objects.place()
	if s.current == nil {
		return outer
	}
	p := s.current.place()
	p.File, p.Manifest, p.Bucket, p.Key = outer.File, outer.Manifest, outer.Bucket, outer.Key
	return p
}

func (s *sequence) close() error {
	err := s.objects.close()
	if s.current != nil {
		err = errors.Join(err, s.current.close())
	}
	return err
}
