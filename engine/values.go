package engine

import (
	"bytes"
	"context"
	"errors"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/values"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/limits"
)

// valueDefault is how long a payload is at least that travels by reference. Below, its two syncs would cost more than the
// copies: in the log, in the history, in the input of the next call.
const valueDefault = 64 << 10

// desk keeps the large payloads of workflows and entities. It implements stepper.Values.
type desk struct {
	store  *values.Store
	keeper *values.Keeper
	least  int // bytes of a large payload
}

func (n *Node) openValues() error {
	fs, dir := n.opts.FS, n.opts.FS.PathJoin(n.opts.Dir, "values")
	if n.opts.Dir == "" {
		fs, dir = vfs.NewMem(), "values"
	}
	store, err := values.Open(dir, &values.Options{FS: fs})
	if err != nil {
		return err
	}
	n.values = desk{store: store, keeper: values.NewKeeper(store, &values.KeeperOptions{Logger: n.opts.Logger}), least: n.opts.ValueBytes}
	return nil
}

// countValues tells the keeper what the partitions keep. Before, it deletes nothing.
func (n *Node) countValues() {
	for _, l := range n.lanes {
		l.Values(func(id partition.ValueID) { n.values.keeper.Pin(values.ID(id), 1) })
	}
	n.values.keeper.Ready()
}

func (d *desk) close() error {
	if d.store == nil {
		return nil
	}
	d.keeper.Close()
	return d.store.Close()
}

// Pin implements lane.Host.
func (h host) Pin(id partition.ValueID) { h.values.keeper.Pin(values.ID(id), 1) }

// Unpin implements lane.Host.
func (h host) Unpin(id partition.ValueID) { h.values.keeper.Unpin(values.ID(id), 1) }

// Shrink implements stepper.Values.
func (d *desk) Shrink(payload []byte) ([]byte, error) {
	if len(payload) < d.least || !partition.IsText(payload) {
		return payload, nil
	}
	ref, err := d.store.Put(context.Background(), bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	return ref.Encode(), nil
}

// Text implements stepper.Values.
func (d *desk) Text(payload []byte) ([]byte, error) {
	ref, ok := values.Parse(payload)
	if !ok {
		return payload, nil
	}
	return d.store.Get(ref, limits.ValueBytes)
}

// texts replaces references in what a client sees of a run.
func (d *desk) texts(v *WorkflowRun) (*WorkflowRun, error) {
	if partition.IsText(v.Input) && partition.IsText(v.Output) {
		return v, nil
	}
	shown := *v
	var errs [2]error
	shown.Input, errs[0] = d.Text(v.Input)
	shown.Output, errs[1] = d.Text(v.Output)
	return &shown, errors.Join(errs[:]...)
}

// textsOf replaces references in a history.
func (d *desk) textsOf(events []durable.Event) (err error) {
	for i := range events {
		if events[i].Data, err = d.Text(events[i].Data); err != nil {
			return err
		}
	}
	return nil
}

// forWorkflows reports whether an instance can take references.
func forWorkflows(instance string) bool {
	_, ok := workflow.RunID(instance)
	return ok
}
