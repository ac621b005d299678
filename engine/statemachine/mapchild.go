package statemachine

import (
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/machine"
)

// startChild is the body of OpStartChild and OpChildAgain: a run for an item, or a batch, of a Map Run.
type startChild struct {
	Revision partition.BlobID
	Seed     uint64
	MapRun   string // instance
	Index    uint64
	Items    uint64
	Keep     bool   // the run is kept when it has ended, whatever its type: its result will be exported
	Input    []byte // of OpStartChild
}

func (m *startChild) encode() []byte {
	dst := make([]byte, 0, len(m.Input)+len(m.MapRun)+48)
	dst = wire.AppendString(dst, string(m.Revision))
	dst = wire.AppendUint(dst, m.Seed)
	dst = wire.AppendString(dst, m.MapRun)
	dst = wire.AppendUint(dst, m.Index)
	dst = wire.AppendUint(dst, m.Items)
	dst = wire.AppendBool(dst, m.Keep)
	return append(dst, m.Input...)
}

func decodeStartChild(body []byte) (m startChild, err error) {
	r := wire.NewReader(body)
	m = startChild{
		Revision: partition.BlobID(r.Bytes()), Seed: r.Uint(), MapRun: r.String(), Index: r.Uint(), Items: r.Uint(), Keep: r.Bool(), Input: r.Rest(),
	}
	return m, r.Err()
}

// child says of a run that it is a Map Run's.
type child struct {
	mapRun string // instance
	index  uint64
	items  uint64
	keep   bool
}

// startChild starts a run for a Map Run. One that cannot start has failed: the Map Run waits for each.
func (r *Run) startChild(env *partition.Env, ev *partition.Event) {
	m, err := decodeStartChild(ev.Body)
	if !env.Created {
		return // names of children are unique
	}
	var rev *Loaded
	if err == nil {
		rev, err = r.library.Load(m.Revision, env.Blob(m.Revision))
	}
	if err != nil {
		r.child = &child{mapRun: m.MapRun, index: m.Index}
		r.tellMapRun(env, machine.Failed, nil)
		env.Discard()
		return
	}
	r.child = &child{mapRun: m.MapRun, index: m.Index, items: m.Items, keep: m.Keep}
	r.begin(env, rev, &StartMessage{Revision: m.Revision, Seed: m.Seed, Input: m.Input})
}

// again redrives a child run, or starts it again from its input if where it stood was not kept, with a new history. One
// that is not there any more has failed.
func (r *Run) again(env *partition.Env, ev *partition.Event) {
	m, err := decodeStartChild(ev.Body)
	switch {
	case env.Created || err != nil:
		r.child = &child{mapRun: m.MapRun, index: m.Index}
		r.tellMapRun(env, machine.Failed, nil)
		env.Discard()
		return
	case r.view.Status == machine.Running:
		return
	case r.frame != nil && r.frame.Redrivable() == nil:
		r.takeUp(env, machine.Amendment{})
		return
	}
	env.Reopen()
	env.DropHistory(r.view.Events + 1)
	r.begin(env, r.view.Revision, &StartMessage{Revision: m.Revision, Seed: m.Seed, Input: r.view.Input})
}

// tellMapRun tells the Map Run of a child how it has ended.
func (r *Run) tellMapRun(env *partition.Env, status machine.Status, output []byte) {
	end := childEnd{index: r.child.index, status: status}
	if !r.child.keep {
		end.output = output
	}
	env.Send(r.child.mapRun, MapRunsID, OpChildEnded, end.encode())
}

// mapCommand starts, stops or redrives a Map Run.
func (r *Run) mapCommand(env *partition.Env, c *machine.Command) {
	rev := r.view.Revision
	switch c.Kind {
	case machine.RedriveMapRun:
		again := mapAgain{parent: env.Name, invocation: c.ID}
		env.Send(MapRunInstance(rev.Machine+"/"+c.MapRun.Label, c.MapRun.Name), MapRunsID, OpMapRedrive, again.encode())
		return
	case machine.StopMapRun:
		env.Send(MapRunInstance(rev.Machine+"/"+c.MapRun.Label, c.MapRun.Name), MapRunsID, OpMapStop, nil)
		return
	}
	each := Revision{
		Machine: rev.Machine + "/" + c.MapRun.Label, ID: rev.ID, RoleARN: rev.RoleARN, Definition: rev.Definition, Mocks: rev.Mocks, State: c.MapRun.State,
		Express: rev.Interpreter.Definition.StateNamed(c.MapRun.State).Map.Distributed.Express,
	}
	start := mapStart{Parent: env.Name, Invocation: c.ID, Seed: mixed(r.seed, c.ID), Blob: each.Encode(), Run: *c.MapRun}
	env.Send(MapRunInstance(each.Machine, c.MapRun.Name), MapRunsID, OpMapStart, start.encode())
}

// mapEnded takes the end of a Map Run.
func (r *Run) mapEnded(env *partition.Env, body []byte) {
	m, err := decodeMapEnd(body)
	if err != nil {
		return
	}
	e := machine.Event{Kind: machine.MapRunSucceeded, ID: m.invocation, Output: m.output}
	if m.error != "" {
		e = machine.Event{Kind: machine.MapRunFailed, ID: m.invocation, Error: m.error, Cause: m.cause}
	}
	r.step(env, e)
}

// append writes what a run's record has of its Map Run; nil: it is no child.
func (c *child) append(dst []byte) []byte {
	if c == nil {
		return wire.AppendString(dst, "")
	}
	dst = wire.AppendString(dst, c.mapRun)
	dst = wire.AppendUint(dst, c.index)
	dst = wire.AppendUint(dst, c.items)
	return wire.AppendBool(dst, c.keep)
}

func readChild(r *wire.Reader) *child {
	mapRun := r.String()
	if mapRun == "" {
		return nil
	}
	return &child{mapRun: mapRun, index: r.Uint(), items: r.Uint(), keep: r.Bool()}
}
