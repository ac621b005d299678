package faas

import (
	"math/rand/v2"
	"time"
)

// Faults makes rare things common, for tests. Probabilities are from 0 to 1. What befalls an execution depends on the
// seed, on how many calls and events came before, and on the attempt.
type Faults struct {
	Seed uint64
	// Duplicate is how probable it is that an event is delivered a second time, up to DuplicateWithin after the first.
	Duplicate       float64
	DuplicateWithin time.Duration
	// CrashBefore and CrashAfter are how probable it is that an execution ends with Runtime.ExitError before user code
	// is entered, and after it has returned.
	CrashBefore, CrashAfter float64
	// Throttle is how probable it is that there is no room for an execution.
	Throttle float64
	// Delay is how probable it is that an event is late, by up to DelayMost.
	Delay     float64
	DelayMost time.Duration
}

// luck is what Faults hold for one attempt.
type luck struct {
	throttle, crashBefore, crashAfter bool
	duplicate                         bool
	duplicateAfter                    time.Duration
	late                              time.Duration
	jitter                            float64 // 0.5 to 1
}

// draw returns the luck of an attempt of call or event number serial. Every draw takes the same steps, so that one
// probability does not change what another one hits.
func (f *Faults) draw(serial uint64, attempt int) luck {
	r := rand.New(rand.NewPCG(f.Seed, serial<<16|uint64(attempt&0xffff)))
	hit := func(p float64) bool { return r.Float64() < p }
	l := luck{throttle: hit(f.Throttle), crashBefore: hit(f.CrashBefore), crashAfter: hit(f.CrashAfter), duplicate: hit(f.Duplicate)}
	l.duplicateAfter = time.Duration(r.Float64() * float64(f.DuplicateWithin))
	late, most := hit(f.Delay), time.Duration(r.Float64()*float64(f.DelayMost))
	if late {
		l.late = most
	}
	l.jitter = 0.5 + r.Float64()/2
	return l
}
