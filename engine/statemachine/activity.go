package statemachine

import (
	"encoding/json"
	"fmt"
	"maps"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
)

// The messages an activity takes. Values are append-only: they are logged.
const (
	OpActivityCreate   uint8 = iota + 1 // JSON of an ActivityMessage
	OpActivityTag                       // JSON of an ActivityMessage
	OpActivityDelete                    // no body
	OpActivityOffer                     // OfferMessage, of a run
	OpActivityWithdraw                  // OfferMessage, of a run
	OpActivityTake                      // the worker's name; answers a *Taken, or nil when no task waits
)

// Activity is an activity that a node keeps, as a client sees it.
type Activity struct {
	Name    string
	Created int64                      // Unix milliseconds
	Tags    map[string]string          `json:",omitempty"`
	Extra   map[string]json.RawMessage `json:",omitempty"` // encryptionConfiguration
	Waiting int                        `json:"-"`          // tasks that no worker has taken
}

// ActivityMessage is the body of what clients send to an activity.
type ActivityMessage struct {
	Tags  map[string]string
	Untag []string
	Extra map[string]json.RawMessage
}

// OfferMessage names a task that waits for a worker, or does not any more.
type OfferMessage struct {
	Run  string // the instance
	Task uint64
}

// Encode returns the body of the message.
func (m *OfferMessage) Encode() []byte {
	return wire.AppendString(wire.AppendUint(nil, m.Task), m.Run)
}

func decodeOffer(body []byte) (m OfferMessage, err error) {
	r := wire.NewReader(body)
	m = OfferMessage{Task: r.Uint(), Run: r.String()}
	return m, r.Err()
}

// Taken is a task that its activity has given to a worker; the run has the rest (OpTaskTaken).
type Taken struct{ OfferMessage }

// Activities is the program of activities: each is a queue of the tasks that wait for a worker. A task leaves it once,
// so that no two workers get the same.
type Activities struct{ Library *Library }

// Creates reports whether op makes an activity. An offer to one that is not there is answered, which takes an instance.
func (p *Activities) Creates(op uint8) bool { return op == OpActivityCreate || op == OpActivityOffer }

// New returns an activity that waits for its OpActivityCreate.
func (p *Activities) New() partition.Instance { return &activity{library: p.Library} }

// Decode implements partition.Program.
func (p *Activities) Decode(data []byte, _ func(partition.BlobID) []byte) (partition.Instance, error) {
	a := &activity{library: p.Library}
	return a, a.decode(data)
}

// ReadActivity decodes an activity from its record's state.
func ReadActivity(data []byte) (*Activity, error) {
	var a activity
	err := a.decode(data)
	return a.View(), err
}

// activity is one activity.
type activity struct {
	library *Library
	Activity
	queue queue
}

// View returns a copy of what clients see.
func (a *activity) View() *Activity {
	v := a.Activity
	v.Tags, v.Extra, v.Waiting = maps.Clone(v.Tags), maps.Clone(v.Extra), a.queue.live
	return &v
}

// Workplaces gives readers an activity in memory.
type Workplaces interface{ View() *Activity }

// Receive implements partition.Instance.
func (a *activity) Receive(env *partition.Env, ev *partition.Event) {
	switch ev.Op {
	case OpActivityCreate, OpActivityTag, OpActivityDelete:
		a.administer(env, ev)
	case OpActivityOffer, OpActivityWithdraw:
		a.offer(env, ev)
	case OpActivityTake:
		m, ok := a.queue.take()
		if !ok {
			env.Reply((*Taken)(nil))
			return
		}
		taken := TakenMessage{Task: m.Task, Worker: string(ev.Body)}
		env.Send(m.Run, RunsID, OpTaskTaken, taken.Encode())
		env.Reply(&Taken{m})
	}
}

func (a *activity) offer(env *partition.Env, ev *partition.Event) {
	m, err := decodeOffer(ev.Body)
	switch {
	case err != nil:
		panic(fmt.Sprintf("statemachine: an offer to %q does not decode: %v", env.Name, err)) // a run of this program wrote it
	case ev.Op == OpActivityWithdraw:
		a.queue.remove(m)
	case env.Created:
		env.Discard()
		a.missing(env, m)
	case a.queue.live >= limits.ActivityTasks:
		a.refuse(env, m, "ActivityLimitExceeded", fmt.Sprintf("%d tasks of this activity wait for a worker, which is the most", limits.ActivityTasks))
	default:
		a.queue.add(m)
		env.Wake(a.queue.live)
	}
}

// missing refuses a task because the activity is not there (any more).
func (a *activity) missing(env *partition.Env, m OfferMessage) {
	a.refuse(env, m, "ActivityDoesNotExist", "Activity Does Not Exist: '"+a.library.ActivityARN(ActivityName(env.Name))+"'")
}

func (a *activity) refuse(env *partition.Env, m OfferMessage, name, cause string) {
	body := RefusedMessage{Task: m.Task, Error: name, Cause: cause}
	env.Send(m.Run, RunsID, OpTaskRefused, body.Encode())
}

func (a *activity) administer(env *partition.Env, ev *partition.Event) {
	var m ActivityMessage
	if ev.Op != OpActivityDelete {
		if err := json.Unmarshal(ev.Body, &m); err != nil {
			env.Discard()
			env.Reply(fault.New("", fault.Internal, env.Name, "activity message does not decode: %w", err))
			return
		}
	}
	switch {
	case ev.Op == OpActivityCreate && env.Created:
		a.Activity = Activity{Name: ActivityName(env.Name), Created: env.Now, Tags: m.Tags, Extra: m.Extra}
		env.List(partition.Summary{Group: ActivitiesGroup, Status: 1, Time: a.Created})
	case ev.Op == OpActivityTag:
		if !a.tag(&m) {
			env.Reply(fault.New("", fault.TooManyTags, env.Name, "Too many tags have been added to the specified resource, the most is %d", limits.Tags))
			return
		}
	case ev.Op == OpActivityDelete:
		a.queue.each(func(o OfferMessage) { a.missing(env, o) })
		env.End(nil) // who waits for a task learns that there is none to come
		env.Remove()
	}
	env.Reply(a.View())
}

func (a *activity) tag(m *ActivityMessage) bool {
	tags := maps.Clone(a.Tags)
	if tags == nil {
		tags = make(map[string]string)
	}
	maps.Copy(tags, m.Tags)
	for _, k := range m.Untag {
		delete(tags, k)
	}
	if len(tags) > limits.Tags {
		return false
	}
	a.Tags = tags
	return true
}

// Append implements partition.Instance.
func (a *activity) Append(dst []byte) []byte {
	text, err := json.Marshal(&a.Activity)
	if err != nil {
		panic(fmt.Sprintf("statemachine: activity %q does not encode: %v", a.Name, err)) // only raw JSON that was checked at the door
	}
	dst = wire.AppendBytes(append(dst, formatVersion), text)
	return a.queue.append(dst)
}

func (a *activity) decode(data []byte) error {
	r := wire.NewReader(data)
	if b := r.Byte(); b != formatVersion && r.Err() == nil {
		return fmt.Errorf("statemachine: activity has format version %d; this program reads %d", b, formatVersion)
	}
	text := r.Bytes()
	a.queue.read(r)
	if err := r.Err(); err != nil {
		return err
	}
	return json.Unmarshal(text, &a.Activity)
}
