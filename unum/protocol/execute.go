package protocol

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"github.com/weftworks/weft/fault"
)

// Env is what an execution has from outside.
type Env struct {
	Nonce   string // drawn for this execution
	Expires int64  // of what it writes, Unix seconds
	// Keep is by how many seconds what waits for a time outlives that. 0: Expires holds, however long it waits.
	Keep int64
	// Later, Unix milliseconds, is when an execution that finds the checkpoint made by another, and would fork or join, is
	// to look again. As a rule it is a duplicate, the other does all that follows, and the line has moved on by then; if all
	// acted at once, one duplicate would become as many as a fan-out is wide, and again at the next. 0: they act at once.
	Later int64
	// Inline is how many bytes of a checkpoint a record holds; larger ones are blobs. 0: DefaultInline.
	Inline int
	// Payload is how many bytes a request has at most when it is delivered; what does not fit goes into a blob. 0: any number.
	Payload int
}

// expires is Expires of what is needed until at, Unix milliseconds.
func (e *Env) expires(at int64) int64 {
	if e.Keep == 0 || at == 0 {
		return e.Expires
	}
	return max(e.Expires, at/1000+e.Keep)
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
	if err := req.check(); err != nil {
		return 0, err
	}
	if req.Cancel != nil {
		_, err := Cancel(env, io, req.Run, req.Lines[0].Nonce, req.Cancel)
		return Passed, err
	}
	x := &execution{env: env, io: io, program: p, req: req, lines: slices.Clone(req.Lines), tally: req.Tally}
	x.own = len(x.lines) - 1
	x.head = x.lines[x.own].Nonce == ""
	fate, err := x.run()
	if err != nil {
		return 0, err
	}
	return fate, x.sweep()
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
	seen    *Record // of the line, at ingress
	record  *Record // with the instance's checkpoint
	found   bool    // another execution has made it
	tally   Tally   // of the line, for what follows
	garbage Garbage // what the execution collects at its end
	dead    bool    // and its own line's record
}

func (x *execution) key(level int) string { return Key(x.req.Run, x.lines[:level+1]) }

// below returns what the keys below the line at level begin with.
func (x *execution) below(level int) string { return Below(x.req.Run, x.lines[:level+1]) }

func (x *execution) run() (Fate, error) {
	rec, err := x.ingress()
	if err != nil {
		return 0, err
	}
	c := &x.req.Collect
	x.garbage = Garbage{Scopes: slices.Clip(c.Scopes), Blobs: slices.Clip(c.Blobs), Lists: slices.Clip(c.Lists)}
	x.seen = rec
	switch x.place(rec) {
	case past:
		x.garbage.addBlob(x.req.StateRef)
		return Past, nil
	case stored:
		x.found = true
		return x.adopt(rec, Found)
	}
	if !x.state {
		return Past, nil // collected meanwhile: the line has just moved on
	}
	if len(x.inputs) > 0 {
		// Lines whose scope is gone may be there again, for as long as late duplicates of them take to find that out. What was
		// read before the scope was seen is not of those.
		if scope, err := x.scope(); err != nil || scope == nil {
			x.garbage.addBlob(x.req.StateRef)
			return Past, err
		}
	}
	return x.work()
}

// bury has the record of the instance's line deleted: the scope that the line belongs to is gone.
func (x *execution) bury() {
	x.dead = true
	if x.record.Ended {
		x.garbage.addBlob(refOf(x.record))
	}
}

// abandon is bury for who may have been the one that joined at the end of the run and began to collect: it ended in
// between if it finds its own checkpoint, which goes last, and not the records by which it would come to its join. The record
// of the run has what is to be collected.
func (x *execution) abandon() error {
	x.bury()
	if !x.found {
		return nil
	}
	cur, err := x.root()
	if err != nil || cur == nil || cur.Nonce != x.lines[0].Nonce || !cur.Ended {
		return err
	}
	cps, _, err := x.checkpoints([]*Record{cur})
	if err == nil && cps[0] != nil && cps[0].Joined {
		x.garbage.add(cps[0].Garbage)
	}
	return err
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
		ops[0].Keys = append(ops[0].Keys, x.keyBelow(x.own-1, name))
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
	for i, cp := range cps {
		if cp == nil || cp.Outcome == nil || !recs[i+1].Ended {
			x.state = false // the scope is gone, and the values with it
			break
		}
		x.inputs = append(x.inputs, cp.Outcome.Output)
	}
	return recs[0], nil
}

// keyBelow returns the key of a line in the scope that the line at level has opened.
func (x *execution) keyBelow(level int, name string) string {
	return string(appendBelow([]byte(x.below(level)), x.lines[level].Step, name))
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
	if unchecked && plan.Continue != nil && !x.outlasts(plan.Continue.At) {
		if x.req.Hops > 0 { // or a line that only waits, again and again, would outlive its run
			if alive, err := x.verify(); err != nil || !alive {
				x.garbage.addBlob(x.req.StateRef)
				return Past, err
			}
		}
		x.tally.Hops++
		x.tally.Entered += plan.Entered
		next := x.garbage
		next.addBlob(x.req.StateRef)
		x.garbage = Garbage{} // it is the next one's, which checkpoints in this one's place
		return Passed, x.invokeNext(x.own, x.lines[x.own].Step, x.req.Hops+1, plan.Continue, next)
	}
	x.tally = x.req.Tally.count(plan, out)
	cur, won, err := x.checkpoint(plan, out)
	switch {
	case err != nil:
		return 0, err
	case won:
		return x.follow(cur, plan, Won)
	case x.place(cur) == stored:
		x.found = true
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

// outlasts reports whether the record of the line would have expired at a time: then it has to be written before that is waited
// for.
func (x *execution) outlasts(at int64) bool {
	return x.env.Keep > 0 && x.seen != nil && at/1000 >= x.seen.Expires
}

// seal returns the checkpoint of a plan and the record it makes.
func (x *execution) seal(function string, step int64, plan *Plan, out *Outcome) (*Checkpoint, *Record) {
	cp := &Checkpoint{Function: function}
	rec := &Record{Step: step, Expires: x.env.Expires}
	switch {
	case plan.Fork != nil:
		f := plan.Fork
		cp.Fork, cp.Parked, cp.Concurrency, cp.Names = true, f.Parked, f.Concurrency, f.Names
		rec.Width, cp.Tally = f.Width, x.tally
	case plan.End != nil:
		cp.End, rec.Ended, cp.Tally = plan.End, true, x.tally
	case plan.Graph != nil:
		cp.Outcome, rec.Ended = out, true
	default:
		cp.Outcome, rec.Expires = out, x.env.expires(plan.Continue.At)
	}
	return cp, rec
}

// put encodes a checkpoint into rec, the record of the line at level, by reference if it is large; then ref is the blob,
// written already.
func (x *execution) put(level int, cp *Checkpoint, rec *Record) (ref string, err error) {
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
	ref = string(appendBelow([]byte(x.below(level)), rec.Step, "~"+x.env.Nonce))
	if _, err = x.io.Do([]Op{{Kind: OpPutBlob, Key: ref, Data: value, Expires: rec.Expires}}); err != nil {
		return "", err
	}
	rec.Value, err = (&Checkpoint{Ref: ref, Fork: cp.Fork, Concurrency: cp.Concurrency}).Encode()
	return ref, err
}

// checkpoint makes the instance's checkpoint if there is none, and returns the record that there is.
func (x *execution) checkpoint(plan *Plan, out *Outcome) (cur *Record, won bool, err error) {
	l := &x.lines[x.own]
	cp, rec := x.seal(x.req.Function, l.Step, plan, out)
	cp.Hops = x.req.Hops
	ref, err := x.put(x.own, cp, rec)
	if err != nil {
		return nil, false, err
	}
	op := Op{Kind: OpAdvance, Key: x.key(x.own), Nonce: l.Nonce, Step: l.Step - 1, Record: rec}
	if rec.Nonce = l.Nonce; x.head {
		op.Kind, rec.Nonce = OpCreate, x.env.Nonce
	}
	if cur, won, err = x.write(op, ref); won {
		l.Nonce = rec.Nonce
	}
	return cur, won, err
}

// write carries out a conditional write. It counts as done if what is there is what was to be written: a client of the
// datastore that lost the answer has repeated it. ref is the blob that the record refers to, garbage if it is not written.
func (x *execution) write(op Op, ref string) (cur *Record, done bool, err error) {
	answers, err := x.io.Do([]Op{op})
	if err != nil {
		return nil, false, err
	}
	if answers[0].OK {
		return op.Record, true, nil
	}
	cur = answers[0].Record
	if cur != nil && cur.Nonce == op.Record.Nonce && cur.Step == op.Record.Step && cur.Ended == op.Record.Ended && bytes.Equal(cur.Value, op.Record.Value) {
		return cur, true, nil
	}
	x.garbage.addBlob(ref)
	return cur, false, nil
}

// adopt continues with the checkpoint that is there.
func (x *execution) adopt(rec *Record, fate Fate) (Fate, error) {
	x.lines[x.own].Nonce = rec.Nonce
	cps, _, err := x.checkpoints([]*Record{rec})
	if err != nil {
		return 0, err
	}
	if cps[0] == nil {
		return x.corpse(rec)
	}
	plan, err := x.replan(cps[0], rec)
	if err != nil {
		return 0, err
	}
	if plan != nil {
		x.tally = x.req.Tally.count(plan, cps[0].Outcome)
		return x.follow(rec, plan, fate)
	}
	x.garbage.addBlob(x.req.StateRef)
	if !x.head || x.own == 0 || x.state {
		return Past, nil
	}
	// What a head works on is gone: the line has moved on, or has been made again.
	scope, err := x.scope()
	if err == nil && scope == nil {
		x.record = rec
		x.bury()
	}
	return Past, err
}

// corpse is what follows when the blob of a record has been collected: the line has moved on since the record was read, or
// the record would have been collected next, by an execution that ended in between.
func (x *execution) corpse(rec *Record) (Fate, error) {
	x.garbage.addBlob(x.req.StateRef)
	if x.own == 0 {
		return Past, nil // the record of a run is for Forget to delete
	}
	answers, err := x.io.Do([]Op{{Kind: OpGet, Keys: []string{x.key(x.own)}}})
	if err != nil {
		return 0, err
	}
	if cur := answers[0].Records[0]; cur != nil && bytes.Equal(cur.Value, rec.Value) {
		x.record = cur
		return Past, x.abandon()
	}
	return Past, nil
}

// replan returns what follows from a checkpoint; nil when it is not the instance's, or the state has been collected, so
// that the line has moved on.
func (x *execution) replan(cp *Checkpoint, rec *Record) (*Plan, error) {
	switch {
	case cp.Hops != x.req.Hops:
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
	x.record = rec
	if plan.Continue != nil || plan.Fork != nil {
		if alive, err := x.verify(); err != nil || !alive {
			x.garbage.addBlob(x.req.StateRef)
			return Past, err
		}
	}
	if plan.Continue != nil {
		var next Garbage
		next.addBlob(x.req.StateRef)
		next.addBlob(refOf(rec))
		return fate, x.invokeNext(x.own, x.lines[x.own].Step+1, 0, plan.Continue, next)
	}
	if off, err := x.putOff(plan); off || err != nil {
		return fate, err
	}
	x.garbage.addBlob(x.req.StateRef)
	switch {
	case plan.Fork != nil:
		return fate, x.invokeHeads(x.lines, plan.Fork, 0, 0)
	case plan.Graph != nil:
		return fate, x.graph(plan.Graph)
	case x.own == 0:
		return fate, nil
	case plan.End.Run:
		return fate, x.endRun(plan.End)
	}
	return fate, x.endBranch(x.own, plan.End)
}

// putOff has the request delivered again later, if another execution has made the checkpoint and does what follows.
func (x *execution) putOff(plan *Plan) (bool, error) {
	if !x.found || x.req.Patient || x.env.Later == 0 || x.own == 0 && plan.End != nil {
		return false, nil
	}
	again := *x.req
	if again.Patient = true; again.StateRef != "" {
		again.State = nil
	}
	return true, x.invoke([]Op{{Kind: OpInvoke, Request: &again, At: x.env.Later}})
}

// refOf returns the blob that the value of a record is in; "" if it is in none.
func refOf(rec *Record) string {
	if rec == nil || len(rec.Value) == 0 {
		return ""
	}
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
	scope, err := x.scope()
	if err != nil {
		return false, err
	}
	if scope == nil {
		if x.record != nil { // else the branch has none yet
			x.bury()
		}
		return false, nil
	}
	// Nobody needs the branch if another has failed. But its record has to stay: it may be the one that has failed, and
	// whoever joins collects it.
	return scope.Failed == "", nil
}

// scope returns the record with the scope that the instance's line belongs to, nil if that is gone.
func (x *execution) scope() (*Record, error) {
	parent := x.lines[x.own-1]
	answers, err := x.io.Do([]Op{{Kind: OpGet, Keys: []string{x.key(x.own - 1)}}})
	if err != nil {
		return nil, err
	}
	rec := answers[0].Records[0]
	if rec == nil || rec.Nonce != parent.Nonce || rec.Step != parent.Step || rec.Ended {
		return nil, nil
	}
	return rec, nil
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
func (x *execution) invocations(lines []Line, tally Tally, hops int, call *Call, inputs []string, collect Garbage) []Op {
	req := x.request(lines, call, collect)
	req.Tally, req.Inputs, req.Hops = tally, inputs, hops
	ops := []Op{{Kind: OpInvoke, Request: req, At: call.At}}
	if call.Expires != 0 && !call.Timer {
		late := *req
		late.Timer, late.Expired = call.Expires, true
		ops = append(ops, Op{Kind: OpInvoke, Request: &late, At: call.Expires})
	}
	return ops
}

// invoke carries out invocations.
func (x *execution) invoke(ops []Op) error { return Invoke(x.env, x.io, ops) }

// Invoke carries out invocations, all at once. What makes a request too large for the platform goes into blobs before, whose
// names are made of what is in them: whoever repeats the invocation repeats that.
func Invoke(env *Env, io IO, ops []Op) (err error) {
	var puts []Op
	for i := range ops {
		op := &ops[i]
		if op.Payload, err = json.Marshal(op.Request); err != nil {
			return err
		}
		if env.Payload == 0 || len(op.Payload) <= env.Payload {
			continue
		}
		more, err := refer(op, env.Payload, env.expires(op.At))
		if err != nil {
			return err
		}
		puts = append(puts, more...)
	}
	if len(puts) > 0 {
		if _, err := io.Do(puts); err != nil {
			return err
		}
	}
	if len(ops) > 0 {
		_, err = io.Do(ops)
	}
	return err
}

// refer makes a request smaller than most bytes by references to its state, and if that is not enough to what it is to
// collect. It returns the writes of those, which expire then.
func refer(op *Op, most int, expires int64) (puts []Op, err error) {
	req := *op.Request
	put := func(data []byte) (name string) {
		sum := sha256.Sum256(data)
		name = string(appendBelow([]byte(Below(req.Run, req.Lines)), req.Lines[len(req.Lines)-1].Step, fmt.Sprintf("~%x", sum[:12])))
		puts = append(puts, Op{Kind: OpPutBlob, Key: name, Data: data, Expires: expires})
		return name
	}
	if len(req.State) > 0 {
		req.StateRef, req.State = put(req.State), nil
		if op.Payload, err = json.Marshal(&req); err != nil {
			return nil, err
		}
	}
	if len(op.Payload) > most {
		list, err := json.Marshal(&req.Collect)
		if err != nil {
			return nil, err
		}
		req.Collect = Garbage{Lists: []string{put(list)}}
		if op.Payload, err = json.Marshal(&req); err != nil {
			return nil, err
		}
	}
	if op.Request = &req; len(op.Payload) > most {
		return nil, fault.New("unum.invoke", fault.LimitExceeded, req.Run, "the request for %s has %d bytes without its state, and the platform takes %d", req.Function, len(op.Payload), most)
	}
	return puts, nil
}

// invokeNext invokes the instance that takes step on the line at level, after hops others that have left no checkpoint.
func (x *execution) invokeNext(level int, step int64, hops int, call *Call, collect Garbage) error {
	lines := slices.Clone(x.lines[:level+1])
	lines[level].Step = step
	return x.invoke(x.invocations(lines, x.tally, hops, call, nil, collect))
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
		ops = append(ops, x.invocations(append(slices.Clone(lines), head), Tally{Entered: call.Entered}, 0, &call, nil, Garbage{})...)
	}
	return x.invoke(ops)
}
