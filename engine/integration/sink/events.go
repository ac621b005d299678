package sink

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/weftworks/weft/asl/jsonvalue"
	"github.com/weftworks/weft/engine/integration"
)

// entriesMost is how many events one call may bring (EventBridge, PutEvents).
const entriesMost = 10

// putEvents is EventBridge's PutEvents. Entries that are wrong fail the task of the optimised integration, after the others
// have been delivered.
func (s *sinks) putEvents(ctx context.Context, req *integration.Request) ([]byte, error) {
	a, bad := read(req)
	if bad != nil {
		return nil, bad
	}
	request := uuid(req, "request", 0)
	v, _ := a.Get("Entries")
	entries, ok := v.([]any)
	if !ok || len(entries) == 0 || len(entries) > entriesMost {
		return nil, s.events.fail("", "ValidationException", http.StatusBadRequest, request,
			"1 validation error detected: Value at 'entries' failed to satisfy constraint: Member must have length from 1 to %d", entriesMost)
	}
	results := make([]any, len(entries))
	failed := 0
	for i, e := range entries {
		o, ok := e.(*jsonvalue.Object)
		if !ok {
			return nil, integration.Errorf("States.Runtime", "The field 'Entries[%d]' must be an object", i)
		}
		event, code, message := s.event(req, arguments{o}, uuid(req, "event", i))
		if code != "" {
			results[i] = object("ErrorCode", code, "ErrorMessage", message)
			failed++
			continue
		}
		if bad := s.deliver(ctx, arguments{o}, request, event); bad != nil {
			return nil, bad
		}
		id, _ := event.Get("id")
		results[i] = object("EventId", id)
	}
	answer := object("Entries", results, "FailedEntryCount", jsonvalue.Int(int64(failed)))
	if failed > 0 && !s.events.sdk {
		return nil, integration.Errorf("EventBridge.FailedEntry", "%s", jsonvalue.Append(nil, answer))
	}
	return s.answered(answer, "application/x-amz-json-1.1", request), nil
}

// event makes the event of an entry, or says in EventBridge's words what is wrong with it.
func (s *sinks) event(req *integration.Request, e arguments, id string) (event *jsonvalue.Object, code, message string) {
	for _, key := range []string{"Source", "DetailType", "Detail"} {
		if e.text(key) == "" {
			return nil, "InvalidArgument", "Parameter " + key + " is not valid. Reason: " + key + " is a required argument."
		}
	}
	v, err := jsonvalue.ParseString(e.text("Detail"))
	detail, ok := v.(*jsonvalue.Object)
	if err != nil || !ok {
		return nil, "MalformedDetail", "Detail is malformed."
	}
	at := s.Now()
	if text := e.text("Time"); text != "" {
		if at, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, "InvalidArgument", "Parameter Time is not valid. Reason: it is no timestamp like 2006-01-02T15:04:05Z."
		}
	}
	return object("version", "0", "id", id, "detail-type", e.text("DetailType"), "source", e.text("Source"), "account", s.Account,
		"time", at.UTC().Format("2006-01-02T15:04:05Z"), "region", s.Region, "resources", resources(req, e), "detail", detail), "", ""
}

// resources are an entry's, to which Step Functions adds the execution and its state machine.
func resources(req *integration.Request, e arguments) []any {
	v, _ := e.Get("Resources")
	given, _ := v.([]any)
	all := append([]any{}, given...)
	parts := strings.Split(req.Run, ":")
	const kind, machine = 5, 6
	if len(parts) > machine && parts[0] == "arn" {
		of := append(append([]string{}, parts[:kind]...), "stateMachine", parts[machine])
		all = append(all, req.Run, strings.Join(of, ":"))
	}
	return all
}

// deliver posts an event to its bus.
func (s *sinks) deliver(ctx context.Context, e arguments, request string, event *jsonvalue.Object) *integration.Error {
	bus := e.text("EventBusName")
	if bus == "" {
		bus = "default"
	}
	name := bus
	if strings.HasPrefix(bus, "arn:") {
		name = last(bus, "/")
	}
	to, ok := find(s.Buses, name, bus)
	if !ok {
		return s.events.fail("ResourceNotFoundException", "ResourceNotFoundException", http.StatusBadRequest, request,
			"Event bus %s does not exist: name a sink for it in weft.yaml under sinks, events", name)
	}
	return s.post(ctx, s.events, to, request, jsonvalue.Append(nil, event), map[string]string{"Content-Type": "application/json"})
}
