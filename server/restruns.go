package server

import (
	"bytes"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/server/rest"
)

// waitMax bounds one wait for a result; clients ask again.
const waitMax = time.Minute

func (c *restCall) listCode() (*reply, error) {
	workflows, entities, _ := c.durable.CodeNames()
	code := rest.Code{Workflows: []rest.Workflow{}, Entities: append([]string{}, entities...)}
	for _, w := range workflows {
		code.Workflows = append(code.Workflows, rest.Workflow{Name: w.Name, Version: w.Version})
	}
	return ok(code), nil
}

func (c *restCall) startWorkflow() (*reply, error) {
	var in rest.Start
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	name := c.r.PathValue("workflow")
	if err := c.hasCode(name, in.Version); err != nil {
		return nil, err
	}
	replace, err := statuses(in.Replace)
	if err != nil {
		return nil, err
	}
	v, err := c.durable.StartWorkflow(c.r.Context(), engine.StartWorkflow{
		Workflow: name, Version: in.Version, ID: in.ID, Input: in.Input, Tags: in.Tags, At: int64(in.At), Replace: replace, Existing: in.Existing,
	})
	if err != nil {
		return nil, err
	}
	return &reply{status: http.StatusCreated, value: rest.RunOf(v), location: rest.Path("runs", v.ID)}, nil
}

// hasCode refuses a start that would wait for ever, because the name is mistyped or the program has other workflows.
func (c *restCall) hasCode(name, version string) error {
	workflows, _, known := c.durable.CodeNames()
	if !known {
		return nil
	}
	var have, versions []string
	for _, w := range workflows {
		if w.Name == name && w.Version == version {
			return nil
		}
		if w.Name == name {
			versions = append(versions, strconv.Quote(w.Version))
		}
		if !slices.Contains(have, w.Name) {
			have = append(have, w.Name)
		}
	}
	switch {
	case len(have) == 0:
		return fault.New("", fault.ResourceNotFound, name, "this server's program has no workflows written in Go, so it cannot run %q: start it where the program that has its code serves them", name)
	case len(versions) > 0:
		return fault.New("", fault.ResourceNotFound, name, "workflow %q has no version %q here; there are: %s", name, version, strings.Join(versions, ", "))
	}
	return fault.New("", fault.ResourceNotFound, name, "there is no workflow %q here; there are: %s", name, strings.Join(have, ", "))
}

// statuses reads names of statuses, in any case.
func statuses(names []string) (list []durable.Status, err error) {
	for _, name := range names {
		status, known := durable.ParseStatus(strings.ToUpper(name))
		if !known {
			return nil, fault.New("", fault.InvalidArgument, name, "there is no status %q; there are: PENDING, RUNNING, SUSPENDED, COMPLETED, FAILED, TERMINATED", name)
		}
		list = append(list, status)
	}
	return list, nil
}

func (c *restCall) listWorkflows() (*reply, error) {
	q := c.r.URL.Query()
	e := engine.ListWorkflows{Workflow: q.Get("workflow"), Prefix: q.Get("prefix")}
	var err error
	if e.Cursor, err = c.cursor(); err != nil {
		return nil, err
	}
	if e.Status, err = statuses(listed(q["status"])); err != nil {
		return nil, err
	}
	if e.Limit, err = c.limit(); err != nil {
		return nil, err
	}
	for _, tag := range q["tag"] {
		key, value, both := strings.Cut(tag, "=")
		if !both {
			return nil, fault.New("", fault.InvalidArgument, tag, "write tag=KEY=VALUE, not tag=%s", tag)
		}
		if e.Tags == nil {
			e.Tags = make(map[string]string)
		}
		e.Tags[key] = value
	}
	if e.From, err = c.time("from"); err != nil {
		return nil, err
	}
	if e.Before, err = c.time("before"); err != nil {
		return nil, err
	}
	page, err := c.durable.ListWorkflows(c.r.Context(), e)
	if err != nil {
		return nil, err
	}
	out := rest.Runs{Runs: []rest.Run{}, Cursor: pageToken(page.Cursor, c.query())}
	for i := range page.Runs {
		out.Runs = append(out.Runs, rest.RunOf(&page.Runs[i]))
	}
	return ok(out), nil
}

// listed splits values at commas: status=failed,running is status=failed&status=running.
func listed(values []string) (all []string) {
	for _, v := range values {
		for one := range strings.SplitSeq(v, ",") {
			if one != "" {
				all = append(all, one)
			}
		}
	}
	return all
}

// query is what a cursor is bound to: the path and the query without the page.
func (c *restCall) query() string {
	q := c.r.URL.Query()
	q.Del("cursor")
	q.Del("limit")
	return c.r.URL.Path + "?" + q.Encode()
}

// cursor reads the cursor of the page before; "" when there is none.
func (c *restCall) cursor() (string, error) {
	cursor, err := pageCursor(c.r.URL.Query().Get("cursor"), c.query())
	if err != nil {
		return "", fault.New("", fault.InvalidToken, "cursor", "the cursor is not one of this query; start again without it")
	}
	return cursor, nil
}

func (c *restCall) limit() (int, error) {
	text := c.r.URL.Query().Get("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 1000 {
		return 0, fault.New("", fault.InvalidArgument, text, "limit is a number from 1 to 1000, not %q", text)
	}
	return n, nil
}

// time reads a query parameter that is a time (Unix milliseconds); 0 when it is absent.
func (c *restCall) time(name string) (int64, error) {
	text := c.r.URL.Query().Get(name)
	t, err := rest.ParseTime(text)
	if err != nil {
		return 0, fault.New("", fault.InvalidArgument, text, "%s: %w", name, err)
	}
	return int64(t), nil
}

func (c *restCall) flag(name string) (bool, error) {
	text := c.r.URL.Query().Get(name)
	if text == "" {
		return c.r.URL.Query().Has(name), nil
	}
	v, err := strconv.ParseBool(text)
	if err != nil {
		return false, fault.New("", fault.InvalidArgument, text, "%s is true or false, not %q", name, text)
	}
	return v, nil
}

// run answers a run, or the error there was.
func run(v *engine.WorkflowRun, err error) (*reply, error) {
	if err != nil {
		return nil, err
	}
	return ok(rest.RunOf(v)), nil
}

func (c *restCall) id() string { return c.r.PathValue("id") }

func (c *restCall) workflow() (*reply, error) { return run(c.durable.Workflow(c.r.Context(), c.id())) }

// result waits for the end of a run, but no longer than the client wants and waitMax: then it answers 202 and the run as it is.
func (c *restCall) result() (*reply, error) {
	wait, err := c.waits()
	if err != nil {
		return nil, err
	}
	if wait > 0 {
		ctx, cancel := context.WithTimeout(c.r.Context(), wait)
		defer cancel()
		stop := context.AfterFunc(c.closing, cancel)
		defer stop()
		v, err := c.durable.WaitWorkflow(ctx, c.id())
		if err == nil || ctx.Err() == nil {
			return run(v, err)
		}
	}
	v, err := c.durable.Workflow(c.r.Context(), c.id())
	if err != nil {
		return nil, err
	}
	out := ok(rest.RunOf(v))
	if !v.Status.Ended() {
		out.status = http.StatusAccepted
	}
	return out, nil
}

// waits reads how long the client wants to wait.
func (c *restCall) waits() (time.Duration, error) {
	text := c.r.URL.Query().Get("wait")
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fault.New("", fault.InvalidArgument, text, "wait is a duration like 30s, not %q", text)
	}
	return min(d, waitMax), nil
}

// history answers the events as an array in the form that weft.ReadHistory reads, one on each line.
func (c *restCall) history() (*reply, error) {
	events, err := c.durable.WorkflowHistory(c.r.Context(), c.id())
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	b.WriteByte('[')
	for i := range events {
		text, err := encode(events[i])
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
		b.Write(text)
	}
	b.WriteString("\n]\n")
	return &reply{status: http.StatusOK, text: b.Bytes()}, nil
}

func (c *restCall) raise() (*reply, error) {
	if err := c.durable.RaiseEvent(c.r.Context(), c.id(), c.r.PathValue("name"), c.payload()); err != nil {
		return nil, err
	}
	return &reply{status: http.StatusNoContent}, nil
}

// change reads the body of an operation that changes a run.
func (c *restCall) change(do func(ctx context.Context, id string, in rest.Change) (*engine.WorkflowRun, error)) (*reply, error) {
	var in rest.Change
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if len(in.Reason) > reasonBytes {
		return nil, fault.New("", fault.InvalidArgument, c.id(), "the reason has %d bytes, the most is %d", len(in.Reason), reasonBytes)
	}
	return run(do(c.r.Context(), c.id(), in))
}

// reasonBytes bounds a reason: it is kept with the run.
const reasonBytes = 4096

func (c *restCall) suspend() (*reply, error) {
	return c.change(func(ctx context.Context, id string, in rest.Change) (*engine.WorkflowRun, error) {
		return c.durable.SuspendWorkflow(ctx, id, in.Reason)
	})
}

func (c *restCall) resume() (*reply, error) {
	return c.change(func(ctx context.Context, id string, in rest.Change) (*engine.WorkflowRun, error) {
		return c.durable.ResumeWorkflow(ctx, id, in.Reason)
	})
}

func (c *restCall) terminate() (*reply, error) {
	return c.change(func(ctx context.Context, id string, in rest.Change) (*engine.WorkflowRun, error) {
		return c.durable.TerminateWorkflow(ctx, id, in.Reason, in.Recursive)
	})
}

func (c *restCall) rewind() (*reply, error) {
	return c.change(func(ctx context.Context, id string, in rest.Change) (*engine.WorkflowRun, error) {
		return c.durable.RewindWorkflow(ctx, id, in.Reason)
	})
}

func (c *restCall) restart() (*reply, error) {
	return c.change(func(ctx context.Context, id string, _ rest.Change) (*engine.WorkflowRun, error) {
		return c.durable.RestartWorkflow(ctx, id)
	})
}

func (c *restCall) tagWorkflow() (*reply, error) {
	var in rest.Tags
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	return run(c.durable.TagWorkflow(c.r.Context(), c.id(), in.Tags))
}

func (c *restCall) purgeWorkflow() (*reply, error) {
	recursive, err := c.flag("recursive")
	if err != nil {
		return nil, err
	}
	n, err := c.durable.PurgeWorkflow(c.r.Context(), c.id(), recursive)
	if err != nil {
		return nil, err
	}
	return ok(rest.Purged{Purged: n}), nil
}

func (c *restCall) purgeWorkflows() (*reply, error) {
	var in rest.Purge
	if err := c.decode(&in); err != nil {
		return nil, err
	}
	if in.Workflow == "" && in.Prefix == "" && len(in.Status) == 0 && len(in.Tags) == 0 && in.From == 0 && in.Before == 0 {
		return nil, fault.New("", fault.InvalidArgument, "", "the body says nothing of which runs to purge; for all that have ended write {\"status\":[\"COMPLETED\",\"FAILED\",\"TERMINATED\"]}")
	}
	status, err := statuses(in.Status)
	if err != nil {
		return nil, err
	}
	for _, s := range status {
		if !s.Ended() {
			return nil, fault.New("", fault.InvalidArgument, "", "runs that are %v cannot be purged: terminate them first", s)
		}
	}
	n, err := c.durable.PurgeWorkflows(c.r.Context(), engine.ListWorkflows{
		Workflow: in.Workflow, Status: status, Prefix: in.Prefix, Tags: in.Tags, From: int64(in.From), Before: int64(in.Before),
	})
	if err != nil {
		return nil, fault.New("", fault.KindOf(err), "", "%d runs were purged, then: %w", n, err)
	}
	return ok(rest.Purged{Purged: n}), nil
}
