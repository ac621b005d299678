package durable

import (
	"fmt"
	"time"

	"github.com/weftworks/weft/limits"
)

// EntityCode is the code of one kind of entity.
type EntityCode interface {
	// Open returns an entity with a state: one JSON text, or nil for none.
	Open(state []byte) (OpenEntity, error)
}

// OpenEntity is an entity in memory. One goroutine at a time uses it.
type OpenEntity interface {
	// Do does one operation. An error leaves the state as it was.
	Do(c *EntityContext, operation string, input []byte) (output []byte, err error)
	// State returns the state as one JSON text; nil for none.
	State() ([]byte, error)
}

// EntityContext is what an operation of an entity may do beside changing the state. Its messages go when the operation
// has succeeded; those of one that fails are dropped.
type EntityContext struct {
	name, key string
	now       int64
	step      string
	messages  []Event
	given     int // bytes of messages and outputs, in all
	deleted   bool
	most      int
}

// NewEntityContext returns the context of operations of an entity (EntityTarget) at a time (Unix milliseconds). step
// is a name that no other step of an entity of this name has. most bounds what operations give to others, in bytes; 0:
// no bound.
func NewEntityContext(target, step string, now int64, most int) *EntityContext {
	c := &EntityContext{now: now, step: step, most: most}
	c.name, c.key, _ = SplitEntity(target)
	return c
}

// Name returns the name of the kind of entity.
func (c *EntityContext) Name() string { return c.name }

// Key returns which one of its kind the entity is.
func (c *EntityContext) Key() string { return c.key }

// Now returns the time, in UTC and whole milliseconds.
func (c *EntityContext) Now() time.Time { return time.UnixMilli(c.now).UTC() }

// Delete removes the entity's state after the operation. An entity without state that nobody waits for is gone.
func (c *EntityContext) Delete() { c.deleted = true }

// Deleted reports whether Delete was called, and forgets it.
func (c *EntityContext) Deleted() bool {
	d := c.deleted
	c.deleted = false
	return d
}

// Messages returns what was sent so far; Rollback takes back what was sent after there were n.
func (c *EntityContext) Messages() []Event { return c.messages }

// Rollback drops the messages after the first n.
func (c *EntityContext) Rollback(n int) {
	clear(c.messages[n:])
	c.messages, c.deleted = c.messages[:n], false
}

func (c *EntityContext) send(what string, most int, e Event) error {
	if f := badID(what, e.Target, most); f != nil {
		return f
	}
	if f := tooLarge("input", e.Data, c.most); f != nil {
		return f
	}
	if f := badOptions(e.Options); f != nil {
		return f
	}
	size := limits.ActionBytes + len(e.Data)
	if c.given+size > limits.StepBytes {
		return &Failure{
			Type: "States.DataLimitExceeded", Final: true,
			Message: fmt.Sprintf("the operation gives more than some %d bytes to others: do it in several", limits.StepBytes),
		}
	}
	c.given += size
	c.messages = append(c.messages, e)
	return nil
}

// Bears returns why an operation cannot answer output; nil if it can.
func (c *EntityContext) Bears(output []byte) error {
	if f := tooLarge("operation's output", output, c.most); f != nil {
		return f
	}
	c.given += len(output)
	return nil
}

// BearsState returns why an entity cannot have a state; nil if it can.
func (c *EntityContext) BearsState(state []byte) error {
	if f := tooLarge("entity's state", state, c.most); f != nil {
		f.Message += ": keep it in several entities"
		return f
	}
	return nil
}

// Full reports whether the operations of a step have given so much to others that the next ones should wait for another
// step.
func (c *EntityContext) Full() bool { return c.given >= limits.StepPauseBytes }

// SignalFrom sends an operation from one entity to another, to be done at due (Unix milliseconds; 0: at once).
func SignalFrom(c *EntityContext, entity, operation string, input []byte, due int64) error {
	return c.send("an entity", targetBytes, Event{Kind: EntitySignaled, Name: operation, Target: entity, Data: input, Due: due})
}

// RaiseFrom raises an event in a run, from an entity.
func RaiseFrom(c *EntityContext, run, name string, data []byte) error {
	if f := badID("an event", name, limits.IDBytes); f != nil {
		return f
	}
	return c.send("a run", runBytes, Event{Kind: EventSent, Name: name, Target: run, Data: data})
}

// SpawnFrom starts a workflow from an entity and returns its run id. id "" derives one from the entity's.
func SpawnFrom(c *EntityContext, workflow, version, id string, input []byte, o *Options) (string, error) {
	if id == "" {
		id = fmt.Sprintf("%s/%s:%s.%d", c.name, c.key, c.step, len(c.messages)+1)
	}
	return id, c.send("a run", runBytes, Event{Kind: WorkflowStarted, Name: workflow, Version: version, Target: id, Data: input, Options: o})
}
