package faas

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

// Config is what a Service is made from. Its zero value is Lambda's.
type Config struct {
	// Region and Account are in the ARNs of functions. "": us-east-1 and 123456789012.
	Region, Account string
	// Concurrency is how many executions of all functions run at a time. 0: DefaultConcurrency.
	Concurrency int
	// Queue and QueueBytes bound the events that wait and their payloads together; past them Send is refused with
	// fault.Busy. 0: DefaultQueue, DefaultQueueBytes.
	Queue      int
	QueueBytes int64
	// Scale multiplies the delays between the attempts to execute an event. 0: 1, which is Lambda's minutes.
	Scale float64
	// Latency is how long it takes from Send to the event's first execution, besides what it waits for. nil: no time.
	Latency func() time.Duration
	// Faults makes rare things common.
	Faults Faults
	// Deliver takes the record of an event to a destination that is no function of this Service, an ARN. nil: there are
	// no others.
	Deliver func(ctx context.Context, destination string, record []byte) error
	// Log hears of events that are lost (warn). nil: slog.Default().
	Log *slog.Logger
}

func (c *Config) fill() {
	c.Region = orDefault(c.Region, "us-east-1")
	c.Account = orDefault(c.Account, "123456789012")
	c.Concurrency = orDefault(c.Concurrency, DefaultConcurrency)
	c.Queue = orDefault(c.Queue, DefaultQueue)
	c.QueueBytes = orDefault(c.QueueBytes, DefaultQueueBytes)
	c.Scale = orDefault(c.Scale, 1)
	c.Log = orDefault(c.Log, slog.Default())
	if c.Latency == nil {
		c.Latency = func() time.Duration { return 0 }
	}
}

func orDefault[T comparable](v, d T) T {
	var zero T
	if v == zero {
		return d
	}
	return v
}

// Settings is what a function's configuration says of its executions.
type Settings struct {
	// Timeout ends an execution with Sandbox.Timedout. 0: none.
	Timeout time.Duration
	// Reserved is how many executions run at a time, which are also kept free for it; 0 runs none. nil: what others have
	// not reserved.
	Reserved *int
	// MaxRetries is how often an event is executed again after the function failed, 0 to MostRetries. nil: DefaultRetries.
	MaxRetries *int
	// MaxAge is how old an event may become, LeastAge to DefaultAge. 0: DefaultAge.
	MaxAge time.Duration
	// OnSuccess and OnFailure get the record of an event when it is over: name or ARN of a function, or an ARN for
	// Config.Deliver. "": nobody.
	OnSuccess, OnFailure string
}

func (s *Settings) retries() int {
	if s.MaxRetries == nil {
		return DefaultRetries
	}
	return *s.MaxRetries
}

func (s *Settings) age() time.Duration { return orDefault(s.MaxAge, DefaultAge) }

func (s *Settings) check(name string) error {
	wrong := func(format string, args ...any) error {
		return fault.New("faas.Register", fault.InvalidArgument, name, format, args...)
	}
	switch {
	case s.Timeout < 0:
		return wrong("the time-out is %v; it must not be negative", s.Timeout)
	case s.Reserved != nil && *s.Reserved < 0:
		return wrong("the reserved concurrency is %d; it must not be negative", *s.Reserved)
	case s.retries() < 0 || s.retries() > MostRetries:
		return wrong("%d retries; it must be 0 to %d", s.retries(), MostRetries)
	case s.age() < LeastAge || s.age() > DefaultAge:
		return wrong("the event age is at most %v; it must be from %v to %v", s.age(), LeastAge, DefaultAge)
	}
	return nil
}

// Stats counts what became of executions and events since the Service was made.
type Stats struct {
	Running int // executions now
	Waiting int // events now, those that are not due included

	Invocations int64 // executions begun
	Errors      int64 // executions failed
	Throttles   int64 // refused or put off for want of concurrency
	Events      int64 // taken by Send
	Retries     int64 // executions of events after a failure
	Duplicates  int64 // deliveries that Faults added
	Exhausted   int64 // events given up: retries or age
	Lost        int64 // records that could not be delivered, and events whose function is gone
}

// Service runs functions. It is safe for concurrent use.
type Service struct {
	cfg    Config
	ctx    context.Context // of executions
	cancel context.CancelFunc
	alive  sync.WaitGroup // executions and deliveries

	mu        sync.Mutex
	functions map[string]*deployed
	queue     queue
	journal   *journal // nil: events are in memory only
	bytes     int64    // of payloads in queue
	serial    uint64
	shared    int // executions of functions that have reserved nothing
	reserved  int // concurrency reserved
	stats     Stats
	timer     *time.Timer
	closed    bool
	idle      []chan struct{} // closed when nothing waits or runs
}

// deployed is a function. Its fields belong to Service.mu.
type deployed struct {
	name     string
	code     *code
	settings Settings
	running  int
}

// code is what runs a function, until another takes its place and nothing runs it any more. Its fields belong to
// Service.mu.
type code struct {
	invoker function.Invoker
	running int
	retired bool
}

// New returns a Service without functions.
func New(cfg Config) *Service {
	cfg.fill()
	s := &Service{cfg: cfg, functions: make(map[string]*deployed)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// ARN is that of a function of this Service.
func (s *Service) ARN(name string) string {
	return "arn:aws:lambda:" + s.cfg.Region + ":" + s.cfg.Account + ":function:" + name
}

// Region and Account are in the Service's ARNs.
func (s *Service) Region() string  { return s.cfg.Region }
func (s *Service) Account() string { return s.cfg.Account }

// Register adds a function. Its name is new, as function.CheckName wants it. An invoker that is an io.Closer is closed
// once it has been replaced or removed and runs nothing more, or when the Service closes.
func (s *Service) Register(name string, invoker function.Invoker, settings Settings) error {
	const op = "faas.Register"
	if err := function.CheckName(name); err != nil {
		return fault.New(op, fault.InvalidName, name, "%w", err)
	}
	if invoker == nil {
		return fault.New(op, fault.InvalidArgument, name, "the invoker must not be nil")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return closing(op, name)
	}
	if s.functions[name] != nil {
		return fault.New(op, fault.Conflict, name, "a function of this name is registered already; replace it or give it another name")
	}
	f := &deployed{name: name, code: &code{invoker: invoker}}
	if err := s.settle(f, settings); err != nil {
		return err
	}
	s.functions[name] = f
	return nil
}

// Configure changes the settings of a function. Executions under way keep theirs.
func (s *Service) Configure(name string, change func(*Settings)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find("faas.Configure", name)
	if err != nil {
		return err
	}
	settings := f.settings
	change(&settings)
	return s.settle(f, settings)
}

// settle gives a function its settings and its share of the concurrency. The caller holds mu.
func (s *Service) settle(f *deployed, settings Settings) error {
	if err := settings.check(f.name); err != nil {
		return err
	}
	was, now := reservation(&f.settings), reservation(&settings)
	if rest := s.cfg.Concurrency - s.reserved + was - now; now > was && rest < min(UnreservedLeast, s.cfg.Concurrency-1) {
		return fault.New("faas.Register", fault.LimitExceeded, f.name,
			"reserving %d leaves %d executions at a time to functions that reserve nothing; reserve less", now, rest)
	}
	if (f.settings.Reserved == nil) != (settings.Reserved == nil) { // those under way count elsewhere from now on
		if settings.Reserved == nil {
			s.shared += f.running
		} else {
			s.shared -= f.running
		}
	}
	s.reserved += now - was
	f.settings = settings
	return nil
}

func reservation(s *Settings) int {
	if s.Reserved == nil {
		return 0
	}
	return *s.Reserved
}

// Replace gives a function another invoker. Executions under way end with the old one.
func (s *Service) Replace(name string, invoker function.Invoker) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find("faas.Replace", name)
	if err != nil {
		return err
	}
	s.retire(f.code)
	f.code = &code{invoker: invoker}
	return nil
}

// Remove takes a function out. Executions under way end; events that wait for it are lost.
func (s *Service) Remove(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find("faas.Remove", name)
	if err != nil {
		return err
	}
	delete(s.functions, f.name)
	s.retire(f.code)
	return s.settle(f, Settings{}) // gives back what it has reserved
}

// retire has an invoker closed as soon as it runs nothing. The caller holds mu.
func (s *Service) retire(c *code) {
	c.retired = true
	closer, ok := c.invoker.(io.Closer)
	if c.running > 0 || !ok {
		return
	}
	s.alive.Go(func() {
		if err := closer.Close(); err != nil {
			s.cfg.Log.Warn("what ran a function did not close", "error", err)
		}
	})
}

// find returns the function that a name or ARN means. The caller holds mu.
func (s *Service) find(op, name string) (*deployed, error) {
	if f := s.functions[name]; f != nil {
		return f, nil
	}
	if f := s.functions[function.NameOf(name)]; f != nil {
		return f, nil
	}
	return nil, fault.New(op, fault.ResourceNotFound, name, "Function not found: %s", s.ARN(function.NameOf(name)))
}

// Functions returns the names of all functions, sorted.
func (s *Service) Functions() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.functions))
}

// Settings returns those of a function.
func (s *Service) Settings(name string) (Settings, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f, err := s.find("faas.Settings", name)
	if err != nil {
		return Settings{}, err
	}
	return f.settings, nil
}

// Stats returns the counts.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Waiting = len(s.queue)
	return stats
}

// Wait returns when no event waits and nothing runs, or ctx ends.
func (s *Service) Wait(ctx context.Context) error {
	s.mu.Lock()
	done := make(chan struct{})
	s.idle = append(s.idle, done)
	s.rest()
	s.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// rest wakes those in Wait if there is nothing to wait for. The caller holds mu.
func (s *Service) rest() {
	if s.stats.Running > 0 || len(s.queue) > 0 {
		return
	}
	for _, done := range s.idle {
		close(done)
	}
	s.idle = nil
}

// Close refuses new calls and events, waits for the executions under way until ctx ends, then cancels them, and closes
// the invokers. Events that wait are lost, and counted, unless they are kept.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	if s.timer != nil {
		s.timer.Stop()
	}
	if n := len(s.queue); n > 0 && s.journal == nil {
		s.stats.Lost += int64(n)
		s.cfg.Log.Warn("events are lost: the service closes", "events", n)
	}
	s.queue, s.bytes = nil, 0
	s.rest()
	s.mu.Unlock()
	stop := context.AfterFunc(ctx, s.cancel)
	defer stop()
	s.alive.Wait()
	s.cancel()
	var all []error
	for _, f := range s.functions {
		if c, ok := f.code.invoker.(io.Closer); ok {
			all = append(all, c.Close())
		}
	}
	if s.journal != nil {
		all = append(all, s.journal.file.Close())
	}
	return errors.Join(all...)
}

func closing(op, name string) error {
	return fault.New(op, fault.Unavailable, name, "the service is closing")
}
