// Package mock reads AWS's mock files (Step Functions Local, MockConfigFile.json), which say what a machine's tasks answer
// in which test case, and runs machines with them on a clock of its own, so that waits and retries cost nothing. It is pure
// like package machine.
//
//	{
//	  "StateMachines": {
//	    "Order": {"TestCases": {
//	      "HappyPath": {"Charge": "ChargeGood"},
//	      "Retried":   {"Charge": "ChargeSecondTime", "Expect": {"Status": "SUCCEEDED", "Path": ["Charge", "Done"]}}
//	    }}
//	  },
//	  "MockedResponses": {
//	    "ChargeGood":       {"0": {"Return": {"StatusCode": 200, "Payload": {"paid": true}}}},
//	    "ChargeSecondTime": {"0": {"Throw": {"Error": "Busy", "Cause": "try again"}}, "1-2": {"Return": {"Payload": {}}}}
//	  }
//	}
//
// A case names the response of each mocked state. The keys of a response count the calls of the state: "0" is the first, "1-2"
// the second and third. A call for which there is no key takes the one of its attempt in the visit of the state (0, and one
// more with every retry), so that a state in a loop or a Map may always answer the same; when there is none either, the run
// fails and says so.
//
// Two members of a case are ours, and harmless to AWS's tool: Input, the input of the run, and Expect, what must come of
// it. States of these names cannot be mocked with a string where an object is written.
package mock

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
)

// File is a mock file, read and checked. It is immutable and safe for concurrent use.
type File struct {
	Machines []*Machine // in the order of the file
}

// Machine are the test cases of one state machine.
type Machine struct {
	Name  string
	Cases []*Case // in the order of the file
}

// Case is one test case. It implements machine.Mocks.
type Case struct {
	Name   string
	Input  []byte  // compact JSON; nil: the file does not say
	Expect *Expect // nil: any end will do

	states map[string][]answer
}

// answer is what a state answers to the calls from first to last.
type answer struct {
	first, last int64
	response    machine.Response
	returned    any // its output, as a tree
}

// The keys of a mock file.
const (
	keyMachines  = "StateMachines"
	keyResponses = "MockedResponses"
	keyCases     = "TestCases"
	keyInput     = "Input"
	keyExpect    = "Expect"
	keyReturn    = "Return"
	keyThrow     = "Throw"
)

// Machine returns the test cases of the machine of that name, or nil.
func (f *File) Machine(name string) *Machine {
	i := slices.IndexFunc(f.Machines, func(m *Machine) bool { return m.Name == name })
	if i < 0 {
		return nil
	}
	return f.Machines[i]
}

// Case returns the test case of that name, or nil.
func (m *Machine) Case(name string) *Case {
	i := slices.IndexFunc(m.Cases, func(c *Case) bool { return c.Name == name })
	if i < 0 {
		return nil
	}
	return m.Cases[i]
}

// States returns the names of the mocked states, sorted.
func (c *Case) States() []string {
	names := make([]string, 0, len(c.states))
	for name := range c.states {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Respond implements machine.Mocks.
func (c *Case) Respond(state string, call, attempt int64) (machine.Response, bool) {
	answers, ok := c.states[state]
	if !ok {
		return machine.Response{}, false
	}
	for _, n := range [...]int64{call, attempt} {
		for i := range answers {
			if a := &answers[i]; a.first <= n && n <= a.last {
				return a.response, true
			}
		}
	}
	return machine.Response{Failed: true, Error: "States.Runtime",
		Cause: fmt.Sprintf("The test case '%s' has no mocked response for call %d (attempt %d) of the state '%s'.", c.Name, call, attempt, state)}, true
}

// Parse reads a mock file. Its error says all that is wrong with it, each with its place.
func Parse(text []byte) (*File, error) {
	tree, err := jsonvalue.Parse(text)
	if err != nil {
		return nil, fault.New("", fault.InvalidArgument, "mock file", "not JSON: %w", err)
	}
	r := &reader{responses: map[string][]answer{}}
	f := r.file(tree)
	if len(r.problems) > 0 {
		return nil, fault.New("", fault.InvalidArgument, "mock file", "%s", strings.Join(r.problems, "\n"))
	}
	return f, nil
}

// reader reads a mock file and notes every problem on the way.
type reader struct {
	responses map[string][]answer
	problems  []string
}

const mostProblems = 20

func (r *reader) report(at, format string, args ...any) {
	if len(r.problems) < mostProblems {
		r.problems = append(r.problems, at+": "+fmt.Sprintf(format, args...))
	}
}

// object returns v when it is an object, and reports it when it is not.
func (r *reader) object(at string, v any) *jsonvalue.Object {
	o, ok := v.(*jsonvalue.Object)
	if !ok {
		r.report(at, "must be an object")
		return jsonvalue.NewObject(0)
	}
	return o
}

func (r *reader) file(tree any) *File {
	top := r.object("the file", tree)
	for key := range top.All() {
		if key != keyMachines && key != keyResponses {
			r.report(key, "unknown; a mock file has %s and %s", keyMachines, keyResponses)
		}
	}
	if v, ok := top.Get(keyResponses); ok {
		for name, v := range r.object(keyResponses, v).All() {
			r.responses[name] = r.response(keyResponses+"."+name, v)
		}
	}
	f := &File{}
	v, ok := top.Get(keyMachines)
	if !ok {
		r.report("the file", "%s is missing", keyMachines)
		return f
	}
	for name, v := range r.object(keyMachines, v).All() {
		f.Machines = append(f.Machines, r.machine(keyMachines+"."+name, name, v))
	}
	return f
}

func (r *reader) machine(at, name string, v any) *Machine {
	m := &Machine{Name: name}
	cases, ok := r.object(at, v).Get(keyCases)
	if !ok {
		r.report(at, "%s is missing", keyCases)
		return m
	}
	at += "." + keyCases
	for name, v := range r.object(at, cases).All() {
		m.Cases = append(m.Cases, r.testCase(at+"."+name, name, v))
	}
	return m
}

func (r *reader) testCase(at, name string, v any) *Case {
	c := &Case{Name: name, states: map[string][]answer{}}
	for state, v := range r.object(at, v).All() {
		here := at + "." + state
		ref, isText := v.(string)
		answers, known := r.responses[ref]
		switch {
		case isText && known:
			c.states[state] = answers
		case state == keyInput:
			c.Input = jsonvalue.Append(nil, v)
		case isText:
			r.report(here, "there is no response %q in %s", ref, keyResponses)
		case state == keyExpect:
			c.Expect = r.expect(here, v)
		default:
			r.report(here, "must be the name of a response in %s", keyResponses)
		}
	}
	return c
}

// response reads the answers of one mocked response, in the order of their calls.
func (r *reader) response(at string, v any) []answer {
	var answers []answer
	for key, v := range r.object(at, v).All() {
		first, last, ok := parseRange(key)
		if !ok {
			r.report(at+"."+key, `a key is a call ("0") or a range of calls ("1-2")`)
			continue
		}
		a := r.answer(at+"."+key, v)
		a.first, a.last = first, last
		answers = append(answers, a)
	}
	slices.SortFunc(answers, func(a, b answer) int { return int(a.first - b.first) })
	for i := range answers {
		if i > 0 && answers[i].first <= answers[i-1].last {
			r.report(at, "call %d has two answers", answers[i].first)
		}
	}
	return answers
}

// parseRange reads "3" and "1-2".
func parseRange(key string) (first, last int64, ok bool) {
	from, to, isRange := strings.Cut(key, "-")
	if !isRange {
		to = from
	}
	a, err1 := strconv.ParseUint(from, 10, 31)
	b, err2 := strconv.ParseUint(to, 10, 31)
	return int64(a), int64(b), err1 == nil && err2 == nil && a <= b
}

func (r *reader) answer(at string, v any) answer {
	o := r.object(at, v)
	returned, isReturn := o.Get(keyReturn)
	thrown, isThrow := o.Get(keyThrow)
	if isReturn == isThrow || o.Len() != 1 {
		r.report(at, "must have one of %s and %s, and nothing else", keyReturn, keyThrow)
		return answer{}
	}
	if isReturn {
		return answer{response: machine.Response{Output: jsonvalue.Append(nil, returned)}, returned: returned}
	}
	e := r.object(at+"."+keyThrow, thrown)
	for key := range e.All() {
		if key != "Error" && key != "Cause" {
			r.report(at+"."+keyThrow+"."+key, "unknown; %s has Error and Cause", keyThrow)
		}
	}
	at += "." + keyThrow
	return answer{response: machine.Response{Failed: true, Error: r.text(at, e, "Error", limits.ErrorChars), Cause: r.text(at, e, "Cause", limits.CauseChars)}}
}

// text returns a member that is a string of at most so many characters; "" when it is absent.
func (r *reader) text(at string, o *jsonvalue.Object, key string, most int) string {
	v, ok := o.Get(key)
	if !ok {
		return ""
	}
	s, ok := v.(string)
	if !ok {
		r.report(at+"."+key, "must be a string")
	}
	return limits.Cut(s, most)
}

// Unknown returns the mocked states that a machine does not have, or that call nothing, sorted.
func (c *Case) Unknown(m *asl.Machine) []string {
	calls := map[string]bool{}
	for _, st := range m.AllStates {
		calls[st.Name] = st.Type == asl.Task || st.Type == asl.Map || st.Type == asl.Parallel
	}
	return slices.DeleteFunc(c.States(), func(name string) bool { return calls[name] })
}

// File returns a mock file that has the case alone, in AWS's format, without Input and Expect: Parse reads it back.
func (c *Case) File(machineName string) []byte {
	states, responses := jsonvalue.NewObject(len(c.states)), jsonvalue.NewObject(len(c.states))
	for _, name := range c.States() {
		response := jsonvalue.NewObject(1)
		for _, a := range c.states[name] {
			response.Set(fmt.Sprintf("%d-%d", a.first, a.last), a.tree())
		}
		states.Set(name, name)
		responses.Set(name, response)
	}
	wrap := func(name string, v any) *jsonvalue.Object {
		o := jsonvalue.NewObject(2)
		o.Set(name, v)
		return o
	}
	top := wrap(keyMachines, wrap(machineName, wrap(keyCases, wrap(c.Name, states))))
	top.Set(keyResponses, responses)
	return jsonvalue.Append(nil, top)
}

func (a *answer) tree() *jsonvalue.Object {
	o := jsonvalue.NewObject(1)
	if !a.response.Failed {
		o.Set(keyReturn, a.returned)
		return o
	}
	e := jsonvalue.NewObject(2)
	e.Set("Error", a.response.Error)
	e.Set("Cause", a.response.Cause)
	o.Set(keyThrow, e)
	return o
}
