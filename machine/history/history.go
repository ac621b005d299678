// Package history is the execution history of a state machine's run: Step Functions' event types, ids and
// previousEventId chains, in a compact binary form that is append-only.
package history

// Type is an event type. Values are append-only: they are stored.
type Type uint8

// Event is one history event. Which fields are in use follows from Type; unused ones are zero.
type Event struct {
	ID   int64
	Prev int64
	Time int64 // Unix milliseconds
	Type Type

	Name         string // state, or Map of an iteration
	Input        []byte // JSON text
	Output       []byte
	Parameters   []byte
	Error        string
	Cause        string
	HasError     bool // AWS leaves out an absent error or cause; an empty one is shown
	HasCause     bool
	Resource     string
	ResourceType string
	Region       string
	RoleARN      string
	Timeout      int64 // seconds; 0: absent
	Heartbeat    int64
	Index        int64
	Length       int64
}
