package cost

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/protocol"
)

func near(t *testing.T, what string, got, want float64) {
	t.Helper()
	if math.Abs(got-want) > 1e-9*math.Max(1, math.Abs(want)) {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func book(t *testing.T, cloud, region, day string) *Book {
	t.Helper()
	b, err := Find(cloud, region, day)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestThePapersTransition computes what the paper says of a transition, in dollars for a million: 0.42 for 200 ms of a function
// of 128 MB, 2.79 for a write of 2 units, 0.279 for a read, 2.79 for the write that collects. It leaves out Lambda's
// 0.20 for the request.
func TestThePapersTransition(t *testing.T) {
	t.Parallel()
	var u Usage
	u.execution(128, 200*time.Millisecond)
	u.invoke(1000, false)
	u.read(1500)
	u.write(1500)
	u.remove(1500)
	u.Transitions = 1
	r := book(t, "aws", "us-west-1", "2022-06-01").Report(u, 0)
	want := []float64{0.20, 0.125 * 0.2 * 16.6667, 0.279, 2.79, 2.79, 0}
	for i, l := range r.Lines {
		near(t, l.Name, l.Dollars*million, want[i])
	}
	if got := r.Million - 0.20; math.Abs(got-6.279) > 0.005 {
		t.Errorf("a transition costs %v, want the paper's 6.279", got)
	}
	near(t, "Step Functions", r.Standard*million, 27.9+0.20+0.125*0.2*16.6667)
}

// TestThePapersApplications computes the paper's figures for Step Functions: 112.02 for the IoT pipeline, which has two
// states and is charged four transitions, and 225.29 for text processing, six states and eight.
func TestThePapersApplications(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		functions, states int
		want              float64
	}{{2, 2, 112.02}, {5, 6, 225.29}} {
		var u Usage
		ms := 200 * time.Millisecond
		if c.functions == 2 {
			ms = 100 * time.Millisecond
		}
		for range c.functions {
			u.execution(128, ms)
		}
		u.Transitions = Charged(&protocol.Tally{Entered: int64(c.states)})
		r := book(t, "aws", "us-west-1", "2022-06-01").Report(u, 0)
		if got := r.Standard*million - 0.20*float64(c.functions); math.Abs(got-c.want) > 0.01 {
			t.Errorf("%d states: %v, want %v", c.states, got, c.want)
		}
	}
}

func TestUnits(t *testing.T) {
	t.Parallel()
	var u Usage
	for _, n := range []int{0, 1, 4096, 4097, 8192} {
		u.read(n)
	}
	if u.Reads != 5 || u.ReadUnits != 1+1+1+2+2 {
		t.Errorf("reads: %+v", u)
	}
	for _, n := range []int{0, 1, 1024, 1025, 400 << 10} {
		u.write(n)
	}
	u.write(2048) // refused
	if u.Writes != 6 || u.WriteUnits != 1+1+1+2+400+2 {
		t.Errorf("writes: %+v", u)
	}
	u.invoke(100, false)
	u.invoke(256<<10, true)
	u.invoke(256<<10+1, false)
	if u.Invokes != 3 || u.InvokeUnits != 1+1+2 || u.Delayed != 1 || u.DelayedChunks != 4 || u.TaskChunks != 1+8+9 {
		t.Errorf("invokes: %+v", u)
	}
	u.execution(1024, 101*time.Millisecond+time.Microsecond)
	near(t, "GB-seconds", u.GBSeconds, 0.102)
	near(t, "GB-seconds of 100 ms", u.GBSeconds100, 0.2)
	double := u
	double.Add(&u)
	if double.WriteUnits != 2*u.WriteUnits || double.GBSeconds != 2*u.GBSeconds || double.TaskChunks != 2*u.TaskChunks {
		t.Errorf("twice: %+v", double)
	}
}

func TestItemBytes(t *testing.T) {
	t.Parallel()
	rec := &protocol.Record{Nonce: "12345", Value: make([]byte, 100), Members: []string{"0", "10"}, Failed: "10"}
	if got := itemBytes("run/1.0", rec); got != 7+3+5+100+2+2+3+attributeBytes {
		t.Errorf("%d bytes", got)
	}
	if itemBytes("run", nil) != 0 {
		t.Error("nothing has a size")
	}
}

func TestReportOfGoogle(t *testing.T) {
	t.Parallel()
	var u Usage
	u.execution(512, 20*time.Millisecond)
	u.invoke(40<<10, false)
	u.read(100)
	u.write(100)
	u.remove(100)
	u.documents(1, 1, 1)
	r := book(t, "gcp", "", "").Report(u, 0)
	near(t, "a million", r.Million, 0.40+0.05*14.5+0.30+0.90+0.10+4*0.40)
	if r.Standard != 0 {
		t.Error("transitions that nobody counted have a price")
	}
}

func TestExpress(t *testing.T) {
	t.Parallel()
	u := Usage{Transitions: 5}
	r := book(t, "aws", "us-east-1", "").Report(u, 250*time.Millisecond)
	near(t, "Express", r.Express*million, 1+0.0625*0.3*16.67)
	near(t, "Standard", r.Standard*million, 125)
}

func TestFind(t *testing.T) {
	t.Parallel()
	if b := book(t, "aws", "us-east-1", ""); b.From != "2024-11-01" {
		t.Errorf("the newest is of %s", b.From)
	}
	if b := book(t, "aws", "us-east-1", "2024-10-31"); b.From != "2022-01-01" {
		t.Errorf("before the cut: %s", b.From)
	}
	if _, err := Find("aws", "mars", ""); !fault.Is(err, fault.ResourceNotFound) || !strings.Contains(err.Error(), "us-west-1") {
		t.Errorf("an unknown region: %v", err)
	}
}

func TestText(t *testing.T) {
	t.Parallel()
	var u Usage
	u.execution(128, 100*time.Millisecond)
	u.read(1)
	u.Transitions = 4
	var b strings.Builder
	if err := book(t, "aws", "us-east-1", "").Report(u, time.Second).Text(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Lambda: requests", "DynamoDB: read units", "together", "Standard", "4 transitions", "Express"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the text has no %q:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "SQS") {
		t.Errorf("the text has what was not used:\n%s", b.String())
	}
}
