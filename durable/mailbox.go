package durable

import (
	"slices"

	"github.com/weftworks/weft/limits"
)

// mailbox holds the external events of one name that nobody has read, or those who wait for one. First come, first
// served, both of them.
type mailbox struct {
	unread  [][]byte
	waiting []*Task
}

func (w *Flow) box(name string) *mailbox {
	b := w.boxes[name]
	if b == nil {
		if w.boxes == nil {
			w.boxes = make(map[string]*mailbox)
		}
		b = &mailbox{}
		w.boxes[name] = b
		w.named = append(w.named, name)
	}
	return b
}

// raised takes an external event.
func (w *Flow) raised(e *Event) {
	b := w.box(e.Name)
	if len(b.waiting) > 0 {
		t := b.waiting[0]
		b.waiting = b.waiting[1:]
		t.complete(e.Data, nil)
		return
	}
	b.unread = append(b.unread, e.Data)
}

// forget takes a task out of those that wait.
func (b *mailbox) forget(t *Task) {
	if i := slices.Index(b.waiting, t); i >= 0 {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
}

// Receive returns a task that is done with the next external event of a name.
func Receive(w *Flow, name string) *Task {
	w.check()
	b := w.box(name)
	t := &Task{kind: EventRaised, box: b}
	if len(b.unread) > 0 {
		data := b.unread[0]
		b.unread = b.unread[1:]
		t.complete(data, nil)
		return t
	}
	b.waiting = append(b.waiting, t)
	return t
}

// unread returns the events that the code has not read.
func (w *Flow) unread() (all []Raised) {
	for _, name := range w.named {
		for _, data := range w.boxes[name].unread {
			all = append(all, Raised{name, data})
		}
	}
	return all
}

// Raise raises an event in another run.
func Raise(w *Flow, run, name string, data []byte) error {
	w.check()
	if f := badID("an event", name, limits.IDBytes); f != nil {
		return f
	}
	if f := w.refuse("a run", run, runBytes, data); f != nil {
		return f
	}
	w.emit(Event{Kind: EventSent, Name: name, Target: run, Data: data})
	return nil
}
