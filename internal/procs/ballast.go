package procs

import (
	"os"
	"sync/atomic"
)

// ballastBytes is how much the collector believes to be in use beside what is. With 15 MB live and a run of five calls
// allocating 12 KB, 20,000 runs a second collect forty times a second; with the ballast, eight. Measured on two cores,
// five calls, 256 outstanding: 73 us of CPU a run without, 60 with.
const ballastBytes = 64 << 20

var ballast atomic.Pointer[[]byte]

// Steady keeps a small heap from being collected all the time, unless the environment sets GOGC. The memory is never
// touched, so it costs addresses only; garbage may grow by as much.
func Steady() {
	if os.Getenv("GOGC") == "" {
		b := make([]byte, ballastBytes)
		ballast.Store(&b)
	}
}
