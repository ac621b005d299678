package unum

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/protocol"
)

// Status is where a run stands.
type Status string

// The statuses, as Step Functions has them.
const (
	Running   Status = "RUNNING"
	Succeeded Status = "SUCCEEDED"
	Failed    Status = "FAILED"
	Aborted   Status = "ABORTED"
	TimedOut  Status = "TIMED_OUT"
)

// Description is what there is to say of a run.
type Description struct {
	Run     string          `json:"run"`
	Status  Status          `json:"status"`
	Started time.Time       `json:"started"`
	Stopped time.Time       `json:"stopped,omitzero"`
	Output  json.RawMessage `json:"output,omitempty"` // of a run that has succeeded
	Error   *string         `json:"error,omitempty"`  // of one that has not; nil when it has none
	Cause   *string         `json:"cause,omitempty"`
	Steps   int64           `json:"steps"`           // checkpoints on the run's own line so far
	Tally   *protocol.Tally `json:"tally,omitempty"` // of a run that has ended: what it took at least
}

// maxRunID bounds run ids: keys grow from them.
const maxRunID = 256

func checkRunID(op, run string) error {
	valid := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
	}
	if run == "" || len(run) > maxRunID || strings.IndexFunc(run, func(r rune) bool { return !valid(r) }) >= 0 {
		return fault.New(op, fault.InvalidName, run, "a run id has 1 to %d letters, digits, '-', '_' and '.'", maxRunID)
	}
	return nil
}

// Start starts a run under an id, which stays the same however often the caller tries: a run that was started before with
// the same input is not started again, and started is false. With another input that is fault.RunExists. A timeout above
// 0 ends the run as TIMED_OUT.
func (r *Runtime) Start(ctx context.Context, run string, input []byte, timeout time.Duration) (started bool, err error) {
	f, err := r.first(ctx, run, input)
	if err != nil || f.begun {
		return false, err
	}
	if err := r.deadlines(ctx, f, timeout); err != nil {
		return false, err
	}
	return f.created, r.invoke(ctx, f.req, f.at)
}

// Begin is Start for the function that runs begin with, when a platform has delivered the input there: it executes the
// first instance in place, which saves an invocation. Repeated, it continues what another execution left unfinished.
func (r *Runtime) Begin(ctx context.Context, run string, input []byte, timeout time.Duration, code Run) error {
	f, err := r.first(ctx, run, input)
	if err != nil {
		return err
	}
	if !f.begun {
		if err := r.deadlines(ctx, f, timeout); err != nil {
			return err
		}
	}
	if f.at != 0 && !f.begun {
		return r.invoke(ctx, f.req, f.at)
	}
	return r.Execute(ctx, f.req, code)
}

// firstCall is the first instance of a run.
type firstCall struct {
	req     *protocol.Request
	started int64 // Unix milliseconds
	at      int64 // when it is to execute, Unix milliseconds; 0: now
	expires int64 // when its time is up; 0: never
	created bool  // the run was made by this call
	begun   bool  // it has checkpointed, or the run has ended
}

// first makes the record of a run, or finds it.
func (r *Runtime) first(ctx context.Context, run string, input []byte) (*firstCall, error) {
	if err := checkRunID("unum.start", run); err != nil {
		return nil, err
	}
	if !json.Valid(input) {
		return nil, fault.New("unum.start", fault.InvalidInput, run, "the input is no JSON")
	}
	env, now := r.env(), r.now().UnixMilli()
	call, err := r.Program.Entry(run, input, now)
	if err != nil {
		return nil, err
	}
	rec := &Record{Nonce: rootNonce(env.Nonce, now, input), Expires: env.Expires + max(0, call.At-now)/1000}
	cur, created, err := r.Store.Create(ctx, run, rec)
	if err != nil {
		return nil, err
	}
	f := &firstCall{created: created}
	if !created {
		if _, hash, _ := splitNonce(cur.Nonce); hash != inputHash(input) {
			return nil, fault.New("unum.start", fault.RunExists, run, "a run with this id was started with another input: choose another id, or ask for its result")
		}
		rec, f.begun = cur, cur.Step > 0 || cur.Ended // if not, whoever made it may not have come to invoke anything
	}
	if f.started, _, _ = splitNonce(rec.Nonce); f.started != now {
		if call, err = r.Program.Entry(run, input, f.started); err != nil {
			return nil, err
		}
	}
	f.at = call.At
	f.req = &protocol.Request{Version: protocol.Version, Run: run, Function: call.Function, State: call.State, Tally: protocol.Tally{Entered: call.Entered}, Lines: []protocol.Line{{Nonce: rec.Nonce, Step: 1}}}
	if call.Timer {
		f.req.Timer = call.At
	} else {
		f.expires = call.Expires
	}
	return f, nil
}

// deadlines has the first instance told when its time is up, and the run ended when that of the run is.
func (r *Runtime) deadlines(ctx context.Context, f *firstCall, timeout time.Duration) error {
	var ops []protocol.Op
	if f.expires != 0 {
		late := *f.req
		late.Timer, late.Expired = f.expires, true
		ops = append(ops, protocol.Op{Kind: protocol.OpInvoke, Request: &late, At: f.expires})
	}
	if timeout > 0 {
		due := f.started + timeout.Milliseconds()
		end := &protocol.End{Failed: true, Status: string(TimedOut), Now: due} // without an error, as in Step Functions
		late := &protocol.Request{Version: protocol.Version, Run: f.req.Run, Function: f.req.Function, Lines: f.req.Lines, Cancel: end}
		ops = append(ops, protocol.Op{Kind: protocol.OpInvoke, Request: late, At: due})
	}
	return protocol.Invoke(r.env(), &driver{ctx: ctx, r: r}, ops)
}

// splitNonce returns what the nonce of a run's own record says.
func splitNonce(nonce string) (started int64, hash string, ok bool) {
	parts := strings.Split(nonce, "-")
	if len(parts) < 3 {
		return 0, "", false
	}
	started, err := strconv.ParseInt(parts[len(parts)-2], 36, 64)
	return started, parts[len(parts)-1], err == nil
}

// Describe returns where a run stands; fault.RunNotFound if there is none, or it ended so long ago that it is forgotten.
func (r *Runtime) Describe(ctx context.Context, run string) (*Description, error) {
	recs, err := r.Store.Get(ctx, []string{run})
	if err != nil {
		return nil, err
	}
	if recs[0] == nil {
		return nil, fault.New("unum.describe", fault.RunNotFound, run, "there is no run with this id, or its result has been forgotten")
	}
	return r.describe(ctx, run, recs[0])
}

func (r *Runtime) describe(ctx context.Context, run string, rec *Record) (*Description, error) {
	started, _, _ := splitNonce(rec.Nonce)
	d := &Description{Run: run, Status: Running, Started: time.UnixMilli(started).UTC(), Steps: rec.Step}
	if !rec.Ended {
		return d, nil
	}
	cp, err := r.checkpoint(ctx, rec)
	if err != nil {
		return nil, err
	}
	end := cp.End
	if end == nil {
		return nil, fault.New("unum.describe", fault.Corrupt, run, "the record of the run has ended without a result")
	}
	d.Stopped, d.Tally = time.UnixMilli(end.Now).UTC(), &cp.Tally
	switch {
	case !end.Failed:
		d.Status, d.Output = Succeeded, end.Output
		return d, nil
	case end.Status != "":
		d.Status = Status(end.Status)
	default:
		d.Status = Failed
	}
	if end.HasError {
		d.Error = &end.Error
	}
	if end.HasCause {
		d.Cause = &end.Cause
	}
	return d, nil
}

// checkpoint returns what a record holds.
func (r *Runtime) checkpoint(ctx context.Context, rec *Record) (*protocol.Checkpoint, error) {
	cp, err := protocol.DecodeCheckpoint(rec.Value)
	if err != nil || cp.Ref == "" {
		return cp, err
	}
	data, err := r.Store.GetBlob(ctx, cp.Ref)
	if err != nil {
		return nil, err
	}
	return protocol.DecodeCheckpoint(data)
}

// Wait returns the description of a run once it has ended, asking every interval at most.
func (r *Runtime) Wait(ctx context.Context, run string, interval time.Duration) (*Description, error) {
	for pause := min(interval, 5*time.Millisecond); ; pause = min(interval, pause*3/2) {
		d, err := r.Describe(ctx, run)
		if err != nil || d.Status != Running {
			return d, err
		}
		select {
		case <-ctx.Done():
			return d, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
}

// Cancel ends a run as ABORTED. Code that is running is not interrupted; nothing follows it. A run that has ended stays as
// it is: the description says how.
func (r *Runtime) Cancel(ctx context.Context, run, errorName, cause string) (*Description, error) {
	end := &protocol.End{
		Failed: true, Status: string(Aborted), Now: r.now().UnixMilli(),
		Error: errorName, HasError: errorName != "", Cause: cause, HasCause: cause != "",
	}
	rec, err := protocol.Cancel(r.env(), &driver{ctx: ctx, r: r}, run, "", end)
	if err != nil {
		return nil, err
	}
	if rec == nil {
		return nil, fault.New("unum.cancel", fault.RunNotFound, run, "there is no run with this id, or its result has been forgotten")
	}
	return r.describe(ctx, run, rec)
}

// Forget deletes the result of a run that has ended. From then on the id can be used again; a request of the old run that
// some platform still delivers finds nothing to continue.
func (r *Runtime) Forget(ctx context.Context, run string) error {
	rec, err := protocol.Forget(r.env(), &driver{ctx: ctx, r: r}, run)
	if err == nil && rec != nil && !rec.Ended {
		err = fault.New("unum.forget", fault.Conflict, run, "the run has not ended: cancel it first")
	}
	return err
}
