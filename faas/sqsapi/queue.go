package sqsapi

import (
	"cmp"
	"context"
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// What SQS bounds, and what queues have unless told otherwise.
const (
	// MessageBytes bounds a message with its attributes (SQS: 256 KiB; since August 2025 it takes 1 MiB).
	MessageBytes = 256 << 10
	// MostDelay bounds the delay of a message.
	MostDelay = 15 * time.Minute
	// MostWait bounds how long Receive waits.
	MostWait = 20 * time.Second
	// MostReceived bounds the messages that Receive returns.
	MostReceived = 10
	// MostVisibility bounds a visibility time-out.
	MostVisibility = 12 * time.Hour
	// Messages bounds those of one queue, which SQS does not; past it SendMessage answers OverLimit.
	Messages = 1_000_000
)

// Message is a message that was received.
type Message struct {
	ID, Body, Receipt   string
	MD5                 string // of Body
	Attributes          map[string]Attribute
	Sent, FirstReceived time.Time
	Received            int // times, this one included
}

// Attribute is an attribute of a message.
type Attribute struct {
	DataType    string
	StringValue *string `json:",omitempty"`
	BinaryValue []byte  `json:",omitempty"`
}

// queue is one queue. Its fields belong to Server.mu.
type queue struct {
	name       string
	attributes map[string]string // as they were set
	tags       map[string]string
	made       time.Time
	modified   time.Time
	messages   []*stored // the oldest first
	changed    chan struct{}
}

// stored is a message in a queue.
type stored struct {
	Message
	visible time.Time // from then on
	delayed bool      // not received yet
}

// settings that a queue has by itself.
var defaults = map[string]string{
	"DelaySeconds": "0", "VisibilityTimeout": "30", "MessageRetentionPeriod": "345600",
	"ReceiveMessageWaitTimeSeconds": "0", "MaximumMessageSize": strconv.Itoa(MessageBytes), "SqsManagedSseEnabled": "true",
}

func newQueue(name string, attributes map[string]string) *queue {
	q := &queue{name: name, attributes: maps.Clone(defaults), tags: map[string]string{}, made: time.Now(), modified: time.Now(), changed: make(chan struct{})}
	maps.Copy(q.attributes, attributes)
	return q
}

// seconds is an attribute of a queue that is a time.
func (q *queue) seconds(name string) time.Duration {
	n, _ := strconv.Atoi(q.attributes[name]) // checked when it was set
	return time.Duration(n) * time.Second
}

// wake tells those who wait that the queue is another than before.
func (q *queue) wake() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// send adds a message.
func (q *queue) send(body string, attributes map[string]Attribute, delay time.Duration) *stored {
	now := time.Now()
	sum := md5.Sum([]byte(body))
	m := &stored{
		Message: Message{ID: uuid.NewString(), Body: body, MD5: hex.EncodeToString(sum[:]), Attributes: attributes, Sent: now},
		visible: now.Add(delay), delayed: delay > 0,
	}
	q.messages = append(q.messages, m)
	q.wake()
	return m
}

// redrive is a queue's RedrivePolicy.
type redrive struct {
	Target string `json:"deadLetterTargetArn"`
	Most   any    `json:"maxReceiveCount"` // a number, or one in a text
}

// take receives what is visible, at most most messages, and says when the next will be; dead takes those that were
// received too often.
func (q *queue) take(most int, hidden time.Duration, dead func(arn string, m *stored) bool) (got []Message, next time.Time) {
	now := time.Now()
	oldest := now.Add(-q.seconds("MessageRetentionPeriod"))
	target, limit := q.deadLetter()
	q.messages = slices.DeleteFunc(q.messages, func(m *stored) bool {
		switch {
		case m.Sent.Before(oldest):
			return true
		case len(got) == most:
			return false
		case m.visible.After(now):
			if next.IsZero() || m.visible.Before(next) {
				next = m.visible
			}
			return false
		case limit > 0 && m.Received >= limit:
			return dead(target, m)
		}
		if m.Received++; m.Received == 1 {
			m.FirstReceived = now
		}
		m.visible, m.delayed = now.Add(hidden), false
		m.Receipt = uuid.NewString()
		got = append(got, m.Message)
		return false
	})
	return got, next
}

// deadLetter is the queue for messages that were received limit times; limit 0: there is none.
func (q *queue) deadLetter() (target string, limit int) {
	var r redrive
	if json.Unmarshal([]byte(q.attributes["RedrivePolicy"]), &r) != nil {
		return "", 0
	}
	switch n := r.Most.(type) {
	case float64:
		limit = int(n)
	case string:
		limit, _ = strconv.Atoi(n)
	}
	return r.Target, limit
}

// counts are the approximate numbers of messages: visible, in flight, delayed.
func (q *queue) counts() (visible, flying, delayed int) {
	now := time.Now()
	for _, m := range q.messages {
		switch {
		case !m.visible.After(now):
			visible++
		case m.delayed:
			delayed++
		default:
			flying++
		}
	}
	return visible, flying, delayed
}

// Receive takes up to most messages (1 to MostReceived) out of the queue with an ARN, for its visibility time-out or
// for hidden, if that is not negative. It waits for the first for wait. An error is in SQS's words, or ctx's.
func (s *Server) Receive(ctx context.Context, arn string, most int, wait, hidden time.Duration) ([]Message, error) {
	var expired <-chan time.Time
	if wait > 0 {
		t := time.NewTimer(wait)
		defer t.Stop()
		expired = t.C
	}
	for {
		s.mu.Lock()
		q := s.queues[nameOf(arn)]
		if q == nil {
			s.mu.Unlock()
			return nil, errNoQueue
		}
		away := hidden
		if away < 0 {
			away = q.seconds("VisibilityTimeout")
		}
		got, next := q.take(most, away, func(arn string, m *stored) bool { return s.bury(q, arn, m) })
		changed := q.changed
		s.mu.Unlock()
		if len(got) > 0 || wait <= 0 {
			return got, nil
		}
		if done, err := pause(ctx, changed, expired, next); done {
			return nil, err
		}
	}
}

// pause waits until a queue has changed or a message becomes visible, or there is nothing more to wait for.
func pause(ctx context.Context, changed <-chan struct{}, expired <-chan time.Time, next time.Time) (done bool, err error) {
	var visible <-chan time.Time
	if !next.IsZero() {
		t := time.NewTimer(time.Until(next))
		defer t.Stop()
		visible = t.C
	}
	select {
	case <-changed:
	case <-visible:
	case <-expired:
		return true, nil
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
	return false, nil
}

// bury moves a message to a dead-letter queue, if that is there. The caller holds mu.
func (s *Server) bury(from *queue, arn string, m *stored) bool {
	q := s.queues[nameOf(arn)]
	if q == nil || q == from {
		return false
	}
	moved := *m
	moved.visible, moved.Received = time.Now(), 0
	q.messages = append(q.messages, &moved)
	q.wake()
	return true
}

// Delete removes messages that were received. Those that are not there count as removed.
func (s *Server) Delete(arn string, receipts ...string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[nameOf(arn)]
	if q == nil {
		return errNoQueue
	}
	q.messages = slices.DeleteFunc(q.messages, func(m *stored) bool {
		return m.Receipt != "" && slices.Contains(receipts, m.Receipt)
	})
	return nil
}

// Send adds a message to the queue with an ARN.
func (s *Server) Send(arn, body string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[nameOf(arn)]
	if q == nil {
		return errNoQueue
	}
	_, err := s.accept(q, body, nil, q.seconds("DelaySeconds"))
	return err
}

// Visibility is the visibility time-out of the queue with an ARN.
func (s *Server) Visibility(arn string) (time.Duration, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := s.queues[nameOf(arn)]
	if q == nil {
		return 0, errNoQueue
	}
	return q.seconds("VisibilityTimeout"), nil
}

// forbidden says whether messages must not have a character.
func forbidden(r rune) bool {
	return r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
}

// accept checks and adds a message. The caller holds mu.
func (s *Server) accept(q *queue, body string, attributes map[string]Attribute, delay time.Duration) (*stored, error) {
	size := len(body)
	for name, a := range attributes {
		size += len(name) + len(a.DataType) + len(a.BinaryValue)
		if a.StringValue != nil {
			size += len(*a.StringValue)
		}
	}
	most, _ := strconv.Atoi(q.attributes["MaximumMessageSize"]) // checked when it was set
	switch {
	case body == "":
		return nil, missing("MessageBody")
	case strings.ContainsFunc(body, forbidden):
		return nil, &apiError{"InvalidMessageContents", "InvalidMessageContents", "Invalid characters found. Valid unicode characters are " +
			"#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF"}
	case size > cmp.Or(most, MessageBytes):
		return nil, invalid("One or more parameters are invalid. Reason: Message must be shorter than %d bytes.", most)
	case delay < 0 || delay > MostDelay:
		return nil, invalid("Value %d for parameter DelaySeconds is invalid. Reason: DelaySeconds must be >= 0 and <= 900.", int(delay/time.Second))
	case len(q.messages) >= Messages:
		return nil, &apiError{"OverLimit", "OverLimit", "the queue is full: this endpoint keeps at most 1,000,000 messages in a queue"}
	}
	return q.send(body, attributes, delay), nil
}
