package build_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/awsapi"
	"github.com/weftworks/weft/internal/testserver"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/deploy"
	"github.com/weftworks/weft/unum/deploy/aws"
	"github.com/weftworks/weft/unum/deploy/build"
	"github.com/weftworks/weft/unum/hosted"
)

// TestMain makes the test binary the runtime where it is called as the layer calls it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "bootstrap" {
		os.Exit(hosted.Main(os.Args[1:]))
	}
	os.Exit(m.Run())
}

const definition = `{
  "StartAt": "Greet",
  "States": {
    "Greet": {"Type": "Task", "Resource": "greet", "ResultPath": "$.greeting", "Next": "Pause"},
    "Pause": {"Type": "Wait", "Seconds": 1, "Next": "Shout"},
    "Shout": {"Type": "Task", "Resource": "shout", "ResultPath": "$.shouted", "Next": "Break"},
    "Break": {"Type": "Task", "Resource": "break", "Catch": [{"ErrorEquals": ["Broken"], "ResultPath": "$.broken", "Next": "Done"}], "End": true},
    "Done": {"Type": "Pass", "Parameters": {"out.$": "States.Format('{}/{}/{}', $.greeting, $.shouted, $.broken.Error)"}, "End": true}
  }
}`

// What is built runs as it is where Lambda's, SQS's and DynamoDB's own clients put it: handlers in Python behind the exec
// wrapper, a command and glue alone behind the layer's bootstrap, a wait in the queue, an error that is caught by its name.
func TestArchivesRunWhereTheyAreDeployed(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		if os.Getenv("CI") == "true" { // where everything must run
			t.Fatal("python3 is not on the PATH: install it")
		}
		t.Skip("python3 is not on the PATH; install it to run this test")
	}
	c := newCloud(t)
	dir := t.TempDir()
	put(t, dir, "code/fn.py", "class Broken(Exception): pass\n\ndef greet(event, context):\n    return 'hello ' + event['name']\n\ndef fail(event, context):\n    raise Broken('as it is to be')\n")
	put(t, dir, "code/shout.sh", "#!/bin/sh\ncat >/dev/null\necho '\"HELLO\"'\n")
	arch := build.Arch(runtime.GOARCH)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(dir, "weft-function-linux-"+string(arch))); err != nil {
		t.Fatal(err)
	}
	app, err := compile.Machine([]byte(definition), compile.Options{Name: "hello"})
	if err != nil {
		t.Fatal(err)
	}
	code := filepath.Join(dir, "code")
	m, err := build.Build(t.Context(), build.Options{
		App: app, Archs: []build.Arch{arch}, Out: filepath.Join(dir, "build"), Runtimes: build.Runtimes{Dirs: []string{dir}},
		Functions: []build.Function{
			{Name: "greet", Kind: build.Python, Dir: code, Handler: "fn.greet", Timeout: time.Minute},
			{Name: "break", Kind: build.Python, Dir: code, Handler: "fn.fail", Timeout: time.Minute},
			{Name: "shout", Kind: build.Command, Dir: code, Command: []string{"./shout.sh"}, Timeout: time.Minute},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	list, err := aws.Resources(&aws.Package{Manifest: m, Dir: filepath.Join(dir, "build"), Arch: arch}, "hello")
	if err != nil {
		t.Fatal(err)
	}
	c.apply(t, list, filepath.Join(dir, "state.json"))

	s := &hosted.Settings{App: filepath.Join(dir, "build", "app"), Function: app.Start().Name, Table: "hello", Queue: c.queue(t), Prefix: "hello-"}
	client, err := hosted.Open(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if _, err := client.Runtime.Start(t.Context(), "run-1", []byte(`{"name":"Ada"}`), 0); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	d, err := client.Runtime.Wait(ctx, "run-1", 50*time.Millisecond)
	if err != nil || d.Status != unum.Succeeded || string(d.Output) != `{"out":"hello Ada/HELLO/Broken"}` {
		t.Errorf("%v %+v\n%s", err, d, c.output())
	}
}

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// cloud is the endpoints of AWS's services on this machine, which the environment names.
type cloud struct {
	mu    sync.Mutex
	lines []string
}

func newCloud(t *testing.T) *cloud {
	t.Helper()
	c := &cloud{}
	tables, err := url.Parse(testserver.DynamoDB(t))
	if err != nil {
		t.Fatal(err)
	}
	api, err := awsapi.New(awsapi.Config{Functions: faas.Config{Scale: 1000}, Dir: t.TempDir(), Lines: func(l function.LogLine) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.lines = append(c.lines, l.Function+": "+l.Text)
	}})
	if err != nil {
		t.Fatal(err)
	}
	api.Handle("dynamodb", withExpiry(httputil.NewSingleHostReverseProxy(tables)))
	server := httptest.NewServer(http.Handler(api))
	t.Cleanup(func() {
		_ = api.Close(context.Background())
		server.Close()
	})
	for k, v := range map[string]string{
		"AWS_ENDPOINT_URL": server.URL, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_PROFILE": "",
		"PYTHONDONTWRITEBYTECODE": "1",
	} {
		t.Setenv(k, v)
	}
	return c
}

// withExpiry answers what dynalite does not know: when items expire, which is for ever.
func withExpiry(tables http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "application/x-amz-json-1.0")
		switch r.Header.Get("X-Amz-Target") {
		case "DynamoDB_20120810.UpdateTimeToLive":
			_, _ = io.WriteString(rw, `{"TimeToLiveSpecification":{"AttributeName":"x","Enabled":true}}`)
		case "DynamoDB_20120810.DescribeTimeToLive":
			_, _ = io.WriteString(rw, `{"TimeToLiveDescription":{"AttributeName":"x","TimeToLiveStatus":"ENABLED"}}`)
		default:
			rw.Header().Del("Content-Type")
			tables.ServeHTTP(rw, r)
		}
	})
}

func (c *cloud) output() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.lines, "\n")
}

func (c *cloud) apply(t *testing.T, list []deploy.Resource, file string) {
	t.Helper()
	target, err := aws.Open(t.Context(), "us-east-1", "")
	if err != nil {
		t.Fatal(err)
	}
	state, err := deploy.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := deploy.NewPlan(t.Context(), target, list, state)
	if err != nil {
		t.Fatal(err)
	}
	if err := deploy.Apply(t.Context(), target, plan, state, nil); err != nil {
		t.Fatal(err)
	}
}

// queue is the URL of the delay queue, which functions are told.
func (c *cloud) queue(t *testing.T) string {
	t.Helper()
	cfg, err := config.LoadDefaultConfig(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	name := "hello-" + aws.Carrier
	f, err := awslambda.NewFromConfig(cfg).GetFunctionConfiguration(t.Context(), &awslambda.GetFunctionConfigurationInput{FunctionName: &name})
	if err != nil {
		t.Fatal(err)
	}
	return f.Environment.Variables["WEFT_QUEUE"]
}
