package machine

import (
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
)

// contextCache keeps the parts of the context object that a step would otherwise build again for every
// expression. It is not part of the stored frame.
type contextCache struct {
	input  any // the run's input, parsed once
	parsed bool
	branch *branch // for whom object was built
	item   *branch
	object *jsonvalue.Object
}

// forget drops what depends on where the run stands.
func (c *contextCache) forget() { c.branch, c.item, c.object = nil, nil, nil }

// contextObject is "$$" for b's state (Step Functions, "Accessing execution data from the Context object");
// item is the iteration whose input a Map selects, else nil.
func (s *step) contextObject(b, item *branch) any {
	c := &s.f.context
	if c.object != nil && c.branch == b && c.item == item {
		return c.object
	}
	f := s.f
	if !c.parsed {
		v := textValue(f.input)
		if tree, err := v.root(); err == nil {
			c.input = tree
		}
		c.parsed = true
	}
	o := jsonvalue.NewObject(5)
	execution := object("Id", f.exec.ID, "Input", c.input, "StartTime", formatTime(f.exec.StartTime),
		"Name", f.exec.Name, "RoleArn", f.exec.RoleARN, "RedriveCount", jsonvalue.Int(f.redrives))
	if f.redriven != 0 {
		execution.Set("RedriveTime", formatTime(f.redriven))
	}
	o.Set("Execution", execution)
	if m := mapItem(b, item); m != nil {
		o.Set("Map", object("Item", m))
	}
	o.Set("StateMachine", object("Id", f.exec.MachineID, "Name", f.exec.MachineName))
	state := object("Name", b.state.Name, "EnteredTime", formatTime(b.enteredAt))
	switch b.state.Type {
	case asl.Task, asl.Parallel, asl.Map:
		state.Set("RetryCount", jsonvalue.Int(b.retries))
	}
	o.Set("State", state)
	if t := b.state.Task; t != nil && (t.Target.WaitForToken || t.Target.Job) && b.invocation != 0 {
		o.Set("Task", object("Token", s.token(b.invocation)))
	}
	f.probe.overlay(o)
	c.branch, c.item, c.object = b, item, o
	return o
}

func (s *step) token(id uint64) string {
	if s.in.Token == nil {
		return ""
	}
	return s.in.Token(&s.f.exec, id)
}

// mapItem is Map.Item of the iteration that b is in, the innermost.
func mapItem(b, item *branch) *jsonvalue.Object {
	if item == nil {
		item = b.iterated()
	}
	if item == nil {
		return nil
	}
	v := textValue(item.item)
	tree, err := v.root()
	if err != nil {
		return nil
	}
	o := object("Index", jsonvalue.Int(int64(item.index)))
	if key := textValue(item.key); item.key != nil {
		name, _ := key.root()
		o.Set("Key", name)
	}
	o.Set("Value", tree)
	if item.parent != nil && item.parent.source != "" {
		o.Set("Source", item.parent.source)
	}
	return o
}

// object makes an object of keys and values in turn.
func object(pairs ...any) *jsonvalue.Object {
	o := jsonvalue.NewObject(len(pairs) / 2)
	for i := 0; i < len(pairs); i += 2 {
		o.Set(pairs[i].(string), pairs[i+1])
	}
	return o
}

// formatTime is a time as the context object has it.
func formatTime(ms int64) string {
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// ceilMillis is t in Unix milliseconds, rounded up so that a Wait never ends early. Years outside what a
// due time can hold are cut to it.
func ceilMillis(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.Nanosecond()%1_000_000 != 0 {
		ms++
	}
	return ms
}
