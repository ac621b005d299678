// Command weft runs serverless workflows: state machines whose states call functions, durable from the
// first step. All it does is in package cli.
package main

import (
	"os"
	_ "time/tzdata" // zones of schedules, on machines that have no time zone database

	"github.com/weftworks/weft/cli"
	"github.com/weftworks/weft/internal/procs"
)

func main() {
	procs.Widen()
	procs.Steady()
	os.Exit(cli.Main(os.Args[1:], cli.Stdio()))
}
