package engine

import (
	"context"

	"github.com/weftworks/weft/machine/history"
)

// Node is one Weft process's engine.
type Node struct{}

// CreateMachine registers a machine. Doing it again with equal arguments answers the same machine.
func (n *Node) CreateMachine(ctx context.Context, c CreateMachine) (*Machine, error) { panic("todo") }

// UpdateMachine changes a machine; runs in flight keep the definition they started with.
func (n *Node) UpdateMachine(ctx context.Context, u UpdateMachine) (*Machine, error) { panic("todo") }

// DeleteMachine marks a machine for deletion; it goes when its last open run has ended. Unknown names are no error.
func (n *Node) DeleteMachine(ctx context.Context, name string) error { panic("todo") }

// Machine returns a machine by name.
func (n *Node) Machine(ctx context.Context, name string) (*Machine, error) { panic("todo") }

// Machines returns all machines by creation time, oldest first.
func (n *Node) Machines(ctx context.Context) ([]*Machine, error) { panic("todo") }

// TagMachine sets and removes tags.
func (n *Node) TagMachine(ctx context.Context, name string, set map[string]string, remove []string) (*Machine, error) {
	panic("todo")
}

// StartRun starts a run and returns once it is durable. The same name with the same input while the run is
// open answers that run; a name used before otherwise is fault.RunExists.
func (n *Node) StartRun(ctx context.Context, s StartRun) (*Run, error) { panic("todo") }

// StopRun aborts an open run and returns it. Stopping an ended run returns it unchanged.
func (n *Node) StopRun(ctx context.Context, id RunID, errorName, cause string) (*Run, error) {
	panic("todo")
}

// Run returns a run.
func (n *Node) Run(ctx context.Context, id RunID) (*Run, error) { panic("todo") }

// RunDefinition returns the definition a run is pinned to.
func (n *Node) RunDefinition(ctx context.Context, id RunID) ([]byte, error) { panic("todo") }

// WaitRun returns a run once it has ended.
func (n *Node) WaitRun(ctx context.Context, id RunID) (*Run, error) { panic("todo") }

// ListRuns returns a page of a machine's runs, newest first.
func (n *Node) ListRuns(ctx context.Context, q ListRuns) (*RunPage, error) { panic("todo") }

// History returns a stretch of a run's history, committed events only.
func (n *Node) History(ctx context.Context, id RunID, q HistoryQuery) ([]history.Event, error) {
	panic("todo")
}

// SucceedTask, FailTask and HeartbeatTask report on a task by the token it handed out.
func (n *Node) SucceedTask(ctx context.Context, token string, output []byte) error { panic("todo") }

// FailTask ends a task with an error.
func (n *Node) FailTask(ctx context.Context, token, errorName, cause string) error { panic("todo") }

// HeartbeatTask restarts a task's heartbeat.
func (n *Node) HeartbeatTask(ctx context.Context, token string) error { panic("todo") }

// Healthy returns nil, or why the node does not accept work (its log failed, its disk is full).
func (n *Node) Healthy() error { panic("todo") }

// Close stops taking work, makes everything durable, takes a snapshot and releases the directory.
func (n *Node) Close() error { panic("todo") }
