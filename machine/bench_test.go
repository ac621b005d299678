package machine

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weftworks/weft/limits"
)

// chain is a definition of n tasks in a row.
func chain(n int) string {
	var b strings.Builder
	b.WriteString(`{"StartAt":"T0","States":{`)
	for i := range n {
		next := `"End":true`
		if i < n-1 {
			next = fmt.Sprintf(`"Next":"T%d"`, i+1)
		}
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `"T%d":{"Type":"Task","Resource":"arn:aws:lambda:us-east-1:000000000000:function:f",%s}`, i, next)
	}
	b.WriteString(`}}`)
	return b.String()
}

// drive answers every invocation at once with its input until the run ends, and returns the steps it took.
func drive(b *testing.B, in *Interpreter, f *Frame, input []byte, out *Output, pending []Command) int {
	steps := 0
	step := func(ev Event) {
		out.Reset()
		in.Step(f, ev, out)
		for _, c := range out.Commands {
			if c.Kind == Invoke || c.Kind == Yield {
				pending = append(pending, c)
			}
		}
		steps++
	}
	step(Event{Kind: Start, Now: 1, Output: input})
	for i := 0; i < len(pending); i++ {
		if c := pending[i]; c.Kind == Yield {
			step(Event{Kind: Continue, Now: 1})
		} else {
			step(Event{Kind: TaskSucceeded, Now: 1, ID: c.ID, Output: c.Input})
		}
	}
	if f.Status() != Succeeded {
		b.Fatalf("status %v", f.Status())
	}
	return steps
}

func benchmarkRun(b *testing.B, definition, input string) {
	in := &Interpreter{Definition: parse(b, definition)}
	text := []byte(input)
	var out Output
	pending := make([]Command, 0, 2000)
	b.ReportAllocs()
	steps := 0
	for b.Loop() {
		f := in.NewFrame(Execution{ID: "arn:run", Name: "run", Seed: 1})
		steps += drive(b, in, f, text, &out, pending[:0])
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(steps), "ns/step")
}

// BenchmarkChain is a run of five tasks with trivial data.
func BenchmarkChain(b *testing.B) { benchmarkRun(b, chain(5), `{"n":1}`) }

// BenchmarkMap is a fan-out over 1,000 items and its join.
func BenchmarkMap(b *testing.B) {
	definition := `{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"ItemProcessor":{"StartAt":"T","States":{
		"T":{"Type":"Task","Resource":"f","End":true}}}}}}`
	benchmarkRun(b, definition, "["+strings.TrimSuffix(strings.Repeat("1,", 1000), ",")+"]")
}

// BenchmarkChoice is a run of Pass and Choice states that look into data.
func BenchmarkChoice(b *testing.B) {
	benchmarkRun(b, `{"StartAt":"P","States":{"P":{"Type":"Pass","Parameters":{"n.$":"$.n","k":1},"ResultPath":"$.p","Next":"C"},
		"C":{"Type":"Choice","Choices":[{"Variable":"$.p.n","NumericLessThan":0,"Next":"S"}],"Default":"S"},"S":{"Type":"Succeed"}}}`, `{"n":1}`)
}

// BenchmarkFrame encodes and decodes a run that sleeps in a Wait.
func BenchmarkFrame(b *testing.B) {
	in := &Interpreter{Definition: parse(b, `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":100,"End":true}}}`), Limits: limits.Default}
	f := in.NewFrame(Execution{ID: "arn:aws:states:us-east-1:000000000000:execution:machine:run", Name: "run",
		MachineID: "arn:aws:states:us-east-1:000000000000:stateMachine:machine", MachineName: "machine"})
	var out Output
	in.Step(f, Event{Kind: Start, Now: 1_767_225_600_000, Output: []byte(`{"n":1}`)}, &out)
	b.ReportAllocs()
	var data []byte
	for b.Loop() {
		data = f.AppendBinary(data[:0])
		if _, err := DecodeFrame(data, in); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(data)), "bytes/frame")
}

// BenchmarkWideMap answers one of 100,000 iterations: routing must not depend on their number.
func BenchmarkWideMap(b *testing.B) {
	definition := `{"StartAt":"M","States":{"M":{"Type":"Map","End":true,"MaxConcurrency":1000,"ItemProcessor":{"StartAt":"T","States":{
		"T":{"Type":"Task","Resource":"f","End":true}}}}}}`
	benchmarkRun(b, definition, "["+strings.TrimSuffix(strings.Repeat("1,", 100_000), ",")+"]")
}

// BenchmarkQuery is a run of Pass and Choice states in JSONata that look into data and variables.
func BenchmarkQuery(b *testing.B) {
	benchmarkRun(b, `{"QueryLanguage":"JSONata","StartAt":"P","States":{
		"P":{"Type":"Pass","Assign":{"n":"{% $states.input.n %}"},"Output":{"n":"{% $states.input.n + 1 %}","k":1},"Next":"C"},
		"C":{"Type":"Choice","Choices":[{"Condition":"{% $states.input.n < $n %}","Next":"S"}],"Default":"S"},"S":{"Type":"Succeed"}}}`, `{"n":1}`)
}
