// Package itembatcher makes the inputs of the children of a distributed Map out of items, as an ItemBatcher says. It is pure.
//
//	b := itembatcher.New(itembatcher.Config{MaxItems: 2, BatchInput: []byte(`{"rate":3}`)})
//	for item := range items {
//		batch, err := b.Add(item)
//		if batch != nil { ... } // {"BatchInput":{"rate":3},"Items":[1,2]}
//	}
//	batch := b.Rest()
package itembatcher

import (
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/limits"
)

// Config is a resolved ItemBatcher.
type Config struct {
	MaxItems int // MaxItemsPerBatch; 0: as many as fit
	// MaxBytes is MaxInputBytesPerBatch: what an input may have with all that is around the items; 0:
	// limits.Default.PayloadBytes.
	MaxBytes   int
	BatchInput []byte // JSON text that every input has; nil: none
}

// Batch is the input of one child.
type Batch struct {
	Input []byte // JSON text
	Items int
}

// Batcher holds the batch that is being filled.
type Batcher struct {
	config Config
	head   int // bytes of input in front of the items
	input  []byte
	items  int
}

const tail = "]}"

// New makes a Batcher without items.
func New(c Config) *Batcher {
	if c.MaxBytes == 0 {
		c.MaxBytes = limits.Default.PayloadBytes
	}
	b := &Batcher{config: c}
	b.begin()
	return b
}

func (b *Batcher) begin() {
	b.input, b.items = []byte{'{'}, 0
	if b.config.BatchInput != nil {
		b.input = append(append(append(b.input, `"BatchInput":`...), b.config.BatchInput...), ',')
	}
	b.input = append(b.input, `"Items":[`...)
	b.head = len(b.input)
}

// Add adds an item, a JSON text that is copied. It returns the batch that it makes full, or that is full without it, and nil
// while there is none. An item that does not fit into any batch is an error (fault.LimitExceeded) and changes nothing.
func (b *Batcher) Add(item []byte) (*Batch, error) {
	if n := b.head + len(item) + len(tail); n > b.config.MaxBytes {
		return nil, fault.New("itembatcher.Add", fault.LimitExceeded, "",
			"a batch with this item alone has %d bytes, and MaxInputBytesPerBatch allows %d", n, b.config.MaxBytes)
	}
	var full *Batch
	if b.items > 0 && len(b.input)+len(",")+len(item)+len(tail) > b.config.MaxBytes {
		full = b.Rest()
	}
	if b.items > 0 {
		b.input = append(b.input, ',')
	}
	b.input = append(b.input, item...)
	if b.items++; full == nil && b.items == b.config.MaxItems {
		full = b.Rest()
	}
	return full, nil
}

// Rest returns the batch that is not full, nil if it has no items, and begins another.
func (b *Batcher) Rest() *Batch {
	if b.items == 0 {
		return nil
	}
	batch := &Batch{Input: append(b.input, tail...), Items: b.items}
	b.begin()
	return batch
}

// Items returns how many items wait for their batch to be full.
func (b *Batcher) Items() int { return b.items }
