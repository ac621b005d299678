package lambdaapi

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/faas/sqsapi"
)

// Queues is where event source mappings take messages from: sqsapi.Server.
type Queues interface {
	// Receive takes up to most messages out of the queue with an ARN, waiting for the first; hidden negative: for the
	// queue's own visibility time-out.
	Receive(ctx context.Context, arn string, most int, wait, hidden time.Duration) ([]sqsapi.Message, error)
	// Delete removes messages that were received.
	Delete(arn string, receipts ...string) error
	// Visibility is the visibility time-out of the queue with an ARN.
	Visibility(arn string) (time.Duration, error)
}

const (
	// mostBatch bounds the messages of one call, as Lambda without a batching window.
	mostBatch = 10
	// batches is how many calls a mapping has under way at a time (Lambda begins with 5 and adds more).
	batches = 5
	// pollEvery is how long a mapping waits at an empty queue before it asks again, and after an error.
	pollEvery = 20 * time.Second
	pollAgain = time.Second
)

// mapping is an event source mapping. What has begun to poll does not change, but for State, which belongs to Server.mu.
type mapping struct {
	UUID                string
	EventSourceArn      string
	FunctionArn         string
	BatchSize           int
	BatchWindow         int `json:"MaximumBatchingWindowInSeconds"`
	State               string
	StateReason         string   `json:"StateTransitionReason"`
	LastModified        float64  // Unix seconds
	ResponseTypes       []string `json:"FunctionResponseTypes,omitempty"`
	EventSourceMapping  string   `json:"EventSourceMappingArn"`
	name, region, owner string
	stop                context.CancelFunc
}

// createMapping is CreateEventSourceMapping, for queues.
func (s *Server) createMapping(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		mapping
		FunctionName string
		Enabled      *bool
		BatchSize    *int
	}
	if err := read(r, "CreateEventSourceMapping", requestBytes, &in); err != nil {
		return err
	}
	name := function.NameOf(in.FunctionName)
	settings, err := s.service.Settings(name)
	if err != nil {
		return err
	}
	m := &mapping{
		UUID: uuid.NewString(), EventSourceArn: in.EventSourceArn, FunctionArn: s.service.ARN(name), BatchSize: mostBatch, State: "Creating",
		StateReason: "USER_INITIATED", LastModified: float64(time.Now().UnixMilli()) / 1000, ResponseTypes: in.ResponseTypes,
		name: name, region: s.service.Region(), owner: s.service.Account(),
	}
	m.EventSourceMapping = strings.TrimSuffix(s.service.ARN(""), "function:") + "event-source-mapping:" + m.UUID
	if in.BatchSize != nil {
		m.BatchSize = *in.BatchSize
	}
	if m.BatchSize < 1 || m.BatchSize > mostBatch {
		return outOfRange("batchSize", m.BatchSize, 1, mostBatch)
	}
	if s.cfg.Queues == nil || !strings.HasPrefix(m.EventSourceArn, "arn:aws:sqs:") {
		return invalidParameter("Unrecognized event source: this endpoint takes messages from queues only, and from none if it has none.")
	}
	visibility, err := s.cfg.Queues.Visibility(m.EventSourceArn)
	if err != nil {
		return invalidParameter("Error occurred while ReceiveMessage. SQS Error Code: AWS.SimpleQueueService.NonExistentQueue. SQS Error Message: The specified queue does not exist.")
	}
	if visibility < settings.Timeout {
		return invalidParameter("Queue visibility timeout: " + seconds(visibility) + " seconds is less than Function timeout: " + seconds(settings.Timeout) + " seconds")
	}
	return s.addMapping(w, m, in.Enabled == nil || *in.Enabled)
}

func seconds(d time.Duration) string {
	return strings.TrimSuffix(d.Truncate(time.Second).String(), "s")
}

// addMapping begins to take messages.
func (s *Server) addMapping(w http.ResponseWriter, m *mapping, enabled bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, other := range s.mappings {
		if other.EventSourceArn == m.EventSourceArn && other.FunctionArn == m.FunctionArn {
			return conflict("An event source mapping with SQS arn (\" " + m.EventSourceArn + " \") and function (\" " + m.name + " \") already exists. " +
				"Please update or delete the existing mapping with UUID " + other.UUID)
		}
	}
	if s.closed {
		return &apiError{status: http.StatusServiceUnavailable, name: "ServiceException", message: "the endpoint is closing"}
	}
	reply(w, http.StatusAccepted, m)
	s.begin(m, enabled)
	return nil
}

// begin makes a mapping what it says, and has it polled if it is enabled. The caller holds mu.
func (s *Server) begin(m *mapping, enabled bool) {
	ctx, stop := context.WithCancel(context.Background())
	m.stop = stop
	s.mappings[m.UUID] = m
	m.State = "Disabled"
	if enabled {
		m.State = "Enabled"
		for range batches {
			s.alive.Go(func() { s.poll(ctx, m) })
		}
	}
}

// updateMapping is UpdateEventSourceMapping. Calls under way end as they were.
func (s *Server) updateMapping(w http.ResponseWriter, r *http.Request) error {
	var in struct {
		FunctionName          string
		BatchSize             *int
		Enabled               *bool
		FunctionResponseTypes *[]string
	}
	if err := read(r, "UpdateEventSourceMapping", requestBytes, &in); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.mappings[r.PathValue("uuid")]
	switch {
	case was == nil:
		return notFound("The resource you requested does not exist.")
	case s.closed:
		return &apiError{status: http.StatusServiceUnavailable, name: "ServiceException", message: "the endpoint is closing"}
	}
	m, enabled := *was, was.State == "Enabled"
	if in.FunctionName != "" {
		m.name = function.NameOf(in.FunctionName)
		m.FunctionArn = s.service.ARN(m.name)
		if _, err := s.service.Settings(m.name); err != nil {
			return err
		}
	}
	if in.BatchSize != nil {
		m.BatchSize = *in.BatchSize
	}
	if m.BatchSize < 1 || m.BatchSize > mostBatch {
		return outOfRange("batchSize", m.BatchSize, 1, mostBatch)
	}
	if in.Enabled != nil {
		enabled = *in.Enabled
	}
	if in.FunctionResponseTypes != nil {
		m.ResponseTypes = *in.FunctionResponseTypes
	}
	was.stop()
	m.State, m.LastModified = "Updating", float64(time.Now().UnixMilli())/1000
	reply(w, http.StatusAccepted, &m)
	s.begin(&m, enabled)
	return nil
}

// poll hands messages to a function until ctx ends or the Server closes.
func (s *Server) poll(ctx context.Context, m *mapping) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s.alive.Go(func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	})
	for ctx.Err() == nil {
		got, err := s.cfg.Queues.Receive(ctx, m.EventSourceArn, m.BatchSize, pollEvery, -1)
		if err != nil {
			select {
			case <-ctx.Done():
			case <-time.After(pollAgain):
			}
			continue
		}
		if len(got) > 0 {
			s.hand(context.WithoutCancel(ctx), m, got)
		}
	}
}

// sqsRecord is what a function gets of a message.
type sqsRecord struct {
	MessageID         string               `json:"messageId"`
	Receipt           string               `json:"receiptHandle"`
	Body              string               `json:"body"`
	Attributes        map[string]string    `json:"attributes"`
	MessageAttributes map[string]attribute `json:"messageAttributes"`
	MD5               string               `json:"md5OfBody"`
	Source            string               `json:"eventSource"`
	SourceARN         string               `json:"eventSourceARN"`
	Region            string               `json:"awsRegion"`
}

type attribute struct {
	StringValue *string `json:"stringValue,omitempty"`
	BinaryValue []byte  `json:"binaryValue,omitempty"`
	DataType    string  `json:"dataType"`
}

// hand calls the function with messages and deletes those that it is done with. The others become visible again.
func (s *Server) hand(ctx context.Context, m *mapping, got []sqsapi.Message) {
	records := make([]sqsRecord, len(got))
	for i := range got {
		records[i] = m.record(&got[i])
	}
	payload, err := json.Marshal(map[string]any{"Records": records})
	if err != nil {
		panic("lambdaapi: an event: " + err.Error()) // it is made of texts
	}
	answer, err := s.service.Invoke(ctx, m.name, payload)
	if err != nil || answer.FunctionError != "" {
		return
	}
	failed := m.failures(answer.Payload)
	var done []string
	for i := range got {
		if !failed(got[i].ID) {
			done = append(done, got[i].Receipt)
		}
	}
	_ = s.cfg.Queues.Delete(m.EventSourceArn, done...) // a queue that is gone has nothing to delete
}

func (m *mapping) record(msg *sqsapi.Message) sqsRecord {
	r := sqsRecord{
		MessageID: msg.ID, Receipt: msg.Receipt, Body: msg.Body, Attributes: msg.System(m.owner), MD5: msg.MD5,
		Source: "aws:sqs", SourceARN: m.EventSourceArn, Region: m.region, MessageAttributes: map[string]attribute{},
	}
	for name, a := range msg.Attributes {
		r.MessageAttributes[name] = attribute{a.StringValue, a.BinaryValue, a.DataType}
	}
	return r
}

// failures says which messages a function reports as failed, if it may report some. An answer that is no such report
// fails all, as on Lambda.
func (m *mapping) failures(answer []byte) func(id string) bool {
	none := func(string) bool { return false }
	if !slices.Contains(m.ResponseTypes, "ReportBatchItemFailures") || string(answer) == "null" {
		return none
	}
	var report struct {
		Failures []struct {
			ID string `json:"itemIdentifier"`
		} `json:"batchItemFailures"`
	}
	if err := json.Unmarshal(answer, &report); err != nil {
		return func(string) bool { return true }
	}
	failed := map[string]bool{}
	for _, f := range report.Failures {
		failed[f.ID] = true
	}
	return func(id string) bool { return failed[id] || failed[""] }
}

// getMapping is GetEventSourceMapping.
func (s *Server) getMapping(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mappings[r.PathValue("uuid")]
	if m == nil {
		return notFound("The resource you requested does not exist.")
	}
	reply(w, http.StatusOK, m)
	return nil
}

// listMappings is ListEventSourceMappings.
func (s *Server) listMappings(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	source, name := query.Get("EventSourceArn"), function.NameOf(query.Get("FunctionName"))
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*mapping
	for _, id := range slices.Sorted(maps.Keys(s.mappings)) {
		m := s.mappings[id]
		if (source == "" || source == m.EventSourceArn) && (name == "" || name == m.name) {
			all = append(all, m)
		}
	}
	return listed(w, r, "EventSourceMappings", all)
}

// deleteMapping is DeleteEventSourceMapping. Calls under way end.
func (s *Server) deleteMapping(w http.ResponseWriter, r *http.Request) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mappings[r.PathValue("uuid")]
	if m == nil {
		return notFound("The resource you requested does not exist.")
	}
	m.stop()
	delete(s.mappings, m.UUID)
	m.State = "Deleting"
	reply(w, http.StatusAccepted, m)
	return nil
}
