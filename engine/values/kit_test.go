package values

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/fault"
)

const testDir = "values"

// epoch is when tests begin whose clock is theirs.
var epoch = time.UnixMilli(1_700_000_000_000)

// seeded is a source of ids that is the same in every run and uses few of the shards, so that some are met again.
type seeded struct {
	mu  sync.Mutex
	src *rand.ChaCha8
}

func newSeeded(seed byte) *seeded { return &seeded{src: rand.NewChaCha8([32]byte{seed})} }

func (s *seeded) Read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.src.Read(p)
	p[len(p)-1] &= 3
	return n, err
}

// open opens a store for a test.
func open(t testing.TB, fs vfs.FS) *Store {
	t.Helper()
	s, err := Open(testDir, &Options{FS: fs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// put stores content for a test.
func put(t testing.TB, s *Store, content []byte) Ref {
	t.Helper()
	ref, err := s.Put(context.Background(), bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// noise returns n bytes that no file has by chance.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), 1}).Read(b)
	return b
}

// all returns the ids of a store.
func all(t testing.TB, s *Store) map[ID]bool {
	t.Helper()
	ids := map[ID]bool{}
	if err := s.Each(func(id ID) error { ids[id] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	return ids
}

// temporaries returns how many Puts have left something.
func temporaries(fs vfs.FS) (n int) {
	names, _ := fs.List(testDir)
	for _, name := range names {
		if strings.HasPrefix(name, tempPrefix) {
			n++
		}
	}
	return n
}

// book is what a test knows of a store: what Put promised, what was given up, and all that was ever tried.
type book struct {
	held  map[ID]Ref
	gone  map[ID]bool
	tried map[string]bool // contents
	text  map[ID]string
}

func newBook() *book {
	return &book{held: map[ID]Ref{}, gone: map[ID]bool{}, tried: map[string]bool{}, text: map[ID]string{}}
}

// clone returns the book as it is now.
func (b *book) clone() *book {
	c := newBook()
	for id, ref := range b.held {
		c.held[id], c.text[id] = ref, b.text[id]
	}
	for id := range b.gone {
		c.gone[id] = true
	}
	for text := range b.tried {
		c.tried[text] = true
	}
	return c
}

func (b *book) put(s *Store, content []byte) (Ref, error) {
	b.tried[string(content)] = true
	ref, err := s.Put(context.Background(), bytes.NewReader(content))
	if err == nil {
		b.held[ref.ID], b.text[ref.ID] = ref, string(content)
	}
	return ref, err
}

func (b *book) delete(s *Store, id ID) error {
	delete(b.held, id)
	b.gone[id] = true // perhaps, and perhaps a crash brings it back
	return s.Delete(id)
}

// check compares a store just opened with the book. What the book does not know is there only as a whole.
func (b *book) check(s *Store) error {
	if n := temporaries(s.fs); n > 0 {
		return fmt.Errorf("%d temporaries are left", n)
	}
	for id, ref := range b.held {
		if content, err := s.Get(ref, 1<<30); err != nil || string(content) != b.text[id] {
			return fmt.Errorf("value %s: %d of %d bytes, %w", id, len(content), ref.Size, err)
		}
	}
	return s.Each(func(id ID) error {
		if _, ok := b.held[id]; ok {
			return nil
		}
		f, err := s.fs.Open(s.path(id))
		if err != nil {
			return err
		}
		content, err := io.ReadAll(f)
		if !b.tried[string(content)] {
			return errors.Join(err, fmt.Errorf("value %s is visible with %d bytes that nobody put", id, len(content)), f.Close())
		}
		return errors.Join(err, f.Close())
	})
}

// tripwire is an errorfs injector: before the k-th operation that changes the file system it calls trip, and from
// then on operations fail with after.
type tripwire struct {
	left  int
	after error
	once  bool // only the k-th fails
	reads bool // count what reads, not what writes
	trip  func()
}

func (w *tripwire) String() string { return "tripwire" }

func (w *tripwire) MaybeError(op errorfs.Op) error {
	if (op.Kind.ReadOrWrite() == errorfs.OpIsRead) != w.reads || op.Kind == errorfs.OpFileClose || op.Kind == errorfs.OpLock {
		return nil
	}
	w.left--
	if w.left == 0 && w.trip != nil {
		w.trip()
	}
	if w.left == 0 || (w.left < 0 && !w.once) {
		return w.after
	}
	return nil
}

// wantKind checks the kind of an error.
func wantKind(t *testing.T, what string, err error, kind fault.Kind) {
	t.Helper()
	if err == nil || !fault.Is(err, kind) {
		t.Errorf("%s: %v, want an error of kind %d", what, err, kind)
	}
}
