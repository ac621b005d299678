package program

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/protocol"
)

// world is a datastore and a platform in memory, in which everything happens one after the other in an order that the seed
// decides, and with faults some of it twice, and some executions end in the middle.
type world struct {
	t       testing.TB
	program protocol.Program
	code    map[string]func(input any) (any, error)
	rand    *rand.Rand
	faults  bool

	records map[string]*protocol.Record
	blobs   map[string][]byte
	queue   []*protocol.Op
	nonces  int
	runs    map[string]int // executions of the code of each function
	ops     int
	latest  int64 // At of what has been delivered last
}

// raised is an error that code raises.
type raised struct{ name, cause string }

func (r raised) Error() string { return r.name }

var errCrash = errors.New("the execution ends here")

func newWorld(t testing.TB, app *ir.App, seed uint64, faults bool, code map[string]func(any) (any, error)) *world {
	t.Helper()
	g, err := NewGraph(app)
	if err != nil {
		t.Fatal(err)
	}
	return &world{t: t, program: g, code: code, rand: rand.New(rand.NewPCG(seed, 0)), faults: faults,
		records: map[string]*protocol.Record{}, blobs: map[string][]byte{}, runs: map[string]int{}}
}

// run runs the app to the end of all that has been invoked, and returns what the run has ended with.
func (w *world) run(input any) *protocol.End {
	w.t.Helper()
	text, _ := json.Marshal(input)
	call, err := w.program.Entry("run", text, 1)
	if err != nil {
		w.t.Fatal(err)
	}
	w.records["run"] = &protocol.Record{Nonce: "root"}
	req := &protocol.Request{Version: protocol.Version, Run: "run", Function: call.Function, State: call.State, Lines: []protocol.Line{{Nonce: "root", Step: 1}}}
	w.queue = append(w.queue, &protocol.Op{Request: req})
	for deliveries := 0; len(w.queue) > 0; deliveries++ {
		if deliveries > 100_000 {
			w.t.Fatal("the run does not end")
		}
		n := w.rand.IntN(len(w.queue))
		op := w.queue[n]
		w.nonces++
		w.latest = max(w.latest, op.At)
		_, err := protocol.Execute(&protocol.Env{Nonce: fmt.Sprint("n", w.nonces), Expires: 1, Inline: 300}, w, w.program, copyOf(op.Request))
		if err != nil && !errors.Is(err, errCrash) {
			w.t.Fatal(err)
		}
		if err == nil && !(w.faults && w.rand.IntN(8) == 0) {
			w.queue = slices.Delete(w.queue, n, n+1)
		}
	}
	return w.ended()
}

func (w *world) ended() *protocol.End {
	w.t.Helper()
	root := w.records["run"]
	if root == nil || !root.Ended {
		w.t.Fatalf("the run has not ended: %+v", root)
	}
	value := root.Value
	cp, err := protocol.DecodeCheckpoint(value)
	for err == nil && cp.Ref != "" {
		value = w.blobs[cp.Ref]
		delete(w.blobs, cp.Ref)
		cp, err = protocol.DecodeCheckpoint(value)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	// An execution that ends between a blob and the record that names it leaves the blob to its time-to-live.
	if len(w.records) != 1 || len(w.blobs) != 0 && !w.faults {
		w.t.Errorf("left over are %v and the blobs %v", keys(w.records), keys(w.blobs))
	}
	return cp.End
}

func keys[V any](m map[string]V) (all []string) {
	for k := range m {
		all = append(all, k)
	}
	slices.Sort(all)
	return all
}

// copyOf returns a request as it is after a journey.
func copyOf(req *protocol.Request) *protocol.Request {
	text, err := json.Marshal(req)
	if err != nil {
		panic(err)
	}
	there := new(protocol.Request)
	if err := json.Unmarshal(text, there); err != nil {
		panic(err)
	}
	return there
}

// Do implements protocol.IO.
func (w *world) Do(ops []protocol.Op) ([]protocol.Answer, error) {
	answers := make([]protocol.Answer, len(ops))
	for _, n := range w.rand.Perm(len(ops)) {
		if w.crash() {
			return nil, errCrash
		}
		w.ops++
		answers[n] = w.do(&ops[n])
		if w.crash() {
			return nil, errCrash
		}
	}
	return answers, nil
}

func (w *world) crash() bool { return w.faults && w.rand.IntN(60) == 0 }

func (w *world) do(op *protocol.Op) (a protocol.Answer) {
	cur := w.records[op.Key]
	fits := cur != nil && cur.Nonce == op.Nonce && cur.Step == op.Step && !cur.Ended
	switch op.Kind {
	case protocol.OpGet:
		for _, key := range op.Keys {
			a.Records = append(a.Records, clone(w.records[key]))
		}
		return a
	case protocol.OpCreate:
		if a.OK = cur == nil; a.OK {
			w.records[op.Key] = clone(op.Record)
		}
	case protocol.OpAdvance:
		if a.OK = fits; fits {
			w.records[op.Key] = clone(op.Record)
		}
	case protocol.OpAdd:
		if a.OK = fits; fits && !slices.Contains(cur.Members, op.Member) {
			cur.Members = append(cur.Members, op.Member)
			slices.Sort(cur.Members)
		}
		if fits && op.Failed && cur.Failed == "" {
			cur.Failed = op.Member
		}
	case protocol.OpDelete:
		for _, key := range op.Keys {
			delete(w.records, key)
		}
	case protocol.OpPutBlob:
		w.blobs[op.Key] = op.Data
	case protocol.OpGetBlob:
		a.Data, a.OK = w.blobs[op.Key]
	case protocol.OpDeleteBlobs:
		for _, key := range op.Keys {
			delete(w.blobs, key)
		}
	case protocol.OpInvoke:
		w.queue = append(w.queue, &protocol.Op{Request: copyOf(op.Request), At: op.At})
	case protocol.OpRun:
		a.Outcome = w.execute(op.Code, op.Input)
		return a
	}
	a.Record = clone(w.records[op.Key])
	return a
}

func clone(r *protocol.Record) *protocol.Record {
	if r == nil {
		return nil
	}
	c := *r
	c.Members = slices.Clone(r.Members)
	return &c
}

func (w *world) execute(code string, input []byte) *protocol.Outcome {
	w.runs[code]++
	var in any
	if err := json.Unmarshal(input, &in); err != nil {
		w.t.Fatalf("the input of %s is no JSON: %q", code, input)
	}
	if code == "" {
		return &protocol.Outcome{Kind: protocol.Returned, Output: input, Now: 1000}
	}
	fn := w.code[code]
	if fn == nil {
		fn = tag(code)
	}
	out, err := fn(in)
	var r raised
	if errors.As(err, &r) {
		return &protocol.Outcome{Kind: protocol.Raised, Error: r.name, Cause: r.cause, Now: 1000}
	}
	text, _ := json.Marshal(out)
	return &protocol.Outcome{Kind: protocol.Returned, Output: text, Now: 1000}
}

// tag is code that says what it was given: f(x), and of a list f(x y).
func tag(code string) func(any) (any, error) {
	return func(in any) (any, error) { return code + "(" + words(in) + ")", nil }
}

func words(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i := range v {
			parts[i] = words(v[i])
		}
		return strings.Join(parts, " ")
	}
	text, _ := json.Marshal(v)
	return string(text)
}

// seeds calls fn with worlds of an app: one in order and without faults, others with both.
func seeds(t *testing.T, text string, code map[string]func(any) (any, error), fn func(w *world)) {
	t.Helper()
	app, err := ir.Parse([]ir.File{{Name: "app.yaml", Text: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(40) {
		fn(newWorld(t, app, seed, seed >= 10, code))
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}
