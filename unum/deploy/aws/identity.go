package aws

import (
	"context"
	"encoding/json"
	"net/url"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/iam"
	iamtypes "github.com/aws/aws-sdk-go-v2/service/iam/types"

	"github.com/weftworks/weft/unum/deploy"
)

// document is a policy in IAM's language.
type document[P any] struct {
	Version   string `json:"Version"`
	Statement []P    `json:"Statement"`
}

const (
	policyVersion = "2012-10-17"
	policyName    = "weft" // of the one inline policy of a role, which is what the resource is named by
)

// trust lets a service take on a role.
type trust struct {
	Effect    string            `json:"Effect"`
	Principal map[string]string `json:"Principal"`
	Action    string            `json:"Action"`
}

func trustOf(service string) (string, error) {
	text, err := json.Marshal(document[trust]{policyVersion, []trust{{"Allow", map[string]string{"Service": service}, "sts:AssumeRole"}}})
	return string(text), err
}

func roleAttrs(r *iamtypes.Role) deploy.Attrs {
	return deploy.Attrs{"arn": str(r.Arn), "name": str(r.RoleName)}
}

func (t *Target) readRole(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	out, err := t.IAM.GetRole(ctx, &iam.GetRoleInput{RoleName: &r.Name})
	if err != nil {
		return nil, err
	}
	is := &Role{}
	for _, tag := range out.Role.Tags {
		if str(tag.Key) == Tag {
			is.Owner = str(tag.Value)
		}
	}
	text, err := url.QueryUnescape(str(out.Role.AssumeRolePolicyDocument))
	if err != nil {
		return nil, err
	}
	var doc document[trust]
	if json.Unmarshal([]byte(text), &doc) == nil && len(doc.Statement) == 1 { // anything else is not as it is wanted
		is.Service = doc.Statement[0].Principal["Service"]
	}
	return &deploy.Observed{Spec: is, Attrs: roleAttrs(out.Role), Foreign: is.Owner != r.Spec.(*Role).Owner}, nil
}

func (t *Target) createRole(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	spec := r.Spec.(*Role)
	text, err := trustOf(spec.Service)
	if err != nil {
		return nil, err
	}
	out, err := t.IAM.CreateRole(ctx, &iam.CreateRoleInput{
		RoleName: &r.Name, AssumeRolePolicyDocument: &text,
		Description: aws.String("Functions of the Weft deployment " + spec.Owner),
		Tags:        []iamtypes.Tag{{Key: aws.String(Tag), Value: &spec.Owner}},
	})
	if err != nil {
		return nil, err
	}
	return roleAttrs(out.Role), nil
}

func (t *Target) updateRole(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error) {
	spec := r.Spec.(*Role)
	text, err := trustOf(spec.Service)
	if err != nil {
		return nil, err
	}
	if _, err := t.IAM.UpdateAssumeRolePolicy(ctx, &iam.UpdateAssumeRolePolicyInput{RoleName: &r.Name, PolicyDocument: &text}); err != nil {
		return nil, err
	}
	_, err = t.IAM.TagRole(ctx, &iam.TagRoleInput{RoleName: &r.Name, Tags: []iamtypes.Tag{{Key: aws.String(Tag), Value: &spec.Owner}}})
	return was.Attrs, err
}

func (t *Target) deleteRole(ctx context.Context, o *deploy.Owned) error {
	_, err := t.IAM.DeleteRole(ctx, &iam.DeleteRoleInput{RoleName: &o.Name})
	return err
}

func (t *Target) readPolicy(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	role := r.Spec.(*Policy).Role
	out, err := t.IAM.GetRolePolicy(ctx, &iam.GetRolePolicyInput{RoleName: &role, PolicyName: aws.String(policyName)})
	if err != nil {
		return nil, err
	}
	text, err := url.QueryUnescape(str(out.PolicyDocument))
	if err != nil {
		return nil, err
	}
	is := &Policy{Role: role}
	var doc document[Statement]
	if json.Unmarshal([]byte(text), &doc) == nil { // anything else is not as it is wanted
		is.Statements = doc.Statement
	}
	return &deploy.Observed{Spec: is, Attrs: deploy.Attrs{}}, nil
}

func (t *Target) createPolicy(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	spec := r.Spec.(*Policy)
	text, err := json.Marshal(document[Statement]{policyVersion, spec.Statements})
	if err != nil {
		return nil, err
	}
	_, err = t.IAM.PutRolePolicy(ctx, &iam.PutRolePolicyInput{RoleName: &spec.Role, PolicyName: aws.String(policyName), PolicyDocument: aws.String(string(text))})
	return deploy.Attrs{}, err
}

func (t *Target) updatePolicy(ctx context.Context, r *deploy.Resource, _ *deploy.Observed) (deploy.Attrs, error) {
	return t.createPolicy(ctx, r)
}

func (t *Target) deletePolicy(ctx context.Context, o *deploy.Owned) error {
	_, err := t.IAM.DeleteRolePolicy(ctx, &iam.DeleteRolePolicyInput{RoleName: &o.Name, PolicyName: aws.String(policyName)})
	return err
}
