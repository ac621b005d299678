package server

import (
	"context"

	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/machine/history"
)

// Machines keeps state machines. Errors are faults: MachineNotFound, MachineExists, MachineDeleting, and
// Unavailable or Busy from every method.
type Machines interface {
	CreateMachine(ctx context.Context, c engine.CreateMachine) (*engine.Machine, error)
	UpdateMachine(ctx context.Context, u engine.UpdateMachine) (*engine.Machine, error)
	DeleteMachine(ctx context.Context, name string) error
	Machine(ctx context.Context, name string) (*engine.Machine, error)
	Machines(ctx context.Context) ([]*engine.Machine, error)
	TagMachine(ctx context.Context, name string, set map[string]string, remove []string) (*engine.Machine, error)
}

// Runs keeps runs. Errors are faults: MachineNotFound, RunNotFound, RunExists, InvalidInput, InvalidToken (a
// cursor that is not ours).
type Runs interface {
	StartRun(ctx context.Context, s engine.StartRun) (*engine.Run, error)
	StopRun(ctx context.Context, id engine.RunID, why engine.Reason) (*engine.Run, error)
	Run(ctx context.Context, id engine.RunID) (*engine.Run, error)
	// RunDefinition returns the machine as it was when the run started.
	RunDefinition(ctx context.Context, id engine.RunID) (*engine.Machine, error)
	WaitRun(ctx context.Context, id engine.RunID) (*engine.Run, error)
	ListRuns(ctx context.Context, q engine.ListRuns) (*engine.RunPage, error)
	History(ctx context.Context, id engine.RunID, q engine.HistoryQuery) ([]history.Event, error)
}

// Tasks takes reports on tasks by their tokens. Errors are faults: InvalidToken, TaskNotFound, TaskTimedOut.
type Tasks interface {
	SucceedTask(ctx context.Context, token string, output []byte) error
	FailTask(ctx context.Context, token string, why engine.Reason) error
	HeartbeatTask(ctx context.Context, token string) error
}

// Backend is what the server serves. It is safe for concurrent use.
type Backend interface {
	Machines
	Runs
	Tasks
	// Healthy returns nil, or why work is not accepted.
	Healthy() error
}

var _ Backend = (*engine.Node)(nil)
