package firestore

import (
	"context"
	"slices"

	"cloud.google.com/go/firestore"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/ratchet"
)

// TimeToLive is the field that a time-to-live policy of the collection has to be on. No field of it needs an index.
const TimeToLive = "expires"

// What one request has at most; Firestore allows 500 writes.
const (
	readsPerRequest  = 100
	writesPerRequest = 400
)

// Store keeps records in a collection of Firestore.
type Store struct {
	client   *firestore.Client
	docs     *firestore.CollectionRef
	versions *versions
}

var (
	_ unum.Store  = (*Store)(nil)
	_ unum.Lister = (*Store)(nil)
)

// New returns the store in a collection of the client's database, which the caller closes. The collection is the store's
// alone.
func New(client *firestore.Client, collection string) *Store {
	return &Store{client: client, docs: client.Collection(collection), versions: newVersions()}
}

// batch is writes that are made all or none. What the client has instead of it are transactions, which cost a round trip
// more, and bulk writers, which do not keep writes together.
type batch = firestore.WriteBatch //nolint:staticcheck // see above

// commit makes the writes that fill collects.
func (s *Store) commit(ctx context.Context, fill func(b *batch)) (results []*firestore.WriteResult, err error) {
	err = retry(ctx, func() error {
		b := s.client.Batch() //nolint:staticcheck // see batch
		fill(b)
		results, err = b.Commit(ctx)
		return err
	})
	return results, err
}

// seen is a record as it was read.
type seen struct {
	record  *unum.Record
	version version
}

// Get returns the records of keys.
func (s *Store) Get(ctx context.Context, keys []string) ([]*unum.Record, error) {
	const op = "Get"
	if err := ratchet.CheckKeys(op, keys...); err != nil {
		return nil, err
	}
	out := make([]*unum.Record, len(keys))
	err := each(keys, readsPerRequest, func(first int, page []string) error {
		found, err := s.load(ctx, op, page)
		for i, f := range found {
			out[first+i] = ratchet.Clone(f.record)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// load reads records with their scopes, each record and its scope at one time, and remembers their versions.
func (s *Store) load(ctx context.Context, op string, keys []string) ([]seen, error) {
	out := make([]seen, len(keys))
	pending := make([]int, len(keys))
	for i := range pending {
		pending[i] = i
	}
	for range rounds {
		guesses := make([][]string, len(pending)) // the documents of their scopes, if they are what they were
		var refs []*firestore.DocumentRef
		for n, i := range pending {
			v, _ := s.versions.get(keys[i])
			guesses[n] = v.scope(keys[i])
			refs = append(refs, s.docs.Doc(recordPrefix+id(keys[i])))
			for _, name := range guesses[n] {
				refs = append(refs, s.docs.Doc(name))
			}
		}
		snaps, err := s.getAll(ctx, refs)
		if err != nil {
			return nil, failed(ctx, op, keys[pending[0]], err)
		}
		var again []int
		for n, i := range pending {
			mine := snaps[:1+len(guesses[n])]
			snaps = snaps[len(mine):]
			whole := false
			if out[i], whole, err = s.look(keys[i], mine, guesses[n]); err != nil {
				return nil, failed(ctx, op, keys[i], err)
			}
			if !whole {
				again = append(again, i)
			}
		}
		if pending = again; len(pending) == 0 {
			return out, nil
		}
	}
	return nil, busy(op, keys[pending[0]])
}

func (s *Store) getAll(ctx context.Context, refs []*firestore.DocumentRef) (snaps []*firestore.DocumentSnapshot, err error) {
	err = retry(ctx, func() error {
		snaps, err = s.client.GetAll(ctx, refs)
		return err
	})
	return snaps, err
}

// look makes a record of its document and those of its scope that were guessed. whole is false if they are not its scope.
func (s *Store) look(key string, snaps []*firestore.DocumentSnapshot, guess []string) (found seen, whole bool, err error) {
	if !snaps[0].Exists() {
		s.versions.forget(key)
		return seen{}, true, nil
	}
	var d document
	if err := snaps[0].DataTo(&d); err != nil {
		return seen{}, false, err
	}
	var shards []shard
	found.version = versionOf(d.record(nil), snaps[0].UpdateTime)
	s.versions.put(key, found.version)
	scope := found.version.scope(key)
	if len(scope) > 0 {
		if !slices.Equal(scope, guess) {
			return seen{}, false, nil
		}
		for _, snap := range snaps[1:] {
			var part shard
			if snap.Exists() {
				if err := snap.DataTo(&part); err != nil {
					return seen{}, false, err
				}
			}
			shards = append(shards, part)
		}
	}
	found.record = d.record(shards)
	return found, true, nil
}

// open adds the writes that make the scope of a record to a batch.
func (s *Store) open(b *batch, scope []string, r *unum.Record) {
	for _, name := range scope {
		b.Set(s.docs.Doc(name), &shard{Expires: expires(r.Expires)})
	}
}

// Create puts a record where there is none.
func (s *Store) Create(ctx context.Context, key string, rec *unum.Record) (cur *unum.Record, created bool, err error) {
	const op = "Create"
	if err := ratchet.CheckRecord(op, key, rec); err != nil {
		return nil, false, err
	}
	v := versionOf(rec, expires(0))
	for range rounds {
		results, err := s.commit(ctx, func(b *batch) {
			b.Create(s.docs.Doc(recordPrefix+id(key)), encode(rec))
			s.open(b, v.scope(key), rec)
		})
		if err == nil {
			s.versions.put(key, versionOf(rec, results[0].UpdateTime))
			return ratchet.Clone(rec), true, nil
		}
		if !refused(err) {
			return nil, false, failed(ctx, op, key, err)
		}
		found, err := s.load(ctx, op, []string{key})
		if err != nil || found[0].record != nil {
			return first(found), false, err
		}
	}
	return nil, false, busy(op, key)
}

func first(found []seen) *unum.Record {
	if len(found) == 0 {
		return nil
	}
	return found[0].record
}

// version returns the version of a record that is at the step; if it is not, ok is false and cur what is there.
func (s *Store) version(ctx context.Context, op, key, nonce string, step int64) (v version, cur *unum.Record, ok bool, err error) {
	if v, known := s.versions.get(key); known && v.at(nonce, step) {
		return v, nil, true, nil
	}
	found, err := s.load(ctx, op, []string{key})
	if err != nil {
		return version{}, nil, false, err
	}
	return found[0].version, found[0].record, ratchet.At(found[0].record, nonce, step), nil
}

// Advance replaces a record.
func (s *Store) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (cur *unum.Record, advanced bool, err error) {
	const op = "Advance"
	if err := ratchet.CheckRecord(op, key, rec); err != nil {
		return nil, false, err
	}
	next := versionOf(rec, expires(0))
	for range rounds {
		v, cur, ok, err := s.version(ctx, op, key, nonce, from)
		if err != nil || !ok {
			return cur, false, err
		}
		results, err := s.commit(ctx, func(b *batch) {
			b.Update(s.docs.Doc(recordPrefix+id(key)), updates(rec), firestore.LastUpdateTime(v.updated))
			scope := next.scope(key)
			for _, name := range v.scope(key) {
				if !slices.Contains(scope, name) {
					b.Delete(s.docs.Doc(name))
				}
			}
			s.open(b, scope, rec)
		})
		if err == nil {
			s.versions.put(key, versionOf(rec, results[0].UpdateTime))
			return ratchet.Clone(rec), true, nil
		}
		if !refused(err) {
			return nil, false, failed(ctx, op, key, err)
		}
		s.versions.forget(key)
	}
	return nil, false, busy(op, key)
}

// Add adds a member to the scope of a record.
func (s *Store) Add(ctx context.Context, key, nonce string, step int64, member string, fails bool) (cur *unum.Record, added bool, err error) {
	const op = "Add"
	if err := ratchet.CheckKeys(op, key); err != nil {
		return nil, false, err
	}
	if err := ratchet.CheckMember(op, key, member); err != nil {
		return nil, false, err
	}
	for range rounds {
		v, cur, ok, err := s.version(ctx, op, key, nonce, step)
		if err != nil || !ok {
			return cur, false, err
		}
		_, err = s.commit(ctx, func(b *batch) { s.unite(b, key, v, member, fails) })
		switch {
		case err == nil:
			found, err := s.load(ctx, op, []string{key})
			cur = first(found)
			return cur, ratchet.At(cur, nonce, step), err
		case !refused(err):
			return nil, false, failed(ctx, op, key, err)
		}
		s.versions.forget(key)
	}
	return nil, false, busy(op, key)
}

// unite adds the writes that add a member to a batch.
func (s *Store) unite(b *batch, key string, v version, member string, fails bool) {
	union := firestore.ArrayUnion(member)
	scope := v.scope(key)
	switch {
	case len(scope) == 0:
		fields := []firestore.Update{{Path: "members", Value: union}}
		if fails {
			fields = append(fields, firestore.Update{Path: "failed", Value: union})
		}
		b.Update(s.docs.Doc(recordPrefix+id(key)), fields, firestore.LastUpdateTime(v.updated))
	default:
		b.Update(s.docs.Doc(scope[pick(member, len(scope))]), []firestore.Update{{Path: "members", Value: union}})
		if fails {
			b.Update(s.docs.Doc(scope[0]), []firestore.Update{{Path: "failed", Value: union}})
		}
	}
}

// Delete removes records with their scopes.
func (s *Store) Delete(ctx context.Context, keys []string) error {
	const op = "Delete"
	if err := ratchet.CheckKeys(op, keys...); err != nil {
		return err
	}
	keys = slices.Compact(slices.Sorted(slices.Values(keys)))
	return each(keys, readsPerRequest, func(_ int, page []string) error {
		for range rounds {
			left, err := s.deletePage(ctx, page)
			if err != nil {
				return failed(ctx, op, page[0], err)
			}
			if page = left; len(page) == 0 {
				return nil
			}
		}
		return busy(op, page[0])
	})
}

// deletion is a record to delete in the version in which its scope is known.
type deletion struct {
	key     string
	version version
}

// deletePage deletes what is there of some records and returns those that have changed under it.
func (s *Store) deletePage(ctx context.Context, keys []string) (left []string, err error) {
	there, err := s.deletions(ctx, keys)
	if err != nil {
		return nil, err
	}
	for len(there) > 0 {
		n, writes := 0, 0
		for n < len(there) && (n == 0 || writes+1+shardsMax <= writesPerRequest) {
			writes += 1 + len(there[n].version.scope(there[n].key))
			n++
		}
		some := there[:n]
		there = there[n:]
		_, err := s.commit(ctx, func(b *batch) {
			for _, d := range some {
				b.Delete(s.docs.Doc(recordPrefix+id(d.key)), firestore.LastUpdateTime(d.version.updated))
				for _, name := range d.version.scope(d.key) {
					b.Delete(s.docs.Doc(name))
				}
			}
		})
		if err != nil && !refused(err) {
			return nil, err
		}
		for _, d := range some {
			s.versions.forget(d.key)
			if err != nil {
				left = append(left, d.key)
			}
		}
	}
	return left, nil
}

// deletions returns which records are there, and in which versions. What is remembered is not read.
func (s *Store) deletions(ctx context.Context, keys []string) (there []deletion, err error) {
	var refs []*firestore.DocumentRef
	var unknown []string
	for _, key := range keys {
		if v, known := s.versions.get(key); known {
			there = append(there, deletion{key, v})
			continue
		}
		unknown = append(unknown, key)
		refs = append(refs, s.docs.Doc(recordPrefix+id(key)))
	}
	if len(refs) == 0 {
		return there, nil
	}
	snaps, err := s.getAll(ctx, refs)
	if err != nil {
		return nil, err
	}
	for i, snap := range snaps {
		if !snap.Exists() {
			continue
		}
		var d document
		if err := snap.DataTo(&d); err != nil {
			return nil, err
		}
		there = append(there, deletion{unknown[i], versionOf(d.record(nil), snap.UpdateTime)})
	}
	return there, nil
}
