package gcfapi

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/emptypb"
)

// operation is a long-running one.
type operation struct {
	proto  *longrunningpb.Operation
	target string
	polls  int // until it is done
	finish func() (proto.Message, error)
}

// begin starts an operation on a resource, one at a time; being refused counts as a poll of the one that goes on. finish does what it is for; with s.mu held. s.mu is held.
func (s *Server) begin(parent, target string, metadata proto.Message, finish func() (proto.Message, error)) (*longrunningpb.Operation, error) {
	for _, o := range s.operations {
		if o.target == target && !o.proto.GetDone() {
			o.advance()
			return nil, status.Errorf(codes.Aborted, "An operation on %s is already in progress. Please try again later.", target)
		}
	}
	o := &operation{proto: &longrunningpb.Operation{Name: fmt.Sprintf("%s/operations/operation-%d", parent, s.next())}, target: target, polls: s.config.Polls, finish: finish}
	if metadata != nil {
		m, err := anypb.New(metadata)
		if err != nil {
			return nil, status.Error(codes.Internal, err.Error())
		}
		o.proto.Metadata = m
	}
	s.operations[o.proto.GetName()] = o
	o.advance()
	return proto.CloneOf(o.proto), nil
}

// advance finishes an operation that has been asked for often enough.
func (o *operation) advance() {
	if o.proto.GetDone() {
		return
	}
	if o.polls > 0 {
		o.polls--
		return
	}
	o.proto.Done = true
	result, err := o.finish()
	var packed *anypb.Any
	if err == nil {
		packed, err = anypb.New(result)
	}
	if err != nil {
		o.proto.Result = &longrunningpb.Operation_Error{Error: status.Convert(err).Proto()}
		return
	}
	o.proto.Result = &longrunningpb.Operation_Response{Response: packed}
}

type operationService struct {
	longrunningpb.UnimplementedOperationsServer
	server *Server
}

// GetOperation returns an operation, a step further.
func (s *operationService) GetOperation(_ context.Context, req *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	o := s.server.operations[req.GetName()]
	if o == nil {
		return nil, missing("Operation", req.GetName())
	}
	o.advance()
	return proto.CloneOf(o.proto), nil
}

// ListOperations returns the operations of a location or database, all on one page.
func (s *operationService) ListOperations(_ context.Context, req *longrunningpb.ListOperationsRequest) (*longrunningpb.ListOperationsResponse, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	out := &longrunningpb.ListOperationsResponse{}
	for _, name := range slices.Sorted(maps.Keys(s.server.operations)) {
		if above(name) == req.GetName() {
			out.Operations = append(out.Operations, proto.CloneOf(s.server.operations[name].proto))
		}
	}
	return out, nil
}

// DeleteOperation forgets an operation.
func (s *operationService) DeleteOperation(_ context.Context, req *longrunningpb.DeleteOperationRequest) (*emptypb.Empty, error) {
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	delete(s.server.operations, req.GetName())
	return &emptypb.Empty{}, nil
}
