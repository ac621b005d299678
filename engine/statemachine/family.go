package statemachine

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// Form says what a task wants of the run it starts. Values are append-only: they are logged.
type Form uint8

// The forms.
const (
	Begun  Form = iota // only that it has begun
	Ended              // .sync: the answer of DescribeExecution, input and output as texts
	Opened             // .sync:2: the same, input and output as JSON
)

// Parent is a task that started a run. Together with the run's name it makes a start happen once: the same task's second
// start of a name, after a crash, finds itself here.
type Parent struct {
	Run  string        // the instance
	Ref  partition.Ref // its number: runs of one name that came after one another have others
	Task uint64
	Form Form
}

func (p Parent) append(dst []byte) []byte {
	dst = wire.AppendUint(wire.AppendString(dst, p.Run), uint64(p.Ref))
	return append(wire.AppendUint(dst, p.Task), byte(p.Form))
}

func (p *Parent) read(r *wire.Reader) {
	p.Run, p.Ref, p.Task, p.Form = r.String(), partition.Ref(r.Uint()), r.Uint(), Form(r.Byte())
}

// family is a run's place among others. Between a run and one whose task waits for it there are three messages, each
// exactly once and in order: OpNestedStarted, OpNestedEnded, and in the other direction OpStop. A task that is not waited
// for any more when OpNestedStarted comes answers it with OpStop, so that no child outlives its cause, whatever was on its
// way when the cause ended.
type family struct {
	parents  []Parent // Form Begun: told, or never to be told
	children []nested // that have begun and not ended, by rising task
}

type nested struct {
	task uint64
	run  string // the instance
}

// NestedMessage is a run's word to the task that waits for it.
type NestedMessage struct {
	Task    uint64
	Run     string // the instance that speaks
	ARN     string
	Started int64  // Unix milliseconds
	Failed  bool   // OpNestedEnded
	Text    []byte // OpNestedEnded: JSON that describes the run
}

// Encode returns the body of the message.
func (m *NestedMessage) Encode() []byte {
	dst := wire.AppendString(wire.AppendUint(nil, m.Task), m.Run)
	dst = wire.AppendInt(wire.AppendString(dst, m.ARN), m.Started)
	return append(wire.AppendBool(dst, m.Failed), m.Text...)
}

func decodeChild(body []byte) (m NestedMessage, err error) {
	r := wire.NewReader(body)
	m = NestedMessage{Task: r.Uint(), Run: r.String(), ARN: r.String(), Started: r.Int(), Failed: r.Bool(), Text: r.Rest()}
	return m, r.Err()
}

// has reports whether the run was started by that task.
func (f *family) has(p Parent) bool {
	return slices.ContainsFunc(f.parents, func(q Parent) bool { return q.Run == p.Run && q.Ref == p.Ref && q.Task == p.Task })
}

// adopt notes who started the run, and tells those who wait for it that it has begun.
func (r *Run) adopt(env *partition.Env, p Parent) {
	r.parents = append(r.parents, p)
	if p.Form == Begun {
		return
	}
	m := NestedMessage{Task: p.Task, Run: env.Name, ARN: r.arn(), Started: r.view.Started}
	env.Send(p.Run, RunsID, OpNestedStarted, m.Encode())
}

func (r *Run) arn() string {
	return r.library.RunARN(r.view.Revision.Machine, r.view.Name, r.view.Revision.Express)
}

// tellParents tells those who wait for the run how it has ended.
func (r *Run) tellParents(env *partition.Env) {
	for i := range r.parents {
		p := &r.parents[i]
		if p.Form == Begun {
			continue
		}
		m := NestedMessage{
			Task: p.Task, Run: env.Name, ARN: r.arn(), Started: r.view.Started,
			Failed: r.view.Status != machine.Succeeded, Text: Describe(r.View(), r.arn(), p.Form),
		}
		env.Send(p.Run, RunsID, OpNestedEnded, m.Encode())
		p.Form = Begun
	}
}

// childStarted takes the word of a run that a task has started and waits for.
func (r *Run) childStarted(env *partition.Env, ev *partition.Event) {
	m, err := decodeChild(ev.Body)
	if err != nil {
		panic(fmt.Sprintf("statemachine: the word of a child to %q does not decode: %v", env.Name, err)) // a run of this program wrote it
	}
	if r.frame == nil || !r.frame.Waits(m.Task) {
		env.Send(m.Run, RunsID, OpStop, StopBody("", ""))
		return
	}
	env.Cancel(m.Task) // if the call that started it has not come back, it need not
	i, _ := slices.BinarySearchFunc(r.children, m.Task, func(c nested, task uint64) int { return int(int64(c.task - task)) })
	r.children = slices.Insert(r.children, i, nested{m.Task, m.Run})
	r.step(env, machine.Event{Kind: machine.TaskSubmitted, ID: m.Task, Output: StartAnswer(m.ARN, m.Started)})
}

// childEnded takes the result of a run that a task waits for.
func (r *Run) childEnded(env *partition.Env, ev *partition.Event) {
	m, err := decodeChild(ev.Body)
	if err != nil {
		panic(fmt.Sprintf("statemachine: the word of a child to %q does not decode: %v", env.Name, err)) // a run of this program wrote it
	}
	if !r.forgetChild(m.Task) {
		return // nobody waits any more
	}
	e := machine.Event{Kind: machine.TaskSucceeded, ID: m.Task, Output: m.Text}
	if m.Failed {
		e = machine.Event{Kind: machine.TaskFailed, ID: m.Task, Error: "States.TaskFailed", Cause: limits.Cut(string(m.Text), limits.CauseChars)}
	}
	r.step(env, e)
}

// forgetChild forgets the child of a task, and reports whether there was one.
func (r *Run) forgetChild(task uint64) bool {
	i := slices.IndexFunc(r.children, func(c nested) bool { return c.task == task })
	if i < 0 {
		return false
	}
	r.children = slices.Delete(r.children, i, i+1)
	return true
}

// stopChild stops the run that a task has waited for.
func (r *Run) stopChild(env *partition.Env, task uint64) {
	for _, c := range r.children {
		if c.task == task {
			env.Send(c.run, RunsID, OpStop, StopBody("", ""))
		}
	}
	r.forgetChild(task)
}

func (f *family) appendFamily(dst []byte) []byte {
	dst = wire.AppendUint(dst, uint64(len(f.parents)))
	for _, p := range f.parents {
		dst = p.append(dst)
	}
	dst = wire.AppendUint(dst, uint64(len(f.children)))
	for _, c := range f.children {
		dst = wire.AppendString(wire.AppendUint(dst, c.task), c.run)
	}
	return dst
}

func (f *family) readFamily(r *wire.Reader) {
	for range r.Count(4) {
		var p Parent
		p.read(r)
		f.parents = append(f.parents, p)
	}
	for range r.Count(2) {
		f.children = append(f.children, nested{task: r.Uint(), run: r.String()})
	}
}

// Describe is a run as the tasks of other runs see it: the answer of DescribeExecution in the spelling of task results.
func Describe(v *View, arn string, form Form) []byte {
	d := describer{[]byte{'{'}}
	d.text("Cause", v.Cause, v.HasCause)
	d.text("Error", v.Error, v.HasError)
	d.text("ExecutionArn", arn, true)
	d.payload("Input", v.Input, form)
	name, _, _ := strings.Cut(v.Name, ":")
	d.text("Name", name, true)
	if v.Status == machine.Succeeded {
		d.payload("Output", v.Output, form)
	}
	d.raw("RedriveCount", strconv.AppendInt(nil, v.Redrives, 10))
	if v.Redrivable == nil && v.Status > machine.Succeeded {
		d.text("RedriveStatus", "REDRIVABLE", true)
	} else {
		d.text("RedriveStatus", "NOT_REDRIVABLE", true)
		d.text("RedriveStatusReason", d.reason(v), true)
	}
	d.raw("StartDate", strconv.AppendInt(nil, v.Started, 10))
	d.text("StateMachineArn", v.Revision.MachineARN, true)
	d.text("Status", v.Status.String(), true)
	if v.Status != machine.Running {
		d.raw("StopDate", strconv.AppendInt(nil, v.Stopped, 10))
	}
	d.text("TraceHeader", v.Trace, v.Trace != "")
	return append(d.b, '}')
}

// describer writes the members of a JSON object.
type describer struct{ b []byte }

func (d *describer) reason(v *View) string {
	if v.Status > machine.Succeeded && v.Redrivable != nil {
		return v.Redrivable.Error()
	}
	return NotRedrivable(v.Status)
}

func (d *describer) raw(key string, value []byte) {
	if len(d.b) > 1 {
		d.b = append(d.b, ',')
	}
	d.b = append(jsonvalue.AppendString(d.b, key), ':')
	d.b = append(d.b, value...)
}

func (d *describer) text(key, value string, present bool) {
	if present {
		d.raw(key, jsonvalue.AppendString(nil, value))
	}
}

func (d *describer) payload(key string, value []byte, form Form) {
	if form == Opened {
		d.raw(key, value)
	} else {
		d.text(key, string(value), true)
	}
	d.raw(key+"Details", []byte(`{"Included":true}`))
}

// StartAnswer is the answer of StartExecution as a task that starts a run gets it. What it says of HTTP is made of the
// run's ARN, so that a replay gives the same.
func StartAnswer(arn string, started int64) []byte {
	id := derivedID(arn)
	body := `{"executionArn":"` + arn + `","startDate":` + strings.Replace(strconv.FormatFloat(float64(started)/1000, 'E', -1, 64), "E+0", "E", 1) + `}`
	headers := [...][2]string{
		{"x-amzn-RequestId", id}, {"connection", "keep-alive"}, {"Content-Length", strconv.Itoa(len(body))},
		{"Date", time.UnixMilli(started).UTC().Format("Mon, 02 Jan 2006 15:04:05 GMT")}, {"Content-Type", "application/x-amz-json-1.0"},
	}
	var all, each describer
	all.b, each.b = []byte{'{'}, []byte{'{'}
	for _, h := range headers {
		value := jsonvalue.AppendString(nil, h[1])
		each.raw(h[0], value)
		all.raw(h[0], append(append([]byte{'['}, value...), ']'))
	}
	var meta describer
	meta.b = []byte{'{'}
	meta.raw("AllHttpHeaders", append(all.b, '}'))
	meta.raw("HttpHeaders", append(each.b, '}'))
	meta.raw("HttpStatusCode", []byte("200"))
	d := describer{[]byte{'{'}}
	d.text("ExecutionArn", arn, true)
	d.raw("SdkHttpMetadata", append(meta.b, '}'))
	d.raw("SdkResponseMetadata", append(jsonvalue.AppendString([]byte(`{"RequestId":`), id), '}'))
	d.raw("StartDate", strconv.AppendInt(nil, started, 10))
	return append(d.b, '}')
}

// derivedID has the form of a UUID and is made of text.
func derivedID(text string) string {
	h := fnv.New128a()
	_, _ = h.Write([]byte(text))
	b := h.Sum(nil)
	return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", binary.BigEndian.Uint32(b), binary.BigEndian.Uint16(b[4:]),
		binary.BigEndian.Uint16(b[6:])&0xfff, binary.BigEndian.Uint16(b[8:])&0x3fff|0x8000, b[10:16])
}
