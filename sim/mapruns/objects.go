package mapruns

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/weftworks/weft/objectstore"
)

var errOutage = errors.New("the store is away")

// objects is an object store in memory. It survives every crash of the node, and is away when it is told to be.
type objects struct {
	bytes map[objectstore.Name][]byte
	left  int // commits until it is away; negative: it stays
}

func info(name objectstore.Name, data []byte) objectstore.Info {
	h := fnv.New64a()
	_, _ = h.Write(data) // never fails
	return objectstore.Info{Key: name.Key, ETag: fmt.Sprintf(`"%x"`, h.Sum64()), Size: int64(len(data)), StorageClass: objectstore.StorageClassStandard}
}

// Get implements objectstore.Store.
func (s *objects) Get(_ context.Context, name objectstore.Name, o objectstore.GetOptions) (*objectstore.Object, error) {
	data, ok := s.bytes[name]
	if !ok {
		return nil, objectstore.NewError("Get", name, objectstore.NoSuchKey, nil)
	}
	in := info(name, data)
	if o.Match != "" && o.Match != in.ETag {
		return nil, objectstore.NewError("Get", name, objectstore.PreconditionFailed, nil)
	}
	part := data[min(o.Offset, int64(len(data))):]
	if o.Length > 0 {
		part = part[:min(o.Length, int64(len(part)))]
	}
	return &objectstore.Object{Info: in, Body: io.NopCloser(bytes.NewReader(part))}, nil
}

// Head implements objectstore.Store.
func (s *objects) Head(_ context.Context, name objectstore.Name) (objectstore.Info, error) {
	data, ok := s.bytes[name]
	if !ok {
		return objectstore.Info{}, objectstore.NewError("Head", name, objectstore.NoSuchKey, nil)
	}
	return info(name, data), nil
}

// Put implements objectstore.Store.
func (s *objects) Put(_ context.Context, name objectstore.Name) (objectstore.Writer, error) {
	return &object{store: s, name: name}, nil
}

// List implements objectstore.Store.
func (s *objects) List(_ context.Context, bucket, prefix, after string) iter.Seq2[objectstore.Info, error] {
	var names []objectstore.Name
	for name := range s.bytes {
		if name.Bucket == bucket && strings.HasPrefix(name.Key, prefix) && name.Key > after {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b objectstore.Name) int { return strings.Compare(a.Key, b.Key) })
	return func(yield func(objectstore.Info, error) bool) {
		for _, name := range names {
			if !yield(info(name, s.bytes[name]), nil) {
				return
			}
		}
	}
}

// object is one that is being written.
type object struct {
	bytes.Buffer
	store *objects
	name  objectstore.Name
}

// Commit implements objectstore.Writer.
func (o *object) Commit() (objectstore.Info, error) {
	if o.store.left == 0 {
		return objectstore.Info{}, errOutage
	}
	o.store.left--
	data := slices.Clone(o.Bytes())
	o.store.bytes[o.name] = data
	return info(o.name, data), nil
}

// Abort implements objectstore.Writer.
func (o *object) Abort() error { return nil }

// Delete implements objectstore.Store.
func (s *objects) Delete(_ context.Context, name objectstore.Name) error {
	delete(s.bytes, name)
	return nil
}
