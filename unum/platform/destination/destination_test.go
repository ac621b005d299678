package destination_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/platform/destination"
	"github.com/weftworks/weft/unum/protocol"
)

const frame = `{"version":"1.0","timestamp":"2026-01-02T03:04:05.678Z","requestContext":{"requestId":"e4b4","functionArn":` +
	`"arn:aws:lambda:us-east-2:1:function:f:$LATEST","condition":%q,"approximateInvokeCount":3},"requestPayload":%s%s}`

func TestUnwrap(t *testing.T) {
	t.Parallel()
	const request = `{"v":1,"run":"r1","function":"f","lines":[{"step":3}]}`
	answer := func(status int, payload string) string {
		return fmt.Sprintf(`,"responseContext":{"statusCode":%d,"executedVersion":"$LATEST","functionError":"Unhandled"},"responsePayload":%s`, status, payload)
	}
	for _, c := range []struct{ name, condition, response, kind, cause string }{
		{"a crash", "RetriesExhausted", answer(200, `{"errorType":"Runtime.ExitError","errorMessage":"gone"}`), "Runtime.ExitError", `{"errorType":"Runtime.ExitError","errorMessage":"gone"}`},
		{"a time-out", "RetriesExhausted", answer(200, `{"errorType":"Sandbox.Timedout","errorMessage":"3 s"}`), "Sandbox.Timedout", `{"errorType":"Sandbox.Timedout","errorMessage":"3 s"}`},
		{"no type", "RetriesExhausted", answer(200, `{"errorMessage":"hm"}`), "Lambda.Unknown",
			`The cause could not be determined because Lambda did not return an error type. Returned payload: {"errorMessage":"hm"}`},
		{"never run", "EventAgeExceeded", "", "Lambda.TooManyRequestsException", `{"errorType":"Lambda.TooManyRequestsException","errorMessage":"Rate Exceeded."}`},
		{"throttled", "EventAgeExceeded", answer(429, `null`), "Lambda.TooManyRequestsException", `{"errorType":"Lambda.TooManyRequestsException","errorMessage":"Rate Exceeded."}`},
		{"the service", "RetriesExhausted", answer(500, `null`), "Lambda.ServiceException", `{"errorType":"Lambda.ServiceException","errorMessage":"Lambda answered with status 500"}`},
	} {
		payload, err := destination.Unwrap(fmt.Appendf(nil, frame, c.condition, request, c.response))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got protocol.Request
		if err := json.Unmarshal(payload, &got); err != nil {
			t.Fatal(err)
		}
		want := protocol.Request{Version: 1, Run: "r1", Function: "f", Lines: []protocol.Line{{Step: 3}},
			Failure: &protocol.Outcome{Kind: protocol.Broken, Error: c.kind, Cause: c.cause, Now: 1767323045678}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	for _, plain := range []string{request, `[1]`, `"x"`, ``, `{"requestContext":{}}`} {
		if got, err := destination.Unwrap([]byte(plain)); err != nil || string(got) != plain {
			t.Errorf("%s became %s, %v", plain, got, err)
		}
	}
	for _, bad := range []string{fmt.Sprintf(frame, "Success", request, ""), fmt.Sprintf(frame, "RetriesExhausted", "7", "")} {
		if _, err := destination.Unwrap([]byte(bad)); !fault.Is(err, fault.InvalidInput) {
			t.Errorf("%s: %v", bad, err)
		}
	}
}

// TestUnwrapKeepsTheRequest holds the record to what a request may have, whatever is in it.
func TestUnwrapKeepsTheRequest(t *testing.T) {
	t.Parallel()
	req := protocol.Request{Version: 1, Run: "r", Function: strings.Repeat("é\"", 100), State: []byte("\x00\xff<>"), StateRef: "b",
		Lines: []protocol.Line{{Step: 1}, {Name: "7", Nonce: "n", Step: 2, Index: 7, Size: 9, Iteration: 3}}, Inputs: []string{"a"}, Timer: 5,
		Collect: protocol.Garbage{Blobs: []string{"x"}, Scopes: []protocol.Scope{{Key: "k", Step: 1, Width: 2}}}}
	b, err := json.Marshal(req)
	if err != nil {
		t.Fatal(err)
	}
	out, err := destination.Unwrap(fmt.Appendf(nil, frame, "RetriesExhausted", b, ""))
	if err != nil {
		t.Fatal(err)
	}
	var got protocol.Request
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	got.Failure = nil
	if diff := cmp.Diff(req, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// FuzzUnwrap holds that what comes out is the event itself, a request with a failure, or a refusal.
func FuzzUnwrap(f *testing.F) {
	const request = `{"v":1,"run":"r1","function":"f","lines":[{"step":3}]}`
	f.Add([]byte(request))
	f.Add(fmt.Appendf(nil, frame, "RetriesExhausted", request, ""))
	f.Add(fmt.Appendf(nil, frame, "EventAgeExceeded", request, ""))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, event []byte) {
		out, err := destination.Unwrap(event)
		if err != nil {
			if !fault.Is(err, fault.InvalidInput) {
				t.Error(err)
			}
			return
		}
		var got protocol.Request
		if string(out) != string(event) && (json.Unmarshal(out, &got) != nil || got.Failure == nil || got.Run == "") {
			t.Errorf("%s became %s", event, out)
		}
	})
}
