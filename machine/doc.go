// Package machine is the interpreter of the Amazon States Language. It is pure: Step takes a definition, a
// frame and an event and leaves the frame changed, commands and history events. It reads no clock, starts no
// goroutine, does no I/O and draws no randomness but from the frame's own seed, so the engine, the
// orchestrator-less runtime, the simulator and a test run the same machine to the same result.
//
// The caller's part:
//
//  1. Make a frame with NewFrame and give it Start. Times are parameters: Event.Now is the caller's clock.
//  2. Carry out the commands of each step in order. Invoke a function and answer with TaskSucceeded or
//     TaskFailed; arm a timer and answer with TimerFired at or after its due time; answer Yield with
//     Continue, after others had their turn. An answer to something that was cancelled meanwhile does no
//     harm.
//  3. Append the history events of each step to what is kept. Events never change.
//  4. Store the frame with AppendBinary whenever it must survive, and go on from DecodeFrame: a decoded frame
//     answers every event exactly as the frame it was made from.
//  5. Finish is the run's last command. Nothing follows it, and later events change nothing.
//
// A frame is a tree of branches (the run itself, branches of a Parallel, iterations of a Map). Each branch
// has one state and holds its input as JSON text; texts pass from state to state untouched and are parsed
// only where a path, a template or a Choice looks into them. What a query language does to data is behind
// the dataflow interface (flow.go).
package machine
