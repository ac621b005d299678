package check

import "github.com/weftworks/weft/unum/protocol"

// Mistake breaks the protocol in one way, between the protocol and its operations.
type Mistake struct {
	Name string
	// Wrap returns the IO that an execution of req gets instead of io.
	Wrap func(io protocol.IO, req *protocol.Request) protocol.IO
	// NewID starts each execution of the entry under another id.
	NewID bool
}
