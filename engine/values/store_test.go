package values

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/weftworks/weft/fault"
)

// TestValues puts and reads values of sizes about those of blocks, buffers and syncs, whatever pieces they come in.
func TestValues(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.NewMem())
	refs := map[Ref][]byte{}
	for i, n := range []int{0, 1, 4095, 4096, bufferBytes - 1, bufferBytes, bufferBytes + 1, syncBytes + bufferBytes, 3*syncBytes + 7} {
		content := noise(uint64(i), n)
		readers := map[string]io.Reader{"whole": bytes.NewReader(content), "data with EOF": iotest.DataErrReader(bytes.NewReader(content))}
		if n <= bufferBytes+1 {
			readers["halves"], readers["bytes"] = iotest.HalfReader(bytes.NewReader(content)), iotest.OneByteReader(bytes.NewReader(content))
		}
		for how, r := range readers {
			ref, err := s.Put(context.Background(), r)
			if err != nil || ref.Size != int64(n) || refs[ref] != nil {
				t.Fatalf("%d bytes, %s: %+v, %v", n, how, ref, err)
			}
			refs[ref] = content
		}
	}
	for ref, content := range refs {
		if got, err := s.Get(ref, ref.Size); err != nil || !bytes.Equal(got, content) {
			t.Errorf("Get of %d bytes: %d bytes, %v", ref.Size, len(got), err)
		}
		r, err := s.Open(ref)
		if err != nil {
			t.Fatal(err)
		}
		if ref.Size < syncBytes {
			err = iotest.TestReader(r, content)
		} else {
			_, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, r, make([]byte, 1000))
		}
		if err = errors.Join(err, r.Close()); err != nil {
			t.Errorf("reading %d bytes: %v", ref.Size, err)
		}
	}
	if ids := all(t, s); len(ids) != len(refs) {
		t.Errorf("%d values are listed, want %d", len(ids), len(refs))
	}
}

func TestDelete(t *testing.T) {
	t.Parallel()
	s := open(t, vfs.NewMem())
	content := noise(1, 100_000)
	ref, other := put(t, s, content), put(t, s, content)
	r, err := s.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Delete(ref.ID); err != nil {
			t.Error(err)
		}
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, content) {
		t.Errorf("a reader from before: %d bytes, %v", len(got), err)
	}
	_ = r.Close()
	_, err = s.Open(ref)
	wantKind(t, "opening what is deleted", err, fault.ResourceNotFound)
	if got, err := s.Get(other, 1<<20); err != nil || !bytes.Equal(got, content) {
		t.Errorf("the other of the same content: %d bytes, %v", len(got), err)
	}
	if ids := all(t, s); len(ids) != 1 || !ids[other.ID] {
		t.Errorf("listed: %v", ids)
	}
	stop := errors.New("stop")
	if err := s.Each(func(ID) error { return stop }); err != stop {
		t.Errorf("Each returns %v", err)
	}
}

func TestLimits(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, fs)
	s.max = 100_000
	ref := put(t, s, noise(1, 100_000))
	r := &counter{r: iotest.OneByteReader(endless{})}
	_, err := s.Put(context.Background(), r)
	wantKind(t, "a value past the limit", err, fault.LimitExceeded)
	if r.n > 100_000+bufferBytes {
		t.Errorf("%d bytes were read of what is too large", r.n)
	}
	_, err = s.Put(context.Background(), bytes.NewReader(noise(1, 100_001)))
	wantKind(t, "a byte past the limit", err, fault.LimitExceeded)
	if temporaries(fs) != 0 || len(all(t, s)) != 1 {
		t.Error("something is left of it")
	}
	_, err = s.Get(ref, 99_999)
	wantKind(t, "Get of more than the caller takes", err, fault.LimitExceeded)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(i)
	}
	return len(p), nil
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += n
	return n, err
}

// TestPutGivesUp ends Puts by their reader, their context and the store's end. Nothing is left of them.
func TestPutGivesUp(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, fs)
	broken := errors.New("the client went away")
	after := func(do func(), then error) io.Reader { // two buffers full, then this
		return io.MultiReader(bytes.NewReader(noise(1, 2*bufferBytes)), readerFunc(func(p []byte) (int, error) { do(); return len(p), then }))
	}
	nothing := func() {}
	for _, err := range []error{broken, io.ErrUnexpectedEOF, syscall.ENOSPC} {
		if _, got := s.Put(context.Background(), after(nothing, err)); got != err {
			t.Errorf("the reader's error %v came back as %v", err, got)
		}
	}
	_, err := s.Put(context.Background(), after(nothing, fault.New("read", fault.InvalidInput, "", "no JSON")))
	wantKind(t, "an error of the reader that has a kind", err, fault.InvalidInput)

	ctx, cancel := context.WithCancelCause(context.Background())
	if _, err := s.Put(ctx, after(func() { cancel(broken) }, nil)); err != broken {
		t.Errorf("the cause of the context's end came back as %v", err)
	}
	if n := temporaries(fs); n != 0 {
		t.Errorf("%d temporaries are left", n)
	}
	_, err = s.Put(context.Background(), after(func() { _ = s.Close() }, nil))
	wantKind(t, "the store closed meanwhile", err, fault.Unavailable)
	if s = open(t, fs); temporaries(fs) != 0 || len(all(t, s)) != 0 {
		t.Error("something is left")
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// TestFullDisk fills the disk under a Put: the error says so, the space comes back, and the store goes on.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	for _, kind := range []errorfs.OpKind{errorfs.OpFileWrite, errorfs.OpFileSyncData, errorfs.OpCreate, errorfs.OpMkdirAll} {
		var full errorfs.Toggle
		full.Injector = errorfs.InjectorFunc(func(op errorfs.Op) error {
			if op.Kind == kind {
				return syscall.ENOSPC
			}
			return nil
		})
		fs := errorfs.Wrap(vfs.NewMem(), &full)
		s := open(t, fs)
		full.On()
		_, err := s.Put(context.Background(), bytes.NewReader(noise(1, 200_000)))
		if !fault.Is(err, fault.Unavailable) || !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "free some space") {
			t.Errorf("operation %d: %v", kind, err)
		}
		full.Off()
		if n := temporaries(fs); n != 0 {
			t.Errorf("operation %d: %d temporaries are left", kind, n)
		}
		put(t, s, noise(2, 200_000))
	}
}

// TestDamage flips every byte of a value, cuts it at every length and appends to it.
func TestDamage(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, fs)
	content := noise(1, 700)
	ref := put(t, s, content)
	check := func(what string, damaged []byte) {
		t.Helper()
		overwrite(t, fs, s.path(ref.ID), damaged)
		got, err := s.Get(ref, 1<<20)
		if got != nil || !fault.Is(err, fault.Corrupt) || !strings.Contains(err.Error(), s.path(ref.ID)) || !strings.Contains(err.Error(), "backup") {
			t.Errorf("%s: %d bytes, %v", what, len(got), err)
		}
	}
	for i := range content {
		damaged := bytes.Clone(content)
		damaged[i] ^= 1 << (i % 8)
		check(fmt.Sprintf("bit flipped at %d", i), damaged)
		check(fmt.Sprintf("cut to %d", i), content[:i])
	}
	check("a byte more", append(bytes.Clone(content), 0))
	overwrite(t, fs, s.path(ref.ID), content)
	if got, err := s.Get(ref, 1<<20); err != nil || !bytes.Equal(got, content) {
		t.Errorf("healed: %d bytes, %v", len(got), err)
	}
	_, err := s.Get(Ref{ID: put(t, s, nil).ID, Sum: 1}, 10)
	wantKind(t, "nothing, with the wrong sum", err, fault.Corrupt)
}

// TestDamageShowsBeforeTheEnd copies a large damaged value: whoever was told a length gets fewer bytes.
func TestDamageShowsBeforeTheEnd(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, fs)
	content := noise(1, 300_000)
	ref := put(t, s, content)
	content[5] ^= 1
	overwrite(t, fs, s.path(ref.ID), content)
	r, err := s.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	wantKind(t, "copying", err, fault.Corrupt)
	if n >= ref.Size {
		t.Errorf("all %d bytes were given", n)
	}
	n2, again := r.Read(make([]byte, 10))
	if n2 != 0 || again != err {
		t.Errorf("reading on: %d, %v", n2, again)
	}
	_ = r.Close()
	if r, err = s.Open(ref); err != nil { // and cut while it is being read
		t.Fatal(err)
	}
	r.left++
	r.ref.Size++
	_, err = io.Copy(io.Discard, r)
	wantKind(t, "a file that ends early", err, fault.Corrupt)
	_ = r.Close()
}

func overwrite(t *testing.T, fs vfs.FS, path string, content []byte) {
	t.Helper()
	f, err := fs.Create(path, category)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(bytes.Clone(content)); err != nil {
		t.Fatal(err)
	}
	_ = f.Close()
}

func TestOpen(t *testing.T) {
	t.Parallel()
	fs := vfs.NewMem()
	s := open(t, fs)
	ref := put(t, s, []byte("kept"))
	_, err := Open(testDir, &Options{FS: fs})
	wantKind(t, "opening twice", err, fault.Unavailable)
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
	_, err = s.Open(ref)
	wantKind(t, "Open when closed", err, fault.Unavailable)
	_, err = s.Put(context.Background(), strings.NewReader("late"))
	wantKind(t, "Put when closed", err, fault.Unavailable)
	wantKind(t, "Delete when closed", s.Delete(ref.ID), fault.Unavailable)
	wantKind(t, "Each when closed", s.Each(func(ID) error { return nil }), fault.Unavailable)

	for _, name := range []string{tempPrefix + "anything", "strangers.txt", "00/strangers.txt", "00/" + ref.ID.String()[:30] + "ff"} {
		_ = fs.MkdirAll(fs.PathJoin(testDir, "00"), 0o777)
		overwrite(t, fs, fs.PathJoin(testDir, name), []byte("torn"))
	}
	s = open(t, fs)
	if ids := all(t, s); len(ids) != 1 || !ids[ref.ID] || temporaries(fs) != 0 {
		t.Errorf("listed: %v, with %d temporaries", ids, temporaries(fs))
	}
	if _, err := fs.Stat(fs.PathJoin(testDir, "strangers.txt")); err != nil {
		t.Errorf("a file that is not ours: %v", err)
	}
}

// TestOnDisk does a little of everything in the machine's files.
func TestOnDisk(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "values")
	for round := range 2 {
		s, err := Open(dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n := len(all(t, s)); n != round {
			t.Errorf("%d values, want %d", n, round)
		}
		content := noise(1, 2*syncBytes)
		ref, gone := put(t, s, content), put(t, s, content)
		if got, err := s.Get(ref, 1<<30); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if age := s.age(ref.ID); age < 0 || age > time.Minute {
			t.Errorf("a value just put is %s old", age)
		}
		if err := errors.Join(s.Delete(gone.ID), s.Close()); err != nil {
			t.Error(err)
		}
	}
}

// TestAge has values of now, of before and of a clock that was ahead.
func TestAge(t *testing.T) {
	t.Parallel()
	now := epoch
	s, err := Open(testDir, &Options{FS: vfs.NewMem(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	ref := put(t, s, []byte("now"))
	future := ref.ID
	future.setTime(now.Add(24 * time.Hour))
	now = now.Add(time.Minute)
	if a := s.age(ref.ID); a != time.Minute {
		t.Errorf("age %s, want a minute", a)
	}
	if a := s.age(future); a != time.Hour+time.Minute {
		t.Errorf("a value of the future has age %s, want that of the store", a)
	}
}

// TestConcurrent puts, reads, deletes and lists at once. It is for the race detector too.
func TestConcurrent(t *testing.T) {
	t.Parallel()
	for name, fs := range map[string]vfs.FS{"memory": vfs.NewMem(), "disk": vfs.Default} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := testDir
			if name == "disk" {
				dir = t.TempDir()
			}
			s, err := Open(dir, &Options{FS: fs})
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			var mu sync.Mutex
			kept := map[ID]bool{}
			var group sync.WaitGroup
			for g := range 8 {
				group.Go(func() {
					for i := range 10 {
						content := noise(uint64(g*100+i), 1+i*20_000)
						ref := put(t, s, content)
						if got, err := s.Get(ref, 1<<30); err != nil || !bytes.Equal(got, content) {
							t.Errorf("%d of %d bytes, %v", len(got), len(content), err)
						}
						if i%2 == 0 {
							if err := s.Delete(ref.ID); err != nil {
								t.Error(err)
							}
							continue
						}
						mu.Lock()
						kept[ref.ID] = true
						mu.Unlock()
					}
				})
			}
			group.Go(func() { all(t, s) })
			group.Wait()
			ids := all(t, s)
			for id := range kept {
				if !ids[id] {
					t.Errorf("%s is not there", id)
				}
			}
			if len(ids) != len(kept) || len(kept) != 40 {
				t.Errorf("%d values are there, %d were kept", len(ids), len(kept))
			}
		})
	}
}

// TestStreaming moves 64 MiB in and out of a file. It is not parallel: what other tests allocate would count.
func TestStreaming(t *testing.T) {
	s, err := Open(filepath.Join(t.TempDir(), "values"), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	put(t, s, noise(1, 10)) // makes what is made once
	const size, allowed = 64 << 20, 1 << 20
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	ref, err := s.Put(context.Background(), io.LimitReader(endless{}, size))
	if err != nil || ref.Size != size {
		t.Fatal(ref, err)
	}
	r, err := s.Open(ref)
	if err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(io.Discard, r)
	if err = errors.Join(err, r.Close()); err != nil || n != size {
		t.Fatal(n, err)
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > allowed {
		t.Errorf("%d bytes were allocated, want %d at most", used, allowed)
	}
}

// TestOperations holds the order of what changes files: what is synced before what is what safety rests on.
func TestOperations(t *testing.T) {
	t.Parallel()
	var r recorder
	fs := errorfs.Wrap(vfs.NewMem(), &r)
	var s *Store
	step := func(what string, do func() error) {
		fmt.Fprintln(&r, what)
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	var ref Ref
	putBytes := func(n int) func() error {
		return func() (err error) {
			ref, err = s.Put(context.Background(), bytes.NewReader(make([]byte, n)))
			return err
		}
	}
	zero := readerFunc(func(p []byte) (int, error) { clear(p); return len(p), nil })
	step("open", func() (err error) {
		s, err = Open(testDir, &Options{FS: fs, Rand: zero, Now: func() time.Time { return time.UnixMilli(1) }})
		return err
	})
	step("put", putBytes(10))
	step("put again, large", putBytes(2*syncBytes+1))
	step("delete", func() error { return s.Delete(ref.ID) })
	const want = `open
mkdir values
sync .
lock values/LOCK
sync values
put
create values/put-00000000000000000000000000000000
write 1 time values/put-00000000000000000000000000000000
syncdata values/put-00000000000000000000000000000000
mkdir values/00
sync values
rename values/put-00000000000000000000000000000000
sync values/00
put again, large
create values/put-00000000000000000000000000000000
write 16 times values/put-00000000000000000000000000000000
syncto values/put-00000000000000000000000000000000
write 16 times values/put-00000000000000000000000000000000
syncto values/put-00000000000000000000000000000000
write 1 time values/put-00000000000000000000000000000000
syncdata values/put-00000000000000000000000000000000
rename values/put-00000000000000000000000000000000
sync values/00
delete
remove values/00/00000000000100000000000000000000
`
	if got := r.String(); got != want {
		t.Errorf("the operations are\n%s", got)
	}
}

// recorder is an errorfs injector that writes down what changes the file system.
type recorder struct {
	strings.Builder
	writes int
}

func (r *recorder) MaybeError(op errorfs.Op) error {
	names := map[errorfs.OpKind]string{
		errorfs.OpCreate: "create", errorfs.OpRemove: "remove", errorfs.OpRename: "rename", errorfs.OpMkdirAll: "mkdir",
		errorfs.OpFileSync: "sync", errorfs.OpFileSyncData: "syncdata", errorfs.OpFileSyncTo: "syncto", errorfs.OpLock: "lock",
	}
	if op.Kind == errorfs.OpFileWrite {
		r.writes++
		return nil
	}
	name, ok := names[op.Kind]
	if !ok {
		return nil
	}
	if r.writes > 0 {
		fmt.Fprintf(r, "write %d time%s %s\n", r.writes, map[bool]string{true: "s"}[r.writes > 1], op.Path)
		r.writes = 0
	}
	fmt.Fprintf(r, "%s %s\n", name, op.Path)
	return nil
}
