// Package objectstoretest is what every object store must do, as a suite of tests.
package objectstoretest

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/objectstore"
)

// Bucket is an empty bucket of a store. Missing is a bucket that the store does not have.
type Bucket struct {
	Store   objectstore.Store
	Name    string
	Missing string
	// PartBytes is a size past which the store writes an object in parts.
	PartBytes int
	// NoParents is set where a key cannot have another as its parent, as files cannot; PathKeys where keys must be what
	// file systems take for clean paths.
	NoParents, PathKeys bool
}

// Run runs the suite, each test in a bucket of its own.
func Run(t *testing.T, open func(t *testing.T) Bucket) {
	for _, test := range []struct {
		name string
		run  func(*testing.T, Bucket)
	}{
		{"RoundTrip", roundTrip},
		{"Ranges", ranges},
		{"Replace", replace},
		{"Delete", remove},
		{"Abort", abort},
		{"Large", large},
		{"List", list},
		{"Keys", keys},
		{"Errors", failures},
		{"Match", match},
		{"Cancelled", cancelled},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, open(t)) })
	}
}

func (b Bucket) object(key string) objectstore.Name {
	return objectstore.Name{Bucket: b.Name, Key: key}
}

func (b Bucket) put(t *testing.T, key, text string) objectstore.Info {
	t.Helper()
	w, err := b.Store.Put(t.Context(), b.object(key))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	info, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func (b Bucket) get(t *testing.T, key string, o objectstore.GetOptions) string {
	t.Helper()
	object, err := b.Store.Get(t.Context(), b.object(key), o)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(object.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := object.Body.Close(); err != nil {
		t.Error(err)
	}
	return string(text)
}

func (b Bucket) list(t *testing.T, prefix, after string) (keys []string) {
	t.Helper()
	for info, err := range b.Store.List(t.Context(), b.Name, prefix, after) {
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, info.Key)
	}
	return keys
}

func etag(text string) string {
	sum := md5.Sum([]byte(text))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func roundTrip(t *testing.T, b Bucket) {
	for _, text := range []string{"", "hello", "two\nlines\x00\xff"} {
		put := b.put(t, "a/key", text)
		if got := b.get(t, "a/key", objectstore.GetOptions{}); got != text {
			t.Errorf("put %q, got %q", text, got)
		}
		head, err := b.Store.Head(t.Context(), b.object("a/key"))
		if err != nil {
			t.Fatal(err)
		}
		if head.ETag != etag(text) || put.ETag != head.ETag {
			t.Errorf("ETag of %q: %s after Put %s, want %s", text, head.ETag, put.ETag, etag(text))
		}
		if head.Size != int64(len(text)) || head.Key != "a/key" || head.StorageClass != objectstore.StorageClassStandard {
			t.Errorf("Head of %q: %+v", text, head)
		}
		if head.Modified.IsZero() || head.Modified.Nanosecond() != 0 {
			t.Errorf("modified %v, want whole seconds", head.Modified)
		}
	}
}

func ranges(t *testing.T, b Bucket) {
	b.put(t, "k", "0123456789")
	for _, c := range []struct {
		offset, length int64
		want           string
	}{
		{0, 0, "0123456789"}, {3, 0, "3456789"}, {3, 4, "3456"}, {9, 1, "9"}, {8, 100, "89"}, {10, 0, ""}, {10, 5, ""}, {99, 0, ""},
	} {
		if got := b.get(t, "k", objectstore.GetOptions{Offset: c.offset, Length: c.length}); got != c.want {
			t.Errorf("%d bytes at %d: %q, want %q", c.length, c.offset, got, c.want)
		}
	}
	b.put(t, "none", "")
	if got := b.get(t, "none", objectstore.GetOptions{Offset: 1}); got != "" {
		t.Errorf("an empty object has %q", got)
	}
}

func replace(t *testing.T, b Bucket) {
	b.put(t, "k", "old")
	w, err := b.Store.Put(t.Context(), b.object("k"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, "new"); err != nil {
		t.Fatal(err)
	}
	if got := b.get(t, "k", objectstore.GetOptions{}); got != "old" {
		t.Errorf("before Commit there is %q", got)
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := w.Abort(); err != nil {
		t.Errorf("Abort after Commit: %v", err)
	}
	if got := b.get(t, "k", objectstore.GetOptions{}); got != "new" {
		t.Errorf("after Commit there is %q", got)
	}
	if _, err := w.Commit(); err == nil {
		t.Error("an object was committed twice")
	}
}

func remove(t *testing.T, b Bucket) {
	for _, key := range []string{"k", "a/b/c", "a/d"} {
		b.put(t, key, key)
	}
	for range 2 { // what is not there is gone
		for _, key := range []string{"a/b/c", "k", "a", "none/below"} {
			if err := b.Store.Delete(t.Context(), b.object(key)); err != nil {
				t.Errorf("delete %q: %v", key, err)
			}
		}
	}
	if diff := cmp.Diff([]string{"a/d"}, b.list(t, "", "")); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
	if _, err := b.Store.Head(t.Context(), b.object("k")); fault.KindOf(err) != fault.ResourceNotFound {
		t.Errorf("head of what was deleted: %v", err)
	}
	b.put(t, "a/b", "a parent that has no children any more")
	b.put(t, "k", "again")
	if got := b.get(t, "a/b", objectstore.GetOptions{}) + b.get(t, "k", objectstore.GetOptions{}); got != "a parent that has no children any moreagain" {
		t.Errorf("put again: %q", got)
	}
	if err := b.Store.Delete(t.Context(), objectstore.Name{Bucket: b.Missing, Key: "k"}); !objectstore.IsCode(err, objectstore.NoSuchBucket) {
		t.Errorf("delete in a missing bucket: %v", err)
	}
}

func abort(t *testing.T, b Bucket) {
	for _, bytes := range []int{3, b.PartBytes + 1} {
		w, err := b.Store.Put(t.Context(), b.object("k"))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(make([]byte, bytes)); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if err := w.Abort(); err != nil {
				t.Error(err)
			}
		}
		if _, err := w.Commit(); err == nil {
			t.Error("an aborted object was committed")
		}
	}
	if keys := b.list(t, "", ""); len(keys) != 0 {
		t.Errorf("what was aborted is there: %q", keys)
	}
}

func large(t *testing.T, b Bucket) {
	size := 2*b.PartBytes + 17
	w, err := b.Store.Put(t.Context(), b.object("large"))
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	for i := 0; want.Len() < size; i++ {
		fmt.Fprintf(&want, "line %d of a large object\n", i)
	}
	for part := range slices.Chunk(want.Bytes(), 100_003) {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
	}
	info, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	head, err := b.Store.Head(t.Context(), b.object("large"))
	if err != nil || head.ETag != info.ETag || head.Size != int64(want.Len()) {
		t.Errorf("Head: %+v, %v; Commit said %+v", head, err, info)
	}
	if got := b.get(t, "large", objectstore.GetOptions{}); got != want.String() {
		t.Errorf("%d bytes came back as %d others", want.Len(), len(got))
	}
}

func list(t *testing.T, b Bucket) {
	all := []string{"a", "a-b", "aa", "b/1", "b/2", "b/2/x", "b0", "c/d/e/f", "c/d/e/g", "é"}
	if b.NoParents {
		all = slices.DeleteFunc(all, func(key string) bool { return key == "b/2/x" })
	}
	for i := len(all); i > 0; i-- {
		b.put(t, all[i-1], all[i-1])
	}
	for _, prefix := range []string{"", "a", "a-", "b", "b/", "b/2", "c/d/e/", "c/d/e/g", "nothing", "é"} {
		for _, after := range append([]string{"", "B", "b/", "b/1z", "c/d", "zz"}, all...) {
			var want []string
			for _, key := range all {
				if strings.HasPrefix(key, prefix) && key > after {
					want = append(want, key)
				}
			}
			if diff := cmp.Diff(want, b.list(t, prefix, after)); diff != "" {
				t.Errorf("prefix %q after %q (-want +got):\n%s", prefix, after, diff)
			}
		}
	}
	for info, err := range b.Store.List(t.Context(), b.Name, "", "") {
		if err != nil {
			t.Fatal(err)
		}
		if info.Key != "a" || info.ETag != etag("a") || info.Size != 1 || info.StorageClass != objectstore.StorageClassStandard || info.Modified.IsZero() {
			t.Errorf("the first is %+v", info)
		}
		break // a listing can be left
	}
}

func keys(t *testing.T, b Bucket) {
	keys := []string{
		"a b", "a+b", "a%2Fb", "100%", "a%", "%", "ü/ñ/日本", "question?&=#", `quote"'`, "tab\there", "..a", "a..", ".hidden", "*", "a:b", "~",
		strings.Repeat("n", 200),
	}
	if !b.PathKeys {
		keys = append(keys, "folder/", "a//b", "/lead", "./x", "../x", "x/../y", "z/..", "z/.", `back\slash`, ".put-x", "y/.put-z",
			strings.Repeat("long", 255), strings.Repeat("ä", 300)+"/"+strings.Repeat(".", 400))
	}
	for _, key := range keys {
		b.put(t, key, key)
	}
	for _, key := range keys {
		if got := b.get(t, key, objectstore.GetOptions{}); got != key {
			t.Errorf("under %q is %q", key, got)
		}
	}
	slices.Sort(keys)
	if diff := cmp.Diff(keys, b.list(t, "", "")); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

func failures(t *testing.T, b Bucket) {
	store := b.Store
	get := func(name objectstore.Name) error {
		_, err := store.Get(t.Context(), name, objectstore.GetOptions{})
		return err
	}
	put := func(name objectstore.Name) error {
		w, err := store.Put(t.Context(), name)
		if err == nil {
			_, err = w.Commit()
		}
		return err
	}
	listed := func(bucket string) (err error) {
		for _, err = range store.List(t.Context(), bucket, "", "") {
			break
		}
		return err
	}
	nowhere := objectstore.Name{Bucket: b.Missing, Key: "k"}
	for _, c := range []struct {
		what string
		err  error
		code objectstore.Code
		kind fault.Kind
	}{
		{"get of a missing key", get(b.object("missing")), objectstore.NoSuchKey, fault.ResourceNotFound},
		{"get from a missing bucket", get(nowhere), objectstore.NoSuchBucket, fault.ResourceNotFound},
		{"put to a missing bucket", put(nowhere), objectstore.NoSuchBucket, fault.ResourceNotFound},
		{"list of a missing bucket", listed(b.Missing), objectstore.NoSuchBucket, fault.ResourceNotFound},
		{"put of a long key", put(b.object(strings.Repeat("k/", 513))), objectstore.KeyTooLong, fault.InvalidArgument},
	} {
		if !objectstore.IsCode(c.err, c.code) || fault.KindOf(c.err) != c.kind {
			t.Errorf("%s: %v, want %s", c.what, c.err, c.code)
		}
	}
	if _, err := store.Head(t.Context(), b.object("missing")); fault.KindOf(err) != fault.ResourceNotFound {
		t.Errorf("head of a missing key: %v", err)
	}
	if err := listed(b.Name); err != nil {
		t.Errorf("list of an empty bucket: %v", err)
	}
}

func match(t *testing.T, b Bucket) {
	first := b.put(t, "k", "first")
	if got := b.get(t, "k", objectstore.GetOptions{Offset: 2, Match: first.ETag}); got != "rst" {
		t.Errorf("got %q", got)
	}
	b.put(t, "k", "other")
	for _, offset := range []int64{0, 2, 5} {
		_, err := b.Store.Get(t.Context(), b.object("k"), objectstore.GetOptions{Offset: offset, Match: first.ETag})
		if !objectstore.IsCode(err, objectstore.PreconditionFailed) {
			t.Errorf("get of what was replaced, from %d: %v", offset, err)
		}
	}
}

func cancelled(t *testing.T, b Bucket) {
	b.put(t, "k", "v")
	ctx, cancel := context.WithCancel(t.Context())
	w, err := b.Store.Put(ctx, b.object("k"))
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := w.Commit(); err == nil {
		t.Error("Commit under a cancelled context")
	}
	if _, err := b.Store.Get(ctx, b.object("k"), objectstore.GetOptions{}); err == nil {
		t.Error("Get under a cancelled context")
	}
	if got := b.get(t, "k", objectstore.GetOptions{}); got != "v" {
		t.Errorf("there is %q", got)
	}
}
