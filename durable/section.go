package durable

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/weftworks/weft/limits"
)

// SectionType is the type of the failures that say which rule of critical sections was broken.
const SectionType = "Weft.CriticalSection"

// Section is a critical section: while it lasts, the entities it holds take operations from this run only.
type Section struct {
	flow     *Flow
	request  uint64
	entities []string       // sorted
	pending  map[string]int // calls without an answer, by entity
}

// EntityTarget names an entity in events: its name and its key.
func EntityTarget(name, key string) string { return name + "/" + key }

// SplitEntity undoes EntityTarget.
func SplitEntity(target string) (name, key string, ok bool) { return strings.Cut(target, "/") }

// Enter waits until the run holds all entities (EntityTargets) and returns the section. They are locked in one order that
// is the same for everybody, so sections never deadlock each other; an entity that is named twice is locked once.
func Enter(w *Flow, entities ...string) (*Section, error) {
	w.check()
	switch {
	case w.section != nil:
		return nil, broken("a critical section cannot be entered from within another: name all entities at its begin")
	case len(entities) == 0:
		return nil, broken("a critical section needs at least one entity")
	}
	sorted := slices.Clone(entities)
	slices.Sort(sorted)
	sorted = slices.Compact(sorted)
	if len(sorted) > limits.LocksPerSection {
		return nil, broken(fmt.Sprintf("a critical section over %d entities is too large: the most is %d", len(sorted), limits.LocksPerSection))
	}
	for _, entity := range sorted {
		if f := badID("an entity", entity, targetBytes); f != nil {
			return nil, f
		}
	}
	t := &Task{}
	w.track(t, Event{Kind: LocksRequested, Targets: sorted})
	w.wait(t)
	w.section = &Section{flow: w, request: t.seq, entities: sorted, pending: make(map[string]int)}
	return w.section, nil
}

// Leave gives the locks back. It may be called more than once. A run that ends leaves by itself.
func (s *Section) Leave() {
	if s.flow.section != s || s.flow.abandoned {
		return
	}
	s.flow.check()
	s.release()
}

func (s *Section) release() {
	w := s.flow
	w.section = nil
	w.emit(Event{Kind: LocksReleased, Ref: s.request})
}

// What an id may have: an entity's has its kind's name before the key; a run's may be derived from its parent's, which ends
// workflows that call themselves for ever.
const (
	targetBytes = limits.IDBytes + 1 + limits.WorkflowChars
	runBytes    = 2 * limits.IDBytes
)

// badID says why an id cannot be one: ids are in keys of the store and in every message.
func badID(what, id string, most int) *Failure {
	bad := len(id) == 0 || len(id) > most || !utf8.ValidString(id)
	if !bad && strings.IndexFunc(id, func(c rune) bool { return c < ' ' || c == 0x7f }) < 0 {
		return nil
	}
	return &Failure{
		Type: "Weft.InvalidID", Final: true,
		Message: fmt.Sprintf("the id of %s has 1 to %d bytes of UTF-8 without control characters; %.60q has %d", what, most, id, len(id)),
	}
}

// badOptions says why a call or a run cannot have its options.
func badOptions(o *Options) *Failure {
	if o == nil {
		return nil
	}
	if max(len(o.Key), len(o.Tenant)) > limits.IDBytes {
		return &Failure{Type: "Weft.InvalidID", Message: fmt.Sprintf("the key and the tenant of a call have %d bytes at most", limits.IDBytes), Final: true}
	}
	if err := CheckTags(o.Tags); err != nil {
		return &Failure{Type: "Weft.InvalidTags", Message: err.Error(), Final: true}
	}
	return nil
}

// refuse says why the code cannot give data to an instance: the id is none, or the data is too large.
func (w *Flow) refuse(what, id string, most int, data []byte) *Failure {
	if f := badID(what, id, most); f != nil {
		return f
	}
	return w.tooLarge(data)
}

// tooLarge counts data that the code gives to others, and says when it is too much.
func (w *Flow) tooLarge(data []byte) *Failure {
	if f := tooLarge("input", data, w.run.cfg.OutputBytes); f != nil {
		return f
	}
	size := limits.ActionBytes + len(data)
	if w.given+size > limits.StepBytes {
		return &Failure{
			Type: "States.DataLimitExceeded", Final: true,
			Message: fmt.Sprintf("in one step the workflow gives more than %d bytes to others: let it wait for some of them before it goes on", limits.StepBytes),
		}
	}
	w.given += size
	return nil
}

// tooLarge says that data is more than most bytes; 0: no bound.
func tooLarge(what string, data []byte, most int) *Failure {
	if most <= 0 || len(data) <= most {
		return nil
	}
	return &Failure{Type: "States.DataLimitExceeded", Message: fmt.Sprintf("the %s is %d bytes, the most is %d", what, len(data), most), Final: true}
}

func broken(rule string) error { return &Failure{Type: SectionType, Message: rule, Final: true} }

// CallEntity calls an operation of an entity.
func CallEntity(w *Flow, entity, operation string, input []byte) *Task {
	w.check()
	if f := w.refuse("an entity", entity, targetBytes, input); f != nil {
		return refused(f)
	}
	t := &Task{}
	if s := w.section; s != nil {
		switch {
		case !s.holds(entity):
			return failed(SectionType, "within a critical section only the entities it holds can be called, and %q is not one of them: name it when the section begins", entity)
		case s.pending[entity] > 0:
			return failed(SectionType, "entity %q still works on an earlier call from this critical section: wait for that one first", entity)
		}
		s.pending[entity]++
		t.section, t.entity = s, entity
	}
	w.track(t, Event{Kind: EntityCalled, Name: operation, Target: entity, Data: input})
	return t
}

// SignalEntity sends an operation to an entity without waiting for an answer, to be done at due (Unix milliseconds; 0: at
// once).
func SignalEntity(w *Flow, entity, operation string, input []byte, due int64) error {
	w.check()
	if f := w.refuse("an entity", entity, targetBytes, input); f != nil {
		return f
	}
	if w.section != nil && w.section.holds(entity) {
		return broken("within a critical section entity \"" + entity + "\", which it holds, cannot be signaled: call it, or signal it after the section")
	}
	w.emit(Event{Kind: EntitySignaled, Name: operation, Target: entity, Data: input, Due: due})
	return nil
}

func (s *Section) holds(entity string) bool {
	_, ok := slices.BinarySearch(s.entities, entity)
	return ok
}
