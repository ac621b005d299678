// Package compile makes an app of package ir out of a state machine: one function for each Task, with what may follow it.
//
// States between Tasks become no functions. They run in place, at the end of the function before them, by the interpreter
// that the engine uses (package glue): so do retries, catchers, the heads of fan-outs and, at the last branch to end, the
// join. What each function's Continuations say is the result of looking at the definition alone: everything that may
// follow, each with the guard that the glue's exit answers. The run begins with the first Task if it is clear which one
// that is; else, and for what no Task follows that it could be left to, there is one function without code.
//
//	app, err := compile.Machine(definition, compile.Options{Name: "orders"})
//
// A state that cannot do its own work, such as a path that finds nothing, ends the run. If that is at the head of a branch or
// after a Wait, the end has to be made somewhere: where the run begins or, if there is one, in the function without code.
// Those invocations are in no Continuations.
//
// What needs somebody to wait for is refused: activities, task tokens, jobs, integrations other than lambda:invoke, and
// distributed Maps that read, batch or write objects.
package compile
