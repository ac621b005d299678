package workflow

import (
	"math"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/internal/wire"
)

// Change says what a step did to an entity's state. Values are append-only: they are logged.
type Change uint8

// The changes.
const (
	StateKept Change = iota
	StateSet
	StateDeleted
)

// EntityStep is what a step of an entity did, as it is logged.
type EntityStep struct {
	Consumed int // operations done
	Change   Change
	State    []byte   // StateSet: one JSON text
	Answers  []Answer // to calls
	Messages []durable.Event
}

// Answer is what operation Op of a step (counted from 0) answers.
type Answer struct {
	Op      int
	Data    []byte
	Failure *durable.Failure
}

// FailedStep returns a step whose operations all failed with f.
func FailedStep(ops []Operation, f *durable.Failure) *EntityStep {
	s := &EntityStep{Consumed: len(ops)}
	for i := range ops {
		if ops[i].From.Instance != "" {
			s.Answers = append(s.Answers, Answer{Op: i, Failure: f})
		}
	}
	return s
}

// Encode returns the body of the step's Stepped event.
func (s *EntityStep) Encode() []byte {
	dst := make([]byte, 0, 32+len(s.State))
	dst = append(dst, formatVersion)
	dst = wire.AppendUint(dst, uint64(s.Consumed))
	dst = append(dst, byte(s.Change))
	if s.Change == StateSet {
		dst = wire.AppendBytes(dst, s.State)
	}
	dst = wire.AppendUint(dst, uint64(len(s.Answers)))
	for i := range s.Answers {
		a := &s.Answers[i]
		dst = wire.AppendUint(dst, uint64(a.Op))
		dst = wire.AppendBool(dst, a.Failure != nil)
		if a.Failure != nil {
			dst = durable.AppendFailure(dst, a.Failure)
		} else {
			dst = wire.AppendBytes(dst, a.Data)
		}
	}
	return durable.AppendEvents(dst, s.Messages)
}

// ReadEntityStep undoes Encode.
func ReadEntityStep(data []byte) (s EntityStep, err error) {
	r := wire.NewReader(data)
	r.Fail(version(r, "entity step"))
	s.Consumed, s.Change = small(r), Change(r.Byte())
	if s.Change == StateSet {
		s.State = r.Bytes()
	}
	for range r.Count(2) {
		a := Answer{Op: small(r)}
		if r.Bool() {
			a.Failure = durable.ReadFailure(r)
		} else {
			a.Data = r.Bytes()
		}
		if r.Err() != nil {
			return s, r.Err()
		}
		s.Answers = append(s.Answers, a)
	}
	s.Messages = durable.ReadEvents(r)
	return s, r.Err()
}

// small reads a number that is no larger than a list can be long.
func small(r *wire.Reader) int { return int(min(r.Uint(), math.MaxInt32)) }

// Append implements partition.Instance.
func (e *Entity) Append(dst []byte) []byte {
	dst = append(dst, formatVersion)
	dst = wire.AppendString(dst, e.target)
	dst = wire.AppendBool(dst, e.state != nil)
	dst = wire.AppendBytes(dst, e.state)
	dst = wire.AppendInt(dst, e.created)
	dst = wire.AppendInt(dst, e.modified)
	dst = wire.AppendUint(dst, e.steps)
	dst = wire.AppendUint(dst, e.counter)
	dst = wire.AppendBool(dst, e.holder != nil)
	if e.holder != nil {
		dst = wire.AppendBytes(dst, e.holder.Encode())
	}
	dst = appendItems(dst, e.queue)
	dst = appendItems(dst, e.held)
	dst = wire.AppendUint(dst, uint64(len(e.later)))
	for i := range e.later {
		dst = wire.AppendUint(dst, e.later[i].timer)
		dst = wire.AppendBytes(dst, e.later[i].op.Encode())
	}
	return dst
}

func appendItems(dst []byte, list []item) []byte {
	dst = wire.AppendUint(dst, uint64(len(list)))
	for i := range list {
		dst = wire.AppendBool(dst, list[i].lock != nil)
		if list[i].lock != nil {
			dst = wire.AppendBytes(dst, list[i].lock.Encode())
		} else {
			dst = wire.AppendBytes(dst, list[i].op.Encode())
		}
	}
	return dst
}

func (e *Entity) readItems(r *wire.Reader) (list []item) {
	for range r.Count(2) {
		isLock, body := r.Bool(), r.Bytes()
		if r.Err() != nil {
			return nil
		}
		if isLock {
			in := wire.NewReader(body)
			m := readLock(in)
			r.Fail(in.Err())
			list = append(list, item{lock: &m})
			continue
		}
		op, err := decodeOperation(body)
		r.Fail(err)
		e.bytes += len(op.Input)
		list = append(list, item{op: op})
	}
	return list
}

// Decode implements partition.Program. The entity aliases data.
func (p *Entities) Decode(data []byte, _ func(partition.BlobID) []byte) (partition.Instance, error) {
	return p.read(data)
}

// ReadView decodes what a client sees of an entity from its record's state.
func (p *Entities) ReadView(data []byte) (*EntityView, error) {
	e, err := p.read(data)
	if err != nil {
		return nil, err
	}
	return e.View(), nil
}

func (p *Entities) read(data []byte) (*Entity, error) {
	e := &Entity{program: p}
	r := wire.NewReader(data)
	r.Fail(version(r, "entity"))
	e.target = r.String()
	exists, state := r.Bool(), r.Bytes()
	if exists {
		e.state = append([]byte{}, state...)
	}
	e.created, e.modified = r.Int(), r.Int()
	e.steps, e.counter = r.Uint(), r.Uint()
	if r.Bool() {
		in := wire.NewReader(r.Bytes())
		m := readLock(in)
		r.Fail(in.Err())
		e.holder = &m
	}
	e.queue, e.held = e.readItems(r), e.readItems(r)
	for range r.Count(2) {
		timer, body := r.Uint(), r.Bytes()
		op, err := decodeOperation(body)
		r.Fail(err)
		if r.Err() != nil {
			return nil, r.Err()
		}
		e.bytes += len(op.Input)
		e.later = append(e.later, delayed{timer, op})
	}
	return e, r.Err()
}
