package machine

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/internal/conformance"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine/history"
)

// forest runs one run in ForkMode under virtual time: every branch has a frame of its own and they meet only here.
type forest struct {
	t      testing.TB
	in     *Interpreter
	invoke func(c Command, attempt int) reply
	now    int64
	queue  []treeEvent
	seq    int
	calls  int
	lines  int
	steps  int
	finish *Command
}

// limb is a line of control: the run, or a branch of its parent's fork.
type limb struct {
	f      *Frame
	parent *limb
	index  int
	gone   bool

	fork    uint64
	width   int
	most    int
	next    int
	done    int
	outputs [][]byte
	below   []*limb
}

type treeEvent struct {
	due
	of *limb
}

func newForest(t testing.TB, m *asl.Machine, l limits.Set) *forest {
	return &forest{t: t, in: &Interpreter{Definition: m, Limits: l, ForkMode: true}, now: 1_767_225_600_000,
		invoke: func(c Command, _ int) reply { return reply{output: c.Input} }}
}

// run runs the root to its end, or to the machine's time-out.
func (w *forest) run(exec Execution, input string) error {
	root := &limb{f: w.in.NewFrame(exec)}
	deadline := int64(0)
	if n := w.in.TimeoutSeconds(&exec); n > 0 {
		deadline = w.now + 1000*n
	}
	w.step(root, Event{Kind: Start, Output: []byte(input)})
	for n := 0; w.finish == nil; n++ {
		if len(w.queue) == 0 && deadline == 0 {
			return errors.New("the run waits for nothing that can come")
		}
		if n > 200_000 {
			return errors.New("the run does not end")
		}
		i := 0
		for j, d := range w.queue {
			if cmp.Or(cmp.Compare(d.at, w.queue[i].at), cmp.Compare(d.seq, w.queue[i].seq)) < 0 {
				i = j
			}
		}
		if len(w.queue) == 0 || deadline > 0 && w.queue[i].at >= deadline {
			w.finish = &Command{Kind: Finish, Status: TimedOut}
			return nil
		}
		e := w.queue[i]
		w.queue = slices.Delete(w.queue, i, i+1)
		w.now = max(w.now, e.at)
		if !e.of.gone {
			w.step(e.of, e.ev)
		}
	}
	return nil
}

func (w *forest) step(of *limb, ev Event) {
	w.t.Helper()
	w.steps++
	ev.Now = w.now
	if ev.Kind != Start {
		data := of.f.AppendBinary(nil)
		copied, err := DecodeFrame(data, w.in)
		if err != nil {
			w.t.Fatalf("decoding the frame before event %+v: %v", ev, err)
		}
		if again := copied.AppendBinary(nil); string(again) != string(data) {
			w.t.Fatalf("a decoded frame encodes differently before event %+v", ev)
		}
		if copied.variables != of.f.variables {
			w.t.Fatalf("variables take %d bytes, after decoding %d", of.f.variables, copied.variables)
		}
		of.f = copied
	}
	var out Output
	w.in.Step(of.f, ev, &out)
	for i := range out.Commands {
		w.command(of, &out.Commands[i])
	}
}

func (w *forest) at(of *limb, after int64, ev Event) {
	w.seq++
	w.queue = append(w.queue, treeEvent{due{w.now + after, w.seq, ev}, of})
}

func (w *forest) command(of *limb, c *Command) {
	switch c.Kind {
	case Invoke:
		w.calls++
		r := w.invoke(*c, w.calls)
		switch {
		case r.never:
		case r.err != "" || r.startFailed:
			w.at(of, r.after, Event{Kind: TaskFailed, ID: c.ID, Error: r.err, Cause: r.cause, StartFailed: r.startFailed})
		default:
			w.at(of, r.after, Event{Kind: TaskSucceeded, ID: c.ID, Output: r.output, LogTail: "END\n"})
		}
	case SetTimer:
		w.at(of, c.Due-w.now, Event{Kind: TimerFired, ID: c.ID})
	case CancelTimer, CancelInvoke:
		w.queue = slices.DeleteFunc(w.queue, func(e treeEvent) bool { return e.of == of && e.ev.ID == c.ID })
	case Yield:
		w.at(of, 0, Event{Kind: Continue})
	case Fork:
		of.fork, of.width, of.most, of.next, of.done = c.ID, c.Width, c.Concurrency, 0, 0
		if of.most == 0 {
			of.most = c.Width
		}
		of.outputs, of.below = make([][]byte, c.Width), nil
		for of.next < min(of.most, of.width) {
			w.begin(of)
		}
	case Finish:
		w.ended(of, c)
	default:
		w.t.Fatalf("command %+v in ForkMode", c)
	}
}

// begin gives the next branch of a fork its frame. Its Start comes when the parent's step is over.
func (w *forest) begin(of *limb) {
	f, err := w.in.NewBranch(of.f, of.fork, of.next)
	if err != nil {
		w.t.Fatal(err)
	}
	child := &limb{f: f, parent: of, index: of.next}
	w.lines++
	of.next++
	of.below = append(of.below, child)
	w.at(child, 0, Event{Kind: Start})
}

func (w *forest) ended(of *limb, c *Command) {
	of.gone = true
	parent := of.parent
	switch {
	case parent == nil:
		w.finish = c
	case c.Status == Succeeded || c.Tolerated:
		parent.outputs[of.index] = c.Output
		parent.done++
		switch {
		case parent.next < parent.width:
			w.begin(parent)
		case parent.done == parent.width:
			w.at(parent, 0, Event{Kind: ForkSucceeded, ID: parent.fork, Outputs: parent.outputs})
		}
	default:
		parent.cut()
		w.at(parent, 0, Event{Kind: ForkFailed, ID: parent.fork, Error: c.Error, Cause: c.Cause, Alias: c.Alias, HasError: c.HasError, HasCause: c.HasCause})
	}
}

// cut ends all below a fork.
func (of *limb) cut() {
	for _, b := range of.below {
		b.gone = true
		b.cut()
	}
	of.below = nil
}

// TestForkModeConformance runs the recordings whose runs need nobody but functions with a frame for each branch: they end
// as the recording, and as in one frame.
func TestForkModeConformance(t *testing.T) {
	t.Parallel()
	dir, ok := conformance.Dir()
	if !ok {
		t.Skip("no recordings: set WEFT_CONFORMANCE to the directory that holds asl/pure.jsonl")
	}
	for _, file := range []string{"pure", "lambda"} {
		cases, err := conformance.Load(dir, file)
		if err != nil {
			t.Fatal(err)
		}
		agree, total, lines := 0, 0, 0
		for _, c := range cases {
			answers, ok := answerBy(t, c, func(m *asl.Machine, exec Execution, behave func(Command, int) reply, input string) (*Command, []history.Event, error) {
				w := newForest(t, m, limits.AWS)
				w.invoke = behave
				err := w.run(exec, input)
				lines += w.lines
				return w.finish, nil, err
			})
			if !ok {
				continue
			}
			total++
			if tiers := c.Compare(answers); tiers.T1 {
				agree++
			} else {
				t.Errorf("%s: %s", c.ID, tiers.Why)
			}
		}
		t.Logf("%s: %d of %d in ForkMode, %d branches", file, agree, total, lines)
	}
}

// deterministic reports whether a machine draws no random numbers.
func deterministic(definition string) bool {
	return !strings.Contains(definition, "$random") && !strings.Contains(definition, "$uuid") && !strings.Contains(definition, "FULL")
}

var eventID = regexp.MustCompile(`event id #\d+`)

// numberless is an output without the ids of events that causes in it name: every frame counts its own.
func numberless(output []byte) string { return eventID.ReplaceAllString(string(output), "event id #") }

// TestForkModeRandomMachines compares random machines in ForkMode with the same in one frame. Functions are pure here, so
// that the order in which branches call them does not matter.
func TestForkModeRandomMachines(t *testing.T) {
	t.Parallel()
	compared, branches := 0, 0
	for seed := range uint64(4000) {
		r := rand.New(rand.NewPCG(seed, 21))
		g := &generator{r: r}
		definition := "{" + g.graph(2) + fmt.Sprintf(`,"TimeoutSeconds":%d}`, 20+r.IntN(60))
		w := wandererIfValid(t, definition, seed)
		if w == nil || !deterministic(definition) {
			continue
		}
		behave := func(c Command, _ int) reply {
			h := mix(uint64(len(c.Input)) + seed)
			switch h % 5 {
			case 0:
				return reply{after: int64(h>>8) % 3000 & 0xfff, err: "X", cause: "now and then"}
			case 1:
				return reply{never: c.TimeoutMS > 0, after: 9000, output: c.Input}
			}
			return reply{after: int64(h>>8&0x7ff) + int64(len(c.Input)), output: []byte(`{"a":1}`)}
		}
		l := limits.Default
		l.HistoryEvents = 1000
		w = newWorld(t, w.in.Definition, w.f.exec, l)
		w.invoke, w.check = behave, false
		const input = `{"a":2,"l":[1,{"a":3},[]]}`
		if err := w.run(input); err != nil {
			t.Fatalf("%v\n%s", err, definition)
		}
		fw := newForest(t, w.in.Definition, w.in.Limits)
		fw.invoke = behave
		if err := fw.run(w.f.exec, input); err != nil {
			t.Fatalf("%v\n%s", err, definition)
		}
		if w.f.lastEvent > 800 {
			continue // each frame has a history, and room in it, of its own
		}
		compared++
		branches += fw.lines
		a, b := w.finish, fw.finish
		if a.Status != b.Status || a.Error != b.Error || numberless(a.Output) != numberless(b.Output) {
			t.Errorf("seed %d: in one frame %v %q %s %s, in many %v %q %s %s\n%s", seed, a.Status, a.Error, a.Cause, a.Output, b.Status, b.Error, b.Cause, b.Output, definition)
		}
	}
	t.Logf("%d machines, %d branches", compared, branches)
	if compared < 300 || branches < 150 {
		t.Errorf("only %d machines with %d branches were compared", compared, branches)
	}
}
