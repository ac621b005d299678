package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/cost"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/memory"
)

// fanMachine has a function before the fan-out and one after the join, as the paper's.
const fanMachine = `{
	"StartAt": "Split",
	"States": {
		"Split": {"Type": "Task", "Resource": "pass", "Next": "Each"},
		"Each": {
			"Type": "Map", "ItemsPath": "$.items", "Next": "Sum",
			"ItemProcessor": {"StartAt": "Work", "States": {"Work": {"Type": "Task", "Resource": "pass", "End": true}}}
		},
		"Sum": {"Type": "Task", "Resource": "count", "End": true}
	}
}`

func fanInput(n int) string {
	items := make([]string, n)
	for i := range items {
		items[i] = fmt.Sprintf("%d", i)
	}
	return `{"items":[` + strings.Join(items, ",") + `]}`
}

func chainMachine(n int) string {
	var b strings.Builder
	b.WriteString(`{"StartAt":"F1","States":{`)
	for i := 1; i <= n; i++ {
		next := fmt.Sprintf(`"Next":"F%d"`, i+1)
		if i == n {
			next = `"End":true`
		}
		fmt.Fprintf(&b, `"F%d":{"Type":"Task","Resource":"pass",%s}`, i, next)
		if i < n {
			b.WriteByte(',')
		}
	}
	b.WriteString("}}")
	return b.String()
}

// functions are the user's code: nothing that takes time.
func functions(_ context.Context, code string, input []byte) protocol.Outcome {
	if code != "count" {
		return protocol.Outcome{Kind: protocol.Returned, Output: input}
	}
	var list []json.RawMessage
	if err := json.Unmarshal(input, &list); err != nil {
		return protocol.Outcome{Kind: protocol.Raised, Error: "NoList", Cause: err.Error()}
	}
	return protocol.Outcome{Kind: protocol.Returned, Output: fmt.Appendf(nil, "%d", len(list))}
}

// settings are those of one measurement.
type settings struct {
	functions int // that a run executes, for a check that it did
	together  int // runs at a time
	parallel  int // operations of an execution at a time; 0: as the runtime has it
	runs      int // 0: as the command line says
}

// measure runs a machine and returns how long the runs took, trimmed and sorted, in ms, and what one of them used.
func (b *bench) measure(ctx context.Context, machine, input string, s settings) ([]float64, cost.Usage, error) {
	app, err := compile.Machine([]byte(machine), compile.Options{Name: "bench"})
	if err != nil {
		return nil, cost.Usage{}, err
	}
	prog, err := program.New(app)
	if err != nil {
		return nil, cost.Usage{}, err
	}
	m := newMeasurement(&b.world, prog, s)
	runs := s.runs
	if runs == 0 {
		runs = b.runs
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, s.together)
	for i := range runs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			m.one(ctx, fmt.Sprintf("run-%d", i), input)
		})
	}
	wg.Wait()
	m.platform.running.Wait()
	if m.err != nil {
		return nil, cost.Usage{}, m.err
	}
	usage, _ := m.meter.Usage("run-0")
	return trim(m.took), usage, nil
}

// measurement is a runtime in the world, and what is measured of it.
type measurement struct {
	runtime  *unum.Runtime // of the functions: what it does is counted
	client   *unum.Runtime // of who starts runs and asks for them: of that, the invocation alone is counted
	platform *slowPlatform
	meter    *cost.Meter

	mu    sync.Mutex
	begun map[string]time.Time
	ended map[string]chan time.Time
	took  []float64
	err   error
}

func newMeasurement(w *world, prog protocol.Program, s settings) *measurement {
	m := &measurement{meter: cost.NewMeter(), begun: map[string]time.Time{}, ended: map[string]chan time.Time{}}
	m.platform = &slowPlatform{world: w, handle: m.handle, failed: m.fail}
	store := &slowStore{Store: memory.New(), world: w}
	m.runtime = &unum.Runtime{
		Store: &watchedStore{Store: m.meter.Store(store), m: m}, Platform: m.meter.Platform(m.platform), Program: prog, Parallel: s.parallel,
	}
	m.client = &unum.Runtime{Store: store, Platform: m.runtime.Platform, Program: prog}
	return m
}

func (m *measurement) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil {
		m.err = err
	}
	for run, ch := range m.ended {
		close(ch)
		delete(m.ended, run)
	}
}

// handle executes a request; the first of a run begins its time.
func (m *measurement) handle(ctx context.Context, payload []byte) error {
	req, err := unum.DecodeRequest(payload)
	if err != nil {
		return err
	}
	start := time.Now()
	m.mu.Lock()
	if _, ok := m.begun[req.Run]; !ok {
		m.begun[req.Run] = start
	}
	m.mu.Unlock()
	err = m.runtime.Execute(ctx, req, functions)
	m.meter.Execution(req.Run, 128, time.Since(start))
	return err
}

// one runs the machine once.
func (m *measurement) one(ctx context.Context, run, input string) {
	done := make(chan time.Time, 1)
	m.mu.Lock()
	m.ended[run] = done
	m.mu.Unlock()
	if _, err := m.client.Start(ctx, run, []byte(input), 0); err != nil {
		m.fail(err)
		return
	}
	end, ok := <-done
	if !ok {
		return
	}
	m.mu.Lock()
	m.took = append(m.took, float64(end.Sub(m.begun[run]).Microseconds())/1000)
	m.mu.Unlock()
	if d, err := m.client.Describe(ctx, run); err != nil || d.Status != unum.Succeeded {
		m.fail(fmt.Errorf("%s has not succeeded: %+v, %w", run, d, err))
	}
}

// watchedStore tells when the record of a run has ended.
type watchedStore struct {
	unum.Store
	m *measurement
}

func (s *watchedStore) Advance(ctx context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	cur, ok, err := s.Store.Advance(ctx, key, nonce, from, rec)
	if ok && rec.Ended {
		s.m.mu.Lock()
		defer s.m.mu.Unlock()
		if ch := s.m.ended[key]; ch != nil {
			ch <- time.Now()
			delete(s.m.ended, key)
		}
	}
	return cur, ok, err
}
