package durable

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// The JSON form of a history is stable: programs keep it in their repositories to replay it against new code. An event is
// an object with the name of its kind and those fields that the kind has and that are not empty:
//
//	{"kind":"StepStarted","time":"2026-03-04T05:06:07.123Z"}
//	{"kind":"RunStarted","run":"order-7","name":"order","data":{"sku":"tea"},"start":{"seed":"42","execution":1}}
//	{"kind":"CallScheduled","id":1,"name":"charge","data":{"sku":"tea"},"options":{"timeout_ms":5000}}
//	{"kind":"CallFailed","id":1,"failure":{"type":"CardDeclined","message":"no","final":true}}
//	{"kind":"TimerCreated","id":2,"due":"2026-03-05T05:06:07.123Z"}
//	{"kind":"RunSuspended","reason":"stock-taking"}
//
// Times are RFC 3339 in UTC with milliseconds (outside of the years 0 to 9999: milliseconds since 1970 as a number). data
// is the JSON text itself; reason is the text of those kinds whose Data is text; raw has, in base64, Data that is neither.
// A seed is a string, because programs that read JSON round large numbers. Members may be added, and readers
// ignore those they do not know; kinds they refuse.

type eventJSON struct {
	Kind    string          `json:"kind"`
	ID      uint64          `json:"id,omitempty"`
	Ref     uint64          `json:"ref,omitempty"`
	Time    *stamp          `json:"time,omitempty"`
	Due     *stamp          `json:"due,omitempty"`
	Run     string          `json:"run,omitempty"`
	Name    string          `json:"name,omitempty"`
	Version string          `json:"version,omitempty"`
	Target  string          `json:"target,omitempty"`
	Targets []string        `json:"targets,omitempty"`
	Data    json.RawMessage `json:"data,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Raw     []byte          `json:"raw,omitempty"`
	Failure *failureJSON    `json:"failure,omitempty"`
	Options *optionsJSON    `json:"options,omitempty"`
	Start   *startJSON      `json:"start,omitempty"`
	Causes  []uint64        `json:"causes,omitempty"`
	Unread  []raisedJSON    `json:"unread,omitempty"`
}

type startJSON struct {
	Seed      uint64 `json:"seed,string,omitempty"`
	Execution uint64 `json:"execution"`
	Parent    string `json:"parent,omitempty"`
}

type optionsJSON struct {
	Timeout   int64             `json:"timeout_ms,omitempty"`
	Heartbeat int64             `json:"heartbeat_ms,omitempty"`
	Key       string            `json:"key,omitempty"`
	Tenant    string            `json:"tenant,omitempty"`
	Priority  int8              `json:"priority,omitempty"`
	Tags      map[string]string `json:"tags,omitempty"`
}

type failureJSON struct {
	Type    string `json:"type"`
	Message string `json:"message,omitempty"`
	Details string `json:"details,omitempty"`
	Final   bool   `json:"final,omitempty"`
}

type raisedJSON struct {
	Name string          `json:"name"`
	Data json.RawMessage `json:"data,omitempty"`
	Raw  []byte          `json:"raw,omitempty"`
}

// stamp is a time in Unix milliseconds that is written as RFC 3339.
type stamp int64

const stampLayout = "2006-01-02T15:04:05.000Z"

// MarshalJSON implements json.Marshaler.
func (s stamp) MarshalJSON() ([]byte, error) {
	t := time.UnixMilli(int64(s)).UTC()
	if y := t.Year(); y < 0 || y > 9999 {
		return strconv.AppendInt(nil, int64(s), 10), nil
	}
	return t.AppendFormat(nil, `"`+stampLayout+`"`), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *stamp) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] != '"' {
		n, err := strconv.ParseInt(string(text), 10, 64)
		*s = stamp(n)
		return err
	}
	t, err := time.Parse(`"`+time.RFC3339+`"`, string(text))
	*s = stamp(t.UnixMilli())
	return err
}

// texts reports whether the kind's Data is text for people instead of JSON.
func (k Kind) texts() bool {
	switch k {
	case RunSuspended, RunResumed, RunRewound, RunTerminated:
		return true
	}
	return false
}

// MarshalJSON writes the event in its stable form. Fields that its kind does not have are left out.
func (e Event) MarshalJSON() ([]byte, error) {
	if int(e.Kind) >= len(layouts) || e.Kind == 0 {
		return nil, fmt.Errorf("durable: unknown event kind %d", e.Kind)
	}
	l := &layouts[e.Kind]
	j := eventJSON{Kind: e.Kind.String(), Targets: e.Targets, Causes: e.Causes}
	if l.id {
		j.ID = e.ID
	}
	if l.ref {
		j.Ref = e.Ref
	}
	if l.time {
		j.Time = (*stamp)(&e.Time)
	}
	if l.due && e.Due != 0 {
		j.Due = (*stamp)(&e.Due)
	}
	if l.name {
		j.Name = e.Name
	}
	if l.version {
		j.Version = e.Version
	}
	if l.target {
		j.Target = e.Target
	}
	switch {
	case !l.data:
	case e.Kind.texts():
		j.Reason = string(e.Data)
	default:
		j.Data, j.Raw = splitData(e.Data)
	}
	if l.failure && e.Failure != nil {
		f := e.Failure
		j.Failure = &failureJSON{f.Type, f.Message, f.Details, f.Final}
	}
	e.extraJSON(&j)
	return marshal(j)
}

// extraJSON adds what only one or two kinds have.
func (e *Event) extraJSON(j *eventJSON) {
	if e.Kind == RunStarted {
		j.Run = e.Target
		if e.Start != nil {
			j.Start = (*startJSON)(e.Start)
		}
	}
	if !e.Options.empty() {
		j.Options = (*optionsJSON)(e.Options)
	}
	for _, u := range e.Unread {
		data, raw := splitData(u.Data)
		j.Unread = append(j.Unread, raisedJSON{u.Name, data, raw})
	}
}

// splitData returns data as JSON, or as bytes if it is none.
func splitData(data []byte) (text json.RawMessage, raw []byte) {
	if len(data) == 0 || json.Valid(data) {
		return data, nil
	}
	return nil, data
}

// marshal is json.Marshal that leaves <, > and & as they are.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (e *Event) UnmarshalJSON(text []byte) error {
	var j eventJSON
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	kind, ok := KindOf(j.Kind)
	if !ok {
		return fmt.Errorf("durable: unknown kind of event %q: the history is from a newer version, or is none", j.Kind)
	}
	l := &layouts[kind]
	if l.failure && j.Failure == nil {
		return fmt.Errorf("durable: %v has no failure", kind)
	}
	*e = Event{
		Kind: kind, ID: j.ID, Ref: j.Ref, Name: j.Name, Version: j.Version, Target: j.Target, Targets: j.Targets, Causes: j.Causes,
		Options: (*Options)(j.Options), Data: joinData(j.Data, j.Raw),
	}
	if j.Time != nil {
		e.Time = int64(*j.Time)
	}
	if j.Due != nil {
		e.Due = int64(*j.Due)
	}
	if kind.texts() {
		e.Data = []byte(j.Reason)
	}
	if l.failure {
		e.Failure = &Failure{Type: j.Failure.Type, Message: j.Failure.Message, Details: j.Failure.Details, Final: j.Failure.Final, Seq: j.ID}
	}
	if kind == RunStarted {
		e.Target, e.Start = j.Run, (*Start)(j.Start)
		if e.Start == nil {
			e.Start = &Start{}
		}
	}
	for _, u := range j.Unread {
		e.Unread = append(e.Unread, Raised{u.Name, joinData(u.Data, u.Raw)})
	}
	return nil
}

func joinData(text json.RawMessage, raw []byte) []byte {
	if len(raw) > 0 {
		return raw
	}
	return text
}

// ReadHistory reads a history in JSON: events one behind the other, each on its own line or not, or arrays of events.
func ReadHistory(r io.Reader) (history []Event, err error) {
	dec := json.NewDecoder(r)
	for {
		var text json.RawMessage
		switch err := dec.Decode(&text); {
		case errors.Is(err, io.EOF) && len(history) > 0:
			return history, nil
		case errors.Is(err, io.EOF):
			return nil, errors.New("durable: the history is empty")
		case err != nil:
			return nil, fmt.Errorf("durable: what comes after event %d of the history is no JSON: %w", len(history), err)
		}
		if text[0] == '[' {
			var some []Event
			if err := json.Unmarshal(text, &some); err != nil {
				return nil, fmt.Errorf("durable: the history does not decode: %w", err)
			}
			history = append(history, some...)
			continue
		}
		var e Event
		if err := json.Unmarshal(text, &e); err != nil {
			return nil, fmt.Errorf("durable: event %d of the history does not decode: %w", len(history)+1, err)
		}
		history = append(history, e)
	}
}
