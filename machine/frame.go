package machine

import (
	"github.com/weftworks/weft/asl"
)

// Frame is where a run stands: its branches, what each waits for, and the counters. It holds data as JSON
// text that it shares with events and commands. One goroutine uses it at a time.
type Frame struct {
	in        *Interpreter
	exec      Execution
	input     []byte
	status    Status // 0: not started
	now       int64
	lastID    uint64 // last invocation or timer id given out
	lastEvent int64  // last history event id
	random    uint64 // state of the run's random numbers
	deadline  uint64 // timer of the machine's TimeoutSeconds; 0: none
	yielded   bool   // a Yield is out
	variables int    // bytes that the variables of all branches take
	redrives  int64  // how often the run has been redriven
	redriven  int64  // Unix milliseconds of the last time; 0: never
	root      branch
	ready     []*branch          // in the order in which they go on
	routes    map[uint64]*branch // by invocation or timer id; the root's own are not in it

	answers map[int]int64 // how many mocked answers states have had, by Index; nil: none
	probe   *probe        // watches the one state of a trial; not stored; nil: none
	line    *line         // of a branch in ForkMode; nil: the run itself

	context contextCache
}

// phase says what a branch does. Values are append-only: they are stored.
type phase uint8

const (
	idle    phase = iota // not begun, or ended; in a run that ended badly: stopped in its state
	ready                // about to enter its state
	working              // a Task: an invocation is out
	waiting              // a Wait: a timer is out
	backoff              // a retry: a timer is out
	forked               // a Parallel or Map: its branches run
	redo                 // about to work again in the state it is in
	unbegun              // was ready when the run ended, which it had no part in
	revived              // after a redrive: about to work again in the state in which the run ended
	queued               // a Task: no worker of its activity has taken it yet
	mapping              // a distributed Map: its Map Run is out
	forking              // a Parallel or Map in ForkMode: its branches run elsewhere
)

// branch is one line of control: the run itself, a branch of a Parallel or an iteration of a Map.
type branch struct {
	parent *fork // nil for the run itself
	slot   int   // place in parent.children
	index  int   // of the branch or iteration

	state     *asl.State
	phase     phase
	input     []byte // of the state, as it came
	item      []byte // $$.Map.Item.Value of an iteration
	key       []byte // $$.Map.Item.Key, a JSON string, of an iteration over an object
	variables variables
	outer     variables // of the scopes around a branch in ForkMode; only read
	entered   int64     // event id of StateEntered
	enteredAt int64     // Unix milliseconds
	before    int64     // last event of this line of control before StateEntered
	prev      int64     // last event of this line of control

	attempts []int64 // per retrier of the state; nil: none yet
	retries  int64   // $$.State.RetryCount

	invocation uint64 // working, mapping
	mapped     uint64 // of a distributed Map that has failed or was stopped: what invocation was; 0: none
	timer      uint64 // of a Wait, a retry or TimeoutSeconds
	due        int64  // of timer
	beat       uint64 // timer of HeartbeatSeconds
	beatDue    int64
	beatEvery  int64 // milliseconds
	tail       bool  // the task wants the end of the function's log

	// arguments are what the worker of an activity's task is given, while the task is queued or works. While it is queued,
	// due and beatEvery hold its time-outs (milliseconds; 0: none), which begin when a worker takes it.
	arguments []byte

	fork *fork // forked
}

// fork is a Parallel or a Map in progress.
type fork struct {
	owner    *branch
	started  int64 // event id of ParallelStateStarted or MapStateStarted
	children []*branch
	results  [][]byte // by index; nil: none (yet)
	length   int
	done     int

	// Map only.
	items     []byte // JSON array text
	at        int    // where in items the next one starts
	next      int    // number of the next iteration
	max       int    // iterations at a time
	failed    int
	tolerance tolerance
	data      []byte // "$" of ItemSelector; nil without one
	tree      any    // data, parsed when needed; not stored
	parsed    bool
	source    string  // of the item of a distributed Map, in a Selector
	run       *MapRun // of a distributed Map, in ForkMode
}

// tolerance is how many iterations of a Map may fail.
type tolerance struct {
	set     bool
	count   int64
	percent float64
}

// NewFrame returns the frame of a run that has not started: its first event must be Start.
func (in *Interpreter) NewFrame(exec Execution) *Frame {
	in.prepare()
	return &Frame{in: in, exec: exec, random: exec.Seed}
}

// CountFrom lets a frame that has not started number its invocations and timers after id, so that answers to those of an
// earlier frame of the same run are not taken for answers to its own.
func (f *Frame) CountFrom(id uint64) { f.lastID = id }

// Execution returns who the run is.
func (f *Frame) Execution() *Execution { return &f.exec }

// Status returns the run's status; 0 before Start.
func (f *Frame) Status() Status { return f.status }

// Events returns how many history events the run has emitted, which is the id of the last.
func (f *Frame) Events() int64 { return f.lastEvent }

// Input returns the run's input, nil before Start.
func (f *Frame) Input() []byte { return f.input }

// newID gives out the next id to b.
func (f *Frame) newID(b *branch) uint64 {
	f.lastID++
	f.route(f.lastID, b)
	return f.lastID
}

func (f *Frame) route(id uint64, b *branch) {
	if b == &f.root {
		return
	}
	if f.routes == nil {
		f.routes = make(map[uint64]*branch)
	}
	f.routes[id] = b
}

// release forgets an id.
func (f *Frame) release(id *uint64, b *branch) {
	if *id != 0 && b != &f.root {
		delete(f.routes, *id)
	}
	*id = 0
}

// holder returns the branch that waits for id, or nil.
func (f *Frame) holder(id uint64) *branch {
	if id == 0 {
		return nil
	}
	if r := &f.root; r.invocation == id || r.timer == id || r.beat == id {
		return r
	}
	return f.routes[id]
}

// draw returns the next 64 random bits of the run (splitmix64 on the frame's own state).
func (f *Frame) draw() uint64 {
	f.random += 0x9e3779b97f4a7c15
	z := f.random
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// add makes a new child of fk.
func (fk *fork) add(index int) *branch {
	b := &branch{parent: fk, slot: len(fk.children), index: index}
	fk.children = append(fk.children, b)
	return b
}

// remove takes a child that has ended out of fk.
func (fk *fork) remove(b *branch) {
	last := len(fk.children) - 1
	moved := fk.children[last]
	fk.children[b.slot] = moved
	moved.slot = b.slot
	fk.children[last] = nil
	fk.children = fk.children[:last]
}
