package lambdaapi_test

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/smithy-go"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/lambdaapi"
)

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

// serve starts a service, its endpoint and Amazon's own client of it.
func serve(t *testing.T, cfg lambdaapi.Config, scale float64) (*faas.Service, *lambda.Client) {
	t.Helper()
	s := faas.New(faas.Config{Scale: scale, Log: quiet})
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	cfg.Service = s
	api, err := lambdaapi.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close() })
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	return s, lambda.New(lambda.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
	})
}

// next returns what comes next, or fails.
func next[T any](t *testing.T, c <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-c:
	case <-time.After(30 * time.Second):
		t.Fatal("nothing has come in 30 s")
	}
	return v
}

func register(t *testing.T, s *faas.Service, name string, settings faas.Settings, fn func(ctx context.Context, in []byte) ([]byte, error)) {
	t.Helper()
	if err := s.Register(name, function.Go(fn), settings); err != nil {
		t.Fatal(err)
	}
}

func TestInvokeWithAmazonsClient(t *testing.T) {
	t.Parallel()
	s, client := serve(t, lambdaapi.Config{}, 0)
	register(t, s, "echo", faas.Settings{}, func(_ context.Context, in []byte) ([]byte, error) { return in, nil })
	register(t, s, "bad", faas.Settings{}, func(context.Context, []byte) ([]byte, error) { return nil, errors.New("no luck") })
	for _, name := range []string{"echo", "echo:$LATEST", s.ARN("echo"), s.ARN("echo") + ":$LATEST", "123456789012:function:echo"} {
		out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: &name, Payload: []byte(`{"a":"é"}`), LogType: types.LogTypeTail})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		log, err := base64.StdEncoding.DecodeString(aws.ToString(out.LogResult))
		if string(out.Payload) != `{"a":"é"}` || out.StatusCode != 200 || aws.ToString(out.ExecutedVersion) != "$LATEST" || out.FunctionError != nil ||
			err != nil || !strings.HasPrefix(string(log), "START RequestId: ") || !strings.Contains(string(log), "Billed Duration: ") {
			t.Errorf("%s: %s %d %v %v, log %q %v", name, out.Payload, out.StatusCode, out.ExecutedVersion, out.FunctionError, log, err)
		}
	}
	out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("bad"), Qualifier: aws.String("$LATEST")})
	if err != nil || string(out.Payload) != `{"errorMessage":"no luck","errorType":"errorString"}` || aws.ToString(out.FunctionError) != "Unhandled" || out.LogResult != nil {
		t.Errorf("a failure: %+v %v", out, err)
	}
	for name, want := range map[string]int32{"Event": 202, "DryRun": 204} {
		out, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("echo"), InvocationType: types.InvocationType(name)})
		if err != nil || out.StatusCode != want || len(out.Payload) != 0 {
			t.Errorf("%s: %+v %v", name, out, err)
		}
	}
	if err := s.Wait(t.Context()); err != nil || s.Stats().Events != 1 {
		t.Errorf("counted %+v, %v", s.Stats(), err)
	}
}

// TestRefusals holds errors to Lambda's types, which the client makes of their names and statuses.
func TestRefusals(t *testing.T) {
	t.Parallel()
	s, client := serve(t, lambdaapi.Config{}, 0)
	register(t, s, "echo", faas.Settings{}, func(_ context.Context, in []byte) ([]byte, error) { return in, nil })
	register(t, s, "none", faas.Settings{Reserved: new(0)}, nil)
	for _, c := range []struct {
		in   lambda.InvokeInput
		want string
	}{
		{lambda.InvokeInput{FunctionName: aws.String("nobody")}, "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody"},
		{lambda.InvokeInput{FunctionName: aws.String("echo"), Qualifier: aws.String("7")}, "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:echo:7"},
		{lambda.InvokeInput{FunctionName: aws.String("echo:live")}, "ResourceNotFoundException: Function not found: arn:aws:lambda:us-east-1:123456789012:function:echo:live"},
		{lambda.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte("{")}, "InvalidRequestContentException: Could not parse request body into json: unexpected end of JSON input"},
		{lambda.InvokeInput{FunctionName: aws.String("none")}, "TooManyRequestsException: Rate Exceeded."},
		{lambda.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`"` + strings.Repeat("x", faas.AsyncBytes) + `"`), InvocationType: types.InvocationTypeEvent},
			"RequestTooLargeException: 262146 byte payload is too large for the Event invocation type (limit 262144 bytes)"},
		{lambda.InvokeInput{FunctionName: aws.String("echo"), Payload: []byte(`"` + strings.Repeat("x", faas.SyncBytes) + `"`)},
			"RequestTooLargeException: Request must be smaller than 6291456 bytes for the InvokeFunction operation"},
		{lambda.InvokeInput{FunctionName: aws.String("echo"), InvocationType: "Odd"},
			"InvalidParameterValueException: 1 validation error detected: Value 'Odd' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]"},
	} {
		_, err := client.Invoke(t.Context(), &c.in)
		var api smithy.APIError
		if !errors.As(err, &api) || api.ErrorCode()+": "+api.ErrorMessage() != c.want {
			t.Errorf("%s: %v\nwant %s", aws.ToString(c.in.FunctionName), err, c.want)
		}
	}
	_, err := client.Invoke(t.Context(), &lambda.InvokeInput{FunctionName: aws.String("none")})
	var many *types.TooManyRequestsException
	if !errors.As(err, &many) || many.Reason != types.ThrottleReasonReservedFunctionConcurrentInvocationLimitExceeded || aws.ToString(many.Type) != "User" {
		t.Errorf("a throttle: %#v", err)
	}
	var none *types.ResourceNotFoundException
	if _, err := client.GetPolicy(t.Context(), &lambda.GetPolicyInput{FunctionName: aws.String("echo")}); err == nil || errors.As(err, &none) {
		t.Errorf("an operation that is not here: %v", err)
	}
}
