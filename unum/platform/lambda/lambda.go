// Package lambda delivers requests by AWS Lambda: asynchronous invocations, and for those that are not due a queue of
// SQS that delays them. It uses Amazon's own clients, so any endpoint that speaks their protocols will do (faas/lambdaapi
// and faas/sqsapi do).
//
//	cfg, err := config.LoadDefaultConfig(ctx)
//	platform := lambda.New(cfg, lambda.Options{Queue: url})
//
// # What has to be deployed
//
// A queue, whose URL is Options.Queue, and one function that runs no user code, whose handler is Platform.Handler. The
// queue is its event source, with ReportBatchItemFailures, and it is the failure destination of all functions:
//
//   - Lambda delays nothing, SQS up to 15 minutes. A request that is due later hops: the function puts it back as often
//     as it takes, and invokes its target when its time has come.
//   - When Lambda gives up on a request (two retries, six hours), the function goes on in the place of the failed one,
//     whose run sees an error named as Step Functions would name it.
//
// Every function needs RecursiveLoop: Allow (PutFunctionRecursionConfig): Lambda takes functions that invoke each other
// for a runaway loop after 16 invocations and ends them.
package lambda

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	awslambda "github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/platform/destination"
)

const (
	// asyncBytes is what an asynchronous invocation, a message of SQS and the record for a failure destination may have:
	// 256 KiB. Both services take 1 MiB since 2025, not everywhere and not for every destination.
	asyncBytes = 256 << 10
	// MaxPayload is how many bytes a payload may have, so that a message and a record with it in them still fit.
	MaxPayload = asyncBytes - destination.Room
	// mostDelay is how long SQS delays a message.
	mostDelay = 15 * time.Minute
	// attempts and mostBackoff bound how often and how slowly a call is repeated that was throttled or failed in passing.
	attempts    = 8
	mostBackoff = 5 * time.Second
	// connections is how many stay open while there is no use for them: those of a wide fan-out, which would otherwise
	// begin each with a handshake (the SDK keeps 10).
	connections = 128
)

// Options is what a Platform needs to know of a deployment.
type Options struct {
	// Queue is the URL of the delay queue. "": nothing can be delayed.
	Queue string
	// Function returns the Lambda function, by name or ARN, for one of the workflow. nil: it has the same name.
	Function func(name string) (string, error)
}

// Platform is a unum.Platform.
type Platform struct {
	lambda *awslambda.Client
	sqs    *sqs.Client
	opts   Options
}

// New returns the platform of a deployment. Calls that are throttled are repeated within bounds; an HTTP client of the
// SDK's own keeps more connections than it does by itself.
func New(cfg aws.Config, opts Options) *Platform {
	retryer := func() aws.Retryer {
		return retry.NewStandard(func(o *retry.StandardOptions) { o.MaxAttempts, o.MaxBackoff = attempts, mostBackoff })
	}
	cfg.Retryer = retryer
	if own, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok || cfg.HTTPClient == nil {
		if own == nil {
			own = awshttp.NewBuildableClient()
		}
		cfg.HTTPClient = own.WithTransportOptions(func(t *http.Transport) { t.MaxIdleConns, t.MaxIdleConnsPerHost = 0, connections })
	}
	if opts.Function == nil {
		opts.Function = func(name string) (string, error) { return name, nil }
	}
	return &Platform{awslambda.NewFromConfig(cfg), sqs.NewFromConfig(cfg), opts}
}

// MaxPayload implements unum.Platform.
func (p *Platform) MaxPayload() int { return MaxPayload }

// Invoke implements unum.Platform.
func (p *Platform) Invoke(ctx context.Context, name string, payload []byte, notBefore time.Time) error {
	const op = "lambda.Invoke"
	if len(payload) > MaxPayload {
		return fault.New(op, fault.LimitExceeded, name, "the payload has %d bytes, at most %d may be; pass it by reference", len(payload), MaxPayload)
	}
	target, err := p.opts.Function(name)
	if err != nil {
		return fault.New(op, fault.ResourceNotFound, name, "%w", err)
	}
	m := &message{Function: target, At: notBefore.UnixMicro(), Payload: payload}
	if wait := time.Until(notBefore); wait > 0 {
		return p.delay(ctx, m, wait)
	}
	return p.send(ctx, m)
}

// message is a request in the delay queue.
type message struct {
	Function string          `json:"function"` // of Lambda
	At       int64           `json:"at"`       // not before, Unix microseconds
	Payload  json.RawMessage `json:"payload"`
}

// send invokes the function now.
func (p *Platform) send(ctx context.Context, m *message) error {
	_, err := p.lambda.Invoke(ctx, &awslambda.InvokeInput{FunctionName: &m.Function, InvocationType: types.InvocationTypeEvent, Payload: m.Payload})
	return failure("lambda.Invoke", m.Function, err)
}

// delay puts a request in the queue, for wait or as long as can be. It comes up to a second late.
func (p *Platform) delay(ctx context.Context, m *message, wait time.Duration) error {
	const op = "lambda.Invoke"
	if p.opts.Queue == "" {
		return fault.New(op, fault.Unsupported, m.Function, "a request for %v from now needs the delay queue, and Options.Queue is empty", wait)
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it must not grow
	if err := enc.Encode(m); err != nil {
		return fault.New(op, fault.InvalidInput, m.Function, "the payload is no JSON: %w", err)
	}
	seconds := (min(wait, mostDelay) + time.Second - 1) / time.Second
	_, err := p.sqs.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: &p.opts.Queue, MessageBody: aws.String(allowed(b.Bytes())), DelaySeconds: int32(seconds)})
	return failure(op, p.opts.Queue, err)
}

// allowed escapes the characters that JSON may have and messages of SQS may not, which are in strings only.
func allowed(b []byte) string {
	b = bytes.ReplaceAll(b, []byte("\uFFFE"), []byte(`\ufffe`))
	return string(bytes.ReplaceAll(b, []byte("\uFFFF"), []byte(`\uffff`)))
}

// failure says what an error of a client means.
func failure(op, subject string, err error) error {
	if err == nil {
		return nil
	}
	kind := fault.Unavailable
	var (
		unknown *types.ResourceNotFoundException
		large   *types.RequestTooLargeException
		content *types.InvalidRequestContentException
		busy    *types.TooManyRequestsException
	)
	switch {
	case errors.As(err, &unknown):
		kind = fault.ResourceNotFound
	case errors.As(err, &large):
		kind = fault.LimitExceeded
	case errors.As(err, &content):
		kind = fault.InvalidInput
	case errors.As(err, &busy):
		kind = fault.Busy
	}
	return fault.New(op, kind, subject, "%w", err)
}

// event is what Handler reads of an event of SQS.
type event struct {
	Records []struct {
		ID     string `json:"messageId"`
		Source string `json:"eventSource"`
		Body   string `json:"body"`
	}
}

// report says which messages are to come again.
type report struct {
	Failures []failed `json:"batchItemFailures"`
}

type failed struct {
	ID string `json:"itemIdentifier"`
}

// Handler returns the handler of the function that runs no user code: it forwards the messages of the delay queue, and
// gives handle every other event, which is a request or the record of one that Lambda has given up.
func (p *Platform) Handler(handle func(ctx context.Context, payload []byte) error) func(ctx context.Context, payload json.RawMessage) (any, error) {
	return func(ctx context.Context, payload json.RawMessage) (any, error) {
		var e event
		if err := json.Unmarshal(payload, &e); err == nil && len(e.Records) > 0 && e.Records[0].Source == "aws:sqs" {
			return p.takeAll(ctx, &e, handle)
		}
		return nil, execute(ctx, payload, handle)
	}
}

// execute gives handle the request that an event is, or is the record of.
func execute(ctx context.Context, payload []byte, handle func(ctx context.Context, payload []byte) error) error {
	request, err := destination.Unwrap(payload)
	if err != nil {
		return err
	}
	return handle(ctx, request)
}

// takeAll takes messages and reports those that it could not. It fails if there were none else.
func (p *Platform) takeAll(ctx context.Context, e *event, handle func(ctx context.Context, payload []byte) error) (*report, error) {
	r := &report{Failures: []failed{}}
	var all []error
	for _, record := range e.Records {
		if err := p.take(ctx, record.Body, handle); err != nil {
			r.Failures = append(r.Failures, failed{record.ID})
			all = append(all, err)
		}
	}
	if len(all) == len(e.Records) {
		return nil, errors.Join(all...) // so that it is seen
	}
	return r, nil
}

// take invokes the target of a delayed message, or puts it back. Anything else in the queue is the record of a request that
// Lambda has given up.
func (p *Platform) take(ctx context.Context, body string, handle func(ctx context.Context, payload []byte) error) error {
	var m message
	if err := json.Unmarshal([]byte(body), &m); err != nil {
		return fault.New("lambda.take", fault.InvalidInput, p.opts.Queue, "a message of the delay queue is none of ours: %w", err)
	}
	if m.Function == "" {
		return execute(ctx, []byte(body), handle)
	}
	if wait := time.Until(time.UnixMicro(m.At)); wait > 0 {
		return p.delay(ctx, &m, wait)
	}
	return p.send(ctx, &m)
}
