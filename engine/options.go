package engine

import (
	"log/slog"
	"math"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/objectstore"
)

// Functions is what a node needs of the functions it calls; *function.Registry is one.
type Functions interface {
	function.Invoker
	Lookup(name string) (function.Info, bool)
}

// Integrations is what a node needs of the service integrations of its state machines; *integration.Set is one.
type Integrations interface {
	asl.Integrations
	function.Invoker
}

// Speculation says what may go before its cause is durable.
type Speculation = lane.Speculation

// The levels of speculation.
const (
	SpeculationLocal = lane.Local // default: calls of idempotent functions and messages inside the node go at once
	SpeculationNone  = lane.None  // everything waits
)

// Options says how a node works. The zero value is a node in memory that calls no functions.
type Options struct {
	// Dir is the data directory, made if absent. "": everything is kept in memory and gone with the process.
	Dir string
	// Functions runs what Task states and workflows call. nil: every call fails with Lambda.ResourceNotFoundException.
	Functions Functions
	// Integrations are the services that Task states may call beside functions. nil: none; machines that name one are refused.
	Integrations Integrations
	// Objects is where distributed Maps read their items and write their results, unless these are in the run's data. nil:
	// nowhere.
	Objects objectstore.Store
	// Code has the workflows and entities that this program brings. nil: none; their runs wait.
	Code Code
	// Hot is how many runs of workflows and entities stay in memory as they are, so that their next step needs no replay.
	// 0: 16,384; one costs some 5 KiB and what its code holds.
	Hot int
	// ValueBytes is how long a payload of a workflow or an entity is at least that is kept in a file of its own and travels
	// by reference. 0: 64 KiB. Negative: none is.
	ValueBytes int
	// Limits bounds payloads, definitions and histories. Zero: limits.Default.
	Limits limits.Set
	// Retain is how long runs are kept after their end, by status; a status that is missing is kept for
	// RetainDefault, and one with 0 for ever.
	Retain map[machine.Status]time.Duration
	// RetainWorkflows is the same for runs of workflows.
	RetainWorkflows map[durable.Status]time.Duration
	// Speculation is the level; the zero value is SpeculationLocal.
	Speculation Speculation
	// Partitions is their number, fixed when the directory is made. 0: 8, or what the directory has. More let more
	// cores step runs; each costs a goroutine and a few hundred KiB.
	Partitions int
	// Region and Account appear in ARNs. "": us-east-1 and 000000000000.
	Region, Account string
	// ExecutionLogs is the directory of the execution logs of machines whose loggingConfiguration asks for them; the word
	// "off" for none. "": the directory logs in Dir, none without Dir.
	ExecutionLogs string
	// Logger gets what operators want to know. nil: slog.Default().
	Logger *slog.Logger
	// FS holds the directory. nil: the machine's files.
	FS vfs.FS
	// SyncDelay is added to every sync of the log: a slower disk, for benchmarks.
	SyncDelay time.Duration
	// CacheBytes bounds the store's cache of blocks. 0: 64 MiB.
	CacheBytes int64
	// Resident is how many idle instances a partition keeps in memory. 0: 8,192.
	Resident int

	// tune changes the lanes, for tests that must cross many snapshots.
	tune func(*lane.Config)
	// machines replaces limits.Machines, for tests.
	machines int
	// activities and pollers replace limits.Activities and limits.ActivityPollers, for tests.
	activities, pollers int
}

// RetainDefault is how long ended runs are kept: as long as Step Functions keeps them.
const RetainDefault = 90 * 24 * time.Hour

const partitionsMax = 1024

func (o Options) complete() (Options, error) {
	if o.Limits == (limits.Set{}) {
		o.Limits = limits.Default
	}
	if o.Region == "" {
		o.Region = "us-east-1"
	}
	if o.Account == "" {
		o.Account = "000000000000"
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.FS == nil {
		o.FS = vfs.Default
	}
	if o.machines == 0 {
		o.machines = limits.Machines
	}
	if o.activities == 0 {
		o.activities = limits.Activities
	}
	if o.pollers == 0 {
		o.pollers = limits.ActivityPollers
	}
	if o.Functions == nil {
		o.Functions = function.NewRegistry()
	}
	if o.Integrations == nil {
		o.Integrations = integration.NewSet()
	}
	if o.Code == nil {
		o.Code = noCode{}
	}
	switch {
	case o.ValueBytes == 0:
		o.ValueBytes = valueDefault
	case o.ValueBytes < 0:
		o.ValueBytes = math.MaxInt
	}
	if o.Hot == 0 {
		o.Hot = hotDefault
	}
	if o.Partitions < 0 || o.Partitions > partitionsMax {
		return o, fault.New("engine.Open", fault.InvalidArgument, "", "Partitions is %d; it must be between 1 and %d", o.Partitions, partitionsMax)
	}
	return o, nil
}
