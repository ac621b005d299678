package durable

import (
	"fmt"
	"math"

	"github.com/weftworks/weft/internal/wire"
)

// How a step is written. Values are append-only: they are logged.
const (
	stepDone    = 1
	stepRewound = 2
	stepRefused = 3
)

// Step is what a step of a run did, as it is logged.
type Step struct {
	Time     int64 // when it began (Unix milliseconds)
	Consumed int   // inputs taken from the front of the inbox
	Status   []byte
	Actions  []Event
	// Rewound says that this is no step but a history with its end taken back: see Rewind.
	Rewound *Rewound
	// Refused says that the history cannot be taken back, and why.
	Refused *Failure
}

// AppendStep writes s.
func AppendStep(dst []byte, s *Step) []byte {
	switch {
	case s.Rewound != nil:
		return appendRewound(append(dst, stepRewound), s.Rewound)
	case s.Refused != nil:
		return AppendFailure(append(dst, stepRefused), s.Refused)
	}
	dst = append(dst, stepDone)
	dst = wire.AppendInt(dst, s.Time)
	dst = wire.AppendUint(dst, uint64(s.Consumed))
	dst = wire.AppendBytes(dst, s.Status)
	for i := range s.Actions {
		dst = AppendEvent(dst, &s.Actions[i])
	}
	return dst
}

// StepReader reads what AppendStep wrote. Its zero value may be used again and again.
//
//	if err := r.Open(body); err != nil { ... }
//	for r.Next() {
//		... r.Action, r.Encoded
//	}
//	err := r.Err()
type StepReader struct {
	// Step is the step without its Actions.
	Step Step
	// Action is the action that Next has read, until the next Next; Encoded its encoding.
	Action  Event
	Encoded []byte

	r    wire.Reader
	data []byte
}

// Open reads what comes before the actions.
func (s *StepReader) Open(data []byte) error {
	*s = StepReader{data: data}
	s.r.Reset(data)
	r := &s.r
	switch how := r.Byte(); {
	case r.Err() != nil:
	case how == stepRewound:
		s.Step.Rewound = readRewound(r)
		s.data = nil
	case how == stepRefused:
		s.Step.Refused = readFailure(r)
		s.data = nil
	case how != stepDone:
		r.Fail(fmt.Errorf("durable: a step is written in a way (%d) that this program does not read", how))
	default:
		s.Step.Time = r.Int()
		s.Step.Consumed = int(min(r.Uint(), math.MaxInt32))
		s.Step.Status = r.Bytes()
	}
	return r.Err()
}

// Next reads the next action and reports whether there was one.
func (s *StepReader) Next() bool {
	if s.r.Err() != nil || s.r.Len() == 0 || s.data == nil {
		return false
	}
	begin := len(s.data) - s.r.Len()
	ReadEvent(&s.r, &s.Action)
	if s.r.Err() != nil {
		return false
	}
	s.Encoded = s.data[begin : len(s.data)-s.r.Len()]
	return true
}

// Err returns why Open or Next ended early, or nil.
func (s *StepReader) Err() error { return s.r.Err() }
