package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/weftworks/weft/objectstore"
)

// abortTimeout bounds how long a writer tries to tell the server that an upload is over, which it does even when its own
// context has ended.
const abortTimeout = 30 * time.Second

// Put begins an object. It is sent when a part is full, or at Commit.
func (s *Store) Put(ctx context.Context, name objectstore.Name) (objectstore.Writer, error) {
	if len(name.Key) > objectstore.KeyBytesMax {
		return nil, objectstore.NewError("Put", name, objectstore.KeyTooLong, nil)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return &writer{ctx: ctx, store: s, name: name}, nil
}

// writer writes an object. An upload is begun when the first part is full: what is smaller is put in one piece.
type writer struct {
	ctx    context.Context
	store  *Store
	name   objectstore.Name
	part   []byte
	size   int64
	upload *string // nil: none is begun
	parts  []types.CompletedPart
	ended  bool
}

func (w *writer) Write(p []byte) (written int, err error) {
	if w.ended {
		return 0, w.closed()
	}
	for len(p) > 0 {
		if len(w.part) == w.store.part {
			if err := w.send(); err != nil {
				return written, err
			}
		}
		n := min(len(p), w.store.part-len(w.part))
		w.part = append(w.part, p[:n]...)
		w.size += int64(n)
		written += n
		p = p[n:]
	}
	return written, nil
}

func (w *writer) closed() error {
	return objectstore.NewError("Put", w.name, objectstore.InvalidArgument, fs.ErrClosed)
}

// send uploads the part that has been filled.
func (w *writer) send() error {
	if w.upload == nil {
		out, err := w.store.client.CreateMultipartUpload(w.ctx, &s3.CreateMultipartUploadInput{Bucket: &w.name.Bucket, Key: &w.name.Key})
		if err != nil {
			return failed(w.ctx, "Put", w.name, err)
		}
		w.upload = out.UploadId
	}
	number := aws.Int32(int32(len(w.parts) + 1))
	out, err := w.store.client.UploadPart(w.ctx, &s3.UploadPartInput{
		Bucket: &w.name.Bucket, Key: &w.name.Key, UploadId: w.upload, PartNumber: number, Body: bytes.NewReader(w.part),
	})
	if err != nil {
		return failed(w.ctx, "Put", w.name, fmt.Errorf("part %d: %w", *number, err))
	}
	w.parts = append(w.parts, types.CompletedPart{
		PartNumber: number, ETag: out.ETag, ChecksumCRC32: out.ChecksumCRC32, ChecksumCRC64NVME: out.ChecksumCRC64NVME,
	})
	w.part = w.part[:0]
	return nil
}

// Commit puts what is small at once, and completes an upload.
func (w *writer) Commit() (objectstore.Info, error) {
	if w.ended {
		return objectstore.Info{}, w.closed()
	}
	info := objectstore.Info{Key: w.name.Key, Size: w.size, StorageClass: objectstore.StorageClassStandard}
	if w.upload == nil {
		out, err := w.store.client.PutObject(w.ctx, &s3.PutObjectInput{Bucket: &w.name.Bucket, Key: &w.name.Key, Body: bytes.NewReader(w.part)})
		w.ended, w.part = true, nil
		if err != nil {
			return objectstore.Info{}, failed(w.ctx, "Put", w.name, err)
		}
		info.ETag, info.Version = aws.ToString(out.ETag), aws.ToString(out.VersionId)
		return info, nil
	}
	if err := w.send(); err != nil {
		return objectstore.Info{}, errors.Join(err, w.Abort())
	}
	out, err := w.store.client.CompleteMultipartUpload(w.ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &w.name.Bucket, Key: &w.name.Key, UploadId: w.upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: w.parts},
	})
	if err != nil {
		return objectstore.Info{}, errors.Join(failed(w.ctx, "Put", w.name, err), w.Abort())
	}
	w.ended, w.part = true, nil
	info.ETag, info.Version = aws.ToString(out.ETag), aws.ToString(out.VersionId)
	return info, nil
}

func (w *writer) Abort() error {
	if w.ended {
		return nil
	}
	w.ended, w.part = true, nil
	if w.upload == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTimeout)
	defer cancel()
	_, err := w.store.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &w.name.Bucket, Key: &w.name.Key, UploadId: w.upload})
	if err != nil {
		return failed(ctx, "Put", w.name, err)
	}
	return nil
}
