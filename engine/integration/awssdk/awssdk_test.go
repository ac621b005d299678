package awssdk

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/sqs"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/internal/conformance/fakes"
)

// world is a Set whose services are handlers by host.
func world(t *testing.T, hosts fakes.Transport) *integration.Set {
	t.Helper()
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "none"))
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
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
		{"sqs:sendMessage", `{"QueueUrl":"q","MessageBody":"x","Nonsense":1}`, `States.Runtime: The field "Nonsense" is not supported by Step Functions`},
		{"sqs:sendMessage", `{"QueueUrl":"q","MessageBody":"x","DelaySeconds":"soon"}`, `States.Runtime: The field "DelaySeconds" must be an integer but was: "soon"`},
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

// objects is a bucket named b with one object, k, behind S3's protocol.
func objects(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("x-amz-request-id", "R1")
	w.Header().Set("x-amz-id-2", "H1")
	fail := func(status int, code, message string) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		if r.Method != http.MethodHead {
			fmt.Fprintf(w, "<Error><Code>%s</Code><Message>%s</Message></Error>", code, message)
		}
	}
	bucket, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case bucket != "b":
		fail(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist")
	case key == "secret":
		fail(http.StatusForbidden, "AccessDenied", "Access Denied")
	case r.Method == http.MethodPut:
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("ETag", fmt.Sprintf("%q", body))
	case key == "" && r.URL.Query().Get("list-type") == "2":
		fmt.Fprint(w, "<ListBucketResult><Name>b</Name><KeyCount>1</KeyCount><IsTruncated>false</IsTruncated><Contents><Key>k</Key><Size>4</Size>"+
			"<LastModified>2026-01-02T03:04:05.000Z</LastModified></Contents></ListBucketResult>")
	case key != "k":
		fail(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	default:
		w.Header().Set("Content-Type", "text/plain")
		w.Header().Set("ETag", `"e"`)
		w.Header().Set("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT")
		w.Header().Set("Content-Length", "4")
		fmt.Fprint(w, "text")
	}
}

func TestS3(t *testing.T) {
	set := world(t, fakes.Transport{"s3": http.HandlerFunc(objects)})
	where := func(status int) string {
		return fmt.Sprintf(" (Service: S3, Status Code: %d, Request ID: R1, Extended Request ID: H1)", status)
	}
	for _, tc := range []struct{ name, arguments, want string }{
		{"aws-sdk:s3:getObject", `{"Bucket":"b","Key":"k"}`,
			`{"Body":"text","ContentLength":4,"ContentType":"text/plain","ETag":"\"e\"","LastModified":"2026-01-02T03:04:05Z","Metadata":{}}`},
		{"aws-sdk:s3:headObject", `{"Bucket":"b","Key":"k"}`, `{"ContentLength":4,"ContentType":"text/plain","ETag":"\"e\"","LastModified":"2026-01-02T03:04:05Z","Metadata":{}}`},
		{"aws-sdk:s3:putObject", `{"Bucket":"b","Key":"n","Body":{"a":[1.0]},"ContentType":"x/y"}`, `{"ETag":"\"{\\\"a\\\":[1.0]}\""}`},
		{"aws-sdk:s3:putObject", `{"Bucket":"b","Key":"n","Body":false}`, `{"ETag":"\"false\""}`},
		{"aws-sdk:s3:putObject", `{"Bucket":"b","Key":"n","Body":"x"}`, `{"ETag":"\"\\\"x\\\"\""}`},
		{"aws-sdk:s3:listObjectsV2", `{"Bucket":"b"}`, `{"Contents":[{"Key":"k","LastModified":"2026-01-02T03:04:05Z","Size":4}],"IsTruncated":false,"KeyCount":1,"Name":"b"}`},
		{"aws-sdk:s3:getObject", `{"Bucket":"b","Key":"none"}`, `S3.NoSuchKeyException: The specified key does not exist.` + where(404)},
		{"aws-sdk:s3:getObject", `{"Bucket":"c","Key":"k"}`, `S3.NoSuchBucketException: The specified bucket does not exist` + where(404)},
		{"aws-sdk:s3:listObjects", `{"Bucket":"c"}`, `S3.NoSuchBucketException: The specified bucket does not exist` + where(404)},
		{"aws-sdk:s3:getObject", `{"Bucket":"b","Key":"secret"}`, `S3.S3Exception: Access Denied` + where(403)},
	} {
		if got := call(t, set, tc.name, tc.arguments); got != tc.want {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.name, tc.arguments, got, tc.want)
		}
	}
}

// TestUnions holds that every field of an interface type that an action's input or output has is a union that is known,
// or a stream.
func TestUnions(t *testing.T) {
	t.Parallel()
	seen := map[reflect.Type]bool{}
	var visit func(u unionMembers, at string, typ reflect.Type)
	visit = func(u unionMembers, at string, typ reflect.Type) {
		if seen[typ] || typ == timeType || typ == metadataType {
			return
		}
		seen[typ] = true
		switch typ.Kind() {
		case reflect.Pointer, reflect.Slice, reflect.Map:
			visit(u, at, typ.Elem())
		case reflect.Struct:
			for i := range typ.NumField() {
				if f := typ.Field(i); f.IsExported() {
					visit(u, at+"."+f.Name, f.Type)
				}
			}
		case reflect.Interface:
			if !typ.Implements(readerType) && u[typ] == nil {
				t.Errorf("%s is the union %s, which unions.go has not", at, typ)
			}
			for _, member := range u[typ] {
				visit(u, at, member)
			}
		}
	}
	for client, u := range map[reflect.Type]unionMembers{
		reflect.TypeFor[*dynamodb.Client](): dynamodbUnions, reflect.TypeFor[*s3.Client](): s3Unions, reflect.TypeFor[*sqs.Client](): {},
	} {
		for i := range client.NumMethod() {
			if m := client.Method(i); isAction(m.Type) {
				visit(u, m.Name, m.Type.In(2))
				visit(u, m.Name, m.Type.Out(0))
			}
		}
	}
}
