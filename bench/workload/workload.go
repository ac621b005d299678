// Package workload says what a workload of the benchmark is: a program in package weft's API and the load that is put
// on it. The packages below it are the workloads of the Durable Functions and Netherite papers (Burckhardt et al., OOPSLA
// 2021 and VLDB 2022) with their parameters scaled for two cores.
package workload

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/weftworks/weft"
)

// System is what runs a workload's program: the engine or the baseline. Inputs, outputs and states are JSON.
type System interface {
	// Start starts a run and returns its id once that is durable.
	Start(ctx context.Context, workflow string, input []byte) (id string, err error)
	// Wait returns the output of a run that was started here once it has ended, and why it has none if it has none.
	Wait(ctx context.Context, id string) (output []byte, err error)
	// Signal sends an operation to an entity and returns once that is durable.
	Signal(ctx context.Context, entity, key, operation string, input []byte) error
	// State returns the state of an entity; nil if it has none.
	State(ctx context.Context, entity, key string) ([]byte, error)
}

// Workload is a program and its load.
type Workload struct {
	Name     string // as flags and figures have it
	About    string // where it comes from and how it is scaled
	Declared []weft.Declaration
	// Do does one piece of work, start to end, and checks what comes out. It is safe for concurrent use; n counts the
	// pieces that a System was given.
	Do func(ctx context.Context, s System, n int) error
	// Unit says what a throughput counts, and Units how many of it are in one piece.
	Unit  string
	Units int
	// Outstanding is how many pieces are under way at a time when throughput is measured.
	Outstanding int
	// Rate is how many pieces a second an open loop starts; 0: there is none.
	Rate float64
	// Delayed says that the workload is measured with slow syncs, too: those whose latencies the papers compare.
	Delayed bool
	// Long says that a piece takes so long in the baseline that it is measured with one client alone.
	Long bool
}

// Run runs a workflow from start to end.
func Run[In, Out any](ctx context.Context, s System, w *weft.WorkflowOf[In, Out], in In) (out Out, err error) {
	input, err := json.Marshal(in)
	if err != nil {
		return out, err
	}
	id, err := s.Start(ctx, w.Name(), input)
	if err != nil {
		return out, err
	}
	output, err := s.Wait(ctx, id)
	if err != nil {
		return out, err
	}
	return out, json.Unmarshal(output, &out)
}

// State returns the state of an entity, the zero value if it has none.
func State[S any](ctx context.Context, s System, e *weft.EntityOf[S], key string) (state S, err error) {
	text, err := s.State(ctx, e.Name(), key)
	if err != nil || text == nil {
		return state, err
	}
	return state, json.Unmarshal(text, &state)
}

// Want returns an error unless got is want.
func Want[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s is %v, want %v", what, got, want)
	}
	return nil
}
