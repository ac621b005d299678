// Package sink integrates SNS and EventBridge as HTTP sinks, as "sns:publish" and "events:putEvents" and as
// "aws-sdk:sns:publish" and "aws-sdk:eventbridge:putEvents": publish posts the message where the topic's
// subscriber would get it, putEvents each event to the URL of its bus. Arguments, answers and errors are those of
// the services.
//
// A topic's sink gets what SNS posts to HTTP subscribers (a JSON object of Type Notification, with the headers
// x-amz-sns-message-type, -id and -topic-arn), a bus's the event in the envelope that targets of EventBridge rules
// get. Both are delivered before the task succeeds; a sink that cannot be reached or does not answer 2xx fails the task, so
// that its Retry decides. A call that is made again after a crash has the same message and event ids.
//
//	set := integration.NewSet()
//	err := sink.Register(set, sink.Config{
//		Topics: map[string]string{"arn:aws:sns:us-east-1:000000000000:orders": "http://127.0.0.1:9000/orders"},
//		Buses:  map[string]string{"default": "http://127.0.0.1:9000/events"},
//	})
package sink

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/integration"
)

// Config says where topics and buses lead.
type Config struct {
	// Topics are URLs by topic: an ARN, or its last part; "*" is every other topic.
	Topics map[string]string
	// Buses are URLs by event bus: a name; "*" is every other bus.
	Buses map[string]string
	// Region and Account are of the events. "": us-east-1 and 000000000000.
	Region, Account string
	// HTTP makes the requests. nil: a client that waits 30 s for an answer.
	HTTP *http.Client
	// Now is the clock. nil: time.Now.
	Now func() time.Time
}

// timeout is how long a sink may take to answer.
const timeout = 30 * time.Second

// Register adds the integrations of the package to set.
func Register(set *integration.Set, cfg Config) error {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Account == "" {
		cfg.Account = "000000000000"
	}
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: timeout}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	optimised := &sinks{cfg, optimisedSNS, optimisedEvents}
	sdk := &sinks{cfg, sdkSNS, sdkEvents}
	return errors.Join(
		set.Register("sns:publish", &task{optimised.publish, publishParameters}),
		set.Register("events:putEvents", &task{optimised.putEvents, eventsParameters}),
		set.Register("aws-sdk:sns:publish", &task{sdk.publish, publishParameters}),
		set.Register("aws-sdk:eventbridge:putEvents", &task{sdk.putEvents, eventsParameters}),
	)
}

// task is an integration that says what its parameters are.
type task struct {
	integration.Func
	parameters []string
}

// Parameters implements integration.Described.
func (t *task) Parameters() []string { return t.parameters }

var (
	publishParameters = []string{"TopicArn", "TargetArn", "PhoneNumber", "Message", "Subject", "MessageStructure", "MessageAttributes",
		"MessageGroupId", "MessageDeduplicationId"}
	eventsParameters = []string{"Entries", "EndpointId"}
)

// sinks are the integrations of one kind, optimised or of the AWS SDK.
type sinks struct {
	Config
	sns, events serviceError
}

// find returns the URL for the first of names that has one, or that of all others.
func find(urls map[string]string, names ...string) (string, bool) {
	for _, name := range append(names, "*") {
		if u, ok := urls[name]; ok {
			return u, true
		}
	}
	return "", false
}

// serviceError words failures as AWS's Java SDKs do, after which Step Functions names them: the first its optimised
// integrations', the second those of the AWS SDK.
type serviceError struct {
	prefix, service, general string
	sdk                      bool
}

var (
	optimisedSNS    = serviceError{"SNS", "AmazonSNS", "AmazonSNSException", false}
	optimisedEvents = serviceError{"EventBridge", "AmazonEventBridge", "AmazonEventBridgeException", false}
	sdkSNS          = serviceError{"Sns", "Sns", "SnsException", true}
	sdkEvents       = serviceError{"EventBridge", "EventBridge", "EventBridgeException", true}
)

func (e serviceError) fail(class, code string, status int, request, format string, args ...any) *integration.Error {
	if class == "" {
		class = e.general
	}
	if e.sdk {
		return integration.Errorf(e.prefix+"."+class, "%s (Service: %s, Status Code: %d, Request ID: %s)", fmt.Sprintf(format, args...), e.service, status, request)
	}
	return integration.Errorf(e.prefix+"."+class, "%s (Service: %s; Status Code: %d; Error Code: %s; Request ID: %s; Proxy: null)",
		fmt.Sprintf(format, args...), e.service, status, code, request)
}

// post delivers body. An error is why it was not taken.
func (s *sinks) post(ctx context.Context, e serviceError, to, request string, body []byte, headers map[string]string) *integration.Error {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return integration.Errorf(e.prefix+".SdkClientException", "Unable to execute HTTP request: %v", err)
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	r.Header.Set("User-Agent", "weft")
	res, err := s.HTTP.Do(r)
	if err != nil {
		var u *url.Error
		if errors.As(err, &u) {
			err = u.Err
		}
		return integration.Errorf(e.prefix+".SdkClientException", "Unable to execute HTTP request: POST %s: %v; is the sink running?", to, err)
	}
	defer func() { _ = res.Body.Close() }()
	const most = 4 << 10
	text, _ := io.ReadAll(io.LimitReader(res.Body, most))
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return e.fail("", "InternalFailure", res.StatusCode, request, "the sink %s answered %s: %s", to, res.Status, bytes.ToValidUTF8(text, nil))
	}
	return nil
}

// uuid returns an id that is the same for every attempt of a call: the i-th of its kind.
func uuid(req *integration.Request, kind string, i int) string {
	b := sha256.Sum256(fmt.Appendf(nil, "%s\x00%s\x00%d", req.Key, kind, i))
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:16])
}

// answered is an answer with what optimised integrations show of the HTTP answer beside it.
func (s *sinks) answered(o *jsonvalue.Object, contentType, request string) []byte {
	if s.sns.sdk {
		return jsonvalue.Append(nil, o)
	}
	headers := [][2]string{
		{"x-amzn-RequestId", request}, {"Content-Type", contentType}, {"Date", s.Now().UTC().Format(http.TimeFormat)},
		{"Content-Length", fmt.Sprint(len(jsonvalue.Append(nil, o)))}, {"connection", "keep-alive"},
	}
	all, each := jsonvalue.NewObject(len(headers)), jsonvalue.NewObject(len(headers))
	for _, h := range headers {
		all.Set(h[0], []any{h[1]})
		each.Set(h[0], h[1])
	}
	o.Set("SdkHttpMetadata", object("AllHttpHeaders", all, "HttpHeaders", each, "HttpStatusCode", jsonvalue.Int(http.StatusOK)))
	o.Set("SdkResponseMetadata", object("RequestId", request))
	return jsonvalue.Append(nil, o)
}

// object makes an object of keys and values in turn.
func object(pairs ...any) *jsonvalue.Object {
	o := jsonvalue.NewObject(len(pairs) / 2)
	for i := 0; i < len(pairs); i += 2 {
		o.Set(pairs[i].(string), pairs[i+1])
	}
	return o
}

// arguments are a call's arguments.
type arguments struct{ *jsonvalue.Object }

func read(req *integration.Request) (arguments, *integration.Error) {
	v, err := jsonvalue.Parse(req.Arguments)
	o, ok := v.(*jsonvalue.Object)
	if err != nil || !ok {
		return arguments{}, integration.Errorf("States.Runtime", "The Parameters of %s must be an object", req.Name)
	}
	return arguments{o}, nil
}

// text returns a member that becomes a string: any other value is its JSON, null and a missing one are "".
func (a arguments) text(key string) string {
	v, _ := a.Get(key)
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return jsonvalue.Text(v)
}

// last is the last part of an ARN.
func last(arn, sep string) string { return arn[strings.LastIndex(arn, sep)+1:] }
