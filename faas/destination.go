package faas

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"github.com/weftworks/weft/engine/function"
)

// condition is why an event is over, in Lambda's words.
type condition string

const (
	success          condition = "Success"
	retriesExhausted condition = "RetriesExhausted"
	eventAgeExceeded condition = "EventAgeExceeded"
)

// record is what a destination gets, members in Lambda's order. An event that was never executed has no response.
type record struct {
	Version   string `json:"version"`
	Timestamp string `json:"timestamp"`
	Request   struct {
		ID       string    `json:"requestId"`
		Function string    `json:"functionArn"`
		Why      condition `json:"condition"`
		Count    int       `json:"approximateInvokeCount"`
	} `json:"requestContext"`
	Input    json.RawMessage  `json:"requestPayload"`
	Response *responseContext `json:"responseContext,omitempty"`
	Output   json.RawMessage  `json:"responsePayload,omitempty"`
}

type responseContext struct {
	Status  int    `json:"statusCode"`
	Version string `json:"executedVersion"`
	Error   string `json:"functionError,omitempty"`
}

// record describes an event that is over.
func (s *Service) record(e *event, why condition, now time.Time) []byte {
	r := record{Version: "1.0", Timestamp: now.UTC().Format("2006-01-02T15:04:05.000Z"), Input: e.payload}
	r.Request.ID, r.Request.Function = e.id, s.ARN(e.function)+":"+Version
	r.Request.Why, r.Request.Count = why, e.executed
	if e.last != nil {
		r.Response = &responseContext{200, Version, e.last.FunctionError}
		r.Output = e.last.Payload
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // it must not grow
	if err := enc.Encode(&r); err != nil {
		panic("faas: a record: " + err.Error()) // payloads have been checked
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// over ends an event and sends its record where the function's settings say. The caller holds mu.
func (s *Service) over(f *deployed, e *event, why condition) {
	destination := f.settings.OnSuccess
	if why != success {
		s.stats.Exhausted++
		destination = f.settings.OnFailure
	}
	if destination == "" {
		s.forget(e)
		if why != success {
			s.cfg.Log.Warn("an event is given up", "function", e.function, "request", e.id, "why", why, "executed", e.executed)
		}
		return
	}
	body := s.record(e, why, time.Now())
	target, unknown := s.find("faas.over", destination)
	switch {
	case len(body) > AsyncBytes:
		s.lose(e, destination, "the record has more bytes than an event may have")
	case unknown == nil:
		if _, err := s.add(target.name, body, time.Time{}); err != nil {
			s.lose(e, destination, err.Error())
		}
	case s.cfg.Deliver != nil && strings.HasPrefix(destination, "arn:") && function.NameOf(destination) == destination:
		s.stats.Running++ // so that Wait waits
		s.alive.Add(1)
		go s.carry(e, destination, body)
		return
	default:
		s.lose(e, destination, "there is no such function")
	}
	s.forget(e)
}

// carry takes a record out of the Service.
func (s *Service) carry(e *event, destination string, body []byte) {
	err := s.cfg.Deliver(s.ctx, destination, body)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.lose(e, destination, err.Error())
	}
	s.forget(e)
	s.stats.Running--
	s.alive.Done()
	s.rest()
}

// lose counts a record that reaches nobody. The caller holds mu.
func (s *Service) lose(e *event, destination, why string) {
	s.stats.Lost++
	s.cfg.Log.Warn("the record of an event is lost", "function", e.function, "request", e.id, "destination", destination, "why", why)
}
