package gcp

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strconv"

	"cloud.google.com/go/functions/apiv2/functionspb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/weftworks/weft/unum/deploy"
)

func functionAttrs(f *functionspb.Function) deploy.Attrs {
	return deploy.Attrs{"name": f.GetName(), "url": f.GetUrl()}
}

// functionSpec says what a function is. Where its archive is on this machine Google does not tell.
func functionSpec(f *functionspb.Function, archive string) *Function {
	service := f.GetServiceConfig()
	is := &Function{
		Runtime: f.GetBuildConfig().GetRuntime(), EntryPoint: f.GetBuildConfig().GetEntryPoint(), Account: service.GetServiceAccountEmail(),
		MemoryMiB: mebibytes(service.GetAvailableMemory()), Seconds: service.GetTimeoutSeconds(), Env: service.GetEnvironmentVariables(),
		Archive: archive, Owner: f.GetLabels()[OwnerLabel],
	}
	if f.GetState() == functionspb.Function_ACTIVE {
		is.Hash = f.GetLabels()[archiveLabel]
	}
	return is
}

var quantity = regexp.MustCompile(`^(\d+)(Mi|M|Gi|G)$`)

// mebibytes reads an amount of memory as Google writes it, for which M is the same as Mi; 0: another unit than those that we
// write.
func mebibytes(s string) int64 {
	m := quantity.FindStringSubmatch(s)
	if m == nil {
		return 0
	}
	n, _ := strconv.ParseInt(m[1], 10, 64) // what is too large is the largest
	if m[2][0] == 'G' {
		n <<= 10
	}
	return n
}

func (t *Target) readFunction(ctx context.Context, r *deploy.Resource) (*deploy.Observed, error) {
	f, err := t.Functions.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: r.Name})
	if err != nil {
		return nil, err
	}
	want := r.Spec.(*Function)
	is := functionSpec(f, want.Archive)
	return &deploy.Observed{Spec: is, Attrs: functionAttrs(f), Foreign: is.Owner != want.Owner}, nil
}

// function is what Google is asked for, with a source that has just been uploaded.
func (t *Target) function(ctx context.Context, r *deploy.Resource) (*functionspb.Function, error) {
	spec := r.Spec.(*Function)
	location, _ := split(r.Name)
	source, err := t.upload(ctx, location, spec.Archive)
	if err != nil {
		return nil, err
	}
	return &functionspb.Function{
		Name: r.Name, Environment: functionspb.Environment_GEN_2, Labels: map[string]string{OwnerLabel: spec.Owner, archiveLabel: spec.Hash},
		BuildConfig: &functionspb.BuildConfig{Runtime: spec.Runtime, EntryPoint: spec.EntryPoint, Source: source},
		ServiceConfig: &functionspb.ServiceConfig{
			ServiceAccountEmail: spec.Account, AvailableMemory: strconv.FormatInt(spec.MemoryMiB, 10) + "Mi", TimeoutSeconds: spec.Seconds,
			EnvironmentVariables: spec.Env, AllTrafficOnLatestRevision: true, IngressSettings: functionspb.ServiceConfig_ALLOW_ALL,
		},
	}, nil
}

func (t *Target) createFunction(ctx context.Context, r *deploy.Resource) (deploy.Attrs, error) {
	f, err := t.function(ctx, r)
	if err != nil {
		return nil, err
	}
	location, id := split(r.Name)
	err = t.begin(ctx, func() error {
		op, err := t.Functions.CreateFunction(ctx, &functionspb.CreateFunctionRequest{Parent: location, FunctionId: id, Function: f})
		if err != nil {
			return err
		}
		return t.built(ctx, op.Done, func() (*functionspb.Function, error) { return op.Poll(ctx) }, &f)
	})
	return functionAttrs(f), err
}

// built waits until an operation is done, and returns what it has made in f.
func (t *Target) built(ctx context.Context, done func() bool, poll func() (*functionspb.Function, error), f **functionspb.Function) error {
	return t.until(ctx, "the function", func() (bool, error) {
		made, err := poll()
		if err != nil || !done() {
			return false, err
		}
		*f = made
		return true, nil
	})
}

// updated are the parts of a function that are ours to say.
var updated = []string{
	"labels", "build_config.runtime", "build_config.entry_point", "build_config.source", "service_config.service_account_email",
	"service_config.available_memory", "service_config.timeout_seconds", "service_config.environment_variables",
	"service_config.all_traffic_on_latest_revision",
}

// updateFunction changes a function, unless it is by now what an earlier attempt, of which this one did not see the end, has
// made of it.
func (t *Target) updateFunction(ctx context.Context, r *deploy.Resource, _ *deploy.Observed) (deploy.Attrs, error) {
	f, err := t.function(ctx, r)
	if err != nil {
		return nil, err
	}
	spec := r.Spec.(*Function)
	err = t.begin(ctx, func() error {
		is, err := t.Functions.GetFunction(ctx, &functionspb.GetFunctionRequest{Name: r.Name})
		if err == nil && reflect.DeepEqual(functionSpec(is, spec.Archive), spec) {
			f = is
			return nil
		}
		op, err := t.Functions.UpdateFunction(ctx, &functionspb.UpdateFunctionRequest{Function: f, UpdateMask: &fieldmaskpb.FieldMask{Paths: updated}})
		if err != nil {
			return err
		}
		return t.built(ctx, op.Done, func() (*functionspb.Function, error) { return op.Poll(ctx) }, &f)
	})
	return functionAttrs(f), err
}

func (t *Target) deleteFunction(ctx context.Context, o *deploy.Owned) error {
	return t.begin(ctx, func() error {
		op, err := t.Functions.DeleteFunction(ctx, &functionspb.DeleteFunctionRequest{Name: o.Name})
		if err != nil {
			return err
		}
		return t.until(ctx, "the end of the function", func() (bool, error) {
			err := op.Poll(ctx)
			return op.Done(), err
		})
	})
}

// upload brings an archive to where functions are built from.
func (t *Target) upload(ctx context.Context, location, file string) (*functionspb.Source, error) {
	place, err := t.Functions.GenerateUploadUrl(ctx, &functionspb.GenerateUploadUrlRequest{Parent: location, Environment: functionspb.Environment_GEN_2})
	if err != nil {
		return nil, err
	}
	archive, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer archive.Close()
	info, err := archive.Stat()
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPut, place.GetUploadUrl(), archive)
	if err != nil {
		return nil, err
	}
	req.ContentLength = info.Size()
	req.Header.Set("Content-Type", "application/zip") // which the URL is signed for
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("the upload: %w", err)
	}
	defer res.Body.Close()
	const most = 1 << 10
	words, err := io.ReadAll(io.LimitReader(res.Body, most))
	if err != nil || res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the upload was answered with %s: %s", res.Status, words)
	}
	return &functionspb.Source{Source: &functionspb.Source_StorageSource{StorageSource: place.GetStorageSource()}}, nil
}
