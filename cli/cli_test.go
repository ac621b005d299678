package cli

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/hosted"
)

// asCommand, set in the environment, makes the test binary the weft command: what a test kills is a process.
const asCommand = "WEFT_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		os.Exit(Main(os.Args[1:], Stdio()))
	}
	if os.Getenv(asRuntime) != "" {
		os.Exit(hosted.Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// world is an IO for tests and what was written to it.
type world struct {
	IO
	out, err *syncBuffer
	signals  chan os.Signal
	env      map[string]string
}

// syncBuffer is a bytes.Buffer for several goroutines, which tells listeners of every write.
type syncBuffer struct {
	mu   sync.Mutex
	b    bytes.Buffer
	more chan struct{}
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// waitFor blocks until pattern has been written and returns its first group.
func (b *syncBuffer) waitFor(t *testing.T, pattern string) string {
	t.Helper()
	re := regexp.MustCompile(pattern)
	deadline := time.After(30 * time.Second)
	for {
		if m := re.FindStringSubmatch(b.String()); m != nil {
			return m[len(m)-1]
		}
		select {
		case <-b.more:
		case <-deadline:
			t.Fatalf("nothing like %q was written:\n%s", pattern, b.String())
		}
	}
}

func newWorld() *world {
	w := &world{out: &syncBuffer{more: make(chan struct{}, 1)}, err: &syncBuffer{more: make(chan struct{}, 1)},
		signals: make(chan os.Signal, 4), env: map[string]string{}}
	w.IO = IO{
		In: strings.NewReader(""), Out: w.out, Err: w.err, Env: func(k string) string { return w.env[k] },
		Now: time.Now, Local: time.UTC, Size: func() (int, int) { return 100, 24 },
		Interrupts: func() (<-chan os.Signal, func()) { return w.signals, func() {} },
	}
	return w
}

// weft runs a command in this process.
func weft(args ...string) (code int, stdout, stderr string) {
	w := newWorld()
	code = Main(args, w.IO)
	return code, w.out.String(), w.err.String()
}

// files writes files into a new directory and returns it.
func files(t *testing.T, contents map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range contents {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestEveryKindHasAnExitCode(t *testing.T) {
	t.Parallel()
	for k := fault.Internal; k <= fault.ActivityWorkers; k++ {
		if _, ok := exitOf[k]; !ok {
			t.Errorf("kind %d has no exit code", k)
		}
		if got := exitCode(fault.New("Op", k, "x", "words")); got == ExitOK || got == ExitRunFailed {
			t.Errorf("kind %d exits %d, which is what runs do", k, got)
		}
	}
	if got := exitCode(fmt.Errorf("around: %w", fault.New("", fault.Corrupt, "", "x"))); got != ExitCorrupt {
		t.Errorf("a wrapped fault exits %d", got)
	}
	if exitCode(nil) != ExitOK || exitCode(errInterrupted) != ExitInterrupted {
		t.Error("nil or an interruption has the wrong code")
	}
}

// docs/exit-codes.md says what `weft help exit-codes` says, code by code and word by word.
func TestExitCodesAreDocumented(t *testing.T) {
	t.Parallel()
	doc, err := os.ReadFile("../docs/exit-codes.md")
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile(`(?m)^\| (\d+) +\| (.+?) +\|$`)
	documented := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(doc), -1) {
		documented[m[1]] = strings.ReplaceAll(m[2], "`", "")
	}
	helped := map[string]string{}
	for _, m := range regexp.MustCompile(`(?m)^ +(\d+)  (.+)$`).FindAllStringSubmatch(exitCodesHelp, -1) {
		helped[m[1]] = m[2]
	}
	if d := cmp.Diff(helped, documented); d != "" {
		t.Errorf("-help +docs\n%s", d)
	}
	codes := map[string]bool{fmt.Sprint(ExitOK): true, fmt.Sprint(ExitRunFailed): true, fmt.Sprint(ExitInterrupted): true}
	for _, code := range exitOf {
		codes[fmt.Sprint(code)] = true
	}
	for code := range codes {
		if helped[code] == "" {
			t.Errorf("code %s is not explained", code)
		}
	}
	if len(codes) != len(helped) {
		t.Errorf("%d codes are in use, %d are explained", len(codes), len(helped))
	}
}

func TestCommandLines(t *testing.T) {
	t.Parallel()
	pass := `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`
	dir := files(t, map[string]string{
		"one/machine.asl.json": pass, "two/a.asl.json": pass, "two/b.asl.json": pass, "none/x.json": pass,
		"calls/machine.asl.json": `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"cuont","End":true}}}`,
		"calls/weft.yaml":        "functions:\n  count: {runtime: command, command: [cat]}\n",
		"alone/machine.asl.json": `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"f","End":true}}}`,
		"bad.asl.json":           "{\n  \"StartAt\": \"A\",\n  \"States\": {\"A\": {\"Type\": \"Pass\", \"Next\": \"Bee\"}, \"Be\": {\"Type\": \"Succeed\"}}\n}",
		"bad.yaml":               "functions:\n  f: {runtime: cobol}\n",
	})
	at := func(p string) string { return filepath.Join(dir, p) }
	for _, c := range []struct {
		args []string
		code int
		says []string
	}{
		{[]string{}, 0, nil},
		{[]string{"--help"}, 0, nil},
		{[]string{"version"}, 0, nil},
		{[]string{"help", "exit-codes"}, 0, nil},
		{[]string{"help", "nosuch"}, 2, []string{`no help on "nosuch"`}},
		{[]string{"rum"}, 2, []string{`unknown command "rum"`, "did you mean run", "weft --help"}},
		{[]string{"runs", "list", "--limit", "x"}, 2, []string{`invalid argument "x" for "--limit" flag: invalid syntax`}},
		{[]string{"completion", "csh"}, 2, []string{`unknown command "csh"`, "weft completion --help"}},
		{[]string{"runs", "lst"}, 2, []string{"did you mean list?", "weft runs --help"}},
		{[]string{"run"}, 2, []string{"PATH is missing", "weft run --help"}},
		{[]string{"run", at("one"), "x"}, 2, []string{`unexpected argument "x"`}},
		{[]string{"run", at("one"), "--inptu", "1"}, 2, []string{"unknown flag: --inptu"}},
		{[]string{"run", at("one"), "--data", at("d")}, 2, []string{"--data needs --name"}},
		{[]string{"run", at("one"), "--speculation", "wild"}, 2, []string{"use local or none"}},
		{[]string{"run", at("one"), "--timeout", "-1s"}, 2, []string{"must not be negative"}},
		{[]string{"run", at("nowhere")}, 3, []string{"no such file or directory"}},
		{[]string{"run", at("none")}, 3, []string{"no state machine here", "machine.asl.json"}},
		{[]string{"run", at("two")}, 2, []string{"2 state machines here (a.asl.json, b.asl.json)"}},
		{[]string{"run", at("one"), "--input", `{"a":}`}, 2, []string{"--input:1:6: the input is no JSON", "^"}},
		{[]string{"run", at("one"), "--input", "@" + at("gone.json")}, 3, []string{"gone.json: cannot read the input"}},
		{[]string{"run", at("one"), "--input", "-"}, 2, []string{"stdin: the input is empty"}},
		{[]string{"run", at("one"), "--config", at("gone.yaml")}, 3, []string{"gone.yaml"}},
		{[]string{"run", at("one"), "--config", at("bad.yaml")}, 2, []string{"cobol", "bad.yaml:2"}},
		{[]string{"run", at("bad.asl.json")}, 2, []string{`bad.asl.json:3:`, `there is no state "Bee"`, "fix: did you mean", "^"}},
		{[]string{"run", at("calls")}, 2, []string{`"cuont", which is not declared`, `did you mean "count"?`, "declared are: count"}},
		{[]string{"run", at("alone")}, 2, []string{"a new ", "weft.yaml", "f: {runtime: python, handler: f.handler}"}},
		{[]string{"serve"}, 2, []string{"--data is missing"}},
		{[]string{"serve", "--data", at("d"), "--listen", "nonsense"}, 2, []string{"HOST:PORT"}},
		{[]string{"serve", "--data", at("d"), "--listen", "0.0.0.0:0"}, 2, []string{"needs a token"}},
		{[]string{"serve", "--data", at("d"), "--retain", "soon"}, 2, []string{`"soon" does not say how long`}},
		{[]string{"serve", "--data", at("d"), "--retain", "failed=forever,succeeded=1ms"}, 2, []string{`"1ms" is not from 1s to 100 years`}},
		{[]string{"serve", "--data", at("bad.yaml")}, 2, []string{"bad.yaml: this is not a directory"}},
		{[]string{"dev", at("one"), "--data", at("bad.yaml/d")}, 2, []string{"a part of this path is a file"}},
		{[]string{"run", at("one"), "--data", at("bad.yaml"), "--name", "n"}, 2, []string{"bad.yaml: this is not a directory"}},
		{[]string{"run", "-", "--input", "-"}, 2, []string{"the definition comes from stdin already"}},
		{[]string{"run", "-"}, 2, []string{"stdin:1:1:"}},
		{[]string{"serve", "--data", at("d"), "--log-format", "xml"}, 2, []string{"text or json"}},
		{[]string{"serve", "--data", at("d"), "--log-level", "loud"}, 2, []string{"debug, info, warn or error"}},
		{[]string{"serve", "--data", at("d"), "--token-file", at("gone")}, 3, []string{"cannot read the token"}},
		{[]string{"dev", at("nowhere")}, 3, []string{"no such directory"}},
		{[]string{"env", "--shell", "tcl"}, 2, []string{"sh, fish, powershell or json"}},
		{[]string{"runs", "list", "--status", "happy"}, 2, []string{"succeeded"}},
		{[]string{"runs", "list", "--server", "ftp://x"}, 2, []string{"no server URL"}},
		{[]string{"machines", "validate", at("one/machine.asl.json")}, 0, []string{"is valid: 1 state"}},
		{[]string{"machines", "validate", at("bad.asl.json")}, 2, []string{"problem"}},
		{[]string{"machines", "graph", at("one/machine.asl.json"), "--format", "svg"}, 2, []string{"tree, dot or mermaid"}},
		{[]string{"log", "verify"}, 2, []string{"--data is missing"}},
		{[]string{"log", "verify", "--data", at("one")}, 3, []string{"no data directory of Weft"}},
	} {
		code, _, stderr := weft(c.args...)
		if code != c.code {
			t.Errorf("weft %q: exit code %d, want %d\n%s", c.args, code, c.code, stderr)
		}
		for _, s := range c.says {
			if !strings.Contains(stderr, s) {
				t.Errorf("weft %q: stderr has no %q:\n%s", c.args, s, stderr)
			}
		}
		if code != 0 && !strings.HasPrefix(stderr, "weft: ") && !strings.Contains(stderr, "\nweft: ") {
			t.Errorf("weft %q: no line of stderr is weft's:\n%s", c.args, stderr)
		}
	}
}

const squares = `{
  "StartAt": "Each",
  "States": {
    "Each": {
      "Type": "Map", "ItemsPath": "$.n",
      "ItemProcessor": {"StartAt": "Echo", "States": {"Echo": {"Type": "Task", "Resource": "echo", "End": true}}},
      "End": true
    }
  }
}`

const shell = `functions:
  echo: {runtime: command, command: [cat]}
  boom: {runtime: command, command: [sh, -c, "echo about to fail >&2; exit 3"]}
`

func TestRunPrintsTheResultAloneOnStdout(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"machine.asl.json": squares, "weft.yaml": shell, "input.json": `{"n": [1, 2.50, "<&>"]}`})
	code, stdout, stderr := weft("run", dir)
	if code != 0 || stdout != "[1,2.50,\"<&>\"]\n" {
		t.Errorf("exit code %d, stdout %q\n%s", code, stdout, stderr)
	}
	for _, s := range []string{"Each    3/3 items", "  Echo  3 succeeded", "weft: the run succeeded after "} {
		if !strings.Contains(stderr, s) {
			t.Errorf("stderr has no %q:\n%s", s, stderr)
		}
	}
	code, stdout, stderr = weft("run", filepath.Join(dir, "machine.asl.json"), "--input", `{"n":[]}`, "--quiet")
	if code != 0 || stdout != "[]\n" || stderr != "" {
		t.Errorf("--quiet: exit code %d, stdout %q, stderr %q", code, stdout, stderr)
	}
	w := newWorld()
	w.In, w.OutTTY = strings.NewReader(`{"n":[7]}`), true
	if code := Main([]string{"run", dir, "--input", "-"}, w.IO); code != 0 || w.out.String() != "[\n  7\n]\n" {
		t.Errorf("on a terminal: exit code %d, stdout %q", code, w.out.String())
	}
}

func TestRunReadsADefinitionFromStdin(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"weft.yaml": shell})
	args := []string{"run", "-", "--input", `{"n": [1]}`, "--config", filepath.Join(dir, "weft.yaml"), "--data", t.TempDir(), "--name", "one"}
	for _, says := range []string{"the run succeeded", "stdin/one has ended already"} {
		w := newWorld()
		w.In = strings.NewReader(squares)
		if code := Main(args, w.IO); code != 0 || w.out.String() != "[1]\n" || !strings.Contains(w.err.String(), says) {
			t.Errorf("exit code %d, stdout %q\n%s", code, w.out, w.err)
		}
	}
	w := newWorld()
	w.In = strings.NewReader(squares)
	if code := Main(args[:4], w.IO); code != 2 || !strings.Contains(w.err.String(), `in a file and name it with --config`) {
		t.Errorf("without functions: exit code %d\n%s", code, w.err)
	}
}

// needGo skips a test that builds functions where there is no Go, except in CI.
func needGo(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("go is not on the PATH")
		}
		t.Skip("go is not on the PATH; install it to run this test")
	}
}

// Two Go functions that do not compile, which a machine names, and one it does not.
var broken = map[string]string{
	"machine.asl.json": `{"StartAt":"A","States":{
		"A":{"Type":"Task","Resource":"a","Next":"B"},
		"B":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName":"b"},"Next":"C"},
		"C":{"Type":"Task","Resource":"arn:aws:states:::lambda:invoke","Parameters":{"FunctionName.$":"$.f"},"End":true}}}`,
	"a/main.go": "package main\n\nfunc main() { missingInA() }\n",
	"b/main.go": "package main\n\nfunc main() { missingInB() }\n",
	"c/main.go": "package main\n\nfunc main() { missingInC() }\n",
	"weft.yaml": `functions:
  a: {runtime: go, source: a/main.go}
  b: {runtime: go, source: b/main.go}
  c: {runtime: go, source: c/main.go}
`,
}

func TestRunBuildsFunctionsBeforeItStarts(t *testing.T) {
	t.Parallel()
	needGo(t)
	dir, data := files(t, broken), filepath.Join(t.TempDir(), "data")
	code, stdout, stderr := weft("run", dir, "--data", data, "--name", "one")
	if code != ExitUsage || stdout != "" {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
	for _, s := range []string{"weft: building function a", "function a: go build ", "undefined: missingInA", "function b: ", "undefined: missingInB",
		"weft: 2 functions cannot be made ready; nothing was started"} {
		if !strings.Contains(stderr, s) {
			t.Errorf("stderr has no %q:\n%s", s, stderr)
		}
	}
	if strings.Contains(stderr, "missingInC") {
		t.Errorf("a function that nobody names was built:\n%s", stderr)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("the data directory was made: %v", err)
	}
}

func TestRunRepaintsOnATerminal(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"machine.asl.json": squares, "weft.yaml": shell, "input.json": `{"n": [1, 2]}`})
	w := newWorld()
	w.ErrTTY, w.env["NO_COLOR"] = true, "1"
	if code := Main([]string{"run", dir}, w.IO); code != 0 {
		t.Fatalf("exit code %d\n%s", code, w.err)
	}
	last := regexp.MustCompile(`(?s)^.*\x1b\[J`).ReplaceAllString(w.err.String(), "")
	want := regexp.MustCompile(`^\S+  \d+\.\ds  \d+ events\n  ✓ Each    2/2 items\n  ✓   Echo  2 succeeded\nweft: the run succeeded after .*\n$`)
	if !want.MatchString(last) || strings.Contains(last, "\x1b") {
		t.Errorf("the last frame is %q", last)
	}
}

func TestRunReportsAFailure(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"machine.asl.json": strings.ReplaceAll(squares, `"echo"`, `"boom"`), "weft.yaml": shell, "input.json": `{"n": [1]}`})
	code, stdout, stderr := weft("run", dir)
	if code != ExitRunFailed || stdout != "" {
		t.Errorf("exit code %d, stdout %q", code, stdout)
	}
	for _, s := range []string{"failed in state Echo (inside Each, item 0)", "  error  ", "  cause  ", "last log lines of function boom:\n    | about to fail", "--data DIR --name NAME"} {
		if !strings.Contains(stderr, s) {
			t.Errorf("stderr has no %q:\n%s", s, stderr)
		}
	}
	code, stdout, _ = weft("run", dir, "--json")
	want := regexp.MustCompile(`^\{"status":"FAILED","output":null,"error":"[^"]+","cause":".+","arn":"arn:[^"]+","events":\d+,"elapsed_ms":\d+\}\n$`)
	if code != ExitRunFailed || !want.MatchString(stdout) {
		t.Errorf("--json: exit code %d, stdout %s", code, stdout)
	}
}

func TestRunSaysWhatLedToAFailState(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"weft.yaml": shell, "machine.asl.json": `{"StartAt":"List","States":{
		"List":{"Type":"Task","Resource":"boom","Catch":[{"ErrorEquals":["States.ALL"],"Next":"Clean up"}],"Next":"Done"},
		"Clean up":{"Type":"Pass","Next":"Failed"}, "Done":{"Type":"Succeed"},
		"Failed":{"Type":"Fail","Error":"ListingFailed","Cause":"see the log"}}}`})
	code, _, stderr := weft("run", dir)
	for _, s := range []string{"weft: the run failed in state List with Runtime.ExitError, which was caught and led to Fail state Failed, after ",
		"\n  error  ListingFailed\n  cause  see the log\n  raised  ", "last log lines of function boom:\n    | about to fail"} {
		if code != ExitRunFailed || !strings.Contains(stderr, s) {
			t.Errorf("exit code %d, stderr has no %q:\n%s", code, s, stderr)
		}
	}
}

func TestRunStopsAtItsTimeout(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"machine.asl.json": `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}`})
	code, stdout, stderr := weft("run", dir, "--timeout", "10ms")
	if code != ExitRunFailed || stdout != "" || !strings.Contains(stderr, "was aborted") || !strings.Contains(stderr, "States.Timeout") {
		t.Errorf("exit code %d, stdout %q\n%s", code, stdout, stderr)
	}
}

// waitsForFile is a machine that waits until a file exists, so that a test decides when a run may end.
func waitsForFile(flag string) map[string]string {
	return map[string]string{
		"machine.asl.json": `{"StartAt":"First","States":{
			"First":{"Type":"Task","Resource":"first","Next":"Gate"},
			"Gate":{"Type":"Task","Resource":"gate","ResultPath":"$.gate","End":true}}}`,
		"weft.yaml": fmt.Sprintf(`functions:
  first: {runtime: command, command: [sh, -c, "cat; echo x >> %[1]s.calls"]}
  gate: {runtime: command, command: [sh, -c, "cat >/dev/null; while [ ! -e %[1]s ]; do sleep 0.02; done; echo true"]}
`, flag),
	}
}

func TestInterruptKeepsARunThatHasADirectory(t *testing.T) {
	t.Parallel()
	flag := filepath.Join(t.TempDir(), "go")
	dir, data := files(t, waitsForFile(flag)), t.TempDir()
	args := []string{"run", dir, "--data", data, "--name", "one", "--input", `{"a":1}`}
	w := newWorld()
	done := make(chan int)
	go func() { done <- Main(args, w.IO) }()
	w.err.waitFor(t, `Gate +running`)
	w.signals <- os.Interrupt
	if code := <-done; code != ExitInterrupted {
		t.Fatalf("exit code %d\n%s", code, w.err)
	}
	if s := w.err.String(); !strings.Contains(s, "weft run "+dir+" --data "+data+" --name one") {
		t.Errorf("stderr does not say how to resume:\n%s", s)
	}
	w = newWorld()
	go func() { done <- Main(args, w.IO) }()
	w.err.waitFor(t, `weft: resuming `)
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if code := <-done; code != 0 || w.out.String() != `{"a":1,"gate":true}`+"\n" {
		t.Errorf("resumed: exit code %d, stdout %q\n%s", code, w.out, w.err)
	}
	if calls, _ := os.ReadFile(flag + ".calls"); string(calls) != "x\n" {
		t.Errorf("the first function was called %d times", bytes.Count(calls, []byte("x")))
	}
}

func TestInterruptAbortsARunWithoutADirectory(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"machine.asl.json": `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}`})
	w := newWorld()
	done := make(chan int)
	go func() { done <- Main([]string{"run", dir}, w.IO) }()
	w.err.waitFor(t, `W +running`)
	w.signals <- os.Interrupt
	if code := <-done; code != ExitInterrupted || !strings.Contains(w.err.String(), "the run is aborted") {
		t.Errorf("exit code %d\n%s", code, w.err)
	}
}

// A process killed with SIGKILL resumes with the same command, keeps the definition it started with, and gives the
// same result when asked again.
func TestKilledRunResumes(t *testing.T) {
	t.Parallel()
	flag := filepath.Join(t.TempDir(), "go")
	dir, data := files(t, waitsForFile(flag)), t.TempDir()
	args := []string{"run", dir, "--data", data, "--name", "one", "--input", `{"a":1}`}
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	seen := &syncBuffer{more: make(chan struct{}, 1)}
	cmd.Stderr = seen
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	seen.waitFor(t, `Gate +running`)
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	edit(t, filepath.Join(dir, "machine.asl.json"), "$.gate", "$.other")
	if err := os.WriteFile(flag, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	const want = `{"a":1,"gate":true}` + "\n"
	code, stdout, stderr := weft(args...)
	if code != 0 || stdout != want || !strings.Contains(stderr, "the run keeps the definition it started with") {
		t.Errorf("exit code %d, stdout %q\n%s", code, stdout, stderr)
	}
	if calls, _ := os.ReadFile(flag + ".calls"); string(calls) != "x\n" {
		t.Errorf("the first function was called %d times", bytes.Count(calls, []byte("x")))
	}
	args[len(args)-1] = `{"a":2}`
	code, stdout, stderr = weft(args...)
	if code != 0 || stdout != want || !strings.Contains(stderr, "has ended already") || !strings.Contains(stderr, "--input differs") {
		t.Errorf("again: exit code %d, stdout %q\n%s", code, stdout, stderr)
	}
}

func edit(t *testing.T, path, old, with string) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, bytes.ReplaceAll(text, []byte(old), []byte(with)), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestLogVerifyAndRepair(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"machine.asl.json": `{"StartAt":"A","States":{"A":{"Type":"Pass","End":true}}}`})
	data := filepath.Join(t.TempDir(), "data")
	if code, _, stderr := weft("run", dir, "--data", data, "--name", "one"); code != 0 {
		t.Fatalf("exit code %d\n%s", code, stderr)
	}
	code, stdout, stderr := weft("log", "verify", "--data", data)
	if code != 0 || !strings.Contains(stderr, "the log is sound") || !strings.Contains(stdout, "SEGMENT") {
		t.Fatalf("exit code %d\n%s%s", code, stdout, stderr)
	}
	segments, err := filepath.Glob(filepath.Join(data, "log", "0*.log"))
	if err != nil || len(segments) == 0 {
		t.Fatal("no segments", err)
	}
	damage(t, segments[0], 100) // inside the header, which no crash explains
	if code, _, stderr := weft("run", dir, "--data", data, "--name", "two"); code != ExitCorrupt || !strings.Contains(stderr, "weft log repair --data "+data) {
		t.Errorf("run: exit code %d\n%s", code, stderr)
	}
	if code, stdout, _ := weft("log", "verify", "--data", data); code != ExitCorrupt || !strings.Contains(stdout, filepath.Base(segments[0])) {
		t.Errorf("verify: exit code %d\n%s", code, stdout)
	}
	if code, _, stderr := weft("log", "repair", "--data", data); code != ExitCorrupt || !strings.Contains(stderr, "--yes") {
		t.Errorf("repair without --yes: exit code %d\n%s", code, stderr)
	}
	if code, _, stderr := weft("log", "repair", "--data", data, "--yes"); code != 0 {
		t.Errorf("repair: exit code %d\n%s", code, stderr)
	}
	if code, _, stderr := weft("log", "verify", "--data", data); code != 0 {
		t.Errorf("verify after repair: exit code %d\n%s", code, stderr)
	}
}

func damage(t *testing.T, path string, offset int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteAt([]byte("damage"), offset); err != nil {
		t.Fatal(err)
	}
}
