package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/ratchet"
)

func create(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	key := fresh()
	l.there(ctx, s, key, "before", nil)
	first := &unum.Record{Nonce: "n1", Step: 1, Value: []byte("first"), Expires: later()}
	if err := must(ctx, s, key, first); err != nil {
		return err
	}
	l.there(ctx, s, key, "after Create", first)
	cur, created, err := s.Create(ctx, key, &unum.Record{Nonce: "n2", Step: 2, Value: []byte("second")})
	if created || err != nil {
		l.addf("the second Create: created %v, %v", created, err)
	}
	l.same("what the second Create found", first, cur)
	l.there(ctx, s, key, "after the second Create", first)
	l.there(ctx, s, key+"x", "a longer key", nil)
	l.there(ctx, s, key[:len(key)-1], "a shorter key", nil)
	return l.err()
}

// later is a time to live that does not end during a test.
func later() int64 { return time.Now().Add(24 * time.Hour).Unix() }

func fields(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	run := fresh()
	for i, rec := range []*unum.Record{
		{},
		{Nonce: "n"},
		{Nonce: "n", Step: 1 << 60, Value: all, Width: 1 << 40, Members: []string{"0", "1", "10", "fn-1.2"}, Failed: "10", Ended: true, Expires: later()},
		{Value: []byte{}, Members: []string{"~"}},
		{Value: []byte(`{"json":"\u00e9\ud83d\ude00"}`), Failed: "x"},
		{Step: -1, Ended: true, Value: []byte{0}},
	} {
		key := fmt.Sprintf("%s/%d", run, i)
		if err := must(ctx, s, key, rec); err != nil {
			l.addf("record %d: %w", i, err)
			continue
		}
		l.there(ctx, s, key, fmt.Sprintf("record %d", i), rec)
		cur, created, err := s.Create(ctx, key, rec)
		if created || err != nil {
			l.addf("record %d again: %v, %v", i, created, err)
		}
		l.same(fmt.Sprintf("record %d as a loser sees it", i), rec, cur)
	}
	return l.err()
}

func advance(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	key := fresh()
	next := &unum.Record{Nonce: "n", Step: 2, Value: []byte("next"), Width: 3, Expires: later()}
	refused := func(what, nonce string, from int64, want *unum.Record) {
		cur, advanced, err := s.Advance(ctx, key, nonce, from, next)
		if advanced || err != nil {
			l.addf("%s: advanced %v, %v", what, advanced, err)
		}
		l.same(what+": what it found", want, cur)
		l.there(ctx, s, key, what+": what is there", want)
	}
	refused("nothing there", "n", 1, nil)
	first := &unum.Record{Nonce: "n", Step: 1, Value: []byte("first"), Width: 2, Members: []string{"0", "1"}, Failed: "1", Expires: later()}
	if err := must(ctx, s, key, first); err != nil {
		return err
	}
	refused("another nonce", "m", 1, first)
	refused("a step behind", "n", 0, first)
	refused("a step ahead", "n", 2, first)
	if _, advanced, err := s.Advance(ctx, key, "n", 1, next); !advanced || err != nil {
		l.addf("Advance: advanced %v, %v", advanced, err)
	}
	l.there(ctx, s, key, "after Advance", next)
	refused("the same again", "n", 1, next)
	ended := &unum.Record{Nonce: "n", Step: 7, Value: []byte("end"), Ended: true}
	if _, advanced, err := s.Advance(ctx, key, "n", 2, ended); !advanced || err != nil {
		l.addf("Advance to the end: advanced %v, %v", advanced, err)
	}
	refused("after the end", "n", 7, ended)
	return errors.Join(l.err(), advanceInPlace(ctx, s))
}

// advanceInPlace holds that the record that is put decides: its step and nonce may be any.
func advanceInPlace(ctx context.Context, s unum.Store) error {
	var l list
	key := fresh()
	rec := &unum.Record{Nonce: "a", Step: 1, Value: []byte("1")}
	if err := must(ctx, s, key, rec); err != nil {
		return err
	}
	for _, next := range []*unum.Record{{Nonce: "a", Step: 1, Value: []byte("same step")}, {Nonce: "b", Step: 0}, {Nonce: "b", Step: 5, Members: []string{"m"}}} {
		if _, advanced, err := s.Advance(ctx, key, rec.Nonce, rec.Step, next); !advanced || err != nil {
			l.addf("to %+v: advanced %v, %v", next, advanced, err)
		}
		l.there(ctx, s, key, "after", next)
		rec = next
	}
	return l.err()
}

func add(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	key := fresh()
	refused := func(what, nonce string, step int64, want *unum.Record) {
		cur, added, err := s.Add(ctx, key, nonce, step, "late", true)
		if added || err != nil {
			l.addf("%s: added %v, %v", what, added, err)
		}
		l.same(what+": what it found", want, cur)
		l.there(ctx, s, key, what+": what is there", want)
	}
	refused("nothing there", "n", 1, nil)
	want := &unum.Record{Nonce: "n", Step: 1, Value: []byte("fork"), Width: 3, Expires: later()}
	if err := must(ctx, s, key, want); err != nil {
		return err
	}
	refused("another nonce", "m", 1, want)
	refused("a step behind", "n", 0, want)
	refused("a step ahead", "n", 2, want)
	for _, step := range []struct {
		member  string
		failed  bool
		members []string
		first   string
	}{
		{"2", false, []string{"2"}, ""},
		{"10", false, []string{"10", "2"}, ""},
		{"2", false, []string{"10", "2"}, ""},
		{"0", true, []string{"0", "10", "2"}, "0"},
		{"10", true, []string{"0", "10", "2"}, "0"},
		{"a-1.2", false, []string{"0", "10", "2", "a-1.2"}, "0"},
	} {
		want.Members, want.Failed = step.members, step.first
		cur, added, err := s.Add(ctx, key, "n", 1, step.member, step.failed)
		if !added || err != nil {
			l.addf("Add of %s: added %v, %v", step.member, added, err)
		}
		l.same("Add of "+step.member, want, cur)
		l.there(ctx, s, key, "after Add of "+step.member, want)
	}
	ended := &unum.Record{Nonce: "n", Step: 1, Ended: true}
	if _, advanced, err := s.Advance(ctx, key, "n", 1, ended); !advanced || err != nil {
		l.addf("Advance: %v, %v", advanced, err)
	}
	refused("after the end", "n", 1, ended)
	return errors.Join(l.err(), addLateFailure(ctx, s))
}

// addLateFailure holds that a member that is there already can still be the one that failed.
func addLateFailure(ctx context.Context, s unum.Store) error {
	var l list
	key := fresh()
	want := &unum.Record{Nonce: "n", Members: []string{"0"}, Failed: "0"}
	if err := must(ctx, s, key, &unum.Record{Nonce: "n", Members: []string{"0"}}); err != nil {
		return err
	}
	cur, added, err := s.Add(ctx, key, "n", 0, "0", true)
	if !added || err != nil {
		l.addf("Add: added %v, %v", added, err)
	}
	l.same("a member that failed after all", want, cur)
	return l.err()
}

func remove(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	key := fresh()
	if err := s.Delete(ctx, nil); err != nil {
		l.addf("of no keys: %w", err)
	}
	if err := s.Delete(ctx, []string{key}); err != nil {
		l.addf("of nothing: %w", err)
	}
	if err := errors.Join(must(ctx, s, key, &unum.Record{Nonce: "1"}), must(ctx, s, key+"/1.0", &unum.Record{Nonce: "2"})); err != nil {
		return err
	}
	if err := s.Delete(ctx, []string{key, key + "/absent", key}); err != nil {
		l.addf("%w", err)
	}
	l.there(ctx, s, key, "after Delete", nil)
	l.there(ctx, s, key+"/1.0", "what is below", &unum.Record{Nonce: "2"})
	again := &unum.Record{Nonce: "3", Value: []byte("again")}
	if err := must(ctx, s, key, again); err != nil {
		l.addf("after Delete: %w", err)
	}
	l.there(ctx, s, key, "made again", again)
	return l.err()
}

// many is more keys than services take in a request.
const many = 230

func manyKeys(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	if recs, err := s.Get(ctx, nil); err != nil || len(recs) != 0 {
		l.addf("Get of no keys: %d records, %v", len(recs), err)
	}
	run := fresh()
	var keys []string
	var want []*unum.Record
	for i := range many {
		keys = append(keys, fmt.Sprintf("%s/1.%d", run, i))
		want = append(want, nil)
		if i%3 != 0 {
			want[i] = &unum.Record{Nonce: "n", Step: int64(i), Value: bytes.Repeat([]byte{byte(i)}, i*10)}
		}
	}
	err := atOnce(many, func(i int) error {
		if want[i] == nil {
			return nil
		}
		return must(ctx, s, keys[i], want[i])
	})
	if err != nil {
		return err
	}
	keys, want = append(keys, keys[1], keys[0]), append(want, want[1], want[0]) // twice
	got, err := s.Get(ctx, keys)
	if err != nil {
		return err
	}
	for i, key := range keys {
		l.same("Get of many: "+key, want[i], got[i])
	}
	kept := keys[4]
	if err := s.Delete(ctx, slices.Concat(keys[:4], keys[5:])); err != nil {
		return err
	}
	got, err = s.Get(ctx, keys)
	if err != nil {
		return err
	}
	for i, rec := range got {
		if (rec != nil) != (keys[i] == kept) {
			l.addf("after Delete %s is %+v", keys[i], rec)
		}
	}
	return l.err()
}

func keyCharacters(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	run := fresh()
	var all strings.Builder
	for c := byte('!'); c <= '~'; c++ {
		all.WriteByte(c)
	}
	keys := []string{
		run + "/" + all.String(), run + "/a", run + "/A", run + "/", run + "//", run + "/.", run + "/..", run + "/%2F", run + "/__x__",
		run + strings.Repeat("k", ratchet.KeyBytes-len(run)), run + "/1.0/2.10/3.fn-0.1",
	}
	for i, key := range keys {
		rec := &unum.Record{Nonce: fmt.Sprint(i), Members: []string{all.String()}}
		if err := must(ctx, s, key, rec); err != nil {
			l.addf("%q: %w", key, err)
		}
		if err := s.PutBlob(ctx, key, []byte(key), later()); err != nil {
			l.addf("blob %q: %w", key, err)
		}
	}
	for i, key := range keys {
		l.there(ctx, s, key, key, &unum.Record{Nonce: fmt.Sprint(i), Members: []string{all.String()}})
		if data, err := s.GetBlob(ctx, key); err != nil || string(data) != key {
			l.addf("blob %q: %q, %v", key, data, err)
		}
	}
	if err := errors.Join(s.Delete(ctx, keys), s.DeleteBlobs(ctx, keys)); err != nil {
		l.addf("%w", err)
	}
	for _, key := range keys {
		l.there(ctx, s, key, "deleted "+key, nil)
	}
	return l.err()
}

// arguments holds that what no store takes all refuse, in the same way, and before they do anything.
func arguments(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	refused := func(what string, kind fault.Kind, err error) {
		if !fault.Is(err, kind) {
			l.addf("%s: %v, want %v", what, err, kind)
		}
	}
	good := fresh()
	if err := must(ctx, s, good, &unum.Record{}); err != nil {
		return err
	}
	for _, bad := range []string{"", "a b", "a\n", "\u00e9", "\x00", strings.Repeat("k", ratchet.KeyBytes+1)} {
		_, err := s.Get(ctx, []string{good, bad})
		refused("Get", fault.InvalidArgument, err)
		_, _, err = s.Create(ctx, bad, &unum.Record{})
		refused("Create", fault.InvalidArgument, err)
		_, _, err = s.Advance(ctx, bad, "", 0, &unum.Record{})
		refused("Advance", fault.InvalidArgument, err)
		_, _, err = s.Add(ctx, bad, "", 0, "m", false)
		refused("Add", fault.InvalidArgument, err)
		_, _, err = s.Add(ctx, good, "", 0, bad, false)
		refused("Add of a member", fault.InvalidArgument, err)
		refused("Delete", fault.InvalidArgument, s.Delete(ctx, []string{good, bad}))
		refused("PutBlob", fault.InvalidArgument, s.PutBlob(ctx, bad, nil, 0))
		_, err = s.GetBlob(ctx, bad)
		refused("GetBlob", fault.InvalidArgument, err)
		refused("DeleteBlobs", fault.InvalidArgument, s.DeleteBlobs(ctx, []string{bad}))
	}
	large := &unum.Record{Value: make([]byte, ratchet.ValueBytes+1)}
	_, _, err := s.Create(ctx, good+"/large", large)
	refused("a large value", fault.LimitExceeded, err)
	_, _, err = s.Advance(ctx, good, "", 0, large)
	refused("Advance to a large value", fault.LimitExceeded, err)
	_, _, err = s.Create(ctx, good+"/members", &unum.Record{Members: []string{"b", "a"}})
	refused("unsorted members", fault.InvalidArgument, err)
	l.there(ctx, s, good, "after all that was refused", &unum.Record{})
	return l.err()
}

func largeRecords(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	key := fresh()
	rec := &unum.Record{Nonce: "n", Step: 3, Value: noise(ratchet.ValueBytes), Width: 10_001, Expires: later()}
	for i := range 10_000 {
		rec.Members = append(rec.Members, fmt.Sprint(i))
	}
	slices.Sort(rec.Members)
	if err := must(ctx, s, key, rec); err != nil {
		return err
	}
	l.there(ctx, s, key, "a large record", rec)
	cur, added, err := s.Add(ctx, key, "n", 3, "~", false)
	rec.Members = append(rec.Members, "~")
	if !added || err != nil {
		l.addf("Add to a large record: %v, %v", added, err)
	}
	l.same("a large record after Add", rec, cur)
	next := &unum.Record{Nonce: "n", Step: 4, Value: noise(ratchet.ValueBytes)}
	if cur, advanced, err := s.Advance(ctx, key, "n", 2, next); advanced || err != nil || !ratchet.Equal(rec, cur) {
		l.addf("Advance of a large record that is elsewhere: %v, %v", advanced, err)
	}
	if _, advanced, err := s.Advance(ctx, key, "n", 3, next); !advanced || err != nil {
		l.addf("Advance of a large record: %v, %v", advanced, err)
	}
	l.there(ctx, s, key, "a large record after Advance", next)
	var keys []string
	for i := range 70 { // more bytes than services answer with at once
		keys = append(keys, fmt.Sprintf("%s/4.%d", key, i))
	}
	err = atOnce(len(keys), func(i int) error { return must(ctx, s, keys[i], &unum.Record{Step: int64(i), Value: next.Value}) })
	if err != nil {
		return errors.Join(l.err(), err)
	}
	got, err := s.Get(ctx, keys)
	if err != nil {
		return errors.Join(l.err(), err)
	}
	for i, rec := range got {
		if rec == nil || rec.Step != int64(i) || !bytes.Equal(rec.Value, next.Value) {
			l.addf("%s is not what was put there", keys[i])
		}
	}
	if err := s.Delete(ctx, append(keys, key)); err != nil {
		l.addf("%w", err)
	}
	return l.err()
}

// noise returns bytes that do not compress and are the same every time.
func noise(n int) []byte {
	b := make([]byte, n)
	x := uint64(n) | 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

func blobs(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	key := fresh()
	if _, err := s.GetBlob(ctx, key); !fault.Is(err, fault.ResourceNotFound) {
		l.addf("GetBlob of nothing: %v", err)
	}
	if err := errors.Join(s.DeleteBlobs(ctx, nil), s.DeleteBlobs(ctx, []string{key})); err != nil {
		l.addf("DeleteBlobs of nothing: %w", err)
	}
	rec := &unum.Record{Nonce: "beside"}
	if err := must(ctx, s, key, rec); err != nil {
		return err
	}
	sizes := []int{0, 1, 1000, 64 << 10, 256<<10 + 1, 400 << 10, 1 << 20, 1<<20 + 1, 5 << 20}
	var keys []string
	for i, size := range sizes {
		keys = append(keys, key)
		if i > 0 {
			keys[i] = fmt.Sprintf("%s/blob%d", key, i)
		}
		if err := errors.Join(s.PutBlob(ctx, keys[i], noise(size), later()), s.PutBlob(ctx, keys[i], noise(size), later())); err != nil {
			l.addf("%d bytes: %w", size, err)
		}
	}
	for i, size := range sizes {
		if data, err := s.GetBlob(ctx, keys[i]); err != nil || !bytes.Equal(data, noise(size)) {
			l.addf("%d bytes became %d others: %v", size, len(data), err)
		}
	}
	l.there(ctx, s, key, "a record of a blob's name", rec)
	l.there(ctx, s, keys[1], "no record of a blob's name", nil)
	if err := s.DeleteBlobs(ctx, append(keys[1:], keys[1], key+"/absent")); err != nil {
		l.addf("%w", err)
	}
	for _, k := range keys[1:] {
		if _, err := s.GetBlob(ctx, k); !fault.Is(err, fault.ResourceNotFound) {
			l.addf("GetBlob after DeleteBlobs: %v", err)
		}
	}
	if _, err := s.GetBlob(ctx, key); err != nil {
		l.addf("a blob that nobody deleted: %w", err)
	}
	if err := s.DeleteBlobs(ctx, []string{key}); err != nil {
		l.addf("%w", err)
	}
	l.there(ctx, s, key, "a record after its blob was deleted", rec)
	return l.err()
}

// ownership holds that stores and callers share no memory.
func ownership(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	key := fresh()
	want := &unum.Record{Nonce: "n", Value: []byte("value"), Members: []string{"a", "b"}}
	given := ratchet.Clone(want)
	if err := must(ctx, s, key, given); err != nil {
		return err
	}
	spoil := func(r *unum.Record) {
		if r != nil && len(r.Value) > 0 && len(r.Members) > 0 {
			r.Value[0], r.Members[0] = '!', "!"
		}
	}
	spoil(given)
	l.there(ctx, s, key, "after the record that was given had changed", want)
	got, err := one(ctx, s, key)
	if err != nil {
		return err
	}
	spoil(got)
	l.there(ctx, s, key, "after the record that was got had changed", want)
	cur, _, err := s.Create(ctx, key, given)
	if err != nil {
		return err
	}
	spoil(cur)
	l.there(ctx, s, key, "after the record that a loser got had changed", want)
	if cur, _, err = s.Add(ctx, key, "n", 0, "c", false); err != nil {
		return err
	}
	spoil(cur)
	want.Members = []string{"a", "b", "c"}
	l.there(ctx, s, key, "after the record that Add gave had changed", want)
	next := &unum.Record{Nonce: "n", Step: 1, Value: []byte("next"), Members: []string{"a"}}
	want = ratchet.Clone(next)
	if _, _, err = s.Advance(ctx, key, "n", 0, next); err != nil {
		return err
	}
	spoil(next)
	l.there(ctx, s, key, "after the record that Advance took had changed", want)
	data := []byte("blob")
	if err := s.PutBlob(ctx, key, data, 0); err != nil {
		return err
	}
	data[0] = '!'
	if data, err = s.GetBlob(ctx, key); err != nil || string(data) != "blob" {
		l.addf("after the blob that was given had changed: %q, %v", data, err)
	} else {
		data[0] = '!'
	}
	if data, err = s.GetBlob(ctx, key); err != nil || string(data) != "blob" {
		l.addf("after the blob that was got had changed: %q, %v", data, err)
	}
	return l.err()
}

// cancelled holds that a store does nothing for who has gone.
func cancelled(ctx context.Context, s unum.Store, _ Options) error {
	var l list
	key := fresh()
	rec := &unum.Record{Nonce: "n", Step: 1}
	if err := errors.Join(must(ctx, s, key, rec), s.PutBlob(ctx, key, []byte("b"), 0)); err != nil {
		return err
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	refused := func(what string, err error) {
		if !errors.Is(err, context.Canceled) {
			l.addf("%s after the context ended: %v", what, err)
		}
	}
	_, err := s.Get(gone, []string{key})
	refused("Get", err)
	_, _, err = s.Create(gone, key+"/new", rec)
	refused("Create", err)
	_, _, err = s.Advance(gone, key, "n", 1, &unum.Record{})
	refused("Advance", err)
	_, _, err = s.Add(gone, key, "n", 1, "m", true)
	refused("Add", err)
	refused("Delete", s.Delete(gone, []string{key}))
	refused("PutBlob", s.PutBlob(gone, key+"/new", []byte("b"), 0))
	_, err = s.GetBlob(gone, key)
	refused("GetBlob", err)
	refused("DeleteBlobs", s.DeleteBlobs(gone, []string{key}))
	l.there(ctx, s, key, "after all that", rec)
	l.there(ctx, s, key+"/new", "what would be new", nil)
	if _, err := s.GetBlob(ctx, key); err != nil {
		l.addf("the blob: %w", err)
	}
	return l.err()
}

// expiry holds that what has a time to live ahead stays, and that a sweep takes what has none left.
func expiry(ctx context.Context, s unum.Store, o Options) error {
	if o.Sweep == nil {
		return nil
	}
	var l list
	run, now := fresh(), time.Now()
	at := map[string]int64{"never": 0, "past": now.Unix() - 10, "soon": now.Unix() + 100, "later": now.Unix() + 1000, "renewed": now.Unix() + 100}
	for name, expires := range at {
		key := run + "/" + name
		if err := errors.Join(must(ctx, s, key, &unum.Record{Nonce: "n", Expires: expires}), s.PutBlob(ctx, key, []byte(name), expires)); err != nil {
			return err
		}
	}
	if _, ok, err := s.Advance(ctx, run+"/renewed", "n", 0, &unum.Record{Nonce: "n", Step: 1, Expires: now.Unix() + 1000}); !ok || err != nil {
		return fmt.Errorf("Advance: %v, %w", ok, err)
	}
	if err := o.Sweep(ctx, s, now.Add(100*time.Second)); err != nil {
		return err
	}
	for name, expires := range at {
		gone := name == "past" || name == "soon"
		rec, err := one(ctx, s, run+"/"+name)
		if err != nil || (rec == nil) != (gone) {
			l.addf("a record that expires at %d (%s): %+v, %v", expires, name, rec, err)
		}
		_, err = s.GetBlob(ctx, run+"/"+name)
		if blobGone := gone || name == "renewed"; fault.Is(err, fault.ResourceNotFound) != blobGone || err != nil && !blobGone {
			l.addf("a blob that expires at %d (%s): %v", expires, name, err)
		}
	}
	if err := must(ctx, s, run+"/soon", &unum.Record{}); err != nil {
		l.addf("where something has expired: %w", err)
	}
	return l.err()
}

func lister(ctx context.Context, s unum.Store, _ Options) error {
	ls, ok := s.(unum.Lister)
	if !ok {
		return nil
	}
	var l list
	run := fresh()
	want := []string{run, run + "/1.0", run + "/1.1", run + "/1.1/2.0", run + "/blob"}
	others := []string{run + "x", run[:len(run)-1]}
	for _, key := range append(others, want[:4]...) {
		if err := must(ctx, s, key, &unum.Record{}); err != nil {
			return err
		}
	}
	if err := errors.Join(s.PutBlob(ctx, run+"/blob", noise(1<<20), later()), s.PutBlob(ctx, run+"x/blob", nil, later())); err != nil {
		return err
	}
	keys := func(prefix string) []string {
		found := map[string]bool{}
		if err := ls.Keys(ctx, prefix, func(key string) bool { found[key] = true; return true }); err != nil {
			l.addf("Keys of %s: %w", prefix, err)
		}
		return sorted(found)
	}
	for prefix, want := range map[string][]string{
		run: append(slices.Clone(want), run+"x", run+"x/blob"), run + "/": want[1:], run + "/1.": want[1:4], run + "/1.1": want[2:4], run + "/2": nil,
	} {
		slices.Sort(want)
		if got := keys(prefix); !slices.Equal(want, got) {
			l.addf("Keys of %s: %q, want %q", prefix, got, want)
		}
	}
	n := 0
	if err := ls.Keys(ctx, run, func(string) bool { n++; return n < 2 }); err != nil || n != 2 {
		l.addf("Keys went on to %d after false: %v", n, err)
	}
	if err := errors.Join(s.Delete(ctx, append(others, want...)), s.DeleteBlobs(ctx, []string{run + "/blob", run + "x/blob"})); err != nil {
		l.addf("%w", err)
	}
	if got := keys(run); len(got) > 0 {
		l.addf("after all was deleted there is %q", got)
	}
	return l.err()
}

func sorted(set map[string]bool) (keys []string) {
	for key := range set {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
