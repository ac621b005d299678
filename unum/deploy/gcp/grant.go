package gcp

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"cloud.google.com/go/iam"
	admin "cloud.google.com/go/iam/admin/apiv1"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/run/v2"
	"google.golang.org/genproto/googleapis/type/expr"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/weftworks/weft/unum/deploy"
)

// policyVersion is the version of policies that have conditions. Whoever writes a policy back has to have read it so.
const policyVersion = 3

// policy is that of a resource, by the client of its service.
type policy struct {
	get func(ctx context.Context) (*iampb.Policy, error)
	set func(ctx context.Context, p *iampb.Policy) error
}

// policy returns where a grant is written down. Databases have no policies of their own: what is for one of them is in the
// project's, with a condition.
func (t *Target) policy(g *Grant) *policy {
	switch {
	case strings.Contains(g.Resource, "/databases/"):
		databases, _ := split(g.Resource)
		return t.projectPolicy(strings.TrimPrefix(databases, "projects/"))
	case strings.Contains(g.Resource, "/queues/"):
		return t.queuePolicy(g.Resource)
	case strings.Contains(g.Resource, "/serviceAccounts/"):
		return t.accountPolicy(g.Resource)
	default:
		return t.servicePolicy(g.Resource)
	}
}

func (t *Target) queuePolicy(name string) *policy {
	return &policy{
		get: func(ctx context.Context) (*iampb.Policy, error) {
			return t.Tasks.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: name, Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: policyVersion}})
		},
		set: func(ctx context.Context, p *iampb.Policy) error {
			_, err := t.Tasks.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: name, Policy: p})
			return err
		},
	}
}

func (t *Target) accountPolicy(name string) *policy {
	return &policy{
		get: func(ctx context.Context) (*iampb.Policy, error) {
			p, err := t.Accounts.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: name, Options: &iampb.GetPolicyOptions{RequestedPolicyVersion: policyVersion}})
			if err != nil {
				return nil, err
			}
			return p.InternalProto, nil
		},
		set: func(ctx context.Context, p *iampb.Policy) error {
			_, err := t.Accounts.SetIamPolicy(ctx, &admin.SetIamPolicyRequest{Resource: name, Policy: &iam.Policy{InternalProto: p}})
			return err
		},
	}
}

func (t *Target) projectPolicy(id string) *policy {
	return &policy{
		get: func(ctx context.Context) (*iampb.Policy, error) {
			p, err := t.Projects.Projects.GetIamPolicy(id, &cloudresourcemanager.GetIamPolicyRequest{
				Options: &cloudresourcemanager.GetPolicyOptions{RequestedPolicyVersion: policyVersion},
			}).Context(ctx).Do()
			if err != nil {
				return nil, err
			}
			return fromREST(p)
		},
		set: func(ctx context.Context, p *iampb.Policy) error {
			var rest cloudresourcemanager.Policy
			if err := toREST(p, &rest); err != nil {
				return err
			}
			_, err := t.Projects.Projects.SetIamPolicy(id, &cloudresourcemanager.SetIamPolicyRequest{Policy: &rest}).Context(ctx).Do()
			return err
		},
	}
}

func (t *Target) servicePolicy(name string) *policy {
	services := t.Run.Projects.Locations.Services
	return &policy{
		get: func(ctx context.Context) (*iampb.Policy, error) {
			p, err := services.GetIamPolicy(name).OptionsRequestedPolicyVersion(policyVersion).Context(ctx).Do()
			if err != nil {
				return nil, err
			}
			return fromREST(p)
		},
		set: func(ctx context.Context, p *iampb.Policy) error {
			var rest run.GoogleIamV1Policy
			if err := toREST(p, &rest); err != nil {
				return err
			}
			_, err := services.SetIamPolicy(name, &run.GoogleIamV1SetIamPolicyRequest{Policy: &rest}).Context(ctx).Do()
			return err
		},
	}
}

// fromREST and toREST translate the policies of REST clients, of which each has types of its own, by their JSON.
func fromREST(p any) (*iampb.Policy, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	out := &iampb.Policy{}
	return out, protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(text, out)
}

func toREST(p *iampb.Policy, to any) error {
	text, err := protojson.Marshal(p)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, to)
}

// condition is that of a grant; nil: none.
func (g *Grant) condition() *expr.Expr {
	if !strings.Contains(g.Resource, "/databases/") {
		return nil
	}
	return &expr.Expr{Title: "weft-records", Expression: `resource.name == "` + g.Resource + `"`}
}

func (g *Grant) member() string { return "serviceAccount:" + g.Account }

// binding returns the binding of a policy that a grant belongs to; nil if there is none.
func (g *Grant) binding(p *iampb.Policy) *iampb.Binding {
	i := slices.IndexFunc(p.GetBindings(), func(b *iampb.Binding) bool {
		return b.GetRole() == g.Role && b.GetCondition().GetExpression() == g.condition().GetExpression()
	})
	if i < 0 {
		return nil
	}
	return p.GetBindings()[i]
}

func (t *Target) readGrant(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	g := r.Spec.(*Grant)
	p, err := t.policy(g).get(ctx)
	if err != nil || !slices.Contains(g.binding(p).GetMembers(), g.member()) {
		return nil, err
	}
	return &deploy.Observed{Spec: g, Attrs: deploy.Attrs{"role": g.Role}}, nil
}

// change changes a policy, again if somebody else has changed it meanwhile. fn says whether there is anything to change.
func (t *Target) change(ctx context.Context, g *Grant, fn func(p *iampb.Policy) bool) error {
	of := t.policy(g)
	return t.begin(ctx, func() error {
		p, err := of.get(ctx)
		if err != nil || !fn(p) {
			return err
		}
		p.Version = policyVersion
		return of.set(ctx, p)
	})
}

func (t *Target) createGrant(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	g := r.Spec.(*Grant)
	err := t.until(ctx, "the account", func() (bool, error) {
		err := t.change(ctx, g, func(p *iampb.Policy) bool {
			b := g.binding(p)
			if b == nil {
				b = &iampb.Binding{Role: g.Role, Condition: g.condition()}
				p.Bindings = append(p.Bindings, b)
			}
			if slices.Contains(b.GetMembers(), g.member()) {
				return false
			}
			b.Members = append(b.Members, g.member())
			return true
		})
		if err != nil && codeOf(err) == codes.InvalidArgument && strings.Contains(err.Error(), g.Account) {
			return false, nil // it takes IAM some seconds to know a new account everywhere
		}
		return true, err
	})
	return deploy.Attrs{"role": g.Role}, err
}

func (t *Target) deleteGrant(ctx context.Context, o *deploy.Owned) error {
	g, err := grantOf(o.Name)
	if err != nil {
		return err
	}
	return t.change(ctx, g, func(p *iampb.Policy) bool {
		b := g.binding(p)
		n := len(b.GetMembers())
		if n == 0 {
			return false
		}
		b.Members = slices.DeleteFunc(b.Members, func(m string) bool { return m == g.member() })
		p.Bindings = slices.DeleteFunc(p.Bindings, func(b *iampb.Binding) bool { return len(b.GetMembers()) == 0 })
		return len(b.Members) < n
	})
}
