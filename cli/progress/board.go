// Package progress turns a run's history into what a person watches: for every state how often it was
// entered, succeeded, failed and was retried, and how far each Map is. A Board is a fold over history
// events, in order, from an engine or from GetExecutionHistory alike; Plain and Live print it.
//
//	board := progress.NewBoard(definition)
//	for _, e := range events {
//		board.Apply(e)
//	}
//	view.Show(now, board, false)
package progress

import (
	"slices"
	"strings"

	"github.com/weftworks/weft/asl"
)

// Event is what the board needs of a history event. Type is the event's type as Step Functions names it.
type Event struct {
	ID, Prev int64
	Time     int64 // Unix milliseconds
	Type     string
	Name     string // the state, where the event's details name one
	Index    int64  // MapIteration*: the item
	Length   int64  // MapStateStarted: the number of items
	Error    string
	Cause    string
}

// Row is one state of the board.
type Row struct {
	Name      string
	Type      string // "Task", "Map", …
	Depth     int    // how many Maps and Parallels it is inside of
	Entered   int64
	Succeeded int64 // exited without an error
	Failed    int64 // ended with an error, caught ones included
	Caught    int64 // of Failed: the run went on by a Catch
	Retried   int64 // attempts after the first
	Aborted   int64
	// A Map's items over all its entries.
	Items, ItemsStarted, ItemsDone, ItemsFailed int64

	parent int // row of the enclosing Map or Parallel; -1
}

// Running is how many entries of the state have not ended.
func (r *Row) Running() int64 { return max(r.Entered-r.Succeeded-r.Failed-r.Aborted, 0) }

// Failure says where a run failed.
type Failure struct {
	State  string   // "" when no state is to blame
	Inside []string // enclosing Maps and Parallels, outermost first
	Item   int64    // of the innermost Map; -1: none
	Error  string
	Cause  string
	// Raised is the failure that led to the Fail state State, by a Catch; nil when no error was caught on the way
	// there, or when State is no Fail state.
	Raised *Failure
}

// raised is a failure that was caught, and the ones before it on the same way through the machine.
type raised struct {
	Failure
	before *raised
	depth  int
}

// raisedMax bounds how many caught failures of one way are kept; of more, the latest are forgotten.
const raisedMax = 16

// Board is the state of the display. It is not safe for concurrent use.
type Board struct {
	Rows   []*Row // in the definition's order, then in the order of appearance
	Events int64  // applied
	Ended  string // the type of the run's last event, e.g. "ExecutionFailed"; "" while open

	byName map[string]int
	links  map[int64]link
	over   map[int][]int64 // by the row of a Map that is open: the last events of its items that are done
	leaf   Failure         // of the latest failure that is not a Map's or a Parallel's
	led    *raised         // what was caught on the way to leaf
	final  Failure
	closed []ending // what the end of the run added to rows
}

// ending is what a row had left open when the run ended.
type ending struct {
	row             *Row
	failed, aborted int64
}

// link is what the board keeps of an event that later ones point back to.
type link struct {
	row     int   // -1: none
	item    int64 // -1: outside Maps
	failed  bool  // the event is a failure: what follows is a retry, a catch or the end
	counted bool  // the failure is in Row.Failed already
	forks   bool  // many events may follow it
	opens   bool  // what is entered next is inside this row's Map or Parallel
	failure *Failure
	caught  *raised // on the way here, by states that have not succeeded since
}

// linksMax bounds the links of a board. Past it the board forgets which states open chains belong to:
// counts of exits and items stay right, those of failures and retries may miss some.
const linksMax = 1 << 18

// NewBoard returns a board with a row for every state of m; m may be nil, then rows appear as they come.
func NewBoard(m *asl.Machine) *Board {
	b := &Board{byName: map[string]int{}, links: map[int64]link{}, over: map[int][]int64{}, leaf: Failure{Item: -1}, final: Failure{Item: -1}}
	if m != nil {
		b.addGraph(&m.Graph, -1, 0)
	}
	return b
}

func (b *Board) addGraph(g *asl.Graph, parent, depth int) {
	for _, s := range g.States {
		at := b.addRow(&Row{Name: s.Name, Type: s.Type.String(), Depth: depth, parent: parent})
		if s.Parallel != nil {
			for _, branch := range s.Parallel.Branches {
				b.addGraph(branch, at, depth+1)
			}
		}
		if s.Map != nil && s.Map.Processor != nil {
			b.addGraph(s.Map.Processor, at, depth+1)
		}
	}
}

func (b *Board) addRow(r *Row) int {
	b.Rows = append(b.Rows, r)
	b.byName[r.Name] = len(b.Rows) - 1
	return len(b.Rows) - 1
}

// Failure returns where the run failed, once it has.
func (b *Board) Failure() Failure { return b.final }

// State returns the state that an event belongs to: the one its details name, or the one of the chain
// it continues. "" when there is none. Ask before Apply.
func (b *Board) State(e Event) string {
	if e.Name != "" {
		return e.Name
	}
	if from, ok := b.links[e.Prev]; ok && from.row >= 0 {
		if failsGroup(e.Type) {
			return b.Rows[b.group(from, e.Type)].Name
		}
		return b.Rows[from.row].Name
	}
	return ""
}

// Apply adds one event. Events come in the order of their ids.
func (b *Board) Apply(e Event) {
	b.Events++
	from, ok := b.links[e.Prev]
	if !ok {
		from = link{row: -1, item: -1}
		if at, known := b.byName[e.Name]; known && e.Type == "EvaluationFailed" { // it continues no chain but names its state
			from.row = at
		}
	}
	to := link{row: from.row, item: from.item, caught: from.caught}
	switch {
	case strings.HasPrefix(e.Type, "Execution"):
		b.execution(e, from)
	case strings.HasPrefix(e.Type, "MapIteration"):
		to = b.iteration(e, from)
	case strings.HasSuffix(e.Type, "StateEntered"):
		to.row = b.enter(e, from)
		to.failed, to.counted = e.Type == "FailStateEntered", e.Type == "FailStateEntered"
		if to.failed {
			b.blame(to, e)
		}
	case strings.HasSuffix(e.Type, "StateExited"):
		to.row = b.exit(e, from)
		to.caught = b.passed(e, from)
	case strings.HasSuffix(e.Type, "StateAborted"):
		// It points to the failure that caused it and names no state; abort has counted it.
	case strings.HasSuffix(e.Type, "StateStarted"), strings.HasSuffix(e.Type, "Scheduled"):
		b.start(e, from)
		to.forks = strings.HasSuffix(e.Type, "StateStarted")
		to.opens = to.forks
	case failsGroup(e.Type):
		b.settle(from)
		to = link{row: b.group(from, e.Type), item: from.item, failed: true, caught: from.caught}
		if to.row >= 0 {
			b.abort(to.row)
			to.failure = b.inGroup(to, e)
		}
	case failsLeaf(e.Type):
		to.failed = true
		b.blame(to, e)
		f := b.leaf
		to.failure = &f
	}
	b.remember(e, from, to)
}

// remember makes e the end of its chain.
func (b *Board) remember(e Event, from, to link) {
	switch e.Type {
	case "MapIterationSucceeded":
		b.over[to.row] = append(b.over[to.row], e.Prev)
		return // what this item's place is given to next points where this event does
	case "MapStateSucceeded", "ParallelStateSucceeded", "MapRunSucceeded", "TaskStateAborted", "WaitStateAborted",
		"MapStateAborted", "ParallelStateAborted", "MapIterationFailed", "MapIterationAborted":
		return // these do not advance the chain: the next event points where they do
	case "MapStateExited":
		for _, id := range b.over[to.row] {
			delete(b.links, id)
		}
		delete(b.over, to.row)
	}
	if !from.forks {
		delete(b.links, e.Prev)
	}
	if len(b.links) >= linksMax {
		clear(b.links)
	}
	b.links[e.ID] = to
}

func (b *Board) enter(e Event, from link) int {
	at, ok := b.byName[e.Name]
	if !ok {
		typ := strings.TrimSuffix(e.Type, "StateEntered")
		r := &Row{Name: e.Name, Type: typ, parent: -1}
		if from.row >= 0 && from.opens {
			r.parent, r.Depth = from.row, b.Rows[from.row].Depth+1
		} else if from.row >= 0 {
			r.parent, r.Depth = b.Rows[from.row].parent, b.Rows[from.row].Depth
		}
		at = b.addRow(r)
	}
	b.Rows[at].Entered++
	if e.Type == "FailStateEntered" {
		b.Rows[at].Failed++
	}
	return at
}

func (b *Board) exit(e Event, from link) int {
	at, ok := b.byName[e.Name]
	if !ok {
		return from.row
	}
	r := b.Rows[at]
	if from.failed && from.row == at {
		r.Caught++
		if !from.counted {
			r.Failed++
		}
		return at
	}
	r.Succeeded++
	return at
}

// abort counts what is still open inside a group that failed as aborted. While the group is open several
// times over, nobody can say which ones those are; then the end of the run settles it.
func (b *Board) abort(group int) {
	if b.Rows[group].Running() > 1 {
		return
	}
	for i, r := range b.Rows {
		if i != group && b.inside(i, group) {
			r.Aborted += r.Running()
		}
	}
}

// start counts a retry when the event follows a failure, and a Map's items.
func (b *Board) start(e Event, from link) {
	if from.row < 0 {
		return
	}
	r := b.Rows[from.row]
	if from.failed {
		r.Retried++
	}
	if e.Type == "MapStateStarted" {
		r.Items += e.Length
	}
}

func (b *Board) iteration(e Event, from link) link {
	at, ok := b.byName[e.Name]
	if !ok {
		return from
	}
	r := b.Rows[at]
	switch e.Type {
	case "MapIterationStarted":
		r.ItemsStarted++
	case "MapIterationSucceeded":
		r.ItemsDone++
	case "MapIterationFailed":
		b.settle(from)
		if from.failed { // what fails next by this item points to the same event
			from.counted = true
			b.links[e.Prev] = from
		}
		r.ItemsFailed++
	case "MapIterationAborted":
		r.ItemsStarted--
	}
	return link{row: at, item: e.Index, opens: true, caught: from.caught}
}

// settle counts a failure that nothing retried or caught.
func (b *Board) settle(from link) {
	if !from.failed || from.counted || from.row < 0 {
		return
	}
	b.Rows[from.row].Failed++
}

// group finds the Map or Parallel that fails when the chain ends at from.
func (b *Board) group(from link, eventType string) int {
	want := strings.TrimSuffix(eventType, "StateFailed")
	at := from.row
	if at >= 0 && from.failed && b.Rows[at].Type == want {
		if p := b.Rows[at].parent; p >= 0 && b.Rows[p].Type == want {
			at = p
		}
	}
	for at >= 0 && b.Rows[at].Type != want {
		at = b.Rows[at].parent
	}
	if at < 0 {
		return from.row
	}
	return at
}

// blame keeps the latest failure of a state that does the work itself.
func (b *Board) blame(at link, e Event) {
	b.leaf = b.failure(at.row, at.item)
	b.leaf.Error, b.leaf.Cause = e.Error, e.Cause
	b.led = at.caught
}

// inGroup is the failure of a Map or Parallel: that of the state inside it which failed last.
func (b *Board) inGroup(at link, e Event) *Failure {
	f := b.failure(at.row, at.item)
	if b.within(b.leaf.State, at.row) {
		f = b.leaf
	}
	f.Error, f.Cause = e.Error, e.Cause
	return &f
}

// passed returns what has been caught once a state is left: one failure more if a Catch leads on from it, without its
// own earlier ones if it has succeeded.
func (b *Board) passed(e Event, from link) *raised {
	at, ok := b.byName[e.Name]
	switch {
	case !ok:
		return from.caught
	case !from.failed || from.row != at:
		return from.caught.without(e.Name)
	case from.failure == nil || from.caught.len() == raisedMax:
		return from.caught
	}
	return &raised{*from.failure, from.caught, from.caught.len() + 1}
}

func (r *raised) len() int {
	if r == nil {
		return 0
	}
	return r.depth
}

// without returns r less the failures of a state, its own or inside it.
func (r *raised) without(state string) *raised {
	if r == nil {
		return nil
	}
	before := r.before.without(state)
	switch {
	case r.State == state || slices.Contains(r.Inside, state):
		return before
	case before == r.before:
		return r
	}
	return &raised{r.Failure, before, before.len() + 1}
}

// first returns the earliest failure that a final error can stem from: one of that name, else whichever; nil for none.
func (r *raised) first(name string) *Failure {
	var same, any *Failure
	for ; r != nil; r = r.before {
		any = &r.Failure
		if r.Error == name {
			same = any
		}
	}
	if same != nil {
		return same
	}
	return any
}

func (b *Board) failure(row int, item int64) Failure {
	f := Failure{Item: item}
	if row < 0 {
		return f
	}
	f.State = b.Rows[row].Name
	for p := b.Rows[row].parent; p >= 0; p = b.Rows[p].parent {
		f.Inside = append([]string{b.Rows[p].Name}, f.Inside...)
	}
	return f
}

func (b *Board) execution(e Event, from link) {
	if e.Type == "ExecutionStarted" || e.Type == "ExecutionRedriven" {
		b.Ended = ""
		b.reopen()
		return
	}
	b.Ended = e.Type
	if e.Type == "ExecutionSucceeded" {
		return
	}
	if e.Type == "ExecutionFailed" && from.row >= 0 && !from.counted {
		b.Rows[from.row].Failed++
		b.closed = append(b.closed, ending{row: b.Rows[from.row], failed: 1})
	}
	for _, r := range b.Rows {
		if n := r.Running(); n > 0 {
			r.Aborted += n
			b.closed = append(b.closed, ending{row: r, aborted: n})
		}
	}
	b.final = b.failure(from.row, from.item)
	led := from.caught
	if from.row >= 0 && from.failed && isGroup(b.Rows[from.row].Type) && b.within(b.leaf.State, from.row) {
		b.final, led = b.leaf, b.led
	}
	b.final.Error, b.final.Cause = e.Error, e.Cause
	if at, ok := b.byName[b.final.State]; ok && b.Rows[at].Type == "Fail" {
		b.final.Raised = led.first(e.Error)
	}
}

// reopen takes back what the end of the run was counted as: a redrive goes on with the states it left open.
func (b *Board) reopen() {
	for _, c := range b.closed {
		c.row.Failed -= c.failed
		c.row.Aborted -= c.aborted
	}
	b.closed = b.closed[:0]
}

// within reports whether state is inside the Map or Parallel in this row.
func (b *Board) within(state string, group int) bool {
	at, ok := b.byName[state]
	return ok && b.inside(at, group)
}

// inside reports whether a row is a group's or of a state in it.
func (b *Board) inside(at, group int) bool {
	for ; at >= 0; at = b.Rows[at].parent {
		if at == group {
			return true
		}
	}
	return false
}

func isGroup(stateType string) bool { return stateType == "Map" || stateType == "Parallel" }

func failsGroup(eventType string) bool {
	return eventType == "MapStateFailed" || eventType == "ParallelStateFailed"
}

// failsLeaf holds for the failures of work itself: functions, tasks, activities, expressions.
func failsLeaf(eventType string) bool {
	return strings.HasSuffix(eventType, "Failed") || strings.HasSuffix(eventType, "TimedOut")
}
