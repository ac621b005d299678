// Command weft runs serverless workflows: state machines whose states call functions, durable from the
// first step. All it does is in package cli. Under the name bootstrap or weft-function it is what cmd/weft-function is,
// so that functions can be built by who has nothing but this program.
package main

import (
	"os"
	"path/filepath"
	"strings"
	_ "time/tzdata" // zones of schedules, on machines that have no time zone database

	"github.com/weftworks/weft/cli"
	"github.com/weftworks/weft/internal/procs"
	"github.com/weftworks/weft/unum/hosted"
)

func main() {
	if name := filepath.Base(os.Args[0]); name == "bootstrap" || strings.HasPrefix(name, "weft-function") {
		os.Exit(hosted.Main(os.Args[1:]))
	}
	procs.Widen()
	procs.Steady()
	os.Exit(cli.Main(os.Args[1:], cli.Stdio()))
}
