package workflow

import (
	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
)

// The messages a run takes. Values are append-only: they are logged.
const (
	OpStart     uint8 = iota + 1 // Start
	OpRaise                      // Raise: an external event
	OpSuspend                    // reason
	OpResume                     // reason
	OpTerminate                  // Terminate
	OpRewind                     // Rewind
	OpRestart                    // nothing
	OpPurge                      // nothing
	OpReply                      // Reply: of a child or an entity
	OpGranted                    // Address: of the lock request
	OpTag                        // tags that are added or, when empty, removed
)

// Address is where an answer goes: to an instance, to one incarnation of its name, to one action of one execution.
type Address struct {
	Instance  string
	Program   partition.ProgramID
	Op        uint8 // of the message that brings the answer
	Ref       partition.Ref
	Execution uint64
	Seq       uint64
}

func (a *Address) append(dst []byte) []byte {
	dst = wire.AppendString(dst, a.Instance)
	dst = append(dst, byte(a.Program), a.Op)
	dst = wire.AppendUint(dst, uint64(a.Ref))
	dst = wire.AppendUint(dst, a.Execution)
	return wire.AppendUint(dst, a.Seq)
}

func readAddress(r *wire.Reader) Address {
	return Address{
		Instance: r.String(), Program: partition.ProgramID(r.Byte()), Op: r.Byte(), Ref: partition.Ref(r.Uint()), Execution: r.Uint(), Seq: r.Uint(),
	}
}

// Start starts a run.
type Start struct {
	Workflow string
	Version  string
	Input    []byte // one JSON text
	Seed     uint64 // drawn at random
	Tags     map[string]string
	At       int64 // Unix milliseconds; 0: now
	// Replace says which statuses of a run that has the id already let the new one take its place; bit 1<<Status.
	Replace uint16
	// Existing answers a run that has the id already instead of refusing.
	Existing bool
	// Parent gets the result, as a Reply. Zero: nobody.
	Parent   Address
	ParentID string // run id, for people
}

// Encode returns the body of an OpStart message.
func (m *Start) Encode() []byte {
	dst := make([]byte, 0, len(m.Input)+len(m.Workflow)+len(m.Version)+64)
	dst = append(dst, 1)
	dst = wire.AppendString(dst, m.Workflow)
	dst = wire.AppendString(dst, m.Version)
	dst = wire.AppendUint(dst, m.Seed)
	dst = wire.AppendInt(dst, m.At)
	dst = wire.AppendUint(dst, uint64(m.Replace))
	dst = wire.AppendBool(dst, m.Existing)
	dst = durable.AppendTags(dst, m.Tags)
	dst = wire.AppendBool(dst, m.Parent.Instance != "")
	if m.Parent.Instance != "" {
		dst = wire.AppendString(m.Parent.append(dst), m.ParentID)
	}
	return append(dst, m.Input...)
}

func decodeStart(body []byte) (m Start, err error) {
	r := wire.NewReader(body)
	r.Fail(version(r, "start message"))
	m = Start{Workflow: r.String(), Version: r.String(), Seed: r.Uint(), At: r.Int(), Replace: uint16(r.Uint()), Existing: r.Bool(), Tags: durable.ReadTags(r)}
	if r.Bool() {
		m.Parent, m.ParentID = readAddress(r), r.String()
	}
	m.Input = r.Rest()
	return m, r.Err()
}

// Raise raises an external event.
type Raise struct {
	Name string
	Data []byte
}

// Encode returns the body of an OpRaise message.
func (m *Raise) Encode() []byte { return append(wire.AppendString(nil, m.Name), m.Data...) }

// Terminate ends a run from outside.
type Terminate struct {
	Reason    string
	Recursive bool    // its children, too
	Parent    Address // who does it: only to its own child; zero: a client
}

// Encode returns the body of an OpTerminate message.
func (m *Terminate) Encode() []byte {
	dst := wire.AppendBool(nil, m.Recursive)
	return append(appendParent(dst, &m.Parent), m.Reason...)
}

func decodeTerminate(body []byte) (m Terminate, err error) {
	r := wire.NewReader(body)
	m.Recursive, m.Parent = r.Bool(), readParent(r)
	m.Reason = string(r.Rest())
	return m, r.Err()
}

// appendParent writes an address that may be zero.
func appendParent(dst []byte, a *Address) []byte {
	dst = wire.AppendBool(dst, a.Instance != "")
	if a.Instance != "" {
		dst = a.append(dst)
	}
	return dst
}

func readParent(r *wire.Reader) (a Address) {
	if r.Bool() {
		a = readAddress(r)
	}
	return a
}

// Rewind takes a failed run back to before its failure.
type Rewind struct {
	Reason string
	Parent Address // who waits for the result now, as it did before; zero: a client rewinds
}

// Encode returns the body of an OpRewind message.
func (m *Rewind) Encode() []byte { return append(appendParent(nil, &m.Parent), m.Reason...) }

func decodeRewind(body []byte) (m Rewind, err error) {
	r := wire.NewReader(body)
	m.Parent = readParent(r)
	m.Reason = string(r.Rest())
	return m, r.Err()
}

// Reply answers an action: with Data, or with Failure.
type Reply struct {
	To      Address
	From    string // run id or entity target, for people
	Data    []byte
	Failure *durable.Failure
	Status  durable.Status // of a run
}

// Encode returns the body of an OpReply message.
func (m *Reply) Encode() []byte {
	dst := m.To.append(nil)
	dst = wire.AppendString(dst, m.From)
	dst = append(dst, byte(m.Status))
	dst = wire.AppendBool(dst, m.Failure != nil)
	if m.Failure != nil {
		return durable.AppendFailure(dst, m.Failure)
	}
	return append(dst, m.Data...)
}

// DecodeReply undoes Encode.
func DecodeReply(body []byte) (m Reply, err error) {
	r := wire.NewReader(body)
	m.To, m.From, m.Status = readAddress(r), r.String(), durable.Status(r.Byte())
	if r.Bool() {
		m.Failure = durable.ReadFailure(r)
	} else {
		m.Data = r.Rest()
	}
	return m, r.Err()
}

// The messages an entity takes. Values are append-only: they are logged.
const (
	OpSignal uint8 = iota + 1 // Operation
	OpCall                    // Operation
	OpLock                    // Lock
	OpUnlock                  // Address: of the request that holds it
	OpCancel                  // Lock: whose request may not be granted yet
)

// Operation is a call or a signal.
type Operation struct {
	Name  string
	Input []byte
	Due   int64   // signals: Unix milliseconds; 0: at once
	From  Address // calls: who waits; signals: none
}

// Encode returns the body of an OpSignal or OpCall message.
func (m *Operation) Encode() []byte {
	dst := make([]byte, 0, len(m.Name)+len(m.Input)+len(m.From.Instance)+24)
	dst = wire.AppendString(dst, m.Name)
	dst = wire.AppendInt(dst, m.Due)
	dst = wire.AppendBool(dst, m.From.Instance != "")
	if m.From.Instance != "" {
		dst = m.From.append(dst)
	}
	return append(dst, m.Input...)
}

func decodeOperation(body []byte) (m Operation, err error) {
	r := wire.NewReader(body)
	m.Name, m.Due = r.String(), r.Int()
	if r.Bool() {
		m.From = readAddress(r)
	}
	m.Input = r.Rest()
	return m, r.Err()
}

// Lock is a request for all of Entities, which has been granted by those before Position.
type Lock struct {
	From     Address
	Entities []string // targets, sorted
	Position int
}

// Encode returns the body of an OpLock or OpCancel message.
func (m *Lock) Encode() []byte {
	dst := m.From.append(nil)
	dst = wire.AppendUint(dst, uint64(m.Position))
	dst = wire.AppendUint(dst, uint64(len(m.Entities)))
	for _, e := range m.Entities {
		dst = wire.AppendString(dst, e)
	}
	return dst
}

func readLock(r *wire.Reader) (m Lock) {
	m.From, m.Position = readAddress(r), small(r)
	for range r.Count(1) {
		if m.Entities = append(m.Entities, r.String()); r.Err() != nil {
			return m
		}
	}
	if r.Err() == nil && m.Position >= len(m.Entities) {
		r.Fail(wire.ErrTruncated)
	}
	return m
}
