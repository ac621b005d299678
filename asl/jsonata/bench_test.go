package jsonata

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/weftworks/weft/asl/jsonvalue"
)

// benchSuite is testdata/bench.json: what machines do with JSONata, over an order of 40 lines. bench/jsonata compares
// the same expressions with others.
type benchSuite struct {
	Cases []struct{ Name, Expr string }
	Input json.RawMessage
}

func loadBench(b *testing.B) (s benchSuite, input any) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "bench.json"))
	if err != nil {
		b.Fatal(err)
	}
	if err := json.Unmarshal(text, &s); err != nil {
		b.Fatal(err)
	}
	if input, err = jsonvalue.Parse(s.Input); err != nil {
		b.Fatal(err)
	}
	return s, input
}

func BenchmarkEval(b *testing.B) {
	s, input := loadBench(b)
	for _, c := range s.Cases {
		b.Run(c.Name, func(b *testing.B) {
			x, err := Compile(c.Expr)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, defined, err := x.Eval(&Env{Input: input, HasInput: true}); err != nil || !defined {
					b.Fatal(defined, err)
				}
			}
		})
	}
}

func BenchmarkCompile(b *testing.B) {
	s, _ := loadBench(b)
	b.ReportAllocs()
	for b.Loop() {
		for _, c := range s.Cases {
			if _, err := Compile(c.Expr); err != nil {
				b.Fatal(err)
			}
		}
	}
}
