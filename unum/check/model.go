package check

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/protocol"
)

// Bounds say how often in a history something may go wrong.
type Bounds struct {
	Duplicates int // requests delivered once more, at any time
	Crashes    int // executions that end after an effect and are repeated by the platform
	Repeats    int // conditional writes that the client of the datastore repeats although they had taken effect
	Failures   int // requests that the platform gives up on
}

// Case is what is explored.
type Case struct {
	Name    string
	Program Seq
	Graph   *Graph // instead of Program
	Bounds  Bounds
	Large   bool // checkpoints and states are too large for records and requests, and go into blobs
	Cancel  bool // somebody cancels the run at some time
	Timeout bool // the run has a limit to its time, which comes at some time
	Forget  bool // the result is deleted once the run has ended, and a run of the same id and input started after that
	// Patient has executions that find a checkpoint made put off what follows (protocol.Env.Later).
	Patient bool
	// Fine carries out operations on several keys one key at a time, and those that are given out together in any order;
	// else an operation is atomic, and they come in the order in which they are given. Invocations are in any order always.
	Fine    bool
	Mistake *Mistake
}

// largeState is more than what travels with a state in a request.
const largeState = 4 << 10

// run is the id of the run of all models.
const run = "r"

// request is something that is delivered: to a function, or to a client.
type request struct {
	client string // "start", "cancel", "forget", "again"; "": req
	req    *protocol.Request
}

// model is a Case with the tables of its worlds.
type model struct {
	Case
	program  modelProgram
	texts    table[string]
	records  table[*protocol.Record]
	requests table[*request]
	execs    table[*execution]
	lists    table[[]int32] // of records
	nodes    int32
	firsts   map[int64]*node // by nonce
	stacks   []*stack        // of requests
	forks    map[string]*fork
	graph    *Graph
	fallible bool // a line can fail
	classes  [levels]map[string][]*class
	stale    bool // nodes were taken for alike that are not
	splits   int
	apart    bool // no nodes are taken for alike
	lazy     bool // executions draw their nonce when others come to see it
}

// modelProgram is a Program with the code that its functions run.
type modelProgram interface {
	protocol.Program
	run(req *protocol.Request, token string, k int) *protocol.Outcome
	// results says whether a run can succeed with a value of the node last, and whether it can fail.
	results(broken bool) (last string, succeed, fail bool)
}

func (p *program) results(broken bool) (last string, succeed, fail bool) {
	succeed, fail = p.seq.may(broken)
	return fmt.Sprint(len(p.seq) - 1), succeed, fail
}

// execution is one that is under way: at a node of the tree of all that can happen to it, with answers to some of the
// operations that it has given out there.
type execution struct {
	node    *node
	answers []answer // one for each of node.parts
}

// node is where the executions of one request with one nonce are that had the same answers.
type node struct {
	id      int32
	parent  *node
	given   []protocol.Answer // to the operations of parent
	had     []answer          // the same, by parts
	sees    []sight           // of the values that the code takes which runs here
	looked  bool
	class   [levels]*class
	sign    [levels]string
	scopes  []protocol.Scope // that the execution has read of as garbage
	added   []*protocol.Op   // the additions that it has made to scopes
	request int32
	k       int // of its nonce
	depth   int

	ops   []protocol.Op
	parts []part
	ended bool
	tells bool // the operations have the execution's nonce in them
	err   error
	next  map[string]*node
	draws []int64
}

// part is what happens at once: an operation, or one of its keys.
type part struct{ op, key int }

var errStop = errors.New("the execution goes no further yet")

// replay is an IO that knows the answers to what comes first.
type replay struct {
	given [][]protocol.Answer
	ops   []protocol.Op
}

func (r *replay) Do(ops []protocol.Op) ([]protocol.Answer, error) {
	if len(ops) == 0 {
		return nil, nil
	}
	if r.ops != nil {
		return nil, errStop
	}
	if len(r.given) > 0 {
		a := r.given[0]
		r.given = r.given[1:]
		return a, nil
	}
	r.ops = ops
	return nil, errStop
}

// visit returns the node that follows n when its operations have these answers; for n nil the first of a request.
func (m *model) visit(n *node, request int32, k int, answers []answer) *node {
	var c *node
	if n == nil {
		c = &node{request: request, k: k, next: map[string]*node{}}
		c.draws = append([]int64{draw(request, k)}, m.requests.draws[request]...)
	} else {
		var buf [64]byte
		key := appendAnswers(buf[:0], answers)
		if known := n.next[string(key)]; known != nil {
			return known
		}
		c = &node{parent: n, next: map[string]*node{}}
		n.next[string(key)] = c
		c.request, c.k, c.depth, c.draws = n.request, n.k, n.depth+1, slices.Clip(n.draws)
		c.given, c.had = m.answers(n, answers), answers
		for i, a := range answers {
			c.draws = append(c.draws, m.drawsOf(n.op(i), a.item)...)
		}
		m.learn(c)
	}
	m.nodes++
	c.id = m.nodes
	m.execute(c)
	if m.lazy && !m.apart && m.nodes > maxAlike {
		m.apart, m.stale = true, true
	}
	if m.lazy && !m.apart {
		m.classify(c)
		if n != nil {
			m.follow(n, c)
		}
	}
	return c
}

// op returns the operation that part i is of.
func (n *node) op(i int) *protocol.Op { return &n.ops[n.parts[i].op] }

// drawsOf returns the nonces in the answer to an operation.
func (m *model) drawsOf(op *protocol.Op, item int32) []int64 {
	switch {
	case item < 0:
		return nil
	case op.Kind == protocol.OpGetBlob:
		return m.texts.draws[item]
	case op.Kind == protocol.OpGet && !m.Fine:
		return m.lists.draws[item]
	}
	return m.records.draws[item]
}

// answers turns the answers to the parts of a node's operations into those to the operations.
func (m *model) answers(n *node, parts []answer) []protocol.Answer {
	answers := make([]protocol.Answer, len(n.ops))
	for i, p := range n.parts {
		a, op := &answers[p.op], &n.ops[p.op]
		item := parts[i].item
		a.OK = parts[i].ok
		switch op.Kind {
		case protocol.OpGet:
			if m.Fine {
				a.Records = append(a.Records, m.copyOf(item))
				break
			}
			for _, item := range m.lists.items[item] {
				a.Records = append(a.Records, m.copyOf(item))
			}
		case protocol.OpCreate, protocol.OpAdvance, protocol.OpAdd:
			a.Record = m.copyOf(item)
		case protocol.OpGetBlob:
			if item >= 0 {
				a.Data = []byte(m.texts.items[item])
			}
		case protocol.OpRun:
			a.Outcome = m.program.run(m.requests.items[n.request].req, nonceOf(n.request, n.k), n.k)
		}
	}
	return answers
}

func (m *model) copyOf(item int32) *protocol.Record {
	if item < 0 {
		return nil
	}
	r := *m.records.items[item]
	r.Members = slices.Clone(r.Members)
	return &r
}

// execute fills in what an execution does that has come to n.
func (m *model) execute(n *node) {
	io := &replay{given: make([][]protocol.Answer, n.depth)}
	for at := n; at.parent != nil; at = at.parent {
		io.given[at.depth-1] = at.given
	}
	n.err = m.perform(io, m.requests.items[n.request], nonceOf(n.request, n.k))
	if n.ended = io.ops == nil; !n.ended {
		n.err, n.ops = nil, io.ops
		n.tells = slices.ContainsFunc(n.ops, func(op protocol.Op) bool { return tells(&op, nonceOf(n.request, n.k)) })
		for i := range n.ops {
			keys := 1
			if op := &n.ops[i]; m.Fine && len(op.Keys) > 0 {
				keys = len(op.Keys)
			}
			for k := range keys {
				n.parts = append(n.parts, part{i, k})
			}
		}
	}
}

// perform is an execution of a request, from its beginning.
func (m *model) perform(io protocol.IO, r *request, nonce string) error {
	if m.Mistake != nil && m.Mistake.Wrap != nil {
		req := r.req
		if req == nil {
			req = &protocol.Request{Run: run, Lines: []protocol.Line{{}}}
		}
		io = m.Mistake.Wrap(io, req)
	}
	inline, payload := 1<<20, 1<<20
	if m.Large {
		inline, payload = 1, largeState
	}
	if r.client == "" {
		env := &protocol.Env{Nonce: nonce, Expires: 1, Inline: inline, Payload: payload}
		if m.Patient {
			env.Later = 1
		}
		_, err := protocol.Execute(env, io, m.program, r.req)
		return err
	}
	rt := &unum.Runtime{
		Store: store{io}, Platform: platform{io, payload}, Program: m.program, Inline: inline, Parallel: 1,
		Now: func() time.Time { return time.UnixMilli(1) }, Nonce: func() string { return nonce },
	}
	var timeout time.Duration
	if m.Timeout {
		timeout = time.Second
	}
	var err error
	switch r.client {
	case "start", "again":
		id := run
		if m.Mistake != nil && m.Mistake.NewID && !strings.Contains(nonce, "k0") {
			id += nonce
		}
		_, err = rt.Start(context.Background(), id, value{Node: "input"}.encode(), timeout)
	case "cancel":
		_, err = rt.Cancel(context.Background(), run, "Cancelled", "")
	case "forget":
		err = rt.Forget(context.Background(), run)
	}
	return err
}

// store and platform are what the clients' side of package unum sees of a world.
type store struct{ io protocol.IO }

func (s store) do(op protocol.Op) (a protocol.Answer, err error) {
	answers, err := s.io.Do([]protocol.Op{op})
	if err != nil {
		return a, err
	}
	return answers[0], nil
}

func (s store) Get(_ context.Context, keys []string) ([]*unum.Record, error) {
	a, err := s.do(protocol.Op{Kind: protocol.OpGet, Keys: keys})
	return a.Records, err
}

func (s store) Create(_ context.Context, key string, rec *unum.Record) (*unum.Record, bool, error) {
	a, err := s.do(protocol.Op{Kind: protocol.OpCreate, Key: key, Record: rec})
	return a.Record, a.OK, err
}

func (s store) Advance(_ context.Context, key, nonce string, from int64, rec *unum.Record) (*unum.Record, bool, error) {
	a, err := s.do(protocol.Op{Kind: protocol.OpAdvance, Key: key, Nonce: nonce, Step: from, Record: rec})
	return a.Record, a.OK, err
}

func (s store) Add(_ context.Context, key, nonce string, step int64, member string, failed bool) (*unum.Record, bool, error) {
	a, err := s.do(protocol.Op{Kind: protocol.OpAdd, Key: key, Nonce: nonce, Step: step, Member: member, Failed: failed})
	return a.Record, a.OK, err
}

func (s store) Delete(_ context.Context, keys []string) error {
	_, err := s.do(protocol.Op{Kind: protocol.OpDelete, Keys: keys})
	return err
}

func (s store) PutBlob(_ context.Context, key string, data []byte, _ int64) error {
	_, err := s.do(protocol.Op{Kind: protocol.OpPutBlob, Key: key, Data: data})
	return err
}

func (s store) GetBlob(_ context.Context, key string) ([]byte, error) {
	a, err := s.do(protocol.Op{Kind: protocol.OpGetBlob, Key: key})
	if err == nil && !a.OK {
		err = fault.New("check.blob", fault.ResourceNotFound, key, "there is no such blob")
	}
	return a.Data, err
}

func (s store) DeleteBlobs(_ context.Context, keys []string) error {
	_, err := s.do(protocol.Op{Kind: protocol.OpDeleteBlobs, Keys: keys})
	return err
}

type platform struct {
	io      protocol.IO
	payload int
}

func (p platform) MaxPayload() int { return p.payload }

func (p platform) Invoke(_ context.Context, _ string, payload []byte, _ time.Time) error {
	req, err := unum.DecodeRequest(payload)
	if err != nil {
		return err
	}
	_, err = p.io.Do([]protocol.Op{{Kind: protocol.OpInvoke, Request: req}})
	return err
}

// send returns the number of a request. It goes through its encoding, as on a platform.
func (m *model) send(req *protocol.Request) int32 {
	b, err := json.Marshal(req)
	if err != nil {
		panic(err)
	}
	return m.requests.put(string(b), func() []int64 { return drawsIn(string(b)) }, func() *request {
		r := new(protocol.Request)
		if err := json.Unmarshal(b, r); err != nil {
			panic(err)
		}
		return &request{req: r}
	})
}

func (m *model) client(name string) int32 {
	return m.requests.put(name, func() []int64 { return nil }, func() *request { return &request{client: name} })
}

// under returns the number of an execution.
func (m *model) under(w *world, n *node, answers []answer) int32 {
	n = m.alike(n, w)
	var buf [64]byte
	b := appendAnswers(appendNumber(buf[:0], n.id), answers)
	if e, ok := m.execs.index[string(b)]; ok {
		return e
	}
	return m.execs.put(string(b), func() []int64 {
		draws := slices.Clone(n.draws)
		for i, a := range answers {
			draws = append(draws, m.drawsOf(n.op(i), a.item)...)
		}
		return draws
	}, func() *execution { return &execution{n, answers} })
}

func newModel(c Case) (*model, *world) {
	m := &model{Case: c}
	m.program = &program{seq: c.Program}
	if c.Large {
		m.program = &program{seq: c.Program, pad: bytes.Repeat([]byte(" "), largeState)}
	}
	if c.Graph != nil {
		m.program, m.graph = &graphProgram{c.Graph}, c.Graph
	}
	m.fallible = c.fallible()
	w := &world{left: c.Bounds}
	insert(&w.pending, m.client("start"))
	if c.Cancel {
		insert(&w.pending, m.client("cancel"))
	}
	if c.Forget {
		insert(&w.pending, m.client("forget"))
	}
	return m, w
}

func short(r *protocol.Request) string {
	var b strings.Builder
	b.WriteString(r.Function)
	if r.Cancel != nil {
		b.WriteString(" (the run's time is up)")
	} else if r.Expired {
		b.WriteString(" (its time is up)")
	} else if r.Timer != 0 {
		b.WriteString(" (timer)")
	}
	if r.Failure != nil {
		b.WriteString(" (the platform gave up)")
	}
	own := r.Lines[len(r.Lines)-1]
	fmt.Fprintf(&b, " = %s step %d", protocol.Key(r.Run, r.Lines), own.Step)
	return b.String()
}

func appendNumber(b []byte, n int32) []byte {
	return append(b, byte(n), byte(n>>8), byte(n>>16), byte(n>>24))
}

// appendAnswers appends what tells answers from others.
func appendAnswers(b []byte, answers []answer) []byte {
	for _, a := range answers {
		var flags byte
		if a.done {
			flags |= 1
		}
		if a.ok {
			flags |= 2
		}
		b = append(appendNumber(b, a.item), flags)
	}
	return b
}
