package partition

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// scripts are what random messages say; %d is a fresh id.
var scripts = []string{
	"note hello", "log one\nlog two", "invoke %d f", "invoke %[1]d f\ncancel %[1]d", "timer %d 500", "timer %d 50",
	"timer %[1]d 90\nuntimer %[1]d", "send b note x\nsend c note y", "continue", "list g 1 7 0", "list g 2 7 9\nend",
	"on done log again\non due send d note z", "pin shared", "keep shared", "keep text\nkeep shared", "release shared", "release text", "invoke %d g\ntimer %d 70\nend", "remove", "reply", "blob shared",
	"list h 3 8 0\nlog three", "on continue note went on", "discard", "end",
}

// generator draws random events that a partition may see.
type generator struct {
	t    *rapid.T
	ids  uint64
	now  int64
	seqs map[ID]uint64
	done []Event // answers that may come, with their instance
}

func (g *generator) event() Event {
	g.now += rapid.Int64Range(0, 40).Draw(g.t, "ms")
	ev := g.kind()
	ev.Time = g.now
	return ev
}

func (g *generator) kind() Event {
	t := g.t
	ref := Ref(rapid.Uint64Range(1, 12).Draw(t, "ref"))
	switch rapid.IntRange(0, 12).Draw(t, "kind") {
	case 0:
		return Event{Kind: Due, Ref: ref, ID: rapid.Uint64Range(1, g.ids+1).Draw(t, "timer")}
	case 1, 2:
		ev := Event{Kind: Done, Ref: ref, ID: rapid.Uint64Range(1, g.ids+1).Draw(t, "call")}
		if n := len(g.done); n > 0 {
			ev = g.done[rapid.IntRange(0, n-1).Draw(t, "answer")]
		}
		if rapid.Bool().Draw(t, "failed") {
			ev.Error, ev.Cause, ev.Flag = "E", "c", true
		} else {
			ev.Body = []byte("out")
		}
		return ev
	case 3:
		return Event{Kind: Continue, Ref: ref}
	case 4:
		p := ID(rapid.IntRange(0, 2).Draw(t, "by"))
		return Event{Kind: Ack, From: Origin{Partition: p, Seq: rapid.Uint64Range(0, 9).Draw(t, "seq")}}
	case 5:
		return Event{Kind: Define, Body: []byte("shared")}
	case 6:
		return Event{Kind: Purge, Body: AppendRefs(nil, []Ref{ref, ref%12 + 1, ref})}
	}
	g.ids += 2
	script := rapid.SampledFrom(scripts).Draw(t, "script")
	ev := do(rapid.SampledFrom([]string{"a", "b", "c", "d", "e"}).Draw(t, "to"), fmt.Sprintf(script+"%.0[3]d", g.ids-1, g.ids, 0))
	if rapid.IntRange(0, 3).Draw(t, "origin") == 0 {
		ev.From.Partition = ID(rapid.IntRange(0, 2).Draw(t, "from"))
		next := g.seqs[ev.From.Partition] + 1
		ev.From.Seq = max(1, next-uint64(rapid.IntRange(0, 1).Draw(t, "again"))+uint64(rapid.IntRange(0, 1).Draw(t, "gap")))
		g.seqs[ev.From.Partition] = max(g.seqs[ev.From.Partition], min(next, ev.From.Seq))
	}
	return ev
}

// note remembers what may be answered.
func (g *generator) note(effects []Effect) {
	for _, e := range effects {
		if e.Kind == Invoke {
			g.done = append(g.done, Event{Kind: Done, Ref: e.Ref, ID: e.Call.ID})
		}
	}
}

// TestReplay is the replay check: for every event, the state after it equals the state after it of a partition that was
// saved before it, evicted in part, and loaded; and so do the effects.
func TestReplay(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		g := &generator{t: t, seqs: make(map[ID]uint64)}
		plain := newShell(testConfig(3)) // never saved
		saved := newShell(testConfig(3)) // saved and loaded before every event
		lazy := newShell(testConfig(3))  // saved at times, while events come
		var events []Event
		for range rapid.IntRange(1, 60).Draw(t, "events") {
			ev := g.event()
			events = append(events, ev)
			want := fmt.Sprint(describeEffects(plain.step(ev)))
			g.note(plain.core.effects)
			saved.save(rapid.IntRange(0, 3).Draw(t, "keep"))
			if rapid.Bool().Draw(t, "load") {
				saved = saved.load()
			}
			if got := fmt.Sprint(describeEffects(saved.step(ev))); got != want {
				t.Fatalf("after %+v the loaded partition wants\n%s\nand the other\n%s", ev, got, want)
			}
			lazily(t, lazy, ev, want)
			state := plain.state()
			if got := saved.state(); got != state {
				t.Fatalf("after %+v the loaded partition is\n%s\nand the other\n%s", ev, got, state)
			}
		}
		finish(lazy)
		if got, want := lazy.state(), plain.state(); got != want {
			t.Fatalf("after all the partition that was saved at times is\n%s\nand the other\n%s", got, want)
		}
		again := newShell(testConfig(3))
		for _, ev := range events {
			again.step(ev)
		}
		if got, want := again.state(), plain.state(); got != want {
			t.Fatalf("folded again the partition is\n%s\nand was\n%s", got, want)
		}
	})
}

// lazily steps ev in a partition whose snapshots are applied some events after they were taken.
func lazily(t *rapid.T, s *shell, ev Event, want string) {
	switch busy := s.core.flushing != nil || s.core.flushingGone != nil; {
	case busy && rapid.IntRange(0, 2).Draw(t, "apply") == 0:
		s.core.Applied(rapid.IntRange(0, 3).Draw(t, "keep lazy"))
	case !busy && rapid.IntRange(0, 4).Draw(t, "snapshot") == 0:
		s.core.Snapshot(s.store, s.pos)
	}
	if got := fmt.Sprint(describeEffects(s.step(ev))); got != want {
		t.Fatalf("after %+v the partition that was saved at times wants\n%s\nand the other\n%s", ev, got, want)
	}
}

func finish(s *shell) {
	if s.core.flushing != nil || s.core.flushingGone != nil {
		s.core.Applied(1)
	}
}

// TestSnapshotTwicePanics holds the shell to its obligation.
func TestSnapshotTwicePanics(t *testing.T) {
	t.Parallel()
	s := newShell(testConfig(1))
	s.step(do("a", "note x"))
	s.core.Snapshot(s.store, 1)
	defer func() {
		if recover() == nil {
			t.Error("a second Snapshot before Applied is taken without a word")
		}
	}()
	s.step(do("a", "note y"))
	s.core.Snapshot(s.store, 2)
}
