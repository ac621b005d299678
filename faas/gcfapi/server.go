package gcfapi

import (
	"context"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/firestore/apiv1/admin/adminpb"
	"cloud.google.com/go/functions/apiv2/functionspb"
	iamadminpb "cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Config configures a Server. The zero value answers at once and runs nothing.
type Config struct {
	// Serve has a function run from its source, a zip archive, and returns its URL, at its creation and after each change;
	// an error is a build that failed. It must not call the Server. nil: functions have URLs at which nobody listens.
	Serve func(f *functionspb.Function, archive []byte) (uri string, err error)
	// Stop is told of a function that Serve has run and that is deleted. nil: nobody is.
	Stop func(name string)
	// Polls is how often the state of an operation is asked for until it is done, or another one is begun in vain on what it
	// is about. 0: it is done when it begins.
	Polls int
	// Intercept is given every call of gRPC before it is carried out, and carries it out by calling call. It injects delays,
	// faults and lost answers. method is a name like "CreateFunction". nil: it calls.
	Intercept func(ctx context.Context, method string, call func() error) error
}

// Server is the endpoint.
type Server struct {
	config  Config
	grpc    *grpc.Server
	http    *http.Server
	ports   [2]net.Listener // gRPC and HTTP
	serving sync.WaitGroup

	mu         sync.Mutex
	serial     int64
	functions  map[string]*function
	uploads    map[string]*upload // by bucket and object
	operations map[string]*operation
	policies   map[string]*iampb.Policy // by resource
	accounts   map[string]*iamadminpb.ServiceAccount
	databases  map[string]*adminpb.Database
	fields     map[string]*adminpb.Field
}

// Start listens on free ports of the loopback interface and serves until Close.
func Start(c Config) (*Server, error) {
	s := &Server{
		config: c, functions: make(map[string]*function), uploads: make(map[string]*upload), operations: make(map[string]*operation),
		policies: make(map[string]*iampb.Policy), accounts: make(map[string]*iamadminpb.ServiceAccount),
		databases: make(map[string]*adminpb.Database), fields: make(map[string]*adminpb.Field),
	}
	for i := range s.ports {
		var err error
		if s.ports[i], err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
			if i > 0 {
				_ = s.ports[0].Close()
			}
			return nil, err
		}
	}
	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(s.unary))
	functionspb.RegisterFunctionServiceServer(s.grpc, &functionService{server: s})
	longrunningpb.RegisterOperationsServer(s.grpc, &operationService{server: s})
	iampb.RegisterIAMPolicyServer(s.grpc, &policyService{server: s})
	iamadminpb.RegisterIAMServer(s.grpc, &accountService{server: s})
	adminpb.RegisterFirestoreAdminServer(s.grpc, &firestoreService{server: s})
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /upload/{bucket}/{object}", s.upload)
	mux.HandleFunc("POST /v1/projects/{call}", s.project)
	for _, method := range []string{"GET", "POST"} {
		mux.HandleFunc(method+" /v2/projects/{project}/locations/{location}/services/{call}", s.service)
	}
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	s.serving.Go(func() { _ = s.grpc.Serve(s.ports[0]) }) // both end by Close alone
	s.serving.Go(func() { _ = s.http.Serve(s.ports[1]) })
	return s, nil
}

// Addr returns the address of the gRPC services as host:port.
func (s *Server) Addr() string { return s.ports[0].Addr().String() }

// URL returns the address of what is HTTP: uploads, and the IAM policies of projects and of services of Cloud Run.
func (s *Server) URL() string { return "http://" + s.ports[1].Addr().String() }

// Close cuts all connections and stops.
func (s *Server) Close() {
	s.grpc.Stop()
	_ = s.http.Close()
	s.serving.Wait()
}

func (s *Server) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (answer any, err error) {
	if s.config.Intercept == nil {
		return handler(ctx, req)
	}
	err = s.config.Intercept(ctx, last(info.FullMethod), func() error {
		answer, err = handler(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return answer, nil
}

// next returns a number that none was before. s.mu is held.
func (s *Server) next() int64 {
	s.serial++
	return s.serial
}

func last(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// above returns a name without its last two parts.
func above(name string) string {
	for range 2 {
		i := strings.LastIndexByte(name, '/')
		if i < 0 {
			return ""
		}
		name = name[:i]
	}
	return name
}

func invalid(format string, args ...any) error {
	return status.Errorf(codes.InvalidArgument, format, args...)
}

func missing(what, name string) error {
	return status.Errorf(codes.NotFound, "%s %s was not found", what, name)
}
