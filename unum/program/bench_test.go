package program_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
)

// BenchmarkFanOut is what the program does for a Map of 512: the fork, every head and every tail's plan, and the join.
func BenchmarkFanOut(b *testing.B) {
	app, err := compile.Machine([]byte(`{"StartAt":"Each","States":{"Each":{"Type":"Map","ItemProcessor":{"StartAt":"Do","States":{"Do":{"Type":"Task","Resource":"do","End":true}}},"End":true}}}`), compile.Options{Name: "wide"})
	if err != nil {
		b.Fatal(err)
	}
	p, err := program.New(app)
	if err != nil {
		b.Fatal(err)
	}
	const width = 512
	items := make([]string, width)
	for i := range items {
		items[i] = fmt.Sprintf(`{"key":"photos/2026/%08d.jpg","bytes":%d}`, i, i*1000)
	}
	input := []byte("[" + strings.Join(items, ",") + "]")
	b.ReportAllocs()
	for b.Loop() {
		call, err := p.Entry("r", input, 1000)
		if err != nil {
			b.Fatal(err)
		}
		w, err := p.Work(&protocol.Request{Run: "r", Function: call.Function, State: call.State}, nil)
		if err != nil || w.Plan == nil || w.Plan.Fork == nil {
			b.Fatal(w, err)
		}
		ends := make([]*protocol.End, width)
		for i := range ends {
			head, err := p.Head(nil, w.Plan.Fork.Parked, int64(i), 0)
			if err != nil {
				b.Fatal(err)
			}
			plan, err := p.Plan(&protocol.Request{Run: "r", Function: head.Function, State: head.State}, nil, &protocol.Outcome{Kind: protocol.Returned, Output: []byte(`{"ok":true}`), Now: 2000})
			if err != nil || plan.End == nil {
				b.Fatal(plan, err)
			}
			ends[i] = plan.End
			if i == 0 {
				b.ReportMetric(float64(len(head.State)), "B/head")
				b.ReportMetric(float64(len(w.Plan.Fork.Parked)), "B/parked")
			}
		}
		if plan, err := p.Join("r", nil, w.Plan.Fork.Parked, ends, -1); err != nil || plan.End == nil {
			b.Fatal(plan, err)
		}
	}
}
