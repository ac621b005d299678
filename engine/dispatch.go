package engine

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
)

// dispatcher calls functions for partitions and brings back their answers.
type dispatcher struct {
	node *Node
	wg   sync.WaitGroup

	shards [64]dispatchShard
}

// dispatchShard holds the calls in flight whose reference falls on it.
type dispatchShard struct {
	mu     sync.Mutex
	calls  map[callKey]*flight
	closed bool // no call is begun any more
}

// flight is one call in flight, and the context of its function. Most functions never ask their context for more than a
// value, so what can be cancelled is made when somebody wants to know.
type flight struct {
	key  callKey
	call partition.Invocation
	req  function.Request

	mu     sync.Mutex
	real   context.Context
	cancel context.CancelCauseFunc // of real
	cause  error                   // why it ended; nil: it has not
}

// stop ends the context.
func (f *flight) stop(cause error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cause == nil {
		f.cause = cause
	}
	if f.cancel != nil {
		f.cancel(cause)
	}
}

// ended returns why the context has ended, or nil.
func (f *flight) ended() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.cause
}

func (f *flight) context() context.Context {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.real == nil {
		f.real, f.cancel = context.WithCancelCause(context.Background())
		if f.cause != nil {
			f.cancel(f.cause)
		}
	}
	return f.real
}

// Deadline implements context.Context: time-outs are the registry's.
func (f *flight) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context.
func (f *flight) Done() <-chan struct{} { return f.context().Done() }

// Err implements context.Context.
func (f *flight) Err() error {
	if f.ended() == nil {
		return nil
	}
	return context.Canceled
}

// Value implements context.Context. Package context asks it for what only the real one knows.
func (f *flight) Value(key any) any { return f.context().Value(key) }

type callKey struct {
	partition partition.ID
	ref       partition.Ref
	id        uint64
}

var (
	errCancelled = errors.New("the answer is not wanted any more")
	errAnswered  = errors.New("the call has been answered")
)

func newDispatcher(n *Node) *dispatcher {
	d := &dispatcher{node: n}
	for i := range d.shards {
		d.shards[i].calls = make(map[callKey]*flight)
	}
	return d
}

func (d *dispatcher) shard(k callKey) *dispatchShard {
	return &d.shards[(uint64(k.ref)*31+k.id+uint64(k.partition)*17)%uint64(len(d.shards))]
}

// invoke calls a function on a goroutine of its own. A node that closes calls none: the next start makes the call.
func (d *dispatcher) invoke(p partition.ID, ref partition.Ref, call partition.Invocation) {
	f := &flight{key: callKey{p, ref, call.ID}, call: call}
	s := d.shard(f.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.calls[f.key] = f
	d.wg.Add(1) // before close waits: it has s.mu after this
	go d.run(f)
}

func (d *dispatcher) run(f *flight) {
	call := &f.call
	id := requestID(f.key)
	f.req = function.Request{
		Function: call.Function, Attempt: 1, ID: id, Key: id, Run: call.Instance,
		ConcurrencyKey: call.Key, Tenant: call.Tenant, Priority: call.Priority, Heartbeat: time.Duration(call.HeartbeatMS) * time.Millisecond,
		Patient: true, // this goroutine has nothing else to do
	}
	if call.TimeoutMS > 0 {
		f.req.Deadline = time.Now().Add(time.Duration(call.TimeoutMS) * time.Millisecond)
	}
	var res *function.Result
	var err error
	returned := false
	defer func() { // deferred: user code may end the goroutine
		if !returned {
			err = function.GoroutineEnded()
		}
		d.answer(f, res, err)
	}()
	if f.req.Input, err = d.node.values.Text(call.Input); err != nil {
		err = function.Failure("Weft.Unreadable", "the call's input cannot be read: %v", err)
	} else if own := d.node.ownAction(f); own != nil {
		res, err = own.invoke(f)
	} else {
		if call.Function == statemachine.ReadItems || call.Function == statemachine.ExportResults {
			res, err = d.node.mapCall(f, call.Function, f.req.Input)
		} else if _, ok := asl.IntegrationName(call.Function); ok {
			f.req.Run = d.execution(call.Instance)
			res, err = d.node.opts.Integrations.Invoke(f, &f.req)
		} else {
			res, err = d.node.opts.Functions.Invoke(f, &f.req)
		}
	}
	returned = true
}

// execution returns the ARN of the run that an instance is. Names of express runs have a part that is theirs alone.
func (d *dispatcher) execution(instance string) string {
	machine, run, ok := statemachine.SplitRun(instance)
	if !ok {
		return instance
	}
	return d.node.library.RunARN(machine, run, strings.Contains(run, ":"))
}

// answer takes a call's answer to its partition.
func (d *dispatcher) answer(f *flight, res *function.Result, err error) {
	defer d.wg.Done()
	k, call := f.key, &f.call
	s := d.shard(k)
	s.mu.Lock()
	if s.calls[k] == f {
		delete(s.calls, k)
	}
	s.mu.Unlock()
	// A registry that was closed before the node says fault.Unavailable: no word on the call itself.
	wanted := f.ended() == nil && (err == nil || !fault.Is(err, fault.Unavailable))
	f.stop(errAnswered)
	if !wanted {
		return // cancelled, or the node closes: the call is made again after the next start
	}
	if err == nil && res == nil {
		err = function.Failure("Lambda.Unknown", "the function's invoker answered neither a result nor an error")
	}
	if err == nil && forWorkflows(call.Instance) {
		if !partition.IsText(res.Output) { // nobody but us makes references
			res.Output, err = nil, function.Failure("Lambda.Unknown", "the function's result is not JSON")
		} else if res.Output, err = d.node.values.Shrink(res.Output); err != nil {
			err = function.Failure("Weft.Unwritable", "the function's result cannot be kept: %v", err)
		}
	}
	ev := partition.Event{Kind: partition.Done, Ref: k.ref, ID: k.id}
	if err != nil {
		ev.Error, ev.Cause, ev.Flag, ev.Final = failureOf(err)
		d.note(call.Function, err)
	} else {
		ev.Body = res.Output
		if call.Logs {
			ev.LogTail = res.LogTail
		}
	}
	_ = d.node.lanes[k.partition].Submit(lane.Item{Event: ev, Internal: true}) // a failed log has told everybody
}

// note logs a failed call with the end of what the function wrote.
func (d *dispatcher) note(name string, err error) {
	log := d.node.opts.Logger
	if !log.Enabled(context.Background(), slog.LevelInfo) {
		return
	}
	attrs := []any{"function", name, "error", err.Error()}
	var e *function.Error
	if errors.As(err, &e) && e.LogTail != "" {
		attrs = append(attrs, "log_tail", e.LogTail)
	}
	log.Info("a function call failed", attrs...)
}

func failureOf(err error) (name, cause string, startFailed, final bool) {
	var e *function.Error
	if errors.As(err, &e) && e.Type != "" {
		return e.Type, e.Cause, e.StartFailed, e.Final
	}
	if e != nil {
		return "Lambda.Unknown", e.Cause, e.StartFailed, e.Final // a Done without any of them is a success
	}
	return "Lambda.Unknown", err.Error(), false, false
}

// cancel tells a call in flight that nobody waits for it.
func (d *dispatcher) cancel(k callKey) {
	s := d.shard(k)
	s.mu.Lock()
	f := s.calls[k]
	s.mu.Unlock()
	if f != nil {
		f.stop(errCancelled)
	}
}

// closeGrace is how long a closing node waits for functions that do not heed their context. Their calls are made again
// after the next start.
const closeGrace = 5 * time.Second

// close ends all calls and waits for them.
func (d *dispatcher) close() {
	for i := range d.shards {
		s := &d.shards[i]
		s.mu.Lock()
		s.closed = true
		for _, f := range s.calls {
			f.stop(function.Closed(f.call.Function)) // so that a function can tell it from a cancelled run
		}
		s.mu.Unlock()
	}
	ended := make(chan struct{})
	go func() {
		d.wg.Wait()
		close(ended)
	}()
	select {
	case <-ended:
	case <-time.After(closeGrace):
		d.node.opts.Logger.Warn("functions in this process do not heed their context; closing without them")
	}
}

// requestID names an attempt, as the Lambda Runtime API wants it: the shape of a UUID, the call's place inside.
func requestID(k callKey) string {
	b := make([]byte, 0, 36)
	b = appendHex(b, uint64(k.partition), 8)
	b = append(b, '-')
	b = appendHex(b, uint64(k.ref)>>32, 4)
	b = append(b, '-')
	b = appendHex(b, uint64(k.ref)>>16, 4)
	b = append(b, '-')
	b = appendHex(b, uint64(k.ref), 4)
	b = append(b, '-')
	return string(appendHex(b, k.id, 12))
}

func appendHex(b []byte, v uint64, digits int) []byte {
	for shift := 4 * (digits - 1); shift >= 0; shift -= 4 {
		b = append(b, "0123456789abcdef"[v>>shift&15])
	}
	return b
}
