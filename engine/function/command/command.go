// Package command runs a function as a plain command: one process per call, JSON on standard input, JSON
// on standard output.
//
// Exit status 0 is success, and what was printed is the result (nothing: null). Any other status is a
// failure: when standard output holds a JSON object with an errorType, that is the error and the object its
// cause, as from a Lambda function; otherwise the error is Runtime.ExitError and its message ends in what
// the command wrote last to standard error. The command runs in a process group of its own, which is killed
// when the command ends, at its time-out, and when its caller goes away.
//
// The environment has this node's variables, then WEFT_FUNCTION, WEFT_REQUEST_ID, WEFT_RUN, WEFT_ATTEMPT,
// WEFT_KEY and WEFT_DEADLINE_MS (Unix milliseconds; absent without a deadline), then Config.Env.
//
//	c, err := command.New(command.Config{Name: "bill", Argv: []string{"./bill.sh"}, Dir: "/srv/bill"})
//	res, err := c.Invoke(ctx, &function.Request{Function: "bill", ID: id, Input: input, Timeout: time.Minute})
package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/function/process"
	"github.com/weftworks/weft/fault"
)

// Config says what to run. Name and Argv are needed.
type Config struct {
	Name string
	Argv []string // a program (a path with a slash is relative to Dir) and its arguments; no shell is involved
	Dir  string   // where it runs; "": the node's working directory
	Env  []string // "KEY=value", added last
	// ResponseBytes bounds what it may print to standard output. 0: function.ResponseBytes.
	ResponseBytes int
	// Lines gets every line written to standard error. It must not block, and be safe for concurrent use.
	Lines func(function.LogLine)
}

// Command is a function that runs as a command. It implements function.Invoker, function.StatsSource and
// io.Closer.
type Command struct {
	cfg    Config
	ctx    context.Context
	cancel context.CancelFunc

	mu     sync.Mutex
	closed bool
	alive  int
	starts int64
	calls  sync.WaitGroup
}

// New makes a Command. Nothing is started before the first call.
func New(cfg Config) (*Command, error) {
	if cfg.Name == "" || len(cfg.Argv) == 0 || cfg.Argv[0] == "" || cfg.ResponseBytes < 0 {
		return nil, fault.New("command.New", fault.InvalidArgument, cfg.Name, "Name and Argv are needed, ResponseBytes must not be negative")
	}
	if cfg.ResponseBytes == 0 {
		cfg.ResponseBytes = function.ResponseBytes
	}
	c := &Command{cfg: cfg}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// enter counts a call in, unless the Command is closed.
func (c *Command) enter() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.alive++
	c.starts++
	c.calls.Add(1)
	return true
}

func (c *Command) leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.alive--
	c.calls.Done()
}

// AddStats implements function.StatsSource.
func (c *Command) AddStats(s *function.Stats) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.Processes, s.Starts = c.alive, c.starts
}

// Close kills what runs and waits for it. Its callers get function.Closed.
func (c *Command) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	c.calls.Wait()
	return nil
}

// Invoke implements function.Invoker.
func (c *Command) Invoke(ctx context.Context, req *function.Request) (*function.Result, error) {
	if !c.enter() {
		return nil, function.Closed(c.cfg.Name)
	}
	defer c.leave()
	run := &run{cmd: c, req: req, stdout: bounded{most: c.cfg.ResponseBytes}}
	if err := run.start(); err != nil {
		return nil, err
	}
	why := run.watch(ctx)
	return run.outcome(why)
}

// run is one process.
type run struct {
	cmd    *Command
	req    *function.Request
	out    *process.Output // standard error
	proc   *process.Process
	answer sync.WaitGroup // readers of standard output
	stdout bounded
	pipe   *os.File
	end    error
}

func (r *run) start() error {
	cfg := &r.cmd.cfg
	fail := func(err error) error {
		e := function.Failure("Runtime.InvalidEntrypoint", "cannot start %q: %v", cfg.Argv[0], err)
		e.StartFailed = true
		return e
	}
	out, err := process.NewOutput(function.TailBytes, r.line)
	if err != nil {
		return fail(err)
	}
	r.out = out
	reader, writer, err := os.Pipe()
	if err != nil {
		out.Close()
		return fail(err)
	}
	r.pipe = reader
	cmd := exec.Command(cfg.Argv[0], cfg.Argv[1:]...)
	cmd.Dir = cfg.Dir
	cmd.Env = r.environment()
	cmd.Stdin = bytes.NewReader(r.req.Input)
	cmd.Stdout = writer
	cmd.WaitDelay = time.Second // for input that nobody reads
	r.proc, err = process.Start(cmd, out)
	_ = writer.Close()
	if err != nil {
		_ = reader.Close()
		out.Close()
		return fail(err)
	}
	r.answer.Go(func() { r.stdout.fill(reader, r.proc.Kill) })
	return nil
}

func (r *run) line(text string) {
	if sink := r.cmd.cfg.Lines; sink != nil {
		sink(function.LogLine{Function: r.cmd.cfg.Name, ID: r.req.ID, Text: text})
	}
}

func (r *run) environment() []string {
	env := append(os.Environ(),
		"WEFT_FUNCTION="+r.cmd.cfg.Name,
		"WEFT_REQUEST_ID="+r.req.ID,
		"WEFT_RUN="+r.req.Run,
		fmt.Sprintf("WEFT_ATTEMPT=%d", r.req.Attempt),
		"WEFT_KEY="+r.req.Key,
	)
	limit := r.req.Deadline
	if t := r.req.Timeout; t > 0 && (limit.IsZero() || time.Now().Add(t).Before(limit)) {
		limit = time.Now().Add(t)
	}
	if !limit.IsZero() {
		env = append(env, fmt.Sprintf("WEFT_DEADLINE_MS=%d", limit.UnixMilli()))
	}
	return append(env, r.cmd.cfg.Env...)
}

// watch waits for the end of the process, which it brings about when the time is over or nobody wants the
// answer. It returns why, or nil when the process ended by itself.
func (r *run) watch(ctx context.Context) error {
	var late, expired <-chan time.Time
	if t := r.req.Timeout; t > 0 {
		timer := time.NewTimer(t)
		defer timer.Stop()
		late = timer.C
	}
	if limit := r.req.Limit(ctx); !limit.IsZero() {
		timer := time.NewTimer(time.Until(limit))
		defer timer.Stop()
		expired = timer.C
	}
	ended := make(chan struct{})
	go func() {
		r.end = r.proc.Wait()
		close(ended)
	}()
	var why error
	select {
	case <-ended:
	case <-late:
		why = function.TimedOut(r.req.ID, r.req.Timeout)
	case <-expired:
		why = function.DeadlinePassed()
	case <-ctx.Done():
		why = function.Ended(ctx)
	case <-r.cmd.ctx.Done():
		why = function.Closed(r.cmd.cfg.Name)
	}
	if why != nil {
		r.proc.Kill()
		<-ended
	}
	// What left the process group may hold the pipe: give its end a bound.
	_ = r.pipe.SetReadDeadline(time.Now().Add(time.Second))
	r.answer.Wait()
	_ = r.pipe.Close()
	return why
}

// outcome says what became of the call.
func (r *run) outcome(why error) (*function.Result, error) {
	r.out.Close()
	tail := r.out.Cut()
	var own *function.Error
	switch {
	case errors.As(why, &own):
	case why != nil:
		return nil, why
	case r.stdout.over:
		own = function.TooLarge(r.cmd.cfg.ResponseBytes)
	case r.end != nil && !errors.Is(r.end, exec.ErrWaitDelay):
		own = r.failed(tail)
	default:
		out, bad := function.Answer(r.stdout.data)
		if bad == nil {
			return &function.Result{Output: out, LogTail: tail}, nil
		}
		own = bad
	}
	own.LogTail = tail
	return nil, own
}

// failed is the error of a command that ended with another status than 0.
func (r *run) failed(tail string) *function.Error {
	var doc struct {
		Type string `json:"errorType"`
	}
	if json.Unmarshal(r.stdout.data, &doc) == nil && doc.Type != "" {
		return function.Posted(bytes.TrimSpace(r.stdout.data), "")
	}
	message := fmt.Sprintf("%s: %s", r.cmd.cfg.Argv[0], process.Reason(r.end))
	if tail = strings.TrimSpace(tail); tail != "" {
		message += ": " + tail
	}
	return function.Failure("Runtime.ExitError", "RequestId: %s Error: %s", r.req.ID, message)
}

// bounded collects at most a number of bytes.
type bounded struct {
	most int
	data []byte
	over bool
}

// fill reads f to its end, or until there is too much: then it calls stop.
func (b *bounded) fill(f *os.File, stop func()) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := f.Read(buffer)
		if b.over {
			n = 0
		}
		if len(b.data)+n > b.most {
			b.over, b.data = true, nil
			stop()
		} else {
			b.data = append(b.data, buffer[:n]...)
		}
		if err != nil {
			return
		}
	}
}
