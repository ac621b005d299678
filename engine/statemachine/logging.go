package statemachine

import (
	"strconv"

	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/machine/history"
)

// Logging is what a machine's loggingConfiguration comes to.
type Logging struct {
	Group string // of logs
	Level history.LogLevel
	Data  bool // includeExecutionData
}

// LogLines are lines of an execution log on their way to it: what a run tells the shell (partition.Env.Tell).
type LogLines struct {
	Group string
	Text  []byte // each line ends in a newline
	Count int
}

// log tells the shell the lines of what has just happened.
func (r *Run) log(env *partition.Env, events []history.Event) {
	if r.library.Logging == nil || len(events) == 0 {
		return
	}
	if to := r.library.Logging(r.view.Revision.Machine, r.view.As.Version); to != nil {
		if lines := r.lines(to, events, r.view.Redrives); lines.Count > 0 {
			env.Tell(lines)
		}
	}
}

// lines renders events that came after so many redrives.
func (r *Run) lines(to *Logging, events []history.Event, redrives int64) *LogLines {
	v, lines := &r.view, &LogLines{Group: to.Group}
	o := history.LogOptions{JSONOptions: history.JSONOptions{WithoutData: !to.Data}, Redrives: redrives}
	o.Execution = r.library.RunARN(v.Revision.Machine, v.Name, v.Revision.Express)
	if v.As.Version != 0 {
		o.VersionARN = v.Revision.MachineARN + ":" + strconv.Itoa(v.As.Version)
	}
	if v.As.Alias != "" {
		o.AliasARN = v.Revision.MachineARN + ":" + v.As.Alias
	}
	for i := range events {
		e := &events[i]
		if e.Type == history.ExecutionRedriven {
			o.Redrives = e.Length
		}
		if to.Level.Logs(e.Type) {
			lines.Text = history.AppendLogLine(lines.Text, e, o)
			lines.Count++
		}
	}
	return lines
}

// LogAgain calls tell with the lines of the history that a recovery has brought back, which may or may not be in the log
// already: the store does not have it yet. blob returns the blobs of the run's partition.
func (p *Runs) LogAgain(in partition.View, blob func(partition.BlobID) []byte, tell func(*LogLines)) error {
	r, ok := in.State.(*Run)
	if !ok {
		r = &Run{library: p.Library}
		if err := r.decode(in.Packed, blob); err != nil {
			return err
		}
	}
	to := p.Library.Logging(r.view.Revision.Machine, r.view.As.Version)
	if to == nil {
		return nil
	}
	chunks := in.Chunks
	if data, first, count := r.History(); count > 0 {
		chunks = append(chunks[:len(chunks):len(chunks)], partition.Chunk{Data: data, First: first, Count: count})
	}
	events, redrives, err := readChunks(chunks)
	if err != nil {
		return err
	}
	if lines := r.lines(to, events, r.view.Redrives-redrives); lines.Count > 0 {
		tell(lines)
	}
	return nil
}

// readChunks returns the events of chunks and how many redrives are among them.
func readChunks(chunks []partition.Chunk) (events []history.Event, redrives int64, err error) {
	for _, chunk := range chunks {
		reader := history.NewReader(chunk.Data)
		var e history.Event
		for reader.Next(&e) {
			events = append(events, e)
			if e.Type == history.ExecutionRedriven {
				redrives++
			}
		}
		if err := reader.Err(); err != nil {
			return nil, 0, err
		}
	}
	return events, redrives, nil
}
