package cli

import (
	"bytes"
	"context"
	"log/slog"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/weftworks/weft/cloudformation"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/awsapi"
	"github.com/weftworks/weft/internal/testserver"
)

// awsHere is AWS as the local endpoints have it, and the environment that points the SDKs there.
func awsHere(t *testing.T) []string {
	t.Helper()
	tables, err := url.Parse(testserver.DynamoDB(t))
	if err != nil {
		t.Fatal(err)
	}
	var env []string
	lines := &syncBuffer{more: make(chan struct{}, 1)}
	server := httptest.NewUnstartedServer(nil)
	env = []string{"AWS_ENDPOINT_URL=http://" + server.Listener.Addr().String(), "AWS_REGION=us-east-1", "AWS_ACCESS_KEY_ID=key", "AWS_SECRET_ACCESS_KEY=secret"}
	cloud, err := awsapi.New(awsapi.Config{
		Dir: t.TempDir(), Env: env, Processes: 2, Functions: faas.Config{Scale: 0.001, Log: slog.New(slog.NewTextHandler(lines, nil))},
	})
	if err != nil {
		t.Fatal(err)
	}
	cloud.Handle("dynamodb", httputil.NewSingleHostReverseProxy(tables))
	server.Config.Handler = cloud
	server.Start()
	t.Cleanup(func() {
		server.Close()
		_ = cloud.Close(context.WithoutCancel(t.Context())) // what runs is of no interest
		if t.Failed() {
			t.Log(lines.String())
		}
	})
	return env
}

// inProcess runs the weft command in a process of its own, with an environment.
func inProcess(t *testing.T, env []string, args ...string) (string, string, error) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), asCommand+"=1"), env...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	return out.String(), errs.String(), err
}

// TestDeployToAWS deploys to the local endpoints, runs there, and takes it all away.
func TestDeployToAWS(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("-short: it builds the runtime of functions, which takes seconds")
	}
	dir, state := pair(t)
	env := awsHere(t)
	weft := func(args ...string) string {
		t.Helper()
		out, errs, err := inProcess(t, env, append(args, "--state", state)...)
		if err != nil {
			t.Fatalf("weft %v: %v\n%s%s", args, err, out, errs)
		}
		return out + errs
	}
	flags := []string{"deploy", dir, "--to", "aws", "--name", "pair", "--arch", runtime.GOARCH}
	if got := weft(append(flags, "--dry-run")...); !strings.Contains(got, "+ create  function  pair-Join") || !strings.Contains(got, "0 as they are") {
		t.Errorf("the plan: %s", got)
	}
	if got := weft(flags...); !strings.Contains(got, "deployed aws/pair to us-east-1") {
		t.Errorf("deployed: %s", got)
	}
	if got := weft("runs", "start", "--on", "aws", "--name", "run-1", "--input", "5"); strings.TrimSpace(got) != "run-1" {
		t.Errorf("started %s", got)
	}
	if got := weft("runs", "wait", "run-1", "--on", "aws"); strings.TrimSpace(got) != "[5,5]" {
		t.Errorf("the result: %s", got)
	}
	if got := weft("runs", "show", "run-1", "--on", "pair", "--json"); !strings.Contains(got, `"status":"SUCCEEDED"`) {
		t.Errorf("shown: %s", got)
	}
	if got := weft("destroy", "aws"); !strings.Contains(got, "destroyed aws/pair") {
		t.Errorf("destroyed: %s", got)
	}
}

func TestExport(t *testing.T) {
	t.Parallel()
	dir, state := pair(t)
	if testing.Short() {
		t.Skip("-short: it builds the runtime of functions, which takes seconds")
	}
	out := t.TempDir()
	for tool, file := range map[string]string{"sam": "template.yaml", "terraform": "main.tf.json"} {
		code, _, stderr := weft("deploy", dir, "--to", "aws", "--name", "pair", "--state", state, "--arch", runtime.GOARCH, "--export", tool, "-o", filepath.Join(out, file))
		if code != ExitOK || !strings.Contains(stderr, "wrote 16 resources") {
			t.Fatalf("%s: exit %d, %s", tool, code, stderr)
		}
		text, err := os.ReadFile(filepath.Join(out, file))
		if err != nil || !bytes.Contains(text, []byte("functions/echo")) {
			t.Errorf("%s: %v\n%s", tool, err, text)
		}
		if tool == "sam" {
			if _, err := cloudformation.Import(text, cloudformation.Options{}); err != nil {
				t.Error(err)
			}
		}
	}
}
