// Package endpoint calls a function over HTTP: a POST with the input as JSON, whose answer is the result.
//
// An answer with status 2xx is success, and its body the result (nothing: null). Any other status is a
// failure: when the body is a JSON object with an errorType, that is the error and the body its cause, as
// from a Lambda function; otherwise the error is States.Http.StatusCode.NNN, as Step Functions names it,
// with the start of the body in its message. Redirects are not followed. When no answer comes at all, the error is
// States.Http.Socket.
//
// Every request carries Weft-Function, Weft-Request-Id (another for each attempt), Weft-Run, Weft-Attempt,
// Weft-Deadline-Ms (Unix milliseconds; absent without a deadline), and, where the engine gives one,
// Idempotency-Key, which is the same for all attempts of one invocation.
//
//	e, err := endpoint.New(endpoint.Config{Name: "notify", URL: "http://127.0.0.1:9000/notify"})
//	res, err := e.Invoke(ctx, &function.Request{Function: "notify", ID: id, Input: input, Timeout: 30 * time.Second})
package endpoint

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

// Config says what to call. Name and URL are needed.
type Config struct {
	Name    string
	URL     string            // http or https
	Headers map[string]string // added to every request; they win over Weft's own
	// ResponseBytes bounds an answer's body. 0: function.ResponseBytes.
	ResponseBytes int
	// Connections is how many are kept open between calls. 0: 64.
	Connections int
	// Transport makes the requests. nil: one of its own, which honours HTTP_PROXY and NO_PROXY.
	Transport http.RoundTripper
}

// Endpoint is a function behind HTTP. It implements function.Invoker and io.Closer.
type Endpoint struct {
	cfg    Config
	client http.Client
	ctx    context.Context
	cancel context.CancelCauseFunc
}

// New makes an Endpoint. Nothing is connected before the first call.
func New(cfg Config) (*Endpoint, error) {
	const op = "endpoint.New"
	u, err := url.Parse(cfg.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, fault.New(op, fault.InvalidArgument, cfg.Name, "the url %q is not one of the form http://host:port/path or https://…", cfg.URL)
	}
	if cfg.ResponseBytes == 0 {
		cfg.ResponseBytes = function.ResponseBytes
	}
	if cfg.Connections == 0 {
		cfg.Connections = 64
	}
	if cfg.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConns, t.MaxIdleConnsPerHost = cfg.Connections, cfg.Connections
		t.MaxResponseHeaderBytes = 64 << 10
		cfg.Transport = t
	}
	e := &Endpoint{cfg: cfg, client: http.Client{
		Transport:     cfg.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	e.ctx, e.cancel = context.WithCancelCause(context.Background())
	return e, nil
}

// Close breaks off what is in flight, whose callers get function.Closed, and closes idle connections.
func (e *Endpoint) Close() error {
	e.cancel(function.Closed(e.cfg.Name))
	e.client.CloseIdleConnections()
	return nil
}

// Invoke implements function.Invoker.
func (e *Endpoint) Invoke(caller context.Context, req *function.Request) (*function.Result, error) {
	if e.ctx.Err() != nil {
		return nil, context.Cause(e.ctx)
	}
	ctx, cancel := context.WithCancelCause(caller)
	defer cancel(nil)
	defer context.AfterFunc(e.ctx, func() { cancel(context.Cause(e.ctx)) })()
	limit := req.Limit(caller)
	if t := req.Timeout; t > 0 {
		if own := time.Now().Add(t); limit.IsZero() || own.Before(limit) {
			limit = own
			timer := time.AfterFunc(t, func() { cancel(function.TimedOut(req.ID, t)) })
			defer timer.Stop()
		}
	}
	if !req.Deadline.IsZero() {
		timer := time.AfterFunc(time.Until(req.Deadline), func() { cancel(function.DeadlinePassed()) })
		defer timer.Stop()
	}
	res, err := e.exchange(ctx, req, limit)
	switch {
	case err == nil:
		return res, nil
	case caller.Err() != nil:
		return nil, function.Ended(caller)
	case ctx.Err() != nil: // our own timers, or Close
		return nil, context.Cause(ctx)
	}
	return nil, err
}

// exchange makes the request and reads the answer.
func (e *Endpoint) exchange(ctx context.Context, req *function.Request, limit time.Time) (*function.Result, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, e.cfg.URL, bytes.NewReader(req.Input))
	if err != nil {
		return nil, function.Failure("States.Http.Socket", "POST %s: %v", e.cfg.URL, err)
	}
	e.headers(r.Header, req, limit)
	resp, err := e.client.Do(r)
	if err != nil {
		return nil, e.unreachable(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(e.cfg.ResponseBytes)+1))
	if err != nil {
		return nil, function.Failure("States.Http.Socket", "POST %s: the answer broke off: %v", e.cfg.URL, err)
	}
	if len(body) > e.cfg.ResponseBytes {
		return nil, function.TooLarge(e.cfg.ResponseBytes)
	}
	if resp.StatusCode < 200 || resp.StatusCode > 299 {
		return nil, e.status(resp, body)
	}
	out, bad := function.Answer(body)
	if bad != nil {
		return nil, bad
	}
	return &function.Result{Output: out}, nil
}

func (e *Endpoint) headers(h http.Header, req *function.Request, limit time.Time) {
	h.Set("Content-Type", "application/json")
	h.Set("Accept", "application/json")
	h.Set("User-Agent", "weft")
	h.Set("Weft-Function", e.cfg.Name)
	h.Set("Weft-Request-Id", req.ID)
	h.Set("Weft-Attempt", strconv.Itoa(req.Attempt))
	if req.Run != "" {
		h.Set("Weft-Run", req.Run)
	}
	if req.Key != "" {
		h.Set("Idempotency-Key", req.Key)
	}
	if !limit.IsZero() {
		h.Set("Weft-Deadline-Ms", strconv.FormatInt(limit.UnixMilli(), 10))
	}
	for k, v := range e.cfg.Headers {
		h.Set(k, v)
	}
}

// unreachable words the error of a request that got no answer.
func (e *Endpoint) unreachable(err error) *function.Error {
	var u *url.Error
	if errors.As(err, &u) {
		err = u.Err
	}
	return function.Failure("States.Http.Socket", "POST %s: %v; is the function's server running?", e.cfg.URL, err)
}

// status is the error for an answer that is no success.
func (e *Endpoint) status(resp *http.Response, body []byte) *function.Error {
	var doc struct {
		Type string `json:"errorType"`
	}
	if json.Unmarshal(body, &doc) == nil && doc.Type != "" {
		return function.Posted(body, "")
	}
	const most = 4 << 10
	text, more := body, ""
	if len(text) > most {
		text, more = text[:most], fmt.Sprintf("… (%d bytes)", len(body))
	}
	message := fmt.Sprintf("POST %s answered %s: %s%s", e.cfg.URL, resp.Status, text, more)
	if to := resp.Header.Get("Location"); to != "" && resp.StatusCode/100 == 3 {
		message += fmt.Sprintf("; it redirects to %s: set url to that if it is right", to)
	}
	return function.Failure(fmt.Sprintf("States.Http.StatusCode.%d", resp.StatusCode), "%s", message)
}
