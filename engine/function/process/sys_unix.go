//go:build unix

package process

import (
	"os"
	"syscall"
)

// signalGroup sends s to the process group that p leads; os.Interrupt stands for SIGTERM.
func signalGroup(p *os.Process, s os.Signal) {
	sig := syscall.SIGKILL
	if s == os.Interrupt {
		sig = syscall.SIGTERM
	}
	_ = syscall.Kill(-p.Pid, sig) // it may have ended already
}

// readNow reads from a non-blocking descriptor; again means that nothing is there yet.
func readNow(fd uintptr, b []byte) (n int, again bool) {
	for {
		n, err := syscall.Read(int(fd), b)
		switch err {
		case nil:
			return n, false
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, true
		default:
			return 0, false
		}
	}
}
