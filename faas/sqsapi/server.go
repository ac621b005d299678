package sqsapi

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Config is what a Server is made from.
type Config struct {
	// Region and Account are in the ARNs of queues. "": us-east-1 and 123456789012.
	Region, Account string
}

// Server is queues and the requests to them. It is safe for concurrent use.
type Server struct {
	cfg Config

	mu     sync.Mutex
	queues map[string]*queue
}

// New returns a Server without queues.
func New(cfg Config) *Server {
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	if cfg.Account == "" {
		cfg.Account = "123456789012"
	}
	return &Server{cfg: cfg, queues: map[string]*queue{}}
}

// ARN is that of a queue.
func (s *Server) ARN(name string) string {
	return "arn:aws:sqs:" + s.cfg.Region + ":" + s.cfg.Account + ":" + name
}

// nameOf is the name of the queue that an ARN or URL means.
func nameOf(resource string) string {
	return resource[strings.LastIndexAny(resource, ":/")+1:]
}

// apiError is an error in SQS's words: its shape in the JSON protocol, and the code that clients still go by.
type apiError struct{ shape, code, message string }

func (e *apiError) Error() string { return e.shape + ": " + e.message }

var errNoQueue = &apiError{"QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue", "The specified queue does not exist."}

func missing(name string) error {
	return &apiError{"MissingParameter", "MissingParameter", "The request must contain the parameter " + name + "."}
}

func invalid(format string, args ...any) error {
	return &apiError{"InvalidParameterValue", "InvalidParameterValue", fmt.Sprintf(format, args...)}
}

// request has the members of all requests.
type request struct {
	QueueURL   *string `json:"QueueUrl"`
	QueueName  string
	Prefix     string          `json:"QueueNamePrefix"`
	Attributes json.RawMessage // names and values
	Names      []string        `json:"AttributeNames"`
	Tags       map[string]string
	TagKeys    []string
	LowerTags  map[string]string `json:"tags"` // CreateQueue

	entry
	Entries []entry
	Most    *int `json:"MaxNumberOfMessages"`
	Wait    *int `json:"WaitTimeSeconds"`
}

// entry is one message of a request.
type entry struct {
	ID         string               `json:"Id"`
	Body       string               `json:"MessageBody"`
	Delay      *int                 `json:"DelaySeconds"`
	Visibility *int                 `json:"VisibilityTimeout"`
	Receipt    string               `json:"ReceiptHandle"`
	Message    map[string]Attribute `json:"MessageAttributes"`
}

// requestBytes bounds a request: ten messages.
const requestBytes = 10*MessageBytes*2 + 64<<10

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Amzn-RequestId", uuid.NewString())
	out, err := s.answer(r)
	w.Header().Set("Content-Type", "application/x-amz-json-1.0")
	if err == nil {
		if out == nil {
			out = struct{}{}
		}
		write(w, out)
		return
	}
	var e *apiError
	if !errors.As(err, &e) {
		e = &apiError{"InternalError", "InternalError", err.Error()}
	}
	w.Header().Set("X-Amzn-Query-Error", e.code+";Sender")
	w.WriteHeader(http.StatusBadRequest)
	write(w, map[string]string{"__type": "com.amazonaws.sqs#" + e.shape, "message": e.message})
}

func write(w http.ResponseWriter, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		panic("sqsapi: an answer: " + err.Error()) // they are made of texts and numbers
	}
	_, _ = w.Write(b) // a client that is gone needs none
}

// answer carries out a request.
func (s *Server) answer(r *http.Request) (any, error) {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, requestBytes))
	if err != nil {
		return nil, invalid("the request cannot be read: %v", err)
	}
	var in request
	if len(body) > 0 {
		if err := json.Unmarshal(body, &in); err != nil {
			return nil, &apiError{"SerializationException", "SerializationException", err.Error()}
		}
	}
	action := strings.TrimPrefix(r.Header.Get("X-Amz-Target"), "AmazonSQS.")
	switch action {
	case "CreateQueue":
		return s.create(r, &in)
	case "ListQueues":
		return s.list(r, &in), nil
	case "ReceiveMessage":
		return s.receive(r, &in)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := in.QueueName
	if action != "GetQueueUrl" {
		if in.QueueURL == nil {
			return nil, missing("QueueUrl")
		}
		name = path.Base(*in.QueueURL)
	}
	q := s.queues[name]
	if q == nil {
		return nil, errNoQueue
	}
	return s.act(r, action, q, &in)
}

// act carries out what is about one queue and does not wait. The caller holds mu.
func (s *Server) act(r *http.Request, action string, q *queue, in *request) (any, error) {
	switch action {
	case "GetQueueUrl":
		return map[string]string{"QueueUrl": s.url(r, q.name)}, nil
	case "GetQueueAttributes":
		return map[string]any{"Attributes": s.attributes(q, in.Names)}, nil
	case "SetQueueAttributes":
		return nil, s.setAttributes(q, in.Attributes)
	case "DeleteQueue":
		delete(s.queues, q.name)
		q.wake()
		return nil, nil
	case "PurgeQueue":
		q.messages = nil
		return nil, nil
	case "TagQueue":
		maps.Copy(q.tags, in.Tags)
		return nil, nil
	case "UntagQueue":
		maps.DeleteFunc(q.tags, func(name, _ string) bool { return slices.Contains(in.TagKeys, name) })
		return nil, nil
	case "ListQueueTags":
		return map[string]any{"Tags": q.tags}, nil
	case "SendMessage":
		return s.send(q, &in.entry)
	case "DeleteMessage":
		return nil, s.remove(q, &in.entry)
	case "ChangeMessageVisibility":
		return nil, s.hide(q, &in.entry)
	case "SendMessageBatch":
		return batch(in.Entries, func(e *entry) (any, error) { return s.send(q, e) })
	case "DeleteMessageBatch":
		return batch(in.Entries, func(e *entry) (any, error) { return map[string]any{}, s.remove(q, e) })
	case "ChangeMessageVisibilityBatch":
		return batch(in.Entries, func(e *entry) (any, error) { return map[string]any{}, s.hide(q, e) })
	}
	return nil, &apiError{"UnsupportedOperation", "AWS.SimpleQueueService.UnsupportedOperation", "this endpoint has no " + action}
}

// batch carries out op for each entry and answers which succeeded.
func batch(entries []entry, op func(e *entry) (any, error)) (any, error) {
	if len(entries) == 0 {
		return nil, &apiError{"EmptyBatchRequest", "AWS.SimpleQueueService.EmptyBatchRequest", "There should be at least one entry in the request."}
	}
	if len(entries) > MostReceived {
		return nil, &apiError{"TooManyEntriesInBatchRequest", "AWS.SimpleQueueService.TooManyEntriesInBatchRequest",
			fmt.Sprintf("Maximum number of entries per request are %d. You have sent %d.", MostReceived, len(entries))}
	}
	good, bad := []any{}, []any{}
	for i := range entries {
		out, err := op(&entries[i])
		var e *apiError
		if errors.As(err, &e) {
			bad = append(bad, map[string]any{"Id": entries[i].ID, "Code": e.code, "Message": e.message, "SenderFault": true})
			continue
		}
		fields := map[string]any{"Id": entries[i].ID}
		maps.Copy(fields, out.(map[string]any))
		good = append(good, fields)
	}
	return map[string]any{"Successful": good, "Failed": bad}, nil
}

// url is that of a queue, at the address that the client knows.
func (s *Server) url(r *http.Request, name string) string {
	return "http://" + r.Host + "/" + s.cfg.Account + "/" + name
}

var queueName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,80}$`)

// create is CreateQueue: again with the same attributes is no error.
func (s *Server) create(r *http.Request, in *request) (any, error) {
	if strings.HasSuffix(in.QueueName, ".fifo") {
		return nil, invalid("this endpoint has no FIFO queues")
	}
	if !queueName.MatchString(in.QueueName) {
		return nil, invalid("Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length")
	}
	attributes, err := s.parse(in.Attributes)
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[in.QueueName]; q != nil {
		for name, value := range attributes {
			if q.attributes[name] != value {
				return nil, &apiError{"QueueNameExists", "QueueAlreadyExists", "A queue already exists with the same name and a different value for attribute " + name}
			}
		}
	} else {
		q = newQueue(in.QueueName, attributes)
		maps.Copy(q.tags, in.LowerTags)
		s.queues[q.name] = q
	}
	return map[string]string{"QueueUrl": s.url(r, in.QueueName)}, nil
}

// bounds of the attributes that are numbers.
var bounds = map[string][2]int{
	"DelaySeconds": {0, 900}, "MaximumMessageSize": {1024, MessageBytes}, "MessageRetentionPeriod": {60, 1209600},
	"ReceiveMessageWaitTimeSeconds": {0, 20}, "VisibilityTimeout": {0, 43200},
}

// parse reads and checks attributes of a queue.
func (s *Server) parse(raw json.RawMessage) (map[string]string, error) {
	var attributes map[string]string
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &attributes); err != nil {
			return nil, &apiError{"SerializationException", "SerializationException", err.Error()}
		}
	}
	for name, value := range attributes {
		b, number := bounds[name]
		n, err := strconv.Atoi(value)
		if number && (err != nil || n < b[0] || n > b[1]) {
			return nil, &apiError{"InvalidAttributeValue", "InvalidAttributeValue", "Invalid value for the parameter " + name + "."}
		}
		if !number && !slices.Contains([]string{"Policy", "RedrivePolicy", "RedriveAllowPolicy", "KmsMasterKeyId", "KmsDataKeyReusePeriodSeconds", "SqsManagedSseEnabled"}, name) {
			return nil, &apiError{"InvalidAttributeName", "InvalidAttributeName", "Unknown Attribute " + name + "."}
		}
	}
	return attributes, nil
}

func (s *Server) setAttributes(q *queue, raw json.RawMessage) error {
	attributes, err := s.parse(raw)
	if err == nil {
		maps.Copy(q.attributes, attributes)
		q.modified = time.Now()
		q.wake()
	}
	return err
}

// attributes are those of a queue that were asked for.
func (s *Server) attributes(q *queue, names []string) map[string]string {
	visible, flying, delayed := q.counts()
	all := maps.Clone(q.attributes)
	maps.Copy(all, map[string]string{
		"QueueArn":                              s.ARN(q.name),
		"ApproximateNumberOfMessages":           strconv.Itoa(visible),
		"ApproximateNumberOfMessagesNotVisible": strconv.Itoa(flying),
		"ApproximateNumberOfMessagesDelayed":    strconv.Itoa(delayed),
		"CreatedTimestamp":                      strconv.FormatInt(q.made.Unix(), 10),
		"LastModifiedTimestamp":                 strconv.FormatInt(q.modified.Unix(), 10),
	})
	if !slices.Contains(names, "All") {
		maps.DeleteFunc(all, func(name, _ string) bool { return !slices.Contains(names, name) })
	}
	return all
}

// list is ListQueues, in one page.
func (s *Server) list(r *http.Request, in *request) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	urls := []string{}
	for _, name := range slices.Sorted(maps.Keys(s.queues)) {
		if strings.HasPrefix(name, in.Prefix) {
			urls = append(urls, s.url(r, name))
		}
	}
	return map[string]any{"QueueUrls": urls}
}

func (s *Server) send(q *queue, e *entry) (map[string]any, error) {
	delay := q.seconds("DelaySeconds")
	if e.Delay != nil {
		delay = time.Duration(*e.Delay) * time.Second
	}
	m, err := s.accept(q, e.Body, e.Message, delay)
	if err != nil {
		return nil, err
	}
	out := map[string]any{"MessageId": m.ID, "MD5OfMessageBody": m.MD5}
	if len(e.Message) > 0 {
		out["MD5OfMessageAttributes"] = digest(e.Message)
	}
	return out, nil
}

// digest is the MD5 sum of attributes as SQS lays them out: by name; lengths before texts; 1 for texts, 2 for bytes.
func digest(attributes map[string]Attribute) string {
	var b []byte
	text := func(s string) {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	for _, name := range slices.Sorted(maps.Keys(attributes)) {
		a := attributes[name]
		text(name)
		text(a.DataType)
		if a.StringValue != nil {
			b = append(b, 1)
			text(*a.StringValue)
		} else {
			b = append(b, 2)
			text(string(a.BinaryValue))
		}
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func (s *Server) remove(q *queue, e *entry) error {
	if e.Receipt == "" {
		return missing("ReceiptHandle")
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *stored) bool { return m.Receipt == e.Receipt })
	return nil
}

// hide is ChangeMessageVisibility.
func (s *Server) hide(q *queue, e *entry) error {
	if e.Receipt == "" || e.Visibility == nil {
		return missing("ReceiptHandle and VisibilityTimeout")
	}
	for _, m := range q.messages {
		if m.Receipt == e.Receipt {
			m.visible = time.Now().Add(time.Duration(*e.Visibility) * time.Second)
			q.wake()
		}
	}
	return nil
}

// receive is ReceiveMessage.
func (s *Server) receive(r *http.Request, in *request) (any, error) {
	if in.QueueURL == nil {
		return nil, missing("QueueUrl")
	}
	most, wait, hidden := 1, time.Duration(-1), time.Duration(-1)
	if in.Most != nil {
		most = *in.Most
	}
	if most < 1 || most > MostReceived {
		return nil, invalid("Value %d for parameter MaxNumberOfMessages is invalid. Reason: Must be between 1 and %d, if provided.", most, MostReceived)
	}
	if in.Wait != nil {
		wait = time.Duration(*in.Wait) * time.Second
	}
	if in.Visibility != nil {
		hidden = time.Duration(*in.Visibility) * time.Second
	}
	if wait > MostWait || hidden > MostVisibility {
		return nil, invalid("WaitTimeSeconds must be >= 0 and <= 20, VisibilityTimeout >= 0 and <= 43200")
	}
	if wait < 0 {
		s.mu.Lock()
		if q := s.queues[path.Base(*in.QueueURL)]; q != nil {
			wait = q.seconds("ReceiveMessageWaitTimeSeconds")
		}
		s.mu.Unlock()
	}
	got, err := s.Receive(r.Context(), *in.QueueURL, most, wait, hidden)
	if err != nil || len(got) == 0 {
		return nil, err
	}
	list := make([]map[string]any, len(got))
	for i, m := range got {
		list[i] = map[string]any{"MessageId": m.ID, "ReceiptHandle": m.Receipt, "Body": m.Body, "MD5OfBody": m.MD5, "Attributes": m.System(s.cfg.Account)}
		if len(m.Attributes) > 0 {
			list[i]["MessageAttributes"], list[i]["MD5OfMessageAttributes"] = m.Attributes, digest(m.Attributes)
		}
	}
	return map[string]any{"Messages": list}, nil
}

// System is the attributes that SQS itself gives a message. sender is who has sent it.
func (m *Message) System(sender string) map[string]string {
	return map[string]string{
		"SenderId":                         sender,
		"SentTimestamp":                    strconv.FormatInt(m.Sent.UnixMilli(), 10),
		"ApproximateFirstReceiveTimestamp": strconv.FormatInt(m.FirstReceived.UnixMilli(), 10),
		"ApproximateReceiveCount":          strconv.Itoa(m.Received),
	}
}
