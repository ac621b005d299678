package firestoreapi

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/emptypb"
)

// pageMost is how many documents or names a page of a listing has at most.
const pageMost = 1000

// service answers the calls.
type service struct {
	pb.UnimplementedFirestoreServer
	store *store
}

var errPast = status.Error(codes.Unimplemented, "This endpoint keeps no past: read_time is not supported.")

// GetDocument reads a document.
func (s *service) GetDocument(ctx context.Context, req *pb.GetDocumentRequest) (*pb.Document, error) {
	if err := checkDocument(req.GetName(), ""); err != nil {
		return nil, err
	}
	tx, err := s.transaction(req.GetTransaction(), req.GetReadTime() != nil)
	if err != nil {
		return nil, err
	}
	doc, err := s.store.read(ctx, tx, req.GetName())
	if err != nil {
		return nil, err
	}
	s.store.charge(1)
	if doc == nil {
		return nil, status.Errorf(codes.NotFound, "Document %q not found.", req.GetName())
	}
	return doc.proto(req.GetMask())
}

// transaction returns the one that a call names; nil if it names none.
func (s *service) transaction(id []byte, past bool) (*transaction, error) {
	switch {
	case past:
		return nil, errPast
	case len(id) == 0:
		return nil, nil
	}
	return s.store.use(id)
}

// opening returns the transaction that a call names, or begins the one it wants. begun is the id of that.
func (s *service) opening(id []byte, options *pb.TransactionOptions, past bool) (tx *transaction, begun []byte, err error) {
	if options == nil {
		tx, err = s.transaction(id, past)
		return tx, nil, err
	}
	if tx, err = s.beginWith(options); err != nil {
		return nil, nil, err
	}
	return tx, []byte(tx.id), nil
}

func (s *service) beginWith(options *pb.TransactionOptions) (*transaction, error) {
	if options.GetReadOnly().GetReadTime() != nil {
		return nil, errPast
	}
	return s.store.begin(options.GetReadOnly() != nil, string(options.GetReadWrite().GetRetryTransaction()))
}

// BatchGetDocuments reads documents at one time, in any order.
func (s *service) BatchGetDocuments(req *pb.BatchGetDocumentsRequest, stream pb.Firestore_BatchGetDocumentsServer) error {
	names := slices.Compact(slices.Sorted(slices.Values(req.GetDocuments())))
	for _, name := range names {
		if err := checkDocument(name, req.GetDatabase()); err != nil {
			return err
		}
	}
	tx, begun, err := s.opening(req.GetTransaction(), req.GetNewTransaction(), req.GetReadTime() != nil)
	if err != nil {
		return err
	}
	if begun != nil {
		if err := stream.Send(&pb.BatchGetDocumentsResponse{Transaction: begun}); err != nil {
			return err
		}
	}
	answers, err := s.readAll(stream.Context(), tx, names, req.GetMask())
	if err != nil {
		return err
	}
	for _, answer := range answers {
		if err := stream.Send(answer); err != nil {
			return err
		}
	}
	return nil
}

func (s *service) readAll(ctx context.Context, tx *transaction, names []string, mask *pb.DocumentMask) ([]*pb.BatchGetDocumentsResponse, error) {
	docs := make([]*document, len(names))
	if tx == nil { // all at one time
		s.store.mu.Lock()
		for i, name := range names {
			docs[i] = s.store.find(name)
		}
		s.store.mu.Unlock()
	} else {
		for i, name := range names {
			var err error
			if docs[i], err = s.store.read(ctx, tx, name); err != nil {
				return nil, err
			}
		}
	}
	at := s.store.charge(len(names))
	out := make([]*pb.BatchGetDocumentsResponse, len(names))
	for i, doc := range docs {
		out[i] = &pb.BatchGetDocumentsResponse{ReadTime: at, Result: &pb.BatchGetDocumentsResponse_Missing{Missing: names[i]}}
		if doc != nil {
			found, err := doc.proto(mask)
			if err != nil {
				return nil, err
			}
			out[i].Result = &pb.BatchGetDocumentsResponse_Found{Found: found}
		}
	}
	return out, nil
}

// CreateDocument makes a document, with an id of twenty characters if it is given none.
func (s *service) CreateDocument(ctx context.Context, req *pb.CreateDocumentRequest) (*pb.Document, error) {
	if err := checkParent(req.GetParent()); err != nil {
		return nil, err
	}
	id := req.GetDocumentId()
	if id == "" {
		id = rand.Text()[:20]
	}
	doc := proto.CloneOf(req.GetDocument())
	if doc == nil {
		doc = &pb.Document{}
	}
	if doc.GetName() != "" {
		return nil, invalid("The name of a document to create must not be set.")
	}
	doc.Name = req.GetParent() + "/" + req.GetCollectionId() + "/" + id
	return s.writeOne(ctx, &pb.Write{Operation: &pb.Write_Update{Update: doc}, CurrentDocument: exists(false)}, req.GetMask())
}

func exists(yes bool) *pb.Precondition {
	return &pb.Precondition{ConditionType: &pb.Precondition_Exists{Exists: yes}}
}

// UpdateDocument changes or makes a document.
func (s *service) UpdateDocument(ctx context.Context, req *pb.UpdateDocumentRequest) (*pb.Document, error) {
	return s.writeOne(ctx, &pb.Write{
		Operation: &pb.Write_Update{Update: req.GetDocument()}, UpdateMask: req.GetUpdateMask(), CurrentDocument: req.GetCurrentDocument(),
	}, req.GetMask())
}

// DeleteDocument removes a document, or nothing.
func (s *service) DeleteDocument(ctx context.Context, req *pb.DeleteDocumentRequest) (*emptypb.Empty, error) {
	_, err := s.writeOne(ctx, &pb.Write{Operation: &pb.Write_Delete{Delete: req.GetName()}, CurrentDocument: req.GetCurrentDocument()}, nil)
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

// writeOne commits one write and returns the document after it, which is nil where there is none.
func (s *service) writeOne(ctx context.Context, w *pb.Write, mask *pb.DocumentMask) (*pb.Document, error) {
	if err := checkWrite(w, ""); err != nil {
		return nil, err
	}
	if _, err := s.store.commit(ctx, nil, []*pb.Write{w}); err != nil {
		return nil, err
	}
	doc, err := s.store.read(ctx, nil, target(w))
	if doc == nil || err != nil {
		return nil, err
	}
	return doc.proto(mask)
}

// Commit makes writes, all or none.
func (s *service) Commit(ctx context.Context, req *pb.CommitRequest) (*pb.CommitResponse, error) {
	if len(req.GetWrites()) > writesPerRequest {
		return nil, invalid("maximum %d writes allowed per request", writesPerRequest)
	}
	for _, w := range req.GetWrites() {
		if err := checkWrite(w, req.GetDatabase()); err != nil {
			return nil, err
		}
	}
	tx, err := s.transaction(req.GetTransaction(), false)
	if err != nil {
		return nil, err
	}
	if tx != nil && tx.readOnly && len(req.GetWrites()) > 0 {
		return nil, invalid("Cannot modify entities in a read-only transaction.")
	}
	return s.store.commit(ctx, tx, req.GetWrites())
}

// BatchWrite makes writes each by itself.
func (s *service) BatchWrite(ctx context.Context, req *pb.BatchWriteRequest) (*pb.BatchWriteResponse, error) {
	if len(req.GetWrites()) > writesPerRequest {
		return nil, invalid("maximum %d writes allowed per request", writesPerRequest)
	}
	seen := make(map[string]bool)
	for _, w := range req.GetWrites() {
		if name := target(w); seen[name] {
			return nil, invalid("cannot write to the same document %q more than once in a BatchWrite.", name)
		}
		seen[target(w)] = true
	}
	out := &pb.BatchWriteResponse{}
	for _, w := range req.GetWrites() {
		result := &pb.WriteResult{}
		err := checkWrite(w, req.GetDatabase())
		if err == nil {
			var answer *pb.CommitResponse
			if answer, err = s.store.commit(ctx, nil, []*pb.Write{w}); err == nil {
				result = answer.GetWriteResults()[0]
			}
		}
		out.WriteResults = append(out.WriteResults, result)
		out.Status = append(out.Status, status.Convert(err).Proto())
	}
	return out, nil
}

// BeginTransaction begins a transaction.
func (s *service) BeginTransaction(_ context.Context, req *pb.BeginTransactionRequest) (*pb.BeginTransactionResponse, error) {
	tx, err := s.beginWith(req.GetOptions())
	if err != nil {
		return nil, err
	}
	return &pb.BeginTransactionResponse{Transaction: []byte(tx.id)}, nil
}

// Rollback ends a transaction. One that has ended is ended.
func (s *service) Rollback(_ context.Context, req *pb.RollbackRequest) (*emptypb.Empty, error) {
	s.store.mu.Lock()
	tx := s.store.transactions[string(req.GetTransaction())]
	s.store.mu.Unlock()
	if tx != nil {
		s.store.end(tx)
	}
	return &emptypb.Empty{}, nil
}

// RunQuery sends the documents of a query in order.
func (s *service) RunQuery(req *pb.RunQueryRequest, stream pb.Firestore_RunQueryServer) error {
	q, err := parseQuery(req.GetParent(), req.GetStructuredQuery())
	if err != nil {
		return err
	}
	tx, begun, err := s.opening(req.GetTransaction(), req.GetNewTransaction(), req.GetReadTime() != nil)
	if err != nil {
		return err
	}
	docs := s.store.ask(tx, q)
	var mask *pb.DocumentMask
	if fields := req.GetStructuredQuery().GetSelect().GetFields(); fields != nil {
		mask = &pb.DocumentMask{}
		for _, f := range fields {
			mask.FieldPaths = append(mask.FieldPaths, f.GetFieldPath())
		}
	}
	at := s.store.charge(max(1, len(docs)))
	// The first answer tells the time and the transaction, whatever was found.
	if err := stream.Send(&pb.RunQueryResponse{Transaction: begun, ReadTime: at}); err != nil {
		return err
	}
	for _, doc := range docs {
		found, err := doc.proto(mask)
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.RunQueryResponse{Document: found, ReadTime: at}); err != nil {
			return err
		}
	}
	return nil
}

// ask runs a query. A transaction remembers what it was told, as that must be so when it commits.
func (s *store) ask(tx *transaction, q *query) []*document {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tx != nil && tx.readOnly {
		return q.run(tx.snapshot.collections)
	}
	found := q.run(s.collections)
	if tx != nil {
		tx.queries = append(tx.queries, ranQuery{run: func() []*document { return q.run(s.collections) }, found: found})
	}
	return found
}

// ListDocuments returns a page of a collection, by name.
func (s *service) ListDocuments(_ context.Context, req *pb.ListDocumentsRequest) (*pb.ListDocumentsResponse, error) {
	if err := checkParent(req.GetParent()); err != nil {
		return nil, err
	}
	if req.GetOrderBy() != "" && req.GetOrderBy() != nameField {
		return nil, status.Error(codes.Unimplemented, "This endpoint lists documents by name only; query them for another order.")
	}
	tx, err := s.transaction(req.GetTransaction(), req.GetReadTime() != nil)
	if err != nil {
		return nil, err
	}
	collection := req.GetParent() + "/" + req.GetCollectionId()
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	collections := s.store.collections
	if tx != nil && tx.readOnly {
		collections = tx.snapshot.collections
	}
	docs := maps.Clone(collections[collection])
	if req.GetShowMissing() {
		docs = withMissing(collections, collection, docs)
	}
	ids, next := page(slices.Sorted(maps.Keys(docs)), req.GetPageToken(), int(req.GetPageSize()))
	s.store.bill.Reads += int64(max(1, len(ids)))
	out := &pb.ListDocumentsResponse{NextPageToken: next}
	for _, id := range ids {
		doc := docs[id]
		if doc == nil { // it has no times either
			out.Documents = append(out.Documents, &pb.Document{Name: collection + "/" + id})
			continue
		}
		found, err := doc.proto(req.GetMask())
		if err != nil {
			return nil, err
		}
		out.Documents = append(out.Documents, found)
	}
	return out, nil
}

// withMissing adds, as nil, documents that only have documents below them.
func withMissing(collections map[string]map[string]*document, collection string, docs map[string]*document) map[string]*document {
	if docs == nil {
		docs = make(map[string]*document)
	}
	for name := range collections {
		below, ok := strings.CutPrefix(name, collection+"/")
		if !ok {
			continue
		}
		id, _, _ := strings.Cut(below, "/")
		if _, there := docs[id]; !there {
			docs[id] = nil
		}
	}
	return docs
}

// page returns the names after a token, which is the last name of the page before, and the next token.
func page(names []string, token string, most int) (found []string, next string) {
	if token != "" {
		i, at := slices.BinarySearch(names, token)
		if at {
			i++
		}
		names = names[i:]
	}
	if most <= 0 || most > pageMost {
		most = pageMost
	}
	if len(names) <= most {
		return names, ""
	}
	return names[:most], names[most-1]
}

// ListCollectionIds returns the names of the collections below a document or the root.
func (s *service) ListCollectionIds(_ context.Context, req *pb.ListCollectionIdsRequest) (*pb.ListCollectionIdsResponse, error) {
	if err := checkParent(req.GetParent()); err != nil {
		return nil, err
	}
	if req.GetReadTime() != nil {
		return nil, errPast
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	ids := make(map[string]bool)
	for name := range s.store.collections {
		if below, ok := strings.CutPrefix(name, req.GetParent()+"/"); ok {
			id, _, _ := strings.Cut(below, "/")
			ids[id] = true
		}
	}
	found, next := page(slices.Sorted(maps.Keys(ids)), req.GetPageToken(), int(req.GetPageSize()))
	return &pb.ListCollectionIdsResponse{CollectionIds: found, NextPageToken: next}, nil
}
