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
)

// Step is what a step of a run did, as it is logged.
type Step struct {
	Time     int64 // when it began (Unix milliseconds)
	Consumed int   // inputs taken from the front of the inbox
	Status   []byte
	Actions  []Event
	// Rewound says that this is no step but a history with its end taken back: see Rewind.
	Rewound *Rewound
}

// AppendStep writes s.
func AppendStep(dst []byte, s *Step) []byte {
	if s.Rewound != nil {
		return appendRewound(append(dst, stepRewound), s.Rewound)
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

// ReadStep reads what AppendStep wrote. fn is called for every action with its encoding; it is not in Actions.
func ReadStep(data []byte, fn func(e *Event, encoded []byte)) (s Step, err error) {
	r := wire.NewReader(data)
	switch how := r.Byte(); {
	case r.Err() != nil:
		return s, r.Err()
	case how == stepRewound:
		s.Rewound = readRewound(r)
		return s, r.Err()
	case how != stepDone:
		return s, fmt.Errorf("durable: a step is written in a way (%d) that this program does not read", how)
	}
	s.readHead(r)
	for r.Err() == nil && r.Len() > 0 {
		var e Event
		begin := len(data) - r.Len()
		ReadEvent(r, &e)
		if r.Err() == nil {
			fn(&e, data[begin:len(data)-r.Len()])
		}
	}
	return s, r.Err()
}

func (s *Step) readHead(r *wire.Reader) {
	s.Time = r.Int()
	if s.Consumed = int(min(r.Uint(), math.MaxInt32)); r.Err() != nil {
		return
	}
	s.Status = r.Bytes()
}

// ReadStepHead reads what comes before the actions.
func ReadStepHead(data []byte) (s Step, err error) {
	r := wire.NewReader(data)
	r.Byte()
	s.readHead(r)
	return s, r.Err()
}
