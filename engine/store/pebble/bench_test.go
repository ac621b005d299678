package pebble

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"github.com/weftworks/weft/engine/store"
)

// key returns the i-th of keys that are spread like hashes.
func key(i int) []byte {
	return binary.BigEndian.AppendUint64(nil, uint64(i)*0x9e3779b97f4a7c15)
}

// BenchmarkApply applies batches of 100 values of 300 bytes to random keys, flushes in the background
// included.
func BenchmarkApply(b *testing.B) {
	s, err := Open(b.TempDir(), &Options{Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 1))
	value := make([]byte, 300)
	var batch store.Batch
	b.SetBytes(100 * 308)
	b.ReportAllocs()
	for b.Loop() {
		batch.Reset()
		for range 100 {
			for i := range 8 {
				value[i*16] = byte(rng.Uint32())
			}
			batch.Set(key(rng.IntN(1_000_000)), value)
		}
		if err := s.Apply(&batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkGet reads random ones of 200,000 values from files, and keys that are not there.
func BenchmarkGet(b *testing.B) {
	s, err := Open(b.TempDir(), &Options{Logger: quiet})
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	const keys = 200_000
	var batch store.Batch
	for i := range keys {
		if batch.Set(key(i), make([]byte, 300)); batch.Len() == 1000 {
			if err := s.Apply(&batch); err != nil {
				b.Fatal(err)
			}
			batch.Reset()
		}
	}
	if err := s.Flush(); err != nil {
		b.Fatal(err)
	}
	for name, base := range map[string]int{"present": 0, "absent": keys} {
		b.Run(name, func(b *testing.B) {
			rng := rand.New(rand.NewPCG(2, 2))
			b.ReportAllocs()
			for b.Loop() {
				if _, ok, err := s.Get(key(base + rng.IntN(keys))); err != nil || ok != (base == 0) {
					b.Fatal(ok, err)
				}
			}
		})
	}
}
