package engine

import (
	"errors"
	"sync"

	"github.com/weftworks/weft/engine/commitlog"
	"github.com/weftworks/weft/engine/lane"
)

// replayer replays a log on several goroutines that have some lanes each. It implements lane.Replayer.
type replayer struct {
	lanes   []*lane.Lane
	workers int

	queues map[*lane.Lane]chan entry // made with the first entry
	all    []chan entry
	failed chan error // the first error of each worker
	done   sync.WaitGroup
}

// entry is an entry of the log on its way to its lane.
type entry struct {
	lane  *lane.Lane
	pos   commitlog.Position
	data  []byte
	apply func(lane.Batch) error
}

// replayQueue is how many entries may wait for a worker.
const replayQueue = 256

var errReplay = errors.New("the log cannot be replayed") // Wait has the reason

func newReplayer(lanes []*lane.Lane, workers int) *replayer {
	workers = min(max(workers, 1), len(lanes))
	return &replayer{lanes: lanes, workers: workers, failed: make(chan error, workers)}
}

// start starts the workers.
func (r *replayer) start() {
	r.queues = make(map[*lane.Lane]chan entry, len(r.lanes))
	for range r.workers {
		q := make(chan entry, replayQueue)
		r.all = append(r.all, q)
		r.done.Add(1)
		go r.work(q)
	}
	for i, l := range r.lanes {
		r.queues[l] = r.all[i%r.workers]
	}
}

func (r *replayer) work(q chan entry) {
	defer r.done.Done()
	var err error
	for e := range q {
		if err != nil {
			continue // so that nobody waits for room
		}
		if err = e.lane.Replay(e.pos, e.data, e.apply); err != nil {
			r.failed <- err
		}
	}
}

// Replay implements lane.Replayer.
func (r *replayer) Replay(l *lane.Lane, pos commitlog.Position, data []byte, apply func(lane.Batch) error) error {
	if r.queues == nil {
		r.start()
	}
	r.queues[l] <- entry{l, pos, data, apply}
	if len(r.failed) > 0 {
		return errReplay
	}
	return nil
}

// Wait implements lane.Replayer.
func (r *replayer) Wait() (err error) {
	for _, q := range r.all {
		close(q)
	}
	r.done.Wait()
	close(r.failed)
	for e := range r.failed {
		err = errors.Join(err, e)
	}
	return err
}
