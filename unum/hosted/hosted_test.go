package hosted

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/function/lambdaruntime"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/lambdaapi"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/platform/local"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/store/memory"
	"github.com/weftworks/weft/unum/store/remote"
)

// asFunction, set in the environment, makes the test binary what cmd/weft-function is; "go", a Go function with the
// runtime linked in.
const asFunction = "HOSTED_TEST_AS"

func TestMain(m *testing.M) {
	switch os.Getenv(asFunction) {
	case "":
		os.Exit(m.Run())
	case "go":
		Start(func(_ context.Context, in map[string]any) (map[string]any, error) {
			in["by"] = "go"
			return in, nil
		})
	default:
		os.Exit(Main(os.Args[1:]))
	}
}

const definition = `{
  "StartAt": "Both",
  "States": {
    "Both": {"Type": "Parallel", "Next": "Charge", "ResultPath": "$.both", "Branches": [
      {"StartAt": "P", "States": {"P": {"Type": "Task", "Resource": "py", "End": true}}},
      {"StartAt": "J", "States": {"J": {"Type": "Task", "Resource": "js", "End": true}}}
    ]},
    "Charge": {"Type": "Task", "Resource": "charge", "ResultPath": "$.charge", "Next": "Count",
      "Retry": [{"ErrorEquals": ["Flaky"], "IntervalSeconds": 1, "MaxAttempts": 1}],
      "Catch": [{"ErrorEquals": ["CardRefused"], "ResultPath": "$.refused", "Next": "Count"},
                {"ErrorEquals": ["Runtime.ExitError"], "ResultPath": "$.crashed", "Next": "Count"}]},
    "Count": {"Type": "Task", "Resource": "count", "End": true}
  }
}`

var sources = map[string]string{
	"fn.py": `
import os

class CardRefused(Exception): pass
class Flaky(Exception): pass
tries = 0

def py(event, context):
    print("python sees", sorted(event))
    return {"py": event["n"]}

def charge(event, context):
    global tries
    tries += 1
    if event["do"] == "refuse": raise CardRefused("no money")
    if event["do"] == "crash": os._exit(9)
    if event["do"] == "flaky" and tries == 1: raise Flaky()
    return "charged"
`,
	"fn.js":    "exports.js = async (event) => ({js: event.n});\n",
	"count.sh": "#!/bin/sh\ncat\n",
}

// cloud is a local platform with the functions of an application, each in processes of its own.
type cloud struct {
	t       *testing.T
	runtime *unum.Runtime // a client's
	store   *memory.Store
	service *faas.Service
	lambda  *httptest.Server
	app     *ir.App

	mu    sync.Mutex
	lines []string
}

// deploy brings the application up. code says how the code of each function is run.
func deploy(t *testing.T, text string, code map[string]lambdaruntime.Launcher, env map[string][]string) *cloud {
	t.Helper()
	app, err := compile.Machine([]byte(text), compile.Options{Name: "app"})
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "weft")
	for _, f := range app.Files() {
		write(t, filepath.Join(dir, f.Name), string(f.Text))
	}
	c := &cloud{t: t, store: memory.New(), app: app, service: faas.New(faas.Config{Scale: 1000})}
	const token = "secret"
	data := httptest.NewServer(remote.Handler(c.store, token))
	t.Cleanup(data.Close)
	api, err := lambdaapi.New(lambdaapi.Config{Service: c.service, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	c.lambda = httptest.NewServer(api)
	t.Cleanup(c.lambda.Close)
	t.Cleanup(func() { _ = api.Close() })
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range app.Functions {
		launch := &wrapping{self: self, inner: code[f.Code], env: append([]string{
			"WEFT_FUNCTION=" + f.Name, "WEFT_APP=" + dir, "WEFT_STORE=" + data.URL, "WEFT_TOKEN=" + token,
			"WEFT_PLATFORM=" + c.lambda.URL, "WEFT_PREFIX=app-", "PYTHONDONTWRITEBYTECODE=1",
		}, env[f.Code]...)}
		pool, err := lambdaruntime.New(lambdaruntime.Config{
			Name: "app-" + f.Name, Launch: launch, Init: time.Minute, Log: slog.New(slog.DiscardHandler), Lines: c.line,
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.service.Register("app-"+f.Name, pool, faas.Settings{Timeout: time.Minute}); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = c.service.Close(context.Background()) })
	p, err := program.New(app)
	if err != nil {
		t.Fatal(err)
	}
	c.runtime = &unum.Runtime{Store: c.store, Program: p, Platform: prefixed{local.New(c.service), "app-"}}
	return c
}

func (c *cloud) line(l function.LogLine) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lines = append(c.lines, l.Function+": "+l.Text)
}

// wrapping launches the runtime, and the command of another launcher behind it.
type wrapping struct {
	self  string
	inner lambdaruntime.Launcher // nil: nothing
	env   []string
}

func (w *wrapping) Launch(ctx context.Context) (c lambdaruntime.Command, err error) {
	if w.inner != nil {
		if c, err = w.inner.Launch(ctx); err != nil {
			return c, err
		}
	}
	c.Argv = append([]string{w.self}, c.Argv...)
	c.Env = append(append(c.Env, asFunction+"=function"), w.env...)
	return c, nil
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	mode := os.FileMode(0o644)
	if strings.HasPrefix(text, "#!") {
		mode = 0o755
	}
	if err := os.WriteFile(file, []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// wait returns what a run came to, and fails if it left more behind than that.
func (c *cloud) wait(run string) *unum.Description {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), time.Minute)
	defer cancel()
	d, err := c.runtime.Wait(ctx, run, 20*time.Millisecond)
	if err != nil {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.t.Fatalf("%+v: %v\n%s", d, err, strings.Join(c.lines, "\n"))
	}
	if err := c.service.Wait(ctx); err != nil {
		c.t.Fatal(err)
	}
	var left []string
	if err := c.store.Keys(ctx, run, func(key string) bool { left = append(left, key); return true }); err != nil || len(left) != 1 {
		c.t.Errorf("%s has left %q (%v)", run, left, err)
	}
	return d
}

// Python, Node and a plain command take part in a workflow with not a line changed, each in processes that nobody but
// the platform starts; what they raise, and their crashes, are caught by their names.
func TestUntouchedFunctions(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"python3", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("%s is not on the PATH; install it to run this test", tool)
		}
	}
	dir := t.TempDir()
	for name, text := range sources {
		write(t, filepath.Join(dir, name), text)
	}
	c := deploy(t, definition,
		map[string]lambdaruntime.Launcher{"py": lambdaruntime.Python(dir, "fn.py"), "charge": lambdaruntime.Python(dir, "fn.charge"), "js": lambdaruntime.Node(dir, "fn.js")},
		map[string][]string{"count": {`WEFT_CODE={"command":["./count.sh"]}`, "LAMBDA_TASK_ROOT=" + dir}})
	for do, want := range map[string]string{
		"pay":    `{"both":[{"py":7},{"js":7}],"charge":"charged","do":"pay","n":7}`,
		"flaky":  `{"both":[{"py":7},{"js":7}],"charge":"charged","do":"flaky","n":7}`,
		"refuse": `"Error":"CardRefused"`,
		"crash":  `"crashed":{"Cause":"{\"errorType\":\"Runtime.ExitError\",\"errorMessage\":\"RequestId: `,
	} {
		if _, err := c.runtime.Start(t.Context(), do, []byte(`{"n":7,"do":"`+do+`"}`), 0); err != nil {
			t.Fatal(err)
		}
		d := c.wait(do)
		if got := sorted(t, d.Output); d.Status != unum.Succeeded || !strings.Contains(got, want) {
			t.Errorf("%s: %s %s\nwant %s", do, d.Status, got, want)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if out := strings.Join(c.lines, "\n"); !strings.Contains(out, "python sees ['do', 'n']") {
		t.Errorf("what the code prints is lost:\n%s", out)
	}
}

// sorted returns JSON with the members of objects in order.
func sorted(t *testing.T, text []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

const single = `{"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "a", "Next": "B"}, "B": {"Type": "Pass", "Result": "b", "ResultPath": "$.b", "End": true}}}`

// An event at the function that runs begin with begins one, whose id is the platform's of the event.
func TestRawEventBeginsARun(t *testing.T) {
	t.Parallel()
	c := deploy(t, single, nil, map[string][]string{"a": {asFunction + "=go"}})
	if len(c.app.Functions) != 1 {
		t.Fatalf("the app has %d functions", len(c.app.Functions))
	}
	answer, err := c.service.Invoke(t.Context(), "app-"+c.app.Start().Name, []byte(`{"n":1}`))
	if err != nil {
		t.Fatal(err)
	}
	var begun struct{ Run string }
	if err := json.Unmarshal(answer.Payload, &begun); err != nil || begun.Run == "" {
		t.Fatalf("%s: %v", answer.Payload, err)
	}
	if d := c.wait(begun.Run); d.Status != unum.Succeeded || sorted(t, d.Output) != `{"b":"b","by":"go","n":1}` {
		t.Errorf("%+v %s", d, d.Output)
	}
}

func TestRead(t *testing.T) {
	t.Parallel()
	read := func(pairs ...string) (*Settings, error) {
		env := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			env[pairs[i]] = pairs[i+1]
		}
		return Read(func(key string) string { return env[key] })
	}
	s, err := read("AWS_LAMBDA_FUNCTION_NAME", "shop-pay", "WEFT_PREFIX", "shop-", "WEFT_TABLE", "t", "WEFT_QUEUE", "q", "LAMBDA_TASK_ROOT", "/task", "WEFT_ENTRY", "true",
		"WEFT_RUN_TIMEOUT", "1h", "WEFT_CODE", `{"command":["x"]}`, "WEFT_TARGETS", `{"a":"https://a"}`)
	if err != nil {
		t.Fatal(err)
	}
	if s.Function != "pay" || s.App != "/task/weft" || !s.Entry || s.RunTimeout != time.Hour || s.Keep != unum.DefaultKeep || s.Code.Command[0] != "x" || s.Targets["a"] != "https://a" || s.Port != 8080 {
		t.Errorf("%+v", s)
	}
	_, err = read("WEFT_KEEP", "soon", "WEFT_ENTRY", "yes", "WEFT_CODE", "x", "WEFT_REDELIVERIES", "-1", "WEFT_TARGETS", "x")
	for _, want := range []string{"WEFT_KEEP", "WEFT_ENTRY", "WEFT_CODE", "WEFT_REDELIVERIES", "WEFT_TARGETS", "WEFT_FUNCTION is missing", "no datastore", "no platform"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no word of %s: %v", want, err)
		}
	}
	if !fault.Is(err, fault.InvalidArgument) {
		t.Errorf("%v", err)
	}
}

func TestReadApp(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := ReadApp(filepath.Join(dir, "absent")); !fault.Is(err, fault.ResourceNotFound) {
		t.Errorf("%v", err)
	}
	write(t, filepath.Join(dir, "app.yaml"), "version: 1\nname: x\nfunctions: [y]\n")
	if _, err := ReadApp(dir); !fault.Is(err, fault.InvalidDefinition) {
		t.Errorf("%v", err)
	}
	write(t, filepath.Join(dir, "y.weft.yaml"), "version: 1\nname: y\nstart: true\n")
	if app, err := ReadApp(dir); err != nil || app.Start().Name != "y" {
		t.Errorf("%v %v", app, err)
	}
}

// What is wrong with a deployment the platform is told, in words.
func TestWrongEnvironmentIsTold(t *testing.T) {
	t.Parallel()
	told := make(chan string, 1)
	platform := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var doc struct{ ErrorMessage string }
		if err := json.NewDecoder(r.Body).Decode(&doc); err == nil && r.URL.Path == "/2018-06-01/runtime/init/error" {
			told <- doc.ErrorMessage
		}
		rw.WriteHeader(http.StatusAccepted)
	}))
	defer platform.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), asFunction+"=function", "AWS_LAMBDA_RUNTIME_API="+strings.TrimPrefix(platform.URL, "http://"))
	if words, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(words), "there is no datastore") {
		t.Errorf("%v: %s", err, words)
	}
	if message := <-told; !strings.Contains(message, "there is no datastore; set WEFT_TABLE") {
		t.Errorf("%s", message)
	}
}

// An empty delivery is no record, and nothing to stumble over.
func TestUnwrapNothing(t *testing.T) {
	t.Parallel()
	handle := func(context.Context, []byte) error { t.Error("it was handled"); return nil }
	for _, delivery := range []string{"", "x", "{}", "null"} {
		if _, opened, err := unwrap(t.Context(), []byte(delivery), handle); opened || err != nil {
			t.Errorf("%q: %v %v", delivery, opened, err)
		}
	}
}
