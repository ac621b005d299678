package schedule

import (
	"fmt"

	"github.com/weftworks/weft/internal/wire"
	"github.com/weftworks/weft/schedule"
)

const formatVersion = 1

// Append implements partition.Instance.
func (s *Schedule) Append(dst []byte) []byte {
	dst = wire.AppendString(append(dst, formatVersion), s.id)
	dst = s.def.append(dst)
	dst = wire.AppendUint(dst, s.seed)
	dst = wire.AppendInt(dst, s.created)
	dst = wire.AppendInt(dst, s.updated)
	dst = wire.AppendBool(dst, s.paused)
	dst = wire.AppendString(dst, s.note)
	dst = wire.AppendInt(dst, s.left)
	dst = wire.AppendInt(dst, s.since)
	dst = wire.AppendBool(dst, s.next.armed)
	dst = wire.AppendInt(dst, s.next.nominal)
	dst = wire.AppendInt(dst, s.next.fire)
	dst = wire.AppendBool(dst, s.timer.armed)
	dst = wire.AppendUint(dst, s.timer.id)
	dst = wire.AppendInt(dst, s.timer.due)
	for _, n := range []uint64{s.counts.Started, s.counts.Skipped, s.counts.Missed, s.counts.Manual, s.manuals} {
		dst = wire.AppendUint(dst, n)
	}
	dst = appendRuns(dst, s.waiting)
	dst = appendRuns(dst, s.recent)
	dst = wire.AppendUint(dst, uint64(len(s.running)))
	for i := range s.running {
		r := &s.running[i]
		dst = appendRun(dst, &r.Run)
		dst = wire.AppendString(dst, r.kind)
		dst = wire.AppendString(dst, r.name)
		dst = wire.AppendBool(dst, r.terminating)
	}
	dst = wire.AppendUint(dst, uint64(len(s.backfills)))
	for _, b := range s.backfills {
		dst = wire.AppendUint(dst, b.number)
		dst = wire.AppendInt(dst, b.from)
		dst = wire.AppendInt(dst, b.to)
		dst = wire.AppendInt(dst, b.reached)
		dst = append(dst, byte(b.overlap))
	}
	return dst
}

func (s *Schedule) decode(data []byte) (err error) {
	r := wire.NewReader(data)
	if v := r.Byte(); v != formatVersion && r.Err() == nil {
		return fmt.Errorf("schedule: state has format version %d; this program reads %d", v, formatVersion)
	}
	s.id = r.String()
	s.def.read(r)
	s.seed = r.Uint()
	s.created, s.updated = r.Int(), r.Int()
	s.paused, s.note = r.Bool(), r.String()
	s.left, s.since = r.Int(), r.Int()
	s.next = planned{armed: r.Bool(), nominal: r.Int(), fire: r.Int()}
	s.timer = timer{armed: r.Bool(), id: r.Uint(), due: r.Int()}
	s.counts = Counts{Started: r.Uint(), Skipped: r.Uint(), Missed: r.Uint(), Manual: r.Uint()}
	s.manuals = r.Uint()
	s.waiting = readRuns(r)
	s.recent = readRuns(r)
	for range r.Count(runBytes + 3) {
		s.running = append(s.running, running{Run: readRun(r), kind: r.String(), name: r.String(), terminating: r.Bool()})
	}
	for range r.Count(5) {
		b := backfill{number: r.Uint(), from: r.Int(), to: r.Int(), reached: r.Int(), overlap: schedule.Overlap(r.Byte())}
		s.backfills = append(s.backfills, b)
	}
	if err := r.Err(); err != nil {
		return err
	}
	s.calendar, err = schedule.Compile(s.def.spec, s.def.zone, s.seed)
	return err
}

// runBytes is the least that a run is encoded in.
const runBytes = 7

func appendRun(dst []byte, r *Run) []byte {
	dst = wire.AppendString(dst, r.ID)
	dst = wire.AppendInt(dst, r.Nominal)
	dst = wire.AppendBool(dst, r.Manual)
	dst = wire.AppendInt(dst, r.Started)
	dst = wire.AppendInt(dst, r.Ended)
	return wire.AppendBool(append(dst, r.Status), r.Failed)
}

func readRun(r *wire.Reader) Run {
	return Run{
		ID: r.String(), Nominal: r.Int(), Manual: r.Bool(), Started: r.Int(), Ended: r.Int(), Status: r.Byte(), Failed: r.Bool(),
	}
}

func appendRuns(dst []byte, runs []Run) []byte {
	dst = wire.AppendUint(dst, uint64(len(runs)))
	for i := range runs {
		dst = appendRun(dst, &runs[i])
	}
	return dst
}

func readRuns(r *wire.Reader) (runs []Run) {
	for range r.Count(runBytes) {
		runs = append(runs, readRun(r))
	}
	return runs
}
