package wrapper

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/engine/function"
)

// The Lambda Runtime API, version 2018-06-01: https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
const (
	pathInvocation = "/2018-06-01/runtime/invocation/"
	pathNext       = pathInvocation + "next"
	pathInitError  = "/2018-06-01/runtime/init/error"

	headerPrefix   = "Lambda-Runtime-"
	headerID       = "Lambda-Runtime-Aws-Request-Id"
	headerDeadline = "Lambda-Runtime-Deadline-Ms"
	headerARN      = "Lambda-Runtime-Invoked-Function-Arn"
	headerType     = "Lambda-Runtime-Function-Error-Type"
	headerBody     = "Lambda-Runtime-Function-Error-Body"

	// headerBytes bounds a request's headers: X-Ray's cause of an error is one and may be large.
	headerBytes = 1 << 20
	// errorBytes bounds an error document.
	errorBytes = 256 << 10
)

var discardLog = log.New(io.Discard, "", 0)

// answer is what a process posted about its call.
type answer struct {
	header  http.Header // its Lambda-Runtime-* and Content-Type
	body    []byte
	isError bool
	bad     *function.Error // why it is none
}

// result reads the answer as one of an instance.
func (a *answer) result() (*function.Result, error) {
	if a.bad != nil {
		return nil, a.bad
	}
	if a.isError {
		return nil, function.Posted(a.body, a.header.Get(headerType))
	}
	out, bad := function.Answer(a.body)
	if bad != nil {
		return nil, bad
	}
	return &function.Result{Output: out}, nil
}

type headersKey struct{}

// withHeaders gives ctx what the platform said about an invocation, for the process that runs the code.
func withHeaders(ctx context.Context, h http.Header) context.Context {
	return context.WithValue(ctx, headersKey{}, h)
}

// headersOf returns what a process is told about a call: what the platform told us (trace, client context, identity,
// ARN), and when its time is up.
func headersOf(ctx context.Context, req *function.Request) http.Header {
	h := http.Header{}
	platform, _ := ctx.Value(headersKey{}).(http.Header)
	for name, values := range platform {
		if strings.HasPrefix(name, headerPrefix) {
			h[name] = values
		}
	}
	h.Set(headerID, req.ID)
	if h.Get(headerARN) == "" {
		h.Set(headerARN, "arn:aws:lambda:us-east-1:123456789012:function:"+req.Function) // runtimes want one
	}
	limit := time.Now().Add(time.Hour) // Lambda always has one
	if req.Timeout > 0 {
		limit = time.Now().Add(req.Timeout)
	}
	h.Set(headerDeadline, strconv.FormatInt(limit.UnixMilli(), 10))
	return h
}

// ServeHTTP is the Runtime API as the process sees it.
func (l *life) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rest, isInvocation := strings.CutPrefix(r.URL.Path, pathInvocation)
	id, what, _ := strings.Cut(rest, "/")
	switch {
	case isInvocation && rest == "next" && r.Method == http.MethodGet:
		l.next(rw, r)
	case isInvocation && (what == "response" || what == "error") && r.Method == http.MethodPost:
		l.take(rw, r, id, what == "error")
	case r.URL.Path == pathInitError && r.Method == http.MethodPost:
		l.initError(rw, r)
	case l.forward != nil && !isInvocation:
		l.forward.ServeHTTP(rw, r)
	default:
		refuse(rw, http.StatusNotFound, "InvalidRequest", "no such resource: "+r.Method+" "+r.URL.Path)
	}
}

// forwarder passes requests on to the platform's own API.
func forwarder(platform string) http.Handler {
	target := &url.URL{Scheme: "http", Host: platform}
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     direct,
		FlushInterval: -1,
		ErrorLog:      discardLog,
	}
}

// direct is for addresses of this sandbox: no proxy, and no bound on how long an answer takes.
var direct = &http.Transport{MaxIdleConnsPerHost: 8}

// next hands out a call when there is one.
func (l *life) next(rw http.ResponseWriter, r *http.Request) {
	if !l.asksForWork() {
		refuse(rw, http.StatusForbidden, "InvalidStateTransition", "the invocation before is not answered")
		return
	}
	select {
	case c := <-l.calls:
		l.mu.Lock()
		l.current = c
		l.mu.Unlock()
		h := rw.Header()
		for name, values := range c.header {
			h[name] = values
		}
		h.Set("Content-Type", "application/json")
		h.Set("Content-Length", strconv.Itoa(len(c.input)))
		_, _ = rw.Write(c.input) // a process that is gone ends its call by ending
	case <-l.gone:
	case <-r.Context().Done():
	}
}

// asksForWork notes that the process is ready; it is false while a call is under way.
func (l *life) asksForWork() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ready {
		l.ready = true
		close(l.asked)
	}
	return l.current == nil
}

// take takes the answer to the current call.
func (l *life) take(rw http.ResponseWriter, r *http.Request, id string, isError bool) {
	bound := function.ResponseBytes
	if isError {
		bound = errorBytes
	}
	body, err := readBody(r, bound)
	a := &answer{header: r.Header, body: body, isError: isError}
	status := http.StatusAccepted
	switch {
	case errors.Is(err, errTooLarge):
		a.bad, status = function.TooLarge(bound), http.StatusRequestEntityTooLarge
	case err != nil:
		a.bad, status = function.Failure("Runtime.TruncatedResponse", "the answer broke off: %v", err), http.StatusBadRequest
	case !isError && r.Trailer.Get(headerType) != "": // the error of a streamed answer comes behind it
		a.isError = true
		a.header.Set(headerType, r.Trailer.Get(headerType))
		a.body, _ = base64.StdEncoding.DecodeString(r.Trailer.Get(headerBody))
	}
	l.mu.Lock()
	c := l.current
	if c != nil && c.id == id {
		l.current = nil
	}
	l.mu.Unlock()
	if c == nil || c.id != id {
		refuse(rw, http.StatusBadRequest, "InvalidRequestID", "no invocation with this id runs here: "+id)
		return
	}
	c.answer <- a
	if a.bad != nil {
		refuse(rw, status, "RequestEntityTooLarge", a.bad.Error())
		return
	}
	accept(rw)
}

// initError takes the reason why the process cannot serve. It is expected to end then.
func (l *life) initError(rw http.ResponseWriter, r *http.Request) {
	body, err := readBody(r, errorBytes)
	if err != nil {
		refuse(rw, http.StatusBadRequest, "InvalidRequest", "the error document: "+err.Error())
		return
	}
	kind := r.Header.Get(headerType)
	if kind == "" {
		kind = "Runtime.InitError"
	}
	l.mu.Lock()
	l.initErr = function.Posted(body, kind)
	l.mu.Unlock()
	accept(rw)
	time.AfterFunc(grace, l.proc.Kill)
}

func accept(rw http.ResponseWriter) {
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(rw, `{"status":"OK"}`+"\n")
}

// refuse answers a request that the protocol does not allow, in the protocol's shape.
func refuse(rw http.ResponseWriter, status int, errorType, message string) {
	body, _ := json.Marshal(map[string]string{"errorMessage": message, "errorType": errorType})
	rw.Header().Set("Content-Type", "application/json")
	rw.WriteHeader(status)
	_, _ = rw.Write(body)
}

var errTooLarge = errors.New("too large")

// readBody reads a body of at most bound bytes, chunked ones and their trailers included.
func readBody(r *http.Request, bound int) ([]byte, error) {
	if r.ContentLength > int64(bound) {
		return nil, errTooLarge
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, int64(bound)+1))
	if err == nil && len(body) > bound {
		return nil, errTooLarge
	}
	return body, err
}
