// Package workflow holds the two partition programs of durable Go code: Runs, whose instances are runs of workflows,
// and Entities, whose instances are entities. What the code does is package durable's; here is what a partition
// remembers of it. Like the core it serves, this package does no I/O and reads no clock.
//
// # Runs
//
// A run is named "workflow/<id>". What comes for it (answers, external events) waits in its inbox. While it has any, it
// owes a step: the shell gives the inbox to the code, and a Stepped event brings back what the code did. The fold then
// moves the inputs from the inbox to the history, adds the actions behind them, and carries the actions out. So
// everything that the code did is in the log, and the code itself is never part of the fold: it may change, fail
// or be not deterministic without harm to the partition.
//
// # Entities
//
// An entity is named "entity/<name>/<key>". Operations wait in its queue; a step runs as many as it can in order, and
// brings back the new state, the answers and the messages of those that did not fail.
//
// # Critical sections
//
// A run that wants locks sends one request with all entities in order to the first. An entity that grants passes the
// request on to the next, the last one tells the run: no round trip a lock, and no deadlock, as everybody locks
// in the same order. While an entity is locked it takes operations from the holder only. A run whose request was
// not granted yet when it ended sends a cancellation the same way: messages between two instances keep their order, so it
// never overtakes the request and no lock leaks.
package workflow

import (
	"strings"

	"github.com/weftworks/weft/durable"
	"github.com/weftworks/weft/engine/partition"
)

// The programs' numbers. They are stored: append-only.
const (
	RunsID     partition.ProgramID = 3
	EntitiesID partition.ProgramID = 4
)

// The listing groups.
const (
	RunsGroup     = "workflows"
	EntitiesGroup = "entities"
)

const (
	runPrefix    = "workflow/"
	entityPrefix = "entity/"
)

// RunInstance returns the instance name of a run.
func RunInstance(id string) string { return runPrefix + id }

// RunID undoes RunInstance.
func RunID(instance string) (id string, ok bool) { return strings.CutPrefix(instance, runPrefix) }

// EntityInstance returns the instance name of an entity (durable.EntityTarget).
func EntityInstance(target string) string { return entityPrefix + target }

// EntityTarget undoes EntityInstance.
func EntityTarget(instance string) (target string, ok bool) {
	return strings.CutPrefix(instance, entityPrefix)
}

// listedStatus tells statuses of runs from those of state machines' runs in listings and in the index of ended instances.
const listedStatus = 0x20

// ListedStatus returns a status as listings have it.
func ListedStatus(s durable.Status) uint8 { return listedStatus | uint8(s) }

// StatusListed undoes ListedStatus; false if the status is no run's.
func StatusListed(v uint8) (durable.Status, bool) {
	return durable.Status(v &^ listedStatus), v&listedStatus != 0
}
