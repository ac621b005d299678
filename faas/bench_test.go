package faas_test

import (
	"context"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
)

// BenchmarkSend measures an event of a function that does nothing, from Send to the end of its execution.
func BenchmarkSend(b *testing.B) {
	s := faas.New(faas.Config{Log: quiet, Concurrency: 1 << 20})
	if err := s.Register("f", function.Compact(func(context.Context, []byte) ([]byte, error) { return []byte("null"), nil }), faas.Settings{}); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Send(b.Context(), "f", []byte(`{"v":1}`), time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Wait(b.Context()); err != nil {
		b.Fatal(err)
	}
	if err := s.Close(b.Context()); err != nil {
		b.Fatal(err)
	}
}
