package reference

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/firestore"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/weftworks/weft/faas/firestoreapi"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/dynamodb"
	"github.com/weftworks/weft/unum/store/embedded"
	"github.com/weftworks/weft/unum/store/enginekv"
	unumfirestore "github.com/weftworks/weft/unum/store/firestore"
	"github.com/weftworks/weft/unum/store/inject"
	"github.com/weftworks/weft/unum/store/remote"
)

// The published implementation of Unum has defects, found by reading it. Each test here fails if we have that one, too.

var errAway = errors.New("the platform is away")

// newGraphBench is newBench for functions that are written by hand.
func newGraphBench(t *testing.T, functions string, code unum.Run) *bench {
	t.Helper()
	app, err := ir.Parse([]ir.File{{Name: "app.yaml", Text: []byte("version: 1\nname: app\nfunctions:\n" + functions)}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.New(app)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, `{"StartAt": "S", "States": {"S": {"Type": "Succeed"}}}`, code)
	b.Program = p
	return b
}

// tagged answers "f(input)".
func tagged(_ context.Context, code string, input []byte) protocol.Outcome {
	in := strings.NewReplacer(`"`, "", "[", "", "]", "", ",", " ").Replace(string(input))
	return protocol.Outcome{Kind: protocol.Returned, Output: fmt.Appendf(nil, "%q", code+"("+in+")")}
}

// hooked is a platform that can refuse.
type hooked struct {
	unum.Platform
	refuse func(function string) bool
}

func (h hooked) Invoke(ctx context.Context, function string, payload []byte, at time.Time) error {
	if h.refuse(function) {
		return errAway
	}
	return h.Platform.Invoke(ctx, function, payload, at)
}

const twoTasks = `
- {name: A, code: a, start: true, next: {invoke: B}}
- {name: B, code: b}
`

const fanOut = `
- {name: A, code: a, start: true, next: [{invoke: L}, {invoke: R}]}
- {name: L, code: l, next: {fanIn: J, values: [L-0, R-1], pop: true}}
- {name: R, code: r, next: {fanIn: J, values: [L-0, R-1], pop: true}}
- {name: J, code: j}
`

// Checkpoints were read back only with a debug switch on, so duplicates ran the code again.
func TestDefect1DuplicateFindsTheCheckpoint(t *testing.T) {
	t.Parallel()
	ran := map[string]int{}
	b := newGraphBench(t, twoTasks, func(ctx context.Context, code string, input []byte) protocol.Outcome {
		ran[code]++
		return tagged(ctx, code, input)
	})
	b.platform.Copies = func(string, []byte) int { return 3 }
	if d := b.run(`"x"`, 0); string(d.Output) != `"b(a(x))"` || ran["a"] != 1 || ran["b"] != 1 {
		t.Errorf("%+v, ran %v", d, ran)
	}
}

// Who lost the race for the checkpoint invoked nobody, so a crash of the winner lost the run.
func TestDefect2LoserGoesOnWithTheStoredValue(t *testing.T) {
	t.Parallel()
	var b *bench
	var delivered []byte
	away, nested := false, false
	b = newGraphBench(t, twoTasks, func(ctx context.Context, code string, input []byte) protocol.Outcome {
		if code != "a" {
			return tagged(ctx, code, input)
		}
		if nested {
			return protocol.Outcome{Kind: protocol.Returned, Output: []byte(`"winner"`)}
		}
		nested, away = true, true // another execution checkpoints meanwhile, and ends before it invokes anybody
		if err := b.Handle(ctx, delivered, b.code); !errors.Is(err, errAway) {
			t.Errorf("the other execution: %v", err)
		}
		away = false
		return protocol.Outcome{Kind: protocol.Returned, Output: []byte(`"loser"`)}
	})
	b.Platform = hooked{b.platform, func(function string) bool { return away && function == "B" }}
	execute := b.platform.Execute
	b.platform.Execute = func(ctx context.Context, function string, payload []byte) error {
		delivered = payload
		return execute(ctx, function, payload)
	}
	if d := b.run(`"x"`, 0); string(d.Output) != `"b(winner)"` {
		t.Errorf("%+v", d)
	}
}

// Drivers of datastores did not have the methods that the runtime called.
var _ = []unum.Store{(*dynamodb.Store)(nil), (*unumfirestore.Store)(nil), (*embedded.Store)(nil), (*enginekv.Store)(nil), (*remote.Client)(nil)}

func TestDefect3FanInByAnotherDriver(t *testing.T) {
	t.Parallel()
	store, err := embedded.Open(t.TempDir(), &embedded.Options{SweepEvery: -1})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	b := newGraphBench(t, fanOut, tagged)
	b.Store = store
	if d := b.run(`"x"`, 0); string(d.Output) != `"j(l(a(x)) r(a(x)))"` {
		t.Errorf("%+v", d)
	}
}

// What Firestore answers to an update was taken for the set.
func TestDefect4FanInByFirestore(t *testing.T) {
	t.Parallel()
	server, err := firestoreapi.Start(firestoreapi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client, err := firestore.NewClient(t.Context(), "p", option.WithGRPCConn(conn))
	if err != nil {
		t.Fatal(err)
	}
	b := newGraphBench(t, fanOut, tagged)
	b.Store = unumfirestore.New(client, "weft")
	if d := b.run(`"x"`, 0); string(d.Output) != `"j(l(a(x)) r(a(x)))"` {
		t.Errorf("%+v", d)
	}
}

// Each execution of the first function drew a new workflow id, so one that was repeated began a second run.
func TestDefect5RepeatedEntryIsOneRun(t *testing.T) {
	t.Parallel()
	b := newGraphBench(t, twoTasks, tagged)
	away := true
	b.Platform = hooked{b.platform, func(string) bool { return away }}
	if _, err := b.Start(t.Context(), "r", []byte(`"x"`), 0); err == nil {
		t.Fatal("the platform was away, and nobody heard of it")
	}
	away = false
	b.platform.Advance(time.Minute)
	if d := b.run(`"x"`, 0); string(d.Output) != `"b(a(x))"` || !d.Started.Equal(began) || len(b.keys()) != 1 {
		t.Errorf("%+v, %v", d, b.keys())
	}
	if n := b.platform.Delivered(); n != 2 {
		t.Errorf("%d requests", n)
	}
}

// Sets were made by the branches and never deleted, and late executions made again what had been collected.
func TestDefect6NothingComesBackToLife(t *testing.T) {
	t.Parallel()
	b := newGraphBench(t, fanOut, tagged)
	var all [][2]string
	execute := b.platform.Execute
	b.platform.Execute = func(ctx context.Context, function string, payload []byte) error {
		all = append(all, [2]string{function, string(payload)})
		rec, err := b.store.Get(ctx, []string{"r"})
		if err != nil || function == "L" && rec[0].Width != 2 {
			t.Errorf("a branch begins before its set is there: %+v %v", rec[0], err)
		}
		return execute(ctx, function, payload)
	}
	want := b.run(`"x"`, 0)
	b.platform.Execute = execute
	for range 2 {
		for _, d := range all {
			if err := b.platform.Invoke(t.Context(), d[0], []byte(d[1]), time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if d := b.drain(); string(d.Output) != string(want.Output) || len(b.keys()) != 1 {
		t.Errorf("%+v, left over are %v", d, b.keys())
	}
}

// Indices were written innermost first where they were read outermost first, so nested fan-ins found nothing.
func TestDefect7NestedIndicesHaveOneOrder(t *testing.T) {
	t.Parallel()
	b := newGraphBench(t, `
- {name: A, start: true, next: {map: M}}
- {name: M, next: {map: H}}
- {name: H, code: h, next: {fanIn: P, values: [H-$1.$0, H-$1.($0 + 1)], if: $0 < $size - 1, $size: $size - 1}}
- {name: P, code: p, next: {fanIn: J, values: [P-$1.*], pop: true}}
- {name: J, code: j, next: {fanIn: K, values: [J-*], pop: true}}
- {name: K, code: k}
`, tagged)
	if d := b.run(`[["a", "b", "c"], ["d", "e"]]`, 0); string(d.Output) != `"k(j(p(h(a) h(b)) p(h(b) h(c))) j(p(h(d) h(e))))"` {
		t.Errorf("%+v", d)
	}
	names := protocol.Key("r", []protocol.Line{{Nonce: "n", Step: 2}, {Name: "7", Step: 3}, {Name: "9"}})
	if names != "r/n/2.7/3.9" {
		t.Errorf("the key of line 9 in line 7 is %s", names)
	}
}

// Indices of two digits, and of frames further out, were read wrongly, and configuration was evaluated as code.
func TestDefect8IndicesOfAnySize(t *testing.T) {
	t.Parallel()
	env := &ir.Env{Frames: []ir.Frame{{}, {Index: 33, Size: 40}, {Index: 22, Size: 30}, {Index: 11, Size: 20}, {Index: 10, Size: 15}}}
	holds, err := ir.MustExpr(`$0 == 10 and $1 == 11 and $2 == 22 and $3 == 33 and $0 + 2 == 12 and $size == 15`).Holds(env)
	if err != nil || !holds {
		t.Errorf("%v %v", holds, err)
	}
	for _, code := range []string{`__import__("os")`, `print(1)`, `$0.__class__`} {
		_, err := ir.Parse([]ir.File{{Name: "app.yaml", Text: []byte("version: 1\nname: app\nfunctions:\n- {name: A, start: true, next: {invoke: B, if: '" + code + "'}}\n- {name: B}\n")}})
		if err == nil {
			t.Errorf("%s is taken", code)
		}
	}
	b := newGraphBench(t, `
- {name: A, start: true, next: {map: F}}
- {name: F, code: f, next: {fanIn: G, values: [F-$0, F-($0 + 1)], if: $0 < $size - 1, $size: $size - 1}}
- {name: G, code: g, next: {fanIn: J, values: [G-*], pop: true}}
- {name: J, code: j}
`, tagged)
	if d := b.run(`[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]`, 0); !strings.HasSuffix(string(d.Output), ` g(f(9) f(10)) g(f(10) f(11)) g(f(11) f(12)))"`) {
		t.Errorf("%+v", d)
	}
}

// A value that was not there when a fan-in read it was left out.
func TestDefect9NoFanInWithoutAValue(t *testing.T) {
	t.Parallel()
	b := newGraphBench(t, fanOut, tagged)
	gone := errors.New("the datastore has not got to a key")
	failing := 3
	b.Store = inject.Wrap(b.store, inject.Hooks{After: func(_ context.Context, op inject.Op, err error) error {
		if op.Name == "Get" && len(op.Keys) == 2 {
			if failing--; failing >= 0 {
				return gone
			}
		}
		return err
	}})
	b.platform.Retries = 5
	if d := b.run(`"x"`, 0); string(d.Output) != `"j(l(a(x)) r(a(x)))"` || failing >= 0 {
		t.Errorf("%+v", d)
	}
	// And one that is missing for good begins nothing.
	b = newGraphBench(t, fanOut, func(ctx context.Context, code string, input []byte) protocol.Outcome {
		if code == "j" {
			t.Errorf("J runs with %s", input)
		}
		return tagged(ctx, code, input)
	})
	b.Store = inject.Wrap(b.store, inject.Hooks{Before: func(ctx context.Context, op inject.Op) error {
		if op.Name == "Get" && len(op.Keys) == 2 {
			return b.store.Delete(ctx, op.Keys[:1])
		}
		return nil
	}})
	if d := b.run(`"x"`, 0); d.Status != unum.Running {
		t.Errorf("%+v", d)
	}
}

// A choice opened a fan-out, and a guard on an output that is no text ended the runtime.
func TestDefect10ChoiceOpensNoFrame(t *testing.T) {
	t.Parallel()
	b := newGraphBench(t, `
- {name: A, start: true, sets: [all], next: {map: C}}
- {name: C, next: [{invoke: D, if: $out > 5 and $0 == 1 and $size == 2}, {invoke: E, if: otherwise}]}
- {name: D, code: d, next: {fanIn: J, set: all, size: $size}}
- {name: E, code: e, next: {fanIn: J, set: all, size: $size}}
- {name: J, code: j}
`, tagged)
	if d := b.run(`[7, 9]`, 0); string(d.Output) != `"j(e(7) d(9))"` {
		t.Errorf("%+v", d)
	}
}

// Without an optimisation that was off, the functions were missing in which branches came together.
func TestDefect11NoFunctionsBesideTheTasks(t *testing.T) {
	t.Parallel()
	app, err := compile.Machine([]byte(`{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "a", "Next": "P"},
		"P": {"Type": "Parallel", "Next": "M", "Branches": [
			{"StartAt": "B", "States": {"B": {"Type": "Task", "Resource": "b", "End": true}}},
			{"StartAt": "C", "States": {"C": {"Type": "Task", "Resource": "c", "End": true}}}]},
		"M": {"Type": "Map", "Next": "E", "ItemProcessor": {"StartAt": "D", "States": {"D": {"Type": "Task", "Resource": "d", "End": true}}}},
		"E": {"Type": "Task", "Resource": "e", "End": true}}}`), compile.Options{Name: "m"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range app.Functions {
		names = append(names, f.Name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"A", "B", "C", "D", "E"}) {
		t.Errorf("the functions are %v", names)
	}
}

// There was no result, no status, no abort and no time-out of the whole.
func TestDefect12RunsCanBeAskedAndEnded(t *testing.T) {
	t.Parallel()
	const waits = `{"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 100, "Next": "T"}, "T": {"Type": "Task", "Resource": "t", "End": true}}}`
	ctx := t.Context()
	b := newBench(t, waits, answer)
	if _, err := b.Describe(ctx, "r"); !fault.Is(err, fault.RunNotFound) {
		t.Error(err)
	}
	if _, err := b.Start(ctx, "r", []byte(`{}`), 0); err != nil {
		t.Fatal(err)
	}
	if d, err := b.Describe(ctx, "r"); err != nil || d.Status != unum.Running {
		t.Errorf("%+v %v", d, err)
	}
	if err := b.Forget(ctx, "r"); !fault.Is(err, fault.Conflict) {
		t.Errorf("a run that goes on was forgotten: %v", err)
	}
	if d := b.drain(); d.Status != unum.Succeeded || string(d.Output) != `"t"` || !d.Stopped.Equal(began.Add(100*time.Second)) {
		t.Errorf("%+v", d)
	}
	if err := b.Forget(ctx, "r"); err != nil || len(b.keys()) > 0 {
		t.Errorf("%v, left over are %v", err, b.keys())
	}

	idle := func(context.Context, string, []byte) protocol.Outcome {
		t.Error("code runs after the run has ended")
		return protocol.Outcome{}
	}
	b = newBench(t, waits, idle)
	if d := b.run(`{}`, 30*time.Second); d.Status != unum.TimedOut || d.Error != nil {
		t.Errorf("%+v", d)
	}
	b = newBench(t, waits, idle)
	if _, err := b.Start(ctx, "r", []byte(`{}`), 0); err != nil {
		t.Fatal(err)
	}
	if d, err := b.Cancel(ctx, "r", "Mine", "enough"); err != nil || d.Status != unum.Aborted || *d.Error != "Mine" || *d.Cause != "enough" {
		t.Errorf("%+v %v", d, err)
	}
	if d := b.drain(); d.Status != unum.Aborted {
		t.Errorf("%+v", d)
	}
}
