package machine

import (
	"cmp"
	"encoding/json"
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
	for seed := range uint64(1000) {
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
	if compared < 100 || branches < 10 {
		t.Errorf("only %d machines with %d branches were compared", compared, branches)
	}
}

// forkCases are what branches can see of what is around them, and do to it. The function "f" fails with the error that
// its input names, after as many milliseconds as it says, else it answers its input.
var forkCases = map[string]struct{ definition, input, want string }{
	"variables of outer scopes": {`{"StartAt":"V","States":{"V":{"Type":"Pass","Assign":{"a":1,"b":{"c":2},"unread":3},"Next":"M"},
		"M":{"Type":"Map","ItemProcessor":{"StartAt":"I","States":{"I":{"Type":"Pass","Assign":{"d":4},"Next":"P"},
			"P":{"Type":"Parallel","Branches":[{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","Parameters":{"a.$":"$a","c.$":"$b.c","d.$":"$d"},"End":true}}}],"End":true}}},"End":true}}}`,
		`[0]`, `SUCCEEDED [[{"a":1,"c":2,"d":4}]]`},
	"item of the innermost Map": {`{"StartAt":"M","States":{"M":{"Type":"Map","ItemSelector":{"v.$":"$$.Map.Item.Value","of.$":"$[0]"},"ItemProcessor":{"StartAt":"P","States":{
		"P":{"Type":"Parallel","Branches":[{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","Parameters":{"i.$":"$$.Map.Item.Index","v.$":"$.v","of.$":"$.of"},"End":true}}},
			{"StartAt":"U","States":{"U":{"Type":"Map","ItemsPath":"$$.Execution.Input","ItemProcessor":{"StartAt":"W","States":{"W":{"Type":"Task","Resource":"f","Parameters":{"i.$":"$$.Map.Item"},"End":true}}},"End":true}}}],"End":true}}},"End":true}}}`,
		`["x","y"]`, `SUCCEEDED [[{"i":0,"v":"x","of":"x"},[{"i":{"Index":0,"Value":"x"}},{"i":{"Index":1,"Value":"y"}}]],[{"i":1,"v":"y","of":"x"},[{"i":{"Index":0,"Value":"x"}},{"i":{"Index":1,"Value":"y"}}]]]`},
	"members of an object": {`{"QueryLanguage":"JSONata","StartAt":"M","States":{"M":{"Type":"Map","Items":"{% $states.input %}","ItemSelector":{"k":"{% $states.context.Map.Item.Key %}","v":"{% $states.context.Map.Item.Value %}"},
		"ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","End":true}}},"End":true}}}`,
		`{"a":1,"b":[2]}`, `SUCCEEDED [{"k":"a","v":1},{"k":"b","v":[2]}]`},
	"retry and catch of a Parallel": {`{"StartAt":"P","States":{"P":{"Type":"Parallel","Branches":[{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","End":true}}},{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":60,"End":true}}}],
		"Retry":[{"ErrorEquals":["E"],"MaxAttempts":2}],"Catch":[{"ErrorEquals":["E"],"ResultPath":"$.e","Next":"C"}],"End":true},"C":{"Type":"Pass","Parameters":{"e.$":"$.e.Error","t.$":"$$.State.EnteredTime"},"End":true}}}`,
		`{"fail":"E","after":500}`, `SUCCEEDED {"e":"E","t":"2026-01-01T00:00:04.500Z"}`},
	"a failure ends the branches beside it": {`{"StartAt":"M","States":{"M":{"Type":"Map","ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","End":true}}},"End":true}}}`,
		`[{"fail":"Late","after":900},{"fail":"Early","after":100},{"after":5000}]`, `FAILED Early`},
	"a runtime error passes by all catchers": {`{"StartAt":"P","States":{"P":{"Type":"Parallel","Branches":[{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","InputPath":"$.none","End":true}}}],
		"Catch":[{"ErrorEquals":["States.ALL"],"Next":"C"}],"End":true},"C":{"Type":"Pass","End":true}}}`, `{}`, `FAILED States.Runtime`},
	"and so does what a branch might have caught": {`{"StartAt":"P","States":{"P":{"Type":"Parallel","Branches":[{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","Parameters":{"x.$":"States.StringToJson('{')"},"End":true}}}],
		"Catch":[{"ErrorEquals":["States.IntrinsicFailure"],"Next":"C"}],"End":true},"C":{"Type":"Pass","End":true}}}`, `[]`, `FAILED States.Runtime`},
	"names of errors reach outer catchers": {`{"StartAt":"P","States":{"P":{"Type":"Parallel","Branches":[{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","HeartbeatSeconds":1,"End":true}}}],
		"Catch":[{"ErrorEquals":["States.HeartbeatTimeout"],"Next":"C"}],"End":true},"C":{"Type":"Pass","Result":"heart","End":true}}}`, `{"after":5000}`, `SUCCEEDED "heart"`},
	"tolerated failures": {`{"StartAt":"M","States":{"M":{"Type":"Map","ToleratedFailureCount":2,"ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","End":true}}},"End":true}}}`,
		`[{"fail":"A"},1,{"fail":"B"},2]`, `SUCCEEDED [1,2]`},
	"too many failures": {`{"StartAt":"M","States":{"M":{"Type":"Map","ToleratedFailurePercentage":50,"MaxConcurrency":1,"ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","End":true}}},"End":true}}}`,
		`[{"fail":"A"},1,{"fail":"B"},{"fail":"C"}]`, `FAILED States.ExceedToleratedFailureThreshold`},
	"an item that has no input": {`{"StartAt":"M","States":{"M":{"Type":"Map","MaxConcurrency":1,"ItemSelector":{"x.$":"States.ArrayGetItem($$.Map.Item.Value, 1)"},"ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","End":true}}},
		"Catch":[{"ErrorEquals":["States.IntrinsicFailure"],"Next":"C"}],"End":true},"C":{"Type":"Pass","Result":"caught","End":true}}}`, `[[1,2],[1]]`, `SUCCEEDED "caught"`},
	"no items": {`{"StartAt":"M","States":{"M":{"Type":"Map","ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","End":true}}},"ResultPath":"$[0]","Catch":[{"ErrorEquals":["States.ALL"],"Next":"C"}],"End":true},"C":{"Type":"Pass","End":true}}}`,
		`[]`, ``},
	"a distributed Map": {`{"StartAt":"M","States":{"M":{"Type":"Map","ToleratedFailureCount":1,"ItemSelector":{"v.$":"$$.Map.Item.Value"},"ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","InputPath":"$.v","Parameters":{"in.$":"$$.Execution.Input","fail.$":"$.fail"},"End":true}}},"End":true}}}`,
		`[{"fail":"E"},{"fail":""}]`, `SUCCEEDED [{"in":{"v":{"fail":""}},"fail":""}]`},
}

func TestForkMode(t *testing.T) {
	t.Parallel()
	for name, c := range forkCases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			behave := func(c Command, _ int) reply {
				var in struct {
					Fail  string
					After int64
				}
				_ = json.Unmarshal(c.Input, &in)
				return reply{after: in.After, err: in.Fail, output: c.Input}
			}
			said := func(c *Command) string {
				if c.Status != Succeeded {
					return c.Status.String() + " " + c.Error
				}
				return c.Status.String() + " " + string(c.Output)
			}
			m, exec := parse(t, c.definition), Execution{ID: "arn:run", Name: "run"}
			w := newForest(t, m, limits.Default)
			w.invoke = behave
			if err := w.run(exec, c.input); err != nil {
				t.Fatal(err)
			}
			if got := said(w.finish); c.want != "" && got != c.want {
				t.Errorf("ends with %s, want %s", got, c.want)
			}
			if strings.Contains(c.definition, "DISTRIBUTED") {
				return // which the world for one frame knows too little about
			}
			one := newWorld(t, m, exec, limits.Default)
			one.invoke = behave
			if err := one.run(c.input); err != nil {
				t.Fatal(err)
			}
			if got, want := said(w.finish), said(one.finish); got != want {
				t.Errorf("ends with %s, in one frame with %s", got, want)
			}
		})
	}
}

// TestForkFrames looks at what the frame of a branch does not carry.
func TestForkFrames(t *testing.T) {
	t.Parallel()
	w := newForest(t, parse(t, `{"StartAt":"V","States":{"V":{"Type":"Pass","Assign":{"read":"yes","unread":"`+strings.Repeat("x", 1000)+`"},"Next":"M"},
		"M":{"Type":"Map","ItemProcessor":{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","Parameters":{"r.$":"$read"},"End":true}}},"End":true}}}`), limits.Default)
	f := w.in.NewFrame(Execution{})
	var out Output
	w.in.Step(f, Event{Kind: Start, Output: []byte(`[1,"` + strings.Repeat("y", 1000) + `"]`)}, &out)
	fork := out.Commands[0]
	if fork.Kind != Fork || fork.Width != 2 || fork.Concurrency != 0 {
		t.Fatalf("commands %+v", out.Commands)
	}
	b, err := w.in.NewBranch(f, fork.ID, 0)
	if err != nil {
		t.Fatal(err)
	}
	w.in.Step(b, Event{Kind: Start}, &out)
	if size := len(b.AppendBinary(nil)); size > 200 {
		t.Errorf("the frame of a small branch has %d bytes", size)
	}
	for _, i := range []int{-1, 2} {
		if _, err := w.in.NewBranch(f, fork.ID, i); err == nil {
			t.Errorf("there is a branch %d of 2", i)
		}
	}
	if _, err := w.in.NewBranch(b, fork.ID, 0); err == nil {
		t.Error("a frame that waits for a function has branches")
	}
}

func TestMayReadInput(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		`"$.a"`: false, `"$$"`: true, `"$$.Execution"`: true, `"$$.Execution.Input.a"`: true, `"$$.Execution.Id","$$.Map.Item.Value","$$.State.Name"`: false,
		`"$$['Execution']"`: true, `"{% $states.input %}"`: false, `"{% $states %}"`: true, `"{% $states.context %}"`: true,
		`"{% $states.context.Map.Item.Value & $states.context.Execution.Input %}"`: true, `"{% $states.context.Execution.Name %}"`: false, `"\u0024$"`: true,
	} {
		if got := mayReadInput([]byte(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

// TestForkFramesBroken changes bytes of stored frames: each decodes to a frame that can be used, or is refused.
func TestForkFramesBroken(t *testing.T) {
	t.Parallel()
	in := &Interpreter{ForkMode: true, Definition: parse(t, `{"StartAt":"V","States":{"V":{"Type":"Pass","Assign":{"a":[1]},"Next":"M"},
		"M":{"Type":"Map","ToleratedFailureCount":1,"ItemSelector":{"i.$":"$$.Map.Item.Value"},"ItemProcessor":{"StartAt":"P","States":{
			"P":{"Type":"Parallel","Branches":[{"StartAt":"T","States":{"T":{"Type":"Task","Resource":"f","Parameters":{"a.$":"$a"},"End":true}}},{"StartAt":"U","States":{"U":{"Type":"Task","Resource":"g","End":true}}}],"End":true}}},"Next":"D"},
		"D":{"Type":"Map","ItemProcessor":{"ProcessorConfig":{"Mode":"DISTRIBUTED","ExecutionType":"STANDARD"},"StartAt":"X","States":{"X":{"Type":"Task","Resource":"f","End":true}}},"End":true}}}`)}
	var frames [][]byte
	step := func(f *Frame, ev Event) uint64 {
		var out Output
		in.Step(f, ev, &out)
		frames = append(frames, f.AppendBinary(nil))
		return out.Commands[0].ID
	}
	branch := func(f *Frame, id uint64) *Frame {
		b, err := in.NewBranch(f, id, 0)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	root := in.NewFrame(Execution{ID: "arn", Name: "r", MachineID: "arn:aws:states:us-east-1:000000000000:stateMachine:m", MachineName: "m"})
	id := step(root, Event{Kind: Start, Output: []byte(`[{"x":1},2]`)})
	iteration := branch(root, id)
	inner := step(iteration, Event{Kind: Start})
	step(branch(iteration, inner), Event{Kind: Start})
	id = step(root, Event{Kind: ForkSucceeded, ID: id, Outputs: [][]byte{[]byte(`{"y":1}`), nil}})
	step(branch(root, id), Event{Kind: Start})
	r := rand.New(rand.NewPCG(1, 1))
	decoded := 0
	for n := range 20_000 {
		text := slices.Clone(frames[n%len(frames)])
		for range 1 + r.IntN(3) {
			text[r.IntN(len(text))] = byte(r.Uint32())
		}
		f, err := DecodeFrame(text, in)
		if err != nil {
			continue
		}
		decoded++
		if st := f.root.fork; f.root.phase == forking && st != nil && !json.Valid(st.items) && st.items != nil {
			continue // texts are taken as they are
		}
		f.AppendBinary(nil)
		if b, err := in.NewBranch(f, f.root.invocation, 0); err == nil {
			in.Step(b, Event{Kind: Start}, &Output{})
		}
		in.Step(f, Event{Kind: ForkFailed, ID: f.root.invocation, Error: "E", HasError: true}, &Output{})
	}
	if decoded < 1000 {
		t.Errorf("only %d of the frames were decoded", decoded)
	}
}
