// Package video is the functions of examples/excamera: the stages of ExCamera (Fouladi et al., NSDI 2017), which encodes the
// chunks of a film at the same time and joins them to one that has a single key frame.
//
//	Split      makes a film, and cuts it into chunks
//	Vpxenc     encodes a chunk by itself, beginning with a key frame
//	Xcdec      decodes what Vpxenc has made, for the state at its end
//	Reencode   encodes a chunk again, from the state that Xcdec has found at the end of the one before it: no key frame
//	Rebase     encodes it for the last time, from the state at which the film before it really ends, with the vectors there are
//	Play       puts the streams together, plays them, and measures
//
// How they follow one another is not said here: app.yaml does so for runs without an orchestrator, machine.asl.json as a state
// machine. What comes in the wrong order is noticed: each stage says what it takes, and streams depend on all before them.
//
// Pictures and streams are in files that are named by their contents, in a directory that Split makes for each film; what
// travels between functions is names. So a function that runs again, or beside a copy of itself, writes the same files.
//
// Where there is ffmpeg, the film is its test pattern, and Vpxenc encodes its chunk as VP8 too (libvpx), and goes on with what a viewer of that
// would see. No encoder of ffmpeg's begins with a given state, so that the stages after it are package codec's in any case.
package video
