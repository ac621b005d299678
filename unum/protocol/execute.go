package protocol

import (
	"fmt"
	"slices"
	"strconv"
)

// Env is what an execution has from outside.
type Env struct {
	Nonce   string // drawn for this execution
	Expires int64  // of what it writes, Unix seconds
	// Inline is how many bytes of a checkpoint a record holds; larger ones are blobs. 0: DefaultInline.
	Inline int
}

// DefaultInline keeps a record far below what datastores allow (DynamoDB 400 KB, Firestore 1 MiB) and what a blob would cost
// more in requests than it saves in bytes.
const DefaultInline = 32 << 10

// inlineFork bounds the checkpoint in a record that many lines add themselves to: each time the datastore bills all of it.
const inlineFork = 1 << 10

// Fate is what became of an execution.
type Fate uint8

// The fates.
const (
	Won    Fate = iota + 1 // its checkpoint is the instance's
	Lost                   // another execution's was first, and it has continued with that
	Found                  // the checkpoint was there already: the code was not run
	Passed                 // nothing to checkpoint: a time has come
	Past                   // the line has moved on, or its scope is gone
)

func (f Fate) String() string {
	if int(f) < len(fates) {
		return fates[f]
	}
	return strconv.Itoa(int(f))
}

var fates = [...]string{"", "won", "lost", "found", "passed", "past"}

// Execute executes the instance of a request: it looks for a checkpoint, does the work if there is none, makes one if none
// exists, and does what follows from the one that exists. When it returns nil, others carry the run on, or it has ended.
// Executing a request any number of times, at any time, at the same time, with executions that end anywhere in between,
// has the effect of executing it once, if one execution comes to its end.
func Execute(env *Env, io IO, p Program, req *Request) (Fate, error) {
	if len(req.Lines) == 0 || req.Lines[len(req.Lines)-1].Step < 1 {
		return 0, fmt.Errorf("the request for %s of run %s names no instance", req.Function, req.Run)
	}
	if req.Cancel != nil {
		_, err := Cancel(env, io, req.Run, req.Cancel)
		return Passed, err
	}
	x := &execution{env: env, io: io, program: p, req: req, lines: slices.Clone(req.Lines)}
	x.own = len(x.lines) - 1
	x.head = x.lines[x.own].Nonce == ""
	fate, err := x.run()
	if err != nil {
		return 0, err
	}
	return fate, x.collect(x.garbage)
}

// execution is one execution of one instance.
type execution struct {
	env     *Env
	io      IO
	program Program
	req     *Request
	lines   []Line // of the request; the nonce of the last is filled in when it is known
	own     int    // the index of the instance's own line
	head    bool   // the instance is the first of a branch
	state   bool   // the State is here
	inputs  [][]byte
	garbage Garbage // what the execution collects at its end
}

func (x *execution) key(level int) string { return Key(x.req.Run, x.lines[:level+1]) }

func (x *execution) run() (Fate, error) {
	rec, err := x.ingress()
	if err != nil {
		return 0, err
	}
	x.garbage = Garbage{Scopes: slices.Clip(x.req.Collect.Scopes), Blobs: slices.Clip(x.req.Collect.Blobs)}
	switch x.place(rec) {
	case past:
		x.garbage.addBlob(x.req.StateRef)
		return Past, nil
	case stored:
		return x.adopt(rec, Found)
	}
	if !x.state {
		return Past, nil // collected meanwhile: the line has just moved on
	}
	return x.work()
}

// place is where a record says that the line is, seen from the instance.
type place uint8

const (
	fresh  place = iota // the instance has not checkpointed
	stored              // it has
	past                // nothing of it is needed
)

func (x *execution) place(rec *Record) place {
	l := x.lines[x.own]
	switch {
	case rec == nil:
		if x.head {
			return fresh
		}
		return past
	case !x.head && rec.Nonce != l.Nonce, rec.Step > l.Step:
		return past
	case rec.Step == l.Step:
		return stored
	case rec.Step == l.Step-1 && !rec.Ended:
		return fresh
	}
	return past
}

// ingress reads the record of the line, and what the request only refers to.
func (x *execution) ingress() (*Record, error) {
	ops := []Op{{Kind: OpGet, Keys: []string{x.key(x.own)}}}
	x.state = x.req.StateRef == ""
	if !x.state {
		ops = append(ops, Op{Kind: OpGetBlob, Key: x.req.StateRef})
	}
	for _, name := range x.req.Inputs {
		parent := x.lines[x.own-1]
		ops[0].Keys = append(ops[0].Keys, string(appendBelow([]byte(x.key(x.own-1)), parent.Step, name)))
	}
	answers, err := x.io.Do(ops)
	if err != nil {
		return nil, err
	}
	if !x.state && answers[1].OK {
		req := *x.req
		req.State = answers[1].Data
		x.req, x.state = &req, true
	}
	recs := answers[0].Records
	cps, _, err := x.checkpoints(recs[1:])
	if err != nil {
		return nil, err
	}
	for _, cp := range cps {
		if cp == nil || cp.Outcome == nil {
			x.state = false // the scope is gone, and the values with it
			break
		}
		x.inputs = append(x.inputs, cp.Outcome.Output)
	}
	return recs[0], nil
}

// checkpoints returns what records hold, nil where there is no record, and the blobs that some are in.
func (x *execution) checkpoints(recs []*Record) (cps []*Checkpoint, refs []string, err error) {
	cps = make([]*Checkpoint, len(recs))
	var ops []Op
	var at []int
	for i, rec := range recs {
		if rec == nil || len(rec.Value) == 0 {
			continue
		}
		if cps[i], err = DecodeCheckpoint(rec.Value); err != nil {
			return nil, nil, err
		}
		if ref := cps[i].Ref; ref != "" {
			ops, at, refs = append(ops, Op{Kind: OpGetBlob, Key: ref}), append(at, i), append(refs, ref)
		}
	}
	if len(ops) == 0 {
		return cps, nil, nil
	}
	answers, err := x.io.Do(ops)
	if err != nil {
		return nil, nil, err
	}
	for k, a := range answers {
		ref := cps[at[k]].Ref
		cps[at[k]] = nil
		if !a.OK {
			continue // collected between the two reads
		}
		if cps[at[k]], err = DecodeCheckpoint(a.Data); err != nil {
			return nil, nil, err
		}
		cps[at[k]].Ref = ref
	}
	return cps, refs, nil
}

// work does the instance's work, makes a checkpoint of it and does what follows.
func (x *execution) work() (Fate, error) {
	out, plan, unchecked, err := x.outcome()
	if err != nil {
		return 0, err
	}
	if plan == nil {
		if plan, err = x.program.Plan(x.req, x.inputs, out); err != nil {
			return 0, err
		}
	}
	if unchecked && plan.Continue != nil {
		next := x.garbage
		next.addBlob(x.req.StateRef)
		x.garbage = Garbage{} // it is the next one's, which checkpoints in this one's place
		return Passed, x.invokeNext(x.own, x.lines[x.own].Step, plan.Continue, next)
	}
	cur, won, err := x.checkpoint(plan, out)
	switch {
	case err != nil:
		return 0, err
	case won:
		return x.follow(cur, plan, Won)
	case x.place(cur) == stored:
		return x.adopt(cur, Lost)
	}
	x.garbage.addBlob(x.req.StateRef)
	return Past, nil
}

// outcome returns how the work ended, or what follows when there is no work; unchecked says that nobody can see a
// difference between what two executions of it come to, or that nobody minds.
func (x *execution) outcome() (out *Outcome, plan *Plan, unchecked bool, err error) {
	if x.req.Expired {
		return &Outcome{Kind: TimeCame, Now: x.req.Timer}, nil, false, nil
	}
	w, err := x.program.Work(x.req, x.inputs)
	switch {
	case err != nil:
		return nil, nil, false, err
	case w.Plan != nil:
		return nil, w.Plan, true, nil
	case x.req.Failure != nil:
		return x.req.Failure, nil, false, nil
	}
	answers, err := x.io.Do([]Op{{Kind: OpRun, Code: w.Code, Input: w.Input}})
	if err != nil {
		return nil, nil, false, err
	}
	return answers[0].Outcome, nil, w.Unchecked, nil
}

// seal returns the checkpoint of a plan and the record it makes.
func (x *execution) seal(function string, step int64, plan *Plan, out *Outcome) (*Checkpoint, *Record) {
	cp := &Checkpoint{Function: function}
	rec := &Record{Step: step, Expires: x.env.Expires}
	switch {
	case plan.Fork != nil:
		f := plan.Fork
		cp.Fork, cp.Parked, cp.Concurrency, cp.Names = true, f.Parked, f.Concurrency, f.Names
		rec.Width = f.Width
	case plan.End != nil:
		cp.End, rec.Ended = plan.End, true
	case plan.Graph != nil:
		cp.Outcome, rec.Ended = out, true
	default:
		cp.Outcome = out
	}
	return cp, rec
}

// put encodes a checkpoint into rec, by reference if it is large; then ref is the blob, written already.
func (x *execution) put(key string, cp *Checkpoint, rec *Record) (ref string, err error) {
	value, err := cp.Encode()
	if err != nil {
		return "", err
	}
	inline := x.env.Inline
	if inline == 0 {
		inline = DefaultInline
	}
	if rec.Width > 4 {
		inline = min(inline, inlineFork)
	}
	if len(value) <= inline {
		rec.Value = value
		return "", nil
	}
	ref = string(appendBelow([]byte(key), rec.Step, "~"+x.env.Nonce))
	if _, err = x.io.Do([]Op{{Kind: OpPutBlob, Key: ref, Data: value}}); err != nil {
		return "", err
	}
	rec.Value, err = (&Checkpoint{Ref: ref, Fork: cp.Fork, Concurrency: cp.Concurrency}).Encode()
	return ref, err
}

// checkpoint makes the instance's checkpoint if there is none, and returns the record that there is.
func (x *execution) checkpoint(plan *Plan, out *Outcome) (cur *Record, won bool, err error) {
	l := &x.lines[x.own]
	cp, rec := x.seal(x.req.Function, l.Step, plan, out)
	key := x.key(x.own)
	ref, err := x.put(key, cp, rec)
	if err != nil {
		return nil, false, err
	}
	op := Op{Kind: OpAdvance, Key: key, Nonce: l.Nonce, Step: l.Step - 1, Record: rec}
	if x.head {
		op = Op{Kind: OpCreate, Key: key, Record: rec}
		rec.Nonce = x.env.Nonce
	} else {
		rec.Nonce = l.Nonce
	}
	answers, err := x.io.Do([]Op{op})
	if err != nil {
		return nil, false, err
	}
	if answers[0].OK {
		l.Nonce = rec.Nonce
		return rec, true, nil
	}
	if cur = answers[0].Record; ref != "" && (cur == nil || string(cur.Value) != string(rec.Value)) {
		x.garbage.addBlob(ref)
	}
	return cur, false, nil
}

// adopt continues with the checkpoint that is there.
func (x *execution) adopt(rec *Record, fate Fate) (Fate, error) {
	x.lines[x.own].Nonce = rec.Nonce
	cps, _, err := x.checkpoints([]*Record{rec})
	if err != nil {
		return 0, err
	}
	plan, err := x.replan(cps[0], rec)
	if err != nil {
		return 0, err
	}
	if plan == nil {
		x.garbage.addBlob(x.req.StateRef)
		return Past, nil
	}
	return x.follow(rec, plan, fate)
}

// replan returns what follows from a checkpoint; nil when that or the state has been collected, so that the line has moved
// on.
func (x *execution) replan(cp *Checkpoint, rec *Record) (*Plan, error) {
	switch {
	case cp == nil:
		return nil, nil
	case cp.End != nil:
		return &Plan{End: cp.End}, nil
	case cp.Fork:
		return &Plan{Fork: &Fork{Width: rec.Width, Concurrency: cp.Concurrency, Parked: cp.Parked, Names: cp.Names}}, nil
	case !x.state:
		return nil, nil
	}
	return x.program.Plan(x.req, x.inputs, cp.Outcome)
}

// follow does what follows from the instance's checkpoint, which rec holds.
func (x *execution) follow(rec *Record, plan *Plan, fate Fate) (Fate, error) {
	if plan.Continue != nil || plan.Fork != nil {
		if alive, err := x.verify(); err != nil || !alive {
			return Past, err
		}
	}
	step := x.lines[x.own].Step
	switch {
	case plan.Continue != nil:
		var next Garbage
		next.addBlob(x.req.StateRef)
		next.addBlob(refOf(rec))
		return fate, x.invokeNext(x.own, step+1, plan.Continue, next)
	case plan.Fork != nil:
		x.garbage.addBlob(x.req.StateRef)
		return fate, x.invokeHeads(x.lines, plan.Fork, 0, 0)
	case plan.Graph != nil:
		x.garbage.addBlob(x.req.StateRef)
		return fate, x.graph(plan.Graph)
	}
	x.garbage.addBlob(x.req.StateRef)
	switch {
	case x.own == 0:
		return fate, nil
	case plan.End.Run:
		return fate, x.endRun(plan.End)
	}
	return fate, x.endBranch(x.own, plan.End)
}

func refOf(rec *Record) string {
	if cp, err := DecodeCheckpoint(rec.Value); err == nil {
		return cp.Ref
	}
	return ""
}

// verify asks, at the head of a branch that goes on, whether the scope is still there that the branch belongs to: the
// record that the head has made may be that of a branch which was collected long ago. The nonce of the scope's record
// tells that from a scope that was made again. Every execution asks, since the one that made the record may have been
// about to find this out.
func (x *execution) verify() (alive bool, err error) {
	if !x.head || x.own == 0 {
		return true, nil
	}
	parent := x.lines[x.own-1]
	answers, err := x.io.Do([]Op{{Kind: OpGet, Keys: []string{x.key(x.own - 1)}}})
	if err != nil {
		return false, err
	}
	rec := answers[0].Records[0]
	if rec != nil && rec.Nonce == parent.Nonce && rec.Step == parent.Step && !rec.Ended && rec.Failed == "" {
		return true, nil
	}
	return false, x.remove(x.own)
}

// remove deletes the record of a line whose scope is gone.
func (x *execution) remove(level int) error {
	_, err := x.io.Do([]Op{{Kind: OpDelete, Keys: []string{x.key(level)}}})
	return err
}

// request returns the request for the instance that a call is of; lines are its own from then on.
func (x *execution) request(lines []Line, call *Call, collect Garbage) *Request {
	if v := call.View; v != nil {
		l := &lines[len(lines)-1]
		l.Index, l.Size, l.Iteration = v.Index, v.Size, v.Iteration
	}
	req := &Request{Version: Version, Run: x.req.Run, Function: call.Function, Lines: lines, State: call.State, Collect: collect}
	if call.Timer {
		req.Timer = call.At
	}
	return req
}

// Version is that of requests.
const Version = 1

// invocations returns the operations that make a call.
func (x *execution) invocations(lines []Line, call *Call, inputs []string, collect Garbage) []Op {
	req := x.request(lines, call, collect)
	req.Inputs = inputs
	ops := []Op{{Kind: OpInvoke, Request: req, At: call.At}}
	if call.Expires != 0 && !call.Timer {
		late := *req
		late.Timer, late.Expired = call.Expires, true
		ops = append(ops, Op{Kind: OpInvoke, Request: &late, At: call.Expires})
	}
	return ops
}

// invokeNext invokes the instance that takes step on the line at level.
func (x *execution) invokeNext(level int, step int64, call *Call, collect Garbage) error {
	lines := slices.Clone(x.lines[:level+1])
	lines[level].Step = step
	_, err := x.io.Do(x.invocations(lines, call, nil, collect))
	return err
}

// invokeHeads invokes the heads that may begin of the lines of a scope, which the last of lines has opened: from is 0, or
// the line whose turn it is since now.
func (x *execution) invokeHeads(lines []Line, f *Fork, from, now int64) error {
	to := f.Width
	switch {
	case from > 0:
		to = min(to, from+1)
	case f.Concurrency > 0:
		to = min(to, f.Concurrency)
	}
	var ops []Op
	for i := from; i < to; i++ {
		call, err := x.program.Head(lines, f.Parked, i, now)
		if err != nil {
			return err
		}
		head := Line{Name: strconv.FormatInt(i, 10), Step: 1, Index: i, Size: f.Width}
		if len(f.Names) > 0 {
			head.Name = f.Names[i]
		}
		ops = append(ops, x.invocations(append(slices.Clone(lines), head), &call, nil, Garbage{})...)
	}
	if len(ops) == 0 {
		return nil
	}
	_, err := x.io.Do(ops)
	return err
}
