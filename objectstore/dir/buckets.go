package dir

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/objectstore"
)

// CreateBucket makes the directory of a bucket, durably.
func (s *Store) CreateBucket(ctx context.Context, bucket string) error {
	const op = "CreateBucket"
	if err := ctx.Err(); err != nil {
		return err
	}
	name := objectstore.Name{Bucket: bucket}
	if !bucketName(bucket) {
		return objectstore.NewError(op, name, objectstore.InvalidBucketName, nil)
	}
	err := s.root.Mkdir(bucket, 0o777)
	if errors.Is(err, fs.ErrExist) {
		return objectstore.NewError(op, name, objectstore.BucketTaken, nil)
	}
	if err == nil {
		err = syncDir(s.root, ".")
	}
	if err != nil {
		return s.failed(op, name, err)
	}
	return nil
}

// HeadBucket returns nil if there is such a bucket, else NoSuchBucket.
func (s *Store) HeadBucket(ctx context.Context, bucket string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := objectstore.Name{Bucket: bucket}
	if !bucketName(bucket) {
		return objectstore.NewError("HeadBucket", name, objectstore.InvalidBucketName, nil)
	}
	if info, err := s.root.Stat(bucket); err != nil || !info.IsDir() {
		return s.failed("HeadBucket", name, fs.ErrNotExist)
	}
	return nil
}

// bucketsMax bounds the buckets of a store that are listed, as an account's are in S3.
const bucketsMax = 10_000

// Buckets returns all buckets in the order of their names.
func (s *Store) Buckets(ctx context.Context) (all []objectstore.BucketInfo, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	d, err := s.root.Open(".")
	if err != nil {
		return nil, s.failed("Buckets", objectstore.Name{}, err)
	}
	defer func() { _ = d.Close() }() // it was only read
	entries, err := d.ReadDir(bucketsMax)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, s.failed("Buckets", objectstore.Name{}, err)
	}
	for _, e := range entries {
		if !bucketName(e.Name()) {
			continue
		}
		if info, err := s.root.Stat(e.Name()); err == nil && info.IsDir() {
			all = append(all, objectstore.BucketInfo{Name: e.Name(), Created: info.ModTime().UTC().Truncate(time.Second)})
		}
	}
	slices.SortFunc(all, func(a, b objectstore.BucketInfo) int { return strings.Compare(a.Name, b.Name) })
	return all, nil
}
