package client

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/rest"
)

// call does one operation of the REST API. body is JSON text (nil: none), the answer is decoded into out (nil: thrown
// away). A server without that API is fault.Unsupported.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body []byte, out any) error {
	target := c.base + path
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(body)
	}
	op := method + " " + path
	req, err := http.NewRequestWithContext(ctx, method, target, content)
	if err != nil {
		return fault.New(op, fault.InvalidArgument, c.base, "%w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	status, text, err := c.send(op, req)
	if err != nil {
		return err
	}
	if status >= 300 {
		return c.refusal(op, status, text)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return c.stranger(op, status)
	}
	return nil
}

// stranger is the error of an answer that is not of the REST API.
func (c *Client) stranger(op string, status int) error {
	return fault.New(op, fault.Unsupported, c.base, "answered HTTP %d, which is not Weft's REST API: workflows and entities are served by `weft serve`, and by programs that serve their App", status)
}

// refusal turns an error answer into an *fault.Error.
func (c *Client) refusal(op string, status int, text []byte) error {
	var e rest.Error
	if json.Unmarshal(text, &e) != nil || e.Error.Kind == "" {
		return c.stranger(op, status)
	}
	kind, known := fault.ParseKind(e.Error.Kind)
	if !known && status < 500 {
		kind = fault.InvalidArgument
	}
	switch kind {
	case fault.Unauthorized:
		return fault.New(op, kind, c.base, "the server wants its token; put it into WEFT_TOKEN (%s)", e.Error.Message)
	case fault.Busy:
		return fault.New(op, kind, "", "%s; %s", e.Error.Message, hints[kind])
	}
	return fault.New(op, kind, "", "%s", e.Error.Message)
}

// sendValue is call with a value as the body.
func (c *Client) sendValue(ctx context.Context, method, path string, in, out any) error {
	return c.sendQuery(ctx, method, path, nil, in, out)
}

// sendQuery is sendValue with a query.
func (c *Client) sendQuery(ctx context.Context, method, path string, query url.Values, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fault.New(method+" "+path, fault.InvalidArgument, "", "the request is no JSON: %w", err)
	}
	return c.call(ctx, method, path, query, body, out)
}

// Code returns what the server's program has code of.
func (c *Client) Code(ctx context.Context) (*rest.Code, error) {
	out := new(rest.Code)
	return out, c.call(ctx, http.MethodGet, rest.Path("workflows"), nil, nil, out)
}

// StartWorkflow starts a run of a workflow.
func (c *Client) StartWorkflow(ctx context.Context, workflow string, in rest.Start) (*rest.Run, error) {
	out := new(rest.Run)
	return out, c.sendValue(ctx, http.MethodPost, rest.Path("workflows", workflow, "runs"), in, out)
}

// Workflow returns a run of a workflow.
func (c *Client) Workflow(ctx context.Context, id string) (*rest.Run, error) {
	out := new(rest.Run)
	return out, c.call(ctx, http.MethodGet, rest.Path("runs", id), nil, nil, out)
}

// WaitWorkflow returns a run of a workflow when it has ended, or after wait, whichever comes first. The server bounds wait.
func (c *Client) WaitWorkflow(ctx context.Context, id string, wait time.Duration) (*rest.Run, error) {
	out := new(rest.Run)
	return out, c.call(ctx, http.MethodGet, rest.Path("runs", id, "result"), url.Values{"wait": {wait.String()}}, nil, out)
}

// Workflows yields the runs of workflows that a query finds (parameters of GET /v1/runs), newest first, in pages of at most
// page runs.
func (c *Client) Workflows(ctx context.Context, query url.Values, page int) iter.Seq2[*rest.Run, error] {
	return restPages(ctx, c, "runs", query, page, func(p *rest.Runs) ([]rest.Run, string) { return p.Runs, p.Cursor })
}

// Entities yields the entities that a query finds (parameters of GET /v1/entities), newest first.
func (c *Client) Entities(ctx context.Context, query url.Values, page int) iter.Seq2[*rest.Entity, error] {
	return restPages(ctx, c, "entities", query, page, func(p *rest.Entities) ([]rest.Entity, string) { return p.Entities, p.Cursor })
}

// restPages yields the items of a listing, page by page.
func restPages[P, T any](ctx context.Context, c *Client, path string, query url.Values, page int, items func(*P) ([]T, string)) iter.Seq2[*T, error] {
	return pages(func(cursor string) ([]*T, string, error) {
		q := url.Values{"limit": {strconv.Itoa(min(max(page, 1), 1000))}}
		for k, v := range query {
			q[k] = v
		}
		if cursor != "" {
			q.Set("cursor", cursor)
		}
		var out P
		if err := c.call(ctx, http.MethodGet, rest.Path(path), q, nil, &out); err != nil {
			return nil, "", err
		}
		found, next := items(&out)
		list := make([]*T, len(found))
		for i := range found {
			list[i] = &found[i]
		}
		return list, next, nil
	})
}

// WorkflowHistory returns the events of a run of a workflow, and each as it came.
func (c *Client) WorkflowHistory(ctx context.Context, id string) (events []durable.Event, texts []json.RawMessage, err error) {
	if err := c.call(ctx, http.MethodGet, rest.Path("runs", id, "history"), nil, nil, &texts); err != nil {
		return nil, nil, err
	}
	events = make([]durable.Event, len(texts))
	for i := range texts {
		if err := json.Unmarshal(texts[i], &events[i]); err != nil {
			return nil, nil, fault.New("", fault.Unsupported, id, "an event of the history does not decode: %w", err)
		}
	}
	return events, texts, nil
}

// Raise raises an external event in a run; data is JSON text, nil is null.
func (c *Client) Raise(ctx context.Context, id, event string, data []byte) error {
	return c.call(ctx, http.MethodPost, rest.Path("runs", id, "events", event), nil, data, nil)
}

// Change does suspend, resume, terminate, rewind or restart to a run.
func (c *Client) Change(ctx context.Context, id, verb string, in rest.Change) (*rest.Run, error) {
	out := new(rest.Run)
	return out, c.sendValue(ctx, http.MethodPost, rest.Path("runs", id, verb), in, out)
}

// Tag adds tags to a run; an empty value removes one.
func (c *Client) Tag(ctx context.Context, id string, tags map[string]string) (*rest.Run, error) {
	out := new(rest.Run)
	return out, c.sendValue(ctx, http.MethodPatch, rest.Path("runs", id), rest.Tags{Tags: tags}, out)
}

// Purge removes an ended run, with recursive those it called, too, and returns how many were removed.
func (c *Client) Purge(ctx context.Context, id string, recursive bool) (int, error) {
	var out rest.Purged
	err := c.call(ctx, http.MethodDelete, rest.Path("runs", id), url.Values{"recursive": {strconv.FormatBool(recursive)}}, nil, &out)
	return out.Purged, err
}

// PurgeAll removes the ended runs that a query finds and returns how many were removed.
func (c *Client) PurgeAll(ctx context.Context, in rest.Purge) (int, error) {
	var out rest.Purged
	err := c.sendValue(ctx, http.MethodPost, rest.Path("runs", "purge"), in, &out)
	return out.Purged, err
}

// Entity returns an entity.
func (c *Client) Entity(ctx context.Context, name, key string) (*rest.Entity, error) {
	out := new(rest.Entity)
	return out, c.call(ctx, http.MethodGet, rest.Path("entities", name, key), nil, nil, out)
}

// Signal sends an operation to an entity, to be done at a time (0: at once); input is JSON text, nil is null.
func (c *Client) Signal(ctx context.Context, name, key, operation string, input []byte, at rest.Time) error {
	query := url.Values{}
	if at != 0 {
		query.Set("at", at.String())
	}
	return c.call(ctx, http.MethodPost, rest.Path("entities", name, key, operation), query, input, nil)
}
