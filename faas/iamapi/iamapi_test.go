package iamapi_test

import (
	"errors"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	"github.com/aws/aws-sdk-go-v2/service/iam/types"
	"github.com/aws/smithy-go"

	"github.com/weftworks/weft/faas/iamapi"
)

const trust = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"lambda.amazonaws.com"},"Action":"sts:AssumeRole"}]}`

func serve(t *testing.T) (*iamapi.Server, *iam.Client) {
	t.Helper()
	s := iamapi.New(iamapi.Config{})
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return s, iam.New(iam.Options{
		Region: "us-east-1", BaseEndpoint: &server.URL, HTTPClient: server.Client(), RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("AKID", "SECRET", ""),
	})
}

// code is that of an error of the API, "" for none.
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var api smithy.APIError
	if !errors.As(err, &api) || api.ErrorMessage() == "" {
		t.Fatalf("no error of the API: %v", err)
	}
	return api.ErrorCode()
}

// TestRole takes a role through its life, as a deployment does.
func TestRole(t *testing.T) {
	t.Parallel()
	s, client := serve(t)
	name, ctx := aws.String("text-worker"), t.Context()
	_, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	var none *types.NoSuchEntityException
	if !errors.As(err, &none) {
		t.Fatalf("before: %v", err)
	}
	in := &iam.CreateRoleInput{RoleName: name, AssumeRolePolicyDocument: aws.String(trust), Path: aws.String("/weft/"), Description: aws.String("a < b"),
		Tags: []types.Tag{{Key: aws.String("app"), Value: aws.String("text")}}}
	made, err := client.CreateRole(ctx, in)
	if err != nil {
		t.Fatal(err)
	}
	arn := "arn:aws:iam::123456789012:role/weft/text-worker"
	if *made.Role.Arn != arn || !s.Has(arn) || s.Has(arn+"s") || *made.Role.Description != "a < b" || len(*made.Role.RoleId) != 21 {
		t.Errorf("made %+v", made.Role)
	}
	_, err = client.CreateRole(ctx, in)
	if got := code(t, err); got != "EntityAlreadyExists" {
		t.Errorf("a second time: %s", got)
	}
	steps := []struct {
		what string
		err  func() error
		want string
	}{
		{"put a policy", func() error {
			_, err := client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("p"), PolicyDocument: aws.String(trust)})
			return err
		}, ""},
		{"put garbage", func() error {
			_, err := client.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: name, PolicyName: aws.String("q"), PolicyDocument: aws.String("{")})
			return err
		}, "MalformedPolicyDocument"},
		{"attach", func() error {
			_, err := client.AttachRolePolicy(ctx, &iam.AttachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")})
			return err
		}, ""},
		{"tag", func() error {
			_, err := client.TagRole(ctx, &iam.TagRoleInput{RoleName: name, Tags: []types.Tag{{Key: aws.String("b"), Value: aws.String("2")}}})
			return err
		}, ""},
		{"trust", func() error {
			_, err := client.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: name, PolicyDocument: aws.String(trust)})
			return err
		}, ""},
		{"delete too early", func() error { _, err := client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name}); return err }, "DeleteConflict"},
	}
	for _, step := range steps {
		if got := code(t, step.err()); got != step.want {
			t.Errorf("%s: %q, want %q", step.what, got, step.want)
		}
	}
	describe(t, client, name)
	dismantle(t, client, name)
	if s.Has(arn) {
		t.Error("the role is there after it was deleted")
	}
}

// describe looks at the role that TestRole has made.
func describe(t *testing.T, client *iam.Client, name *string) {
	t.Helper()
	ctx := t.Context()
	got, err := client.GetRole(ctx, &iam.GetRoleInput{RoleName: name})
	if err != nil {
		t.Fatal(err)
	}
	document, err := url.PathUnescape(*got.Role.AssumeRolePolicyDocument)
	if err != nil || document != trust || len(got.Role.Tags) != 2 {
		t.Errorf("%v: %s, tags %+v", err, document, got.Role.Tags)
	}
	policy, err := client.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: name, PolicyName: aws.String("p")})
	if err != nil || !strings.Contains(*policy.PolicyDocument, "%22Statement%22") {
		t.Errorf("%+v %v", policy, err)
	}
	policies, err := client.ListRolePolicies(ctx, &iam.ListRolePoliciesInput{RoleName: name})
	if err != nil || len(policies.PolicyNames) != 1 || policies.PolicyNames[0] != "p" {
		t.Errorf("%+v %v", policies, err)
	}
	attached, err := client.ListAttachedRolePolicies(ctx, &iam.ListAttachedRolePoliciesInput{RoleName: name})
	if err != nil || len(attached.AttachedPolicies) != 1 || *attached.AttachedPolicies[0].PolicyName != "AWSLambdaBasicExecutionRole" {
		t.Errorf("%+v %v", attached, err)
	}
	roles, err := client.ListRoles(ctx, &iam.ListRolesInput{PathPrefix: aws.String("/weft/")})
	if err != nil || len(roles.Roles) != 1 || *roles.Roles[0].RoleName != *name {
		t.Errorf("%+v %v", roles, err)
	}
}

// dismantle deletes a role with what hangs on it.
func dismantle(t *testing.T, client *iam.Client, name *string) {
	t.Helper()
	ctx := t.Context()
	_, detached := client.DetachRolePolicy(ctx, &iam.DetachRolePolicyInput{RoleName: name, PolicyArn: aws.String("arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole")})
	_, policy := client.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("p")})
	_, again := client.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: name, PolicyName: aws.String("p")})
	_, role := client.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: name})
	if err := errors.Join(detached, policy, role); err != nil {
		t.Error(err)
	}
	if got := code(t, again); got != "NoSuchEntity" {
		t.Errorf("deleted a policy twice: %s", got)
	}
}
