package durable_test

import (
	"iter"
	"testing"

	"github.com/weftworks/weft/durable"
)

// BenchmarkSwitch compares what it costs to go to a coroutine and back: with iter.Pull, which the runtime switches without
// its scheduler, and with a goroutine and two channels.
func BenchmarkSwitch(b *testing.B) {
	b.Run("pull", func(b *testing.B) {
		next, stop := iter.Pull(func(yield func(int) bool) {
			for yield(1) {
			}
		})
		defer stop()
		for b.Loop() {
			next()
		}
	})
	b.Run("channels", func(b *testing.B) {
		to, from := make(chan int), make(chan int)
		go func() {
			for v := range to {
				from <- v
			}
		}()
		defer close(to)
		for b.Loop() {
			to <- 1
			<-from
		}
	})
}

// BenchmarkStep is a step of a run in memory: an answer comes, the next call goes.
func BenchmarkStep(b *testing.B) {
	run := durable.New(durable.Config{ID: "r", Code: func(w *durable.Flow, in []byte) ([]byte, error) {
		for {
			out, err := durable.Call(w, "f", in, nil, nil).Await(w)
			if err != nil {
				return nil, err
			}
			in = out
		}
	}})
	defer run.Close()
	run.Step(1, []durable.Event{{Kind: durable.RunStarted, Name: "w", Data: []byte("1")}})
	inputs := []durable.Event{{Kind: durable.CallCompleted, Data: []byte("1")}}
	b.ReportAllocs()
	for b.Loop() {
		inputs[0].ID++
		if res := run.Step(1, inputs); len(res.Actions) != 1 {
			b.Fatalf("the step does %v", res.Actions)
		}
	}
}

// BenchmarkReplay brings a run of 1,000 calls back to memory.
func BenchmarkReplay(b *testing.B) {
	code := func(w *durable.Flow, in []byte) ([]byte, error) {
		for range 1000 {
			if _, err := durable.Call(w, "f", in, nil, nil).Await(w); err != nil {
				return nil, err
			}
		}
		return nil, nil
	}
	var history []durable.Event
	run := durable.New(durable.Config{ID: "r", Code: code})
	inputs := []durable.Event{{Kind: durable.RunStarted, Name: "w", Data: []byte("1")}}
	for i := range uint64(1000) {
		res := run.Step(1, inputs)
		history = append(append(append(history, durable.Event{Kind: durable.StepStarted, Time: 1}), inputs...), res.Actions...)
		inputs = []durable.Event{{Kind: durable.CallCompleted, ID: i + 1, Data: []byte("1")}}
	}
	run.Close()
	b.ReportAllocs()
	for b.Loop() {
		again := durable.New(durable.Config{ID: "r", Code: code})
		if n := again.Replay(history); n != nil {
			b.Fatal(n)
		}
		again.Close()
	}
}
