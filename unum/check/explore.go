package check

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/bits"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/protocol"
)

// Report is what an exploration has found.
type Report struct {
	Worlds      int // different ones
	Tries       int // with those of explorations that were begun again
	Transitions int
	Ends        int // worlds in which nothing is left to happen
	Nodes       int // different points that executions came to
	Complete    bool
	Elapsed     time.Duration
	Broken      error    // what does not hold; nil: everything does
	Trace       []string // how it comes to that
}

func (r *Report) String() string {
	s := fmt.Sprintf("%d worlds, %d transitions, %d ends, %d points of executions in %v", r.Worlds, r.Transitions, r.Ends, r.Nodes, r.Elapsed.Round(time.Millisecond))
	if !r.Complete {
		s += ", not complete"
	}
	if r.Broken != nil {
		s += "\nbroken: " + r.Broken.Error() + "\n  " + strings.Join(r.Trace, "\n  ")
	}
	return s
}

// step is a transition.
type step struct {
	kind stepKind
	item int32  // the request or the execution
	part int    // that it takes
	sent uint64 // with crash: which of the invocations came through, as bits
	mode mode
}

type stepKind uint8

const (
	deliver stepKind = iota + 1
	duplicate
	proceed
	giveUp
)

type mode uint8

const (
	plain     mode = iota
	crash          // after the effect
	crashSent      // in the middle of the invocations that follow
	repeat         // the client of the datastore carries out the write again
)

// Explore follows all histories of a case, up to limit worlds.
func Explore(c Case, limit int) *Report {
	began := time.Now()
	m, first := newModel(c)
	r := &Report{}
	type origin struct {
		from int32
		step step
	}
	var origins []origin
	known := map[[16]byte]int32{}
	var buf []byte
	visit := func(w *world, from int32, s step) bool {
		buf = w.encode(buf[:0])
		sum := sha256.Sum256(buf)
		key := [16]byte(sum[:16])
		if _, ok := known[key]; ok {
			return false
		}
		known[key] = int32(len(origins))
		origins = append(origins, origin{from, s})
		return true
	}
	visit(first, -1, step{})
	queue := []*world{first}
	trace := func(at int32, last *step) {
		var steps []step
		if last != nil {
			steps = append(steps, *last)
		}
		for ; origins[at].from >= 0; at = origins[at].from {
			steps = append(steps, origins[at].step)
		}
		slices.Reverse(steps)
		r.Trace = m.tell(first, steps)
	}
	done := 0
	for ; len(queue) > 0 && len(origins) < limit; done++ {
		w := queue[0]
		queue[0] = nil
		queue = queue[1:]
		steps := m.steps(w)
		if len(steps) == 0 {
			r.Ends++
			if r.Broken = m.checkEnd(w); r.Broken != nil {
				trace(int32(done), nil)
				break
			}
		}
		for _, s := range steps {
			t, err := m.take(w, s, nil)
			r.Transitions++
			if err != nil {
				r.Broken = err
				trace(int32(done), &s)
				break
			}
			if visit(t, int32(done), s) {
				queue = append(queue, t)
			}
		}
		if r.Broken != nil {
			break
		}
	}
	r.Worlds, r.Nodes, r.Elapsed = len(origins), int(m.nodes), time.Since(began)
	r.Complete = len(queue) == 0 && r.Broken == nil
	return r
}

// steps returns all that can happen in a world.
func (m *model) steps(w *world) (steps []step) {
	last := int32(-1)
	for _, p := range w.pending {
		if p != last && m.enabled(w, p) {
			steps = m.deliveries(steps, w, p)
		}
		last = p
	}
	last = -1
	for _, e := range w.execs {
		if e != last {
			steps = m.ways(steps, w, step{kind: proceed, item: e}, m.execs.items[e])
		}
		last = e
	}
	return steps
}

// deliveries adds what can happen to a request.
func (m *model) deliveries(steps []step, w *world, p int32) []step {
	x, r := m.start(w, p), m.requests.items[p]
	steps = m.ways(steps, w, step{kind: deliver, item: p}, x)
	if r.client != "" {
		return steps
	}
	if w.left.Duplicates > 0 {
		steps = m.ways(steps, w, step{kind: duplicate, item: p}, x)
	}
	if w.left.Failures > 0 && r.req.Failure == nil && r.req.Cancel == nil {
		steps = append(steps, step{kind: giveUp, item: p})
	}
	return steps
}

// enabled says whether a client has reason to do something.
func (m *model) enabled(w *world, p int32) bool {
	root := m.recordAt(w, run)
	switch m.requests.items[p].client {
	case "cancel":
		return root != nil
	case "forget":
		return root != nil && root.Ended
	}
	return true
}

func (m *model) start(w *world, p int32) *execution {
	k := undrawn
	if !m.lazy {
		k = m.freshNonce(w, p)
	}
	n := m.first(p, k)
	return &execution{n, make([]answer, len(n.parts))}
}

// first returns the node at which the executions of a request with one nonce begin.
func (m *model) first(p int32, k int) *node {
	if m.firsts == nil {
		m.firsts = map[int64]*node{}
	}
	n := m.firsts[draw(p, k)]
	if n == nil {
		n = m.visit(nil, p, k, nil)
		m.firsts[draw(p, k)] = n
	}
	return n
}

// ways adds the ways in which an execution can take its next step.
func (m *model) ways(steps []step, w *world, s step, x *execution) []step {
	for i, a := range x.answers {
		if a.done {
			continue
		}
		s.part = i
		steps = m.modes(steps, w, s, x)
		if !m.Fine {
			break
		}
	}
	if len(x.answers) == 0 { // it ends without doing anything
		steps = append(steps, s)
	}
	return steps
}

func (m *model) modes(steps []step, w *world, s step, x *execution) []step {
	s.mode = plain
	steps = append(steps, s)
	if w.left.Crashes == 0 && w.left.Repeats == 0 {
		return steps
	}
	x = m.drawn(w, x, s)
	if invokes(x.node) {
		return m.crashes(steps, w, s, x.node)
	}
	answers, changed, err := m.carryOut(w.clone(), x, s, nil)
	// Of two that delete the same key only the first changes something: so that they can change places, either may crash.
	if deletes := m.lazy && x.node.op(s.part).Kind == protocol.OpDelete; err != nil || !changed && !deletes {
		return steps
	}
	if op := x.node.op(s.part); w.left.Repeats > 0 && (op.Kind == protocol.OpCreate || op.Kind == protocol.OpAdvance) {
		r := s
		r.mode = repeat
		steps = append(steps, r)
	}
	if w.left.Crashes > 0 {
		c := s
		c.mode = crash
		steps = append(steps, c)
		if n := m.settle(x.node, answers); n != nil && invokes(n) {
			steps = m.crashes(steps, w, s, n)
		}
	}
	return steps
}

// carryOut applies what an execution does in one step: one part of its operations, or all of them. changed says whether the
// world is another one then.
func (m *model) carryOut(t *world, x *execution, s step, say func(string, ...any)) (answers []answer, changed bool, err error) {
	answers = slices.Clone(x.answers)
	for i := s.part; i < len(answers); i++ {
		op, key := x.node.op(i), x.node.parts[i].key
		was := m.recordAt(t, run)
		a, c, err := m.apply(t, op, key)
		if s.mode == repeat && i == s.part {
			a.ok = false
		}
		if say != nil {
			say("%s", m.tellOp(op, key, a, s.mode))
		}
		if err == nil {
			err = m.watch(was, m.recordAt(t, run), m.requests.items[x.node.request])
		}
		if err != nil {
			return nil, false, err
		}
		answers[i], changed = a, changed || c
		if m.Fine {
			break
		}
	}
	return answers, changed, nil
}

// crashes adds the ways in which an execution can end within its invocations. None of them is crash.
func (m *model) crashes(steps []step, w *world, s step, n *node) []step {
	if w.left.Crashes == 0 {
		return steps
	}
	s.mode = crashSent
	for sent := uint64(1); sent < 1<<len(n.parts); sent++ {
		if len(n.parts) > 4 && bits.OnesCount64(sent) < len(n.parts)-1 && sent&(sent+1) != 0 {
			continue // of many only the first few, all, and all but one
		}
		s.sent = sent
		steps = append(steps, s)
	}
	return steps
}

func invokes(n *node) bool { return len(n.ops) > 0 && n.ops[0].Kind == protocol.OpInvoke }

// settle returns the node that follows once all parts have answers, beyond what others cannot see: the run of user code, and
// blobs whose names only this execution has. nil while parts are missing.
func (m *model) settle(n *node, answers []answer) *node {
	for _, a := range answers {
		if !a.done {
			return nil
		}
	}
	n = m.visit(n, 0, 0, answers)
	for m.secret(n) {
		n = m.visit(n, 0, 0, []answer{{done: true, item: -1}})
	}
	return n
}

// take returns the world after a step. say, if set, is told what happens.
func (m *model) take(w *world, s step, say func(string, ...any)) (*world, error) {
	t := w.clone()
	var x *execution
	switch s.kind {
	case giveUp:
		remove(&t.pending, s.item)
		t.left.Failures--
		late := *m.requests.items[s.item].req
		late.Failure = &protocol.Outcome{Kind: protocol.Broken, Error: "Lambda.Unknown", Cause: "gave up", Now: 1}
		insert(&t.pending, m.send(&late))
		if say != nil {
			say("the platform gives up on %s", short(&late))
		}
		return t, nil
	case deliver, duplicate:
		x = m.start(w, s.item)
		if s.kind == deliver {
			remove(&t.pending, s.item)
		} else {
			t.left.Duplicates--
		}
		if say != nil {
			say("%s", m.title(x.node, s.kind))
		}
	default:
		x = m.execs.items[s.item]
		remove(&t.execs, s.item)
	}
	if say != nil {
		inner := say
		say = func(f string, args ...any) {
			inner("    N%dk%d: "+f, append([]any{x.node.request, x.node.k}, args...)...)
		}
	}
	x = m.drawn(t, x, s)
	n := x.node
	if len(n.parts) == 0 {
		return t, m.finish(t, n)
	}
	if !invokes(n) {
		answers, _, err := m.carryOut(t, x, s, say)
		if err != nil {
			return t, err
		}
		if s.mode == repeat {
			t.left.Repeats--
		}
		if s.mode == crash {
			return m.die(t, n, say)
		}
		if n = m.settleSeen(t, n, answers, say, &err); n == nil || err != nil {
			if err == nil {
				insert(&t.execs, m.under(t, x.node, answers))
			}
			return t, err
		}
	}
	if invokes(n) {
		var err error
		if n, err = m.invoke(t, n, s, say); n == nil || err != nil {
			return t, err
		}
	}
	if n.ended {
		return t, m.finish(t, n)
	}
	insert(&t.execs, m.under(t, n, make([]answer, len(n.parts))))
	return t, nil
}

func (m *model) secret(n *node) bool {
	if len(n.ops) != 1 {
		return false
	}
	op := &n.ops[0]
	return op.Kind == protocol.OpRun || op.Kind == protocol.OpPutBlob && strings.HasSuffix(op.Key, "~"+nonceOf(n.request, n.k))
}

// settleSeen is settle that notes what user code sees, and puts the blobs.
func (m *model) settleSeen(t *world, n *node, answers []answer, say func(string, ...any), err *error) *node {
	next := m.settle(n, answers)
	if next == nil {
		return nil
	}
	for at := next.parent; at != n; at = at.parent {
		if at.ops[0].Kind == protocol.OpPutBlob {
			if _, _, e := m.apply(t, &at.ops[0], 0); e != nil {
				*err = e
			}
			continue
		}
		if say != nil {
			say("runs the code with %s", at.ops[0].Input)
		}
		if e := m.see(t, at); e != nil {
			*err = e
		}
	}
	return next
}

// sight is a value that code takes: of which instance, by which execution of that.
type sight struct {
	inst, exec int32
	node       string
}

// see notes that the user code of a node has seen values.
func (m *model) see(w *world, n *node) error {
	if !n.looked {
		n.looked = true
		for _, v := range decodeValues(n.ops[0].Input) {
			if v.Inst != "" && !v.Loose {
				n.sees = append(n.sees, sight{m.text(v.Inst), m.text(v.Exec), v.Node})
			}
		}
	}
	for _, s := range n.sees {
		if i, ok := find(w.seen, s.inst); ok && w.seen[i].val != s.exec {
			return fmt.Errorf("two values of %s (%s) are seen: of the executions %s and %s", s.node, m.texts.items[s.inst], m.texts.items[w.seen[i].val], m.texts.items[s.exec])
		}
		set(&w.seen, s.inst, s.exec)
	}
	return nil
}

// invoke carries out all invocations of a node at once, or with a crash some of them. Others cannot tell that from one
// after the other: an invocation only adds a request, which is delivered at any later time.
func (m *model) invoke(t *world, n *node, s step, say func(string, ...any)) (*node, error) {
	n = m.named(t, n)
	answers := make([]answer, len(n.parts))
	for i := range n.parts {
		answers[i] = answer{done: true, item: -1}
		if s.mode == crashSent && s.sent>>i&1 == 0 {
			continue
		}
		if n.ops[i].Kind != protocol.OpInvoke {
			return nil, fmt.Errorf("invocations are given out together with other operations")
		}
		insert(&t.pending, m.send(n.ops[i].Request))
		if say != nil {
			say("invokes %s", short(n.ops[i].Request))
		}
	}
	if s.mode == crashSent {
		_, err := m.die(t, n, say)
		return nil, err
	}
	var err error
	next := m.settleSeen(t, n, answers, say, &err)
	if err == nil && invokes(next) {
		s.mode = plain
		return m.invoke(t, next, s, say)
	}
	return next, err
}

// die ends an execution that the platform will repeat.
func (m *model) die(t *world, n *node, say func(string, ...any)) (*world, error) {
	t.left.Crashes--
	if m.lazy && t.left.Crashes == 0 {
		for i, e := range t.execs {
			x := m.execs.items[e]
			t.execs[i] = m.under(t, x.node, x.answers)
		}
		slices.Sort(t.execs)
	}
	if m.requests.items[n.request].client == "forget" && m.recordAt(t, run) == nil {
		insert(&t.pending, m.client("again")) // it has done all there was to do
	} else {
		insert(&t.pending, n.request)
	}
	for at := n; at != nil; at = at.parent {
		for i := range at.ops {
			if op := &at.ops[i]; op.Kind == protocol.OpPutBlob {
				m.orphan(t, op.Key)
			} else if op.Kind == protocol.OpDeleteBlobs {
				for _, key := range op.Keys {
					m.orphan(t, key)
				}
			}
		}
	}
	if say != nil {
		say("crashes")
	}
	return t, nil
}

// orphan excuses a blob that is still there at the end.
func (m *model) orphan(t *world, name string) {
	key := m.text(name)
	if _, ok := find(t.blobs, key); ok && !slices.Contains(t.orphans, key) {
		insert(&t.orphans, key)
	}
}

// finish is the end of an execution.
func (m *model) finish(t *world, n *node) error {
	client := m.requests.items[n.request].client
	gone := fault.Is(n.err, fault.RunNotFound) || fault.Is(n.err, fault.ResourceNotFound)
	if n.err != nil && !(client == "cancel" && m.Forget && gone) {
		return fmt.Errorf("%s: %w", m.title(n, deliver), n.err)
	}
	if client == "forget" {
		insert(&t.pending, m.client("again"))
	}
	return nil
}

// watch sees to it that a run ends once, and that nothing but somebody who forgets it takes its end away.
func (m *model) watch(was, is *protocol.Record, by *request) error {
	switch {
	case was == nil || !was.Ended:
		return nil
	case is == nil || is.Nonce != was.Nonce:
		if by.client != "forget" {
			return fmt.Errorf("the run has ended, and its record is gone")
		}
	case string(is.Value) != string(was.Value):
		return fmt.Errorf("the run ends for a second time: %s, then %s", was.Value, is.Value)
	}
	return nil
}

// checkEnd says what does not hold where nothing is left to happen.
func (m *model) checkEnd(w *world) error {
	var keys []string
	for _, p := range w.records {
		keys = append(keys, m.texts.items[p.key])
	}
	root := m.recordAt(w, run)
	if root == nil || !root.Ended {
		return fmt.Errorf("the run is lost: nothing is left to happen, and it has not ended; there are the records %v", keys)
	}
	if len(keys) != 1 {
		return fmt.Errorf("records are left: %v", keys)
	}
	cp, err := protocol.DecodeCheckpoint(root.Value)
	if err != nil {
		return err
	}
	ref := cp.Ref
	for _, p := range w.blobs {
		switch name := m.texts.items[p.key]; {
		case name == ref:
			if cp, err = protocol.DecodeCheckpoint([]byte(m.texts.items[p.val])); err != nil {
				return err
			}
		case !slices.Contains(w.orphans, p.key):
			return fmt.Errorf("a blob is left: %s", name)
		}
	}
	return m.checkResult(cp.End)
}

func (m *model) checkResult(end *protocol.End) error {
	last, succeed, fail := m.program.results(m.Bounds.Failures > 0)
	switch {
	case end == nil:
		return fmt.Errorf("the run has ended without a result")
	case end.Status != "" && (m.Cancel || m.Timeout):
		return nil
	case end.Failed && !fail || !end.Failed && !succeed:
		return fmt.Errorf("the run cannot end with failed = %v: %s %s", end.Failed, end.Output, end.Cause)
	case !end.Failed:
		if v := decodeValue(end.Output); v.Node != last {
			return fmt.Errorf("the result is of %s, not of the last node %s", v.Node, last)
		}
	}
	return nil
}

// noise is what makes the nonce of a run long, and parked states.
var noise = regexp.MustCompile(`-1-[0-9a-f]{16}|"parked":"[^"]*",?`)

// tell returns what happens in a history.
func (m *model) tell(w *world, steps []step) (lines []string) {
	for _, s := range steps {
		w, _ = m.take(w, s, func(f string, args ...any) {
			lines = append(lines, noise.ReplaceAllString(fmt.Sprintf(f, args...), ""))
		})
	}
	return lines
}

func (m *model) title(n *node, kind stepKind) string {
	r := m.requests.items[n.request]
	what := "client: " + r.client
	if r.client == "" {
		what = short(r.req)
	}
	if kind == duplicate {
		what += ", a duplicate"
	}
	return fmt.Sprintf("N%dk%d executes %s", n.request, n.k, what)
}

func (m *model) tellOp(op *protocol.Op, key int, a answer, how mode) string {
	item := m.tellAnswer(op, a)
	outcome := "refused, there is " + item
	if a.ok {
		outcome = item
	}
	if how == repeat {
		outcome = "done, and repeated: " + outcome
	}
	switch op.Kind {
	case protocol.OpGet:
		return fmt.Sprintf("gets %v: %s", m.keys(op, key), item)
	case protocol.OpCreate:
		return fmt.Sprintf("creates %s: %s", op.Key, outcome)
	case protocol.OpAdvance:
		return fmt.Sprintf("advances %s from %d: %s", op.Key, op.Step, outcome)
	case protocol.OpAdd:
		return fmt.Sprintf("adds %s to %s step %d: %s", op.Member, op.Key, op.Step, outcome)
	case protocol.OpDelete:
		return fmt.Sprint("deletes ", m.keys(op, key))
	case protocol.OpPutBlob:
		return "puts blob " + op.Key
	case protocol.OpGetBlob:
		return fmt.Sprintf("gets blob %s: %v", op.Key, a.ok)
	case protocol.OpDeleteBlobs:
		return fmt.Sprint("deletes blobs ", m.keys(op, key))
	}
	return fmt.Sprint("operation ", op.Kind)
}

func (m *model) tellAnswer(op *protocol.Op, a answer) string {
	switch {
	case a.item < 0:
		return "nothing"
	case op.Kind == protocol.OpGetBlob:
		return m.texts.items[a.item]
	case op.Kind != protocol.OpGet || m.Fine:
		return tellRecord(m.records.items[a.item])
	}
	var list []string
	for _, item := range m.lists.items[a.item] {
		if item < 0 {
			list = append(list, "nothing")
		} else {
			list = append(list, tellRecord(m.records.items[item]))
		}
	}
	return strings.Join(list, ", ")
}

func tellRecord(r *protocol.Record) string {
	s := fmt.Sprintf("{%s step %d", r.Nonce, r.Step)
	if r.Width > 0 || len(r.Members) > 0 {
		s += fmt.Sprintf(" members %v of %d", r.Members, r.Width)
	}
	if r.Failed != "" {
		s += " failed " + r.Failed
	}
	if r.Ended {
		s += " ended"
	}
	if json.Valid(r.Value) {
		s += " " + string(r.Value)
	}
	return s + "}"
}
