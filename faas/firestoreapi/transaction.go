package firestoreapi

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Limits of transactions.
const (
	transactionIdle = 60 * time.Second
	transactionsMax = 10_000 // open ones
	lockTimeout     = 10 * time.Second
)

var (
	errContention = status.Error(codes.Aborted, "Too much contention on these documents. Please try again.")
	errStale      = status.Error(codes.Aborted, "Aborted due to cross-transaction contention. This occurs when multiple transactions attempt to access the same data, requiring Firestore to abort at least one in order to enforce serializability.")
	errExpired    = status.Error(codes.InvalidArgument, "The referenced transaction has expired or is no longer valid.")
)

// transaction is one that a client has begun, or that a commit without one is in. store.mu guards it.
type transaction struct {
	id       string // its age, "." and a number of its own; "" of one that no client knows
	age      int64  // when it began, or what it retries did: the lower one wins
	readOnly bool
	snapshot *snapshot // what a read-only one sees
	used     time.Time

	held    []string // documents it has locks on
	reads   map[string]*document
	queries []ranQuery
	// committing ones are not wounded: they are about to end.
	committing bool
	wounded    chan struct{} // closed when an older transaction has taken its locks
}

// ranQuery is a query of a transaction with what it found, which must still be so at the commit.
type ranQuery struct {
	run   func() []*document
	found []*document
}

// lock says who may touch a document: readers, or one that writes.
type lock struct {
	writer  *transaction
	readers map[*transaction]bool
	wake    chan struct{} // closed and replaced when somebody leaves
}

// begin opens a transaction; retry is the one it tries again, or "".
func (s *store) begin(readOnly bool, retry string) (*transaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.expire()
	if len(s.transactions) >= transactionsMax {
		return nil, status.Errorf(codes.ResourceExhausted, "More than %d transactions are open.", transactionsMax)
	}
	tx := s.open()
	if age, err := strconv.ParseInt(strings.Split(retry, ".")[0], 10, 64); err == nil && age > 0 && age < tx.age {
		tx.age = age
	}
	tx.id = fmt.Sprintf("%d.%d", tx.age, s.begun)
	if tx.readOnly = readOnly; readOnly {
		tx.snapshot = s.snapshot()
	}
	s.transactions[tx.id] = tx
	return tx, nil
}

// open makes a transaction, the youngest. s.mu is held.
func (s *store) open() *transaction {
	s.begun++
	return &transaction{
		age: s.begun, used: s.config.Now(),
		reads: make(map[string]*document), wounded: make(chan struct{}),
	}
}

// passing makes a transaction that no client knows.
func (s *store) passing() *transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open()
}

// use returns a transaction that a client names.
func (s *store) use(id []byte) (*transaction, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	tx := s.transactions[string(id)]
	if tx == nil || tx.committing {
		return nil, errExpired
	}
	tx.used = s.config.Now()
	if tx.isWounded() {
		return nil, errContention
	}
	return tx, nil
}

// expire ends transactions that nobody has used for long. s.mu is held.
func (s *store) expire() {
	for _, tx := range s.transactions {
		if !tx.committing && s.config.Now().Sub(tx.used) > transactionIdle {
			s.release(tx)
			delete(s.transactions, tx.id)
		}
	}
}

// end gives back everything that tx has.
func (s *store) end(tx *transaction) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.release(tx)
	delete(s.transactions, tx.id)
}

// release gives back the locks of tx. s.mu is held.
func (s *store) release(tx *transaction) {
	for _, name := range tx.held {
		l := s.locks[name]
		if l.writer == tx {
			l.writer = nil
		}
		delete(l.readers, tx)
		close(l.wake)
		if l.wake = make(chan struct{}); l.writer == nil && len(l.readers) == 0 {
			delete(s.locks, name)
		}
	}
	tx.held = nil
}

func (tx *transaction) isWounded() bool {
	select {
	case <-tx.wounded:
		return true
	default:
		return false
	}
}

// lockAll takes exclusive locks on documents, in order, after which tx is committing. One that begins again by itself
// does so when it is wounded.
func (s *store) lockAll(ctx context.Context, tx *transaction, names []string, again bool) error {
	ctx, cancel := context.WithTimeout(ctx, lockTimeout)
	defer cancel()
	for {
		err := s.lockEach(ctx, tx, names)
		if err == nil {
			return nil
		}
		s.mu.Lock()
		retry := again && tx.isWounded() && ctx.Err() == nil
		if retry {
			tx.wounded = make(chan struct{})
		}
		s.mu.Unlock()
		if !retry {
			return err
		}
	}
}

func (s *store) lockEach(ctx context.Context, tx *transaction, names []string) error {
	for _, name := range names {
		if err := s.lock(ctx, tx, name, true); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if tx.isWounded() {
		return errContention
	}
	tx.committing = true
	return nil
}

// lock takes a lock on a document for tx, waiting for older transactions and wounding younger ones.
func (s *store) lock(ctx context.Context, tx *transaction, name string, exclusive bool) error {
	for {
		wake, err := s.tryLock(tx, name, exclusive)
		if wake == nil || err != nil {
			return err
		}
		select {
		case <-wake:
		case <-tx.wounded:
		case <-ctx.Done():
			return errContention
		}
	}
}

// tryLock takes the lock, or returns what is closed when it is worth trying again.
func (s *store) tryLock(tx *transaction, name string, exclusive bool) (wake <-chan struct{}, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tx.isWounded() {
		return nil, errContention
	}
	s.wound(tx, name, exclusive)
	l := s.locks[name]
	if l == nil {
		l = &lock{readers: make(map[*transaction]bool), wake: make(chan struct{})}
		s.locks[name] = l
	}
	if len(l.inTheWay(tx, exclusive)) > 0 {
		return l.wake, nil
	}
	if exclusive {
		l.writer = tx
	} else {
		l.readers[tx] = true
	}
	if !slices.Contains(tx.held, name) {
		tx.held = append(tx.held, name)
	}
	return nil, nil
}

// wound takes the locks of those that are in the way of tx and younger than it, or forgotten. s.mu is held.
func (s *store) wound(tx *transaction, name string, exclusive bool) {
	l := s.locks[name]
	if l == nil {
		return
	}
	for _, other := range l.inTheWay(tx, exclusive) {
		forgotten := s.config.Now().Sub(other.used) > transactionIdle
		if !other.committing && (other.age > tx.age || forgotten) {
			close(other.wounded)
			s.release(other)
		}
	}
}

func (l *lock) inTheWay(tx *transaction, exclusive bool) (others []*transaction) {
	if l.writer != nil && l.writer != tx {
		others = append(others, l.writer)
	}
	if exclusive {
		for r := range l.readers {
			if r != tx {
				others = append(others, r)
			}
		}
	}
	return others
}

// read returns a document as tx sees it; nil tx: as it is now.
func (s *store) read(ctx context.Context, tx *transaction, name string) (*document, error) {
	if tx != nil && !tx.readOnly && !s.config.Optimistic {
		ctx, cancel := context.WithTimeout(ctx, lockTimeout)
		defer cancel()
		if err := s.lock(ctx, tx, name, false); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if tx != nil && tx.readOnly {
		return tx.snapshot.find(name), nil
	}
	doc := s.find(name)
	if tx == nil {
		return doc, nil
	}
	if before, again := tx.reads[name]; again && before != doc {
		return nil, errStale
	}
	tx.reads[name] = doc
	return doc, nil
}

// stillTrue reports whether what tx has read is so. s.mu is held.
func (tx *transaction) stillTrue(s *store) error {
	for name, seen := range tx.reads {
		if s.find(name) != seen {
			return errStale
		}
	}
	for _, q := range tx.queries {
		if !slices.Equal(q.run(), q.found) {
			return errStale
		}
	}
	return nil
}

// snapshot is the documents at one time.
type snapshot struct {
	collections map[string]map[string]*document
}

func (v *snapshot) find(name string) *document {
	collection, id := cut(name)
	return v.collections[collection][id]
}

// snapshot copies the tables, not the documents, which do not change. s.mu is held.
func (s *store) snapshot() *snapshot {
	v := &snapshot{collections: make(map[string]map[string]*document, len(s.collections))}
	for name, docs := range s.collections {
		v.collections[name] = maps.Clone(docs)
	}
	return v
}
