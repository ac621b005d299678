package aws

import (
	"errors"
	"testing"

	awssdk "github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/sfn"
	"github.com/aws/aws-sdk-go-v2/service/sfn/types"
)

// TestVersionsAndAliases does with the SDK what a deployment does: it publishes, leads an alias to the new version for a
// part of the runs and then for all, and deletes the old version.
func TestVersionsAndAliases(t *testing.T) {
	t.Parallel()
	c := client(serve(t, ""), "any", "keys")
	ctx := t.Context()
	made, err := c.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: awssdk.String("greet"), Definition: awssdk.String(greet), RoleArn: awssdk.String(role), Publish: true,
		VersionDescription: awssdk.String("first")})
	if err != nil {
		t.Fatal(err)
	}
	machine, v1 := made.StateMachineArn, made.StateMachineVersionArn
	alias, err := c.CreateStateMachineAlias(ctx, &sfn.CreateStateMachineAliasInput{Name: awssdk.String("prod"),
		RoutingConfiguration: []types.RoutingConfigurationListItem{{StateMachineVersionArn: v1, Weight: 100}}})
	if err != nil {
		t.Fatal(err)
	}
	updated, err := c.UpdateStateMachine(ctx, &sfn.UpdateStateMachineInput{StateMachineArn: machine, Definition: awssdk.String(sleep)})
	if err != nil {
		t.Fatal(err)
	}
	var conflict *types.ConflictException
	if _, err = c.PublishStateMachineVersion(ctx, &sfn.PublishStateMachineVersionInput{StateMachineArn: machine, RevisionId: awssdk.String("INITIAL")}); !errors.As(err, &conflict) {
		t.Errorf("publishing a revision that is past: %v", err)
	}
	v2, err := c.PublishStateMachineVersion(ctx, &sfn.PublishStateMachineVersionInput{StateMachineArn: machine, RevisionId: updated.RevisionId})
	if err != nil {
		t.Fatal(err)
	}
	versions, err := c.ListStateMachineVersions(ctx, &sfn.ListStateMachineVersionsInput{StateMachineArn: machine})
	if err != nil || len(versions.StateMachineVersions) != 2 || *versions.StateMachineVersions[0].StateMachineVersionArn != *v2.StateMachineVersionArn {
		t.Errorf("versions: %+v, %v", versions, err)
	}
	run, err := c.StartExecution(ctx, &sfn.StartExecutionInput{StateMachineArn: alias.StateMachineAliasArn, Input: awssdk.String(`{"city":"Oslo"}`)})
	if err != nil {
		t.Fatal(err)
	}
	if got := wait(t, c, run.ExecutionArn); *got.StateMachineVersionArn != *v1 || *got.StateMachineAliasArn != *alias.StateMachineAliasArn || *got.Output != `{"hello":"Oslo"}` {
		t.Errorf("a run of the alias: %+v", got)
	}
	_, err = c.UpdateStateMachineAlias(ctx, &sfn.UpdateStateMachineAliasInput{StateMachineAliasArn: alias.StateMachineAliasArn,
		RoutingConfiguration: []types.RoutingConfigurationListItem{{StateMachineVersionArn: v2.StateMachineVersionArn, Weight: 100}}})
	if err != nil {
		t.Fatal(err)
	}
	shown, err := c.DescribeStateMachineAlias(ctx, &sfn.DescribeStateMachineAliasInput{StateMachineAliasArn: alias.StateMachineAliasArn})
	if err != nil || len(shown.RoutingConfiguration) != 1 || *shown.RoutingConfiguration[0].StateMachineVersionArn != *v2.StateMachineVersionArn {
		t.Errorf("the alias: %+v, %v", shown, err)
	}
	if _, err = c.DeleteStateMachineVersion(ctx, &sfn.DeleteStateMachineVersionInput{StateMachineVersionArn: v2.StateMachineVersionArn}); !errors.As(err, &conflict) {
		t.Errorf("deleting a version that an alias needs: %v", err)
	}
	if _, err = c.DeleteStateMachineVersion(ctx, &sfn.DeleteStateMachineVersionInput{StateMachineVersionArn: v1}); err != nil {
		t.Error(err)
	}
	listed, err := c.ListExecutions(ctx, &sfn.ListExecutionsInput{StateMachineArn: alias.StateMachineAliasArn})
	if err != nil || len(listed.Executions) != 1 || *listed.Executions[0].StateMachineVersionArn != *v1 {
		t.Errorf("runs of the alias: %+v, %v", listed, err)
	}
	if _, err = c.DeleteStateMachineAlias(ctx, &sfn.DeleteStateMachineAliasInput{StateMachineAliasArn: alias.StateMachineAliasArn}); err != nil {
		t.Error(err)
	}
	var missing *types.ResourceNotFound
	if _, err = c.DescribeStateMachineAlias(ctx, &sfn.DescribeStateMachineAliasInput{StateMachineAliasArn: alias.StateMachineAliasArn}); !errors.As(err, &missing) {
		t.Errorf("an alias that is gone: %v", err)
	}
}

// TestDeclaredMachine does what a tool does that keeps a machine as it was declared, as Terraform: create, read back every
// setting, tag, update, list versions, delete and see it go.
func TestDeclaredMachine(t *testing.T) {
	t.Parallel()
	c := client(serve(t, ""), "any", "keys")
	ctx := t.Context()
	group := "arn:aws:logs:eu-central-1:123456789012:log-group:greet:*"
	made, err := c.CreateStateMachine(ctx, &sfn.CreateStateMachineInput{
		Name: awssdk.String("greet"), Definition: awssdk.String(greet), RoleArn: awssdk.String(role),
		LoggingConfiguration: &types.LoggingConfiguration{Level: types.LogLevelAll, IncludeExecutionData: true,
			Destinations: []types.LogDestination{{CloudWatchLogsLogGroup: &types.CloudWatchLogsLogGroup{LogGroupArn: &group}}}},
		TracingConfiguration:    &types.TracingConfiguration{Enabled: true},
		EncryptionConfiguration: &types.EncryptionConfiguration{Type: types.EncryptionTypeAwsOwnedKey},
		Tags:                    []types.Tag{{Key: awssdk.String("env"), Value: awssdk.String("dev")}},
	})
	if err != nil {
		t.Fatal(err)
	}
	arn := made.StateMachineArn
	got, err := c.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: arn})
	if err != nil {
		t.Fatal(err)
	}
	l := got.LoggingConfiguration
	if l == nil || l.Level != types.LogLevelAll || !l.IncludeExecutionData || len(l.Destinations) != 1 || *l.Destinations[0].CloudWatchLogsLogGroup.LogGroupArn != group ||
		got.TracingConfiguration == nil || !got.TracingConfiguration.Enabled || got.EncryptionConfiguration == nil || got.EncryptionConfiguration.Type != types.EncryptionTypeAwsOwnedKey ||
		got.Status != types.StateMachineStatusActive || got.Type != types.StateMachineTypeStandard || *got.Definition != greet || *got.RoleArn != role {
		t.Errorf("declared otherwise: %+v", got)
	}
	if _, err := c.TagResource(ctx, &sfn.TagResourceInput{ResourceArn: arn, Tags: []types.Tag{{Key: awssdk.String("env"), Value: awssdk.String("live")}}}); err != nil {
		t.Error(err)
	}
	updated, err := c.UpdateStateMachine(ctx, &sfn.UpdateStateMachineInput{StateMachineArn: arn, Definition: awssdk.String(sleep), RoleArn: awssdk.String(role),
		TracingConfiguration: &types.TracingConfiguration{}, Publish: true})
	if err != nil || updated.RevisionId == nil || updated.StateMachineVersionArn == nil {
		t.Errorf("%+v, %v", updated, err)
	}
	if got, err = c.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: arn}); err != nil || got.TracingConfiguration.Enabled ||
		got.LoggingConfiguration.Level != types.LogLevelAll || *got.RevisionId != *updated.RevisionId {
		t.Errorf("after the update: %+v, %v", got, err)
	}
	tags, err := c.ListTagsForResource(ctx, &sfn.ListTagsForResourceInput{ResourceArn: arn})
	if err != nil || len(tags.Tags) != 1 || *tags.Tags[0].Value != "live" {
		t.Errorf("tags: %+v, %v", tags, err)
	}
	versions, err := c.ListStateMachineVersions(ctx, &sfn.ListStateMachineVersionsInput{StateMachineArn: arn})
	if err != nil || len(versions.StateMachineVersions) != 1 {
		t.Errorf("versions: %+v, %v", versions, err)
	}
	if _, err := c.DeleteStateMachine(ctx, &sfn.DeleteStateMachineInput{StateMachineArn: arn}); err != nil {
		t.Fatal(err)
	}
	var gone *types.StateMachineDoesNotExist
	if _, err := c.DescribeStateMachine(ctx, &sfn.DescribeStateMachineInput{StateMachineArn: arn}); !errors.As(err, &gone) {
		t.Errorf("a deleted machine: %v", err)
	}
}
