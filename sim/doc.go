// Package sim runs a whole node deterministically, in one goroutine, from one seed: its partitions, lanes, commit log
// and store are the real ones; clock, disk, network, functions and clients are made here. A seed decides everything,
// so a failure found at night is debugged in the morning.
//
// What a seed may do to the node:
//
//   - the disk loses unsynced sectors in a power cut, any of them; forgets renames; fails the k-th access; is full
//   - the store keeps any prefix of what was not flushed
//   - the process dies at any action and at any access to the disk, also while it recovers
//   - messages between partitions and with clients are delayed, reordered, doubled and dropped
//   - functions fail, take long, and run again after a crash; where they have limits (Limiter), calls wait for their turn, and
//     are refused when too many wait
//   - partitions are full, so that clients are refused (fault.Busy); nobody is there for a while, so that times pass unseen
//   - user code (Coder) is thrown out of memory and replayed, is not there, or does not come to an end, so that its partition
//     goes on without it
//
// What must hold (ARCHITECTURE.md, invariants 1 to 9) is checked from three sides. The log keeps what it reported durable, in
// order, and never gives a position twice. The final state equals a fold of the surviving log in one go, and one that
// is saved and loaded at every few events. And the Workload's clients, who see only answers, are never
// contradicted.
//
//	result := sim.Run(sim.Options{Seed: 7, Workload: bank.New})
//	if result.Err != nil {
//		fmt.Println(result.Err) // says what broke, and the seed replays it
//	}
//
// Faults in Options break one rule on purpose: a simulation that finds nothing then is no good.
package sim
