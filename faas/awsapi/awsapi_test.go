package awsapi_test

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/awsapi"
)

func serve(t *testing.T) (*awsapi.Cloud, *httptest.Server) {
	t.Helper()
	cloud, err := awsapi.New(awsapi.Config{
		Dir: t.TempDir(), Functions: faas.Config{Scale: 0.0001, Log: slog.New(slog.NewTextHandler(io.Discard, nil))},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cloud.Close(context.Background()) })
	server := httptest.NewServer(cloud)
	t.Cleanup(server.Close)
	return cloud, server
}

func config(server *httptest.Server) aws.Config {
	return aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(), Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")}
}

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

// TestOneAddress reaches each service by its own client at the same address: a failed event ends in a queue.
func TestOneAddress(t *testing.T) {
	t.Parallel()
	cloud, server := serve(t)
	cfg := config(server)
	if _, err := iam.NewFromConfig(cfg).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trust)}); err != nil {
		t.Fatal(err)
	}
	q := sqs.NewFromConfig(cfg)
	queue, err := q.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("dead")})
	if err != nil {
		t.Fatal(err)
	}
	if err := cloud.Functions.Register("bad", function.Go(func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no luck") }), faas.Settings{}); err != nil {
		t.Fatal(err)
	}
	l := lambda.NewFromConfig(cfg)
	if _, err := l.PutFunctionEventInvokeConfig(t.Context(), &lambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("bad"), MaximumRetryAttempts: aws.Int32(0),
		DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(cloud.Queues.ARN("dead"))}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("bad"), InvocationType: types.InvocationTypeEvent}); err != nil {
		t.Fatal(err)
	}
	got, err := q.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: queue.QueueUrl, WaitTimeSeconds: 20})
	if err != nil || len(got.Messages) != 1 || !strings.Contains(*got.Messages[0].Body, `"condition":"RetriesExhausted"`) {
		t.Errorf("%+v %v", got, err)
	}
}

func TestServicesThatAreNotThere(t *testing.T) {
	t.Parallel()
	cloud, server := serve(t)
	cloud.Handle("dynamodb", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	for scope, want := range map[string]int{
		"Credential=AKID/20260101/us-east-1/dynamodb/aws4_request, SignedHeaders=host": http.StatusTeapot,
		"Credential=AKID/20260101/us-east-1/ec2/aws4_request, SignedHeaders=host":      http.StatusNotImplemented,
		"Credential=AKID, SignedHeaders=host":                                          http.StatusNotImplemented,
		"":                                                                             http.StatusNotFound, // of Lambda
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if scope != "" {
			req.Header.Set("Authorization", "AWS4-HMAC-SHA256 "+scope)
		}
		res, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if res.Body.Close(); res.StatusCode != want {
			t.Errorf("%q: %d, want %d", scope, res.StatusCode, want)
		}
	}
}

// TestCommandLine deploys and invokes a function with Amazon's own command line, if that is installed.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	cli, err := exec.LookPath("aws")
	if err != nil {
		t.Skip("there is no aws")
	}
	_, server := serve(t)
	dir := t.TempDir()
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), cli, append(args, "--endpoint-url", server.URL, "--output", "text")...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=SECRET", "AWS_DEFAULT_REGION=us-east-1", "AWS_CONFIG_FILE=/dev/null", "AWS_EC2_METADATA_DISABLED=true")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("aws %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if err := packBootstrap(filepath.Join(dir, "f.zip")); err != nil {
		t.Fatal(err)
	}
	cfg := config(server)
	role, err := iam.NewFromConfig(cfg).CreateRole(t.Context(), &iam.CreateRoleInput{RoleName: aws.String("r"), AssumeRolePolicyDocument: aws.String(trust)})
	if err != nil {
		t.Fatal(err)
	}
	state := run("lambda", "create-function", "--function-name", "f", "--runtime", "provided.al2023", "--handler", "x", "--role", *role.Role.Arn, "--zip-file", "fileb://f.zip", "--query", "State")
	if state != "Pending" {
		t.Errorf("the state of a new function is %s", state)
	}
	waiter := lambda.NewFunctionActiveV2Waiter(lambda.NewFromConfig(cfg), func(o *lambda.FunctionActiveV2WaiterOptions) { o.MinDelay = 10 * time.Millisecond })
	if err := waiter.Wait(t.Context(), &lambda.GetFunctionInput{FunctionName: aws.String("f")}, time.Minute); err != nil {
		t.Fatal(err)
	}
	if got := run("lambda", "invoke", "--function-name", "f", "--payload", "{}", "--query", "FunctionError", "out.json"); got != "Unhandled" {
		t.Errorf("a function that ends at once: %s", got)
	}
	if out, err := os.ReadFile(filepath.Join(dir, "out.json")); err != nil || !strings.Contains(string(out), "Runtime.ExitError") {
		t.Errorf("answered %s, %v", out, err)
	}
}

// packBootstrap writes an archive with a bootstrap that ends at once.
func packBootstrap(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	defer f.Close()
	w := zip.NewWriter(f)
	h := &zip.FileHeader{Name: "bootstrap", Modified: time.Unix(1e9, 0)}
	h.SetMode(0o755)
	b, err := w.CreateHeader(h)
	if err != nil {
		return err
	}
	if _, err := b.Write([]byte("#!/bin/sh\nexit 3\n")); err != nil {
		return err
	}
	return w.Close()
}
