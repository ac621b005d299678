package mapreduce

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// run drives the functions in the order the machine does, each mapper and reducer twice, as retries
// would.
func run(t *testing.T, in Input) (*Summary, error) {
	t.Helper()
	ctx := t.Context()
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	name := uuid.NewString()
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Join(base(), name)) })
	plan, err := List(ctx, ListRequest{Run: name, Input: raw})
	if err != nil {
		return nil, err
	}
	var counted []Counted
	for _, b := range plan.Batches {
		req := CountRequest{Run: name, Root: plan.Root, Partitions: plan.Partitions, Batch: b.Batch}
		first, err := Count(ctx, req)
		if err != nil {
			return nil, err
		}
		again, err := Count(ctx, req)
		if err != nil || *again != *first {
			t.Fatalf("Count again = %+v, %v; first %+v", again, err, first)
		}
		counted = append(counted, *first)
	}
	shuffled, err := Shuffle(ctx, ShuffleRequest{Plan: *plan, Mapped: counted})
	if err != nil {
		return nil, err
	}
	var sums []Reduced
	for _, p := range shuffled.Partitions {
		r, err := Reduce(ctx, ReduceRequest{Run: name, Partition: p.Partition})
		if err != nil {
			return nil, err
		}
		sums = append(sums, *r)
	}
	return Summarise(ctx, SummariseRequest{Plan: *plan, Mapped: counted, Reduced: sums})
}

func write(t *testing.T, dir, name, content string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestCountsSmallTree(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a.txt", "to be or not to be")
	write(t, dir, "sub/b.txt", "be_2 größe\nTo")
	write(t, dir, "c.bin", "to be\x00to be")
	write(t, dir, "empty", "")
	if err := os.Symlink("a.txt", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "table.tsv")
	got, err := run(t, Input{Root: dir, Out: out})
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.Fatal(err)
	}
	want := &Summary{
		Root: root, Files: 3, BinaryFiles: 1, Skipped: 1, Bytes: 33, Words: 10, Distinct: 8,
		Mappers: 4, Reducers: 64, Table: out,
		Top: []WordCount{{"be", 2}, {"to", 2}, {"To", 1}, {"be_2", 1}, {"e", 1}, {"gr", 1}, {"not", 1}, {"or", 1}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	table, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if want := "2\tbe\n2\tto\n1\tTo\n1\tbe_2\n1\te\n1\tgr\n1\tnot\n1\tor\n"; string(table) != want {
		t.Errorf("table:\n%s", cmp.Diff(want, string(table)))
	}
}

func TestEmptyTree(t *testing.T) {
	t.Parallel()
	got, err := run(t, Input{Root: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if got.Words != 0 || got.Mappers != 0 || got.Top == nil {
		t.Errorf("summary = %+v", got)
	}
	if table, err := os.ReadFile(got.Table); err != nil || len(table) != 0 {
		t.Errorf("table %q, %v", table, err)
	}
}

// TestTallyDoesNotSeeReads counts the same bytes in every way to cut them into reads.
func TestTallyDoesNotSeeReads(t *testing.T) {
	t.Parallel()
	text := " one two_2, one\x01three\xffone"
	want := map[string]int64{"one": 3, "two_2": 1, "three": 1}
	readers := map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r },
		"bytes":   iotest.OneByteReader,
		"halves":  iotest.HalfReader,
		"eof":     iotest.DataErrReader,
	}
	for name, wrap := range readers {
		for size := 1; size <= len(text); size++ {
			ty := newTally()
			n, words, err := ty.read(wrap(strings.NewReader(text)), make([]byte, size))
			if err != nil || n != int64(len(text)) || words != 5 {
				t.Fatalf("%s, buffer of %d: %d bytes, %d words, %v", name, size, n, words, err)
			}
			got := map[string]int64{}
			for w, i := range ty.index {
				got[w] = ty.counts[i]
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s, buffer of %d (-want +got):\n%s", name, size, diff)
			}
		}
	}
}

func TestWordLimit(t *testing.T) {
	t.Parallel()
	for _, tail := range []string{"", "\n"} {
		ty := newTally()
		r := strings.NewReader("x " + strings.Repeat("a", maxWord) + tail)
		if _, words, err := ty.read(r, make([]byte, readSize)); err != nil || words != 2 {
			t.Errorf("word of the limit: %d words, %v", words, err)
		}
		r = strings.NewReader("x " + strings.Repeat("a", maxWord+1) + tail)
		_, _, err := newTally().read(r, make([]byte, readSize))
		if long := (WordTooLong{}); !errors.As(err, &long) {
			t.Errorf("word past the limit: %v", err)
		}
	}
}

func TestWordTooLongNamesFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "long.txt", strings.Repeat("a", 2*maxWord))
	_, err := run(t, Input{Root: dir})
	if long := (WordTooLong{}); !errors.As(err, &long) || !strings.Contains(err.Error(), "long.txt") {
		t.Errorf("error %v", err)
	}
}

func TestDeal(t *testing.T) {
	t.Parallel()
	var files []file
	for i := range 1000 {
		files = append(files, file{path: fmt.Sprintf("%04d", i), size: int64(i * i % 70_000)})
	}
	dealt := deal(files, 200)
	if len(dealt) != 200 {
		t.Fatalf("%d batches", len(dealt))
	}
	var all []string
	least, most := int64(1<<62), int64(0)
	for i, batch := range dealt {
		var cost int64
		if len(batch) == 0 {
			t.Errorf("batch %d is empty", i)
		}
		for j, f := range batch {
			if j > 0 && batch[j-1].path >= f.path {
				t.Errorf("batch %d is not sorted at %s", i, f.path)
			}
			cost += f.size + fileCost
			all = append(all, f.path)
		}
		least, most = min(least, cost), max(most, cost)
	}
	slices.Sort(all)
	if len(slices.Compact(all)) != len(files) {
		t.Errorf("%d of %d files dealt once", len(slices.Compact(all)), len(files))
	}
	if most > least+70_000+fileCost { // no batch is ahead by more than the largest file
		t.Errorf("batches cost %d to %d", least, most)
	}
	if diff := cmp.Diff(fmt.Sprint(deal(files, 200)), fmt.Sprint(dealt)); diff != "" {
		t.Error("dealing again gives another result")
	}
	if n := len(deal(files[:3], 200)); n != 3 {
		t.Errorf("3 files in %d batches", n)
	}
}

func TestBadInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "file", "x")
	for _, c := range []struct{ name, input, want string }{
		{"no object", `"x"`, "all optional"},
		{"unknown member", `{"roots":"/"}`, `"roots"`},
		{"wrong type", `{"mappers":"many"}`, "mappers"},
		{"relative root", `{"root":"src"}`, "absolute"},
		{"no such root", `{"root":"` + dir + `/none"}`, "no such file"},
		{"root is a file", `{"root":"` + dir + `/file"}`, "not a directory"},
		{"relative out", `{"root":"` + dir + `","out":"t.tsv"}`, "absolute"},
		{"out without directory", `{"root":"` + dir + `","out":"` + dir + `/none/t.tsv"}`, "make it first"},
		{"out is a directory", `{"root":"` + dir + `","out":"` + dir + `"}`, "not a file"},
		{"no mappers", `{"root":"` + dir + `","mappers":0}`, "mappers is 0"},
		{"too many reducers", `{"root":"` + dir + `","reducers":1025}`, "from 1 to 1024"},
		{"negative top", `{"root":"` + dir + `","top":-1}`, "top is -1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := List(t.Context(), ListRequest{Run: "bad-" + uuid.NewString(), Input: json.RawMessage(c.input)})
			if bad := (BadInput{}); !errors.As(err, &bad) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want BadInput with %q", err, c.want)
			}
		})
	}
	for _, name := range []string{"", ".", "..", "../x", `a\b`, "a\x00"} {
		if _, err := Cleanup(t.Context(), CleanupRequest{Run: name}); err == nil {
			t.Errorf("run %q names a directory", name)
		}
	}
}

func TestUnreadable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "gone.txt", "x")
	name := uuid.NewString()
	t.Cleanup(func() { _ = os.RemoveAll(filepath.Join(base(), name)) })
	plan, err := List(t.Context(), ListRequest{Run: name, Input: json.RawMessage(`{"root":"` + dir + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "gone.txt")); err != nil {
		t.Fatal(err)
	}
	_, err = Count(t.Context(), CountRequest{Run: name, Root: plan.Root, Partitions: 1})
	if gone := (Unreadable{}); !errors.As(err, &gone) || !strings.Contains(err.Error(), "gone.txt") {
		t.Errorf("error %v", err)
	}
}

// TestWorkLost damages the work directory between steps.
func TestWorkLost(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, dir, "a", "one two")
	name := uuid.NewString()
	s := store{dir: filepath.Join(base(), name)}
	t.Cleanup(func() { _ = os.RemoveAll(s.dir) })
	ctx := context.Background()
	plan, err := List(ctx, ListRequest{Run: name, Input: json.RawMessage(`{"reducers":2,"root":"` + dir + `"}`)})
	if err != nil {
		t.Fatal(err)
	}
	counted, err := Count(ctx, CountRequest{Run: name, Root: plan.Root, Partitions: 2})
	if err != nil {
		t.Fatal(err)
	}
	shuffle := func() error {
		_, err := Shuffle(ctx, ShuffleRequest{Plan: *plan, Mapped: []Counted{*counted}})
		return err
	}
	whole, err := os.ReadFile(s.file(mapped, 0))
	if err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if err := os.WriteFile(s.file(mapped, 0), whole[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if lost := (WorkLost{}); !errors.As(shuffle(), &lost) {
			t.Fatalf("%d of %d bytes of a mapped file are taken for all", n, len(whole))
		}
	}
	if err := os.WriteFile(s.file(mapped, 0), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := shuffle(); err != nil {
		t.Fatal(err)
	}
	part, err := Reduce(ctx, ReduceRequest{Run: name, Partition: 0})
	if err != nil {
		t.Fatal(err)
	}
	_, err = Summarise(ctx, SummariseRequest{Plan: *plan, Mapped: []Counted{*counted}, Reduced: []Reduced{*part}})
	if lost := (WorkLost{}); !errors.As(err, &lost) {
		t.Errorf("half of the words summarised: %v", err)
	}
	for range 2 {
		if _, err := Cleanup(ctx, CleanupRequest{Run: name}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Count(ctx, CountRequest{Run: name, Root: plan.Root, Partitions: 2}); err == nil {
		t.Error("counted without a batch")
	}
}

func TestWriteFileLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	failure := errors.New("stop")
	err := writeFile(filepath.Join(dir, "f"), func(w *bufio.Writer) error {
		_, _ = w.WriteString("half")
		return failure
	})
	if !errors.Is(err, failure) {
		t.Errorf("error %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("left %v, %v", entries, err)
	}
}

func BenchmarkTally(b *testing.B) {
	text := bytes.Repeat([]byte("func (t *tally) add(word []byte, n int64) {\n"), 20_000)
	buf := make([]byte, readSize)
	t := newTally()
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, _, err := t.read(bytes.NewReader(text), buf); err != nil {
			b.Fatal(err)
		}
	}
}
