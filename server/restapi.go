package server

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/rest"
)

// restCall is one request of the REST API.
type restCall struct {
	*Server
	r    *http.Request
	body []byte
}

// reply is the answer to one: a value that is written as JSON, JSON text, or nothing (204).
type reply struct {
	status   int
	value    any
	text     []byte
	location string
}

func ok(value any) *reply { return &reply{status: http.StatusOK, value: value} }

// restRoute is one operation of the REST API.
type restRoute struct {
	pattern string
	op      string   // in metrics and the log
	query   []string // parameters it takes
	do      func(c *restCall) (*reply, error)
	waits   bool // for a run to end if the query has "wait", so it is admitted by Syncs instead of Requests then
}

var restRoutes = []restRoute{
	{pattern: "GET /v1/workflows", op: "ListCode", do: (*restCall).listCode},
	{pattern: "POST /v1/workflows/{workflow}/runs", op: "StartWorkflow", do: (*restCall).startWorkflow},
	{pattern: "GET /v1/runs", op: "ListWorkflows", do: (*restCall).listWorkflows,
		query: []string{"workflow", "status", "prefix", "tag", "from", "before", "limit", "cursor"}},
	{pattern: "POST /v1/runs/purge", op: "PurgeWorkflows", do: (*restCall).purgeWorkflows},
	{pattern: "GET /v1/runs/{id}", op: "Workflow", do: (*restCall).workflow},
	{pattern: "PATCH /v1/runs/{id}", op: "TagWorkflow", do: (*restCall).tagWorkflow},
	{pattern: "DELETE /v1/runs/{id}", op: "PurgeWorkflow", do: (*restCall).purgeWorkflow, query: []string{"recursive"}},
	{pattern: "GET /v1/runs/{id}/result", op: "WaitWorkflow", do: (*restCall).result, query: []string{"wait"}, waits: true},
	{pattern: "GET /v1/runs/{id}/history", op: "WorkflowHistory", do: (*restCall).history},
	{pattern: "POST /v1/runs/{id}/events/{name}", op: "RaiseEvent", do: (*restCall).raise},
	{pattern: "POST /v1/runs/{id}/suspend", op: "SuspendWorkflow", do: (*restCall).suspend},
	{pattern: "POST /v1/runs/{id}/resume", op: "ResumeWorkflow", do: (*restCall).resume},
	{pattern: "POST /v1/runs/{id}/terminate", op: "TerminateWorkflow", do: (*restCall).terminate},
	{pattern: "POST /v1/runs/{id}/rewind", op: "RewindWorkflow", do: (*restCall).rewind},
	{pattern: "POST /v1/runs/{id}/restart", op: "RestartWorkflow", do: (*restCall).restart},
	{pattern: "GET /v1/entities", op: "ListEntities", do: (*restCall).listEntities, query: []string{"name", "prefix", "limit", "cursor"}},
	{pattern: "GET /v1/entities/{name}/{key}", op: "Entity", do: (*restCall).entity},
	{pattern: "POST /v1/entities/{name}/{key}/{operation}", op: "SignalEntity", do: (*restCall).signal, query: []string{"at"}},
	{pattern: "GET /v1/schedules", op: "ListSchedules", do: (*restCall).listSchedules, query: []string{"prefix", "limit", "cursor"}},
	{pattern: "PUT /v1/schedules/{id}", op: "PutSchedule", do: (*restCall).putSchedule, query: []string{"new"}},
	{pattern: "GET /v1/schedules/{id}", op: "Schedule", do: (*restCall).schedule},
	{pattern: "DELETE /v1/schedules/{id}", op: "DeleteSchedule", do: (*restCall).deleteSchedule},
	{pattern: "POST /v1/schedules/{id}/pause", op: "PauseSchedule", do: (*restCall).pauseSchedule},
	{pattern: "POST /v1/schedules/{id}/resume", op: "ResumeSchedule", do: (*restCall).resumeSchedule},
	{pattern: "POST /v1/schedules/{id}/trigger", op: "TriggerSchedule", do: (*restCall).triggerSchedule},
	{pattern: "POST /v1/schedules/{id}/backfill", op: "BackfillSchedule", do: (*restCall).backfillSchedule},
	{pattern: "GET /v1/machines/{machine}/logs", op: "MachineLogs", do: (*restCall).machineLogs, query: []string{"limit", "cursor"}},
	{pattern: "GET /v1/machines/{machine}/runs/{run}", op: "MachineRun", do: (*restCall).machineRun},
	{pattern: "POST /v1/machines/{machine}/runs/{run}/pause", op: "PauseRun", do: (*restCall).pauseRun},
	{pattern: "POST /v1/machines/{machine}/runs/{run}/resume", op: "ResumeRun", do: (*restCall).resumeRun},
	{pattern: "POST /v1/machines/{machine}/runs/{run}/redrive", op: "RedriveRun", do: (*restCall).redriveRun},
	{pattern: "POST /v1/machines/{machine}/runs/{run}/rerun", op: "RerunRun", do: (*restCall).rerun},
	{pattern: "/v1/", op: "Unknown", do: (*restCall).unknown},
}

// routeREST serves the REST API if there is a backend of it.
func (s *Server) routeREST() {
	if s.durable == nil {
		return
	}
	for _, route := range restRoutes {
		s.mux.HandleFunc(route.pattern, func(w http.ResponseWriter, r *http.Request) { s.serveREST(w, r, &route) })
	}
}

// serveREST answers one request of the REST API.
func (s *Server) serveREST(w http.ResponseWriter, r *http.Request, route *restRoute) {
	x := s.begin()
	x.op = route.op
	answer, fail := s.recovered(x, func() ([]byte, *apiError) { return s.guardedREST(w, r, x, route) })
	if fail != nil {
		kind, status := restFailure(fail)
		x.fail, x.status = fail, status
		answer = restError(kind, fail.Text)
		switch kind {
		case fault.Busy, fault.Unavailable:
			if w.Header().Get("Retry-After") == "" {
				w.Header().Set("Retry-After", "1")
			}
		case fault.Unauthorized:
			w.Header().Set("WWW-Authenticate", "Bearer")
		}
	}
	if x.status != http.StatusNoContent {
		w.Header().Set("Content-Type", "application/json")
	}
	s.end(w, r, x, answer)
}

// guardedREST runs an operation behind everything that may refuse it.
func (s *Server) guardedREST(w http.ResponseWriter, r *http.Request, x *exchange, route *restRoute) ([]byte, *apiError) {
	if fail := s.auth.guard(r); fail != nil {
		return nil, fail
	}
	if fail := s.auth.sameHost(r); fail != nil {
		return nil, fail
	}
	if r.ContentLength != 0 || r.Header.Get("Content-Type") != "" {
		if fail := contentType(r); fail != nil {
			return nil, &apiError{fail.Type, http.StatusUnsupportedMediaType, "send the body with Content-Type: application/json"}
		}
	}
	query, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, invalid("the query of the URL does not parse: %v", err)
	}
	for name := range query {
		if !slices.Contains(route.query, name) && route.op != "Unknown" {
			return nil, invalid("there is no query parameter %q here%s", name, parameters(route.query))
		}
	}
	slots := s.regular
	if route.waits && query.Has("wait") {
		slots = s.syncs
	}
	return s.admitted(w, r, x, slots, func(body []byte) ([]byte, *apiError) {
		answer, err := route.do(&restCall{Server: s, r: r, body: body})
		if err != nil {
			fail := s.restRefusal(err)
			if after, busy := fault.RetryAfter(err); busy {
				w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(after.Seconds()))))
			}
			if fail.Status >= http.StatusInternalServerError {
				s.log.Warn("operation failed", "op", x.op, "err", err)
			}
			return nil, fail
		}
		if x.status = answer.status; answer.location != "" {
			w.Header().Set("Location", answer.location)
		}
		if answer.value == nil {
			return answer.text, nil
		}
		text, err := encode(answer.value)
		if err != nil {
			return nil, toAPI(err, "")
		}
		return append(text, '\n'), nil
	})
}

func parameters(names []string) string {
	if len(names) == 0 {
		return "; this operation takes none"
	}
	return "; there are: " + strings.Join(names, ", ")
}

// restRefusal turns any error into one with the kind of a fault as its type.
func (s *Server) restRefusal(err error) *apiError {
	var api *apiError
	switch {
	case errors.As(err, &api):
		return api
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &apiError{fault.Unavailable.String(), http.StatusServiceUnavailable, "the request was given up before it was answered; try again"}
	}
	words := err.Error()
	var f *fault.Error
	if errors.As(err, &f) {
		words = f.Message()
	}
	kind := fault.KindOf(err)
	return &apiError{kind.String(), restStatus[kind], words}
}

// restStatus is the HTTP status of every kind.
var restStatus = map[fault.Kind]int{
	fault.Internal:          http.StatusInternalServerError,
	fault.InvalidArgument:   http.StatusBadRequest,
	fault.InvalidArn:        http.StatusBadRequest,
	fault.InvalidName:       http.StatusBadRequest,
	fault.InvalidDefinition: http.StatusBadRequest,
	fault.InvalidInput:      http.StatusBadRequest,
	fault.InvalidOutput:     http.StatusBadRequest,
	fault.InvalidToken:      http.StatusBadRequest,
	fault.MachineNotFound:   http.StatusNotFound,
	fault.MachineExists:     http.StatusConflict,
	fault.MachineDeleting:   http.StatusConflict,
	fault.MachineType:       http.StatusBadRequest,
	fault.RunNotFound:       http.StatusNotFound,
	fault.RunExists:         http.StatusConflict,
	fault.TaskNotFound:      http.StatusNotFound,
	fault.TaskTimedOut:      http.StatusConflict,
	fault.ResourceNotFound:  http.StatusNotFound,
	fault.TooManyTags:       http.StatusBadRequest,
	fault.LimitExceeded:     http.StatusBadRequest,
	fault.Conflict:          http.StatusConflict,
	fault.Busy:              http.StatusTooManyRequests,
	fault.Unavailable:       http.StatusServiceUnavailable,
	fault.Corrupt:           http.StatusInternalServerError,
	fault.Unsupported:       http.StatusNotImplemented,
	fault.Unauthorized:      http.StatusUnauthorized,
	fault.ActivityNotFound:  http.StatusNotFound,
	fault.ActivityWorkers:   http.StatusTooManyRequests,
	fault.NotRedrivable:     http.StatusConflict,
}

// restFailure returns the kind and the status of an error, also of one that the parts shared with the Step Functions API
// made, which has a type of that API.
func restFailure(e *apiError) (fault.Kind, int) {
	if kind, ok := fault.ParseKind(e.Type); ok {
		return kind, e.Status
	}
	switch e.Type {
	case "ThrottlingException":
		return fault.Busy, http.StatusTooManyRequests
	case "ServiceUnavailable":
		return fault.Unavailable, http.StatusServiceUnavailable
	case "InternalFailure":
		return fault.Internal, http.StatusInternalServerError
	case "AccessDeniedException":
		return fault.Unauthorized, http.StatusForbidden
	case "UnrecognizedClientException", "MissingAuthenticationTokenException", "IncompleteSignatureException", "InvalidSignatureException":
		return fault.Unauthorized, http.StatusUnauthorized
	}
	return fault.InvalidArgument, e.Status
}

func restError(kind fault.Kind, message string) []byte {
	var e rest.Error
	e.Error.Kind, e.Error.Message = kind.String(), message
	text, err := encode(e)
	if err != nil {
		return []byte(`{"error":{"kind":"Internal"}}`) // strings always marshal
	}
	return append(text, '\n')
}

// decode reads a body that is an object, or nothing. Members that are not known are refused: they are mistakes.
func (c *restCall) decode(into any) error {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	dec := json.NewDecoder(bytes.NewReader(c.body))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return fault.New("", fault.InvalidArgument, "", "the body is not what this operation takes: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return fault.New("", fault.InvalidArgument, "", "the body has more than one JSON value")
	}
	return nil
}

// payload returns a body that is one JSON text; nil for none.
func (c *restCall) payload() []byte {
	if len(bytes.TrimSpace(c.body)) == 0 {
		return nil
	}
	return c.body
}

func (c *restCall) unknown() (*reply, error) {
	return nil, fault.New("", fault.ResourceNotFound, c.r.URL.Path, "there is no %s %s in this API; docs/rest.md lists what there is", c.r.Method, c.r.URL.Path)
}
