// Package durable is the model of workflows and entities written in Go: the events of a run's history, and the
// coroutine that runs workflow code against them. It is pure: no clock, no I/O, no goroutine of its own.
//
// # How workflow code runs
//
//  1. A run's history is a list of steps. A step begins with StepStarted (its time is what Flow.Now tells), then come the
//     inputs that the step takes (RunStarted, CallCompleted, EventRaised, ...), then the actions that the code did in
//     answer (CallScheduled, TimerCreated, ..., at the end RunCompleted).
//  2. A Run is a coroutine (iter.Pull) around the code. Step gives it inputs, one after the other, and lets it go on after
//     each until it waits for something that has not come; what it did meanwhile is the step's actions.
//  3. As long as the Run lives nothing is replayed. When it is gone (a crash, an eviction) Replay makes it again: the code
//     runs against the inputs of history, and every action it does is compared with the one history has in its place.
//     A difference ends the run with a NonDeterminism error that shows both and the line.
//
// What the code does outside of Flow is not remembered. So it must be a function of its input and of what Flow
// gives it: no clock, no randomness, no goroutines, no I/O (cmd/weftvet finds them).
//
// # Sequence numbers
//
// Each action has a number (Event.ID), counted within the instance and never used twice, also not after
// continue-as-new. Its answer carries the same number. The kinds follow those of the Durable Task protocol, so that an
// adapter can translate them one to one.
//
//	run := durable.New(durable.Config{ID: "order-7", Code: code})
//	result := run.Step(now, inputs)
//	for _, action := range result.Actions {
//		...
//	}
package durable
