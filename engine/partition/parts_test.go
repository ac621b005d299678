package partition

import (
	"bytes"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/weftworks/weft/internal/wire"
)

// TestTimersAgainstModel holds the heap to a sorted list, whatever is armed, cancelled and fired out of turn.
func TestTimersAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var h timers
		var model []timerKey
		id := uint64(0)
		less := func(a, b timerKey) int {
			if a.less(b) {
				return -1
			}
			return 1
		}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch op := rapid.IntRange(0, 4).Draw(t, "op"); {
			case op < 2 || len(model) == 0:
				id++
				k := timerKey{due: rapid.Int64Range(0, 20).Draw(t, "due"), ref: Ref(id % 3), id: id}
				h.add(k)
				model = append(model, k)
				slices.SortFunc(model, less)
			case op == 2:
				i := rapid.IntRange(0, len(model)-1).Draw(t, "which")
				h.cancel(model[i])
				model = slices.Delete(model, i, i+1)
			case op == 3:
				i := rapid.IntRange(0, len(model)-1).Draw(t, "which")
				h.fire(model[i])
				model = slices.Delete(model, i, i+1)
			default:
				h.compact()
			}
			k, ok := h.first()
			if ok != (len(model) > 0) || (ok && k != model[0]) || h.live() != len(model) {
				t.Fatalf("first is %v %t with %d live, want %v", k, ok, h.live(), model)
			}
		}
	})
}

// TestTimersCompact holds that cancelled timers do not pile up.
func TestTimersCompact(t *testing.T) {
	t.Parallel()
	var h timers
	for i := range uint64(100_000) {
		h.add(timerKey{due: 1 << 40, ref: 1, id: i})
		if i >= 10 {
			h.cancel(timerKey{due: 1 << 40, ref: 1, id: i - 10})
		}
	}
	if len(h.heap) > 5000 || h.live() != 10 {
		t.Errorf("10 live timers of 100,000 take %d places, %d live", len(h.heap), h.live())
	}
}

// TestDueIsBounded holds that Due gives the earliest first, at most limit, and arms all again.
func TestDueIsBounded(t *testing.T) {
	t.Parallel()
	s := newShell(testConfig(1))
	for i, due := range []string{"30", "10", "20", "40", "90"} {
		s.step(do("a", "timer "+string(rune('1'+i))+" "+due))
	}
	ids := func(events []Event) (ids []uint64) {
		for _, ev := range events {
			ids = append(ids, ev.ID)
		}
		return ids
	}
	if got := ids(s.core.Due(nil, 50, 3)); !slices.Equal(got, []uint64{2, 3, 1}) {
		t.Errorf("the first three due at 50 are %v", got)
	}
	if got := ids(s.core.Due(nil, 50, 10)); !slices.Equal(got, []uint64{2, 3, 1, 4}) {
		t.Errorf("all due at 50 are %v", got)
	}
	if due, ok := s.core.NextDue(); !ok || due != 10 {
		t.Errorf("the next is due at %d, %t", due, ok)
	}
}

// TestCallsAgainstModel holds the table of invocations to a map.
func TestCallsAgainstModel(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var c calls
		model := make(map[uint64]string)
		next := uint64(0)
		for range rapid.IntRange(1, 120).Draw(t, "steps") {
			if rapid.IntRange(0, 2).Draw(t, "op") > 0 {
				next += rapid.Uint64Range(1, 3).Draw(t, "gap")
				c.add(Invocation{ID: next, Function: "f", Flags: uint8(next % 3)})
				model[next] = "f"
			} else {
				id := rapid.Uint64Range(0, next+1).Draw(t, "id")
				_, want := model[id]
				delete(model, id)
				if got := c.remove(id); got != want {
					t.Fatalf("remove(%d) is %t, want %t", id, got, want)
				}
			}
			checkCalls(t, &c, model)
			var read calls
			r := wire.NewReader(c.append(nil))
			read.read(r, recordVersion)
			if r.Err() != nil || r.Len() != 0 {
				t.Fatalf("what append wrote reads with %v and %d bytes left", r.Err(), r.Len())
			}
			checkCalls(t, &read, model)
		}
	})
}

func checkCalls(t *rapid.T, c *calls, model map[uint64]string) {
	var ids []uint64
	c.each(func(call Invocation) { ids = append(ids, call.ID) })
	if want := slices.Sorted(maps.Keys(model)); !slices.Equal(ids, want) || c.live != len(want) {
		t.Fatalf("the table has %v, live %d, want %v", ids, c.live, want)
	}
}

// TestCallsShrink holds that holes do not pile up in a fan-out that is answered backwards.
func TestCallsShrink(t *testing.T) {
	t.Parallel()
	var c calls
	const n = 10_000
	for i := uint64(1); i <= n; i++ {
		c.add(Invocation{ID: i})
	}
	for i := uint64(n); i > 10; i-- {
		c.remove(i)
	}
	if len(c.list) > 40 {
		t.Errorf("10 calls take %d places", len(c.list))
	}
}

// TestStreams holds that dedup takes the messages of an outbox once and in order over a network that delays, repeats
// and drops, and that the outbox forgets what is confirmed and nothing else.
func TestStreams(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var o outbox
		var d dedup
		var network []Origin
		var took []uint64
		sent := uint64(0)
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			switch rapid.IntRange(0, 5).Draw(t, "op") {
			case 0:
				ev := &Event{Kind: Message, To: "x", From: Origin{Partition: 4}}
				o.put(7, ev)
				sent++
				if ev.From.Seq != sent {
					t.Fatalf("message %d has sequence %d", sent, ev.From.Seq)
				}
				network = append(network, ev.From)
			case 1:
				for _, ev := range pendingOf(&o) {
					network = append(network, ev.From)
				}
			case 2:
				o.confirm(7, d.last[4])
			default:
				if len(network) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(network)-1).Draw(t, "which")
				if d.take(network[i]) {
					took = append(took, network[i].Seq)
				}
				if rapid.Bool().Draw(t, "once") {
					network = slices.Delete(network, i, i+1)
				}
			}
			for i, seq := range took {
				if seq != uint64(i+1) {
					t.Fatalf("messages were taken as %v", took)
				}
			}
			if p := pendingOf(&o); len(p) > 0 && (p[0].From.Seq > uint64(len(took))+1 || p[len(p)-1].From.Seq != sent) {
				t.Fatalf("pending from %d to %d of %d sent with %d taken", p[0].From.Seq, p[len(p)-1].From.Seq, sent, len(took))
			}
		}
	})
}

func pendingOf(o *outbox) []*Event {
	if o.to[7] == nil {
		return nil
	}
	return o.to[7].pending
}

func TestPlaceIsStable(t *testing.T) {
	t.Parallel()
	// Where instances lie is stored in every data directory: it must never change.
	for name, want := range map[string]ID{"run/greet/1": 4, "": 5, "a": 4, "machine/greet": 4} {
		if got := Place(name, 8); got != want {
			t.Errorf("%q lies in %d, not %d", name, got, want)
		}
	}
	counts := make([]int, 8)
	for i := range 8000 {
		counts[Place("run/m/"+string(rune('a'+i%26))+string(rune('0'+i/26%10))+string(rune('0'+i/260)), 8)]++
	}
	if slices.Min(counts) < 700 || slices.Max(counts) > 1300 {
		t.Errorf("8,000 names lie as %v", counts)
	}
}

// TestListingKeys holds that keys give back what they were made of, and order listings newest first.
func TestListingKeys(t *testing.T) {
	t.Parallel()
	s := Summary{Group: "runs/m", Status: 2, Time: 1_700_000_000_123, Ended: 55}
	k := ListingKey(3, s, 42)
	v := wire.AppendString(wire.AppendInt(nil, s.Ended), "run/m/x")
	ref, got, name, err := ReadListing(k, v)
	if err != nil || ref != 42 || got != s || name != "run/m/x" {
		t.Errorf("read %d %+v %q %v", ref, got, name, err)
	}
	later := s
	later.Time++
	if bytes.Compare(ListingKey(3, later, 1), k) >= 0 {
		t.Error("a later run is listed behind an earlier one")
	}
	if _, _, _, err := ReadListing(k[:9], v); err == nil {
		t.Error("a short key is taken")
	}
	if first := HistoryFirst(HistoryKey(1, 2, 77)); first != 77 {
		t.Errorf("HistoryFirst is %d", first)
	}
	lower, upper := EndedRange(3, 100)
	for ended, inside := range map[int64]bool{1: true, 99: true, 100: false, 5000: false} {
		k := endedKey(3, Summary{Ended: ended, Status: 2}, 9)
		if in := bytes.Compare(k, lower) >= 0 && bytes.Compare(k, upper) < 0; in != inside {
			t.Errorf("ended at %d lies before 100: %t", ended, in)
		}
		if ref, at, status := ReadEnded(k, []byte{2}); ref != 9 || at != ended || status != 2 {
			t.Errorf("read %d %d %d", ref, at, status)
		}
	}
}

// TestLoadRefuses holds that a store that does not fit is refused with words.
func TestLoadRefuses(t *testing.T) {
	t.Parallel()
	s := newShell(testConfig(2))
	s.step(do("a", "timer 1 5"))
	s.save(0)
	cfg := testConfig(3)
	if _, _, err := Load(cfg, s.store); err == nil {
		t.Error("a store of two partitions is loaded as one of three")
	}
	meta := string(key(0, keyMeta))
	good := s.store[meta]
	for n := range good {
		s.store[meta] = good[:n]
		if _, _, err := Load(testConfig(2), s.store); err == nil {
			t.Errorf("a counter record cut after %d of %d bytes is loaded", n, len(good))
		}
	}
	s.store[meta] = append([]byte{99}, good[1:]...)
	if _, _, err := Load(testConfig(2), s.store); err == nil {
		t.Error("a counter record of version 99 is loaded")
	}
}
