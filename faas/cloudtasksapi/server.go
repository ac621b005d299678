package cloudtasksapi

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"

	pb "cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"google.golang.org/grpc"
)

// Config configures an endpoint. The zero value is Cloud Tasks' own timing, to targets on this machine.
type Config struct {
	// Scale multiplies the pauses between attempts; 0: 1. Times for which tasks are scheduled are not scaled.
	Scale float64
	// Transport carries the requests of tasks. nil: HTTP, to loopback addresses alone, as tasks hold tokens and results
	// that should not leave the machine by an oversight.
	Transport http.RoundTripper
	// Intercept is given every call before it is carried out, and carries it out by calling call. It injects delays,
	// faults and lost answers. method is a name like "CreateTask". nil: it calls.
	Intercept func(ctx context.Context, method string, call func() error) error
}

// Server is a Service behind a port.
type Server struct {
	*Service
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
	s := &Server{Service: New(c), listener: listener}
	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(s.unary))
	pb.RegisterCloudTasksServer(s.grpc, s.Service)
	s.serving.Go(func() { _ = s.grpc.Serve(listener) }) // it ends by Close alone
	return s, nil
}

// Addr returns the address as host:port.
func (s *Server) Addr() string { return s.listener.Addr().String() }

// Close cuts all connections, forgets all tasks and waits for the dispatches under way, which it cancels.
func (s *Server) Close() {
	s.grpc.Stop()
	s.serving.Wait()
	s.Service.Close()
}

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
	if s.config.Intercept == nil {
		return handler(ctx, req)
	}
	err = s.config.Intercept(ctx, lastPart(info.FullMethod), func() error {
		answer, err = handler(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// loopback is a transport that connects to this machine alone.
func loopback() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.Proxy = nil
	t.MaxIdleConnsPerHost = 128
	dialer := &net.Dialer{Timeout: 10 * time.Second, Control: func(_, address string, _ syscall.RawConn) error {
		if at, err := netip.ParseAddrPort(address); err != nil || !at.Addr().IsLoopback() {
			return &net.AddrError{Err: "not a loopback address; set Config.Transport to dispatch elsewhere", Addr: address}
		}
		return nil
	}}
	t.DialContext = dialer.DialContext
	return t
}
