package schedule

import (
	"encoding/json"
	"regexp"
	"time"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/schedule"
)

// ID is the program's number. It is stored.
const ID partition.ProgramID = 5

// Group is the listing group of all schedules.
const Group = "schedules"

const instancePrefix = "schedule/"

// InstanceName returns the instance name of a schedule.
func InstanceName(id string) string { return instancePrefix + id }

// RunID returns the id of the run that a schedule starts for a nominal time (Unix milliseconds): the schedule's id and
// the time as ISO 8601 has it without separators, since a colon may not be in the name of a run.
func RunID(id string, nominal int64) string {
	return id + "-" + time.UnixMilli(nominal).UTC().Format("20060102T150405Z")
}

// The messages a schedule takes. A client gets a *View or an error for an answer, unless it says otherwise. Values are
// append-only: they are logged.
const (
	// OpCreate makes a schedule; its body comes from Define. Again with the same spec and target it answers the schedule
	// that is there, otherwise Conflict.
	OpCreate uint8 = iota + 1
	// OpUpdate changes spec and target; its body comes from Define. Whether it is paused stays, runs and what waits stay.
	// With another spec, the times that count are those from now on.
	OpUpdate
	OpPause    // no time counts until OpResume; body: a note
	OpResume   // body: a note
	OpTrigger  // start a run now, paused or not; TriggerMessage; answers *Triggered, or Conflict if overlap forbids it
	OpBackfill // start the runs of a stretch of the past, paused or not; BackfillMessage
	OpDelete   // forget the schedule; its runs go on
	OpEnded    // a run that the schedule started has ended; EndedMessage; no answer
	// OpZone brings the rules of the schedule's time zone when they have changed; body: schedule.Zone's Append. Times of
	// the old rules that were not handled yet do not count.
	OpZone
)

// Target is what a schedule starts. Only the Starter looks into it.
type Target struct {
	Kind  string // of thing, for example "machine"
	Name  string
	Input []byte
}

// Start is a run that is to be started.
type Start struct {
	Schedule string // instance name of the schedule: where the OpEnded goes
	Run      string // the run's id
	Nominal  int64  // Unix milliseconds: the time that the run is for
	Seed     uint64 // looks random to those who do not know the schedule's seed, and is the run's own
	Target   Target
}

// Message is what Env.Send takes.
type Message struct {
	To      string
	Program partition.ProgramID
	Op      uint8
	Body    []byte
}

// Starter turns wishes of schedules into messages. Its functions must be pure: they are called again by a recovery.
type Starter struct {
	// Start returns the message that starts a run.
	Start func(*Start) Message
	// Terminate returns the message that stops a run. The target has no Input.
	Terminate func(target Target, run, cause string) Message
}

var idSyntax = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)

// Define returns the body of an OpCreate or OpUpdate, with the rules of the time zone as this machine has them now. seed
// must be random for OpCreate and does not count for OpUpdate. Errors are faults of kind InvalidArgument.
func Define(id string, spec schedule.Spec, target Target, seed uint64) ([]byte, error) {
	if len(id) > limits.ScheduleIDChars || !idSyntax.MatchString(id) {
		return nil, fault.New("schedule", fault.InvalidArgument, "id",
			"%q is not the id of a schedule; take 1 to %d letters, digits, dots, dashes and underscores", id, limits.ScheduleIDChars)
	}
	zone, err := schedule.LoadZone(spec.Zone)
	if err != nil {
		return nil, err
	}
	if _, err := schedule.Compile(spec, zone, seed); err != nil {
		return nil, err
	}
	d := definition{zone: zone, target: target}
	if d.text, err = json.Marshal(spec); err != nil {
		return nil, err
	}
	return wire.AppendUint(d.append(nil), seed), nil
}

// definition is what people say of a schedule.
type definition struct {
	text   []byte // spec, as its canonical JSON
	spec   schedule.Spec
	zone   *schedule.Zone
	target Target
}

func (d *definition) append(dst []byte) []byte {
	dst = wire.AppendBytes(dst, d.text)
	dst = wire.AppendBytes(dst, d.zone.Append(nil))
	dst = wire.AppendString(dst, d.target.Kind)
	dst = wire.AppendString(dst, d.target.Name)
	return wire.AppendBytes(dst, d.target.Input)
}

func (d *definition) read(r *wire.Reader) {
	d.text = r.Bytes()
	zone := r.Bytes()
	d.target = Target{Kind: r.String(), Name: r.String(), Input: r.Bytes()}
	if r.Err() != nil {
		return
	}
	r.Fail(json.Unmarshal(d.text, &d.spec))
	var err error
	d.zone, err = schedule.DecodeZone(zone)
	r.Fail(err)
}

// TriggerMessage is the body of OpTrigger.
type TriggerMessage struct{ Overlap schedule.Overlap } // 0: the schedule's own

// Encode returns the body.
func (m *TriggerMessage) Encode() []byte { return []byte{byte(m.Overlap)} }

// Triggered is the answer to OpTrigger.
type Triggered struct {
	View  *View
	Run   string // id of the run
	Waits bool   // it starts when others have ended
}

// BackfillMessage is the body of OpBackfill: run the nominal times from From to To, both inclusive (Unix milliseconds), as
// if they were now. They get ids of their own, so that a time that has been run already is run again. With
// schedule.BufferAll, which is 0 too, each starts when nothing of the schedule runs; with AllowAll all start at once.
// Others are refused: they would leave most of the times out.
type BackfillMessage struct {
	From, To int64
	Overlap  schedule.Overlap
}

// Encode returns the body.
func (m *BackfillMessage) Encode() []byte {
	return append(wire.AppendInt(wire.AppendInt(nil, m.From), m.To), byte(m.Overlap))
}

// EndedMessage is the body of OpEnded.
type EndedMessage struct {
	Run    string // id of the run
	Status uint8  // shown, and known to the Starter's side only
	Failed bool   // counts for PauseOnFailure
}

// Encode returns the body.
func (m *EndedMessage) Encode() []byte {
	return wire.AppendBool(append(wire.AppendString(nil, m.Run), m.Status), m.Failed)
}
