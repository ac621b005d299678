package asl

import (
	"errors"
	"fmt"
	"slices"
	"sort"
	"strings"
	"unicode/utf8"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/limits"
)

// Options says how a definition is to be read.
type Options struct {
	// Express applies the rules of EXPRESS state machines: no task tokens, no jobs, no activities.
	Express bool
	// Integrations are the service integrations that Tasks may use. nil: none.
	Integrations Integrations
	// Limits bounds the text; the zero value is limits.Default.
	Limits limits.Set
}

const maxSeconds = 99_999_999 // Step Functions' bound on time-outs, waits and intervals

// parser turns the tree of a definition into a Machine and notes every problem on the way.
type parser struct {
	lines     []int // offsets at which lines start
	options   Options
	machine   *Machine
	language  QueryLanguage // of the state being read
	current   *State        // being read; nil outside
	currentAt *spot
	problems  Problems
	dropped   int
	seen      map[string]*spot // states by name, over the whole machine
	assigned  []assignment     // in the order of the text

	announced map[string]bool // features that have been reported as not supported yet
}

// Parse reads and validates a definition. The Machine is nil exactly when there are problems, and all of
// them are reported, the first 100 in full.
func Parse(text []byte, opts Options) (*Machine, Problems) {
	return parse(text, opts, (*parser).top)
}

// parse reads the JSON of a definition and lets read go through it.
func parse(text []byte, opts Options, read func(*parser, *spot)) (*Machine, Problems) {
	p := &parser{options: opts, machine: &Machine{Text: text}, seen: map[string]*spot{}, announced: map[string]bool{}}
	most := opts.Limits.DefinitionBytes
	if most == 0 {
		most = limits.Default.DefinitionBytes
	}
	if len(text) > most {
		return nil, Problems{whole(SchemaInvalid, fmt.Sprintf("the definition has %d bytes; at most %d are allowed", len(text), most), "split it, or pass large values as input")}
	}
	p.findLines(text)
	if len(strings.TrimSpace(string(text))) == 0 {
		return nil, Problems{notAnObject()}
	}
	root, err := jsonvalue.ParseDocument(text)
	if err != nil {
		return nil, Problems{malformed(text, err)}
	}
	if root.Kind != jsonvalue.KindObject {
		return nil, Problems{notAnObject()}
	}
	read(p, &spot{node: root, keyAt: -1})
	p.checkScopes()
	if len(p.problems) > 0 {
		return nil, p.sorted()
	}
	return p.machine, nil
}

// whole is a problem of the definition as a whole.
func whole(code Code, message, fix string) Problem {
	return Problem{Pos: Pos{1, 1}, Path: "/", Code: code, Message: message, Fix: fix, ServiceMessage: message}
}

func notAnObject() Problem {
	at := whole(SchemaInvalid, "a definition is a JSON object", `write {"StartAt": ..., "States": {...}}`)
	at.ServiceMessage = "Definition must be a valid JSON object"
	return at
}

// malformed words a syntax error. Step Functions gives the position behind the offending token, and quotes
// the source.
func malformed(text []byte, err error) Problem {
	at := whole(InvalidJSON, err.Error(), "")
	var e *jsonvalue.SyntaxError
	if !errors.As(err, &e) {
		return at
	}
	at.Pos = Pos{e.Line, e.Column}
	at.Message = "not JSON: " + e.Msg
	source, column := []rune(string(text)), e.Column+max(len(e.Token), 1)
	quoted := string(source)
	if len(source) > maxServiceSource {
		quoted = fmt.Sprintf("%s\"[truncated %d chars]", string(source[:maxServiceSource]), len(source)-maxServiceSource)
	} else {
		quoted += `"`
	}
	at.ServiceLocation = fmt.Sprintf("[Source: (String)\"%s; line: %d, column: %d]", quoted, e.Line, column)
	at.ServiceMessage = e.ServiceMessage() + "\n at " + at.ServiceLocation
	return at
}

func (p *parser) findLines(text []byte) {
	p.lines = []int{0}
	for i, c := range text {
		if c == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
}

func (p *parser) pos(offset int) Pos {
	line := sort.SearchInts(p.lines, offset+1)
	return Pos{line, offset - p.lines[line-1] + 1}
}

func (p *parser) sorted() Problems {
	slices.SortStableFunc(p.problems, func(a, b Problem) int {
		if a.Pos.Line != b.Pos.Line {
			return a.Pos.Line - b.Pos.Line
		}
		return a.Pos.Column - b.Pos.Column
	})
	if p.dropped > 0 {
		last := &p.problems[len(p.problems)-1]
		last.Message += fmt.Sprintf(" (and %d more problems)", p.dropped)
	}
	return p.problems
}

// top reads the machine itself.
func (p *parser) top(s *spot) {
	m := p.machine
	m.QueryLanguage = p.queryLanguage(s, JSONPath)
	p.language = m.QueryLanguage
	p.fields(s, "a state machine", machineFields)
	m.Comment, _ = p.text(s, "Comment")
	m.Version, _ = p.text(s, "Version")
	if v := s.member("Version"); v != nil && v.node.Kind == jsonvalue.KindString && m.Version != "1.0" {
		p.choose(v, "1.0")
	}
	m.TimeoutSeconds, _ = p.whole(s, "TimeoutSeconds", 0, maxSeconds)
	p.graph(s, &m.Graph)
}

// queryLanguage reads the field of that name.
func (p *parser) queryLanguage(s *spot, inherited QueryLanguage) QueryLanguage {
	text, ok := p.text(s, "QueryLanguage")
	if !ok {
		return inherited
	}
	switch text {
	case "JSONPath":
		return JSONPath
	case "JSONata":
		return JSONata
	}
	p.choose(s.member("QueryLanguage"), "JSONPath", "JSONata")
	return inherited
}

// pending is a name of a state that is looked up once the whole graph is read.
type pending struct {
	at   *spot
	name string
	to   **State
}

// graphReader reads one graph.
type graphReader struct {
	*parser
	graph   *Graph
	pending []pending
	spots   []*spot // of graph.States
	edges   []int   // where in pending the names begin that each of graph.States gives
	broken  bool    // some state's way on is unknown
}

// graph reads StartAt and States of s into g.
func (p *parser) graph(s *spot, g *Graph) {
	r := &graphReader{parser: p, graph: g}
	r.expect(s)
	p.require(s, "States", "StartAt")
	if name, ok := p.text(s, "StartAt"); ok {
		g.StartAt = name
		r.refer(s.member("StartAt"), name, &g.Start)
	}
	states := s.member("States")
	if states == nil || !p.kind(states, jsonvalue.KindObject) {
		return
	}
	if len(states.node.Members) == 0 {
		p.empty(states, `add a state such as "Done": {"Type": "Succeed"}`, "a graph needs at least one state")
		return
	}
	for i := range states.node.Members {
		r.state(states.at(i))
	}
	r.resolve(states)
}

// expect makes room for the states of s.
func (r *graphReader) expect(s *spot) {
	n := 0
	if states := s.member("States"); states != nil {
		n = len(states.node.Members)
	}
	r.graph.ByName = make(map[string]*State, n)
	r.graph.States = make([]*State, 0, n)
	r.spots = make([]*spot, 0, n)
	r.pending = make([]pending, 0, n+1)
	r.edges = make([]int, 0, n)
	if len(r.seen) == 0 {
		r.seen = make(map[string]*spot, n)
		r.machine.AllStates = make([]*State, 0, n)
	}
}

// refer notes that at names a state, to be filled in by resolve.
func (r *graphReader) refer(at *spot, name string, to **State) {
	r.pending = append(r.pending, pending{at, name, to})
}

// resolve links names to states and checks that every state can be reached and some state ends.
func (r *graphReader) resolve(states *spot) {
	for _, ref := range r.pending {
		if *ref.to = r.graph.ByName[ref.name]; *ref.to != nil {
			continue
		}
		fix := r.closest(ref.name, r.names)
		if fix == "" {
			fix = "name one of the states of the same States object, or add it there"
		}
		r.report(ref.at, MissingTarget, fix, "there is no state %q", ref.name).ServiceMessage = fmt.Sprintf("Missing '%s' target: %s", kindOfTarget(ref.at.key), ref.name)
	}
	if r.broken || r.graph.Start == nil {
		return // what is unreachable cannot be told while the graph has holes
	}
	if !slices.ContainsFunc(r.graph.States, terminal) {
		r.reportAt(states, states.node.End-1, MissingEnd, `give a state "End": true, or add a Succeed or Fail state`, "no state ends: a run could never finish").
			withoutLocation("Workflow has no terminal state")
		return
	}
	reached := r.reach()
	for i, st := range r.graph.States {
		if !reached[i] {
			r.reportKey(r.spots[i], MissingTarget, "let a Next, Default or Catch name it, or remove it", "no state leads to it").ServiceMessage =
				fmt.Sprintf("State \"%s\" is not reachable.", st.Name)
		}
	}
}

// kindOfTarget is what Step Functions calls the field key that names a state: "Next" for all but StartAt.
func kindOfTarget(key string) string {
	if key == "StartAt" {
		return key
	}
	return "Next"
}

// terminal reports whether a graph may end with st.
func terminal(st *State) bool { return st.End || st.Type == Succeed || st.Type == Fail }

func (r *graphReader) names() []string {
	names := make([]string, len(r.graph.States))
	for i, st := range r.graph.States {
		names[i] = st.Name
	}
	return names
}

// reach returns the states that can be reached from the start.
func (r *graphReader) reach() []bool {
	places := make(map[*State]int, len(r.graph.States))
	for i, st := range r.graph.States {
		places[st] = i
	}
	reached := make([]bool, len(r.graph.States))
	start := places[r.graph.Start]
	reached[start] = true
	for queue := []int{start}; len(queue) > 0; {
		at := queue[0]
		queue = queue[1:]
		last := len(r.pending)
		if at+1 < len(r.edges) {
			last = r.edges[at+1]
		}
		for _, ref := range r.pending[r.edges[at]:last] {
			if to := places[*ref.to]; *ref.to != nil && !reached[to] {
				reached[to] = true
				queue = append(queue, to)
			}
		}
	}
	return reached
}

// enter gives a state its place in the machine, and checks its name.
func (r *graphReader) enter(s *spot) *State {
	st := &State{Name: s.key, Graph: r.graph, Index: len(r.machine.AllStates), Pos: r.pos(s.keyAt)}
	r.machine.AllStates = append(r.machine.AllStates, st)
	r.graph.States = append(r.graph.States, st)
	r.spots, r.edges = append(r.spots, s), append(r.edges, len(r.pending))
	switch n := utf8.RuneCountInString(s.key); {
	case n == 0:
		r.reportKey(s, SchemaInvalid, "name it", "a state needs a name")
	case n > limits.NameChars:
		r.reportKey(s, InvalidStateName, "shorten it", "the name has %d characters; at most %d are allowed", n, limits.NameChars).ServiceMessage =
			fmt.Sprintf("State name '%s' exceeds the %d-character limit allowed by the service", s.key, limits.NameChars)
	}
	if first := r.seen[s.key]; first != nil {
		r.reportKey(s, DuplicateState, "rename one of them", "the machine has another state %q at line %d; names are unique in the whole machine", s.key, r.pos(first.keyAt).Line).ServiceMessage =
			"Duplicate State name: " + s.key
	} else {
		r.seen[s.key] = s
	}
	if r.graph.ByName[s.key] != nil {
		r.broken = true
	}
	r.graph.ByName[s.key] = st
	return st
}
