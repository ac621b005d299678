package cli

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/cli/project"
	"github.com/weftworks/weft/config"
	"github.com/weftworks/weft/machine"
)

// startServer runs a server command until the test ends and returns its URL and what it writes on stderr.
func startServer(t *testing.T, env map[string]string, args ...string) (string, *syncBuffer) {
	t.Helper()
	w := newWorld()
	w.env = env
	done := make(chan int, 1)
	go func() { done <- Main(append(args, "--listen", "127.0.0.1:0"), w.IO) }()
	t.Cleanup(func() {
		w.signals <- syscall.SIGTERM
		if code := <-done; code != 0 {
			t.Errorf("the server ended with %d\n%s", code, w.err)
		}
	})
	return w.err.waitFor(t, `listening on (http://\S+)`), w.err
}

// session talks to one server.
type session struct {
	t   *testing.T
	env map[string]string
}

func (s session) run(code int, args ...string) (stdout, stderr string) {
	s.t.Helper()
	w := newWorld()
	w.env = s.env
	if got := Main(args, w.IO); got != code {
		s.t.Errorf("weft %q: exit code %d, want %d\n%s%s", args, got, code, w.out, w.err)
	}
	return w.out.String(), w.err.String()
}

const branches = `{"StartAt":"Kind","States":{
  "Kind":{"Type":"Choice","Choices":[{"Variable":"$.ok","BooleanEquals":true,"Next":"Fine"}],"Default":"Wrong"},
  "Fine":{"Type":"Pass","Result":"done","End":true},
  "Wrong":{"Type":"Fail","Error":"NotOK","Cause":"said so"}}}`

func TestMachinesAndRunsOfAServer(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"kind.asl.json":  branches,
		"sleep.asl.json": `{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}`})
	url, _ := startServer(t, nil, "serve", "--data", t.TempDir())
	s := session{t, map[string]string{"WEFT_SERVER": url}}

	_, stderr := s.run(3, "runs", "start", "kind")
	if !strings.Contains(stderr, "has no state machines yet") {
		t.Errorf("an empty server: %s", stderr)
	}
	arn, _ := s.run(0, "machines", "create", "kind", filepath.Join(dir, "kind.asl.json"))
	if !strings.HasSuffix(arn, ":stateMachine:kind\n") {
		t.Errorf("create printed %q", arn)
	}
	s.run(0, "machines", "create", "sleep", filepath.Join(dir, "sleep.asl.json"))
	_, stderr = s.run(4, "machines", "create", "kind", filepath.Join(dir, "sleep.asl.json"))
	if !strings.Contains(stderr, "--update") {
		t.Errorf("a machine that exists: %s", stderr)
	}
	s.run(0, "machines", "create", "kind", filepath.Join(dir, "kind.asl.json"), "--update")
	text, _ := s.run(0, "machines", "show", "kind", "--definition")
	if text != branches+"\n" {
		t.Errorf("definition: %s", text)
	}

	out, _ := s.run(0, "runs", "start", "kind", "--input", `{"ok": true}`, "--wait")
	if out != "\"done\"\n" {
		t.Errorf("start --wait printed %q", out)
	}
	s.run(0, "runs", "start", "kind", "--name", "bad", "--input", `{"ok":false}`)
	_, stderr = s.run(1, "runs", "wait", "bad")
	for _, want := range []string{"failed in state Wrong", "error  NotOK", "cause  said so", "weft runs history kind/bad"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("runs wait says nothing of %q:\n%s", want, stderr)
		}
	}
	_, stderr = s.run(4, "runs", "start", "kind", "--name", "bad")
	if !strings.Contains(stderr, "weft runs show kind/bad") {
		t.Errorf("a name used before: %s", stderr)
	}

	s.run(0, "runs", "start", "sleep", "--name", "long")
	s.run(5, "runs", "wait", "sleep/long", "--timeout", "1ms", "--quiet")
	s.run(0, "runs", "stop", "long", "--error", "Enough")
	s.run(1, "runs", "wait", "long", "--quiet")
	_, stderr = s.run(0, "runs", "stop", "long")
	if !strings.Contains(stderr, "has ended already: ABORTED") {
		t.Errorf("stopping twice: %s", stderr)
	}
	s.run(3, "runs", "show", "kind/nosuch")
	s.run(3, "runs", "show", "nosuch")
	s.run(3, "machines", "show", "nosuch")
	checkLists(t, s)
	checkRedrives(t, s)
}

// checkRedrives takes up runs that the test has made, leaving them as they were but for their histories.
func checkRedrives(t *testing.T, s session) {
	t.Helper()
	_, stderr := s.run(1, "runs", "redrive", "kind/bad", "--wait", "--quiet")
	says(t, "redrive --wait", stderr, "redriven kind/bad")
	s.run(2, "runs", "redrive", "kind/bad", "--skip", "Wrong")
	_, stderr = s.run(2, "runs", "redrive", "kind/bad", "--skip", "Wrong", "--output", "1")
	says(t, "skipping a Fail", stderr, "no Next to skip to")
	s.run(0, "runs", "redrive", "sleep/long")
	s.run(0, "runs", "suspend", "sleep/long")
	out, _ := s.run(0, "runs", "show", "sleep/long")
	says(t, "runs show of a suspended run", out, "RUNNING, suspended")
	out, _ = s.run(0, "runs", "show", "sleep/long", "--json")
	says(t, "runs show --json of a suspended run", out, `"suspended":true`)
	s.run(0, "runs", "resume", "sleep/long")
	s.run(0, "runs", "stop", "sleep/long", "--error", "Enough")
	_, stderr = s.run(4, "runs", "suspend", "sleep/long")
	says(t, "suspending an ended run", stderr, "has ended (ABORTED)")
	s.run(2, "runs", "rerun", "kind/bad")
	_, stderr = s.run(2, "runs", "rerun", "kind/bad", "--from", "Fine")
	says(t, "a state that was never entered", stderr, "never entered the state")
}

// checkLists looks at lists, tables and histories of the runs that the test above made.
func checkLists(t *testing.T, s session) {
	t.Helper()
	out, _ := s.run(0, "runs", "list", "--json", "--status", "failed")
	var run map[string]any
	if err := json.Unmarshal([]byte(out), &run); err != nil || run["run"] != "kind/bad" || run["status"] != "FAILED" {
		t.Errorf("runs list --json: %v\n%s", err, out)
	}
	out, _ = s.run(0, "runs", "list", "--utc")
	if lines := strings.Split(strings.TrimSpace(out), "\n"); len(lines) != 4 || !regexp.MustCompile(`^sleep/long +ABORTED +\d{4}-`).MatchString(lines[1]) {
		t.Errorf("runs list:\n%s", out)
	}
	out, _ = s.run(0, "runs", "list", "--limit", "1", "kind")
	if strings.Count(out, "\n") != 2 {
		t.Errorf("runs list --limit 1:\n%s", out)
	}
	out, _ = s.run(0, "machines", "list", "--json")
	if strings.Count(out, "\n") != 2 {
		t.Errorf("machines list --json:\n%s", out)
	}
	out, _ = s.run(0, "runs", "history", "kind/bad")
	want := `ID  ELAPSED  EVENT               STATE  DETAIL
 1   T  ExecutionStarted           {"ok":false}
 2   T  ChoiceStateEntered  Kind   {"ok":false}
 3   T  ChoiceStateExited   Kind   {"ok":false}
 4   T  FailStateEntered    Wrong  {"ok":false}
 5   T  ExecutionFailed     Wrong  NotOK: said so
`
	if d := cmp.Diff(want, regexp.MustCompile(`\d+\.\d{3}s`).ReplaceAllString(out, "T")); d != "" {
		t.Error(d)
	}
	out, _ = s.run(0, "runs", "history", "kind/bad", "--reverse", "--limit", "1", "--json")
	if !strings.Contains(out, `"type":"ExecutionFailed"`) || strings.Count(out, "\n") != 1 {
		t.Errorf("history --reverse --json: %s", out)
	}
	out, _ = s.run(0, "runs", "show", "kind/bad", "--json")
	if !strings.Contains(out, `"input":{"ok":false}`) || !strings.Contains(out, `"output":null`) || !strings.Contains(out, `"error":"NotOK"`) {
		t.Errorf("runs show --json: %s", out)
	}
}

func TestHistoryFollowsARun(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"sleep.asl.json": `{"StartAt":"P","States":{"P":{"Type":"Pass","Next":"W"},"W":{"Type":"Wait","Seconds":3600,"End":true}}}`})
	url, _ := startServer(t, nil, "serve", "--data", t.TempDir())
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	s.run(0, "machines", "create", "sleep", filepath.Join(dir, "sleep.asl.json"))
	s.run(0, "runs", "start", "sleep", "--name", "long")
	follow := func(args ...string) (*world, chan int) {
		w, done := newWorld(), make(chan int, 1)
		w.env = s.env
		go func() { done <- Main(append([]string{"runs", "history", "long", "--follow"}, args...), w.IO) }()
		w.out.waitFor(t, `WaitStateEntered`)
		return w, done
	}
	interrupted, done := follow()
	interrupted.signals <- os.Interrupt
	if code := <-done; code != ExitInterrupted {
		t.Errorf("interrupted: exit code %d", code)
	}
	table, tableDone := follow()
	lines, linesDone := follow("--json")
	limited, _ := s.run(0, "runs", "history", "long", "--follow", "--limit", "3", "--json")
	if strings.Count(limited, "\n") != 3 {
		t.Errorf("--limit 3: %s", limited)
	}
	s.run(2, "runs", "history", "long", "--follow", "--reverse")
	s.run(0, "runs", "stop", "long")
	if code := <-tableDone; code != 0 {
		t.Errorf("exit code %d\n%s", code, table.err)
	}
	all, _ := s.run(0, "runs", "history", "long")
	if d := cmp.Diff(strings.Fields(all), strings.Fields(table.out.String())); d != "" || !strings.Contains(all, "ExecutionAborted") {
		t.Error(d, all)
	}
	if code := <-linesDone; code != 0 {
		t.Errorf("--json: exit code %d\n%s", code, lines.err)
	}
	all, _ = s.run(0, "runs", "history", "long", "--json")
	if d := cmp.Diff(all, lines.out.String()); d != "" {
		t.Error(d)
	}
}

func TestServerWithAToken(t *testing.T) {
	t.Parallel()
	const token = "a token of more than 16 characters"
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	url, _ := startServer(t, nil, "serve", "--data", t.TempDir(), "--token-file", file, "--log-format", "json", "--retain", "succeeded=1d,failed=30d")
	_, stderr := session{t, nil}.run(2, "machines", "list", "--server", url)
	if !strings.Contains(stderr, "WEFT_TOKEN") {
		t.Errorf("without a token: %s", stderr)
	}
	session{t, map[string]string{"WEFT_TOKEN": "wrong", "WEFT_SERVER": url}}.run(2, "machines", "list")
	session{t, map[string]string{"WEFT_TOKEN": token, "AWS_ENDPOINT_URL_SFN": url}}.run(0, "machines", "list")
}

func TestServerShowsItsMetrics(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{"machine.asl.json": squares, "weft.yaml": shell})
	url, _ := startServer(t, nil, "dev", dir)
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	if out, _ := s.run(0, "runs", "start", project.MachineName(filepath.Join(dir, "machine.asl.json")), "--input", `{"n":[1,2]}`, "--wait"); out != "[1,2]\n" {
		t.Fatalf("the run printed %s", out)
	}
	res, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`\nweft_function_invocations_total\{function="echo"\} 2\n`, `\nweft_healthy 1\n`, `\nweft_steps_total [1-9]`} {
		if !regexp.MustCompile(want).Match(text) {
			t.Errorf("/metrics has nothing like %s:\n%s", want, text)
		}
	}
}

// A server listens before its functions are built, and says which cannot be.
func TestServerBuildsFunctionsInTheBackground(t *testing.T) {
	t.Parallel()
	needGo(t)
	_, stderr := startServer(t, nil, "dev", files(t, broken))
	stderr.waitFor(t, `cannot be made ready; calls of it fail" function=c error="[^\n]*missingInC`)
	text := stderr.String()
	if strings.Index(text, "listening on") > strings.Index(text, "building function") {
		t.Errorf("it built before it listened:\n%s", text)
	}
	if !strings.Contains(text, "missingInA") || !strings.Contains(text, "missingInB") {
		t.Errorf("it does not say what is wrong with the others:\n%s", text)
	}
}

func TestRetained(t *testing.T) {
	t.Parallel()
	file, err := config.Parse("f", t.TempDir(), []byte("retain: {succeeded: 1d, failed: 2d}"))
	if err != nil {
		t.Fatal(err)
	}
	flag, err := parseRetain("failed=forever,timed-out=3d")
	if err != nil {
		t.Fatal(err)
	}
	const day = 24 * time.Hour
	want := map[machine.Status]time.Duration{machine.Succeeded: day, machine.Failed: 0, machine.TimedOut: 3 * day}
	if d := cmp.Diff(want, retained(file.Retain, flag)); d != "" {
		t.Error(d)
	}
	if all, err := parseRetain("0"); err != nil || len(all) != 4 || all[machine.Aborted] != 0 {
		t.Errorf("--retain 0: %v, %v", all, err)
	}
}

func TestServerErrors(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	url, _ := startServer(t, nil, "serve", "--data", data)
	_, stderr := session{t, nil}.run(4, "serve", "--data", data, "--listen", "127.0.0.1:0")
	if !strings.Contains(stderr, "in use by another process") {
		t.Errorf("a directory in use: %s", stderr)
	}
	_, stderr = session{t, nil}.run(5, "serve", "--data", t.TempDir(), "--listen", strings.TrimPrefix(url, "http://"))
	if !strings.Contains(stderr, "the address is in use") {
		t.Errorf("an address in use: %s", stderr)
	}
	_, stderr = session{t, nil}.run(4, "log", "verify", "--data", data)
	if !strings.Contains(stderr, "in use by another process") {
		t.Errorf("the log of a directory in use: %s", stderr)
	}
}

func TestDevFollowsItsFiles(t *testing.T) {
	t.Parallel()
	dir := files(t, map[string]string{
		"a/machine.asl.json": `{"StartAt":"A","States":{"A":{"Type":"Pass","Result":1,"End":true}}}`,
		"b.asl.yaml":         "StartAt: B\nStates:\n  B: {Type: Pass, Result: yes it is, End: true}\n",
		"c.asl.json":         `{"StartAt":"C","States":{"C":{"Type":"Task","Resource":"nobody","End":true}}}`,
		".hidden/d.asl.json": `{}`,
	})
	url, stderr := startServer(t, nil, "dev", dir)
	s := session{t, map[string]string{"WEFT_SERVER": url}}
	if text := stderr.String(); !strings.Contains(text, "serving 3 state machines") || !strings.Contains(text, `warning: state "C" calls function "nobody"`) ||
		!strings.Contains(text, "weft env --server "+url) {
		t.Errorf("dev says:\n%s", text)
	}
	if out, _ := s.run(0, "runs", "start", "b", "--wait"); out != "\"yes it is\"\n" {
		t.Errorf("b answered %s", out)
	}
	edit(t, filepath.Join(dir, "a/machine.asl.json"), `"Result":1`, `"Result":234`)
	stderr.waitFor(t, `updated a from`)
	if out, _ := s.run(0, "runs", "start", "a", "--wait"); out != "234\n" {
		t.Errorf("a answered %s", out)
	}
	edit(t, filepath.Join(dir, "a/machine.asl.json"), `"Pass"`, `"Paste"`)
	stderr.waitFor(t, `there is no state type "Paste"`)
	if out, _ := s.run(0, "runs", "start", "a", "--wait"); out != "234\n" {
		t.Errorf("after a bad edit, a answered %s", out)
	}
	if err := os.WriteFile(filepath.Join(dir, "weft.yaml"), []byte("functions: {}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	stderr.waitFor(t, `weft.yaml has changed; start weft dev again`)
	if text, err := os.ReadFile(filepath.Join(dir, ".weft", ".gitignore")); err != nil || string(text) != "*\n" {
		t.Errorf(".gitignore: %q, %v", text, err)
	}
}

func TestUnreachableServer(t *testing.T) {
	t.Parallel()
	_, stderr := session{t, nil}.run(5, "runs", "list", "--server", "http://127.0.0.1:1")
	if !strings.Contains(stderr, "no server answers here") || !strings.Contains(stderr, "weft serve") {
		t.Error(stderr)
	}
}

func TestEnv(t *testing.T) {
	t.Parallel()
	vars := awsVariables("http://127.0.0.1:8400", "eu-west-1", "it's secret")
	for shell, want := range map[string]string{
		"sh":         "export AWS_SECRET_ACCESS_KEY='it'\\''s secret'\n",
		"fish":       "set -gx AWS_SECRET_ACCESS_KEY 'it\\'s secret'\n",
		"powershell": "$Env:AWS_SECRET_ACCESS_KEY = 'it''s secret'\n",
		"json":       `"AWS_SECRET_ACCESS_KEY": "it's secret"`,
	} {
		got, err := formatEnv(shell, vars)
		if err != nil || !strings.Contains(got, want) {
			t.Errorf("%s: %v\n%s", shell, err, got)
		}
	}
	text, _ := formatEnv("sh", awsVariables("http://h:1", "us-east-1", ""))
	want := `# where Step Functions clients connect
export AWS_ENDPOINT_URL_SFN=http://h:1
# any region will do; the SDKs insist on one
export AWS_REGION=us-east-1
# the same for the aws command, version 1, and botocore
export AWS_DEFAULT_REGION=us-east-1
# the SDKs insist on keys; a server with a token wants it as the secret one
export AWS_ACCESS_KEY_ID=weft
export AWS_SECRET_ACCESS_KEY=weft
# else StartSyncExecution and TestState call sync-HOST, which does not resolve
export AWS_DISABLE_HOST_PREFIX_INJECTION=true
`
	if d := cmp.Diff(want, text); d != "" {
		t.Error(d)
	}
}
