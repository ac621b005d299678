package aws

import (
	"errors"
	"strings"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
	"github.com/aws/smithy-go"
)

const queueTask = `{"Type":"Task","Resource":"arn:aws:states:::sqs:sendMessage","Parameters":{"QueueUrl":"q","MessageBody.$":"$.m"},
	"Retry":[{"ErrorEquals":["Busy"],"IntervalSeconds":3}],"Next":"Done"}`

// TestTestState holds that the SDK reads answers of TestState: outputs, inspection data and errors.
func TestTestState(t *testing.T) {
	t.Parallel()
	c := client(serve(t, ""), "any", "keys")
	in := sfn.TestStateInput{Definition: awssdk.String(queueTask), Input: awssdk.String(`{"m":"hi"}`), InspectionLevel: types.InspectionLevelDebug,
		Mock: &types.MockInput{Result: awssdk.String(`{"MessageId":"7"}`)}}
	got, err := c.TestState(t.Context(), &in)
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != types.TestExecutionStatusSucceeded || *got.Output != `{"MessageId":"7"}` || *got.NextState != "Done" {
		t.Errorf("%+v", got)
	}
	if d := got.InspectionData; *d.AfterParameters != `{"QueueUrl":"q","MessageBody":"hi"}` || *d.Result != *got.Output {
		t.Errorf("%+v", d)
	}
	in.Mock = &types.MockInput{ErrorOutput: &types.MockErrorOutput{Error: awssdk.String("Busy"), Cause: awssdk.String("later")}}
	in.StateConfiguration = &types.TestStateConfiguration{RetrierRetryCount: awssdk.Int32(1)}
	if got, err = c.TestState(t.Context(), &in); err != nil {
		t.Fatal(err)
	}
	if d := got.InspectionData.ErrorDetails; got.Status != types.TestExecutionStatusRetriable || *got.Error != "Busy" || *d.RetryIndex != 0 || *d.RetryBackoffIntervalSeconds != 6 {
		t.Errorf("%+v, %+v", got, d)
	}
	in.Mock = &types.MockInput{Result: awssdk.String(`{"MessageId":7}`)}
	_, err = c.TestState(t.Context(), &in)
	if want := smithy.APIError(nil); !errors.As(err, &want) || want.ErrorCode() != "ValidationException" || !strings.Contains(want.ErrorMessage(), "'MessageId' must be a string") {
		t.Errorf("a result that does not fit: %v", err)
	}
}
