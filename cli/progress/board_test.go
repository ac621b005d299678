package progress

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// script reads events from lines "ID<PREV Type Name key=value…".
func script(t *testing.T, text string) []Event {
	t.Helper()
	var events []Event
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		f := strings.Fields(line)
		if len(f) < 2 {
			t.Fatalf("line %q", line)
		}
		var e Event
		if _, err := fmt.Sscanf(f[0], "%d<%d", &e.ID, &e.Prev); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		e.Type = f[1]
		for _, x := range f[2:] {
			key, value, ok := strings.Cut(x, "=")
			switch {
			case !ok:
				e.Name = key
			case key == "error":
				e.Error = value
			case key == "length":
				fmt.Sscan(value, &e.Length)
			case key == "index":
				fmt.Sscan(value, &e.Index)
			}
		}
		events = append(events, e)
	}
	return events
}

func apply(t *testing.T, text string) *Board {
	t.Helper()
	b := NewBoard(nil)
	for _, e := range script(t, text) {
		b.Apply(e)
	}
	return b
}

// counts writes rows as "Name entered/succeeded/failed(caught) retried items done/failed".
func counts(b *Board) []string {
	var out []string
	for _, r := range b.Rows {
		s := fmt.Sprintf("%s%s e%d s%d f%d", strings.Repeat("  ", r.Depth), r.Name, r.Entered, r.Succeeded, r.Failed)
		if r.Caught > 0 {
			s += fmt.Sprintf(" c%d", r.Caught)
		}
		if r.Retried > 0 {
			s += fmt.Sprintf(" r%d", r.Retried)
		}
		if r.Aborted > 0 {
			s += fmt.Sprintf(" a%d", r.Aborted)
		}
		if r.Items > 0 {
			s += fmt.Sprintf(" items %d/%d/%d of %d", r.ItemsStarted, r.ItemsDone, r.ItemsFailed, r.Items)
		}
		out = append(out, s)
	}
	return out
}

const retriedThenCaught = `
1<0 ExecutionStarted
2<0 TaskStateEntered A
3<2 LambdaFunctionScheduled
4<3 LambdaFunctionStarted
5<4 LambdaFunctionFailed error=Boom
6<5 LambdaFunctionScheduled
7<6 LambdaFunctionStarted
8<7 LambdaFunctionSucceeded
9<8 TaskStateExited A
10<9 TaskStateEntered B
11<10 LambdaFunctionScheduled
12<11 LambdaFunctionStarted
13<12 LambdaFunctionTimedOut error=States.Timeout
14<13 TaskStateExited B
15<14 PassStateEntered C
16<15 PassStateExited C
17<16 ExecutionSucceeded`

// The shape of a Map with MaxConcurrency 2: the third item starts where the first one ended, and everything that
// is aborted points to the failure.
const mapFails = `
1<0 ExecutionStarted
2<0 MapStateEntered Words
3<2 MapStateStarted length=4
4<3 MapIterationStarted Words index=0
5<4 TaskStateEntered Count
6<5 LambdaFunctionScheduled
7<3 MapIterationStarted Words index=1
8<7 TaskStateEntered Count
9<8 LambdaFunctionScheduled
10<6 LambdaFunctionStarted
11<10 LambdaFunctionSucceeded
12<11 TaskStateExited Count
13<12 MapIterationSucceeded Words index=0
14<12 MapIterationStarted Words index=2
15<14 TaskStateEntered Count
16<9 LambdaFunctionStarted
17<16 LambdaFunctionFailed error=Boom
18<17 MapIterationFailed Words index=1
19<17 TaskStateAborted
20<17 MapIterationAborted Words index=2
21<17 MapStateFailed
22<21 ExecutionFailed error=Boom`

func TestBoardCountsRetriesAndCatches(t *testing.T) {
	t.Parallel()
	b := apply(t, retriedThenCaught)
	want := []string{"A e1 s1 f0 r1", "B e1 s0 f1 c1", "C e1 s1 f0"}
	if d := cmp.Diff(want, counts(b)); d != "" {
		t.Error(d)
	}
	if b.Ended != "ExecutionSucceeded" || b.Events != 17 {
		t.Errorf("ended %q after %d events", b.Ended, b.Events)
	}
}

func TestBoardBlamesTheStateInsideTheMap(t *testing.T) {
	t.Parallel()
	b := apply(t, mapFails)
	want := []string{"Words e1 s0 f1 items 2/1/1 of 4", "  Count e3 s1 f1 a1"}
	if d := cmp.Diff(want, counts(b)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(Failure{State: "Count", Inside: []string{"Words"}, Item: 1, Error: "Boom"}, b.Failure()); d != "" {
		t.Error(d)
	}
}

func TestBoardBlamesFailStatesAndStatesThatFailByThemselves(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ script, state string }{
		"Fail state":    {"1<0 ExecutionStarted\n2<0 PassStateEntered A\n3<2 PassStateExited A\n4<3 FailStateEntered F\n5<4 ExecutionFailed error=E", "F"},
		"runtime error": {"1<0 ExecutionStarted\n2<0 PassStateEntered A\n3<2 ExecutionFailed error=States.Runtime", "A"},
		"later state, after a caught failure": {`1<0 ExecutionStarted
2<0 TaskStateEntered A
3<2 LambdaFunctionScheduled
4<3 LambdaFunctionFailed error=Old
5<4 TaskStateExited A
6<5 ChoiceStateEntered C
7<6 ExecutionFailed error=States.Runtime`, "C"},
	} {
		b := apply(t, test.script)
		if got := b.Failure().State; got != test.state {
			t.Errorf("%s: blamed %q, want %q", name, got, test.state)
		}
		for _, r := range b.Rows {
			if r.Failed > 1 || r.Running() != 0 {
				t.Errorf("%s: %v", name, counts(b))
			}
		}
	}
}

func TestBoardParallelWithRetry(t *testing.T) {
	t.Parallel()
	b := apply(t, `
1<0 ExecutionStarted
2<0 ParallelStateEntered P
3<2 ParallelStateStarted
4<3 TaskStateEntered A
5<4 LambdaFunctionScheduled
6<3 PassStateEntered B
7<6 PassStateExited B
8<5 LambdaFunctionFailed error=Boom
9<8 ParallelStateFailed error=Boom
10<9 ParallelStateStarted
11<10 TaskStateEntered A
12<11 LambdaFunctionScheduled
13<10 PassStateEntered B
14<13 PassStateExited B
15<12 LambdaFunctionSucceeded
16<15 TaskStateExited A
17<16 ParallelStateSucceeded
18<16 ParallelStateExited P
19<18 ExecutionSucceeded`)
	want := []string{"P e1 s1 f0 r1", "  A e2 s1 f1", "  B e2 s2 f0"}
	if d := cmp.Diff(want, counts(b)); d != "" {
		t.Error(d)
	}
}

// What happens in another branch when one fails: its states are aborted, not left running.
func TestBoardAbortsTheOtherBranch(t *testing.T) {
	t.Parallel()
	b := apply(t, `
1<0 ExecutionStarted
2<0 ParallelStateEntered P
3<2 ParallelStateStarted
4<3 TaskStateEntered A
5<4 LambdaFunctionScheduled
6<3 WaitStateEntered B
7<5 LambdaFunctionFailed error=Boom
8<7 WaitStateAborted
9<7 ParallelStateFailed
10<9 ParallelStateExited P
11<10 SucceedStateEntered S
12<11 SucceedStateExited S
13<12 ExecutionSucceeded`)
	want := []string{"P e1 s0 f1 c1", "  A e1 s0 f1", "  B e1 s0 f0 a1", "S e1 s1 f0"}
	if d := cmp.Diff(want, counts(b)); d != "" {
		t.Error(d)
	}
}

// A long loop must not grow the board: chains that went on are forgotten.
func TestBoardForgetsWhatIsOver(t *testing.T) {
	t.Parallel()
	b := NewBoard(nil)
	id := int64(1)
	next := func(typ, name string) {
		b.Apply(Event{ID: id, Prev: id - 1, Type: typ, Name: name})
		id++
	}
	for range 10_000 {
		next("PassStateEntered", "Loop")
		next("PassStateExited", "Loop")
	}
	if len(b.links) > 2 {
		t.Errorf("%d links kept", len(b.links))
	}
}

func TestPlainPrintsWhatChangedAndNotTooOften(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	start := time.Unix(1000, 0)
	p := &Plain{W: &out, Start: start}
	b := NewBoard(nil)
	for i, e := range script(t, mapFails) {
		b.Apply(e)
		p.Show(start.Add(time.Duration(i)*150*time.Millisecond), b, false)
	}
	p.Show(start.Add(3300*time.Millisecond), b, true)
	want := `   0.1s  Words  running
   1.2s  Words    0/4 items, 2 running
   1.2s    Count  2 running
   2.2s  Words    1/4 items, 2 running
   2.2s    Count  1 succeeded, 2 running
   3.3s  Words    1/4 items, 1 failed
   3.3s    Count  1 succeeded, 1 failed, 1 aborted
`
	if d := cmp.Diff(want, out.String()); d != "" {
		t.Error(d)
	}
}

func TestPlainBoundsTheLines(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	b := NewBoard(nil)
	for i := range 30 {
		b.Apply(Event{ID: int64(i + 1), Prev: int64(i), Type: "PassStateEntered", Name: fmt.Sprintf("S%d", i)})
	}
	(&Plain{W: &out, Start: time.Unix(0, 0)}).Show(time.Unix(0, 0), b, true)
	if n := strings.Count(out.String(), "\n"); n != 13 || !strings.Contains(out.String(), "and 18 more states") {
		t.Errorf("%d lines:\n%s", n, out.String())
	}
}

func TestLiveRepaintsInPlaceAndFits(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	start := time.Unix(1000, 0)
	l := &Live{W: &out, Title: "words", Start: start, Size: func() (int, int) { return 60, 8 }}
	b := NewBoard(nil)
	for i, e := range script(t, mapFails)[:12] {
		b.Apply(e)
		l.Show(start.Add(time.Duration(i)*time.Second), b, false)
	}
	l.Show(start.Add(12*time.Second), b, true)
	frames := strings.Split(out.String(), "\x1b[J")
	want := "words  12.0s  12 events\n  ▸ Words    ░░░░░░░░░░░░░░░░░░░░ 0/4 items, 2 running\n  ▸   Count  1 succeeded, 1 running\n"
	if got := frames[len(frames)-1]; got != want {
		t.Errorf("last frame\n%s\nwant\n%s", got, want)
	}
	if !strings.HasSuffix(frames[len(frames)-2], "\x1b[3A\r") {
		t.Errorf("the frame before is not erased: %q", frames[len(frames)-2])
	}
	for i := range 30 {
		b.Apply(Event{ID: int64(100 + i), Prev: int64(99 + i), Type: "PassStateEntered", Name: strings.Repeat("long name ", 10) + fmt.Sprint(i)})
	}
	for _, line := range l.frame(start, b, 60, 8) {
		if n := len([]rune(line)); n > 60 {
			t.Errorf("line of %d cells: %s", n, line)
		}
	}
	if n := len(l.frame(start, b, 60, 8)); n > 7 {
		t.Errorf("%d lines on a screen of 8", n)
	}
}

// A Fail state at the end says what led to it: the earliest caught failure that nothing has made good since, the one
// with the run's error before others.
func TestAFailStateSaysWhatLedToIt(t *testing.T) {
	t.Parallel()
	const (
		list    = "1<0 ExecutionStarted\n2<1 TaskStateEntered List\n3<2 LambdaFunctionScheduled\n4<3 LambdaFunctionFailed error=NoDir\n5<4 TaskStateExited List\n"
		cleanup = "6<5 TaskStateEntered Clean\n7<6 LambdaFunctionScheduled\n8<7 LambdaFunctionFailed error=Busy\n9<8 TaskStateExited Clean\n"
		end     = "20<9 FailStateEntered Failed\n21<20 ExecutionFailed "
	)
	for name, c := range map[string]struct{ events, state, raised, because string }{
		"one":               {list + "20<5 FailStateEntered Failed\n21<20 ExecutionFailed error=NoDir\n", "Failed", "List", "NoDir"},
		"another name":      {list + "20<5 FailStateEntered Failed\n21<20 ExecutionFailed error=Other\n", "Failed", "List", "NoDir"},
		"the earliest":      {list + cleanup + end + "error=Other\n", "Failed", "List", "NoDir"},
		"the one with name": {list + cleanup + end + "error=Busy\n", "Failed", "Clean", "Busy"},
		"nothing caught":    {"1<0 ExecutionStarted\n9<1 PassStateEntered A\n10<9 PassStateExited A\n20<10 FailStateEntered Failed\n21<20 ExecutionFailed\n", "Failed", "", ""},
		"made good":         {list + "6<5 TaskStateEntered List\n7<6 LambdaFunctionScheduled\n8<7 LambdaFunctionSucceeded\n9<8 TaskStateExited List\n" + end, "Failed", "", ""},
		"not caught": {"1<0 ExecutionStarted\n2<1 TaskStateEntered List\n3<2 LambdaFunctionScheduled\n4<3 LambdaFunctionFailed error=NoDir\n" +
			"5<4 ExecutionFailed error=NoDir\n", "List", "", ""},
		"after a Catch, without a Fail": {list + "6<5 TaskStateEntered Clean\n7<6 LambdaFunctionScheduled\n8<7 LambdaFunctionFailed error=Busy\n" +
			"9<8 ExecutionFailed error=Busy\n", "Clean", "", ""},
		"inside a Map": {"1<0 ExecutionStarted\n2<1 MapStateEntered Each\n3<2 MapStateStarted length=1\n4<3 MapIterationStarted Each index=0\n" +
			"5<4 TaskStateEntered List\n6<5 LambdaFunctionScheduled\n7<6 LambdaFunctionFailed error=NoDir\n8<7 TaskStateExited List\n" +
			"9<8 FailStateEntered Failed\n10<9 MapIterationFailed Each index=0\n11<9 MapStateFailed\n12<11 ExecutionFailed error=NoDir\n", "Failed", "List", "NoDir"},
		"of a Map": {"1<0 ExecutionStarted\n2<1 MapStateEntered Each\n3<2 MapStateStarted length=1\n4<3 MapIterationStarted Each index=0\n" +
			"5<4 TaskStateEntered List\n6<5 LambdaFunctionScheduled\n7<6 LambdaFunctionFailed error=NoDir\n8<7 MapIterationFailed Each index=0\n" +
			"9<7 MapStateFailed error=NoDir\n10<9 MapStateExited Each\n11<10 FailStateEntered Failed\n12<11 ExecutionFailed error=NoDir\n", "Failed", "List", "NoDir"},
	} {
		f := apply(t, c.events).Failure()
		got := Failure{}
		if f.Raised != nil {
			got = *f.Raised
		}
		if f.State != c.state || got.State != c.raised || got.Error != c.because {
			t.Errorf("%s: failed in %q, raised by %q with %q; want %q, %q, %q", name, f.State, got.State, got.Error, c.state, c.raised, c.because)
		}
	}
}

// A machine that goes round keeps a bounded memory of what was caught.
func TestCaughtFailuresAreBounded(t *testing.T) {
	t.Parallel()
	b := NewBoard(nil)
	b.Apply(Event{ID: 1, Type: "ExecutionStarted"})
	id := int64(1)
	add := func(e Event) {
		e.ID, e.Prev = id+1, id
		id++
		b.Apply(e)
	}
	for i := range 100 * raisedMax {
		name := fmt.Sprint("S", i%40)
		add(Event{Type: "TaskStateEntered", Name: name})
		add(Event{Type: "LambdaFunctionFailed", Error: "Boom"})
		add(Event{Type: "TaskStateExited", Name: name})
	}
	if n := b.links[id].caught.len(); n != raisedMax {
		t.Errorf("%d are kept", n)
	}
	add(Event{Type: "FailStateEntered", Name: "Failed"})
	add(Event{Type: "ExecutionFailed", Error: "Boom"})
	if f := b.Failure(); f.Raised == nil || f.Raised.State != "S0" {
		t.Errorf("%+v", f)
	}
}

// An expression that fails continues no chain of events; its details name the state.
func TestBoardBlamesTheStateOfAnExpression(t *testing.T) {
	t.Parallel()
	b := apply(t, `
1<0 ExecutionStarted
2<0 PassStateEntered A
3<0 EvaluationFailed A error=States.QueryEvaluationError
4<3 ExecutionFailed error=States.QueryEvaluationError`)
	if d := cmp.Diff([]string{"A e1 s0 f1"}, counts(b)); d != "" || b.Failure().State != "A" {
		t.Error(d, b.Failure())
	}
}

func TestBoardTakesUpARedrivenRun(t *testing.T) {
	t.Parallel()
	b := apply(t, `
1<0 ExecutionStarted
2<0 TaskStateEntered A
3<2 TaskScheduled
4<3 TaskFailed error=Boom
5<4 ExecutionFailed error=Boom
6<5 ExecutionRedriven
7<6 TaskStateExited A
8<7 ExecutionSucceeded`)
	if d := cmp.Diff([]string{"A e1 s1 f0"}, counts(b)); d != "" {
		t.Error(d)
	}
}
