package itemreader

import (
	"context"
	"errors"
	"fmt"

	"github.com/weftworks/weft/objectstore"
)

// opener makes the items of a source.
type opener struct {
	ctx   context.Context
	store objectstore.Store
	src   Source
}

// open opens the source at a place.
func (o *opener) open(at place) (items, error) {
	switch {
	case o.src.List && o.src.Flatten:
		return newSequence(newList(o, at), at, o.file)
	case o.src.List:
		return newList(o, at), nil
	case o.src.Manifest == AthenaData:
		return o.athena(at)
	case o.src.Manifest == S3Inventory || o.src.Format == Manifest:
		return o.inventory(at)
	}
	return o.file(o.named(), at)
}

// named names the object that the source names.
func (o *opener) named() objectstore.Name {
	return objectstore.Name{Bucket: o.src.Bucket, Key: o.src.Key, Version: o.src.Version}
}

// file opens one object that has items.
func (o *opener) file(name objectstore.Name, at place) (items, error) {
	var in items
	var err error
	if o.src.Format == Parquet {
		in, err = o.parquet(name, at)
	} else {
		in, err = o.textFile(name, at)
	}
	var e *Error
	if errors.As(err, &e) {
		return nil, &Error{Cause: e.Cause, At: uri(name.Bucket, name.Key), Err: e.Err}
	}
	return in, err
}

func (o *opener) textFile(name objectstore.Name, at place) (items, error) {
	s, err := openStream(o.ctx, o.store, name, at)
	if err != nil {
		return nil, err
	}
	in, err := o.text(s, name, at)
	if err != nil {
		_ = s.close() // it was only read
		return nil, err
	}
	return in, nil
}

// text reads a stream in the source's format.
func (o *opener) text(s *stream, name objectstore.Name, at place) (items, error) {
	source := uri(name.Bucket, name.Key)
	switch o.src.Format {
	case JSON:
		return openJSON(s, source, o.src.Pointer, o.src.ItemBytes, at)
	case JSONL:
		return &jsonLines{stream: s, source: source, most: o.src.ItemBytes}, nil
	case CSV:
		return o.csv(s, name, at)
	}
	return nil, &Error{Cause: fmt.Sprintf("There is no InputType %q.", o.src.Format)}
}
