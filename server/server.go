package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine/mock"
	"github.com/weftworks/weft/server/awsjson"
	"github.com/weftworks/weft/server/model"
)

// Options says what a server serves and within which bounds. Backend has to be set; the zero value of every
// other field is a good choice.
type Options struct {
	// Backend does the work. One that is Durable, too, is served under /v1/.
	Backend Backend

	// Credentials may send requests. None: everybody may, and Serve listens on loopback only.
	Credentials []Credential

	// Mocks are test cases: StartExecution and StartSyncExecution of "STATE-MACHINE-ARN#CASE" start a run whose states are
	// answered for by that case, as with Step Functions Local. Nil: an ARN has no such part.
	Mocks *mock.File

	// Limits bounds inputs, outputs and definitions. Zero: limits.Default. It has to be the Backend's.
	Limits limits.Set

	// Integrations are the service integrations that definitions may use. Nil: the Backend's, if it tells them (as
	// engine.Node does), else none.
	Integrations asl.Integrations

	// Check says what is wrong with a definition. Nil: the States Language's own validator.
	Check Checker

	// Logger gets a line a request at debug and a line for every failure of ours at warn. Nil: slog.Default().
	Logger *slog.Logger

	// Collectors are shown by /metrics beside the server's own.
	Collectors []prometheus.Collector

	// Requests bounds the requests being served, synchronous runs apart. Default 512. Past it: ThrottlingException.
	Requests int

	// Syncs bounds the StartSyncExecution requests that wait for their run. Default 1,024: they are only waiting.
	Syncs int

	// Polls bounds the GetActivityTask requests that wait for a task. Default 2,048: they are only waiting.
	Polls int

	// BodyBytes bounds the memory of all request bodies above 64 KiB together. Default 256 MiB.
	BodyBytes int64

	// Connections bounds open connections. Default 4,096: further ones wait in the kernel's queue.
	Connections int

	// Grace is how long Serve waits for requests in flight before it cuts them off. Default 10 s.
	Grace time.Duration

	// Now is the clock that signatures and billed time are checked against. Nil: time.Now.
	Now func() time.Time
}

// Server answers requests. Make it with New; it is safe for concurrent use.
type Server struct {
	backend Backend
	durable Durable // the Backend, if it has workflows
	options Options
	auth    *auth
	metrics *metrics
	log     *slog.Logger
	mux     *http.ServeMux
	regular gate
	syncs   gate
	polls   gate
	bodies  bodies
	model   map[string][]awsjson.Member

	// closing is done once synchronous runs should no longer be waited for.
	closing context.Context
	close   context.CancelFunc
}

// New makes a server, or says which option is wrong.
func New(o Options) (*Server, error) {
	if o.Backend == nil {
		return nil, errors.New("server: Options.Backend is not set")
	}
	for _, c := range o.Credentials {
		if len(c.Token) < minTokenChars {
			return nil, fmt.Errorf("server: the token of key %q has fewer than %d characters; make one with `openssl rand -base64 24`", c.KeyID, minTokenChars)
		}
	}
	o.fill()
	m, err := newMetrics(o.Collectors)
	if err != nil {
		return nil, fmt.Errorf("server: registering collectors: %w", err)
	}
	s := &Server{
		backend: o.Backend, options: o, auth: newAuth(o.Credentials, o.Now), metrics: m, log: o.Logger,
		mux: http.NewServeMux(), regular: make(gate, o.Requests), syncs: make(gate, o.Syncs), polls: make(gate, o.Polls),
		model: model.New(o.Limits),
	}
	s.durable, _ = o.Backend.(Durable)
	s.closing, s.close = context.WithCancel(context.Background())
	// JSON in a JSON string: quotes and backslashes double, and a client may write every other character as an
	// escape, which triples it at most.
	s.bodies = bodies{one: 3*int64(max(o.Limits.PayloadBytes, o.Limits.DefinitionBytes)) + smallBody, all: o.BodyBytes}
	s.mux.HandleFunc("/{$}", s.serveAPI)
	s.mux.HandleFunc("GET /healthz", s.serveHealth)
	s.routeREST()
	s.mux.HandleFunc("GET /metrics", s.serveMetrics)
	return s, nil
}

func (o *Options) fill() {
	preset := func(v *int, to int) {
		if *v <= 0 {
			*v = to
		}
	}
	preset(&o.Requests, 512)
	preset(&o.Syncs, 1024)
	preset(&o.Polls, 2048)
	preset(&o.Connections, 4096)
	if o.Limits == (limits.Set{}) {
		o.Limits = limits.Default
	}
	if o.BodyBytes <= 0 {
		o.BodyBytes = 256 << 20
	}
	if o.Grace <= 0 {
		o.Grace = 10 * time.Second
	}
	if o.Check == nil {
		if has, ok := o.Backend.(interface{ Integrations() asl.Integrations }); ok && o.Integrations == nil {
			o.Integrations = has.Integrations()
		}
		o.Check = languageChecker(o.Limits, o.Integrations)
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// writeTimeout bounds how long a client may take to receive an answer.
const writeTimeout = time.Minute

// exchange is what the log and the metrics say about one request.
type exchange struct {
	id     string
	op     string
	start  time.Time
	status int
	fail   *apiError
	in     int
	out    int
}

// serveAPI answers POST /: one Step Functions operation.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request) {
	x := s.begin()
	answer, fail := s.recovered(x, func() ([]byte, *apiError) { return s.guarded(w, r, x) })
	if fail != nil {
		x.fail, x.status = fail, fail.Status
		answer = fail.body()
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	s.end(w, r, x, answer)
}

// begin notes that a request has come; end has to follow.
func (s *Server) begin() *exchange {
	s.metrics.inFlight.Inc()
	return &exchange{id: uuid.NewString(), op: "Unknown", status: http.StatusOK, start: s.options.Now()}
}

// end sends the answer and notes it.
func (s *Server) end(w http.ResponseWriter, r *http.Request, x *exchange, answer []byte) {
	defer s.metrics.inFlight.Dec()
	x.out = len(answer)
	// Not every ResponseWriter has deadlines (tests' have none), and then there is nothing to bound.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(writeTimeout))
	h := w.Header()
	if x.status != http.StatusNoContent {
		h.Set("Content-Length", strconv.Itoa(len(answer)))
	}
	h.Set("X-Amzn-RequestId", x.id)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(x.status)
	_, _ = w.Write(answer) // a client that is gone is no error of ours
	took := s.options.Now().Sub(x.start)
	s.metrics.observe(x.op, x.status, took)
	s.logExchange(r, x, took)
}

// recovered turns a panic into InternalFailure, so that a defect in one operation costs one request.
func (s *Server) recovered(x *exchange, do func() ([]byte, *apiError)) (answer []byte, fail *apiError) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("operation panicked", "op", x.op, "id", x.id, "panic", p, "stack", string(debug.Stack()))
			answer, fail = nil, &apiError{"InternalFailure", http.StatusInternalServerError, "a defect of the server; its log has the stack under request id " + x.id}
		}
	}()
	return do()
}

// guarded runs a Step Functions operation behind everything that may refuse it.
func (s *Server) guarded(w http.ResponseWriter, r *http.Request, x *exchange) ([]byte, *apiError) {
	if fail := s.auth.guard(r); fail != nil {
		return nil, fail
	}
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		return nil, &apiError{"UnknownOperationException", http.StatusMethodNotAllowed, "the Step Functions API is POST / with an X-Amz-Target header"}
	}
	if fail := contentType(r); fail != nil {
		return nil, fail
	}
	op, fail := s.lookup(r.Header.Get("X-Amz-Target"), x)
	if fail != nil {
		return nil, fail
	}
	slots := s.regular
	switch {
	case op.waits:
		slots = s.syncs
	case op.polls:
		slots = s.polls
	}
	return s.admitted(w, r, x, slots, func(body []byte) ([]byte, *apiError) { return s.run(r, x, op, body) })
}

// admitted does what a request asks for, if its sender may and there is room among slots.
func (s *Server) admitted(w http.ResponseWriter, r *http.Request, x *exchange, slots gate, do func(body []byte) ([]byte, *apiError)) ([]byte, *apiError) {
	if fail := s.auth.before(r); fail != nil {
		return nil, fail
	}
	if !slots.enter() {
		return nil, throttled(fmt.Sprintf("%d requests are being served", cap(slots)))
	}
	defer slots.leave()
	body, held, fail := s.bodies.read(w, r)
	if fail != nil {
		return nil, fail
	}
	defer s.bodies.release(held)
	x.in = len(body)
	if fail := s.auth.after(r, body); fail != nil {
		return nil, fail
	}
	return do(body)
}

// lookup finds the operation that X-Amz-Target names.
func (s *Server) lookup(target string, x *exchange) (operation, *apiError) {
	name, ok := strings.CutPrefix(target, "AWSStepFunctions.")
	op, known := operations[name]
	if !ok || !known {
		return op, refuse("UnknownOperationException", "X-Amz-Target is '%.100s'; it has to be AWSStepFunctions. and the name of an operation", target)
	}
	x.op = name
	if op.do == nil {
		return op, refuse("UnsupportedOperation", "%s is not supported yet; docs/conformance.md says what is left out", name)
	}
	return op, nil
}

// run decodes the request, does the operation and encodes its answer.
func (s *Server) run(r *http.Request, x *exchange, op operation, body []byte) ([]byte, *apiError) {
	in, err := awsjson.Parse(body)
	if err != nil {
		return nil, toAPI(err, "")
	}
	in.Check(s.model[x.op])
	if err := in.Err(); err != nil {
		return nil, toAPI(err, "")
	}
	c := &call{Server: s, ctx: r.Context(), in: in}
	answer, err := op.do(c)
	if err != nil {
		e := toAPI(err, c.subject)
		if e.Status >= http.StatusInternalServerError {
			s.log.Warn("operation failed", "target", r.Header.Get("X-Amz-Target"), "err", err)
		}
		return nil, e
	}
	if raw, ok := answer.([]byte); ok {
		return raw, nil
	}
	b, err := encode(answer)
	if err != nil {
		return nil, toAPI(err, "")
	}
	return b, nil
}

func (s *Server) logExchange(r *http.Request, x *exchange, took time.Duration) {
	attrs := []any{"op", x.op, "status", x.status, "took", took, "in", x.in, "out", x.out, "id", x.id, "from", r.RemoteAddr}
	switch {
	case x.fail == nil:
		s.log.Debug("request", attrs...)
	case x.status >= http.StatusInternalServerError || x.fail.Type == "ThrottlingException":
		s.log.Warn("request failed", append(attrs, "error", x.fail.Type, "message", x.fail.Text)...)
	default:
		s.log.Debug("request refused", append(attrs, "error", x.fail.Type)...)
	}
}

// serveHealth answers 200 {"status":"ok"}, or 503 with the reasons. It needs no credentials: it is for load
// balancers and supervisors.
func (s *Server) serveHealth(w http.ResponseWriter, _ *http.Request) {
	answer := struct {
		Status  string   `json:"status"`
		Reasons []string `json:"reasons,omitempty"`
	}{Status: "ok"}
	status := http.StatusOK
	if err := s.backend.Healthy(); err != nil {
		answer.Status, answer.Reasons, status = "unavailable", []string{err.Error()}, http.StatusServiceUnavailable
	}
	if s.closing.Err() != nil {
		answer.Status, status = "unavailable", http.StatusServiceUnavailable
		answer.Reasons = append(answer.Reasons, "the server is closing")
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(answer) // a client that is gone is no error of ours
}

// serveMetrics answers Prometheus; with credentials configured it takes a bearer token.
func (s *Server) serveMetrics(w http.ResponseWriter, r *http.Request) {
	if fail := s.auth.guard(r); fail != nil {
		http.Error(w, fail.Text, fail.Status)
		return
	}
	if !s.auth.open() && !s.auth.bearer(r) {
		w.Header().Set("WWW-Authenticate", "Bearer")
		http.Error(w, "send `Authorization: Bearer TOKEN`", http.StatusUnauthorized)
		return
	}
	s.metrics.handler().ServeHTTP(w, r)
}
