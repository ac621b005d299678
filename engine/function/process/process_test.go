//go:build unix

package process

import (
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

func start(t *testing.T, script string, tail int, sink func(string)) (*Process, *Output) {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sh is not on the PATH")
		}
		t.Skip("sh is not on the PATH; install a POSIX shell to run this test")
	}
	out, err := NewOutput(tail, sink)
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start(exec.Command("sh", "-c", script), out)
	if err != nil {
		t.Fatal(err)
	}
	return p, out
}

func TestOutput(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var lines []string
	p, out := start(t, `printf 'one\ntwo\r\n' ; printf 'thr' >&2; printf 'ee\nlast'; exit 5`, 100, func(l string) {
		mu.Lock()
		defer mu.Unlock()
		lines = append(lines, l)
	})
	if got := Reason(p.Wait()); got != "exit status 5" {
		t.Errorf("ended with %q", got)
	}
	out.Close()
	if got := strings.Join(lines, "|"); got != "one|two|three|last" {
		t.Errorf("lines %s", got)
	}
	if got := out.Cut(); got != "one\ntwo\r\nthree\nlast" {
		t.Errorf("tail %q", got)
	}
	if got := out.Cut(); got != "" {
		t.Errorf("tail again %q", got)
	}
}

func TestTailKeepsWholeCharacters(t *testing.T) {
	t.Parallel()
	p, out := start(t, `for i in 1 2 3 4 5 6 7 8 9; do printf 'ä€😀'; done`, 10, nil)
	_ = p.Wait()
	out.Close()
	if got := out.Cut(); got != "ä€😀" {
		t.Errorf("tail %q", got)
	}
}

func TestLongLinesComeInPieces(t *testing.T) {
	t.Parallel()
	var sizes []int
	p, out := start(t, `head -c 150000 /dev/zero | tr '\0' x; echo`, 10, func(l string) { sizes = append(sizes, len(l)) })
	_ = p.Wait()
	out.Close()
	total := 0
	for _, n := range sizes {
		total += n
		if n > LineBytes {
			t.Errorf("a line of %d bytes", n)
		}
	}
	if total != 150000 || len(sizes) != 3 {
		t.Errorf("pieces %v", sizes)
	}
}

// TestKillReachesChildren waits for the end of a pipe that a grandchild holds.
func TestKillReachesChildren(t *testing.T) {
	t.Parallel()
	up := make(chan string, 1)
	p, out := start(t, `sleep 1000 & echo up; wait`, 10, func(l string) { up <- l })
	<-up
	p.Kill()
	if got := Reason(p.Wait()); got != "signal: killed" {
		t.Errorf("ended with %q", got)
	}
	select {
	case <-out.done: // every writer has gone
	case <-time.After(20 * time.Second):
		t.Error("a child survived")
	}
	out.Close()
	p.Kill() // does nothing now
}

func TestChildrenDoNotOutliveTheLeader(t *testing.T) {
	t.Parallel()
	p, out := start(t, `sleep 1000 & exit 0`, 10, nil)
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	select {
	case <-out.done:
	case <-time.After(20 * time.Second):
		t.Error("a child survived")
	}
	out.Close()
}

func TestStopIsPoliteFirst(t *testing.T) {
	t.Parallel()
	up := make(chan string, 10)
	p, out := start(t, `trap 'echo bye; exit 3' TERM; echo up; while :; do sleep 0.01; done`, 100, func(l string) { up <- l })
	<-up
	timer := p.Stop(time.Minute)
	if got := Reason(p.Wait()); got != "exit status 3" {
		t.Errorf("ended with %q", got)
	}
	timer.Stop()
	out.Close()
	if tail := out.Cut(); !strings.HasSuffix(tail, "bye\n") {
		t.Errorf("its last words are %q", tail)
	}
}

func TestStartFails(t *testing.T) {
	t.Parallel()
	out, err := NewOutput(10, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Start(exec.Command("/no/such/program"), out); err == nil {
		t.Error("no error")
	}
	out.Close()
}
