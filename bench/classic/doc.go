// Package classic is the baseline of the benchmark: workflows run the way the first Durable Functions ran them on cloud
// storage, where every step is its own commit and every message goes through a durable queue. It runs the same user
// code, through the same coroutine and the same instance logic (package engine/workflow), so that what differs is how
// steps reach the disk.
//
// # The parts, and what they stand for
//
//	control queue, one a partition    Azure Storage queue: messages for the runs and entities of the partition
//	work-item queue, one              Azure Storage queue: calls of functions
//	history table, one a partition    Azure Storage tables Instances and History
//
// Each is a real file. Each access that changes something writes to its file and waits for its own fdatasync:
//
//	put      a message is put into a queue
//	commit   an episode's new history rows and the instance's row are written, as one transaction of a table
//	remove   a message is deleted from its queue once all that it caused is committed
//
// # The path of one call
//
// An episode takes all messages that wait for an instance, reads its history, replays the code on it, and runs the code
// until it waits. Then, as in the original: its new messages are put into their queues (side by side), the history is committed,
// and the messages that caused the episode are deleted (side by side). A call is a message in the work-item queue: whoever takes it calls
// the function, puts the answer into the control queue and deletes the call. A client's start writes the instance's row and
// puts a message.
//
// # What is in its favour
//
// A baseline that is slower than it has to be proves nothing. So: accesses of different instances, and of one episode
// among each other, run side by side, bounded by Options.Parallel alone; a message is taken as soon as its put has returned, before
// the commit of the episode that sent it (the original did that, too), where the original polls its queues; a client hears of a
// run's end at its commit, where the original polls the table; rows of history and of the instance are one
// commit, where the original has two; reading costs nothing but the file's cache; files are filled with
// zeros beforehand, so that a sync writes no metadata; there are no leases, no blobs for large messages and no network.
// A duplicate of a message cannot happen here, so that nothing is spent on recognising one.
//
// What it does not do: it does not recover. All that a recovery would need is written, and nobody reads it.
package classic
