package partition

import "slices"

// ProgramID names a program in logs and snapshots. Values are append-only.
type ProgramID uint8

// Program is the deterministic behaviour of one kind of instance. It must be a function of its
// arguments: no clock, no randomness, no I/O, no state of its own but memos.
type Program interface {
	// Creates reports whether a message with this op makes an instance that does not exist yet.
	Creates(op uint8) bool
	// New returns an instance to which the creating message is given next.
	New() Instance
	// Decode rebuilds an instance from what its Append wrote. blob returns blobs of the partition.
	Decode(data []byte, blob func(BlobID) []byte) (Instance, error)
}

// Instance is the state of one instance. Its methods are called by one goroutine at a time.
type Instance interface {
	// Receive takes a Message, Done, Due or Continue event, changes the instance and says through
	// env what it wants. It must not keep ev or env; byte slices of ev may be kept, unchanged.
	Receive(env *Env, ev *Event)
	// Append writes the instance's state.
	Append(dst []byte) []byte
}

// Historian is an instance that keeps a history: events with ids that count from 1, in chunks.
type Historian interface {
	// History returns the encoded events that Forget has not dropped yet, as one chunk, with the
	// id of the first and their number. The slice is valid until the next Receive or Forget.
	History() (chunk []byte, first, count int64)
	// Forget drops what History returns; the next event starts a new chunk.
	Forget()
}

// Coder is an instance whose behaviour is user code, which may take long, fail or be not deterministic. The shell runs the
// code; what it did comes back as a Stepped event. One step of an instance is under way at a time.
type Coder interface {
	// Owes reports whether there is something for the code to do. A recovery asks instead of repeating effects.
	Owes() bool
	// Work returns what the shell needs to run the code now. The instance must not change what it returns.
	Work(env *Env) any
}

// Summary is how an instance is listed. Instances without a Group are not listed.
type Summary struct {
	Group  string // e.g. the machine whose run it is
	Label  string // what else a listing shows and filters by without reading the instance
	Status uint8  // program-defined; listings filter by it
	Time   int64  // Unix milliseconds; listings are ordered by it, newest first
	Ended  int64  // Unix milliseconds; 0 while open; retention counts from it
}

// Invocation is a call of a function that an instance waits for. It is part of the partition's state until
// its Done arrives or it is cancelled, so that a recovery can make it again.
type Invocation struct {
	ID        uint64
	Function  string
	Input     []byte
	TimeoutMS int64
	Flags     uint8 // program-defined
	// Logs asks for the end of what the function logs in the Done.
	Logs bool
	// What limits of the function may look at: see function.Request.
	HeartbeatMS int64
	Key         string
	Tenant      string
	Priority    int8
	// Instance is the name of the instance that waits, in effects only.
	Instance string
}

// EffectKind is the kind of an effect.
type EffectKind uint8

// The kinds of effects, with the fields they use.
const (
	Invoke  EffectKind = iota + 1 // Ref, Call: call a function
	Cancel                        // Ref, Call.ID: its answer is not wanted any more
	Send                          // Partition, Event: a message to another partition (From set)
	Reply                         // Client, Value or Missing: answer a client
	Ended                         // Ref, Value: an instance that somebody waits for has ended
	Resume                        // Ref: feed a Continue event
	Confirm                       // Partition, Seq: tell the origin that its messages up to Seq are durable here
	Step                          // Ref: run the user code of an instance (Core.Work)
	Pin                           // Value, a ValueID: an instance of the partition keeps it now
	Unpin                         // Value, a ValueID: no instance of the partition keeps it any more
	Wake                          // Ref, Value: one of those who wait for an instance's end may look at it again
	Tell                          // Value: something for the shell to know, when its cause is durable
)

// Effect is something the shell has to do. Invoke, Cancel, Send, Confirm, Reply and Ended leave the
// partition; which of them may go before the events of their step are durable is the shell's to know
// (speculation).
type Effect struct {
	Kind      EffectKind
	Ref       Ref
	Call      Invocation
	Partition ID
	Seq       uint64
	Event     *Event
	Client    any
	Value     any
	Missing   bool // Reply: no such instance
}

// Env is what an instance may do while it receives an event.
type Env struct {
	Now     int64  // Unix milliseconds
	Name    string // of the instance
	Ref     Ref
	Created bool // the event created the instance

	core   *Core
	inst   *instance
	client any
	drop   bool
}

// Waited reports whether a client waits for the instance's end, so that it need not describe itself for nobody.
func (e *Env) Waited() bool { return e.inst.waited }

// Reply answers the client that sent the event, if there is one.
func (e *Env) Reply(value any) {
	if e.client != nil {
		e.core.emit(Effect{Kind: Reply, Ref: e.Ref, Client: e.client, Value: value})
		e.client = nil
	}
}

// HasClient reports whether a client waits for a Reply. A recovery folds the same events without clients: what becomes of
// the instance must not depend on it.
func (e *Env) HasClient() bool { return e.client != nil }

// Discard undoes the creation of the instance: nothing of it is kept.
func (e *Env) Discard() { e.drop = true }

// Invoke asks for a call of a function; its ID must be new within the instance and larger than those before. An
// instance that has ended wants nothing any more: this, SetTimer and Continue then do nothing.
func (e *Env) Invoke(call Invocation) {
	if e.inst.ended {
		return
	}
	e.inst.calls.add(call)
	call.Instance = e.Name
	e.core.emit(Effect{Kind: Invoke, Ref: e.Ref, Call: call})
}

// Cancel forgets an invocation; a Done that still comes is dropped.
func (e *Env) Cancel(id uint64) {
	if e.inst.calls.remove(id) {
		e.core.emit(Effect{Kind: Cancel, Ref: e.Ref, Call: Invocation{ID: id}})
	}
}

// SetTimer arms timer id, new within the instance and larger than those before, for due (Unix milliseconds; before
// 1970 counts as 1970, as timers are stored in order of their unsigned times).
func (e *Env) SetTimer(id uint64, due int64) {
	if e.inst.ended {
		return
	}
	due = max(due, 0)
	e.inst.timers = append(e.inst.timers, timer{id: id, due: due})
	e.core.timers.add(timerKey{due: due, ref: e.Ref, id: id})
}

// CancelTimer disarms a timer.
func (e *Env) CancelTimer(id uint64) {
	if due, ok := e.inst.dropTimer(id); ok {
		e.core.timers.cancel(timerKey{due: due, ref: e.Ref, id: id})
	}
}

// Send puts a message for the instance named to into the outbox; it arrives exactly once, in order.
func (e *Env) Send(to string, program ProgramID, op uint8, body []byte) {
	e.core.send(e.Now, to, program, op, body, nil)
}

// SendNew is Send for the first message to an instance whose name was never used, and that needs a blob of this partition.
// The sender must keep the blob until it knows that the message has arrived.
func (e *Env) SendNew(blob BlobID, to string, program ProgramID, op uint8, body []byte) {
	e.core.send(e.Now, to, program, op, body, &Carried{ID: blob, Data: e.core.blobs.get(blob)})
}

// Continue asks for a Continue event behind the events already waiting.
func (e *Env) Continue() {
	if e.inst.ended {
		return
	}
	e.inst.resume = true
	e.core.emit(Effect{Kind: Resume, Ref: e.Ref})
}

// Step asks for a step of the instance's user code. While one is under way this does nothing: a Coder looks at
// what it owes when it gets Stepped.
func (e *Env) Step() {
	if e.inst.ended || e.inst.stepping {
		return
	}
	e.inst.stepping = true
	e.core.emit(Effect{Kind: Step, Ref: e.Ref})
}

// DropWork forgets all invocations and timers.
func (e *Env) DropWork() { e.core.dropWork(e.inst) }

// DropHistory deletes the history up to now. What the instance's History returns now is deleted with it; first is the id
// of the first event to come.
func (e *Env) DropHistory(first int64) {
	if h, ok := e.inst.state.(Historian); ok {
		h.Forget()
	}
	e.inst.chunks = e.inst.chunks[:e.inst.inFlight]
	e.inst.dropBefore = max(e.inst.dropBefore, first) // ids may have begun anew
}

// Reopen undoes End: the instance takes all events again.
func (e *Env) Reopen() { e.inst.ended = false }

// Blob returns a blob of the partition, or nil.
func (e *Env) Blob(id BlobID) []byte { return e.core.blobs.get(id) }

// Pin makes the instance keep a blob, which must be there, for as long as it exists, instead of the one it kept before.
func (e *Env) Pin(id BlobID) {
	was := e.inst.blob
	if was == id || e.core.blobs.by[id] == nil {
		return
	}
	e.inst.blob = id
	e.core.blobs.pin(id)
	if was != "" {
		e.core.blobs.unpin(was)
	}
}

// KeepBlob makes the instance keep a blob beside the one it pins, until it releases it or is removed, and returns the blob's id.
// Keeping what it keeps already changes nothing.
func (e *Env) KeepBlob(data []byte) BlobID {
	id := BlobOf(data)
	if slices.Contains(e.inst.kept, id) {
		return id
	}
	e.core.blobs.define(data)
	e.core.blobs.pin(id)
	e.inst.kept = append(e.inst.kept, id)
	return id
}

// ReleaseBlob undoes KeepBlob.
func (e *Env) ReleaseBlob(id BlobID) {
	i := slices.Index(e.inst.kept, id)
	if i < 0 {
		return
	}
	e.inst.kept = slices.Delete(e.inst.kept, i, i+1)
	e.core.blobs.unpin(id)
}

// List says how the instance is listed from now on.
func (e *Env) List(s Summary) { e.inst.summary = s }

// End says that the instance has ended: it keeps its state and takes no events but messages. Its invocations
// and timers are dropped. value is handed to those who wait.
func (e *Env) End(value any) {
	e.inst.ended = true
	e.core.dropWork(e.inst)
	if e.inst.waited {
		e.core.emit(Effect{Kind: Ended, Ref: e.Ref, Value: value})
		e.inst.waited = false
	}
}

// Wake answers one of those who wait for the instance's end early, with value: the one who has waited longest. Who is
// woken is no part of the state; a crash forgets all who wait.
func (e *Env) Wake(value any) {
	if e.inst.waited {
		e.core.emit(Effect{Kind: Wake, Ref: e.Ref, Value: value})
	}
}

// Tell tells the shell something that nothing in a partition depends on, such as lines of a log. A crash may lose it, and a
// replay does not tell it again.
func (e *Env) Tell(value any) { e.core.emit(Effect{Kind: Tell, Value: value}) }

// Remove deletes the instance and everything of it.
func (e *Env) Remove() { e.inst.removed = true }
