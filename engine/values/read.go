package values

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/fault"
)

// Reader reads one value from its beginning to its end. Close it. One goroutine uses it.
type Reader struct {
	file vfs.File
	path string
	ref  Ref
	left int64
	sum  uint32
	err  error // what every later Read returns
}

// Open opens a value for reading. It fails with fault.ResourceNotFound when the value is not there, with
// fault.Corrupt when its file has another size than the reference says, and with fault.Unavailable when the
// disk does not answer.
func (s *Store) Open(ref Ref) (*Reader, error) {
	const op = "values.Open"
	if s.closed.Load() {
		return nil, s.errClosed(op)
	}
	path := s.path(ref.ID)
	f, err := s.fs.Open(path)
	if isMissing(err) {
		return nil, fault.New(op, fault.ResourceNotFound, path, "this value is not there: either nothing refers to it any more and it was deleted, or the data directory is not whole and should be restored from a backup")
	}
	if err != nil {
		return nil, fault.New(op, fault.Unavailable, path, "%w", err)
	}
	r := &Reader{file: f, path: path, ref: ref, left: ref.Size}
	if err := r.begin(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return r, nil
}

// begin checks what can be checked without reading.
func (r *Reader) begin() error {
	info, err := r.file.Stat()
	if err != nil {
		return fault.New("values.Open", fault.Unavailable, r.path, "%w", err)
	}
	if info.Size() != r.ref.Size {
		return r.corrupt(fmt.Sprintf("the file has %d bytes where the reference says %d", info.Size(), r.ref.Size))
	}
	if r.left == 0 {
		if err := r.end(); err != io.EOF {
			return err
		}
	}
	return nil
}

// Read implements io.Reader. It gives the last bytes only when all of them have the checksum of the reference: a
// damaged value ends early, with fault.Corrupt. fault.Unavailable: the disk does not answer.
func (r *Reader) Read(p []byte) (int, error) {
	if r.err != nil || len(p) == 0 {
		return 0, r.err
	}
	n, err := r.file.Read(p[:min(int64(len(p)), r.left)])
	r.sum = crc32.Update(r.sum, castagnoli, p[:n])
	r.left -= int64(n)
	switch {
	case r.left == 0:
		if r.err = r.end(); r.err != io.EOF {
			n = 0
		}
	case err == io.EOF:
		r.err = r.corrupt(fmt.Sprintf("the file ends %d bytes early", r.left))
	case err != nil:
		r.err = fault.New("values.Read", fault.Unavailable, r.path, "%w", err)
	}
	return n, r.err
}

// end compares the checksum and returns io.EOF when it is right.
func (r *Reader) end() error {
	if r.sum != r.ref.Sum {
		return r.corrupt(fmt.Sprintf("the content has checksum %08x where the reference says %08x", r.sum, r.ref.Sum))
	}
	r.err = io.EOF
	return io.EOF
}

func (r *Reader) corrupt(what string) error {
	return fault.New("values.Read", fault.Corrupt, r.path, "%s; restore this file from a backup of the data directory, or stop the run that uses it", what)
}

// Close implements io.Closer.
func (r *Reader) Close() error { return r.file.Close() }

// Get returns the whole content of a value of at most limit bytes. It fails as Open and Read do, and with
// fault.LimitExceeded when the value is larger.
func (s *Store) Get(ref Ref, limit int64) ([]byte, error) {
	if ref.Size > limit {
		return nil, fault.New("values.Get", fault.LimitExceeded, ref.ID.String(), "the value has %d bytes, more than the %d that can be taken here", ref.Size, limit)
	}
	r, err := s.Open(ref)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	content := make([]byte, ref.Size)
	if _, err := io.ReadFull(r, content); err != nil {
		return nil, err
	}
	return content, nil
}
