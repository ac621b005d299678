package server

import (
	"log/slog"
	"testing"
)

// BenchmarkStartExecution is the server's share of a start: decoding, checks, admission and the answer. The
// Backend is the fake, which runs the one Pass state as well.
func BenchmarkStartExecution(b *testing.B) {
	s, err := New(Options{Backend: newFake(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		b.Fatal(err)
	}
	post(s, "CreateStateMachine", `{"name":"p","roleArn":"arn:aws:iam::1:role/r","definition":"{\"StartAt\":\"P\",\"States\":{\"P\":{\"Type\":\"Pass\",\"End\":true}}}"}`)
	const start = `{"stateMachineArn":"` + fakeARN + `stateMachine:p","input":"{}"}`
	b.ReportAllocs()
	for b.Loop() {
		if w := post(s, "StartExecution", start); w.Code != 200 {
			b.Fatal(w.Body)
		}
	}
}
