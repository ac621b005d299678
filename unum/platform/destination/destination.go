// Package destination tells a workflow that a platform has given up on one of its instances: it turns the record that
// AWS Lambda, or faas, sends to a function's failure destination into the request of that instance with its Failure set.
//
// The destination is a function that runs no user code, so that it can go on where the failed one could not even start:
//
//	payload, err := destination.Unwrap(event)
//	if err == nil {
//		err = runtime.Handle(ctx, payload)
//	}
package destination

import (
	"encoding/json"
	"time"

	"github.com/weftworks/weft/engine/function"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/protocol"
)

// Room is how many bytes of what a record may have are left to everything in it but the request: a platform's
// MaxPayload is less than its limit by it.
const Room = 16 << 10

// record is what Unwrap reads of a record.
type record struct {
	Version   string    `json:"version"`
	Timestamp time.Time `json:"timestamp"`
	Context   *struct {
		Condition string `json:"condition"`
	} `json:"requestContext"`
	Request  json.RawMessage `json:"requestPayload"`
	Response *struct {
		Status int    `json:"statusCode"`
		Error  string `json:"functionError"`
	} `json:"responseContext"`
	Output json.RawMessage `json:"responsePayload"`
}

// Unwrap returns the request that a function was invoked with: event itself, unless that is the record of a failed
// event; then the request in it with Failure set to what became of it, in the words of Step Functions. Two records of
// one failure give the same request but for the time.
func Unwrap(event []byte) ([]byte, error) {
	const op = "destination.Unwrap"
	var r record
	if err := json.Unmarshal(event, &r); err != nil || r.Context == nil || r.Context.Condition == "" || r.Request == nil {
		return event, nil // whatever it is, it is no record
	}
	if r.Context.Condition == "Success" {
		return nil, fault.New(op, fault.InvalidInput, "", "the record is of a success; make the function the destination of failures only")
	}
	var req protocol.Request
	if err := json.Unmarshal(r.Request, &req); err != nil || req.Run == "" {
		return nil, fault.New(op, fault.InvalidInput, "", "the record's requestPayload is no request of a workflow (%v)", err)
	}
	failure := r.failure()
	req.Failure = &protocol.Outcome{Kind: protocol.Broken, Error: failure.Type, Cause: failure.Cause, Now: r.Timestamp.UnixMilli()}
	return json.Marshal(&req)
}

// failure names what happened as Step Functions' integration with Lambda does.
func (r *record) failure() *function.Error {
	switch {
	case r.Response == nil || r.Response.Status == 429: // it never ran
		return function.Failure("Lambda.TooManyRequestsException", "Rate Exceeded.")
	case r.Response.Status >= 500:
		return function.Failure("Lambda.ServiceException", "Lambda answered with status %d", r.Response.Status)
	default:
		return function.Posted(r.Output, "")
	}
}
