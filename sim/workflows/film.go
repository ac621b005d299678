package workflows

import (
	"fmt"
	"slices"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/partition"
	schedules "github.com/weftworks/weft/engine/schedule"
	"github.com/weftworks/weft/engine/scheduled"
	"github.com/weftworks/weft/engine/workflow"
	"github.com/weftworks/weft/sim"
)

// film is all that happened to runs, entities and schedules, as a fold of the log shows it.
type film struct {
	fold   *sim.Fold
	frames []frame                    // of entities, by partition and then in order
	views  map[string]map[string]bool // of runs, by id: all that a client may have seen
	runs   map[string]*workflow.View  // how they ended
	spans  map[string][]span          // of runs, by id

	beats    map[string][]beat // of schedules, by id
	starting []schedules.Start // in the event that a schedule has now
}

// frame is an entity after one of its steps.
type frame struct {
	at     commitlog.Position
	target string
	view   *workflow.EntityView // nil: gone
}

func newFilm(fold *sim.Fold) *film {
	return &film{
		fold: fold, views: make(map[string]map[string]bool), runs: make(map[string]*workflow.View),
		spans: make(map[string][]span), beats: make(map[string][]beat),
	}
}

// inOrder returns the frames as the log has them.
func (f *film) inOrder() []frame {
	frames := slices.Clone(f.frames)
	slices.SortStableFunc(frames, func(a, b frame) int {
		switch {
		case a.at < b.at:
			return -1
		case a.at > b.at:
			return 1
		}
		return 0
	})
	return frames
}

// sight writes what a client sees of a run. Tags and inputs do not change here, and to a run that has ended answers may
// still come.
func sight(v *workflow.View) string {
	failure, waiting := "", v.Waiting
	if v.Status.Ended() {
		waiting = 0
	}
	if v.Failure != nil {
		failure = v.Failure.Error()
	}
	return fmt.Sprintf("execution %d %s after %d events, %d waiting, ended %d: %s %q %q %q", v.Execution, v.Status, v.Events, waiting, v.Ended, v.Output, failure, v.Reason, v.Custom)
}

// filmedRuns is workflow.Runs with a camera.
type filmedRuns struct {
	*workflow.Runs
	film *film
}

// New implements partition.Program.
func (p filmedRuns) New() partition.Instance {
	return &filmedRun{p.Runs.New().(*workflow.Run), p.film}
}

// Decode implements partition.Program.
func (p filmedRuns) Decode(data []byte, blob func(partition.BlobID) []byte) (partition.Instance, error) {
	in, err := p.Runs.Decode(data, blob)
	if err != nil {
		return nil, err
	}
	return &filmedRun{in.(*workflow.Run), p.film}, nil
}

type filmedRun struct {
	*workflow.Run
	film *film
}

// Receive implements partition.Instance.
func (r *filmedRun) Receive(env *partition.Env, ev *partition.Event) {
	r.Run.Receive(env, ev)
	v := r.View()
	views := r.film.views[v.ID]
	if views == nil {
		views = make(map[string]bool)
		r.film.views[v.ID] = views
	}
	views[sight(v)] = true
	if v.Workflow == "" {
		return // a rewind of nothing
	}
	r.film.runs[v.ID] = v
	r.film.note(v, env.Created)
}

// filmedEntities is workflow.Entities with a camera.
type filmedEntities struct {
	*workflow.Entities
	film *film
}

// New implements partition.Program.
func (p filmedEntities) New() partition.Instance {
	return &filmedEntity{p.Entities.New().(*workflow.Entity), p.film}
}

// Decode implements partition.Program.
func (p filmedEntities) Decode(data []byte, blob func(partition.BlobID) []byte) (partition.Instance, error) {
	in, err := p.Entities.Decode(data, blob)
	if err != nil {
		return nil, err
	}
	return &filmedEntity{in.(*workflow.Entity), p.film}, nil
}

type filmedEntity struct {
	*workflow.Entity
	film *film
}

// Receive implements partition.Instance.
func (e *filmedEntity) Receive(env *partition.Env, ev *partition.Event) {
	e.Entity.Receive(env, ev)
	v := e.View()
	e.film.frames = append(e.film.frames, frame{e.film.fold.Position(), v.Target, v})
}

// filmedSchedules is schedule.Program with a camera.
type filmedSchedules struct {
	*schedules.Program
	film *film
}

func newFilmedSchedules(p *schedules.Program, f *film) filmedSchedules {
	s := scheduled.Starter()
	start := s.Start
	s.Start = func(m *schedules.Start) schedules.Message {
		f.starting = append(f.starting, *m)
		return start(m)
	}
	return filmedSchedules{&schedules.Program{Starter: s, Faults: p.Faults}, f}
}

// New implements partition.Program.
func (p filmedSchedules) New() partition.Instance {
	return &filmedSchedule{p.Program.New().(*schedules.Schedule), p.film}
}

type filmedSchedule struct {
	*schedules.Schedule
	film *film
}

// beat is one event of a schedule.
type beat struct {
	at            commitlog.Position
	now           int64 // Unix milliseconds
	created       bool
	op            uint8 // 0: no message
	body          []byte
	before, after *schedules.View
	starts        []schedules.Start
}

// Receive implements partition.Instance.
func (s *filmedSchedule) Receive(env *partition.Env, ev *partition.Event) {
	f := s.film
	t := beat{at: f.fold.Position(), now: env.Now, created: env.Created, before: &schedules.View{}}
	if ev.Kind == partition.Message {
		t.op, t.body = ev.Op, ev.Body
	}
	if !env.Created {
		t.before = s.View()
	}
	f.starting = nil
	s.Schedule.Receive(env, ev)
	t.after, t.starts = s.View(), f.starting
	f.beats[t.after.ID] = append(f.beats[t.after.ID], t)
}

// span is the life of a run in the log. ended 0: it has not.
type span struct{ born, ended commitlog.Position }

// note takes down when a run was born and when it ended first.
func (f *film) note(v *workflow.View, created bool) {
	at := f.fold.Position()
	list := f.spans[v.ID]
	if created {
		list = append(list, span{born: at})
	}
	if last := len(list) - 1; v.Status.Ended() && list[last].ended == 0 {
		list[last].ended = at
	}
	f.spans[v.ID] = list
}
