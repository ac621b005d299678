package command

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

func shell(t *testing.T, script string, change ...func(*Config)) *Command {
	t.Helper()
	if _, err := exec.LookPath("sh"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("sh is not on the PATH")
		}
		t.Skip("sh is not on the PATH; install a POSIX shell to run this test")
	}
	cfg := Config{Name: "fn", Argv: []string{"sh", "-c", script}, Dir: t.TempDir(), ResponseBytes: 1 << 20}
	for _, f := range change {
		f(&cfg)
	}
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func invoke(c *Command, change ...func(*function.Request)) (*function.Result, error) {
	req := &function.Request{Function: "fn", ID: "id-1", Run: "run-1", Attempt: 3, Key: "key-1", Input: []byte(`{"a":"b c"}`), Timeout: time.Minute}
	for _, f := range change {
		f(req)
	}
	return c.Invoke(context.Background(), req)
}

func TestSuccess(t *testing.T) {
	t.Parallel()
	for script, want := range map[string]string{
		"cat":                                  `{"a":"b c"}`,
		`printf '{"x": 1}\n'; echo logged >&2`: `{"x":1}`,
		"exit 0":                               "null",
		`echo "[\"$WEFT_RUN\", $WEFT_ATTEMPT, \"$WEFT_KEY\", \"$MORE\"]"`: `["run-1",3,"key-1","mine"]`,
		`[ "$WEFT_DEADLINE_MS" -gt 0 ] && echo true`:                      "true",
	} {
		res, err := invoke(shell(t, script, func(c *Config) { c.Env = []string{"MORE=mine"} }))
		if err != nil || string(res.Output) != want {
			t.Errorf("%s: %v %v", script, res, err)
		}
		if strings.Contains(script, "logged") && res.LogTail != "logged\n" {
			t.Errorf("log %q", res.LogTail)
		}
	}
}

func TestFailures(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ script, errorType, cause string }{
		{"echo 'no paper' >&2; exit 3", "Runtime.ExitError", `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id-1 Error: sh: exit status 3: no paper"}`},
		{"kill -9 $$", "Runtime.ExitError", `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: id-1 Error: sh: signal: killed"}`},
		{`echo '{"errorType":"Paper.Out","errorMessage":"m"}'; exit 1`, "Paper.Out", `{"errorType":"Paper.Out","errorMessage":"m"}`},
		{"echo hello", "Runtime.InvalidJSON", ""},
		{"yes", "Function.ResponseSizeTooLarge", ""},
	} {
		_, err := invoke(shell(t, c.script))
		var e *function.Error
		if !errors.As(err, &e) || e.Type != c.errorType || (c.cause != "" && e.Cause != c.cause) || e.StartFailed {
			t.Errorf("%s: %v", c.script, err)
		}
	}
	_, err := invoke(shell(t, "", func(c *Config) { c.Argv = []string{"./absent.sh"} }))
	var e *function.Error
	if !errors.As(err, &e) || e.Type != "Runtime.InvalidEntrypoint" || !e.StartFailed {
		t.Errorf("no program: %v", err)
	}
}

// TestTimeoutKillsChildren has a command whose child would outlive it.
func TestTimeoutKillsChildren(t *testing.T) {
	t.Parallel()
	c := shell(t, `sleep 1000 & echo $! > child; echo started >&2; wait`)
	_, err := invoke(c, func(r *function.Request) { r.Timeout = 500 * time.Millisecond })
	var e *function.Error
	if !errors.As(err, &e) || e.Type != "Sandbox.Timedout" || e.LogTail != "started\n" ||
		e.Cause != `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: id-1 Error: Task timed out after 0.50 seconds"}` {
		t.Fatalf("%v", err)
	}
	text, err := os.ReadFile(filepath.Join(c.cfg.Dir, "child"))
	if err != nil {
		t.Fatal(err)
	}
	child, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	for end := time.Now().Add(10 * time.Second); alive(child); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("child %d lives", child)
		}
	}
	_, err = invoke(c, func(r *function.Request) { r.Deadline = time.Now().Add(50 * time.Millisecond) })
	if !errors.As(err, &e) || e.Type != "States.Timeout" || e.Cause != "" {
		t.Errorf("deadline: %v", err)
	}
}

// alive reports whether a process runs; one that has ended and waits for its parent does not.
func alive(pid int) bool {
	if syscall.Kill(pid, 0) != nil {
		return false
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || !strings.Contains(string(stat), ") Z ")
}

func TestCloseAndCancel(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 4)
	c := shell(t, `echo up >&2; sleep 1000`, func(c *Config) { c.Lines = func(l function.LogLine) { lines <- l.Text } })
	ctx, cancel := context.WithCancel(t.Context())
	result := make(chan error, 1)
	go func() {
		_, err := c.Invoke(ctx, &function.Request{Function: "fn", ID: "1"})
		result <- err
	}()
	<-lines
	cancel()
	if err := <-result; !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	go func() {
		_, err := invoke(c)
		result <- err
	}()
	<-lines
	_ = c.Close()
	if err := <-result; !fault.Is(err, fault.Unavailable) {
		t.Errorf("closed: %v", err)
	}
	if _, err := invoke(c); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
	var s function.Stats
	if c.AddStats(&s); s.Processes != 0 || s.Starts != 2 {
		t.Errorf("stats %+v", s)
	}
}
