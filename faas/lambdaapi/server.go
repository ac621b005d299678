package lambdaapi

import (
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/fault"
)

// Config is what a Server is made from. Service is needed.
type Config struct {
	Service *faas.Service
}

// Server answers requests of the Lambda API. It is safe for concurrent use.
type Server struct {
	cfg     Config
	service *faas.Service
	mux     *http.ServeMux
}

// New returns a Server.
func New(cfg Config) (*Server, error) {
	if cfg.Service == nil {
		return nil, fault.New("lambdaapi.New", fault.InvalidArgument, "", "Config.Service is needed")
	}
	s := &Server{cfg: cfg, service: cfg.Service, mux: http.NewServeMux()}
	s.route("POST /2015-03-31/functions/{name}/invocations", s.invoke)
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, &apiError{status: http.StatusNotFound, name: "UnknownOperationException",
			message: "this endpoint has no " + r.Method + " " + r.URL.Path})
	})
	return s, nil
}

// route has an operation answer a pattern.
func (s *Server) route(pattern string, op func(w http.ResponseWriter, r *http.Request) error) {
	s.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		if err := op(w, r); err != nil {
			refuse(w, err)
		}
	})
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-RequestId", uuid.NewString())
	s.mux.ServeHTTP(w, r)
}

// target returns the name of the function that a request is about. There is one version of each.
func (s *Server) target(r *http.Request) (string, error) {
	resource := r.PathValue("name")
	name := function.NameOf(resource)
	qualifier := r.URL.Query().Get("Qualifier")
	if _, after, found := strings.Cut(strings.TrimPrefix(resource, s.service.ARN("")), name+":"); found && after != "" && qualifier == "" {
		qualifier = after
	}
	if qualifier != "" && qualifier != faas.Version {
		return "", notFound("Function not found: " + s.service.ARN(name) + ":" + qualifier)
	}
	return name, nil
}
