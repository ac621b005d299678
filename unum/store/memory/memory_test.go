package memory_test

import (
	"context"
	"testing"
	"time"

	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/store/memory"
	"github.com/weftworks/weft/unum/store/storetest"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	sweep := func(_ context.Context, s unum.Store, now time.Time) error { s.(*memory.Store).Sweep(now); return nil }
	storetest.Run(t, storetest.Options{Sweep: sweep}, func(*testing.T) unum.Store { return memory.New() })
}

func BenchmarkStore(b *testing.B) { storetest.Benchmark(b, memory.New()) }
