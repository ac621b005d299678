package lambda_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/lambdaapi"
	"github.com/weftworks/weft/faas/sqsapi"
	"github.com/weftworks/weft/unum/platform/lambda"
	"github.com/weftworks/weft/unum/platform/platformtest"
)

// cloud is endpoints of Lambda and SQS behind one address, with a timer function as it has to be deployed, reached
// without a network, so that they work under virtual time as well.
type cloud struct {
	service  *faas.Service
	platform *lambda.Platform
	client   *awslambda.Client
	queue    string       // its ARN
	sent     atomic.Int64 // messages to the delay queue
	failures func(ctx context.Context, payload []byte) error
}

// RoundTrip implements http.RoundTripper.
type transport func(w http.ResponseWriter, r *http.Request)

func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body == nil {
		r.Body = http.NoBody
	}
	w := httptest.NewRecorder()
	t(w, r)
	return w.Result(), nil
}

func newCloud(t *testing.T) *cloud {
	queues := sqsapi.New(sqsapi.Config{})
	c := &cloud{service: faas.New(faas.Config{Scale: 0.0001, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Deliver: func(_ context.Context, destination string, record []byte) error {
			return queues.Send(destination, string(record))
		}})}
	api, err := lambdaapi.New(lambdaapi.Config{Service: c.service, Queues: queues})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = api.Close(); _ = c.service.Close(context.Background()) })
	cfg := aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String("http://aws.local"), Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
		HTTPClient: &http.Client{Transport: transport(func(w http.ResponseWriter, r *http.Request) {
			if target := r.Header.Get("X-Amz-Target"); target != "" {
				if strings.HasSuffix(target, ".SendMessage") {
					c.sent.Add(1)
				}
				queues.ServeHTTP(w, r)
				return
			}
			api.ServeHTTP(w, r)
		})},
	}
	c.client = awslambda.NewFromConfig(cfg)
	queue, err := sqs.NewFromConfig(cfg).CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("delays")})
	if err != nil {
		t.Fatal(err)
	}
	c.queue = queues.ARN("delays")
	c.platform = lambda.New(cfg, lambda.Options{Queue: *queue.QueueUrl})
	c.deploy(t, "timer", func(ctx context.Context, payload []byte) error { return c.failures(ctx, payload) })
	_, err = c.client.CreateEventSourceMapping(t.Context(), &awslambda.CreateEventSourceMappingInput{FunctionName: aws.String("timer"),
		EventSourceArn: aws.String(queues.ARN("delays")), FunctionResponseTypes: []types.FunctionResponseType{"ReportBatchItemFailures"}})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// deploy makes handle a function whose failures go to the timer function.
func (c *cloud) deploy(t *testing.T, name string, handle func(context.Context, []byte) error) {
	h := c.platform.Handler(handle)
	err := c.service.Register(name, function.JSON(func(ctx context.Context, in json.RawMessage) (any, error) { return h(ctx, in) }), faas.Settings{})
	if err != nil {
		t.Fatal(err)
	}
	if name == "timer" {
		return
	}
	_, err = c.client.PutFunctionEventInvokeConfig(t.Context(), &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: &name,
		DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(c.service.ARN("timer"))}}})
	if err != nil {
		t.Fatal(err)
	}
}

func TestPlatform(t *testing.T) {
	t.Parallel()
	platformtest.Run(t, func(t *testing.T) *platformtest.Fixture {
		c := newCloud(t)
		return &platformtest.Fixture{
			Platform: c.platform,
			Deploy:   c.deploy,
			Failures: func(_ *testing.T, handle func(context.Context, []byte) error) { c.failures = handle },
			Delay:    100 * time.Millisecond, // which is a second
		}
	})
}

// TestLongDelaysHop delays a request for longer than SQS can.
func TestLongDelaysHop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		begun := time.Now()
		came := make(chan string, 1)
		c.deploy(t, "f", func(_ context.Context, payload []byte) error {
			came <- time.Since(begun).String() + string(payload)
			return nil
		})
		if err := c.platform.Invoke(t.Context(), "f", []byte("\"\uFFFE\uFFFF<é\""), begun.Add(40*time.Minute)); err != nil {
			t.Fatal(err)
		}
		if got := <-came; got != `40m0s"\ufffe\uffff<é"` { // which SQS would refuse as they are
			t.Errorf("it came after %s", got)
		}
		if n := c.sent.Load(); n != 3 {
			t.Errorf("it took %d messages, want 3", n)
		}
	})
}

// TestFailuresComeThroughTheQueue makes the delay queue the failure destination, as it is for the function that takes failures.
func TestFailuresComeThroughTheQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		failed := make(chan []byte, 1)
		c.failures = func(_ context.Context, payload []byte) error { failed <- payload; return nil }
		c.deploy(t, "f", func(context.Context, []byte) error { return errors.New("no") })
		_, err := c.client.PutFunctionEventInvokeConfig(t.Context(), &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: aws.String("f"),
			DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: aws.String(c.queue)}}})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.platform.Invoke(t.Context(), "f", []byte(`{"v":1,"run":"r","lines":[{"step":1}]}`), time.Time{}); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-failed:
			if !strings.Contains(string(got), `"run":"r"`) || !strings.Contains(string(got), `"failure":`) {
				t.Errorf("the function got %s", got)
			}
		case <-time.After(time.Hour):
			t.Error("nothing came")
		}
	})
}

// TestNothingOfABatch has the function fail when it could take none of its messages, so that it is seen to; of some it
// reports the others.
func TestNothingOfABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := newCloud(t)
		bad := func(context.Context, []byte) error { return errors.New("no") }
		batch := func(bodies ...string) json.RawMessage {
			var records []string
			for i, body := range bodies {
				records = append(records, fmt.Sprintf(`{"messageId":"%d","eventSource":"aws:sqs","body":%q}`, i, body))
			}
			return json.RawMessage(`{"Records":[` + strings.Join(records, ",") + `]}`)
		}
		handler := c.platform.Handler(func(ctx context.Context, payload []byte) error {
			if string(payload) == `{"good":1}` {
				return nil
			}
			return bad(ctx, payload)
		})
		if answer, err := handler(t.Context(), batch(`{}`, `x`)); err == nil {
			t.Errorf("it answers %+v", answer)
		}
		answer, err := handler(t.Context(), batch(`{}`, `{"good":1}`))
		text, _ := json.Marshal(answer)
		if want := `{"batchItemFailures":[{"itemIdentifier":"0"}]}`; err != nil || string(text) != want {
			t.Errorf("%s %v, want %s", text, err, want)
		}
	})
}

// BenchmarkInvoke measures an asynchronous invocation by Amazon's client over a loopback connection, 64 at a time, from the
// call to the end of the execution.
func BenchmarkInvoke(b *testing.B) {
	s := faas.New(faas.Config{Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	api, err := lambdaapi.New(lambdaapi.Config{Service: s})
	if err != nil {
		b.Fatal(err)
	}
	server := httptest.NewServer(api)
	defer server.Close()
	if err := s.Register("f", function.Go(func(context.Context, []byte) ([]byte, error) { return nil, nil }), faas.Settings{}); err != nil {
		b.Fatal(err)
	}
	p := lambda.New(aws.Config{Region: "us-east-1", BaseEndpoint: &server.URL, Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")}, lambda.Options{})
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := p.Invoke(b.Context(), "f", []byte(`{"v":1}`), time.Time{}); err != nil {
				b.Error(err)
			}
		}
	})
	if err := s.Wait(b.Context()); err != nil {
		b.Error(err)
	}
	if err := s.Close(b.Context()); err != nil {
		b.Error(err)
	}
}
