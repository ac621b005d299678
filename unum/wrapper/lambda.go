package wrapper

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

const (
	// initTime bounds how long the code's start is waited for before the platform is asked for work. Lambda allows 10 s
	// before the first invocation, and starts everything again when they have passed; what is left is done within it.
	initTime = 8 * time.Second
	// payloadBytes bounds what a delivery may have: what Lambda allows for synchronous calls, which are the larger ones.
	payloadBytes = 6<<20 + 100
)

// Lambda is the front that takes deliveries from the Lambda Runtime API at api ("host:port"), one at a time.
type Lambda struct {
	Config
	API string
}

// Serve starts the code and takes deliveries until ctx is done, when it returns nil, or the API fails. It leaves the
// code as it is.
func (l *Lambda) Serve(ctx context.Context) error {
	if p, ok := l.Code.(*Process); ok {
		begin, cancel := context.WithTimeout(ctx, initTime)
		p.Start(begin)
		cancel()
	}
	for ctx.Err() == nil {
		if err := l.serveOne(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
	}
	return nil
}

// InitError tells the platform why the function cannot serve. The process is expected to end then.
func (l *Lambda) InitError(ctx context.Context, why error) error {
	kind, body := failureDocument(why)
	_, _, err := l.request(ctx, http.MethodPost, pathInitError, body, http.Header{headerType: {headerText(kind)}})
	return err
}

// serveOne takes one delivery and answers it.
func (l *Lambda) serveOne(ctx context.Context) error {
	header, payload, err := l.request(ctx, http.MethodGet, pathNext, nil, nil)
	if err != nil {
		return err
	}
	d := &delivery{id: header.Get(headerID), payload: payload}
	if ms, err := strconv.ParseInt(header.Get(headerDeadline), 10, 64); err == nil {
		d.deadline = time.UnixMilli(ms)
	}
	ctx = withHeaders(ctx, header)
	body, taken, err := l.handle(ctx, d)
	if !taken {
		return l.plain(ctx, d)
	}
	if err != nil {
		return l.refuse(ctx, d, err)
	}
	return l.post(ctx, d, "response", body, nil)
}

// plain runs the code on a delivery that is no workflow's.
func (l *Lambda) plain(ctx context.Context, d *delivery) error {
	if l.Code == nil {
		return l.refuse(ctx, d, function.Failure("Runtime.InvalidEntrypoint",
			"the function %s takes requests of its workflow only; start a run at the function that the workflow begins with", l.Name))
	}
	req := &function.Request{Function: l.Name, ID: d.id, Input: d.payload, Attempt: 1}
	if !d.deadline.IsZero() {
		const margin = 50 * time.Millisecond // to answer in, so that this process is not ended with its code
		req.Timeout = max(time.Until(d.deadline)-margin, time.Millisecond)
	}
	p, ok := l.Code.(*Process)
	if !ok {
		res, err := l.Code.Invoke(ctx, req)
		if err != nil {
			return l.refuse(ctx, d, err)
		}
		return l.post(ctx, d, "response", res.Output, nil)
	}
	a, err := p.exchange(ctx, req, headersOf(ctx, req))
	switch {
	case err != nil:
		return l.refuse(ctx, d, err)
	case a.bad != nil:
		return l.refuse(ctx, d, a.bad)
	case a.isError:
		return l.post(ctx, d, "error", a.body, a.header)
	}
	return l.post(ctx, d, "response", a.body, a.header)
}

// refuse answers a delivery with an error.
func (l *Lambda) refuse(ctx context.Context, d *delivery, err error) error {
	if ctx.Err() != nil {
		return err
	}
	kind, body := failureDocument(err)
	return l.post(ctx, d, "error", body, http.Header{headerType: {headerText(kind)}})
}

// headerText makes a text fit for a header.
func headerText(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r > '~' {
			return '?'
		}
		return r
	}, s)
}

// post answers a delivery. header is what the code's own runtime said with its answer.
func (l *Lambda) post(ctx context.Context, d *delivery, what string, body []byte, header http.Header) error {
	own := http.Header{"Content-Type": {"application/json"}}
	for name, values := range header {
		if strings.HasPrefix(name, headerPrefix+"Function-") || name == "Content-Type" {
			own[name] = values
		}
	}
	own.Del("Lambda-Runtime-Function-Response-Mode") // answers are whole by now
	_, _, err := l.request(ctx, http.MethodPost, pathInvocation+d.id+"/"+what, body, own)
	return err
}

// request asks the platform's Runtime API. An answer that was too large, or came too late, is the platform's to tell its
// caller: no error of ours.
func (l *Lambda) request(ctx context.Context, method, path string, body []byte, header http.Header) (http.Header, []byte, error) {
	const op = "wrapper.Lambda"
	r, err := http.NewRequestWithContext(ctx, method, "http://"+l.API+path, bytes.NewReader(body))
	if err != nil {
		return nil, nil, fault.New(op, fault.InvalidArgument, l.API, "%w", err)
	}
	if header != nil {
		r.Header = header
	}
	resp, err := direct.RoundTrip(r)
	if err != nil {
		return nil, nil, fault.New(op, fault.Unavailable, l.API, "%w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, payloadBytes+1))
	switch {
	case err != nil:
		return nil, nil, fault.New(op, fault.Unavailable, l.API, "the answer broke off: %w", err)
	case len(text) > payloadBytes:
		return nil, nil, fault.New(op, fault.Unavailable, l.API, "an invocation of more than %d bytes", payloadBytes)
	case resp.StatusCode/100 == 2:
		return resp.Header, text, nil
	case method == http.MethodPost && resp.StatusCode/100 == 4:
		return resp.Header, nil, nil
	}
	return nil, nil, fault.New(op, fault.Unavailable, l.API, "%s %s was answered %s: %s", method, path, resp.Status, fmt.Sprintf("%.200s", text))
}
