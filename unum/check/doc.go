// Package check explores the protocol of package unum/protocol, and the clients' side of package unum, in every
// interleaving: the code that is explored is the code that runs.
//
// An execution is straight-line code over protocol.IO, so what it is at some moment is its request and the answers it has
// had. To take it a step further it is executed again from the start with an IO that gives those answers and stops at
// the first operation that has none. A world is the records and blobs of a datastore, the requests that are not delivered
// yet and the executions under way; explore follows all its transitions, breadth first, so that the first counterexample
// is a shortest one.
//
// What may happen: each request is delivered at any later time (so that there are no clocks: timers fire whenever), again
// while others are under way or long after (Bounds.Duplicates), executions end after any of their effects and are
// repeated by the platform (Bounds.Crashes), writes are repeated by a client of the datastore that lost the answer
// (Bounds.Repeats), the platform gives up on a request (Bounds.Failures). User code returns another value each time.
//
// What must hold, in every world:
//
//   - whoever sees the value of an instance sees the same value
//   - the run ends at most once
//
// and where nothing is left to happen:
//
//   - the run has ended, with a result that its program can have
//   - nothing is left but the record of the run
//
// Walk does the same at random, for programs too large to explore. Mistakes breaks the protocol on purpose, in the ways that
// others have broken it: each has to be caught.
package check
