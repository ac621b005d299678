package lambdaruntime

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"sync/atomic"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/function/process"
)

type state uint8

// The states of a process; see the package comment.
const (
	starting state = iota
	idle
	busy
	answered
	dead
)

// worker is one process with its server.
type worker struct {
	pool *Pool
	work chan *call    // a call for a process that is idle; capacity 1
	gone chan struct{} // closed when the process has ended
	// conns counts open connections of the server; quiet has a value when it fell to zero.
	conns atomic.Int64
	quiet chan struct{}

	out       *process.Output
	proc      *process.Process
	servingID atomic.Value // string: the id of the call whose output is coming

	// Below: Pool.mu.
	state     state
	current   *call // while busy, and while answered for the limit's sake
	since     time.Time
	started   time.Time
	initTimer *time.Timer
	limit     *time.Timer // ends the current call
	doomed    bool        // kill was asked for, perhaps before there was a process
	stop      *time.Timer
}

func newWorker(p *Pool) *worker {
	return &worker{
		pool: p, work: make(chan *call, 1), gone: make(chan struct{}), quiet: make(chan struct{}, 1), started: time.Now(),
	}
}

// run starts the process and stays with it to its end.
func (w *worker) run() {
	command, err := w.pool.cfg.Launch.Launch(w.pool.ctx)
	if err != nil {
		w.pool.failStart(w, func(string) *function.Error { return launchFailure(err) })
		return
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		w.pool.failStart(w, func(string) *function.Error {
			return function.Failure("Runtime.InvalidEntrypoint", "no loopback port for the Runtime API: %v", err)
		})
		return
	}
	server := w.serve(listener)
	defer server.Close()
	if err := w.start(command, listener.Addr().String()); err != nil {
		w.pool.failStart(w, func(id string) *function.Error {
			return function.Failure("Runtime.InvalidEntrypoint", "RequestId: %s Error: %v", id, err)
		})
		w.closeOutput()
		return
	}
	w.pool.cfg.Log.Debug("process started", "function", w.pool.cfg.Name, "pid", w.proc.ID())
	end := w.proc.Wait()
	w.drain()
	w.ended(end)
	w.closeOutput()
	w.pool.cfg.Log.Debug("process ended", "function", w.pool.cfg.Name, "pid", w.proc.ID(), "status", process.Reason(end))
}

// launchFailure keeps the failure that a Launcher worded itself.
func launchFailure(err error) *function.Error {
	if e, ok := err.(*function.Error); ok {
		own := *e
		return &own
	}
	return function.Failure("Runtime.InvalidEntrypoint", "%v", err)
}

// serve starts the server of this process.
func (w *worker) serve(listener net.Listener) *http.Server {
	server := &http.Server{
		Handler:           w,
		ReadHeaderTimeout: time.Minute,
		MaxHeaderBytes:    1 << 20, // Lambda-Runtime-Function-Xray-Error-Cause may be large
		ErrorLog:          discardLog,
		ConnState: func(_ net.Conn, s http.ConnState) {
			switch s {
			case http.StateNew:
				w.conns.Add(1)
			case http.StateClosed, http.StateHijacked:
				if w.conns.Add(-1) == 0 {
					select {
					case w.quiet <- struct{}{}:
					default:
					}
				}
			}
		},
	}
	w.pool.alive.Go(func() { _ = server.Serve(listener) })
	return server
}

// start executes the command. On success the process may be signalled through kill and retire.
func (w *worker) start(command Command, api string) error {
	if len(command.Argv) == 0 {
		return errors.New("there is no command to start")
	}
	var err error
	if w.out, err = process.NewOutput(function.TailBytes, w.line); err != nil {
		return err
	}
	cmd := exec.Command(command.Argv[0], command.Argv[1:]...)
	cmd.Dir = command.Dir
	cmd.Env = w.environment(command, api)
	p := w.pool
	p.mu.Lock() // what the process does first may come before the rest of this
	w.initTimer = time.AfterFunc(p.cfg.Init, w.initExpired)
	p.mu.Unlock()
	proc, err := process.Start(cmd, w.out)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	w.proc = proc
	if w.doomed || p.closed {
		w.proc.Kill()
	}
	return nil
}

// environment is what the process finds: ours, Lambda's, the command's, the function's; the last one wins.
func (w *worker) environment(command Command, api string) []string {
	cfg := &w.pool.cfg
	env := os.Environ()
	if os.Getenv("AWS_REGION") == "" {
		region := orDefault(os.Getenv("AWS_DEFAULT_REGION"), "us-east-1")
		env = append(env, "AWS_REGION="+region, "AWS_DEFAULT_REGION="+region)
	}
	env = append(env,
		"AWS_LAMBDA_RUNTIME_API="+api,
		"AWS_LAMBDA_FUNCTION_NAME="+cfg.Name,
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		fmt.Sprintf("AWS_LAMBDA_FUNCTION_MEMORY_SIZE=%d", cfg.Memory),
		"AWS_LAMBDA_LOG_GROUP_NAME=/aws/lambda/"+cfg.Name,
		"AWS_LAMBDA_LOG_STREAM_NAME="+time.Now().UTC().Format("2006/01/02")+"/[$LATEST]"+api[len("127.0.0.1:"):],
		"AWS_LAMBDA_INITIALIZATION_TYPE=on-demand",
		"LAMBDA_TASK_ROOT="+command.Dir,
		"TZ=:UTC",
	)
	if command.Handler != "" {
		env = append(env, "_HANDLER="+command.Handler)
	}
	env = append(env, command.Env...)
	return append(env, cfg.Env...)
}

// line takes one line of output; process.Output calls it under its own lock.
func (w *worker) line(text string) {
	cfg := &w.pool.cfg
	id, _ := w.servingID.Load().(string)
	if cfg.Lines != nil {
		cfg.Lines(function.LogLine{Function: cfg.Name, ID: id, Text: text})
	}
	cfg.Log.Debug("function output", "function", cfg.Name, "request", id, "line", text)
}

// begin makes c the process's call. Pool.mu is held.
func (w *worker) begin(c *call) {
	w.state = busy
	w.current = c
	c.worker = w
	w.servingID.Store(c.req.ID)
	if t := c.req.Timeout; t > 0 {
		w.limit = time.AfterFunc(t, func() { w.pool.expire(c, function.TimedOut(c.req.ID, t)) })
	} else {
		w.limit = nil
	}
}

// kill ends the process and its group at once. Pool.mu is held.
func (w *worker) kill() {
	w.doomed = true
	if w.proc != nil {
		w.proc.Kill()
	}
}

// retire ends an idle process politely: its request for work stays open, for many runtimes would take an
// answer for a reason to end before they have heard the signal. Pool.mu is held.
func (w *worker) retire() {
	w.state = dead
	w.doomed = true
	if w.proc != nil {
		w.stop = w.proc.Stop(grace)
	}
}

// initExpired ends a process that has not asked for work in time.
func (w *worker) initExpired() {
	w.pool.failStart(w, func(id string) *function.Error {
		return function.Failure("Sandbox.Timedout", "RequestId: %s Error: Init timed out after %.2f seconds", id, w.pool.cfg.Init.Seconds())
	})
	w.pool.mu.Lock()
	defer w.pool.mu.Unlock()
	if w.state == dead {
		w.kill()
	}
}

// drain waits until the server has read everything that the ended process sent: the kernel closes its
// connections, and our side sees their ends after the last byte. The bound is for descriptors that
// somebody else inherited.
func (w *worker) drain() {
	close(w.gone)
	bound := time.NewTimer(time.Second)
	defer bound.Stop()
	for w.conns.Load() > 0 {
		select {
		case <-w.quiet:
		case <-bound.C:
			return
		}
	}
}

// ended takes the process out of the pool and fails what it was doing.
func (w *worker) ended(end error) {
	w.out.Drain()
	w.pool.failStart(w, func(id string) *function.Error { return exitFailure(id, end) })
	p := w.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range []*time.Timer{w.initTimer, w.limit, w.stop} {
		if t != nil {
			t.Stop()
		}
	}
	delete(p.processes, w)
	p.forgetIdle(w)
	if w.state == answered {
		p.answered--
	}
	if c := w.current; c != nil {
		e := exitFailure(c.req.ID, end)
		e.LogTail = w.out.Cut()
		c.finish(outcome{err: e})
		w.current = nil
	}
	w.state = dead
	p.startMore(true)
}

func exitFailure(id string, end error) *function.Error {
	if reason := process.Reason(end); reason != "" {
		return function.Failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited with error: %s", id, reason)
	}
	return function.Failure("Runtime.ExitError", "RequestId: %s Error: Runtime exited without providing a reason", id)
}

// tail returns what the process wrote last, if it ever ran.
func (w *worker) tail() string {
	if w.out == nil {
		return ""
	}
	w.out.Drain()
	return w.out.Cut()
}

func (w *worker) closeOutput() {
	if w.out != nil {
		w.out.Close()
	}
}
