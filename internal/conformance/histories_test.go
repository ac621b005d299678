package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func raw(texts []string) (list []json.RawMessage) {
	for _, text := range texts {
		list = append(list, json.RawMessage(text))
	}
	return list
}

func TestHistories(t *testing.T) {
	t.Parallel()
	const started = `{"id":1,"previousEventId":0,"type":"ExecutionStarted","timestamp":"2026-01-01T00:00:00Z","executionStartedEventDetails":{"input":"{\"n\":1,\"b\":\"<b>\"}","roleArn":"arn:aws:iam::1:role/a"}}`
	const entered = `{"id":2,"previousEventId":0,"type":"PassStateEntered","timestamp":1.5,"stateEnteredEventDetails":{"name":"P","input":"[\"2026-01-01T00:00:00.000Z\",\"0f8fad5b-d9cb-469f-a165-70867728950e\"]"}}`
	const ended = `{"id":3,"previousEventId":2,"type":"ExecutionFailed","executionFailedEventDetails":{"error":"E","cause":"call of arn:aws:lambda:eu-west-1:1:function:f failed"}}`
	for _, c := range []struct {
		name     string
		from, to string
		want     string
	}{
		{"nothing", "", "", "[]"},
		{"times", `00:00:00Z`, `11:00:00Z`, "[]"},
		{"a payload's spelling", `{\"n\":1,\"b\":\"<b>\"}`, `{\"b\": \"<b>\", \"n\": 1.0}`, "[]"},
		{"a payload's time and UUID", `[\"2026-01-01T00:00:00.000Z\",\"0f`, `[\"2025-01-01T00:00:00.123Z\",\"1f`, "[]"},
		{"an ARN", "role/a", "role/b", "[]"},
		{"an ARN in a text", "eu-west-1:1:function:f failed", "us-east-1:0:function:g failed", "[]"},
		{"the text round an ARN", "function:f failed", "function:f broke", "[{3 ExecutionFailed executionFailedEventDetails.cause: recorded"},
		{"an ARN of another service", "arn:aws:iam", "arn:aws:sqs", "[{1 ExecutionStarted executionStartedEventDetails.roleArn: recorded"},
		{"a payload", `\"n\":1`, `\"n\":2`, "[{1 ExecutionStarted executionStartedEventDetails.input.n: recorded 1, ours is 2}]"},
		{"what looks like a token", "<b>", "<i>", "[{1 ExecutionStarted executionStartedEventDetails.input.b: recorded"},
		{"a type", "PassStateEntered", "WaitStateEntered", "[{0  event 2: recorded PassStateEntered 2<-0, ours is WaitStateEntered 2<-0}]"},
		{"a previous id", `"previousEventId":2`, `"previousEventId":1`, "[{0  event 3: recorded ExecutionFailed 3<-2, ours is ExecutionFailed 3<-1}]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			theirs := []string{ended, entered, started} // as --reverse-order has them
			var ours []string
			for _, e := range slices.Backward(theirs) {
				ours = append(ours, strings.Replace(e, c.from, c.to, 1))
			}
			found, err := Histories(raw(theirs), raw(ours))
			if got := fmt.Sprint(found); err != nil || !strings.HasPrefix(got, c.want) {
				t.Errorf("%v %s\nwant %s", err, got, c.want)
			}
		})
	}
	if found, err := Histories(raw([]string{started, entered}), raw([]string{started})); err != nil || len(found) != 1 || !strings.Contains(found[0].What, "ours is nothing") {
		t.Errorf("an event less: %v %v", found, err)
	}
	if _, err := Histories(raw([]string{`{"name": "x"}`}), nil); err == nil {
		t.Error("what is no history was compared")
	}
}

// TestHistoriesOfBranches holds that branches may take turns otherwise.
func TestHistoriesOfBranches(t *testing.T) {
	t.Parallel()
	events, _ := ours()
	other := slices.Clone(events)
	for _, swap := range [][2]string{{`"id":5,"previousEventId":4`, `"id":6,"previousEventId":4`}, {`"id":6,"previousEventId":3`, `"id":5,"previousEventId":3`},
		{`"id":7,"previousEventId":6`, `"id":7,"previousEventId":5`}} {
		for i := range other {
			if strings.Contains(events[i], swap[0]) {
				other[i] = strings.Replace(events[i], swap[0], swap[1], 1)
			}
		}
	}
	if found, err := Histories(raw(events), raw(other)); err != nil || len(found) > 0 {
		t.Errorf("%v %v", found, err)
	}
}
