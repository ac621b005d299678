package sink

import (
	"errors"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/internal/conformance/fakes"
)

// heard is what a sink got.
type heard struct{ path, body, kind, topic string }

func sinkSet(t *testing.T, status int) (*integration.Set, *[]heard) {
	t.Helper()
	var all []heard
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		all = append(all, heard{r.URL.Path, string(body), r.Header.Get("x-amz-sns-message-type"), r.Header.Get("x-amz-sns-topic-arn")})
		w.WriteHeader(status)
		_, _ = w.Write([]byte("no thanks"))
	})
	set := integration.NewSet()
	err := Register(set, Config{
		Topics: map[string]string{"arn:aws:sns:us-east-1:1:a": "http://sink/a", "f.fifo": "http://sink/f", "gone": "http://gone"},
		Buses:  map[string]string{"default": "http://sink/default", "*": "http://sink/any"},
		HTTP:   &http.Client{Transport: fakes.Transport{"sink": handler}},
		Now:    func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) },
	})
	if err != nil {
		t.Fatal(err)
	}
	return set, &all
}

var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}`)

func call(t *testing.T, set *integration.Set, name, arguments string) string {
	t.Helper()
	res, err := set.Invoke(t.Context(), &function.Request{Function: "arn:aws:states:::" + name, Input: []byte(arguments), ID: "1", Key: "k",
		Run: "arn:aws:states:us-east-1:000000000000:execution:m:r"})
	var failed *function.Error
	switch {
	case err == nil:
		return string(res.Output)
	case errors.As(err, &failed):
		return ids.ReplaceAllString(failed.Type+": "+failed.Cause, "UUID")
	}
	t.Fatal(err)
	return ""
}

func TestPublish(t *testing.T) {
	t.Parallel()
	set, all := sinkSet(t, 200)
	arguments := `{"TopicArn":"arn:aws:sns:us-east-1:1:a","Subject":"s","Message":{"n":1},"MessageAttributes":{"k":{"DataType":"String","StringValue":"v"}}}`
	first := call(t, set, "sns:publish", arguments)
	if again := call(t, set, "sns:publish", arguments); again != first {
		t.Errorf("an attempt more has other ids:\n%s\n%s", first, again)
	}
	want := heard{"/a", `{"Type":"Notification","MessageId":"UUID","TopicArn":"arn:aws:sns:us-east-1:1:a","Subject":"s","Message":"{\"n\":1}",` +
		`"Timestamp":"2026-01-02T03:04:05.000Z","MessageAttributes":{"k":{"Type":"String","Value":"v"}}}`, "Notification", "arn:aws:sns:us-east-1:1:a"}
	got := (*all)[0]
	id := ids.FindString(got.body)
	got.body = ids.ReplaceAllString(got.body, "UUID")
	if got != want {
		t.Errorf("the sink got\n%+v, want\n%+v", got, want)
	}
	if !strings.HasPrefix(first, `{"MessageId":"`+id+`","SdkHttpMetadata":{"AllHttpHeaders":{"x-amzn-RequestId":["`) {
		t.Errorf("the answer is %s", first)
	}
	fifo := call(t, set, "sns:publish", `{"TopicArn":"arn:aws:sns:us-east-1:1:f.fifo","Message":"m","MessageGroupId":"g"}`)
	if !regexp.MustCompile(`"SequenceNumber":"\d{20}"`).MatchString(fifo) {
		t.Errorf("the answer is %s", fifo)
	}
	structured := `{"TopicArn":"arn:aws:sns:us-east-1:1:a","MessageStructure":"json","Message":"{\"default\":\"d\",\"http\":\"h\"}"}`
	call(t, set, "sns:publish", structured)
	if last := (*all)[len(*all)-1].body; !strings.Contains(last, `"Message":"h"`) {
		t.Errorf("the sink got %s", last)
	}
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	set, _ := sinkSet(t, 200)
	broken, _ := sinkSet(t, 500)
	tail := func(status, code string) string {
		return " (Service: AmazonSNS; Status Code: " + status + "; Error Code: " + code + "; Request ID: UUID; Proxy: null)"
	}
	for _, tc := range []struct {
		set                   *integration.Set
		name, arguments, want string
	}{
		{set, "sns:publish", `{"Message":"m"}`, "SNS.InvalidParameterException: Invalid parameter: TopicArn or TargetArn Reason: no value for required parameter" + tail("400", "InvalidParameter")},
		{set, "sns:publish", `{"TopicArn":"a","Message":""}`, "SNS.InvalidParameterException: Invalid parameter: Empty message" + tail("400", "InvalidParameter")},
		{set, "sns:publish", `{"TopicArn":"x:f.fifo","Message":"m"}`, "SNS.InvalidParameterException: Invalid parameter: The MessageGroupId parameter is required for FIFO topics" + tail("400", "InvalidParameter")},
		{set, "sns:publish", `{"TopicArn":"x:b","Message":"m"}`, "SNS.NotFoundException: Topic does not exist: name a sink for x:b in weft.yaml under sinks, sns" + tail("404", "NotFound")},
		{set, "sns:publish", `{"TopicArn":"x:gone","Message":"m"}`, "SNS.SdkClientException: Unable to execute HTTP request: POST http://gone: dial tcp: lookup gone: no such host; is the sink running?"},
		{broken, "sns:publish", `{"TopicArn":"arn:aws:sns:us-east-1:1:a","Message":"m"}`, "SNS.AmazonSNSException: the sink http://sink/a answered 500 Internal Server Error: no thanks" + tail("500", "InternalFailure")},
		{set, "aws-sdk:sns:publish", `{"TopicArn":"x:b","Message":"m"}`, "Sns.NotFoundException: Topic does not exist: name a sink for x:b in weft.yaml under sinks, sns (Service: Sns, Status Code: 404, Request ID: UUID)"},
		{set, "sns:publish", `[]`, "States.Runtime: The Parameters of sns:publish must be an object"},
		{set, "events:putEvents", `{}`, "EventBridge.AmazonEventBridgeException: 1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length from 1 to 10 (Service: AmazonEventBridge; Status Code: 400; Error Code: ValidationException; Request ID: UUID; Proxy: null)"},
		{set, "events:putEvents", `{"Entries":[{"Source":"s","DetailType":"t","Detail":"{}"},{"DetailType":"t","Detail":{}},{"Source":"s","DetailType":"t","Detail":"\"x\""}]}`,
			`EventBridge.FailedEntry: {"Entries":[{"EventId":"UUID"},{"ErrorCode":"InvalidArgument","ErrorMessage":"Parameter Source is not valid. Reason: Source is a required argument."},` +
				`{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}],"FailedEntryCount":2}`},
	} {
		if got := call(t, tc.set, tc.name, tc.arguments); got != tc.want {
			t.Errorf("%s %s:\n got %s\nwant %s", tc.name, tc.arguments, got, tc.want)
		}
	}
}

// TestSDK holds that the AWS SDK's integrations answer what the service does, and leave to the state what it means.
func TestSDK(t *testing.T) {
	t.Parallel()
	set, _ := sinkSet(t, 200)
	for _, tc := range []struct{ name, arguments, want string }{
		{"aws-sdk:sns:publish", `{"TopicArn":"arn:aws:sns:us-east-1:1:a","Message":"m"}`, `{"MessageId":"UUID"}`},
		{"aws-sdk:eventbridge:putEvents", `{"Entries":[{"Source":"s","DetailType":"t","Detail":"x"}]}`,
			`{"Entries":[{"ErrorCode":"MalformedDetail","ErrorMessage":"Detail is malformed."}],"FailedEntryCount":1}`},
	} {
		if got := ids.ReplaceAllString(call(t, set, tc.name, tc.arguments), "UUID"); got != tc.want {
			t.Errorf("%s: got %s, want %s", tc.name, got, tc.want)
		}
	}
}

func TestPutEvents(t *testing.T) {
	t.Parallel()
	set, all := sinkSet(t, 202)
	got := call(t, set, "events:putEvents", `{"Entries":[{"Source":"shop","DetailType":"paid","Detail":{"n":1},"Resources":["r"]},
		{"Source":"shop","DetailType":"paid","Detail":"{\"n\":2}","EventBusName":"arn:aws:events:us-east-1:1:event-bus/own","Time":"2025-05-05T05:05:05Z"}]}`)
	if !regexp.MustCompile(`^\{"Entries":\[\{"EventId":"[^"]+"\},\{"EventId":"[^"]+"\}\],"FailedEntryCount":0,"SdkHttpMetadata":`).MatchString(got) {
		t.Errorf("the answer is %s", got)
	}
	const execution = `"arn:aws:states:us-east-1:000000000000:execution:m:r","arn:aws:states:us-east-1:000000000000:stateMachine:m"`
	for i, want := range []heard{
		{"/default", `{"version":"0","id":"UUID","detail-type":"paid","source":"shop","account":"000000000000","time":"2026-01-02T03:04:05Z","region":"us-east-1","resources":["r",` + execution + `],"detail":{"n":1}}`, "", ""},
		{"/any", `{"version":"0","id":"UUID","detail-type":"paid","source":"shop","account":"000000000000","time":"2025-05-05T05:05:05Z","region":"us-east-1","resources":[` + execution + `],"detail":{"n":2}}`, "", ""},
	} {
		h := (*all)[i]
		h.body = ids.ReplaceAllString(h.body, "UUID")
		if h != want {
			t.Errorf("the sink got\n%+v, want\n%+v", h, want)
		}
	}
}
