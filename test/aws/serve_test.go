package aws

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
)

// build makes the weft binary once, from the module above.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "weft-aws-")
	if err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "weft")
	cmd := exec.Command("go", "build", "-o", binary, "./cmd/weft")
	cmd.Dir = filepath.Join("..", "..")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, &buildError{string(out), err}
	}
	return dir, nil
})

type buildError struct {
	out string
	err error
}

func (e *buildError) Error() string { return e.err.Error() + "\n" + e.out }

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, _ := build(); dir != "" {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// serve runs `weft serve` on a free port until the test ends and returns its address, HOST:PORT. token may be "".
func serve(t *testing.T, token string) string {
	t.Helper()
	dir, err := build()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "weft"), "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0")
	cmd.Dir = t.TempDir() // no weft.yaml of this directory
	cmd.Env = append(os.Environ(), "WEFT_TOKEN="+token)
	errs, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	address, gone := make(chan string, 1), make(chan struct{})
	go func() {
		defer close(gone)
		read(errs, address)
	}()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		<-gone
		cmd.Wait() // its code is that of an interruption
	})
	select {
	case a := <-address:
		return a
	case <-gone:
		t.Fatal("weft serve ended before it listened")
	}
	return ""
}

// read passes the address on as soon as the server tells it, and reads to the end.
func read(r io.Reader, address chan<- string) {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		if _, url, found := strings.Cut(lines.Text(), "listening on http://"); found {
			address <- url
		}
	}
}

// client makes an SDK client with these keys. Whatever host it calls, it is connected to the server, which stands
// in for the line in /etc/hosts that the "sync-" prefix of StartSyncExecution asks for.
func client(address, keyID, secret string) *sfn.Client {
	dial := func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	return sfn.New(sfn.Options{
		Region:       "eu-central-1",
		BaseEndpoint: awssdk.String("http://" + address),
		HTTPClient:   &http.Client{Transport: &http.Transport{DialContext: dial}},
		Credentials: awssdk.CredentialsProviderFunc(func(context.Context) (awssdk.Credentials, error) {
			return awssdk.Credentials{AccessKeyID: keyID, SecretAccessKey: secret}, nil
		}),
		RetryMaxAttempts: 1,
	})
}
