package sink

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/integration"
)

// publish is SNS's Publish.
func (s *sinks) publish(ctx context.Context, req *integration.Request) ([]byte, error) {
	a, bad := read(req)
	if bad != nil {
		return nil, bad
	}
	request := uuid(req, "request", 0)
	topic, message, bad := s.published(a, request)
	if bad != nil {
		return nil, bad
	}
	to, ok := find(s.Topics, topic, last(topic, ":"))
	if !ok {
		return nil, s.sns.fail("NotFoundException", "NotFound", http.StatusNotFound, request,
			"Topic does not exist: name a sink for %s in weft.yaml under sinks, sns", topic)
	}
	id := uuid(req, "message", 0)
	o := object("Type", "Notification", "MessageId", id, "TopicArn", topic)
	for _, key := range []string{"Subject", "MessageGroupId", "MessageDeduplicationId"} {
		if v := a.text(key); v != "" {
			o.Set(key, v)
		}
	}
	o.Set("Message", message)
	o.Set("Timestamp", s.Now().UTC().Format("2006-01-02T15:04:05.000Z"))
	if attributes := shownAttributes(a); attributes.Len() > 0 {
		o.Set("MessageAttributes", attributes)
	}
	headers := map[string]string{
		"Content-Type": "text/plain; charset=UTF-8", "x-amz-sns-message-type": "Notification", "x-amz-sns-message-id": id, "x-amz-sns-topic-arn": topic,
	}
	if bad := s.post(ctx, s.sns, to, request, jsonvalue.Append(nil, o), headers); bad != nil {
		return nil, bad
	}
	answer := object("MessageId", id)
	if fifo(topic) {
		answer.Set("SequenceNumber", sequence(id))
	}
	return s.answered(answer, "text/xml", request), nil
}

func fifo(topic string) bool { return strings.HasSuffix(topic, ".fifo") }

// sequence makes a FIFO topic's sequence number, twenty digits, of a message's id: the sink numbers nothing.
func sequence(id string) string {
	h := sha256.Sum256([]byte(id))
	return fmt.Sprintf("%020d", binary.BigEndian.Uint64(h[:])>>1)
}

// published checks arguments as SNS does and returns the topic and the message for HTTP subscribers.
func (s *sinks) published(a arguments, request string) (topic, message string, bad *integration.Error) {
	invalid := func(format string, args ...any) *integration.Error {
		return s.sns.fail("InvalidParameterException", "InvalidParameter", http.StatusBadRequest, request, "Invalid parameter: "+format, args...)
	}
	topic = a.text("TopicArn")
	if topic == "" {
		topic = a.text("TargetArn")
	}
	message = a.text("Message")
	switch {
	case topic == "":
		return "", "", invalid("TopicArn or TargetArn Reason: no value for required parameter")
	case message == "":
		return "", "", invalid("Empty message")
	case fifo(topic) && a.text("MessageGroupId") == "":
		return "", "", invalid("The MessageGroupId parameter is required for FIFO topics")
	case a.text("MessageStructure") != "json":
		return topic, message, nil
	}
	v, err := jsonvalue.ParseString(message)
	o, ok := v.(*jsonvalue.Object)
	if err != nil || !ok {
		return "", "", invalid("Message Structure - JSON message body failed to parse")
	}
	one, found := o.Get("http")
	if !found {
		one, found = o.Get("default")
	}
	text, ok := one.(string)
	if !found || !ok {
		return "", "", invalid("Message Structure - No default entry in JSON message body")
	}
	return topic, text, nil
}

// shownAttributes are the message's attributes as subscribers see them: {NAME: {Type, Value}}.
func shownAttributes(a arguments) *jsonvalue.Object {
	shown := jsonvalue.NewObject(0)
	v, _ := a.Get("MessageAttributes")
	given, _ := v.(*jsonvalue.Object)
	if given == nil {
		return shown
	}
	for name, v := range given.All() {
		o, ok := v.(*jsonvalue.Object)
		if !ok {
			continue
		}
		one := arguments{o}
		value := one.text("StringValue")
		if value == "" {
			value = one.text("BinaryValue")
		}
		shown.Set(name, object("Type", one.text("DataType"), "Value", value))
	}
	return shown
}
