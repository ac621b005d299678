package s3

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/weftworks/weft/objectstore/objectstoretest"
)

const part = 5 << 20 // the smallest that S3 takes

// gateway starts versitygw, a server with S3's API, and returns its URL. It lives as long as the test.
func gateway(t *testing.T) string {
	t.Helper()
	program, err := filepath.Abs("../../bin/versitygw")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("%v: make tools", err)
		}
		t.Skipf("the S3 store is not tested against a server: there is no %s; make tools", program)
	}
	address := freeAddress(t)
	dir := t.TempDir()
	for _, sub := range []string{"data", "meta"} {
		if err := os.Mkdir(filepath.Join(dir, sub), 0o777); err != nil {
			t.Fatal(err)
		}
	}
	var output strings.Builder
	cmd := exec.Command(program, "--access", "key", "--secret", "secret", "--port", address, "--quiet", "posix", "--sidecar", filepath.Join(dir, "meta"), filepath.Join(dir, "data"))
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
	for range 200 {
		if conn, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			_ = conn.Close()
			return "http://" + address
		}
		select {
		case err := <-ended:
			ended <- err
			t.Fatalf("versitygw: %v\n%s", err, output.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("versitygw does not listen")
	return ""
}

// freeAddress returns an address that nobody listened at a moment ago.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func open(t *testing.T, url string) *Store {
	t.Helper()
	store, err := Open(t.Context(), Options{
		Endpoint: url, Region: "us-east-1", PathStyle: true, PartBytes: part, Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
	})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func TestConformance(t *testing.T) {
	t.Parallel()
	url := gateway(t)
	objectstoretest.Run(t, func(t *testing.T) objectstoretest.Bucket {
		store := open(t, url)
		bucket := strings.ToLower(strings.NewReplacer("/", "-", "TestConformance", "bucket").Replace(t.Name()))
		if _, err := store.client.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: &bucket}); err != nil {
			t.Fatal(err)
		}
		return objectstoretest.Bucket{Store: store, Name: bucket, Missing: "missing", PartBytes: part, NoParents: true, PathKeys: true}
	})
}
