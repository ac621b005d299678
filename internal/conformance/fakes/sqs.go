package fakes

import (
	"cmp"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
)

// SQS is queues in memory behind the JSON protocol of Amazon SQS: create, find, send, receive, delete and purge. Every
// queue whose URL names this server exists once something has been sent to it or it was created, unless Strict.
type SQS struct {
	// Strict refuses queues that were not created.
	Strict bool

	mu     sync.Mutex
	queues map[string][]Message // by the last part of their URL
	serial int
}

// Message is one message of a queue.
type Message struct {
	ID, Body, Receipt string
	Attributes        map[string]any // MessageAttributes, as they were sent
	Group, Dedup      string
	invisible         bool
}

// Create makes a queue.
func (s *SQS) Create(queue string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.create(queue)
}

func (s *SQS) create(queue string) {
	if s.queues == nil {
		s.queues = map[string][]Message{}
	}
	if s.queues[queue] == nil {
		s.queues[queue] = []Message{}
	}
}

// Messages returns what a queue holds, the oldest first.
func (s *SQS) Messages(queue string) []Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.queues[queue])
}

// Take removes and returns the oldest message of a queue.
func (s *SQS) Take(queue string) (Message, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := s.queues[queue]
	if len(list) == 0 {
		return Message{}, false
	}
	s.queues[queue] = list[1:]
	return list[0], true
}

// sqsRequest has the members of all requests that the fake knows.
type sqsRequest struct {
	QueueURL    *string `json:"QueueUrl"`
	QueueName   string
	MessageBody *string
	Attributes  map[string]any `json:"MessageAttributes"`
	GroupID     string         `json:"MessageGroupId"`
	DedupID     string         `json:"MessageDeduplicationId"`
	Most        int            `json:"MaxNumberOfMessages"`
	Receipt     string         `json:"ReceiptHandle"`
}

// ServeHTTP answers a request of the SQS API.
func (s *SQS) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	id := uuid(s.serial)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	w.Header().Set("x-amzn-RequestId", id)
	var in sqsRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		refuse(w, "com.amazonaws.sqs#InvalidAttributeValue", err.Error())
		return
	}
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	queue := in.QueueName
	if in.QueueURL != nil {
		queue = path.Base(*in.QueueURL)
	}
	switch {
	case queue == "" && action != "ListQueues":
		refuse(w, "com.amazonaws.sqs#MissingParameter", "The request must contain the parameter QueueUrl.")
		return
	case s.Strict && s.queues[queue] == nil && action != "CreateQueue" && action != "ListQueues":
		w.Header().Set("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Sender")
		refuse(w, "com.amazonaws.sqs#QueueDoesNotExist", "The specified queue does not exist.")
		return
	}
	s.act(w, r, action, queue, &in)
}

func (s *SQS) act(w http.ResponseWriter, r *http.Request, action, queue string, in *sqsRequest) {
	switch action {
	case "CreateQueue", "GetQueueUrl":
		s.create(queue)
		reply(w, map[string]any{"QueueUrl": "http://" + r.Host + "/000000000000/" + queue})
	case "SendMessage":
		s.send(w, queue, in)
	case "ReceiveMessage":
		s.receive(w, queue, cmp.Or(in.Most, 1))
	case "DeleteMessage":
		s.queues[queue] = slices.DeleteFunc(s.queues[queue], func(m Message) bool { return m.Receipt == in.Receipt })
		reply(w, map[string]any{})
	case "PurgeQueue":
		s.queues[queue] = []Message{}
		reply(w, map[string]any{})
	case "GetQueueAttributes":
		reply(w, map[string]any{"Attributes": map[string]string{
			"QueueArn": "arn:aws:sqs:us-east-1:000000000000:" + queue, "ApproximateNumberOfMessages": fmt.Sprint(len(s.queues[queue])),
		}})
	default:
		refuse(w, "com.amazonaws.sqs#UnsupportedOperation", "the fake has no "+action)
	}
}

func (s *SQS) send(w http.ResponseWriter, queue string, in *sqsRequest) {
	if in.MessageBody == nil || *in.MessageBody == "" {
		w.Header().Set("x-amzn-query-error", "MissingParameter;Sender")
		refuse(w, "com.amazonaws.sqs#MissingParameter", "The request must contain the parameter MessageBody.")
		return
	}
	s.create(queue)
	m := Message{ID: uuid(s.serial | 1<<20), Body: *in.MessageBody, Receipt: fmt.Sprintf("receipt-%d", s.serial),
		Attributes: in.Attributes, Group: in.GroupID, Dedup: in.DedupID}
	s.queues[queue] = append(s.queues[queue], m)
	reply(w, map[string]any{"MD5OfMessageBody": sum(m.Body), "MessageId": m.ID})
}

func (s *SQS) receive(w http.ResponseWriter, queue string, most int) {
	var list []map[string]any
	for i := range s.queues[queue] {
		m := &s.queues[queue][i]
		if m.invisible || len(list) == most {
			continue
		}
		m.invisible = true
		list = append(list, map[string]any{"MessageId": m.ID, "Body": m.Body, "MD5OfBody": sum(m.Body), "ReceiptHandle": m.Receipt})
	}
	if list == nil {
		reply(w, map[string]any{})
		return
	}
	reply(w, map[string]any{"Messages": list})
}

func sum(body string) string {
	h := md5.Sum([]byte(body))
	return hex.EncodeToString(h[:])
}
