package partition

import (
	"fmt"
	"strconv"
	"testing"
)

// BenchmarkStepMessage is a message to a hot instance, encoded for the log and folded.
func BenchmarkStepMessage(b *testing.B) {
	core := New(benchConfig())
	ev := Event{Kind: Message, To: "a", Program: benchID, Op: 1, Body: []byte(`{"city":"Seattle"}`), Fresh: true}
	core.Step(&ev)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendEvent(AppendBatch(buf[:0], 0), 0, &ev)
		core.Step(&ev)
	}
}

// BenchmarkStepLife is the life of an instance: made, a call, its answer, the end.
func BenchmarkStepLife(b *testing.B) {
	core := New(benchConfig())
	w := make(discard)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		n++
		ev := Event{Kind: Message, To: "run/m/" + strconv.Itoa(n), Program: benchID, Op: 2, Fresh: true}
		core.Step(&ev)
		core.Step(&Event{Kind: Done, Ref: Ref(n), ID: 1, Body: []byte("{}")})
		if n%4096 == 0 {
			core.Snapshot(w, uint64(n))
			core.Applied(0)
		}
	}
}

// BenchmarkFanOut is the answers of n calls of one instance, in random order; per answer.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i = (i + 1) % n {
				if i == 0 {
					b.StopTimer()
					benchCore = New(benchConfig())
					ev := Event{Kind: Message, To: "a", Program: benchID, Op: 3, ID: uint64(n), Fresh: true}
					benchCore.Step(&ev)
					b.StartTimer()
				}
				benchCore.Step(&Event{Kind: Done, Ref: 1, ID: uint64(i*7919%n + 1)})
			}
		})
	}
}

// BenchmarkTimers arms and fires timers while a million sleep.
func BenchmarkTimers(b *testing.B) {
	var h timers
	for i := range uint64(1_000_000) {
		h.add(timerKey{due: int64(i * 2654435761 % (1 << 32)), ref: Ref(i), id: 1})
	}
	b.ReportAllocs()
	for i := uint64(0); b.Loop(); i++ {
		k, _ := h.first()
		h.fire(k)
		h.add(timerKey{due: k.due + int64(i*2654435761%(1<<32)), ref: k.ref, id: k.id + 1})
	}
}

var benchCore *Core

const benchID ProgramID = 8

func benchConfig() Config {
	return Config{Partitions: 1, Programs: map[ProgramID]Program{benchID: benchProgram{}}}
}

// discard is a store that keeps nothing.
type discard map[string][]byte

func (discard) Set(_, _ []byte)         {}
func (discard) Delete([]byte)           {}
func (discard) DeleteRange(_, _ []byte) {}

type benchProgram struct{}

func (benchProgram) Creates(uint8) bool { return true }
func (benchProgram) New() Instance      { return new(benchInstance) }
func (benchProgram) Decode([]byte, func(BlobID) []byte) (Instance, error) {
	return new(benchInstance), nil
}

type benchInstance struct{ n int }

func (in *benchInstance) Append(dst []byte) []byte { return append(dst, byte(in.n)) }

func (in *benchInstance) Receive(env *Env, ev *Event) {
	in.n++
	switch {
	case ev.Kind == Done && env.Name != "a":
		env.End(nil)
	case ev.Kind == Message && ev.Op == 2:
		env.Invoke(Invocation{ID: 1, Function: "f", Input: ev.Body})
	case ev.Kind == Message && ev.Op == 3:
		for i := range ev.ID {
			env.Invoke(Invocation{ID: i + 1, Function: "f"})
		}
	}
}
