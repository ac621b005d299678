package lane_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/weftworks/weft/engine/commitlog"
	logmemory "github.com/weftworks/weft/engine/commitlog/memory"
	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/engine/store"
	storememory "github.com/weftworks/weft/engine/store/memory"
)

// crowd is a host whose clients wait on channels; it holds that messages leave in order.
type crowd struct {
	rig   // for what it does not override
	mu    sync.Mutex
	sent  uint64
	wrong string
}

func (c *crowd) Send(_ partition.ID, ev *partition.Event) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ev.Kind == partition.Message && ev.From.Seq != c.sent+1 {
		c.wrong = fmt.Sprintf("message %d left after %d", ev.From.Seq, c.sent)
	}
	c.sent = ev.From.Seq
}

func (c *crowd) Invoke(partition.ID, partition.Ref, partition.Invocation) {}

func (c *crowd) Reply(client, value any, _ bool) { client.(chan any) <- value }

func (c *crowd) Snapshot(_ partition.ID, b lane.Batch, _ commitlog.Position, applied func()) {
	if err := c.store.Apply(b.(*store.Batch)); err != nil {
		panic(err)
	}
	applied()
}

// TestManyGoroutines drives a lane as a node does: one goroutine turns it, the log's lets effects go, clients ask, a
// housekeeper flushes and cuts. Every client gets one answer and messages leave in order; -race does the rest.
func TestManyGoroutines(t *testing.T) {
	t.Parallel()
	for _, level := range []lane.Speculation{lane.None, lane.Local} {
		t.Run(fmt.Sprint(level), func(t *testing.T) {
			t.Parallel()
			drive(t, level)
		})
	}
}

func drive(t *testing.T, level lane.Speculation) {
	c := &crowd{}
	c.store = storememory.New()
	var l *lane.Lane
	var durable sync.Mutex
	var heard commitlog.Position
	ready := make(chan struct{})
	log, err := logmemory.Open(new(logmemory.Disk), &logmemory.Options{Durable: func(pos commitlog.Position, err error) {
		<-ready
		if err == nil {
			durable.Lock()
			heard = pos
			durable.Unlock()
			l.Durable(pos)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	batch := func() lane.Batch { return new(store.Batch) }
	l, err = lane.Open(lane.Config{
		Partition: partition.Config{Partitions: 2, Programs: map[partition.ProgramID]partition.Program{workerID: workers{}}},
		Log:       log, Store: stored{&c.rig}, Host: c, NewBatch: batch, Speculation: level, SnapshotInstances: 4, Resident: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	close(ready)
	group := lane.Group{
		Lanes: []*lane.Lane{l}, Log: log, Store: stored{&c.rig}, NewBatch: batch,
		Apply: func(b lane.Batch) error { return c.store.Apply(b.(*store.Batch)) }, Flush: c.store.Flush,
	}
	if err := l.Recovered(1); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var owner, clients sync.WaitGroup
	owner.Go(func() {
		for {
			worked, err := l.Turn(2)
			if err != nil {
				t.Error(err)
				return
			}
			if worked {
				continue
			}
			select {
			case <-l.Wake():
			case <-stop:
				return
			}
		}
	})
	there := elsewhere(1, 2)
	for i := range 8 {
		clients.Go(func() {
			answer := make(chan any)
			for n := range 200 {
				ev := partition.Event{Kind: partition.Message, To: fmt.Sprint("a", (i+n)%11), Program: workerID, Op: opWork, Body: []byte("i=idem s=" + there + " r"), Client: answer}
				if err := l.Submit(lane.Item{Event: ev}); err != nil {
					t.Error(err)
					return
				}
				<-answer
				if n%50 == 0 && i == 0 {
					_ = l.Submit(l.Flush())
					durable.Lock()
					pos := heard
					durable.Unlock()
					if err := group.Cut(pos); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	clients.Wait()
	close(stop)
	owner.Wait()
	if err := log.Close(); err != nil {
		t.Error(err)
	}
	if c.wrong != "" || c.sent != 1600 {
		t.Errorf("1,600 messages were sent; the last is %d; %s", c.sent, c.wrong)
	}
}

// Step implements lane.Host: no instance here has code.
func (c *crowd) Step(partition.ID, []lane.Job) ([]partition.Event, bool) { return nil, false }

// Pin implements lane.Host: no instance here keeps large values.
func (c *crowd) Pin(partition.ValueID) {}

// Unpin implements lane.Host.
func (c *crowd) Unpin(partition.ValueID) {}

// Tell implements lane.Host: no instance here tells anything.
func (c *crowd) Tell(any) {}
