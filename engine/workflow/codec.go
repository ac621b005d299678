package workflow

import (
	"slices"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
)

func (r *Run) sortWaits() {
	slices.SortFunc(r.waits, func(a, b wait) int {
		switch {
		case a.seq < b.seq:
			return -1
		case a.seq > b.seq:
			return 1
		}
		return 0
	})
}

// Append implements partition.Instance.
func (r *Run) Append(dst []byte) []byte {
	v := &r.view
	dst = append(dst, formatVersion, byte(v.Status))
	dst = wire.AppendString(dst, v.ID)
	dst = wire.AppendString(dst, v.Workflow)
	dst = wire.AppendString(dst, v.Version)
	dst = wire.AppendUint(dst, v.Execution)
	dst = wire.AppendInt(dst, v.Created)
	dst = wire.AppendInt(dst, v.Scheduled)
	dst = wire.AppendInt(dst, v.Ended)
	dst = durable.AppendTags(dst, v.Tags)
	dst = wire.AppendString(dst, v.Parent)
	dst = wire.AppendBytes(dst, v.Input)
	dst = wire.AppendBytes(dst, v.Output)
	dst = wire.AppendString(dst, v.Reason)
	dst = wire.AppendBytes(dst, v.Custom)
	dst = wire.AppendBool(dst, v.Failure != nil)
	if v.Failure != nil {
		dst = durable.AppendFailure(dst, v.Failure)
	}
	dst = wire.AppendBool(dst, r.parent.Instance != "")
	if r.parent.Instance != "" {
		dst = r.parent.append(dst)
	}
	dst = wire.AppendUint(dst, r.seed)
	dst = wire.AppendUint(dst, r.steps)
	dst = wire.AppendUint(dst, r.seq)
	dst = wire.AppendInt(dst, r.begun)
	dst = wire.AppendInt(dst, r.events)
	dst = wire.AppendBool(dst, r.rewinding)
	dst = durable.AppendEvents(dst, r.inbox)
	dst = wire.AppendUint(dst, uint64(len(r.waits)))
	for _, w := range r.waits {
		dst = wire.AppendUint(dst, w.seq)
		dst = wire.AppendUint(dst, w.execution)
		dst = wire.AppendString(append(dst, byte(w.kind)), w.target)
	}
	dst = wire.AppendUint(dst, r.lock)
	dst = wire.AppendUint(dst, r.lockExec)
	dst = wire.AppendBool(dst, r.granted)
	dst = appendStrings(dst, r.locked)
	dst = wire.AppendUint(dst, uint64(len(r.causes)))
	for _, c := range r.causes {
		dst = wire.AppendUint(dst, c)
	}
	return dst
}

func appendStrings(dst []byte, list []string) []byte {
	dst = wire.AppendUint(dst, uint64(len(list)))
	for _, s := range list {
		dst = wire.AppendString(dst, s)
	}
	return dst
}

func readStrings(r *wire.Reader) (list []string) {
	for range r.Count(1) {
		if list = append(list, r.String()); r.Err() != nil {
			return nil
		}
	}
	return list
}

// Decode implements partition.Program. The run aliases data.
func (p *Runs) Decode(data []byte, _ func(partition.BlobID) []byte) (partition.Instance, error) {
	r := &Run{program: p}
	return r, r.decode(data)
}

// ReadView decodes what a client sees of a run, and the id of its execution's first event, from its record's state.
func (p *Runs) ReadView(data []byte) (v *View, first int64, err error) {
	r := &Run{program: p}
	if err := r.decode(data); err != nil {
		return nil, 0, err
	}
	return r.View(), r.begun, nil
}

func (r *Run) decode(data []byte) error {
	in := wire.NewReader(data)
	in.Fail(version(in, "run"))
	v := &r.view
	v.Status = durable.Status(in.Byte())
	v.ID, v.Workflow, v.Version = in.String(), in.String(), in.String()
	v.Execution = in.Uint()
	v.Created, v.Scheduled, v.Ended = in.Int(), in.Int(), in.Int()
	v.Tags = durable.ReadTags(in)
	v.Parent = in.String()
	v.Input, v.Output = in.Bytes(), in.Bytes()
	v.Reason = in.String()
	v.Custom = in.Bytes()
	if in.Bool() {
		v.Failure = durable.ReadFailure(in)
	}
	if in.Bool() {
		r.parent = readAddress(in)
	}
	r.seed, r.steps, r.seq = in.Uint(), in.Uint(), in.Uint()
	r.begun, r.events = in.Int(), in.Int()
	r.first = r.events + 1
	r.rewinding = in.Bool()
	r.inbox = durable.ReadEvents(in)
	for i := range r.inbox {
		r.inboxBytes += len(r.inbox[i].Data)
	}
	for range in.Count(4) {
		if r.waits = append(r.waits, wait{in.Uint(), in.Uint(), durable.Kind(in.Byte()), in.String()}); in.Err() != nil {
			return in.Err()
		}
	}
	r.lock, r.lockExec, r.granted = in.Uint(), in.Uint(), in.Bool()
	r.locked = readStrings(in)
	for range in.Count(1) {
		r.causes = append(r.causes, in.Uint())
	}
	return in.Err()
}
