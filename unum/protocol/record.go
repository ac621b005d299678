// Package protocol is how a run without an orchestrator stays exact: what one execution of one instance reads and
// writes, in which order, and what it does about what it finds. It is pure: Execute gives an IO operations and takes their
// answers, so that the runtime (package unum) and the model checker (unum/check) run the same code.
package protocol

// Record is what the datastore keeps of one line of control: a ratchet. Step only grows, so that whoever comes late
// sees that the line has moved on.
type Record struct {
	// Nonce was drawn by whoever created the record and travels in the requests of the line. A record that a late
	// duplicate creates again has another.
	Nonce string
	// Step is how many instances have checkpointed on the line; 0: none (the root, when a client has made it).
	Step int64
	// Value is the checkpoint of instance Step, or a reference to it.
	Value []byte
	// Width is how many lines the scope has that instance Step has opened; 0: it has opened none.
	Width int64
	// Members of that scope have ended; sorted, each once.
	Members []string
	// Failed is the member that failed first; "": none.
	Failed string
	// Ended says that no instance follows. The root's Value is then the result of the run.
	Ended bool
	// Expires is when the datastore may forget the record, in Unix seconds; 0: never.
	Expires int64
}
