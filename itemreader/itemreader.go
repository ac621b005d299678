// Package itemreader reads the items of a distributed Map, one at a time: what an ItemReader names in an object store,
// a list of objects or the contents of one in any format that Step Functions takes.
//
//	r, err := itemreader.Open(ctx, store, itemreader.Source{Bucket: "in", Key: "orders.jsonl", Format: itemreader.JSONL}, nil)
//	defer r.Close()
//	for {
//		item, err := r.Next()
//		if err == io.EOF {
//			break
//		}
//		...             // item.Value is one JSON text
//		at := r.Cursor() // where another Reader goes on, after a crash
//	}
//
// A Reader holds one item and a buffer, however many items there are, and a Cursor is some hundred bytes. Who goes on at a
// Cursor gets the items behind it, the same as if nothing had happened: a Cursor names the version (ETag) of the object that
// it is in, and if that has changed, going on is an error.
package itemreader

import (
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/objectstore"
)

// Format is an InputType.
type Format string

// The formats.
const (
	JSON     Format = "JSON"  // an array, or an object whose members are the items
	JSONL    Format = "JSONL" // an item a line
	CSV      Format = "CSV"
	Parquet  Format = "PARQUET"
	Manifest Format = "MANIFEST" // an S3 inventory
)

// ManifestType says who wrote a manifest.
type ManifestType string

// The manifests.
const (
	S3Inventory ManifestType = "S3_INVENTORY" // the items are lines of an inventory, in CSV
	AthenaData  ManifestType = "ATHENA_DATA"  // the items are in files that a query or UNLOAD has written
)

// HeaderLocation says where the names of the columns of a CSV are.
type HeaderLocation string

// The locations.
const (
	FirstRow HeaderLocation = "FIRST_ROW"
	Given    HeaderLocation = "GIVEN"
)

// Delimiter is a CSVDelimiter.
type Delimiter string

// The delimiters.
const (
	Comma     Delimiter = "COMMA"
	Pipe      Delimiter = "PIPE"
	Semicolon Delimiter = "SEMICOLON"
	Space     Delimiter = "SPACE"
	Tab       Delimiter = "TAB"
)

// Source is a resolved ItemReader: what to read and how. What Step Functions checks when a machine is made is taken to be
// right.
type Source struct {
	// List is set for s3:listObjectsV2: the items are the objects of Bucket below Prefix. Otherwise Key is read.
	List    bool
	Bucket  string
	Prefix  string // with List
	Key     string // without
	Version string // without; "": the newest

	// Flatten is the Transformation LOAD_AND_FLATTEN, with List: the items are those in the objects, each of which has
	// this Format.
	Flatten bool
	// Format is the InputType. With Manifest AthenaData it is that of the objects in the manifest.
	Format Format
	// Manifest says that Key is a manifest, and whose; "": it is none, unless Format is Manifest, which is S3Inventory.
	Manifest ManifestType

	Headers      HeaderLocation // of CSV; "": FirstRow
	GivenHeaders []string       // with Given
	Delimiter    Delimiter      // "": Comma
	// Pointer is the JSON Pointer (RFC 6901) of the array or object in a JSON that has the items; "": the whole.
	Pointer string

	// MaxItems bounds the items; 0: limits.MapItems. A negative one is an error of the reader's, as in Step Functions.
	MaxItems int64
	// ItemBytes bounds one item, as JSON text; 0: limits.Default.PayloadBytes.
	ItemBytes int
}

// Item is one item. It is valid until the next call of Next.
type Item struct {
	// Value is a JSON text without white space between tokens.
	Value []byte
	// Key is the name of the member, as JSON text, for an item of an object; nil for others.
	Key []byte
	// Source is where it comes from, as $$.Map.Item.Source shows it: S3://bucket/key, or S3://bucket for a list.
	Source string
}

// AppendInput appends what a child gets as its input unless an ItemSelector says otherwise: the value, or {"Key":...,
// "Value":...} of a member of an object.
func (i Item) AppendInput(dst []byte) []byte {
	if i.Key == nil {
		return append(dst, i.Value...)
	}
	dst = append(append(dst, `{"Key":`...), i.Key...)
	dst = append(append(dst, `,"Value":`...), i.Value...)
	return append(dst, '}')
}

// Reader reads items. It belongs to one goroutine.
type Reader struct {
	src    Source
	items  items
	given  int64
	failed error // what Next goes on to answer
}

// items is where items come from: one object in a format, a list, objects one after the other.
type items interface {
	// next returns the next item, or io.EOF.
	next() (Item, error)
	// place says where the next item is.
	place() place
	close() error
}

// Open begins to read, at a Cursor or (nil) at the first item. The context is that of all reading. Errors are *Error, or
// the context's.
func Open(ctx context.Context, store objectstore.Store, src Source, cursor []byte) (*Reader, error) {
	if src.MaxItems < 0 {
		return nil, &Error{Cause: "field MaxItems must be positive"}
	}
	if src.MaxItems == 0 {
		src.MaxItems = limits.MapItems
	}
	if src.ItemBytes == 0 {
		src.ItemBytes = limits.Default.PayloadBytes
	}
	given, at, err := parseCursor(cursor)
	if err != nil {
		return nil, err
	}
	r := &Reader{src: src, given: given}
	o := &opener{ctx: ctx, store: store, src: src}
	if r.items, err = o.open(at); err != nil {
		return nil, wrap(err)
	}
	return r, nil
}

// Next returns the next item, or io.EOF behind the last. Errors are *Error or the context's, and stay.
func (r *Reader) Next() (Item, error) {
	if r.failed != nil {
		return Item{}, r.failed
	}
	if r.given >= r.src.MaxItems {
		r.failed = io.EOF
		return Item{}, io.EOF
	}
	item, err := r.items.next()
	if err == nil && len(item.Value)+len(item.Key) > r.src.ItemBytes {
		err = errLarge
	}
	if err != nil {
		r.failed = r.explain(err)
		return Item{}, r.failed
	}
	r.given++
	return item, nil
}

// explain says of an error which item it is about.
func (r *Reader) explain(err error) error {
	if errors.Is(err, errLarge) {
		err = &Error{Cause: "The item has more than " + strconv.Itoa(r.src.ItemBytes) + " bytes.", Err: errLarge}
	}
	var e *Error
	if !errors.As(err, &e) || e.At != "" {
		return wrap(err)
	}
	p := r.items.place()
	return &Error{Cause: e.Cause, At: p.name(r.src), Item: r.given, Offset: p.Offset, Err: e.Err}
}

// Given returns how many items there have been, those before the Cursor included.
func (r *Reader) Given() int64 { return r.given }

// Cursor returns where the next item is, to be kept.
func (r *Reader) Cursor() []byte { return appendCursor(nil, r.given, r.items.place()) }

// Close ends reading.
func (r *Reader) Close() error { return r.items.close() }

// uri returns an object's name as Step Functions shows it.
func uri(bucket, key string) string {
	if key == "" {
		return "S3://" + bucket
	}
	return "S3://" + bucket + "/" + key
}
