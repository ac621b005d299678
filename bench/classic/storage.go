package classic

import (
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Stats counts the accesses to storage since Open.
type Stats struct {
	Puts, Commits, Removes int64 // one fdatasync each
	Reads                  int64 // of a history, or of waiting messages
	Bytes                  int64 // written
}

// Syncs returns how often something was made durable.
func (s Stats) Syncs() int64 { return s.Puts + s.Commits + s.Removes }

// storage is what all files share.
type storage struct {
	slots chan struct{} // one for each access under way
	delay time.Duration // added to each sync

	puts, commits, removes, reads, bytes atomic.Int64
}

func (s *storage) stats() Stats {
	return Stats{Puts: s.puts.Load(), Commits: s.commits.Load(), Removes: s.removes.Load(), Reads: s.reads.Load(), Bytes: s.bytes.Load()}
}

// fillBytes is how much of a file is filled with zeros at a time: 2 MiB, which a disk takes in a few milliseconds.
const fillBytes = 2 << 20

// file is a queue or a table: records behind each other. Writers write and sync side by side.
type file struct {
	storage *storage
	f       vfs.File

	mu     sync.Mutex
	end    int64 // of the records
	filled int64 // end of the zeros
}

func (s *storage) create(dir, name string) (*file, error) {
	f, err := vfs.Default.Create(filepath.Join(dir, name), vfs.WriteCategoryUnspecified)
	if err != nil {
		return nil, err
	}
	return &file{storage: s, f: f}, nil
}

// write makes a record durable and returns where it lies. kind counts the access.
func (f *file) write(kind *atomic.Int64, record []byte) (offset int64, err error) {
	s := f.storage
	s.slots <- struct{}{}
	defer func() { <-s.slots }()
	offset, err = f.reserve(int64(len(record)))
	if err != nil {
		return 0, err
	}
	if _, err := f.f.WriteAt(record, offset); err != nil {
		return 0, fmt.Errorf("classic: writing a record: %w", err)
	}
	if err := f.f.SyncData(); err != nil {
		return 0, fmt.Errorf("classic: syncing a record: %w", err)
	}
	if s.delay > 0 {
		time.Sleep(s.delay)
	}
	kind.Add(1)
	s.bytes.Add(int64(len(record)))
	return offset, nil
}

// reserve returns where the next n bytes go.
func (f *file) reserve(n int64) (offset int64, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.end+n > f.filled {
		if _, err := f.f.WriteAt(zeros, f.filled); err != nil {
			return 0, fmt.Errorf("classic: filling a file: %w", err)
		}
		if err := f.f.Sync(); err != nil {
			return 0, fmt.Errorf("classic: filling a file: %w", err)
		}
		f.filled += fillBytes
	}
	offset = f.end
	f.end += n
	return offset, nil
}

var zeros = make([]byte, fillBytes)

// read returns n bytes at an offset.
func (f *file) read(offset int64, n int) ([]byte, error) {
	data := make([]byte, n)
	if _, err := f.f.ReadAt(data, offset); err != nil {
		return nil, fmt.Errorf("classic: reading a record: %w", err)
	}
	return data, nil
}
