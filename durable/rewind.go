package durable

import (
	"slices"

	"github.com/weftworks/weft/internal/wire"
)

// Rewound is a failed run's history with its end taken back.
type Rewound struct {
	History []Event // what stays, from RunStarted on
	Inputs  []Event // answers and events that had come after, to be given to the code again
	Again   []Event // actions in History that have no answer: to be done again, in order of their numbers
	Rewind  []Event // ChildScheduled in History whose runs failed: to be rewound
}

// Rewind takes a failed run back to before the failures that ended it: to the step that took the first of them. Calls
// that failed are made again; what else had been answered after is given to the code again and not done again. What
// the code did in the steps taken back is forgotten, and done again if it asks for it again. A run that failed within a
// critical section goes back to before the section, whose locks its end gave back.
//
// causes are those of RunFailed. Without any the code did not say which failure it failed with: see suspect.
func Rewind(history []Event, causes []uint64) *Rewound {
	if len(causes) == 0 {
		causes = suspect(history)
	}
	guilty := func(e *Event) bool {
		switch e.Kind {
		case CallFailed, ChildFailed, EntityFailed:
			return slices.Contains(causes, e.ID)
		}
		return false
	}
	cut, step := -1, 0
	for i := range history {
		if history[i].Kind == StepStarted {
			step = i
		}
		if guilty(&history[i]) {
			cut = step
			break
		}
	}
	if cut < 0 {
		cut = step
	}
	cut = beforeSection(history, cut)
	out := &Rewound{History: history[:cut:cut]}
	for i := cut; i < len(history); i++ {
		e := &history[i]
		if e.Kind == StepStarted || e.Kind.Action() || e.Kind.Final() || e.Kind == RunRewound || guilty(e) {
			continue
		}
		out.Inputs = append(out.Inputs, *e)
	}
	out.outstanding(causes)
	return out
}

// suspect returns the failure that a run which does not say so failed with: the last one that the code did nothing about.
// One after which it did something, as a retry policy does, was handled. None when there is no such failure, and when the
// code itself has a defect: then the last step is meant.
func suspect(history []Event) []uint64 {
	if n := len(history); n > 0 && history[n-1].Failure != nil {
		switch history[n-1].Failure.Type {
		case NonDeterminismType, panicType, goexitType:
			return nil
		}
	}
	acted := false
	for i := len(history) - 1; i >= 0; i-- {
		switch e := &history[i]; {
		case e.Kind == StepStarted:
			acted = false
		case e.Kind.Action() && !e.Kind.Final() && e.Kind != LocksReleased:
			acted = true
		case !acted && (e.Kind == CallFailed || e.Kind == ChildFailed || e.Kind == EntityFailed):
			return []uint64{e.ID}
		}
	}
	return nil
}

// beforeSection moves a cut that lies in a critical section before the section: the run's end gave its locks back.
func beforeSection(history []Event, cut int) int {
	step, begin := 0, -1
	for i := range history[:cut] {
		switch history[i].Kind {
		case StepStarted:
			step = i
		case LocksRequested:
			begin = step
		case LocksReleased:
			begin = -1
		}
	}
	if begin >= 0 {
		return begin
	}
	return cut
}

// outstanding finds the actions without an answer, and drops answers to actions that were taken back.
func (o *Rewound) outstanding(causes []uint64) {
	open := make(map[uint64]int)
	for i := range o.History {
		switch e := &o.History[i]; e.Kind {
		case CallScheduled, TimerCreated, ChildScheduled, EntityCalled, LocksRequested:
			open[e.ID] = i
		case CallCompleted, CallFailed, TimerFired, ChildCompleted, ChildFailed, EntityReplied, EntityFailed, LocksGranted:
			delete(open, e.ID)
		case TimerCancelled, CallCancelled:
			delete(open, e.Ref)
		}
	}
	kept := o.Inputs[:0]
	for _, e := range o.Inputs {
		if e.ID != 0 && e.Kind != RunStarted {
			if _, ok := open[e.ID]; !ok {
				continue
			}
			delete(open, e.ID)
		}
		kept = append(kept, e)
	}
	o.Inputs = kept
	for _, i := range open {
		switch e := o.History[i]; {
		case (e.Kind == ChildScheduled || e.Kind == EntityCalled) && !slices.Contains(causes, e.ID):
			// its answer is still to come
		case e.Kind == ChildScheduled:
			o.Rewind = append(o.Rewind, e)
		default:
			o.Again = append(o.Again, e)
		}
	}
	byID := func(a, b Event) int { return int(a.ID) - int(b.ID) }
	slices.SortFunc(o.Again, byID)
	slices.SortFunc(o.Rewind, byID)
}

func appendRewound(dst []byte, o *Rewound) []byte {
	for _, list := range [][]Event{o.History, o.Inputs, o.Again, o.Rewind} {
		dst = AppendEvents(dst, list)
	}
	return dst
}

func readRewound(r *wire.Reader) *Rewound {
	o := &Rewound{}
	for _, list := range []*[]Event{&o.History, &o.Inputs, &o.Again, &o.Rewind} {
		*list = ReadEvents(r)
	}
	return o
}

// AppendEvents writes a list of events.
func AppendEvents(dst []byte, list []Event) []byte {
	dst = wire.AppendUint(dst, uint64(len(list)))
	for i := range list {
		dst = AppendEvent(dst, &list[i])
	}
	return dst
}

// ReadEvents reads what AppendEvents wrote.
func ReadEvents(r *wire.Reader) []Event {
	n := r.Count(2)
	if n == 0 {
		return nil
	}
	list := make([]Event, 0, min(n, 1024)) // an Event takes far more memory than bytes: not before it is there
	for range n {
		var e Event
		if ReadEvent(r, &e); r.Err() != nil {
			return nil
		}
		list = append(list, e)
	}
	return list
}
