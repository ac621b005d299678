package server

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
)

// fake is a Backend in memory for the server's own tests. It runs Pass states to their end, stops forever at
// a Wait, and fails at anything else. Its clock stands still, so goldens hold its times.
type fake struct {
	Versions   // has none
	mu         sync.Mutex
	machines   map[string]*engine.Machine
	runs       map[engine.RunID]*fakeRun
	order      []*fakeRun
	ids        int
	activities map[string]*engine.Activity
	tokens     map[string]string // token: state ("open", "timed out")
	sick       error
}

type fakeRun struct {
	engine.Run
	machine *engine.Machine
	events  []history.Event
	ended   chan struct{}
}

const (
	fakeNow = 1772600767123                            // 2026-03-04T05:06:07.123Z
	fakeARN = "arn:aws:states:us-east-1:111111111111:" // the account of the recordings
)

func newFake() *fake {
	return &fake{
		machines: map[string]*engine.Machine{}, runs: map[engine.RunID]*fakeRun{},
		activities: map[string]*engine.Activity{},
		tokens:     map[string]string{"open-token": "open", "late-token": "timed out"},
	}
}

func (f *fake) CreateMachine(_ context.Context, c engine.CreateMachine) (*engine.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := &engine.Machine{Name: c.Name, ARN: fakeARN + "stateMachine:" + c.Name, Type: c.Type, Definition: c.Definition,
		RoleARN: c.RoleARN, Created: fakeNow, Updated: fakeNow, Tags: maps.Clone(c.Tags), Extra: c.Extra}
	if old := f.machines[c.Name]; old != nil {
		if old.Deleting {
			return nil, fault.New("fake", fault.MachineDeleting, c.Name, "deleting")
		}
		if string(old.Definition) == string(c.Definition) && old.Type == c.Type && reflect.DeepEqual(old.Extra, c.Extra) {
			return old, nil
		}
		return nil, fault.New("fake", fault.MachineExists, c.Name, "exists")
	}
	f.machines[c.Name] = m
	return m, nil
}

func (f *fake) UpdateMachine(_ context.Context, u engine.UpdateMachine) (*engine.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, err := f.machine(u.Name)
	if err != nil {
		return nil, err
	}
	m := *old
	if u.Definition != nil {
		m.Definition = u.Definition
	}
	if u.RoleARN != nil {
		m.RoleARN = *u.RoleARN
	}
	m.Extra = maps.Clone(m.Extra)
	maps.Copy(m.Extra, u.Extra)
	if !reflect.DeepEqual(&m, old) {
		f.ids++
		m.Revision = fmt.Sprintf("00000000-0000-4000-8000-%012d", f.ids)
	}
	f.machines[u.Name] = &m
	return &m, nil
}

func (f *fake) DeleteMachine(_ context.Context, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	m := f.machines[name]
	if m == nil {
		return nil
	}
	for _, r := range f.order {
		if r.ID.Machine == name && r.Status == machine.Running {
			gone := *m
			gone.Deleting = true
			f.machines[name] = &gone
			return nil
		}
	}
	delete(f.machines, name)
	return nil
}

func (f *fake) machine(name string) (*engine.Machine, error) {
	if m := f.machines[name]; m != nil {
		return m, nil
	}
	return nil, fault.New("fake", fault.MachineNotFound, name, "no such machine")
}

func (f *fake) Machine(_ context.Context, name string) (*engine.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.machine(name)
}

func (f *fake) Machines(context.Context) ([]*engine.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Collect(maps.Values(f.machines)), nil
}

func (f *fake) TagMachine(_ context.Context, name string, set map[string]string, remove []string) (*engine.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	old, err := f.machine(name)
	if err != nil {
		return nil, err
	}
	m := *old
	m.Tags = maps.Clone(m.Tags)
	if m.Tags == nil {
		m.Tags = map[string]string{}
	}
	maps.Copy(m.Tags, set)
	for _, k := range remove {
		delete(m.Tags, k)
	}
	f.machines[name] = &m
	return &m, nil
}

func (f *fake) StartRun(_ context.Context, s engine.StartRun) (*engine.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, err := f.machine(s.Machine)
	if err != nil {
		return nil, err
	}
	if s.Name == "" {
		f.ids++
		s.Name = fmt.Sprintf("00000000-0000-4000-8000-%012d", f.ids)
	}
	id := engine.RunID{Machine: m.Name, Name: s.Name}
	if old := f.runs[id]; old != nil {
		if old.Status == machine.Running && string(old.Input) == string(s.Input) {
			return &old.Run, nil
		}
		return nil, fault.New("fake", fault.RunExists, s.Name, "exists")
	}
	r := &fakeRun{machine: m, ended: make(chan struct{})}
	r.Run = engine.Run{ID: id, ARN: fakeARN + "execution:" + m.Name + ":" + s.Name, MachineARN: m.ARN, Status: machine.Running,
		Started: fakeNow, Input: s.Input, Revision: m.Revision, RoleARN: m.RoleARN, Trace: s.Trace}
	r.play()
	f.runs[id] = r
	f.order = append(f.order, r)
	run := r.Run
	return &run, nil
}

// play runs Pass states; see fake.
func (r *fakeRun) play() {
	var d struct {
		StartAt string
		States  map[string]struct {
			Type, Next, Error, Cause   string
			Result                     json.RawMessage
			SecondsPath, TimestampPath string
			End                        bool
		}
	}
	_ = json.Unmarshal(r.machine.Definition, &d) // the server checked it
	data := r.Input
	r.event(history.Event{Type: history.ExecutionStarted, Input: data, RoleARN: r.RoleARN})
	for name := d.StartAt; ; {
		s := d.States[name]
		entered, _ := history.ParseType(s.Type + "StateEntered")
		r.event(history.Event{Type: entered, Name: name, Input: data})
		switch s.Type {
		case "Wait":
			if s.SecondsPath+s.TimestampPath == "" {
				return
			}
			r.event(history.Event{Type: history.WaitStateExited, Name: name, Output: data})
		case "Pass":
			if s.Result != nil {
				data = s.Result
			}
			r.event(history.Event{Type: history.PassStateExited, Name: name, Output: data})
		default:
			r.end(machine.Failed, s.Error, s.Cause, s.Error != "", s.Cause != "")
			return
		}
		if s.End {
			r.Output = data
			r.end(machine.Succeeded, "", "", false, false)
			return
		}
		name = s.Next
	}
}

func (r *fakeRun) event(e history.Event) {
	e.ID, e.Time = int64(len(r.events)+1), fakeNow
	if e.ID > 2 {
		e.Prev = e.ID - 1
	}
	if e.Type == history.ExecutionAborted {
		e.Prev = 0
	}
	r.events = append(r.events, e)
	r.Events = e.ID
}

func (r *fakeRun) end(s machine.Status, errorName, cause string, hasError, hasCause bool) {
	types := map[machine.Status]history.Type{machine.Succeeded: history.ExecutionSucceeded,
		machine.Failed: history.ExecutionFailed, machine.Aborted: history.ExecutionAborted}
	r.Status, r.Stopped = s, fakeNow
	r.Error, r.Cause, r.HasError, r.HasCause = errorName, cause, hasError, hasCause
	r.event(history.Event{Type: types[s], Output: r.Output, Error: errorName, Cause: cause, HasError: hasError, HasCause: hasCause})
	close(r.ended)
}

func (f *fake) find(id engine.RunID) (*fakeRun, error) {
	if r := f.runs[id]; r != nil {
		return r, nil
	}
	return nil, fault.New("fake", fault.RunNotFound, id.Name, "no such run")
}

func (f *fake) Run(_ context.Context, id engine.RunID) (*engine.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.find(id)
	if err != nil {
		return nil, err
	}
	run := r.Run
	return &run, nil
}

func (f *fake) StopRun(_ context.Context, id engine.RunID, why engine.Reason) (*engine.Run, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.find(id)
	if err != nil {
		return nil, err
	}
	if r.Status == machine.Running {
		text := func(s *string) string {
			if s == nil {
				return ""
			}
			return *s
		}
		r.end(machine.Aborted, text(why.Error), text(why.Cause), why.Error != nil, why.Cause != nil)
	}
	run := r.Run
	return &run, nil
}

func (f *fake) RunDefinition(_ context.Context, id engine.RunID) (*engine.Machine, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.find(id)
	if err != nil {
		return nil, err
	}
	return r.machine, nil
}

func (f *fake) WaitRun(ctx context.Context, id engine.RunID) (*engine.Run, error) {
	f.mu.Lock()
	r, err := f.find(id)
	f.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-r.ended:
		return f.Run(ctx, id)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (f *fake) ListRuns(_ context.Context, q engine.ListRuns) (*engine.RunPage, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	from := len(f.order) - 1
	if q.Cursor != "" {
		n, err := strconv.Atoi(q.Cursor)
		if err != nil || n < 0 || n > from {
			return nil, fault.New("fake", fault.InvalidToken, "cursor", "not a cursor")
		}
		from = n
	}
	page := &engine.RunPage{}
	for i := from; i >= 0; i-- {
		r := f.order[i]
		if r.ID.Machine != q.Machine || q.Status != 0 && r.Status != q.Status {
			continue
		}
		if len(page.Runs) == q.Limit {
			page.Cursor = strconv.Itoa(i)
			break
		}
		page.Runs = append(page.Runs, r.Run)
	}
	return page, nil
}

func (f *fake) History(_ context.Context, id engine.RunID, q engine.HistoryQuery) ([]history.Event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, err := f.find(id)
	if err != nil {
		return nil, err
	}
	events := slices.Clone(r.events)
	if q.Reverse {
		slices.Reverse(events)
	}
	events = slices.DeleteFunc(events, func(e history.Event) bool {
		return q.From > 0 && (q.Reverse && e.ID > q.From || !q.Reverse && e.ID < q.From)
	})
	return events[:min(q.Limit, len(events))], nil
}

func (f *fake) task(token string) error {
	switch f.tokens[token] {
	case "open":
		return nil
	case "timed out":
		return fault.New("fake", fault.TaskTimedOut, token, "timed out")
	}
	if strings.HasPrefix(token, "gone") {
		return fault.New("fake", fault.TaskNotFound, token, "no such task")
	}
	return fault.New("fake", fault.InvalidToken, token, "not a token")
}

func (f *fake) SucceedTask(_ context.Context, token string, _ []byte) error     { return f.task(token) }
func (f *fake) FailTask(_ context.Context, token string, _ engine.Reason) error { return f.task(token) }
func (f *fake) HeartbeatTask(_ context.Context, token string) error             { return f.task(token) }
func (f *fake) Healthy() error                                                  { return f.sick }

// newTestServer makes a server over a Backend with a clock that stands still.
func newTestServer(t *testing.T, b Backend, edit ...func(*Options)) *Server {
	t.Helper()
	o := Options{Backend: b, Now: func() time.Time { return time.UnixMilli(fakeNow) }}
	for _, e := range edit {
		e(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (f *fake) RedriveRun(_ context.Context, id engine.RunID, _ string, _ machine.Amendment) (*engine.Run, error) {
	return nil, fault.New("fake", fault.NotRedrivable, id.Name, "Execution is SUCCEEDED and cannot be redriven")
}
