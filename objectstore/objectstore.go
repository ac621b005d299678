// Package objectstore is where a distributed Map reads its items and writes its results: buckets of objects under keys,
// as Amazon S3 has them. Package s3 speaks to S3 and everything compatible with it; package dir is the embedded default,
// a directory of plain files; package s3api answers what is asked of S3 from there. Package objectstoretest is the suite they pass.
//
// Objects are streams: whoever reads or writes one never holds all of it, and neither does a Store.
//
//	o, err := store.Get(ctx, objectstore.Name{Bucket: "shop", Key: "items.jsonl"}, objectstore.GetOptions{Offset: 4096})
//	defer o.Body.Close()
//
//	w, err := store.Put(ctx, objectstore.Name{Bucket: "shop", Key: "result.json"})
//	defer w.Abort() // does nothing after Commit
//	io.Copy(w, results)
//	info, err := w.Commit()
package objectstore

import (
	"context"
	"io"
	"iter"
	"time"
)

// Store is a store of objects. Its methods may be called by many goroutines; the readers and writers that it returns
// belong to one each. Every error is an *Error, but those of the context.
type Store interface {
	// Get opens an object. The Body goes on until the end of the object, or Length bytes, and must be closed. An Offset
	// at or past the end is no error: the Body is empty.
	Get(ctx context.Context, name Name, o GetOptions) (*Object, error)
	// Head returns what Get would, without the bytes.
	Head(ctx context.Context, name Name) (Info, error)
	// Put begins an object. Nobody sees it before Commit, which replaces what stood under the key at once. The context
	// holds until then. Version must be empty.
	Put(ctx context.Context, name Name) (Writer, error)
	// Delete removes an object for good before it returns. That there is none under the key is no error, that there is no
	// bucket is one.
	Delete(ctx context.Context, name Name) error
	// List gives the objects whose keys begin with prefix and come after a key ("": all), in the order of the bytes of
	// the keys. It reads as it is read, a page at a time, so a list of any length takes bounded memory; to go on where
	// one stopped, give the last key seen. An error is the last that comes.
	List(ctx context.Context, bucket, prefix, after string) iter.Seq2[Info, error]
}

// Name names an object.
type Name struct {
	Bucket string
	Key    string // 1 to 1,024 bytes of UTF-8
	// Version is one of a bucket that keeps versions; "": the newest.
	Version string
}

// String returns s3://bucket/key, with ?versionId= where there is one.
func (n Name) String() string {
	s := "s3://" + n.Bucket + "/" + n.Key
	if n.Version != "" {
		s += "?versionId=" + n.Version
	}
	return s
}

// Info is what is known about an object without reading it.
type Info struct {
	Key     string
	Version string // "": the bucket keeps none
	// ETag changes when the object does. It is opaque, and has the quotes that S3 gives it.
	ETag         string
	Size         int64     // bytes
	Modified     time.Time // UTC, whole seconds
	StorageClass string    // "STANDARD" and its like
}

// BucketInfo is what is known about a bucket.
type BucketInfo struct {
	Name string
	// Created is when the bucket was made, or last changed where the store does not know that: UTC, whole seconds.
	Created time.Time
}

// GetOptions say which part of an object to read. The zero value is all of it.
type GetOptions struct {
	Offset int64 // of the first byte
	Length int64 // bytes at most; 0: to the end
	// Match is the ETag that the object must have; "": any. With another one, Get fails with PreconditionFailed: who goes
	// on in the middle of an object does not want the middle of its successor.
	Match string
}

// Object is an object that is being read.
type Object struct {
	Info
	Body io.ReadCloser
}

// Writer is an object that is being written. Either Commit or Abort ends it.
type Writer interface {
	io.Writer
	// Commit makes the object durable and visible.
	Commit() (Info, error)
	// Abort forgets what was written. After Commit it does nothing.
	Abort() error
}

const (
	// KeyBytesMax bounds a key, as in S3.
	KeyBytesMax = 1024
	// StorageClassStandard is the storage class of all objects that were not given another.
	StorageClassStandard = "STANDARD"
)
