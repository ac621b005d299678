package gcfapi_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"cloud.google.com/go/firestore/apiv1/admin"
	"cloud.google.com/go/firestore/apiv1/admin/adminpb"
	functions "cloud.google.com/go/functions/apiv2"
	"cloud.google.com/go/functions/apiv2/functionspb"
	iam "cloud.google.com/go/iam/admin/apiv1"
	iamadminpb "cloud.google.com/go/iam/admin/apiv1/adminpb"
	"cloud.google.com/go/iam/apiv1/iampb"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/run/v2"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weftworks/weft/faas/gcfapi"
)

const where = "projects/p/locations/us-central1"

func start(t *testing.T, c gcfapi.Config) (*gcfapi.Server, option.ClientOption) {
	t.Helper()
	server, err := gcfapi.Start(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	conn, err := grpc.NewClient(server.Addr(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return server, option.WithGRPCConn(conn)
}

func wantCode(t *testing.T, what string, err error, code codes.Code) {
	t.Helper()
	if status.Code(err) != code {
		t.Errorf("%s: %v, want %v", what, err, code)
	}
}

// archive makes a zip archive of one file.
func archive(t *testing.T, name, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// upload brings a source to where functions are built from.
func upload(t *testing.T, c *functions.FunctionClient, data []byte) *functionspb.Source {
	t.Helper()
	place, err := c.GenerateUploadUrl(t.Context(), &functionspb.GenerateUploadUrlRequest{Parent: where})
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]int{"text/plain": 403, "application/zip": 200} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, place.GetUploadUrl(), bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != want {
			t.Errorf("upload as %s: %s, want %d", kind, res.Status, want)
		}
	}
	return &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: place.GetStorageSource()}}
}

func wanted(source *functionspb.Source) *functionspb.Function {
	return &functionspb.Function{
		BuildConfig:   &functionspb.BuildConfig{Runtime: "go126", EntryPoint: "weft", Source: source},
		ServiceConfig: &functionspb.ServiceConfig{AvailableMemory: "512M", EnvironmentVariables: map[string]string{"A": "1"}},
		Labels:        map[string]string{"app": "text"},
	}
}

// TestFunctions walks the life of a function with Google's client, with operations that take some polls.
func TestFunctions(t *testing.T) {
	t.Parallel()
	stopped := ""
	server, conn := start(t, gcfapi.Config{
		Serve: func(f *functionspb.Function, archive []byte) (string, error) {
			if bytes.Contains(archive, []byte("broken.go")) {
				return "", errors.New("does not compile")
			}
			return "http://127.0.0.1:1/" + f.GetServiceConfig().GetEnvironmentVariables()["A"], nil
		},
		Stop: func(name string) { stopped = name },
	})
	c, err := functions.NewFunctionClient(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx, name := t.Context(), where+"/functions/resize"
	_, err = c.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: name})
	wantCode(t, "a function that is not there", err, codes.NotFound)
	data := archive(t, "main.go", "package main")
	req := &functionspb.CreateFunctionRequest{Parent: where, FunctionId: "resize", Function: wanted(upload(t, c, data))}
	op, err := c.CreateFunction(ctx, req)
	if err != nil {
		t.Fatal(err)
	}
	made, err := op.Wait(ctx)
	if err != nil || made.GetState() != functionspb.Function_ACTIVE || made.GetServiceConfig().GetUri() != "http://127.0.0.1:1/1" ||
		made.GetUrl() != "https://us-central1-p.cloudfunctions.net/resize" || made.GetServiceConfig().GetTimeoutSeconds() != 60 {
		t.Fatalf("%v, %v", made, err)
	}
	if !bytes.Equal(server.Archive(name), data) {
		t.Error("the source is another")
	}
	_, err = c.CreateFunction(ctx, req)
	wantCode(t, "a function that is there", err, codes.AlreadyExists)

	change := &functionspb.Function{Name: name, ServiceConfig: &functionspb.ServiceConfig{EnvironmentVariables: map[string]string{"A": "2"}, TimeoutSeconds: 9}}
	up, err := c.UpdateFunction(ctx, &functionspb.UpdateFunctionRequest{Function: change, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"service_config.environment_variables", "labels"}}})
	if err != nil {
		t.Fatal(err)
	}
	changed, err := up.Wait(ctx)
	if err != nil || changed.GetServiceConfig().GetUri() != "http://127.0.0.1:1/2" || changed.GetServiceConfig().GetTimeoutSeconds() != 60 ||
		changed.GetServiceConfig().GetAvailableMemory() != "512M" || len(changed.GetLabels()) != 0 {
		t.Errorf("%v, %v", changed, err)
	}
	up, err = c.UpdateFunction(ctx, &functionspb.UpdateFunctionRequest{
		Function:   &functionspb.Function{Name: name, BuildConfig: &functionspb.BuildConfig{Source: upload(t, c, archive(t, "broken.go", "x"))}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"build_config.source"}},
	})
	if err == nil {
		_, err = up.Wait(ctx)
	}
	wantCode(t, "a build that fails", err, codes.InvalidArgument)
	failed, err := c.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: name})
	if err != nil || failed.GetState() != functionspb.Function_FAILED || !strings.Contains(failed.GetStateMessages()[0].GetMessage(), "does not compile") {
		t.Errorf("%v, %v", failed, err)
	}
	listed, err := c.ListFunctions(ctx, &functionspb.ListFunctionsRequest{Parent: "projects/p/locations/-"}).Next()
	if err != nil || listed.GetName() != name {
		t.Errorf("%v, %v", listed, err)
	}
	gone, err := c.DeleteFunction(ctx, &functionspb.DeleteFunctionRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	if err := gone.Wait(ctx); err != nil || stopped != name {
		t.Errorf("%v; stopped %q", err, stopped)
	}
	_, err = c.DeleteFunction(ctx, &functionspb.DeleteFunctionRequest{Name: name})
	wantCode(t, "a function that is gone", err, codes.NotFound)
}

// TestOperationsTakeTime has an operation take three polls, in which no other may begin; trying to is one of them.
func TestOperationsTakeTime(t *testing.T) {
	t.Parallel()
	_, conn := start(t, gcfapi.Config{Polls: 3})
	c, err := functions.NewFunctionClient(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	op, err := c.CreateFunction(ctx, &functionspb.CreateFunctionRequest{Parent: where, FunctionId: "f", Function: wanted(upload(t, c, archive(t, "a", "b")))})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.DeleteFunction(ctx, &functionspb.DeleteFunctionRequest{Name: where + "/functions/f"})
	wantCode(t, "a second operation", err, codes.Aborted)
	polls := 0
	for !op.Done() {
		polls++
		if _, err := op.Poll(ctx); err != nil {
			t.Fatal(err)
		}
		f, err := c.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: where + "/functions/f"})
		if err != nil || (f.GetState() == functionspb.Function_ACTIVE) != op.Done() {
			t.Errorf("after poll %d: %v, %v", polls, f.GetState(), err)
		}
	}
	if meta, err := op.Metadata(); err != nil || meta.GetVerb() != "create" || polls != 2 {
		t.Errorf("%d polls, %v, %v", polls, meta, err)
	}
}

func TestFunctionsAreChecked(t *testing.T) {
	t.Parallel()
	_, conn := start(t, gcfapi.Config{})
	c, err := functions.NewFunctionClient(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	good := upload(t, c, archive(t, "a", "b"))
	for what, change := range map[string]func(r *functionspb.CreateFunctionRequest){
		"name":    func(r *functionspb.CreateFunctionRequest) { r.FunctionId = "Resize_It" },
		"runtime": func(r *functionspb.CreateFunctionRequest) { r.Function.BuildConfig.Runtime = "" },
		"entry":   func(r *functionspb.CreateFunctionRequest) { r.Function.BuildConfig.EntryPoint = "" },
		"time":    func(r *functionspb.CreateFunctionRequest) { r.Function.ServiceConfig.TimeoutSeconds = 3601 },
		"memory":  func(r *functionspb.CreateFunctionRequest) { r.Function.ServiceConfig.AvailableMemory = "much" },
		"port": func(r *functionspb.CreateFunctionRequest) {
			r.Function.ServiceConfig.EnvironmentVariables["PORT"] = "1"
		},
		"source": func(r *functionspb.CreateFunctionRequest) { r.Function.BuildConfig.Source = nil },
	} {
		req := &functionspb.CreateFunctionRequest{Parent: where, FunctionId: "f", Function: wanted(good)}
		change(req)
		_, err := c.CreateFunction(t.Context(), req)
		wantCode(t, what, err, codes.InvalidArgument)
	}
	op, err := c.CreateFunction(t.Context(), &functionspb.CreateFunctionRequest{Parent: where, FunctionId: "f", Function: wanted(upload(t, c, []byte("no zip")))})
	if err == nil {
		_, err = op.Wait(t.Context())
	}
	wantCode(t, "a source that is no archive", err, codes.InvalidArgument)
}

// TestIdentity makes an account that may do something, by three of Google's clients.
func TestIdentity(t *testing.T) {
	t.Parallel()
	server, conn := start(t, gcfapi.Config{})
	ctx := t.Context()
	accounts, err := iam.NewIamClient(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	const name = "projects/p/serviceAccounts/my-app@p.iam.gserviceaccount.com"
	_, err = accounts.GetServiceAccount(ctx, &iamadminpb.GetServiceAccountRequest{Name: name})
	wantCode(t, "an account that is not there", err, codes.NotFound)
	projects, err := cloudresourcemanager.NewService(ctx, option.WithEndpoint(server.URL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	grant := func(member string) (*cloudresourcemanager.Policy, error) {
		p, err := projects.Projects.GetIamPolicy("p", &cloudresourcemanager.GetIamPolicyRequest{}).Context(ctx).Do()
		if err != nil {
			return nil, err
		}
		p.Bindings = append(p.Bindings, &cloudresourcemanager.Binding{Role: "roles/datastore.user", Members: []string{member}})
		return projects.Projects.SetIamPolicy("p", &cloudresourcemanager.SetIamPolicyRequest{Policy: p}).Context(ctx).Do()
	}
	var refused *googleapi.Error
	if _, err := grant("serviceAccount:my-app@p.iam.gserviceaccount.com"); !errors.As(err, &refused) || refused.Code != 400 {
		t.Errorf("a role for an account that is not there: %v", err)
	}
	made, err := accounts.CreateServiceAccount(ctx, &iamadminpb.CreateServiceAccountRequest{Name: "projects/p", AccountId: "my-app"})
	if err != nil || made.GetName() != name {
		t.Fatalf("%v, %v", made, err)
	}
	_, err = accounts.CreateServiceAccount(ctx, &iamadminpb.CreateServiceAccountRequest{Name: "projects/p", AccountId: "my-app"})
	wantCode(t, "an account that is there", err, codes.AlreadyExists)
	p, err := grant("serviceAccount:" + made.GetEmail())
	if err != nil || len(p.Bindings) != 1 {
		t.Fatalf("%v, %v", p, err)
	}
	p.Etag = "MA==" // of the time before
	if _, err := projects.Projects.SetIamPolicy("p", &cloudresourcemanager.SetIamPolicyRequest{Policy: p}).Context(ctx).Do(); !errors.As(err, &refused) || refused.Code != 409 {
		t.Errorf("a policy that somebody else has changed: %v", err)
	}

	c, err := functions.NewFunctionClient(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	op, err := c.CreateFunction(ctx, &functionspb.CreateFunctionRequest{Parent: where, FunctionId: "f", Function: wanted(upload(t, c, archive(t, "a", "b")))})
	if err != nil {
		t.Fatal(err)
	}
	f, err := op.Wait(ctx)
	if err != nil {
		t.Fatal(err)
	}
	binding := &iampb.Policy{Bindings: []*iampb.Binding{{Role: "roles/cloudfunctions.invoker", Members: []string{"serviceAccount:" + made.GetEmail()}}}}
	if _, err := c.SetIamPolicy(ctx, &iampb.SetIamPolicyRequest{Resource: f.GetName(), Policy: binding}); err != nil {
		t.Error(err)
	}
	got, err := c.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: f.GetName()})
	if err != nil || len(got.GetBindings()) != 1 {
		t.Errorf("%v, %v", got, err)
	}
	services, err := run.NewService(ctx, option.WithEndpoint(server.URL()), option.WithoutAuthentication())
	if err != nil {
		t.Fatal(err)
	}
	who := &run.GoogleIamV1SetIamPolicyRequest{Policy: &run.GoogleIamV1Policy{Bindings: []*run.GoogleIamV1Binding{{Role: "roles/run.invoker", Members: []string{"allUsers"}}}}}
	if _, err := services.Projects.Locations.Services.SetIamPolicy(f.GetServiceConfig().GetService(), who).Context(ctx).Do(); err != nil {
		t.Error(err)
	}
	if p, err := services.Projects.Locations.Services.GetIamPolicy(f.GetServiceConfig().GetService()).Context(ctx).Do(); err != nil || len(p.Bindings) != 1 {
		t.Errorf("the policy of a service: %v, %v", p, err)
	}
	if _, err := services.Projects.Locations.Services.GetIamPolicy(where + "/services/x").Context(ctx).Do(); !errors.As(err, &refused) || refused.Code != 404 {
		t.Errorf("the policy of no service: %v", err)
	}
	_, err = c.GetIamPolicy(ctx, &iampb.GetIamPolicyRequest{Resource: f.GetName() + "x"})
	wantCode(t, "the policy of nothing", err, codes.NotFound)
	if err := accounts.DeleteServiceAccount(ctx, &iamadminpb.DeleteServiceAccountRequest{Name: name}); err != nil {
		t.Error(err)
	}
}

func TestFirestoreAdministration(t *testing.T) {
	t.Parallel()
	_, conn := start(t, gcfapi.Config{})
	ctx := t.Context()
	c, err := apiv1.NewFirestoreAdminClient(ctx, conn)
	if err != nil {
		t.Fatal(err)
	}
	const db = "projects/p/databases/weft-runs"
	const field = db + "/collectionGroups/weft/fields/expires"
	_, err = c.GetDatabase(ctx, &adminpb.GetDatabaseRequest{Name: db})
	wantCode(t, "a database that is not there", err, codes.NotFound)
	_, err = c.GetField(ctx, &adminpb.GetFieldRequest{Name: field})
	wantCode(t, "a field of it", err, codes.NotFound)
	op, err := c.CreateDatabase(ctx, &adminpb.CreateDatabaseRequest{Parent: "projects/p", DatabaseId: "weft-runs", Database: &adminpb.Database{LocationId: "nam5", Type: adminpb.Database_FIRESTORE_NATIVE}})
	if err != nil {
		t.Fatal(err)
	}
	if made, err := op.Wait(ctx); err != nil || made.GetName() != db {
		t.Fatalf("%v, %v", made, err)
	}
	before, err := c.GetField(ctx, &adminpb.GetFieldRequest{Name: field})
	if err != nil || before.GetTtlConfig() != nil || !before.GetIndexConfig().GetUsesAncestorConfig() {
		t.Errorf("%v, %v", before, err)
	}
	set, err := c.UpdateField(ctx, &adminpb.UpdateFieldRequest{
		Field:      &adminpb.Field{Name: field, TtlConfig: &adminpb.Field_TtlConfig{}, IndexConfig: &adminpb.Field_IndexConfig{}},
		UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"ttl_config", "index_config"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if f, err := set.Wait(ctx); err != nil || f.GetTtlConfig().GetState() != adminpb.Field_TtlConfig_ACTIVE || f.GetIndexConfig().GetUsesAncestorConfig() {
		t.Errorf("%v, %v", f, err)
	}
	listed, err := c.ListFields(ctx, &adminpb.ListFieldsRequest{Parent: db + "/collectionGroups/weft", Filter: "ttlConfig:*"}).Next()
	if err != nil || listed.GetName() != field {
		t.Errorf("%v, %v", listed, err)
	}
	gone, err := c.DeleteDatabase(ctx, &adminpb.DeleteDatabaseRequest{Name: db})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Wait(ctx); err != nil {
		t.Error(err)
	}
	_, err = c.GetField(ctx, &adminpb.GetFieldRequest{Name: field})
	wantCode(t, "a field of a database that is gone", err, codes.NotFound)
}

func TestIntercept(t *testing.T) {
	t.Parallel()
	_, conn := start(t, gcfapi.Config{Intercept: func(_ context.Context, method string, call func() error) error {
		if method == "GetFunction" {
			return status.Error(codes.PermissionDenied, "injected")
		}
		return call()
	}})
	c, err := functions.NewFunctionClient(t.Context(), conn)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.GetFunction(t.Context(), &functionspb.GetFunctionRequest{Name: where + "/functions/f"})
	wantCode(t, "an injected fault", err, codes.PermissionDenied)
}
