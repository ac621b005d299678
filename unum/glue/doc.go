// Package glue runs the states between functions in place, by the interpreter that the engine uses. It holds one line of
// control at a time: the run, a branch of a Parallel or an iteration of a Map. Given where the line stands and what has
// happened, it goes on through Choices, Passes, Waits, retries and catchers to the next Exit: a function to invoke, a fork,
// or the end of the line. It is pure: the same frame and the same event give the same Exit.
//
// Nothing but functions takes time that the glue cannot know beforehand, so it never waits: a line that has to wait goes on
// at once, in the time to come, and its Exit says At when it is due. A Wait before a Task is therefore a later invocation of
// that Task, and a retry is another invocation of the same. A Parallel or a Map below which no function is called is run
// here, whatever waits there are in it.
//
//	x, err := m.Start(exec, input, now)            // Exit{Kind: Invoke, Function: "charge", …}
//	x, err = m.Resume(x.Frame, machine.Event{Kind: machine.TaskSucceeded, ID: x.ID, Now: then, Output: answer})
//
// The time-out of the machine as a whole is not watched here.
package glue
