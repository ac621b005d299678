package cli

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftworks/weft/faas/cloudtasksapi"
	"github.com/weftworks/weft/faas/firestoreapi"
	"github.com/weftworks/weft/faas/gcfapi"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/deploy/build"
)

// asRuntime, set in the environment, makes the test binary the runtime of deployed functions.
const asRuntime = "WEFT_TEST_AS_RUNTIME"

// google is Google Cloud on this machine: what is deployed there runs in processes.
type google struct {
	api   *gcfapi.Server
	tasks *cloudtasksapi.Server
	env   map[string]string
	dir   string
	words *syncBuffer // that functions have written

	mu      sync.Mutex
	serving map[string]*instance // by the full names of functions
	refuse  int                  // the how many-th function to create is refused
	creates int
}

// instance is a function's process.
type instance struct {
	cmd     *exec.Cmd
	address string
	ended   chan struct{}
}

func newGoogle(t *testing.T) *google {
	t.Helper()
	g := &google{dir: t.TempDir(), serving: map[string]*instance{}, refuse: 2, words: &syncBuffer{more: make(chan struct{}, 1)}}
	var err error
	if g.api, err = gcfapi.Start(gcfapi.Config{Serve: g.serve, Stop: g.stop, Intercept: g.intercept}); err != nil {
		t.Fatal(err)
	}
	if g.tasks, err = cloudtasksapi.Start(cloudtasksapi.Config{Scale: 0.01, Transport: g}); err != nil {
		t.Fatal(err)
	}
	records, err := firestoreapi.Start(firestoreapi.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		g.tasks.Close()
		for _, name := range slices.Collect(maps.Keys(g.serving)) {
			g.stop(name)
		}
		g.api.Close()
		records.Close()
	})
	const overrides = "CLOUDSDK_API_ENDPOINT_OVERRIDES_"
	g.env = map[string]string{
		"GOOGLE_CLOUD_PROJECT": "p", "GOOGLE_CLOUD_REGION": "us-central1",
		overrides + "CLOUDTASKS": "http://" + g.tasks.Addr(), overrides + "CLOUDRESOURCEMANAGER": g.api.URL(), overrides + "RUN": g.api.URL(),
	}
	for _, api := range []string{"CLOUDFUNCTIONS", "FIRESTORE", "IAM"} {
		g.env[overrides+api] = "http://" + g.api.Addr()
	}
	for k, v := range g.env {
		t.Setenv(k, v)
	}
	t.Setenv("FIRESTORE_EMULATOR_HOST", records.Addr())
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	return g
}

// intercept refuses one function.
func (g *google) intercept(_ context.Context, method string, call func() error) error {
	g.mu.Lock()
	if method == "CreateFunction" {
		g.creates++
	}
	refused := method == "CreateFunction" && g.creates == g.refuse
	g.mu.Unlock()
	if refused {
		return status.Error(codes.PermissionDenied, "not this one")
	}
	return call()
}

// serve runs a function from its source, as the function of Google's framework does that is in it.
func (g *google) serve(f *functionspb.Function, archive []byte) (string, error) {
	g.stop(f.GetName())
	dir, err := os.MkdirTemp(g.dir, "function-")
	if err == nil {
		err = unzip(archive, dir)
	}
	if err != nil {
		return "", err
	}
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	i := &instance{cmd: exec.Command(filepath.Join(dir, "weft-function"), "http"), address: free.Addr().String(), ended: make(chan struct{})}
	if err := free.Close(); err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(i.address)
	if err != nil {
		return "", err
	}
	i.cmd.Dir, i.cmd.Stderr = dir, g.words
	i.cmd.Env = append(os.Environ(), "PORT="+port)
	for k, v := range f.GetServiceConfig().GetEnvironmentVariables() {
		i.cmd.Env = append(i.cmd.Env, k+"="+v)
	}
	if err := i.cmd.Start(); err != nil {
		return "", err
	}
	go func() {
		_ = i.cmd.Wait() // however it ends
		close(i.ended)
	}()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serving[f.GetName()] = i
	return "http://" + i.address, nil
}

func (g *google) stop(name string) {
	g.mu.Lock()
	i := g.serving[name]
	delete(g.serving, name)
	g.mu.Unlock()
	if i != nil {
		_ = i.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
		<-i.ended
	}
}

// RoundTrip brings the request of a task to the process of its function, when that is there.
func (g *google) RoundTrip(r *http.Request) (*http.Response, error) {
	name := "projects/p/locations/us-central1/functions" + r.URL.Path
	g.mu.Lock()
	i := g.serving[name]
	g.mu.Unlock()
	if i == nil || r.URL.Host != "us-central1-p.cloudfunctions.net" || !strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ") {
		return nil, errors.New("nothing is at " + r.URL.String())
	}
	if err := i.ready(r.Context()); err != nil {
		return nil, err
	}
	r.URL.Scheme, r.URL.Host = "http", i.address
	return http.DefaultTransport.RoundTrip(r)
}

// ready waits until a process takes connections.
func (i *instance) ready(ctx context.Context) error {
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", i.address)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-i.ended:
			return errors.New("the function has ended")
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// unzip unpacks an archive with the modes of its files.
func unzip(archive []byte, dir string) error {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return err
	}
	for _, f := range z.File {
		to := filepath.Join(dir, filepath.FromSlash(f.Name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		r, err := f.Open()
		if err != nil {
			return err
		}
		text, err := io.ReadAll(r)
		if err == nil {
			err = os.WriteFile(to, text, f.Mode())
		}
		if err != nil {
			return err
		}
	}
	return nil
}

const hello = `{
  "StartAt": "Both",
  "States": {
    "Both": {"Type": "Parallel", "ResultPath": "$.both", "Next": "Pause", "Branches": [
      {"StartAt": "Greet", "States": {"Greet": {"Type": "Task", "Resource": "greet", "End": true}}},
      {"StartAt": "Shout", "States": {"Shout": {"Type": "Task", "Resource": "shout", "End": true}}}]},
    "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Break"},
    "Break": {"Type": "Task", "Resource": "break", "Catch": [{"ErrorEquals": ["Broken"], "ResultPath": "$.broken", "Next": "Done"}], "End": true},
    "Done": {"Type": "Pass", "Parameters": {"out.$": "States.Format('{}/{}/{}', $.both[0], $.both[1], $.broken.Error)"}, "End": true}
  }
}`

// built builds an application for Google, whose runtime is the test binary.
func built(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := files(t, map[string]string{
		"code/fn.py":                       "class Broken(Exception): pass\n\ndef greet(event, context):\n    return 'hello ' + event['name']\n\ndef fail(event, context):\n    raise Broken('as it is to be')\n",
		"code/shout.sh":                    "#!/bin/sh\ncat >/dev/null\necho '\"HELLO\"'\n",
		"weft-function-google-linux-amd64": "#!/bin/sh\n" + asRuntime + "=yes exec '" + self + "' \"$@\"\n",
	})
	code := filepath.Join(dir, "code")
	for _, file := range []string{"code/shout.sh", "weft-function-google-linux-amd64"} {
		if err := os.Chmod(filepath.Join(dir, file), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	app, err := compile.Machine([]byte(hello), compile.Options{Name: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = build.Build(t.Context(), build.Options{
		App: app, Google: true, Out: filepath.Join(dir, "build"), Runtimes: build.Runtimes{Dirs: []string{dir}},
		Functions: []build.Function{
			{Name: "greet", Kind: build.Python, Dir: code, Handler: "fn.greet", Timeout: time.Minute},
			{Name: "break", Kind: build.Python, Dir: code, Handler: "fn.fail", Timeout: time.Second},
			{Name: "shout", Kind: build.Command, Dir: code, Command: []string{"./shout.sh"}, Timeout: time.Minute},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(dir, "build")
}

// TestDeployGoogle deploys an application to Google Cloud as the local endpoints have it, by way of a failure in the middle, runs it
// there, changes nothing, and destroys it.
func TestDeployGoogle(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" { // where everything must run
			t.Fatal("python3 is not on the PATH: install it")
		}
		t.Skip("python3 is not on the PATH; install it to run this test")
	}
	g, dir, state := newGoogle(t), built(t), filepath.Join(t.TempDir(), ".weft")
	call := func(want int, args ...string) (stdout, stderr string) {
		t.Helper()
		w := newWorld()
		w.env = g.env
		code := Main(append(args, "--state", state), w.IO)
		if stdout, stderr = w.out.String(), w.err.String(); code != want {
			t.Fatalf("%v: exit %d, want %d\n%s%s%s", args, code, want, stdout, stderr, g.words)
		}
		return stdout, stderr
	}
	if stdout, _ := call(ExitOK, "deploy", dir, "--to", "gcp", "--dry-run"); !strings.Contains(stdout, " to create, 0 to update, 0 to delete, 0 as they are") {
		t.Errorf("the plan: %s", stdout)
	}
	if _, stderr := call(ExitUsage, "deploy", dir, "--to", "gcp"); !strings.Contains(stderr, "not this one") {
		t.Errorf("the failure: %s", stderr)
	}
	call(ExitOK, "deploy", dir, "--to", "gcp", "--quiet")
	if stdout, _ := call(ExitOK, "deploy", dir, "--to", "gcp", "--dry-run"); !strings.Contains(stdout, "0 to create, 0 to update, 0 to delete, ") {
		t.Errorf("the plan after that: %s", stdout)
	}
	stdout, stderr := call(ExitOK, "runs", "start", "--on", "gcp", "--name", "run-1", "--input", `{"name": "Ada"}`, "--wait")
	if strings.TrimSpace(stdout) != `{"out":"hello Ada/HELLO/Broken"}` {
		t.Errorf("the result: %s%s%s", stdout, stderr, g.words)
	}
	if stdout, _ := call(ExitOK, "runs", "show", "run-1", "--on", "hello"); !strings.Contains(stdout, "SUCCEEDED") || !strings.Contains(stdout, "gcp/hello") || !strings.Contains(stdout, "Firestore: reads") {
		t.Errorf("the run: %s", stdout)
	}
	if _, stderr := call(ExitOK, "destroy", "gcp"); !strings.Contains(stderr, "destroyed gcp/hello") {
		t.Errorf("destroyed: %s", stderr)
	}
	queues, err := g.tasks.ListQueues(t.Context(), &cloudtaskspb.ListQueuesRequest{Parent: "projects/p/locations/us-central1"})
	if err != nil || len(queues.GetQueues()) != 0 || len(g.serving) != 0 {
		t.Errorf("left are %v and %d functions, %v", queues, len(g.serving), err)
	}
	call(ExitNotFound, "runs", "show", "run-1", "--on", "gcp")
	file := filepath.Join(t.TempDir(), "hello.tf.json")
	call(ExitOK, "deploy", dir, "--to", "gcp", "--export", "terraform", "-o", file)
	if text, err := os.ReadFile(file); err != nil || !strings.Contains(string(text), "google_cloudfunctions2_function") || !strings.Contains(string(text), "/build/functions/greet-google.zip") {
		t.Errorf("the template: %s, %v", text, err)
	}
	if stdout, _ := call(ExitOK, "deploy", dir, "--to", "gcp", "--dry-run"); !strings.Contains(stdout, ", 0 as they are") {
		t.Errorf("there is still something: %s", stdout)
	}
}
