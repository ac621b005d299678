// Package local delivers requests by faas: in the same process, or through a Lambda endpoint (faas/lambdaapi) from
// processes that run functions.
//
//	s := faas.New(faas.Config{})
//	platform := local.New(s)
//	err := s.Register("resize", local.Function(runtime.Handle), faas.Settings{OnFailure: "failures"})
package local

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/platform/destination"
)

// MaxPayload is how many bytes a payload may have: what an event may, and its record still fits.
const MaxPayload = faas.AsyncBytes - destination.Room

// Function makes what faas runs out of the handler of a workflow's function. It takes records of events that were
// given up as well, so that it can be the failure destination of functions, its own of others.
func Function(handle func(ctx context.Context, payload []byte) error) function.Invoker {
	return function.Compact(func(ctx context.Context, event []byte) ([]byte, error) {
		payload, err := destination.Unwrap(event)
		if err != nil {
			return nil, err
		}
		return []byte("null"), handle(ctx, payload)
	})
}

func checkSize(op, name string, payload []byte) error {
	if len(payload) > MaxPayload {
		return fault.New(op, fault.LimitExceeded, name, "the payload has %d bytes, at most %d may be; pass it by reference", len(payload), MaxPayload)
	}
	return nil
}

// Platform is a unum.Platform in the process of its faas.
type Platform struct{ service *faas.Service }

// New returns the platform of a faas.
func New(s *faas.Service) *Platform { return &Platform{s} }

// MaxPayload implements unum.Platform.
func (p *Platform) MaxPayload() int { return MaxPayload }

// Invoke implements unum.Platform.
func (p *Platform) Invoke(ctx context.Context, name string, payload []byte, notBefore time.Time) error {
	if err := checkSize("local.Invoke", name, payload); err != nil {
		return err
	}
	_, err := p.service.Send(ctx, name, payload, notBefore)
	return err
}

// connections is how many Dial's client keeps open while it has no use for them: those of a wide fan-out.
const connections = 128

// Remote is a unum.Platform of a faas behind an endpoint.
type Remote struct {
	base   string
	client *http.Client
}

// Dial returns the platform behind a Lambda endpoint of faas/lambdaapi, "http://host:port". It makes no connection yet.
// client nil: one that keeps connections for many calls at a time.
func Dial(endpoint string, client *http.Client) (*Remote, error) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme == "" || u.Host == "" {
		return nil, fault.New("local.Dial", fault.InvalidArgument, endpoint, "the endpoint must be a URL like http://127.0.0.1:9001")
	}
	if client == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, connections
		client = &http.Client{Transport: transport}
	}
	return &Remote{strings.TrimSuffix(endpoint, "/"), client}, nil
}

// MaxPayload implements unum.Platform.
func (r *Remote) MaxPayload() int { return MaxPayload }

// Invoke implements unum.Platform.
func (r *Remote) Invoke(ctx context.Context, name string, payload []byte, notBefore time.Time) error {
	const op = "local.Invoke"
	if err := checkSize(op, name, payload); err != nil {
		return err
	}
	target := r.base + "/2015-03-31/functions/" + url.PathEscape(name) + "/invocations"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(payload))
	if err != nil {
		return fault.New(op, fault.InvalidArgument, name, "%w", err)
	}
	req.Header.Set("X-Amz-Invocation-Type", "Event")
	if !notBefore.IsZero() {
		req.Header.Set(faas.NotBeforeHeader, strconv.FormatInt(notBefore.UnixMicro(), 10))
	}
	res, err := r.client.Do(req)
	if err != nil {
		return fault.New(op, fault.Unavailable, name, "%w", err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	if err != nil {
		return fault.New(op, fault.Unavailable, name, "the endpoint's answer broke off: %w", err)
	}
	if res.StatusCode == http.StatusAccepted {
		return nil
	}
	return refused(op, name, res.StatusCode, body)
}

// refused is what an endpoint's refusal means.
func refused(op, name string, status int, body []byte) error {
	var doc struct {
		Message string `json:"message"`
		Upper   string `json:"Message"`
	}
	_ = json.Unmarshal(body, &doc) // what is no JSON has no message, and the status says enough
	kind := fault.Internal
	switch {
	case status == http.StatusNotFound:
		kind = fault.ResourceNotFound
	case status == http.StatusRequestEntityTooLarge:
		kind = fault.LimitExceeded
	case status == http.StatusTooManyRequests:
		kind = fault.Busy
	case status == http.StatusBadRequest:
		kind = fault.InvalidInput
	case status >= 500:
		kind = fault.Unavailable
	}
	return fault.New(op, kind, name, "the endpoint answered %d %s", status, doc.Message+doc.Upper)
}
