package dir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/objectstore/objectstoretest"
	"pgregory.net/rapid"
)

func open(t *testing.T) (store *Store, root string) {
	t.Helper()
	root = t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "bucket"), 0o777); err != nil {
		t.Fatal(err)
	}
	store, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store, root
}

func TestConformance(t *testing.T) {
	t.Parallel()
	objectstoretest.Run(t, func(t *testing.T) objectstoretest.Bucket {
		t.Parallel()
		store, _ := open(t)
		return objectstoretest.Bucket{Store: store, Name: "bucket", Missing: "missing", PartBytes: hashedBytes, NoParents: true}
	})
}

func TestEscape(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{
		"a/b.csv": "a/b.csv", "..": "%2E.", ".": "%2E", "...": "...", "a//b/": "a/%/b/%", "100%": "100%25", ".put-x": "%2Eput-x", `a\b`: "a%5Cb", "a:b*": "a:b*",
		strings.Repeat("x", 241): strings.Repeat("x", 240) + "%-/x",
	} {
		if got := pathOf(key); got != want {
			t.Errorf("%q has the path %q, want %q", key, got, want)
		}
	}
}

// TestAnyKeyHasOnePath holds that names go nowhere else, fit into a directory, and lead back to their part of the key.
func TestAnyKeyHasOnePath(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.StringOfN(rapid.RuneFrom([]rune(".%-\\\x00aputé日")), 0, -1, 600).Draw(t, "part")
		names := escape(part)
		for _, name := range strings.Split(names, "/") {
			if name == "" || name == "." || name == ".." || len(name) > 255 || strings.ContainsRune(name, 0) || strings.HasPrefix(name, uploading) {
				t.Fatalf("%q has the name %q", part, name)
			}
		}
		if back, more := unescape(names); more || back != part {
			t.Fatalf("%q became %q and that %q", part, names, back)
		}
	})
}

func TestNothingOutsideIsReached(t *testing.T) {
	t.Parallel()
	store, root := open(t)
	outside := t.TempDir()
	err := errors.Join(
		os.WriteFile(filepath.Join(outside, "secret"), []byte("s"), 0o666),
		os.Symlink(outside, filepath.Join(root, "bucket", "link")),
		os.Symlink(filepath.Join(outside, "secret"), filepath.Join(root, "bucket", "file")),
		syscall.Mkfifo(filepath.Join(root, "bucket", "pipe"), 0o666),
		os.WriteFile(filepath.Join(root, "bucket", "lone%"), nil, 0o666),
		os.WriteFile(filepath.Join(root, "bucket", "here"), nil, 0o666),
	)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"link/secret", "file", "../" + filepath.Base(outside), "pipe", "link"} {
		if o, err := store.Get(t.Context(), objectstore.Name{Bucket: "bucket", Key: key}, objectstore.GetOptions{}); err == nil {
			t.Errorf("%s is read: %+v", key, o.Info)
		}
	}
	if w, err := store.Put(t.Context(), objectstore.Name{Bucket: "bucket", Key: "link/new"}); err != nil {
		t.Error(err)
	} else if _, err := w.Commit(); err == nil {
		t.Error("a file was put outside")
	}
	var keys []string
	for info, err := range store.List(t.Context(), "bucket", "", "") {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	if !slices.Equal(keys, []string{"here"}) {
		t.Errorf("the list has %q", keys)
	}
	for _, bucket := range []string{"..", ".", "a/b", "", "...", strings.Repeat("b", 64)} {
		if _, err := store.Head(t.Context(), objectstore.Name{Bucket: bucket, Key: "k"}); !objectstore.IsCode(err, objectstore.InvalidBucketName) {
			t.Errorf("bucket %q: %v", bucket, err)
		}
	}
}

// TestLargeDirectories lists with few names in memory.
func TestLargeDirectories(t *testing.T) {
	t.Parallel()
	store, root := open(t)
	var want []string
	for i := range 40 {
		key := fmt.Sprintf("%d/%d", i%3, i*7%40)
		want = append(want, key)
		name := filepath.Join(root, "bucket", filepath.FromSlash(key))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, nil, 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	slices.Sort(want)
	for _, most := range []int{2, 3, 7} {
		var got []string
		w := &walk{store: store, ctx: t.Context(), bucket: "bucket", most: most, yield: func(info objectstore.Info, err error) bool {
			got = append(got, info.Key)
			return err == nil
		}}
		if err := w.directory(""); err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(got, want) {
			t.Errorf("with %d names at once: %q, want %q", most, got, want)
		}
	}
}

func TestOldUploadsAreSwept(t *testing.T) {
	t.Parallel()
	store, root := open(t)
	for _, key := range []string{"old", "young"} {
		if _, err := store.Put(t.Context(), objectstore.Name{Bucket: "bucket", Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	left := func() []string {
		names, err := filepath.Glob(filepath.Join(root, "bucket", ".put-*"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	if names := left(); len(names) != 2 {
		t.Fatalf("there are %q", names)
	} else if err := os.Chtimes(names[0], time.Time{}, time.Now().Add(-2*uploadAge)); err != nil {
		t.Fatal(err)
	}
	again, err := Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = again.Close() }()
	if names := left(); len(names) != 1 {
		t.Errorf("%q are left", names)
	}
}

func TestETagOfLargeObjects(t *testing.T) {
	t.Parallel()
	store, root := open(t)
	name := filepath.Join(root, "bucket", "large")
	if err := errors.Join(os.WriteFile(name, nil, 0o666), os.Truncate(name, 3*hashedBytes)); err != nil {
		t.Fatal(err)
	}
	tag := func() string {
		info, err := store.Head(t.Context(), objectstore.Name{Bucket: "bucket", Key: "large"})
		if err != nil {
			t.Fatal(err)
		}
		return info.ETag
	}
	first := tag()
	if !strings.HasSuffix(first, `-3"`) || tag() != first {
		t.Errorf("ETags %s and %s", first, tag())
	}
	if err := os.Chtimes(name, time.Time{}, time.Unix(1, 1)); err != nil {
		t.Fatal(err)
	}
	if tag() == first {
		t.Error("another time, and the same ETag")
	}
}
