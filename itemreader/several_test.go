package itemreader

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/objectstore/dir"
)

// sources returns where the items come from.
func sources(t *testing.T, store objectstore.Store, src Source) (names []string) {
	t.Helper()
	r, err := Open(t.Context(), store, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	for item, err := r.Next(); err == nil; item, err = r.Next() {
		names = append(names, item.Source)
	}
	return names
}

func check(t *testing.T, store objectstore.Store, src Source, want ...string) {
	t.Helper()
	got, err := readAll(t, store, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	resumes(t, store, src, want)
}

func TestList(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	modified := time.Unix(1789180622, 400)
	for _, key := range []string{"in/2", "in/1", "other"} {
		name := filepath.Join(root, "in-box", filepath.FromSlash(key))
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o777), os.WriteFile(name, []byte(key), 0o666), os.Chtimes(name, modified, modified)); err != nil {
			t.Fatal(err)
		}
	}
	store, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	item := func(key, etag string) string {
		return fmt.Sprintf(`{"Etag":"\"%s\"","Key":"%s","LastModified":1.789180622E9,"Size":4,"StorageClass":"STANDARD"}`, etag, key)
	}
	src := Source{List: true, Bucket: "in-box", Prefix: "in/"}
	check(t, store, src, item("in/1", "aec6a69f36164f8579f40dc28f18a3a1"), item("in/2", "01c4b231e49b1954e147e0f1dc08a3b4"))
	if diff := cmp.Diff([]string{"S3://in-box", "S3://in-box"}, sources(t, store, src)); diff != "" {
		t.Error(diff)
	}
	src.Prefix = "nothing"
	check(t, store, src)
	src.Bucket = "missing"
	if _, err := readAll(t, store, src, nil); err == nil || !strings.HasPrefix(err.(*Error).Cause, "The specified bucket does not exist (Service: S3, Status Code: 404") {
		t.Errorf("list of a missing bucket: %v", err)
	}
}

func TestLoadAndFlatten(t *testing.T) {
	t.Parallel()
	store := files(t, map[string]string{
		"d/a.jsonl": "1\n2\n", "d/b.jsonl": "", "d/c/d.jsonl": "3", "d/e.jsonl": zip(t, "4\n5"), "f.jsonl": "6", "d/m/%": "",
	})
	src := Source{List: true, Flatten: true, Bucket: "in-box", Prefix: "d/", Format: JSONL}
	check(t, store, src, "1", "2", "3", "4", "5")
	want := []string{"S3://in-box/d/a.jsonl", "S3://in-box/d/a.jsonl", "S3://in-box/d/c/d.jsonl", "S3://in-box/d/e.jsonl", "S3://in-box/d/e.jsonl"}
	if diff := cmp.Diff(want, sources(t, store, src)); diff != "" {
		t.Error(diff)
	}
	for _, most := range []int64{1, 2, 3} {
		src.MaxItems = most
		check(t, store, src, []string{"1", "2", "3"}[:most]...)
	}
}

func TestLoadAndFlattenNamesTheBadObject(t *testing.T) {
	t.Parallel()
	store := files(t, map[string]string{"a": `[1]`, "b": `[2,]`, "c": `3`})
	src := Source{List: true, Flatten: true, Bucket: "in-box", Format: JSON}
	got, err := readAll(t, store, src, nil)
	var e *Error
	if !errors.As(err, &e) || e.At != "S3://in-box/b" || e.Item != 2 || len(got) != 2 {
		t.Errorf("%q, then %v", got, err)
	}
	src.Prefix = "c"
	if _, err := readAll(t, store, src, nil); !errors.As(err, &e) || e.At != "S3://in-box/c" || e.Cause != errNotIterable.Cause {
		t.Errorf("got %v", err)
	}
}

func TestInventory(t *testing.T) {
	t.Parallel()
	store := files(t, map[string]string{
		"inv/manifest.json": `{"sourceBucket":"x","destinationBucket":"arn:aws:s3:::in-box","version":"2016-11-30","fileFormat":"CSV",
			"fileSchema":"Bucket, Key, Size","files":[{"key":"inv/data/1.csv.gz","size":1,"MD5checksum":"x"},{"key":"inv/data/2.csv.gz"}]}`,
		"inv/data/1.csv.gz": zip(t, "\"x\",\"a%2Fb\",\"7\"\n\"x\",\"c\",\"8\"\n"),
		"inv/data/2.csv.gz": zip(t, "\"x\",\"d\",\"9\"\n"),
		"orc.json":          `{"fileFormat":"ORC","fileSchema":"","destinationBucket":"","files":[]}`,
		"none.json":         `{"fileFormat":"CSV"}`,
	})
	for _, src := range []Source{{Format: Manifest}, {Manifest: S3Inventory}} {
		src.Bucket, src.Key = "in-box", "inv/manifest.json"
		check(t, store, src, `{"Bucket":"x","Key":"a%2Fb","Size":"7"}`, `{"Bucket":"x","Key":"c","Size":"8"}`, `{"Bucket":"x","Key":"d","Size":"9"}`)
	}
	for key, want := range map[string]string{"orc.json": "only CSV is read", "none.json": "The manifest has no fileSchema."} {
		if _, err := readAll(t, store, Source{Bucket: "in-box", Key: key, Format: Manifest}, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

func TestAthenaManifest(t *testing.T) {
	t.Parallel()
	store := files(t, map[string]string{
		"m.csv": "s3://in-box/out/1\r\n\n\"s3://in-box/out/2\"\n", "out/1": zip(t, "1\n2\n"), "out/2": "3\n", "bad.csv": "s3://in-box/out/1\nhttp://x/y\n",
	})
	src := Source{Bucket: "in-box", Key: "m.csv", Manifest: AthenaData, Format: JSONL}
	check(t, store, src, "1", "2", "3")
	src.Key = "bad.csv"
	if got, err := readAll(t, store, src, nil); len(got) != 2 || err == nil || !strings.Contains(err.Error(), "no URI like s3://bucket/key") {
		t.Errorf("%q, then %v", got, err)
	}
}

func TestChangedObject(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	name := filepath.Join(root, "in-box", "k")
	if err := errors.Join(os.Mkdir(filepath.Dir(name), 0o777), os.WriteFile(name, []byte("1\n2\n"), 0o666)); err != nil {
		t.Fatal(err)
	}
	store, err := dir.Open(root)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	src := Source{Bucket: "in-box", Key: "k", Format: JSONL}
	r, err := Open(t.Context(), store, src, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	cursor := r.Cursor()
	if err := errors.Join(r.Close(), os.WriteFile(name, []byte("3\n4\n"), 0o666)); err != nil {
		t.Fatal(err)
	}
	if got, err := readAll(t, store, src, cursor); err == nil || !strings.Contains(err.Error(), "has changed since the Map Run began") {
		t.Errorf("%q, %v", got, err)
	}
}

func TestMissingObject(t *testing.T) {
	t.Parallel()
	_, err := readAll(t, files(t, map[string]string{"k": ""}), Source{Bucket: "in-box", Key: "missing", Format: JSON}, nil)
	var e *Error
	if !errors.As(err, &e) || !strings.HasPrefix(e.Cause, "The specified key does not exist. (Service: S3, Status Code: 404, Request ID: ") {
		t.Errorf("got %v", err)
	}
	if !objectstore.IsCode(err, objectstore.NoSuchKey) {
		t.Errorf("%v does not say which code", err)
	}
}
