package firestoreapi

import (
	"context"
	"net"
	"sync"
	"time"

	pb "cloud.google.com/go/firestore/apiv1/firestorepb"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// Config configures a Server. The zero value is an endpoint without faults and delays.
type Config struct {
	// Now is the clock; nil: time.Now. Commits have times that grow even where it stands still.
	Now func() time.Time
	// Intercept is given every call before it is carried out, and carries it out by calling call, whose error it may
	// return. It injects delays (by waiting), faults (by returning a status error without calling) and lost answers (by
	// doing so after calling). method is a name like "Commit". nil: it calls.
	Intercept func(ctx context.Context, method string, call func() error) error
	// CommitTime is how long a commit holds the locks of its documents, which others that want them wait for; 0: for
	// no time. In Firestore it is what makes a document that everybody writes slow.
	CommitTime time.Duration
	// Optimistic has transactions read without locks. Which of both a database of Firestore does is a setting of it.
	Optimistic bool
}

// hold waits as long as a commit of n documents takes.
func (c *Config) hold(ctx context.Context, n int) error {
	if c.CommitTime <= 0 || n == 0 {
		return nil
	}
	timer := time.NewTimer(c.CommitTime)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Server is an endpoint.
type Server struct {
	*service
	grpc     *grpc.Server
	listener net.Listener
	serving  sync.WaitGroup
}

// Start listens on a free port of the loopback interface and serves until Close.
func Start(c Config) (*Server, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	return Serve(listener, c), nil
}

// Serve serves on a listener, which it owns, until Close.
func Serve(listener net.Listener, c Config) *Server {
	if c.Now == nil {
		c.Now = time.Now
	}
	s := &Server{service: &service{store: newStore(c)}, listener: listener}
	s.grpc = grpc.NewServer(
		// More than a request may have, so that one that is too large is told so in Firestore's words.
		grpc.MaxRecvMsgSize(4*requestBytes),
		grpc.MaxSendMsgSize(1<<30),
		grpc.UnaryInterceptor(s.unary), grpc.StreamInterceptor(s.stream),
	)
	pb.RegisterFirestoreServer(s.grpc, s.service)
	s.serving.Go(func() { _ = s.grpc.Serve(listener) }) // it ends by Close alone
	return s
}

// Addr returns the address as host:port, which is what FIRESTORE_EMULATOR_HOST takes.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close cuts all connections and stops.
func (s *Server) Close() {
	s.grpc.Stop()
	s.serving.Wait()
}

// Len returns how many documents there are, in all databases.
func (s *Server) Len() int {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	n := 0
	for _, docs := range s.store.collections {
		n += len(docs)
	}
	return n
}

// Bill is what Firestore would charge for, in documents.
type Bill struct{ Reads, Writes, Deletes int64 }

// Bill returns what was charged for since the server began: a read a document that was asked for, there or not, and for
// a query that has found nothing; a write or a delete for each that was made, whether it has changed anything or not.
func (s *Server) Bill() Bill {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	return s.store.bill
}

func (s *Server) intercept(ctx context.Context, full string, call func() error) error {
	if s.store.config.Intercept == nil {
		return call()
	}
	_, method := cut(full)
	return s.store.config.Intercept(ctx, method, call)
}

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
	if m, ok := req.(proto.Message); ok && proto.Size(m) > requestBytes {
		return nil, invalid("Request payload size exceeds the limit: %d bytes.", requestBytes)
	}
	err = s.intercept(ctx, info.FullMethod, func() error {
		answer, err = handler(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

func (s *Server) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return s.intercept(stream.Context(), info.FullMethod, func() error { return handler(srv, stream) })
}
