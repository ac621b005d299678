// Package engine is the shell round the partitions: it owns the goroutines, the clock, the commit log, the
// snapshot store, the functions and the user code of workflows and entities of one node (code.go says which goroutine
// runs that), and is what the server, the CLI and package weft talk to.
package engine
