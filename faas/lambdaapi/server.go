package lambdaapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/google/uuid"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/fault"
)

// Config is what a Server is made from. Service is needed.
type Config struct {
	Service *faas.Service
	// Dir is where the code of functions is unpacked; what is left there by an earlier Server is of no use to this one.
	// "": functions and layers cannot be created.
	Dir string
	// Env is added to the environment of all functions, "KEY=value": endpoints and credentials. Their own comes after it.
	Env []string
	// Processes is how many of one function may be alive at a time, which is how many executions of it run; more wait.
	// 0: lambdaruntime.DefaultProcesses.
	Processes int
	// Queues is where event source mappings take messages from. nil: there are none.
	Queues Queues
	// Role says whether a role exists, by its ARN. nil: each does.
	Role func(arn string) bool
	// Lines gets every line that functions write. It must not block, and be safe for concurrent use.
	Lines func(function.LogLine)
}

// Server answers requests of the Lambda API. It is safe for concurrent use.
type Server struct {
	cfg     Config
	service *faas.Service
	mux     *http.ServeMux
	closing chan struct{}
	alive   sync.WaitGroup // updates and pollers

	mu        sync.Mutex
	closed    bool
	functions map[string]*created
	layers    map[string]*layer
	mappings  map[string]*mapping
	invokes   map[string]eventConfig // by function
	recursion map[string]string      // RecursiveLoop, by function
}

// New returns a Server.
func New(cfg Config) (*Server, error) {
	if cfg.Service == nil {
		return nil, fault.New("lambdaapi.New", fault.InvalidArgument, "", "Config.Service is needed")
	}
	s := &Server{cfg: cfg, service: cfg.Service, mux: http.NewServeMux(), closing: make(chan struct{}),
		functions: map[string]*created{}, layers: map[string]*layer{}, mappings: map[string]*mapping{},
		invokes: map[string]eventConfig{}, recursion: map[string]string{}}
	s.routes()
	return s, nil
}

// Close ends what takes messages from queues and waits for updates under way. The functions stay in the faas, which is
// to be closed next.
func (s *Server) Close() error {
	s.mu.Lock()
	if !s.closed {
		s.closed = true
		close(s.closing)
	}
	s.mu.Unlock()
	s.alive.Wait()
	return nil
}

// routes says which operation answers what.
func (s *Server) routes() {
	const (
		functions = "/2015-03-31/functions"
		one       = functions + "/{name}"
		invokes   = "/2019-09-25/functions/{name}/event-invoke-config"
		mappings  = "/2015-03-31/event-source-mappings"
		layers    = "/2018-10-31/layers/{name}/versions"
		tags      = "/2017-03-31/tags/{name}"
	)
	for pattern, op := range map[string]operation{
		"POST " + one + "/invocations":                      s.invoke,
		"POST " + functions:                                 s.createFunction,
		"POST " + functions + "/{$}":                        s.createFunction, // as the CLI writes it
		"GET " + functions + "/{$}":                         s.listFunctions,
		"GET " + functions:                                  s.listFunctions,
		"GET " + one:                                        s.getFunction,
		"DELETE " + one:                                     s.deleteFunction,
		"GET " + one + "/configuration":                     s.getConfiguration,
		"PUT " + one + "/configuration":                     s.updateConfiguration,
		"PUT " + one + "/code":                              s.updateCode,
		"PUT " + invokes:                                    s.putEventConfig,
		"POST " + invokes:                                   s.updateEventConfig,
		"GET " + invokes:                                    s.getEventConfig,
		"GET " + invokes + "/list":                          s.listEventConfigs,
		"DELETE " + invokes:                                 s.deleteEventConfig,
		"POST " + mappings:                                  s.createMapping,
		"POST " + mappings + "/{$}":                         s.createMapping,
		"GET " + mappings + "/{$}":                          s.listMappings,
		"GET " + mappings:                                   s.listMappings,
		"GET " + mappings + "/{uuid}":                       s.getMapping,
		"PUT " + mappings + "/{uuid}":                       s.updateMapping,
		"DELETE " + mappings + "/{uuid}":                    s.deleteMapping,
		"POST " + layers:                                    s.publishLayer,
		"GET " + layers:                                     s.listLayer,
		"GET " + layers + "/{version}":                      s.getLayer,
		"DELETE " + layers + "/{version}":                   s.deleteLayer,
		"POST " + tags:                                      s.tag,
		"GET " + tags:                                       s.listTags,
		"DELETE " + tags:                                    s.untag,
		"PUT /2017-10-31/functions/{name}/concurrency":      s.putConcurrency,
		"DELETE /2017-10-31/functions/{name}/concurrency":   s.deleteConcurrency,
		"GET /2019-09-30/functions/{name}/concurrency":      s.getConcurrency,
		"PUT /2024-08-31/functions/{name}/recursion-config": s.putRecursion,
		"GET /2024-08-31/functions/{name}/recursion-config": s.getRecursion,
	} {
		s.route(pattern, op)
	}
	s.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, &apiError{status: http.StatusNotFound, name: "UnknownOperationException",
			message: "this endpoint has no " + r.Method + " " + r.URL.Path})
	})
}

// operation answers a request, or returns the error to answer.
type operation func(w http.ResponseWriter, r *http.Request) error

// route has an operation answer a pattern.
func (s *Server) route(pattern string, op operation) {
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

// existing returns the name of the function that a request is about, which is there.
func (s *Server) existing(r *http.Request) (string, error) {
	name, err := s.target(r)
	if err == nil {
		_, err = s.service.Settings(name)
	}
	return name, err
}

// read decodes a request.
func read(r *http.Request, operation string, most int64, into any) error {
	body, err := readBody(r, operation, most)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &apiError{status: http.StatusBadRequest, name: "InvalidRequestContentException", message: "Could not parse request body into json: " + err.Error()}
	}
	return nil
}

// requestBytes bounds requests without code in them.
const requestBytes = 1 << 20

// page cuts out of all what MaxItems and Marker of a request ask for, and returns the next Marker, "" for none.
func page[T any](r *http.Request, all []T) (some []T, marker string) {
	query := r.URL.Query()
	begin, _ := strconv.Atoi(query.Get("Marker")) // one that is not ours begins anew
	most, _ := strconv.Atoi(query.Get("MaxItems"))
	if most <= 0 || most > 50 {
		most = 50
	}
	begin = min(max(begin, 0), len(all))
	end := min(begin+most, len(all))
	if end < len(all) {
		marker = strconv.Itoa(end)
	}
	return slices.Clone(all[begin:end]), marker
}

// listed is a page of a list under a name.
func listed[T any](w http.ResponseWriter, r *http.Request, name string, all []T) error {
	some, marker := page(r, all)
	out := map[string]any{name: some}
	if some == nil {
		out[name] = []T{}
	}
	if marker != "" {
		out["NextMarker"] = marker
	}
	reply(w, http.StatusOK, out)
	return nil
}

// outOfRange says that a number is not allowed, in Lambda's words.
func outOfRange(name string, value, least, most int) error {
	bound := fmt.Sprintf("less than or equal to %d", most)
	if value < least {
		bound = fmt.Sprintf("greater than or equal to %d", least)
	}
	return invalidParameter(fmt.Sprintf("1 validation error detected: Value '%d' at '%s' failed to satisfy constraint: Member must have value %s", value, name, bound))
}
