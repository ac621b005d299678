package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	dynamodbsdk "github.com/aws/aws-sdk-go-v2/service/dynamodb"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	sqstypes "github.com/aws/aws-sdk-go-v2/service/sqs/types"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/awsapi"
	"github.com/weftworks/weft/internal/testserver"
	"github.com/weftworks/weft/unum"
	"github.com/weftworks/weft/unum/compile"
	"github.com/weftworks/weft/unum/ir"
	"github.com/weftworks/weft/unum/platform/lambda"
	"github.com/weftworks/weft/unum/program"
	"github.com/weftworks/weft/unum/store/dynamodb"
	"github.com/weftworks/weft/unum/store/inject"
)

// rate is how probable each misfortune is: a crash before an operation, one after it, a duplicate, a throttled invocation.
const rate = 0.05

// carrier is the function without user code that the failure destination and the delay queue lead to.
const carrier = "carrier"

var errCrash = errors.New("the sandbox has crashed")

// cloud is a deployment where everything goes wrong.
type cloud struct {
	functions *faas.Service
	cfg       aws.Config
	platform  *lambda.Platform
	runtime   *unum.Runtime // what the functions have
	client    *unum.Runtime // what people outside have: nothing goes wrong there
	store     *dynamodb.Store
	crashes   atomic.Int64
	code      *code
}

// TestTextProcessing runs text processing many times at once, WEFT_CHAOS_RUNS times if that is set.
func TestTextProcessing(t *testing.T) {
	runs := 60
	if s := os.Getenv("WEFT_CHAOS_RUNS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		runs = n
	}
	c := deploy(t)
	var wg sync.WaitGroup
	slots := make(chan struct{}, 64)
	for i := range runs {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := c.one(t.Context(), i); err != nil {
				t.Errorf("run %d: %v", i, err)
			}
		})
		if runs >= 1000 && i%(runs/10) == runs/10-1 {
			t.Logf("%d started, %d crashes, %+v", i+1, c.crashes.Load(), c.functions.Stats())
		}
	}
	wg.Wait()
	c.settle(t)
	for _, found := range c.code.twice() {
		t.Error(found)
	}
	left := 0
	err := c.store.Keys(t.Context(), "", func(key string) bool {
		if left++; left <= 10 {
			t.Errorf("left in the table: %s", key)
		}
		return true
	})
	if err != nil {
		t.Fatal(err)
	}
	stats := c.functions.Stats()
	t.Logf("%d runs, each with one result and the right one; %d crashes, %d executions, %d failed, %d throttled, %d keys left; calls of user code: %v",
		runs, c.crashes.Load(), stats.Invocations, stats.Errors, stats.Throttles, left, c.code.runs)
	if c.crashes.Load() == 0 || stats.Throttles == 0 {
		t.Error("nothing has gone wrong: the test shows nothing")
	}
}

func deploy(t *testing.T) *cloud {
	c := &cloud{code: newCode()}
	services, err := awsapi.New(awsapi.Config{Functions: faas.Config{
		Scale: 0.0005, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), // a minute is 30 ms
		Faults: faas.Faults{Seed: 1, Duplicate: rate, DuplicateWithin: time.Second, CrashBefore: rate, CrashAfter: rate, Throttle: rate, Delay: rate, DelayMost: 200 * time.Millisecond},
	}})
	if err != nil {
		t.Fatal(err)
	}
	c.functions = services.Functions
	server := httptest.NewServer(services)
	t.Cleanup(func() {
		server.Close()
		_ = services.Close(context.Background())
	})
	c.cfg = aws.Config{
		Region: "us-east-1", BaseEndpoint: aws.String(server.URL), Credentials: credentials.NewStaticCredentialsProvider("key", "secret", ""),
		HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 256, MaxConnsPerHost: 256}},
	}
	tables := c.cfg.Copy()
	tables.BaseEndpoint = aws.String(testserver.DynamoDB(t))
	c.store = dynamodb.New(dynamodb.Config{Client: dynamodbsdk.NewFromConfig(tables), Table: "chaos"})
	if err := c.store.EnsureTable(t.Context()); err != nil {
		t.Fatal(err)
	}
	queue, err := sqs.NewFromConfig(c.cfg).CreateQueue(t.Context(), &sqs.CreateQueueInput{
		QueueName: aws.String("chaos"), Attributes: map[string]string{"VisibilityTimeout": "3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.platform = lambda.New(c.cfg, lambda.Options{Queue: *queue.QueueUrl})
	c.functionsOf(t, textApp(t), services.Queues.ARN("chaos"))
	return c
}

func textApp(t *testing.T) *ir.App {
	t.Helper()
	definition, err := os.ReadFile(filepath.Join("..", "..", "examples", "text", "machine.asl.json"))
	if err != nil {
		t.Fatal(err)
	}
	app, err := compile.Machine(definition, compile.Options{Name: "text"})
	if err != nil {
		t.Fatal(err)
	}
	return app
}

// functionsOf deploys the functions of an app, and the one that takes what Lambda gives up.
func (c *cloud) functionsOf(t *testing.T, app *ir.App, queue string) {
	t.Helper()
	prog, err := program.New(app)
	if err != nil {
		t.Fatal(err)
	}
	hooks := inject.Hooks{
		Before: func(context.Context, inject.Op) error { return c.crash(nil) },
		After:  func(_ context.Context, _ inject.Op, err error) error { return c.crash(err) },
	}
	c.runtime = &unum.Runtime{Store: inject.Wrap(c.store, hooks), Platform: crashing{c}, Program: prog, Redeliveries: 20, Patience: 50 * time.Millisecond}
	c.client = &unum.Runtime{Store: c.store, Platform: c.platform, Program: prog}
	handler := c.platform.Handler(c.handle)
	names := []string{carrier}
	for _, f := range app.Functions {
		names = append(names, f.Name)
	}
	api := awslambda.NewFromConfig(c.cfg)
	for _, name := range names {
		f := function.JSON(func(ctx context.Context, in json.RawMessage) (any, error) { return handler(ctx, in) })
		if err := c.functions.Register(name, f, faas.Settings{Timeout: 3 * time.Second}); err != nil {
			t.Fatal(err)
		}
		if name == carrier {
			continue
		}
		_, err := api.PutFunctionEventInvokeConfig(t.Context(), &awslambda.PutFunctionEventInvokeConfigInput{FunctionName: &name,
			DestinationConfig: &types.DestinationConfig{OnFailure: &types.OnFailure{Destination: &queue}}})
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = api.CreateEventSourceMapping(t.Context(), &awslambda.CreateEventSourceMappingInput{FunctionName: aws.String(carrier),
		EventSourceArn: &queue, FunctionResponseTypes: []types.FunctionResponseType{"ReportBatchItemFailures"}})
	if err != nil {
		t.Fatal(err)
	}
}

func (c *cloud) handle(ctx context.Context, payload []byte) error {
	req, err := unum.DecodeRequest(payload)
	if err != nil {
		return err
	}
	return c.runtime.Execute(ctx, req, c.code.run(req.Run))
}

// crash ends an execution now and then: it does nothing after the error.
func (c *cloud) crash(err error) error {
	if rand.Float64() < rate {
		c.crashes.Add(1)
		return errCrash
	}
	return err
}

// crashing is the platform as the functions have it.
type crashing struct{ *cloud }

func (c crashing) MaxPayload() int { return c.platform.MaxPayload() }

func (c crashing) Invoke(ctx context.Context, f string, payload []byte, notBefore time.Time) error {
	if err := c.crash(nil); err != nil {
		return err
	}
	return c.crash(c.platform.Invoke(ctx, f, payload, notBefore))
}

// one starts a run, now and then twice, waits for its end and checks the result.
func (c *cloud) one(ctx context.Context, i int) error {
	run := fmt.Sprintf("run-%d", i)
	input := fmt.Appendf(nil, `{"author":"ann","text":%q}`, text(i))
	for range 1 + i%20/19 {
		if _, err := c.client.Start(ctx, run, input, 0); err != nil {
			return err
		}
	}
	d, err := c.client.Wait(ctx, run, 500*time.Millisecond)
	if err != nil {
		return err
	}
	if d.Status != unum.Succeeded {
		return fmt.Errorf("%s %v %v", d.Status, value(d.Error), value(d.Cause))
	}
	if err := c.code.check(run, i, d.Output); err != nil {
		return err
	}
	return c.client.Forget(ctx, run)
}

func value(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// settle waits until nothing is under way any more, in the platform and its queue.
func (c *cloud) settle(t *testing.T) {
	t.Helper()
	queues := sqs.NewFromConfig(c.cfg)
	url, err := queues.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("chaos")})
	if err != nil {
		t.Fatal(err)
	}
	for quiet := 0; quiet < 3; quiet++ {
		if err := c.functions.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		a, err := queues.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url.QueueUrl, AttributeNames: []sqstypes.QueueAttributeName{
			"ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed",
		}})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range a.Attributes {
			if n != "0" {
				quiet = -1
			}
		}
		time.Sleep(50 * time.Millisecond)
	}
}
