// Package process starts operating-system processes that must not outlive their function, and captures
// what they write.
//
// Every process leads a process group of its own, so that Kill reaches its children too. On Linux the
// kernel kills the process itself when this node dies, however it dies (a parent-death signal); its own
// children are then the business of that process. The signal is tied to the thread that forked, so one
// goroutine, locked to its thread for as long as any child lives, does all the forking.
//
//	out, err := process.NewOutput(func(line string) { ... })
//	p, err := process.Start(cmd, out)
//	...
//	p.Kill()
//	err = p.Wait()
package process

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"time"
)

// Process is a started process.
type Process struct {
	cmd    *exec.Cmd
	mu     sync.Mutex // between signals and the moment the process id may be somebody else's
	reaped bool
}

// Start starts cmd as the leader of a new process group. If out is not nil, standard output and standard
// error go there, unless cmd names files for them. Every started process must be waited for.
func Start(cmd *exec.Cmd, out *Output) (*Process, error) {
	if out != nil {
		defer out.started()
		if cmd.Stdout == nil {
			cmd.Stdout = out.w
		}
		if cmd.Stderr == nil {
			cmd.Stderr = out.w
		}
	}
	isolate(cmd)
	if err := forker.start(cmd); err != nil {
		return nil, err
	}
	return &Process{cmd: cmd}, nil
}

// ID returns the process id, which is also that of its group.
func (p *Process) ID() int { return p.cmd.Process.Pid }

// Kill ends the process and all of its group at once. It does nothing once Wait has seen the end.
func (p *Process) Kill() { p.signal(os.Kill) }

// Stop asks the process and its group to end, and kills them after grace.
func (p *Process) Stop(grace time.Duration) *time.Timer {
	p.signal(os.Interrupt)
	return time.AfterFunc(grace, p.Kill)
}

func (p *Process) signal(s os.Signal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.reaped {
		signalGroup(p.cmd.Process, s)
	}
}

// Wait waits for the end of the process, kills what is left of its group and returns how it ended, as
// exec.Cmd.Wait does.
func (p *Process) Wait() error {
	defer forker.ended()
	if !awaitEnd(p.cmd.Process) {
		err := p.cmd.Wait()
		p.mu.Lock()
		defer p.mu.Unlock()
		signalGroup(p.cmd.Process, os.Kill)
		p.reaped = true
		return err
	}
	p.mu.Lock()
	signalGroup(p.cmd.Process, os.Kill) // the group's id cannot be reused before its leader is reaped
	p.reaped = true
	p.mu.Unlock()
	return p.cmd.Wait()
}

// Reason says how a process ended, in Lambda's words: "exit status 1", "signal: killed"; "" for success.
func Reason(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ProcessState.String()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// thread is the goroutine that forks. It exists while children do.
type thread struct {
	mu       sync.Mutex
	children int
	work     chan func()
}

var forker thread

// start runs cmd.Start on the locked thread.
func (t *thread) start(cmd *exec.Cmd) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.children == 0 {
		t.work = make(chan func())
		go func(work chan func()) {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for f := range work {
				f()
			}
		}(t.work)
	}
	t.children++
	result := make(chan error, 1)
	t.work <- func() { result <- cmd.Start() }
	err := <-result
	if err != nil {
		t.release()
	}
	return err
}

// ended says that a child was reaped.
func (t *thread) ended() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.release()
}

func (t *thread) release() {
	t.children--
	if t.children == 0 {
		close(t.work)
		t.work = nil
	}
}
