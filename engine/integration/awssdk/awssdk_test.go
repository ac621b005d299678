package awssdk

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/internal/conformance/fakes"
)

// world is a Set whose services are handlers by host.
func world(t *testing.T, hosts fakes.Transport) *integration.Set {
	t.Helper()
	t.Setenv("AWS_CONFIG_FILE", "/nonexistent")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
	set := integration.NewSet()
	err := Register(set, Config{Region: "us-east-1", HTTP: &http.Client{Transport: hosts},
		Endpoints: map[string]string{"sqs": "http://sqs", "dynamodb": "http://dynamodb", "s3": "http://s3"}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// call returns an integration's answer, or "ERROR: cause".
func call(t *testing.T, set *integration.Set, name, arguments string) string {
	t.Helper()
	res, err := set.Invoke(t.Context(), &function.Request{Function: "arn:aws:states:::" + name, Input: []byte(arguments), ID: "1", Key: "1"})
	var failed *function.Error
	switch {
	case err == nil:
		return string(res.Output)
	case errors.As(err, &failed):
		return failed.Type + ": " + failed.Cause
	}
	t.Fatalf("%s: %v", name, err)
	return ""
}

func TestSQS(t *testing.T) {
	queues := &fakes.SQS{Strict: true}
	queues.Create("q")
	set := world(t, fakes.Transport{"sqs": queues, "elsewhere": queues})

	got := call(t, set, "sqs:sendMessage", `{"QueueUrl":"http://elsewhere/1/q","MessageBody":{"a":[1]},"MessageAttributes":{"k":{"DataType":"Number","StringValue":7}}}`)
	var answer struct {
		MessageId, MD5OfMessageBody string
		SdkHttpMetadata             struct {
			HttpStatusCode int
			HttpHeaders    map[string]string
			AllHttpHeaders map[string][]string
		}
		SdkResponseMetadata struct{ RequestId string }
	}
	if err := json.Unmarshal([]byte(got), &answer); err != nil {
		t.Fatalf("%s: %v", got, err)
	}
	request := answer.SdkResponseMetadata.RequestId
	if answer.MessageId == "" || request == "" || answer.SdkHttpMetadata.HttpHeaders["x-amzn-RequestId"] != request ||
		answer.SdkHttpMetadata.AllHttpHeaders["x-amzn-RequestId"][0] != request || answer.SdkHttpMetadata.HttpStatusCode != 200 {
		t.Errorf("the answer is %s", got)
	}
	sent := queues.Messages("q")
	if len(sent) != 1 || sent[0].Body != `{"a":[1]}` || sent[0].ID != answer.MessageId {
		t.Fatalf("the queue holds %+v", sent)
	}
	if k, _ := sent[0].Attributes["k"].(map[string]any); k["StringValue"] != "7" {
		t.Errorf("the attributes are %v", sent[0].Attributes)
	}

	for _, tc := range []struct{ name, arguments, want string }{
		{"aws-sdk:sqs:receiveMessage", `{"QueueUrl":"q","MaxNumberOfMessages":"3"}`,
			`{"Messages":[{"Body":"{\"a\":[1]}","MD5OfBody":"*","MessageId":"*","ReceiptHandle":"*"}]}`},
		{"aws-sdk:sqs:receiveMessage", `{"QueueUrl":"q"}`, `{}`},
		{"sqs:sendMessage", `{"QueueUrl":"http://sqs/1/q","MessageBody":null}`,
			`SQS.AmazonSQSException: The request must contain the parameter MessageBody. (Service: AmazonSQS; Status Code: 400; Error Code: MissingParameter; Request ID: *; Proxy: null)`},
		{"aws-sdk:sqs:sendMessage", `{"QueueUrl":"q"}`,
			`Sqs.SqsException: The request must contain the parameter MessageBody. (Service: Sqs, Status Code: 400, Request ID: *)`},
		{"sqs:sendMessage", `{"QueueUrl":"http://sqs/1/none","MessageBody":"x"}`,
			`SQS.QueueDoesNotExistException: The specified queue does not exist. (Service: AmazonSQS; Status Code: 400; Error Code: AWS.SimpleQueueService.NonExistentQueue; Request ID: *; Proxy: null)`},
		{"aws-sdk:sqs:sendMessage", `{"QueueUrl":"none","MessageBody":"x"}`,
			`Sqs.QueueDoesNotExistException: The specified queue does not exist. (Service: Sqs, Status Code: 400, Request ID: *)`},
		{"sqs:sendMessage", `{"QueueUrl":"http://no-such-queue","MessageBody":"x"}`,
			`SQS.SdkClientException: Unable to execute HTTP request: no-such-queue: Name or service not known`},
		{"sqs:sendMessage", `{"QueueUrl":"q","MessageBody":"x","Nonsense":1}`, `States.Runtime: The field 'Nonsense' is not supported by Step Functions`},
		{"sqs:sendMessage", `{"QueueUrl":"q","MessageBody":"x","DelaySeconds":"soon"}`, `States.Runtime: The field 'DelaySeconds' must be an integer but was: "soon"`},
	} {
		if got := call(t, set, tc.name, tc.arguments); !like(got, tc.want) {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.name, tc.arguments, got, tc.want)
		}
	}
}

// like reports whether got is want, in which * stands for anything.
func like(got, want string) bool {
	parts := strings.Split(want, "*")
	if !strings.HasPrefix(got, parts[0]) || !strings.HasSuffix(got, parts[len(parts)-1]) {
		return false
	}
	rest := got
	for _, p := range parts {
		i := strings.Index(rest, p)
		if i < 0 {
			return false
		}
		rest = rest[i+len(p):]
	}
	return len(parts) > 1 || got == want
}
