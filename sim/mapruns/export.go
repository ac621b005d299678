package mapruns

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/itemreader"
	"github.com/weftworks/weft/objectstore"
	"github.com/weftworks/weft/resultwriter"
	"github.com/weftworks/weft/sim"
)

// location is what the arguments of a reader or a writer say.
type location struct{ Bucket, Key, Prefix string }

// readPage reads a page, as engine.Node does.
func readPage(ctx context.Context, store objectstore.Store, input []byte, items int) ([]byte, error) {
	var req statemachine.ReadRequest
	var at location
	if err := errors.Join(json.Unmarshal(input, &req), json.Unmarshal(req.Arguments, &at)); err != nil {
		return nil, err
	}
	r, err := itemreader.Open(ctx, store, itemreader.Source{Bucket: at.Bucket, Key: at.Key, Format: itemreader.JSONL}, req.Cursor)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }() // what it has given is whole
	var page statemachine.Page
	for range items {
		item, err := r.Next()
		if errors.Is(err, io.EOF) {
			page.Done = true
			break
		}
		if err != nil {
			return nil, err
		}
		page.Add(item.Value, item.Key, item.Source)
	}
	page.Cursor = r.Cursor()
	return page.Encode(), nil
}

// export is an invocation of ExportResults. It asks each partition for the child runs, one after another, and then writes
// their results; whatever fails, it starts again.
type export struct {
	req    statemachine.ExportRequest
	to     location
	answer func(partition.Event)
	asking bool
	found  []*statemachine.View
	asked  int // partitions
}

// Begin implements sim.Asker.
func (b *MapRuns) Begin(c sim.Call, answer func(partition.Event)) bool {
	if c.Function != statemachine.ExportResults {
		return false
	}
	e := &export{answer: answer}
	if err := errors.Join(json.Unmarshal(c.Input, &e.req), json.Unmarshal(e.req.Arguments, &e.to)); err != nil {
		b.w.Fail("an export is asked for with %q: %w", c.Input, err)
	}
	b.exports = append(b.exports, e)
	b.carry(e)
	return true
}

// carry goes on with an export.
func (b *MapRuns) carry(e *export) {
	switch {
	case e.asking:
	case e.asked < b.w.Partitions():
		e.asking = true
		group := statemachine.ChildrenGroup(e.req.Machine, e.req.Name)
		it := lane.Item{Read: func(r *lane.Reader) any { return b.children(r, group) }}
		heard := false
		b.w.Request(&sim.Ask{Item: it, Partition: partition.ID(e.asked), Answer: func(value any, _ bool, err error) {
			if heard {
				return // too late: it was asked again
			}
			heard, e.asking = true, false
			if err != nil {
				return
			}
			list, ok := value.([]*statemachine.View)
			if !ok {
				b.w.Fail("the child runs are answered as %v", value)
			}
			e.found = append(e.found, list...)
			e.asked++
		}})
	default:
		b.objects.left = -1
		if !b.winding && b.w.Chance(0.3) {
			b.objects.left = b.w.Rand.IntN(3) // and this process goes no further
		}
		out, err := b.write(e)
		if errors.Is(err, errOutage) {
			e.asked, e.found = 0, nil
			return
		}
		if err != nil {
			b.w.Fail("exporting: %w", err)
		}
		b.exports = slices.DeleteFunc(b.exports, func(o *export) bool { return o == e })
		e.answer(partition.Event{Body: out})
	}
}

func (b *MapRuns) write(e *export) ([]byte, error) {
	w, err := resultwriter.New(context.Background(), b.objects, resultwriter.Config{
		Bucket: e.to.Bucket, Prefix: e.to.Prefix, FileBytes: 2000,
		Transformation: resultwriter.Transformation(e.req.Transformation), OutputType: resultwriter.OutputType(e.req.OutputType),
	}, b.library.MapRunARN(e.req.Machine, e.req.Name))
	if err != nil {
		return nil, err
	}
	defer func() { _ = w.Abort() }() // of files that nobody sees
	for _, v := range e.found {
		r := resultwriter.Result{
			Name: v.Name, Status: v.Status.String(), Input: v.Input, Output: v.Output, Error: v.Error, Cause: v.Cause,
			Start: time.UnixMilli(v.Started), Stop: time.UnixMilli(v.Stopped),
		}
		if err := w.Add(r); err != nil {
			return nil, err
		}
	}
	return w.Close()
}

// children returns the child runs of a group that a partition has: []*statemachine.View, or an error.
func (b *MapRuns) children(r *lane.Reader, group string) any {
	core := r.Core()
	refs := make(map[partition.Ref]bool) // false: removed
	core.Listed(func(ref partition.Ref, _ string, s partition.Summary, ok bool) {
		if s.Group == group && !refs[ref] {
			refs[ref] = ok
		}
	})
	prefix := partition.ListingPrefix(core.ID(), group, 0)
	prefix = prefix[:len(prefix)-1]
	upper := append(slices.Clone(prefix), 0xff)
	err := r.Store().Scan(prefix, upper, func(k, v []byte) error {
		ref, _, _, err := partition.ReadListing(k, v)
		if _, known := refs[ref]; !known {
			refs[ref] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	list := []*statemachine.View{}
	for ref, ok := range refs {
		if !ok {
			continue
		}
		v, err := b.look(r, ref)
		if err != nil {
			return err
		}
		list = append(list, v)
	}
	slices.SortFunc(list, func(a, b *statemachine.View) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// look reads a run, hot or cold.
func (b *MapRuns) look(r *lane.Reader, ref partition.Ref) (*statemachine.View, error) {
	core := r.Core()
	v, hot := core.View(ref)
	if run, ok := v.State.(*statemachine.Run); ok {
		return run.View(), nil
	}
	if hot {
		return b.runs.ReadView(v.Packed, core.Blob)
	}
	rec, ok, err := r.Record(ref)
	if err != nil || !ok {
		return nil, fmt.Errorf("run %d has a name and no record: %w", ref, err)
	}
	return b.runs.ReadView(rec.State, core.Blob)
}
