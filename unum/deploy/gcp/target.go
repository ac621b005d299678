package gcp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"slices"
	"strings"

	cloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	"cloud.google.com/go/cloudtasks/apiv2/cloudtaskspb"
	admin "cloud.google.com/go/firestore/apiv1/admin"
	"cloud.google.com/go/firestore/apiv1/admin/adminpb"
	functions "cloud.google.com/go/functions/apiv2"
	"cloud.google.com/go/functions/apiv2/functionspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	iamadminpb "cloud.google.com/go/iam/admin/apiv1/adminpb"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/option"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
)

// Target is a project of Google Cloud.
type Target struct {
	Functions *functions.FunctionClient
	Tasks     *cloudtasks.Client
	Firestore *admin.FirestoreAdminClient
	Accounts  *iam.IamClient
	Projects  *cloudresourcemanager.Service

	closers []io.Closer
}

// Options are what clients are made with beside what they find by themselves, for other endpoints: of Cloud Tasks, of the
// other APIs of gRPC, and of HTTP.
type Options struct{ Tasks, GRPC, HTTP []option.ClientOption }

// Open returns the target. Close lets go what it has.
func Open(ctx context.Context, o Options) (t *Target, err error) {
	t = new(Target)
	if t.Functions, err = functions.NewFunctionClient(ctx, o.GRPC...); err == nil {
		t.closers = append(t.closers, t.Functions)
		if t.Tasks, err = cloudtasks.NewClient(ctx, o.Tasks...); err == nil {
			t.closers = append(t.closers, t.Tasks)
		}
	}
	if err == nil {
		if t.Firestore, err = admin.NewFirestoreAdminClient(ctx, o.GRPC...); err == nil {
			t.closers = append(t.closers, t.Firestore)
		}
	}
	if err == nil {
		if t.Accounts, err = iam.NewIamClient(ctx, o.GRPC...); err == nil {
			t.closers = append(t.closers, t.Accounts)
			t.Projects, err = cloudresourcemanager.NewService(ctx, o.HTTP...)
		}
	}
	if err != nil {
		return nil, errors.Join(fault.New("gcp.open", fault.Unauthorized, "", "Google's clients cannot be opened; gcloud auth application-default login gives them credentials: %w", err), t.Close())
	}
	return t, nil
}

// Close closes the clients.
func (t *Target) Close() error {
	var all []error
	for _, c := range t.closers {
		all = append(all, c.Close())
	}
	return errors.Join(all...)
}

// driver does what Target does for one kind of resource. put creates or updates.
type driver struct {
	read   func(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error)
	put    func(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error)
	remove func(ctx context.Context, o *deploy.Owned) error
}

func (t *Target) driver(id deploy.ID) (*driver, error) {
	switch id.Kind() {
	case "account":
		return &driver{t.readAccount, t.putAccount, t.deleteAccount}, nil
	case "grant":
		return &driver{t.readGrant, t.putGrant, t.deleteGrant}, nil
	case "database":
		return &driver{t.readDatabase, t.putDatabase, t.leave}, nil
	case "expiry":
		return &driver{t.readExpiry, t.putExpiry, t.deleteExpiry}, nil
	case "queue":
		return &driver{t.readQueue, t.putQueue, t.deleteQueue}, nil
	case "function":
		return &driver{t.readFunction, t.putFunction, t.deleteFunction}, nil
	}
	return nil, fault.New("gcp.target", fault.Internal, string(id), "Google Cloud has no resources of this kind")
}

// Read implements deploy.Target.
func (t *Target) Read(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	d, err := t.driver(r.ID)
	if err != nil {
		return nil, err
	}
	o, err := d.read(ctx, r)
	if status.Code(err) == codes.NotFound {
		return nil, nil
	}
	return o, wrap("gcp.read", r.Name, err)
}

// Create implements deploy.Target.
func (t *Target) Create(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	return t.Update(ctx, r, nil)
}

// Update implements deploy.Target.
func (t *Target) Update(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error) {
	d, err := t.driver(r.ID)
	if err != nil {
		return nil, err
	}
	attrs, err := d.put(ctx, r, was)
	return attrs, wrap("gcp.put", r.Name, err)
}

// Delete implements deploy.Target.
func (t *Target) Delete(ctx context.Context, o *deploy.Owned) error {
	d, err := t.driver(o.ID)
	if err != nil {
		return err
	}
	if err = d.remove(ctx, o); status.Code(err) == codes.NotFound {
		return nil
	}
	return wrap("gcp.delete", o.Name, err)
}

// leave keeps what is not only ours.
func (t *Target) leave(context.Context, *deploy.Owned) error { return nil }

// wrap makes an error of Google one of ours.
func wrap(op, subject string, err error) error {
	var own *fault.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	switch status.Code(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return fault.New(op, fault.Unauthorized, subject, "Google does not let these credentials do that, or the API is not enabled in the project: %w", err)
	case codes.Unavailable, codes.Unknown, codes.DeadlineExceeded:
		return fault.New(op, fault.Unavailable, subject, "%w", err)
	}
	return fault.New(op, fault.Conflict, subject, "%w", err)
}

// last is the last part of a resource's name, and what is before it.
func last(name string) (parent, id string) {
	i := strings.LastIndexByte(name, '/')
	return name[:max(i, 0)], name[i+1:]
}

func (t *Target) readAccount(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	a, err := t.Accounts.GetServiceAccount(ctx, &iamadminpb.GetServiceAccountRequest{Name: "projects/" + r.Spec.(*Account).Project + "/serviceAccounts/" + r.Name})
	if err != nil {
		return nil, err
	}
	return &deploy.Observed{Spec: r.Spec, Attrs: deploy.Attrs{"email": a.GetEmail()}, Foreign: a.GetDescription() != ownAccount}, nil
}

// ownAccount marks service accounts that deployments have made: they have no labels.
const ownAccount = "Functions of a deployment of Weft"

func (t *Target) putAccount(ctx context.Context, r *deploy.Resource, _ *deploy.Observed) (deploy.Attrs, error) {
	id, _, _ := strings.Cut(r.Name, "@")
	a, err := t.Accounts.CreateServiceAccount(ctx, &iamadminpb.CreateServiceAccountRequest{
		Name: "projects/" + r.Spec.(*Account).Project, AccountId: id, ServiceAccount: &iamadminpb.ServiceAccount{DisplayName: id, Description: ownAccount},
	})
	return deploy.Attrs{"email": a.GetEmail()}, err
}

func (t *Target) deleteAccount(ctx context.Context, o *deploy.Owned) error {
	_, host, _ := strings.Cut(o.Name, "@")
	project, _, _ := strings.Cut(host, ".")
	return t.Accounts.DeleteServiceAccount(ctx, &iamadminpb.DeleteServiceAccountRequest{Name: "projects/" + project + "/serviceAccounts/" + o.Name})
}

func (t *Target) policy(ctx context.Context, project string) (*cloudresourcemanager.Policy, error) {
	return t.Projects.Projects.GetIamPolicy(project, &cloudresourcemanager.GetIamPolicyRequest{
		Options: &cloudresourcemanager.GetPolicyOptions{RequestedPolicyVersion: 3},
	}).Context(ctx).Do()
}

func (t *Target) readGrant(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	spec := r.Spec.(*Grant)
	p, err := t.policy(ctx, spec.Project)
	if err != nil {
		return nil, err
	}
	is := &Grant{Project: spec.Project, Email: spec.Email}
	for _, b := range p.Bindings {
		if b.Condition == nil && slices.Contains(b.Members, "serviceAccount:"+r.Name) {
			is.Roles = append(is.Roles, b.Role)
		}
	}
	if len(is.Roles) == 0 {
		return nil, nil
	}
	slices.Sort(is.Roles)
	return &deploy.Observed{Spec: is, Attrs: deploy.Attrs{"project": spec.Project}}, nil
}

// grant makes roles those that an account has in a project: of nobody else's, and at once, for the etag tells of changes
// between.
func (t *Target) grant(ctx context.Context, project, email string, want []string) error {
	p, err := t.policy(ctx, project)
	if err != nil {
		return err
	}
	member := "serviceAccount:" + email
	var kept []*cloudresourcemanager.Binding
	missing := slices.Clone(want)
	for _, b := range p.Bindings {
		if b.Condition == nil {
			b.Members = slices.DeleteFunc(b.Members, func(m string) bool { return m == member && !slices.Contains(want, b.Role) })
			if i := slices.Index(missing, b.Role); i >= 0 {
				missing = slices.Delete(missing, i, i+1)
				if !slices.Contains(b.Members, member) {
					b.Members = append(b.Members, member)
				}
			}
		}
		if len(b.Members) > 0 {
			kept = append(kept, b)
		}
	}
	for _, role := range missing {
		kept = append(kept, &cloudresourcemanager.Binding{Role: role, Members: []string{member}})
	}
	p.Bindings = kept
	_, err = t.Projects.Projects.SetIamPolicy(project, &cloudresourcemanager.SetIamPolicyRequest{Policy: p}).Context(ctx).Do()
	return err
}

func (t *Target) putGrant(ctx context.Context, r *deploy.Resource, _ *deploy.Observed) (deploy.Attrs, error) {
	spec := r.Spec.(*Grant)
	return deploy.Attrs{"project": spec.Project}, t.grant(ctx, spec.Project, spec.Email, spec.Roles)
}

func (t *Target) deleteGrant(ctx context.Context, o *deploy.Owned) error {
	_, host, _ := strings.Cut(o.Name, "@")
	project, _, _ := strings.Cut(host, ".")
	return t.grant(ctx, project, o.Name, nil)
}

func (t *Target) readDatabase(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	_, err := t.Firestore.GetDatabase(ctx, &adminpb.GetDatabaseRequest{Name: r.Name})
	return &deploy.Observed{Spec: r.Spec, Attrs: deploy.Attrs{}}, err // wherever it is
}

func (t *Target) putDatabase(ctx context.Context, r *deploy.Resource, _ *deploy.Observed) (deploy.Attrs, error) {
	databases, id := last(r.Name)
	project, _ := last(databases)
	op, err := t.Firestore.CreateDatabase(ctx, &adminpb.CreateDatabaseRequest{
		Parent: project, DatabaseId: id, Database: &adminpb.Database{LocationId: r.Spec.(*Database).Location, Type: adminpb.Database_FIRESTORE_NATIVE},
	})
	if err == nil {
		_, err = op.Wait(ctx)
	}
	return deploy.Attrs{}, err
}

func (t *Target) readExpiry(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	f, err := t.Firestore.GetField(ctx, &adminpb.GetFieldRequest{Name: r.Name})
	if err != nil || f.GetTtlConfig() == nil {
		return nil, err
	}
	return &deploy.Observed{Spec: &Expiry{true}, Attrs: deploy.Attrs{}}, nil
}

// putExpiry also takes the field out of indexes, whose writes cost time.
func (t *Target) putExpiry(ctx context.Context, r *deploy.Resource, _ *deploy.Observed) (deploy.Attrs, error) {
	return deploy.Attrs{}, t.setExpiry(ctx, &adminpb.Field{Name: r.Name, TtlConfig: &adminpb.Field_TtlConfig{}, IndexConfig: &adminpb.Field_IndexConfig{}})
}

func (t *Target) setExpiry(ctx context.Context, f *adminpb.Field) error {
	op, err := t.Firestore.UpdateField(ctx, &adminpb.UpdateFieldRequest{Field: f, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"ttl_config", "index_config"}}})
	if err == nil {
		_, err = op.Wait(ctx)
	}
	return err
}

// deleteExpiry leaves the time to live: what is left of the records goes by it.
func (t *Target) deleteExpiry(ctx context.Context, o *deploy.Owned) error { return t.leave(ctx, o) }

func (t *Target) readQueue(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	q, err := t.Tasks.GetQueue(ctx, &cloudtaskspb.GetQueueRequest{Name: r.Name})
	if err != nil {
		return nil, err
	}
	return &deploy.Observed{Spec: &Queue{q.GetRetryConfig().GetMaxAttempts()}, Attrs: deploy.Attrs{"name": r.Name}}, nil
}

func (t *Target) putQueue(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error) {
	q := &cloudtaskspb.Queue{Name: r.Name, RetryConfig: &cloudtaskspb.RetryConfig{MaxAttempts: r.Spec.(*Queue).Attempts}}
	attrs := deploy.Attrs{"name": r.Name}
	if was != nil {
		_, err := t.Tasks.UpdateQueue(ctx, &cloudtaskspb.UpdateQueueRequest{Queue: q, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"retry_config.max_attempts"}}})
		return attrs, err
	}
	queues, _ := last(r.Name)
	parent, _ := last(queues)
	_, err := t.Tasks.CreateQueue(ctx, &cloudtaskspb.CreateQueueRequest{Parent: parent, Queue: q})
	return attrs, err
}

func (t *Target) deleteQueue(ctx context.Context, o *deploy.Owned) error {
	return t.Tasks.DeleteQueue(ctx, &cloudtaskspb.DeleteQueueRequest{Name: o.Name})
}

// Labels of functions.
const (
	ownerLabel = "weft-deployment"
	hashLabel  = "weft-code"
)

func (t *Target) readFunction(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	f, err := t.Functions.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: r.Name})
	if err != nil {
		return nil, err
	}
	want, s := r.Spec.(*Function), f.GetServiceConfig()
	is := &Function{
		Runtime: f.GetBuildConfig().GetRuntime(), EntryPoint: f.GetBuildConfig().GetEntryPoint(), Memory: s.GetAvailableMemory(), Seconds: s.GetTimeoutSeconds(),
		Env: s.GetEnvironmentVariables(), Account: s.GetServiceAccountEmail(), Archive: want.Archive, Hash: f.GetLabels()[hashLabel], Owner: f.GetLabels()[ownerLabel],
	}
	if f.GetState() == functionspb.Function_FAILED {
		is.Hash = "failed" // its build, which is to be tried again
	}
	return &deploy.Observed{Spec: is, Attrs: deploy.Attrs{"name": r.Name, "url": f.GetUrl()}, Foreign: is.Owner != want.Owner}, nil
}

func (t *Target) putFunction(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error) {
	spec := r.Spec.(*Function)
	functionsOf, id := last(r.Name)
	parent, _ := last(functionsOf)
	source, err := t.upload(ctx, parent, spec.Archive)
	if err != nil {
		return nil, err
	}
	f := &functionspb.Function{
		Name: r.Name, Environment: functionspb.Environment_GEN_2, Labels: map[string]string{ownerLabel: spec.Owner, hashLabel: spec.Hash},
		BuildConfig: &functionspb.BuildConfig{Runtime: spec.Runtime, EntryPoint: spec.EntryPoint, Source: source},
		ServiceConfig: &functionspb.ServiceConfig{
			AvailableMemory: spec.Memory, TimeoutSeconds: spec.Seconds, EnvironmentVariables: spec.Env, ServiceAccountEmail: spec.Account,
		},
	}
	var done *functionspb.Function
	if was == nil {
		op, err := t.Functions.CreateFunction(ctx, &functionspb.CreateFunctionRequest{Parent: parent, FunctionId: id, Function: f})
		if err != nil {
			return nil, err
		}
		done, err = op.Wait(ctx)
		return deploy.Attrs{"name": r.Name, "url": done.GetUrl()}, err
	}
	op, err := t.Functions.UpdateFunction(ctx, &functionspb.UpdateFunctionRequest{Function: f, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{
		"labels", "build_config.runtime", "build_config.entry_point", "build_config.source", "service_config.available_memory",
		"service_config.timeout_seconds", "service_config.environment_variables", "service_config.service_account_email",
	}}})
	if err != nil {
		return nil, err
	}
	done, err = op.Wait(ctx)
	return deploy.Attrs{"name": r.Name, "url": done.GetUrl()}, err
}

// upload brings an archive to where functions are built from.
func (t *Target) upload(ctx context.Context, parent, file string) (*functionspb.Source, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	place, err := t.Functions.GenerateUploadUrl(ctx, &functionspb.GenerateUploadUrlRequest{Parent: parent, Environment: functionspb.Environment_GEN_2})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, place.GetUploadUrl(), bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/zip")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the upload: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(res.Body, 1<<10)) // what there is of it
		return nil, fmt.Errorf("the upload was answered %s: %s", res.Status, text)
	}
	return &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: place.GetStorageSource()}}, nil
}

func (t *Target) deleteFunction(ctx context.Context, o *deploy.Owned) error {
	op, err := t.Functions.DeleteFunction(ctx, &functionspb.DeleteFunctionRequest{Name: o.Name})
	if err != nil {
		return err
	}
	return op.Wait(ctx)
}
