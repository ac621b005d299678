// Package cloudformation reads the state machines of CloudFormation and SAM templates, pure: a template's text and a function
// that reads files beside it become machines with their definitions, and errors that say where in the template.
//
// It does what CloudFormation does before it calls CreateStateMachine: conditions, mappings, parameters and their defaults,
// pseudo parameters, and the intrinsic functions in their short (!Ref) and long (Fn::Ref) spellings. What CloudFormation
// learns by creating other resources is worked out from the template: an ARN holds the region, the account and the
// resource's name, which is its logical id unless the template names it. What cannot be worked out (exports of other stacks,
// attributes of resources unknown here) is an error that asks for a parameter.
//
//	found, err := cloudformation.Import(text, cloudformation.Options{Region: "us-east-1", Account: "000000000000"})
//	for _, m := range found.Machines {
//		fmt.Println(m.Name, m.Type, string(m.Definition))
//	}
package cloudformation

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Options is what a template does not say.
type Options struct {
	// Parameters are values by name: of the template's parameters; of exports of other stacks, which Fn::ImportValue reads; and
	// of resources ("Table", "Table.StreamArn") in place of what would be worked out.
	Parameters map[string]string
	// Region, Account, Partition and Stack are the pseudo parameters. Empty: us-east-1, 000000000000, aws, stack.
	Region, Account, Partition, Stack string
	// ReadFile returns the text of a file that DefinitionUri names, a path as the template has it. Nil: there are no files.
	ReadFile func(path string) ([]byte, error)
}

// Result is what a template holds.
type Result struct {
	Machines []Machine // in the order of the template
	Notes    []Note    // what is there and is not imported, in the order of the template
}

// Machine is a state machine of a template.
type Machine struct {
	LogicalID  string
	Name       string // the logical id unless the template names it
	Type       string // STANDARD or EXPRESS
	RoleARN    string // "" when the template leaves it to SAM
	Definition []byte // JSON; whether it is a good definition is for package asl to say
	Tags       []Tag
	Logging    []byte // LoggingConfiguration as CreateStateMachine takes it, JSON; nil: none
	Tracing    []byte // TracingConfiguration likewise
	Line       int    // of the resource in the template, from 1
}

// Tag is a key and a value.
type Tag struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Note says what was left out.
type Note struct {
	Line, Column int // from 1
	Resource     string
	Message      string
}

// Problem is one thing for which a template cannot be imported.
type Problem struct {
	Line, Column int // in the template, from 1; 0: not known
	Message      string
}

// Error returns `line 3, column 5: ...`.
func (p Problem) Error() string {
	if p.Line == 0 {
		return p.Message
	}
	return fmt.Sprintf("line %d, column %d: %s", p.Line, p.Column, p.Message)
}

// Problems are all problems of a template, by their place.
type Problems []Problem

// Error returns one problem a line.
func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

const (
	maxProblems = 100
	maxNodes    = 500_000   // of a template with its aliases written out; CloudFormation reads 1 MB of text
	maxDepth    = 200       // of nesting
	maxSteps    = 1_000_000 // values evaluated; a function counts for more: names that hold names that hold names multiply
	maxText     = 16 << 20  // bytes that functions may make in all: few bytes of nested Fn::Sub could ask for very many
)

// The types of resources that are imported.
const (
	nativeMachine = "AWS::StepFunctions::StateMachine"
	samMachine    = "AWS::Serverless::StateMachine"
)

// Import reads a template in YAML or JSON. Its error is Problems.
func Import(text []byte, o Options) (*Result, error) {
	root, problems := parse(text)
	if problems != nil {
		return nil, problems
	}
	t := newTemplate(root, o)
	result := &Result{}
	for _, r := range t.machines() {
		if m := t.machine(r, result); m != nil {
			result.Machines = append(result.Machines, *m)
		}
	}
	for _, r := range t.order {
		if why := besides[r.kind]; why != "" {
			result.Notes = append(result.Notes, Note{r.node.line, r.node.column, r.id, "the " + r.kind + " is not imported: " + why})
		}
	}
	t.checkParameters()
	if len(t.problems) > 0 {
		slices.SortStableFunc(t.problems, func(a, b Problem) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
		return nil, t.problems
	}
	slices.SortStableFunc(result.Notes, func(a, b Note) int { return cmp.Or(a.Line-b.Line, a.Column-b.Column) })
	return result, nil
}

// template is a template that is being evaluated.
type template struct {
	o          Options
	parameters map[string]*node
	mappings   *node
	conditions map[string]*node
	resources  map[string]*resource
	order      []*resource

	used     map[string]bool // of o.Parameters
	decided  map[string]bool // conditions
	busy     map[string]bool // conditions and names that are being worked out: who meets one again goes in circles
	steps    int             // see maxSteps
	made     int             // bytes that functions have made
	problems Problems
}

// resource is one resource of the template.
type resource struct {
	id, kind   string
	node       *node
	properties *node // nil: none
}

func newTemplate(root *node, o Options) *template {
	for _, d := range []struct {
		value *string
		def   string
	}{{&o.Region, "us-east-1"}, {&o.Account, "000000000000"}, {&o.Partition, "aws"}, {&o.Stack, "stack"}} {
		if *d.value == "" {
			*d.value = d.def
		}
	}
	t := &template{o: o, used: map[string]bool{}, decided: map[string]bool{}, busy: map[string]bool{}, resources: map[string]*resource{}}
	if root.kind != object {
		t.fail(root, "a template is an object with Resources, not %s", root.describe())
		return t
	}
	t.parameters, t.conditions = t.section(root, "Parameters"), t.section(root, "Conditions")
	if t.mappings = root.get("Mappings"); t.mappings == nil {
		t.mappings = &node{kind: object}
	}
	found := root.get("Resources")
	if found == nil || found.kind != object {
		t.fail(root, "the template has no Resources")
		return t
	}
	for _, m := range found.members {
		kind := m.value.get("Type")
		if kind == nil || kind.kind != scalar {
			t.fail(m.value, "resource %s has no Type", m.key)
			continue
		}
		r := &resource{id: m.key, kind: kind.text(), node: m.value, properties: m.value.get("Properties")}
		t.resources[r.id] = r
		t.order = append(t.order, r)
	}
	return t
}

// section returns the members of a section by name; a template may lack it.
func (t *template) section(root *node, name string) map[string]*node {
	found := map[string]*node{}
	s := root.get(name)
	if s == nil {
		return found
	}
	if s.kind != object {
		t.fail(s, "%s is an object, not %s", name, s.describe())
	}
	for _, m := range s.members {
		found[m.key] = m.value
	}
	return found
}

func (t *template) fail(at *node, format string, args ...any) {
	if len(t.problems) < maxProblems {
		t.problems = append(t.problems, Problem{at.line, at.column, fmt.Sprintf(format, args...)})
	}
}

// machines returns the resources that are state machines and whose condition holds.
func (t *template) machines() (found []*resource) {
	for _, r := range t.order {
		if r.kind != nativeMachine && r.kind != samMachine {
			continue
		}
		if c := r.node.get("Condition"); c != nil && !t.condition(c, c.text()) {
			continue
		}
		found = append(found, r)
	}
	return found
}

// checkParameters refuses values that nothing asked for: most are misspelt.
func (t *template) checkParameters() {
	for _, name := range slices.Sorted(maps.Keys(t.o.Parameters)) {
		if t.used[name] || t.parameters[name] != nil || len(t.problems) > 0 {
			continue
		}
		known := strings.Join(slices.Sorted(maps.Keys(t.parameters)), ", ")
		if known == "" {
			known = "none"
		}
		t.problems = append(t.problems, Problem{Message: fmt.Sprintf("the template has no use for parameter %s; its parameters are: %s", name, known)})
	}
}
