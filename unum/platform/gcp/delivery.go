package gcp

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/weftworks/weft/fault"
)

// delivery is what came in a request of HTTP.
type delivery struct {
	payload []byte
	// attempt is how often it was delivered before; -1: nobody says.
	attempt int
	// previous is the status of the answer to the delivery before; 0: there was none.
	previous int
	// function and notBefore are set of what has come before its time.
	function  string
	notBefore time.Time
}

// messagePublished is the type of the CloudEvent of a Pub/Sub message.
const messagePublished = "google.cloud.pubsub.topic.v1.messagePublished"

// envelope is how a push subscription wraps a message, and the data of its CloudEvent.
type envelope struct {
	Message *struct {
		Data []byte `json:"data"` // in base64
		ID   string `json:"messageId"`
	} `json:"message"`
	Subscription string `json:"subscription"`
	Attempt      int    `json:"deliveryAttempt"` // from 1 on; 0: the subscription has no dead-letter policy
}

// cloudEvent is one in structured mode.
type cloudEvent struct {
	Type   string          `json:"type"`
	Data   json.RawMessage `json:"data"`
	Base64 []byte          `json:"data_base64"`
}

// decode finds the payload of a request in what it was wrapped in.
func decode(h http.Header, body []byte) (*delivery, error) {
	d := &delivery{payload: body, attempt: -1}
	if err := d.headers(h); err != nil {
		return nil, err
	}
	kind := h.Get("Ce-Type")
	if media, _, err := mime.ParseMediaType(h.Get("Content-Type")); err == nil && media == "application/cloudevents+json" {
		var e cloudEvent
		if err := json.Unmarshal(body, &e); err != nil {
			return nil, fault.New("gcp.decode", fault.InvalidInput, "", "the body is no CloudEvent: %v", err)
		}
		kind, d.payload = e.Type, e.Data
		if e.Data == nil {
			d.payload = e.Base64
		}
	}
	var e envelope
	wrapped := json.Unmarshal(d.payload, &e) == nil && e.Message != nil && (e.Subscription != "" || e.Message.ID != "")
	switch {
	case wrapped:
		d.payload = e.Message.Data
		if e.Attempt > 0 {
			d.attempt = e.Attempt - 1
		}
	case kind == messagePublished:
		return nil, fault.New("gcp.decode", fault.InvalidInput, "", "the CloudEvent is a Pub/Sub message and has none")
	}
	return d, nil
}

// headers reads what Cloud Tasks says, and what Invoke has it say.
func (d *delivery) headers(h http.Header) (err error) {
	number := func(name string, otherwise int) int {
		v := h.Get(name)
		if v == "" {
			return otherwise
		}
		n, e := strconv.Atoi(strings.TrimSpace(v))
		if e != nil || n < 0 {
			err = fault.New("gcp.decode", fault.InvalidInput, "", "the header %s is %q and should be a number", name, v)
		}
		return n
	}
	d.attempt = number("X-CloudTasks-TaskRetryCount", -1)
	d.previous = number("X-CloudTasks-TaskPreviousResponse", 0)
	if at := number(notBeforeHeader, 0); at > 0 {
		d.notBefore = time.UnixMilli(int64(at))
		if d.function, err = url.QueryUnescape(h.Get(functionHeader)); err != nil {
			return fault.New("gcp.decode", fault.InvalidInput, "", "the header %s cannot be read: %w", functionHeader, err)
		}
	}
	return err
}

// broken names what became of executions that have given no answer, in the words of AWS Lambda.
func (d *delivery) broken() (name, cause string) {
	switch d.previous {
	case 0:
		return "Runtime.ExitError", "The function gave no answer."
	case http.StatusTooManyRequests:
		return "Lambda.TooManyRequestsException", "No instance of the function was available."
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "Sandbox.Timedout", "The function took longer than its time-out."
	default:
		return "Runtime.ExitError", "The function ended without an answer of its own: HTTP status " + strconv.Itoa(d.previous) + "."
	}
}
