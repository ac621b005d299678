package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/itemreader"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/resultwriter"
)

// A page of items ends with the item that makes it one of these: it is an event in the log, and a Map Run holds two.
const (
	pageItems     = 2000
	pageItemBytes = 512 << 10
)

// exportPage is how many child runs an export has in memory.
const exportPage = 200

// mapCall carries out an invocation of a Map Run.
func (n *Node) mapCall(ctx context.Context, name string, input []byte) (*function.Result, error) {
	if name == statemachine.ReadItems {
		return n.readItems(ctx, input)
	}
	return n.exportResults(ctx, input)
}

// location is what the arguments of a reader or a writer say.
type location struct{ Bucket, Key, Prefix, VersionId string }

func (n *Node) readItems(ctx context.Context, input []byte) (*function.Result, error) {
	var req statemachine.ReadRequest
	var at location
	if err := errors.Join(json.Unmarshal(input, &req), json.Unmarshal(req.Arguments, &at)); err != nil {
		return nil, failure(itemreader.ErrorName, "the arguments of the ItemReader are not understood: %v", err)
	}
	if n.opts.Objects == nil {
		return nil, failure(itemreader.ErrorName, "this node has no object store to read items from")
	}
	c := &req.Config
	r, err := itemreader.Open(ctx, n.opts.Objects, itemreader.Source{
		List: req.Resource == asl.ListObjects, Bucket: at.Bucket, Prefix: at.Prefix, Key: at.Key, Version: at.VersionId,
		Flatten: c.Transformation == "LOAD_AND_FLATTEN", Format: itemreader.Format(c.InputType), Manifest: itemreader.ManifestType(c.ManifestType),
		Headers: itemreader.HeaderLocation(c.CSVHeaderLocation), GivenHeaders: c.CSVHeaders, Delimiter: itemreader.Delimiter(c.CSVDelimiter),
		Pointer: c.ItemsPointer, MaxItems: req.MaxItems, ItemBytes: n.opts.Limits.PayloadBytes,
	}, req.Cursor)
	if err != nil {
		return nil, readFailure(err)
	}
	defer func() { _ = r.Close() }() // what it has given is whole
	var page statemachine.Page
	for i := 0; i < pageItems && page.Size() < pageItemBytes; i++ {
		item, err := r.Next()
		if errors.Is(err, io.EOF) {
			page.Done = true
			break
		}
		if err != nil {
			return nil, readFailure(err)
		}
		page.Add(item.Value, item.Key, item.Source)
	}
	page.Cursor = r.Cursor()
	return &function.Result{Output: page.Encode()}, nil
}

func readFailure(err error) error {
	var e *itemreader.Error
	if errors.As(err, &e) {
		return failure(itemreader.ErrorName, "%s", e.Cause)
	}
	return failure(itemreader.ErrorName, "%v", err)
}

func (n *Node) exportResults(ctx context.Context, input []byte) (*function.Result, error) {
	var req statemachine.ExportRequest
	var to location
	if err := errors.Join(json.Unmarshal(input, &req), json.Unmarshal(req.Arguments, &to)); err != nil {
		return nil, failure(resultwriter.ErrorName, "the arguments of the ResultWriter are not understood: %v", err)
	}
	if n.opts.Objects == nil {
		return nil, failure(resultwriter.ErrorName, "this node has no object store to write results to")
	}
	w, err := resultwriter.New(ctx, n.opts.Objects, resultwriter.Config{
		Bucket: to.Bucket, Prefix: to.Prefix,
		Transformation: resultwriter.Transformation(req.Transformation), OutputType: resultwriter.OutputType(req.OutputType),
	}, n.library.MapRunARN(req.Machine, req.Name))
	if err != nil {
		return nil, writeFailure(err)
	}
	defer func() { _ = w.Abort() }() // of files that nobody sees
	if err := n.eachChild(ctx, req.Machine, req.Name, func(v *statemachine.View) error { return w.Add(n.resultOf(v)) }); err != nil {
		return nil, writeFailure(err)
	}
	output, err := w.Close()
	if err != nil {
		return nil, writeFailure(err)
	}
	return &function.Result{Output: output}, nil
}

func writeFailure(err error) error {
	var e *objectstore.Error
	if errors.As(err, &e) {
		return failure(resultwriter.ErrorName, "%s", e.Cause())
	}
	return failure(resultwriter.ErrorName, "%v", err)
}

func (n *Node) resultOf(v *statemachine.View) resultwriter.Result {
	r := resultwriter.Result{
		ExecutionArn: n.library.RunARN(v.Revision.Machine, v.Name, v.Revision.Express), StateMachineArn: v.Revision.MachineARN,
		Name: v.Name, Status: v.Status.String(), Input: v.Input, Output: v.Output, Error: v.Error, Cause: v.Cause,
		Start: time.UnixMilli(v.Started), Stop: time.UnixMilli(v.Stopped), RedriveCount: int(v.Redrives),
	}
	r.RedriveStatus, r.RedriveStatusReason = "REDRIVABLE_BY_MAP_RUN", ""
	if v.Status == machine.Succeeded {
		r.RedriveStatus, r.RedriveStatusReason = "NOT_REDRIVABLE", "Execution is SUCCEEDED and cannot be redriven"
	}
	return r
}

// eachChild calls fn for every child run of a Map Run that is kept, a page at a time.
func (n *Node) eachChild(ctx context.Context, machineName, mapRun string, fn func(*statemachine.View) error) error {
	q := listing{group: statemachine.ChildrenGroup(machineName, mapRun), status: statuses, limit: exportPage}
	for cursor := ""; ; {
		page, next, err := n.list(ctx, q, cursor)
		if err != nil {
			return err
		}
		views, err := n.viewsOf(ctx, page)
		if err != nil {
			return err
		}
		for _, v := range views {
			if v == nil {
				continue // retention was faster
			}
			if err := fn(v); err != nil {
				return err
			}
		}
		if cursor = next; cursor == "" {
			return nil
		}
	}
}

// viewsOf looks at listed runs, in their order, with one question to each partition.
func (n *Node) viewsOf(ctx context.Context, page []listed) ([]*statemachine.View, error) {
	views := make([]*statemachine.View, len(page))
	of := make(map[partition.ID][]int)
	for i, l := range page {
		of[l.partition] = append(of[l.partition], i)
	}
	for p, places := range of {
		found, err := n.ask(ctx, p, lane.Item{Read: func(r *lane.Reader) any {
			list := make([]*statemachine.View, len(places))
			for k, i := range places {
				v, err := n.viewAt(r, page[i].ref)
				if err != nil {
					return err
				}
				list[k] = v
			}
			return list
		}}, nil, nil)
		if err != nil {
			return nil, err
		}
		for k, v := range found.([]*statemachine.View) {
			views[places[k]] = v
		}
	}
	return views, nil
}

// failure is an error as a state machine sees it.
func failure(name, format string, args ...any) error {
	return &function.Error{Type: name, Cause: fmt.Sprintf(format, args...)}
}
