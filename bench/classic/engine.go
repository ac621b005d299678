package classic

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/workflow"
)

// Options says how an Engine works.
type Options struct {
	Dir       string           // must exist and be empty
	Code      engine.Code      // of workflows and entities
	Functions function.Invoker // what they call
	// Partitions is how many control queues and tables there are. 0: 8, as with the engine.
	Partitions int
	// SyncDelay is added to every sync: storage that is further away.
	SyncDelay time.Duration
	// Parallel is how many accesses to storage may be under way at a time. 0: 128; the original has 25 a core.
	Parallel int
	// Extended keeps the code of a run in memory between its episodes, which then need no replay. The original calls that
	// extended sessions, and has them switched off.
	Extended bool
	// Logger gets what goes wrong. nil: slog.Default().
	Logger *slog.Logger
}

// Engine runs workflows and entities. Its methods are safe for concurrent use.
type Engine struct {
	opts       Options
	storage    storage
	partitions []*part
	work       *file // the work-item queue
	programs   map[partition.ProgramID]partition.Program
	numbers    atomic.Uint64 // of messages

	life    context.Context
	end     context.CancelCauseFunc
	mu      sync.Mutex // with closing, so that nothing begins when Close waits
	closing bool
	group   sync.WaitGroup
}

// part is one partition.
type part struct {
	control *file
	table   *file

	mu       sync.Mutex
	sessions map[string]*session // instances that are open, by name
	ended    map[string]*workflow.View
	waiters  map[string]chan struct{} // closed at the end of the run
}

var errClosed = errors.New("classic: the engine is closed")

// Open returns an engine on an empty directory.
func Open(o Options) (*Engine, error) {
	if o.Partitions == 0 {
		o.Partitions = 8
	}
	if o.Parallel == 0 {
		o.Parallel = 128
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	e := &Engine{
		opts: o, storage: storage{slots: make(chan struct{}, o.Parallel), delay: o.SyncDelay},
		programs: map[partition.ProgramID]partition.Program{workflow.RunsID: &workflow.Runs{}, workflow.EntitiesID: &workflow.Entities{}},
	}
	e.life, e.end = context.WithCancelCause(context.Background())
	var err error
	if e.work, err = e.storage.create(o.Dir, "work-items"); err != nil {
		return nil, err
	}
	for i := range o.Partitions {
		p := &part{sessions: make(map[string]*session), ended: make(map[string]*workflow.View), waiters: make(map[string]chan struct{})}
		e.partitions = append(e.partitions, p)
		if p.control, err = e.storage.create(o.Dir, "control-"+strconv.Itoa(i)); err != nil {
			return nil, errors.Join(err, e.Close())
		}
		if p.table, err = e.storage.create(o.Dir, "table-"+strconv.Itoa(i)); err != nil {
			return nil, errors.Join(err, e.Close())
		}
	}
	return e, nil
}

// Close ends the engine. What runs stays where it is. A second Close does nothing.
func (e *Engine) Close() error {
	e.mu.Lock()
	again := e.closing
	e.closing = true
	e.mu.Unlock()
	if again {
		return nil
	}
	e.end(errClosed)
	e.group.Wait()
	errs := []error{e.work.f.Close()}
	for _, p := range e.partitions {
		for _, f := range []*file{p.control, p.table} {
			if f != nil {
				errs = append(errs, f.f.Close())
			}
		}
		for _, s := range p.sessions {
			s.forget()
		}
	}
	return errors.Join(errs...)
}

// Stats returns what the engine has done to storage.
func (e *Engine) Stats() Stats { return e.storage.stats() }

// begin runs fn on a goroutine, unless the engine is closing.
func (e *Engine) begin(fn func() error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closing {
		return
	}
	e.group.Add(1)
	go func() {
		defer e.group.Done()
		if err := fn(); err != nil && e.life.Err() == nil {
			e.opts.Logger.Error("the engine has failed", "error", err)
			e.end(err)
		}
	}()
}

func (e *Engine) part(instance string) *part {
	return e.partitions[partition.Place(instance, len(e.partitions))]
}

// Start starts a run and returns its id once that is durable.
func (e *Engine) Start(name, version string, input []byte) (id string, err error) {
	id = uuid.NewString()
	m := workflow.Start{Workflow: name, Version: version, Input: input, Seed: rand.Uint64()}
	instance := workflow.RunInstance(id)
	p := e.part(instance)
	if _, err := p.table.write(&e.storage.commits, record(instance, input)); err != nil { // the instance's row: Pending
		return "", err
	}
	p.mu.Lock()
	p.waiters[id] = make(chan struct{})
	p.mu.Unlock()
	return id, e.tell(instance, workflow.RunsID, workflow.OpStart, m.Encode())
}

// Signal sends an operation to an entity and returns once that is durable.
func (e *Engine) Signal(name, key, operation string, input []byte) error {
	m := workflow.Operation{Name: operation, Input: input}
	return e.tell(workflow.EntityInstance(durable.EntityTarget(name, key)), workflow.EntitiesID, workflow.OpSignal, m.Encode())
}

// tell puts a message of a client into a queue and delivers it.
func (e *Engine) tell(to string, program partition.ProgramID, op uint8, body []byte) error {
	if err := context.Cause(e.life); err != nil {
		return err
	}
	m, err := e.put(partition.Event{Kind: partition.Message, Time: time.Now().UnixMilli(), To: to, Program: program, Op: op, Body: body}, to)
	if err != nil {
		return err
	}
	e.deliver(m)
	return nil
}

// Wait returns a run that Start has started once it has ended.
func (e *Engine) Wait(ctx context.Context, id string) (*workflow.View, error) {
	p := e.part(workflow.RunInstance(id))
	p.mu.Lock()
	ended := p.waiters[id]
	p.mu.Unlock()
	if ended == nil {
		return nil, fmt.Errorf("classic: nobody has started a run %q", id)
	}
	select {
	case <-ended:
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.life.Done():
		return nil, context.Cause(e.life)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	v := p.ended[id]
	delete(p.ended, id) // who has started it has seen it: a benchmark keeps no archive
	delete(p.waiters, id)
	return v, nil
}

// State returns the state of an entity as JSON, nil if there is none.
func (e *Engine) State(name, key string) ([]byte, error) {
	instance := workflow.EntityInstance(durable.EntityTarget(name, key))
	p := e.part(instance)
	p.mu.Lock()
	s := p.sessions[instance]
	p.mu.Unlock()
	if s == nil {
		return nil, nil
	}
	s.episode.Lock() // between two episodes
	defer s.episode.Unlock()
	if v, ok := s.core.View(s.ref()); ok {
		if entity, ok := v.State.(*workflow.Entity); ok {
			return entity.View().State, nil
		}
	}
	return nil, nil
}
