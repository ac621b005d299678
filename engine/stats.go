package engine

import "time"

// LogStats is what the commit log has done since the node was opened.
type LogStats struct {
	Syncs int64 // group commits, one fdatasync each
	Bytes int64 // written, headers included

	SyncP50, SyncP95, SyncP99 time.Duration // of one fdatasync
}

// Stats is what a node has done since it was opened, and what it holds.
type Stats struct {
	Log   LogStats
	Steps uint64 // events folded

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
	return s
}
