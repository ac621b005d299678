package server

import (
	"context"
	"time"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
	"github.com/weftworks/weft/schedule"
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

// Versions keeps the versions and aliases of machines. Errors are faults: MachineNotFound, MachineDeleting, Conflict,
// ResourceNotFound (what an alias refers to), LimitExceeded, and Unavailable or Busy from every method.
type Versions interface {
	PublishVersion(ctx context.Context, p engine.PublishVersion) (*engine.Version, error)
	DeleteVersion(ctx context.Context, machine string, number int) error
	MachineVersion(ctx context.Context, name string, number int) (*engine.Machine, error)
	CreateAlias(ctx context.Context, a engine.SetAlias) (*engine.Alias, error)
	UpdateAlias(ctx context.Context, a engine.SetAlias) (*engine.Alias, error)
	DeleteAlias(ctx context.Context, machine, name string) error
}

// Runs keeps runs. Errors are faults: MachineNotFound, RunNotFound, RunExists, InvalidInput, InvalidToken (a
// cursor that is not ours).
type Runs interface {
	StartRun(ctx context.Context, s engine.StartRun) (*engine.Run, error)
	StopRun(ctx context.Context, id engine.RunID, why engine.Reason) (*engine.Run, error)
	// RedriveRun takes a run that did not succeed up where it stood; NotRedrivable.
	RedriveRun(ctx context.Context, id engine.RunID, token string, a machine.Amendment) (*engine.Run, error)
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

// Activities keeps activities. Errors are faults: ActivityNotFound, ActivityWorkers, LimitExceeded.
type Activities interface {
	CreateActivity(ctx context.Context, c engine.CreateActivity) (*engine.Activity, error)
	DeleteActivity(ctx context.Context, name string) error
	Activity(ctx context.Context, name string) (*engine.Activity, error)
	// ListActivities returns all, oldest first.
	ListActivities(ctx context.Context) ([]*engine.Activity, error)
	TagActivity(ctx context.Context, name string, set map[string]string, remove []string) (*engine.Activity, error)
	// TakeTask waits at most wait for a task; nil: none came.
	TakeTask(ctx context.Context, activity, worker string, wait time.Duration) (*engine.Work, error)
}

// Backend is what the server serves. It is safe for concurrent use.
type Backend interface {
	Machines
	Versions
	Runs
	Tasks
	Activities
	// Healthy returns nil, or why work is not accepted.
	Healthy() error
}

// Workflows keeps runs of workflows. Errors are faults: RunNotFound, RunExists, InvalidName, InvalidInput, TooManyTags,
// InvalidToken (a cursor that is not ours), and Unavailable or Busy from every method.
type Workflows interface {
	StartWorkflow(ctx context.Context, s engine.StartWorkflow) (*engine.WorkflowRun, error)
	Workflow(ctx context.Context, id string) (*engine.WorkflowRun, error)
	WaitWorkflow(ctx context.Context, id string) (*engine.WorkflowRun, error)
	WorkflowHistory(ctx context.Context, id string) ([]durable.Event, error)
	ListWorkflows(ctx context.Context, q engine.ListWorkflows) (*engine.WorkflowPage, error)
	RaiseEvent(ctx context.Context, id, name string, data []byte) error
	// CodeNames returns what there is code of; known is false when that cannot be told.
	CodeNames() (workflows []engine.WorkflowName, entities []string, known bool)
}

// Controls changes runs of workflows. Errors are faults: RunNotFound, and Conflict when a run's status does not allow it.
type Controls interface {
	SuspendWorkflow(ctx context.Context, id, reason string) (*engine.WorkflowRun, error)
	ResumeWorkflow(ctx context.Context, id, reason string) (*engine.WorkflowRun, error)
	TerminateWorkflow(ctx context.Context, id, reason string, recursive bool) (*engine.WorkflowRun, error)
	RewindWorkflow(ctx context.Context, id, reason string) (*engine.WorkflowRun, error)
	RestartWorkflow(ctx context.Context, id string) (*engine.WorkflowRun, error)
	TagWorkflow(ctx context.Context, id string, tags map[string]string) (*engine.WorkflowRun, error)
	PurgeWorkflow(ctx context.Context, id string, recursive bool) (purged int, err error)
	PurgeWorkflows(ctx context.Context, q engine.ListWorkflows) (purged int, err error)
}

// Entities keeps entities. Errors are faults: RunNotFound for one that does not exist, InvalidName, InvalidInput.
type Entities interface {
	Entity(ctx context.Context, name, key string) (*engine.Entity, error)
	ListEntities(ctx context.Context, name, prefix string, limit int, cursor string) ([]engine.Entity, string, error)
	SignalEntity(ctx context.Context, name, key, operation string, input []byte, at int64) error
}

// Schedules keeps schedules. Errors are faults: ResourceNotFound, InvalidArgument, InvalidInput, Conflict (another one has the id,
// or a policy forbids a run), LimitExceeded, and InvalidToken (a cursor that is not ours).
type Schedules interface {
	CreateSchedule(ctx context.Context, d engine.DefineSchedule) (*engine.ScheduleView, error)
	UpdateSchedule(ctx context.Context, d engine.DefineSchedule) (*engine.ScheduleView, error)
	DeleteSchedule(ctx context.Context, id string) error
	Schedule(ctx context.Context, id string) (*engine.ScheduleView, error)
	ListSchedules(ctx context.Context, prefix string, limit int, cursor string) ([]*engine.ScheduleView, string, error)
	PauseSchedule(ctx context.Context, id, note string) (*engine.ScheduleView, error)
	ResumeSchedule(ctx context.Context, id, note string) (*engine.ScheduleView, error)
	TriggerSchedule(ctx context.Context, id string, overlap schedule.Overlap) (run string, waits bool, err error)
	BackfillSchedule(ctx context.Context, id string, from, to int64, overlap schedule.Overlap) (*engine.ScheduleView, error)
}

// Durable is a Backend with what the REST API serves: workflows, entities, schedules, and more of runs of state machines.
type Durable interface {
	MachineRuns
	Workflows
	Controls
	Entities
	Schedules
}

var (
	_ Backend = (*engine.Node)(nil)
	_ Durable = (*engine.Node)(nil)
)
