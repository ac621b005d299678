package lambdaruntime

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
)

// fakePool makes a pool whose processes are this test binary in the given mode.
func fakePool(t *testing.T, mode string, change ...func(*Config)) *Pool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Name: "fake", Launch: Binary(self, t.TempDir()), Processes: 2, Log: slog.New(slog.DiscardHandler),
		Env: []string{"WEFT_FAKE=" + mode}, ResponseBytes: 2000,
	}
	for _, f := range change {
		f(&cfg)
	}
	p, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

var ids atomic.Int64

func ask(t testing.TB, p *Pool, do string, change ...func(*function.Request)) (string, *function.Result, *function.Error) {
	t.Helper()
	req := &function.Request{Function: "fake", ID: "id-" + strconv.FormatInt(ids.Add(1), 10), Input: []byte(`"` + do + `"`), Timeout: time.Minute}
	for _, f := range change {
		f(req)
	}
	res, err := p.Invoke(t.Context(), req)
	var e *function.Error
	if err != nil && !errors.As(err, &e) {
		t.Fatalf("%s: %v", do, err)
	}
	return req.ID, res, e
}

func output(t testing.TB, p *Pool, do string) string {
	t.Helper()
	_, res, e := ask(t, p, do)
	if e != nil {
		t.Fatalf("%s: %s: %s\n%s", do, e.Type, e.Cause, e.LogTail)
	}
	return string(res.Output)
}

func pid(t testing.TB, p *Pool) int {
	t.Helper()
	n, err := strconv.Atoi(output(t, p, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// gone waits until a process has ended and been reaped.
func gone(t *testing.T, pid int) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); syscall.Kill(pid, 0) == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d is still there", pid)
		}
	}
}

func TestWarmProcessServesAgain(t *testing.T) {
	t.Parallel()
	// One process at most: a call that comes before the process has asked for the next would begin another.
	p := fakePool(t, "serve", func(c *Config) { c.Processes = 1 })
	first := pid(t, p)
	for range 20 {
		if again := pid(t, p); again != first {
			t.Fatalf("process %d, then %d", first, again)
		}
	}
}

// TestBadBehaviour sends one bad call after the other to the same pool: each fails with its own error, and the
// call after it succeeds.
func TestBadBehaviour(t *testing.T) {
	t.Parallel()
	p := fakePool(t, "serve", func(c *Config) { c.Processes = 1 })
	cases := []struct{ do, errorType, cause, tail string }{
		{"crash", "Runtime.ExitError", `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: exit status 1"}`, "last words"},
		{"crash0", "Runtime.ExitError", `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited without providing a reason"}`, ""},
		{"kill", "Runtime.ExitError", `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: signal: killed"}`, ""},
		{"garbage", "Runtime.InvalidJSON", "", ""},
		{"huge", "Function.ResponseSizeTooLarge", `{"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size exceeded maximum allowed payload size (2000 bytes)."}`, ""},
		{"hugechunked", "Function.ResponseSizeTooLarge", "", ""},
		{"broken", "Runtime.TruncatedResponse", "", ""},
		{"trailer", "Stream.Broke", `{"errorMessage":"midway","errorType":"Stream.Broke"}`, ""},
		{"untyped", "Lambda.Unknown", `The cause could not be determined because Lambda did not return an error type. Returned payload: {"errorMessage":"m"}`, ""},
		{"unreadable", "Function.Custom", "", ""},
	}
	for _, c := range cases {
		id, _, e := ask(t, p, c.do)
		if e == nil {
			t.Errorf("%s succeeds", c.do)
			continue
		}
		want := strings.Replace(c.cause, "ID", id, 1)
		if e.Type != c.errorType || (c.cause != "" && e.Cause != want) || e.StartFailed || !strings.Contains(e.LogTail, c.tail) {
			t.Errorf("%s: %+v", c.do, e)
		}
		if got := output(t, p, "fine"); got != `"fine"` {
			t.Errorf("after %s: %s", c.do, got)
		}
	}
}

func TestOddButFine(t *testing.T) {
	t.Parallel()
	p := fakePool(t, "serve", func(c *Config) { c.Processes = 1 })
	for _, c := range []struct{ do, want string }{
		{"empty", "null"}, {"stranger", "400"}, {"greedy", "403"}, {"twice", "1"}, {"answerandexit", `"done"`}, {"fine", `"fine"`},
	} {
		if got := output(t, p, c.do); got != c.want {
			t.Errorf("%s = %s, want %s", c.do, got, c.want)
		}
	}
	_, res, _ := ask(t, p, "chatty")
	if res == nil || len(res.LogTail) != function.TailBytes || !strings.HasSuffix(res.LogTail, "noise the end") {
		t.Errorf("the tail of much output: %+v", res)
	}
	_, res, _ = ask(t, p, "fine")
	if res == nil || res.LogTail != "" {
		t.Errorf("output of the call before shows up: %+v", res)
	}
}

func TestTimeoutKillsTheGroup(t *testing.T) {
	t.Parallel()
	p := fakePool(t, "serve")
	first := pid(t, p)
	id, _, e := ask(t, p, "hang", func(r *function.Request) { r.Timeout = 250 * time.Millisecond })
	want := `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ` + id + ` Error: Task timed out after 0.25 seconds"}`
	if e == nil || e.Type != "Sandbox.Timedout" || e.Cause != want || e.StartFailed || e.LogTail != "hanging\n" {
		t.Errorf("own time-out: %+v", e)
	}
	gone(t, first)
	second := pid(t, p)
	_, _, e = ask(t, p, "hang", func(r *function.Request) { r.Deadline = time.Now().Add(250 * time.Millisecond) })
	if e == nil || e.Type != "States.Timeout" || e.Cause != "" {
		t.Errorf("request's deadline: %+v", e)
	}
	gone(t, second)
}

// TestAnswerThenHang has a process that answers but never asks again: its time-out gets it.
func TestAnswerThenHang(t *testing.T) {
	t.Parallel()
	p := fakePool(t, "serve", func(c *Config) { c.Processes = 1 })
	first := pid(t, p)
	_, res, e := ask(t, p, "answerandhang", func(r *function.Request) { r.Timeout = 250 * time.Millisecond })
	if e != nil || string(res.Output) != `"done"` {
		t.Fatalf("%v %v", res, e)
	}
	if got := output(t, p, "fine"); got != `"fine"` {
		t.Error(got)
	}
	gone(t, first)
}

func TestStartFailures(t *testing.T) {
	t.Parallel()
	cases := []struct{ mode, errorType, cause, tail string }{
		{"exit", "Runtime.ExitError", `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited with error: exit status 7"}`, "cannot go on\n"},
		{"exit0", "Runtime.ExitError", `{"errorType":"Runtime.ExitError","errorMessage":"RequestId: ID Error: Runtime exited without providing a reason"}`, ""},
		{"hang", "Sandbox.Timedout", `{"errorType":"Sandbox.Timedout","errorMessage":"RequestId: ID Error: Init timed out after 0.30 seconds"}`, ""},
		{"initerror", "Config.Missing", `{"errorMessage":"no database","errorType":"Config.Missing","stackTrace":[]}`, ""},
		{"initgarbage", "Runtime.Oops", "", ""},
	}
	for _, c := range cases {
		t.Run(c.mode, func(t *testing.T) {
			t.Parallel()
			p := fakePool(t, c.mode, func(cfg *Config) {
				if c.mode == "hang" {
					cfg.Init = 300 * time.Millisecond
				}
			})
			id, _, e := ask(t, p, "x")
			want := strings.Replace(c.cause, "ID", id, 1)
			if e == nil || e.Type != c.errorType || (want != "" && e.Cause != want) || !e.StartFailed || e.LogTail != c.tail {
				t.Errorf("%+v", e)
			}
		})
	}
	t.Run("no such program", func(t *testing.T) {
		t.Parallel()
		p := fakePool(t, "", func(cfg *Config) { cfg.Launch = Binary("/no/such/program", "") })
		_, _, e := ask(t, p, "x")
		if e == nil || e.Type != "Runtime.InvalidEntrypoint" || !e.StartFailed || !strings.Contains(e.Cause, "no such file") {
			t.Errorf("%+v", e)
		}
	})
}

// TestBackoff counts the starts of a process that never comes up, with many calls waiting: a start that
// fails is paid for by a pause, not by a spin.
func TestBackoff(t *testing.T) {
	t.Parallel()
	p := fakePool(t, "exit", func(c *Config) { c.Processes = 4 })
	began := time.Now()
	for range 3 {
		var wait sync.WaitGroup
		for range 50 {
			wait.Go(func() {
				_, err := p.Invoke(t.Context(), &function.Request{ID: "x", Input: []byte("1"), Timeout: time.Minute})
				var e *function.Error
				if !errors.As(err, &e) || !e.StartFailed {
					t.Errorf("got %v", err)
				}
			})
		}
		wait.Wait()
	}
	var s function.Stats
	p.AddStats(&s)
	if took := time.Since(began); took < backoffFirst || s.Starts > 30 {
		t.Errorf("%d starts in %v", s.Starts, took)
	}
}

func TestRecoversAfterFailedStart(t *testing.T) {
	t.Parallel()
	marker := filepath.Join(t.TempDir(), "marker")
	p := fakePool(t, "second", func(c *Config) { c.Processes, c.Env = 1, append(c.Env, "MARKER="+marker) })
	if _, _, e := ask(t, p, "fine"); e == nil || !e.StartFailed {
		t.Errorf("first: %+v", e)
	}
	if got := output(t, p, "fine"); got != `"fine"` {
		t.Error(got)
	}
}

// TestManyCalls runs many calls on few processes, some of which crash.
func TestManyCalls(t *testing.T) {
	t.Parallel()
	p := fakePool(t, "serve", func(c *Config) { c.Processes = 8 })
	r := function.NewRegistry()
	if err := r.Register("fake", p, function.Settings{Concurrency: 8, Timeout: time.Minute}); err != nil {
		t.Fatal(err)
	}
	var wait sync.WaitGroup
	var crashed atomic.Int64
	for i := range 1000 {
		wait.Go(func() {
			do := fmt.Sprint("call-", i)
			if i%100 == 7 {
				do = "crash"
			}
			res, err := r.Invoke(t.Context(), &function.Request{Function: "fake", ID: fmt.Sprint(i), Input: []byte(`"` + do + `"`)})
			var e *function.Error
			switch {
			case do == "crash" && errors.As(err, &e) && e.Type == "Runtime.ExitError":
				crashed.Add(1)
			case err != nil || string(res.Output) != `"`+do+`"`:
				t.Errorf("%s: %v %v", do, res, err)
			}
		})
	}
	wait.Wait()
	if n := crashed.Load(); n != 10 {
		t.Errorf("%d calls crashed, want 10", n)
	}
	s := r.Stats()[0]
	if s.Processes > 8 || s.Starts > 8+2*10 || s.Running != 0 || s.Waiting != 0 || s.Invocations != 1000 || s.Failures != 10 {
		t.Errorf("stats %+v", s)
	}
}

func TestIdleProcessEnds(t *testing.T) {
	t.Parallel()
	p := fakePool(t, "serve", func(c *Config) { c.Idle = 5 * time.Millisecond })
	first := pid(t, p)
	gone(t, first)
	if second := pid(t, p); second == first {
		t.Error("the same process again")
	}
}

func TestCloseDuringCalls(t *testing.T) {
	t.Parallel()
	lines := make(chan string, 10)
	p := fakePool(t, "serve", func(c *Config) {
		c.Processes, c.Lines = 1, func(l function.LogLine) { lines <- l.ID + " " + l.Text }
	})
	first := pid(t, p)
	errs := make(chan error, 3)
	for i := range 3 {
		go func() {
			_, err := p.Invoke(context.Background(), &function.Request{ID: fmt.Sprint("c", i), Input: []byte(`"hang"`), Timeout: time.Minute})
			errs <- err
		}()
	}
	if l := <-lines; !strings.HasSuffix(l, " hanging") { // one runs
		t.Errorf("line %q", l)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	for range 3 {
		if err := <-errs; !fault.Is(err, fault.Unavailable) {
			t.Errorf("got %v", err)
		}
	}
	if syscall.Kill(first, 0) == nil {
		t.Error("the process survived Close")
	}
	if _, err := p.Invoke(t.Context(), &function.Request{ID: "after"}); !fault.Is(err, fault.Unavailable) {
		t.Errorf("after Close: %v", err)
	}
}

// TestCancelledCallRunsOn gives up a call: the process finishes it, and serves the next one.
func TestCancelledCallRunsOn(t *testing.T) {
	t.Parallel()
	p := fakePool(t, "serve", func(c *Config) { c.Processes = 1 })
	first := pid(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Invoke(ctx, &function.Request{ID: "given-up", Input: []byte(`"pid"`), Timeout: time.Minute}); !errors.Is(err, context.Canceled) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if again := pid(t, p); again != first {
		t.Error("the process did not survive its caller")
	}
}

// TestKilledNodeTakesItsProcesses kills a node as `kill -9` does and waits for the end of its function's process.
func TestKilledNodeTakesItsProcesses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has a parent-death signal; run this test there")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "WEFT_FAKE=node")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	pid, convErr := strconv.Atoi(strings.TrimSpace(line))
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if err != nil || convErr != nil {
		t.Fatal(err, convErr)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil || strings.Contains(string(stat), ") Z ") { // nobody may be there to reap it
			return
		}
		if time.Now().After(end) {
			t.Fatalf("process %d survived its node", pid)
		}
	}
}

func TestConfigIsChecked(t *testing.T) {
	t.Parallel()
	for _, c := range []Config{{}, {Name: "x"}, {Name: "x", Launch: Binary("x", ""), Processes: -1}} {
		if _, err := New(c); !fault.Is(err, fault.InvalidArgument) {
			t.Errorf("New(%+v): %v", c, err)
		}
	}
}
