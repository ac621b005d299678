package schedule

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/schedule"
)

func TestDefineRefuses(t *testing.T) {
	t.Parallel()
	good := schedule.Spec{Every: time.Hour}
	for _, c := range []struct {
		id   string
		spec schedule.Spec
		want string
	}{
		{"", good, "is not the id of a schedule"},
		{"a/b", good, "is not the id of a schedule"},
		{"a:b", good, "is not the id of a schedule"},
		{strings.Repeat("x", limits.ScheduleIDChars+1), good, "take 1 to 48 letters"},
		{"a", schedule.Spec{}, "it never fires"},
		{"a", schedule.Spec{Every: time.Hour, Zone: "Berlin"}, "there is no time zone"},
	} {
		_, err := Define(c.id, c.spec, Target{}, 1)
		if !fault.Is(err, fault.InvalidArgument) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %+v: %v, want ... %s ...", c.id, c.spec, err, c.want)
		}
	}
}

// TestRunIDsAreNames wants every run's id to fit into the name of a run.
func TestRunIDsAreNames(t *testing.T) {
	t.Parallel()
	id := RunID(strings.Repeat("x", limits.ScheduleIDChars), ms("2099-12-31T23:59:59Z")) + "-b1000000000000"
	if len(id) > limits.NameChars || !idSyntax.MatchString(id) {
		t.Errorf("%s has %d characters", id, len(id))
	}
}

// TestStart wants what a Starter needs, with a seed that is the run's own and the same whenever it is asked for.
func TestStart(t *testing.T) {
	t.Parallel()
	var starts []Start
	program := &Program{Starter: Starter{Start: func(s *Start) Message {
		starts = append(starts, *s)
		return starter.Start(s)
	}}}
	body, err := Define("s", schedule.Spec{Every: time.Hour, Overlap: schedule.AllowAll}, Target{Kind: "k", Name: "n", Input: []byte("in")}, 42)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		core := partition.New(partition.Config{Partitions: 1, Programs: map[partition.ProgramID]partition.Program{ID: program}})
		core.Step(&partition.Event{Kind: partition.Message, To: InstanceName("s"), Program: ID, Op: OpCreate, Body: body})
		for _, now := range []int64{3600_000, 7200_000} {
			for _, ev := range core.Due(nil, now, 9) {
				core.Step(&ev)
			}
		}
	}
	if len(starts) != 4 || starts[0].Seed == starts[1].Seed || starts[0].Seed != starts[2].Seed || starts[1].Seed != starts[3].Seed {
		t.Fatalf("%+v", starts)
	}
	s := starts[0]
	if s.Schedule != "schedule/s" || s.Run != "s-19700101T010000Z" || s.Nominal != 3600_000 || s.Target.Kind+s.Target.Name+string(s.Target.Input) != "knin" {
		t.Errorf("%+v", s)
	}
}

// TestBounds wants what runs and waits to be bounded, and times past the bounds to be skipped; a backfill waits instead.
func TestBounds(t *testing.T) {
	t.Parallel()
	const times = 1200
	for _, c := range []struct {
		overlap                   schedule.Overlap
		started, waiting, skipped int
	}{
		{schedule.AllowAll, limits.ScheduleRunning, 0, times - limits.ScheduleRunning},
		{schedule.BufferAll, 1, limits.ScheduleBuffered, times - limits.ScheduleBuffered - 1},
	} {
		w := newWorld("2026-03-01T00:00:00Z")
		w.fast = true
		w.define("s", OpCreate, schedule.Spec{Every: time.Minute, Overlap: c.overlap})
		w.now += times * 60_000
		w.fire()
		v := w.view("s")
		if int(v.Counts.Started) != c.started || len(v.Waiting) != c.waiting || int(v.Counts.Skipped) != c.skipped || len(v.Running) != c.started {
			t.Errorf("%s: %+v, %d run, %d wait", c.overlap, v.Counts, len(v.Running), len(v.Waiting))
		}
	}
	w := newWorld("2026-03-01T00:00:00Z")
	w.fast = true
	w.define("s", OpCreate, schedule.Spec{Every: time.Minute, Paused: true})
	m := BackfillMessage{From: w.now - (times-1)*60_000, To: w.now, Overlap: schedule.AllowAll}
	w.tell("s", OpBackfill, m.Encode())
	for ended := 0; ended < times; ended++ {
		running := w.view("s").Running
		if want := min(limits.ScheduleRunning, times-ended); len(running) != want {
			t.Fatalf("%d have ended and %d run, want %d", ended, len(running), want)
		}
		w.ended("s", running[0].ID, 1, false)
	}
	if v := w.view("s"); v.Counts.Manual != times || len(v.Backfills) != 0 || len(v.Recent) != limits.ScheduleRecent {
		t.Errorf("%+v", v)
	}
	for i := range int64(limits.ScheduleBackfills) + 1 {
		m = BackfillMessage{From: w.now - i, To: w.now}
		m.Overlap = schedule.BufferAll
		w.tell("s", OpTrigger, (&TriggerMessage{Overlap: schedule.AllowAll}).Encode()) // so that they wait
		if err, _ := w.tell("s", OpBackfill, m.Encode()).(error); fault.Is(err, fault.LimitExceeded) != (i == limits.ScheduleBackfills) {
			t.Errorf("backfill %d: %v", i, err)
		}
	}
	w.tell("s", OpPause, []byte(strings.Repeat("ä", limits.ScheduleNoteChars)))
	if n := len(w.view("s").Note); n > limits.ScheduleNoteChars || n < limits.ScheduleNoteChars-1 {
		t.Errorf("the note has %d bytes", n)
	}
}

// TestOldFormat wants a newer format to be refused.
func TestOldFormat(t *testing.T) {
	t.Parallel()
	if _, err := ReadView([]byte{formatVersion + 1}); err == nil || !strings.Contains(err.Error(), "format version 2") {
		t.Error(err)
	}
}

// FuzzMessages wants a schedule to survive any message, in memory and stored.
func FuzzMessages(f *testing.F) {
	spec := schedule.Spec{Cron: []string{"0,30 * * * *"}, Zone: "Europe/Berlin", Overlap: schedule.BufferAll}
	body, err := Define("s", spec, Target{Name: "m"}, 1)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(OpUpdate, body, OpTrigger, []byte{5}, int64(3600_000))
	f.Add(OpBackfill, (&BackfillMessage{From: 0, To: 1e12}).Encode(), OpEnded, (&EndedMessage{Run: "s-19700101T000000Z-b1"}).Encode(), int64(0))
	f.Add(OpZone, rules("Europe/Berlin", "Asia/Kolkata"), OpPause, []byte("note"), int64(1))
	f.Fuzz(func(t *testing.T, op1 uint8, body1 []byte, op2 uint8, body2 []byte, later int64) {
		w := newWorld("2026-03-01T00:00:00Z")
		w.define("s", OpCreate, spec)
		w.now += later % (7 * 24 * 3600_000)
		w.tell("s", op1, body1)
		w.fire()
		w.tell("s", op2, body2)
		w.view("s")
	})
}

func FuzzDecode(f *testing.F) {
	w := newWorld("2026-03-01T00:00:00Z")
	w.define("s", OpCreate, schedule.Spec{Every: time.Hour, Overlap: schedule.BufferAll, Remaining: 9})
	w.now += 3 * 3600_000
	w.fire()
	w.tell("s", OpBackfill, (&BackfillMessage{From: 0, To: 9e9}).Encode())
	w.ended("s", "s-20260301T010000Z", 1, true)
	ref, _ := w.plain.Lookup(InstanceName("s"))
	v, _ := w.plain.View(ref)
	f.Add(v.State.Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		var s Schedule
		if s.decode(data) != nil {
			return
		}
		once := s.Append(nil)
		var again Schedule
		if err := again.decode(once); err != nil || !bytes.Equal(again.Append(nil), once) {
			t.Fatalf("does not come back: %v", err)
		}
		s.View()
	})
}

// TestGarbageMakesNoSchedule wants a message that Define has not made to leave nothing behind.
func TestGarbageMakesNoSchedule(t *testing.T) {
	t.Parallel()
	utc, err := schedule.LoadZone("")
	if err != nil {
		t.Fatal(err)
	}
	never := definition{text: []byte(`{"cron":["0 0 30 2 *"]}`), zone: utc}
	for _, c := range []struct {
		body []byte
		kind fault.Kind
	}{
		{nil, fault.Internal},
		{[]byte("garbage"), fault.Internal},
		{append(never.append(nil), 0), fault.InvalidArgument},
	} {
		w := newWorld("2026-03-01T00:00:00Z")
		if err, _ := w.tell("s", OpCreate, c.body).(error); !fault.Is(err, c.kind) {
			t.Errorf("%q: %v, want kind %d", c.body, err, c.kind)
		}
		if w.view("s") != nil {
			t.Errorf("%q made a schedule", c.body)
		}
	}
}
