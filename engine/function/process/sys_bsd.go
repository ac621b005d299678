//go:build unix && !linux

package process

import (
	"os"
	"os/exec"
	"syscall"
)

// isolate has no parent-death signal to use here: children of a killed node go on until they next ask the
// Runtime API for work, which is gone.
func isolate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// awaitEnd has no portable way to wait without reaping.
func awaitEnd(*os.Process) bool { return false }
