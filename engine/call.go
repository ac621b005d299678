package engine

import (
	"context"
	"sync/atomic"

	"github.com/weftworks/weft/engine/lane"
	"github.com/weftworks/weft/engine/partition"
	"github.com/weftworks/weft/fault"
)

// call is a client's request to a partition, and where its answer goes.
type call struct {
	answer chan answer
	gone   atomic.Bool
	// then sees the answer before the client does, on the goroutine that lets effects out; it must not block.
	then func(value any)
}

type answer struct {
	value   any
	missing bool
}

// Gone reports whether the client has stopped waiting.
func (c *call) Gone() bool { return c.gone.Load() }

// ask gives a lane an item and waits for the answer, which comes when all it depends on is durable. An answer that
// is an error is returned as one; missing is the error for an instance that does not exist.
func (n *Node) ask(ctx context.Context, p partition.ID, it lane.Item, then func(any), missing func() error) (any, error) {
	c := &call{answer: make(chan answer, 1), then: then}
	it.Event.Client = c
	if err := n.lanes[p].Submit(it); err != nil {
		return nil, err
	}
	select {
	case a := <-c.answer:
		if err, ok := a.value.(error); ok {
			return nil, err
		}
		if a.missing {
			return nil, missing()
		}
		return a.value, nil
	case <-ctx.Done():
		c.gone.Store(true) // what comes later is for nobody
		return nil, fault.New("", fault.Unavailable, "", "gave up waiting for an answer: %w", context.Cause(ctx))
	}
}

// Reply implements lane.Host.
func (n *Node) reply(client, value any, missing bool) {
	c, ok := client.(*call)
	if !ok {
		return
	}
	if c.then != nil && value != nil {
		if _, failed := value.(error); !failed {
			c.then(value)
		}
	}
	select {
	case c.answer <- answer{value: value, missing: missing}:
	default: // it has one already; whoever lets effects out must not hang
	}
}
