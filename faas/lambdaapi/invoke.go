package lambdaapi

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/weftworks/weft/faas"
)

// invoke is Invoke.
func (s *Server) invoke(w http.ResponseWriter, r *http.Request) error {
	name, err := s.target(r)
	if err != nil {
		return err
	}
	payload, err := readBody(r, "InvokeFunction", faas.SyncBytes)
	if err != nil {
		return err
	}
	if err := s.active(name); err != nil {
		return err
	}
	switch kind := r.Header.Get("X-Amz-Invocation-Type"); kind {
	case "", "RequestResponse":
		return s.call(w, r, name, payload)
	case "Event":
		return s.event(w, r, name, payload)
	case "DryRun":
		if err := s.service.Check(name, payload); err != nil {
			return err
		}
		w.WriteHeader(http.StatusNoContent)
		return nil
	default:
		return invalidParameter(fmt.Sprintf("1 validation error detected: Value '%s' at 'invocationType' failed to satisfy constraint: "+
			"Member must satisfy enum value set: [Event, RequestResponse, DryRun]", kind))
	}
}

// active refuses functions that are not made yet.
func (s *Server) active(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if c := s.functions[name]; c != nil && c.config.State != "Active" {
		return conflict("The operation cannot be performed at this time. The function is currently in the following state: " + c.config.State)
	}
	return nil
}

// readBody reads a body of at most most bytes.
func readBody(r *http.Request, operation string, most int64) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, most))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, &apiError{status: http.StatusRequestEntityTooLarge, name: "RequestTooLargeException",
			message: fmt.Sprintf("Request must be smaller than %d bytes for the %s operation", most, operation)}
	case err != nil:
		return nil, &apiError{status: http.StatusBadRequest, name: "InvalidRequestContentException", message: "the body broke off: " + err.Error()}
	}
	return body, nil
}

// call executes a function and answers what it did.
func (s *Server) call(w http.ResponseWriter, r *http.Request, name string, payload []byte) error {
	answer, err := s.service.Invoke(r.Context(), name, payload)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("X-Amzn-RequestId", answer.RequestID)
	h.Set("X-Amz-Executed-Version", faas.Version)
	if answer.FunctionError != "" {
		h.Set("X-Amz-Function-Error", answer.FunctionError)
	}
	if r.Header.Get("X-Amz-Log-Type") == "Tail" {
		h.Set("X-Amz-Log-Result", base64.StdEncoding.EncodeToString(tail(answer)))
	}
	_, _ = w.Write(answer.Payload) // a client that is gone needs none
	return nil
}

// tail is the log of an execution, of which Lambda gives the last 4 KiB. Nothing measures memory.
func tail(a *faas.Answer) []byte {
	ms := float64(a.Duration) / float64(time.Millisecond)
	log := fmt.Appendf(nil, "START RequestId: %[1]s Version: %[2]s\n%[3]s\nEND RequestId: %[1]s\nREPORT RequestId: %[1]s\tDuration: %.2[4]f ms\tBilled Duration: %.0[5]f ms\t\n",
		a.RequestID, faas.Version, a.LogTail, ms, ms+0.5)
	return log[max(0, len(log)-4<<10):]
}

// event hands an event to a function.
func (s *Server) event(w http.ResponseWriter, r *http.Request, name string, payload []byte) error {
	var notBefore time.Time
	if at := r.Header.Get(faas.NotBeforeHeader); at != "" {
		us, err := strconv.ParseInt(at, 10, 64)
		if err != nil {
			return invalidParameter(faas.NotBeforeHeader + " has to be a time in Unix microseconds, not " + at)
		}
		notBefore = time.UnixMicro(us)
	}
	id, err := s.service.Send(r.Context(), name, payload, notBefore)
	if err != nil {
		return err
	}
	w.Header().Set("X-Amzn-RequestId", id)
	w.WriteHeader(http.StatusAccepted)
	return nil
}
