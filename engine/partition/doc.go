// Package partition is the core of Weft: a group of instances with one writer and one commit log, as a fold over
// that log (Netherite's model, in the shape of a library without I/O).
//
// # Obligations of the shell
//
//  1. Ask Needs before every Step and give what it asks for, until it asks for nothing. Instances that are not
//     in memory are in the store: state larger than memory is the normal case.
//  2. Log every event that is stepped, in the order of the Steps. The log is all there is: what Step returns is
//     derived, and a recovery derives it again.
//  3. Carry out effects. Invoke, Send, Cancel and Resume are repeated by a recovery as long as their
//     cause is not answered, so they may be lost in a crash; Reply and Ended may be lost as well, since those who
//     wait are gone too. What leaves the partition must wait until the event that caused it is durable, unless
//     the speculation level allows otherwise.
//  4. Take a Snapshot now and then, apply it to the store in one atomic batch, and say Applied. Once it is
//     durable the log before its position is not needed.
//  5. Recover by Load, Step for every logged event after its position (dropping the effects), and then: log a
//     Recovered event with the next incarnation, and once it is durable send Pending again and call what
//     is Outstanding.
//
// A Core never reads a clock: time comes with the events and never goes back.
//
//	core := partition.New(partition.Config{Partitions: 1, Programs: programs})
//	ev := partition.Event{Kind: partition.Message, To: "run/greet/1", Program: 1, Op: 1, Fresh: true}
//	for _, effect := range core.Step(&ev) {
//		...
//	}
package partition
