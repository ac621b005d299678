package wrapper

import (
	"context"
	"errors"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/function/process"
	"github.com/weftworks/weft/fault"
)

// ProcessConfig says how a language's runtime is started.
type ProcessConfig struct {
	Name string
	// Argv is the command, which asks $AWS_LAMBDA_RUNTIME_API for its work. It writes where this process writes, and has
	// what this process has: its environment, its open files (Lambda's log descriptor is one).
	Argv []string
	Dir  string   // where it runs; "": here
	Env  []string // "KEY=value", added last
	// Platform is the "host:port" of the platform's own Runtime API, which gets what the language's runtime asks for
	// beside invocations: extensions, telemetry. "": that is refused.
	Platform string
}

const (
	// grace is what a process gets between being asked to end and being killed. Lambda gives 500 ms for everything.
	grace = 300 * time.Millisecond
	// drainTime bounds the wait for what a process sent before it ended.
	drainTime = time.Second
)

// Process is code in a process that speaks the Lambda Runtime API: a language's own runtime. It is started again for
// the next call when it has died, or has been killed at a time-out. One call runs at a time, others wait. It implements
// function.Invoker and io.Closer.
type Process struct {
	cfg  ProcessConfig
	turn chan struct{} // holds one value while no call is under way

	mu     sync.Mutex
	life   *life // nil: none has begun, or the last is over
	closed bool
	lives  sync.WaitGroup
}

// NewProcess makes a Process. Nothing is started before Start or the first call.
func NewProcess(cfg ProcessConfig) (*Process, error) {
	if len(cfg.Argv) == 0 || cfg.Argv[0] == "" {
		return nil, fault.New("wrapper.NewProcess", fault.InvalidArgument, cfg.Name, "there is no command to start; name the program that runs the function's code")
	}
	p := &Process{cfg: cfg, turn: make(chan struct{}, 1)}
	p.turn <- struct{}{}
	return p, nil
}

// Start starts the process, and waits until it asks for work, has failed to, or ctx is done. What went wrong the next
// call will find again.
func (p *Process) Start(ctx context.Context) {
	l, _, err := p.alive()
	if err != nil {
		return
	}
	select {
	case <-l.asked:
	case <-l.over:
	case <-ctx.Done():
	}
}

// Close asks the process to end, kills it soon after, and waits for it. Its call fails with function.Closed.
func (p *Process) Close() error {
	p.mu.Lock()
	p.closed = true
	if p.life != nil {
		defer p.life.proc.Stop(grace).Stop()
	}
	p.mu.Unlock()
	p.lives.Wait()
	return nil
}

// alive returns the process that is alive, a new one if there is none.
func (p *Process) alive() (l *life, fresh bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, false, function.Closed(p.cfg.Name)
	}
	if p.life != nil {
		return p.life, false, nil
	}
	if l, err = begin(&p.cfg); err != nil {
		e := function.Failure("Runtime.InvalidEntrypoint", "cannot start %q: %v", p.cfg.Argv[0], err)
		e.StartFailed = true
		return nil, false, e
	}
	p.life = l
	p.lives.Go(func() {
		l.wait()
		p.mu.Lock()
		p.life = nil
		p.mu.Unlock()
		close(l.over)
	})
	return l, true, nil
}

// Invoke implements function.Invoker.
func (p *Process) Invoke(ctx context.Context, req *function.Request) (*function.Result, error) {
	a, err := p.exchange(ctx, req, headersOf(ctx, req))
	if err != nil {
		return nil, err
	}
	return a.result()
}

// exchange gives the process a call and returns its answer, whatever that is.
func (p *Process) exchange(ctx context.Context, req *function.Request, header http.Header) (*answer, error) {
	select {
	case <-p.turn:
		defer func() { p.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, function.Ended(ctx)
	}
	if req.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, req.Timeout, function.TimedOut(req.ID, req.Timeout))
		defer cancel()
	}
	c := &call{id: req.ID, header: header, input: req.Input, answer: make(chan *answer, 1)}
	l, err := p.give(ctx, c)
	if err != nil {
		return nil, err
	}
	select {
	case a := <-c.answer:
		return a, nil
	case <-ctx.Done():
		return nil, p.giveUp(ctx, l)
	case <-l.over:
	}
	select {
	case a := <-c.answer: // its last words
		return a, nil
	default:
	}
	if p.isClosed() {
		return nil, function.Closed(p.cfg.Name)
	}
	return nil, l.failure(req.ID, false)
}

// give hands a call to the process when it asks for work. A process that dies before was idle, or is one that cannot
// start: that is known when a fresh one has died too.
func (p *Process) give(ctx context.Context, c *call) (*life, error) {
	for {
		l, fresh, err := p.alive()
		if err != nil {
			return nil, err
		}
		select {
		case l.calls <- c:
			return l, nil
		case <-l.over:
			if fresh {
				return nil, l.failure(c.id, true)
			}
		case <-ctx.Done():
			return nil, p.giveUp(ctx, l)
		}
	}
}

// giveUp kills the process with a call that nobody waits for any more: what it does can no longer count.
func (p *Process) giveUp(ctx context.Context, l *life) error {
	l.proc.Kill()
	<-l.over
	return function.Ended(ctx)
}

func (p *Process) isClosed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}

// life is one process from its start to its end, and the Runtime API that it sees.
type life struct {
	name    string
	proc    *process.Process
	server  *http.Server
	forward http.Handler // nil: there is no platform behind
	asked   chan struct{}
	calls   chan *call    // taken by the request for the next invocation that waits
	gone    chan struct{} // closed when the process has ended
	over    chan struct{} // closed when all it said has been heard
	end     error         // how it ended; after gone

	mu      sync.Mutex
	ready   bool
	current *call           // given to it and not answered
	initErr *function.Error // what it says has kept it from starting
}

// call is an invocation for a process.
type call struct {
	id     string
	header http.Header
	input  []byte
	answer chan *answer // capacity 1
}

func begin(cfg *ProcessConfig) (*life, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &life{
		name: cfg.Name, asked: make(chan struct{}), calls: make(chan *call), gone: make(chan struct{}), over: make(chan struct{}),
	}
	if cfg.Platform != "" {
		l.forward = forwarder(cfg.Platform)
	}
	l.server = &http.Server{Handler: l, ReadHeaderTimeout: time.Minute, MaxHeaderBytes: headerBytes, ErrorLog: discardLog}
	cmd := exec.Command(cfg.Argv[0], cfg.Argv[1:]...)
	cmd.Dir = cfg.Dir
	cmd.Env = append(append(os.Environ(), "AWS_LAMBDA_RUNTIME_API="+listener.Addr().String()), cfg.Env...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = nil, os.Stdout, os.Stderr
	if l.proc, err = process.Start(cmd, nil); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	go func() { _ = l.server.Serve(listener) }()
	return l, nil
}

// wait waits for the end of the process, and until everything has been read that it sent.
func (l *life) wait() {
	l.end = l.proc.Wait()
	close(l.gone)
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if l.server.Shutdown(ctx) != nil {
		_ = l.server.Close()
	}
}

// failure says why a process has ended. atStart: before the call was given to it.
func (l *life) failure(id string, atStart bool) *function.Error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var e *function.Error
	if l.initErr != nil {
		own := *l.initErr
		e = &own
	} else if reason := process.Reason(l.end); reason != "" {
		e = function.Failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: %s", id, reason)
	} else {
		e = function.Failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited without providing a reason", id)
	}
	e.StartFailed = atStart
	return e
}
