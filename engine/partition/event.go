package partition

import (
	"fmt"

	"github.com/weftworks/weft/internal/wire"
)

// Ref is the number of an instance within its partition, counted from 1 in order of creation. It is never
// reused. Zero is no instance.
type Ref uint64

// ID is the number of a partition within its node's data directory, counted from 0.
type ID uint32

// Kind is the kind of an event. Values are append-only: they are logged.
type Kind uint8

// The kinds of events, with the fields they use beside Time.
const (
	// Message brings a message to the instance named To: Program, Op, Body; From when another
	// partition sent it. An instance that does not exist is created if Program creates on Op.
	Message Kind = iota + 1
	// Done says that invocation ID of instance Ref has answered: Body and LogTail, or Error, Cause,
	// Flag (the function was never entered) and Final (trying again is pointless).
	Done
	// Due says that the time of timer ID of instance Ref has come.
	Due
	// Continue lets instance Ref go on after Env.Continue.
	Continue
	// Ack says that partition From.Partition has made everything up to From.Seq durable that this
	// partition sent to it.
	Ack
	// Define brings the blob Body, whose id is its content's.
	Define
	// Purge removes the ended instances that Body lists (see AppendRefs).
	Purge
	// Recovered marks the end of a recovery: ID is the partition's new incarnation.
	Recovered
	// Stepped says what the user code of instance Ref did in its step ID: Body, in the program's encoding.
	Stepped
)

// Carried is a blob that travels with a message.
type Carried struct {
	ID   BlobID
	Data []byte
}

// Origin is the place of a message in the stream from one partition to another. Seq counts from 1
// without gaps; zero says that the message does not come from a partition.
type Origin struct {
	Partition ID
	Seq       uint64
}

// Event is what a partition logs and folds over.
type Event struct {
	Kind    Kind
	Time    int64 // Unix milliseconds
	To      string
	Program ProgramID
	Op      uint8
	From    Origin
	Ref     Ref
	ID      uint64
	Body    []byte
	Error   string
	Cause   string
	Flag    bool
	Final   bool
	LogTail string // Done: the end of what the function logged, if the Invocation asked for it

	// Call is, of a Done, the invocation that has ended, as the partition remembers it. Not logged.
	Call Invocation
	// Client is whom to answer. It is not logged: after a crash nobody waits.
	Client any
	// With is, of a message between partitions, a blob of the sender that the receiver has to be given before the message,
	// unless it has it. Not logged with the message: the blob is, by Define.
	With *Carried
	// Fresh says that no instance has the name To, so that nothing needs to be looked up.
	Fresh bool
}

// Failed reports whether a Done is a failure.
func (ev *Event) Failed() bool { return ev.Error != "" || ev.Cause != "" || ev.Flag || ev.Final }

// How a Done ended, in its encoding. Values are append-only: they are logged.
const (
	doneWell uint8 = iota
	doneFailed
	doneLogged // well, with LogTail
	doneFinal  // failed, Final
)

// freshBit marks a fresh Message in its kind's byte: a recovery need not look its name up either.
const freshBit = 0x80

// AppendBatch starts a log entry that holds events whose times are at or after base (Unix milliseconds).
func AppendBatch(dst []byte, base int64) []byte { return wire.AppendInt(dst, base) }

// AppendEvent adds ev to a log entry started with base.
func AppendEvent(dst []byte, base int64, ev *Event) []byte {
	kind := byte(ev.Kind)
	if ev.Fresh {
		kind |= freshBit
	}
	dst = append(dst, kind)
	dst = wire.AppendInt(dst, ev.Time-base)
	switch ev.Kind {
	case Message:
		dst = wire.AppendString(dst, ev.To)
		dst = append(dst, byte(ev.Program), ev.Op)
		dst = wire.AppendUint(dst, ev.From.Seq)
		if ev.From.Seq != 0 {
			dst = wire.AppendUint(dst, uint64(ev.From.Partition))
		}
		dst = wire.AppendBytes(dst, ev.Body)
	case Done:
		dst = wire.AppendUint(dst, uint64(ev.Ref))
		dst = wire.AppendUint(dst, ev.ID)
		switch {
		case ev.Failed():
			how := doneFailed
			if ev.Final {
				how = doneFinal
			}
			dst = append(dst, how)
			dst = wire.AppendString(dst, ev.Error)
			dst = wire.AppendString(dst, ev.Cause)
			dst = wire.AppendBool(dst, ev.Flag)
		case ev.LogTail != "":
			dst = append(dst, doneLogged)
			dst = wire.AppendBytes(dst, ev.Body)
			dst = wire.AppendString(dst, ev.LogTail)
		default:
			dst = append(dst, doneWell)
			dst = wire.AppendBytes(dst, ev.Body)
		}
	case Due:
		dst = wire.AppendUint(dst, uint64(ev.Ref))
		dst = wire.AppendUint(dst, ev.ID)
	case Continue:
		dst = wire.AppendUint(dst, uint64(ev.Ref))
	case Stepped:
		dst = wire.AppendUint(dst, uint64(ev.Ref))
		dst = wire.AppendUint(dst, ev.ID)
		dst = wire.AppendBytes(dst, ev.Body)
	case Ack:
		dst = wire.AppendUint(dst, uint64(ev.From.Partition))
		dst = wire.AppendUint(dst, ev.From.Seq)
	case Define, Purge:
		dst = wire.AppendBytes(dst, ev.Body)
	case Recovered:
		dst = wire.AppendUint(dst, ev.ID)
	}
	return dst
}

// ReadBatch decodes a log entry and calls fn for every event in order. The event's byte slices alias
// data; fn must copy what it keeps.
func ReadBatch(data []byte, fn func(*Event) error) error {
	r := wire.NewReader(data)
	base := r.Int()
	for r.Err() == nil && r.Len() > 0 {
		var ev Event
		readEvent(r, base, &ev)
		if r.Err() != nil {
			break
		}
		if err := fn(&ev); err != nil {
			return err
		}
	}
	return r.Err()
}

func readEvent(r *wire.Reader, base int64, ev *Event) {
	kind := r.Byte()
	ev.Kind, ev.Fresh = Kind(kind&^freshBit), kind&freshBit != 0
	ev.Time = base + r.Int()
	switch ev.Kind {
	case Message:
		ev.To = r.String()
		ev.Program = ProgramID(r.Byte())
		ev.Op = r.Byte()
		ev.From.Seq = r.Uint()
		if ev.From.Seq != 0 {
			ev.From.Partition = ID(r.Uint())
		}
		ev.Body = r.Bytes()
	case Done:
		ev.Ref = Ref(r.Uint())
		ev.ID = r.Uint()
		switch how := r.Byte(); how {
		case doneFailed, doneFinal:
			ev.Final = how == doneFinal
			ev.Error = r.String()
			ev.Cause = r.String()
			ev.Flag = r.Bool()
		case doneWell:
			ev.Body = r.Bytes()
		case doneLogged:
			ev.Body = r.Bytes()
			ev.LogTail = r.String()
		default:
			r.Fail(fmt.Errorf("partition: unknown outcome %d of a call", how))
		}
	case Due:
		ev.Ref = Ref(r.Uint())
		ev.ID = r.Uint()
	case Continue:
		ev.Ref = Ref(r.Uint())
	case Stepped:
		ev.Ref = Ref(r.Uint())
		ev.ID = r.Uint()
		ev.Body = r.Bytes()
	case Ack:
		ev.From.Partition = ID(r.Uint())
		ev.From.Seq = r.Uint()
	case Define, Purge:
		ev.Body = r.Bytes()
	case Recovered:
		ev.ID = r.Uint()
	default:
		r.Fail(fmt.Errorf("partition: unknown event kind %d", ev.Kind))
	}
}

// AppendRefs encodes the body of a Purge.
func AppendRefs(dst []byte, refs []Ref) []byte {
	dst = wire.AppendUint(dst, uint64(len(refs)))
	for _, ref := range refs {
		dst = wire.AppendUint(dst, uint64(ref))
	}
	return dst
}

func readRefs(body []byte) []Ref {
	r := wire.NewReader(body)
	refs := make([]Ref, 0, r.Count(1))
	for range cap(refs) {
		refs = append(refs, Ref(r.Uint()))
	}
	if r.Err() != nil {
		return nil
	}
	return refs
}
