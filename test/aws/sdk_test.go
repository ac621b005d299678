package aws

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"
)

const (
	role  = "arn:aws:iam::123456789012:role/weft"
	greet = `{"StartAt":"Greet","States":{
		"Greet":{"Type":"Pass","Parameters":{"hello.$":"$.city"},"Next":"Done"},
		"Done":{"Type":"Succeed"}}}`
	sleep = `{"StartAt":"Sleep","States":{"Sleep":{"Type":"Wait","Seconds":3600,"End":true}}}`
)

func create(t *testing.T, c *sfn.Client, name, definition string, kind types.StateMachineType) string {
	t.Helper()
	m, err := c.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{
		Name: &name, Definition: &definition, RoleArn: awssdk.String(role), Type: kind,
		Tags: []types.Tag{{Key: awssdk.String("team"), Value: awssdk.String("loom")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(*m.CreationDate); age < -time.Minute || age > time.Minute {
		t.Errorf("created at %s", m.CreationDate)
	}
	return *m.StateMachineArn
}

// wait polls until the run has ended: the API has no call that waits.
func wait(t *testing.T, c *sfn.Client, arn *string) *sfn.DescribeExecutionOutput {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		run, err := c.DescribeExecution(ctx, &sfn.DescribeExecutionInput{ExecutionArn: arn})
		if err != nil {
			t.Fatal(err)
		}
		if run.Status != types.ExecutionStatusRunning {
			return run
		}
		<-tick.C
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	c := client(serve(t, ""), "any", "keys")
	arn := create(t, c, "greet", greet, types.StateMachineTypeStandard)
	run, err := c.StartExecution(t.Context(), &sfn.StartExecutionInput{
		StateMachineArn: &arn, Name: awssdk.String("first"), Input: awssdk.String(`{"city":"Łódź <&>"}`)})
	if err != nil {
		t.Fatal(err)
	}
	got := wait(t, c, run.ExecutionArn)
	if got.Status != types.ExecutionStatusSucceeded || *got.Output != `{"hello":"Łódź <&>"}` {
		t.Errorf("%s %s", got.Status, *got.Output)
	}
	if got.StopDate == nil || got.StopDate.Before(*got.StartDate) {
		t.Errorf("started %v, stopped %v", got.StartDate, got.StopDate)
	}
	var events []string
	pages := sfn.NewGetExecutionHistoryPaginator(c, &sfn.GetExecutionHistoryInput{ExecutionArn: run.ExecutionArn, MaxResults: 2})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page.Events {
			events = append(events, fmt.Sprintf("%d<%d %s", e.Id, e.PreviousEventId, e.Type))
		}
	}
	want := "1<0 ExecutionStarted, 2<0 PassStateEntered, 3<2 PassStateExited, 4<3 SucceedStateEntered, 5<4 SucceedStateExited, 6<5 ExecutionSucceeded"
	if text := strings.Join(events, ", "); text != want {
		t.Errorf("history\n got %s\nwant %s", text, want)
	}
	def, err := c.DescribeStateMachineForExecution(t.Context(), &sfn.DescribeStateMachineForExecutionInput{ExecutionArn: run.ExecutionArn})
	if err != nil || *def.Definition != greet {
		t.Errorf("definition of the run: %v, %v", def, err)
	}
}

func TestListAndStop(t *testing.T) {
	t.Parallel()
	c := client(serve(t, ""), "any", "keys")
	arn := create(t, c, "sleep", sleep, types.StateMachineTypeStandard)
	for i := range 5 {
		if _, err := c.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: &arn, Name: awssdk.String(fmt.Sprint("run-", i))}); err != nil {
			t.Fatal(err)
		}
	}
	list := func(status types.ExecutionStatus) (arns []string) {
		pages := sfn.NewListExecutionsPaginator(c, &sfn.ListExecutionsInput{StateMachineArn: &arn, MaxResults: 2, StatusFilter: status})
		for pages.HasMorePages() {
			page, err := pages.NextPage(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range page.Executions {
				arns = append(arns, *e.ExecutionArn)
			}
		}
		return arns
	}
	open := list(types.ExecutionStatusRunning)
	if len(open) != 5 {
		t.Fatalf("%d runs are open, want 5", len(open))
	}
	for _, run := range open {
		if _, err := c.StopExecution(t.Context(), &sfn.StopExecutionInput{ExecutionArn: &run, Error: awssdk.String("Enough")}); err != nil {
			t.Fatal(err)
		}
		if got := wait(t, c, &run); got.Status != types.ExecutionStatusAborted || *got.Error != "Enough" {
			t.Errorf("%s: %s %v", run, got.Status, got.Error)
		}
	}
	if open, ended := list(types.ExecutionStatusRunning), list(""); len(open) != 0 || len(ended) != 5 {
		t.Errorf("%d open, %d in all; want 0 and 5", len(open), len(ended))
	}
}

func TestSync(t *testing.T) {
	t.Parallel()
	c := client(serve(t, ""), "any", "keys")
	arn := create(t, c, "fast", greet, types.StateMachineTypeExpress)
	for range 2 { // a name may repeat
		run, err := c.StartSyncExecution(t.Context(), &sfn.StartSyncExecutionInput{
			StateMachineArn: &arn, Name: awssdk.String("now"), Input: awssdk.String(`{"city":"Oslo"}`)})
		if err != nil {
			t.Fatal(err)
		}
		if run.Status != types.SyncExecutionStatusSucceeded || *run.Output != `{"hello":"Oslo"}` || *run.Name != "now" {
			t.Errorf("%s %v %s", run.Status, run.Output, *run.Name)
		}
		if !strings.Contains(*run.ExecutionArn, ":express:fast:now:") || run.BillingDetails.BilledDurationInMilliseconds < 100 {
			t.Errorf("%s, %+v", *run.ExecutionArn, run.BillingDetails)
		}
	}
	standard := create(t, c, "slow", greet, types.StateMachineTypeStandard)
	_, err := c.StartSyncExecution(t.Context(), &sfn.StartSyncExecutionInput{StateMachineArn: &standard})
	if want := new(types.StateMachineTypeNotSupported); !errors.As(err, &want) {
		t.Errorf("a standard machine: %v", err)
	}
}

func TestMachines(t *testing.T) {
	t.Parallel()
	c := client(serve(t, ""), "any", "keys")
	arn := create(t, c, "greet", greet, "")
	if _, err := c.TagResource(t.Context(), &sfn.TagResourceInput{ResourceArn: &arn, Tags: []types.Tag{{Key: awssdk.String("a"), Value: awssdk.String("1")}}}); err != nil {
		t.Fatal(err)
	}
	if _, err := c.UntagResource(t.Context(), &sfn.UntagResourceInput{ResourceArn: &arn, TagKeys: []string{"team"}}); err != nil {
		t.Fatal(err)
	}
	tags, err := c.ListTagsForResource(t.Context(), &sfn.ListTagsForResourceInput{ResourceArn: &arn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Key != "a" {
		t.Errorf("tags %+v, %v", tags, err)
	}
	update, err := c.UpdateStateMachine(t.Context(), &sfn.UpdateStateMachineInput{StateMachineArn: &arn, Definition: awssdk.String(sleep)})
	if err != nil || update.RevisionId == nil {
		t.Errorf("update %+v, %v", update, err)
	}
	m, err := c.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
	if err != nil || *m.Definition != sleep || m.Type != types.StateMachineTypeStandard || m.Status != types.StateMachineStatusActive {
		t.Errorf("machine %+v, %v", m, err)
	}
	for i := range 3 {
		create(t, c, fmt.Sprint("more-", i), greet, "")
	}
	n := 0
	pages := sfn.NewListStateMachinesPaginator(c, &sfn.ListStateMachinesInput{MaxResults: 3})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		n += len(page.StateMachines)
	}
	if n != 4 {
		t.Errorf("%d machines, want 4", n)
	}
	check, err := c.ValidateStateMachineDefinition(t.Context(), &sfn.ValidateStateMachineDefinitionInput{Definition: awssdk.String(`{"StartAt":"A"}`)})
	if err != nil || check.Result != types.ValidateStateMachineDefinitionResultCodeFail || len(check.Diagnostics) == 0 {
		t.Errorf("validation %+v, %v", check, err)
	}
	if _, err := c.DeleteStateMachine(t.Context(), &sfn.DeleteStateMachineInput{StateMachineArn: &arn}); err != nil {
		t.Fatal(err)
	}
	_, err = c.DescribeStateMachine(t.Context(), &sfn.DescribeStateMachineInput{StateMachineArn: &arn})
	if want := new(types.StateMachineDoesNotExist); !errors.As(err, &want) {
		t.Errorf("a deleted machine: %v", err)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	c := client(serve(t, ""), "any", "keys")
	arn := create(t, c, "greet", greet, "")
	_, err := c.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: awssdk.String("greet"), Definition: awssdk.String(sleep), RoleArn: awssdk.String(role)})
	if want := new(types.StateMachineAlreadyExists); !errors.As(err, &want) {
		t.Errorf("a name that is taken: %v", err)
	}
	_, err = c.CreateStateMachine(t.Context(), &sfn.CreateStateMachineInput{Name: awssdk.String("x"), Definition: awssdk.String("{"), RoleArn: awssdk.String(role)})
	if want := new(types.InvalidDefinition); !errors.As(err, &want) {
		t.Errorf("a bad definition: %v", err)
	}
	_, err = c.StartExecution(t.Context(), &sfn.StartExecutionInput{StateMachineArn: &arn, Input: awssdk.String("{x")})
	if want := new(types.InvalidExecutionInput); !errors.As(err, &want) {
		t.Errorf("a bad input: %v", err)
	}
	_, err = c.SendTaskSuccess(t.Context(), &sfn.SendTaskSuccessInput{TaskToken: awssdk.String("nonsense"), Output: awssdk.String("{}")})
	if want := new(types.InvalidToken); !errors.As(err, &want) {
		t.Errorf("a bad token: %v", err)
	}
	_, err = c.ListExecutions(t.Context(), &sfn.ListExecutionsInput{StateMachineArn: &arn, NextToken: awssdk.String("nonsense")})
	if want := new(types.InvalidToken); !errors.As(err, &want) {
		t.Errorf("a bad page: %v", err)
	}
	_, err = c.RedriveExecution(t.Context(), &sfn.RedriveExecutionInput{ExecutionArn: &arn})
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorCode() != "InvalidArn" {
		t.Errorf("a machine's ARN where a run's is expected: %v", err)
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	const token = "Zm9yIHRlc3RzIG9ubHkgMQ=="
	address := serve(t, token)
	create(t, client(address, "weft", token), "greet", greet, "")
	for name, c := range map[string]*sfn.Client{
		"another secret": client(address, "weft", token+"x"),
		"another key":    client(address, "somebody", token),
	} {
		_, err := c.ListStateMachines(t.Context(), &sfn.ListStateMachinesInput{})
		var api smithy.APIError
		if !errors.As(err, &api) {
			t.Errorf("%s: %v", name, err)
		} else if code := api.ErrorCode(); code != "InvalidSignatureException" && code != "UnrecognizedClientException" {
			t.Errorf("%s: %s", name, code)
		}
	}
}
