//go:build !unix

package process

import (
	"os"
	"os/exec"
	"syscall"
)

func isolate(*exec.Cmd) {}

func awaitEnd(*os.Process) bool { return false }

// signalGroup knows no groups and no polite signal here.
func signalGroup(p *os.Process, _ os.Signal) { _ = p.Kill() }

// readNow may block: pipes cannot be asked what they hold, so a tail may miss its last lines.
func readNow(fd uintptr, b []byte) (n int, again bool) {
	n, err := syscall.Read(syscall.Handle(fd), b)
	return n, err != nil && n < 0
}
