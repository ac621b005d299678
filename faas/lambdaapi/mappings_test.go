package lambdaapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/lambda"
	"github.com/aws/aws-sdk-go-v2/service/lambda/types"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/weftworks/weft/faas"
	"github.com/weftworks/weft/faas/lambdaapi"
	"github.com/weftworks/weft/faas/sqsapi"
)

// sqsEvent is what a function reads of an event of SQS.
type sqsEvent struct {
	Records []struct {
		MessageID      string `json:"messageId"`
		Body           string
		EventSource    string `json:"eventSource"`
		EventSourceARN string `json:"eventSourceARN"`
		Attributes     map[string]string
	}
}

// TestMessagesReachFunctions has a function take two messages, of which it fails one the first time.
func TestMessagesReachFunctions(t *testing.T) {
	t.Parallel()
	queues := sqsapi.New(sqsapi.Config{})
	s, client := serve(t, lambdaapi.Config{Queues: queues}, 0)
	server := httptest.NewServer(queues)
	defer server.Close()
	q := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(), Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")})
	made, err := q.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("jobs"), Attributes: map[string]string{"VisibilityTimeout": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan string, 10)
	register(t, s, "worker", faas.Settings{Timeout: time.Second}, func(_ context.Context, in []byte) ([]byte, error) {
		var event sqsEvent
		if err := json.Unmarshal(in, &event); err != nil {
			return nil, err
		}
		report := map[string][]map[string]string{"batchItemFailures": {}}
		for _, r := range event.Records {
			if r.EventSource != "aws:sqs" || r.EventSourceARN != queues.ARN("jobs") {
				return nil, errors.New("this is no event of the queue")
			}
			if r.Body == "weak" && r.Attributes["ApproximateReceiveCount"] == "1" {
				report["batchItemFailures"] = append(report["batchItemFailures"], map[string]string{"itemIdentifier": r.MessageID})
				continue
			}
			done <- r.Body
		}
		return json.Marshal(report)
	})
	arn := aws.String(queues.ARN("jobs"))
	in := &lambda.CreateEventSourceMappingInput{EventSourceArn: arn, FunctionName: aws.String("worker"), FunctionResponseTypes: []types.FunctionResponseType{"ReportBatchItemFailures"}}
	mapping, err := client.CreateEventSourceMapping(t.Context(), in)
	if err != nil || *mapping.State != "Creating" || *mapping.BatchSize != 10 || *mapping.FunctionArn != s.ARN("worker") {
		t.Fatalf("%+v %v", mapping, err)
	}
	var twice *types.ResourceConflictException
	if _, err := client.CreateEventSourceMapping(t.Context(), in); !errors.As(err, &twice) {
		t.Errorf("a second mapping: %v", err)
	}
	for _, body := range []string{"strong", "weak"} {
		if _, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: &body}); err != nil {
			t.Fatal(err)
		}
	}
	if first, second := next(t, done), next(t, done); first != "strong" || second != "weak" {
		t.Errorf("done with %s, then %s", first, second)
	}
	list, err := client.ListEventSourceMappings(t.Context(), &lambda.ListEventSourceMappingsInput{EventSourceArn: arn, FunctionName: aws.String("worker")})
	if err != nil || len(list.EventSourceMappings) != 1 || *list.EventSourceMappings[0].State != "Enabled" {
		t.Errorf("%+v %v", list, err)
	}
	changed, err := client.UpdateEventSourceMapping(t.Context(), &lambda.UpdateEventSourceMappingInput{UUID: mapping.UUID, BatchSize: aws.Int32(1)})
	if err != nil || *changed.State != "Updating" || *changed.BatchSize != 1 || *changed.UUID != *mapping.UUID {
		t.Errorf("%+v %v", changed, err)
	}
	if _, err := q.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: made.QueueUrl, MessageBody: aws.String("another")}); err != nil {
		t.Fatal(err)
	}
	if got := next(t, done); got != "another" {
		t.Errorf("after the update came %s", got)
	}
	if out, err := client.DeleteEventSourceMapping(t.Context(), &lambda.DeleteEventSourceMappingInput{UUID: mapping.UUID}); err != nil || *out.State != "Deleting" {
		t.Errorf("%+v %v", out, err)
	}
	var none *types.ResourceNotFoundException
	if _, err := client.GetEventSourceMapping(t.Context(), &lambda.GetEventSourceMappingInput{UUID: mapping.UUID}); !errors.As(err, &none) {
		t.Errorf("a mapping that was deleted: %v", err)
	}
}

// TestMappingsThatCannotWork are refused.
func TestMappingsThatCannotWork(t *testing.T) {
	t.Parallel()
	queues := sqsapi.New(sqsapi.Config{})
	s, client := serve(t, lambdaapi.Config{Queues: queues}, 0)
	register(t, s, "slow", faas.Settings{Timeout: time.Minute}, nil)
	server := httptest.NewServer(queues)
	defer server.Close()
	q := sqs.New(sqs.Options{Region: "us-east-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(), Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", "")})
	if _, err := q.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q")}); err != nil {
		t.Fatal(err)
	}
	var invalid *types.InvalidParameterValueException
	for _, arn := range []string{queues.ARN("q"), queues.ARN("nobody"), "arn:aws:kinesis:us-east-1:123456789012:stream/s"} { // the first: 30 s are less than a minute
		if _, err := client.CreateEventSourceMapping(t.Context(), &lambda.CreateEventSourceMappingInput{EventSourceArn: &arn, FunctionName: aws.String("slow")}); !errors.As(err, &invalid) {
			t.Errorf("%s: %v", arn, err)
		}
	}
}
