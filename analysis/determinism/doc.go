// Package determinism is a go/analysis pass that finds what a replay cannot repeat in workflows written in Go.
//
// A workflow's history is all that survives a crash. The engine runs the workflow's code again from its beginning and
// answers what the history knows, so the code has to ask for the same things in the same order. Clocks, randomness,
// I/O, goroutines, map iteration and shared variables all break that, mostly only after the crash.
//
// Workflow code is every function and func literal that has a parameter of type *weft.Flow, and every function of the
// same package that such code calls. About functions of other packages it keeps facts, so that a call of a helper that
// reads the clock three packages away is reported where the workflow calls it, with the way there. What is given to
// weft.Function, or takes a context.Context or an entity's context, runs outside of the workflow and is not looked at.
// Nor are files of tests: a test's workflow often watches itself from outside and never has to survive a restart.
//
// The pass prefers silence to a false alarm. Calls through interfaces and function values whose target is not plain are
// not followed. Of other modules it believes only that a function reads the clock or draws at random, because their
// caches, locks and logs are rarely what a workflow sees.
//
// A comment "//weft:deterministic reason" silences a line, from the line itself or the line above, or a whole function
// from its documentation. The rules for users are in docs/determinism.md; the command is cmd/weftvet.
//
// How it works, by file: weft.go knows Weft's API, known.go the standard library, suppress.go the comments. code.go cuts
// a package into bodies, scan.go finds what one body does, state.go what it shares, order.go what it does in the order of a
// map, slice.go where a slice in that order goes, emit.go what the history sees of it; determinism.go joins the bodies by
// their calls, reports, and exports facts.
package determinism
