// Package testserver starts the servers of others that tests talk to, which make tools installs. A test whose server is not
// there is skipped, saying what to do; where CI is set, it fails.
//
//	url := testserver.DynamoDB(t)
package testserver

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// The credentials that S3 takes.
const (
	AccessKey = "key"
	SecretKey = "secret"
)

// S3 starts versitygw on an empty directory and returns its URL. It lives as long as the test.
func S3(t testing.TB) string {
	t.Helper()
	program := need(t, root("bin", "versitygw"))
	dir := t.TempDir()
	data, meta := filepath.Join(dir, "data"), filepath.Join(dir, "meta")
	for _, sub := range []string{data, meta} {
		if err := os.Mkdir(sub, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	host, port := free(t)
	return start(t, net.JoinHostPort(host, port), program, "--access", AccessKey, "--secret", SecretKey,
		"--port", net.JoinHostPort(host, port), "--quiet", "posix", "--sidecar", meta, data)
}

// DynamoDB starts dynalite without tables and returns its URL. It lives as long as the test.
func DynamoDB(t testing.TB) string {
	t.Helper()
	program := need(t, root("engine", "integration", "awssdk", "testdata", "dynalite", "node_modules", "dynalite", "cli.js"))
	host, port := free(t)
	return start(t, net.JoinHostPort(host, port), node(t), program, "--host", host, "--port", port, "--createTableMs", "0")
}

// Node runs a script of a directory of testdata whose modules make tools installs, with additions to the environment, and
// returns what it writes. dir is relative to the test's package.
func Node(t testing.TB, dir, script string, env ...string) []byte {
	t.Helper()
	need(t, filepath.Join(dir, "node_modules", ".package-lock.json"))
	cmd := exec.CommandContext(t.Context(), node(t), script)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	var problems strings.Builder
	cmd.Stderr = &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s", script, err, problems.String())
	}
	return out
}

func node(t testing.TB) string {
	t.Helper()
	program, err := exec.LookPath("node")
	if err != nil {
		missing(t, "node is missing: install Node.js 20 or later")
	}
	return program
}

// root returns a path in the checkout.
func root(elem ...string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(file), "..", ".."}, elem...)...)
}

func need(t testing.TB, program string) string {
	t.Helper()
	if _, err := os.Stat(program); err != nil {
		missing(t, "there is no "+program+": make tools")
	}
	return program
}

func missing(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip("not tested against a server: " + what)
}

// free returns an address that nobody listened at a moment ago.
func free(t testing.TB) (host, port string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	host, port, err = net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return host, port
}

// start runs a server until the test ends and returns its URL once it listens.
func start(t testing.TB, address, program string, args ...string) string {
	t.Helper()
	var output strings.Builder
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		<-ended
	})
	for range 600 {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			return "http://" + address
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("%s: %v\n%s", program, err, output.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatalf("%s does not listen", program)
	return ""
}
