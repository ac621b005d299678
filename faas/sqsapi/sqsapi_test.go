package sqsapi_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sqs/types"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/faas/sqsapi"
)

// direct leads a client's requests to a handler without a network, so that they work under virtual time.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	if r.Body == nil {
		r.Body = http.NoBody
	}
	d.ServeHTTP(w, r)
	return w.Result(), nil
}

func client(s *sqsapi.Server) *sqs.Client {
	return sqs.New(sqs.Options{
		Region: "us-east-1", BaseEndpoint: aws.String("http://sqs.local"), HTTPClient: &http.Client{Transport: direct{s}}, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
	})
}

func create(t *testing.T, c *sqs.Client, name string, attributes map[string]string) *string {
	t.Helper()
	out, err := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: &name, Attributes: attributes})
	if err != nil {
		t.Fatal(err)
	}
	return out.QueueUrl
}

func send(t *testing.T, c *sqs.Client, url *string, body string, delay int32) {
	t.Helper()
	if _, err := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: &body, DelaySeconds: delay}); err != nil {
		t.Fatal(err)
	}
}

// receive returns the bodies of one call and the receipt of the first.
func receive(t *testing.T, c *sqs.Client, url *string, wait int32) (bodies []string, receipt *string) {
	t.Helper()
	out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url, MaxNumberOfMessages: 10, WaitTimeSeconds: wait})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range out.Messages {
		bodies = append(bodies, *m.Body)
	}
	if len(bodies) > 0 {
		receipt = out.Messages[0].ReceiptHandle
	}
	return bodies, receipt
}

func want(t *testing.T, got []string, bodies ...string) {
	t.Helper()
	if diff := cmp.Diff(bodies, got); diff != "" {
		t.Errorf("received (-want +got):\n%s", diff)
	}
}

func TestDelaysAndVisibility(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c := client(sqsapi.New(sqsapi.Config{}))
		url := create(t, c, "q", nil)
		begun := time.Now()
		send(t, c, url, "late", 900)
		send(t, c, url, "now", 0)
		got, receipt := receive(t, c, url, 0)
		want(t, got, "now")
		got, _ = receive(t, c, url, 20)
		want(t, got)
		if _, err := c.DeleteMessage(t.Context(), &sqs.DeleteMessageInput{QueueUrl: url, ReceiptHandle: receipt}); err != nil {
			t.Fatal(err)
		}
		for len(got) == 0 {
			got, _ = receive(t, c, url, 20)
		}
		want(t, got, "late")
		if since := time.Since(begun); since != 900*time.Second {
			t.Errorf("the delayed message came after %v", since)
		}
		got, _ = receive(t, c, url, 20) // hidden for 30 seconds
		want(t, got)
		got, receipt = receive(t, c, url, 20)
		want(t, got, "late")
		if _, err := c.ChangeMessageVisibility(t.Context(), &sqs.ChangeMessageVisibilityInput{QueueUrl: url, ReceiptHandle: receipt, VisibilityTimeout: 0}); err != nil {
			t.Fatal(err)
		}
		got, _ = receive(t, c, url, 0)
		want(t, got, "late")
	})
}

func TestReceiveWaitsForTheFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sqsapi.New(sqsapi.Config{})
		c := client(s)
		url := create(t, c, "q", map[string]string{"ReceiveMessageWaitTimeSeconds": "20"})
		begun := time.Now()
		time.AfterFunc(7*time.Second, func() { _ = s.Send(s.ARN("q"), "x") })
		out, err := c.ReceiveMessage(t.Context(), &sqs.ReceiveMessageInput{QueueUrl: url})
		if err != nil || len(out.Messages) != 1 || time.Since(begun) != 7*time.Second {
			t.Errorf("after %v: %+v %v", time.Since(begun), out, err)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.Receive(ctx, s.ARN("q"), 1, 20*time.Second, -1); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a wait that is cancelled: %v", err)
		}
	})
}

func TestDeadLetters(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := sqsapi.New(sqsapi.Config{})
		c := client(s)
		dead := create(t, c, "dead", nil)
		url := create(t, c, "q", map[string]string{"VisibilityTimeout": "1", "RedrivePolicy": `{"deadLetterTargetArn":"` + s.ARN("dead") + `","maxReceiveCount":"2"}`})
		send(t, c, url, "x", 0)
		for range 2 {
			got, _ := receive(t, c, url, 5)
			want(t, got, "x")
		}
		got, _ := receive(t, c, url, 5)
		want(t, got)
		got, _ = receive(t, c, dead, 0)
		want(t, got, "x")
	})
}

func TestAttributesAndBatches(t *testing.T) {
	t.Parallel()
	s := sqsapi.New(sqsapi.Config{})
	c := client(s)
	url := create(t, c, "q", map[string]string{"DelaySeconds": "5"})
	if *create(t, c, "q", map[string]string{"DelaySeconds": "5"}) != *url {
		t.Error("the same queue has another URL")
	}
	found, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("q")})
	if err != nil || *found.QueueUrl != *url {
		t.Errorf("found %+v %v", found, err)
	}
	out, err := c.SendMessageBatch(t.Context(), &sqs.SendMessageBatchInput{QueueUrl: url, Entries: []types.SendMessageBatchRequestEntry{
		{Id: aws.String("a"), MessageBody: aws.String("a"), DelaySeconds: 0, MessageAttributes: map[string]types.MessageAttributeValue{
			"n": {DataType: aws.String("Number"), StringValue: aws.String("1")}, "b": {DataType: aws.String("Binary"), BinaryValue: []byte{0, 255}}}},
		{Id: aws.String("b"), MessageBody: aws.String("b"), DelaySeconds: 60},
		{Id: aws.String("c"), MessageBody: aws.String("c"), DelaySeconds: 901},
	}})
	if err != nil || len(out.Successful) != 2 || len(out.Failed) != 1 || *out.Failed[0].Code != "InvalidParameterValue" {
		t.Fatalf("%+v %v", out, err)
	}
	attributes, err := c.GetQueueAttributes(t.Context(), &sqs.GetQueueAttributesInput{QueueUrl: url, AttributeNames: []types.QueueAttributeName{
		"QueueArn", "DelaySeconds", "VisibilityTimeout", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesDelayed"}})
	if err != nil {
		t.Fatal(err)
	}
	// A delay of 0 in an entry is not sent by the client: the queue's own applies.
	if diff := cmp.Diff(map[string]string{"QueueArn": "arn:aws:sqs:us-east-1:123456789012:q", "DelaySeconds": "5", "VisibilityTimeout": "30",
		"ApproximateNumberOfMessages": "0", "ApproximateNumberOfMessagesDelayed": "2"}, attributes.Attributes); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := c.TagQueue(t.Context(), &sqs.TagQueueInput{QueueUrl: url, Tags: map[string]string{"app": "x"}}); err != nil {
		t.Error(err)
	}
	tags, err := c.ListQueueTags(t.Context(), &sqs.ListQueueTagsInput{QueueUrl: url})
	if err != nil || tags.Tags["app"] != "x" {
		t.Errorf("%+v %v", tags, err)
	}
	list, err := c.ListQueues(t.Context(), &sqs.ListQueuesInput{QueueNamePrefix: aws.String("q")})
	if err != nil || len(list.QueueUrls) != 1 {
		t.Errorf("%+v %v", list, err)
	}
	if _, err := c.DeleteQueue(t.Context(), &sqs.DeleteQueueInput{QueueUrl: url}); err != nil {
		t.Error(err)
	}
	var none *types.QueueDoesNotExist
	if _, err := c.GetQueueUrl(t.Context(), &sqs.GetQueueUrlInput{QueueName: aws.String("q")}); !errors.As(err, &none) {
		t.Errorf("a queue that was deleted: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	c := client(sqsapi.New(sqsapi.Config{}))
	url := create(t, c, "q", nil)
	_, exists := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q"), Attributes: map[string]string{"DelaySeconds": "1"}})
	_, fifo := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("q.fifo")})
	_, odd := c.CreateQueue(t.Context(), &sqs.CreateQueueInput{QueueName: aws.String("p"), Attributes: map[string]string{"VisibilityTimeout": "-1"}})
	_, large := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String(strings.Repeat("x", sqsapi.MessageBytes+1))})
	_, content := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("\uffff")})
	_, late := c.SendMessage(t.Context(), &sqs.SendMessageInput{QueueUrl: url, MessageBody: aws.String("x"), DelaySeconds: 901})
	_, permission := c.AddPermission(t.Context(), &sqs.AddPermissionInput{QueueUrl: url, Label: aws.String("l"), AWSAccountIds: []string{"1"}, Actions: []string{"*"}})
	for _, c := range []struct {
		err           error
		code, message string
	}{
		{exists, "QueueAlreadyExists", "a different value for attribute DelaySeconds"},
		{fifo, "InvalidParameterValue", "no FIFO queues"},
		{odd, "InvalidAttributeValue", "Invalid value for the parameter VisibilityTimeout."},
		{large, "InvalidParameterValue", "must be shorter than 262144 bytes"},
		{content, "InvalidMessageContents", "Invalid characters found."},
		{late, "InvalidParameterValue", "DelaySeconds must be >= 0 and <= 900"},
		{permission, "AWS.SimpleQueueService.UnsupportedOperation", "no AddPermission"},
	} {
		var api smithy.APIError
		if !errors.As(c.err, &api) || api.ErrorCode() != c.code || !strings.Contains(api.ErrorMessage(), c.message) {
			t.Errorf("got %v, want %s: %s", c.err, c.code, c.message)
		}
	}
}
