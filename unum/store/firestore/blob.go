package firestore

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/iterator"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftworks/weft/unum/store/ratchet"
)

const (
	chunkBytes       = 1_000_000 // a document has at most 1 MiB, its name included
	chunksPerRequest = 9         // a request has at most 10 MiB
	namesPerQuery    = 30        // Firestore's bound of "in"
)

// chunk is a part of a blob. The first knows how many there are.
type chunk struct {
	Data    []byte    `firestore:"data"`
	Chunks  int       `firestore:"chunks,omitempty"`
	Expires time.Time `firestore:"expires,omitempty"`
}

// chunkRef returns the document of a part of a blob.
func (s *Store) chunkRef(name string, i int) *firestore.DocumentRef {
	if i == 0 {
		return s.docs.Doc(blobPrefix + id(name))
	}
	return s.docs.Doc(fmt.Sprint(blobPrefix, id(name), separator, i))
}

// PutBlob writes the parts of a blob, the first one last, without which there is none.
func (s *Store) PutBlob(ctx context.Context, name string, data []byte, until int64) error {
	const op = "PutBlob"
	if err := ratchet.CheckBlob(op, name, data); err != nil {
		return err
	}
	parts := slices.Collect(slices.Chunk(data, chunkBytes))
	if len(parts) == 0 {
		parts = [][]byte{nil}
	}
	write := func(first int, page [][]byte) error {
		_, err := s.commit(ctx, func(b *batch) {
			for i, part := range page {
				c := &chunk{Data: part, Expires: expires(until)}
				if first+i == 0 {
					c.Chunks = len(parts)
				}
				b.Set(s.chunkRef(name, first+i), c)
			}
		})
		return err
	}
	head := min(len(parts), chunksPerRequest)
	err := each(parts[head:], chunksPerRequest, func(first int, page [][]byte) error { return write(head+first, page) })
	if err == nil {
		err = write(0, parts[:head])
	}
	if err != nil {
		return failed(ctx, op, name, err)
	}
	return nil
}

// GetBlob reads the parts of a blob.
func (s *Store) GetBlob(ctx context.Context, name string) ([]byte, error) {
	const op = "GetBlob"
	if err := ratchet.CheckKeys(op, name); err != nil {
		return nil, err
	}
	head, err := s.parts(ctx, name, 0, 1)
	if err != nil || head[0].Chunks <= 1 {
		return head[0].Data, s.blobError(ctx, op, name, err)
	}
	n := head[0].Chunks
	rest, err := s.parts(ctx, name, 1, n)
	if err != nil {
		return nil, s.blobError(ctx, op, name, err)
	}
	data := make([]byte, 0, n*chunkBytes)
	for _, c := range append(head, rest...) {
		data = append(data, c.Data...)
	}
	return data, nil
}

// blobError makes a fault of what went wrong with a blob; nil of nil.
func (s *Store) blobError(ctx context.Context, op, name string, err error) error {
	switch {
	case err == nil:
		return nil
	case status.Code(err) == codes.NotFound:
		return ratchet.NoBlob(name)
	}
	return failed(ctx, op, name, err)
}

// parts reads parts of a blob; NotFound if one is not there. There is one for each asked for, whatever happens.
func (s *Store) parts(ctx context.Context, name string, from, to int) ([]chunk, error) {
	parts := make([]chunk, to-from)
	var refs []*firestore.DocumentRef
	for i := from; i < to; i++ {
		refs = append(refs, s.chunkRef(name, i))
	}
	return parts, each(refs, chunksPerRequest, func(first int, page []*firestore.DocumentRef) error {
		snaps, err := s.getAll(ctx, page)
		if err != nil {
			return err
		}
		for i, snap := range snaps {
			if err := snap.DataTo(&parts[first+i]); err != nil { // NotFound if it is not there
				return err
			}
		}
		return nil
	})
}

// DeleteBlobs removes blobs with all their parts, the number of which it reads first.
func (s *Store) DeleteBlobs(ctx context.Context, names []string) error {
	const op = "DeleteBlobs"
	if err := ratchet.CheckKeys(op, names...); err != nil {
		return err
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	return each(names, namesPerQuery, func(_ int, page []string) error {
		refs, err := s.allParts(ctx, page)
		if err == nil {
			err = each(refs, writesPerRequest, func(_ int, refs []*firestore.DocumentRef) error {
				_, err := s.commit(ctx, func(b *batch) {
					for _, ref := range refs {
						b.Delete(ref)
					}
				})
				return err
			})
		}
		if err != nil {
			return failed(ctx, op, page[0], err)
		}
		return nil
	})
}

// allParts returns the documents of those blobs that are there.
func (s *Store) allParts(ctx context.Context, names []string) (refs []*firestore.DocumentRef, err error) {
	heads := make([]*firestore.DocumentRef, len(names))
	for i, name := range names {
		heads[i] = s.chunkRef(name, 0)
	}
	var snaps []*firestore.DocumentSnapshot
	err = retry(ctx, func() error {
		snaps, err = s.docs.Where(firestore.DocumentID, "in", heads).Select("chunks").Documents(ctx).GetAll()
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, snap := range snaps {
		var head chunk
		if err := snap.DataTo(&head); err != nil {
			return nil, err
		}
		for i := range head.Chunks {
			refs = append(refs, s.chunkRef(key(snap.Ref.ID[len(blobPrefix):]), i))
		}
	}
	return refs, nil
}

// Keys calls fn for the keys of records and blobs. A scope without its record, which there should not be, counts as it.
func (s *Store) Keys(ctx context.Context, prefix string, fn func(key string) bool) error {
	seen := make(map[string]bool)
	for _, kind := range []string{recordPrefix, scopePrefix, blobPrefix} {
		from := kind + id(prefix)
		iter := s.docs.Where(firestore.DocumentID, ">=", s.docs.Doc(from)).
			Where(firestore.DocumentID, "<", s.docs.Doc(from+"\U0010ffff")).Select().Documents(ctx)
		on, err := eachKey(iter, func(k string) bool {
			if seen[k] {
				return true
			}
			seen[k] = true
			return fn(k)
		})
		if err != nil {
			return failed(ctx, "Keys", prefix, err)
		}
		if !on {
			return nil
		}
	}
	return nil
}

// eachKey calls fn for the keys of documents until it returns false, which then is the result.
func eachKey(iter *firestore.DocumentIterator, fn func(key string) bool) (on bool, err error) {
	defer iter.Stop()
	for {
		snap, err := iter.Next()
		if errors.Is(err, iterator.Done) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		if !fn(key(snap.Ref.ID[len(recordPrefix):])) {
			return false, nil
		}
	}
}
