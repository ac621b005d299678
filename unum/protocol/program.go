package protocol

import (
	"encoding/json"

	"github.com/weftworks/weft/fault"
)

// Request is what an execution of an instance is invoked with.
type Request struct {
	Version  int    `json:"v"`
	Run      string `json:"run"`      // the workflow id, stable across retries of the entry function
	Function string `json:"function"` // of the IR
	// Lines is the stack of lines of control, the run's first. The last is the instance's own; the others are those that
	// have forked on the way to it.
	Lines []Line `json:"lines"`
	// State is the program's own: what it gave with the Call. StateRef is the blob it is in when it is too large to travel.
	State    []byte `json:"state,omitempty"`
	StateRef string `json:"stateRef,omitempty"`
	// Hops counts the instances without a checkpoint that have gone before on this step of the line. The checkpoint of the step
	// is that of the instance with the same count: others find that it was made, and are done.
	Hops int `json:"hops,omitempty"`
	// Inputs are the names of lines in the scope of the instance's own line whose values it takes.
	Inputs []string `json:"inputs,omitempty"`
	// Timer is the time that has come, in Unix milliseconds, when nothing but that is the matter; 0: the instance's work is.
	Timer int64 `json:"timer,omitempty"`
	// Expired says that Timer is when the time for the instance's work is up.
	Expired bool `json:"expired,omitempty"`
	// Failure is how the platform failed to execute the instance, after its own retries; nil: it has not.
	Failure *Outcome `json:"failure,omitempty"`
	// Attempt counts how often the request was given to the platform again after that had given it up.
	Attempt int `json:"attempt,omitempty"`
	// Patient says that the request was put off: see Env.Later.
	Patient bool `json:"patient,omitempty"`
	// Cancel asks for no work: the time of the run is up (of the one with the nonce in Lines), and it ends so if it has not
	// ended.
	Cancel *End  `json:"cancel,omitempty"`
	Tally  Tally `json:"tally,omitzero"` // of the line so far
	// Collect names what nobody needs once the instance has checkpointed.
	Collect Garbage `json:"collect,omitzero"`
}

// check refuses what no execution has made. The nonce of the run is what only those know who are part of it.
func (r *Request) check() error {
	if len(r.Lines) == 0 || r.Lines[0].Nonce == "" || r.Lines[len(r.Lines)-1].Step < 1 {
		return fault.New("unum.execute", fault.InvalidInput, r.Run, "the request for %s names no instance", r.Function)
	}
	for i := range r.Collect.Scopes {
		if w := r.Collect.Scopes[i].Width; w < 0 || w > NamesBytes {
			return fault.New("unum.execute", fault.InvalidInput, r.Run, "the request for %s is to collect a fan-out of %d lines, and there are none so wide", r.Function, w)
		}
	}
	return nil
}

// Line is one line of control of a request: where its record is, and what an instance on it sees of its fan-out.
type Line struct {
	// Name is unique in the scope it belongs to: the index in decimal, or of a hand-written graph function and indices.
	// The run's is "".
	Name  string `json:"name,omitempty"`
	Nonce string `json:"nonce,omitempty"` // of its record; "" for the head of a branch, which creates it
	// Step is for the instance's own line the step to take; for those before it the step that forked.
	Step int64 `json:"step"`

	Index     int64 `json:"index,omitempty"`     // $0, $1, … in hand-written IR
	Size      int64 `json:"size,omitempty"`      // $size: lines of the fan-out
	Iteration int64 `json:"iteration,omitempty"` // counted by Next
}

// Garbage is what can be collected.
type Garbage struct {
	Scopes []Scope  `json:"scopes,omitempty"`
	Blobs  []string `json:"blobs,omitempty"`
	// Lists are blobs with more garbage in each: of a request that is too small for all of it.
	Lists []string `json:"lists,omitempty"`
}

// Scope names the lines of a fan-out: those below step Step of the line below which keys begin with Key (see Below).
type Scope struct {
	Key   string   `json:"key"`
	Step  int64    `json:"step"`
	Width int64    `json:"width,omitempty"` // lines 0 to Width-1
	Names []string `json:"names,omitempty"` // and these
	Deep  bool     `json:"deep,omitempty"`  // its lines may have scopes of their own: some of them did not end
}

// OutcomeKind says how the work of an instance ended. Values are stored: append-only.
type OutcomeKind uint8

// The kinds of outcomes.
const (
	Returned OutcomeKind = iota + 1 // Output
	Raised                          // Error, Cause: by the user's code
	Broken                          // Error, Cause: the platform could not execute it
	TimeCame                        // the Timer of the request
)

// Outcome is how the work of an instance ended. Together with the request it decides everything that follows.
type Outcome struct {
	Kind   OutcomeKind     `json:"kind"`
	Output json.RawMessage `json:"output,omitempty"`
	Error  string          `json:"error,omitempty"`
	Cause  string          `json:"cause,omitempty"`
	Now    int64           `json:"now"`              // Unix milliseconds when it ended
	Millis int64           `json:"millis,omitempty"` // that the code has taken
}

// Call is an invocation to make.
type Call struct {
	Function string
	State    []byte
	Timer    bool  // nothing but time is awaited: the request is delivered at At with Timer set
	At       int64 // not before, Unix milliseconds; 0: now
	// Expires is when the instance's time is up: a second request, delivered then with Timer set, races with the first.
	// 0: never.
	Expires int64
	// Entered is Plan.Entered for a call that begins a line.
	Entered int64
	// View is what the instance sees of its fan-out where that is not as before; nil: as before.
	View *View
}

// View is what an instance of hand-written IR sees of the fan-out that its line belongs to: $0, $size and the count of Next.
type View struct{ Index, Size, Iteration int64 }

// End is how a line ends. Of the run it is the result.
type End struct {
	Output json.RawMessage `json:"output,omitempty"`
	Failed bool            `json:"failed,omitempty"`
	Error  string          `json:"error,omitempty"`
	Cause  string          `json:"cause,omitempty"`
	Now    int64           `json:"now"` // Unix milliseconds
	// HasError and HasCause are false when a failed run has none.
	HasError bool `json:"hasError,omitempty"`
	HasCause bool `json:"hasCause,omitempty"`
	// Alias is the program's own: a second name of the error.
	Alias string `json:"alias,omitempty"`
	// Into is the program's own: where a hand-written fan-in leads.
	Into string `json:"into,omitempty"`
	// Status of a run that was ended from outside: "ABORTED", "TIMED_OUT"; else "".
	Status string `json:"status,omitempty"`
	// Run ends the whole run, from whatever line.
	Run bool `json:"run,omitempty"`
}

// Plan is what follows an outcome: exactly one of its parts.
type Plan struct {
	// Entered is how many states the program has passed through to come here, each retry of a task being one more.
	Entered int64

	Continue *Call
	Fork     *Fork
	End      *End
	Graph    *Graph
}

// Fork opens a scope of Width lines. What their heads do is the program's: Program.Head(Parked, i).
type Fork struct {
	Width       int64
	Concurrency int64    // lines that may be under way at a time; 0: all
	Parked      []byte   // what the program needs to start branches and to go on after the join
	Names       []string // of the lines; nil: their indices
}

// NamesBytes bounds the names of a fork's lines together, all of which the record of the line that forks has to hold in the
// end, beside little else: lines by index are up to 20,244 then. A program opens no wider scope.
const NamesBytes = 88 << 10

// TooWide reports whether no record can hold the names of the fork's lines.
func (f *Fork) TooWide() bool {
	bytes := f.Width // of indices: the last digits, and then those before
	for least := int64(10); least < f.Width; least *= 10 {
		bytes += f.Width - least
	}
	if len(f.Names) > 0 {
		bytes = 0
	}
	for _, name := range f.Names {
		bytes += int64(len(name))
	}
	return bytes > NamesBytes
}

// Graph is what an instance of a hand-written graph does, whose value others read by its line's name. It is the last of its
// line. (A Graph without either part ends nothing; a run ends by End with Run set.)
type Graph struct {
	Start  []Start // lines of the same scope to start at once
	FanIns []FanIn // and those to start when all they take are there
}

// Start is a named line of the instance's own scope.
type Start struct {
	Line Line // Name, Index, Size, Iteration
	Call Call
}

// FanIn starts a line once all the lines named in Values have checkpointed, or with Pop ends the scope: the line that forked
// joins, with their outputs as ends.
type FanIn struct {
	Values []string
	Start  Start // its request gets Values as Inputs; unused with Pop
	Pop    bool
	Into   string // with Pop: the Into of the ends
}

// Work is what an instance has to do: run code, or only what follows.
type Work struct {
	Code  string // the user's function; "" when Plan is given
	Input []byte // JSON
	Plan  *Plan  // nothing is to be run: this follows
	// Unchecked says that the outcome needs no checkpoint when the line merely goes on: at least once, not exactly once.
	Unchecked bool
}

// Program says what instances do and what follows. It is pure: the same parameters give the same result.
type Program interface {
	// Entry returns the call that begins a run, whose id, input (JSON) and time of start (Unix milliseconds) it is given.
	Entry(run string, input []byte, started int64) (Call, error)
	// Work returns the work of the instance of a request. inputs are the outputs of the lines named in its Inputs.
	Work(req *Request, inputs [][]byte) (Work, error)
	// Plan returns what follows the outcome of an instance's work. It depends on neither Timer, Expired, Failure nor Collect
	// of the request: executions for another reason continue with the same outcome.
	Plan(req *Request, inputs [][]byte, out *Outcome) (*Plan, error)
	// Head returns the call of the head of line i of a scope. lines ends with the line that forked. now, in Unix
	// milliseconds, is when the line ended whose end lets this one begin; 0: it begins with the fork.
	Head(lines []Line, parked []byte, i, now int64) (Call, error)
	// Join returns what follows on the line that forked, the last of lines, when all lines of its scope have ended or one
	// has failed, which is then the only one in ends (failed is its index, else -1). It is no Graph: that takes an outcome.
	Join(run string, lines []Line, parked []byte, ends []*End, failed int64) (*Plan, error)
}
