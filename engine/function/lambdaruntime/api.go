package lambdaruntime

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/engine/function"
)

const (
	pathInvocation = "/2018-06-01/runtime/invocation/"
	pathInitError  = "/2018-06-01/runtime/init/error"
	pathRegister   = "/2020-01-01/extension/register"
	pathEvent      = "/2020-01-01/extension/event/next"
	headerType     = "Lambda-Runtime-Function-Error-Type"
	headerBody     = "Lambda-Runtime-Function-Error-Body"
	// errorBytes bounds an error document.
	errorBytes = 256 << 10
)

var discardLog = log.New(io.Discard, "", 0)

// ServeHTTP is the Runtime API for one process, and as much of the Extensions API as a runtime needs to be
// told of its end (register, next event).
func (w *worker) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rest, isInvocation := strings.CutPrefix(r.URL.Path, pathInvocation)
	switch {
	case isInvocation && rest == "next" && r.Method == http.MethodGet:
		w.next(rw, r)
	case isInvocation && r.Method == http.MethodPost:
		id, what, _ := strings.Cut(rest, "/")
		switch what {
		case "response":
			w.answer(rw, r, id, false)
		case "error":
			w.answer(rw, r, id, true)
		default:
			refuse(rw, http.StatusNotFound, "InvalidRequest", "no such resource: "+r.URL.Path)
		}
	case r.URL.Path == pathInitError && r.Method == http.MethodPost:
		w.initError(rw, r)
	case r.URL.Path == pathRegister && r.Method == http.MethodPost:
		rw.Header().Set("Lambda-Extension-Identifier", "weft-1")
		rw.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(rw, `{"functionName":`+strconv.Quote(w.pool.cfg.Name)+`,"functionVersion":"$LATEST","handler":""}`)
	case r.URL.Path == pathEvent && r.Method == http.MethodGet:
		select {
		case <-w.gone:
		case <-r.Context().Done():
		}
	default:
		refuse(rw, http.StatusNotFound, "InvalidRequest", "no such resource: "+r.Method+" "+r.URL.Path)
	}
}

// refuse answers a request that the protocol does not allow, in the protocol's shape.
func refuse(rw http.ResponseWriter, status int, errorType, message string) {
	body, _ := json.Marshal(map[string]string{"errorMessage": message, "errorType": errorType})
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_, _ = rw.Write(body)
}

// next hands out a call, waiting for one as long as it takes.
func (w *worker) next(rw http.ResponseWriter, r *http.Request) {
	c, ok := w.pool.ask(w)
	if !ok {
		refuse(rw, http.StatusForbidden, "InvalidStateTransition", "the invocation before is not answered, or another request for the next one waits")
		return
	}
	if c == nil {
		select {
		case c = <-w.work:
		case <-w.gone:
		case <-r.Context().Done():
			w.pool.hangUp(w)
			return
		}
	}
	if c == nil {
		refuse(rw, http.StatusGone, "Shutdown", "the process is to end")
		return
	}
	w.hand(rw, r, c)
}

// hand writes a call as the answer to next.
func (w *worker) hand(rw http.ResponseWriter, r *http.Request, c *call) {
	h := rw.Header()
	h["Content-Type"] = []string{"application/json"}
	h["Content-Length"] = []string{strconv.Itoa(len(c.req.Input))}
	h["Lambda-Runtime-Aws-Request-Id"] = []string{c.req.ID}
	h["Lambda-Runtime-Deadline-Ms"] = []string{strconv.FormatInt(deadline(c.req).UnixMilli(), 10)}
	h["Lambda-Runtime-Invoked-Function-Arn"] = []string{w.pool.cfg.ARNPrefix + w.pool.cfg.Name}
	if c.req.Run != "" || c.req.Key != "" {
		h["Lambda-Runtime-Client-Context"] = []string{clientContext(c.req)}
	}
	_, _ = rw.Write(c.req.Input) // a process that is gone by now ends its call by ending
}

// deadline is what a function is told: the earliest end of its call, in an hour when there is none.
func deadline(req *function.Request) time.Time {
	end := time.Now().Add(orDefault(req.Timeout, time.Hour))
	if !req.Deadline.IsZero() && req.Deadline.Before(end) {
		return req.Deadline
	}
	return end
}

// clientContext carries what makes a call recognisable to a function that must do its work once.
func clientContext(req *function.Request) string {
	custom := map[string]string{"weft_run": req.Run, "weft_attempt": strconv.Itoa(req.Attempt)}
	if req.Key != "" {
		custom["weft_key"] = req.Key
	}
	b, _ := json.Marshal(map[string]any{"custom": custom})
	return string(b)
}

// answer takes the result of the current call, or its error.
func (w *worker) answer(rw http.ResponseWriter, r *http.Request, id string, isError bool) {
	if !w.pool.serves(w, id) {
		refuse(rw, http.StatusBadRequest, "InvalidRequestID", "no invocation with this id runs here: "+id)
		return
	}
	bound := w.pool.cfg.ResponseBytes
	if isError {
		bound = errorBytes
	}
	body, err := readBody(r, bound)
	var o outcome
	status := http.StatusAccepted
	switch {
	case errors.Is(err, errTooLarge):
		o.err, status = function.TooLarge(bound), http.StatusRequestEntityTooLarge
	case err != nil:
		o.err, status = function.Failure("Runtime.TruncatedResponse", "the answer broke off: %v", err), http.StatusBadRequest
	case isError:
		o.err = function.Posted(body, r.Header.Get(headerType))
	case r.Trailer.Get(headerType) != "":
		o.err = streamed(r)
	default:
		if out, bad := function.Answer(body); bad != nil {
			o.err = bad
		} else {
			o.res = &function.Result{Output: out}
		}
	}
	if !w.pool.settle(w, id, o) {
		refuse(rw, http.StatusForbidden, "InvalidStateTransition", "this invocation has been answered already")
		return
	}
	if status != http.StatusAccepted {
		refuse(rw, status, "RequestEntityTooLarge", o.err.Error())
		return
	}
	rw.Header()["Content-Type"] = []string{"application/json"}
	rw.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(rw, `{"status":"OK"}`+"\n")
}

// streamed is the error that a runtime reports behind a streamed body, in trailers.
func streamed(r *http.Request) error {
	body, err := base64.StdEncoding.DecodeString(r.Trailer.Get(headerBody))
	if err != nil {
		body = nil
	}
	return function.Posted(body, r.Trailer.Get(headerType))
}

var errTooLarge = errors.New("too large")

// readBody reads a body of at most bound bytes, chunked ones and their trailers included.
func readBody(r *http.Request, bound int) ([]byte, error) {
	if r.ContentLength > int64(bound) {
		return nil, errTooLarge
	}
	if r.ContentLength >= 0 {
		body := make([]byte, r.ContentLength)
		_, err := io.ReadFull(r.Body, body)
		return body, err
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(bound)+1))
	if err == nil && len(body) > bound {
		return nil, errTooLarge
	}
	return body, err
}

// initError takes the reason why a process cannot serve.
func (w *worker) initError(rw http.ResponseWriter, r *http.Request) {
	body, err := readBody(r, errorBytes)
	if err != nil {
		refuse(rw, http.StatusBadRequest, "InvalidRequest", "the error document: "+err.Error())
		return
	}
	kind := r.Header.Get(headerType)
	w.pool.failStart(w, func(string) *function.Error { return function.Posted(body, orDefault(kind, "Runtime.InitError")) })
	rw.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(rw, `{"status":"OK"}`+"\n")
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	if w.state == dead && w.stop == nil && w.proc != nil {
		w.stop = time.AfterFunc(grace, w.proc.Kill) // it should end by itself now
	}
}
