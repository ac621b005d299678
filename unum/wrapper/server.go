package wrapper

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/function/endpoint"
	"github.com/weftworks/weft/engine/function/process"
	"github.com/weftworks/weft/fault"
)

// ServerConfig says how a function's own HTTP server is started.
type ServerConfig struct {
	Name string
	// Argv is the command, which listens on the loopback port $PORT (functions-framework does). It writes where this
	// process writes and has its environment.
	Argv []string
	Dir  string   // where it runs; "": here
	Env  []string // "KEY=value", added last
}

// Server is code behind an HTTP server of its own, in a process that is started before the first call, again when it
// has died, and after it was killed at a time-out. What answers and errors mean says package endpoint. Calls run at the
// same time. It implements function.Invoker, io.Closer, and http.Handler for requests that are to reach the server as
// they are.
type Server struct {
	cfg       ServerConfig
	endpoint  *endpoint.Endpoint
	transport *http.Transport
	proxy     http.Handler

	mu     sync.Mutex
	life   *serverLife // nil: none has begun, or the last is over
	closed bool
	lives  sync.WaitGroup
}

// serverLife is one process.
type serverLife struct {
	proc    *process.Process
	address string
	over    chan struct{}
	end     error // after over
}

// NewServer makes a Server. Nothing is started before the first call.
func NewServer(cfg ServerConfig) (*Server, error) {
	if len(cfg.Argv) == 0 || cfg.Argv[0] == "" {
		return nil, fault.New("wrapper.NewServer", fault.InvalidArgument, cfg.Name, "there is no command to start; name the program that serves the function")
	}
	s := &Server{cfg: cfg}
	// The address changes with every process; the name stands for whichever is alive.
	s.transport = &http.Transport{MaxIdleConnsPerHost: 64, DialContext: s.dial}
	var err error
	if s.endpoint, err = endpoint.New(endpoint.Config{Name: cfg.Name, URL: "http://function/", Transport: s.transport}); err != nil {
		return nil, err
	}
	target := &url.URL{Scheme: "http", Host: "function"}
	s.proxy = &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded(); r.Out.Host = r.In.Host },
		Transport:     s.transport,
		FlushInterval: -1,
		ErrorLog:      discardLog,
	}
	return s, nil
}

// ServeHTTP passes a request to the function's server.
func (s *Server) ServeHTTP(rw http.ResponseWriter, r *http.Request) { s.proxy.ServeHTTP(rw, r) }

// Invoke implements function.Invoker.
func (s *Server) Invoke(ctx context.Context, req *function.Request) (*function.Result, error) {
	l, err := s.alive()
	if err != nil {
		return nil, err
	}
	res, err := s.endpoint.Invoke(ctx, req)
	var e *function.Error
	if !errors.As(err, &e) {
		return res, err
	}
	switch e.Type {
	case "Sandbox.Timedout":
		l.proc.Kill() // what it does can no longer count
		<-l.over
	case "States.Http.Socket":
		select {
		case <-l.over:
			return nil, function.Failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: %s", req.ID, process.Reason(l.end))
		case <-time.After(drainTime): // its end comes a little after that of its connections
		}
	}
	return nil, e
}

// Close asks the process to end, kills it soon after, and waits for it.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	if s.life != nil {
		defer s.life.proc.Stop(grace).Stop()
	}
	s.mu.Unlock()
	_ = s.endpoint.Close()
	s.lives.Wait()
	s.transport.CloseIdleConnections()
	return nil
}

// alive returns the process that is alive, a new one if there is none.
func (s *Server) alive() (*serverLife, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, function.Closed(s.cfg.Name)
	}
	if s.life != nil {
		return s.life, nil
	}
	l, err := s.begin()
	if err != nil {
		e := function.Failure("Runtime.InvalidEntrypoint", "cannot start %q: %v", s.cfg.Argv[0], err)
		e.StartFailed = true
		return nil, e
	}
	s.life = l
	s.lives.Go(func() {
		l.end = l.proc.Wait()
		s.mu.Lock()
		s.life = nil
		s.mu.Unlock()
		close(l.over)
	})
	return l, nil
}

func (s *Server) begin() (*serverLife, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // a port that is free now
	if err != nil {
		return nil, err
	}
	l := &serverLife{address: listener.Addr().String(), over: make(chan struct{})}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return nil, err
	}
	cmd := exec.Command(s.cfg.Argv[0], s.cfg.Argv[1:]...)
	cmd.Dir = s.cfg.Dir
	cmd.Env = append(append(os.Environ(), "PORT="+strconv.Itoa(port)), s.cfg.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, os.Stdout, os.Stderr
	l.proc, err = process.Start(cmd, nil)
	return l, err
}

// dial connects to the process that is alive, waiting for it to listen.
func (s *Server) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	l, err := s.alive()
	if err != nil {
		return nil, err
	}
	var d net.Dialer
	for pause := time.Millisecond; ; pause = min(2*pause, 50*time.Millisecond) {
		conn, err := d.DialContext(ctx, network, l.address)
		if err == nil {
			return conn, nil
		}
		select {
		case <-l.over:
			return nil, err
		case <-ctx.Done():
			return nil, err
		case <-time.After(pause):
		}
	}
}
