package ir

// Version is the version of the language that this package reads and writes.
const Version = 1

// App is a workflow.
type App struct {
	Version int
	Name    string
	// TimeoutSeconds is how long a run may take; 0: no bound of its own.
	TimeoutSeconds int64
	// Machine is the definition, as JSON (Parse gives it without spaces), of the state machine that the app has been compiled from. Its functions have Glue,
	// which decides what follows; their Continuations say the same for people and pictures, with guards over $exit. nil:
	// the app is written by hand and its Continuations are what is carried out.
	Machine []byte
	// Functions are in the order of the text. Exactly one has Start.
	Functions []*Function
}

// Function returns the function of that name, or nil.
func (a *App) Function(name string) *Function {
	for _, f := range a.Functions {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// Start returns the first function that is marked so, or nil.
func (a *App) Start() *Function {
	for _, f := range a.Functions {
		if f.Start {
			return f
		}
	}
	return nil
}

// Function is a node of the graph.
type Function struct {
	// Name is unique in the app: a letter, then letters, digits, "_" and "-", at most 60.
	Name string
	// Code names the user's function. "": nothing but the runtime runs, and the output is the input.
	Code  string
	Start bool
	// NoCheckpoint gives up exactly-once for the function (checkpoint: false): each of its executions goes on with its own
	// output, and the next function that has a checkpoint decides which of them counts.
	NoCheckpoint bool
	// Glue is how a compiled function relates to its machine; nil for one that is written by hand.
	Glue *Glue
	// Sets names the coordination sets of the scope that the function opens (CreateSet of the paper). They are created with
	// its checkpoint, in one write.
	Sets []string
	// Retry says what errors of the code are tried again; the first that matches counts.
	Retry []Retrier
	// Next says what follows the output. All whose guard holds fire, and Catches never do. If none fires the run ends with
	// the output.
	Next []Continuation

	pos pos
}

// Glue places a compiled function in its machine.
type Glue struct {
	// State is the JSON pointer, in the machine's definition, of the state whose task the function carries out:
	// "/States/Charge", "/States/Each/ItemProcessor/States/Size". "" for one that only begins the run.
	State string
}

// Retrier says that errors are tried again.
type Retrier struct {
	Errors          []string // names; "States.ALL" for every error
	IntervalSeconds float64  // before the first repetition, at least 0
	MaxAttempts     int      // repetitions, at least 1
	BackoffRate     float64  // factor of the interval after each, at least 1
	MaxDelaySeconds float64  // bounds the interval; 0: not

	pos pos
}

// Kind is the kind of a continuation.
type Kind uint8

// The kinds of continuations, with the key that YAML and JSON have for each.
const (
	Invoke Kind = iota + 1 // invoke: one invocation of To with the output
	Map                    // map: the output is a list; an invocation of To for each of its elements
	FanIn                  // fanIn: one invocation of To with the list of Values, or of all members of Set
	Catch                  // catch: one invocation of To with {"Error", "Cause"} when the code has raised one of Errors
)

// Continuation is something that follows a function.
//
// Several Invokes that may fire together, and a Map, open a scope: each invocation gets a frame with its index, and the size
// of the fan-out. Invokes that exclude each other are a choice and open none.
type Continuation struct {
	Kind Kind
	To   string
	// If is the guard, a boolean; nil: always. Catches have none.
	If *Expr

	// Values are what a FanIn reads, in the order in which To gets them. nil: it has a Set.
	Values []Value
	// Set names the coordination set of the whole scope: To gets what its branches end with, in their order.
	Set string
	// SetSize is how many members make Set full: a number, or $size.
	SetSize *Expr

	// Pop removes the innermost frame: To runs where the scope was opened. A FanIn over a Set always pops.
	Pop bool
	// Next adds one to the iteration of the innermost frame (of those that are left) before To runs.
	Next bool
	// Index and Size replace $0 and $size for To; nil: as they are. They are computed from the function's own frame and set
	// after Pop, of what it leaves.
	Index, Size *Expr

	// Concurrency bounds how many invocations of a Map run at a time; 0: all.
	Concurrency int64
	// Errors are the names that a Catch catches, "States.ALL" for every error.
	Errors []string

	pos pos
}

// Value names the checkpoint of a function by its indices: "F-$1.($0+1)". It says one for each frame around the function,
// outermost first. All but the last are those of the reader itself ($1 here): values are read within one scope.
type Value struct {
	Function string
	Indices  []*Expr // nil instead of the last: "*", all of the scope in order

	pos pos
}

// All reports whether v is of the form "F-*".
func (v *Value) All() bool { return len(v.Indices) > 0 && v.last() == nil }

func (v *Value) last() *Expr { return v.Indices[len(v.Indices)-1] }

// Shift returns c when v names the function on the line c behind the reader's: "F-$0", "F-($0 + c)".
func (v *Value) Shift() (c int64, ok bool) {
	if len(v.Indices) == 0 || v.All() {
		return 0, false
	}
	return v.last().Shift(0)
}

// Literal returns n when v names the function on line n: "F-n".
func (v *Value) Literal() (n int64, ok bool) {
	if len(v.Indices) == 0 || v.All() {
		return 0, false
	}
	return v.last().Literal()
}

// File is a file of an app. Name has no directory.
type File struct {
	Name string
	Text []byte
}

// pos is a place in a file; the zero pos is of what has been made by a program.
type pos struct {
	file         string
	line, column int
}
