package partition

import (
	"crypto/sha256"
	"fmt"
)

// BlobID names a blob by its content: the first 16 bytes of its SHA-256. Empty is no blob.
type BlobID string

// BlobOf returns the id of a blob.
func BlobOf(data []byte) BlobID {
	sum := sha256.Sum256(data)
	return BlobID(sum[:16])
}

// String returns the id in hexadecimal.
func (id BlobID) String() string { return fmt.Sprintf("%x", string(id)) }

// blobs are immutable values that instances of a partition share, such as the definition that its runs are
// pinned to. A blob stays while an instance pins it; one that was just brought stays until the first pin.
type blobs struct {
	by      map[BlobID]*blob
	changed map[BlobID]struct{}
}

type blob struct {
	data []byte
	pins int64
}

func (b *blobs) get(id BlobID) []byte {
	if e := b.by[id]; e != nil {
		return e.data
	}
	return nil
}

func (b *blobs) define(data []byte) {
	id := BlobOf(data)
	if b.by[id] != nil {
		return
	}
	b.by[id] = &blob{data: data}
	b.changed[id] = struct{}{}
}

func (b *blobs) pin(id BlobID) {
	if e := b.by[id]; e != nil {
		e.pins++
		b.changed[id] = struct{}{}
	}
}

func (b *blobs) unpin(id BlobID) {
	e := b.by[id]
	if e == nil {
		return
	}
	e.pins--
	if e.pins <= 0 {
		delete(b.by, id)
	}
	b.changed[id] = struct{}{}
}
