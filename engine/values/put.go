package values

import (
	"context"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/fault"
)

const (
	// bufferBytes is what a Put or a reader of it holds in memory.
	bufferBytes = 64 << 10
	// syncBytes is how much a Put writes before the disk is told to begin with it. One sync of a large value at its
	// end would hold up those of the log beside it for as long as the whole takes.
	syncBytes = 1 << 20
)

var (
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
	buffers    = sync.Pool{New: func() any { return new([bufferBytes]byte) }}
)

// Put stores what r gives until io.EOF as a new value, and returns when it is durable. On an error nothing of it is
// left. An error of r comes back as it is, and so does the cause of ctx's end, which is noticed between two reads;
// more than limits.ValueBytes is fault.LimitExceeded; a disk that is full or broken is fault.Unavailable, and
// other Puts may still succeed.
//
// Put holds 64 KiB of memory, whatever the size. How many run at once is for the caller to bound.
func (s *Store) Put(ctx context.Context, r io.Reader) (Ref, error) {
	ref, err := s.put(ctx, r)
	var theirs passed
	var known *fault.Error
	switch {
	case err == nil:
		return ref, nil
	case errors.As(err, &theirs):
		return Ref{}, theirs.error
	case errors.As(err, &known):
		return Ref{}, err
	}
	return Ref{}, fault.New("values.Put", fault.Unavailable, s.dir, "a large value could not be stored: %w%s", err, hint(err))
}

// passed is an error that is not the store's.
type passed struct{ error }

func (s *Store) put(ctx context.Context, r io.Reader) (Ref, error) {
	if s.closed.Load() {
		return Ref{}, s.errClosed("values.Put")
	}
	var id ID
	if _, err := io.ReadFull(s.rand, id[:]); err != nil {
		return Ref{}, err
	}
	temp := s.fs.PathJoin(s.dir, tempPrefix+id.String())
	f, err := s.fs.Create(temp, category)
	if err != nil {
		return Ref{}, err
	}
	ref, err := s.fill(ctx, f, r)
	if err == nil {
		err = f.SyncData() // and what of the metadata is needed to read it, as its size
	}
	if err = errors.Join(err, f.Close()); err == nil {
		id.setTime(s.now()) // its age begins when nobody works on it any more
		ref.ID, err = id, s.publish(temp, id)
	}
	if err != nil {
		_ = s.fs.Remove(temp) // what stays is removed by the next Open
		return Ref{}, err
	}
	return ref, nil
}

// fill copies r to f and returns a Ref of it, without an id.
func (s *Store) fill(ctx context.Context, f vfs.File, r io.Reader) (Ref, error) {
	buf := buffers.Get().(*[bufferBytes]byte)
	defer buffers.Put(buf)
	var ref Ref
	synced := int64(0)
	for {
		n, end, err := read(ctx, r, buf[:])
		if err != nil {
			return Ref{}, err
		}
		if s.closed.Load() {
			return Ref{}, s.errClosed("values.Put")
		}
		if ref.Size += int64(n); ref.Size > s.max {
			return Ref{}, fault.New("values.Put", fault.LimitExceeded, "", "the value has more than %d bytes, which is the most; keep it elsewhere and pass on where it is", s.max)
		}
		ref.Sum = crc32.Update(ref.Sum, castagnoli, buf[:n])
		if n > 0 {
			if _, err := f.Write(buf[:n]); err != nil {
				return Ref{}, err
			}
		}
		if end {
			return ref, nil
		}
		if ref.Size-synced >= syncBytes {
			if _, err := f.SyncTo(ref.Size); err != nil {
				return Ref{}, err
			}
			synced = ref.Size
		}
	}
}

// read fills buf from r as far as it goes; end says that r is at its end. It is not io.ReadFull, which tells of
// an end in the middle in the words that a reader uses for a connection that broke.
func read(ctx context.Context, r io.Reader, buf []byte) (n int, end bool, err error) {
	for n < len(buf) {
		if ctx.Err() != nil {
			return n, false, passed{context.Cause(ctx)}
		}
		m, err := r.Read(buf[n:])
		n += m
		switch {
		case err == io.EOF:
			return n, true, nil
		case err != nil:
			return n, false, passed{err}
		}
	}
	return n, false, nil
}

// publish gives a synced file the name of a value, durably.
func (s *Store) publish(temp string, id ID) error {
	if err := s.makeShard(id.shard()); err != nil {
		return err
	}
	if err := s.fs.Rename(temp, s.path(id)); err != nil {
		return err
	}
	if err := s.syncDir(s.shardPath(id.shard())); err != nil {
		_ = s.fs.Remove(s.path(id)) // what stays is an orphan
		return err
	}
	return nil
}
