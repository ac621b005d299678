package engine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/weftworks/weft/asl"
	"github.com/weftworks/weft/engine/integration"
	"github.com/weftworks/weft/engine/integration/awssdk"
	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/internal/conformance/fakes"
	"github.com/weftworks/weft/machine"
	"github.com/weftworks/weft/machine/history"
)

// services are the built-in integrations with services in this process.
func services(t *testing.T, hosts fakes.Transport) *integration.Set {
	t.Helper()
	set := integration.NewSet()
	endpoints := map[string]string{"sqs": "http://sqs", "dynamodb": "http://dynamodb", "s3": "http://s3"}
	err := awssdk.Register(set, awssdk.Config{Region: "us-east-1", Endpoints: endpoints, HTTP: &http.Client{Transport: hosts}})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

const sendAndWait = `{"StartAt":"Send","States":{"Send":{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage.waitForTaskToken",
 "Parameters":{"QueueUrl":"http://sqs/1/q","MessageBody":{"order.$":"$.order","token.$":"$$.Task.Token"}},"HeartbeatSeconds":60,
 "Catch":[{"ErrorEquals":["States.HeartbeatTimeout"],"Next":"Late"}],"End":true},"Late":{"Type":"Pass","Result":"late","End":true}}}`

// TestTaskTokenThroughAQueue sends a message, whose receiver completes the task; nobody completes the second.
func TestTaskTokenThroughAQueue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		queues := &fakes.SQS{}
		n := reopen(t, Options{Integrations: services(t, fakes.Transport{"sqs": queues})})
		create(t, n, "m", sendAndWait)
		run := start(t, n, StartRun{Machine: "m", Name: "a", Input: []byte(`{"order":7}`)})
		synctest.Wait()
		message, ok := queues.Take("q")
		if !ok {
			t.Fatal("nothing was sent")
		}
		var body struct {
			Order int
			Token string
		}
		if err := json.Unmarshal([]byte(message.Body), &body); err != nil || body.Order != 7 {
			t.Fatalf("sent %q: %v", message.Body, err)
		}
		if err := n.SucceedTask(t.Context(), body.Token, []byte(`"paid"`)); err != nil {
			t.Fatal(err)
		}
		if run := wait(t, n, run.ID); string(run.Output) != `"paid"` {
			t.Errorf("the run came to %s %s %s %s", run.Status, run.Output, run.Error, run.Cause)
		}
		events, err := n.History(t.Context(), run.ID, HistoryQuery{From: 1, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		for i := range events {
			types = append(types, strings.Trim(string(history.AppendJSON(nil, &events[i], history.JSONOptions{})), "{}"))
		}
		if text := strings.Join(types, "\n"); !strings.Contains(text, `"TaskSubmitted"`) || !strings.Contains(text, message.ID) {
			t.Errorf("the history is\n%s", text)
		}

		begun := time.Now()
		late := start(t, n, StartRun{Machine: "m", Name: "b", Input: []byte(`{"order":8}`)})
		if run := wait(t, n, late.ID); string(run.Output) != `"late"` || time.Since(begun) != time.Minute {
			t.Errorf("the run came to %s %s after %s", run.Status, run.Output, time.Since(begun))
		}
	})
}

// TestOwnIntegrations calls what a program brings, and refuses what it does not.
func TestOwnIntegrations(t *testing.T) {
	t.Parallel()
	set := integration.NewSet()
	var keys []string
	err := set.Register("crm:createLead", integration.Func(func(_ context.Context, req *integration.Request) ([]byte, error) {
		keys = append(keys, req.Key)
		if len(keys) == 1 {
			return nil, integration.Errorf("Crm.Busy", "try again")
		}
		return fmt.Appendf(nil, `{"Lead": %s}`, req.Arguments), nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	n := reopen(t, Options{Integrations: set})
	create(t, n, "m", `{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::crm:createLead",
		"Retry":[{"ErrorEquals":["Crm.Busy"],"IntervalSeconds":0}],"End":true}}}`)
	run := wait(t, n, start(t, n, StartRun{Machine: "m", Input: []byte(`{"name":"Ada"}`)}).ID)
	if run.Status != machine.Succeeded || string(run.Output) != `{"Lead":{"name":"Ada"}}` {
		t.Errorf("the run came to %s %s %s %s", run.Status, run.Output, run.Error, run.Cause)
	}
	if len(keys) != 2 || keys[0] == keys[1] || keys[0] == "" {
		t.Errorf("two attempts of a Retry are two calls; their keys are %q", keys)
	}

	_, err = n.CreateMachine(t.Context(), CreateMachine{Name: "x", Definition: []byte(
		`{"StartAt":"A","States":{"A":{"Type":"Task","Resource":"arn:aws:states:::crm:createLed","End":true}}}`)})
	want := "there is no integration crm:createLed; did you mean crm:createLead? there are crm:createLead, lambda:invoke, states:startExecution; add others in weft.yaml under integrations"
	if !fault.Is(err, fault.InvalidDefinition) || !strings.Contains(err.Error(), want) {
		t.Errorf("refused with %v", err)
	}
}

// TestUnknownParameters refuses what an action does not have before it runs.
func TestUnknownParameters(t *testing.T) {
	t.Parallel()
	n := reopen(t, Options{Integrations: services(t, nil)})
	_, err := n.CreateMachine(t.Context(), CreateMachine{Name: "m", Definition: []byte(`{"StartAt":"A","States":{"A":{"Type":"Task",
		"Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{"QueueURL.$":"$.q","MessageBody":"x"},"End":true}}}`)})
	var problems asl.Problems
	if !errors.As(err, &problems) || len(problems) != 1 {
		t.Fatalf("created with %v", err)
	}
	p := problems[0]
	if want := `sqs:sendMessage has no parameter "QueueURL"; did you mean "QueueUrl"?`; !strings.HasSuffix(p.Error(), want) {
		t.Errorf("%s, want %s", p.Error(), want)
	}
	if p.ServiceMessage != `The field "QueueURL" is not supported by Step Functions` || p.ServiceLocation != "/States/A/Parameters" {
		t.Errorf("Step Functions says %s at %s", p.ServiceMessage, p.ServiceLocation)
	}
}
