package unum

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/protocol"
)

// DefaultKeep is how long a datastore keeps what nobody collected, and results, from the last write on. It is far longer
// than a platform goes on trying to deliver a request (Lambda: 6 hours), so that no duplicate outlives its run's record.
const DefaultKeep = 7 * 24 * time.Hour

// DefaultPatience is long for a fan-out, and short beside the minute after which Lambda tries again.
const DefaultPatience = 3 * time.Second

// DefaultParallel is how many operations an execution has under way at a time.
const DefaultParallel = 128

// Runtime executes the instances of one application. The zero value of what is optional is usable; a Runtime must not
// change once in use and is safe for concurrent use.
type Runtime struct {
	Store    Store
	Platform Platform
	Program  protocol.Program
	// Keep is how long records live after their last write, or after the time that their line waits for; 0: DefaultKeep. A
	// fan-out, and a Wait that follows it directly, have to be over within it: the record of the line that forked is not
	// written meanwhile.
	Keep time.Duration
	// Parallel bounds the operations that an execution has under way at a time; 0: DefaultParallel.
	Parallel int
	// Inline is how many bytes of a checkpoint a record holds; 0: protocol.DefaultInline.
	Inline int
	// Redeliveries is how often a request that the platform has given up is given to it again, before that counts as the
	// failure of the instance, which Retry and Catch see. 0: it counts at once. Who expects the sandbox to die for reasons
	// that have nothing to do with the code sets it.
	Redeliveries int
	// Patience is how long an execution that finds the checkpoint of a fork or a join made leaves what follows to who made it
	// (protocol.Env.Later); 0: DefaultPatience. It is what a crash at such a place costs in time.
	Patience time.Duration
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Nonce draws what tells records of the same key apart; nil: 72 random bits.
	Nonce func() string
	// Executed, if set, is told of every execution that came to its end.
	Executed func(req *protocol.Request, fate protocol.Fate)
}

// redeliveryDelay is the pause before the first redelivery; it doubles.
const redeliveryDelay = time.Second

// Run runs the user's code of a function. input is JSON; the outcome's Output must be. A Now of 0 becomes the time at which
// it returned.
type Run func(ctx context.Context, code string, input []byte) protocol.Outcome

// Handle executes the request that a platform has delivered. After an error the platform has to deliver it again; when it
// gives up, the request with Failure set (see Fail) takes its place.
func (r *Runtime) Handle(ctx context.Context, payload []byte, run Run) error {
	req, err := DecodeRequest(payload)
	if err != nil {
		return err
	}
	return r.Execute(ctx, req, run)
}

// Execute executes a request.
func (r *Runtime) Execute(ctx context.Context, req *protocol.Request, run Run) error {
	if req.Failure != nil && req.Attempt < r.Redeliveries {
		again := *req
		again.Failure, again.Attempt = nil, req.Attempt+1
		return r.invoke(ctx, &again, r.now().Add(redeliveryDelay<<min(req.Attempt, 8)).UnixMilli())
	}
	fate, err := protocol.Execute(r.env(), &driver{ctx: ctx, r: r, run: run}, r.Program, req)
	if err != nil {
		return fmt.Errorf("%s of run %s: %w", req.Function, req.Run, err)
	}
	if r.Executed != nil {
		r.Executed(req, fate)
	}
	return nil
}

// Fail returns the request that takes the place of one which the platform could not execute, having tried as often as it
// does: errorName and cause are what Retry and Catch see.
func (r *Runtime) Fail(payload []byte, errorName, cause string) (*protocol.Request, error) {
	req, err := DecodeRequest(payload)
	if err != nil {
		return nil, err
	}
	req.Failure = &protocol.Outcome{Kind: protocol.Broken, Error: errorName, Cause: cause, Now: r.now().UnixMilli()}
	return req, nil
}

// DecodeRequest returns the request of a payload; fault.InvalidInput when it is none.
func DecodeRequest(payload []byte) (*protocol.Request, error) {
	req := new(protocol.Request)
	if err := json.Unmarshal(payload, req); err != nil {
		return nil, fault.New("unum.handle", fault.InvalidInput, "", "the payload is no request of a workflow: %v", err)
	}
	if req.Version != protocol.Version {
		return nil, fault.New("unum.handle", fault.InvalidInput, req.Run, "the request is of version %d and this runtime knows version %d: deploy all functions of the application from one build", req.Version, protocol.Version)
	}
	return req, nil
}

// EncodeRequest returns the payload of a request.
func EncodeRequest(req *protocol.Request) ([]byte, error) { return json.Marshal(req) }

func (r *Runtime) now() time.Time {
	if r.Now != nil {
		return r.Now()
	}
	return time.Now()
}

func (r *Runtime) nonce() string {
	if r.Nonce != nil {
		return r.Nonce()
	}
	var b [9]byte
	rand.Read(b[:]) //nolint:errcheck // it never fails
	return hex.EncodeToString(b[:])
}

func (r *Runtime) env() *protocol.Env {
	keep := r.Keep
	if keep == 0 {
		keep = DefaultKeep
	}
	patience := r.Patience
	if patience == 0 {
		patience = DefaultPatience
	}
	now := r.now()
	return &protocol.Env{
		Nonce: r.nonce(), Expires: now.Add(keep).Unix(), Keep: int64(keep / time.Second), Later: now.Add(patience).UnixMilli(),
		Inline: r.Inline, Payload: r.Platform.MaxPayload(),
	}
}

// driver carries out the operations of one execution.
type driver struct {
	ctx context.Context
	r   *Runtime
	run Run
}

// Do carries out ops, several at a time.
func (d *driver) Do(ops []protocol.Op) ([]protocol.Answer, error) {
	answers := make([]protocol.Answer, len(ops))
	if len(ops) == 1 {
		var err error
		answers[0], err = d.do(d.ctx, &ops[0])
		return answers, err
	}
	limit := d.r.Parallel
	if limit == 0 {
		limit = DefaultParallel
	}
	ctx, cancel := context.WithCancelCause(d.ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, limit)
	for i := range ops {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if ctx.Err() != nil {
				return
			}
			var err error
			if answers[i], err = d.do(ctx, &ops[i]); err != nil {
				cancel(err)
			}
		})
	}
	wg.Wait()
	return answers, context.Cause(ctx)
}

func (d *driver) do(ctx context.Context, op *protocol.Op) (a protocol.Answer, err error) {
	store := d.r.Store
	switch op.Kind {
	case protocol.OpGet:
		a.Records, err = store.Get(ctx, op.Keys)
	case protocol.OpCreate:
		a.Record, a.OK, err = store.Create(ctx, op.Key, op.Record)
	case protocol.OpAdvance:
		a.Record, a.OK, err = store.Advance(ctx, op.Key, op.Nonce, op.Step, op.Record)
	case protocol.OpAdd:
		a.Record, a.OK, err = store.Add(ctx, op.Key, op.Nonce, op.Step, op.Member, op.Failed)
	case protocol.OpDelete:
		err = store.Delete(ctx, op.Keys)
	case protocol.OpPutBlob:
		err = store.PutBlob(ctx, op.Key, op.Data, op.Expires)
	case protocol.OpGetBlob:
		a.Data, err = store.GetBlob(ctx, op.Key)
		if a.OK = err == nil; fault.Is(err, fault.ResourceNotFound) {
			err = nil
		}
	case protocol.OpDeleteBlobs:
		err = store.DeleteBlobs(ctx, op.Keys)
	case protocol.OpInvoke:
		var notBefore time.Time
		if op.At != 0 {
			notBefore = time.UnixMilli(op.At)
		}
		err = d.r.Platform.Invoke(ctx, op.Request.Function, op.Payload, notBefore)
	case protocol.OpRun:
		a.Outcome, err = d.work(ctx, op)
	default:
		err = fmt.Errorf("operation %d is unknown", op.Kind)
	}
	return a, err
}

func (d *driver) work(ctx context.Context, op *protocol.Op) (*protocol.Outcome, error) {
	if op.Code == "" {
		return &protocol.Outcome{Kind: protocol.Returned, Output: op.Input, Now: d.r.now().UnixMilli()}, nil
	}
	began := d.r.now()
	out := d.run(ctx, op.Code, op.Input)
	out.Millis = d.r.now().Sub(began).Milliseconds()
	if err := context.Cause(ctx); err != nil {
		return nil, err // the platform has taken the time away: what the code came to is nothing to go by
	}
	if out.Now == 0 {
		out.Now = d.r.now().UnixMilli()
	}
	if out.Kind == protocol.Returned && !json.Valid(out.Output) {
		return nil, fmt.Errorf("the code of %s answered what is no JSON", op.Code)
	}
	return &out, nil
}

// invoke has a request delivered.
func (r *Runtime) invoke(ctx context.Context, req *protocol.Request, at int64) error {
	return protocol.Invoke(r.env(), &driver{ctx: ctx, r: r}, []protocol.Op{{Kind: protocol.OpInvoke, Request: req, At: at}})
}

// rootNonce is the nonce of a run's own record: it also says when the run was started, and with what.
func rootNonce(random string, started int64, input []byte) string {
	return random + "-" + strconv.FormatInt(started, 36) + "-" + inputHash(input)
}

func inputHash(input []byte) string {
	sum := sha256.Sum256(input)
	return hex.EncodeToString(sum[:8])
}
