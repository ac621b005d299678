package gcp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	cloudtasks "cloud.google.com/go/cloudtasks/apiv2"
	firestore "cloud.google.com/go/firestore/apiv1/admin"
	functions "cloud.google.com/go/functions/apiv2"
	iam "cloud.google.com/go/iam/admin/apiv1"
	"google.golang.org/api/cloudresourcemanager/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/run/v2"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/weftworks/weft/fault"
	"github.com/weftworks/weft/unum/deploy"
	platform "github.com/weftworks/weft/unum/platform/gcp"
)

// Target is Google Cloud, by its clients.
type Target struct {
	Functions *functions.FunctionClient
	Firestore *firestore.FirestoreAdminClient
	Accounts  *iam.IamClient
	Tasks     *cloudtasks.Client
	Projects  *cloudresourcemanager.Service
	Run       *run.Service
	// Pause is how long to wait between two looks at what takes its time. 0: two seconds.
	Pause time.Duration

	closers []io.Closer
}

// Options are what the clients are opened with, besides what they find by themselves: other endpoints and credentials.
type Options struct{ Functions, Firestore, Accounts, Tasks, Projects, Run []option.ClientOption }

// OptionsOf returns those of where gcloud's variables say that the APIs are.
func OptionsOf(env func(string) string) (o Options, err error) {
	for api, options := range map[string]*[]option.ClientOption{
		"CLOUDFUNCTIONS": &o.Functions, "FIRESTORE": &o.Firestore, "IAM": &o.Accounts, "CLOUDTASKS": &o.Tasks,
	} {
		if *options, err = platform.Endpoint(env, api); err != nil {
			return o, err
		}
	}
	if o.Projects, err = platform.HTTPEndpoint(env, "CLOUDRESOURCEMANAGER"); err == nil {
		o.Run, err = platform.HTTPEndpoint(env, "RUN")
	}
	return o, err
}

// Open returns a target, to be closed. It connects to nothing yet.
func Open(ctx context.Context, o Options) (*Target, error) {
	t := &Target{}
	var errs [6]error
	t.Functions, errs[0] = functions.NewFunctionClient(ctx, o.Functions...)
	t.Firestore, errs[1] = firestore.NewFirestoreAdminClient(ctx, o.Firestore...)
	t.Accounts, errs[2] = iam.NewIamClient(ctx, o.Accounts...)
	t.Tasks, errs[3] = cloudtasks.NewClient(ctx, o.Tasks...)
	t.Projects, errs[4] = cloudresourcemanager.NewService(ctx, o.Projects...)
	t.Run, errs[5] = run.NewService(ctx, o.Run...)
	for i, c := range []io.Closer{t.Functions, t.Firestore, t.Accounts, t.Tasks} {
		if errs[i] == nil {
			t.closers = append(t.closers, c)
		}
	}
	for _, err := range errs {
		if err != nil { // all fail alike
			err = fault.New("gcp.open", fault.Unauthorized, "", "Google's clients find no credentials; gcloud auth application-default login gives them some: %w", err)
			return nil, errors.Join(err, t.Close())
		}
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

// driver does what Target does for one kind of resource.
type driver struct {
	read   func(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error)
	create func(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error)
	update func(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error)
	remove func(ctx context.Context, o *deploy.Owned) error
}

func (t *Target) driver(id deploy.ID) (*driver, error) {
	switch id.Kind() {
	case "account":
		return &driver{t.readAccount, t.createAccount, nil, t.deleteAccount}, nil
	case "database":
		return &driver{t.readDatabase, t.createDatabase, t.updateDatabase, t.deleteDatabase}, nil
	case "queue":
		return &driver{t.readQueue, t.createQueue, t.updateQueue, t.deleteQueue}, nil
	case "grant":
		return &driver{t.readGrant, t.createGrant, nil, t.deleteGrant}, nil
	case "function":
		return &driver{t.readFunction, t.createFunction, t.updateFunction, t.deleteFunction}, nil
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
	if absent(err) {
		return nil, nil
	}
	return o, wrap("gcp.read", r.Name, err)
}

// Create implements deploy.Target.
func (t *Target) Create(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	d, err := t.driver(r.ID)
	if err != nil {
		return nil, err
	}
	attrs, err := d.create(ctx, r)
	return attrs, wrap("gcp.create", r.Name, err)
}

// Update implements deploy.Target.
func (t *Target) Update(ctx context.Context, r *deploy.Resource, was *deploy.Observed) (deploy.Attrs, error) {
	d, err := t.driver(r.ID)
	if err != nil {
		return nil, err
	}
	if d.update == nil {
		return nil, fault.New("gcp.update", fault.Conflict, r.Name, "a %s cannot be changed: destroy the deployment and deploy it again", r.ID.Kind())
	}
	attrs, err := d.update(ctx, r, was)
	return attrs, wrap("gcp.update", r.Name, err)
}

// Delete implements deploy.Target.
func (t *Target) Delete(ctx context.Context, o *deploy.Owned) error {
	d, err := t.driver(o.ID)
	if err != nil {
		return err
	}
	if err = d.remove(ctx, o); absent(err) {
		return nil
	}
	return wrap("gcp.delete", o.Name, err)
}

// codeOf is what gRPC calls an error, of HTTP too.
func codeOf(err error) codes.Code {
	var rest *googleapi.Error
	if !errors.As(err, &rest) {
		return status.Code(err)
	}
	switch rest.Code {
	case http.StatusBadRequest:
		return codes.InvalidArgument
	case http.StatusUnauthorized:
		return codes.Unauthenticated
	case http.StatusForbidden:
		return codes.PermissionDenied
	case http.StatusNotFound:
		return codes.NotFound
	case http.StatusConflict:
		return codes.Aborted
	}
	return codes.Unavailable
}

// absent reports whether an error says that something is not there.
func absent(err error) bool { return err != nil && codeOf(err) == codes.NotFound }

// wrap makes an error of Google's one of ours, with what to do.
func wrap(op, subject string, err error) error {
	var own *fault.Error
	if err == nil || errors.As(err, &own) {
		return err
	}
	switch codeOf(err) {
	case codes.PermissionDenied, codes.Unauthenticated:
		return fault.New(op, fault.Unauthorized, subject, "Google does not let these credentials do that, or the API is not enabled in the project; docs/unum-deploy.md lists what a deployment needs: %w", err)
	case codes.Unavailable, codes.Unknown, codes.DeadlineExceeded, codes.Internal:
		return fault.New(op, fault.Unavailable, subject, "%w", err)
	}
	return fault.New(op, fault.Conflict, subject, "%w", err)
}

// waits is how often something is looked at until it is ready: with a pause of two seconds, a quarter of an hour. Builds take
// minutes.
const waits = 450

// until calls ready until it says so.
func (t *Target) until(ctx context.Context, what string, ready func() (bool, error)) error {
	pause := t.Pause
	if pause == 0 {
		pause = 2 * time.Second
	}
	for range waits {
		ok, err := ready()
		if ok || err != nil {
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		case <-timer.C:
		}
	}
	return fmt.Errorf("%s did not become ready", what)
}

// begin calls fn until nothing else goes on with the resource.
func (t *Target) begin(ctx context.Context, fn func() error) error {
	return t.until(ctx, "what goes on there", func() (bool, error) {
		err := fn()
		if err != nil && codeOf(err) == codes.Aborted {
			return false, nil
		}
		return true, err
	})
}
