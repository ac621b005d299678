package gcp

import (
	"context"
	"strings"

	iamadminpb "cloud.google.com/go/iam/admin/apiv1/adminpb"

	"github.com/weftworks/weft/unum/deploy"
)

// described marks accounts, which have no labels.
func described(owner string) string { return "Weft deployment " + owner }

func accountAttrs(a *iamadminpb.ServiceAccount) deploy.Attrs {
	return deploy.Attrs{"email": a.GetEmail(), "name": a.GetName()}
}

func (t *Target) readAccount(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	a, err := t.Accounts.GetServiceAccount(ctx, &iamadminpb.GetServiceAccountRequest{Name: r.Name})
	if err != nil {
		return nil, err
	}
	return &deploy.Observed{Spec: r.Spec, Attrs: accountAttrs(a), Foreign: a.GetDescription() != described(r.Spec.(*Account).Owner)}, nil
}

func (t *Target) createAccount(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	project, email := split(r.Name)
	id, _, _ := strings.Cut(email, "@")
	a, err := t.Accounts.CreateServiceAccount(ctx, &iamadminpb.CreateServiceAccountRequest{
		Name: project, AccountId: id, ServiceAccount: &iamadminpb.ServiceAccount{DisplayName: id, Description: described(r.Spec.(*Account).Owner)},
	})
	if err != nil {
		return nil, err
	}
	return accountAttrs(a), nil
}

func (t *Target) deleteAccount(ctx context.Context, o *deploy.Owned) error {
	return t.Accounts.DeleteServiceAccount(ctx, &iamadminpb.DeleteServiceAccountRequest{Name: o.Name})
}
