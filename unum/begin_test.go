package unum_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/protocol"
	"github.com/weftworks/weft/unum/store/memory"
)

// refusing is a platform that refuses the first invocations and keeps the others.
type refusing struct {
	refuse int
	sent   [][]byte
}

func (r *refusing) MaxPayload() int { return 1 << 20 }

func (r *refusing) Invoke(_ context.Context, _ string, payload []byte, _ time.Time) error {
	if r.refuse--; r.refuse >= 0 {
		return errors.New("the platform is away")
	}
	r.sent = append(r.sent, payload)
	return nil
}

// An event that is delivered again goes on where its first delivery stopped, with the checkpoint that it made.
func TestBeginIsRepeatable(t *testing.T) {
	t.Parallel()
	app, err := compile.Machine([]byte(`{"StartAt": "A", "States": {
		"A": {"Type": "Task", "Resource": "a", "Next": "B"}, "B": {"Type": "Task", "Resource": "b", "End": true}}}`), compile.Options{Name: "two"})
	if err != nil {
		t.Fatal(err)
	}
	p, err := program.New(app)
	if err != nil {
		t.Fatal(err)
	}
	platform := &refusing{refuse: 1}
	r := &unum.Runtime{Store: memory.New(), Platform: platform, Program: p}
	ran := map[string]int{}
	code := func(_ context.Context, name string, _ []byte) protocol.Outcome {
		ran[name]++
		return protocol.Outcome{Kind: protocol.Returned, Output: []byte(`"` + name + `"`)}
	}
	if err := r.Begin(t.Context(), "event-1", []byte(`{}`), 0, code); err == nil {
		t.Fatal("the platform was away, and nobody heard of it")
	}
	for range 2 {
		if err := r.Begin(t.Context(), "event-1", []byte(`{}`), 0, code); err != nil {
			t.Fatal(err)
		}
	}
	if ran["a"] != 1 || len(platform.sent) != 2 {
		t.Errorf("the code ran %d times, and %d requests were sent", ran["a"], len(platform.sent))
	}
	for _, payload := range platform.sent {
		if err := r.Handle(t.Context(), payload, code); err != nil {
			t.Fatal(err)
		}
	}
	d, err := r.Describe(t.Context(), "event-1")
	if err != nil || d.Status != unum.Succeeded || string(d.Output) != `"b"` || ran["b"] != 1 {
		t.Errorf("%+v %v, b ran %d times", d, err, ran["b"])
	}
	if err := r.Begin(t.Context(), "event-1", []byte(`{}`), 0, code); err != nil || ran["a"] != 1 {
		t.Errorf("a late duplicate: %v, a ran %d times", err, ran["a"])
	}
	if err := r.Begin(t.Context(), "event-1", []byte(`{"other":1}`), 0, code); !fault.Is(err, fault.RunExists) {
		t.Errorf("another event with the id: %v", err)
	}
}
