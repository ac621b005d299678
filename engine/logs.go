package engine

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/weftworks/weft/engine/executionlog"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/statemachine"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/machine/history"
)

// NoExecutionLogs is the Options.ExecutionLogs of a node that writes none.
const NoExecutionLogs = "off"

func (n *Node) openLogs() (err error) {
	dir := n.opts.ExecutionLogs
	if dir == NoExecutionLogs || (dir == "" && n.opts.Dir == "") {
		return nil
	}
	if dir == "" {
		dir = n.opts.FS.PathJoin(n.opts.Dir, "logs")
	}
	n.logs, err = executionlog.Open(executionlog.Config{FS: n.opts.FS, Dir: dir, Logger: n.opts.Logger})
	return err
}

func (n *Node) closeLogs() {
	if n.logs != nil {
		n.logs.Close()
	}
}

// flushLogs brings the lines of events that are durable into files. It waits a second at most: a run must not wait for its
// log.
func (n *Node) flushLogs() {
	if n.logs != nil {
		n.logs.Flush(time.Second)
	}
}

// tellLog takes what a run tells the shell.
func (n *Node) tellLog(value any) {
	if lines, ok := value.(*statemachine.LogLines); ok && n.logs != nil {
		n.logs.Add(lines.Group, lines.Text, lines.Count)
	}
}

// loggingOf returns what is logged of a machine, by version; nil: nothing.
func loggingOf(m *statemachine.Machine) map[int]*statemachine.Logging {
	var by map[int]*statemachine.Logging
	add := func(version int, extra map[string]json.RawMessage) {
		var c struct {
			Level        string `json:"level"`
			Data         bool   `json:"includeExecutionData"`
			Destinations []struct {
				Group struct {
					ARN string `json:"logGroupArn"`
				} `json:"cloudWatchLogsLogGroup"`
			} `json:"destinations"`
		}
		if json.Unmarshal(extra["loggingConfiguration"], &c) != nil || len(c.Destinations) == 0 {
			return
		}
		level := history.ParseLogLevel(c.Level)
		if level == history.LogOff {
			return
		}
		if by == nil {
			by = make(map[int]*statemachine.Logging)
		}
		by[version] = &statemachine.Logging{Group: groupName(c.Destinations[0].Group.ARN), Level: level, Data: c.Data}
	}
	add(0, m.Extra)
	for _, v := range m.Versions {
		add(v.Number, v.Extra)
	}
	return by
}

// groupName returns the name in the ARN of a group of logs, and any other text as it is.
func groupName(arn string) string {
	part := strings.SplitN(arn, ":", 7)
	if len(part) == 7 && part[5] == "log-group" {
		return strings.TrimSuffix(part[6], ":*")
	}
	return arn
}

// logging is what is logged of runs. Children of a Map Run are logged as the run that has it.
func (c *catalog) logging(machine string, version int) *statemachine.Logging {
	if !c.logged.Load() {
		return nil
	}
	machine, _, _ = strings.Cut(machine, "/")
	c.mu.RLock()
	defer c.mu.RUnlock()
	if m := c.by[machine]; m != nil {
		return m.logging[version]
	}
	return nil
}

// logAgain gives the log what a recovery has brought back of runs' histories, before the lanes live: a crash may have come
// between an event and its lines.
func (n *Node) logAgain() (err error) {
	if n.logs == nil || !n.catalog.logged.Load() {
		return nil
	}
	for _, l := range n.lanes {
		err := l.Look(func(r *lane.Reader) error {
			core := r.Core()
			var refs []partition.Ref
			core.Listed(func(ref partition.Ref, _ string, _ partition.Summary, ok bool) {
				if ok {
					refs = append(refs, ref)
				}
			})
			for _, ref := range slices.Compact(slices.Sorted(slices.Values(refs))) {
				in, ok := core.View(ref)
				if !ok || in.Program != statemachine.RunsID {
					continue
				}
				if err := n.runs.LogAgain(in, core.Blob, func(lines *statemachine.LogLines) { n.tellLog(lines) }); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// loggedMachine returns the machine whose run, or child run, a line is of.
func loggedMachine(line []byte) string {
	const member = `"execution_arn":"arn:aws:states:` // texts before it cannot hold it unescaped
	at := bytes.LastIndex(line, []byte(member))
	if at < 0 {
		return ""
	}
	part := strings.SplitN(string(line[at+len(member):]), ":", 5) // region, account, kind, machine, run
	if len(part) < 5 {
		return ""
	}
	machine, _, _ := strings.Cut(part[3], "/")
	return machine
}

// LogPage is a stretch of a machine's execution log.
type LogPage struct {
	Lines  []json.RawMessage
	Cursor string // where to go on, though there may be nothing yet
	More   bool   // there is something there
}

// MachineLogs returns lines of a machine's execution log, oldest first, from where an earlier page's Cursor says, or from
// the oldest there is. limit 0: 100, at most 1,000. Errors: MachineNotFound, InvalidToken, ResourceNotFound (the node writes
// no logs, or the machine has none).
func (n *Node) MachineLogs(_ context.Context, name, cursor string, limit int) (*LogPage, error) {
	c := n.catalog.get(name)
	if c == nil {
		return nil, n.noMachine(name)
	}
	to := c.logging[0]
	switch {
	case n.logs == nil:
		return nil, fault.New("", fault.ResourceNotFound, name, "this node writes no execution logs (executionLogs: off, or it has no data directory)")
	case to == nil:
		return nil, fault.New("", fault.ResourceNotFound, name, "nothing is logged of machine %q: give it a loggingConfiguration whose level is not OFF", name)
	}
	if limit <= 0 {
		limit = listDefault
	}
	n.flushLogs() // who has seen a run's event finds its line
	runs := func(line []byte) bool { return loggedMachine(line) == name }
	page, err := n.logs.Read(to.Group, cursor, min(limit, listMax), runs)
	if err != nil {
		return nil, err
	}
	out := &LogPage{Cursor: page.Next, More: page.More}
	for _, line := range page.Lines {
		out.Lines = append(out.Lines, line)
	}
	return out, nil
}
