package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"github.com/weftworks/weft/server/rest"
)

// Schedules yields the schedules that a query finds (parameters of GET /v1/schedules), newest first.
func (c *Client) Schedules(ctx context.Context, query url.Values, page int) iter.Seq2[*rest.Schedule, error] {
	return restPages(ctx, c, "schedules", query, page, func(p *rest.Schedules) ([]rest.Schedule, string) { return p.Schedules, p.Cursor })
}

// Schedule returns a schedule.
func (c *Client) Schedule(ctx context.Context, id string) (*rest.Schedule, error) {
	out := new(rest.Schedule)
	return out, c.call(ctx, http.MethodGet, rest.Path("schedules", id), nil, nil, out)
}

// PutSchedule makes a schedule, or changes the one with the id unless onlyNew: then that is fault.Conflict.
func (c *Client) PutSchedule(ctx context.Context, id string, in rest.DefineSchedule, onlyNew bool) (*rest.Schedule, error) {
	out := new(rest.Schedule)
	return out, c.sendQuery(ctx, http.MethodPut, rest.Path("schedules", id), url.Values{"new": {strconv.FormatBool(onlyNew)}}, in, out)
}

// ChangeSchedule does pause, resume or backfill to a schedule; in is the body.
func (c *Client) ChangeSchedule(ctx context.Context, id, verb string, in any) (*rest.Schedule, error) {
	out := new(rest.Schedule)
	return out, c.sendValue(ctx, http.MethodPost, rest.Path("schedules", id, verb), in, out)
}

// TriggerSchedule starts a run of a schedule now.
func (c *Client) TriggerSchedule(ctx context.Context, id string, in rest.Trigger) (*rest.Triggered, error) {
	out := new(rest.Triggered)
	return out, c.sendValue(ctx, http.MethodPost, rest.Path("schedules", id, "trigger"), in, out)
}

// DeleteSchedule forgets a schedule.
func (c *Client) DeleteSchedule(ctx context.Context, id string) error {
	return c.call(ctx, http.MethodDelete, rest.Path("schedules", id), nil, nil, nil)
}
