// Package cli is the weft command: it runs state machines embedded (`weft run`), serves them (`weft dev`,
// `weft serve`) and talks to a server that keeps them (`weft machines`, `weft runs`).
//
// Stdout is data and stderr is prose; --json gives data for programs; exit codes are fixed (exit.go).
// Everything a command touches outside (arguments, streams, environment, clock, signals) comes in an IO,
// so a test runs any command in its own process:
//
//	code := cli.Main([]string{"run", "wordcount"}, cli.Stdio())
package cli
