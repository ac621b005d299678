// Package asl is the Amazon States Language: its types, a parser that keeps positions, and a validator
// that reports every problem at once with what to write instead.
package asl

import (
	"github.com/weftworks/weft/asl/jsonpath"
)

// Pos is a place in a definition's text. Line and Column count from 1; Column counts bytes.
type Pos struct{ Line, Column int }

// QueryLanguage says how a state's expressions are written.
type QueryLanguage uint8

// The query languages. Values are append-only.
const (
	JSONPath QueryLanguage = iota
	JSONata
)

// Machine is a parsed and validated state machine. It is immutable and safe for concurrent use.
type Machine struct {
	Comment        string
	Version        string
	QueryLanguage  QueryLanguage
	TimeoutSeconds int64 // 0: none
	Graph          Graph
	AllStates      []*State // every state, nested graphs included, in the order of the text: AllStates[s.Index] == s
	Text           []byte   // the definition as given
}

// Graph is a StartAt with its States: a machine, a Parallel branch or an ItemProcessor.
type Graph struct {
	StartAt string
	States  []*State // in the order of the text
	ByName  map[string]*State
	Start   *State
	Parent  *State // the Parallel or Map it belongs to; nil for the machine's own graph
}

// StateType is the kind of a state.
type StateType uint8

// The state types. Values are append-only.
const (
	Task StateType = iota + 1
	Pass
	Choice
	Wait
	Succeed
	Fail
	Parallel
	Map
)

// String returns the type as the States Language spells it.
func (t StateType) String() string {
	return [...]string{"?", "Task", "Pass", "Choice", "Wait", "Succeed", "Fail", "Parallel", "Map"}[t]
}

// State is one state. Exactly one of the pointers to type-specific parts is set (Pass and Succeed have none).
// Index is unique in the machine, nested graphs included, and is the state's place in Machine order, so a
// frame can name a state by number.
type State struct {
	Name          string
	Index         int
	Graph         *Graph // it belongs to
	Type          StateType
	Comment       string
	QueryLanguage QueryLanguage
	Pos           Pos
	Next          string // "" at an End
	NextState     *State // resolved Next
	End           bool

	// JSONPath data flow; nil means the field is absent.
	InputPath      *Path          // absent: "$"
	Parameters     *Template      // Parameters; for Map: ItemSelector (in JSONata as well) or the older Parameters
	ResultSelector *Template      // Task, Parallel, Map
	ResultPath     *ReferencePath // absent: "$"
	OutputPath     *Path          // absent: "$"
	Result         []byte         // Pass: JSON text; nil when absent

	// JSONata data flow; nil means the field is absent.
	Arguments *Template         // Task, Parallel
	Output    *Template         // of a Choice it counts for Default only
	Queries   map[string]*Query // fields of one value (TimeoutSeconds, Seconds, Error, …) that hold an expression, by name

	// Assign is what leaving the state stores in variables: a template whose root is an object of names and values. Of a
	// Choice it counts for Default only. Nil: nothing.
	Assign *Template
	// References are the names of the variables that the state's own fields read, sorted, each once.
	References []string

	Retry []Retrier
	Catch []Catcher

	Task     *TaskPart
	Choice   *ChoicePart
	Wait     *WaitPart
	Fail     *FailPart
	Parallel *ParallelPart
	Map      *MapPart
}

// Path is a path field. Null says the field was JSON null, which discards the value (InputPath, OutputPath: {}).
type Path struct {
	Null bool
	Expr *jsonpath.Path // nil when Null
}

// ReferencePath is a ResultPath. Null discards the result and keeps the input.
type ReferencePath struct {
	Null bool
	Expr *jsonpath.Reference // nil when Null
}

// Template is JSON with expressions in it: in JSONPath the value of an object key that ends in ".$", in JSONata any string
// {% … %}.
type Template struct {
	Root Node
}

// Node is a part of a template: exactly one of the fields is in use.
type Node struct {
	Literal any         // a jsonvalue tree without expressions; used when the rest is nil
	Fields  []FieldNode // an object
	Items   []Node      // an array
	Expr    Expr        // an expression: path, context path or intrinsic call
	Query   *Query      // an expression in JSONata
	kind    nodeKind
}

// FieldNode is one member of an object in a template, its key without the ".$".
type FieldNode struct {
	Key  string
	Node Node
}

type nodeKind uint8

// TaskPart is what only a Task has.
type TaskPart struct {
	Resource  string
	Target    Target // Resource, understood
	Timeout   Duration
	Heartbeat Duration
	// Credentials is an object whose RoleArn is the role to call under; nil: the machine's.
	Credentials *Template
}

// TargetKind says what a Task's resource is.
type TargetKind uint8

// The kinds of targets. Values are append-only; integrations of later issues add to them.
const (
	// TargetFunction is a function by name or Lambda ARN: history shows LambdaFunction* events.
	TargetFunction TargetKind = iota + 1
	// TargetLambdaInvoke is arn:aws:states:::lambda:invoke: the function's name and payload are in
	// Parameters; history shows Task* events; the output is Lambda's response envelope.
	TargetLambdaInvoke
	// TargetActivity is an activity by its ARN: workers ask for its tasks; history shows Activity* events.
	TargetActivity
	// TargetIntegration is another service's action, arn:aws:states:::SERVICE:ACTION: its arguments are the state's;
	// history shows Task* events; the output is the action's response.
	TargetIntegration
)

// Target is a Task's resource, understood.
type Target struct {
	Kind         TargetKind
	Function     string // TargetFunction: the function's name
	Activity     string // TargetActivity: the activity's name
	Integration  string // TargetIntegration: service and action without a pattern, e.g. "sqs:sendMessage"
	ResourceType string // e.g. "lambda"
	Resource     string // e.g. "invoke", "invoke.waitForTaskToken"
	WaitForToken bool
	Job          bool // .sync, .sync:2: the call begins what the Task waits for
}

// Duration is a number of seconds, fixed or found by a path. Set says the field is present.
type Duration struct {
	Set     bool
	Seconds int64
	Path    *jsonpath.Path
}

// ChoicePart is what only a Choice has.
type ChoicePart struct {
	Rules        []Rule
	Default      string // "" when absent
	DefaultState *State
}

// Rule is one entry of Choices.
type Rule struct {
	Cond     Condition // in JSONPath
	Query    *Query    // in JSONata, unless the Condition is a Constant
	Constant *bool
	Next     string
	To       *State
	Assign   *Template // nil: nothing
	Output   *Template // nil: the state's input
}

// Condition is a tree of And, Or, Not and comparisons.
type Condition struct {
	And, Or []Condition
	Not     *Condition
	Compare *Comparison
}

// Comparison is one data test of a Choice rule. Op is one of the 39 operators as spelled, without the Path ending;
// Other is set instead of Value for the operators that end in Path.
type Comparison struct {
	Variable *jsonpath.Path
	Op       string
	Value    any // jsonvalue
	Other    *jsonpath.Path
}

// WaitPart is what only a Wait has; exactly one of the four forms is set.
type WaitPart struct {
	Seconds       int64
	HasSeconds    bool
	Timestamp     string // RFC 3339, as written
	SecondsPath   *jsonpath.Path
	TimestampPath *jsonpath.Path
}

// FailPart is what only a Fail has. Nil texts are absent.
type FailPart struct {
	Error, Cause         *string
	ErrorPath, CausePath Expr // nil: absent
}

// ParallelPart is what only a Parallel has.
type ParallelPart struct {
	Branches []*Graph
}

// MapPart is what only a Map has.
type MapPart struct {
	Processor                  *Graph
	Distributed                *DistributedPart // nil: inline
	Items                      *Template        // in JSONata; nil: the state's input
	ItemsPath                  *jsonpath.Path   // nil: "$"
	MaxConcurrency             int64            // 0: no limit
	MaxConcurrencyPath         *jsonpath.Path
	ToleratedFailureCount      int64
	ToleratedFailureCountPath  *jsonpath.Path
	ToleratedFailurePercentage float64
	ToleratedPercentagePath    *jsonpath.Path
	// HasTolerance says that a tolerated failure field is present.
	HasTolerance bool
	// HasFailureCount and HasFailurePercentage say which one is.
	HasFailureCount, HasFailurePercentage bool
}

// Retrier is one entry of Retry, with defaults filled in.
type Retrier struct {
	ErrorEquals     []string
	IntervalSeconds int64   // default 1
	MaxAttempts     int64   // default 3; 0: never
	BackoffRate     float64 // default 2
	MaxDelaySeconds int64   // 0: none
	FullJitter      bool
}

// Catcher is one entry of Catch.
type Catcher struct {
	ErrorEquals []string
	Next        string
	To          *State
	ResultPath  *ReferencePath
	Assign      *Template // in place of the state's own; nil: nothing
	Output      *Template // in JSONata; nil: the error output
}
