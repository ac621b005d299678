// Package engine is the shell round the partitions: it owns the goroutines, the clock, the commit log, the
// snapshot store and the functions of one node, and is what the server, the CLI and embedding programs
// talk to.
package engine
