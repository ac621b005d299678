package check

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/weftworks/weft/unum/protocol"
)

// Seq is a line of control of a model program: one node after the other.
type Seq []Node

// Node is what a line does at one point: a task, a wait, or a fan-out with its join.
type Node struct {
	Raises    bool  // a task: the code always raises
	Flaky     bool  // a task: every second execution raises
	Unchecked bool  // a task: without a checkpoint
	Expires   bool  // a task: with a limit to its time, which may come first
	Wait      bool  // no task but a time to await
	Lines     []Seq // no task but a fan-out
	Limit     int64 // of a fan-out: lines under way at a time
	Catch     bool  // of a fan-out: the line goes on when a branch has failed
}

// The nodes most programs are made of.
var (
	Task      = Node{}
	Raise     = Node{Raises: true}
	Flaky     = Node{Flaky: true}
	Unchecked = Node{Unchecked: true}
	Expiring  = Node{Expires: true}
	Wait      = Node{Wait: true}
)

// Par is a fan-out.
func Par(lines ...Seq) Node { return Node{Lines: lines} }

// Try is a fan-out whose failure is caught.
func Try(lines ...Seq) Node { return Node{Lines: lines, Catch: true} }

// Each is a fan-out of n lines that are alike, limit at a time; 0: all.
func Each(n int, limit int64, line ...Node) Node {
	node := Node{Limit: limit}
	for range n {
		node.Lines = append(node.Lines, line)
	}
	return node
}

// may returns whether a run of the sequence can succeed, and whether it can fail.
func (s Seq) may(broken bool) (succeed, fail bool) {
	succeed = true
	for _, n := range s {
		ok, bad := n.may(broken)
		fail = fail || succeed && bad
		succeed = succeed && ok
	}
	return succeed, fail || broken
}

func (n *Node) may(broken bool) (succeed, fail bool) {
	succeed = true
	for _, l := range n.Lines {
		ok, bad := l.may(broken)
		succeed, fail = succeed && ok, fail || bad
	}
	if len(n.Lines) > 0 && n.Catch && fail {
		return true, broken
	}
	return succeed && !n.Raises, fail || n.Raises || n.Flaky || n.Expires
}

// value is what model code returns: which node made it, which instance, and which execution of that.
type value struct {
	Node  string `json:"n"`
	Inst  string `json:"i"`
	Exec  string `json:"x"`
	Loose bool   `json:"u,omitempty"` // of a node without a checkpoint: consumers may see different ones
}

func (v value) encode() []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

func decodeValue(b []byte) (v value) {
	if err := json.Unmarshal(b, &v); err != nil {
		panic(fmt.Sprintf("%q is no value of the model: %v", b, err))
	}
	return v
}

// decodeValues returns those of a list, or the one.
func decodeValues(b []byte) (list []value) {
	if b[0] != '[' {
		return []value{decodeValue(b)}
	}
	if err := json.Unmarshal(b, &list); err != nil {
		panic(fmt.Sprintf("%q is no list of values of the model: %v", b, err))
	}
	return list
}

// instance names an instance for those who see its value: its line and step, and whose line that is.
func instance(run string, lines []protocol.Line) string {
	own := len(lines) - 1
	id := protocol.Key(run, lines) + ":" + strconv.FormatInt(lines[own].Step, 10) + "#" + lines[0].Nonce
	if own > 0 {
		id += "+" + lines[own-1].Nonce
	}
	if lines[own].Nonce != "" {
		id += "+" + lines[own].Nonce
	}
	return id
}

// program runs a Seq. A node is known by its position: "2.0.1" is node 1 of line 0 of the fan-out that is node 2 of the run.
// Function "f" + position is the node's, "e" + position of a line the entry of one that does not begin with a task.
type program struct {
	seq Seq
	pad []byte // behind each state, so that it is too large to travel
}

type parked struct {
	Pos string          `json:"p"`
	V   json.RawMessage `json:"v"`
}

// at returns the sequence that the node at pos is in, the position of that sequence with a dot behind, and the node's index.
func (p *program) at(pos string) (seq Seq, prefix string, i int) {
	seq = p.seq
	parts := strings.Split(pos, ".")
	for k := 0; ; k += 2 {
		i, _ = strconv.Atoi(parts[k])
		if k+2 >= len(parts) {
			return seq, strings.TrimSuffix(pos, parts[k]), i
		}
		line, _ := strconv.Atoi(parts[k+1])
		seq = seq[i].Lines[line]
	}
}

// enter returns what a line does at node i of seq.
func (p *program) enter(seq Seq, prefix string, i int, v []byte) *protocol.Plan {
	if i == len(seq) {
		return &protocol.Plan{End: &protocol.End{Output: v}}
	}
	n, pos := seq[i], prefix+strconv.Itoa(i)
	if len(n.Lines) > 0 {
		b, _ := json.Marshal(parked{Pos: pos, V: v})
		return &protocol.Plan{Fork: &protocol.Fork{Width: int64(len(n.Lines)), Concurrency: n.Limit, Parked: b}}
	}
	call := &protocol.Call{Function: "f" + pos, State: p.state(v)}
	switch {
	case n.Wait:
		call.Timer, call.At = true, 1000
	case n.Expires:
		call.Expires = 2000
	}
	return &protocol.Plan{Continue: call}
}

func (p *program) begin(seq Seq, prefix string, v []byte) protocol.Call {
	if plan := p.enter(seq, prefix, 0, v); plan.Continue != nil {
		return *plan.Continue
	}
	return protocol.Call{Function: "e" + prefix, State: p.state(v)}
}

func (p *program) state(v []byte) []byte { return slices.Concat(bytes.TrimSpace(v), p.pad) }

func (p *program) Entry(_ string, input []byte, _ int64) (protocol.Call, error) {
	return p.begin(p.seq, "", input), nil
}

func (p *program) Work(req *protocol.Request, _ [][]byte) (protocol.Work, error) {
	pos := req.Function[1:]
	if req.Function[0] == 'e' {
		seq := p.seq
		if pos != "" {
			seq, _, _ = p.at(pos + "0")
		}
		return protocol.Work{Plan: p.enter(seq, pos, 0, req.State)}, nil
	}
	seq, prefix, i := p.at(pos)
	if seq[i].Wait {
		if req.Timer == 0 {
			return protocol.Work{}, fmt.Errorf("%s: no time has come", req.Function)
		}
		v := decodeValue(req.State)
		v.Node, v.Inst = pos, v.Inst+":waited"
		return protocol.Work{Plan: p.enter(seq, prefix, i+1, v.encode())}, nil
	}
	if from := decodeValue(req.State).Node; i > 0 && from != prefix+strconv.Itoa(i-1) {
		return protocol.Work{}, fmt.Errorf("%s does not take values of %s", req.Function, from)
	}
	return protocol.Work{Code: pos, Input: req.State, Unchecked: seq[i].Unchecked}, nil
}

func (p *program) Plan(req *protocol.Request, _ [][]byte, out *protocol.Outcome) (*protocol.Plan, error) {
	pos := req.Function[1:]
	if out.Kind == protocol.Returned {
		seq, prefix, i := p.at(pos)
		return p.enter(seq, prefix, i+1, out.Output), nil
	}
	end := &protocol.End{Failed: true, Error: out.Error, Cause: out.Cause}
	if out.Kind != protocol.Raised {
		end.Cause = string(value{Node: pos, Inst: instance(req.Run, req.Lines), Exec: strconv.Itoa(int(out.Kind))}.encode())
	}
	return &protocol.Plan{End: end}, nil
}

func (p *program) Head(_ []protocol.Line, b []byte, i, _ int64) (protocol.Call, error) {
	var park parked
	if err := json.Unmarshal(b, &park); err != nil {
		return protocol.Call{}, err
	}
	seq, _, k := p.at(park.Pos)
	return p.begin(seq[k].Lines[i], park.Pos+"."+strconv.FormatInt(i, 10)+".", park.V), nil
}

func (p *program) Join(run string, lines []protocol.Line, b []byte, ends []*protocol.End, failed int64) (*protocol.Plan, error) {
	var park parked
	if err := json.Unmarshal(b, &park); err != nil {
		return nil, err
	}
	seq, prefix, k := p.at(park.Pos)
	v := value{Node: park.Pos, Inst: instance(run, lines) + ":join"}
	for i, end := range ends {
		if end.Failed != (failed >= 0) {
			return nil, fmt.Errorf("the join of %s got line %d as failed: %v, and the other way round", park.Pos, i, end.Failed)
		}
		if failed >= 0 {
			v.Exec = "!" + decodeValue([]byte(end.Cause)).Exec
			break
		}
		got := decodeValue(end.Output)
		if want := park.Pos + "." + strconv.Itoa(i) + "."; !strings.HasPrefix(got.Node+".", want) {
			return nil, fmt.Errorf("the join of %s got as value %d one of %s: the order is wrong", park.Pos, i, got.Node)
		}
		v.Exec += "," + got.Exec
		v.Loose = v.Loose || got.Loose
	}
	if failed >= 0 && !seq[k].Catch {
		return &protocol.Plan{End: &protocol.End{Failed: true, Error: ends[0].Error, Cause: string(v.encode())}}, nil
	}
	return p.enter(seq, prefix, k+1, v.encode()), nil
}

// run is the user's code: it tells who ran it.
func (p *program) run(req *protocol.Request, token string, k int) *protocol.Outcome {
	pos := req.Function[1:]
	seq, _, i := p.at(pos)
	n := &seq[i]
	v := value{Node: pos, Inst: instance(req.Run, req.Lines), Exec: token, Loose: n.Unchecked}.encode()
	if n.Raises || n.Flaky && k%2 == 1 {
		return &protocol.Outcome{Kind: protocol.Raised, Error: "E", Cause: string(v), Now: 1}
	}
	return &protocol.Outcome{Kind: protocol.Returned, Output: v, Now: 1}
}
