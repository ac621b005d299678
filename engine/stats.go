package engine

import (
	"time"

	"github.com/weftworks/weft/engine/executionlog"
)

// LogStats is what the commit log has done since the node was opened.
type LogStats struct {
	Syncs int64 // group commits, one fdatasync each
	Bytes int64 // written, headers included

	SyncP50, SyncP95, SyncP99 time.Duration // of one fdatasync
}

// CodeStats is what workflows and entities have done since the node was opened.
type CodeStats struct {
	Steps      uint64 // of runs of workflows
	Replays    uint64 // runs whose code was not in memory and was run against their history first
	Operations uint64 // of entities, failed ones included
	Handovers  uint64 // steps that did not come to an end in time, so that their partition went on without them
	Hot        int    // runs and entities in memory now
}

// Stats is what a node has done since it was opened, and what it holds.
type Stats struct {
	Log   LogStats
	Steps uint64 // events folded
	Code  CodeStats
	// ExecutionLogs counts lines of the execution logs.
	ExecutionLogs executionlog.Stats

	// What the opening had to replay, and how long that took.
	RecoveredBytes int64
	RecoveredIn    time.Duration
}

// Stats returns the node's counters.
func (n *Node) Stats() Stats {
	s := Stats{Log: n.logStats(), RecoveredBytes: n.recoveredBytes, RecoveredIn: n.recoveredIn}
	for _, l := range n.lanes {
		s.Steps += l.Steps()
	}
	if n.logs != nil {
		s.ExecutionLogs = n.logs.Stats()
	}
	for _, c := range n.coders {
		made := c.steps.Stats()
		s.Code.Steps += made.Steps
		s.Code.Replays += made.Replays
		s.Code.Operations += made.Operations
		s.Code.Hot += made.Hot
		s.Code.Handovers += c.handovers.Load()
	}
	return s
}
