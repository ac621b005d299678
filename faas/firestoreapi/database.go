package firestoreapi

import (
	"context"
	"slices"
	"sync"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// store holds the documents of all databases, and who may touch them.
type store struct {
	config Config

	mu           sync.Mutex
	last         time.Time                       // of the latest commit
	collections  map[string]map[string]*document // by the collection's name and the document's id
	locks        map[string]*lock                // by the document's name
	transactions map[string]*transaction
	begun        int64
	bill         Bill
}

func newStore(c Config) *store {
	return &store{
		config: c, collections: make(map[string]map[string]*document),
		locks: make(map[string]*lock), transactions: make(map[string]*transaction),
	}
}

// find returns the current version of a document. s.mu is held.
func (s *store) find(name string) *document {
	collection, id := cut(name)
	return s.collections[collection][id]
}

// put makes next (nil: nothing) the current version. s.mu is held.
func (s *store) put(name string, next *document) {
	collection, id := cut(name)
	docs := s.collections[collection]
	switch {
	case next == nil:
		if delete(docs, id); len(docs) == 0 {
			delete(s.collections, collection)
		}
	case docs == nil:
		s.collections[collection] = map[string]*document{id: next}
	default:
		docs[id] = next
	}
}

// now is the time of the next commit: microseconds that only grow, whatever the clock does. s.mu is held.
func (s *store) now() time.Time {
	t := s.config.Now().UTC().Truncate(time.Microsecond)
	if !t.After(s.last) {
		t = s.last.Add(time.Microsecond)
	}
	return t
}

// charge bills reads, and returns a time at which everything committed so far is to be seen.
func (s *store) charge(reads int) *timestamppb.Timestamp {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.bill.Reads += int64(reads)
	s.last = s.now()
	return timestamppb.New(s.last)
}

// commit applies writes, all or none, in a transaction of their own or in tx, which it ends.
func (s *store) commit(ctx context.Context, tx *transaction, writes []*pb.Write) (*pb.CommitResponse, error) {
	var names []string
	for _, w := range writes {
		names = append(names, target(w))
	}
	slices.Sort(names)
	names = slices.Compact(names)

	own := tx == nil
	if own {
		tx = s.passing()
	}
	if err := s.lockAll(ctx, tx, names, own); err != nil {
		s.end(tx)
		return nil, err
	}
	defer s.end(tx)
	if err := s.config.hold(ctx, len(names)); err != nil {
		return nil, err
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	if err := tx.stillTrue(s); err != nil {
		return nil, err
	}
	return s.apply(writes)
}

// apply makes the writes, whose documents are locked, all or none. s.mu is held.
func (s *store) apply(writes []*pb.Write) (*pb.CommitResponse, error) {
	now := s.now()
	changed := make(map[string]*document)
	out := &pb.CommitResponse{}
	bill := s.bill
	for _, w := range writes {
		name := target(w)
		cur, seen := changed[name]
		if !seen {
			cur = s.find(name)
		}
		next, results, err := apply(cur, w, now)
		if err != nil {
			return nil, err
		}
		changed[name] = next
		if _, deletes := w.GetOperation().(*pb.Write_Delete); deletes {
			bill.Deletes++
		} else {
			bill.Writes++
		}
		result := &pb.WriteResult{TransformResults: results}
		if next != nil {
			result.UpdateTime = timestamppb.New(next.updated)
		}
		out.WriteResults = append(out.WriteResults, result)
	}
	for name, next := range changed {
		s.put(name, next)
	}
	s.last, s.bill = now, bill
	out.CommitTime = timestamppb.New(now)
	return out, nil
}
